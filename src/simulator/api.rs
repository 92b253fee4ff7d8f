//! ⚡ The relying-party API under `/rp/v6.0/`, over mutual TLS, with the whims that are in force.

use std::any::Any;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::http::header;
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use rustls_pki_types::CertificateDer;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Shared;
use super::book::{self, AlreadyInProgress};
use super::certificates::display_name;
use super::order::{self, Collected, Ordered, Risk, Tokens};
use super::people::Person;
use super::request::{CallBody, OrderBody, StartBody};
use super::signature::SignedOrder;
use super::whim::{ErrorCode, What, merge};
use crate::bankid::evidence::Function;
use crate::clock::Timestamp;
use crate::http::tls::peer_certificates;

/// The most that a body may hold.
pub const BODY_LIMIT: usize = 512 * 1024;

/// The certificate that a connection was made with.
struct Peer(CertificateDer<'static>);

/// Remembers the client's certificate of a connection.
pub fn remember_peer(connection: &dyn Any, extensions: &mut Extensions) {
    if let Some([leaf, ..]) = peer_certificates(connection) {
        extensions.insert(Peer(leaf.clone()));
    }
}

pub fn routes(config: &mut ServiceConfig) {
    for (name, operation) in OPERATIONS {
        config.service(
            web::resource(format!("{BASE}{name}"))
                .route(web::post().to(
                    move |shared: Data<Shared>,
                          request: HttpRequest,
                          body: Result<Bytes, actix_web::Error>| async move {
                        // A body that is too large is as good as one that says nothing.
                        let call = Call {
                            shared: &shared,
                            name,
                            operation: *operation,
                            relying_party: relying_party(&request),
                            is_json: media_type(&request),
                            body: &body.unwrap_or_default(),
                        };
                        call.answer().await
                    },
                ))
                .default_service(web::route().to(method_not_allowed)),
        );
    }
    config.default_service(web::route().to(not_found));
}

const BASE: &str = "/rp/v6.0/";

/// The operations by their names.
static OPERATIONS: &[(&str, Operation)] = &[
    ("auth", auth),
    ("sign", sign),
    ("phone/auth", phone_auth),
    ("phone/sign", phone_sign),
    ("collect", collect),
    ("cancel", cancel),
];

/// Who calls.
struct Party {
    /// The name in their certificate.
    name: String,
    certificate: CertificateDer<'static>,
}

/// A call, as the API answers it.
type Operation = fn(&Shared, &Party, &[u8]) -> Result<Value, Refused>;

struct Refused(ErrorCode, &'static str);

fn invalid(details: &'static str) -> Refused {
    Refused(ErrorCode::InvalidParameters, details)
}

/// How long a call that is never answered is held. Every relying party has given up by then.
const NEVER: Duration = Duration::from_secs(120);

struct Call<'a> {
    shared: &'a Shared,
    name: &'static str,
    operation: Operation,
    relying_party: Option<Party>,
    is_json: bool,
    body: &'a [u8],
}

impl Call<'_> {
    async fn answer(&self) -> HttpResponse {
        let whim = self.shared.whims(|whims| whims.take(self.name));
        if let Some(What::Garbage | What::Tls | What::Hang | What::Lose) = whim {
            let word = json!(whim);
            self.remember(format!("whim: {}", word.as_str().unwrap_or_default()));
        }
        match whim {
            None => self.respond(self.perform()),
            Some(What::Error(code)) => self.respond(Err(Refused(code, "A whim"))),
            Some(What::Garbage | What::Tls) => HttpResponse::BadGateway()
                .force_close()
                .body("<html><body>Bad gateway</body></html>"),
            Some(What::Hang) => never().await,
            Some(What::Lose) => {
                let _ = self.perform();
                never().await
            }
            Some(What::Delay(milliseconds)) => {
                sleep(Duration::from_millis(milliseconds)).await;
                self.respond(self.perform())
            }
            Some(What::Late(milliseconds)) => {
                let done = self.perform();
                sleep(Duration::from_millis(milliseconds)).await;
                self.respond(done)
            }
            Some(What::Patch(patch)) => self.respond(self.perform().map(|mut value| {
                merge(&mut value, &patch);
                value
            })),
        }
    }

    fn perform(&self) -> Result<Value, Refused> {
        match (&self.relying_party, self.is_json) {
            (None, _) => Err(Refused(ErrorCode::Unauthorized, "No such relying party")),
            (_, false) => Err(Refused(
                ErrorCode::UnsupportedMediaType,
                "The Content-Type must be application/json",
            )),
            (Some(party), true) => (self.operation)(self.shared, party, self.body),
        }
    }

    fn respond(&self, result: Result<Value, Refused>) -> HttpResponse {
        match result {
            Ok(value) => {
                // Asking how an order stands is what everyone does all the time.
                if self.name != "collect" {
                    self.remember("200".to_owned());
                }
                HttpResponse::Ok().json(value)
            }
            Err(Refused(error, details)) => {
                let (status, code) = (error.status(), json!(error));
                let code = code.as_str().unwrap_or_default();
                tracing::info!(
                    code,
                    details,
                    operation = self.name,
                    "the simulator refused a call"
                );
                self.remember(format!("{} {code}: {details}", status.as_u16()));
                HttpResponse::build(status).json(json!({ "errorCode": code, "details": details }))
            }
        }
    }

    fn remember(&self, outcome: String) {
        let call = book::Call {
            at: self.shared.clock.moment(),
            operation: self.name.to_owned(),
            relying_party: self
                .relying_party
                .as_ref()
                .map_or_else(String::new, |party| party.name.clone()),
            outcome,
        };
        self.shared.book(|book| book.remember(call));
    }
}

