//! Access tokens that a client gets for itself (RFC 6749 §4.4), without a person, an ID token or a
//! refresh token.

use super::binding::Binding;
use super::grant::{ACCESS_TOKEN_LIFETIME, Tokens};
use crate::authorize::resource::Resources;
use crate::client::Client;
use crate::client::machine::Machine;
use crate::client::mistake::Reason;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::random::Random;
use crate::secret::Secret;

const NOT_REGISTERED: Refusal = Refusal::new(
    Code::UnauthorizedClient,
    "this client is not registered for client_credentials",
)
.because(Reason::ClientCredentialsOff);
const SCOPE: Refusal = Refusal::new(
    Code::InvalidScope,
    "the scope holds a value that this client may not have for itself",
)
.because(Reason::OwnScopeNotAllowed);

/// RFC 6749 §3.3, §4.4.2: what is asked for, each value once, or all that the client may have when
/// nothing is. `openid` is never among it: there is no person to speak of.
pub fn scope(client: &Client, asked: Option<&str>) -> Result<String, Refusal> {
    let Machine { scopes } = client.metadata.own_tokens().ok_or(NOT_REGISTERED)?;
    let wanted: Vec<&str> = match asked {
        Some(asked) => asked.split(' ').filter(|value| !value.is_empty()).collect(),
        None => return Ok(list(scopes.iter().map(|scope| scope.as_str()))),
    };
    let is_its_own = |value: &&str| scopes.iter().any(|scope| scope.as_str() == *value);
    if wanted.is_empty() || !wanted.iter().all(is_its_own) {
        return Err(SCOPE);
    }
    let granted = scopes.iter().map(|scope| scope.as_str());
    Ok(list(granted.filter(|scope| wanted.contains(scope))))
}

fn list<'a>(values: impl Iterator<Item = &'a str>) -> String {
    values.collect::<Vec<_>>().join(" ")
}

/// RFC 6749 §4.4.3: an access token, and no refresh token.
pub fn issue(
    binding: Option<Binding>,
    scope: String,
    resources: Resources,
    random: &Random,
    now: Timestamp,
) -> Tokens {
    Tokens {
        access: Secret::fresh(random),
        access_kid: None,
        access_binding: binding,
        access_expires_at: now + ACCESS_TOKEN_LIFETIME,
        scope,
        resources,
        refresh: None,
        refresh_key: None,
        kept_until: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::token::grant::tests::client;

    #[test]
    fn a_client_gets_for_itself_what_it_is_registered_for() {
        let _shows = crate::shows!(accepting "PV-MACHINE-1", refusing "PV-MACHINE-1");
        let machine = client(
            "a",
            json!({"client_credentials": {"scopes": ["read", "write"]}}),
        );
        let asked = |asked| scope(&machine, asked).map_err(|refusal| refusal.code);
        assert_eq!(asked(None), Ok("read write".to_owned()));
        assert_eq!(asked(Some("write")), Ok("write".to_owned()));
        assert_eq!(
            asked(Some("write read  write")),
            Ok("read write".to_owned())
        );
        for wrong in [
            "openid",
            "read openid",
            "offline_access",
            "other",
            "READ",
            " ",
        ] {
            assert_eq!(asked(Some(wrong)), Err(Code::InvalidScope), "{wrong:?}");
        }
        let plain = client("a", json!({"client_credentials": {}}));
        assert_eq!(scope(&plain, None), Ok(String::new()));
        for other in [
            json!({}),
            json!({"client_credentials": {"scopes": ["read"]}, "token_endpoint_auth": "none"}),
        ] {
            assert_eq!(scope(&client("a", other), None), Err(NOT_REGISTERED));
        }
    }
}
