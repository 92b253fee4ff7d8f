//! oauth2-proxy, in front of an application that knows nothing of logins.

use std::io::{BufRead, BufReader, Write};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use portvakt::shows;

use super::program::Program;
use super::{at, fetched, identify, orders, set_up, with_browser};
use crate::support::ports;

/// Serves a page that says how whoever asks for it was presented.
fn application() -> u16 {
    let (listener, port) = ports::listener();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
            let headers = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty());
            let presented: Vec<String> = headers
                .filter(|line| line.to_lowercase().starts_with("x-forwarded-"))
                .collect();
            let page = format!(
                "<!doctype html><title>Internt</title><pre id=\"presented\">{}</pre>",
                presented.join("\n")
            );
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    port
}

#[test]
fn oauth2_proxy_lets_people_in_and_says_who_they_are() {
    with_browser(async |app, browser| {
        let _shows = shows!(accepting "PV-WIRED-5", refusing "PV-WIRED-5");
        let (url, port) = super::address("internt");
        let answers = ["client_name=Internt", &format!("address={url}")];
        let pasted = set_up(&app, "internt", "oauth2-proxy", &answers);
        let pages = app.directory.path();
        let in_pages = |name: &str| pages.join(name).display().to_string();
        let pasted = at(&pasted, "oauth2-proxy.cfg").replace(
            "PASTE-32-RANDOM-BYTES-IN-BASE64-HERE",
            &URL_SAFE.encode([7; 32]),
        );
        // What the guide leaves to whoever installs it.
        let around = format!(
            "https_address = \"127.0.0.1:{port}\"\n\
             http_address = \"\"\n\
             tls_cert_file = {:?}\n\
             tls_key_file = {:?}\n\
             provider_ca_files = [{:?}]\n\
             upstreams = [\"http://127.0.0.1:{}/\"]\n",
            in_pages("pages.pem"),
            in_pages("pages.key"),
            in_pages("pages-root.pem"),
            application(),
        );
        let file = pages.join("oauth2-proxy.cfg");
        std::fs::write(&file, around + &pasted).expect("written");
        let mut command = Command::new(fetched("PORTVAKT_TEST_OAUTH2_PROXY"));
        command
            .arg("--config")
            .arg(file)
            // Names are looked up where all programs of the run look.
            .env("GODEBUG", "netdns=cgo");
        let mut proxy = Program::start(&app, "oauth2-proxy", command);
        proxy.until_it_answers(&app, &format!("{url}/ping")).await;

        // Whoever is not logged in sees nothing of the application.
        browser.go(&url).await;
        browser.press("button").await;
        browser.see("button[value=other]").await;
        identify(&browser, &app).await;
        browser.see("#presented").await;
        let shown = browser.text().await;
        let subject = app
            .database
            .texts(pages, "SELECT subject FROM client_grant");
        assert_eq!(subject.len(), 1);
        for name in ["User", "Email"] {
            let line = format!("X-Forwarded-{name}: {}", subject[0]);
            assert!(shown.contains(&line), "{line}: {shown}");
        }

        // Out at the proxy, in again by the session here without BankID, and out everywhere.
        browser.go(&format!("{url}/oauth2/sign_out")).await;
        browser.press("button").await;
        browser.see("#presented").await;
        assert_eq!(orders(&app).await, 1);
        browser.go(&format!("{}/logout", app.issuer)).await;
        browser.press("#log-out-here").await;
        browser.go(&format!("{url}/oauth2/sign_out")).await;
        browser.press("button").await;
        browser.see("button[value=other]").await;
    });
}
