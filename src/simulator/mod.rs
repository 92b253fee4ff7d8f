//! A BankID of our own, for development and tests: the relying-party API over mutual TLS ([`api`]),
//! as strict as the real one, and a phone in the browser to press buttons on ([`phone`]).
//!
//! It cannot log anyone in as anyone behind a page's back: its phone approves what a phone sees, a
//! code's text or a launch link.

mod api;
mod book;
pub mod certificates;
pub mod command;
mod frame;
mod order;
pub mod people;
mod phone;
mod request;
mod rest;
pub mod signature;
mod whim;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use actix_web::dev::{ServerHandle, Service};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderName};
use actix_web::http::{Method, StatusCode};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use rustls_pki_types::CertificateDer;
use url::Url;

use crate::clock::Clock;
use crate::random::Random;
use book::Book;
use certificates::{Authority, Failed};
use signature::{Keys, Signer};
use whim::{Certificates, Whims};

/// What a simulator is made of.
pub struct Settings {
    /// Bound; the relying-party API.
    pub api: TcpListener,
    /// The API's certificate, and whose clients it takes.
    pub api_tls: Arc<rustls::ServerConfig>,
    /// Bound; the phone.
    pub phone: TcpListener,
    /// The phone's address, as browsers know it.
    pub phone_url: Url,
    /// The phone's certificate; without, it is served in the clear.
    pub phone_tls: Option<Arc<rustls::ServerConfig>>,
    /// A root to trust, beside none, when the phone opens a return address in another browser.
    pub return_root: Option<CertificateDer<'static>>,
    /// The time.
    pub clock: Clock,
    /// The randomness.
    pub random: Random,
}

/// A running simulator. Dropping it does not stop it.
pub struct Simulator {
    signer: Arc<Signer>,
    servers: [ServerHandle; 2],
}

impl Simulator {
    /// What its people sign with, for whoever verifies their signatures.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Stops both servers.
    pub async fn stop(&self) {
        for server in &self.servers {
            server.stop(false).await;
        }
    }
}

/// What both sides share.
struct Shared {
    // A std mutex: what is done under it is a map lookup, and never awaits.
    book: Mutex<Book>,
    whims: Mutex<Whims>,
    /// How many connections relying parties have made.
    connections: Arc<AtomicU64>,
    clock: Clock,
    random: Random,
    signer: Arc<Signer>,
    other_browser: reqwest::Client,
}

impl Shared {
    fn book<T>(&self, work: impl FnOnce(&mut Book) -> T) -> T {
        work(&mut self.book.lock().expect("nothing panics under this lock"))
    }

    fn whims<T>(&self, work: impl FnOnce(&mut Whims) -> T) -> T {
        work(&mut self.whims.lock().expect("nothing panics under this lock"))
    }

    /// Opens an address as a browser without our cookies would.
    async fn open_elsewhere(&self, address: &str) {
        if let Err(error) = self.other_browser.get(address).send().await {
            tracing::warn!(error = %error.without_url(), "the other browser could not open the return address");
        }
    }
}

/// What the people of all simulators in this process sign with.
static KEYS: LazyLock<Arc<Keys>> = LazyLock::new(Arc::default);

/// Starts a simulator on the runtime that this is called on.
pub fn start(settings: Settings) -> std::io::Result<Simulator> {
    let whims = Whims::default();
    let api_tls = whimsical(&settings, &whims).map_err(std::io::Error::other)?;
    let keys = KEYS.clone();
    let signer = Arc::new(Signer::new(keys, &Random::system(), settings.clock.now()));
    // Nobody's first login waits for the authorities' keys, which take seconds in a debug build.
    // Should one not be made, the first signature says so.
    let ahead = signer.clone();
    std::thread::spawn(move || ahead.root().is_ok());
    let shared = web::Data::new(Shared {
        signer: signer.clone(),
        book: Mutex::default(),
        whims: Mutex::new(whims),
        connections: Arc::default(),
        clock: settings.clock,
        random: settings.random,
        other_browser: other_browser(settings.return_root).map_err(std::io::Error::other)?,
    });
    let api_data = shared.clone();
    let connected = shared.connections.clone();
    let api = HttpServer::new(move || {
        App::new()
            .app_data(api_data.clone())
            .app_data(web::PayloadConfig::new(api::BODY_LIMIT))
            .configure(api::routes)
    })
    .on_connect(move |connection, extensions| {
        connected.fetch_add(1, Ordering::Relaxed);
        api::remember_peer(connection, extensions);
    })
    .workers(1)
    .disable_signals()
    .listen_rustls_0_23(settings.api, api_tls)?
    .run();
    let authority = Arc::new(authority(&settings.phone_url));
    let phone = HttpServer::new(move || {
        let authority = authority.clone();
        App::new()
            .app_data(shared.clone())
            .configure(phone::routes)
            .wrap_fn(move |request, service| {
                // Another page in the same browser must not press the phone's buttons.
                let refused = refused(request.request(), &authority);
                let answer = refused.is_none().then(|| service.call(request));
                async move {
                    match (answer, refused) {
                        (Some(answer), None) => answer.await,
                        (_, status) => {
                            let response = HttpResponse::build(status.unwrap_or_default()).finish();
                            Err(InternalError::from_response("refused", response).into())
                        }
                    }
                }
            })
    })
    .workers(1)
    .disable_signals();
    let phone = match settings.phone_tls {
        None => phone.listen(settings.phone)?,
        Some(tls) => phone.listen_rustls_0_23(settings.phone, (*tls).clone())?,
    }
    .run();
    let servers = [api.handle(), phone.handle()];
    tokio::spawn(api);
    tokio::spawn(phone);
    Ok(Simulator { signer, servers })
}

/// The API's TLS, which shows a stranger's certificate when it is told to.
fn whimsical(settings: &Settings, whims: &Whims) -> Result<rustls::ServerConfig, Failed> {
    let now = settings.clock.now();
    let strangers = Authority::new("Strangers", &Random::system(), now)?;
    let wrong = strangers.server(&["localhost"])?.certified()?;
    let mut tls = (*settings.api_tls).clone();
    tls.cert_resolver = Arc::new(Certificates {
        right: tls.cert_resolver.clone(),
        wrong: Arc::new(wrong),
        is_broken: whims.is_tls_broken.clone(),
    });
    Ok(tls)
}

fn authority(url: &Url) -> (String, String) {
    let origin = url.origin().ascii_serialization();
    let authority = origin
        .split_once("://")
        .map_or("", |(_, rest)| rest)
        .to_owned();
    (authority, origin)
}

/// Why a request is not for the phone: another name, or a form that another site sent.
fn refused(request: &HttpRequest, (authority, origin): &(String, String)) -> Option<StatusCode> {
    let header = |name: HeaderName| request.headers().get(name).and_then(|v| v.to_str().ok());
    if header(header::HOST) != Some(authority) {
        return Some(StatusCode::MISDIRECTED_REQUEST);
    }
    let site = header(HeaderName::from_static("sec-fetch-site"));
    let from_us = match (site, header(header::ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(shown)) => shown == origin,
        (None, None) => true,
    };
    (request.method() == Method::POST && !from_us).then_some(StatusCode::FORBIDDEN)
}

fn other_browser(root: Option<CertificateDer<'static>>) -> reqwest::Result<reqwest::Client> {
    let mut roots = Vec::new();
    if let Some(root) = root {
        roots.push(reqwest::Certificate::from_der(&root)?);
    }
    reqwest::Client::builder()
        .tls_certs_only(roots)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(5))
        .build()
}
