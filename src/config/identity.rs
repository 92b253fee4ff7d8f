//! Our certificate at BankID with its key, as banks and their tools hand it out: a PKCS#12 container
//! (RFC 7292), or PEM with the key in the clear or encrypted (RFC 5958). A file is told by what is
//! in it, never by its name.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error as ContainerError;
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{Findings, Problem, text_or_file, written};

const CERTIFICATE: &str = "bankid.certificate_file";
const KEY: &str = "bankid.key_file";
const PASSPHRASE: &str = "bankid.passphrase";

/// What opens a private key. Printed as `[passphrase]`.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Passphrase(String);

impl Passphrase {
    /// The passphrase itself.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl From<String> for Passphrase {
    fn from(text: String) -> Passphrase {
        Passphrase(text)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[passphrase]")
    }
}

impl<'de> Deserialize<'de> for Passphrase {
    /// By hand, because serde's own complaint about `passphrase = 1234` quotes it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Passphrase, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Passphrase(text)),
            _ => Err(D::Error::custom("passphrase must be text in quotes")),
        }
    }
}

/// A certificate that BankID knows us by, and its key, which belong together. Printed without them.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}

impl Clone for Identity {
    fn clone(&self) -> Identity {
        Identity {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
        }
    }
}

impl Identity {
    /// Our own certificate.
    pub fn leaf(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }

    /// Our own certificate, and those of its issuers as far as they were there.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The key of our own certificate.
    pub fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    pub(super) fn check(
        written: &written::Certificate,
        base: &Path,
        found: &mut Findings,
    ) -> Option<Identity> {
        let passphrase = found.take(PASSPHRASE, passphrase(written, base));
        let certificate = found.take(CERTIFICATE, content(&base.join(&written.certificate_file)));
        let key = match &written.key_file {
            None => Some(None),
            Some(file) => found.take(KEY, content(&base.join(file))).map(Some),
        };
        let (certificate, key, passphrase) = (certificate?, key?, passphrase?);
        let key = key.as_ref().map(|key| key.as_slice());
        Identity::find(&certificate, key, passphrase.as_ref(), found)
    }

    /// From the contents of `certificate_file` and `key_file`.
    fn find(
        certificate: &[u8],
        key: Option<&[u8]>,
        passphrase: Option<&Passphrase>,
        found: &mut Findings,
    ) -> Option<Identity> {
        let (certificates, key) = if is_pem(certificate) {
            let (place, pem) = key.map_or((CERTIFICATE, certificate), |pem| (KEY, pem));
            let certificates = found.take(CERTIFICATE, certificates(certificate));
            let key = keep(pem_key(pem, place, passphrase), found);
            (certificates?, key?)
        } else if key.is_some() {
            found.add(
                KEY,
                "is left out when certificate_file is not PEM: a PKCS#12 container holds the key",
            );
            return None;
        } else {
            keep(container(certificate, passphrase), found)?
        };
        found.take(CERTIFICATE, Identity::of(certificates, key))
    }

    /// Finds the key's own certificate among `certificates`.
    fn of(
        certificates: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Identity, String> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let signing = provider
            .key_provider
            .load_private_key(key.clone_key())
            .map_err(|_| "its private key is of a kind that is not known here".to_owned())?;
        let is_ours = |certificate: &CertificateDer<'static>| {
            CertifiedKey::new(vec![certificate.clone()], signing.clone())
                .keys_match()
                .is_ok()
        };
        let leaf = certificates
            .iter()
            .find(|certificate| is_ours(certificate))
            .ok_or_else(|| "the certificate and the private key do not belong together".to_owned())?
            .clone();
        Ok(Identity {
            chain: chain(leaf, &certificates),
            key,
        })
    }
}

/// What opens the key, when that is written at all.
fn passphrase(written: &written::Certificate, base: &Path) -> Result<Option<Passphrase>, String> {
    let text = written.passphrase.as_ref().map(Passphrase::text);
    let file = written.passphrase_file.as_deref();
    if text.is_none() && file.is_none() {
        return Ok(None);
    }
    text_or_file(text, file, base, "passphrase").map(|text| Some(Passphrase(text)))
}

/// What is in a file. It may be a key.
pub(super) fn content(file: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    std::fs::read(file)
        .map(Zeroizing::new)
        .map_err(|e| format!("{}: {e}", file.display()))
}

