//! The tables `administrator`, `administrator_client`, `invitation` and `admin_session`.

use sqlx::FromRow;

use super::column::Row;
use super::{Result, Store, Tx, alone, commit, on, rollback, whole};
use crate::admin::role::{Administrator, Reach, Role};
use crate::audit::Event;
use crate::client::Name;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{ClientId, Id, kind};
use crate::secret::{Digest, kind as secret};

/// An administrator who is logged in.
#[derive(Clone, Debug)]
pub struct AdminSession {
    /// Who.
    pub administrator: Administrator,
    /// When they showed their BankID.
    pub auth_time: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// What came of an invitation that somebody took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enrolment {
    /// They may administer from now on.
    Done(Box<Administrator>),
    /// It was taken before, or is too old, or was withdrawn.
    Spent,
    /// This person is somebody who administers already.
    Known,
}

#[derive(FromRow)]
struct Stored {
    id: String,
    name: String,
    role: String,
    all_clients: bool,
    is_enrolled: bool,
    version: i64,
    created_at: Timestamp,
}

macro_rules! selected {
    ($from:literal) => {
        concat!(
            "SELECT a.id, a.name, a.role, a.all_clients, a.subject IS NOT NULL AS is_enrolled,
                    a.version, a.created_at FROM ",
            $from
        )
    };
}

impl Store {
    async fn read_administrator(&self, stored: Stored) -> Result<Administrator> {
        let row = Row {
            table: "administrator",
            key: &stored.id,
        };
        let reach = match stored.all_clients {
            true => Reach::All,
            false => Reach::Only(alone!(self, |db| sqlx::query_scalar(
                "SELECT client_id FROM administrator_client
                  WHERE administrator_id = $1 ORDER BY client_id"
            )
            .bind(&stored.id)
            .fetch_all(db)
            .await)?),
        };
        Ok(Administrator {
            id: row.id("id", &stored.id)?,
            name: Name::parse(&stored.name).ok_or_else(|| row.fault("name"))?,
            role: Role::parse(&stored.role).ok_or_else(|| row.fault("role"))?,
            reach,
            is_enrolled: stored.is_enrolled,
            version: stored.version,
            created_at: stored.created_at,
        })
    }

    async fn read_one(&self, stored: Option<Stored>) -> Result<Option<Administrator>> {
        match stored {
            Some(stored) => Ok(Some(self.read_administrator(stored).await?)),
            None => Ok(None),
        }
    }

    /// Everybody who may administer or is invited to, by name.
    pub async fn administrators(&self) -> Result<Vec<Administrator>> {
        let rows: Vec<Stored> = alone!(self, |db| sqlx::query_as(selected!(
            "administrator a WHERE a.removed_at IS NULL ORDER BY a.name, a.id"
        ))
        .fetch_all(db)
        .await)?;
        let mut all = Vec::new();
        for row in rows {
            all.push(self.read_administrator(row).await?);
        }
        Ok(all)
    }

    /// One of them.
    pub async fn administrator(
        &self,
        id: Id<kind::Administrator>,
    ) -> Result<Option<Administrator>> {
        let row: Option<Stored> = alone!(self, |db| sqlx::query_as(selected!(
            "administrator a WHERE a.id = $1 AND a.removed_at IS NULL"
        ))
        .bind(id.to_string())
        .fetch_optional(db)
        .await)?;
        self.read_one(row).await
    }

    /// Who somebody is, by their subject.
    pub async fn administrator_of(&self, subject: &str) -> Result<Option<Administrator>> {
        let row: Option<Stored> = alone!(self, |db| sqlx::query_as(selected!(
            "administrator a WHERE a.subject = $1 AND a.removed_at IS NULL"
        ))
        .bind(subject)
        .fetch_optional(db)
        .await)?;
        self.read_one(row).await
    }

    /// Keeps somebody who is invited, and what their invitation is recognised by.
    pub async fn invite(
        &self,
        invited: &Administrator,
        digest: Digest<secret::Invitation>,
        expires_at: Timestamp,
        event: &Event,
    ) -> Result<()> {
        let now = event.at.timestamp();
        whole!(self, {
            let mut tx = self.begin().await?;
            on!(&mut tx, |tx| sqlx::query(
                "INSERT INTO administrator (id, name, role, all_clients, version, created_at)
             VALUES ($1, $2, $3, $4, 1, $5)"
            )
            .bind(invited.id.to_string())
            .bind(invited.name.as_str())
            .bind(invited.role.as_str())
            .bind(invited.reach == Reach::All)
            .bind(now)
            .execute(&mut **tx)
            .await
            .map(|_| ()))?;
            keep_reach(&mut tx, invited.id, &invited.reach).await?;
            on!(&mut tx, |tx| sqlx::query(
                "INSERT INTO invitation (digest, administrator_id, created_at, expires_at)
             VALUES ($1, $2, $3, $4)"
            )
            .bind(digest.as_bytes())
            .bind(invited.id.to_string())
            .bind(now)
            .bind(expires_at)
            .execute(&mut **tx)
            .await
            .map(|_| ()))?;
            self.tell(&mut tx, event).await?;
            commit(tx).await
        })
    }

