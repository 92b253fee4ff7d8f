//! Several nodes as processes, on one database.

use std::time::{Duration, Instant};

use super::{App, Browser, Page};
use crate::crash::{Serving, free_port};

/// Where a node listens.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub public: u16,
    pub ops: u16,
}

impl Place {
    /// What a browser's page at this node is told of its login, as it happens.
    pub async fn events(self, app: &App, browser: &Browser, login: &Page) -> reqwest::Response {
        events_at(
            app,
            &format!("http://127.0.0.1:{}", self.public),
            browser,
            login,
        )
        .await
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

/// What a page is told of its login by whichever node its request comes to.
pub async fn events(app: &App, browser: &Browser, login: &Page) -> reqwest::Response {
    events_at(app, &app.issuer, browser, login).await
}

async fn events_at(app: &App, at: &str, browser: &Browser, login: &Page) -> reqwest::Response {
    let id = login.login_id();
    let name = format!("l-{}", &id[..8]);
    let cookie = format!("{name}={}", browser.cookie(&name).expect("a cookie"));
    let request = browser_like().get(format!("{at}/login/{id}/events"));
    let request = request
        .header("host", host_of(app))
        .header("cookie", cookie);
    request.send().await.expect("an answer")
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
}

impl Node {
    pub async fn start(app: &App, name: &str) -> Node {
        Node::start_in(app, name, Vec::new()).await
    }

    /// The same with more of an environment.
    pub async fn start_in(app: &App, name: &str, environment: Vec<(&'static str, String)>) -> Node {
        let place = Place {
            public: free_port(),
            ops: free_port(),
        };
        Node {
            serving: serve(app, name, place, &environment).await,
            place,
            name: name.to_owned(),
            environment,
        }
    }

    /// Starts it once more after its end.
    pub async fn start_again(&mut self, app: &App) {
        self.serving = serve(app, &self.name, self.place, &self.environment).await;
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

async fn serve(
    app: &App,
    name: &str,
    place: Place,
    environment: &[(&'static str, String)],
) -> Serving {
    let listen = app.issuer.replace("http://localhost:", "127.0.0.1:");
    let elsewhere = format!("127.0.0.1:{}", place.public);
    let ops = format!("[ops]\naddress = \"127.0.0.1:{}\"\n[bankid]", place.ops);
    let changes = [
        (listen.as_str(), elsewhere.as_str()),
        ("[bankid]", ops.as_str()),
    ];
    let mut serving = Serving::start_in(app, name, &changes, environment).await;
    serving.port = place.public;
    serving
}
