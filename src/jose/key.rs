//! One private key: made, parsed once, signing; and its public half as a JWK (RFC 7517, RFC 7518 §6,
//! RFC 8037 §2) that is named by its thumbprint (RFC 7638).

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use crate::error::Fault;

/// A key of ours, for one algorithm.
pub struct SigningKey {
    /// Its RFC 7638 thumbprint.
    pub kid: String,
    /// The only algorithm that it is for (RFC 8725 §3.1).
    pub algorithm: Algorithm,
    /// The public half.
    pub jwk: Value,
    /// The public half, ready to verify.
    pub verifier: DecodingKey,
    pair: Pair,
}

enum Pair {
    Rsa(rsa::KeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A key that was just made, to be stored.
pub struct NewKey {
    /// Its RFC 7638 thumbprint.
    pub kid: String,
    /// What it is for.
    pub algorithm: Algorithm,
    /// The key itself: PKCS#8 in DER.
    pub pkcs8: Zeroizing<Vec<u8>>,
}

impl NewKey {
    /// Makes a key. RSA takes a good part of a second.
    pub fn make(algorithm: Algorithm) -> Result<NewKey, Fault> {
        let failed = || Fault::Signing(format!("new {algorithm}"));
        let pkcs8 = pkcs8(algorithm).map_err(|Unspecified| failed())?;
        let key = SigningKey::parse(algorithm, &pkcs8).ok_or_else(failed)?;
        Ok(NewKey {
            kid: key.kid,
            algorithm,
            pkcs8,
        })
    }
}

fn pkcs8(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let random = SystemRandom::new();
    let document = match algorithm {
        Algorithm::RS256 | Algorithm::PS256 => {
            let der: Pkcs8V1Der<'_> = rsa::KeyPair::generate(KeySize::Rsa2048)?.as_der()?;
            return Ok(Zeroizing::new(der.as_ref().to_vec()));
        }
        Algorithm::ES256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?
        }
        Algorithm::EdDSA => Ed25519KeyPair::generate_pkcs8(&random)?,
    };
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}

impl SigningKey {
    /// Reads a stored key; `None` when it is not one for this algorithm.
    pub fn parse(algorithm: Algorithm, pkcs8: &[u8]) -> Option<SigningKey> {
        let (pair, required) = match algorithm {
            Algorithm::RS256 => rsa_pair(pkcs8, &RSA_PKCS1_SHA256)?,
            Algorithm::PS256 => rsa_pair(pkcs8, &RSA_PSS_SHA256)?,
            Algorithm::ES256 => ec_pair(pkcs8)?,
            Algorithm::EdDSA => ed_pair(pkcs8)?,
        };
        let kid = thumbprint(&required);
        let mut jwk = required;
        for (name, value) in [("use", "sig"), ("alg", algorithm.as_str()), ("kid", &kid)] {
            jwk.insert(name.to_owned(), value.into());
        }
        let jwk = Value::Object(jwk);
        let public = serde_json::from_value(jwk.clone()).ok()?;
        Some(SigningKey {
            verifier: DecodingKey::from_jwk(&public).ok()?,
            kid,
            algorithm,
            jwk,
            pair,
        })
    }

    /// RFC 7515 §7.1: claims as a JWT of the given `typ`. Nothing in the header leads to another key
    /// than the one with this `kid`.
    pub fn sign(&self, typ: &'static str, claims: &Map<String, Value>) -> Result<String, Fault> {
        // None of the three has a character that JSON would escape.
        let (alg, kid) = (self.algorithm, &self.kid);
        let header = format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"{typ}"}}"#);
        let claims = serde_json::to_vec(claims).expect("a map of JSON values is valid JSON");
        // Header and claims grow by a third; a signature has at most 342 characters.
        let mut token = String::with_capacity(claims.len() * 4 / 3 + 600);
        URL_SAFE_NO_PAD.encode_string(header, &mut token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self
            .signature(token.as_bytes())
            .map_err(|Unspecified| Fault::Signing(self.kid.clone()))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature)?;
                Ok(signature)
            }
            Pair::Ec(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
            Pair::Ed(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
        }
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[signing key {}]", self.kid)
    }
}

type Required = Map<String, Value>;

fn members<const N: usize>(members: [(&str, String); N]) -> Required {
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}

/// RFC 7518 §6.3.1.
fn rsa_pair(pkcs8: &[u8], encoding: &'static dyn RsaEncoding) -> Option<(Pair, Required)> {
    let pair = rsa::KeyPair::from_pkcs8(pkcs8).ok()?;
    let public = pair.public_key();
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let required = members([
        (
            "e",
            number(public.exponent().big_endian_without_leading_zero()),
        ),
        ("kty", "RSA".to_owned()),
        (
            "n",
            number(public.modulus().big_endian_without_leading_zero()),
        ),
    ]);
    Some((Pair::Rsa(pair, encoding), required))
}

