//! Other people's public keys (RFC 7517), and what they sign (RFC 7515): requests, and whatever else a
//! client proves by its keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::jwt::{Signed, object};
use super::public_key::{self, PublicKey};

/// An algorithm that clients may sign with (RFC 7518 §3.1, RFC 8037 §3.1): whatever we can verify. It is
/// not [`Algorithm`](super::algorithm::Algorithm), for each of which we have a key. `none` is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

impl ClientAlgorithm {
    /// All of them, for discovery.
    pub const ALL: [ClientAlgorithm; 5] = [
        ClientAlgorithm::RS256,
        ClientAlgorithm::PS256,
        ClientAlgorithm::ES256,
        ClientAlgorithm::ES384,
        ClientAlgorithm::EdDSA,
    ];

    /// The name as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            ClientAlgorithm::RS256 => "RS256",
            ClientAlgorithm::PS256 => "PS256",
            ClientAlgorithm::ES256 => "ES256",
            ClientAlgorithm::ES384 => "ES384",
            ClientAlgorithm::EdDSA => "EdDSA",
        }
    }

    fn parse(text: &str) -> Option<ClientAlgorithm> {
        ClientAlgorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
    }

    fn of_library(self) -> Algorithm {
        match self {
            ClientAlgorithm::RS256 => Algorithm::RS256,
            ClientAlgorithm::PS256 => Algorithm::PS256,
            ClientAlgorithm::ES256 => Algorithm::ES256,
            ClientAlgorithm::ES384 => Algorithm::ES384,
            ClientAlgorithm::EdDSA => Algorithm::EdDSA,
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
    /// RFC 7517 §5. Keys for encryption may stand beside; a private key, and one for signatures that
    /// is weak or of a kind that we do not know, are refused.
    pub fn parse(value: Value) -> Option<Jwks> {
        let keys = value.get("keys")?.as_array()?;
        let is_public = |key: &Value| {
            let members = key.as_object();
            members.is_some_and(|members| PRIVATE.iter().all(|name| !members.contains_key(*name)))
        };
        let few_and_public = (1..=KEYS).contains(&keys.len()) && keys.iter().all(is_public);
        let mut signing = keys.iter().filter(|key| is_for_signatures(key)).peekable();
        let verifies = |key: &Value| {
            ClientAlgorithm::ALL
                .iter()
                .any(|algorithm| verifier(key, *algorithm).is_some())
        };
        let sound = few_and_public && signing.peek().is_some() && signing.all(verifies);
        sound.then_some(Jwks(value))
    }

    /// RFC 7517 §5: a set that others keep may hold keys that are none for us. They are passed over.
    pub fn published(set: Map<String, Value>) -> Option<Jwks> {
        let keys = set.get("keys")?.as_array()?.iter();
        let one = |key: &Value| Jwks::parse(json!({"keys": [key]})).is_some();
        let ours: Vec<&Value> = keys.filter(|key| one(key)).take(KEYS).collect();
        Jwks::parse(json!({"keys": ours}))
    }

    /// Whether one of these keys verifies what is signed by this algorithm.
    pub fn fits(&self, algorithm: ClientAlgorithm) -> bool {
        self.verifiers(None, algorithm).next().is_some()
    }

    /// RFC 7515 §5.2, RFC 8725 §3.1: what one of these keys signed, by `only` this algorithm where
    /// one is registered. Keys that a token names by address or carries itself are never looked at.
    pub fn verify(&self, token: &str, only: Option<ClientAlgorithm>) -> Option<Signed> {
        signed(token, only, |kid, algorithm, holds| {
            self.verifiers(kid, algorithm).any(holds)
        })
    }

    /// Whether one of these keys has this name.
    pub fn names(&self, kid: &str) -> bool {
        let keys = self.0["keys"].as_array();
        keys.is_some_and(|keys| keys.iter().any(|key| key["kid"] == kid))
    }

    /// The keys, each with its certificate.
    pub fn registered(&self) -> impl Iterator<Item = Registered> + '_ {
        let keys = self.0["keys"].as_array().into_iter().flatten();
        keys.filter_map(|key| {
            Some(Registered {
                key: PublicKey::of_jwk(key)?,
                certificate: public_key::certificate_of_jwk(key),
            })
        })
    }

    /// RFC 7517 §4.5: several keys may have one name; then kind, use and algorithm tell them apart.
    fn verifiers<'a>(
        &'a self,
        kid: Option<&'a Value>,
        algorithm: ClientAlgorithm,
    ) -> impl Iterator<Item = DecodingKey> + 'a {
        let keys = self.0["keys"].as_array().into_iter().flatten();
        keys.filter(|key| is_for_signatures(key))
            .filter(move |key| kid.is_none_or(|kid| key.get("kid") == Some(kid)))
            .filter_map(move |key| verifier(key, algorithm))
    }
}

