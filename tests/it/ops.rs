//! What the operator's machines see.

use std::time::{Duration, Instant};

use portvakt::clock::Seconds;
use portvakt::random::Random;
use portvakt::shows;
use portvakt::simulator::certificates::Authority;
use sqlx::{Connection, Executor, PgConnection};

use crate::crash::Serving;
use crate::support::phone::TOLVAN;
use crate::support::ports;
use crate::support::{Answer, App, Browser, Database, on_both, run};

async fn ask(app: &App, port: u16, path: &str) -> (u16, String) {
    let answer = app.http.get(format!("http://127.0.0.1:{port}{path}"));
    let answer = answer.send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("text"))
}

#[test]
fn a_node_says_how_it_is_and_what_it_measured() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-OPS-1", refusing "PV-OPS-1");
        let app = App::on(database.clone()).await;
        app.stop_provider().await;
        let port = ports::free();
        let ops = format!("[ops]\naddress = \"127.0.0.1:{port}\"\n[bankid]");
        let _serving = Serving::start(&app, "watched", &[("[bankid]", &ops)]).await;
        assert_eq!(
            ask(&app, port, "/healthz").await,
            (200, "alive\n".to_owned())
        );
        assert_eq!(
            ask(&app, port, "/readyz").await,
            (200, "ready\n".to_owned())
        );
        let browser = Browser::new();
        app.log_in(&browser, TOLVAN).await;
        let other = app.authorize_url(&[("state", Some("b")), ("prompt", Some("login"))]);
        let choice = browser.get(&other).await;
        let login = browser.choose(&choice, "other").await;
        app.phone
            .scan(&login.qr_text(), TOLVAN)
            .await
            .decline()
            .await;
        let failed = browser.until(&login, "failed").await;
        browser.press_on(&failed, "cancel", "").await;
        let (status, text) = ask(&app, port, "/metrics").await;
        assert_eq!(status, 200);
        for line in [
            "portvakt_bankid_answers_total{operation=\"auth\",outcome=\"ok\"} 2",
            "portvakt_bankid_orders_ended_total{status=\"complete\",hint=\"\"} 1",
            "portvakt_bankid_orders_ended_total{status=\"failed\",hint=\"userCancel\"} 1",
            "portvakt_logins_ended_total{client=\"web\",outcome=\"finished\"} 1",
            "portvakt_logins_ended_total{client=\"web\",outcome=\"cancelled\"} 1",
            "portvakt_bankid_certificate_expiry_timestamp_seconds{profile=\"default\"} ",
            "portvakt_bankid_certificate_expiry_timestamp_seconds{profile=\"tax\"} ",
            "portvakt_signing_key_change_timestamp_seconds{algorithm=\"RS256\"} ",
            "portvakt_signing_key_change_timestamp_seconds{algorithm=\"EdDSA\"} ",
            "portvakt_ready 1",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        for name in [TOLVAN, "Tolvan"] {
            assert!(!text.contains(name), "{name} is in {text}");
        }
        // What the operator sees is nowhere on the people's side.
        let public = browser.get(&format!("{}/metrics", app.issuer)).await;
        assert_eq!(public.status, 404);
        // A node that cannot say that it lives is sent nobody.
        let url = database.url(app.directory.path());
        let mut connection = PgConnection::connect(&url)
            .await
            .expect("PostgreSQL answers");
        connection
            .execute("ALTER TABLE node RENAME TO gone")
            .await
            .expect("renamed");
        let mut seen = (0, String::new());
        for _ in 0..100 {
            seen = ask(&app, port, "/readyz").await;
            if seen.0 == 503 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(seen.0 == 503 && seen.1.contains("alive"), "{seen:?}");
        connection
            .execute("ALTER TABLE gone RENAME TO node")
            .await
            .expect("renamed");
        for _ in 0..100 {
            seen = ask(&app, port, "/readyz").await;
            if seen.0 == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it is never ready again: {seen:?}");
    });
}

