//! The program itself, killed while people log in.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portvakt::shows;

use crate::support::between::Between;
use crate::support::browser::read_qr;
use crate::support::chromium::{Scripts, browsers, is_there};
use crate::support::phone::TOLVAN;
use crate::support::ports;
use crate::support::{Answer, App, Browser, Database, Names, Options, Page, on_both, run};

/// `portvakt serve`, as an operator starts it.
pub struct Serving {
    child: Child,
    pub log: std::path::PathBuf,
    /// Where it listens, when that is not where the app does.
    pub port: u16,
}

impl Serving {
    /// Starts another node beside an app, on a port of its own.
    pub async fn beside(app: &App, name: &str) -> Serving {
        let port = ports::free();
        let address = app.issuer.replace("http://localhost:", "127.0.0.1:");
        let elsewhere = format!("127.0.0.1:{port}");
        let changes = [(address.as_str(), elsewhere.as_str())];
        let mut serving = Serving::start(app, name, &changes).await;
        serving.port = port;
        serving
    }

    /// Starts it with an app's configuration, with lines changed, and waits until it answers.
    pub async fn start(app: &App, name: &str, changes: &[(&str, &str)]) -> Serving {
        Serving::start_in(app, name, changes, &[]).await
    }

    /// The same beside the app, its database behind something that stands in between. It says less: the
    /// many who come are enough to read.
    pub async fn behind(app: &App, name: &str, between: &Between) -> Serving {
        let port = ports::free();
        let address = app.issuer.replace("http://localhost:", "127.0.0.1:");
        let elsewhere = format!("127.0.0.1:{port}");
        let database = app.database.url(app.directory.path());
        let (from, to) = between.detour(&database);
        let changes = [
            (address.as_str(), elsewhere.as_str()),
            (from.as_str(), to.as_str()),
        ];
        let less = [("RUST_LOG", "info,portvakt=trace".to_owned())];
        let mut serving = Serving::start_in(app, name, &changes, &less).await;
        serving.port = port;
        serving
    }

    /// The same with more of an environment.
    pub async fn start_in(
        app: &App,
        name: &str,
        changes: &[(&str, &str)],
        environment: &[(&str, String)],
    ) -> Serving {
        let program = Path::new(env!("CARGO_BIN_EXE_portvakt"));
        Serving::start_by(program, app, name, changes, environment).await
    }

    /// The same by another version's program.
    pub async fn start_by(
        program: &Path,
        app: &App,
        name: &str,
        changes: &[(&str, &str)],
        environment: &[(&str, String)],
    ) -> Serving {
        let mut config = app.config.clone();
        for (from, to) in changes {
            assert!(config.contains(from), "{from}");
            config = config.replace(from, to);
        }
        let file = app.directory.path().join(format!("{name}.toml"));
        std::fs::write(&file, &config).expect("written");
        let log = app.directory.path().join(format!("{name}.log"));
        let before = std::fs::read_to_string(&log).unwrap_or_default().len();
        let child = Command::new(program)
            .args(["serve", "--config"])
            .arg(&file)
            .env("RUST_LOG", "trace")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stderr(
                std::fs::File::options()
                    .create(true)
                    .append(true)
                    .open(&log)
                    .expect("a log"),
            )
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        let serving = Serving {
            child,
            log,
            port: 0,
        };
        for _ in 0..600 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let said = std::fs::read_to_string(&serving.log).expect("a log");
            if said[before..].contains("serving") {
                return serving;
            }
        }
        let said = std::fs::read_to_string(&serving.log).expect("a log");
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        panic!("it does not serve: {last:#?}");
    }

    /// Waits for a word in its log.
    pub async fn until_it_says(&self, word: &str) {
        for _ in 0..100 {
            if std::fs::read_to_string(&self.log)
                .expect("a log")
                .contains(word)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it never says {word}");
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it is gone");
    }

    /// SIGTERM, and whether it ended well.
    pub fn stop(&mut self) -> bool {
        self.tell_to_stop();
        self.has_ended_well()
    }

    /// SIGTERM.
    pub fn tell_to_stop(&self) {
        let pid = self.child.id().to_string();
        Command::new("kill").arg(pid).status().expect("kill runs");
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("asked").is_none()
    }

    /// Waits for its end, while others go on.
    pub async fn ends_well(&mut self) -> bool {
        for _ in 0..1200 {
            if let Some(status) = self.child.try_wait().expect("asked") {
                return status.success();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it does not end");
    }

    /// Waits for its end.
    pub fn has_ended_well(&mut self) -> bool {
        self.child.wait().expect("it is gone").success()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What it said is searched with the rest.
        if let Some(record) = std::env::var_os("PORTVAKT_TEST_RECORD") {
            let name = format!("serve-{}.log", self.child.id());
            let _ = std::fs::copy(
                &self.log,
                std::path::Path::new(&record).join("logs").join(name),
            );
        }
    }
}

on_both!(a_login_outlives_the_provider, async |database| {
    let _shows = shows!(accepting "PV-RESUME-1");
    let app = App::on(database).await;
    app.stop_provider().await;
    // A name that lasts, so that the new start knows what the old one left.
    let named = [("[bankid]", "[node]\nid = \"one\"\n[bankid]")];
    let mut serving = Serving::start(&app, "one", &named).await;
    let browser = Browser::new();
    let choice = browser.get(&app.authorize_url(&[])).await;
    let login = browser.choose(&choice, "other").await;
    serving.kill();
    let _again = Serving::start(&app, "one", &named).await;
    let scan = browser.until(&login, "scan").await;
    app.phone
        .scan(&scan.qr_text(), TOLVAN)
        .await
        .approve()
        .await;
    let answer = Answer::of(&browser.until_departure(&login).await);
    crate::token::redeem(&app, &answer).await;
});

#[test]
fn the_other_node_completes_what_a_killed_one_began() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-NODE-1");
        let app = App::on(database).await;
        app.stop_provider().await;
        let mut first = Serving::start(&app, "first", &[]).await;
        let second = Serving::beside(&app, "second").await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        // From here on the browser is connected to the other node, which did not make the order.
        browser.connect_to(second.port);
        let scan = browser.get(&login.url).await;
        assert_eq!(scan.screen().as_deref(), Some("scan"));
        let claimed = app.phone.scan(&scan.qr_text(), TOLVAN).await;
        browser.until(&login, "working").await;
        first.kill();
        claimed.approve().await;
        let answer = Answer::of(&browser.until_departure(&login).await);
        assert!(answer.code().starts_with("ac_"));
    });
}

