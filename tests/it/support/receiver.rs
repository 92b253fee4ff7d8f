//! A client's page that takes answers by form, on a site of its own.

use actix_web::dev::ServerHandle;
use actix_web::{App as Actix, HttpRequest, HttpResponse, HttpServer, web};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::App;
use super::ports;

pub struct Receiver {
    /// Where it takes answers.
    pub callback: String,
    /// Where it takes answers and leads on at once, to a page of another origin.
    pub onward: String,
    _served: ServerHandle,
}

impl Receiver {
    /// Serves under a name, with the certificate of the app's pages.
    pub fn start(app: &App, name: &'static str) -> Receiver {
        let (listener, port) = ports::listener();
        let file = |name: &str| app.directory.path().join(name);
        let chain = CertificateDer::pem_file_iter(file("pages.pem"))
            .expect("readable")
            .collect::<Result<Vec<_>, _>>()
            .expect("certificates");
        let key = PrivateKeyDer::from_pem_file(file("pages.key")).expect("a key");
        let tls = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("they belong together");
        let server = HttpServer::new(move || {
            let on = format!("https://pages.{name}:{port}/callback");
            let onward = web::post().to(move |body| lead(on.clone(), body));
            Actix::new()
                .route("/callback", web::route().to(show))
                .route("/onward", onward)
        })
        .workers(1)
        .disable_signals()
        .listen_rustls_0_23(listener, tls)
        .expect("served")
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Receiver {
            callback: format!("https://{name}:{port}/callback"),
            onward: format!("https://{name}:{port}/onward"),
            _served: handle,
        }
    }
}

/// Passes the answer on, where it can be seen.
async fn lead(to: String, body: String) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header(("location", format!("{to}?{body}")))
        .finish()
}

/// Says how the answer came, and what it was.
async fn show(request: HttpRequest, body: String) -> HttpResponse {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value
            .map_or("none", |v| v.to_str().expect("ASCII"))
            .to_owned()
    };
    let text = format!(
        "<p id=\"answer\">{} query={} type={} site={} body={}</p>",
        request.method(),
        request.query_string(),
        header("content-type"),
        header("sec-fetch-site"),
        body.replace('&', " ")
    );
    HttpResponse::Ok().content_type("text/html").body(text)
}
