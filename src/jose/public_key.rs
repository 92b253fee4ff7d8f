//! A public key as it is, however it was written.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde_json::Value;

use super::jwks::ClientAlgorithm;

/// A key of a kind that we know, and strong enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// Of 2048 to 8192 bits (RFC 7518 §3.3). Both numbers are big-endian without zeros in front.
    Rsa {
        /// What is counted modulo.
        modulus: Vec<u8>,
        /// What is raised to.
        exponent: Vec<u8>,
    },
    /// A point, uncompressed (SEC 1 §2.3.3).
    P256(Vec<u8>),
    /// A point, uncompressed.
    P384(Vec<u8>),
    /// RFC 8032 §5.1.5.
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// RFC 7518 §6.2, §6.3; RFC 8037 §2.
    pub fn of_jwk(key: &Value) -> Option<PublicKey> {
        let member = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(member(name)?).ok();
        let point = |length: usize| {
            let (x, y) = (bytes("x")?, bytes("y")?);
            let sound = x.len() == length && y.len() == length;
            sound.then(|| [&[UNCOMPRESSED][..], &x, &y].concat())
        };
        match (member("kty")?, member("crv")) {
            ("RSA", _) => PublicKey::rsa(&bytes("n")?, &bytes("e")?),
            ("EC", Some("P-256")) => Some(PublicKey::P256(point(32)?)),
            ("EC", Some("P-384")) => Some(PublicKey::P384(point(48)?)),
            ("OKP", Some("Ed25519")) => {
                let x = bytes("x").filter(|x| x.len() == 32)?;
                Some(PublicKey::Ed25519(x))
            }
            _ => None,
        }
    }

    /// RFC 8017 §3.1: an exponent that hides what is raised to it is odd and at least 3; libraries
    /// take no larger ones than this.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<PublicKey> {
        let is_odd = exponent.last().is_some_and(|last| last % 2 == 1);
        let sound = (2048..=8192).contains(&bits(modulus)) && (2..=33).contains(&bits(exponent));
        (sound && is_odd).then(|| PublicKey::Rsa {
            modulus: significant(modulus).to_vec(),
            exponent: significant(exponent).to_vec(),
        })
    }

    /// The same for the library, for an algorithm of its family.
    pub(super) fn verifier(&self, algorithm: ClientAlgorithm) -> Option<DecodingKey> {
        use ClientAlgorithm::{ES256, ES384, EdDSA, PS256, RS256};
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let ec = |point: &[u8]| {
            let (x, y) = point
                .strip_prefix(&[UNCOMPRESSED])?
                .split_at(point.len() / 2);
            DecodingKey::from_ec_components(&part(x), &part(y)).ok()
        };
        match (self, algorithm) {
            (PublicKey::Rsa { modulus, exponent }, RS256 | PS256) => {
                DecodingKey::from_rsa_components(&part(modulus), &part(exponent)).ok()
            }
            (PublicKey::P256(point), ES256) | (PublicKey::P384(point), ES384) => ec(point),
            (PublicKey::Ed25519(key), EdDSA) => DecodingKey::from_ed_components(&part(key)).ok(),
            _ => None,
        }
    }
}

/// What a point in full begins with (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;

/// RFC 7517 §4.7: the certificate that a key set holds for a key.
pub fn certificate_of_jwk(key: &Value) -> Option<Vec<u8>> {
    let own = key.get("x5c")?.get(0)?.as_str()?;
    STANDARD.decode(own).ok()
}

/// How many bits a number has.
fn bits(number: &[u8]) -> usize {
    match significant(number) {
        [] => 0,
        [first, rest @ ..] => rest.len() * 8 + 8 - first.leading_zeros() as usize,
    }
}

fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
