//! What a client proves by a certificate (RFC 8705 §2): that it holds the key is the handshake's part,
//! whose it is is decided here.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use webpki::{EndEntityCert, KeyUsage};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::distinguished_name::DistinguishedName;
use crate::clock::Timestamp;
use crate::jose::jwks::{Jwks, Thumbprint};
use crate::jose::public_key::PublicKey;

/// The certificates that a client showed, its own first. Whoever hands them over has seen that the
/// client holds the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    own: CertificateDer<'static>,
    issuers: Vec<CertificateDer<'static>>,
}

/// How a proxy writes a client's certificate in a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeaderFormat {
    /// As RFC 9440 §2 has it: base64 between colons.
    #[default]
    Rfc9440,
    /// PEM with percent escapes: nginx's `$ssl_client_escaped_cert`, Envoy's `%DOWNSTREAM_PEER_CERT%`.
    EscapedPem,
}

impl Presented {
    /// Takes the chain of a handshake.
    pub fn of_handshake(chain: &[CertificateDer<'_>]) -> Option<Presented> {
        let (own, issuers) = chain.split_first()?;
        Some(Presented {
            own: own.clone().into_owned(),
            issuers: issuers.iter().map(|c| c.clone().into_owned()).collect(),
        })
    }

    /// Reads a header that a proxy wrote.
    pub fn of_header(value: &str, format: HeaderFormat) -> Option<Presented> {
        let own = match format {
            HeaderFormat::Rfc9440 => {
                let inner = value.trim().strip_prefix(':')?.strip_suffix(':')?;
                CertificateDer::from(STANDARD.decode(inner).ok()?)
            }
            HeaderFormat::EscapedPem => {
                let pem = percent_decode_str(value).decode_utf8().ok()?;
                CertificateDer::from_pem_slice(pem.as_bytes()).ok()?
            }
        };
        Some(Presented {
            own,
            issuers: Vec::new(),
        })
    }

    /// RFC 8705 §2.1: one of `authorities` issued it, for clients, and it names the client.
    pub fn names(
        &self,
        subject: &CertificateSubject,
        authorities: &[CertificateDer<'static>],
        now: Timestamp,
    ) -> bool {
        self.is_issued_by(authorities, now) && self.parsed().is_some_and(|own| subject.names(&own))
    }

    fn is_issued_by(&self, authorities: &[CertificateDer<'static>], now: Timestamp) -> bool {
        let anchors: Vec<_> = authorities
            .iter()
            .filter_map(|authority| webpki::anchor_from_trusted_cert(authority).ok())
            .collect();
        let (Ok(own), Ok(at)) = (EndEntityCert::try_from(&self.own), u64::try_from(now.0)) else {
            return false;
        };
        own.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            &self.issuers,
            UnixTime::since_unix_epoch(Duration::from_secs(at)),
            KeyUsage::client_auth(),
            None,
            None,
        )
        .is_ok()
    }

    /// RFC 8705 §2.2: the client registered it, or its key where it registered no certificate for
    /// the key. Nobody else vouches for it, but its own dates hold.
    pub fn is_registered(&self, keys: &Jwks, now: Timestamp) -> bool {
        let Some(own) = self.parsed() else {
            return false;
        };
        let validity = own.tbs_certificate.validity;
        let (from, to) = (
            validity.not_before.to_unix_duration().as_secs(),
            validity.not_after.to_unix_duration().as_secs(),
        );
        let is_current = u64::try_from(now.0).is_ok_and(|now| (from..=to).contains(&now));
        let Some(key) = public_key(&own) else {
            return false;
        };
        is_current
            && keys.registered().any(|registered| {
                let is_other = |certificate: Vec<u8>| certificate != *self.own;
                registered.key == key && !registered.certificate.is_some_and(is_other)
            })
    }

    /// RFC 8705 §3.1: by which tokens are bound to it.
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::of(&self.own)
    }

    fn parsed(&self) -> Option<Certificate> {
        Certificate::from_der(&self.own).ok()
    }
}

/// The one name by which a client is known in certificates that others issue (RFC 8705 §2.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateSubject {
    /// Its distinguished name, as RFC 4514 writes it.
    SubjectDn(DistinguishedName),
    /// A host name among its alternative names.
    SanDns(AlternativeName),
    /// An address among them, compared as a whole string.
    SanUri(AlternativeName),
    /// An IP address among them.
    SanIp(IpAddr),
    /// An e-mail address among them, compared as a whole string.
    SanEmail(AlternativeName),
}

