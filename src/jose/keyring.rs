//! The keys that tokens are signed with, parsed once. RS256 (RFC 7518 §3.3).

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{ClientId, Id, kind};
use crate::storage::Store;

/// The keys of this provider.
#[derive(Clone)]
pub struct Keyring {
    keys: Arc<Vec<SigningKey>>,
}

struct SigningKey {
    kid: String,
    pair: KeyPair,
    jwk: Value,
    verifier: DecodingKey,
}

impl Keyring {
    /// Opens the stored keys. When there is none, one is made.
    pub async fn open(store: &Store, now: Timestamp) -> Result<Keyring, Fault> {
        let mut stored = store.signing_keys().await?;
        if !stored.iter().any(|key| key.is_active) {
            let (kid, pkcs8) = generate()?;
            store.keep_first_signing_key(&kid, &pkcs8, now).await?;
            stored = store.signing_keys().await?;
        }
        let keys: Result<Vec<SigningKey>, Fault> = stored
            .iter()
            .map(|key| SigningKey::parse(&key.pkcs8).ok_or_else(|| Fault::Signing(key.kid.clone())))
            .collect();
        Ok(Keyring {
            keys: Arc::new(keys?),
        })
    }

    /// RFC 7517 §5: the public keys, the one that signs first.
    pub fn jwks(&self) -> Value {
        let keys: Vec<&Value> = self.keys.iter().map(|key| &key.jwk).collect();
        json!({ "keys": keys })
    }

    /// Signs claims as a JWT (RFC 7519) of the given `typ`.
    pub fn sign(&self, typ: &str, claims: &Map<String, Value>) -> Result<String, Fault> {
        let key = self
            .keys
            .first()
            .ok_or_else(|| Fault::Signing("none".to_owned()))?;
        let header = json!({ "alg": "RS256", "kid": key.kid, "typ": typ });
        let part = |value: &[u8]| URL_SAFE_NO_PAD.encode(value);
        let claims = serde_json::to_vec(claims).expect("a map of JSON values is valid JSON");
        let signed = format!("{}.{}", part(header.to_string().as_bytes()), part(&claims));
        let mut signature = vec![0; key.pair.public_modulus_len()];
        key.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| Fault::Signing(key.kid.clone()))?;
        Ok(format!("{signed}.{}", part(&signature)))
    }

    /// OpenID Connect Core §3.1.2.1, `id_token_hint`: the subject of an ID token of ours for this
    /// client. Its end may have passed; its key must still be published.
    pub fn hinted_subject(
        &self,
        token: &str,
        issuer: &str,
        client_id: &ClientId,
    ) -> Option<String> {
        let hint = self.hint(token, issuer)?;
        (hint.client_id == *client_id).then_some(hint.subject)
    }

    /// OpenID Connect RP-Initiated Logout §2: what an ID token of ours says of whom it was made for.
    /// Its end may have passed; its key must still be published.
    pub fn hint(&self, token: &str, issuer: &str) -> Option<Hint> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        if header.typ.as_deref() != Some("JWT") || header.alg != Algorithm::RS256 {
            return None;
        }
        let key = self
            .keys
            .iter()
            .find(|key| Some(&key.kid) == header.kid.as_ref())?;
        let mut rules = Validation::new(Algorithm::RS256);
        rules.validate_exp = false;
        // Our ID tokens have one audience, which [`Hint`] reads.
        rules.validate_aud = false;
        rules.set_issuer(&[issuer]);
        rules.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        let hint = jsonwebtoken::decode::<Hint>(token, &key.verifier, &rules).ok()?;
        Some(hint.claims)
    }
}

/// What an ID token of ours says of whom it was made for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Hint {
    /// The client that it was made for.
    #[serde(rename = "aud")]
    pub client_id: ClientId,
    /// How that client knows the person.
    #[serde(rename = "sub")]
    pub subject: String,
    /// The session that it came from.
    #[serde(default, rename = "sid")]
    pub session: Option<Id<kind::Session>>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[keyring]")
    }
}

/// A fresh RSA key of 2048 bits: its kid and its PKCS#8 form.
fn generate() -> Result<(String, zeroize::Zeroizing<Vec<u8>>), Fault> {
    let failed = || Fault::Signing("new".to_owned());
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| failed())?;
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| failed())?;
    let pkcs8 = zeroize::Zeroizing::new(pkcs8.as_ref().to_vec());
    let key = SigningKey::parse(&pkcs8).ok_or_else(failed)?;
    Ok((key.kid, pkcs8))
}

impl SigningKey {
    fn parse(pkcs8: &[u8]) -> Option<SigningKey> {
        let pair = KeyPair::from_pkcs8(pkcs8).ok()?;
        let public = pair.public_key();
        let number = |bytes: &[u8]| {
            let start = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
            URL_SAFE_NO_PAD.encode(&bytes[start..])
        };
        let n = number(public.modulus().big_endian_without_leading_zero());
        let e = number(public.exponent().big_endian_without_leading_zero());
        let kid = thumbprint(&n, &e);
        Some(SigningKey {
            verifier: DecodingKey::from_rsa_components(&n, &e).ok()?,
            jwk: json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": e}),
            kid,
            pair,
        })
    }
}

/// RFC 7638 §3: SHA-256 of the required members in their order.
fn thumbprint(n: &str, e: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!(
        r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring() -> Keyring {
        let (_, pkcs8) = generate().expect("a key");
        let keys = Arc::new(vec![SigningKey::parse(&pkcs8).expect("a key")]);
        Keyring { keys }
    }

    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        // RFC 7638 §3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        assert_eq!(
            thumbprint(n, "AQAB"),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }

    #[test]
    fn the_published_keys_have_no_private_part_and_a_name() {
        let _shows = crate::shows!(accepting "JK-01", accepting "JK-02");
        let jwks = keyring().jwks();
        let key = &jwks["keys"][0];
        let members: Vec<&String> = key.as_object().expect("an object").keys().collect();
        assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
    }

    #[test]
    fn a_hint_is_one_of_our_own_id_tokens_for_the_client_and_nothing_else() {
        let (ours, theirs) = (keyring(), keyring());
        let client = ClientId::parse("a").expect("an id");
        let claims = |change: &[(&str, Value)]| {
            let mut claims =
                json!({"iss": "https://op.example", "aud": "a", "sub": "s", "exp": 1, "iat": 0});
            for (name, value) in change {
                claims[name] = value.clone();
            }
            claims.as_object().cloned().expect("an object")
        };
        let read = |token: &str| ours.hinted_subject(token, "https://op.example", &client);
        let good = ours.sign("JWT", &claims(&[])).expect("signed");
        assert_eq!(
            read(&good).as_deref(),
            Some("s"),
            "an end that has passed is tolerated"
        );
        for bad in [
            theirs.sign("JWT", &claims(&[])).expect("signed"),
            ours.sign("at+jwt", &claims(&[])).expect("signed"),
            ours.sign("JWT", &claims(&[("aud", json!("b"))]))
                .expect("signed"),
            ours.sign("JWT", &claims(&[("iss", json!("https://other.example"))]))
                .expect("signed"),
            ours.sign("JWT", &claims(&[("sub", json!(7))]))
                .expect("signed"),
            format!("{}x", good),
            good.rsplit_once('.')
                .map(|(signed, _)| format!("{signed}."))
                .expect("three parts"),
            String::new(),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
        let none = format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#),
            good.split('.').nth(1).expect("claims")
        );
        assert_eq!(read(&none), None);
    }
}