fn is_pem(bytes: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN ";
    bytes.windows(BEGIN.len()).any(|window| window == BEGIN)
}

/// The certificates in PEM; at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err("no certificate in PEM".to_owned()),
        Ok(certificates) => Ok(certificates),
        Err(_) => Err("PEM that cannot be read".to_owned()),
    }
}

/// The one private key in PEM, in the clear or encrypted. `place` is what the file is called.
fn pem_key(
    pem: &[u8],
    place: &str,
    passphrase: Option<&Passphrase>,
) -> Result<PrivateKeyDer<'static>, Problem> {
    let wrong = |reason: &str| problem(place, reason);
    // Other programs write what they like between the sections.
    let text = Zeroizing::new(String::from_utf8_lossy(pem).into_owned());
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(wrong(
            "a private key that is encrypted in OpenSSL's old way: convert it with openssl pkcs8 -topk8",
        ));
    }
    // What the library says of a broken line may quote it.
    let unreadable = "PEM with a private key that cannot be read";
    let mut clear: Vec<PrivateKeyDer<'static>> = PrivateKeyDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| wrong(unreadable))?;
    let encrypted = encrypted_sections(&text).ok_or_else(|| wrong(unreadable))?;
    match (clear.pop(), encrypted.as_slice()) {
        (None, []) => Err(wrong("no private key in PEM")),
        (Some(key), []) if clear.is_empty() => Ok(key),
        (None, [only]) => decrypted(only, place, passphrase),
        _ => Err(wrong("several private keys: exactly one is needed")),
    }
}

/// The sections with encrypted keys, which the PEM library passes by; `None` when one is broken.
fn encrypted_sections(text: &str) -> Option<Vec<Vec<u8>>> {
    text.split("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        .skip(1)
        .map(|rest| {
            let (body, _) = rest.split_once("-----END ENCRYPTED PRIVATE KEY-----")?;
            STANDARD
                .decode(body.split_whitespace().collect::<String>())
                .ok()
        })
        .collect()
}

fn decrypted(
    der: &[u8],
    place: &str,
    passphrase: Option<&Passphrase>,
) -> Result<PrivateKeyDer<'static>, Problem> {
    let unknown = "a private key that is encrypted in a way that is not known here: convert it with openssl pkcs8 -topk8";
    let sealed = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| problem(place, unknown))?;
    match sealed.decrypt(passphrase.map_or("", Passphrase::text)) {
        Ok(key) => Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into()),
        // Now and then a wrong passphrase ends in something that only looks decrypted.
        Err(
            pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::DecryptFailed)
            | pkcs8::Error::Asn1(_),
        ) => Err(does_not_open(place, passphrase)),
        Err(_) => Err(problem(place, unknown)),
    }
}