    /// Whom an invitation is for, while it can be taken.
    pub async fn invited(
        &self,
        digest: Digest<secret::Invitation>,
        now: Timestamp,
    ) -> Result<Option<Administrator>> {
        let row: Option<Stored> = alone!(self, |db| sqlx::query_as(selected!(
            "invitation i JOIN administrator a ON a.id = i.administrator_id
              WHERE i.digest = $1 AND i.used_at IS NULL AND i.expires_at > $2
                AND a.removed_at IS NULL"
        ))
        .bind(digest.as_bytes())
        .bind(now)
        .fetch_optional(db)
        .await)?;
        self.read_one(row).await
    }

    /// Has a person take an invitation. Of any number of people one does.
    pub async fn enrol(
        &self,
        invited: &Administrator,
        digest: Digest<secret::Invitation>,
        subject: &str,
        event: &Event,
    ) -> Result<Enrolment> {
        whole!(self, {
            let mut tx = self.begin().await?;
            let used = on!(&mut tx, |tx| sqlx::query(
                "UPDATE invitation SET used_at = $2
              WHERE digest = $1 AND administrator_id = $3 AND used_at IS NULL AND expires_at > $2"
            )
            .bind(digest.as_bytes())
            .bind(event.at.timestamp())
            .bind(invited.id.to_string())
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected()))?;
            if used == 0 {
                rollback(tx).await?;
                return Ok(Enrolment::Spent);
            }
            let known: Option<String> = on!(&mut tx, |tx| sqlx::query_scalar(
                "SELECT id FROM administrator WHERE subject = $1"
            )
            .bind(subject)
            .fetch_optional(&mut **tx)
            .await)?;
            if known.is_some() {
                rollback(tx).await?;
                return Ok(Enrolment::Known);
            }
            let enrolled = on!(&mut tx, |tx| sqlx::query(
                "UPDATE administrator SET subject = $2, version = version + 1
              WHERE id = $1 AND subject IS NULL AND removed_at IS NULL"
            )
            .bind(invited.id.to_string())
            .bind(subject)
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected()))?;
            if enrolled == 0 {
                rollback(tx).await?;
                return Ok(Enrolment::Spent);
            }
            self.tell(&mut tx, event).await?;
            commit(tx).await?;
            Ok(Enrolment::Done(Box::new(Administrator {
                is_enrolled: true,
                version: invited.version + 1,
                ..invited.clone()
            })))
        })
    }

    /// Changes what somebody may do, while they are as they were read. An installation keeps an owner.
    pub async fn change_administrator(
        &self,
        read: &Administrator,
        role: Role,
        reach: &Reach,
        event: &Event,
    ) -> Result<bool> {
        whole!(self, {
            let mut tx = self.begin().await?;
            hold_owners(&mut tx).await?;
            let rows = on!(&mut tx, |tx| sqlx::query(
                "UPDATE administrator SET role = $3, all_clients = $4, version = version + 1
              WHERE id = $1 AND version = $2 AND removed_at IS NULL
                AND (role <> 'owner' OR $3 = 'owner' OR EXISTS (
                    SELECT 1 FROM administrator o
                     WHERE o.role = 'owner' AND o.subject IS NOT NULL AND o.removed_at IS NULL
                       AND o.id <> $1))"
            )
            .bind(read.id.to_string())
            .bind(read.version)
            .bind(role.as_str())
            .bind(*reach == Reach::All)
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected()))?;
            if rows == 0 {
                rollback(tx).await?;
                return Ok(false);
            }
            keep_reach(&mut tx, read.id, reach).await?;
            self.tell(&mut tx, event).await?;
            commit(tx).await?;
            Ok(true)
        })
    }

    /// Lets somebody administer no more, at once. An installation keeps an owner, as far as it has one.
    pub async fn remove_administrator(&self, read: &Administrator, event: &Event) -> Result<bool> {
        whole!(self, {
            let mut tx = self.begin().await?;
            hold_owners(&mut tx).await?;
            let rows = on!(&mut tx, |tx| {
                sqlx::query(
            "UPDATE administrator SET removed_at = $2, subject = NULL, version = version + 1
              WHERE id = $1 AND version = $3 AND removed_at IS NULL
                AND (role <> 'owner' OR subject IS NULL OR EXISTS (
                    SELECT 1 FROM administrator o
                     WHERE o.role = 'owner' AND o.subject IS NOT NULL AND o.removed_at IS NULL
                       AND o.id <> $1))"
        )
        .bind(read.id.to_string())
        .bind(event.at.timestamp())
        .bind(read.version)
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected())
            })?;
            if rows == 0 {
                rollback(tx).await?;
                return Ok(false);
            }
            for statement in [
                "DELETE FROM admin_session WHERE administrator_id = $1",
                "DELETE FROM invitation WHERE administrator_id = $1",
            ] {
                on!(&mut tx, |tx| sqlx::query(statement)
                    .bind(read.id.to_string())
                    .execute(&mut **tx)
                    .await
                    .map(|_| ()))?;
            }
            self.tell(&mut tx, event).await?;
            commit(tx).await?;
            Ok(true)
        })
    }

    /// Keeps that an administrator is logged in.
    pub async fn begin_admin_session(
        &self,
        digest: Digest<secret::AdminCookie>,
        session: &AdminSession,
        event: &Event,
    ) -> Result<()> {
        whole!(self, {
            let mut tx = self.begin().await?;
            on!(&mut tx, |tx| {
                sqlx::query(
            "INSERT INTO admin_session (digest, administrator_id, auth_time, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5)"
        )
        .bind(digest.as_bytes())
        .bind(session.administrator.id.to_string())
        .bind(session.auth_time)
        .bind(event.at.timestamp())
        .bind(session.expires_at)
        .execute(&mut **tx)
        .await
        .map(|_| ())
            })?;
            self.tell(&mut tx, event).await?;
            commit(tx).await
        })
    }

    /// Who is logged in by a cookie.
    pub async fn admin_session(
        &self,
        digest: Digest<secret::AdminCookie>,
        now: Timestamp,
    ) -> Result<Option<AdminSession>> {
        let found: Option<(String, Timestamp, Timestamp)> = alone!(self, |db| sqlx::query_as(
            "SELECT administrator_id, auth_time, expires_at FROM admin_session
              WHERE digest = $1 AND expires_at > $2"
        )
        .bind(digest.as_bytes())
        .bind(now)
        .fetch_optional(db)
        .await)?;
        let Some((id, auth_time, expires_at)) = found else {
            return Ok(None);
        };
        let row = Row {
            table: "admin_session",
            key: &id,
        };
        let administrator = self.administrator(row.id("administrator_id", &id)?).await?;
        Ok(administrator.map(|administrator| AdminSession {
            administrator,
            auth_time,
            expires_at,
        }))
    }

    /// Logs an administrator out.
    pub async fn end_admin_session(
        &self,
        digest: Digest<secret::AdminCookie>,
        event: &Event,
    ) -> Result<()> {
        whole!(self, {
            let mut tx = self.begin().await?;
            on!(&mut tx, |tx| sqlx::query(
                "DELETE FROM admin_session WHERE digest = $1"
            )
            .bind(digest.as_bytes())
            .execute(&mut **tx)
            .await
            .map(|_| ()))?;
            self.tell(&mut tx, event).await?;
            commit(tx).await
        })
    }
}

