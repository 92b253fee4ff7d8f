//! How signing keys come and go (OpenID Connect Core §10.1.1): announced → active → retained → removed.
//!
//! A key is published long before it signs, so that whoever keeps our keys in a cache has it by then,
//! and long after, until nothing that it signed is alive. When it begins to sign is written down when
//! it is announced: no node decides that anew.

use super::algorithm::Algorithm;
use crate::clock::{Seconds, Timestamp};

/// For how long a key is what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// From its announcement until it signs.
    pub announced: Seconds,
    /// How long it signs.
    pub active: Seconds,
    /// From then until it is removed.
    pub retained: Seconds,
}

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It signs.
    Active,
    /// It is published, and will sign.
    Announced,
    /// It is published, and has signed.
    Retained,
    /// It is gone.
    Removed,
}

impl State {
    /// All of them.
    pub const ALL: [State; 4] = [
        State::Active,
        State::Announced,
        State::Retained,
        State::Removed,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Announced => "announced",
            State::Retained => "retained",
            State::Removed => "removed",
        }
    }

    /// Reads what [`State::as_str`] writes.
    pub fn parse(text: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What is known of a key besides the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its RFC 7638 thumbprint.
    pub kid: String,
    /// What it is for.
    pub algorithm: Algorithm,
    /// Where it is in its life.
    pub state: State,
    /// When it was made, and so first published.
    pub created_at: Timestamp,
    /// Since when it signs, or from when on it will.
    pub active_at: Timestamp,
    /// When a retained key is removed.
    pub retained_until: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a key that signs at once: there is none.
    Found(Algorithm),
    /// Make a key and publish it.
    Announce(Algorithm),
    /// Let an announced key take over.
    Activate {
        /// The one that has signed.
        old: String,
        /// The one that will.
        new: String,
    },
    /// Let go of a key.
    Remove(String),
}

/// What is to be done now.
pub fn due(keys: &[KeyRecord], rotation: &Rotation, now: Timestamp) -> Vec<Step> {
    let successions = Algorithm::ALL
        .into_iter()
        .filter_map(|algorithm| succession(keys, algorithm, rotation, now));
    let is_over = |key: &&KeyRecord| {
        key.state == State::Retained && key.retained_until.is_none_or(|until| until <= now)
    };
    let removals = keys.iter().filter(is_over);
    successions
        .chain(removals.map(|key| Step::Remove(key.kid.clone())))
        .collect()
}

fn succession(
    keys: &[KeyRecord],
    algorithm: Algorithm,
    rotation: &Rotation,
    now: Timestamp,
) -> Option<Step> {
    match (
        find(keys, algorithm, State::Active),
        find(keys, algorithm, State::Announced),
    ) {
        (None, _) => Some(Step::Found(algorithm)),
        (Some(old), Some(new)) => (new.active_at <= now).then(|| Step::Activate {
            old: old.kid.clone(),
            new: new.kid.clone(),
        }),
        (Some(old), None) => {
            let early = old.active_at + rotation.active - rotation.announced;
            (early <= now).then_some(Step::Announce(algorithm))
        }
    }
}

/// The one key of an algorithm that signs, or that will.
pub fn find(keys: &[KeyRecord], algorithm: Algorithm, state: State) -> Option<&KeyRecord> {
    keys.iter()
        .find(|key| key.algorithm == algorithm && key.state == state)
}

