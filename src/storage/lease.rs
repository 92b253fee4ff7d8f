//! The table `lease`: work that one node does at a time.

use super::{Result, Store, alone};
use crate::clock::Timestamp;
use crate::error::Fault;

impl Store {
    /// Takes a piece of work for a while, or keeps it for longer. `false`: another node has it.
    pub async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        alone!(self, |db| sqlx::query(
            "INSERT INTO lease (name, holder, held_until) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE
                SET holder = excluded.holder, held_until = excluded.held_until
              WHERE lease.holder = excluded.holder OR lease.held_until <= $4"
        )
        .bind(name)
        .bind(holder)
        .bind(until)
        .bind(now)
        .execute(db)
        .await
        .map(|done| done.rows_affected() > 0)
        .map_err(Fault::from))
    }

    /// Lets go of all that a node has taken.
    pub async fn release_leases(&self, holder: &str) -> Result<()> {
        alone!(self, |db| sqlx::query(
            "DELETE FROM lease WHERE holder = $1"
        )
        .bind(holder)
        .execute(db)
        .await
        .map(|_| ())
        .map_err(Fault::from))
    }
}
