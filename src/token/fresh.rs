//! The codes that this node has given out and nobody has shown yet, in memory, so that what it just wrote need not
//! be read again when the client comes with one a moment later. It is a copy and decides nothing: who gets tokens
//! for a code is said by the database, and whatever is refused is judged by what stands there.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::code::{CodeRecord, LIFETIME};
use crate::clock::Timestamp;
use crate::id::ClientId;
use crate::secret::{Digest, kind as secret};

/// How many are kept at the most, a few megabytes of them: clients come within a second, and for the others it is
/// read.
const MOST: usize = 2000;

/// Codes that were not shown yet.
#[derive(Default)]
pub struct FreshCodes(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    records: HashMap<Digest<secret::Code>, CodeRecord>,
    /// All that were kept, also those that were taken since, the oldest first.
    order: VecDeque<(Timestamp, Digest<secret::Code>)>,
}

impl Kept {
    fn forget(&mut self, most: usize, now: Timestamp) {
        // A clock that was set back leaves ends that are further off than any.
        let holds = |expires_at| expires_at > now && expires_at <= now + LIFETIME;
        while let Some((expires_at, digest)) = self.order.front().copied()
            && (!holds(expires_at) || self.order.len() > most)
        {
            self.order.pop_front();
            self.records.remove(&digest);
        }
    }
}

impl FreshCodes {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a code that was just stored, until somebody shows it or its time is up.
    pub fn keep(&self, digest: Digest<secret::Code>, record: CodeRecord, now: Timestamp) {
        let mut kept = self.kept();
        kept.order.push_back((record.expires_at, digest));
        kept.records.insert(digest, record);
        kept.forget(MOST, now);
    }

    /// A client's code, once. Another client's is as good as none.
    pub fn take(&self, digest: Digest<secret::Code>, client_id: &ClientId) -> Option<CodeRecord> {
        let mut kept = self.kept();
        let is_theirs = |record: &CodeRecord| record.grant.client_id == *client_id;
        let found = kept.records.get(&digest).is_some_and(is_theirs);
        found.then(|| kept.records.remove(&digest)).flatten()
    }

    /// Forgets those whose time is up: they name people.
    pub fn forget_old(&self, now: Timestamp) {
        self.kept().forget(MOST, now);
    }
}

#[cfg(test)]
mod tests {
    use super::super::code::tests::{NOW, record};
    use super::*;
    use crate::clock::Seconds;

    fn digest(number: usize) -> Digest<secret::Code> {
        Digest::of(&number.to_string())
    }

    fn client(id: &str) -> ClientId {
        ClientId::parse(id).expect("an id")
    }

    #[test]
    fn its_client_gets_it_once() {
        let codes = FreshCodes::default();
        codes.keep(digest(1), record(), NOW);
        assert!(codes.take(digest(2), &client("a")).is_none());
        assert!(codes.take(digest(1), &client("b")).is_none());
        assert!(codes.take(digest(1), &client("a")).is_some());
        assert!(codes.take(digest(1), &client("a")).is_none());
    }

    #[test]
    fn what_is_old_or_too_much_is_forgotten() {
        let codes = FreshCodes::default();
        codes.keep(digest(1), record(), NOW);
        codes.forget_old(NOW + LIFETIME);
        assert!(codes.take(digest(1), &client("a")).is_none());
        // The clock was an hour ahead.
        codes.keep(digest(1), record(), NOW);
        codes.forget_old(NOW - Seconds(3600));
        assert!(codes.take(digest(1), &client("a")).is_none());
        for number in 0..=MOST {
            codes.keep(digest(number), record(), NOW);
        }
        assert!(codes.take(digest(0), &client("a")).is_none());
        assert!(codes.take(digest(1), &client("a")).is_some());
        assert_eq!(codes.kept().order.len(), MOST);
    }
}
