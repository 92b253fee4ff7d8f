//! Several nodes as processes, on one database.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::ports;
use super::{App, Browser, Page};
use crate::crash::Serving;

/// Where a node listens.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub public: u16,
    pub ops: u16,
}

impl Place {
    /// Where nobody listens.
    pub fn of_nobody() -> Place {
        Place {
            public: ports::free(),
            ops: ports::free(),
        }
    }

    /// What a browser's page at this node is told of its login, as it happens.
    pub async fn events(self, app: &App, browser: &Browser, login: &Page) -> reqwest::Response {
        let at = format!("http://127.0.0.1:{}", self.public);
        let id = login.login_id();
        let name = format!("l-{}", &id[..8]);
        let cookie = format!("{name}={}", browser.cookie(&name).expect("a cookie"));
        let request = browser_like().get(format!("{at}/login/{id}/events"));
        let request = request
            .header("host", host_of(app))
            .header("cookie", cookie);
        request.send().await.expect("an answer")
    }

    /// A press on a button of the choice page that comes to this node, and where it leads.
    pub async fn choose(self, app: &App, browser: &Browser, choice: &Page, device: &str) -> Page {
        let (form, host) = (choice.value("form"), host_of(app));
        let form = [
            ("form", form.as_str()),
            ("device", device),
            ("scripts", "off"),
        ];
        let request = browser_like()
            .post(format!("http://127.0.0.1:{}/login", self.public))
            .form(&form)
            .header("host", host)
            .header("origin", "null")
            .header("sec-fetch-site", "same-origin");
        let pressed = browser.send(request).await;
        assert_eq!(pressed.status, 303, "{}", pressed.body);
        browser.connect_to(self.public);
        let led_to = pressed.location().expect("a redirect");
        browser.get(&format!("{}{led_to}", app.issuer)).await
    }
}

fn host_of(app: &App) -> &str {
    app.issuer.trim_start_matches("http://")
}

fn browser_like() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy();
    let client = client.redirect(reqwest::redirect::Policy::none());
    client.build().expect("a client")
}

/// A node that can be started again where it was.
pub struct Node {
    pub serving: Serving,
    pub place: Place,
    name: String,
    /// What it is started with besides, by the environment.
    environment: Vec<(&'static str, String)>,
    /// What is otherwise in its configuration.
    changes: Vec<(String, String)>,
}

impl Node {
    pub async fn start(app: &App, name: &str) -> Node {
        Node::start_in(app, name, Vec::new()).await
    }

    /// The same with more of an environment.
    pub async fn start_in(app: &App, name: &str, environment: Vec<(&'static str, String)>) -> Node {
        Node::started(&ours(), app, name, environment, Vec::new()).await
    }

    /// The version before, where `./test --before` made it. Started again it is this one.
    pub async fn start_before(app: &App, name: &str) -> Node {
        let before = std::env::var_os("PORTVAKT_TEST_BEFORE").map(PathBuf::from);
        let program = before.unwrap_or_else(ours);
        Node::started(&program, app, name, Vec::new(), Vec::new()).await
    }

    /// One with another configuration.
    pub async fn start_with(app: &App, name: &str, changes: &[(&str, &str)]) -> Node {
        let owned = |(from, to): &(&str, &str)| ((*from).to_owned(), (*to).to_owned());
        let changes = changes.iter().map(owned).collect();
        Node::started(&ours(), app, name, Vec::new(), changes).await
    }

    async fn started(
        program: &Path,
        app: &App,
        name: &str,
        environment: Vec<(&'static str, String)>,
        changes: Vec<(String, String)>,
    ) -> Node {
        let place = Place {
            public: ports::free(),
            ops: ports::free(),
        };
        Node {
            serving: serve(program, app, name, place, &environment, &changes).await,
            place,
            name: name.to_owned(),
            environment,
            changes,
        }
    }

    /// Starts it once more after its end.
    pub async fn start_again(&mut self, app: &App) {
        let (place, name) = (self.place, self.name.as_str());
        self.serving = serve(&ours(), app, name, place, &self.environment, &self.changes).await;
    }

    /// Status and words of its readiness.
    pub async fn readiness(&self, app: &App) -> (u16, String) {
        let url = format!("http://127.0.0.1:{}/readyz", self.place.ops);
        let answer = app.http.get(url).send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.text().await.expect("text"))
    }

    /// Asks until readiness has a status and says something; how long that took.
    pub async fn until_it_says(&self, app: &App, status: u16, word: &str) -> Duration {
        let since = Instant::now();
        let mut seen = (0, String::new());
        while since.elapsed() < Duration::from_secs(30) {
            seen = self.readiness(app).await;
            if seen.0 == status && seen.1.contains(word) {
                return since.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it never says {word} with {status}: {seen:?}");
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.serving.log).expect("a log")
    }
}

fn ours() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_portvakt"))
}

async fn serve(
    program: &Path,
    app: &App,
    name: &str,
    place: Place,
    environment: &[(&'static str, String)],
    changes: &[(String, String)],
) -> Serving {
    let (_, port) = app.issuer.rsplit_once(':').expect("a port");
    let listen = format!("\"127.0.0.1:{port}\"");
    let elsewhere = format!("\"127.0.0.1:{}\"", place.public);
    let ops = format!("[ops]\naddress = \"127.0.0.1:{}\"\n[bankid]", place.ops);
    let more = changes.iter();
    let changes: Vec<(&str, &str)> = more
        .map(|(from, to)| (from.as_str(), to.as_str()))
        .chain([(listen.as_str(), elsewhere.as_str()), ("[bankid]", &ops)])
        .collect();
    let mut serving = Serving::start_by(program, app, name, &changes, environment).await;
    serving.port = place.public;
    serving
}
