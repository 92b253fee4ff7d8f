//! Traces, as a receiver of the operator's gets them.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, HttpServer};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use portvakt::clock::Clock;
use portvakt::random::Random;
use portvakt::shows;
use portvakt::simulator::certificates::{Authority, server_config};
use prost::Message;
use tempfile::TempDir;

use crate::support::cluster::Node;
use crate::support::phone::{ASA, TOLVAN};
use crate::support::ports;
use crate::support::{App, Browser, Database, Options, SECRET, on_both, run};

/// What came: bodies, and how the sender showed who it is.
#[derive(Default)]
struct Received {
    bodies: Mutex<Vec<Vec<u8>>>,
    headers: Mutex<BTreeSet<String>>,
}

/// A receiver of OTLP over HTTP.
struct Receiver {
    received: Data<Received>,
    url: String,
    directory: TempDir,
    _served: ServerHandle,
}

async fn take(received: Data<Received>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let text = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let said = format!("{:?} {:?}", text("authorization"), text("content-type"));
    received.headers.lock().expect("no panic").insert(said);
    received
        .bodies
        .lock()
        .expect("no panic")
        .push(body.to_vec());
    HttpResponse::Ok().finish()
}

impl Receiver {
    fn start() -> Receiver {
        Receiver::serve(None)
    }

    /// The same over https, with a certificate of an authority of its own.
    fn start_secure() -> Receiver {
        let (clock, random) = (Clock::system(), Random::system());
        let authority = Authority::new("Receiver", &random, clock.now()).expect("made");
        Receiver::serve(Some(&authority))
    }

    fn serve(authority: Option<&Authority>) -> Receiver {
        let received = Data::new(Received::default());
        let (listener, port) = ports::listener();
        let shared = received.clone();
        let server = HttpServer::new(move || {
            actix_web::App::new()
                .app_data(shared.clone())
                .app_data(web::PayloadConfig::new(16 * 1024 * 1024))
                .route("/v1/traces", web::post().to(take))
        })
        .workers(1)
        .disable_signals();
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name| directory.path().join(name);
        let server = match authority {
            None => server.listen(listener),
            Some(authority) => {
                std::fs::write(file("root.pem"), authority.root_pem()).expect("written");
                let identity = authority.server(&["localhost"]).expect("made");
                let tls = server_config(&identity, None).expect("made");
                server.listen_rustls_0_23(listener, (*tls).clone())
            }
        };
        let server = server.expect("served").run();
        let handle = server.handle();
        tokio::spawn(server);
        let headers = "Authorization: Bearer for-the-receiver\n";
        std::fs::write(file("otlp.headers"), headers).expect("written");
        Receiver {
            received,
            url: match authority {
                None => format!("http://127.0.0.1:{port}/v1/traces"),
                Some(_) => format!("https://localhost:{port}/v1/traces"),
            },
            directory,
            _served: handle,
        }
    }

    /// A section for a configuration.
    fn section(&self, share: &str) -> String {
        let file = |name| self.directory.path().join(name);
        let traces = format!(
            "[traces]\nendpoint = \"{}\"\nshare = {share}\nheaders_file = \"{}\"\n",
            self.url,
            file("otlp.headers").display()
        );
        let root = file("root.pem");
        match root.exists() {
            true => format!("{traces}[outbound]\nca_file = \"{}\"\n", root.display()),
            false => traces,
        }
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        self.received.bodies.lock().expect("no panic").clone()
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self
            .bodies()
            .into_iter()
            .map(|body| ExportTraceServiceRequest::decode(body.as_slice()).expect("OTLP"));
        let of_resources = requests.flat_map(|request| request.resource_spans);
        let of_scopes = of_resources.flat_map(|resource| {
            let names = resource.resource.expect("a resource").attributes;
            assert!(names.iter().any(|a| a.key == "service.name"));
            resource.scope_spans
        });
        of_scopes.flat_map(|scope| scope.spans).collect()
    }
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span
        .attributes
        .iter()
        .find(|attribute| attribute.key == key)?;
    match found.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn only<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found = named(spans, name);
    assert_eq!(found.len(), 1, "{name}");
    found[0]
}

