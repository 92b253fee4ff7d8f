//! `[bankid]`: host, trust, certificate and launch links of one environment, which belong
//! together.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls_pki_types::CertificateDer;
use url::Url;

use super::Findings;
use super::identity::{Identity, certificates, content};
use super::issuer::Issuer;
use super::written::{self, Environment};
use crate::bankid::client::{Client, SetupError};
use crate::bankid::environment::{Official, Worth};
use crate::bankid::evidence::Trust;
use crate::bankid::launch::{AppLinks, Matrix, Row};
use crate::bankid::party::{self, Party};

/// One BankID.
#[derive(Clone, Debug)]
pub struct BankId {
    /// Its API, with a slash at the end.
    pub base: Url,
    /// The one root that its server certificate must come from.
    pub root: CertificateDer<'static>,
    /// Our certificates, the one of clients that name none first.
    pub profiles: Vec<Profile>,
    /// Where the app is started.
    pub links: AppLinks,
    /// From which browsers it is started how.
    pub matrix: Matrix,
    /// Which environment it is.
    pub environment: Environment,
    /// What a login with it is worth.
    pub worth: Worth,
    /// By what the evidence of a login is verified, where a root for it is configured.
    pub trust: Option<Trust>,
    /// The site that starts the app, as BankID is told.
    pub referring_domain: String,
}

/// A relying-party certificate by its name, and where it is read from: it is read again when it
/// changes.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What clients call it.
    pub name: String,
    /// The certificate and its key.
    pub identity: Identity,
    written: written::Certificate,
    base: PathBuf,
    official: Option<Official>,
}

impl Profile {
    fn read(
        name: &str,
        written: written::Certificate,
        base: &Path,
        official: Option<Official>,
    ) -> Result<Profile, Findings> {
        let mut found = Findings::default();
        let identity = Identity::check(&written, base, &mut found);
        if let (Some(official), Some(identity)) = (official, &identity) {
            found.take("bankid.certificate_file", official.takes(identity.leaf()));
        }
        match identity {
            Some(identity) if found.is_empty() => Ok(Profile {
                name: name.to_owned(),
                identity,
                written,
                base: base.to_owned(),
                official,
            }),
            _ => Err(found),
        }
    }

    /// What tells whether one of its files was written since: reading them may take a while, as
    /// containers are slow to open on purpose.
    pub fn stamp(&self) -> Vec<Option<(u64, SystemTime)>> {
        let written = &self.written;
        let files = [
            Some(&written.certificate_file),
            written.key_file.as_ref(),
            written.passphrase_file.as_ref(),
        ];
        let stamp = |file: &PathBuf| {
            let about = std::fs::metadata(self.base.join(file)).ok()?;
            Some((about.len(), about.modified().ok()?))
        };
        files.into_iter().flatten().map(stamp).collect()
    }

    /// The same from its files as they are now. Errors: what is wrong with them, in one line.
    pub fn read_again(&self) -> Result<Profile, String> {
        Profile::read(&self.name, self.written.clone(), &self.base, self.official)
            .map_err(|found| super::Problems::from(found).to_string())
    }
}

impl BankId {
    pub(super) fn check(
        written: &written::BankId,
        issuer: Option<&Issuer>,
        base: &Path,
        found: &mut Findings,
    ) -> Option<BankId> {
        let referring_domain = referring_domain(written, issuer, found);
        let place = place(written, base, found);
        let profiles = profiles(written, base, found);
        let matrix = found.take("bankid.launch_file", matrix(written, base));
        let trust = found.take("bankid.signature_root_file", trust(written, base));
        let (url, root, links) = place?;
        Some(BankId {
            base: url,
            root,
            profiles: profiles?,
            links,
            matrix: matrix?,
            environment: written.environment,
            worth: worth(written.environment),
            trust: trust?,
            referring_domain: referring_domain?,
        })
    }

    /// Who we are there, by each of our certificates.
    pub fn parties(&self) -> Result<Vec<Party>, SetupError> {
        self.profiles.iter().map(|p| self.party(p)).collect()
    }

    /// Who we are there by one of them.
    pub fn party(&self, profile: &Profile) -> Result<Party, SetupError> {
        let identity = &profile.identity;
        let client = Client::new(
            self.base.clone(),
            self.root.clone(),
            identity.chain().to_vec(),
            identity.key().clone_key(),
        )?;
        let certificate = identity.leaf().clone();
        Party::new(&profile.name, client, certificate).ok_or(SetupError::NoCertificate)
    }
}

