//! What there is to know before a login: the metadata document and the public keys.

use super::answer::Answer;
use super::input::Request;
use crate::discovery;
use crate::error::Error;
use crate::provider::Provider;

pub async fn document(provider: Provider, _: Request) -> Result<Answer, Error> {
    let (config, acr) = (&provider.config, &provider.policy.acr);
    let document = discovery::document(
        &config.issuer.url,
        acr,
        config.mtls.as_ref(),
        &config.languages,
    );
    Ok(Answer::public_json(&document))
}

pub async fn jwks(provider: Provider, _: Request) -> Result<Answer, Error> {
    let keys = provider.keyring.current().await?;
    Ok(Answer::public_json(keys.jwks()))
}