impl CertificateSubject {
    fn names(&self, certificate: &Certificate) -> bool {
        let certificate = &certificate.tbs_certificate;
        let any = |is_it: &dyn Fn(&GeneralName) -> bool| {
            let names = certificate.get::<SubjectAltName>();
            names.is_ok_and(|found| found.is_some_and(|(_, names)| names.0.iter().any(is_it)))
        };
        match self {
            CertificateSubject::SubjectDn(name) => name.is(&certificate.subject),
            CertificateSubject::SanDns(name) => any(&|shown| match shown {
                GeneralName::DnsName(dns) => dns.as_str().eq_ignore_ascii_case(&name.0),
                _ => false,
            }),
            CertificateSubject::SanUri(name) => any(&|shown| match shown {
                GeneralName::UniformResourceIdentifier(uri) => uri.as_str() == name.0,
                _ => false,
            }),
            CertificateSubject::SanIp(ip) => any(&|shown| *shown == GeneralName::from(*ip)),
            CertificateSubject::SanEmail(name) => any(&|shown| match shown {
                GeneralName::Rfc822Name(email) => email.as_str() == name.0,
                _ => false,
            }),
        }
    }
}

/// An alternative name as certificates hold it: visible ASCII.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AlternativeName(String);

impl AlternativeName {
    /// The most bytes of one.
    pub const LONGEST: usize = 2048;
}

impl<'de> Deserialize<'de> for AlternativeName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let sound = (1..=AlternativeName::LONGEST).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic());
        sound.then_some(AlternativeName(text)).ok_or_else(|| {
            serde::de::Error::custom("a name in a certificate is ASCII without spaces")
        })
    }
}

/// The key of a certificate, as a key set would hold it.
fn public_key(certificate: &Certificate) -> Option<PublicKey> {
    let info = &certificate.tbs_certificate.subject_public_key_info;
    let bits = info.subject_public_key.as_bytes()?.to_vec();
    let curve = || info.algorithm.parameters.as_ref()?.to_der().ok();
    match info.algorithm.oid {
        oid::RSA => {
            let key = RsaPublicKey::from_der(&bits).ok()?;
            PublicKey::rsa(key.modulus.as_bytes(), key.exponent.as_bytes())
        }
        oid::EC if curve()? == oid::P256.to_der().ok()? => Some(PublicKey::P256(bits)),
        oid::EC if curve()? == oid::P384.to_der().ok()? => Some(PublicKey::P384(bits)),
        oid::ED25519 => Some(PublicKey::Ed25519(bits)),
        _ => None,
    }
}

/// RFC 8017 §A.1.1.
#[derive(x509_cert::der::Sequence)]
struct RsaPublicKey<'a> {
    modulus: x509_cert::der::asn1::UintRef<'a>,
    exponent: x509_cert::der::asn1::UintRef<'a>,
}

mod oid {
    use x509_cert::der::asn1::ObjectIdentifier;

    /// RFC 8017 §A.1.
    pub const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    /// RFC 5480 §2.1.1.
    pub const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    pub const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    pub const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
    /// RFC 8410 §3.
    pub const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
}

#[cfg(all(test, feature = "simulator"))]
mod tests {
    use super::*;
    use crate::clock::{Clock, Seconds};
    use crate::testing::Signer;
    use crate::testing::certificates::{ClientAuthority, Made};
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use serde_json::{Value, json};

    fn subject(value: Value) -> CertificateSubject {
        serde_json::from_value(value).expect("a subject")
    }

    fn shown(certificate: &CertificateDer<'static>) -> Presented {
        Presented::of_handshake(std::slice::from_ref(certificate)).expect("a certificate")
    }

