//! Userinfo (OpenID Connect Core §5.3).

use actix_web::http::header::{HeaderName, HeaderValue};
use serde_json::Value;
use uuid::Uuid;

use super::answer::{self, Answer, Noted};
use super::input::Request;
use super::resource::{INVALID_TOKEN, Shown, proven, shown};
use crate::client::mistake::Reason;
use crate::error::{Code, Error, Refusal};
use crate::provider::Provider;
use crate::token::userinfo;

pub async fn get(provider: Provider, request: Request) -> Result<Answer, Error> {
    in_no_query(&request)?;
    tell(&provider, &request, "GET", shown(&request)?).await
}

/// RFC 6750 §2.2: the token may stand in the form instead.
pub async fn post(provider: Provider, request: Request) -> Result<Answer, Error> {
    in_no_query(&request)?;
    let in_header = shown(&request)?;
    let in_form = form_token(&request)?.map(Shown::Bearer);
    match (in_header, in_form) {
        (Some(_), Some(_)) => Err(IN_TWO_PLACES.into()),
        (in_header, in_form) => tell(&provider, &request, "POST", in_header.or(in_form)).await,
    }
}

/// RFC 9700 §4.3.2: a token in an address is in logs and histories. What else stands there says nothing.
fn in_no_query(request: &Request) -> Result<(), Refusal> {
    match request.query(TOKEN_LIMIT) {
        Ok(query) if query.first("access_token").is_none() => Ok(()),
        _ => Err(IN_QUERY),
    }
}

const IN_QUERY: Refusal = Refusal::new(
    Code::InvalidRequest,
    "the access token must not be sent in the query",
)
.because(Reason::TokenInQuery);
const IN_TWO_PLACES: Refusal = Refusal::new(
    Code::InvalidRequest,
    "the access token was sent in two places",
)
.because(Reason::TokenTwice);
/// The most that a parameter may hold here.
const TOKEN_LIMIT: usize = 8 * 1024;

fn form_token(request: &Request) -> Result<Option<String>, Refusal> {
    if !request.has_body() {
        return Ok(None);
    }
    let form = request.form(TOKEN_LIMIT)?;
    match form.is_repeated("access_token") {
        true => Err(IN_TWO_PLACES),
        false => Ok(form.first("access_token").map(str::to_owned)),
    }
}

async fn tell(
    provider: &Provider,
    request: &Request,
    method: &str,
    shown: Option<Shown>,
) -> Result<Answer, Error> {
    let Some(shown) = shown else {
        return Ok(answer::challenge(None).noting(Noted::mistake(Reason::TokenMissing)));
    };
    let endpoint = format!("{}/userinfo", request.called_at(&provider.config));
    let record = proven(provider, request, &shown, method, &endpoint).await?;
    let now = provider.clock.now();
    let granted = userinfo::admit(&record, &provider.config.issuer.url)?;
    // A grant may be older than what its client is entitled to now.
    let client = provider
        .store
        .client(record.client_id.as_str(), now)
        .await?;
    let client = client.ok_or(INVALID_TOKEN)?;
    let grant = granted.for_client(&client);
    let Some(algorithm) = client.metadata.userinfo_signed_response_alg else {
        let claims = Value::Object(userinfo::claims(&grant, &client.metadata.claims));
        return Ok(traceable(Answer::json(&claims), request));
    };
    let claims = userinfo::signed_claims(
        &grant,
        &client.metadata.claims,
        &provider.config.issuer.url,
        now,
    );
    let keys = provider.keyring.current().await?;
    let token = keys.sign(algorithm, "JWT", &claims)?;
    Ok(traceable(Answer::jwt("application/jwt", token), request))
}

/// What ties a call to its answer in both sides' logs, where banks ask for it: their own number of the
/// call, sent back. Anything but a UUID is not theirs.
fn traceable(answer: Answer, request: &Request) -> Answer {
    let id = request.header("x-fapi-interaction-id");
    let id = id.filter(|id| Uuid::try_parse(id).is_ok());
    match id.and_then(|id| HeaderValue::from_str(id).ok()) {
        Some(id) => answer.with_value(HeaderName::from_static("x-fapi-interaction-id"), id),
        None => answer,
    }
}
