//! Introspection (RFC 7662): what a token is worth now, told to whom it concerns.

use serde_json::{Map, Value, json};

use super::access_token::{AccessRecord, subject};
use super::binding::token_type;
use super::refresh::RefreshRecord;
use crate::client::Client;
use crate::client::mistake::Reason;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::id::ClientId;

/// RFC 7662 §2.1, §4: whoever asks must have proven who they are, so that nobody tries tokens out.
pub fn admit(caller: &Client) -> Result<(), Refusal> {
    match caller.metadata.token_endpoint_auth.is_proof() {
        true => Ok(()),
        false => Err(Refusal::new(
            Code::InvalidClient,
            "a public client may not introspect tokens",
        )
        .because(Reason::IntrospectionOfPublic)),
    }
}

/// RFC 7662 §2.1, §4. `owner` is the client that the token was issued to, if it still is registered.
pub fn of_access_token(
    record: Option<&AccessRecord>,
    owner: Option<&Client>,
    caller: &Client,
    issuer: &str,
) -> Value {
    match (record, owner) {
        (Some(record), Some(owner))
            if owner.client_id == record.client_id && concerns(record, caller, issuer) =>
        {
            let told = Told {
                client_id: &record.client_id,
                subject: subject(&record.client_id, record.grant.as_ref()),
                scope: &record.scope,
                expires_at: record.expires_at,
            };
            let mut answer = active(told, issuer);
            answer["aud"] = record.resources.audience(issuer);
            answer["token_type"] = token_type(record.binding.as_ref()).into();
            if let Some(binding) = &record.binding {
                // RFC 9449 §6.2, RFC 8705 §3.2.
                answer["cnf"] = json!(binding);
            }
            answer
        }
        _ => inactive(),
    }
}

/// RFC 7662 §4, RFC 8707 §3: an access token concerns the client that it was issued to, and the resource
/// servers that it is for. One that says of no service that it is it takes what is for this provider.
fn concerns(record: &AccessRecord, caller: &Client, issuer: &str) -> bool {
    let (resources, served) = (&record.resources, &caller.metadata.serves);
    let is_meant = || match served.is_empty() {
        true => resources.hold_provider(issuer),
        false => resources.meet(served),
    };
    caller.client_id == record.client_id || (caller.metadata.introspects && is_meant())
}

/// Of a refresh token only its own client is told: nobody else should ever hold one, and a resource
/// server must not take one for an access token.
pub fn of_refresh_token(
    record: Option<&RefreshRecord>,
    caller: &Client,
    issuer: &str,
    now: Timestamp,
) -> Value {
    let own = record.filter(|record| record.grant.client_id == caller.client_id);
    let told = own.and_then(|record| {
        let end = record.live_until(caller, now)?;
        let told = Told {
            client_id: &record.grant.client_id,
            subject: &record.grant.subject,
            scope: &record.grant.scope,
            expires_at: end,
        };
        Some(active(told, issuer))
    });
    told.unwrap_or_else(inactive)
}

/// The type of a signed answer (RFC 9701 §4, §5).
pub const JWT: &str = "application/token-introspection+jwt";
/// The same in the header of the token.
pub const TYP: &str = "token-introspection+jwt";

/// RFC 9701 §4: whether a request's `Accept` asks for a signed answer, besides others or alone.
pub fn is_signed_for<'a>(mut accept: impl Iterator<Item = &'a str>) -> bool {
    let asks = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let is_it = parts.next().is_some_and(|of| of.eq_ignore_ascii_case(JWT));
        let refuses = |weight: &str| weight.trim().parse().is_ok_and(|q: f32| q <= 0.0);
        is_it && !parts.any(|part| part.strip_prefix("q=").is_some_and(refuses))
    };
    accept.any(|header| header.split(',').any(asks))
}

/// RFC 9701 §5: an answer to be signed. It says nothing of the token but in its one claim, so that
/// it can never pass for the token.
pub fn signed_claims(
    answer: Value,
    caller: &Client,
    issuer: &str,
    now: Timestamp,
) -> Map<String, Value> {
    let claims = [
        ("iss", issuer.into()),
        ("aud", caller.client_id.as_str().into()),
        ("iat", now.0.into()),
        ("token_introspection", answer),
    ];
    Map::from_iter(claims.map(|(name, value)| (name.to_owned(), value)))
}

/// RFC 7662 §2.2: nothing but that it is worth nothing, whatever the reason.
pub fn inactive() -> Value {
    json!({ "active": false })
}

/// What is told of a token of either kind.
struct Told<'a> {
    client_id: &'a ClientId,
    subject: &'a str,
    scope: &'a str,
    expires_at: Timestamp,
}

