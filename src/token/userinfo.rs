//! What userinfo answers (OpenID Connect Core §5.3.2).

use serde_json::{Map, Value};

use super::access_token::AccessRecord;
use super::grant::Grant;
use crate::claims::policy::ClaimPolicy;
use crate::client::mistake::Reason;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};

const NOT_FOR_US: Refusal = Refusal::new(
    Code::InvalidToken,
    "the access token is for other services than userinfo",
)
.because(Reason::TokenForOthers);
const NOBODYS: Refusal = Refusal::new(
    Code::InsufficientScope,
    "the access token has no openid in its scope",
)
.because(Reason::TokenOfNobody);

/// RFC 8707 §3, OpenID Connect Core §5.3.1: a token that is for this provider, and of a person. Every
/// grant has `openid` in its scope; what a client has for itself never does.
pub fn admit<'r>(record: &'r AccessRecord, issuer: &str) -> Result<&'r Grant, Refusal> {
    match &record.grant {
        None => Err(NOBODYS),
        Some(_) if !record.resources.hold_provider(issuer) => Err(NOT_FOR_US),
        Some(grant) => Ok(grant),
    }
}

/// The claims that were released here, and always the subject, the same as in the ID token.
pub fn claims(grant: &Grant, policy: &ClaimPolicy) -> Map<String, Value> {
    let released = grant.identity.claims(&grant.released.userinfo);
    let mut claims = policy.told(&released, &grant.subject);
    claims.insert("sub".to_owned(), grant.subject.as_str().into());
    claims
}

/// The same to be signed: who says it and to whom, as OpenID Connect Core §5.3.2 has it. Without an end
/// it can never pass for an ID token.
pub fn signed_claims(
    grant: &Grant,
    policy: &ClaimPolicy,
    issuer: &str,
    now: Timestamp,
) -> Map<String, Value> {
    let mut claims = claims(grant, policy);
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("iss", issuer.into());
    set("aud", grant.client_id.as_str().into());
    set("iat", now.0.into());
    claims
}
