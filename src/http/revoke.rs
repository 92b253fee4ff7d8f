//! Revocation (RFC 7009).

use super::answer::Answer;
use super::input::Request;
use super::token::{client, form};
use crate::client::mistake::Reason;
use crate::error::{Code, Error, Refusal};
use crate::provider::Provider;
use crate::token::{Shown, revocation};

pub async fn post(provider: Provider, request: Request) -> Result<Answer, Error> {
    let form = form(&request)?;
    let client = client(&provider, &request, &form).await?;
    let token = form.first("token").ok_or(
        Refusal::new(Code::InvalidRequest, "token is missing").because(Reason::TokenMissing),
    )?;
    match revocation::target(token)? {
        // RFC 7009 §2.1: with a refresh token goes all that came of the same grant.
        Shown::Refresh(digest) => {
            let record = provider
                .store
                .refresh_token(digest, &client.client_id)
                .await?;
            if let Some(record) = record {
                let now = provider.clock.now();
                provider.store.end_grant(record.grant.id, now).await?;
            }
        }
        Shown::Access(digest) => {
            provider
                .store
                .end_access_token(digest, &client.client_id)
                .await?;
        }
        Shown::Other => {}
    }
    Ok(Answer::done())
}