/// When another key takes over.
pub fn replaced_at(
    keys: &[KeyRecord],
    algorithm: Algorithm,
    rotation: &Rotation,
) -> Option<Timestamp> {
    let announced = find(keys, algorithm, State::Announced).map(|key| key.active_at);
    let active = find(keys, algorithm, State::Active).map(|key| key.active_at + rotation.active);
    announced.or(active)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;
    const ROTATION: Rotation = Rotation {
        announced: Seconds(14 * DAY),
        active: Seconds(90 * DAY),
        retained: Seconds(14 * DAY),
    };

    fn key(kid: &str, algorithm: Algorithm, state: State, active_at: i64) -> KeyRecord {
        KeyRecord {
            kid: kid.to_owned(),
            algorithm,
            state,
            created_at: Timestamp(active_at),
            active_at: Timestamp(active_at),
            retained_until: None,
            revoked_at: None,
        }
    }

    fn all_but_rs256(since_day: i64) -> Vec<KeyRecord> {
        let others = Algorithm::ALL.into_iter().skip(1);
        others
            .map(|a| key(a.as_str(), a, State::Active, since_day * DAY))
            .collect()
    }

    #[test]
    fn each_step_has_its_time() {
        let _shows = crate::shows!(accepting "JK-04", refusing "JK-04");
        let rs256 =
            |state: State, active_at| key(state.as_str(), Algorithm::RS256, state, active_at);
        let mut over = rs256(State::Retained, -90 * DAY);
        over.retained_until = Some(Timestamp(14 * DAY));
        let activate = || Step::Activate {
            old: "active".to_owned(),
            new: "announced".to_owned(),
        };
        let cases: [(Vec<KeyRecord>, i64, Vec<Step>); 8] = [
            (Vec::new(), 0, vec![Step::Found(Algorithm::RS256)]),
            // Nothing waits for its turn when nothing signs.
            (
                vec![rs256(State::Announced, 5 * DAY)],
                0,
                vec![Step::Found(Algorithm::RS256)],
            ),
            (vec![rs256(State::Active, 0)], 75, vec![]),
            (
                vec![rs256(State::Active, 0), rs256(State::Announced, 90 * DAY)],
                89,
                vec![],
            ),
            (
                vec![rs256(State::Active, 0), rs256(State::Announced, 10 * DAY)],
                10,
                vec![activate()],
            ),
            (vec![rs256(State::Active, 0), over.clone()], 13, vec![]),
            (
                vec![rs256(State::Active, 0), over],
                14,
                vec![Step::Remove("retained".to_owned())],
            ),
            (
                vec![rs256(State::Active, 0), rs256(State::Removed, 0)],
                50,
                vec![],
            ),
        ];
        for (keys, day, expected) in cases {
            let keys: Vec<KeyRecord> = keys.into_iter().chain(all_but_rs256(50)).collect();
            let steps = due(&keys, &ROTATION, Timestamp(day * DAY));
            assert_eq!(steps, expected, "on day {day} of {keys:?}");
        }
        let all: Vec<KeyRecord> = all_but_rs256(0)
            .into_iter()
            .chain([rs256(State::Active, 0)])
            .collect();
        let announced = Algorithm::ALL.map(Step::Announce).to_vec();
        assert_eq!(due(&all, &ROTATION, Timestamp(76 * DAY)), announced);
    }

    #[test]
    fn whoever_keeps_our_keys_for_a_day_always_has_the_one_that_signs() {
        let _shows = crate::shows!(accepting "PV-KEY-2");
        for announced in [2, 14, 40] {
            let rotation = Rotation {
                announced: Seconds(announced * DAY),
                ..ROTATION
            };
            let mut keys: Vec<KeyRecord> = Vec::new();
            let mut cached: Vec<String> = Vec::new();
            let mut signers = std::collections::BTreeSet::new();
            for hour in 0..1000 * 24 {
                let now = Timestamp(hour * 60 * 60);
                loop {
                    let steps = due(&keys, &rotation, now);
                    if steps.is_empty() {
                        break;
                    }
                    for step in steps {
                        take(&mut keys, step, &rotation, now);
                    }
                }
                let published = keys.iter().filter(|key| key.state != State::Removed);
                if hour % 24 == 0 {
                    cached = published.map(|key| key.kid.clone()).collect();
                }
                for algorithm in Algorithm::ALL {
                    let signs = find(&keys, algorithm, State::Active).expect("a key");
                    assert!(cached.contains(&signs.kid), "hour {hour}: {keys:?}");
                    signers.insert(signs.kid.clone());
                }
            }
            // In a thousand days, twelve of each algorithm.
            assert_eq!(signers.len(), 4 * 12, "{announced}");
        }
    }

    /// What the database does.
    fn take(keys: &mut Vec<KeyRecord>, step: Step, rotation: &Rotation, now: Timestamp) {
        let fresh = |keys: &[KeyRecord], algorithm, state, at: Timestamp| {
            key(&format!("k{}", keys.len()), algorithm, state, at.0)
        };
        match step {
            Step::Found(algorithm) => keys.push(fresh(keys, algorithm, State::Active, now)),
            Step::Announce(algorithm) => {
                let at = now + rotation.announced;
                keys.push(fresh(keys, algorithm, State::Announced, at));
            }
            Step::Activate { old, new } => {
                for key in keys.iter_mut() {
                    if key.kid == old {
                        key.state = State::Retained;
                        key.retained_until = Some(now + rotation.retained);
                    } else if key.kid == new {
                        key.state = State::Active;
                    }
                }
            }
            Step::Remove(kid) => {
                for key in keys.iter_mut().filter(|key| key.kid == kid) {
                    key.state = State::Removed;
                }
            }
        }
    }
}
