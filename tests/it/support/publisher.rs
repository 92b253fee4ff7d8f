//! A client application that publishes its keys, over https.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::ports;
use actix_web::{App, HttpResponse, HttpServer, web};
use portvakt::clock::Clock;
use portvakt::random::Random;
use portvakt::simulator::certificates::{Authority, server_config};
use serde_json::Value;
use tempfile::TempDir;

/// What is found at the address.
#[derive(Clone)]
pub enum Published {
    Keys(Value),
    Text(String),
    Redirect(String),
    Trouble,
    Silence,
}

struct State {
    published: Published,
    asked: usize,
}

pub struct Publisher {
    pub jwks_uri: String,
    state: Arc<Mutex<State>>,
    directory: TempDir,
}

impl Publisher {
    pub fn start(published: Published) -> Publisher {
        let (listener, port) = ports::listener();
        let random = Random::system();
        let authority = Authority::new("Test client", &random, Clock::system().now());
        let authority = authority.expect("made");
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path().join("client-root.pem");
        std::fs::write(root, authority.root_pem()).expect("written");
        let identity = authority.server(&["localhost"]).expect("made");
        let tls = server_config(&identity, None).expect("made");
        let state = Arc::new(Mutex::new(State {
            published,
            asked: 0,
        }));
        let shared = web::Data::from(state.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route("/jwks", web::get().to(answer))
        })
        .workers(1)
        .disable_signals()
        .listen_rustls_0_23(listener, (*tls).clone())
        .expect("served")
        .run();
        tokio::spawn(server);
        Publisher {
            jwks_uri: format!("https://localhost:{port}/jwks"),
            state,
            directory,
        }
    }

    /// What a configuration says for it to be called.
    pub fn section(&self) -> String {
        let root = self.directory.path().join("client-root.pem");
        format!(
            "[outbound]\nallow_networks = [\"127.0.0.0/8\", \"::1/128\"]\nca_file = \"{}\"\n",
            root.display()
        )
    }

    pub fn publish(&self, published: Published) {
        self.state.lock().expect("free").published = published;
    }

    /// How often somebody asked.
    pub fn asked(&self) -> usize {
        self.state.lock().expect("free").asked
    }
}

async fn answer(state: web::Data<Mutex<State>>) -> HttpResponse {
    let published = {
        let mut state = state.lock().expect("free");
        state.asked += 1;
        state.published.clone()
    };
    match published {
        Published::Keys(keys) => HttpResponse::Ok().json(keys),
        Published::Text(text) => HttpResponse::Ok().body(text),
        Published::Redirect(to) => HttpResponse::Found()
            .insert_header(("location", to))
            .finish(),
        Published::Trouble => HttpResponse::InternalServerError().finish(),
        Published::Silence => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            HttpResponse::Ok().finish()
        }
    }
}
