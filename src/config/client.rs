//! `[[client]]`: applications that are registered in the file.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::bankid::BankId;
use super::mtls::Mtls;
use super::{Findings, text_or_file, written};
use crate::admin::client::CONSOLE;
use crate::client::authentication::ClientSecret;
use crate::client::logo::Logo;
use crate::client::setting::Mistake;
use crate::client::theme::Theme;
use crate::client::{Authentication, Client, Metadata};
use crate::id::ClientId;
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

pub(crate) fn check_all(
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
        for mistake in unmet(client, bankid, mtls) {
            found.add(&key, mistake.reason);
        }
        // At the start there may be nothing yet that is kept.
        for (name, _) in client.metadata.theme.logos().filter(|(_, l)| l.is_kept()) {
            found.add(
                &key,
                format!("{name}: write {name}_file, or the picture itself"),
            );
        }
    }
}

/// What a client needs of the configuration, and is not there.
pub fn unmet(client: &Client, bankid: Option<&BankId>, mtls: Option<&Mtls>) -> Vec<Mistake> {
    let metadata = &client.metadata;
    let mut mistakes = Vec::new();
    let mut needs = |setting: &str, reason: String| mistakes.push(Mistake::new(setting, reason));
    if metadata.tls_client_certificate_bound_access_tokens && mtls.is_none() {
        needs(
            "tls_client_certificate_bound_access_tokens",
            "tls_client_certificate_bound_access_tokens needs the section mtls".to_owned(),
        );
    }
    match metadata.token_endpoint_auth {
        Authentication::TlsClientAuth if mtls.is_none_or(|mtls| mtls.authorities.is_empty()) => {
            needs(
                "token_endpoint_auth",
                "tls_client_auth needs mtls.client_ca_file".to_owned(),
            );
        }
        Authentication::SelfSignedTlsClientAuth if mtls.is_none() => needs(
            "token_endpoint_auth",
            "self_signed_tls_client_auth needs the section mtls".to_owned(),
        ),
        _ => {}
    }
    let Some(bankid) = bankid else {
        return mistakes;
    };
    let demands = &metadata.bankid;
    if !bankid.profiles.iter().any(|p| p.name == demands.profile()) {
        needs(
            "bankid.profile",
            format!("there is no bankid.profile.{}", demands.profile()),
        );
    }
    if demands.evidence.is_some() && bankid.trust.is_none() {
        needs(
            "bankid.evidence",
            "bankid.evidence needs bankid.signature_root_file".to_owned(),
        );
    }
    mistakes
}

/// Why a name cannot be a client's, although it is written like one.
pub fn not_an_id(client_id: &ClientId) -> Option<&'static str> {
    match client_id.as_str() {
        CONSOLE => Some("this client_id is the administration's own"),
        // As a part of an address they mean something else.
        "." | ".." => Some("client_id must not be . or .."),
        _ => None,
    }
}

/// Why a name cannot be a client's sector: who somebody is to the administration is said nowhere else.
pub fn not_a_sector(sector: &str) -> Option<&'static str> {
    (sector == CONSOLE).then_some("this sector is the administration's own")
}

/// The sector of a client that names none (OpenID Connect Core §8.1).
pub fn sector_of(client_id: &ClientId, metadata: &Metadata) -> Result<String, String> {
    let sector = match is_for_nobody(metadata) {
        // Nobody logs in to it. Should that change, people are strangers to all others there.
        true => client_id.as_str().to_owned(),
        false => sole_host(metadata)?,
    };
    match not_a_sector(&sector) {
        Some(reason) => Err(reason.to_owned()),
        None => Ok(sector),
    }
}

fn check(written: written::Client, base: &Path) -> Result<RegisteredClient, String> {
    if let Some(reason) = not_an_id(&written.client_id) {
        return Err(reason.to_owned());
    }
    let secrets = secrets(&written, base)?;
    let sector = match &written.sector {
        Some(sector) => match not_a_sector(sector) {
            Some(reason) => return Err(reason.to_owned()),
            None => sector.clone(),
        },
        None => sector_of(&written.client_id, &written.metadata)?,
    };
    let written::Client { own, mut metadata } = written;
    metadata.theme = drawn(metadata.theme, &own.logo_file, &own.logo_dark_file, base)?;
    metadata.bankid.check()?;
    metadata.check()?;
    Ok(RegisteredClient {
        client: Client {
            client_id: own.client_id,
            sector,
            metadata,
        },
        named_sector: own.sector,
        secrets,
    })
}

