//! The table `client_registration`: clients that registered themselves, and manage that.

use sqlx::FromRow;
use sqlx::types::Json;

use super::client::{keep_origins, keep_secrets, upsert};
use super::{ManagedBy, Result, Store, Tx, commit, initial_access_token, on, rollback};
use crate::client::authentication::ClientSecret;
use crate::client::registration::{Allowance, Details, Registration};
use crate::client::{Client, Metadata};
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{ClientId, Id, kind};
use crate::secret::{Digest, kind as secret};

/// A registration as it was read, to be replaced only while it is still that.
#[derive(Clone, Debug)]
pub struct Managed {
    /// The registration.
    pub registration: Registration,
    version: i64,
}

/// What becomes of a client's secret when its registration is replaced.
#[derive(Clone, Copy, Debug)]
pub enum SecretChange {
    /// It stays.
    Kept,
    /// The client has none any more.
    Dropped,
    /// This one takes the place of any other.
    Fresh(Digest<ClientSecret>),
}

#[derive(FromRow)]
struct Stored {
    client_id: ClientId,
    metadata: Json<Metadata>,
    sector: String,
    version: i64,
    created_at: Timestamp,
    allowance: Json<Allowance>,
    details: Json<Details>,
}

impl From<Stored> for Managed {
    fn from(stored: Stored) -> Managed {
        Managed {
            version: stored.version,
            registration: Registration {
                client: Client {
                    client_id: stored.client_id,
                    sector: stored.sector,
                    metadata: stored.metadata.0,
                },
                allowance: stored.allowance.0,
                details: stored.details.0,
                issued_at: stored.created_at,
            },
        }
    }
}

impl Store {
    /// Registers a client by an initial access token, which is spent with it. `false`: it was spent,
    /// revoked or too old, and nothing is registered.
    pub async fn register_by_token(
        &self,
        registration: &Registration,
        by: Id<kind::InitialAccessToken>,
        token: Digest<secret::RegistrationToken>,
        client_secret: Option<Digest<ClientSecret>>,
    ) -> Result<bool> {
        let (client, now) = (&registration.client, registration.issued_at);
        let mut tx = self.begin().await?;
        if !initial_access_token::spend(&mut tx, by, now).await? {
            rollback(tx).await?;
            return Ok(false);
        }
        upsert(&mut tx, client, ManagedBy::Registration, now).await?;
        keep_secrets(&mut tx, &client.client_id, client_secret.as_slice(), now).await?;
        on!(&mut tx, |tx| sqlx::query(
            "INSERT INTO client_registration
                (client_id, token, initial_access_token, allowance, details)
             VALUES ($1, $2, $3, $4, $5)"
        )
        .bind(&client.client_id)
        .bind(token.as_bytes())
        .bind(by.to_string())
        .bind(Json(&registration.allowance))
        .bind(Json(&registration.details))
        .execute(&mut **tx)
        .await
        .map(|_| ()))?;
        commit(tx).await?;
        Ok(true)
    }

    /// A client's registration, for whoever shows the token that manages it. A client that has come
    /// under somebody else's management is as good as none.
    pub async fn registration(
        &self,
        client_id: &ClientId,
        token: Digest<secret::RegistrationToken>,
    ) -> Result<Option<Managed>> {
        let row: Option<Stored> = on!(&self.db, |db| {
            sqlx::query_as(
            "SELECT c.client_id, c.metadata, c.sector, c.version, c.created_at, r.allowance, r.details
               FROM client_registration r JOIN client c ON c.client_id = r.client_id
              WHERE r.token = $1 AND c.client_id = $2 AND c.managed_by = 'registration'"
        )
        .bind(token.as_bytes())
        .bind(client_id)
        .fetch_optional(db)
        .await
        })?;
        Ok(row.map(Managed::from))
    }

    /// All clients that registered themselves and have stayed so, the latest first.
    pub async fn registrations(&self) -> Result<Vec<Registration>> {
        let rows: Vec<Stored> = on!(&self.db, |db| {
            sqlx::query_as(
            "SELECT c.client_id, c.metadata, c.sector, c.version, c.created_at, r.allowance, r.details
               FROM client_registration r JOIN client c ON c.client_id = r.client_id
              WHERE c.managed_by = 'registration' ORDER BY c.created_at DESC, c.client_id"
        )
        .fetch_all(db)
        .await
        })?;
        let rows = rows.into_iter().map(Managed::from);
        Ok(rows.map(|managed| managed.registration).collect())
    }

    /// Replaces what a client is registered as. `false`: it is not as it was read any more.
    pub async fn replace_registration(
        &self,
        read: &Managed,
        metadata: &Metadata,
        details: &Details,
        secret: SecretChange,
        now: Timestamp,
    ) -> Result<bool> {
        let client = Client {
            metadata: metadata.clone(),
            ..read.registration.client.clone()
        };
        let mut tx = self.begin().await?;
        let rows = on!(&mut tx, |tx| sqlx::query(
            "UPDATE client SET metadata = $1, version = version + 1, updated_at = $2
              WHERE client_id = $3 AND version = $4 AND managed_by = 'registration'"
        )
        .bind(Json(&client.metadata))
        .bind(now)
        .bind(&client.client_id)
        .bind(read.version)
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected()))?;
        if rows == 0 {
            rollback(tx).await?;
            return Ok(false);
        }
        on!(&mut tx, |tx| sqlx::query(
            "UPDATE client_registration SET details = $1 WHERE client_id = $2"
        )
        .bind(Json(details))
        .bind(&client.client_id)
        .execute(&mut **tx)
        .await
        .map(|_| ()))?;
        match secret {
            SecretChange::Kept => {}
            SecretChange::Dropped => keep_secrets(&mut tx, &client.client_id, &[], now).await?,
            SecretChange::Fresh(digest) => {
                keep_secrets(&mut tx, &client.client_id, &[digest], now).await?;
            }
        }
        keep_origins(&mut tx, &client).await?;
        commit(tx).await?;
        Ok(true)
    }

    /// Removes a client that registered itself, with all that it was given: its grants and their tokens,
    /// its sessions, and what people approved for it. A login that is under way ends without it. `false`:
    /// there is no such client.
    pub async fn remove_registration(&self, client_id: &ClientId) -> Result<bool> {
        let mut tx = self.begin().await?;
        let rows = on!(&mut tx, |tx| sqlx::query(
            "DELETE FROM client WHERE client_id = $1 AND managed_by = 'registration'"
        )
        .bind(client_id)
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected()))?;
        if rows == 0 {
            rollback(tx).await?;
            return Ok(false);
        }
        // In the order in which codes are exchanged, tokens refreshed and sessions ended, so that nobody
        // waits for somebody who waits for them. Tokens go with their grants.
        for statement in [
            "DELETE FROM code WHERE client_id = $1",
            "DELETE FROM session WHERE client_id = $1",
            "DELETE FROM client_grant WHERE client_id = $1",
            "DELETE FROM approval WHERE client_id = $1",
            "DELETE FROM pushed_request WHERE client_id = $1",
        ] {
            forget(&mut tx, statement, client_id).await?;
        }
        commit(tx).await?;
        Ok(true)
    }
}

async fn forget(tx: &mut Tx, statement: &'static str, client_id: &ClientId) -> Result<()> {
    on!(tx, |tx| sqlx::query(statement)
        .bind(client_id)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(Fault::from))
}
