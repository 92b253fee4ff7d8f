//! `portvakt check` on set-ups that are broken in one place each, and on good ones.

mod others;
mod ways;

use std::path::Path;
use std::process::Command;

use portvakt::shows;
use serde_json::Value;

use crate::support::ports;
use crate::support::publisher::{Published, Publisher};
use crate::support::{App, Database, Options, SECRET, on_both, run};

/// What the program found, and how it ended.
#[derive(Debug)]
pub struct Report {
    pub is_good: bool,
    pub text: String,
    pub findings: Vec<Value>,
}

impl Report {
    /// The level of what is known by an id, and what was said with what to do; the worst, where there are
    /// several.
    pub fn of(&self, id: &str) -> Option<(&str, String)> {
        let all = self.findings.iter().filter(|finding| finding["id"] == id);
        let rank = |finding: &&Value| {
            ["ok", "warning", "error"]
                .map(|level| finding["level"] == level)
                .iter()
                .position(|is| *is)
        };
        let worst = all.max_by_key(rank)?;
        let level = worst["level"].as_str().expect("a level");
        let said = worst["said"].as_str().expect("words");
        let remedy = worst["remedy"].as_str().unwrap_or_default();
        assert_eq!(level != "ok", !remedy.is_empty(), "{worst}");
        Some((level, format!("{said} {remedy}")))
    }

    pub fn level(&self, id: &str) -> Option<&str> {
        self.of(id).map(|(level, _)| level)
    }

    /// It is told of as bad as that, in words that hold these.
    pub fn tells(&self, id: &str, level: &str, words: &str) {
        let Some((found, said)) = self.of(id) else {
            panic!("nothing of {id}: {}", self.text);
        };
        assert_eq!((found, said.contains(words)), (level, true), "{said}");
    }
}

/// Runs it on a configuration.
pub async fn checked(app: &App, config: &str, more: &[&str]) -> Report {
    let file = app.directory.path().join("checked.toml");
    std::fs::write(&file, config).expect("written");
    checked_file(&file, more).await
}

async fn checked_file(file: &Path, more: &[&str]) -> Report {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portvakt"));
    command
        .args(["check", "--json", "--config"])
        .arg(file)
        .args(more);
    let ran = tokio::task::spawn_blocking(move || command.output());
    let ran = ran.await.expect("it ended").expect("it runs");
    let text = String::from_utf8(ran.stdout).expect("text");
    for secret in [SECRET, "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="] {
        assert!(!text.contains(secret), "{text}");
    }
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let findings = all["findings"].as_array().expect("a list").clone();
    let is_bad = findings.iter().any(|finding| finding["level"] == "error");
    let is_good = ran.status.success();
    assert_eq!(all["result"] == "error", is_bad, "{text}");
    assert!(!(is_bad && is_good), "{text}");
    Report {
        is_good,
        text,
        findings,
    }
}

on_both!(
    a_good_installation_is_found_good,
    async |database: Database| {
        let _shows = shows!(
            accepting "PV-CHECK-1", accepting "PV-CHECK-2", accepting "PV-CHECK-3", accepting "PV-CHECK-4",
            accepting "PV-CHECK-5", accepting "PV-CHECK-6", accepting "PV-CHECK-7"
        );
        let app = App::on(database).await;
        let report = checked(&app, &app.config, &[]).await;
        assert!(report.is_good, "{}", report.text);
        for id in [
            "configuration",
            "database",
            "master_key",
            "signing_keys",
            "bankid",
            "bankid_root",
            "bankid_certificate",
            "clock_bankid",
            "issuer_document",
            "issuer_keys",
            "proxy_host",
            "proxy_address",
            "proxy_buffering",
            "clients",
        ] {
            assert_eq!(report.level(id), Some("ok"), "{id}: {}", report.text);
        }
        let of_database = match app.provider.store.is_shared() {
            true => "postgres_connections",
            false => "sqlite_room",
        };
        assert_eq!(report.level(of_database), Some("ok"), "{}", report.text);
        // Names of applications that are only made up.
        report.tells("client_name", "warning", "app.example");
        assert!(!checked(&app, &app.config, &["--strict"]).await.is_good);
        // A configuration that is wrong is told of in the same way.
        let wrong = app.config.replace("[keys]", "[keys]\nannounce_days = 1");
        let report = checked(&app, &wrong, &[]).await;
        report.tells("configuration", "error", "must be 2 to 3650");
        assert_eq!(report.findings[0]["about"], "keys.announce_days");
    }
);