/// RFC 7518 §6.2.1: the point is stored uncompressed, 4 and then both coordinates.
fn ec_pair(pkcs8: &[u8]) -> Option<(Pair, Required)> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()?;
    let point: &[u8; 65] = pair.public_key().as_ref().try_into().ok()?;
    let required = members([
        ("crv", "P-256".to_owned()),
        ("kty", "EC".to_owned()),
        ("x", URL_SAFE_NO_PAD.encode(&point[1..33])),
        ("y", URL_SAFE_NO_PAD.encode(&point[33..])),
    ]);
    Some((Pair::Ec(pair), required))
}

/// RFC 8037 §2.
fn ed_pair(pkcs8: &[u8]) -> Option<(Pair, Required)> {
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
    let required = members([
        ("crv", "Ed25519".to_owned()),
        ("kty", "OKP".to_owned()),
        ("x", URL_SAFE_NO_PAD.encode(pair.public_key().as_ref())),
    ]);
    Some((Pair::Ed(pair), required))
}

/// RFC 7638 §3: SHA-256 of the required members alone, in the order of their names, which is the one
/// that a [`Map`] writes them in.
fn thumbprint(required: &Required) -> String {
    let canonical = serde_json::to_vec(required).expect("a map of JSON values is valid JSON");
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_thumbprint_is_that_of_the_rfcs() {
        let _shows = crate::shows!(accepting "PV-KEY-1");
        let text = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().rev();
            pairs
                .map(|(n, v)| ((*n).to_owned(), Value::from(*v)))
                .collect()
        };
        // RFC 7638 §3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        assert_eq!(
            thumbprint(&text(&[("e", "AQAB"), ("kty", "RSA"), ("n", n)])),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        // RFC 8037 Appendix A.3.
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        assert_eq!(
            thumbprint(&text(&[("crv", "Ed25519"), ("kty", "OKP"), ("x", x)])),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn ed25519_signs_as_its_rfc() {
        // RFC 8037 Appendices A.1, A.2 and A.4.
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64url");
        let seed = decoded("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
        let mut pkcs8 = hex::decode("302e020100300506032b657004220420").expect("hexadecimal");
        pkcs8.extend(seed);
        let (Pair::Ed(pair), required) = ed_pair(&pkcs8).expect("a key") else {
            panic!("another kind of key");
        };
        assert_eq!(required["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        assert_eq!(
            pair.sign(message.as_bytes()).as_ref(),
            decoded(
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
            )
        );
    }

    #[test]
    fn each_algorithm_has_keys_of_its_own_and_its_public_half_shows_nothing_more() {
        let _shows = crate::shows!(accepting "JK-01", accepting "JK-02", accepting "JK-03", refusing "JK-03", accepting "JK-08", refusing "JK-08");
        let public = [
            (Algorithm::RS256, vec!["alg", "e", "kid", "kty", "n", "use"]),
            (Algorithm::PS256, vec!["alg", "e", "kid", "kty", "n", "use"]),
            (
                Algorithm::ES256,
                vec!["alg", "crv", "kid", "kty", "use", "x", "y"],
            ),
            (
                Algorithm::EdDSA,
                vec!["alg", "crv", "kid", "kty", "use", "x"],
            ),
        ];
        for (algorithm, members) in public {
            let made = NewKey::make(algorithm).expect("a key");
            let key = SigningKey::parse(algorithm, &made.pkcs8).expect("the key");
            assert_eq!(key.kid, made.kid);
            let names: Vec<&String> = key.jwk.as_object().expect("an object").keys().collect();
            assert_eq!(names, members);
            assert_eq!(
                (&key.jwk["alg"], &key.jwk["kid"], &key.jwk["use"]),
                (&algorithm.as_str().into(), &made.kid.into(), &"sig".into())
            );
            let claims = json!({"sub": "s"}).as_object().cloned().expect("an object");
            let token = key.sign("JWT", &claims).expect("signed");
            let header = token.split('.').next().expect("a header");
            let header: Value =
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64url"))
                    .expect("JSON");
            let expected = json!({"alg": algorithm.as_str(), "kid": key.kid, "typ": "JWT"});
            assert_eq!(header, expected, "neither jku nor x5u nor jwk");
            let verified = |by: Algorithm| {
                let (message, signature) = token.rsplit_once('.').expect("a signature");
                jsonwebtoken::crypto::verify(
                    signature,
                    message.as_bytes(),
                    &key.verifier,
                    by.of_library(),
                )
                .unwrap_or(false)
            };
            for other in Algorithm::ALL {
                assert_eq!(verified(other), other == algorithm, "{other}");
            }
            let kin = |a| matches!(a, Algorithm::RS256 | Algorithm::PS256);
            for other in Algorithm::ALL {
                let read = SigningKey::parse(other, &made.pkcs8).is_some();
                assert_eq!(read, other == algorithm || (kin(other) && kin(algorithm)));
            }
        }
    }
}
