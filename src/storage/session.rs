//! The tables `session` and `approval`.

use std::collections::BTreeSet;

use sqlx::FromRow;
use sqlx::types::Json;

use super::column::Row;
use super::{Result, Store, Tx, on};
use crate::claims::release::{Claim, Identity};
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{ClientId, Id, kind};
use crate::secret::{Digest, Place, kind as secret};
use crate::session::Session;

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

fn identity_of(session: &str) -> Place<'_> {
    Place {
        table: "session",
        column: "identity",
        row: session,
    }
}

impl Store {
    /// The session that this browser has for this client, if it is alive.
    pub async fn session(
        &self,
        browser: Digest<secret::SessionCookie>,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<SessionRow>> {
        let row: Option<Stored> = on!(&self.db, |db| sqlx::query_as(
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
                    .open_json(identity_of(&stored.id), &stored.identity)?,
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
            .seal_json(identity_of(session), identity, &self.random)
    }
}

/// Moves this person's sessions in a browser to its new cookie, and ends those of anyone else, as
/// well as the one that the new session replaces.
pub(super) async fn renew_browser(
    tx: &mut Tx,
    old: Digest<secret::SessionCookie>,
    new: Digest<secret::SessionCookie>,
    person: Id<kind::Person>,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<()> {
    on!(&mut *tx, |tx| sqlx::query(
        "UPDATE session SET ended_at = $1
          WHERE browser = $2 AND ended_at IS NULL AND (person_id <> $3 OR client_id = $4)"
    )
    .bind(now)
    .bind(old.as_bytes())
    .bind(person.to_string())
    .bind(client_id)
    .execute(&mut **tx)
    .await
    .map(|_| ()))?;
    on!(tx, |tx| sqlx::query(
        "UPDATE session SET browser = $1 WHERE browser = $2 AND ended_at IS NULL"
    )
    .bind(new.as_bytes())
    .bind(old.as_bytes())
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from))
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
