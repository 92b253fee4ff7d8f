//! Userinfo (OpenID Connect Core §5.3).

use serde_json::Value;

use super::answer::{self, Answer};
use super::input::{Request, Unreadable};
use crate::error::{Code, Error, Refusal};
use crate::provider::Provider;
use crate::secret::{Secret, kind as secret};
use crate::token::userinfo;

pub async fn get(provider: Provider, request: Request) -> Result<Answer, Error> {
    if request.has_query() {
        return Err(IN_QUERY.into());
    }
    tell(&provider, header_token(&request)?).await
}

/// RFC 6750 §2.2: the token may stand in the form instead.
pub async fn post(provider: Provider, request: Request) -> Result<Answer, Error> {
    if request.has_query() {
        return Err(IN_QUERY.into());
    }
    let in_header = header_token(&request)?;
    let in_form = form_token(&request)?;
    match (in_header, in_form) {
        (Some(_), Some(_)) => Err(IN_TWO_PLACES.into()),
        (in_header, in_form) => tell(&provider, in_header.or(in_form)).await,
    }
}

const IN_QUERY: Refusal = Refusal::new(
    Code::InvalidRequest,
    "the access token must not be sent in the query",
);
const IN_TWO_PLACES: Refusal = Refusal::new(
    Code::InvalidRequest,
    "the access token was sent in two places",
);
const INVALID_TOKEN: Refusal = Refusal::new(
    Code::InvalidToken,
    "the access token is unknown, expired or revoked",
);

/// RFC 6750 §2.1.
fn header_token(request: &Request) -> Result<Option<String>, Refusal> {
    let Some(header) = request.header("authorization") else {
        return Ok(None);
    };
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Some(token.trim().to_owned()))
        }
        _ => Err(Refusal::new(
            Code::InvalidRequest,
            "the Authorization header is not Bearer",
        )),
    }
}

fn form_token(request: &Request) -> Result<Option<String>, Refusal> {
    if !request.has_body() {
        return Ok(None);
    }
    let bad = |description| Refusal::new(Code::InvalidRequest, description);
    let form = request.form(8 * 1024).map_err(|Unreadable(why)| bad(why))?;
    match form.is_repeated("access_token") {
        true => Err(IN_TWO_PLACES),
        false => Ok(form.first("access_token").map(str::to_owned)),
    }
}

async fn tell(provider: &Provider, token: Option<String>) -> Result<Answer, Error> {
    let Some(token) = token else {
        return Ok(answer::challenge(None));
    };
    let token = Secret::<secret::AccessToken>::parse(&token).ok_or(INVALID_TOKEN)?;
    let now = provider.clock.now();
    let grant = provider.store.grant_of_token(token.digest(), now).await?;
    let grant = grant.ok_or(INVALID_TOKEN)?;
    let client = provider.store.client(grant.client_id.as_str()).await?;
    let client = client.ok_or(INVALID_TOKEN)?;
    // A grant may be older than what its client is entitled to now.
    let grant = grant.for_client(&client);
    let Some(algorithm) = client.metadata.userinfo_signed_response_alg else {
        return Ok(Answer::json(&Value::Object(userinfo::claims(&grant))));
    };
    let claims = userinfo::signed_claims(&grant, &provider.config.issuer.url, now);
    let keys = provider.keyring.current().await?;
    Ok(Answer::jwt(keys.sign(algorithm, "JWT", &claims)?))
}
