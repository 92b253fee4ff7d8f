//! The tables `session` and `approval`.

use std::collections::BTreeSet;

use sqlx::FromRow;
use sqlx::types::Json;

use super::column::Row;
use super::grant::{self, Finish};
use super::{Result, Store, Tx, alone, commit, job, on, rollback, sealed, whole};
use crate::admin::session::Seen;
use crate::audit::Event;
use crate::claims::release::{Claim, Identity};
use crate::client::{Client, Metadata};
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{ClientId, Id, kind};
use crate::job::Job;
use crate::secret::{Digest, Key, kind as secret};
use crate::session::logout::Held;
use crate::session::{Session, notice};

/// A session that can answer a request, with what its person approved for the client before.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// The session.
    pub session: Session,
    /// What was approved.
    pub approved: BTreeSet<Claim>,
    /// Whether it was approved that the client comes back without the person.
    pub approved_offline: bool,
}

/// Sessions that have ended.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// Which, as far as their clients are still registered.
    pub sessions: Vec<Held>,
    /// What those clients must be told; kept, and to be tried now.
    pub notices: Vec<Job>,
}

#[derive(FromRow)]
struct Stored {
    id: String,
    person_id: String,
    identity: Vec<u8>,
    auth_time: Timestamp,
    txn: String,
    expires_at: Timestamp,
    claims: Option<Json<BTreeSet<Claim>>>,
    offline_access: Option<bool>,
}

impl Store {
    /// The session that this browser has for this client, if it is alive.
    pub async fn session(
        &self,
        browser: Digest<secret::SessionCookie>,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<SessionRow>> {
        let row: Option<Stored> = alone!(self, |db| sqlx::query_as(
            "SELECT s.id, s.person_id, s.identity, s.auth_time, s.txn, s.expires_at, a.claims,
                    a.offline_access
               FROM session s
               LEFT JOIN approval a ON a.person_id = s.person_id AND a.client_id = s.client_id
              WHERE s.browser = $1 AND s.client_id = $2
                AND s.ended_at IS NULL AND s.expires_at > $3
              ORDER BY s.auth_time DESC LIMIT 1"
        )
        .bind(browser.as_bytes())
        .bind(client_id)
        .bind(now)
        .fetch_optional(db)
        .await)?;
        row.map(|row| self.read_session(row)).transpose()
    }

    /// The sessions of a browser that nobody has ended, with the clients that they serve. One whose time
    /// is up is among them until it is swept: its client may not know.
    pub async fn sessions_of_browser(
        &self,
        browser: Digest<secret::SessionCookie>,
    ) -> Result<Vec<Held>> {
        let rows: Vec<HeldRow> = alone!(self, |db| sqlx::query_as(
            "SELECT s.id, s.person_id, s.client_id, c.metadata, c.sector
               FROM session s JOIN client c ON c.client_id = s.client_id
              WHERE s.browser = $1 AND s.ended_at IS NULL ORDER BY s.auth_time, s.id"
        )
        .bind(browser.as_bytes())
        .fetch_all(db)
        .await)?;
        rows.into_iter().map(HeldRow::read).collect()
    }

    /// Logs a browser out, in one commit. Of any number of callers one ends each session.
    pub async fn log_out(
        &self,
        browser: Digest<secret::SessionCookie>,
        subject_key: &Key,
        now: Timestamp,
    ) -> Result<Ended> {
        whole!(self, {
            let mut tx = self.begin().await?;
            let ended = self.end_browser(&mut tx, browser, subject_key, now).await?;
            commit(tx).await?;
            Ok(ended)
        })
    }

    /// Sessions that are alive, the latest first: with one client, or with those that an administrator
    /// looks after, where it is not with all.
    pub async fn live_sessions(
        &self,
        client_id: Option<&ClientId>,
        of: Option<Id<kind::Administrator>>,
        now: Timestamp,
        most: u16,
    ) -> Result<Vec<Seen>> {
        let rows: Vec<SeenRow> = alone!(self, |db| {
            sqlx::query_as(
            "SELECT id, client_id, auth_time, expires_at FROM session
              WHERE ended_at IS NULL AND expires_at > $1 AND (CAST($2 AS TEXT) IS NULL OR client_id = $2)
                AND (CAST($4 AS TEXT) IS NULL OR client_id IN
                    (SELECT client_id FROM administrator_client WHERE administrator_id = $4))
              ORDER BY auth_time DESC, id LIMIT $3"
        )
        .bind(now)
        .bind(client_id.map(ClientId::as_str))
        .bind(i64::from(most))
        .bind(of.map(|id| id.to_string()))
        .fetch_all(db)
        .await
        })?;
        rows.into_iter().map(SeenRow::read).collect()
    }

    /// A session that is alive.
    pub async fn live_session(
        &self,
        id: Id<kind::Session>,
        now: Timestamp,
    ) -> Result<Option<Seen>> {
        let row: Option<SeenRow> = alone!(self, |db| sqlx::query_as(
            "SELECT id, client_id, auth_time, expires_at FROM session
              WHERE id = $1 AND ended_at IS NULL AND expires_at > $2"
        )
        .bind(id.to_string())
        .bind(now)
        .fetch_optional(db)
        .await)?;
        row.map(SeenRow::read).transpose()
    }

    /// Whose a session is.
    pub async fn session_identity(&self, id: Id<kind::Session>) -> Result<Option<Identity>> {
        let id = id.to_string();
        let sealed: Option<Vec<u8>> = alone!(self, |db| sqlx::query_scalar(
            "SELECT identity FROM session WHERE id = $1"
        )
        .bind(&id)
        .fetch_optional(db)
        .await)?;
        let open = |sealed: Vec<u8>| {
            self.sealer
                .open_json(sealed::SESSION_IDENTITY.of(&id), &sealed)
        };
        sealed.map(open).transpose()
    }

    /// Ends a session for its person, with what its client was given from it. `None`: it has ended.
    pub async fn end_session(
        &self,
        id: Id<kind::Session>,
        subject_key: &Key,
        event: &Event,
    ) -> Result<Option<Ended>> {
        let now = event.at.timestamp();
        whole!(self, {
            let mut tx = self.begin().await?;
            let rows = on!(&mut tx, |tx| sqlx::query(
                "UPDATE session SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL"
            )
            .bind(now)
            .bind(id.to_string())
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected()))?;
            if rows == 0 {
                rollback(tx).await?;
                return Ok(None);
            }
            grant::end_with_session(&mut tx, id, now).await?;
            let sessions = held(&mut tx, &[id.to_string()]).await?;
            let notices = notice::notices(&sessions, subject_key, &self.random, now);
            for notice in &notices {
                job::insert(&mut tx, notice, now).await?;
            }
            self.tell(&mut tx, event).await?;
            commit(tx).await?;
            Ok(Some(Ended { sessions, notices }))
        })
    }