/// One public key, which somebody shows instead of having registered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk(Value);

impl Jwk {
    /// RFC 7517 §4: a key like those of a set.
    pub fn parse(value: &Value) -> Option<Jwk> {
        Jwks::parse(json!({ "keys": [value] })).map(|_| Jwk(value.clone()))
    }

    /// What this key signed by an algorithm, whatever the token calls the key.
    pub fn verify(&self, token: &str, algorithm: ClientAlgorithm) -> Option<Signed> {
        signed(token, Some(algorithm), |_, algorithm, holds| {
            verifier(&self.0, algorithm).is_some_and(holds)
        })
    }

    /// RFC 7638 §3, RFC 8037 §2: by which this key is known and no other.
    pub fn thumbprint(&self) -> Thumbprint {
        let required: &[&str] = match self.0["kty"].as_str() {
            Some("EC") => &["crv", "kty", "x", "y"],
            Some("RSA") => &["e", "kty", "n"],
            _ => &["crv", "kty", "x"],
        };
        let members: Vec<String> = required
            .iter()
            .map(|name| format!("\"{name}\":{}", self.0[*name]))
            .collect();
        Thumbprint::of(format!("{{{}}}", members.join(",")).as_bytes())
    }
}

/// The SHA-256 thumbprint of a key (RFC 7638) or of a certificate (RFC 7515 §4.1.8), in base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Thumbprint(String);

impl Thumbprint {
    /// Of the bytes that stand for the key or the certificate.
    pub fn of(bytes: &[u8]) -> Thumbprint {
        Thumbprint(URL_SAFE_NO_PAD.encode(Sha256::digest(bytes)))
    }

    /// Takes what has the shape of one.
    pub fn parse(text: &str) -> Option<Thumbprint> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == 32).then(|| Thumbprint(text.to_owned()))
    }

    /// As it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a token says that was verified once and kept by us since: its key may be gone by now.
pub fn verified_before(token: &str) -> Option<Signed> {
    signed(token, None, |_, _, _| true)
}

/// RFC 7515 §5.2. `known` says whether a key of that name and algorithm holds.
fn signed(
    token: &str,
    only: Option<ClientAlgorithm>,
    known: impl FnOnce(Option<&Value>, ClientAlgorithm, &dyn Fn(DecodingKey) -> bool) -> bool,
) -> Option<Signed> {
    let (message, signature) = token.rsplit_once('.')?;
    let (header, payload) = message.split_once('.')?;
    let header: Map<String, Value> = object(header)?;
    let algorithm = ClientAlgorithm::parse(header.get("alg")?.as_str()?)?;
    // RFC 7515 §4.1.11: extensions that must be understood, of which we know none.
    if header.contains_key("crit") || only.is_some_and(|only| only != algorithm) {
        return None;
    }
    let holds = |key: DecodingKey| {
        let by = algorithm.of_library();
        crypto::verify(signature, message.as_bytes(), &key, by).unwrap_or(false)
    };
    known(header.get("kid"), algorithm, &holds).then_some(())?;
    Some(Signed {
        algorithm,
        typ: header.get("typ").cloned(),
        claims: object(payload)?,
    })
}

/// RFC 7517 §4.2, §4.3.
fn is_for_signatures(key: &Value) -> bool {
    let verifies = |operations: &Value| {
        let operations = operations.as_array();
        operations.is_some_and(|all| all.iter().any(|one| one == "verify"))
    };
    key.get("use").is_none_or(|of| of == "sig") && key.get("key_ops").is_none_or(verifies)
}

/// The key for one algorithm, if it is one of that family.
fn verifier(key: &Value, algorithm: ClientAlgorithm) -> Option<DecodingKey> {
    match key.get("alg") {
        Some(alg) if alg != algorithm.as_str() => None,
        _ => PublicKey::of_jwk(key)?.verifier(algorithm),
    }
}

/// A key of a set with what is registered for it.
#[derive(Debug)]
pub struct Registered {
    /// The key.
    pub key: PublicKey,
    /// The certificate that holds it, in DER, if the set names one.
    pub certificate: Option<Vec<u8>>,
}

