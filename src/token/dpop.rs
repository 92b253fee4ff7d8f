//! Demonstrating proof of possession (RFC 9449): a client signs each request with a key of its own,
//! and what it receives is worth nothing without that key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::client::mistake::Reason;
use crate::clock::{Seconds, Timestamp};
use crate::error::{Code, Refusal};
use crate::jose::jwks::{ClientAlgorithm, Jwk, Thumbprint};
use crate::jose::jwt::{self, Once};
use crate::secret::Digest;

/// What proofs may be signed with, for discovery (RFC 9449 §5.1): what every profile allows.
pub const ALGORITHMS: [ClientAlgorithm; 3] = [
    ClientAlgorithm::ES256,
    ClientAlgorithm::PS256,
    ClientAlgorithm::EdDSA,
];

/// How far a proof's clock may be from ours (RFC 9449 §11.1).
const WINDOW: Seconds = Seconds(60);
/// The most that a proof may hold: one with the largest RSA key that we take has room in it.
const LIMIT: usize = 8 * 1024;

/// What a proof must have been made for.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// The method of the request that it came with.
    pub method: &'a str,
    /// The address of the endpoint, as clients know it.
    pub endpoint: &'a str,
    /// The access token that it came with, at a resource.
    pub token: Option<&'a str>,
}

/// A proof that holds, if it was not used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The key that signed it.
    pub key: Thumbprint,
    /// What it is known by, under its key.
    pub once: Once,
}

const BAD: Refusal = Refusal::new(
    Code::InvalidDpopProof,
    "the DPoP proof is not good: header, signature, jwk, typ, jti, htm, htu, iat or ath",
)
.because(Reason::DpopMalformed);
/// For a proof that was used before.
pub const REPLAYED: Refusal = Refusal::new(
    Code::InvalidDpopProof,
    "the DPoP proof was used before: each request needs another jti",
)
.because(Reason::DpopReplayed);
/// For a client that must prove its key and does not.
pub const MISSING: Refusal = Refusal::new(
    Code::InvalidDpopProof,
    "the DPoP header is missing, and this client proves its key",
)
.because(Reason::DpopMissing);
/// For a proof by another key than the one that something is bound to.
pub const OTHER_KEY: Refusal =
    Refusal::new(Code::InvalidDpopProof, "the DPoP proof is by another key")
        .because(Reason::DpopOtherKey);

/// RFC 9449 §4.3, but for whether it was used before. `headers` are all that came by that name.
pub fn read(headers: &[&str], made: Made<'_>, now: Timestamp) -> Result<Option<Proof>, Refusal> {
    match headers {
        [] => Ok(None),
        [proof] if proof.len() <= LIMIT => match verified(proof, made, now) {
            Ok(proof) => Ok(Some(proof)),
            Err(reason) => Err(BAD.because(reason)),
        },
        _ => Err(BAD),
    }
}

fn verified(proof: &str, made: Made<'_>, now: Timestamp) -> Result<Proof, Reason> {
    let header = jwt::unverified_header(proof).ok_or(Reason::DpopMalformed)?;
    let key = header.get("jwk").and_then(Jwk::parse);
    let key = key.ok_or(Reason::DpopMalformed)?;
    let algorithm = ALGORITHMS
        .into_iter()
        .find(|algorithm| header.get("alg") == Some(&algorithm.as_str().into()))
        .ok_or(Reason::DpopAlgorithm)?;
    let signed = key.verify(proof, algorithm).ok_or(Reason::DpopSignature)?;
    let claim = |name: &str| signed.claims.get(name).and_then(Value::as_str);
    let name = claim("jti").filter(|jti| !jti.is_empty());
    let name = name.ok_or(Reason::DpopMalformed)?;
    let issued_at = signed.claims.get("iat").and_then(jwt::numeric_date);
    let issued_at = issued_at.ok_or(Reason::DpopTime)?;
    let holds = |does: bool, reason| does.then_some(()).ok_or(reason);
    holds(
        signed.typ.as_ref().is_some_and(|typ| typ == "dpop+jwt"),
        Reason::DpopMalformed,
    )?;
    holds(claim("htm") == Some(made.method), Reason::DpopMethod)?;
    let is_here = claim("htu").is_some_and(|htu| is_address(htu, made.endpoint));
    holds(is_here, Reason::DpopAddress)?;
    let is_fresh = issued_at <= now + WINDOW && now <= issued_at + WINDOW;
    holds(is_fresh, Reason::DpopTime)?;
    let is_of_the_token = made
        .token
        .is_none_or(|token| claim("ath") == Some(hash(token).as_str()));
    holds(is_of_the_token, Reason::DpopToken)?;
    Ok(Proof {
        key: key.thumbprint(),
        once: Once {
            jti: Digest::of(name),
            expires_at: issued_at + WINDOW + Seconds(1),
            unused_before: issued_at - WINDOW,
        },
    })
}

