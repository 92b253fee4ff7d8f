//! Generations of the keys that seal values and index numbers: how another one comes, how values are sealed
//! anew, and how the old one goes.

use sqlx::{QueryBuilder, Row as _};

use super::data_key::{self, Generation, KEPT, Purpose, SETTLING, used};
use super::sealed::{ALL, KeyIs, SealedColumn};
use super::{Result, Store, Tx, alone, commit, on, rollback};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::error::Fault;

/// How many values are sealed anew in one commit.
const BATCH: i64 = 100;

/// What came of the wish for another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rolled {
    /// It was made.
    New(Generation),
    /// One was made before, and is not used yet.
    Already(Generation),
    /// There is no number left for it.
    Exhausted,
}

/// Where sealing anew stands.
#[derive(Clone, Debug)]
pub struct Cursor {
    column: usize,
    after: RowKey,
    /// How many values were sealed anew.
    pub resealed: u64,
    /// How many did not open, and are left as they are.
    pub unopened: u64,
}

#[derive(Clone, Debug)]
enum RowKey {
    Text(String),
    Digest(Vec<u8>),
}

impl RowKey {
    /// What comes before every key.
    fn least(column: &SealedColumn) -> RowKey {
        match column.key_is {
            KeyIs::Text => RowKey::Text(String::new()),
            KeyIs::Digest => RowKey::Digest(Vec::new()),
        }
    }

    fn place(&self) -> String {
        match self {
            RowKey::Text(text) => text.clone(),
            RowKey::Digest(digest) => hex::encode(digest),
        }
    }
}

impl Default for Cursor {
    fn default() -> Cursor {
        Cursor {
            column: 0,
            after: RowKey::least(ALL[0]),
            resealed: 0,
            unopened: 0,
        }
    }
}

/// Puts a key into a query, whichever kind it is.
macro_rules! push_key {
    ($query:expr, $key:expr) => {
        match $key {
            RowKey::Text(text) => $query.push_bind(text.clone()),
            RowKey::Digest(digest) => $query.push_bind(digest.clone()),
        }
    };
}

impl Store {
    /// Which columns are sealed, by table and name.
    pub fn sealed_columns() -> impl Iterator<Item = (&'static str, &'static str)> {
        ALL.iter().map(|one| (one.table, one.column))
    }

    /// The generations of a key, the oldest first.
    pub async fn key_generations(&self, purpose: Purpose) -> Result<Vec<Generation>> {
        data_key::generations(&self.db, purpose).await
    }

    /// Learns of the keys that other nodes or an operator made or removed.
    pub async fn refresh_keys(&self, now: Timestamp) -> Result<()> {
        data_key::refresh(&self.db, &self.wrapper, &self.sealer, &self.index, now).await
    }

    /// Makes another generation of a key, which is used when all nodes had time to learn of it.
    pub async fn roll_key(&self, purpose: Purpose, event: &Event) -> Result<Rolled> {
        let now = event.at.timestamp();
        loop {
            let generations = self.key_generations(purpose).await?;
            let newest = generations.iter().max_by_key(|one| one.number).copied();
            let newest = newest.ok_or(Fault::Sealed("data_key", "wrapped"))?;
            if used(&generations, now) != Some(newest) {
                return Ok(Rolled::Already(newest));
            }
            let Some(number) = newest.number.checked_add(1) else {
                return Ok(Rolled::Exhausted);
            };
            let mut tx = self.begin().await?;
            let (wrapper, random) = (&self.wrapper, &self.random);
            if data_key::insert_in(&mut tx, wrapper, purpose, number, random, now).await? {
                self.tell(&mut tx, event).await?;
                commit(tx).await?;
                return Ok(Rolled::New(Generation {
                    number,
                    created_at: now,
                }));
            }
            // Somebody else made it at the same moment.
            rollback(tx).await?;
        }
    }

    /// Seals some values anew that another generation sealed. A value that was changed meanwhile is left as
    /// it is: whoever changed it sealed it. `false`: the end was reached.
    pub async fn reseal_some(&self, cursor: &mut Cursor) -> Result<bool> {
        let Some(column) = ALL.get(cursor.column) else {
            return Ok(false);
        };
        let sealer = self.sealer.now();
        let rows = self
            .sealed_otherwise(column, &cursor.after, sealer.generation())
            .await?;
        let Some((last, _)) = rows.last() else {
            cursor.column += 1;
            if let Some(next) = ALL.get(cursor.column) {
                cursor.after = RowKey::least(next);
            }
            return Ok(cursor.column < ALL.len());
        };
        cursor.after = last.clone();
        let mut tx = self.begin().await?;
        for (key, old) in rows {
            let row = key.place();
            let Some(plain) = sealer.open(column.of(&row), &old) else {
                cursor.unopened += 1;
                tracing::error!(
                    table = column.table,
                    column = column.column,
                    "a sealed value does not open"
                );
                continue;
            };
            let plain = zeroize::Zeroizing::new(plain);
            let new = sealer.seal(column.of(&row), &plain, &self.random);
            if replace(&mut tx, column, &key, &old, new).await? {
                cursor.resealed += 1;
            }
        }
        commit(tx).await?;
        Ok(true)
    }

