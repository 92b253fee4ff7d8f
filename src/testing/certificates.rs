//! Certificates of client applications, made for a test.

use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SignatureAlgorithm,
};
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::Signer;
use crate::clock::Clock;

/// An authority that issues certificates to client applications.
pub struct ClientAuthority {
    root: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, on P-256.
pub struct Made {
    /// The certificate.
    pub der: CertificateDer<'static>,
    /// It and its key, in PEM.
    pub pem: String,
    key: KeyPair,
}

impl Made {
    fn of(certificate: &rcgen::Certificate, key: KeyPair) -> Made {
        Made {
            der: certificate.der().clone(),
            pem: format!("{}{}", certificate.pem(), key.serialize_pem()),
            key,
        }
    }

    /// A certificate that nobody vouches for.
    pub fn self_signed() -> Made {
        let key = KeyPair::generate().expect("a key");
        Made::of(&params().self_signed(&key).expect("made"), key)
    }

    /// Another one for the same key.
    pub fn renewed(&self) -> Made {
        let key = KeyPair::from_pem(&self.key.serialize_pem()).expect("a key");
        Made::of(&params().self_signed(&key).expect("made"), key)
    }

    /// By which tokens are bound to it (RFC 8705 §3.1).
    pub fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.der))
    }

    /// The key as a key set holds it.
    pub fn jwk(&self) -> Value {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        // A byte that says what follows, and then both coordinates.
        let (x, y) = self.key.der_bytes()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "x": part(x), "y": part(y)})
    }
}

impl ClientAuthority {
    /// One that nobody has heard of.
    #[expect(clippy::new_without_default, reason = "they differ each time")]
    pub fn new() -> ClientAuthority {
        let key = KeyPair::generate().expect("a key");
        let mut params = params();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.subject_alt_names.clear();
        let root = params.self_signed(&key).expect("made");
        ClientAuthority {
            root,
            issuer: Issuer::new(params, key),
        }
    }

    /// Its own certificate.
    pub fn root(&self) -> CertificateDer<'static> {
        self.root.der().clone()
    }

    /// The same in PEM.
    pub fn root_pem(&self) -> String {
        self.root.pem()
    }

    /// A certificate for `CN=client\, one,O=Kommunen,C=SE`, with every kind of alternative name.
    pub fn issue(&self) -> Made {
        self.issue_for(ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// The same for another purpose.
    pub fn issue_for(&self, purpose: ExtendedKeyUsagePurpose) -> Made {
        let key = KeyPair::generate().expect("a key");
        let mut params = params();
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, &self.issuer).expect("made");
        Made::of(&certificate, key)
    }

    /// Certificates for each of somebody's keys, with their names.
    pub fn issue_for_all(&self, signer: &Signer) -> Vec<(&'static str, CertificateDer<'static>)> {
        let keys: [(_, &[u8], _); 4] = [
            (
                "rsa",
                signer.rsa.public_key().as_ref(),
                &rcgen::PKCS_RSA_SHA256,
            ),
            (
                "ec",
                signer.p256.public_key().as_ref(),
                &rcgen::PKCS_ECDSA_P256_SHA256,
            ),
            (
                "p384",
                signer.p384.public_key().as_ref(),
                &rcgen::PKCS_ECDSA_P384_SHA384,
            ),
            (
                "ed",
                signer.ed25519.public_key().as_ref(),
                &rcgen::PKCS_ED25519,
            ),
        ];
        let issue = |(name, bytes, algorithm)| {
            let certificate = params().signed_by(&Held { bytes, algorithm }, &self.issuer);
            (name, certificate.expect("made").der().clone())
        };
        keys.into_iter().map(issue).collect()
    }
}

struct Held<'a> {
    bytes: &'a [u8],
    algorithm: &'static SignatureAlgorithm,
}

impl PublicKeyData for Held<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.bytes
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    let name = &mut params.distinguished_name;
    *name = rcgen::DistinguishedName::new();
    name.push(DnType::CountryName, "SE");
    name.push(DnType::OrganizationName, "Kommunen");
    name.push(DnType::CommonName, "client, one");
    let text = |text: &str| text.try_into().expect("ASCII");
    params.subject_alt_names = vec![
        SanType::DnsName(text("client.example")),
        SanType::URI(text("https://client.example/id")),
        SanType::Rfc822Name(text("it@client.example")),
        SanType::IpAddress([192, 0, 2, 7].into()),
        SanType::IpAddress("2001:db8::7".parse().expect("an address")),
    ];
    let now = OffsetDateTime::from_unix_timestamp(Clock::system().now().0).expect("a time");
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(30);
    params
}
