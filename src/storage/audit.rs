//! The tables `audit`, `audit_seal` and `audit_sealed`. Events are written by whatever they tell of, in its
//! transaction; all else is reading, sealing, and letting go of what is old.

use std::collections::BTreeMap;

use sqlx::{FromRow, QueryBuilder};
use uuid::Builder;

use super::column::Row;
use super::{Backend, Result, Store, Tx, alone, commit, on, rollback, whole};
use crate::audit::seal::{self, Finding, Hash, Head, Line, Reader, Removal, Seal};
use crate::audit::{Event, Record};
use crate::clock::{Moment, Seconds, Timestamp};
use crate::error::Fault;

/// How many events a seal holds at the most.
const MOST: i64 = 500;
/// How long before a seal an event of the next one may have begun: a transaction takes that long at the
/// most, and clocks of nodes differ by less.
const LATE: Seconds = Seconds(10 * 60);

#[derive(FromRow)]
struct EventRow {
    id: String,
    at_ms: Moment,
    actor: String,
    action: String,
    object: String,
    detail: String,
    mac: Vec<u8>,
}

impl From<EventRow> for Record {
    fn from(row: EventRow) -> Record {
        Record {
            id: row.id,
            at: row.at_ms,
            actor: row.actor,
            action: row.action,
            object: row.object,
            detail: row.detail,
            mac: row.mac,
        }
    }
}

#[derive(FromRow)]
struct SealRow {
    number: i64,
    sealed_at: Timestamp,
    previous: Vec<u8>,
    digest: Vec<u8>,
    signature: Vec<u8>,
    removed_at: Option<Timestamp>,
    removal: Option<Vec<u8>>,
}

impl From<SealRow> for Seal {
    fn from(row: SealRow) -> Seal {
        Seal {
            number: row.number,
            sealed_at: row.sealed_at,
            previous: hash(&row.previous),
            digest: hash(&row.digest),
            signature: row.signature,
            removed: row.removed_at.map(|at| Removal {
                at,
                signature: row.removal.unwrap_or_default(),
            }),
        }
    }
}

/// What is no hash is nobody's: the verification names the row, and the log goes on.
fn hash(bytes: &[u8]) -> Hash {
    bytes.try_into().unwrap_or(seal::NOTHING)
}

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Of this object alone.
    pub object: Option<String>,
    /// By this actor alone.
    pub actor: Option<String>,
    /// Of this kind alone.
    pub action: Option<String>,
    /// Those before this one, by time and id.
    pub before: Option<(Moment, String)>,
}

impl Store {
    /// Tells of something in the transaction that does it.
    pub(super) async fn tell(&self, tx: &mut Tx, event: &Event) -> Result<()> {
        self.tell_nth(tx, 0, event).await
    }

    /// The same of one of several acts that are one change: in their order, however short it takes.
    pub(super) async fn tell_nth(&self, tx: &mut Tx, nth: u8, event: &Event) -> Result<()> {
        let millis = u64::try_from(event.at.0).unwrap_or_default();
        // RFC 9562 §5.7, §6.2: in the order of time, so that the latest are near each other; and of a
        // counter, where the time is the same.
        let mut bytes: [u8; 10] = self.random.bytes();
        bytes[..2].copy_from_slice(&[0, nth]);
        let id = Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid();
        let mut record = Record {
            id: id.to_string(),
            at: event.at,
            actor: event.actor.who.to_string(),
            action: event.action.as_str().to_owned(),
            object: event.object.clone(),
            detail: serde_json::to_string(&event.detail()).expect("our own types are valid JSON"),
            mac: Vec::new(),
        };
        record.mac = self.notary.mac(&record);
        on!(tx, |tx| sqlx::query(
            "INSERT INTO audit (id, at_ms, actor, action, object, detail, mac)
             VALUES ($1, $2, $3, $4, $5, $6, $7)"
        )
        .bind(&record.id)
        .bind(record.at)
        .bind(&record.actor)
        .bind(&record.action)
        .bind(&record.object)
        .bind(&record.detail)
        .bind(&record.mac)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(Fault::from))
    }

    /// Tells of something that changes nothing else.
    pub async fn tell_of(&self, event: &Event) -> Result<()> {
        whole!(self, {
            let mut tx = self.begin().await?;
            self.tell(&mut tx, event).await?;
            commit(tx).await
        })
    }

