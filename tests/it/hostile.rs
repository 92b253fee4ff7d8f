//! Callers who try secrets out, and such as send what no client sends.

use std::time::Duration;

use futures_util::future::join_all;
use portvakt::shows;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::dpop::Prover;
use crate::races::rows;
use crate::support::{App, Database, Options, SECRET, run};
use crate::token::{Told, told};

/// A client that calls from one of this machine's addresses.
fn from(address: [u8; 4]) -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy();
    let builder = builder.local_address(std::net::IpAddr::from(address));
    builder.build().expect("a client")
}

async fn tried(app: &App, http: &reqwest::Client, client: &str, secret: &str) -> Told {
    let request = http.post(format!("{}/introspect", app.issuer));
    let request = request.basic_auth(client, Some(secret));
    told(request.form(&[("token", "x")])).await
}

#[test]
fn whoever_tries_secrets_out_has_to_wait_and_the_client_has_not() {
    run(async {
        let _shows = shows!(accepting "O11", refusing "O11");
        let app = App::on(Database::sqlite()).await;
        let (thief, client) = (from([127, 0, 0, 3]), from([127, 0, 0, 4]));
        // A client that does not exist is no different.
        for name in ["web", "nobody"] {
            let mut first = None;
            for n in 0..20 {
                let told = tried(&app, &thief, name, &format!("wrong-{n}")).await;
                assert_eq!(told.status, 401, "{name} {n}");
                let body = first.get_or_insert(told.body.clone());
                assert_eq!(told.body, *body);
            }
            for secret in ["wrong", SECRET] {
                let told = tried(&app, &thief, name, secret).await;
                assert_eq!(told.status, 429, "{name}");
                assert_eq!(told.body["error"], "temporarily_unavailable");
                assert!(told.headers.contains_key("retry-after"));
            }
        }
        let counted = "portvakt_requests_limited_total{kind=\"client_secret\"} 4\n";
        assert!(app.provider.metrics.text().contains(counted));
        assert_eq!(tried(&app, &client, "web", SECRET).await.status, 200);
        assert_eq!(tried(&app, &thief, "offline", SECRET).await.status, 200);
        app.clock.advance(Duration::from_secs(60));
        assert_eq!(tried(&app, &thief, "web", SECRET).await.status, 200);
    });
}

#[test]
fn what_comes_to_nothing_leaves_nothing_behind() {
    run(async {
        let _shows = shows!(refusing "TK-21", refusing "TK-05", refusing "UI-02", refusing "LI-10");
        let app = App::on(Database::sqlite()).await;
        let (key, token_endpoint) = (Prover::new("ES256"), format!("{}/token", app.issuer));
        let refreshing = [
            ("client_id", "public"),
            ("grant_type", "refresh_token"),
            ("refresh_token", "rt_none"),
        ];
        let exchanging = [
            ("client_id", "public"),
            ("grant_type", "authorization_code"),
            ("code", "ac_none"),
        ];
        for form in [&refreshing[..1], &refreshing, &exchanging] {
            let proof = key.proof(&app, "POST", "/token", None);
            let request = app.http.post(&token_endpoint).form(form);
            let told = told(request.header("DPoP", proof)).await;
            assert_eq!(told.status, 400, "{}", told.body);
        }
        assert_eq!(rows(&app, "SELECT count(*) FROM replay").await, 0);
        // Of two headers nobody can say which one counts.
        let basic = |request: reqwest::RequestBuilder| request.basic_auth("web", Some(SECRET));
        let secret = [
            ("client_id", "web"),
            ("client_secret", SECRET),
            ("token", "x"),
        ];
        let twice = basic(basic(app.http.post(&token_endpoint).form(&secret)));
        let userinfo = app.http.post(format!("{}/userinfo", app.issuer));
        let in_form = userinfo.form(&[("access_token", "at_none")]);
        for request in [twice, in_form.bearer_auth("at_none").bearer_auth("at_none")] {
            let told = told(request).await;
            let error = told.body["error"].as_str();
            assert_eq!((told.status, error), (400, Some("invalid_request")));
        }
        // Who mistakes one for the other must not find the secret in our log, which is searched for it.
        let request = app
            .http
            .post(&token_endpoint)
            .basic_auth(SECRET, Some("web"));
        assert_eq!(told(request.form(&secret[2..])).await.status, 401);
    });
}

/// The host of a provider, as requests name it.
fn host(app: &App) -> &str {
    app.issuer.trim_start_matches("http://")
}

async fn connected(app: &App) -> TcpStream {
    let (_, port) = host(app).rsplit_once(':').expect("a port");
    let port: u16 = port.parse().expect("a port");
    TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("connected")
}