on_both!(
    a_login_is_one_trace_from_the_browser_to_bankid,
    async |database: Database| {
        let _shows = shows!(accepting "PV-SPAN-1", refusing "PV-SPAN-1", accepting "PV-SPAN-2");
        let receiver = Receiver::start();
        let seed = 4712;
        let expected = Random::seeded(seed);
        let mut secrets: Vec<String> = (0..8).map(|_| expected.uuid().to_string()).collect();
        let options = Options {
            sections: receiver.section("1.0"),
            simulator_seed: Some(seed),
            ..Options::on(database)
        };
        let app = App::start(options).await;
        let browser = Browser::new();
        let answer = app.log_in(&browser, TOLVAN).await;
        let tokens = crate::token::redeem(&app, &answer).await;
        // What fails, with something in it that must not be told.
        browser
            .get(&format!("{}/{TOLVAN}?a={ASA}", app.issuer))
            .await;
        crate::token::exchange(&app, &format!("{}x", answer.code()), &[]).await;
        let wrong = app.authorize_url(&[("client_id", Some(TOLVAN)), ("login_hint", Some(ASA))]);
        browser.get(&wrong).await;
        for cookie in browser.cookie_names() {
            secrets.extend(browser.cookie(&cookie).filter(|value| value.len() > 8));
        }
        app.provider.traces.stop().await;
        let spans = receiver.spans();

        // Everything that the login waited for is in one trace, beneath what waited for it.
        let begin = only(&spans, "POST /login");
        let (auth, finish) = (
            only(&spans, "bankid auth"),
            only(&spans, "GET /login/{id}/finish"),
        );
        assert_eq!(auth.parent_span_id, begin.span_id);
        let collects = named(&spans, "bankid collect");
        assert!(!collects.is_empty());
        for span in collects.iter().chain([&auth, &finish]) {
            assert_eq!(span.trace_id, begin.trace_id, "{}", span.name);
            assert_eq!(
                attribute(span, "portvakt.login"),
                attribute(begin, "portvakt.login")
            );
            assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        }
        assert!(attribute(begin, "portvakt.login").is_some());
        assert!(begin.start_time_unix_nano <= auth.start_time_unix_nano + 1_000_000);
        assert_eq!(attribute(auth, "portvakt.outcome").as_deref(), Some("ok"));
        assert_eq!(
            attribute(finish, "http.response.status_code").as_deref(),
            Some("303")
        );
        // What came of it is found from there.
        let exchanges = named(&spans, "POST /token");
        let good = exchanges
            .iter()
            .find(|s| attribute(s, "http.response.status_code").as_deref() == Some("200"));
        let exchange = good.expect("an exchange");
        let links: Vec<_> = finish
            .links
            .iter()
            .map(|link| link.trace_id.clone())
            .collect();
        assert_eq!(links, std::slice::from_ref(&exchange.trace_id));
        assert_eq!(
            attribute(exchange, "portvakt.txn"),
            attribute(finish, "portvakt.txn")
        );
        // One that has nothing to do with it is a trace of its own.
        for span in named(&spans, "GET /authorize") {
            assert_ne!(span.trace_id, begin.trace_id);
            assert!(
                span.parent_span_id.iter().all(|byte| *byte == 0)
                    && attribute(span, "portvakt.reference").is_some()
            );
        }
        let said = receiver.received.headers.lock().expect("no panic").clone();
        let expected = "Some(\"Bearer for-the-receiver\") Some(\"application/x-protobuf\")";
        assert_eq!(said.into_iter().collect::<Vec<_>>(), [expected]);

        // Nobody is named, and nothing is given away.
        secrets.extend(
            [
                TOLVAN,
                &TOLVAN[2..],
                ASA,
                "Tolvansson",
                "Tolvan",
                SECRET,
                answer.code(),
                "the-state",
                "the-nonce",
                "app.example",
                "127.0.0.1",
            ]
            .map(str::to_owned),
        );
        for name in ["access_token", "id_token"] {
            secrets.push(tokens[name].as_str().expect("a token").to_owned());
        }
        assert!(secrets.len() > 20, "{}", secrets.len());
        for body in receiver.bodies() {
            let text = String::from_utf8_lossy(&body);
            for secret in &secrets {
                assert!(
                    !text.contains(secret.as_str()),
                    "something of {} characters is in a span",
                    secret.len()
                );
            }
        }
    }
);