    /// The latest events of a kind, the latest first.
    pub async fn events(&self, filter: &EventFilter, most: u16) -> Result<Vec<Record>> {
        macro_rules! asked {
            ($db:ident) => {{
                let mut query = QueryBuilder::new(
                    "SELECT id, at_ms, actor, action, object, detail, mac FROM audit WHERE 1 = 1",
                );
                for (column, wanted) in [
                    (" AND object = ", &filter.object),
                    (" AND actor = ", &filter.actor),
                    (" AND action = ", &filter.action),
                ] {
                    if let Some(wanted) = wanted {
                        query.push(column).push_bind(wanted);
                    }
                }
                if let Some((at, id)) = &filter.before {
                    query.push(" AND (at_ms < ").push_bind(*at);
                    query.push(" OR (at_ms = ").push_bind(*at);
                    query.push(" AND id < ").push_bind(id).push("))");
                }
                query.push(" ORDER BY at_ms DESC, id DESC LIMIT ");
                query.push_bind(i64::from(most));
                query.build_query_as::<EventRow>().fetch_all($db).await
            }};
        }
        let rows = match &self.db {
            Backend::Sqlite(db) => asked!(db),
            Backend::Postgres(db) => asked!(db),
        }?;
        Ok(rows.into_iter().map(Record::from).collect())
    }

    /// The last seal.
    pub async fn audit_head(&self) -> Result<Option<Head>> {
        Ok(self.last_seal().await?.as_ref().map(Head::of))
    }

    async fn last_seal(&self) -> Result<Option<Seal>> {
        let row: Option<SealRow> = alone!(self, |db| sqlx::query_as(
            "SELECT number, sealed_at, previous, digest, signature, removed_at, removal
               FROM audit_seal ORDER BY number DESC LIMIT 1"
        )
        .fetch_optional(db)
        .await)?;
        Ok(row.map(Seal::from))
    }

    /// Before this time nothing is unsealed: the last seal that was not full took all that was there. A
    /// seal that is later than now was made by a clock that was wrong.
    async fn all_sealed_before(&self, now: Timestamp) -> Result<Timestamp> {
        let sealed_at: Option<Timestamp> = alone!(self, |db| sqlx::query_scalar(
            "SELECT sealed_at FROM audit_seal
              WHERE NOT EXISTS (SELECT 1 FROM audit_sealed l
                                 WHERE l.seal = audit_seal.number AND l.position = $1)
              ORDER BY number DESC LIMIT 1"
        )
        .bind(MOST - 1)
        .fetch_optional(db)
        .await)?;
        Ok(sealed_at.map_or(Timestamp(0), |at| at.min(now) - LATE))
    }

    async fn unsealed(&self, since: Timestamp, most: i64) -> Result<Vec<Record>> {
        let rows: Vec<EventRow> = alone!(self, |db| sqlx::query_as(
            "SELECT id, at_ms, actor, action, object, detail, mac FROM audit
              WHERE at_ms >= $1
                AND NOT EXISTS (SELECT 1 FROM audit_sealed s WHERE s.audit_id = audit.id)
              ORDER BY at_ms, id LIMIT $2"
        )
        .bind(since.0.saturating_mul(1000))
        .bind(most)
        .fetch_all(db)
        .await)?;
        Ok(rows.into_iter().map(Record::from).collect())
    }

    /// Seals the events that are in no seal yet. Of several nodes that find the same ones, one seals
    /// them. The head of the log, when there is a new one.
    pub async fn seal_audit(&self, now: Timestamp) -> Result<Option<Head>> {
        let mut head = None;
        loop {
            let last = self.last_seal().await?;
            let since = self.all_sealed_before(now).await?;
            let records = self.unsealed(since, MOST).await?;
            if records.is_empty() {
                return Ok(head);
            }
            if last.as_ref().is_some_and(|last| last.number == i64::MAX) {
                // Not one of ours. To try the same again and again would stop all else.
                let row = Row {
                    table: "audit_seal",
                    key: "the last",
                };
                return Err(row.fault("number"));
            }
            let hashes: Vec<Hash> = records.iter().map(seal::digest).collect();
            let seal = self.notary.seal(last.as_ref(), &hashes, now);
            if self.keep_seal(&seal, &records, &hashes).await? {
                head = Some(Head::of(&seal));
            }
        }
    }