/// The logos that are written in the file or lie beside it, made anew.
fn drawn(
    theme: Theme,
    file: &Option<PathBuf>,
    file_dark: &Option<PathBuf>,
    base: &Path,
) -> Result<Theme, String> {
    let given = |logo: Option<Logo>, file: &Option<PathBuf>, name: &str| match (logo, file) {
        (logo, None) => Ok(logo),
        (Some(_), Some(_)) => Err(format!("{name} and {name}_file exclude each other")),
        (None, Some(file)) => std::fs::read(base.join(file))
            .map(|bytes| Some(Logo::Given(bytes.into())))
            .map_err(|e| format!("{name}_file {}: {e}", file.display())),
    };
    let theme = Theme {
        logo: given(theme.logo, file, "theme.logo")?,
        logo_dark: given(theme.logo_dark, file_dark, "theme.logo_dark")?,
        ..theme
    };
    let in_words = |mistakes: Vec<Mistake>| {
        let mistakes = mistakes.iter().map(Mistake::to_string);
        mistakes.collect::<Vec<_>>().join("; ")
    };
    theme.drawn().map_err(in_words)
}

/// The ways to write a secret: itself, a file, or what it is recognised by.
#[derive(Clone, Copy)]
struct Ways<'a>(
    &'a Option<String>,
    &'a Option<PathBuf>,
    &'a Option<SecretDigest>,
);

/// What a secret is recognised by, as a file has it: `sha256:` and 64 hexadecimal digits. It says nothing
/// about the secret, so that clients can be moved without being given another one.
#[derive(Clone, Copy, Debug)]
pub struct SecretDigest(Digest<ClientSecret>);

impl SecretDigest {
    /// Of what the database keeps.
    pub fn of(digest: Digest<ClientSecret>) -> SecretDigest {
        SecretDigest(digest)
    }
}

impl fmt::Display for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for SecretDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = text
            .strip_prefix("sha256:")
            .and_then(|hex| hex::decode(hex).ok());
        let digest = bytes.and_then(|bytes| Digest::from_bytes(&bytes));
        digest.map(SecretDigest).ok_or_else(|| {
            serde::de::Error::custom("a digest is sha256: and 64 hexadecimal digits")
        })
    }
}

/// The secret, and the one before it while an application still uses that.
fn secrets(written: &written::Client, base: &Path) -> Result<Vec<Digest<ClientSecret>>, String> {
    let (now, before) = (
        Ways(
            &written.client_secret,
            &written.client_secret_file,
            &written.client_secret_digest,
        ),
        Ways(
            &written.previous_client_secret,
            &written.previous_client_secret_file,
            &written.previous_client_secret_digest,
        ),
    );
    let is_written =
        |Ways(text, file, digest): Ways<'_>| text.is_some() || file.is_some() || digest.is_some();
    if !written.metadata.token_endpoint_auth.has_secret() {
        return match is_written(now) || is_written(before) {
            true => Err("a client with this token_endpoint_auth has no secret".to_owned()),
            false => Ok(Vec::new()),
        };
    }
    let read = |Ways(text, file, digest): Ways<'_>, name: &str| {
        if let Some(digest) = digest {
            return match text.is_some() || file.is_some() {
                true => Err(format!("{name}_digest and {name} exclude each other")),
                false => Ok(digest.0),
            };
        }
        let secret = text_or_file(text.as_deref(), file.as_deref(), base, name)?;
        match secret.chars().count() < SECRET_LENGTH {
            true => Err(format!(
                "{name} must have at least {SECRET_LENGTH} characters"
            )),
            false if is_example(&secret) => Err(format!(
                "{name} is an example: make one with openssl rand -base64 32"
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

/// Whether a secret was copied from instructions, where others read it too.
fn is_example(secret: &str) -> bool {
    let bare: String = secret.chars().filter(char::is_ascii_alphanumeric).collect();
    let bare = bare.to_ascii_lowercase();
    [
        "changeme",
        "example",
        "placeholder",
        "yoursecret",
        "yourclientsecret",
        "replaceme",
    ]
    .iter()
    .any(|word| bare.contains(word))
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