impl<'de> Deserialize<'de> for Jwks {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Jwks::parse(Value::deserialize(deserializer)?).ok_or_else(|| {
            serde::de::Error::custom(
                "jwks holds 1 to 10 public keys: RSA of 2048 to 8192 bits, EC on P-256 or P-384, or Ed25519",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Signer;

    #[test]
    fn a_signature_is_verified_by_a_registered_key_and_algorithm_alone() {
        let _shows =
            crate::shows!(accepting "AU-37", refusing "AU-37", accepting "JK-08", refusing "JK-08");
        let (signer, other) = (Signer::new(), Signer::new());
        let jwks = Jwks::parse(signer.jwks()).expect("keys");
        let claims = json!({"a": 1});
        for algorithm in ClientAlgorithm::ALL {
            let alg = algorithm.as_str();
            let verified = |token: &str, only| jwks.verify(token, only).is_some();
            let token = signer.sign(&json!({"alg": alg}), &claims);
            assert!(verified(&token, None), "{alg}");
            let kid = match alg {
                "RS256" | "PS256" => "rsa",
                "ES256" => "ec",
                "ES384" => "p384",
                _ => "ed",
            };
            let named = signer.sign(&json!({"alg": alg, "kid": kid}), &claims);
            assert!(verified(&named, None), "{alg}");
            for only in ClientAlgorithm::ALL {
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
        for (name, value) in [("use", json!("enc")), ("key_ops", json!(["encrypt"]))] {
            let beside = changed(0, name, value).expect("the others sign");
            assert!(!beside.fits(ClientAlgorithm::RS256) && beside.fits(ClientAlgorithm::ES256));
        }
        assert!(changed(0, "key_ops", json!(["verify"])).is_some());
        for (at, name, value) in [
            (0, "d", json!("AQAB")),
            (1, "d", json!("AQAB")),
            (0, "kty", json!("oct")),
            (0, "alg", json!("HS256")),
            (0, "n", json!(URL_SAFE_NO_PAD.encode([0xff; 128]))),
            (0, "n", json!("")),
            (0, "e", json!("AQ")),
            (0, "e", json!("BA")),
            (1, "crv", json!("P-521")),
            (1, "crv", json!("P-384")),
            (1, "x", json!("AQ")),
            (1, "alg", json!("ES384")),
            (3, "crv", json!("X25519")),
            (3, "x", json!("AQ")),
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

    #[test]
    fn of_a_set_that_others_keep_what_is_for_us_is_taken() {
        let _shows = crate::shows!(accepting "JK-05", refusing "JK-05", accepting "JK-09");
        let signer = Signer::new();
        let mut keys = signer.jwks();
        let list = keys["keys"].as_array_mut().expect("a list");
        let mut weak = list[0].clone();
        weak["n"] = json!(URL_SAFE_NO_PAD.encode([0xff; 128]));
        let private = json!({"kty": "oct", "k": "AAAA"});
        let odd = json!({"kty": "EC", "crv": "P-521", "x": "AAAA", "y": "AAAA"});
        let encrypts = json!({"use": "enc", "kty": "RSA", "n": "AQAB", "e": "AQAB"});
        list.splice(0..0, [json!(1), weak.clone(), private, odd, encrypts]);
        assert!(Jwks::parse(keys.clone()).is_none());
        let published = |set: Value| Jwks::published(set.as_object()?.clone());
        let taken = published(keys).expect("keys");
        for algorithm in ClientAlgorithm::ALL {
            let token = signer.sign(&json!({"alg": algorithm.as_str()}), &json!({}));
            assert!(taken.verify(&token, None).is_some());
        }
        for none in [json!({"keys": [weak]}), json!({"keys": []}), json!({})] {
            assert!(published(none).is_none());
        }
    }

    #[test]
    fn keys_with_one_name_are_told_apart_by_their_kind_and_tried_in_turn() {
        let _shows = crate::shows!(accepting "JK-03", refusing "JK-03");
        let (signer, other) = (Signer::new(), Signer::new());
        let mut keys = signer.jwks();
        let others = other.jwks();
        let list = keys["keys"].as_array_mut().expect("a list");
        list.extend(others["keys"].as_array().expect("a list").iter().cloned());
        list.iter_mut().for_each(|key| key["kid"] = json!("same"));
        let jwks = Jwks::parse(keys).expect("keys");
        let stranger = Signer::new();
        for algorithm in ClientAlgorithm::ALL {
            let header = json!({"alg": algorithm.as_str(), "kid": "same"});
            for known in [&signer, &other] {
                let token = known.sign(&header, &json!({}));
                assert!(jwks.verify(&token, Some(algorithm)).is_some());
            }
            let token = stranger.sign(&header, &json!({}));
            assert!(jwks.verify(&token, Some(algorithm)).is_none());
        }
    }

    #[test]
    fn thumbprints_are_those_of_the_rfcs() {
        let _shows = crate::shows!(accepting "TK-23");
        for (key, thumbprint) in [
            // RFC 7638 §3.1.
            (
                json!({"kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}),
                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            ),
            // RFC 8037 appendix A.3.
            (
                json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
                "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            ),
        ] {
            let found = Jwk::parse(&key).expect("a key").thumbprint();
            assert_eq!(found.as_str(), thumbprint);
            assert_eq!(Thumbprint::parse(thumbprint), Some(found));
        }
    }
}
