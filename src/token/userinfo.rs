//! What userinfo answers (OpenID Connect Core §5.3.2).

use serde_json::{Map, Value};

use super::grant::Grant;

/// The claims that were released here, and always the subject, the same as in the ID token.
pub fn claims(grant: &Grant) -> Map<String, Value> {
    let mut claims = grant.identity.claims(&grant.released.userinfo);
    claims.insert("sub".to_owned(), grant.subject.as_str().into());
    claims
}