    /// Ends every session of a browser, and what clients were given from them, and keeps what those
    /// must be told.
    async fn end_browser(
        &self,
        tx: &mut Tx,
        browser: Digest<secret::SessionCookie>,
        subject_key: &Key,
        now: Timestamp,
    ) -> Result<Ended> {
        let ids: Vec<String> = on!(&mut *tx, |tx| {
            sqlx::query_scalar(
                "UPDATE session SET ended_at = $1
                  WHERE browser = $2 AND ended_at IS NULL RETURNING id",
            )
            .bind(now)
            .bind(browser.as_bytes())
            .fetch_all(&mut **tx)
            .await
        })?;
        grant::end_with_browser(tx, browser, now).await?;
        let sessions = held(tx, &ids).await?;
        let notices = notice::notices(&sessions, subject_key, &self.random, now);
        for notice in &notices {
            job::insert(tx, notice, now).await?;
        }
        Ok(Ended { sessions, notices })
    }

    /// Moves this person's sessions in a browser to its new cookie. The one with the same client, if there is one,
    /// goes on under its name: the client and whoever it told would otherwise hold one of which no logout ever
    /// speaks. Somebody else's end, as at a logout.
    pub(super) async fn renew_browser(
        &self,
        tx: &mut Tx,
        finish: &Finish<'_>,
        old: Digest<secret::SessionCookie>,
        person: Id<kind::Person>,
        now: Timestamp,
    ) -> Result<(Option<Id<kind::Session>>, Ended)> {
        on!(&mut *tx, |tx| sqlx::query(
            "UPDATE session SET browser = $1 WHERE browser = $2 AND person_id = $3"
        )
        .bind(finish.new_browser.as_bytes())
        .bind(old.as_bytes())
        .bind(person.to_string())
        .execute(&mut **tx)
        .await
        .map(|_| ()))?;
        let kept: Option<String> = on!(&mut *tx, |tx| sqlx::query_scalar(
            "SELECT id FROM session
              WHERE browser = $1 AND person_id = $2 AND client_id = $3 AND ended_at IS NULL
              ORDER BY auth_time DESC, id LIMIT 1"
        )
        .bind(finish.new_browser.as_bytes())
        .bind(person.to_string())
        .bind(finish.client_id)
        .fetch_optional(&mut **tx)
        .await)?;
        let kept = kept.map(|id| {
            let row = Row {
                table: "session",
                key: &id,
            };
            row.id("id", &id)
        });
        let ended = self.end_browser(tx, old, finish.subject_key, now).await?;
        Ok((kept.transpose()?, ended))
    }

    fn read_session(&self, stored: Stored) -> Result<SessionRow> {
        let row = Row {
            table: "session",
            key: &stored.id,
        };
        Ok(SessionRow {
            session: Session {
                id: row.id("id", &stored.id)?,
                person: row.id("person_id", &stored.person_id)?,
                identity: self
                    .sealer
                    .open_json(sealed::SESSION_IDENTITY.of(&stored.id), &stored.identity)?,
                auth_time: stored.auth_time,
                txn: row.id("txn", &stored.txn)?,
                expires_at: stored.expires_at,
            },
            approved: stored.claims.map(|Json(claims)| claims).unwrap_or_default(),
            approved_offline: stored.offline_access.unwrap_or_default(),
        })
    }

