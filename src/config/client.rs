//! `[[client]]`: applications that are registered in the file.

use std::path::{Path, PathBuf};

use super::bankid::BankId;
use super::{Findings, text_or_file, written};
use crate::client::authentication::ClientSecret;
use crate::client::{Authentication, Client, Metadata};
use crate::secret::Digest;

/// A client with its secrets' digests.
#[derive(Clone, Debug)]
pub struct RegisteredClient {
    /// The client.
    pub client: Client,
    /// The sector, when the file names one.
    pub named_sector: Option<String>,
    /// What its secrets are recognised by.
    pub secrets: Vec<Digest<ClientSecret>>,
}

/// The fewest characters of a secret: 256 random bits in base64 have 43, in hexadecimal 64.
const SECRET_LENGTH: usize = 32;

pub(super) fn check_all(
    written: Vec<written::Client>,
    base: &Path,
    found: &mut Findings,
) -> Vec<RegisteredClient> {
    let mut seen = std::collections::HashSet::new();
    written
        .into_iter()
        .filter_map(|client| {
            let key = format!("client.{}", client.client_id);
            if !seen.insert(client.client_id.clone()) {
                found.add(&key, "is registered twice");
            }
            let checked = check(client, base);
            found.take(&key, checked)
        })
        .collect()
}

/// What clients need of BankID, and BankID's section must have.
pub(super) fn check_with(clients: &[RegisteredClient], bankid: &BankId, found: &mut Findings) {
    for RegisteredClient { client, .. } in clients {
        let demands = &client.metadata.bankid;
        let key = format!("client.{}", client.client_id);
        if !bankid.profiles.iter().any(|p| p.name == demands.profile()) {
            found.add(
                &key,
                format!("there is no bankid.profile.{}", demands.profile()),
            );
        }
        if demands.evidence.is_some() && bankid.trust.is_none() {
            found.add(&key, "bankid.evidence needs bankid.signature_root_file");
        }
    }
}

fn check(written: written::Client, base: &Path) -> Result<RegisteredClient, String> {
    let secrets = secrets(&written, base)?;
    let sector = match &written.sector {
        Some(sector) => sector.clone(),
        None => sole_host(&written.metadata)?,
    };
    if !written.metadata.has_frame_of_its_own() {
        return Err(
            "frontchannel_logout_uri must have scheme, host and port of a redirect URI".to_owned(),
        );
    }
    written.metadata.bankid.check()?;
    signed_requests(&written.metadata)?;
    if !written.metadata.token_endpoint_auth.is_proof() {
        let proves = written.metadata.dpop_bound_access_tokens;
        if !written.metadata.refresh_tokens.is_off() && !proves {
            return Err(
                "a public client has refresh_tokens only with dpop_bound_access_tokens".to_owned(),
            );
        }
        if written.metadata.introspects {
            return Err("a public client cannot have introspects".to_owned());
        }
    }
    if written
        .metadata
        .personal_number
        .as_ref()
        .is_some_and(|e| e.purpose.trim().is_empty())
    {
        return Err("personal_number needs a purpose".to_owned());
    }
    Ok(RegisteredClient {
        client: Client {
            client_id: written.client_id,
            sector,
            metadata: written.metadata,
        },
        named_sector: written.sector,
        secrets,
    })
}

/// RFC 9101 §10.5: whoever signs needs keys, and keys that the algorithm fits.
fn signed_requests(metadata: &Metadata) -> Result<(), String> {
    let fits = match (&metadata.jwks, metadata.request_object_signing_alg) {
        (None, Some(_)) => false,
        (None, None) => !metadata.require_signed_request_object,
        (Some(jwks), algorithm) => algorithm.is_none_or(|algorithm| jwks.fits(algorithm)),
    };
    match fits {
        true => Ok(()),
        false => Err("signed requests need a key in jwks that fits their algorithm".to_owned()),
    }
}

/// The secret, and the one before it while an application still uses that.
fn secrets(written: &written::Client, base: &Path) -> Result<Vec<Digest<ClientSecret>>, String> {
    let (now, before) = (
        (&written.client_secret, &written.client_secret_file),
        (
            &written.previous_client_secret,
            &written.previous_client_secret_file,
        ),
    );
    let is_written =
        |(text, file): (&Option<String>, &Option<PathBuf>)| text.is_some() || file.is_some();
    if written.metadata.token_endpoint_auth == Authentication::None {
        return match is_written(now) || is_written(before) {
            true => Err("a public client (token_endpoint_auth = none) has no secret".to_owned()),
            false => Ok(Vec::new()),
        };
    }
    let read = |(text, file): (&Option<String>, &Option<PathBuf>), name: &str| {
        let secret = text_or_file(text.as_deref(), file.as_deref(), base, name)?;
        match secret.chars().count() < SECRET_LENGTH {
            true => Err(format!(
                "{name} must have at least {SECRET_LENGTH} characters"
            )),
            false => Ok(Digest::of(&secret)),
        }
    };
    let mut secrets = vec![read(now, "client_secret")?];
    if is_written(before) {
        secrets.push(read(before, "previous_client_secret")?);
    }
    Ok(secrets)
}

/// OpenID Connect Core §8.1: redirect URIs on several hosts make no sector by themselves.
fn sole_host(metadata: &Metadata) -> Result<String, String> {
    let host = metadata
        .default_sector()
        .ok_or("redirect_uris must not be empty")?;
    let same = metadata.redirect_uris.iter().all(|uri| uri.host() == host);
    same.then_some(host)
        .ok_or_else(|| "redirect_uris are on several hosts: name a sector".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Signer;
    use serde_json::json;

    #[test]
    fn whoever_signs_requests_has_a_key_that_fits() {
        let _shows = crate::shows!(accepting "JK-08", refusing "JK-08");
        let mut keys = Signer::new().jwks();
        keys["keys"].as_array_mut().expect("a list").truncate(1);
        let checked = |more: serde_json::Value| {
            let mut metadata =
                json!({"client_name": "A", "redirect_uris": ["https://a.example/cb"]});
            for (name, value) in more.as_object().into_iter().flatten() {
                metadata[name] = value.clone();
            }
            signed_requests(&serde_json::from_value(metadata).expect("metadata")).is_ok()
        };
        for sound in [
            json!({}),
            json!({"jwks": keys}),
            json!({"jwks": keys, "require_signed_request_object": true}),
            json!({"jwks": keys, "request_object_signing_alg": "PS256"}),
        ] {
            assert!(checked(sound.clone()), "{sound}");
        }
        for bad in [
            json!({"require_signed_request_object": true}),
            json!({"request_object_signing_alg": "PS256"}),
            json!({"jwks": keys, "request_object_signing_alg": "ES256"}),
        ] {
            assert!(!checked(bad.clone()), "{bad}");
        }
    }
}
