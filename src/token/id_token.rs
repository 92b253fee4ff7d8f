//! ID tokens (OpenID Connect Core §2, §3.1.3.6).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::grant::{Grant, ID_TOKEN_LIFETIME};
use crate::clock::Timestamp;
use crate::secret::{Secret, kind as secret};

/// The claims of an ID token. `acr` is the operator's word for what a BankID login is worth; `amr`
/// is left out, because BankID does not tell how the person opened their key.
pub fn claims(
    grant: &Grant,
    issuer: &str,
    acr: &str,
    access_token: &Secret<secret::AccessToken>,
    now: Timestamp,
) -> Map<String, Value> {
    let mut claims = grant.identity.claims(&grant.released.id_token);
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
    set("at_hash", half_hash(access_token.expose()).into());
    if let Some(nonce) = &grant.nonce {
        set("nonce", nonce.as_str().into());
    }
    claims
}

/// OpenID Connect Core §3.1.3.6: the left half of the SHA-256 of a token, in base64url.
fn half_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(token)[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_half_hash_is_that_of_the_specification() {
        // OpenID Connect Core Appendix A.3: an access token and its at_hash.
        assert_eq!(
            half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
    }
}
