//! A client's own server, where it is told of logouts: https on this machine.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use super::ports;
use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse, HttpServer};
use portvakt::clock::Clock;
use portvakt::random::Random;
use portvakt::simulator::certificates::{Authority, server_config};
use portvakt::testing::canary;

/// Where clients are told, for a configuration.
#[derive(Clone)]
pub struct Told {
    pub url: String,
    pub root_pem: String,
}

pub struct Backend {
    pub told: Told,
    state: Data<State>,
    _served: ServerHandle,
}

/// What came: the path with its query, and the logout token.
#[derive(Clone, Debug)]
pub struct Heard {
    pub path: String,
    pub token: String,
}

struct State {
    heard: Mutex<Vec<Heard>>,
    status: AtomicU16,
    pause_ms: AtomicU64,
}

impl Backend {
    pub fn start() -> Backend {
        let authority = Authority::new("Test clients", &Random::system(), Clock::system().now());
        let authority = authority.expect("made");
        let identity = authority.server(&["localhost"]).expect("made");
        let (listener, port) = ports::listener();
        let state = Data::new(State {
            heard: Mutex::default(),
            status: AtomicU16::new(200),
            pause_ms: AtomicU64::new(0),
        });
        let shared = state.clone();
        let tls = server_config(&identity, None).expect("made");
        let server = HttpServer::new(move || {
            actix_web::App::new()
                .app_data(shared.clone())
                .default_service(web::route().to(hear))
        })
        .workers(1)
        .disable_signals()
        .listen_rustls_0_23(listener, (*tls).clone())
        .expect("served")
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Backend {
            told: Told {
                url: format!("https://localhost:{port}"),
                root_pem: authority.root_pem(),
            },
            state,
            _served: handle,
        }
    }

    /// How it answers from now on.
    pub fn answer(&self, status: u16, pause: Duration) {
        let pause = u64::try_from(pause.as_millis()).expect("short");
        self.state.status.store(status, Ordering::SeqCst);
        self.state.pause_ms.store(pause, Ordering::SeqCst);
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.state.heard.lock().expect("unpoisoned").clone()
    }

    /// Waits until it has heard so much.
    pub async fn until(&self, count: usize) {
        for _ in 0..100 {
            if self.heard().len() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("only {} were heard", self.heard().len());
    }
}

async fn hear(state: Data<State>, request: HttpRequest, body: String) -> HttpResponse {
    let token = body.strip_prefix("logout_token=").unwrap_or_default();
    canary(token);
    let sound = request.method() == "POST"
        && request
            .headers()
            .get("content-type")
            .is_some_and(|t| t == "application/x-www-form-urlencoded");
    let path = request.uri().path_and_query().map_or("", |p| p.as_str());
    // How it is answered is settled before anybody can see that it was heard.
    let status = StatusCode::from_u16(state.status.load(Ordering::SeqCst)).expect("a status");
    let pause = Duration::from_millis(state.pause_ms.load(Ordering::SeqCst));
    state.heard.lock().expect("unpoisoned").push(Heard {
        path: path.to_owned(),
        token: if sound {
            token.to_owned()
        } else {
            String::new()
        },
    });
    tokio::time::sleep(pause).await;
    let mut answer = HttpResponse::build(status);
    if status.is_redirection() {
        answer.insert_header(("location", "/elsewhere"));
    }
    answer.finish()
}
