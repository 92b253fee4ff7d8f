//! The token endpoint (RFC 6749 §3.2, OpenID Connect Core §3.1.3).

use serde_json::json;

use super::answer::Answer;
use super::authorize::PARAMETER_LIMIT;
use super::input::{Request, Unreadable};
use crate::authorize::request::Parameters;
use crate::client::Client;
use crate::client::authentication::{Credentials, authenticate};
use crate::error::{Code, Error, Refusal};
use crate::provider::Provider;
use crate::secret::{Digest, Secret, kind as secret};
use crate::storage::Exchange;
use crate::token::code::{self, Consequence, Redemption};
use crate::token::grant::{ACCESS_TOKEN_LIFETIME, Grant};
use crate::token::id_token;

pub async fn post(provider: Provider, request: Request) -> Result<Answer, Error> {
    let form = form(&request)?;
    let client = client(&provider, &request, &form).await?;
    match form.first("grant_type") {
        Some("authorization_code") => exchange(&provider, &client, &form).await,
        Some(_) => Err(UNSUPPORTED_GRANT.into()),
        None => Err(Refusal::new(Code::InvalidRequest, "grant_type is missing").into()),
    }
}

const UNSUPPORTED_GRANT: Refusal = Refusal::new(
    Code::UnsupportedGrantType,
    "only grant_type=authorization_code is supported",
);
const ALREADY_USED: Refusal = Refusal::new(Code::InvalidGrant, "the code was used before");

/// RFC 6749 §3.2: a form, each parameter once, and nothing in the query.
pub fn form(request: &Request) -> Result<Parameters, Refusal> {
    let bad = |description| Refusal::new(Code::InvalidRequest, description);
    if request.has_query() {
        return Err(bad("parameters belong in the body, not in the query"));
    }
    let form = request
        .form(PARAMETER_LIMIT)
        .map_err(|Unreadable(why)| bad(why))?;
    match form.has_repetition() {
        true => Err(bad("a parameter was sent more than once")),
        false => Ok(form),
    }
}

/// RFC 6749 §2.3: the client that sent a form, authenticated.
pub async fn client(
    provider: &Provider,
    request: &Request,
    form: &Parameters,
) -> Result<Client, Error> {
    let credentials = Credentials::read(
        request.header("authorization"),
        form.first("client_id"),
        form.first("client_secret"),
    )?;
    let client = provider
        .store
        .client(credentials.client_id.as_str())
        .await?;
    let now = provider.clock.now();
    let secrets = provider
        .store
        .client_secrets(&credentials.client_id, now)
        .await?;
    authenticate(&credentials, client.as_ref(), &secrets)?;
    client.ok_or_else(|| Refusal::new(Code::InvalidClient, "client authentication failed").into())
}

async fn exchange(
    provider: &Provider,
    client: &Client,
    form: &Parameters,
) -> Result<Answer, Error> {
    let now = provider.clock.now();
    let shown = form
        .first("code")
        .ok_or(Refusal::new(Code::InvalidRequest, "code is missing"))?;
    // What is no code of ours by its shape is looked up all the same, as one that is unknown.
    let digest = Secret::<secret::Code>::parse(shown).map_or(Digest::of(""), |code| code.digest());
    let record = provider.store.code(digest, &client.client_id).await?;
    let redemption = Redemption {
        redirect_uri: form.first("redirect_uri"),
        code_verifier: form.first("code_verifier"),
    };
    let grant = match code::exchange(record.as_ref(), redemption, now) {
        Ok(grant) => grant,
        Err(rejected) => {
            match (rejected.consequence, &record) {
                (Consequence::BurnCode, _) => {
                    provider
                        .store
                        .burn_code(digest, &client.client_id, now)
                        .await?;
                }
                (Consequence::EndGrant, Some(record)) => {
                    tracing::warn!(grant = %record.grant.id, "a code was used twice");
                    provider.store.end_grant(record.grant.id, now).await?;
                }
                _ => {}
            }
            return Err(rejected.refusal.into());
        }
    };
    let access_token = Secret::<secret::AccessToken>::fresh(&provider.random);
    let token = access_token.digest();
    let end = now + ACCESS_TOKEN_LIFETIME;
    let won = provider
        .store
        .exchange_code(digest, grant.id, &client.client_id, token, end, now)
        .await?;
    match won {
        Exchange::Won => tokens(provider, grant, &access_token),
        Exchange::Lost => {
            tracing::warn!(grant = %grant.id, "a code was used twice");
            Err(ALREADY_USED.into())
        }
    }
}

/// OpenID Connect Core §3.1.3.3.
fn tokens(
    provider: &Provider,
    grant: &Grant,
    access_token: &Secret<secret::AccessToken>,
) -> Result<Answer, Error> {
    let (issuer, acr) = (&provider.config.issuer.url, &provider.policy.acr);
    let claims = id_token::claims(grant, issuer, acr, access_token, provider.clock.now());
    Ok(Answer::json(&json!({
        "access_token": access_token.expose(),
        "token_type": "Bearer",
        "expires_in": ACCESS_TOKEN_LIFETIME.0,
        "scope": grant.scope,
        "id_token": provider.keyring.sign("JWT", &claims)?,
    })))
}
