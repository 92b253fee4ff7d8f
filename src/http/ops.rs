//! The operator's listener: whether the node lives, whether it may be sent people, and what it measures.
//! It is for the machines beside it and not for the world.

use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::header;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::bankid::party;
use crate::clock::SKEW;
use crate::provider::Provider;
use crate::telemetry::{state, text};

const MIB: u64 = 1024 * 1024;
/// How little room on SQLite's disk is as good as none.
pub const NO_ROOM: u64 = MIB;
/// How little room there is a warning of.
pub const LITTLE_ROOM: u64 = 256 * MIB;
/// How long the database may take to say what time it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// Serves it on a bound listener.
pub fn serve(
    provider: Provider,
    listener: TcpListener,
    runtime: &Handle,
) -> std::io::Result<ServerHandle> {
    let data = web::Data::new(provider);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .route("/healthz", web::get().to(health))
            .route("/readyz", web::get().to(readiness))
            .route("/metrics", web::get().to(metrics))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    runtime.spawn(server);
    Ok(handle)
}

/// The process answers.
async fn health() -> HttpResponse {
    HttpResponse::Ok().body("alive\n")
}

/// Whether people may be sent here, and if not why.
async fn readiness(provider: web::Data<Provider>) -> HttpResponse {
    let (reasons, warnings) = standing(&provider).await;
    match reasons.is_empty() {
        true => HttpResponse::Ok().body(format!("ready\n{warnings}")),
        false => HttpResponse::ServiceUnavailable().body(reasons.join("\n") + "\n"),
    }
}

/// Why nobody may be sent here, and what will soon be a reason.
async fn standing(provider: &Provider) -> (Vec<String>, String) {
    let mut reasons = Vec::new();
    if provider.is_leaving.load(Ordering::Relaxed) || *provider.stopping.borrow() {
        reasons.push("stopping".to_owned());
    } else if !provider.collector.is_alive() {
        reasons.push("the node could not say that it is alive for too long".to_owned());
    }
    match timeout(PATIENCE, provider.store.clock()).await {
        Err(_) => reasons.push("the database does not answer in time".to_owned()),
        Ok(Err(fault)) => reasons.push(fault.to_string()),
        Ok(Ok(Some(theirs))) => {
            let skew = provider.clock.now().distance(theirs);
            if skew > SKEW {
                reasons.push(format!("the clock is {} s off the database's", skew.0));
            }
        }
        Ok(Ok(None)) => {}
    }
    match timeout(PATIENCE, provider.store.is_migrated()).await {
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => reasons.push("the database lacks tables of this version".to_owned()),
        // It was said above that it does not answer.
        Err(_) | Ok(Err(_)) if !reasons.is_empty() => {}
        Err(_) | Ok(Err(_)) => reasons.push("the database's tables cannot be looked at".to_owned()),
    }
    if !provider.data_keys_are_read.load(Ordering::Relaxed) {
        reasons.push("the keys of the database cannot be read".to_owned());
    }
    if !provider.keyring.is_current() {
        reasons.push("the signing keys could not be read for too long".to_owned());
    }
    let mut warnings = String::new();
    match provider.store.room() {
        Some(room) if room < NO_ROOM => reasons.push("the disk of the database is full".to_owned()),
        Some(room) if room < LITTLE_ROOM => {
            let left = room / MIB;
            warnings += &format!("warning: the disk of the database has {left} MiB left\n");
        }
        _ => {}
    }
    for party in provider.parties.all() {
        let (profile, days_left) = (&party.profile, party.days_left(provider.clock.now()));
        if !party.is_valid(provider.clock.now()) {
            reasons.push(format!(
                "the relying-party certificate {profile} cannot be used now"
            ));
        } else if party::warning(days_left).is_some() {
            warnings += &format!(
                "warning: the relying-party certificate {profile} ends in {days_left} days\n"
            );
        }
    }
    (reasons, warnings)
}

/// What is measured, as whoever asks reads it.
async fn metrics(provider: web::Data<Provider>, request: HttpRequest) -> HttpResponse {
    let (reasons, _) = standing(&provider).await;
    let told = state::text(&provider, reasons.is_empty()).await;
    let accept = request.headers().get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    let (media_type, body) = match text::takes_open_metrics(accept.unwrap_or_default()) {
        true => (text::OPEN_METRICS, told),
        false => (text::PLAIN, text::plain(&told)),
    };
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, media_type))
        .insert_header((header::VARY, "accept"))
        .body(body)
}
