//! Introspection (RFC 7662).

use super::answer::Answer;
use super::input::Request;
use super::token::{client, form};
use crate::client::mistake::Reason;
use crate::error::{Code, Error, Refusal};
use crate::provider::Provider;
use crate::token::{Shown, introspection};

pub async fn post(provider: Provider, request: Request) -> Result<Answer, Error> {
    let form = form(&request)?;
    let caller = client(&provider, &request, &form).await?;
    introspection::admit(&caller)?;
    let token = form.first("token").ok_or(
        Refusal::new(Code::InvalidRequest, "token is missing").because(Reason::TokenMissing),
    )?;
    let (store, now) = (&provider.store, provider.clock.now());
    let issuer = &provider.config.issuer.url;
    let answer = match Shown::read(token) {
        Shown::Access(digest) => {
            let record = store.access_token(digest, now).await?;
            let owner = match &record {
                Some(record) => {
                    store
                        .client(record.client_id.as_str(), provider.clock.now())
                        .await?
                }
                None => None,
            };
            introspection::of_access_token(record.as_ref(), owner.as_ref(), &caller, issuer)
        }
        Shown::Refresh(digest) => {
            let record = store.refresh_token(digest, &caller.client_id).await?;
            introspection::of_refresh_token(record.as_ref(), &caller, issuer, now)
        }
        Shown::Other => introspection::inactive(),
    };
    if !introspection::is_signed_for(request.headers("accept")) {
        return Ok(Answer::json(&answer));
    }
    let claims = introspection::signed_claims(answer, &caller, issuer, now);
    let keys = provider.keyring.current().await?;
    let algorithm = caller.metadata.introspection_algorithm();
    let token = keys.sign(algorithm, introspection::TYP, &claims)?;
    Ok(Answer::jwt(introspection::JWT, token))
}