async fn never() -> HttpResponse {
    sleep(NEVER).await;
    HttpResponse::GatewayTimeout().force_close().finish()
}

fn relying_party(request: &HttpRequest) -> Option<Party> {
    let Peer(leaf) = request.conn_data::<Peer>()?;
    Some(Party {
        name: display_name(leaf)?,
        certificate: leaf.clone(),
    })
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

fn auth(shared: &Shared, party: &Party, body: &[u8]) -> Result<Value, Refused> {
    start(shared, party, body, order::Operation::Auth)
}

fn sign(shared: &Shared, party: &Party, body: &[u8]) -> Result<Value, Refused> {
    start(shared, party, body, order::Operation::Sign)
}

fn start(
    shared: &Shared,
    party: &Party,
    body: &[u8],
    operation: order::Operation,
) -> Result<Value, Refused> {
    let body = parse::<StartBody>(body)?;
    let tokens = place(shared, party, body.check(operation).map_err(invalid)?)?;
    Ok(json!({
        "orderRef": tokens.order_ref,
        "autoStartToken": tokens.auto_start_token,
        "qrStartToken": tokens.qr_start_token,
        "qrStartSecret": tokens.qr_start_secret,
    }))
}

fn phone_auth(shared: &Shared, party: &Party, body: &[u8]) -> Result<Value, Refused> {
    call(shared, party, body, order::Operation::PhoneAuth)
}

fn phone_sign(shared: &Shared, party: &Party, body: &[u8]) -> Result<Value, Refused> {
    call(shared, party, body, order::Operation::PhoneSign)
}

fn call(
    shared: &Shared,
    party: &Party,
    body: &[u8],
    operation: order::Operation,
) -> Result<Value, Refused> {
    let body = parse::<CallBody>(body)?;
    let tokens = place(shared, party, body.check(operation).map_err(invalid)?)?;
    Ok(json!({ "orderRef": tokens.order_ref }))
}

fn place(shared: &Shared, party: &Party, ordered: Ordered) -> Result<Tokens, Refused> {
    let now = shared.clock.moment();
    shared
        .book(|book| book.auth(&party.name, ordered, &shared.random, now))
        .map_err(|AlreadyInProgress| {
            Refused(
                ErrorCode::AlreadyInProgress,
                "Order already in progress for pno",
            )
        })
}

fn collect(shared: &Shared, party: &Party, body: &[u8]) -> Result<Value, Refused> {
    let order_ref = parse::<OrderBody>(body)?.order_ref;
    let now = shared.clock.moment();
    let (collected, ordered) = shared.book(|book| book.collect(&party.name, &order_ref, now));
    let told = |status: &str, hint: &str| {
        Ok(json!({ "orderRef": order_ref, "status": status, "hintCode": hint }))
    };
    match collected {
        Collected::Pending(hint) => told("pending", &hint),
        Collected::Failed(hint) => told("failed", &hint),
        Collected::Complete(person, risk) => Ok(json!({
            "orderRef": order_ref,
            "status": "complete",
            "completionData": completion(shared, party, person, risk, &ordered)?,
        })),
        Collected::TooSoon => Err(Refused(
            ErrorCode::TooManyRequests,
            "Collect at most once a second",
        )),
        Collected::NoSuchOrder => Err(invalid("No such order")),
    }
}

fn completion(
    shared: &Shared,
    party: &Party,
    person: &Person,
    risk: Risk,
    ordered: &Ordered,
) -> Result<Value, Refused> {
    let today = shared.clock.moment().timestamp();
    let issued = person.issued.map_or_else(|| date(today), str::to_owned);
    let order = SignedOrder {
        relying_party: &party.certificate,
        display_name: &party.name,
        visible: ordered.visible.as_deref(),
        format: ordered.format,
        non_visible: ordered.non_visible.as_deref(),
        function: match ordered.operation.is_signature() {
            true => Function::Signing,
            false => Function::Identification,
        },
    };
    let evidence = shared
        .signer
        .sign(person, &order, today)
        .map_err(|_| Refused(ErrorCode::InternalError, "The signature cannot be made"))?;
    let mut data = json!({
        "user": {
            "personalNumber": person.personal_number,
            "name": person.name(),
            "givenName": person.given_name,
            "surname": person.surname,
        },
        "device": { "ipAddress": "127.0.0.1", "uhi": "OZvYM9VvyiAmG7NA5jU5zqGcVpo=" },
        "bankIdIssueDate": issued,
        "stepUp": ordered.mrtd.then(|| json!({ "mrtd": true })),
        "signature": evidence.signature,
        "ocspResponse": evidence.ocsp_response,
    });
    if ordered.return_risk && risk != Risk::Unknown {
        data["risk"] = json!(risk);
    }
    Ok(data)
}

fn date(at: Timestamp) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(at.0);
    at.map_or_else(|_| String::new(), |at| format!("{}Z", at.date()))
}

fn cancel(shared: &Shared, party: &Party, body: &[u8]) -> Result<Value, Refused> {
    let order_ref = parse::<OrderBody>(body)?.order_ref;
    let now = shared.clock.moment();
    match shared.book(|book| book.cancel(&party.name, &order_ref, now)) {
        true => Ok(json!({})),
        false => Err(invalid("No such order")),
    }
}