/// The default profile and those that have names.
fn profiles(written: &written::BankId, base: &Path, found: &mut Findings) -> Option<Vec<Profile>> {
    let official = official(written.environment);
    let default = (party::DEFAULT, "bankid.".to_owned(), written.certificate());
    let named = written.profile.iter().map(|(name, certificate)| {
        let section = format!("bankid.profile.{name}.");
        (name.as_str(), section, certificate.clone())
    });
    let mut profiles = Vec::new();
    for (name, section, certificate) in std::iter::once(default).chain(named) {
        match Profile::read(name, certificate, base, official) {
            Ok(profile) => profiles.push(profile),
            Err(problems) => found.adopt(problems, "bankid.", &section),
        }
    }
    if written.profile.contains_key(party::DEFAULT) {
        found.add("bankid.profile.default", "is what [bankid] itself says");
    }
    (profiles.len() == written.profile.len() + 1).then_some(profiles)
}

/// What BankID takes as `web.referringDomain`: 3 to 253 of digits, small letters, dots and hyphens.
fn referring_domain(
    written: &written::BankId,
    issuer: Option<&Issuer>,
    found: &mut Findings,
) -> Option<String> {
    let host = || issuer.map(|issuer| issuer.host().to_owned());
    let domain = written.referring_domain.clone().or_else(host)?;
    let plain = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase() || b == b'.' || b == b'-';
    if (3..=253).contains(&domain.len()) && domain.bytes().all(plain) {
        return Some(domain);
    }
    found.add(
        "bankid.referring_domain",
        "must be a domain in small letters, as punycode",
    );
    None
}

/// The root of the banks' certificates, which must be that of the environment.
fn trust(written: &written::BankId, base: &Path) -> Result<Option<Trust>, String> {
    let Some(file) = &written.signature_root_file else {
        return Ok(None);
    };
    let root = sole_certificate(&base.join(file))?;
    if let Some(official) = official(written.environment) {
        official.takes_signature_root(&root)?;
    }
    Ok(Some(Trust {
        root,
        policies: worth(written.environment).all_policies(),
    }))
}

/// The built-in table, with the operator's rows in front of it.
fn matrix(written: &written::BankId, base: &Path) -> Result<Matrix, String> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        row: Vec<Row>,
    }
    let Some(file) = &written.launch_file else {
        return Ok(Matrix::new(Vec::new()));
    };
    let text = std::fs::read_to_string(base.join(file)).map_err(|e| e.to_string())?;
    let file: File = toml::from_str(&text).map_err(|e| e.message().to_owned())?;
    Ok(Matrix::new(file.row))
}

fn official(environment: Environment) -> Option<Official> {
    match environment {
        Environment::Production => Some(Official::Production),
        Environment::Test => Some(Official::Test),
        Environment::Simulator | Environment::Custom => None,
    }
}

fn worth(environment: Environment) -> Worth {
    match environment {
        Environment::Production => Worth::Real,
        Environment::Test => Worth::Test,
        Environment::Simulator | Environment::Custom => Worth::Simulated,
    }
}

/// Host, root and launch links, which come together or not at all.
fn place(
    written: &written::BankId,
    base: &Path,
    found: &mut Findings,
) -> Option<(Url, CertificateDer<'static>, AppLinks)> {
    let own = (&written.url, &written.phone_url, &written.root_file);
    match (official(written.environment), own) {
        (Some(official), (None, None, None)) => {
            Some((official.api(), official.root(), AppLinks::bankid()))
        }
        (Some(_), _) => {
            found.add(
                "bankid",
                "url, phone_url and root_file are for a simulator or a custom environment alone",
            );
            None
        }
        (None, (Some(url), phone, Some(root)))
            if url.scheme() == "https"
                && (phone.is_some() || written.environment == Environment::Custom) =>
        {
            let root = found.take("bankid.root_file", sole_certificate(&base.join(root)))?;
            let mut api = url.clone();
            api.set_path(&format!("{}/", url.path().trim_end_matches('/')));
            let links = phone.as_ref().map(AppLinks::simulated);
            Some((api, root, links.unwrap_or_else(AppLinks::bankid)))
        }
        (None, _) => {
            found.add(
                "bankid",
                "a simulator needs url (https), phone_url and root_file, a custom environment url and root_file",
            );
            None
        }
    }
}

fn sole_certificate(file: &Path) -> Result<CertificateDer<'static>, String> {
    let mut roots =
        certificates(&content(file)?).map_err(|reason| format!("{}: {reason}", file.display()))?;
    match roots.len() {
        1 => Ok(roots.remove(0)),
        n => Err(format!(
            "holds {n} certificates: exactly one root is trusted"
        )),
    }
}
