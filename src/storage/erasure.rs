//! Erases what is kept of a person, all of it in one commit. A login at the same moment comes before, and goes
//! with the rest, or after, and is somebody new's: nothing is left by halves.
//!
//! Locks are taken in the order in which a login ends: the login, the person, codes, sessions, grants.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection};

use super::{
    Backend, NumberIndex, Result, Store, Traces, Tx, commit, job, on, rollback, session, whole,
};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{Id, kind};
use crate::job::Job;
use crate::secret::Key;
use crate::session::notice;

/// How long the journal's emptying waits for those who read or write just now.
const EMPTYING: Duration = Duration::from_millis(200);

/// What is to be erased.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The index of the person's number.
    pub index: &'a NumberIndex,
    /// What was found of them.
    pub found: &'a Traces,
    /// Whether what proves their logins goes, too.
    pub with_evidence: bool,
    /// What clients know people by, to be told that sessions have ended.
    pub subject_key: &'a Key,
    /// When.
    pub now: Timestamp,
}

/// How much was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Erased {
    /// People: one, or none of whom something else was left.
    pub person: u64,
    /// Sessions.
    pub sessions: u64,
    /// Grants, with their codes and tokens.
    pub grants: u64,
    /// Approvals.
    pub approvals: u64,
    /// Logins.
    pub logins: u64,
    /// Pushed requests.
    pub requests: u64,
    /// What proved logins.
    pub evidence: u64,
}

/// What came of it.
#[derive(Debug)]
pub enum Erasure {
    /// It is gone. What clients must be told, to be tried now.
    Done(Erased, Vec<Job>),
    /// The person administers: nothing was done.
    Administers,
}

/// A statement for one person, and where its rows are counted.
type Step = (&'static str, fn(&mut Erased) -> Option<&mut u64>);

/// Codes first. Tokens go with their grants.
const CODES: &[Step] = &[
    (
        "DELETE FROM code WHERE grant_id IN (SELECT id FROM client_grant WHERE person_id = $1)",
        |_| None,
    ),
    // An earlier version's.
    (
        "DELETE FROM code WHERE grant_id IN (SELECT id FROM client_grant WHERE session_id IN
            (SELECT id FROM session WHERE person_id = $1))",
        |_| None,
    ),
];

/// What else goes by the person's name, when their sessions have ended.
const REST: &[Step] = &[
    // Finished ones: nobody who holds such a login asks for its person any more.
    (
        "DELETE FROM login WHERE id IN (SELECT login_id FROM bankid_order WHERE id IN
            (SELECT txn FROM session WHERE person_id = $1
              UNION SELECT txn FROM client_grant WHERE person_id = $1))",
        |erased| Some(&mut erased.logins),
    ),
    (
        "DELETE FROM client_grant WHERE session_id IN (SELECT id FROM session WHERE person_id = $1)",
        |erased| Some(&mut erased.grants),
    ),
    ("DELETE FROM client_grant WHERE person_id = $1", |erased| {
        Some(&mut erased.grants)
    }),
    ("DELETE FROM session WHERE person_id = $1", |erased| {
        Some(&mut erased.sessions)
    }),
    ("DELETE FROM approval WHERE person_id = $1", |erased| {
        Some(&mut erased.approvals)
    }),
];

const WITH_EVIDENCE: Step = ("DELETE FROM evidence WHERE person_id = $1", |erased| {
    Some(&mut erased.evidence)
});
/// Nobody's row leads to it any more.
const WITHOUT_EVIDENCE: Step = (
    "UPDATE evidence SET person_id = NULL WHERE person_id = $1",
    |_| None,
);
const PERSON: Step = ("DELETE FROM person WHERE id = $1", |erased| {
    Some(&mut erased.person)
});