/// RFC 7662 §2.2. Of the person nothing but the name that the token's client has for them.
fn active(told: Told<'_>, issuer: &str) -> Value {
    let mut answer = json!({
        "active": true,
        "iss": issuer,
        "client_id": told.client_id.as_str(),
        "sub": told.subject,
        "exp": told.expires_at.0,
    });
    if !told.scope.is_empty() {
        answer["scope"] = told.scope.into();
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Seconds;
    use crate::token::grant::tests::{client, grant};

    const NOW: Timestamp = Timestamp(1000);

    /// Somebody's token for some resources, to the client `a`.
    fn record(resources: Value) -> AccessRecord {
        AccessRecord {
            expires_at: NOW,
            binding: None,
            scope: "openid profile".into(),
            resources: serde_json::from_value(resources).expect("resources"),
            client_id: ClientId::parse("a").expect("an id"),
            grant: Some(grant("openid profile")),
        }
    }

    #[test]
    fn a_resource_server_is_told_of_what_is_meant_for_it() {
        let _shows = crate::shows!(accepting "PV-RESOURCE-3", refusing "PV-RESOURCE-3", accepting "IN-02", refusing "IN-02");
        let owner = client("a", json!({"serves": ["urn:c"]}));
        let serving =
            |names: Value| client("server", json!({"introspects": true, "serves": names}));
        let told = |resources: Value, caller: &Client| {
            let record = record(resources);
            of_access_token(Some(&record), Some(&owner), caller, "https://i")["active"] == true
        };
        for (resources, served, expected) in [
            (json!([]), json!([]), true),
            (json!(["https://i", "urn:a"]), json!([]), true),
            (json!(["urn:a"]), json!([]), false),
            (json!(["urn:a"]), json!(["urn:a"]), true),
            (json!(["urn:a", "urn:b"]), json!(["urn:b", "urn:c"]), true),
            (json!(["urn:a"]), json!(["urn:b"]), false),
            (json!([]), json!(["urn:b"]), false),
        ] {
            let told = told(resources.clone(), &serving(served.clone()));
            assert_eq!(told, expected, "{resources} {served}");
        }
        assert!(told(json!(["urn:a"]), &owner), "it is its own");
        let quiet = client("server", json!({"serves": ["urn:a"]}));
        assert!(!told(json!(["urn:a"]), &quiet));
    }

    #[test]
    fn a_clients_own_token_speaks_of_the_client() {
        let _shows = crate::shows!(accepting "PV-MACHINE-2");
        let own = AccessRecord {
            scope: String::new(),
            grant: None,
            ..record(json!(["urn:a", "urn:b"]))
        };
        let owner = client("a", json!({}));
        let answer = of_access_token(Some(&own), Some(&owner), &owner, "https://i");
        assert_eq!(
            answer,
            json!({"active": true, "iss": "https://i", "client_id": "a", "sub": "a",
                "aud": ["urn:a", "urn:b"], "exp": 1000, "token_type": "Bearer"})
        );
    }

    #[test]
    fn a_token_is_told_of_to_its_client_and_to_resource_servers() {
        let _shows =
            crate::shows!(accepting "IN-02", refusing "IN-02", accepting "O21", refusing "O21");
        let record = AccessRecord {
            expires_at: NOW + Seconds(300),
            ..record(json!([]))
        };
        let owner = client("a", json!({}));
        let server = client("server", json!({"introspects": true}));
        let stranger = client("stranger", json!({}));
        let told = |record, owner, caller| of_access_token(record, owner, caller, "https://i");
        for caller in [&owner, &server] {
            let answer = told(Some(&record), Some(&owner), caller);
            assert_eq!(
                answer,
                json!({"active": true, "iss": "https://i", "client_id": "a", "sub": "s",
                    "aud": "https://i", "scope": "openid profile", "exp": 1300,
                    "token_type": "Bearer"})
            );
            assert_eq!(told(None, Some(&owner), caller), inactive());
            assert_eq!(
                told(Some(&record), None, caller),
                inactive(),
                "its client is gone"
            );
        }
        assert_eq!(told(Some(&record), Some(&owner), &stranger), inactive());
    }

    #[test]
    fn a_refresh_token_is_told_of_to_its_client_alone() {
        let _shows = crate::shows!(accepting "IN-02", refusing "IN-02", refusing "O21");
        let mut record = RefreshRecord {
            key: None,
            expires_at: NOW + Seconds(300),
            used_at: None,
            is_replaced: false,
            used_again_at: None,
            successor_is_used: false,
            grant: grant("openid offline_access"),
        };
        let owner = client("a", json!({"refresh_tokens": true}));
        let server = client(
            "server",
            json!({"introspects": true, "refresh_tokens": true}),
        );
        let told = |record: &RefreshRecord, caller: &Client| {
            of_refresh_token(Some(record), caller, "https://i", NOW)["active"] == true
        };
        assert!(told(&record, &owner));
        assert!(!told(&record, &server));
        assert!(
            !told(&record, &client("a", json!({}))),
            "it has none any more"
        );
        record.used_at = Some(NOW);
        assert!(
            !told(&record, &owner),
            "it is good for one more try, and no token to rely on"
        );
    }

    #[test]
    fn a_signed_answer_is_asked_for_by_its_type() {
        let _shows = crate::shows!(accepting "IN-04", refusing "IN-04");
        for (accept, expected) in [
            (vec!["application/token-introspection+jwt"], true),
            (vec!["Application/Token-Introspection+JWT; q=0.5"], true),
            (vec!["text/html, application/token-introspection+jwt"], true),
            (
                vec!["text/html", "application/token-introspection+jwt"],
                true,
            ),
            (vec!["application/token-introspection+jwt;q=0"], false),
            (vec!["application/token-introspection+jwt; q=0.000"], false),
            (vec!["application/json"], false),
            (vec!["application/jwt"], false),
            (vec!["*/*"], false),
            (vec![""], false),
            (vec![], false),
        ] {
            assert_eq!(
                is_signed_for(accept.iter().copied()),
                expected,
                "{accept:?}"
            );
        }
    }

    #[test]
    fn a_public_client_may_not_ask() {
        let _shows = crate::shows!(accepting "IN-01", refusing "IN-01");
        assert_eq!(admit(&client("a", json!({}))), Ok(()));
        let public = client("a", json!({"token_endpoint_auth": "none"}));
        assert_eq!(admit(&public).map_err(|r| r.code), Err(Code::InvalidClient));
    }
}
