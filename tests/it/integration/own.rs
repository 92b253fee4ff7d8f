//! Applications that are made with frameworks: each is started with what the preset shows, and a person logs
//! in to it and out again.

use std::path::PathBuf;
use std::process::Command;

use portvakt::shows;

use super::program::Program;
use super::{at, copied, fetched, file, identify, orders, set_up, with_browser};
use crate::support::App;
use crate::support::chromium::Chromium;
use crate::support::phone::TOLVAN;

/// Logs in by the application's own button, sees who they are, and logs out. Afterwards it knows nobody.
async fn in_and_out(browser: &Chromium, app: &App, url: &str, told: &[&str]) {
    browser.go(url).await;
    browser.press("#log-in").await;
    browser.see("button[value=other]").await;
    identify(browser, app).await;
    browser.see("#person").await;
    let shown = browser.text().await;
    for told in told {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    browser.press("#log-out").await;
    browser.see("#log-in").await;
    assert!(browser.url().await.starts_with(url));
}

/// Registers an application that is none of those that are known, and writes what it is told to a file.
fn other(app: &App, name: &str, url: &str) -> PathBuf {
    let answers = [
        "client_name=Appen",
        &format!("redirect_uris={url}/answered"),
        &format!("post_logout_redirect_uris={url}/"),
    ];
    let pasted = set_up(app, name, "other", &answers);
    let settings = app.directory.path().join(format!("{name}.json"));
    std::fs::write(&settings, at(&pasted, "names")).expect("written");
    settings
}

fn root(app: &App) -> PathBuf {
    app.directory.path().join("pages-root.pem")
}

#[test]
fn express_with_openid_client() {
    with_browser(async |app, browser| {
        let _shows = shows!(accepting "PV-WIRED-2");
        let (url, _) = super::address("express");
        let packages = fetched("PORTVAKT_TEST_INTEGRATION_NODE");
        // Packages are looked for beside the program.
        let program = packages.join("express.mjs");
        std::fs::copy(file("express.mjs"), &program).expect("copied");
        let mut command = Command::new(fetched("PORTVAKT_TEST_NODE"));
        command
            .arg(program)
            .arg(other(&app, "express", &url))
            .env("NODE_EXTRA_CA_CERTS", root(&app));
        let mut express = Program::start(&app, "express", command);
        express.until_it_answers(&app, &url).await;
        in_and_out(&browser, &app, &url, &["Tolvan Tolvansson", TOLVAN]).await;
        // The session here ended, too.
        browser.press("#log-in").await;
        browser.see("button[value=other]").await;
    });
}

#[test]
fn flask_with_authlib() {
    with_browser(async |app, browser| {
        let _shows = shows!(accepting "PV-WIRED-2");
        let (url, _) = super::address("flask");
        let mut command = Command::new(fetched("PORTVAKT_TEST_INTEGRATION_PYTHON"));
        command
            .arg(file("flask_application.py"))
            .arg(other(&app, "flask", &url))
            .env("REQUESTS_CA_BUNDLE", root(&app));
        let mut flask = Program::start(&app, "flask", command);
        flask.until_it_answers(&app, &url).await;
        in_and_out(&browser, &app, &url, &["Tolvan Tolvansson", TOLVAN]).await;
        browser.press("#log-in").await;
        browser.see("button[value=other]").await;
    });
}

#[test]
fn next_with_auth_js() {
    with_browser(async |app, browser| {
        let _shows = shows!(accepting "PV-WIRED-2");
        let (url, port) = super::address("next");
        let answers = ["client_name=Appen", &format!("address={url}")];
        let pasted = set_up(&app, "next", "authjs", &answers);
        let place = fetched("PORTVAKT_TEST_INTEGRATION_NODE");
        copied(&file("next"), &place);
        std::fs::write(place.join("auth.ts"), at(&pasted, "auth.ts")).expect("written");
        let environment = format!("{}AUTH_SECRET={}\n", at(&pasted, ".env"), "s".repeat(44));
        std::fs::write(place.join(".env.local"), environment).expect("written");
        let tls = |name: &str| app.directory.path().join(name);
        let mut command = Command::new(fetched("PORTVAKT_TEST_NODE"));
        command
            .arg(place.join("node_modules/next/dist/bin/next"))
            .args([
                "dev",
                "--hostname",
                "127.0.0.1",
                "--port",
                &port.to_string(),
            ])
            .arg("--experimental-https")
            .arg("--experimental-https-key")
            .arg(tls("pages.key"))
            .arg("--experimental-https-cert")
            .arg(tls("pages.pem"))
            .arg("--experimental-https-ca")
            .arg(root(&app))
            .current_dir(&place)
            .env("NODE_EXTRA_CA_CERTS", root(&app))
            .env("NEXT_TELEMETRY_DISABLED", "1");
        let mut next = Program::start(&app, "next", command);
        next.until_it_answers(&app, &url).await;
        // Each page is made when it is asked for first.
        next.until_it_answers(&app, &format!("{url}/api/auth/providers"))
            .await;
        in_and_out(&browser, &app, &url, &["Tolvan Tolvansson"]).await;
        // It ends its own session alone: ours still answers, without another order.
        browser.press("#log-in").await;
        browser.see("#person").await;
        assert_eq!(orders(&app).await, 1);
    });
}
