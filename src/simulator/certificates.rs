//! Certificates made at start: a root for the simulator's own server, and an authority that issues
//! relying-party certificates as a bank would.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::clock::{Seconds, Timestamp};
use crate::random::Random;

/// A certificate that could not be made or used.
#[derive(Debug, Error)]
pub enum Failed {
    /// By the library that makes them.
    #[error("a certificate cannot be made: {0}")]
    Made(#[from] rcgen::Error),
    /// By the library that uses them.
    #[error("a certificate cannot be used: {0}")]
    Used(#[from] rustls::Error),
    /// It, or what stands in it, is not what it should be.
    #[error("a certificate cannot be read")]
    Parsed,
    /// The verifier of client certificates.
    #[error("client certificates cannot be verified: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// How long what is made here is good for.
const VALIDITY: Seconds = Seconds(365 * 24 * 60 * 60);
/// Clocks of other programs may be a little behind.
const SLACK: Seconds = Seconds(60 * 60);

/// An authority that issues certificates.
pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
    now: Timestamp,
    random: Random,
}

/// A certificate with its key.
pub struct Identity {
    /// The certificate in DER.
    pub certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Identity {
    /// The certificate in PEM.
    pub fn certificate_pem(&self) -> String {
        pem(&self.certificate)
    }

    /// The key in PEM (PKCS#8).
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Certificate and key as a server shows them.
    pub fn certified(&self) -> Result<CertifiedKey, rustls::Error> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        CertifiedKey::from_der(vec![self.certificate.clone()], self.key(), &provider)
    }

    /// The key in DER.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()))
    }
}

impl Authority {
    /// A root of its own.
    pub fn new(name: &str, random: &Random, now: Timestamp) -> Result<Authority, Failed> {
        let key = KeyPair::generate()?;
        let mut params = params(name, Vec::new(), random, now)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        Ok(Authority {
            certificate,
            issuer: Issuer::new(params, key),
            now,
            random: random.clone(),
        })
    }

    /// The root in DER.
    pub fn root(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    /// The root in PEM.
    pub fn root_pem(&self) -> String {
        pem(self.certificate.der())
    }

    /// A server's certificate for these names.
    pub fn server(&self, hosts: &[&str]) -> Result<Identity, Failed> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let name = hosts.first().cloned().unwrap_or_default();
        let mut params = params(&name, hosts, &self.random, self.now)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params)
    }

    /// A relying party's certificate. `display_name` is what a person sees in the app.
    pub fn relying_party(&self, display_name: &str) -> Result<Identity, Failed> {
        let mut params = params("Relying party", Vec::new(), &self.random, self.now)?;
        params
            .distinguished_name
            .push(DnType::CustomDnType(NAME.to_vec()), display_name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        self.issue(params)
    }

    fn issue(&self, mut params: CertificateParams) -> Result<Identity, Failed> {
        // Clients that verify strictly, as Python's do from 3.13 on, refuse a certificate without.
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Identity {
            certificate: certificate.der().clone(),
            key,
        })
    }
}

/// The attribute `name` (X.520): BankID shows it to the person.
const NAME: [u64; 4] = [2, 5, 4, 41];

fn params(
    name: &str,
    hosts: Vec<String>,
    random: &Random,
    now: Timestamp,
) -> Result<CertificateParams, Failed> {
    let mut params = CertificateParams::new(hosts)?;
    let mut dn = DistinguishedName::new();
    dn.push(DnType::CountryName, "SE");
    dn.push(DnType::OrganizationName, "Portvakt");
    dn.push(DnType::CommonName, name);
    params.distinguished_name = dn;
    params.not_before = date(now - SLACK);
    params.not_after = date(now + VALIDITY);
    let mut serial = random.bytes::<16>();
    serial[0] &= 0x7f;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

/// A second as the library of certificates writes it.
pub(super) fn date(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.0).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// A certificate in PEM.
pub(super) fn pem(der: &CertificateDer<'_>) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

/// What a server shows, and whose clients it takes: with `clients`, nobody without a certificate
/// of theirs gets in.
pub fn server_config(
    identity: &Identity,
    clients: Option<&Authority>,
) -> Result<Arc<rustls::ServerConfig>, Failed> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.root())?;
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?,
            )
        }
    };
    let chain = vec![identity.certificate.clone()];
    let mut config = builder.with_single_cert(chain, identity.key())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The display name in a relying party's certificate.
pub fn display_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    parsed
        .subject()
        .iter_attributes()
        .find(|attribute| attribute.attr_type().to_id_string() == "2.5.4.41")
        .and_then(|attribute| attribute.as_str().ok())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_people_see_is_in_the_certificate() {
        let random = Random::seeded(1);
        let banks = Authority::new("Banks", &random, Timestamp(1_800_000_000)).expect("made");
        let party = banks.relying_party("Kommunen åäö").expect("made");
        assert_eq!(
            display_name(&party.certificate).as_deref(),
            Some("Kommunen åäö")
        );
        assert_eq!(display_name(&banks.root()), None);
        assert!(
            party
                .certificate_pem()
                .starts_with("-----BEGIN CERTIFICATE-----\nMI")
        );
    }
}