/// Asks until readiness says something, with a status.
async fn until_it_says(app: &App, port: u16, status: u16, word: &str) {
    let mut seen = (0, String::new());
    for _ in 0..150 {
        seen = ask(app, port, "/readyz").await;
        if seen.0 == status && seen.1.contains(word) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it never says {word} with {status}: {seen:?}");
}

on_both!(
    nobody_is_sent_to_a_node_that_cannot_serve,
    async |database: Database| {
        let _shows = shows!(accepting "PV-OPS-2", refusing "PV-OPS-2", accepting "P7", refusing "P7", refusing "P2");
        let app = App::on(database.clone()).await;
        let (listener, port) = ports::listener();
        let handle = tokio::runtime::Handle::current();
        portvakt::http::ops::serve(app.provider.clone(), listener, &handle).expect("served");
        assert_eq!(
            ask(&app, port, "/readyz").await,
            (200, "ready\n".to_owned())
        );
        let meddle = |statement: &str| {
            let done = database.meddle(app.directory.path(), statement);
            assert!(done.expect("done") > 0, "{statement}");
        };
        // Tables that this version needs, and newer ones that it does not know.
        meddle("UPDATE _sqlx_migrations SET success = false WHERE version = 19");
        until_it_says(&app, port, 503, "lacks tables").await;
        meddle("UPDATE _sqlx_migrations SET success = true, version = 9019 WHERE version = 19");
        until_it_says(&app, port, 503, "lacks tables").await;
        meddle("UPDATE _sqlx_migrations SET version = 19 WHERE version = 9019");
        until_it_says(&app, port, 200, "ready").await;
        // A key that this node cannot open.
        meddle(
            "INSERT INTO data_key SELECT purpose, 2, wrapped, created_at FROM data_key WHERE purpose = 'seal'",
        );
        until_it_says(&app, port, 503, "the keys of the database").await;
        meddle("DELETE FROM data_key WHERE generation = 2");
        until_it_says(&app, port, 200, "ready").await;
        // A certificate that ends soon is told of; one that has ended takes nobody.
        let year = Seconds(359 * 24 * 60 * 60);
        let past = Authority::new("Test banks", &Random::system(), app.clock.now() - year);
        let ending = past
            .expect("made")
            .relying_party("Testkommunen")
            .expect("made");
        let write = |name: &str, text: String| {
            std::fs::write(app.directory.path().join(name), text).expect("written");
        };
        write("tax.key", ending.key_pem());
        write("tax.pem", ending.certificate_pem());
        let warning = "warning: the relying-party certificate tax ends in ";
        until_it_says(&app, port, 200, warning).await;
        let (_, metrics) = ask(&app, port, "/metrics").await;
        let ends = metrics
            .split("expiry_timestamp_seconds{profile=\"tax\"} ")
            .nth(1)
            .and_then(|rest| rest.lines().next()?.parse::<i64>().ok())
            .expect("a line");
        let days = (ends - app.clock.now().0) / (24 * 60 * 60);
        assert!((5..=6).contains(&days), "{days}");
        // Whose clock is not the database's, judges codes wrongly.
        if let Database::Postgres(_) = database {
            app.clock.advance(Duration::from_secs(4));
            assert_eq!(ask(&app, port, "/readyz").await.0, 200);
            app.clock.advance(Duration::from_secs(3));
            until_it_says(&app, port, 503, "off the database's").await;
        }
        app.clock.advance(Duration::from_secs(7 * 24 * 60 * 60));
        until_it_says(&app, port, 503, "certificate tax cannot be used").await;
        assert_eq!(ask(&app, port, "/healthz").await.0, 200);
    }
);

on_both!(
    a_node_that_is_told_to_stop_is_left_before_it_stops,
    async |database: Database| {
        let _shows = shows!(accepting "P8", refusing "P8");
        let app = App::on(database.clone()).await;
        app.stop_provider().await;
        let port = ports::free();
        let ops =
            format!("[ops]\naddress = \"127.0.0.1:{port}\"\n[node]\nid = \"leaving\"\n[bankid]");
        let mut serving = Serving::start(&app, "leaving", &[("[bankid]", &ops)]).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        assert_eq!(login.header("connection"), "", "it is kept");
        app.phone
            .scan(&login.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        let told = Instant::now();
        serving.tell_to_stop();
        until_it_says(&app, port, 503, "stopping").await;
        // Who is here is served, and who comes all the same, too.
        let late = Browser::new()
            .get(&app.authorize_url(&[("state", Some("late"))]))
            .await;
        assert_eq!(late.status, 200);
        // Nothing comes over a connection that was kept, and would be closed under it.
        assert_eq!(late.header("connection"), "close");
        Answer::of(&browser.until_departure(&login).await).code();
        assert!(serving.has_ended_well());
        let took = told.elapsed();
        let bounds = Duration::from_secs(5)..Duration::from_secs(31);
        assert!(bounds.contains(&took), "{took:?}");
        // Its orders and its work are anybody's at once.
        let texts = |question: &str| database.texts(app.directory.path(), question);
        let left = "SELECT CAST(heartbeat_at AS TEXT) FROM node WHERE id = 'leaving'";
        assert_eq!(texts(left), ["0"]);
        assert_eq!(texts("SELECT name FROM lease"), [] as [String; 0]);
        let gone = app
            .http
            .get(format!("http://127.0.0.1:{port}/healthz"))
            .send()
            .await;
        assert!(gone.is_err());
    }
);

#[test]
fn the_administration_is_counted_and_left_like_the_rest() {
    run(async {
        let _shows = shows!(accepting "P8", accepting "PV-OPS-3");
        let app = App::on(Database::sqlite()).await;
        let (listener, port) = ports::listener();
        let handle = tokio::runtime::Handle::current();
        portvakt::http::ops::serve(app.provider.clone(), listener, &handle).expect("served");
        let count = async |route: &str, status: &str| {
            let (_, text) = ask(&app, port, "/metrics").await;
            let name =
                format!("portvakt_http_requests_total{{route=\"{route}\",status=\"{status}\"}} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&name));
            line.map(|count| count.parse::<u32>().expect("a number"))
        };
        let see = async |path: &str| {
            let page = Browser::new().get(&format!("{}{path}", app.admin)).await;
            (page.status, page.header("connection").to_owned())
        };
        assert_eq!(count("admin", "3xx").await, Some(0));
        assert_eq!(see("/clients").await, (303, String::new()));
        assert_eq!(see("/nothing").await.0, 404);
        assert_eq!(see("/api/v1/clients").await.0, 401);
        assert_eq!(see("/api/v1/nothing").await.0, 404);
        for (route, status, expected) in [
            ("admin", "3xx", 1),
            ("admin", "4xx", 1),
            ("admin_api", "4xx", 2),
            // It is no login of a person's, whatever its pages are called.
            ("login_begin", "2xx", 0),
        ] {
            assert_eq!(
                count(route, status).await,
                Some(expected),
                "{route} {status}"
            );
        }
        app.provider.leave();
        for path in ["/clients", "/nothing", "/api/v1/clients"] {
            assert_eq!(see(path).await.1, "close", "{path}");
        }
    });
}
