//! The table `person`.

use super::column::Row;
use super::{Result, Tx, on};
use crate::clock::Timestamp;
use crate::id::{Id, kind};

/// The person with this index, who is given a random name at their first login.
pub(super) async fn find_or_make(
    tx: &mut Tx,
    index: &[u8; 32],
    fresh: Id<kind::Person>,
    now: Timestamp,
) -> Result<Id<kind::Person>> {
    // The update that changes nothing makes RETURNING answer for a row that was there.
    let id: String = on!(tx, |tx| sqlx::query_scalar(
        "INSERT INTO person (id, number_index, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (number_index) DO UPDATE SET created_at = person.created_at
         RETURNING id"
    )
    .bind(fresh.to_string())
    .bind(&index[..])
    .bind(now)
    .fetch_one(&mut **tx)
    .await)?;
    Row {
        table: "person",
        key: &id,
    }
    .id("id", &id)
}
