//! The pushed authorization request endpoint (RFC 9126 §2). Nobody is asked anything here, and nothing
//! is ordered.

use serde_json::json;

use super::answer::{self, Answer};
use super::authorize::REQUEST_LIMIT;
use super::dpop::{self, Asked};
use super::input::Request;
use super::token;
use crate::authorize::request::Parameters;
use crate::authorize::{Mistake, pushed};
use crate::client::Authentication;
use crate::error::{Error, Refusal};
use crate::jose::jwks::Jwks;
use crate::provider::Provider;
use crate::secret::{Secret, kind as secret};
use crate::token::dpop::{Proof, asked_for};

pub async fn post(provider: Provider, request: Request) -> Result<Answer, Error> {
    let form = token::form(&request)?;
    if form.size() > REQUEST_LIMIT {
        return Ok(answer::too_large());
    }
    let mut client = token::client(&provider, &request, &form).await?;
    // Anyone may call themselves a public client, and every request takes room.
    let is_known = client.metadata.token_endpoint_auth != Authentication::None;
    if !is_known && !provider.limits.admit_login(request.ip) {
        provider.metrics.limited("logins_per_address");
        return Ok(answer::too_many());
    }
    if let Some(token) = form.first("request") {
        let fit = |keys: &Jwks| keys.verify(token, None).is_some();
        provider.give_published_keys(&mut client, &fit).await;
    }
    let (issuer, now) = (&provider.config.issuer.url, provider.clock.now());
    let keys = provider.keys_to_read(&form).await?;
    let hint = |token: &str| keys.hinted_subject(token, issuer, &client.client_id);
    let pushed = pushed::push(&form, &client, &provider.policy, &hint, issuer, now)?;
    let proof = dpop::proof(
        &provider,
        &request,
        Asked {
            method: "POST",
            path: "/par",
        },
    )
    .await?;
    let parameters = dpop_bound(pushed.parameters, proof.as_ref())?;
    let name = Secret::<secret::PushedRequest>::fresh(&provider.random);
    let expires_at = now + pushed::LIFETIME;
    let is_first = provider
        .store
        .push_request(
            name.digest(),
            &client.client_id,
            &parameters,
            expires_at,
            pushed.once.as_ref(),
        )
        .await?;
    if !is_first {
        return Err(Refusal::from(Mistake::RequestObjectUsed).into());
    }
    Ok(Answer::created(&json!({
        "request_uri": pushed::request_uri(&name),
        "expires_in": pushed::LIFETIME.0,
    })))
}

/// RFC 9449 §10.1: a proof that comes with a pushed request says what `dpop_jkt` would.
fn dpop_bound(parameters: Parameters, proof: Option<&Proof>) -> Result<Parameters, Refusal> {
    let Some(key) = asked_for(parameters.first("dpop_jkt"), proof)? else {
        return Ok(parameters);
    };
    let named = [("dpop_jkt".to_owned(), key.as_str().to_owned())];
    Ok(Parameters::from_pairs(named).before(&parameters))
}
