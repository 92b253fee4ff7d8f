//! A real Keycloak, which brokers our logins to its own clients.

use std::process::Command;
use std::time::Duration;

use portvakt::demo::application;
use portvakt::random::Random;
use portvakt::shows;

use super::program::Program;
use super::{at, fetched, identify, orders, set_up, until_it_asks, with_browser};
use crate::support::App;
use crate::support::chromium::Chromium;
use crate::support::phone::TOLVAN;
use crate::support::ports;

const REALM: &str = "kommunen";
const SECRET: &str = "the-secret-of-an-application-at-keycloak";

/// Starts it with the realm file that is shipped, and the environment that is pasted.
async fn start(app: &App, sso: &str, port: u16, environment: &str, application: &str) -> Program {
    let home = fetched("PORTVAKT_TEST_KEYCLOAK");
    let import = home.join("data/import");
    std::fs::create_dir_all(&import).expect("made");
    let realm = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/keycloak/realm.json");
    std::fs::copy(realm, import.join("realm.json")).expect("copied");
    let place = |name: &str| app.directory.path().join(name).display().to_string();
    let mut command = Command::new(home.join("bin/kc.sh"));
    command
        .args([
            "start-dev",
            "--import-realm",
            "--db=dev-mem",
            "--cache=local",
        ])
        .arg(format!("--hostname={sso}"))
        .arg(format!("--https-port={port}"))
        .arg(format!("--http-port={}", ports::free()))
        .arg("--http-host=127.0.0.1")
        .arg(format!("--https-certificate-file={}", place("pages.pem")))
        .arg(format!(
            "--https-certificate-key-file={}",
            place("pages.key")
        ))
        .arg(format!("--truststore-paths={}", place("pages-root.pem")))
        .envs(environment.lines().filter_map(|line| line.split_once('=')))
        .env("APPLICATION_CLIENT_ID", "application")
        .env("APPLICATION_CLIENT_SECRET", SECRET)
        .env("APPLICATION_NAME", "Appen")
        .env("APPLICATION_ADDRESS", application)
        .env(
            "APPLICATION_REDIRECT_URI",
            format!("{application}/callback"),
        );
    let mut keycloak = Program::start(app, "keycloak", command);
    let realm = format!("{sso}/realms/{REALM}");
    keycloak.until_it_answers(app, &realm).await;
    keycloak
}