/// A login, one of whose pages is asked for: how often the login was read for that, and the page.
async fn asked(between: &Between, browser: &Browser, url: &str) -> (usize, Page) {
    let id = url.rsplit('/').next().expect("an id").to_owned();
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = reads.clone();
    between.watch(move |statement, _| {
        let is_read = statement.is("SELECT l.id", &id);
        counted.fetch_add(usize::from(is_read), Ordering::SeqCst);
        None
    });
    let page = browser.get(url).await;
    between.let_pass();
    (reads.load(Ordering::SeqCst), page)
}

#[test]
fn a_node_goes_by_its_memory_as_long_as_it_is_alone() {
    /// Longer than a node takes to look for others.
    const LOOKED: Duration = Duration::from_millis(2500);
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-NODE-4", refusing "PV-NODE-4");
        let app = App::on(database).await;
        app.stop_provider().await;
        let between = Between::start(&app.database.url(app.directory.path())).await;
        let first = Serving::behind(&app, "first", &between).await;
        tokio::time::sleep(LOOKED).await;
        let begun = async || {
            let browser = Browser::new();
            browser.connect_to(first.port);
            let choice = browser.get(&app.authorize_url(&[])).await;
            let pressed = browser.press(&choice, "other").await;
            let url = choice.absolute(&pressed.location().expect("a way on"));
            (browser, url)
        };
        let (browser, url) = begun().await;
        let (reads, page) = asked(&between, &browser, &url).await;
        assert_eq!((reads, page.screen().as_deref()), (0, Some("scan")));

        // With another one beside it, each looks, and what is done at one is seen at the other at once.
        let second = Serving::beside(&app, "second").await;
        tokio::time::sleep(LOOKED).await;
        for _ in 0..5 {
            let (browser, url) = begun().await;
            let (reads, page) = asked(&between, &browser, &url).await;
            assert_eq!((reads, page.screen().as_deref()), (1, Some("scan")));
            browser.connect_to(second.port);
            browser.press_on(&page, "cancel", "").await;
            browser.connect_to(first.port);
            let left = browser.get(&url).await;
            let location = left.location().unwrap_or_default();
            assert!(location.ends_with("/left"), "{}", left.body);
        }
    });
}

#[test]
fn an_order_outlives_a_heartbeat_that_the_database_holds_up() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-NODE-2");
        let app = App::on(database.clone()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let url = database.url(app.directory.path());
        // Long enough for the pollers to stop, and short enough for the beat to come in time.
        hold_heartbeat(&url, Duration::from_millis(4800)).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let scan = browser.until(&login, "scan").await;
        app.phone
            .scan(&scan.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        Answer::of(&browser.until_departure(&login).await).code();
    });
}

