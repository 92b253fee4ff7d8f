//! Other people's public keys (RFC 7517), given by value, and what they sign (RFC 7515).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An algorithm that clients may sign with (RFC 7518 §3.1). `none` is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
}

impl SigningAlgorithm {
    /// All of them, for discovery.
    pub const ALL: [SigningAlgorithm; 3] = [
        SigningAlgorithm::RS256,
        SigningAlgorithm::PS256,
        SigningAlgorithm::ES256,
    ];

    /// The name as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            SigningAlgorithm::RS256 => "RS256",
            SigningAlgorithm::PS256 => "PS256",
            SigningAlgorithm::ES256 => "ES256",
        }
    }

    fn parse(text: &str) -> Option<SigningAlgorithm> {
        SigningAlgorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
    }

    fn of_library(self) -> Algorithm {
        match self {
            SigningAlgorithm::RS256 => Algorithm::RS256,
            SigningAlgorithm::PS256 => Algorithm::PS256,
            SigningAlgorithm::ES256 => Algorithm::ES256,
        }
    }
}

/// A set of public keys, at least one of which verifies signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Jwks(Value);

/// The most keys that a set may hold: each may be tried.
const KEYS: usize = 10;
/// Members that only a private or a symmetric key has (RFC 7518 §6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

impl Jwks {
    /// RFC 7517 §5. Keys for encryption may stand beside; a private key, a weak one, and two with
    /// one name are refused.
    pub fn parse(value: Value) -> Option<Jwks> {
        let keys = value.get("keys")?.as_array()?;
        let public = |key: &Value| {
            let members = key.as_object();
            members.is_some_and(|members| PRIVATE.iter().all(|name| !members.contains_key(*name)))
        };
        let names: Vec<Option<&str>> = keys.iter().map(|key| key["kid"].as_str()).collect();
        let distinct = (1..names.len()).all(|at| !names[..at].contains(&names[at]));
        let sound = (1..=KEYS).contains(&keys.len()) && keys.iter().all(public) && distinct;
        let signing: Vec<&Value> = keys.iter().filter(|key| is_for_signatures(key)).collect();
        let readable = signing.iter().all(|key| {
            SigningAlgorithm::ALL
                .iter()
                .any(|alg| verifier(key, *alg).is_some())
        });
        (sound && readable && !signing.is_empty()).then_some(Jwks(value))
    }

    /// RFC 7515 §5.2, RFC 8725 §3.1: what one of these keys signed, by `only` this algorithm where
    /// one is registered. Keys that a token names by address or carries itself are never looked at.
    pub fn verify(&self, token: &str, only: Option<SigningAlgorithm>) -> Option<Signed> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        let header: Map<String, Value> = object(header)?;
        let algorithm = SigningAlgorithm::parse(header.get("alg")?.as_str()?)?;
        // RFC 7515 §4.1.11: extensions that must be understood, of which we know none.
        if header.contains_key("crit") || only.is_some_and(|only| only != algorithm) {
            return None;
        }
        let named = header.get("kid");
        let keys = self.0["keys"].as_array().into_iter().flatten();
        keys.filter(|key| is_for_signatures(key))
            .filter(|key| named.is_none_or(|kid| key.get("kid") == Some(kid)))
            .filter_map(|key| verifier(key, algorithm))
            .any(|key| {
                let by = algorithm.of_library();
                crypto::verify(signature, message.as_bytes(), &key, by).unwrap_or(false)
            })
            .then_some(())?;
        Some(Signed {
            typ: header.get("typ").cloned(),
            claims: object(payload)?,
        })
    }
}