/// Keycloak's own page, which shows who somebody is there.
async fn sees_the_account(browser: &Chromium) {
    browser.see("input#firstName").await;
    for (field, value) in [("firstName", "Tolvan"), ("lastName", "Tolvansson")] {
        let script = format!("return document.getElementById('{field}').value");
        let mut seen = browser.execute(&script).await;
        for _ in 0..50 {
            if seen == value {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            seen = browser.execute(&script).await;
        }
        assert_eq!(seen, value);
    }
}

async fn until_at(browser: &Chromium, address: &str) {
    for _ in 0..100 {
        if browser.url().await.starts_with(address) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it is at {}", browser.url().await);
}

/// Nobody writes here what BankID says, nor an address that nobody verified.
async fn nobody_edits_the_account(browser: &Chromium) {
    for field in ["username", "firstName", "lastName", "email"] {
        let script =
            format!("return document.querySelector('#{field}').matches(':read-only, :disabled')");
        assert_eq!(browser.execute(&script).await, true, "{field}");
    }
}

/// What an application asks Keycloak for.
fn asked(sso: &str, redirect_uri: &str, more: &[(&str, &str)]) -> String {
    let usual = [
        ("client_id", "application"),
        ("response_type", "code"),
        ("scope", "openid"),
        ("redirect_uri", redirect_uri),
        ("code_challenge_method", "S256"),
        (
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        ),
    ];
    let endpoint = format!("{sso}/realms/{REALM}/protocol/openid-connect/auth");
    let url = url::Url::parse_with_params(&endpoint, usual.iter().chain(more));
    url.expect("an address").into()
}

/// Keycloak answers an application at the address that it is registered with, and at no other.
async fn only_one_address_is_answered(browser: &Chromium, sso: &str, url: &str) {
    browser.go(&asked(sso, &format!("{url}/other"), &[])).await;
    let at = browser.url().await;
    assert!(at.starts_with(sso), "{at}");
    assert!(browser.text().await.contains("redirect_uri"));
}

/// The client that takes passwords is there in every realm.
async fn nobody_comes_by_a_password(app: &App, sso: &str) {
    let token = format!("{sso}/realms/{REALM}/protocol/openid-connect/token");
    let form = [
        ("grant_type", "password"),
        ("client_id", "admin-cli"),
        ("username", "somebody"),
        ("password", "something"),
    ];
    let answer = app.http.post(token).form(&form).send().await;
    let answer = answer.expect("an answer").text().await.expect("text");
    assert!(answer.contains("invalid_client"), "{answer}");
}

/// An application at Keycloak, of which it knows nothing but Keycloak.
fn application(app: &App, sso: &str, listener: std::net::TcpListener, url: &str) {
    let settings = application::Settings {
        listener,
        tls: app.tls.clone(),
        url: url.to_owned(),
        issuer: format!("{sso}/realms/{REALM}"),
        client_id: "application".to_owned(),
        client_secret: SECRET.to_owned(),
        behind: app.issuer.clone(),
        scopes: &["profile"],
        root: Some(app.pages.root()),
        resolve: Vec::new(),
        random: Random::system(),
    };
    let _ = application::start(settings).expect("started");
}

/// Forgets what Keycloak's cookies say, and nothing else.
async fn forgotten_at_keycloak(browser: &Chromium, sso: &str) {
    browser.go(&format!("{sso}/realms/{REALM}")).await;
    let deleted = browser.client.delete_all_cookies().await;
    deleted.expect("deleted");
}

#[test]
fn a_realm_that_is_imported_logs_people_in_with_bankid() {
    with_browser(async |app, browser| {
        let _shows = shows!(accepting "PV-WIRED-1", refusing "PV-WIRED-1");
        let (sso, port) = super::address("sso");
        let (listener, url) = ports::listener();
        let url = format!("https://app.kommunen.example:{url}");
        let answers = [
            "client_name=Kommunens Keycloak",
            &format!("address={sso}"),
            &format!("realm={REALM}"),
        ];
        let pasted = set_up(&app, "sso", "keycloak", &answers);
        let environment = at(&pasted, "--import-realm");
        let _keycloak = start(&app, &sso, port, environment, &url).await;

        let account = format!("{sso}/realms/{REALM}/account/");
        // The first login: from Keycloak's page to BankID's choice, and back to the page, with nothing between.
        browser.go(&account).await;
        browser.see("button[value=other]").await;
        assert!(browser.text().await.contains("Kommunens Keycloak"));
        identify(&browser, &app).await;
        sees_the_account(&browser).await;
        nobody_edits_the_account(&browser).await;
        assert_eq!(orders(&app).await, 1);

        // An application at Keycloak is told the personal number by Keycloak's own token, within the session.
        application(&app, &sso, listener, &url);
        browser.go(&url).await;
        browser.press("#log-in").await;
        browser.see("#id-token").await;
        let shown = browser.text().await;
        for told in [TOLVAN, "Tolvansson", &format!("{sso}/realms/{REALM}")] {
            assert!(shown.contains(told), "{told}: {shown}");
        }
        assert_eq!(orders(&app).await, 1);
        only_one_address_is_answered(&browser, &sso, &url).await;
        nobody_comes_by_a_password(&app, &sso).await;

        // A logout here reaches Keycloak at its back channel: its own cookie is worth nothing then.
        browser.go(&format!("{}/logout", app.issuer)).await;
        browser.press("#log-out-here").await;
        browser.read("Du är utloggad").await;
        until_it_asks(&browser, &account).await;

        // When Keycloak knows nobody any more, our own session answers it.
        identify(&browser, &app).await;
        sees_the_account(&browser).await;
        forgotten_at_keycloak(&browser, &sso).await;
        browser.go(&account).await;
        sees_the_account(&browser).await;
        assert_eq!(orders(&app).await, 2);

        // A logout at an application goes through Keycloak to us, and home again.
        browser.go(&format!("{url}/login")).await;
        browser.see("#id-token").await;
        browser.press("#log-out").await;
        browser.press("#log-in").await;
        browser.see("button[value=other]").await;
        assert!(browser.url().await.starts_with(&app.issuer));

        // An application that wants a login of now gets one from BankID, though both sessions live.
        identify(&browser, &app).await;
        browser.see("#id-token").await;
        assert_eq!(orders(&app).await, 3);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let callback = format!("{url}/callback");
        browser
            .go(&asked(&sso, &callback, &[("max_age", "1")]))
            .await;
        identify(&browser, &app).await;
        until_at(&browser, &url).await;
        assert_eq!(orders(&app).await, 4);
    });
}