/// Nobody else makes an owner less until the transaction ends: two of them who remove each other at once
/// would each find the other.
async fn hold_owners(tx: &mut Tx) -> Result<()> {
    let Tx::Postgres(tx) = tx else {
        // SQLite has one writer, and this transaction is it.
        return Ok(());
    };
    sqlx::query(
        "SELECT id FROM administrator WHERE role = 'owner' AND removed_at IS NULL
          ORDER BY id FOR UPDATE",
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Which clients are somebody's becomes this.
async fn keep_reach(tx: &mut Tx, id: Id<kind::Administrator>, reach: &Reach) -> Result<()> {
    on!(&mut *tx, |tx| sqlx::query(
        "DELETE FROM administrator_client WHERE administrator_id = $1"
    )
    .bind(id.to_string())
    .execute(&mut **tx)
    .await
    .map(|_| ()))?;
    let clients: &[ClientId] = match reach {
        Reach::All => &[],
        Reach::Only(clients) => clients,
    };
    for client_id in clients {
        add_reach(tx, id, client_id).await?;
    }
    Ok(())
}

/// One more client is somebody's: they are not as anybody saw them before.
pub(super) async fn extend_reach(
    tx: &mut Tx,
    id: Id<kind::Administrator>,
    client_id: &ClientId,
) -> Result<()> {
    on!(&mut *tx, |tx| sqlx::query(
        "UPDATE administrator SET version = version + 1 WHERE id = $1"
    )
    .bind(id.to_string())
    .execute(&mut **tx)
    .await
    .map(|_| ()))?;
    add_reach(tx, id, client_id).await
}

async fn add_reach(tx: &mut Tx, id: Id<kind::Administrator>, client_id: &ClientId) -> Result<()> {
    on!(tx, |tx| sqlx::query(
        "INSERT INTO administrator_client (administrator_id, client_id) VALUES ($1, $2)
         ON CONFLICT DO NOTHING"
    )
    .bind(id.to_string())
    .bind(client_id)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from))
}
