//! What there is to know before a login: the metadata document and the public keys.

use super::answer::Answer;
use super::input::Request;
use crate::discovery;
use crate::error::Error;
use crate::provider::Provider;

pub async fn document(provider: Provider, _: Request) -> Result<Answer, Error> {
    let (config, acr) = (&provider.config, &provider.policy.acr);
    let document = provider.metadata.get_or_init(|| {
        let mtls = config.mtls.as_ref();
        let document = discovery::document(&config.issuer.url, acr, mtls, &config.languages);
        document.to_string().into()
    });
    Ok(Answer::public_json(document.clone()))
}

pub async fn jwks(provider: Provider, _: Request) -> Result<Answer, Error> {
    let keys = provider.keyring.current().await?;
    Ok(Answer::public_json(keys.jwks()))
}