/// The certificates and the one private key of a PKCS#12 container.
fn container(
    der: &[u8],
    passphrase: Option<&Passphrase>,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Problem> {
    let text = passphrase.map_or("", Passphrase::text);
    let archive =
        Pkcs12Archive::from_pkcs12(der, text).map_err(|e| not_opened(&e, der, passphrase))?;
    let key = match archive.keys.as_slice() {
        [only] => PrivatePkcs8KeyDer::from(only.key.as_der().to_vec()).into(),
        [] => return Err(problem(CERTIFICATE, "PKCS#12 without a private key")),
        several => {
            return Err(problem(
                CERTIFICATE,
                format!(
                    "PKCS#12 with {} private keys: exactly one is needed",
                    several.len()
                ),
            ));
        }
    };
    let certificates: Vec<_> = archive
        .certs
        .iter()
        .map(|bag| CertificateDer::from(bag.cert.as_der().to_vec()))
        .collect();
    if certificates.is_empty() {
        return Err(problem(CERTIFICATE, "PKCS#12 without a certificate"));
    }
    Ok((certificates, key))
}

fn not_opened(error: &ContainerError, der: &[u8], passphrase: Option<&Passphrase>) -> Problem {
    let reason = match error {
        ContainerError::MacError(_) | ContainerError::UnpadError => {
            return does_not_open(CERTIFICATE, passphrase);
        }
        ContainerError::DerError(_) if X509Certificate::from_der(der).is_ok() => {
            "a certificate in DER: PEM or PKCS#12 is needed"
        }
        ContainerError::DerError(_) => "neither PEM nor PKCS#12 that can be read",
        // Without a MAC it cannot be told which of them it is.
        ContainerError::Pkcs5Error(_) => {
            "PKCS#12 that cannot be decrypted: it has another passphrase, or an encryption that is not known here"
        }
        ContainerError::UnsupportedEncryptionScheme | ContainerError::UnsupportedMacAlgorithm => {
            "PKCS#12 with an encryption or a MAC that is not known here"
        }
        _ => "PKCS#12 with something in it that cannot be read",
    };
    problem(CERTIFICATE, reason)
}

fn does_not_open(place: &str, passphrase: Option<&Passphrase>) -> Problem {
    let reason = match passphrase {
        Some(_) => format!("does not open {place}"),
        None => format!("is needed: {place} is encrypted"),
    };
    problem(PASSPHRASE, reason)
}

/// The leaf, then each one's issuer as far as `certificates` holds it. Others are left out: containers
/// carry what their makers happened to have.
fn chain(
    leaf: CertificateDer<'static>,
    certificates: &[CertificateDer<'static>],
) -> Vec<CertificateDer<'static>> {
    let mut chain = vec![leaf];
    while let Some(next) = issuer(&chain, certificates) {
        chain.push(next.clone());
    }
    chain
}

/// The issuer of the chain's end. Each certificate is taken once, so a chain always ends.
fn issuer<'a>(
    chain: &[CertificateDer<'static>],
    certificates: &'a [CertificateDer<'static>],
) -> Option<&'a CertificateDer<'static>> {
    let (_, wanted) = names(chain.last()?)?;
    certificates.iter().find(|candidate| {
        !chain.contains(candidate) && names(candidate).is_some_and(|(subject, _)| subject == wanted)
    })
}

/// Subject and issuer of a certificate, in DER.
fn names(certificate: &CertificateDer<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some((
        parsed.subject().as_raw().to_vec(),
        parsed.issuer().as_raw().to_vec(),
    ))
}

fn problem(key: &str, reason: impl Into<String>) -> Problem {
    Problem {
        key: key.to_owned(),
        reason: reason.into(),
    }
}