/// All that is answered until the other end closes; `None` if it does not.
async fn until_closed(stream: &mut TcpStream) -> Option<String> {
    let mut answer = Vec::new();
    let closing = stream.read_to_end(&mut answer);
    let closed = tokio::time::timeout(Duration::from_secs(60), closing).await;
    // A reset closes, too.
    closed
        .ok()
        .map(|_| String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn a_request_that_two_could_read_differently_is_read_by_nobody() {
    run(async {
        let _shows = shows!(accepting "O25", refusing "O25");
        let app = App::on(Database::sqlite()).await;
        let host = host(&app);
        let answered = async |head: String, body: &str| {
            let mut stream = connected(&app).await;
            let raw = format!("{head}\r\n\r\n{body}");
            stream.write_all(raw.as_bytes()).await.expect("written");
            until_closed(&mut stream).await.expect("it closes")
        };
        let form = "content-type: application/x-www-form-urlencoded";
        let start = format!("POST /token HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{form}");
        // This is what the others are measured by.
        let plain = answered(format!("{start}\r\ncontent-length: 3"), "a=b").await;
        assert!(plain.starts_with("HTTP/1.1 401"), "{plain}");
        let long = "x".repeat(200_000);
        for (head, body) in [
            (
                format!("{start}\r\ncontent-length: 3\r\ntransfer-encoding: chunked"),
                "a=b",
            ),
            (
                format!("{start}\r\ntransfer-encoding: chunked\r\ncontent-length: 3"),
                "0\r\n\r\n",
            ),
            (
                format!("{start}\r\ncontent-length: 3\r\ncontent-length: 4"),
                "a=b",
            ),
            (format!("{start}\r\ncontent-length: 3, 3"), "a=b"),
            (format!("{start}\r\ncontent-length: +3"), "a=b"),
            (format!("{start}\r\ncontent-length: 0x3"), "a=b"),
            (
                format!("{start}\r\ntransfer-encoding: gzip, identity"),
                "a=b",
            ),
            (
                format!("{start}\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked"),
                "0\r\n\r\n",
            ),
            (
                format!("{start}\r\ntransfer-encoding: chunked"),
                "zz\r\na=b\r\n0\r\n\r\n",
            ),
            (
                format!("{start}\r\nx: a\r\n b: folded\r\ncontent-length: 3"),
                "a=b",
            ),
            (format!("{start}\r\ncontent-length : 3"), "a=b"),
            (format!("{start}\r\nx: {long}\r\ncontent-length: 3"), "a=b"),
            (
                format!("POST /token HTTP/1.1\r\nconnection: close\r\n{form}\r\ncontent-length: 3"),
                "a=b",
            ),
            (
                format!("{start}\r\nhost: evil.example\r\ncontent-length: 3"),
                "a=b",
            ),
        ] {
            let answer = answered(head.clone(), body).await;
            let status = answer.get(9..12).unwrap_or("");
            // 421: it does not say whom it is for.
            let is_refused = matches!(status, "" | "400" | "421" | "431");
            assert!(is_refused, "{} {answer}", head.get(..300).unwrap_or(&head));
            assert_eq!(
                answer.matches("HTTP/1.1 ").count(),
                usize::from(!status.is_empty())
            );
        }
        let large = "a".repeat(64 * 1024 + 1);
        let head = format!("{start}\r\ncontent-length: {}", large.len());
        let answer = answered(head, &large).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
            "{answer}"
        );
    });
}

#[test]
fn those_who_send_slowly_are_cut_and_hold_nobody_up() {
    run(async {
        let _shows = shows!(accepting "O25", refusing "O25");
        let app = App::start(Options {
            sections: "[limits]\ntokens_at_once = 8".to_owned(),
            ..Options::on(Database::sqlite())
        })
        .await;
        let host = host(&app);
        let begun = [
            format!("GET /jwks HTTP/1.1\r\nhost: {host}\r\nx: "),
            format!(
                "POST /token HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 60000\r\n\r\n"
            ),
        ];
        let slow = async |start: &str| {
            let mut stream = connected(&app).await;
            stream.write_all(start.as_bytes()).await.expect("written");
            let (mut reader, mut writer) = stream.split();
            let dripping = async {
                // The other end has closed when a byte is not taken any more.
                while writer.write_all(b"a").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            };
            let reading = async {
                let mut answer = Vec::new();
                let _ = reader.read_to_end(&mut answer).await;
                answer
            };
            let ended = async {
                tokio::select! {
                    () = dripping => Vec::new(),
                    answer = reading => answer,
                }
            };
            tokio::time::timeout(Duration::from_secs(60), ended).await
        };
        let slow_ones = join_all((0..60).map(|n| slow(&begun[n % 2])));
        let others = async {
            for _ in 0..20 {
                let request = app.http.get(format!("{}/jwks", app.issuer));
                assert_eq!(request.send().await.expect("an answer").status(), 200);
                // The slow ones take no places either.
                let request = app.http.post(format!("{}/token", app.issuer));
                let request = request.form(&[("grant_type", "authorization_code")]);
                assert_eq!(request.send().await.expect("an answer").status(), 401);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let (slow_ones, ()) = tokio::join!(slow_ones, others);
        for ended in slow_ones {
            let answer = ended.expect("it is cut");
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 408");
            assert!(is_refused, "{answer}");
        }
    });
}
