//! What the operator's machines see.

use std::time::Duration;

use portvakt::shows;
use sqlx::{Connection, Executor, PgConnection};

use crate::crash::{Serving, free_port};
use crate::support::phone::TOLVAN;
use crate::support::{App, Browser, Database, run};

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
        let port = free_port();
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
            "portvakt_logins_ended_total{outcome=\"finished\"} 1",
            "portvakt_logins_ended_total{outcome=\"cancelled\"} 1",
            "portvakt_bankid_certificate_days_left{profile=\"default\"} 36",
            "portvakt_bankid_certificate_days_left{profile=\"tax\"} 36",
            "portvakt_signing_key_days_left{algorithm=\"RS256\"}",
            "portvakt_signing_key_days_left{algorithm=\"EdDSA\"}",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        for name in [TOLVAN, "Tolvan", "web"] {
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
