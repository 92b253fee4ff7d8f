//! Something else in the place of a node, and in that of BankID.

use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::{App as Server, HttpResponse, HttpServer, web};
use portvakt::clock::Clock;
use portvakt::random::Random;
use portvakt::shows;
use portvakt::simulator::certificates::{Authority, server_config};

use super::checked;
use crate::support::ports;
use crate::support::{App, Database, run};

/// Answers one thing to everything.
struct Impostor {
    port: u16,
    answer: Arc<Mutex<(u16, String)>>,
}

impl Impostor {
    fn start(tls: Option<Arc<rustls::ServerConfig>>) -> Impostor {
        let (listener, port) = ports::listener();
        let answer = Arc::new(Mutex::new((200, String::new())));
        let shared = web::Data::from(answer.clone());
        let server = HttpServer::new(move || {
            Server::new()
                .app_data(shared.clone())
                .default_service(web::to(
                    |answer: web::Data<Mutex<(u16, String)>>| async move {
                        let (status, body) = answer.lock().expect("free").clone();
                        let status = StatusCode::from_u16(status).expect("a status");
                        HttpResponse::build(status)
                            .insert_header(("location", "https://elsewhere.example/"))
                            .body(body)
                    },
                ))
        })
        .workers(1)
        .disable_signals();
        let server = match tls {
            None => server.listen(listener),
            Some(tls) => server.listen_rustls_0_23(listener, (*tls).clone()),
        };
        tokio::spawn(server.expect("served").run());
        Impostor { port, answer }
    }

    fn answers(&self, status: u16, body: &str) {
        *self.answer.lock().expect("free") = (status, body.to_owned());
    }
}

#[test]
fn what_stands_in_a_nodes_place_is_told_of() {
    run(async {
        let _shows = shows!(accepting "PV-CHECK-2", refusing "PV-CHECK-2");
        let app = App::on(Database::sqlite()).await;
        let impostor = Impostor::start(None);
        let issuer = format!("http://localhost:{}", impostor.port);
        let config = app.config.replace(&app.issuer, &issuer);
        let document = app
            .http
            .get(format!("{}/.well-known/openid-configuration", app.issuer));
        let document = document.send().await.expect("an answer");
        let document = document.text().await.expect("text");
        let own = document.replace(&app.issuer, &issuer);
        let acr = own.replace("acr:simulated", "acr:other");
        let moved = own.replace("/token\"", "/op/token\"");
        assert!(acr != own && moved != own);
        for (status, body, level, words) in [
            (200, "<html>", "error", "something else than a node"),
            (200, "{}", "error", "something else than a node"),
            (200, document.as_str(), "error", "another issuer"),
            (
                200,
                acr.as_str(),
                "warning",
                "says other things of acr_values_supported",
            ),
            (
                200,
                moved.as_str(),
                "error",
                "other addresses of token_endpoint",
            ),
            (302, "", "error", "leads elsewhere"),
            (404, "", "error", "HTTP 404"),
            (421, "", "error", "proxy_set_header Host"),
            (503, "", "warning", "reaches no node"),
        ] {
            impostor.answers(status, body);
            let report = checked(&app, &config, &[]).await;
            report.tells("issuer_document", level, words);
            // What says the right issuer is asked for its keys, too, and has none.
            let is_asked_for_keys = body == acr;
            let is_good = level != "error" && !is_asked_for_keys;
            assert_eq!(report.is_good, is_good, "{}", report.text);
        }
        // It knows the document and nothing else.
        impostor.answers(200, &own);
        let report = checked(&app, &config, &[]).await;
        report.tells("issuer_document", "ok", "");
        report.tells("issuer_keys", "error", "uses another database");
        report.tells("proxy_unseen", "warning", "master key");
        // A name that leads nowhere.
        let nameless = app
            .config
            .replace(&app.issuer, "https://login.portvakt.invalid");
        let report = checked(&app, &nameless, &[]).await;
        report.tells("issuer_name", "error", "does not resolve");
    });
}

