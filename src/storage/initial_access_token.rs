//! The table `initial_access_token`.

use sqlx::FromRow;
use sqlx::types::Json;

use super::column::Row;
use super::{Result, Store, Tx, alone, commit, on, rollback, whole};
use crate::audit::Event;
use crate::client::registration::{Allowance, InitialAccessToken, Note};
use crate::clock::Timestamp;
use crate::id::{Id, kind};
use crate::secret::{Digest, kind as secret};

#[derive(FromRow)]
struct Stored {
    id: String,
    note: String,
    allowance: Json<Allowance>,
    uses: i64,
    uses_left: i64,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

impl Stored {
    fn read(self) -> Result<InitialAccessToken> {
        let row = Row {
            table: "initial_access_token",
            key: &self.id,
        };
        let count = |column, n: i64| u32::try_from(n).map_err(|_| row.fault(column));
        Ok(InitialAccessToken {
            id: row.id("id", &self.id)?,
            note: Note::parse(&self.note).ok_or_else(|| row.fault("note"))?,
            allowance: self.allowance.0,
            uses: count("uses", self.uses)?,
            uses_left: count("uses_left", self.uses_left)?,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
        })
    }
}

impl Store {
    /// Keeps a token that was just made.
    pub async fn issue_initial_access_token(
        &self,
        token: &InitialAccessToken,
        digest: Digest<secret::InitialAccessToken>,
        event: &Event,
    ) -> Result<()> {
        whole!(self, {
            let mut tx = self.begin().await?;
            on!(&mut tx, |tx| sqlx::query(
                "INSERT INTO initial_access_token
                (id, digest, note, allowance, uses, uses_left, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            )
            .bind(token.id.to_string())
            .bind(digest.as_bytes())
            .bind(token.note.as_str())
            .bind(Json(&token.allowance))
            .bind(i64::from(token.uses))
            .bind(i64::from(token.uses_left))
            .bind(event.at.timestamp())
            .bind(token.expires_at)
            .execute(&mut **tx)
            .await
            .map(|_| ()))?;
            self.tell(&mut tx, event).await?;
            commit(tx).await
        })
    }

    /// A token by which a client may register now.
    pub async fn initial_access_token(
        &self,
        digest: Digest<secret::InitialAccessToken>,
        now: Timestamp,
    ) -> Result<Option<InitialAccessToken>> {
        let row: Option<Stored> = alone!(self, |db| sqlx::query_as(
            "SELECT id, note, allowance, uses, uses_left, expires_at, revoked_at
               FROM initial_access_token
              WHERE digest = $1 AND uses_left > 0 AND expires_at > $2 AND revoked_at IS NULL"
        )
        .bind(digest.as_bytes())
        .bind(now)
        .fetch_optional(db)
        .await)?;
        row.map(Stored::read).transpose()
    }

    /// All tokens, the latest first.
    pub async fn initial_access_tokens(&self) -> Result<Vec<InitialAccessToken>> {
        let rows: Vec<Stored> = alone!(self, |db| sqlx::query_as(
            "SELECT id, note, allowance, uses, uses_left, expires_at, revoked_at
               FROM initial_access_token ORDER BY created_at DESC, id"
        )
        .fetch_all(db)
        .await)?;
        rows.into_iter().map(Stored::read).collect()
    }

    /// Lets nobody register by a token any more. `false`: there is none, or it was revoked before.
    pub async fn revoke_initial_access_token(
        &self,
        id: Id<kind::InitialAccessToken>,
        event: &Event,
    ) -> Result<bool> {
        whole!(self, {
            let mut tx = self.begin().await?;
            let rows = on!(&mut tx, |tx| {
                sqlx::query(
            "UPDATE initial_access_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"
        )
        .bind(id.to_string())
        .bind(event.at.timestamp())
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected())
            })?;
            if rows == 0 {
                rollback(tx).await?;
                return Ok(false);
            }
            self.tell(&mut tx, event).await?;
            commit(tx).await?;
            Ok(true)
        })
    }
}

/// Uses a token once: as many callers as it has uses get `true`.
pub(super) async fn spend(
    tx: &mut Tx,
    id: Id<kind::InitialAccessToken>,
    now: Timestamp,
) -> Result<bool> {
    let rows = on!(tx, |tx| sqlx::query(
        "UPDATE initial_access_token SET uses_left = uses_left - 1
          WHERE id = $1 AND uses_left > 0 AND expires_at > $2 AND revoked_at IS NULL"
    )
    .bind(id.to_string())
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(rows > 0)
}
