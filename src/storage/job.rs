//! The table `job`.

use sqlx::FromRow;
use sqlx::types::Json;

use super::column::Row;
use super::{Result, Store, Tx, alone, on};
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{Id, kind};
use crate::job::{Job, LEASE, LIFETIME, Task};

#[derive(FromRow)]
struct JobRow {
    id: String,
    task: Json<Task>,
    tries: i64,
    expires_at: Timestamp,
}

impl JobRow {
    fn read(self) -> Result<Job> {
        let row = Row {
            table: "job",
            key: &self.id,
        };
        Ok(Job {
            id: row.id("id", &self.id)?,
            task: self.task.0,
            tries: self.tries,
            expires_at: self.expires_at,
        })
    }
}

/// Keeps a job in the transaction of what it follows from. Its first try belongs to whoever keeps it;
/// should nothing come of that, another node makes the next one.
pub(super) async fn insert(tx: &mut Tx, job: &Job, now: Timestamp) -> Result<()> {
    on!(tx, |tx| sqlx::query(
        "INSERT INTO job (id, task, tries, next_at, expires_at) VALUES ($1, $2, $3, $4, $5)"
    )
    .bind(job.id.to_string())
    .bind(Json(&job.task))
    .bind(job.tries)
    .bind(now + LEASE)
    .bind(job.expires_at)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from))
}

impl Store {
    /// Takes up to `most` jobs whose time has come, for one more try each. Of several nodes one gets
    /// each; should it die over it, another one does.
    pub async fn claim_jobs(&self, most: i64, now: Timestamp) -> Result<Vec<Job>> {
        // Mostly there are none, and a look takes no lock.
        let due: Option<i64> = alone!(self, |db| sqlx::query_scalar(
            "SELECT next_at FROM job WHERE next_at <= $1 LIMIT 1"
        )
        .bind(now)
        .fetch_optional(db)
        .await)?;
        if due.is_none() {
            return Ok(Vec::new());
        }
        let rows: Vec<JobRow> = alone!(self, |db| sqlx::query_as(
            "UPDATE job SET tries = tries + 1, next_at = $1
              WHERE next_at <= $2 AND expires_at > $2
                AND id IN (SELECT id FROM job WHERE next_at <= $2 AND expires_at > $2
                            ORDER BY next_at LIMIT $3)
             RETURNING id, task, tries, expires_at"
        )
        .bind(now + LEASE)
        .bind(now)
        .bind(most)
        .fetch_all(db)
        .await)?;
        rows.into_iter().map(JobRow::read).collect()
    }

    /// How many jobs wait, and since when the oldest does.
    pub async fn waiting_jobs(&self) -> Result<(i64, Option<Timestamp>)> {
        let (count, ends): (i64, Option<Timestamp>) = alone!(self, |db| sqlx::query_as(
            "SELECT CAST(count(*) AS BIGINT), min(expires_at) FROM job"
        )
        .fetch_one(db)
        .await)?;
        Ok((count, ends.map(|ends| ends - LIFETIME)))
    }

    /// Has a job wait for its next try.
    pub async fn postpone_job(&self, id: Id<kind::Job>, next_at: Timestamp) -> Result<()> {
        alone!(self, |db| sqlx::query(
            "UPDATE job SET next_at = $1 WHERE id = $2"
        )
        .bind(next_at)
        .bind(id.to_string())
        .execute(db)
        .await
        .map(|_| ())
        .map_err(Fault::from))
    }

    /// Forgets a job: it is done, or never will be.
    pub async fn forget_job(&self, id: Id<kind::Job>) -> Result<()> {
        alone!(self, |db| sqlx::query("DELETE FROM job WHERE id = $1")
            .bind(id.to_string())
            .execute(db)
            .await
            .map(|_| ())
            .map_err(Fault::from))
    }
}
