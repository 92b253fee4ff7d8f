//! Work that the database gives up in favour of somebody else's: a serialization failure (SQLSTATE 40001)
//! or a deadlock (40P01). PostgreSQL does so when it isolates transactions more strictly than it does by
//! itself, and clusters that speak its protocol always may.
//!
//! Nothing was done of what was given up, so that it is done again, whatever it is: by the statement, or by
//! the transaction, whose decisions are made anew by what it finds then. An answer that was lost on the way
//! is something else (the statement may have been done) and is never asked for again here.

use std::time::Duration;

use super::{Store, on};
use crate::error::Fault;
use crate::telemetry::metrics::Database;

/// How often something is done again before somebody is told that it did not succeed.
const TRIES: u32 = 12;
/// The first pause is at most this long, and each later one at most twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// What may say that the database gave something up.
pub(super) trait GivenUp {
    fn is_given_up(&self) -> bool;
}

impl GivenUp for sqlx::Error {
    fn is_given_up(&self) -> bool {
        let code = self.as_database_error().and_then(|error| error.code());
        matches!(code.as_deref(), Some("40001" | "40P01"))
    }
}

impl GivenUp for Fault {
    fn is_given_up(&self) -> bool {
        matches!(self, Fault::Database(error) if error.is_given_up())
    }
}

/// How often something was done already.
#[derive(Default)]
pub(super) struct Tries(u32);

impl Tries {
    /// Whether it is to be done again, after a pause that differs from the other side's.
    pub async fn another<T, E: GivenUp>(&mut self, done: &Result<T, E>, store: &Store) -> bool {
        let is_given_up = done.as_ref().is_err_and(GivenUp::is_given_up);
        if !is_given_up || self.0 == TRIES {
            return false;
        }
        store.measured.given_up.inc();
        let length = pause(self.0, store.random.bytes());
        on!(&store.db, |db| db.pause(length)).await;
        self.0 += 1;
        true
    }
}

/// Between half and all of what this try may wait.
fn pause(try_number: u32, random: [u8; 1]) -> Duration {
    let most = (FIRST_PAUSE * 2u32.pow(try_number)).min(LONGEST_PAUSE);
    most / 2 + (most / 2) * u32::from(random[0]) / u32::from(u8::MAX)
}

impl Store {
    /// What is measured here.
    pub fn measured(&self) -> Database {
        self.measured.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit_and_differ() {
        assert_eq!(pause(0, [0]), Duration::from_millis(1));
        assert_eq!(pause(0, [255]), Duration::from_millis(2));
        assert_eq!(pause(3, [0]), Duration::from_millis(8));
        assert_eq!(pause(TRIES - 1, [255]), LONGEST_PAUSE);
    }
}
