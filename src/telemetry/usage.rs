//! How much each client is used: counted in memory, and added to the database now and then, so that no login
//! waits for it. What was counted last is lost when the process dies; nothing but a number is.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::ClientId;
use crate::storage::Store;

/// A day, counted from 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Day(pub i64);

impl Day {
    /// The day that a time lies in, in UTC.
    pub fn of(at: Timestamp) -> Day {
        Day(at.0.div_euclid(24 * 60 * 60))
    }
}

/// How much something was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// How many logins began with an order.
    pub began: i64,
    /// How many of them ended with an answer for the client.
    pub finished: i64,
}

/// What was counted and is not in the database yet.
#[derive(Debug, Default)]
pub struct Usage(Mutex<HashMap<(ClientId, Day), Used>>);

impl Usage {
    /// A login began.
    pub fn began(&self, client_id: &ClientId, now: Timestamp) {
        self.count(
            client_id,
            Day::of(now),
            Used {
                began: 1,
                finished: 0,
            },
        );
    }

    /// A login ended well.
    pub fn finished(&self, client_id: &ClientId, now: Timestamp) {
        self.count(
            client_id,
            Day::of(now),
            Used {
                began: 0,
                finished: 1,
            },
        );
    }

    fn count(&self, client_id: &ClientId, day: Day, more: Used) {
        let mut counted = self.0.lock().expect("no holder of this lock can panic");
        let used = counted.entry((client_id.clone(), day)).or_default();
        used.began += more.began;
        used.finished += more.finished;
    }

    /// Adds what was counted to the database. What could not be added is counted on.
    pub async fn add_to(&self, store: &Store) -> Result<(), Fault> {
        let counted = {
            let mut counted = self.0.lock().expect("no holder of this lock can panic");
            std::mem::take(&mut *counted)
        };
        if counted.is_empty() {
            return Ok(());
        }
        let rows = counted
            .into_iter()
            .map(|((client_id, day), used)| (client_id, day, used));
        let rows: Vec<_> = rows.collect();
        let added = store.add_use(&rows).await;
        if added.is_err() {
            for (client_id, day, used) in rows {
                self.count(&client_id, day, used);
            }
        }
        added
    }
}