#[test]
fn certificates_that_browsers_refuse_are_told_of() {
    run(async {
        let _shows = shows!(accepting "PV-CHECK-2", refusing "PV-CHECK-2");
        let app = App::on(Database::sqlite()).await;
        let (clock, random) = (Clock::system(), Random::system());
        let trusted = Authority::new("Trusted", &random, clock.now()).expect("made");
        let other = Authority::new("Other", &random, clock.now()).expect("made");
        let year = 365 * 24 * 60 * 60;
        let at = |days: i64| clock.now() - portvakt::clock::Seconds(year - days * 24 * 60 * 60);
        let ending = |days| Authority::new("Trusted", &random, at(days)).expect("made");
        for (authority, host, id, level, words) in [
            (
                &trusted,
                "localhost",
                "issuer_certificate",
                "ok",
                "more days",
            ),
            (
                &other,
                "localhost",
                "issuer_certificate",
                "error",
                "an authority that is trusted",
            ),
            (
                &trusted,
                "other.example",
                "issuer_certificate",
                "error",
                "another name",
            ),
            (
                &ending(10),
                "localhost",
                "issuer_certificate",
                "warning",
                "Renew it",
            ),
            (
                &ending(2),
                "localhost",
                "issuer_certificate",
                "error",
                "Renew it",
            ),
            (
                &ending(-2),
                "localhost",
                "issuer_certificate",
                "error",
                "has ended",
            ),
        ] {
            let is_other = std::ptr::eq(authority, &other);
            let root = if is_other {
                trusted.root_pem()
            } else {
                authority.root_pem()
            };
            std::fs::write(app.directory.path().join("outside.pem"), root).expect("written");
            let identity = authority.server(&[host]).expect("made");
            let tls = server_config(&identity, None).expect("made");
            let impostor = Impostor::start(Some(tls));
            impostor.answers(404, "");
            let issuer = format!("https://localhost:{}", impostor.port);
            let config = app.config.replace(&app.issuer, &issuer);
            let config =
                config.replacen("[keys]", "[outbound]\nca_file = \"outside.pem\"\n[keys]", 1);
            checked(&app, &config, &[]).await.tells(id, level, words);
        }
        // TLS where there is none.
        let impostor = Impostor::start(None);
        let issuer = format!("https://localhost:{}", impostor.port);
        let report = checked(&app, &app.config.replace(&app.issuer, &issuer), &[]).await;
        report.tells("issuer_tls", "error", "does not speak TLS");
    });
}

#[test]
fn what_keeps_us_from_bankid_is_told() {
    run(async {
        let _shows = shows!(accepting "PV-CHECK-5", refusing "PV-CHECK-5");
        let app = App::on(Database::sqlite()).await;
        let (clock, random) = (Clock::system(), Random::system());
        let other = Authority::new("Other", &random, clock.now()).expect("made");
        let party = other.relying_party("Somebody").expect("made");
        for (name, text) in [
            ("other-root.pem", other.root_pem()),
            ("other.pem", party.certificate_pem()),
            ("other.key", party.key_pem()),
        ] {
            std::fs::write(app.directory.path().join(name), text).expect("written");
        }
        let report = checked(&app, &app.config, &[]).await;
        report.tells("bankid", "ok", "good");
        report.tells("clock_bankid", "ok", "");
        let roots = app.config.replace("\"root.pem\"", "\"other-root.pem\"");
        let report = checked(&app, &roots, &[]).await;
        report.tells("bankid", "error", "not one by the root that is trusted");
        let ours = app.config.replace("\"relying-party.", "\"other.");
        assert_ne!(ours, app.config);
        let report = checked(&app, &ours, &[]).await;
        report.tells("bankid", "error", "does not take our certificate");
        assert!(
            report.text.contains("people see \\\"Somebody\\\""),
            "{}",
            report.text
        );
        // The other certificate still answers.
        let profile = report.findings.iter();
        let mut profile =
            profile.filter(|f| f["about"] == "bankid.profile.tax" && f["id"] == "bankid");
        assert!(
            profile.any(|finding| finding["level"] == "ok"),
            "{}",
            report.text
        );
    });
}