    #[test]
    fn a_certificate_that_an_authority_issued_names_the_client() {
        let _shows = crate::shows!(accepting "TK-12", refusing "TK-12");
        let now = Clock::system().now();
        let (ours, others) = (ClientAuthority::new(), ClientAuthority::new());
        let authorities = [ours.root()];
        let own = shown(&ours.issue().der);
        for (right, wrong) in [
            (
                json!({"subject_dn": "CN=client\\, one,O=Kommunen,C=SE"}),
                json!({"subject_dn": "CN=client,O=Kommunen,C=SE"}),
            ),
            (
                json!({"san_dns": "Client.example"}),
                json!({"san_dns": "lient.example"}),
            ),
            (
                json!({"san_uri": "https://client.example/id"}),
                json!({"san_uri": "https://client.example/ID"}),
            ),
            (
                json!({"san_ip": "192.0.2.7"}),
                json!({"san_ip": "192.0.2.8"}),
            ),
            (
                json!({"san_ip": "2001:db8:0::7"}),
                json!({"san_ip": "::ffff:192.0.2.7"}),
            ),
            (
                json!({"san_email": "it@client.example"}),
                json!({"san_email": "IT@client.example"}),
            ),
            // A name of another kind is another name.
            (
                json!({"san_dns": "client.example"}),
                json!({"san_uri": "client.example"}),
            ),
            (
                json!({"san_dns": "client.example"}),
                json!({"san_email": "client.example"}),
            ),
        ] {
            assert!(
                own.names(&subject(right.clone()), &authorities, now),
                "{right}"
            );
            assert!(
                !own.names(&subject(wrong.clone()), &authorities, now),
                "{wrong}"
            );
        }
        let right = subject(json!({"san_dns": "client.example"}));
        let year = Seconds(366 * 24 * 60 * 60);
        assert!(!own.names(&right, &[], now));
        assert!(!own.names(&right, &[others.root()], now));
        assert!(!own.names(&right, &authorities, now + year));
        assert!(!own.names(&right, &authorities, now - year));
        let server = ours.issue_for(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
        for other in [others.issue(), Made::self_signed(), server] {
            assert!(!shown(&other.der).names(&right, &authorities, now));
        }
        let unsound = serde_json::from_value::<CertificateSubject>;
        for bad in [
            json!({"san_dns": "a b"}),
            json!({"san_dns": ""}),
            json!({"san_ip": "client.example"}),
            json!({"san_dns": "a", "san_uri": "b"}),
            json!({"cn": "a"}),
            json!({}),
        ] {
            assert!(unsound(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_certificate_of_the_clients_making_is_registered_itself_or_by_its_key() {
        let _shows = crate::shows!(accepting "TK-12", refusing "TK-12");
        let now = Clock::system().now();
        let (first, other) = (Made::self_signed(), Made::self_signed());
        let renewed = first.renewed();
        let set = |key: Value| Jwks::parse(json!({"keys": [key]})).expect("keys");
        let with = |der: &[u8]| {
            let mut key = first.jwk();
            key["x5c"] = json!([STANDARD.encode(der)]);
            set(key)
        };
        let (by_key, by_certificate) = (set(first.jwk()), with(&first.der));
        let is_registered =
            |made: &Made, keys: &Jwks, now| shown(&made.der).is_registered(keys, now);
        assert!(is_registered(&first, &by_key, now));
        assert!(is_registered(&renewed, &by_key, now));
        assert!(is_registered(&first, &by_certificate, now));
        assert!(!is_registered(&renewed, &by_certificate, now));
        assert!(!is_registered(&other, &by_key, now));
        assert!(!is_registered(&other, &with(&other.der), now));
        let year = Seconds(366 * 24 * 60 * 60);
        assert!(!is_registered(&first, &by_key, now + year));
        assert!(!is_registered(&first, &by_key, now - year));
    }

    #[test]
    fn every_kind_of_key_is_found_in_a_certificate() {
        let _shows = crate::shows!(accepting "TK-12");
        let now = Clock::system().now();
        let (signer, other) = (Signer::new(), Signer::new());
        let keys = Jwks::parse(signer.jwks()).expect("keys");
        let authority = ClientAuthority::new();
        for (name, certificate) in authority.issue_for_all(&signer) {
            assert!(shown(&certificate).is_registered(&keys, now), "{name}");
        }
        for (name, certificate) in authority.issue_for_all(&other) {
            assert!(!shown(&certificate).is_registered(&keys, now), "{name}");
        }
    }

    #[test]
    fn a_proxys_header_is_read_in_its_own_format_alone() {
        let _shows = crate::shows!(accepting "GE-02", refusing "GE-02");
        let made = Made::self_signed();
        let rfc9440 = format!(":{}:", STANDARD.encode(&made.der));
        let escaped = utf8_percent_encode(&made.pem, NON_ALPHANUMERIC).to_string();
        let read = |value: &str, format| Presented::of_header(value, format);
        let whole = Some(shown(&made.der));
        assert_eq!(read(&rfc9440, HeaderFormat::Rfc9440), whole);
        assert_eq!(read(&escaped, HeaderFormat::EscapedPem), whole);
        assert_eq!(read(&escaped, HeaderFormat::Rfc9440), None);
        assert_eq!(read(&rfc9440, HeaderFormat::EscapedPem), None);
        for bad in ["", ":", "::x", "(null)", &rfc9440[1..], &escaped[..60]] {
            assert_eq!(read(bad, HeaderFormat::Rfc9440), None, "{bad}");
            assert_eq!(read(bad, HeaderFormat::EscapedPem), None, "{bad}");
        }
        let garbage = read(":AAAA:", HeaderFormat::Rfc9440).expect("bytes");
        let keys = Jwks::parse(Signer::new().jwks()).expect("keys");
        assert!(!garbage.is_registered(&keys, Clock::system().now()));
    }
}