#[test]
fn nobody_but_a_trusted_proxy_says_which_trace_a_request_is_in() {
    run(async {
        let _shows = shows!(accepting "PV-SPAN-4", refusing "PV-SPAN-4");
        const THEIRS: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        for (listen, is_trusted) in [("", false), ("trusted_proxies = [\"127.0.0.0/8\"]", true)] {
            let receiver = Receiver::start();
            let options = Options {
                sections: receiver.section("1.0"),
                listen,
                ..Options::on(Database::sqlite())
            };
            let app = App::start(options).await;
            for (flags, path) in [("01", "/jwks"), ("00", "/.well-known/openid-configuration")] {
                let traceparent = format!("00-{THEIRS}-00f067aa0ba902b7-{flags}");
                let request = app.http.get(format!("{}{path}", app.issuer));
                let answer = request.header("traceparent", traceparent).send().await;
                assert_eq!(answer.expect("an answer").status().as_u16(), 200);
            }
            app.provider.traces.stop().await;
            let spans = receiver.spans();
            let kept = only(&spans, "GET /jwks");
            assert_eq!(hex::encode(&kept.trace_id) == THEIRS, is_trusted);
            assert_eq!(
                hex::encode(&kept.parent_span_id) == "00f067aa0ba902b7",
                is_trusted
            );
            // What the proxy does not keep, is not kept here.
            let other = named(&spans, "GET /.well-known/openid-configuration");
            assert_eq!(other.is_empty(), is_trusted);
        }
    });
}

#[test]
fn without_a_receiver_nothing_is_sent_and_a_receiver_that_is_gone_stops_nobody() {
    run(async {
        let _shows = shows!(refusing "PV-SPAN-1");
        // A share of none is as good as no receiver.
        let receiver = Receiver::start();
        let app = App::start(Options {
            sections: receiver.section("0.0"),
            ..Options::on(Database::sqlite())
        })
        .await;
        app.log_in(&Browser::new(), TOLVAN).await;
        app.provider.traces.stop().await;
        assert!(receiver.bodies().is_empty());
        // Nobody listens where spans are to go.
        let (gone, port) = ports::listener();
        drop(gone);
        let app = App::start(Options {
            sections: format!("[traces]\nendpoint = \"http://127.0.0.1:{port}/v1/traces\"\n"),
            ..Options::on(Database::sqlite())
        })
        .await;
        let answer = app.log_in(&Browser::new(), TOLVAN).await;
        crate::token::redeem(&app, &answer).await;
    });
}

#[test]
fn what_the_environment_says_to_others_changes_nothing_of_what_is_sent() {
    run(async {
        let _shows = shows!(accepting "PV-SPAN-2", refusing "PV-SPAN-2");
        let receiver = Receiver::start_secure();
        let app = App::start(Options {
            sections: receiver.section("1.0"),
            ..Options::on(Database::sqlite())
        })
        .await;
        app.stop_provider().await;
        let environment = [
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "authorization=Bearer%20of-others,content-type=text/plain",
            ),
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "http://127.0.0.1:1/v1/traces",
            ),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ];
        let environment = environment.map(|(name, value)| (name, value.to_owned()));
        let mut node = Node::start_in(&app, "node", environment.into()).await;
        let jwks = format!("http://127.0.0.1:{}/jwks", node.place.public);
        app.http.get(jwks).send().await.expect("an answer");
        node.serving.tell_to_stop();
        assert!(node.serving.ends_well().await);
        only(&receiver.spans(), "GET /jwks");
        let said = receiver.received.headers.lock().expect("no panic").clone();
        let expected = "Some(\"Bearer for-the-receiver\") Some(\"application/x-protobuf\")";
        assert_eq!(said.into_iter().collect::<Vec<_>>(), [expected]);
    });
}

#[test]
fn a_receiver_that_never_answers_does_not_hold_up_the_end() {
    run(async {
        let _shows = shows!(refusing "PV-SPAN-1");
        // Connections are made, and nobody looks at them.
        let (_silent, port) = ports::listener();
        let app = App::start(Options {
            sections: format!("[traces]\nendpoint = \"http://127.0.0.1:{port}/v1/traces\"\n"),
            ..Options::on(Database::sqlite())
        })
        .await;
        let jwks = app.http.get(format!("{}/jwks", app.issuer));
        assert_eq!(jwks.send().await.expect("an answer").status().as_u16(), 200);
        let began = Instant::now();
        app.provider.stop().await;
        let took = began.elapsed();
        assert!(took < Duration::from_secs(7), "{took:?}");
    });
}