/// A token that was verified.
#[derive(Debug)]
pub struct Signed {
    /// What kind of token it says that it is.
    pub typ: Option<Value>,
    /// What it says.
    pub claims: Map<String, Value>,
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn is_for_signatures(key: &Value) -> bool {
    key.get("use").is_none_or(|of| of == "sig")
}

/// RFC 7518 §6.2, §6.3: the key for one algorithm, if it is one of that family and strong enough.
fn verifier(key: &Value, algorithm: SigningAlgorithm) -> Option<DecodingKey> {
    if key.get("alg").is_some_and(|alg| alg != algorithm.as_str()) {
        return None;
    }
    let member = |name: &str| key.get(name).and_then(Value::as_str);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(member(name)?).ok();
    match (algorithm, member("kty")?) {
        (SigningAlgorithm::RS256 | SigningAlgorithm::PS256, "RSA") => {
            let modulus = bytes("n")?;
            let first = modulus.iter().position(|byte| *byte != 0)?;
            let bits = (modulus.len() - first) * 8 - modulus[first].leading_zeros() as usize;
            bytes("e")?;
            (2048..=8192)
                .contains(&bits)
                .then(|| DecodingKey::from_rsa_components(member("n")?, member("e")?).ok())?
        }
        (SigningAlgorithm::ES256, "EC") => {
            let sound = member("crv") == Some("P-256")
                && bytes("x").is_some_and(|x| x.len() == 32)
                && bytes("y").is_some_and(|y| y.len() == 32);
            sound.then(|| DecodingKey::from_ec_components(member("x")?, member("y")?).ok())?
        }
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Jwks {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Jwks::parse(Value::deserialize(deserializer)?).ok_or_else(|| {
            serde::de::Error::custom(
                "jwks holds 1 to 10 public keys with names of their own: RSA of 2048 to 8192 bits, or EC on P-256",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Signer;
    use serde_json::json;

    #[test]
    fn a_signature_is_verified_by_a_registered_key_and_algorithm_alone() {
        let _shows = crate::shows!(accepting "AU-37", refusing "AU-37");
        let (signer, other) = (Signer::new(), Signer::new());
        let jwks = Jwks::parse(signer.jwks()).expect("keys");
        let claims = json!({"a": 1});
        for algorithm in SigningAlgorithm::ALL {
            let alg = algorithm.as_str();
            let verified = |token: &str, only| jwks.verify(token, only).is_some();
            let token = signer.sign(&json!({"alg": alg}), &claims);
            assert!(verified(&token, None), "{alg}");
            let kid = if alg == "ES256" { "ec" } else { "rsa" };
            let named = signer.sign(&json!({"alg": alg, "kid": kid}), &claims);
            assert!(verified(&named, None), "{alg}");
            for only in SigningAlgorithm::ALL {
                assert_eq!(verified(&token, Some(only)), only == algorithm);
            }
            let (signed, _) = token.rsplit_once('.').expect("a signature");
            for bad in [
                other.sign(&json!({"alg": alg}), &claims),
                signer.sign(&json!({"alg": alg, "kid": "other"}), &claims),
                signer.sign(&json!({"alg": alg, "crit": ["x"], "x": 1}), &claims),
                format!("{signed}."),
                format!("{token}x"),
                format!("x{token}"),
                signed.to_owned(),
                String::new(),
            ] {
                assert!(!verified(&bad, None), "{bad}");
            }
        }
        let key = other.jwks()["keys"][0].clone();
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "None"}),
            json!({"alg": "HS256"}),
            json!({"alg": "RS512"}),
            json!({}),
            json!({"alg": "RS256", "jwk": key}),
        ] {
            let unsigned = other.sign(&header, &claims);
            assert!(jwks.verify(&unsigned, None).is_none(), "{header}");
        }
    }

    #[test]
    fn only_public_keys_that_are_strong_enough_are_registered() {
        let _shows = crate::shows!(accepting "JK-05", refusing "JK-05");
        let good = Signer::new().jwks();
        assert!(Jwks::parse(good.clone()).is_some());
        let changed = |at: usize, name: &str, value: Value| {
            let mut keys = good.clone();
            keys["keys"][at][name] = value;
            Jwks::parse(keys)
        };
        let beside = changed(0, "use", json!("enc"));
        assert!(beside.is_some(), "the other one signs");
        for (at, name, value) in [
            (0, "d", json!("AQAB")),
            (1, "d", json!("AQAB")),
            (0, "kty", json!("oct")),
            (0, "kid", json!("ec")),
            (0, "alg", json!("HS256")),
            (0, "n", json!(URL_SAFE_NO_PAD.encode([0xff; 128]))),
            (0, "n", json!("")),
            (1, "crv", json!("P-521")),
            (1, "x", json!("AQ")),
        ] {
            assert!(changed(at, name, value).is_none(), "{name} of {at}");
        }
        for empty in [
            json!({}),
            json!({"keys": []}),
            json!({"keys": {}}),
            json!([]),
        ] {
            assert!(Jwks::parse(empty).is_none());
        }
    }
}
