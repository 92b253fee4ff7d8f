//! BankID's environments: where the API is, the one root that its server certificate comes from, and
//! whose relying-party certificates it takes. What belongs to one never goes with another.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use url::Url;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::order::Kind;
use super::party::fingerprint;

/// What an identification is worth, by where it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It says who somebody is.
    Real,
    /// It was made with a BankID for tests, which anyone can have in any name.
    Test,
    /// Nobody was asked.
    Simulated,
}

impl Worth {
    /// The policies of every kind.
    pub fn all_policies(self) -> Vec<String> {
        [Kind::Mobile, Kind::File, Kind::Card]
            .into_iter()
            .flat_map(|kind| self.policies(kind))
            .map(|policy| (*policy).to_owned())
            .collect()
    }

    /// The policies in the certificates of one kind of BankID. Those of tests are others than real
    /// ones, and never go together with them.
    pub fn policies(self, kind: Kind) -> &'static [&'static str] {
        match (self, kind) {
            (Worth::Real, Kind::File) => &["1.2.752.78.1.1"],
            (Worth::Real, Kind::Card) => &["1.2.752.78.1.2"],
            (Worth::Real, Kind::Mobile) => &["1.2.752.78.1.5"],
            (Worth::Test | Worth::Simulated, Kind::File) => &["1.2.3.4.5"],
            (Worth::Test | Worth::Simulated, Kind::Card) => &["1.2.3.4.10"],
            // Some real banks issue BankIDs for tests, too.
            (Worth::Test | Worth::Simulated, Kind::Mobile) => &["1.2.3.4.25", "1.2.752.60.1.6"],
        }
    }
}

/// An environment that BankID runs itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Official {
    /// Real people.
    Production,
    /// Test people, which anyone can make: they prove nothing.
    Test,
}

/// The roots that BankID hands out, as they are published.
const PRODUCTION_ROOT: &str = include_str!("roots/production.pem");
const TEST_ROOT: &str = include_str!("roots/test.pem");

impl Official {
    /// Whether this is the root of the environment's banks, by its fingerprint. It is never built in:
    /// an operator gets it from BankID.
    pub fn takes_signature_root(self, root: &CertificateDer<'_>) -> Result<(), String> {
        let expected = match self {
            Official::Production => {
                "ca32588e385b961d58e26010c6f8c839f7ca071e497de6b7841640a61506fd31"
            }
            Official::Test => "c6faeaf8ccadcfd0738dc99140ca788c1a19a93f843c5a9ec1369872d50e45f2",
        };
        let shown = fingerprint(root);
        match shown == expected {
            true => Ok(()),
            false => Err(format!(
                "is not the root of the banks in this environment: its SHA-256 is {shown}, expected {expected}"
            )),
        }
    }

    /// The API's address, with a slash at the end.
    pub fn api(self) -> Url {
        let address = match self {
            Official::Production => "https://appapi2.bankid.com/rp/v6.0/",
            Official::Test => "https://appapi2.test.bankid.com/rp/v6.0/",
        };
        Url::parse(address).expect("a constant address")
    }

    /// The one root that the API's certificate comes from. The public web's authorities do not
    /// vouch for BankID, and are not asked.
    pub fn root(self) -> CertificateDer<'static> {
        let pem = match self {
            Official::Production => PRODUCTION_ROOT,
            Official::Test => TEST_ROOT,
        };
        CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate that is built in")
    }

    /// Whether a relying-party certificate is one of this environment's. BankID's test authorities
    /// say so in their names.
    pub fn takes(self, certificate: &CertificateDer<'_>) -> Result<(), String> {
        let (_, parsed) = X509Certificate::from_der(certificate)
            .map_err(|_| "is not a certificate".to_owned())?;
        let issuer = parsed.issuer().to_string();
        let is_test = issuer.contains("for BankID Test");
        match (self, is_test) {
            (Official::Production, true) => Err(format!(
                "is one for BankID's test environment (issuer {issuer}), but the environment is production"
            )),
            (Official::Test, false) => Err(format!(
                "is not one for BankID's test environment (issuer {issuer})"
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_roots_are_those_that_bankid_publishes() {
        let _shows = crate::shows!(accepting "BC-01", accepting "B18");
        for (environment, fingerprint, name) in [
            (
                Official::Production,
                "e6a2d45c0a1051c959428649f86a09a9b2152cd551993cc2eb4cf094bdacbecb",
                "BankID SSL Root CA v1",
            ),
            (
                Official::Test,
                "f3d0740ebfb3700e3b81aa791fee451472698c84e199c2eb48a443ff1d5b405c",
                "Test BankID SSL Root CA v1 Test",
            ),
        ] {
            let root = environment.root();
            assert_eq!(hex::encode(Sha256::digest(&root)), fingerprint);
            let (_, parsed) = X509Certificate::from_der(&root).expect("a certificate");
            assert!(parsed.subject().to_string().contains(name));
        }
    }

    #[cfg(feature = "simulator")]
    #[test]
    fn a_certificate_of_one_environment_is_refused_by_the_other() {
        use crate::clock::Timestamp;
        use crate::random::Random;
        use crate::simulator::certificates::Authority;
        let _shows = crate::shows!(accepting "B18", refusing "B18");
        let random = Random::seeded(1);
        let certificate = |issuer| {
            let bank = Authority::new(issuer, &random, Timestamp(1_800_000_000)).expect("made");
            bank.relying_party("Kommunen").expect("made").certificate
        };
        let test = certificate("Testbank A RP CA v1 for BankID Test");
        let real = certificate("Bank A RP CA v1 for BankID");
        assert_eq!(Official::Test.takes(&test), Ok(()));
        assert_eq!(Official::Production.takes(&real), Ok(()));
        assert!(Official::Production.takes(&test).is_err());
        assert!(Official::Test.takes(&real).is_err());
        assert!(
            Official::Production
                .takes(&CertificateDer::from(vec![1, 2, 3]))
                .is_err()
        );
    }
}
