//! Scripts on other sites (Fetch standard §3.2): the endpoints that applications call may be called
//! from a browser by sites that a client has registered, without cookies, and by nobody else
//! (OpenID Connect Core §5.3, RFC 9700 §2.6). The pages that people see never may.
//!
//! Which sites there are is asked of the database for each request from a script, which the usual
//! middleware for this cannot do.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web;

use super::Handlers;
use super::answer::Answer;
use crate::client::origin::WebOrigin;

/// Lets registered sites read what comes of a request. An answer differs by site, and caches are
/// told so.
pub(super) async fn share(
    data: web::Data<Handlers>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let origin = request
        .headers()
        .get(header::ORIGIN)
        .and_then(|origin| WebOrigin::parse(origin.to_str().ok()?));
    let mut response = next.call(request).await?;
    let admitted = match origin {
        Some(origin) => admitted(&data, origin).await,
        None => None,
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    match admitted {
        Some(origin) => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, READABLE);
        }
        None => forget(headers),
    }
    Ok(response)
}

/// What a script may read of an answer beside the usual.
const READABLE: HeaderValue = HeaderValue::from_static("www-authenticate, retry-after");

/// Fetch standard §4.8: what a browser may do is said to registered sites alone.
const PREFLIGHT: [(HeaderName, &str); 2] = [
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "authorization, content-type, dpop",
    ),
    // Chromium keeps it no longer than this.
    (header::ACCESS_CONTROL_MAX_AGE, "7200"),
];

fn forget(headers: &mut HeaderMap) {
    headers.remove(header::ACCESS_CONTROL_ALLOW_METHODS);
    for (name, _) in PREFLIGHT {
        headers.remove(name);
    }
}

/// What a browser asks before it sends what a form could not have sent. `methods` are those of the
/// door.
pub(super) fn preflight(methods: &str) -> Answer {
    let methods = HeaderValue::from_str(methods).expect("methods are ASCII");
    let answer = Answer::nothing().with_value(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    PREFLIGHT
        .into_iter()
        .fold(answer, |answer, (name, value)| answer.with(name, value))
}

/// A database that does not answer lets nobody read, which is all that it may cost.
async fn admitted(data: &web::Data<Handlers>, origin: WebOrigin) -> Option<HeaderValue> {
    match data.provider.store.is_web_origin(&origin).await {
        Ok(true) => HeaderValue::from_str(origin.as_str()).ok(),
        Ok(false) => None,
        Err(fault) => {
            tracing::error!(%fault, "a site could not be looked up");
            None
        }
    }
}