impl Store {
    /// Erases a person. `administers_as` says by which name somebody would administer; `event` tells of it.
    pub async fn erase(
        &self,
        wanted: &Wanted<'_>,
        administers_as: impl Fn(Id<kind::Person>) -> String,
        event: impl Fn(&Erased) -> Event,
    ) -> Result<Erasure> {
        let (found, now) = (wanted.found, wanted.now);
        let erasure = whole!(self, {
            let mut erased = Erased::default();
            let mut notices = Vec::new();
            let mut tx = self.begin().await?;
            for login in &found.logins {
                let statement = "DELETE FROM login WHERE id = $1";
                erased.logins += by_text(&mut tx, statement, &login.login).await?;
            }
            let people = hold(&mut tx, wanted.index).await?;
            for person in &people {
                let subject = administers_as(super::person::read(person)?);
                if administers(&mut tx, &subject).await? {
                    rollback(tx).await?;
                    return Ok(Erasure::Administers);
                }
                for step in CODES {
                    take(&mut tx, *step, person, &mut erased).await?;
                }
                let ended = end_sessions(&mut tx, person, now).await?;
                let held = session::held(&mut tx, &ended).await?;
                notices.extend(notice::notices(
                    &held,
                    wanted.subject_key,
                    &self.random,
                    now,
                ));
                let evidence = match wanted.with_evidence {
                    true => WITH_EVIDENCE,
                    false => WITHOUT_EVIDENCE,
                };
                for step in REST.iter().chain([&evidence, &PERSON]) {
                    take(&mut tx, *step, person, &mut erased).await?;
                }
            }
            // What nothing leads to from the person's row.
            for grant in &found.grants {
                let id = grant.grant.id.to_string();
                by_text(&mut tx, "DELETE FROM code WHERE grant_id = $1", &id).await?;
                erased.grants +=
                    by_text(&mut tx, "DELETE FROM client_grant WHERE id = $1", &id).await?;
            }
            for request in &found.requests {
                erased.requests += on!(&mut tx, |tx| sqlx::query(
                    "DELETE FROM pushed_request WHERE digest = $1"
                )
                .bind(&request.digest)
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected()))?;
            }
            for evidence in found.evidence.iter().filter(|_| wanted.with_evidence) {
                let (statement, txn) = (
                    "DELETE FROM evidence WHERE id = $1",
                    evidence.record.txn.to_string(),
                );
                erased.evidence += by_text(&mut tx, statement, &txn).await?;
            }
            for notice in &notices {
                job::insert(&mut tx, notice, now).await?;
            }
            self.tell(&mut tx, &event(&erased)).await?;
            commit(tx).await?;
            Ok(Erasure::Done(erased, notices))
        });
        if let Ok(Erasure::Done(..)) = &erasure {
            self.empty_journal().await;
        }
        erasure
    }

    /// What was there before a change stands in SQLite's journal until that is empty. Where others read just
    /// now, it is emptied at the next such moment, or when the last of them closes the database: nobody who
    /// logs in waits for it.
    async fn empty_journal(&self) {
        let Backend::Sqlite(db) = &self.db else {
            return;
        };
        // On a connection that nobody else gets: it waits for others more briefly than all else may.
        let options = db.connect_options().clone().busy_timeout(EMPTYING);
        let emptied = async {
            let mut connection = options.connect().await?;
            let emptied = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)");
            let emptied = emptied.execute(&mut connection).await;
            connection.close().await?;
            emptied
        };
        if let Err(error) = emptied.await {
            tracing::warn!(fault = %Fault::from(error), "the database's journal could not be emptied");
        }
    }
}

/// The people that a number leads to, held until the transaction ends: whoever logs in as one of them
/// meanwhile waits, and so does whatever refers to their row. An `UPDATE` would let the latter pass, and of a
/// login that ends at this moment the session would go and the grant stay. Rows move from older keys to the newest one,
/// and are looked for in that order.
async fn hold(tx: &mut Tx, index: &NumberIndex) -> Result<Vec<String>> {
    let statement = match tx {
        // It has one writer, and this transaction is it.
        Tx::Sqlite(_) => "SELECT id FROM person WHERE number_index = $1",
        Tx::Postgres(_) => "SELECT id FROM person WHERE number_index = $1 FOR UPDATE",
    };
    let mut people = Vec::new();
    for value in index.others.iter().chain([&index.written]) {
        let held: Vec<String> = on!(&mut *tx, |tx| sqlx::query_scalar(statement)
            .bind(&value[..])
            .fetch_all(&mut **tx)
            .await)?;
        people.extend(held);
    }
    Ok(people)
}

async fn administers(tx: &mut Tx, subject: &str) -> Result<bool> {
    let found: Option<String> = on!(tx, |tx| sqlx::query_scalar(
        "SELECT id FROM administrator WHERE subject = $1 AND removed_at IS NULL"
    )
    .bind(subject)
    .fetch_optional(&mut **tx)
    .await)?;
    Ok(found.is_some())
}

/// Ends a person's sessions that are alive, and says which: a code that is made of one at this moment is
/// waited for.
async fn end_sessions(tx: &mut Tx, person: &str, now: Timestamp) -> Result<Vec<String>> {
    Ok(on!(tx, |tx| sqlx::query_scalar(
        "UPDATE session SET ended_at = $1 WHERE person_id = $2 AND ended_at IS NULL RETURNING id"
    )
    .bind(now)
    .bind(person)
    .fetch_all(&mut **tx)
    .await)?)
}

async fn take(
    tx: &mut Tx,
    (statement, count): Step,
    person: &str,
    erased: &mut Erased,
) -> Result<()> {
    let rows = by_text(tx, statement, person).await?;
    if let Some(count) = count(erased) {
        *count += rows;
    }
    Ok(())
}

async fn by_text(tx: &mut Tx, statement: &'static str, text: &str) -> Result<u64> {
    on!(tx, |tx| sqlx::query(statement)
        .bind(text)
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected())
        .map_err(Fault::from))
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::clock::Clock;
    use crate::random::Random;

    #[tokio::test]
    async fn whoever_gives_up_emptying_the_journal_leaves_nobody_less_patient() {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite:{}", directory.path().join("test.db").display());
        let random = Random::system();
        let master = Key::fresh(&random).into();
        let opened = Store::open(&url, &master, &random, Clock::system().now()).await;
        let (store, _) = opened.expect("it opens");
        let Backend::Sqlite(db) = &store.db else {
            panic!("it is a file");
        };
        // It has to wait for whoever writes.
        let writing = db.begin_with("BEGIN IMMEDIATE").await.expect("begun");
        let emptied = timeout(EMPTYING / 4, store.empty_journal()).await;
        assert!(emptied.is_err(), "it does not wait");
        writing.rollback().await.expect("ended");
        let mut all = Vec::new();
        for _ in 0..db.connections().limit {
            let mut held = db.acquire().await.expect("lent");
            let patience: i64 = sqlx::query_scalar("PRAGMA busy_timeout")
                .fetch_one(&mut held)
                .await
                .expect("a number");
            assert_eq!(patience, 10_000);
            all.push(held);
        }
    }
}