fn keep<T>(result: Result<T, Problem>, found: &mut Findings) -> Option<T> {
    result
        .map_err(|problem| found.add(&problem.key, problem.reason))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bankid::environment::Official;
    use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!("../../tests/fixtures/", $name)).as_slice()
        };
    }

    const MODERN: &[u8] = fixture!("relying-party.p12");
    const LEGACY: &[u8] = fixture!("relying-party-legacy.pfx");
    const NO_PASSPHRASE: &[u8] = fixture!("no-passphrase.p12");
    const NO_KEY: &[u8] = fixture!("no-key.p12");
    const PEM: &[u8] = fixture!("relying-party.pem");
    const ENCRYPTED_KEY: &[u8] = fixture!("relying-party-encrypted.key");
    const TRADITIONAL_KEY: &[u8] = fixture!("relying-party-traditional.key");
    const STRANGER: &[u8] = fixture!("stranger.key");
    const RIGHT: Option<&str> = Some("qwerty123");

    fn find(
        certificate: &[u8],
        key: Option<&[u8]>,
        passphrase: Option<&str>,
    ) -> Result<Identity, Vec<String>> {
        let passphrase = passphrase.map(|text| Passphrase::from(text.to_owned()));
        let mut found = Findings::default();
        let identity = Identity::find(certificate, key, passphrase.as_ref(), &mut found);
        identity.ok_or_else(|| found.0.iter().map(Problem::to_string).collect())
    }

    fn pem(label: &str, der: &[u8]) -> Vec<u8> {
        let body = STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").into_bytes()
    }

    fn both(one: &[u8], other: &[u8]) -> Vec<u8> {
        [one, other].concat()
    }

    /// The key in the clear, which stands in no file.
    fn clear_key() -> Vec<u8> {
        let identity = find(MODERN, None, RIGHT).expect("a good container");
        pem("PRIVATE KEY", identity.key().secret_der())
    }

    /// A container with as many keys, each with the same certificate.
    fn container_of(keys: &[&str]) -> Vec<u8> {
        let good = Pkcs12Archive::from_pkcs12(MODERN, "qwerty123").expect("a good container");
        let mut store = KeyStore::new();
        for name in keys {
            let key = PrivateKey::from_der(good.keys[0].key.as_der()).expect("a key");
            let certificate = Certificate::from_der(good.certs[0].cert.as_der()).expect("one");
            let entry = PrivateKeyChain::new(*name, key, [certificate]);
            store.add_entry(name, KeyStoreEntry::PrivateKeyChain(entry));
        }
        store
            .writer("qwerty123")
            .encryption_iterations(10)
            .mac_iterations(10)
            .write()
            .expect("written")
    }

    #[test]
    fn every_form_gives_the_same_certificate_and_key() {
        let _shows = crate::shows!(accepting "BP-33", accepting "PV-CONFIG-2");
        let clear = clear_key();
        let (first, last) = (both(&clear, PEM), both(PEM, ENCRYPTED_KEY));
        let noisy = both(b"Bag Attributes\n    friendlyName: \xe5\xe4\xf6\n", &last);
        let expected = find(MODERN, None, RIGHT).expect("a good container");
        for (name, certificate, key, passphrase, certificates) in [
            ("modern", MODERN, None, RIGHT, 1),
            ("legacy, with a chain", LEGACY, None, RIGHT, 2),
            ("no passphrase", NO_PASSPHRASE, None, None, 1),
            ("an empty passphrase", NO_PASSPHRASE, None, Some(""), 1),
            ("a key in the clear", PEM, Some(clear.as_slice()), None, 1),
            ("a needless passphrase", PEM, Some(&clear), RIGHT, 1),
            ("an encrypted key", PEM, Some(ENCRYPTED_KEY), RIGHT, 1),
            ("one file", &first, None, None, 1),
            ("one file, encrypted", &last, None, RIGHT, 1),
            ("one file, named twice", &last, Some(&last), RIGHT, 1),
            ("one file, with remarks", &noisy, None, RIGHT, 1),
        ] {
            let identity = find(certificate, key, passphrase)
                .unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
            assert_eq!(identity.leaf(), expected.leaf(), "{name}");
            assert_eq!(identity.key(), expected.key(), "{name}");
            assert_eq!(identity.chain().len(), certificates, "{name}");
            assert_eq!(Official::Test.takes(identity.leaf()), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_chain_is_the_leaf_and_its_issuers_whatever_else_is_there() {
        let legacy = find(LEGACY, None, RIGHT).expect("a good container");
        let mixed: Vec<u8> = legacy
            .chain()
            .iter()
            .rev()
            .chain(legacy.chain())
            .flat_map(|certificate| pem("CERTIFICATE", certificate))
            .collect();
        let unlike = crate::bankid::environment::Official::Production.root();
        let mixed = both(&pem("CERTIFICATE", &unlike), &mixed);
        let found = find(&mixed, Some(&clear_key()), None).expect("good PEM");
        assert_eq!(found.chain(), legacy.chain());
    }

    #[test]
    fn what_does_not_open_or_fit_is_one_clear_line() {
        let _shows = crate::shows!(refusing "PV-CONFIG-2");
        let clear = clear_key();
        let leaf = find(MODERN, None, RIGHT).expect("good").leaf().to_vec();
        let several = "several private keys: exactly one is needed";
        let two = both(&clear, ENCRYPTED_KEY);
        let broken = b"-----BEGIN PRIVATE KEY-----\nqwerty123!\n-----END PRIVATE KEY-----\n";
        let cut = &ENCRYPTED_KEY[..600];
        let old = pem("ENCRYPTED PRIVATE KEY", &[0x30, 0x00]);
        let (containers, none) = (container_of(&["one", "two"]), container_of(&[]));
        for (certificate, key, passphrase, line) in [
            (
                MODERN,
                None,
                Some("Qwerty123"),
                "passphrase: does not open bankid.certificate_file",
            ),
            (
                MODERN,
                None,
                None,
                "passphrase: is needed: bankid.certificate_file is encrypted",
            ),
            (
                LEGACY,
                None,
                Some("qwerty12"),
                "passphrase: does not open bankid.certificate_file",
            ),
            (
                LEGACY,
                None,
                None,
                "passphrase: is needed: bankid.certificate_file is encrypted",
            ),
            (
                NO_PASSPHRASE,
                None,
                RIGHT,
                "passphrase: does not open bankid.certificate_file",
            ),
            (
                NO_KEY,
                None,
                RIGHT,
                "certificate_file: PKCS#12 without a private key",
            ),
            (
                &none,
                None,
                RIGHT,
                "certificate_file: PKCS#12 without a private key",
            ),
            (
                &containers,
                None,
                RIGHT,
                "certificate_file: PKCS#12 with 2 private keys: exactly one is needed",
            ),
            (
                MODERN,
                Some(clear.as_slice()),
                RIGHT,
                "key_file: is left out when certificate_file is not PEM: a PKCS#12 container holds the key",
            ),
            (
                b"garbage",
                None,
                RIGHT,
                "certificate_file: neither PEM nor PKCS#12 that can be read",
            ),
            (
                b"",
                None,
                None,
                "certificate_file: neither PEM nor PKCS#12 that can be read",
            ),
            (
                &MODERN[..MODERN.len() - 1],
                None,
                RIGHT,
                "certificate_file: neither PEM nor PKCS#12 that can be read",
            ),
            (
                &leaf,
                None,
                None,
                "certificate_file: a certificate in DER: PEM or PKCS#12 is needed",
            ),
            (PEM, None, None, "certificate_file: no private key in PEM"),
            (
                &clear,
                None,
                None,
                "certificate_file: no certificate in PEM",
            ),
            (PEM, Some(PEM), None, "key_file: no private key in PEM"),
            (PEM, Some(MODERN), RIGHT, "key_file: no private key in PEM"),
            (PEM, Some(&two), RIGHT, &format!("key_file: {several}")),
            (
                PEM,
                Some(ENCRYPTED_KEY),
                None,
                "passphrase: is needed: bankid.key_file is encrypted",
            ),
            (
                PEM,
                Some(ENCRYPTED_KEY),
                Some("wrong"),
                "passphrase: does not open bankid.key_file",
            ),
            (
                PEM,
                Some(broken),
                None,
                "key_file: PEM with a private key that cannot be read",
            ),
            (
                PEM,
                Some(cut),
                RIGHT,
                "key_file: PEM with a private key that cannot be read",
            ),
            (
                PEM,
                Some(TRADITIONAL_KEY),
                RIGHT,
                "key_file: a private key that is encrypted in OpenSSL's old way: convert it with openssl pkcs8 -topk8",
            ),
            (
                PEM,
                Some(&old),
                RIGHT,
                "key_file: a private key that is encrypted in a way that is not known here: convert it with openssl pkcs8 -topk8",
            ),
            (
                PEM,
                Some(STRANGER),
                None,
                "certificate_file: the certificate and the private key do not belong together",
            ),
        ] {
            let problems = find(certificate, key, passphrase).expect_err(line);
            assert_eq!(problems, [format!("bankid.{line}")]);
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let identity = find(MODERN, None, RIGHT).expect("a good container");
        assert_eq!(format!("{identity:?}"), "Identity { certificates: 1, .. }");
        let passphrase = Passphrase::from("qwerty123".to_owned());
        assert_eq!(format!("{passphrase:?}"), "[passphrase]");
        #[derive(Debug, Deserialize)]
        struct Section {
            #[allow(dead_code)]
            passphrase: Passphrase,
        }
        let error = toml::from_str::<Section>("passphrase = 12345678").expect_err("a number");
        assert_eq!(error.message(), "passphrase must be text in quotes");
    }

    #[test]
    fn the_passphrase_stands_in_one_place() {
        let directory = std::env::temp_dir();
        let read = |keys: &str| {
            let text = format!("certificate_file = \"x\"\n{keys}");
            let written: written::Certificate = toml::from_str(&text).expect("good TOML");
            passphrase(&written, &directory).map(|read| read.map(|p| p.text().to_owned()))
        };
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("passphrase = \"å\""), Ok(Some("å".to_owned())));
        assert_eq!(
            read("passphrase = \"a\"\npassphrase_file = \"b\""),
            Err("passphrase and passphrase_file exclude each other".to_owned())
        );
        let missing = read("passphrase_file = \"portvakt-no-such-file\"").expect_err("no file");
        assert!(missing.starts_with("passphrase_file portvakt-no-such-file: "));
    }
}
