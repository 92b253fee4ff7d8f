//! ⚡ The connection to BankID: HTTPS with our certificate, trusting BankID's root and nothing
//! else (BankID relying-party API v6.0).
//!
//! Nothing that may have reached BankID is tried twice. `/auth` creates an order that may cost money,
//! and the answer of `/collect` is given once: a repeated call would lose it. Only a connection that
//! never came to be is tried again.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::http::header::HttpDate;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderValue};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::runtime::Handle;
use tracing::Instrument;
use url::Url;

use super::collect::{Collected, OrderRef};
use super::order::{AuthRequest, OrderTokens};
use crate::clock::Timestamp;
use crate::outbound::tls_error;

/// How long a connection may take to be made. First handshakes have been seen to hang.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a connection is tried.
const CONNECT_TRIES: u32 = 3;
/// How long an answer may take in all.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may rest and still be used. Whoever closes those that rest longer may do so while
/// a question arrives, and may have read it: then a result that is given once is lost. Five seconds are
/// common; polls of the same orders come sooner.
const IDLE: Duration = Duration::from_secs(4);
/// The most that an answer may hold; a completed identification is about 40 KiB.
const ANSWER_LIMIT: usize = 256 * 1024;

/// BankID's relying-party API, over connections that are kept.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    /// Where it was made, if on any runtime. Its connections are used by everybody, and end with the threads that they
    /// were made on: those of the web server are the first to go, and an answer that is on its way is lost.
    home: Option<Handle>,
}

/// Why BankID did not give the answer that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// Nothing was answered, or not in time. The request may have had its effect.
    #[error("no answer ({0})")]
    Unreachable(&'static str),
    /// An answer that is none of ours to understand.
    #[error("an answer that cannot be read (HTTP {0})")]
    Unreadable(u16),
    /// Orders are not asked for while the breaker is open.
    #[error("not asked: BankID has failed too often just now")]
    Resting,
    /// Orders are not asked for beyond the budget.
    #[error("not asked: there is no room for another order just now")]
    Crowded,
    /// A refusal with BankID's own code. Its details are developer text that may quote what we
    /// sent, and are not kept.
    #[error("{code} (HTTP {status})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// BankID's `errorCode`, cut to letters.
        code: String,
    },
}

/// Whose trouble a failure is (BankID relying-party API v6.0, "errors").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// BankID cannot for now. The person may try again.
    BankId,
    /// Another order for the same person is in progress. Both are over; the person may try again.
    Person,
    /// What we sent, or who we are, is wrong: somebody of ours must look at it.
    Ours,
    /// Too many people at once. They wait their turn.
    Crowd,
}

impl Failure {
    /// Whose trouble it is.
    pub fn cause(&self) -> Cause {
        match self {
            Failure::Unreachable(_) | Failure::Unreadable(_) | Failure::Resting => Cause::BankId,
            Failure::Crowded => Cause::Crowd,
            Failure::Refused { code, .. } => match code.as_str() {
                "alreadyInProgress" => Cause::Person,
                "invalidParameters"
                | "unauthorized"
                | "notFound"
                | "methodNotAllowed"
                | "unsupportedMediaType" => Cause::Ours,
                _ => Cause::BankId,
            },
        }
    }
}

/// How many connections are kept for the next question. A handshake costs as much as thirty questions, and
/// at the peak of a day hundreds of questions are under way at the same moment.
const KEPT_CONNECTIONS: usize = 1000;

/// A certificate or key that makes no connection.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The root is no certificate.
    #[error("the root certificate is not usable: {0}")]
    Root(rustls::Error),
    /// Our certificate and key do not fit together or cannot be read.
    #[error("the relying-party certificate is not usable: {0}")]
    Certificate(rustls::Error),
    /// What we were given is none.
    #[error("the relying-party certificate is no certificate")]
    NoCertificate,
    /// The HTTP client could not be made.
    #[error("the HTTPS client cannot be made: {0}")]
    Http(reqwest::Error),
}

impl Client {
    /// A client for the API at `base` (for instance `https://appapi2.bankid.com/rp/v6.0/`), which
    /// trusts `root` alone and shows `chain`.
    pub fn new(
        base: Url,
        root: CertificateDer<'static>,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Client, SetupError> {
        let mut roots = RootCertStore::empty();
        roots.add(root).map_err(SetupError::Root)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(SetupError::Certificate)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(SetupError::Certificate)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .pool_max_idle_per_host(KEPT_CONNECTIONS)
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(SetupError::Http)?;
        Ok(Client {
            http,
            base,
            home: Handle::try_current().ok(),
        })
    }

    /// `POST /auth`: begins an identification.
    pub async fn auth(&self, request: &AuthRequest) -> Result<OrderTokens, Failure> {
        self.post("auth", request).await
    }

    /// `POST /collect`: how an order stands.
    pub async fn collect(&self, order_ref: &str) -> Result<Collected, Failure> {
        self.post("collect", &OrderRef { order_ref }).await
    }

    /// `POST /cancel`: ends an order that is still open.
    pub async fn cancel(&self, order_ref: &str) -> Result<(), Failure> {
        self.post::<_, serde_json::Value>("cancel", &OrderRef { order_ref })
            .await
            .map(|_| ())
    }

    /// Proves connection, certificates and routing without an order, which would cost money.
    pub async fn probe(&self) -> Result<(), Failure> {
        self.clock().await.map(drop)
    }

