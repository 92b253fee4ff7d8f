//! The discovery document's bytes from a route of the web server's that does nothing else, in a process of its own:
//! what a request costs before any of it is ours.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::Arc;

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};
use anyhow::ensure;

use crate::Options;
use crate::legs::AT_ONCE;
use crate::measure::{Measured, repeat};
use crate::provider::{Process, World};

/// The same requests as for the document, at such a process.
pub async fn measure(world: &Arc<World>, options: &Options) -> anyhow::Result<Measured> {
    let document = format!("{}/.well-known/openid-configuration", world.issuer);
    let document = world.http.get(document).send().await?.bytes().await?;
    let (length, folder) = (document.len(), tempfile::tempdir()?);
    let file = folder.path().join("document.json");
    std::fs::write(&file, &document)?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let url = format!("http://127.0.0.1:{port}/document");
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("--bare")
        .arg(file)
        .arg("--port")
        .arg(port.to_string());
    let process = Process::start(command, &world.http, &url).await?;
    repeat(world, &process, options.count, AT_ONCE, move |world, _| {
        let url = url.clone();
        async move {
            let answer = world.http.get(url).send().await?.error_for_status()?;
            ensure!(answer.bytes().await?.len() == length, "another document");
            Ok(())
        }
    })
    .await
}

/// Serves these bytes until it is killed.
pub async fn serve(document: Bytes, port: u16) -> std::io::Result<()> {
    let answer = move || {
        let document = document.clone();
        async move {
            HttpResponse::Ok()
                .content_type("application/json")
                .body(document)
        }
    };
    HttpServer::new(move || App::new().route("/document", web::get().to(answer.clone())))
        .bind((Ipv4Addr::LOCALHOST, port))?
        .run()
        .await
}
