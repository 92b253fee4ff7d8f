//! What becomes of the keys in the database while nodes run: each node learns of new ones, and one of them
//! seals anew what an older one sealed, until nothing needs it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::{Seconds, Timestamp};
use crate::error::Fault;
use crate::provider::Provider;
use crate::storage::{Cursor, Generation, KEPT, Purpose, SETTLING, used};

/// How often a node looks for new keys; well below [`SETTLING`].
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// The work that one node does at a time.
const LEASE: &str = "reseal";
/// How long it is a node's that is not heard of any more.
const LEASE_LENGTH: Seconds = Seconds(30);
/// A breath between two commits, so that people who log in come first.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a node may know no news of the keys and still work: others use a new one only after
/// [`SETTLING`].
const BLIND: Seconds = Seconds(SETTLING.0 / 2);

/// Learns of new keys until the program ends. Nothing else is done on the way, so that nothing keeps a node
/// from learning of them.
pub async fn learn(provider: Provider) {
    let mut every = tokio::time::interval(LOOK_INTERVAL);
    let mut read_at = provider.clock.now();
    loop {
        every.tick().await;
        let (store, asked_at) = (&provider.store, provider.clock.now());
        let refreshed = tokio::time::timeout(LOOK_INTERVAL, store.refresh_keys(asked_at)).await;
        let trouble = match refreshed {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault.to_string()),
            Err(_) => Some("no answer".to_owned()),
        };
        let was_read = provider
            .data_keys_are_read
            .swap(trouble.is_none(), Ordering::Relaxed);
        let is_behind = trouble.is_some() && provider.clock.now() >= read_at + BLIND;
        match trouble {
            None => read_at = asked_at,
            // Once, and not every few seconds.
            Some(trouble) if was_read => {
                tracing::error!(%trouble, "the keys of the database cannot be read");
            }
            Some(_) => {}
        }
        if is_behind && !store.is_behind() {
            tracing::error!("others may use keys that this node does not know: it logs nobody in");
        }
        store.set_behind(is_behind);
    }
}

/// Has what an older key sealed sealed anew, until the program ends.
pub async fn reseal(provider: Provider) {
    let mut every = tokio::time::interval(LOOK_INTERVAL);
    let mut rest_until = Timestamp(0);
    loop {
        every.tick().await;
        if provider.data_keys_are_read.load(Ordering::Relaxed)
            && let Err(fault) = take_a_turn(&provider, &mut rest_until).await
        {
            tracing::error!(%fault, "values could not be sealed anew: it is tried again");
        }
    }
}

/// Seals anew and removes what nothing needs, when it is time and no other node does.
async fn take_a_turn(provider: &Provider, rest_until: &mut Timestamp) -> Result<(), Fault> {
    let (store, now) = (&provider.patient, provider.clock.now());
    let seals = store.key_generations(Purpose::Seal).await?;
    let indexes = store.key_generations(Purpose::Index).await?;
    for (purpose, generations) in [(Purpose::Seal, &seals), (Purpose::Index, &indexes)] {
        let count = i64::try_from(generations.len()).unwrap_or(i64::MAX);
        provider.metrics.key_generations(purpose.word(), count);
    }
    if !(is_due(&seals, now) || is_due(&indexes, now)) {
        // Whatever is rolled next begins at once.
        *rest_until = now;
        return Ok(());
    }
    if now < *rest_until || !take_lease(provider).await? {
        return Ok(());
    }
    if is_due(&seals, now) {
        let mut cursor = Cursor::default();
        while store.reseal_some(&mut cursor).await? {
            if *provider.stopping.borrow() || !take_lease(provider).await? {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        provider.metrics.resealed(cursor.resealed);
        let (resealed, unopened) = (cursor.resealed, cursor.unopened);
        tracing::info!(resealed, unopened, "the newest key seals all that opens");
    }
    for generation in store
        .remove_unused_sealing_keys(provider.clock.now())
        .await?
    {
        tracing::info!(
            generation,
            "a sealing key is removed: it seals nothing any more"
        );
    }
    for generation in store.remove_unused_index_keys(provider.clock.now()).await? {
        tracing::info!(
            generation,
            "an index key is removed: nobody is found by it any more"
        );
    }
    *rest_until = now + KEPT;
    Ok(())
}

/// Whether there is an older generation, and every node uses the newest one for certain: each learned of it,
/// and what was under way before is over.
fn is_due(generations: &[Generation], now: Timestamp) -> bool {
    let is_settled = |one: Generation| one.created_at + SETTLING + SETTLING <= now;
    generations.len() > 1 && used(generations, now).is_some_and(is_settled)
}

async fn take_lease(provider: &Provider) -> Result<bool, Fault> {
    let now = provider.clock.now();
    let holder = &provider.lease_holder;
    let until = now + LEASE_LENGTH;
    provider.store.take_lease(LEASE, holder, until, now).await
}