    /// The same, and what time it is there, where that is said: BankID answers 405 to `GET /auth`.
    pub async fn clock(&self) -> Result<Option<Timestamp>, Failure> {
        let url = self
            .base
            .join("auth")
            .expect("an operation is a path segment");
        let http = self.http.clone();
        let asked = async move {
            let answer = send(|| http.get(url.clone())).await?;
            match answer.status().as_u16() {
                405 => Ok(date(&answer)),
                status => Err(refused(status, &limited(answer).await?)),
            }
        };
        self.at_home(asked).await
    }

    async fn at_home<T: Send + 'static>(
        &self,
        asked: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        match &self.home {
            Some(home) if home.id() != Handle::current().id() => {
                let answered = home.spawn(asked.in_current_span()).await;
                answered.unwrap_or(Err(Failure::Unreachable("nobody is left to ask")))
            }
            _ => asked.await,
        }
    }

    async fn post<Q: Serialize, A: DeserializeOwned>(
        &self,
        operation: &str,
        body: &Q,
    ) -> Result<A, Failure> {
        let url = self
            .base
            .join(operation)
            .expect("an operation is a path segment");
        let body = serde_json::to_vec(body).expect("our own types are always valid JSON");
        let asked = posted(self.http.clone(), url, body);
        let (status, body) = self.at_home(asked).await?;
        if status.is_success() {
            serde_json::from_slice(&body).map_err(|_| Failure::Unreadable(status.as_u16()))
        } else {
            Err(refused(status.as_u16(), &body))
        }
    }
}

async fn posted(
    http: reqwest::Client,
    url: Url,
    body: Vec<u8>,
) -> Result<(StatusCode, Vec<u8>), Failure> {
    let request = || {
        http.post(url.clone())
            // Exactly this: BankID answers 415 to `application/json; charset=utf-8`.
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body.clone())
    };
    let answer = send(request).await?;
    Ok((answer.status(), limited(answer).await?))
}

/// Sends a request, again when there was no connection to send it by.
async fn send(request: impl Fn() -> reqwest::RequestBuilder) -> Result<reqwest::Response, Failure> {
    let mut tries = 0;
    loop {
        tries += 1;
        match request().send().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_connect() && tries < CONNECT_TRIES => {}
            Err(error) => return Err(unreachable(&error)),
        }
    }
}

async fn limited(mut answer: reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| unreachable(&e))? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_LIMIT {
            return Err(Failure::Unreadable(answer.status().as_u16()));
        }
    }
    Ok(body)
}

/// When an answer was made (RFC 9110 §6.6.1).
fn date(answer: &reqwest::Response) -> Option<Timestamp> {
    let date = answer.headers().get(DATE)?.to_str().ok()?;
    let date = SystemTime::from(date.parse::<HttpDate>().ok()?);
    let since_1970 = date.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp(i64::try_from(since_1970.as_secs()).ok()?))
}

fn unreachable(error: &reqwest::Error) -> Failure {
    if let Some(error) = tls_error(error) {
        return Failure::Unreachable(match error {
            rustls::Error::InvalidCertificate(_) => {
                "its certificate is not one by the root that is trusted"
            }
            rustls::Error::AlertReceived(_) => "it does not take our certificate",
            _ => "no TLS",
        });
    }
    Failure::Unreachable(if error.is_connect() {
        "no connection"
    } else if error.is_timeout() {
        "timeout"
    } else {
        "connection lost"
    })
}

fn refused(status: u16, body: &[u8]) -> Failure {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        error_code: String,
    }
    match serde_json::from_slice::<Body>(body) {
        Ok(body) => Failure::Refused {
            status,
            code: body
                .error_code
                .chars()
                .filter(char::is_ascii_alphabetic)
                .take(40)
                .collect(),
        },
        Err(_) => Failure::Unreadable(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_is_somebodys() {
        let _shows = crate::shows!(accepting "PV-FAIL-1", refusing "PV-FAIL-1");
        let of = |status, code: &str| {
            let body = format!(r#"{{"errorCode":"{code}","details":""}}"#);
            refused(status, body.as_bytes()).cause()
        };
        for (status, code, cause) in [
            (400, "alreadyInProgress", Cause::Person),
            (400, "invalidParameters", Cause::Ours),
            (401, "unauthorized", Cause::Ours),
            (403, "unauthorized", Cause::Ours),
            (404, "notFound", Cause::Ours),
            (405, "methodNotAllowed", Cause::Ours),
            (408, "requestTimeout", Cause::BankId),
            (415, "unsupportedMediaType", Cause::Ours),
            (429, "tooManyRequests", Cause::BankId),
            (500, "internalError", Cause::BankId),
            (503, "maintenance", Cause::BankId),
            (400, "brandNew", Cause::BankId),
        ] {
            assert_eq!(of(status, code), cause, "{code}");
        }
        assert_eq!(refused(502, b"<html>").cause(), Cause::BankId);
    }

    #[test]
    fn a_refusal_keeps_the_code_and_drops_the_details() {
        let body = br#"{"errorCode":"invalidParameters","details":"No such order"}"#;
        assert_eq!(
            refused(400, body).to_string(),
            "invalidParameters (HTTP 400)"
        );
        let odd = br#"{"errorCode":"internalError","details":null}"#;
        assert_eq!(refused(500, odd).to_string(), "internalError (HTTP 500)");
        let other = br#"{"errorCode":"invalidParameters","details":"191212121212"}"#;
        assert!(!format!("{:?}", refused(400, other)).contains("1912"));
        assert_eq!(refused(503, b"<html>"), Failure::Unreadable(503));
    }
}
