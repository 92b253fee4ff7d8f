//! The table `person`.

use super::column::Row;
use super::data_key::{NumberIndex, SETTLING};
use super::{Backend, Result, Store, Tx, alone, on};
use crate::clock::{Seconds, Timestamp};
use crate::error::Fault;
use crate::id::{Id, kind};

/// How exactly it is known when a person was last here.
pub(super) const DAY: Seconds = Seconds(24 * 60 * 60);

impl Store {
    /// The person with this index, if they have logged in before.
    pub async fn person(&self, index: &NumberIndex) -> Result<Option<Id<kind::Person>>> {
        for value in index.others.iter().chain([&index.written]) {
            let id: Option<String> = alone!(self, |db| sqlx::query_scalar(
                "SELECT id FROM person WHERE number_index = $1"
            )
            .bind(&value[..])
            .fetch_optional(db)
            .await)?;
            if let Some(id) = id {
                return Ok(Some(read(&id)?));
            }
        }
        Ok(None)
    }
}

/// How long a new key is used by nobody for certain, however their clocks differ.
const UNUSED: Seconds = Seconds(SETTLING.0 / 2);

/// The person with this index, who is given a random name at their first login. Who is found by an older key
/// is found by the newest one from now on. A node that does not know the newest key makes nobody when others may
/// use it: they may have found that person by it.
pub(super) async fn find_or_make(
    tx: &mut Tx,
    index: &NumberIndex,
    fresh: Id<kind::Person>,
    now: Timestamp,
) -> Result<Id<kind::Person>> {
    if !index.others.is_empty() {
        one_at_a_time(tx, &index.turn).await?;
        for other in &index.others {
            if let Some(id) = moved(tx, other, index, now).await? {
                return read(&id);
            }
        }
    }
    // Once a day is enough: a column that is indexed costs more to change than one that is not.
    let known: Option<String> = on!(&mut *tx, |tx| sqlx::query_scalar(
        "UPDATE person SET used_at = CASE WHEN used_at > $3 THEN used_at ELSE $2 END
          WHERE number_index = $1 RETURNING id"
    )
    .bind(&index.written[..])
    .bind(now)
    .bind(now - DAY)
    .fetch_optional(&mut **tx)
    .await)?;
    if let Some(id) = known {
        return read(&id);
    }
    // The update that changes nothing makes RETURNING answer for a row that was made at the same moment.
    let id: Option<String> = on!(tx, |tx| sqlx::query_scalar(
        "INSERT INTO person (id, number_index, index_generation, created_at, used_at)
         SELECT $1, $2, $3, $4, $4
          WHERE NOT EXISTS
                (SELECT 1 FROM data_key
                  WHERE purpose = 'index' AND generation > $5 AND created_at <= $6)
         ON CONFLICT (number_index) DO UPDATE SET used_at = person.used_at
         RETURNING id"
    )
    .bind(fresh.to_string())
    .bind(&index.written[..])
    .bind(index.generation)
    .bind(now)
    .bind(index.newest)
    .bind(now - UNUSED)
    .fetch_optional(&mut **tx)
    .await)?;
    read(&id.ok_or(Fault::KeysUnknown)?)
}

/// Has the row that is found by another key be found by the one of today; never back to an older one, which
/// a node wants that does not use the newest yet.
async fn moved(
    tx: &mut Tx,
    other: &[u8; 32],
    index: &NumberIndex,
    now: Timestamp,
) -> Result<Option<String>> {
    Ok(on!(tx, |tx| {
        sqlx::query_scalar(
        "UPDATE person
            SET number_index = CASE WHEN index_generation < $3 THEN $2 ELSE number_index END,
                index_generation = CASE WHEN index_generation < $3 THEN $3 ELSE index_generation END,
                used_at = $4
          WHERE number_index = $1
            AND NOT EXISTS (SELECT 1 FROM person WHERE number_index = $2)
         RETURNING id"
    )
    .bind(&other[..])
    .bind(&index.written[..])
    .bind(index.generation)
    .bind(now)
    .fetch_optional(&mut **tx)
    .await
    })?)
}

/// While a number has several indexes, no unique index keeps two first logins of one person apart that
/// write different ones.
async fn one_at_a_time(tx: &mut Tx, index: &[u8; 32]) -> Result<()> {
    if let Backend::Postgres(tx) = tx {
        let [a, b, c, d, e, f, g, h, ..] = *index;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(i64::from_be_bytes([a, b, c, d, e, f, g, h]))
            .execute(&mut **tx)
            .await?;
    }
    // SQLite has one writer.
    Ok(())
}

pub(super) fn read(id: &str) -> Result<Id<kind::Person>> {
    Row {
        table: "person",
        key: id,
    }
    .id("id", id)
}
