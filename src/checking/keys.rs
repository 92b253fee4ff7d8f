//! The keys of the database, and those that tokens are signed with.

use super::finding::Finding;
use crate::clock::{Seconds, Timestamp};
use crate::config::Config;
use crate::jose::rotation::{self, KeyRecord, Rotation, State, Step};
use crate::storage::Store;

/// How late a rotation may be that nodes do by themselves.
const LATE: Seconds = Seconds(24 * 60 * 60);

/// Both, and the `kid`s that are published; `None` where no key was made yet.
pub async fn check(
    config: &Config,
    store: &Store,
    now: Timestamp,
) -> (Vec<Finding>, Option<Vec<String>>) {
    let former = config.master_key.former.len();
    let mut found = vec![master(store.needs_former_master_key(), former)];
    let mut published = None;
    match store.signing_keys().await {
        Ok(keys) => {
            found.push(judge(&keys, &config.rotation, now));
            let alive = keys.iter().filter(|key| key.state != State::Removed);
            let kids: Vec<String> = alive.map(|key| key.kid.clone()).collect();
            published = (!kids.is_empty()).then_some(kids);
        }
        Err(fault) => found.push(Finding::error(
            "signing keys",
            "signing_keys",
            fault.to_string(),
            "See whether the database's user may read its tables.",
        )),
    }
    (found, published)
}

/// Which master key wraps. To open the database was to have the current one wrap what a former one did,
/// unless that is left to another role.
pub fn master(needs_former: bool, former: usize) -> Finding {
    let (about, id) = ("master key", "master_key");
    match (needs_former, former) {
        (true, _) => Finding::warning(
            about,
            id,
            "a former one still wraps keys of the database, until a node starts",
            "Start a node with both, and take the former one out of the configuration when this is gone.",
        ),
        (false, 0) => Finding::ok(about, id, "it wraps all keys of the database"),
        (false, _) => Finding::ok(
            about,
            id,
            "it wraps all keys of the database; the former ones that are configured are not needed any more",
        ),
    }
}

/// Whether keys come and go by themselves, as they do where a node runs.
fn judge(keys: &[KeyRecord], rotation: &Rotation, now: Timestamp) -> Finding {
    let (about, id) = ("signing keys", "signing_keys");
    if keys.is_empty() {
        return Finding::ok(about, id, "there are none yet: the first node makes them");
    }
    let late: Vec<&str> = rotation::due(keys, rotation, now - LATE)
        .into_iter()
        .map(|step| match step {
            Step::Found(_) => "to be made",
            Step::Announce(_) => "to be announced",
            Step::Activate { .. } => "to take over",
            Step::Remove(_) => "to be removed",
        })
        .collect();
    match late.first() {
        Some(first) => Finding::warning(
            about,
            id,
            format!(
                "{} of them were {first}, or the like, more than a day ago",
                late.len()
            ),
            "Nodes do this by themselves: see whether one runs, and what its log says of keys.",
        ),
        None => {
            let signing = keys.iter().filter(|key| key.state == State::Active);
            Finding::ok(about, id, format!("{} sign; none is late", signing.count()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checking::finding::Level;
    use crate::jose::algorithm::Algorithm;

    const NOW: Timestamp = Timestamp(1_800_000_000);
    const DAY: i64 = 24 * 60 * 60;

    #[test]
    fn keys_that_do_not_come_and_go_are_told_of() {
        let _shows = crate::shows!(accepting "PV-CHECK-7", refusing "PV-CHECK-7");
        let days = |days: i64| Seconds(days * DAY);
        let rotation = Rotation {
            announced: days(14),
            active: days(90),
            retained: days(14),
        };
        let of_age = |age: i64| -> Vec<KeyRecord> {
            let key = |algorithm: Algorithm| KeyRecord {
                kid: algorithm.as_str().to_owned(),
                algorithm,
                state: State::Active,
                created_at: NOW - days(age),
                active_at: NOW - days(age),
                retained_until: None,
                revoked_at: None,
            };
            Algorithm::ALL.map(key).into()
        };
        // The next one is announced when there are fourteen of ninety days left.
        for (keys, level) in [
            (Vec::new(), Level::Ok),
            (of_age(0), Level::Ok),
            (of_age(76), Level::Ok),
            (of_age(77), Level::Warning),
            (of_age(0)[1..].to_vec(), Level::Warning),
        ] {
            let found = judge(&keys, &rotation, NOW);
            assert_eq!(found.level, level, "{found:?}");
        }
        assert_eq!(master(false, 0).level, Level::Ok);
        assert_eq!(master(false, 1).level, Level::Ok);
        assert_eq!(master(true, 1).level, Level::Warning);
    }
}
