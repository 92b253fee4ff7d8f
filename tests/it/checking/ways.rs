//! Proxies between the public address and a node, each with a manner of its own.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};

use actix_web::{App as Server, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::stream;
use portvakt::clock::Clock;
use portvakt::config::Config;
use portvakt::http;
use portvakt::provider::Provider;
use portvakt::random::Random;
use portvakt::shows;

use super::checked;
use crate::support::ports;
use crate::support::{App, Database, run};

/// What a proxy does to requests and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Right,
    /// It comes from an address that is not trusted.
    Unknown,
    /// It says nothing of who called it.
    Silent,
    /// It hands on what callers say of themselves.
    Believing,
    /// It adds to what callers say of themselves, and not who called it.
    Mistaken,
    /// It calls by another name.
    Renaming,
    /// It keeps answers back until they are whole.
    Collecting,
    /// It was held up once, as on a machine that has much to do.
    Late,
}

struct Proxy {
    manner: Mutex<Manner>,
    to: u16,
}

impl Proxy {
    /// Takes connections on a listener, and leads them to a port.
    fn start(listener: TcpListener, to: u16) -> Arc<Proxy> {
        let manner = Mutex::new(Manner::Right);
        let proxy = Arc::new(Proxy { manner, to });
        let shared = web::Data::from(proxy.clone());
        let server = HttpServer::new(move || {
            let forwarding = web::to(forward);
            Server::new()
                .app_data(shared.clone())
                .default_service(forwarding)
        });
        let server = server.workers(1).disable_signals();
        tokio::spawn(server.listen(listener).expect("served").run());
        proxy
    }
}

async fn forward(request: HttpRequest, proxy: web::Data<Proxy>) -> HttpResponse {
    let manner = *proxy.manner.lock().expect("free");
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        Some(value.to_str().expect("text").to_owned())
    };
    let from = match manner {
        Manner::Unknown => [127, 0, 0, 3],
        _ => [127, 0, 0, 2],
    };
    let here = format!("127.0.0.1:{}", proxy.to);
    let host = match manner {
        Manner::Renaming => here.clone(),
        _ => header("host").expect("a host"),
    };
    let peer = request.peer_addr().expect("a peer").ip();
    let said = header("x-forwarded-for");
    let forwarded = match manner {
        Manner::Silent => None,
        Manner::Believing => said,
        Manner::Mistaken => said.map(|said| format!("{said}, 127.0.0.2")),
        _ => Some(said.map_or(peer.to_string(), |said| format!("{said}, {peer}"))),
    };
    let http = reqwest::Client::builder()
        .no_proxy()
        .local_address(IpAddr::from(from));
    let http = http.build().expect("a client");
    let mut asked = http
        .get(format!("http://{here}{}", request.uri()))
        .header("host", host);
    if let Some(forwarded) = forwarded {
        asked = asked.header("x-forwarded-for", forwarded);
    }
    let Ok(answer) = asked.send().await else {
        return HttpResponse::BadGateway().finish();
    };
    let status = actix_web::http::StatusCode::from_u16(answer.status().as_u16());
    let mut given = HttpResponse::build(status.expect("a status"));
    if manner == Manner::Late && request.path() == "/check" {
        *proxy.manner.lock().expect("free") = Manner::Right;
    }
    if matches!(manner, Manner::Collecting | Manner::Late) {
        return given.body(answer.bytes().await.expect("a body"));
    }
    given.streaming(stream::unfold(answer, |mut answer| async {
        let part = answer.chunk().await.ok()??;
        Some((Ok::<_, std::io::Error>(part), answer))
    }))
}

#[test]
fn what_a_proxy_makes_of_requests_is_told() {
    run(async {
        let _shows = shows!(accepting "PV-CHECK-4", refusing "PV-CHECK-4", refusing "PV-CHECK-3");
        let app = App::on(Database::sqlite()).await;
        app.stop_provider().await;
        let (outer, port) = ports::listener();
        let inner = ports::free();
        let issuer = format!("http://localhost:{port}");
        let listen = app
            .issuer
            .replace("http://localhost:", "address = \"127.0.0.1:");
        let behind = format!("trusted_proxies = [\"127.0.0.2/32\"]\naddress = \"127.0.0.1:{inner}");
        let config = app.config.replace(&app.issuer, &issuer);
        let config = config.replace(&listen, &behind);
        assert!(config.contains("trusted_proxies"), "{config}");
        let proxy = Proxy::start(outer, inner);
        // Nobody is behind it yet.
        let report = checked(&app, &config, &[]).await;
        report.tells("issuer_document", "warning", "reaches no node");
        let inner = TcpListener::bind((Ipv4Addr::LOCALHOST, inner));
        let parsed = Config::parse(&config, app.directory.path()).expect("a good configuration");
        let provider = Provider::start(parsed, Clock::system(), Random::system()).await;
        let runtime = tokio::runtime::Handle::current();
        let served = http::serve(
            provider.expect("it starts"),
            inner.expect("bound"),
            None,
            runtime,
        );
        let served = served.expect("served");
        for (manner, id, level, words) in [
            (
                Manner::Right,
                "proxy_address",
                "ok",
                "this machine's is 127.0.0.1",
            ),
            (
                Manner::Late,
                "proxy_buffering",
                "ok",
                "hands on events as they happen",
            ),
            (
                Manner::Unknown,
                "proxy_address",
                "error",
                "127.0.0.3 is not one of listen.trusted_proxies",
            ),
            (
                Manner::Silent,
                "proxy_address",
                "error",
                "127.0.0.2 sends no X-Forwarded-For",
            ),
            (
                Manner::Believing,
                "proxy_address",
                "error",
                "hands on X-Forwarded-For as it comes",
            ),
            (
                Manner::Mistaken,
                "proxy_address",
                "error",
                "anybody can say which address they come from",
            ),
            (
                Manner::Renaming,
                "issuer_document",
                "error",
                "proxy_set_header Host",
            ),
            (
                Manner::Collecting,
                "proxy_buffering",
                "error",
                "codes stand still",
            ),
        ] {
            *proxy.manner.lock().expect("free") = manner;
            let report = checked(&app, &config, &[]).await;
            report.tells(id, level, words);
            assert_eq!(report.is_good, level == "ok", "{manner:?}: {}", report.text);
            if manner == Manner::Right {
                for id in ["issuer_document", "proxy_host", "proxy_buffering"] {
                    assert_eq!(report.level(id), Some("ok"), "{}", report.text);
                }
            }
        }
        // Another master key: the question is nobody's, and the address is no page.
        *proxy.manner.lock().expect("free") = Manner::Right;
        for path in ["/check", "/check?question=x", "/check?question=1.2.3"] {
            let answer = app
                .http
                .get(format!("{issuer}{path}"))
                .send()
                .await
                .expect("an answer");
            assert_eq!(answer.status().as_u16(), 404, "{path}");
        }
        served.handle.stop(true).await;
    });
}
