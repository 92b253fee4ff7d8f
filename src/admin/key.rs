//! The signing keys, from a shell. Nothing that is private of them is ever shown.

use anyhow::{Context, bail};

use super::{open, written};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::jose::algorithm::Algorithm;
use crate::jose::keyring::made;
use crate::jose::rotation::{self, KeyRecord, State};
use crate::storage::{Revoked, Store};

/// All keys, a line for each: those that sign first, those that are gone last.
pub async fn list(config: &Config) -> anyhow::Result<String> {
    let (store, _) = open(config).await?;
    let keys = store.signing_keys().await;
    store.close().await;
    let mut keys = keys?;
    keys.sort_by_key(|key| (key.state, key.algorithm));
    keys.iter().map(|key| line(key, &keys, config)).collect()
}

fn line(key: &KeyRecord, keys: &[KeyRecord], config: &Config) -> anyhow::Result<String> {
    let end = rotation::replaced_at(keys, key.algorithm, &config.rotation);
    let (from, end) = (
        written(key.active_at)?,
        written(end.unwrap_or(key.active_at))?,
    );
    let then = match (key.state, key.retained_until, key.revoked_at) {
        (State::Announced, ..) => format!("signs from {from}"),
        (State::Active, ..) => format!("signs since {from}, until {end}"),
        (State::Retained, Some(until), _) => format!("is published until {}", written(until)?),
        (State::Removed, _, Some(at)) => format!("was revoked {}", written(at)?),
        (State::Retained | State::Removed, ..) => "is over".to_owned(),
    };
    let (kid, algorithm, state) = (&key.kid, key.algorithm, key.state.as_str());
    Ok(format!("{kid}  {algorithm}  {state:9}  {then}\n"))
}

/// Announces another key of this algorithm, or of each, before it is time. It signs after the days that
/// are configured, like any other.
pub async fn rotate(config: &Config, only: Option<Algorithm>) -> anyhow::Result<String> {
    let (store, now) = open(config).await?;
    let mut said = String::new();
    for algorithm in Algorithm::ALL {
        if only.is_none_or(|only| only == algorithm) {
            said += &announce(&store, algorithm, config, now).await?;
        }
    }
    store.close().await;
    Ok(said)
}

async fn announce(
    store: &Store,
    algorithm: Algorithm,
    config: &Config,
    now: Timestamp,
) -> anyhow::Result<String> {
    let active_at = now + config.rotation.announced;
    let is_new = match rotation::find(&store.signing_keys().await?, algorithm, State::Announced) {
        Some(_) => false,
        None => {
            let key = made(algorithm).await?;
            store.announce_signing_key(&key, active_at, now).await?
        }
    };
    let keys = store.signing_keys().await?;
    let Some(next) = rotation::find(&keys, algorithm, State::Announced) else {
        bail!("{algorithm}: the key that was announced is gone again");
    };
    let (kid, from) = (&next.kid, written(next.active_at)?);
    let word = if is_new { "is" } else { "was already" };
    Ok(format!(
        "{algorithm}: {kid} {word} announced, and signs from {from}\n"
    ))
}

/// Removes a key at once. What it signed is refused from now on, wherever it is shown to us.
pub async fn revoke(config: &Config, kid: &str) -> anyhow::Result<String> {
    let (store, now) = open(config).await?;
    let keys = store.signing_keys().await?;
    let known = keys.iter().find(|key| key.kid == kid);
    let algorithm = known.context("there is no such key")?.algorithm;
    let revoked = store
        .revoke_signing_key(kid, &made(algorithm).await?, now)
        .await;
    store.close().await;
    Ok(match revoked? {
        Revoked::Unknown => bail!("this key is gone already"),
        Revoked::Gone => format!("{kid} is revoked. It did not sign.\n"),
        Revoked::Announced(next) => format!(
            "{kid} is revoked. {next}, which was announced before, signs {algorithm} in its place.\n"
        ),
        Revoked::Fresh(next) => format!(
            "{kid} is revoked. {next} signs {algorithm} in its place. No application has seen it yet: until\n\
             they fetch our keys again, logins fail in those that do not do so for a kid they do not know.\n"
        ),
    })
}
