//! What proves an identification: verified before anyone is logged in by it, kept, and verified again by
//! a file and a root alone.

use std::path::Path;
use std::process::Command;

use portvakt::clock::Seconds;
use portvakt::id::Id;
use portvakt::shows;
use serde_json::{Value, json};

use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, Options, SECRET, on_both, run};

const CALLBACK: &str = "https://proof.example/callback";

async fn app(database: Database) -> App {
    let options = Options {
        evidence: true,
        ..Options::on(database)
    };
    App::start(options).await
}

fn request(app: &App) -> String {
    app.authorize_url(&[
        ("client_id", Some("proving")),
        ("redirect_uri", Some(CALLBACK)),
    ])
}

/// The ID token's claims of a login at the client that has evidence kept.
async fn log_in(app: &App) -> Value {
    let browser = Browser::new();
    let choice = browser.get(&request(app)).await;
    let login = browser.choose(&choice, "other").await;
    app.phone
        .scan(&login.qr_text(), TOLVAN)
        .await
        .approve()
        .await;
    let answer = Answer::of(&browser.until_departure(&login).await);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", answer.code()),
        ("redirect_uri", CALLBACK),
    ];
    let tokens = app
        .http
        .post(format!("{}/token", app.issuer))
        .basic_auth(
            "proving",
            Some(SECRET.replace('%', "%25").replace('+', "%2B")),
        )
        .form(&form)
        .send()
        .await
        .expect("an answer");
    let tokens: Value = tokens.json().await.expect("JSON");
    let id_token = tokens["id_token"].as_str().expect("a token");
    assert!(id_token.len() < 2000, "{} characters", id_token.len());
    crate::token::claims(app, &tokens).await
}

/// Runs the program, and says whether it ended well and what it said.
fn program(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_portvakt"))
        .args(arguments)
        .output()
        .expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8(said).expect("UTF-8"),
    )
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

on_both!(
    what_proves_a_login_can_be_taken_out_and_verified,
    async |database| {
        let _shows = shows!(accepting "BC-13", accepting "BP-40", accepting "PV-EVIDENCE-1", refusing "PV-EVIDENCE-1", accepting "PV-EVIDENCE-2");
        let app = app(database).await;
        let claims = log_in(&app).await;
        let txn = claims["txn"].as_str().expect("a txn");
        let place = app.directory.path();
        let config = place.join("portvakt.toml");
        std::fs::write(&config, &app.config).expect("written");
        let (file, root) = (
            place.join("evidence.json"),
            place.join("signature-root.pem"),
        );
        let export = |txn: &str| {
            program(&[
                "evidence",
                "export",
                "--config",
                text(&config),
                "--txn",
                txn,
                "--out",
                text(&file),
            ])
        };
        let (sound, said) = export(txn);
        assert!(sound, "{said}");
        let verify = |environment: &str| {
            program(&[
                "evidence",
                "verify",
                text(&file),
                "--root",
                text(&root),
                "--environment",
                environment,
            ])
        };
        let (sound, said) = verify("simulator");
        assert!(sound && said.starts_with("verified"), "{said}");
        for shown in [TOLVAN, txn, "proving", "Testkommunen", "1.2.3.4.25"] {
            assert!(said.contains(shown), "{shown} is not in {said}");
        }
        for environment in ["production", "test"] {
            let (sound, said) = verify(environment);
            assert!(
                !sound && said.contains("not the root of the banks"),
                "{said}"
            );
        }
        // Somebody else's verifier, in another language, agrees.
        let written = std::fs::read_to_string(&file).expect("a file");
        let record: Value = serde_json::from_str(&written).expect("JSON");
        if let Some(python) = crate::foreign::python() {
            let completion = json!({
                "user": {"personalNumber": TOLVAN},
                "signature": record["record"]["evidence"]["signature"],
                "ocspResponse": record["record"]["evidence"]["ocspResponse"],
            });
            let data = place.join("completion.json");
            std::fs::write(&data, completion.to_string()).expect("written");
            let output = crate::foreign::program(python, "verify_signature.py")
                .args([text(&data), text(&root), TOLVAN])
                .output()
                .expect("it runs");
            let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
            assert!(
                output.status.success() && said.contains("verified"),
                "{said}"
            );
        }
        // A changed byte is seen, wherever it is, and what is wrong is said.
        for (part, says) in [
            ("\"version\": 1", "digest"),
            ("\"signature\": \"", "digest"),
            ("{\n", "not as it was written"),
        ] {
            let at = written.find(part).expect("a part") + part.len();
            let mut changed = written.clone().into_bytes();
            changed[at] = if changed[at] == b' ' { b'\t' } else { b'Q' };
            std::fs::write(&file, changed).expect("written");
            let (sound, said) = verify("simulator");
            assert!(
                !sound && (said.contains(says) || said.contains("no evidence")),
                "{said}"
            );
        }
        // Nothing is kept for clients that do not have it kept, and nothing under another name.
        let browser = Browser::new();
        let answer = app.log_in(&browser, TOLVAN).await;
        let tokens = crate::token::redeem(&app, &answer).await;
        let other = crate::token::claims(&app, &tokens).await["txn"].clone();
        let (sound, said) = export(other.as_str().expect("a txn"));
        assert!(!sound && said.contains("there is no evidence"), "{said}");
        // Its time comes.
        let store = &app.provider.store;
        let id = Id::parse(txn).expect("an id");
        let day = 24 * 60 * 60;
        store
            .sweep(app.clock.now() + Seconds(29 * day))
            .await
            .expect("swept");
        assert!(store.evidence(id).await.expect("asked").is_some());
        store
            .sweep(app.clock.now() + Seconds(31 * day))
            .await
            .expect("swept");
        assert!(store.evidence(id).await.expect("asked").is_none());
    }
);

#[test]
fn nobody_is_logged_in_by_what_does_not_prove_it() {
    run(async {
        let _shows = shows!(refusing "BC-13", refusing "PV-EVIDENCE-2", refusing "B15");
        let app = app(Database::sqlite()).await;
        for patch in [
            json!({"signature": "QUJD"}),
            json!({"signature": null}),
            json!({"ocspResponse": "MAMKAQA="}),
            json!({"user": {"personalNumber": "199003152387"}}),
        ] {
            let browser = Browser::new();
            let choice = browser.get(&request(&app)).await;
            let login = browser.choose(&choice, "other").await;
            let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
            let whim = json!({"operation": "collect", "what": {"patch": {"completionData": patch}}, "times": 0});
            app.phone.whim(whim).await;
            claimed.approve().await;
            let denied = Answer::of(&browser.until_departure(&login).await);
            assert_eq!(denied.get("error"), Some("access_denied"), "{patch}");
            assert!(denied.get("code").is_none());
            app.phone.no_whims().await;
        }
        log_in(&app).await;
    });
}

#[test]
fn evidence_without_a_root_is_refused_at_the_start() {
    run(async {
        let _shows = shows!(refusing "PV-CONFIG-1");
        let app = app(Database::sqlite()).await;
        let without = app
            .config
            .replace("signature_root_file", "# signature_root_file");
        let read = portvakt::config::Config::parse(&without, app.directory.path());
        let said = read.expect_err("refused").to_string();
        assert!(
            said.contains("client.proving") && said.contains("signature_root_file"),
            "{said}"
        );
    });
}
