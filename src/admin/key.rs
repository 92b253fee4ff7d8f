//! The signing keys. Nothing that is private of them is ever shown.

use serde_json::json;

use super::{Desk, Done, Unmet};
use crate::audit::Action;
use crate::jose::algorithm::Algorithm;
use crate::jose::keyring::made;
use crate::jose::rotation::{self, KeyRecord, State};
use crate::storage::Revoked;

/// All keys: those that sign first, those that are gone last.
pub async fn list(desk: &Desk<'_>) -> Done<Vec<KeyRecord>> {
    let mut keys = desk.store.signing_keys().await?;
    keys.sort_by_key(|key| (key.state, key.algorithm));
    Ok(keys)
}

/// What becomes of a key, in words.
pub fn fate(key: &KeyRecord, keys: &[KeyRecord], rotation: &rotation::Rotation) -> String {
    use super::written;
    let end = rotation::replaced_at(keys, key.algorithm, rotation);
    let (from, end) = (
        written(key.active_at),
        written(end.unwrap_or(key.active_at)),
    );
    match (key.state, key.retained_until, key.revoked_at) {
        (State::Announced, ..) => format!("signs from {from}"),
        (State::Active, ..) => format!("signs since {from}, until {end}"),
        (State::Retained, Some(until), _) => format!("is published until {}", written(until)),
        (State::Removed, _, Some(at)) => format!("was revoked {}", written(at)),
        (State::Retained | State::Removed, ..) => "is over".to_owned(),
    }
}

/// A key that is announced.
#[derive(Clone, Debug)]
pub struct Announced {
    /// The key.
    pub key: KeyRecord,
    /// Whether it was just made.
    pub is_new: bool,
}

/// Announces another key of an algorithm before it is time. It signs after the days that are configured,
/// like any other.
pub async fn announce(desk: &Desk<'_>, algorithm: Algorithm) -> Done<Announced> {
    let active_at = desk.now() + desk.config.rotation.announced;
    let before = desk.store.signing_keys().await?;
    let is_new = match rotation::find(&before, algorithm, State::Announced) {
        Some(_) => false,
        None => {
            let key = made(algorithm).await?;
            let after = json!({ "algorithm": algorithm, "active_at": active_at });
            let event = desk.event(Action::KeyAnnounce, object(&key.kid), None, Some(after));
            desk.store
                .announce_signing_key(&key, active_at, desk.now(), Some(&event))
                .await?
        }
    };
    let keys = desk.store.signing_keys().await?;
    let key = rotation::find(&keys, algorithm, State::Announced);
    let key = key.cloned().ok_or(Unmet::Stale)?;
    Ok(Announced { key, is_new })
}

/// Removes a key at once. What it signed is refused from now on, wherever it is shown to us.
pub async fn revoke(desk: &Desk<'_>, kid: &str) -> Done<(Algorithm, Revoked)> {
    let unknown = || Unmet::Unknown("key");
    let keys = desk.store.signing_keys().await?;
    let known = keys.iter().find(|key| key.kid == kid).ok_or_else(unknown)?;
    let before = json!({ "algorithm": known.algorithm, "state": known.state.as_str() });
    let event = desk.event(Action::KeyRevoke, object(kid), Some(before), None);
    let spare = made(known.algorithm).await?;
    match desk.store.revoke_signing_key(kid, &spare, &event).await? {
        Revoked::Unknown => Err(unknown()),
        revoked => Ok((known.algorithm, revoked)),
    }
}

fn object(kid: &str) -> String {
    format!("key:{kid}")
}
