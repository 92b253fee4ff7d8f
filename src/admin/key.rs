//! The signing keys. Nothing that is private of them is ever shown.

use serde_json::json;

use super::{Desk, Done, Unmet};
use crate::audit::Action;
use crate::jose::algorithm::Algorithm;
use crate::jose::keyring::made;
use crate::jose::rotation::{self, KeyRecord, State};
use crate::storage::{Generation, Purpose, Revoked, Rolled, SETTLING, used};

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

/// What becomes of a generation of a key, and how much still needs it.
#[derive(Clone, Debug)]
pub struct Use {
    /// What the key is for.
    pub purpose: Purpose,
    /// Which one.
    pub generation: Generation,
    /// How many values it sealed, or how many people are found by it.
    pub count: i64,
    /// What becomes of it, in words.
    pub fate: String,
}

/// The keys of the database that can be replaced while nodes run.
pub async fn uses(desk: &Desk<'_>) -> Done<Vec<Use>> {
    let mut found = Vec::new();
    for purpose in [Purpose::Seal, Purpose::Index] {
        let generations = desk.store.key_generations(purpose).await?;
        let current = used(&generations, desk.now());
        for generation in generations {
            let count = desk.store.key_uses(purpose, generation.number).await?;
            let is_older = current.is_some_and(|current| generation.number < current.number);
            let fate = match (current == Some(generation), is_older, purpose) {
                (true, ..) => "is used".to_owned(),
                (_, false, _) => {
                    let from = super::written(generation.created_at + SETTLING);
                    format!("is used from {from}")
                }
                (_, true, Purpose::Index) => {
                    "goes when the last of them has logged in again, or is gone".to_owned()
                }
                (_, true, _) => "goes when nothing is sealed with it".to_owned(),
            };
            found.push(Use {
                purpose,
                generation,
                count,
                fate,
            });
        }
    }
    Ok(found)
}

/// Makes another key to seal values with, or to index numbers by.
pub async fn roll(desk: &Desk<'_>, purpose: Purpose) -> Done<Rolled> {
    let action = match purpose {
        Purpose::Index => Action::KeyRollIndex,
        _ => Action::KeyRollSealing,
    };
    let event = desk.event(action, object(purpose.word()), None, None);
    Ok(desk.store.roll_key(purpose, &event).await?)
}

fn object(kid: &str) -> String {
    format!("key:{kid}")
}
