//! `[[client]]`: applications that are registered in the file.

use std::path::{Path, PathBuf};

use super::bankid::BankId;
use super::mtls::Mtls;
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

/// What clients need of other sections.
pub(super) fn check_with(
    clients: &[RegisteredClient],
    bankid: Option<&BankId>,
    mtls: Option<&Mtls>,
    found: &mut Findings,
) {
    for RegisteredClient { client, .. } in clients {
        let key = format!("client.{}", client.client_id);
        if client.metadata.tls_client_certificate_bound_access_tokens && mtls.is_none() {
            found.add(
                &key,
                "tls_client_certificate_bound_access_tokens needs the section mtls",
            );
        }
        match client.metadata.token_endpoint_auth {
            Authentication::TlsClientAuth
                if mtls.is_none_or(|mtls| mtls.authorities.is_empty()) =>
            {
                found.add(&key, "tls_client_auth needs mtls.client_ca_file");
            }
            Authentication::SelfSignedTlsClientAuth if mtls.is_none() => {
                found.add(&key, "self_signed_tls_client_auth needs the section mtls");
            }
            _ => {}
        }
        let Some(bankid) = bankid else {
            continue;
        };
        let demands = &client.metadata.bankid;
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
        // Nobody logs in to it. Should that change, people are strangers to all others there.
        None if is_for_nobody(&written.metadata) => written.client_id.as_str().to_owned(),
        None => sole_host(&written.metadata)?,
    };
    written.metadata.bankid.check()?;
    written.metadata.check()?;
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
    if !written.metadata.token_endpoint_auth.has_secret() {
        return match is_written(now) || is_written(before) {
            true => Err("a client with this token_endpoint_auth has no secret".to_owned()),
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

/// Whether a client needs no redirect URI: one that has access tokens for itself, or takes others'.
fn is_for_nobody(metadata: &Metadata) -> bool {
    metadata.redirect_uris.is_empty()
        && (metadata.client_credentials.is_some() || metadata.introspects)
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

    #[test]
    fn what_a_client_is_registered_for_holds_together() {
        let _shows = crate::shows!(accepting "PV-MACHINE-1", refusing "PV-MACHINE-1", accepting "PV-RESOURCE-3", refusing "PV-RESOURCE-3");
        let checked = |more: &str| {
            let text = format!("client_id = \"a\"\nclient_name = \"A\"\n{more}");
            let table: toml::Table = text.parse().expect("TOML");
            let written = written::Client::try_from(table).map_err(|error| error.to_string())?;
            check(written, Path::new("")).map(|registered| registered.client.sector)
        };
        let secret = format!("client_secret = \"{}\"\n", "s".repeat(SECRET_LENGTH));
        let address = "redirect_uris = [\"https://a.example/cb\"]\n";
        let machine = "client_credentials = { scopes = [\"read\"] }\n";
        let serving = "introspects = true\nserves = [\"urn:a\"]\n";
        for (sound, sector) in [
            (vec![&*secret, address, machine], "a.example"),
            (vec![&secret, machine, "resources = [\"urn:a\"]"], "a"),
            (vec![&secret, serving], "a"),
        ] {
            assert_eq!(checked(&sound.concat()).as_deref(), Ok(sector), "{sound:?}");
        }
        for (bad, why) in [
            (vec![&*secret], "redirect_uris must not be empty"),
            (
                vec!["token_endpoint_auth = \"none\"\n", address, machine],
                "a public client cannot have client_credentials",
            ),
            (
                vec![&secret, address, "serves = [\"urn:a\"]"],
                "serves needs introspects",
            ),
            (
                vec![&secret, "client_credentials = { scopes = [\"openid\"] }"],
                "none of openid",
            ),
            (
                vec![&secret, machine, "resources = [\"urn:a#b\"]"],
                "without fragment",
            ),
            (
                vec![&secret, machine, "access_token = \"jws\""],
                "unknown variant",
            ),
        ] {
            let error = checked(&bad.concat()).expect_err(why);
            assert!(error.contains(why), "{error}");
        }
    }
}