    async fn sealed_otherwise(
        &self,
        of: &SealedColumn,
        after: &RowKey,
        generation: u8,
    ) -> Result<Vec<(RowKey, Vec<u8>)>> {
        let SealedColumn {
            table, column, key, ..
        } = of;
        alone!(self, |db| {
            let mut query = QueryBuilder::new(format!(
                "SELECT {key}, {column} FROM {table}
                  WHERE substr({column}, 1, 1) <> "
            ));
            query.push_bind(vec![generation]);
            query.push(format!(" AND {key} > "));
            push_key!(query, after);
            query.push(format!(" ORDER BY {key} LIMIT "));
            query.push_bind(BATCH);
            let rows = query.build().fetch_all(db).await?;
            let read = rows.iter().map(|row| {
                let key = match of.key_is {
                    KeyIs::Text => RowKey::Text(row.try_get(0)?),
                    KeyIs::Digest => RowKey::Digest(row.try_get(0)?),
                };
                Ok((key, row.try_get(1)?))
            });
            read.collect()
        })
    }

    /// Removes generations of the sealing key with which nothing is sealed any more. Says which.
    pub async fn remove_unused_sealing_keys(&self, now: Timestamp) -> Result<Vec<u8>> {
        self.remove_unused(Purpose::Seal, now).await
    }

    /// The same for the key that indexes numbers: nobody is found by it any more.
    pub async fn remove_unused_index_keys(&self, now: Timestamp) -> Result<Vec<u8>> {
        self.remove_unused(Purpose::Index, now).await
    }

    async fn remove_unused(&self, purpose: Purpose, now: Timestamp) -> Result<Vec<u8>> {
        let generations = self.key_generations(purpose).await?;
        let Some(current) = used(&generations, now) else {
            return Ok(Vec::new());
        };
        if now < current.created_at + SETTLING + KEPT {
            return Ok(Vec::new());
        }
        let mut removed = Vec::new();
        for old in generations {
            if old.number >= current.number {
                continue;
            }
            let mut tx = self.begin().await?;
            if uses(&mut tx, purpose, old.number).await? > 0 {
                rollback(tx).await?;
                continue;
            }
            on!(&mut tx, |tx| sqlx::query(
                "DELETE FROM data_key WHERE purpose = $1 AND generation = $2"
            )
            .bind(purpose.word())
            .bind(i64::from(old.number))
            .execute(&mut **tx)
            .await
            .map(|_| ()))?;
            commit(tx).await?;
            removed.push(old.number);
        }
        Ok(removed)
    }

    /// How many values a generation sealed, or how many people are found by it.
    pub async fn key_uses(&self, purpose: Purpose, number: u8) -> Result<i64> {
        let mut tx = self.begin().await?;
        let counted = uses(&mut tx, purpose, number).await;
        rollback(tx).await?;
        counted
    }
}

async fn uses(tx: &mut Tx, purpose: Purpose, number: u8) -> Result<i64> {
    let mut sum = 0;
    match purpose {
        Purpose::Seal => {
            for SealedColumn { table, column, .. } in ALL {
                sum += on!(&mut *tx, |tx| {
                    let mut query = QueryBuilder::new(format!(
                        "SELECT COUNT(*) FROM {table} WHERE substr({column}, 1, 1) = "
                    ));
                    query.push_bind(vec![number]);
                    query.build_query_scalar::<i64>().fetch_one(&mut **tx).await
                })?;
            }
        }
        Purpose::Index => {
            sum += on!(&mut *tx, |tx| sqlx::query_scalar::<_, i64>(
                "SELECT COUNT(*) FROM person WHERE index_generation = $1"
            )
            .bind(i64::from(number))
            .fetch_one(&mut **tx)
            .await)?;
        }
        // They have no generations.
        Purpose::Form | Purpose::Audit | Purpose::Subject => {}
    }
    Ok(sum)
}

async fn replace(
    tx: &mut Tx,
    of: &SealedColumn,
    key: &RowKey,
    old: &[u8],
    new: Vec<u8>,
) -> Result<bool> {
    let SealedColumn {
        table,
        column,
        key: name,
        ..
    } = of;
    let done = on!(tx, |tx| {
        let mut query = QueryBuilder::new(format!("UPDATE {table} SET {column} = "));
        query.push_bind(new);
        query.push(format!(" WHERE {column} = "));
        query.push_bind(old.to_vec());
        query.push(format!(" AND {name} = "));
        push_key!(query, key);
        query
            .build()
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(done > 0)
}
