//! ⚡ Keys that clients publish (`jwks_uri`, RFC 7591 §2): fetched when they are wanted, and kept for a
//! while.
//!
//! Who calls us under a client's name, with a signature that none of its keys made, has its keys looked
//! up again, because it may have new ones; but only now and then, or strangers could make us call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{CalledUri, Client};
use crate::clock::{Seconds, Timestamp};
use crate::jose::jwks::Jwks;
use crate::json;
use crate::outbound::Outbound;

/// How long keys are used without asking again.
const FRESH: Seconds = Seconds(10 * 60);
/// How long they are used when the client does not answer. A key that it gave up is good no longer.
const KEPT: Seconds = Seconds(60 * 60);
/// How often one client's keys are asked for at most.
const INTERVAL: Seconds = Seconds(30);
/// The most that a key set may hold, in bytes.
pub const LARGEST: usize = 64 * 1024;
/// The most addresses whose keys are kept.
const MOST: usize = 1000;

/// The keys of all clients that publish theirs, as this node knows them.
#[derive(Debug, Default)]
pub struct PublishedKeys {
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

/// What is known of one address.
#[derive(Debug, Default)]
struct Slot {
    // A std mutex: what is done under it never awaits.
    known: Mutex<Known>,
    /// Held by whoever asks, so that the others wait for the same answer.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    keys: Option<(Jwks, Timestamp)>,
    asked_at: Option<Timestamp>,
}

impl Known {
    /// Whether to ask: for keys that are old, or do not fit, when that was not done just now.
    fn wants(&self, fits: &dyn Fn(&Jwks) -> bool, now: Timestamp) -> bool {
        let serve = |(keys, since): &(Jwks, Timestamp)| now < *since + FRESH && fits(keys);
        // A clock that was set back would keep them from being asked for until it is there again.
        let may = self
            .asked_at
            .is_none_or(|at| now >= at + INTERVAL || now < at);
        may && !self.keys.as_ref().is_some_and(serve)
    }

    fn usable(&self, now: Timestamp) -> Option<Jwks> {
        let (keys, since) = self.keys.as_ref()?;
        (now < *since + KEPT).then(|| keys.clone())
    }
}

impl Slot {
    fn known<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn ask(&self, client: &Client, uri: &CalledUri, outbound: &Outbound, now: Timestamp) {
        let fetched = match outbound.fetch(uri.as_str(), LARGEST).await {
            Err(failure) => Err(failure.to_string()),
            Ok(body) => json::object(&body)
                .and_then(Jwks::published)
                .ok_or_else(|| "there is no key that we know what to do with".to_owned()),
        };
        if let Err(trouble) = &fetched {
            tracing::warn!(client = %client.client_id, %trouble, "a client's keys could not be fetched");
        }
        self.known(|known| {
            // Not before: whoever comes meanwhile waits for this answer.
            known.asked_at = Some(now);
            if let Ok(keys) = fetched {
                known.keys = Some((keys, now));
            }
        });
    }
}

impl PublishedKeys {
    /// Gives a client that publishes its keys those, as far as they are known; preferably ones that
    /// fit.
    pub async fn give(
        &self,
        client: &mut Client,
        outbound: &Outbound,
        fits: &(dyn Fn(&Jwks) -> bool + Sync),
        now: Timestamp,
    ) {
        let Some(uri) = client.metadata.jwks_uri.clone() else {
            return;
        };
        let slot = self.slot(uri.as_str());
        if slot.known(|known| known.wants(fits, now)) {
            let _turn = slot.asking.lock().await;
            // Somebody may have asked while this one waited.
            if slot.known(|known| known.wants(fits, now)) {
                slot.ask(client, &uri, outbound, now).await;
            }
        }
        client.metadata.jwks = slot.known(|known| known.usable(now));
    }

    fn slot(&self, uri: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MOST && !slots.contains_key(uri) {
            let asked_at = |slot: &Slot| slot.known(|known| known.asked_at);
            let longest_ago = slots.iter().min_by_key(|(_, slot)| asked_at(slot));
            if let Some(uri) = longest_ago.map(|(uri, _)| uri.clone()) {
                slots.remove(&uri);
            }
        }
        slots.entry(uri.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Signer;

    #[test]
    fn keys_are_asked_for_when_they_are_old_or_do_not_fit_and_not_too_often() {
        let _shows = crate::shows!(accepting "JK-09", refusing "JK-09");
        let keys = Jwks::parse(Signer::new().jwks()).expect("keys");
        let start = Timestamp(1_000_000);
        let (fits, misfits) = (|_: &Jwks| true, |_: &Jwks| false);
        let nothing = Known::default();
        assert!(nothing.wants(&fits, start) && nothing.usable(start).is_none());
        let failed = Known {
            asked_at: Some(start),
            ..nothing
        };
        assert!(!failed.wants(&fits, start + Seconds(29)));
        assert!(failed.wants(&fits, start + Seconds(30)));
        let known = Known {
            keys: Some((keys, start)),
            asked_at: Some(start),
        };
        for (after, by_fitting, by_misfitting, is_usable) in [
            (0, false, false, true),
            (29, false, false, true),
            (30, false, true, true),
            (599, false, true, true),
            (600, true, true, true),
            (3599, true, true, true),
            (3600, true, true, false),
        ] {
            let now = start + Seconds(after);
            let wants = (known.wants(&fits, now), known.wants(&misfits, now));
            assert_eq!(wants, (by_fitting, by_misfitting), "{after}");
            assert_eq!(known.usable(now).is_some(), is_usable, "{after}");
        }
    }

    #[test]
    fn only_so_many_addresses_are_kept() {
        let _shows = crate::shows!(refusing "JK-09");
        let published = PublishedKeys::default();
        for n in 0..MOST + 10 {
            let slot = published.slot(&format!("https://{n}.example/"));
            let at = Timestamp(i64::try_from(n).expect("small"));
            slot.known(|known| known.asked_at = Some(at));
        }
        let slots = published.slots.lock().expect("free");
        assert_eq!(slots.len(), MOST);
        assert!(slots.contains_key("https://1009.example/"));
        assert!(!slots.contains_key("https://0.example/"));
    }
}
