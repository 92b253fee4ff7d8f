//! A client's site that answers every navigation with nothing, so that the browser stays on the page
//! that leads there: what is else gone in a moment can be looked at.

use std::time::Duration;

use super::ports;
use actix_web::dev::ServerHandle;
use actix_web::{App as Actix, HttpRequest, HttpResponse, HttpServer, web};
use tokio::sync::watch;

pub struct Holding {
    pub url: String,
    heard: watch::Receiver<Vec<String>>,
    _served: ServerHandle,
}

impl Holding {
    pub fn start() -> Holding {
        let (listener, port) = ports::listener();
        let (tell, heard) = watch::channel(Vec::new());
        let server = HttpServer::new(move || {
            let tell = tell.clone();
            Actix::new().default_service(web::to(move |request: HttpRequest, body: String| {
                // What a form took along is as good as a query.
                let said = format!("{}?{}&{body}", request.path(), request.query_string());
                tell.send_modify(|heard| heard.push(said));
                async { HttpResponse::NoContent().finish() }
            }))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .expect("served")
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Holding {
            url: format!("http://127.0.0.1:{port}"),
            heard,
            _served: handle,
        }
    }

    /// Waits until a browser came with all of this.
    pub async fn hears(&self, parts: &[&str]) {
        let mut heard = self.heard.clone();
        let came = heard.wait_for(|all| {
            all.iter()
                .any(|said| parts.iter().all(|part| said.contains(part)))
        });
        let came = tokio::time::timeout(Duration::from_secs(20), came).await;
        assert!(came.is_ok(), "nobody came with {parts:?}");
    }
}
