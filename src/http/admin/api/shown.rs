//! What the API tells of things. Times are in the form of RFC 3339, but for those within `metadata`, which
//! stand there as files have them.

use serde_json::{Map, Value, json};

use crate::admin::client::Made;
use crate::admin::failure;
use crate::admin::role::{self, Reach};
use crate::admin::session::Seen;
use crate::admin::{client, written};
use crate::client::registered::Registered;
use crate::client::registration::InitialAccessToken;
use crate::clock::Timestamp;
use crate::jose::rotation::KeyRecord;
use crate::storage::EntitlementRequest;

/// A client with a secret that is told this once.
pub fn made(made: &Made) -> Value {
    let mut told = client::shown(&made.registered);
    if let Some(secret) = &made.secret {
        told["client_secret"] = secret.expose().into();
    }
    told
}

/// A client in a list, where its secrets are not looked up.
pub fn listed(read: &Registered) -> Value {
    let mut told = client::shown(read);
    told.as_object_mut()
        .map(|members| members.remove("secrets"));
    told
}

/// A part of a list.
pub fn part(items: Vec<Value>, next: Option<String>) -> Value {
    let mut told = json!({ "items": items });
    if let Some(next) = next {
        told["next"] = next.into();
    }
    told
}

/// What waits for somebody's yes.
pub fn request(request: &EntitlementRequest) -> Value {
    json!({
        "client_id": request.client_id,
        "asked_by": request.asked_by,
        "asked_at": written(request.asked_at),
        "wanted": request.wanted,
    })
}

/// A client that may have personal numbers, or might until a while ago.
pub fn entitled(read: &Registered, now: Timestamp) -> Option<Value> {
    let right = read.client.metadata.personal_number.as_ref()?;
    Some(json!({
        "client_id": read.client.client_id,
        "client_name": read.client.metadata.client_name,
        "managed_by": read.managed_by,
        "entitlement": right,
        "holds": right.holds(now),
    }))
}

/// A refused request.
pub fn failure(failure: &failure::Failure) -> Value {
    let mut told = serde_json::to_value(failure).expect("our own types are valid JSON");
    told["at"] = written(failure.at).into();
    told
}

/// A token by which clients register themselves, without the token.
pub fn registration_token(token: &InitialAccessToken) -> Value {
    let mut told = Map::new();
    let mut set = |name: &str, value: Value| told.insert(name.to_owned(), value);
    set("id", json!(token.id));
    set("note", json!(token.note));
    set("uses", json!(token.uses));
    set("uses_left", json!(token.uses_left));
    set("expires_at", written(token.expires_at).into());
    set("revoked_at", json!(token.revoked_at.map(written)));
    set("refresh_tokens", json!(token.allowance.refresh_tokens));
    set("pkce", json!(token.allowance.pkce));
    set("sector", json!(token.allowance.sector));
    Value::Object(told)
}

/// A signing key, by what is public of it.
pub fn key(key: &KeyRecord) -> Value {
    json!({
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": key.state.as_str(),
        "created_at": written(key.created_at),
        "active_at": written(key.active_at),
        "retained_until": key.retained_until.map(written),
        "revoked_at": key.revoked_at.map(written),
    })
}

/// A session, without its person.
pub fn session(seen: &Seen) -> Value {
    json!({
        "id": seen.id,
        "client_id": seen.client_id,
        "auth_time": written(seen.auth_time),
        "expires_at": written(seen.expires_at),
    })
}

/// Somebody who administers.
pub fn administrator(one: &role::Administrator) -> Value {
    let mut told = json!({
        "id": one.id,
        "name": one.name,
        "role": one.role,
        "is_enrolled": one.is_enrolled,
        "version": one.version,
        "created_at": written(one.created_at),
    });
    if let Reach::Only(clients) = &one.reach {
        told["clients"] = json!(clients);
    }
    told
}