#[test]
fn nothing_is_called_where_that_is_asked_for() {
    run(async {
        let _shows = shows!(accepting "PV-CHECK-1", refusing "PV-CHECK-1");
        let app = App::on(Database::sqlite()).await;
        app.stop_provider().await;
        let nowhere = app.config.replace(
            "url = \"https://localhost:",
            "url = \"https://nowhere.invalid:",
        );
        assert_ne!(nowhere, app.config);
        let report = checked(&app, &nowhere, &["--offline"]).await;
        assert!(report.is_good, "{}", report.text);
        for id in [
            "bankid",
            "issuer_document",
            "issuer_unreachable",
            "proxy_host",
            "client_name",
        ] {
            assert_eq!(report.level(id), None, "{id}");
        }
        assert_eq!(report.level("bankid_certificate"), Some("ok"));
        let report = checked(&app, &nowhere, &[]).await;
        assert!(!report.is_good);
        report.tells("bankid", "error", "no answer (no connection)");
        // A node that is yet to be started is no mistake.
        report.tells("issuer_unreachable", "warning", "Start a node");
        // The file, and who may change it.
        let file = app.directory.path().join("checked.toml");
        let mode = |mode| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(&file, mode).expect("set");
        };
        mode(0o646);
        let report = checked_file(&file, &["--offline"]).await;
        report.tells("file_writable", "error", "chmod o-w");
        mode(0o644);
        assert!(checked_file(&file, &["--offline"]).await.is_good);
    });
}

#[test]
fn addresses_of_clients_are_called() {
    run(async {
        let _shows = shows!(accepting "PV-CHECK-8", refusing "PV-CHECK-8");
        let publisher = Publisher::start(Published::Text("nothing".to_owned()));
        let app = App::start(Options {
            sections: publisher.section(),
            ..Options::on(Database::sqlite())
        })
        .await;
        let at = |path: &str| publisher.jwks_uri.replace("/jwks", path);
        let client = |name: &str, lines: &str| {
            format!(
                "\n[[client]]\nclient_id = \"{name}\"\nclient_name = \"{name}\"\nredirect_uris = [\"https://{name}.example/\"]\n{lines}\n"
            )
        };
        let with_keys = format!(
            "token_endpoint_auth = \"private_key_jwt\"\njwks_uri = \"{}\"",
            at("/jwks")
        );
        let told =
            |uri: &str| format!("client_secret = \"{SECRET}\"\nbackchannel_logout_uri = \"{uri}\"");
        let config = |lines: &str| app.config.clone() + &client("checked", lines);
        let of = |report: &Report, id: &str| {
            let mut all = report.findings.iter();
            all.any(|finding| finding["id"] == id && finding["about"] == "client.checked")
        };
        let report = checked(&app, &config(&with_keys), &[]).await;
        report.tells("client_keys", "error", "no key at its jwks_uri");
        assert!(!report.is_good && of(&report, "client_keys"));
        publisher.publish(Published::Trouble);
        let report = checked(&app, &config(&with_keys), &[]).await;
        report.tells("client_keys", "error", "HTTP 500");
        publisher.publish(Published::Keys(portvakt::testing::Signer::new().jwks()));
        let report = checked(&app, &config(&with_keys), &[]).await;
        assert!(
            report.is_good && !of(&report, "client_keys"),
            "{}",
            report.text
        );
        // It listens, and is asked nothing: what comes there is to be a logout.
        let asked = publisher.asked();
        let report = checked(&app, &config(&told(&at("/jwks"))), &[]).await;
        assert!(
            report.is_good && !of(&report, "client_backchannel"),
            "{}",
            report.text
        );
        assert_eq!(publisher.asked(), asked);
        // A certificate that is not trusted is met before anything is asked.
        let stranger = Publisher::start(Published::Trouble);
        let report = checked(&app, &config(&told(&stranger.jwks_uri)), &[]).await;
        report.tells("client_backchannel", "error", "certificate that is trusted");
        assert_eq!(stranger.asked(), 0);
        let closed = format!("https://localhost:{}/logout", ports::free());
        let report = checked(&app, &config(&told(&closed)), &[]).await;
        report.tells("client_backchannel", "error", "no answer (connection)");
        let inside = told("https://192.168.255.1/logout");
        let report = checked(&app, &config(&inside), &[]).await;
        report.tells("client_backchannel", "error", "outbound.allow_networks");
    });
}
