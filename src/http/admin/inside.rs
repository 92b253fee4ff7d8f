//! How the administration talks to the provider that it is a part of: by the same doors as any other client,
//! without leaving the process. It works whatever stands between the provider and the network.

use std::fmt;

use actix_web::http::StatusCode;
use openidconnect::{HttpRequest, HttpResponse};

use super::super::answer::{self, Answer, Face, View};
use super::super::input::Request;
use super::super::{discovery, token};
use crate::error::{Error, Fault};
use crate::language::Language;
use crate::provider::Provider;

/// A request that did not come to a door.
#[derive(Debug)]
pub struct NoDoor;

impl fmt::Display for NoDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such door inside")
    }
}

impl std::error::Error for NoDoor {}

/// Answers a request of a client that is ourselves.
pub async fn call(provider: Provider, request: HttpRequest) -> Result<HttpResponse, NoDoor> {
    let issuer = &provider.config.issuer;
    let address = request.uri().to_string();
    let path = address.strip_prefix(&issuer.url).ok_or(NoDoor)?.to_owned();
    let named = ["accept", "authorization", "content-type"].into_iter();
    let headers = named.filter_map(|name| {
        let value = request.headers().get(name)?.to_str().ok()?;
        Some((name, value.to_owned()))
    });
    let inside = Request::inside(
        &path,
        headers.collect(),
        request.body().clone().into(),
        issuer,
    );
    let answered = match path.as_str() {
        "/.well-known/openid-configuration" => discovery::document(provider.clone(), inside).await,
        "/jwks" => discovery::jwks(provider.clone(), inside).await,
        "/token" => token::post(provider.clone(), inside).await,
        _ => return Err(NoDoor),
    };
    let answer = answered.unwrap_or_else(|error| failed(&provider, error));
    let (status, headers, body) = answer.told();
    let mut response = HttpResponse::new(body.to_vec());
    *response.status_mut() =
        openidconnect::http::StatusCode::from_u16(status.as_u16()).map_err(|_| NoDoor)?;
    for (name, value) in headers {
        let name = openidconnect::http::HeaderName::from_bytes(name.as_str().as_bytes());
        let value = openidconnect::http::HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}

fn failed(provider: &Provider, error: Error) -> Answer {
    let view = View {
        language: Language::ENGLISH,
        reference: super::reference(provider),
        pages: provider.config.pages.clone(),
        is_repeatable: false,
        home: None,
    };
    let status = match &error {
        Error::Refused(_) => StatusCode::BAD_REQUEST,
        Error::Fault(Fault::Database(_)) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    answer::of_error(Face::Json, error, &view).as_status(status)
}
