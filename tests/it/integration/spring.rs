//! An application on Spring Security.

use std::process::Command;

use portvakt::shows;

use super::program::Program;
use super::{at, copied, fetched, file, identify, orders, set_up, until_it_asks, with_browser};
use crate::support::phone::TOLVAN;

const SOURCES: &str = "src/main/java/se/example";

fn good(command: &mut Command) {
    let ran = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{command:?}: {said}");
}

#[test]
fn spring_security() {
    with_browser(async |app, browser| {
        let _shows = shows!(accepting "PV-WIRED-4", refusing "PV-WIRED-4");
        let (url, port) = super::address("spring");
        let answers = ["client_name=Appen", &format!("address={url}")];
        let pasted = set_up(&app, "spring", "spring", &answers);
        let place = fetched("PORTVAKT_TEST_SPRING");
        copied(&file("spring"), &place);
        std::fs::create_dir_all(place.join("src/main/resources")).expect("made");
        for path in [
            "src/main/resources/application.yaml",
            "SecurityConfiguration.java",
        ] {
            let text = at(&pasted, path);
            // A class goes into the application's own package.
            let (to, text) = match path.ends_with(".java") {
                true => (
                    place.join(SOURCES).join(path),
                    format!("package se.example;\n\n{text}"),
                ),
                false => (place.join(path), text.to_owned()),
            };
            std::fs::write(to, text).expect("written");
        }
        // Everything that it needs was fetched before.
        let mut build = Command::new("mvn");
        good(
            build
                .args(["-o", "-q", "-B", "package"])
                .current_dir(&place),
        );
        let here = |name: &str| app.directory.path().join(name).display().to_string();
        let (root, store) = (here("pages-root.pem"), here("root.p12"));
        let mut trust = Command::new("keytool");
        trust.args([
            "-importcert",
            "-noprompt",
            "-alias",
            "root",
            "-storepass",
            "changeit",
        ]);
        good(trust.args(["-file", &root, "-keystore", &store]));
        let mut command = Command::new("java");
        command
            .arg(format!("-Djavax.net.ssl.trustStore={store}"))
            .arg("-Djavax.net.ssl.trustStorePassword=changeit")
            .args(["-jar", "target/test-spring-0.jar"])
            .current_dir(&place)
            .env("SERVER_ADDRESS", "127.0.0.1")
            .env("SERVER_PORT", port.to_string())
            .env(
                "SERVER_SSL_CERTIFICATE",
                format!("file:{}", here("pages.pem")),
            )
            .env(
                "SERVER_SSL_CERTIFICATEPRIVATEKEY",
                format!("file:{}", here("pages.key")),
            );
        let mut spring = Program::start(&app, "spring", command);
        spring.until_it_says("Started Application").await;

        browser.go(&url).await;
        browser.see("button[value=other]").await;
        identify(&browser, &app).await;
        browser.see("#person").await;
        let shown = browser.text().await;
        assert!(
            shown.contains("Tolvan Tolvansson") && shown.contains(TOLVAN),
            "{shown}"
        );

        // A logout here reaches the application.
        browser.go(&format!("{}/logout", app.issuer)).await;
        browser.press("#log-out-here").await;
        browser.read("Du är utloggad").await;
        until_it_asks(&browser, &url).await;

        // A logout there ends the session here, and comes home, where the person is asked again.
        identify(&browser, &app).await;
        browser.press("#log-out").await;
        browser.see("button[value=other]").await;
        assert_eq!(orders(&app).await, 2);
    });
}