    pub(super) fn sealed_identity(&self, session: &str, identity: &Identity) -> Vec<u8> {
        self.sealer
            .seal_json(sealed::SESSION_IDENTITY.of(session), identity, &self.random)
    }
}

#[derive(FromRow)]
struct SeenRow {
    id: String,
    client_id: ClientId,
    auth_time: Timestamp,
    expires_at: Timestamp,
}

impl SeenRow {
    fn read(self) -> Result<Seen> {
        let row = Row {
            table: "session",
            key: &self.id,
        };
        Ok(Seen {
            id: row.id("id", &self.id)?,
            client_id: self.client_id,
            auth_time: self.auth_time,
            expires_at: self.expires_at,
        })
    }
}

#[derive(FromRow)]
struct HeldRow {
    id: String,
    person_id: String,
    client_id: ClientId,
    metadata: Json<Metadata>,
    sector: String,
}

impl HeldRow {
    fn read(self) -> Result<Held> {
        let row = Row {
            table: "session",
            key: &self.id,
        };
        Ok(Held {
            id: row.id("id", &self.id)?,
            person: row.id("person_id", &self.person_id)?,
            client: Client {
                client_id: self.client_id,
                sector: self.sector,
                metadata: self.metadata.0,
            },
        })
    }
}

/// These sessions with their clients. One whose client is no longer registered has nobody to tell.
pub(super) async fn held(tx: &mut Tx, ids: &[String]) -> Result<Vec<Held>> {
    let mut held = Vec::new();
    for id in ids {
        let row: Option<HeldRow> = on!(&mut *tx, |tx| sqlx::query_as(
            "SELECT s.id, s.person_id, s.client_id, c.metadata, c.sector
               FROM session s JOIN client c ON c.client_id = s.client_id
              WHERE s.id = $1"
        )
        .bind(id)
        .fetch_optional(&mut **tx)
        .await)?;
        if let Some(row) = row {
            held.push(row.read()?);
        }
    }
    Ok(held)
}

/// Whose a session is, while it is alive; if it is, until the transaction ends. A logout at the same moment
/// comes before, or waits and ends what was made of the session meanwhile.
pub(super) async fn hold(
    tx: &mut Tx,
    session: Id<kind::Session>,
    now: Timestamp,
) -> Result<Option<String>> {
    let statement = match tx {
        // It has one writer, and this transaction is it.
        Tx::Sqlite(_) => {
            "SELECT person_id FROM session WHERE id = $1 AND ended_at IS NULL AND expires_at > $2"
        }
        Tx::Postgres(_) => {
            "SELECT person_id FROM session WHERE id = $1 AND ended_at IS NULL AND expires_at > $2 FOR SHARE"
        }
    };
    Ok(on!(tx, |tx| sqlx::query_scalar(statement)
        .bind(session.to_string())
        .bind(now)
        .fetch_optional(&mut **tx)
        .await)?)
}

pub(super) async fn insert(
    tx: &mut Tx,
    session: &Session,
    sealed_identity: &[u8],
    browser: Digest<secret::SessionCookie>,
    client_id: &ClientId,
) -> Result<()> {
    on!(tx, |tx| sqlx::query(
        "INSERT INTO session (id, browser, person_id, client_id, identity, auth_time, txn,
                              expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    )
    .bind(session.id.to_string())
    .bind(browser.as_bytes())
    .bind(session.person.to_string())
    .bind(client_id)
    .bind(sealed_identity)
    .bind(session.auth_time)
    .bind(session.txn.to_string())
    .bind(session.expires_at)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from))
}

/// What a session is once its person has logged in anew: by when, by what, and until when.
pub(super) async fn go_on(tx: &mut Tx, session: &Session, sealed_identity: &[u8]) -> Result<()> {
    let id = session.id.to_string();
    let rows = on!(tx, |tx| {
        sqlx::query(
        "UPDATE session SET identity = $1, auth_time = $2, txn = $3, expires_at = $4 WHERE id = $5"
    )
    .bind(sealed_identity)
    .bind(session.auth_time)
    .bind(session.txn.to_string())
    .bind(session.expires_at)
    .bind(&id)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected())
    })?;
    // It is held by this transaction. A grant of one that is not there would never end with it.
    let row = Row {
        table: "session",
        key: &id,
    };
    (rows == 1).then_some(()).ok_or_else(|| row.fault("id"))
}

/// Records what a person approved by starting a login that named it. The latest approval stands.
pub(super) async fn approve(
    tx: &mut Tx,
    person: Id<kind::Person>,
    client_id: &ClientId,
    claims: &BTreeSet<Claim>,
    offline_access: bool,
    now: Timestamp,
) -> Result<()> {
    on!(tx, |tx| sqlx::query(
        "INSERT INTO approval (person_id, client_id, claims, approved_at, offline_access)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (person_id, client_id) DO UPDATE
            SET claims = excluded.claims, approved_at = excluded.approved_at,
                offline_access = excluded.offline_access"
    )
    .bind(person.to_string())
    .bind(client_id)
    .bind(Json(claims))
    .bind(now)
    .bind(offline_access)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from))
}