/// Locks the row of the only node from the moment that its heartbeat was written.
async fn hold_heartbeat(url: &str, length: Duration) {
    use sqlx::{Connection, PgConnection};
    let mut connection = PgConnection::connect(url)
        .await
        .expect("PostgreSQL answers");
    let mut versions = std::collections::HashSet::new();
    while versions.len() < 2 {
        let version: String = sqlx::query_scalar("SELECT xmin::text FROM node")
            .fetch_one(&mut connection)
            .await
            .expect("a node");
        versions.insert(version);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut transaction = connection.begin().await.expect("begun");
    sqlx::query("SELECT id FROM node FOR UPDATE")
        .execute(&mut *transaction)
        .await
        .expect("locked");
    tokio::time::sleep(length).await;
    transaction.rollback().await.expect("released");
}

#[test]
fn a_page_resumes_by_itself_when_the_provider_is_back() {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "BP-15", accepting "PV-RESUME-1", accepting "PV-EVENTS-1");
        let names = Names {
            provider: "login.portvakt.example",
            application: "app.kommunen.example",
            phone: "phone.simulator.example",
        };
        let options = Options {
            names: Some(names),
            ..Options::on(Database::sqlite())
        };
        let app = App::start(options).await;
        app.stop_provider().await;
        let mut serving = Serving::start(&app, "one", &[]).await;
        let [browser] = browsers(&app.certificate, Scripts::On).await;
        browser.go(&app.application).await;
        browser.press("#log-in").await;
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        serving.kill();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let frozen = browser.attribute("#qr path", "d").await;
        let _again = Serving::start(&app, "one", &[]).await;
        let mut moving = frozen.clone();
        for _ in 0..150 {
            moving = browser.attribute("#qr path", "d").await;
            if moving != frozen {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_ne!(moving, frozen, "the code moves again");
        app.phone
            .scan(&read_qr(&moving), TOLVAN)
            .await
            .approve()
            .await;
        browser.see("#id-token").await;
    });
}

#[test]
fn the_program_stops_when_it_is_told_and_refuses_what_is_wrong() {
    run(async {
        let _shows = shows!(refusing "BC-01", accepting "PV-CONFIG-1", refusing "PV-CONFIG-1");
        let app = App::on(Database::sqlite()).await;
        app.stop_provider().await;
        let mut serving = Serving::start(&app, "one", &[]).await;
        // A page that follows a login does not hold the program up.
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let name = format!("l-{}", &login.login_id()[..8]);
        let cookie = format!("{name}={}", browser.cookie(&name).expect("a cookie"));
        let events = format!("{}/events", login.login_url());
        let mut events = app
            .http
            .get(events)
            .header("cookie", cookie)
            .send()
            .await
            .expect("an answer");
        assert!(events.chunk().await.expect("a chunk").is_some());
        let following =
            tokio::spawn(async move { while let Ok(Some(_)) = events.chunk().await {} });
        assert!(serving.stop());
        following.await.expect("the stream ended");
        let program = |arguments: &[&str]| {
            let output = Command::new(env!("CARGO_BIN_EXE_portvakt"))
                .args(arguments)
                .arg("--config")
                .arg(app.directory.path().join("one.toml"))
                .output()
                .expect("it runs");
            let said = [output.stdout, output.stderr].concat();
            (
                output.status.success(),
                String::from_utf8(said).expect("UTF-8"),
            )
        };
        let (sound, said) = program(&["check"]);
        assert!(
            sound && said.contains("bankid: good") && said.contains("database: good"),
            "{said}"
        );
        assert!(program(&["migrate"]).0);
        for (from, to, problem) in [
            (
                "issuer = \"http://localhost",
                "issuer = \"http://login.example",
                "issuer: must be https",
            ),
            ("danger_simulated_bankid = true", "", "ok"),
            (
                "environment = \"simulator\"",
                "environment = \"production\"",
                "url, phone_url and root_file are for a simulator or a custom environment alone",
            ),
            (
                "root_file = \"root.pem\"",
                "root_file = \"none.pem\"",
                "bankid.root_file",
            ),
            (
                "[keys]",
                "[keys]\nmaster_key_file = \"x\"",
                "exclude each other",
            ),
            (
                "pkce = \"accepted\"",
                "pkce = \"accepted\"\nunknown = 1",
                "unknown",
            ),
            (
                "\"https://app.example/callback?a=1\"",
                "\"http://app.example/callback\"",
                "redirect URI",
            ),
            (
                "\"https://app.example/callback?a=1\"",
                "\"https://other.example/callback\"",
                "several hosts",
            ),
            ("[listen]", "[listen]\nnonsense = true", "nonsense"),
            ("bankid]", "bankid]\nnonsense = 1", "nonsense"),
        ] {
            let changed = app.config.replacen(from, to, 1);
            assert_ne!(changed, app.config, "{from}");
            std::fs::write(app.directory.path().join("one.toml"), changed).expect("written");
            let (sound, said) = program(&["check"]);
            assert_eq!(
                (sound, said.contains(problem) || problem == "ok"),
                (problem == "ok", true),
                "{from}: {said}"
            );
        }
        // What was a simulator's database never becomes another environment's.
        let custom = app.config.replace("\"simulator\"", "\"custom\"");
        std::fs::write(app.directory.path().join("one.toml"), custom).expect("written");
        let (sound, said) = program(&["serve"]);
        assert!(!sound && said.contains("use another one"), "{said}");
        // A client that is known by a sector stays in it: people would be strangers to it otherwise.
        let moved = app
            .config
            .replace("sector = \"public.example\"", "sector = \"other.example\"");
        std::fs::write(app.directory.path().join("one.toml"), moved).expect("written");
        let (sound, said) = program(&["serve"]);
        assert!(
            !sound && said.contains("the sector is public.example and cannot be changed"),
            "{said}"
        );
    });
}
