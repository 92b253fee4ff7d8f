//! Other people's applications, as they are, in front of this provider: `./test --integration`.
//!
//! Each is registered, entitled and given its settings by the command line, as its guide does it. What is
//! pasted is what the running provider shows, and an application knows nothing else of it. Everything has a
//! name of its own under `.example`, which all programs look up in `tests/integration/hosts`.

mod apache;
mod keycloak;
mod oauth2_proxy;
mod own;
mod program;
mod spring;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use portvakt::client::preset::SECRET_HERE;
use serde_json::Value;

use crate::chromium;
use crate::client_shell::secret;
use crate::support::browser::read_qr;
use crate::support::chromium::{Chromium, Scripts, browsers, is_there};
use crate::support::doors::ran;
use crate::support::phone::TOLVAN;
use crate::support::ports;
use crate::support::{App, Database, Options, run};

static SAID: OnceLock<()> = OnceLock::new();

/// Calls applications, which are on this machine.
const OUTBOUND: &str = r#"[outbound]
allow_networks = ["127.0.0.0/8"]
ca_file = "pages-root.pem"
"#;

/// A story of the campaign, with a provider and a browser.
fn with_browser(story: impl AsyncFnOnce(App, Chromium)) {
    if std::env::var_os("PORTVAKT_TEST_INTEGRATION").is_none() {
        SAID.get_or_init(|| {
            use std::io::Write;
            let what = "other people's applications (./test --integration runs them)";
            let _ = writeln!(std::io::stderr(), "left out: {what}");
        });
        return;
    }
    assert!(is_there());
    run(async {
        let app = App::start(Options {
            names: Some(chromium::NAMES),
            sections: OUTBOUND.to_owned(),
            ..Options::on(Database::sqlite())
        })
        .await;
        let [browser] = browsers(&app.certificate, Scripts::On).await;
        story(app, browser).await;
    });
}

/// A file of `tests/integration`.
fn file(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/integration");
    folder.join(name)
}

/// What `./test` fetched.
fn fetched(variable: &str) -> PathBuf {
    let place = std::env::var_os(variable).map(PathBuf::from);
    place.unwrap_or_else(|| panic!("{variable} is not set: ./test --integration does so"))
}

/// An address of this machine under a name, with its port.
fn address(name: &str) -> (String, u16) {
    let port = ports::free();
    (format!("https://{name}.kommunen.example:{port}"), port)
}

/// Registers an application as one is told to, lets it have personal numbers, and gives what is to be pasted
/// into it, each text with its place. The secret stands where it belongs.
fn set_up(
    app: &App,
    client_id: &str,
    application: &str,
    answers: &[&str],
) -> Vec<(String, String)> {
    let create = ["client", "create", "--client-id", client_id];
    let create = [&create[..], &["--application", application], answers].concat();
    let secret = secret(&ran(app, &create).good());
    let purpose = ["client", "entitle", client_id, "--purpose", "Tests."];
    ran(app, &purpose).good();
    let paste = [
        "client",
        "paste",
        client_id,
        "--application",
        application,
        "--json",
    ];
    let pasted = ran(app, &paste).json();
    let text = |one: &Value, name: &str| one[name].as_str().expect(name).to_owned();
    let pasted = pasted.as_array().expect("a list").iter();
    pasted
        .map(|one| {
            let filled = text(one, "text").replace(SECRET_HERE, &secret);
            (text(one, "place"), filled)
        })
        .collect()
}

/// The text that is pasted at a place.
fn at<'a>(pasted: &'a [(String, String)], place: &str) -> &'a str {
    let found = pasted.iter().find(|(at, _)| at.contains(place));
    found.map_or_else(|| panic!("nothing goes to {place}"), |(_, text)| text)
}

/// How often BankID was asked to identify somebody.
async fn orders(app: &App) -> usize {
    let listed = app.phone.listed().await;
    listed["orders"].as_array().expect("a list").len()
}

/// From the choice to wherever the login leads.
async fn identify(browser: &Chromium, app: &App) {
    browser.press("button[value=other]").await;
    browser.see("[data-screen=scan]").await;
    let code = read_qr(&browser.attribute("#qr path", "d").await);
    app.phone.scan(&code, TOLVAN).await.approve().await;
}

/// Waits until whoever comes there must log in: what is told at a back channel takes a moment.
async fn until_it_asks(browser: &Chromium, url: &str) {
    for _ in 0..10 {
        browser.go(url).await;
        if browser.sees("button[value=other]").await {
            return;
        }
    }
    panic!("it still knows who comes: {}", browser.text().await);
}

/// A file or a folder, over what is there.
fn copied(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).expect("made");
        for entry in std::fs::read_dir(from).expect("a folder").flatten() {
            copied(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        std::fs::copy(from, to).expect("copied");
    }
}