    async fn keep_seal(&self, seal: &Seal, records: &[Record], hashes: &[Hash]) -> Result<bool> {
        whole!(self, {
            let mut tx = self.begin().await?;
            let rows = on!(&mut tx, |tx| sqlx::query(
                "INSERT INTO audit_seal (number, sealed_at, previous, digest, signature)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"
            )
            .bind(seal.number)
            .bind(seal.sealed_at)
            .bind(seal.previous.as_slice())
            .bind(seal.digest.as_slice())
            .bind(&seal.signature)
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected()))?;
            if rows == 0 {
                rollback(tx).await?;
                return Ok(false);
            }
            for (position, (record, hash)) in (0_i64..).zip(records.iter().zip(hashes)) {
                on!(&mut tx, |tx| sqlx::query(
                    "INSERT INTO audit_sealed (audit_id, seal, position, digest)
                 VALUES ($1, $2, $3, $4)"
                )
                .bind(&record.id)
                .bind(seal.number)
                .bind(position)
                .bind(hash.as_slice())
                .execute(&mut **tx)
                .await
                .map(|_| ()))?;
            }
            commit(tx).await?;
            Ok(true)
        })
    }

    /// Reads the whole log and says what is wrong with it. `head` is one that it is known to have had.
    pub async fn verify_audit(&self, head: Option<Head>, now: Timestamp) -> Result<Vec<Finding>> {
        let mut reader = Reader::new(&self.notary, head);
        let mut number = 0;
        loop {
            let seal: Option<SealRow> = alone!(self, |db| sqlx::query_as(
                "SELECT number, sealed_at, previous, digest, signature, removed_at, removal
                   FROM audit_seal WHERE number > $1 ORDER BY number LIMIT 1"
            )
            .bind(number)
            .fetch_optional(db)
            .await)?;
            let Some(seal) = seal.map(Seal::from) else {
                break;
            };
            number = seal.number;
            let lines = self.sealed_lines(number).await?;
            let records = self.sealed_records(number).await?;
            reader.read(seal, &lines, &records);
        }
        let unread = self.in_no_seal().await?;
        Ok(reader.end(&unread, now))
    }

    /// The events that stand in no seal of those that are read. Only a line that leads nowhere may keep one from being
    /// sealed ([`Store::unsealed`]), and whoever wrote that is not believed.
    async fn in_no_seal(&self) -> Result<Vec<Record>> {
        let rows: Vec<EventRow> = alone!(self, |db| {
            sqlx::query_as(
            "SELECT id, at_ms, actor, action, object, detail, mac FROM audit
              WHERE NOT EXISTS (SELECT 1 FROM audit_sealed l JOIN audit_seal s ON s.number = l.seal
                                 WHERE l.audit_id = audit.id AND s.number > 0 AND s.removed_at IS NULL)
              ORDER BY at_ms, id"
        )
        .fetch_all(db)
        .await
        })?;
        Ok(rows.into_iter().map(Record::from).collect())
    }

    async fn sealed_lines(&self, seal: i64) -> Result<Vec<Line>> {
        let rows: Vec<(String, Vec<u8>)> = alone!(self, |db| sqlx::query_as(
            "SELECT audit_id, digest FROM audit_sealed WHERE seal = $1 ORDER BY position"
        )
        .bind(seal)
        .fetch_all(db)
        .await)?;
        let line = |(id, digest): (String, Vec<u8>)| Line {
            id,
            digest: hash(&digest),
        };
        Ok(rows.into_iter().map(line).collect())
    }

    async fn sealed_records(&self, seal: i64) -> Result<BTreeMap<String, Record>> {
        let rows: Vec<EventRow> = alone!(self, |db| sqlx::query_as(
            "SELECT id, at_ms, actor, action, object, detail, mac FROM audit
              WHERE id IN (SELECT audit_id FROM audit_sealed WHERE seal = $1)"
        )
        .bind(seal)
        .fetch_all(db)
        .await)?;
        let named = |row: EventRow| (row.id.clone(), Record::from(row));
        Ok(rows.into_iter().map(named).collect())
    }

    /// Lets go of the events of whole seals that were made before a time, and leaves a signed mark in
    /// each. How many seals those were.
    pub async fn prune_audit(&self, before: Timestamp, event: &Event) -> Result<usize> {
        let rows: Vec<SealRow> = alone!(self, |db| sqlx::query_as(
            "SELECT number, sealed_at, previous, digest, signature, removed_at, removal
               FROM audit_seal WHERE sealed_at < $1 AND removed_at IS NULL ORDER BY number"
        )
        .bind(before)
        .fetch_all(db)
        .await)?;
        let seals: Vec<Seal> = rows.into_iter().map(Seal::from).collect();
        if seals.is_empty() {
            return Ok(0);
        }
        whole!(self, {
            let mut tx = self.begin().await?;
            for seal in &seals {
                let removal = self.notary.removal(seal, event.at.timestamp());
                for statement in [
                    "DELETE FROM audit WHERE id IN (SELECT audit_id FROM audit_sealed WHERE seal = $1)",
                    "DELETE FROM audit_sealed WHERE seal = $1",
                ] {
                    on!(&mut tx, |tx| sqlx::query(statement)
                        .bind(seal.number)
                        .execute(&mut **tx)
                        .await
                        .map(|_| ()))?;
                }
                on!(&mut tx, |tx| sqlx::query(
                    "UPDATE audit_seal SET removed_at = $2, removal = $3 WHERE number = $1"
                )
                .bind(seal.number)
                .bind(removal.at)
                .bind(&removal.signature)
                .execute(&mut **tx)
                .await
                .map(|_| ()))?;
            }
            self.tell(&mut tx, event).await?;
            commit(tx).await?;
            Ok(seals.len())
        })
    }
}
