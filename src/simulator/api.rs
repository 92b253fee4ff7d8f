//! ⚡ The relying-party API: `/rp/v6.0/auth`, `/collect` and `/cancel`, over mutual TLS.

use std::any::Any;

use actix_web::dev::Extensions;
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Shared;
use super::certificates::display_name;
use super::order::{Collected, Ordered};
use super::people::Person;
use super::request::{AuthBody, OrderBody};

/// The most that a body may hold.
pub const BODY_LIMIT: usize = 512 * 1024;

/// The certificate that a connection was made with.
struct Peer(CertificateDer<'static>);

/// Remembers the client's certificate of a connection.
pub fn remember_peer(connection: &dyn Any, extensions: &mut Extensions) {
    type Tls = actix_tls::accept::rustls_0_23::TlsStream<actix_web::rt::net::TcpStream>;
    if let Some(tls) = connection.downcast_ref::<Tls>()
        && let Some(leaf) = tls
            .get_ref()
            .1
            .peer_certificates()
            .and_then(|chain| chain.first())
    {
        extensions.insert(Peer(leaf.clone().into_owned()));
    }
}

pub fn routes(config: &mut ServiceConfig) {
    for (path, operation) in [
        ("/rp/v6.0/auth", auth as Operation),
        ("/rp/v6.0/collect", collect),
        ("/rp/v6.0/cancel", cancel),
    ] {
        config.service(
            web::resource(path)
                .route(web::post().to(
                    move |shared: Data<Shared>,
                          request: HttpRequest,
                          body: Result<Bytes, actix_web::Error>| async move {
                        // A body that is too large is as good as one that says nothing.
                        answer(&shared, &request, &body.unwrap_or_default(), operation)
                    },
                ))
                .default_service(web::route().to(method_not_allowed)),
        );
    }
    config.default_service(web::route().to(not_found));
}

/// A call, as the API answers it.
type Operation = fn(&Shared, &str, &[u8]) -> Result<Value, Refused>;

struct Refused(StatusCode, &'static str, &'static str);

fn invalid(details: &'static str) -> Refused {
    Refused(StatusCode::BAD_REQUEST, "invalidParameters", details)
}

fn answer(
    shared: &Shared,
    request: &HttpRequest,
    body: &[u8],
    operation: Operation,
) -> HttpResponse {
    let name = request
        .conn_data::<Peer>()
        .and_then(|Peer(leaf)| display_name(leaf));
    let result = match (name, media_type(request)) {
        (None, _) => Err(Refused(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "No such relying party",
        )),
        (_, false) => Err(Refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupportedMediaType",
            "The Content-Type must be application/json",
        )),
        (Some(name), true) => operation(shared, &name, body),
    };
    match result {
        Ok(value) => HttpResponse::Ok().json(value),
        Err(Refused(status, code, details)) => {
            tracing::info!(
                code,
                details,
                path = request.path(),
                "the simulator refused a call"
            );
            HttpResponse::build(status).json(json!({ "errorCode": code, "details": details }))
        }
    }
}

/// Exactly `application/json`: BankID does not take a charset beside it.
fn media_type(request: &HttpRequest) -> bool {
    let mut values = request.headers().get_all(header::CONTENT_TYPE);
    matches!((values.next(), values.next()), (Some(value), None) if value.as_bytes() == b"application/json")
}

async fn method_not_allowed() -> HttpResponse {
    HttpResponse::MethodNotAllowed()
        .json(json!({ "errorCode": "methodNotAllowed", "details": "Only POST" }))
}

async fn not_found() -> HttpResponse {
    HttpResponse::NotFound()
        .json(json!({ "errorCode": "notFound", "details": "No such operation" }))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|_| invalid("Invalid body"))
}

fn auth(shared: &Shared, name: &str, body: &[u8]) -> Result<Value, Refused> {
    let ordered = parse::<AuthBody>(body)?.check().map_err(invalid)?;
    let now = shared.clock.moment();
    let tokens = shared.book(|book| book.auth(name, ordered, &shared.random, now));
    Ok(json!({
        "orderRef": tokens.order_ref,
        "autoStartToken": tokens.auto_start_token,
        "qrStartToken": tokens.qr_start_token,
        "qrStartSecret": tokens.qr_start_secret,
    }))
}

fn collect(shared: &Shared, name: &str, body: &[u8]) -> Result<Value, Refused> {
    let order_ref = parse::<OrderBody>(body)?.order_ref;
    let now = shared.clock.moment();
    let (collected, ordered) = shared.book(|book| book.collect(name, &order_ref, now));
    let told = |status: &str, hint: &str| {
        Ok(json!({ "orderRef": order_ref, "status": status, "hintCode": hint }))
    };
    match collected {
        Collected::Pending(hint) => told("pending", hint),
        Collected::Failed(hint) => told("failed", hint),
        Collected::Complete(person) => Ok(json!({
            "orderRef": order_ref,
            "status": "complete",
            "completionData": completion(person, &ordered),
        })),
        Collected::TooSoon => Err(Refused(
            StatusCode::TOO_MANY_REQUESTS,
            "tooManyRequests",
            "Collect at most once a second",
        )),
        Collected::NoSuchOrder => Err(invalid("No such order")),
    }
}

fn completion(person: &Person, ordered: &Ordered) -> Value {
    let mut data = json!({
        "user": {
            "personalNumber": person.personal_number,
            "name": person.name(),
            "givenName": person.given_name,
            "surname": person.surname,
        },
        "device": { "ipAddress": "127.0.0.1", "uhi": "OZvYM9VvyiAmG7NA5jU5zqGcVpo=" },
        "bankIdIssueDate": "2023-11-29Z",
        "stepUp": ordered.mrtd.then(|| json!({ "mrtd": true })),
        "signature": STANDARD.encode("<Signature/>"),
        "ocspResponse": STANDARD.encode([0x30, 0x03, 0x0a, 0x01, 0x00]),
    });
    if ordered.return_risk {
        data["risk"] = "low".into();
    }
    data
}

fn cancel(shared: &Shared, name: &str, body: &[u8]) -> Result<Value, Refused> {
    let order_ref = parse::<OrderBody>(body)?.order_ref;
    let now = shared.clock.moment();
    match shared.book(|book| book.cancel(name, &order_ref, now)) {
        true => Ok(json!({})),
        false => Err(invalid("No such order")),
    }
}
