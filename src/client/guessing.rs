//! Who tries secrets out (RFC 6749 §10.10): after some failures under a client's name from one address
//! nothing more is tried from there for a while. The client itself, from its own address, is not held
//! up, so that nobody can lock it out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::{Seconds, Timestamp};
use crate::id::ClientId;
use crate::login::limit::network;

/// How many failures are taken before nothing is tried any more. An application with a wrong secret
/// must see what is wrong before it is told to wait.
const MOST: u32 = 20;
/// How long failures count, from the first of them on.
const WHILE: Seconds = Seconds(60);
/// How many names and addresses are remembered at once.
const REMEMBERED: usize = 50_000;

/// How often old ones are forgotten at most, when there is no room.
const FORGET_INTERVAL: Seconds = Seconds(1);

/// Failures of clients to authenticate, as this node saw them.
#[derive(Debug, Default)]
pub struct Guesses {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    failures: HashMap<(ClientId, IpAddr), Failures>,
    forgot_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    since: Timestamp,
}

impl Failures {
    fn count_at(&self, now: Timestamp) -> bool {
        (self.since..self.since + WHILE).contains(&now)
    }
}

impl Guesses {
    /// Whether a client may still try from an address.
    pub fn admit(&self, client: &ClientId, ip: IpAddr, now: Timestamp) -> bool {
        let known = self.known();
        let failures = known.failures.get(&(client.clone(), network(ip)));
        failures.is_none_or(|failures| failures.count < MOST || !failures.count_at(now))
    }

    /// One more failed, whether there is such a client or not. When somebody makes so many names up
    /// that there is no room, new ones are not counted for a while: what is known stays.
    pub fn failed(&self, client: &ClientId, ip: IpAddr, now: Timestamp) {
        let mut known = self.known();
        let key = (client.clone(), network(ip));
        if known.failures.len() >= REMEMBERED && !known.failures.contains_key(&key) {
            if known.forgot_at.is_some_and(|at| now < at + FORGET_INTERVAL) {
                return;
            }
            known.forgot_at = Some(now);
            known.failures.retain(|_, failures| failures.count_at(now));
            if known.failures.len() >= REMEMBERED {
                return;
            }
        }
        let fresh = Failures {
            count: 0,
            since: now,
        };
        let failures = known.failures.entry(key).or_insert(fresh);
        if !failures.count_at(now) {
            *failures = fresh;
        }
        failures.count = failures.count.saturating_add(1);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_often_waits_and_nobody_else_does() {
        let _shows = crate::shows!(accepting "O11", refusing "O11");
        let guesses = Guesses::default();
        let id = |text: &str| ClientId::parse(text).expect("an id");
        let (client, other) = (id("a"), id("b"));
        let [ip, elsewhere] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        let start = Timestamp(1000);
        for n in 0..MOST {
            assert!(guesses.admit(&client, ip, start), "{n}");
            guesses.failed(&client, ip, start);
        }
        assert!(!guesses.admit(&client, ip, start));
        assert!(!guesses.admit(&client, ip, start + Seconds(59)));
        assert!(
            guesses.admit(&client, elsewhere, start),
            "the client itself"
        );
        assert!(guesses.admit(&other, ip, start));
        let later = start + Seconds(60);
        assert!(guesses.admit(&client, ip, later));
        guesses.failed(&client, ip, later);
        assert!(guesses.admit(&client, ip, later), "it counts anew");
    }

    #[test]
    fn made_up_names_take_no_more_than_their_room() {
        let _shows = crate::shows!(refusing "O11");
        let guesses = Guesses::default();
        let ip = IpAddr::from([192, 0, 2, 1]);
        let guessed = ClientId::parse("guessed").expect("an id");
        let now = Timestamp(1000);
        for _ in 0..MOST {
            guesses.failed(&guessed, ip, now);
        }
        let name = |n: usize| ClientId::parse(&format!("c{n}")).expect("an id");
        for n in 0..REMEMBERED + 10 {
            guesses.failed(&name(n), ip, now);
            guesses.failed(&name(n), ip, now);
        }
        assert_eq!(guesses.known().failures.len(), REMEMBERED);
        assert!(
            !guesses.admit(&guessed, ip, now),
            "who guesses is not forgotten for it"
        );
        // When they are old there is room again, for one whose failures then count.
        let later = now + WHILE;
        for _ in 0..MOST {
            guesses.failed(&name(REMEMBERED + 1), ip, later);
        }
        assert!(!guesses.admit(&name(REMEMBERED + 1), ip, later));
        assert_eq!(guesses.known().failures.len(), 1);
    }
}
