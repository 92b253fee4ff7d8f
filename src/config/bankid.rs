//! `[bankid]`: host, trust, certificate and launch links of one environment, which belong
//! together.

use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

use super::Findings;
use super::written::{self, Environment};
use crate::bankid::client::{Client, SetupError};
use crate::bankid::launch::AppLinks;

/// One BankID.
#[derive(Debug)]
pub struct BankId {
    /// Its API, with a slash at the end.
    pub base: Url,
    /// The one root that its server certificate must come from.
    pub root: CertificateDer<'static>,
    /// Our certificate, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    /// Where the app is started.
    pub links: AppLinks,
    /// Whether its people are nobody.
    pub simulated: bool,
}

impl Clone for BankId {
    fn clone(&self) -> BankId {
        BankId {
            base: self.base.clone(),
            root: self.root.clone(),
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            links: self.links.clone(),
            simulated: self.simulated,
        }
    }
}

const PRODUCTION: &str = "https://appapi2.bankid.com/rp/v6.0/";
const TEST: &str = "https://appapi2.test.bankid.com/rp/v6.0/";

impl BankId {
    pub(super) fn check(
        written: &written::BankId,
        base: &Path,
        found: &mut Findings,
    ) -> Option<BankId> {
        let place = place(written, found);
        let root = found.take(
            "bankid.root_file",
            certificates(&base.join(&written.root_file)).and_then(|mut roots| match roots.len() {
                1 => Ok(roots.remove(0)),
                n => Err(format!(
                    "holds {n} certificates: exactly one root is trusted"
                )),
            }),
        );
        let chain = found.take(
            "bankid.certificate_file",
            certificates(&base.join(&written.certificate_file)),
        );
        let key = found.take(
            "bankid.key_file",
            PrivateKeyDer::from_pem_file(base.join(&written.key_file)).map_err(|e| e.to_string()),
        );
        let (url, links) = place?;
        Some(BankId {
            base: url,
            root: root?,
            chain: chain?,
            key: key?,
            links,
            simulated: written.environment == Environment::Simulator,
        })
    }

    /// A client for it.
    pub fn connect(&self) -> Result<Client, SetupError> {
        Client::new(
            self.base.clone(),
            self.root.clone(),
            self.chain.clone(),
            self.key.clone_key(),
        )
    }
}

fn place(written: &written::BankId, found: &mut Findings) -> Option<(Url, AppLinks)> {
    let fixed = |address: &str| Url::parse(address).expect("a constant address");
    match (written.environment, &written.url, &written.phone_url) {
        (Environment::Production, None, None) => Some((fixed(PRODUCTION), AppLinks::bankid())),
        (Environment::Test, None, None) => Some((fixed(TEST), AppLinks::bankid())),
        (Environment::Simulator, Some(url), Some(phone)) if url.scheme() == "https" => {
            let mut base = url.clone();
            base.set_path(&format!("{}/", url.path().trim_end_matches('/')));
            Some((base, AppLinks::simulated(phone)))
        }
        (Environment::Simulator, _, _) => {
            found.add("bankid", "a simulator needs url (https) and phone_url");
            None
        }
        _ => {
            found.add("bankid", "url and phone_url are for a simulator alone");
            None
        }
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read =
        CertificateDer::pem_file_iter(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let certificates: Result<Vec<_>, _> = read.collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(format!("{}: no certificate in PEM", file.display()))
        }
        Ok(certificates) => Ok(certificates),
        Err(e) => Err(format!("{}: {e}", file.display())),
    }
}
