//! ID tokens (OpenID Connect Core §2, §3.1.3.6).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha512};

use super::grant::{Grant, ID_TOKEN_LIFETIME};
use crate::claims::policy::ClaimPolicy;
use crate::clock::Timestamp;
use crate::jose::algorithm::Algorithm;

/// The claims of an ID token. `acr` is the operator's word for what a BankID login is worth; `amr`
/// is left out, because BankID does not tell how the person opened their key.
pub fn claims(
    grant: &Grant,
    policy: &ClaimPolicy,
    issuer: &str,
    acr: &str,
    at_hash: String,
    now: Timestamp,
) -> Map<String, Value> {
    let released = grant.identity.claims(&grant.released.id_token);
    let mut claims = policy.told(&released, &grant.subject);
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("iss", issuer.into());
    set("sub", grant.subject.as_str().into());
    set("aud", grant.client_id.as_str().into());
    set("iat", now.0.into());
    set("exp", (now + ID_TOKEN_LIFETIME).0.into());
    set("auth_time", grant.auth_time.0.into());
    set("acr", acr.into());
    set("sid", grant.session.to_string().into());
    set("txn", grant.txn.to_string().into());
    set("at_hash", at_hash.into());
    if let Some(nonce) = &grant.nonce {
        set("nonce", nonce.as_str().into());
    }
    claims
}

/// OpenID Connect Core §3.1.3.6: the left half of a token's digest, in base64url. The digest is the one
/// that the ID token's algorithm takes itself, for Ed25519 SHA-512 (RFC 8032 §5.1).
pub fn half_hash(algorithm: Algorithm, token: &str) -> String {
    match algorithm {
        Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => {
            URL_SAFE_NO_PAD.encode(&Sha256::digest(token)[..16])
        }
        Algorithm::EdDSA => URL_SAFE_NO_PAD.encode(&Sha512::digest(token)[..32]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_half_hash_is_that_of_the_specification() {
        // OpenID Connect Core Appendix A.3: an access token and its at_hash.
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(Algorithm::RS256, token), "77QmUPtjPfzWtF2AnpK9RQ");
        // FIPS 180-4: the first half of SHA-512 has 256 bits.
        assert_eq!(half_hash(Algorithm::EdDSA, token).len(), 43);
    }
}