/// RFC 9449 §4.3: by the rules of RFC 3986 §6.2.2 and §6.2.3, whatever query and fragment say.
fn is_address(htu: &str, endpoint: &str) -> bool {
    let plain = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        Some(url)
    };
    plain(htu).is_some_and(|htu| plain(endpoint) == Some(htu))
}

/// RFC 9449 §4.2: what a proof says of the access token that it comes with.
fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token))
}

/// RFC 9449 §5, §10: whether a code, or a refresh token, that is bound to a key was brought with it.
pub fn is_bound(bound: Option<&Thumbprint>, proof: Option<&Proof>) -> Result<(), Refusal> {
    match (bound, proof) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(MISSING),
        (Some(bound), Some(proof)) if *bound == proof.key => Ok(()),
        (Some(_), Some(_)) => Err(OTHER_KEY),
    }
}

/// RFC 9449 §10, §10.1: which key a code will be bound to. A proof that came with a pushed request
/// and a parameter must be of one mind.
pub fn asked_for(
    dpop_jkt: Option<&str>,
    proof: Option<&Proof>,
) -> Result<Option<Thumbprint>, Refusal> {
    let asked = match dpop_jkt {
        None => None,
        Some(text) => Some(
            Thumbprint::parse(text).ok_or(
                Refusal::new(
                    Code::InvalidRequest,
                    "dpop_jkt is not a SHA-256 thumbprint in base64url",
                )
                .because(Reason::DpopJktMalformed),
            )?,
        ),
    };
    match (asked, proof) {
        (Some(asked), Some(proof)) if asked != proof.key => Err(OTHER_KEY),
        (Some(asked), _) => Ok(Some(asked)),
        (None, proof) => Ok(proof.map(|proof| proof.key.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Signer;
    use serde_json::json;

    const TOKEN_REQUEST: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

    #[test]
    fn the_proof_of_the_rfc_holds() {
        let _shows = crate::shows!(accepting "TK-21", accepting "TK-23");
        // RFC 9449 §4.1, and §6.1 for the thumbprint.
        let made = Made {
            method: "POST",
            endpoint: "https://server.example.com/token",
            token: None,
        };
        let at = Timestamp(1_562_262_616);
        let proof = read(&[TOKEN_REQUEST], made, at)
            .expect("it holds")
            .expect("one");
        let key = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        assert_eq!(proof.key.as_str(), key);
        // §7.1.
        let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
        assert_eq!(hash(token), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    }

    const NOW: Timestamp = Timestamp(1_800_000_000);
    const ENDPOINT: &str = "https://login.example/token";

    fn tried(proof: &str, token: Option<&str>) -> Option<Proof> {
        let made = Made {
            method: "POST",
            endpoint: ENDPOINT,
            token,
        };
        let read = read(&[proof], made, NOW);
        if let Err(refusal) = &read {
            assert_eq!(refusal.code, Code::InvalidDpopProof);
        }
        read.ok().flatten()
    }

    fn header(signer: &Signer, alg: &str) -> Value {
        json!({"typ": "dpop+jwt", "alg": alg, "jwk": signer.jwk(alg)})
    }

    fn claims() -> Value {
        json!({"jti": "1", "htm": "POST", "htu": ENDPOINT, "iat": NOW.0})
    }

    fn with(mut value: Value, name: &str, member: Value) -> Value {
        value[name] = member;
        value
    }

    fn without(mut value: Value, name: &str) -> Value {
        value.as_object_mut().expect("an object").remove(name);
        value
    }

    #[test]
    fn a_proof_is_for_one_request_and_one_time() {
        let _shows =
            crate::shows!(accepting "TK-21", refusing "TK-21", accepting "O13", refusing "O13");
        let signer = Signer::new();
        for algorithm in ALGORITHMS {
            let alg = algorithm.as_str();
            let proof = signer.sign(&header(&signer, alg), &claims());
            let found = tried(&proof, None).expect("it holds");
            assert_eq!(
                found.key,
                Jwk::parse(&signer.jwk(alg)).expect("a key").thumbprint()
            );
            // Each bit of it counts.
            for at in (0..proof.len()).step_by(13) {
                let mut bytes = proof.clone().into_bytes();
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(bytes).expect("ASCII");
                if changed != proof {
                    assert_eq!(tried(&changed, None), None, "{alg} {at}");
                }
            }
        }
        let sign = |claims: &Value| signer.sign(&header(&signer, "ES256"), claims);
        for (name, value) in [
            ("htu", json!("HTTPS://LOGIN.example:443/token?a=b#c")),
            ("iat", json!(NOW.0 - 60)),
            ("iat", json!(NOW.0 + 60)),
            ("more", json!(1)),
            ("ath", json!("of no token")),
        ] {
            let proof = sign(&with(claims(), name, value.clone()));
            assert!(tried(&proof, None).is_some(), "{name} {value}");
        }
        for (name, value) in [
            ("htu", json!("https://login.example/token/")),
            ("htu", json!("https://login.example/userinfo")),
            ("htu", json!("http://login.example/token")),
            ("htu", json!("https://login.example:8443/token")),
            ("htu", json!("/token")),
            ("htu", json!(7)),
            ("htm", json!("GET")),
            ("htm", json!("post")),
            ("iat", json!(NOW.0 - 61)),
            ("iat", json!(NOW.0 + 61)),
            ("iat", json!(-1)),
            ("iat", json!(i64::MAX)),
            ("iat", json!(NOW.0.to_string())),
            ("iat", json!(1.5)),
            ("jti", json!("")),
            ("jti", json!(1)),
        ] {
            let proof = sign(&with(claims(), name, value.clone()));
            assert_eq!(tried(&proof, None), None, "{name} {value}");
        }
        for name in ["jti", "htm", "htu", "iat"] {
            assert_eq!(tried(&sign(&without(claims(), name)), None), None, "{name}");
        }
        let twice = sign(&claims());
        let made = Made {
            method: "POST",
            endpoint: ENDPOINT,
            token: None,
        };
        assert_eq!(read(&[&twice, &twice], made, NOW), Err(BAD));
        assert_eq!(read(&[], made, NOW), Ok(None));
        let long = sign(&with(claims(), "more", json!("x".repeat(LIMIT))));
        assert_eq!(tried(&long, None), None);
    }

    #[test]
    fn a_proof_says_what_it_is_and_by_which_key() {
        let _shows = crate::shows!(refusing "TK-21", refusing "O6");
        let (signer, other) = (Signer::new(), Signer::new());
        let good = header(&signer, "ES256");
        let private = with(signer.jwk("ES256"), "d", json!("AQAB"));
        let symmetric = json!({"kty": "oct", "k": "AQAB"});
        for bad in [
            with(good.clone(), "typ", json!("JWT")),
            with(good.clone(), "typ", json!("at+jwt")),
            without(good.clone(), "typ"),
            with(good.clone(), "alg", json!("none")),
            with(good.clone(), "alg", json!("HS256")),
            with(good.clone(), "alg", json!("ES384")),
            with(good.clone(), "jwk", other.jwk("ES256")),
            with(good.clone(), "jwk", signer.jwk("PS256")),
            with(good.clone(), "jwk", private),
            with(good.clone(), "jwk", symmetric),
            with(good.clone(), "jwk", json!("https://a.example/key")),
            without(good.clone(), "jwk"),
            with(good.clone(), "crit", json!(["exp"])),
        ] {
            assert_eq!(tried(&signer.sign(&bad, &claims()), None), None, "{bad}");
        }
        let of_rsa = header(&signer, "RS256");
        assert_eq!(tried(&signer.sign(&of_rsa, &claims()), None), None);
        for garbage in ["", ".", "..", "a.b.c", "e30.e30.", "\u{e5}.\u{e5}.\u{e5}"] {
            assert_eq!(tried(garbage, None), None, "{garbage}");
        }
    }

    #[test]
    fn at_a_resource_it_speaks_of_the_token_that_it_comes_with() {
        let _shows = crate::shows!(accepting "UI-07", refusing "UI-07");
        let signer = Signer::new();
        let sign = |claims: &Value| signer.sign(&header(&signer, "EdDSA"), claims);
        let proof = sign(&with(claims(), "ath", json!(hash("a token"))));
        assert!(tried(&proof, Some("a token")).is_some());
        assert_eq!(tried(&proof, Some("another")), None);
        assert_eq!(tried(&sign(&claims()), Some("a token")), None);
    }

    #[test]
    fn a_code_is_bound_to_the_key_that_was_named() {
        let _shows = crate::shows!(accepting "AU-52", refusing "AU-52", accepting "PA-08", refusing "PA-08", accepting "TK-24", refusing "TK-24");
        let signer = Signer::new();
        let proof = |alg: &str| tried(&signer.sign(&header(&signer, alg), &claims()), None);
        let (one, other) = (proof("ES256").expect("one"), proof("EdDSA").expect("other"));
        let named = one.key.as_str().to_owned();
        for (parameter, proof, expected) in [
            (None, None, None),
            (Some(named.as_str()), None, Some(&one.key)),
            (None, Some(&one), Some(&one.key)),
            (Some(named.as_str()), Some(&one), Some(&one.key)),
        ] {
            assert_eq!(asked_for(parameter, proof), Ok(expected.cloned()));
        }
        assert_eq!(asked_for(Some(&named), Some(&other)), Err(OTHER_KEY));
        let too_long = format!("{named}A");
        for bad in [
            "",
            "x",
            &named[1..],
            too_long.as_str(),
            "0ZcOCORZNYy=DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
        ] {
            let code = asked_for(Some(bad), None).map_err(|refusal| refusal.code);
            assert_eq!(code, Err(Code::InvalidRequest), "{bad}");
        }
        assert_eq!(is_bound(None, None), Ok(()));
        assert_eq!(is_bound(None, Some(&one)), Ok(()));
        assert_eq!(is_bound(Some(&one.key), Some(&one)), Ok(()));
        assert_eq!(is_bound(Some(&one.key), Some(&other)), Err(OTHER_KEY));
        assert_eq!(is_bound(Some(&one.key), None), Err(MISSING));
    }
}
