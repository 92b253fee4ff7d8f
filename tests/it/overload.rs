//! More than there is room for, and a database that has no time: whoever comes is told so at once.

use std::time::{Duration, Instant};

use portvakt::shows;
use portvakt::storage::KNOWN_FOR;
use sqlx::{Connection, Executor, PgConnection};

use crate::par::{bring, push};
use crate::support::ports;
use crate::support::{App, CALLBACK, Database, Options, SECRET, run};

/// Locks a table from another connection until it is dropped.
async fn hold(app: &App, table: &str) -> PgConnection {
    let url = app.database.url(app.directory.path());
    let mut connection = PgConnection::connect(&url)
        .await
        .expect("PostgreSQL answers");
    let statement = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
    let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement));
    connection.execute(statement).await.expect("locked");
    connection
}

/// Sends a request and does not wait for its answer.
fn leave_waiting(request: reqwest::RequestBuilder) {
    tokio::spawn(async move { request.send().await.map(|answer| answer.status()) });
}

/// Status, `Retry-After` and body of an answer that must come at once.
async fn at_once(request: reqwest::RequestBuilder) -> (u16, Option<String>, String) {
    let asked = Instant::now();
    let answer = request.timeout(Duration::from_secs(10)).send().await;
    let answer = answer.expect("an answer");
    let took = asked.elapsed();
    let status = answer.status().as_u16();
    let retry = answer.headers().get("Retry-After").cloned();
    let retry = retry.map(|value| value.to_str().expect("text").to_owned());
    let body = answer.text().await.expect("text");
    assert!(
        took < Duration::from_millis(1500),
        "{took:?}: {status} {body}"
    );
    (status, retry, body)
}

#[test]
fn who_comes_while_there_is_no_room_is_told_at_once() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "P10", refusing "P10");
        let app = App::start(Options {
            sections: "[limits]\nlogins_at_once = 8".to_owned(),
            ..Options::on(database)
        })
        .await;
        let (listener, ops) = ports::listener();
        let handle = tokio::runtime::Handle::current();
        portvakt::http::ops::serve(app.provider.clone(), listener, &handle).expect("served");
        let health = || app.http.get(format!("http://127.0.0.1:{ops}/healthz"));
        let code = "ac_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        let token = || {
            let form = [
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", CALLBACK),
            ];
            let secret = SECRET.replace('%', "%25").replace('+', "%2B");
            let request = app.http.post(format!("{}/token", app.issuer));
            request.basic_auth("web", Some(secret)).form(&form)
        };
        let name = push(&app, &[]).await;
        let login = || app.http.get(bring(&app, "web", &name, &[]));
        assert_eq!(at_once(login()).await.0, 200);
        // As many people as there is room for wait for one table; applications are none the worse.
        let held = hold(&app, "pushed_request").await;
        for _ in 0..8 {
            leave_waiting(login());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (status, retry, body) = at_once(login()).await;
        assert_eq!((status, retry.as_deref()), (503, Some("5")));
        assert!(body.contains("<html"), "a page: {body}");
        let (status, _, body) = at_once(token()).await;
        assert!(status == 400 && body.contains("invalid_grant"), "{body}");
        drop(held);
        let mut answered = 0;
        for _ in 0..50 {
            answered = login().send().await.expect("an answer").status().as_u16();
            if answered == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(answered, 200, "there is room again");
        // Applications alone fill all connections, and nothing comes back.
        let held = hold(&app, "client").await;
        // Until it is no longer known who the application is.
        tokio::time::sleep(KNOWN_FOR).await;
        for _ in 0..24 {
            leave_waiting(token());
        }
        tokio::time::sleep(Duration::from_millis(2000)).await;
        let (refused, retry, body) = at_once(token()).await;
        assert_eq!((refused, retry.as_deref()), (503, Some("5")), "{body}");
        assert!(body.contains("temporarily_unavailable"), "{body}");
        assert_eq!(at_once(login()).await.0, 503);
        // What asks no database goes on.
        let keys = app.http.get(format!("{}/jwks", app.issuer));
        assert_eq!(at_once(keys).await.0, 200);
        assert_eq!(at_once(health()).await, (200, None, "alive\n".to_owned()));
        drop(held);
        for _ in 0..50 {
            answered = token().send().await.expect("an answer").status().as_u16();
            if answered == 400 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(answered, 400, "it answers again");
        let metrics = app.provider.metrics.text();
        for kind in ["logins_at_once", "tokens_at_once"] {
            let line = format!("portvakt_requests_limited_total{{kind=\"{kind}\"}} ");
            assert!(metrics.contains(&line), "{metrics}");
            assert!(!metrics.contains(&format!("{line}0\n")), "{metrics}");
        }
    });
}
