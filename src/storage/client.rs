//! The tables `client` and `client_secret`.

use sqlx::types::Json;

use super::column::Row;
use super::{Result, Store, Tx, commit, on};
use crate::client::authentication::ClientSecret;
use crate::client::origin::WebOrigin;
use crate::client::{Client, Metadata};
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::ClientId;
use crate::secret::Digest;

/// Where a client's registration is kept and may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagedBy {
    /// The configuration file.
    File,
    /// The client itself (RFC 7592).
    Registration,
}

impl ManagedBy {
    fn as_str(self) -> &'static str {
        match self {
            ManagedBy::File => "file",
            ManagedBy::Registration => "registration",
        }
    }
}

impl Store {
    /// A client by its id.
    pub async fn client(&self, client_id: &str) -> Result<Option<Client>> {
        let Some(client_id) = ClientId::parse(client_id) else {
            return Ok(None);
        };
        let row: Option<(Json<Metadata>, String)> = on!(&self.db, |db| sqlx::query_as(
            "SELECT metadata, sector FROM client WHERE client_id = $1"
        )
        .bind(&client_id)
        .fetch_optional(db)
        .await)?;
        Ok(row.map(|(Json(metadata), sector)| Client {
            client_id,
            sector,
            metadata,
        }))
    }

    /// Whether a client has registered a site whose scripts may call.
    pub async fn is_web_origin(&self, origin: &WebOrigin) -> Result<bool> {
        let found: Option<i64> = on!(&self.db, |db| sqlx::query_scalar(
            "SELECT CAST(1 AS BIGINT) FROM client_origin WHERE origin = $1 LIMIT 1"
        )
        .bind(origin.as_str())
        .fetch_optional(db)
        .await)?;
        Ok(found.is_some())
    }

    /// The digests of a client's secrets that are alive.
    pub async fn client_secrets(
        &self,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<Vec<Digest<ClientSecret>>> {
        let rows: Vec<Vec<u8>> = on!(&self.db, |db| sqlx::query_scalar(
            "SELECT digest FROM client_secret
              WHERE client_id = $1 AND (expires_at IS NULL OR expires_at > $2)"
        )
        .bind(client_id)
        .bind(now)
        .fetch_all(db)
        .await)?;
        let row = Row {
            table: "client_secret",
            key: client_id.as_str(),
        };
        rows.iter()
            .map(|bytes| row.digest("digest", bytes))
            .collect()
    }

    /// Registers a client, or brings its registration up to date. The sector of a client that is
    /// there already stays: people would be strangers to it otherwise. Its secrets become these.
    pub async fn register_client(
        &self,
        client: &Client,
        secrets: &[Digest<ClientSecret>],
        managed_by: ManagedBy,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        upsert(&mut tx, client, managed_by, now).await?;
        keep_secrets(&mut tx, &client.client_id, secrets, now).await?;
        keep_origins(&mut tx, client).await?;
        commit(tx).await
    }

    /// Removes the clients that the file no longer names.
    pub async fn forget_file_clients_except(&self, keep: &[ClientId]) -> Result<()> {
        let all: Vec<String> = on!(&self.db, |db| sqlx::query_scalar(
            "SELECT client_id FROM client WHERE managed_by = 'file'"
        )
        .fetch_all(db)
        .await)?;
        for client_id in all {
            if keep.iter().any(|kept| kept.as_str() == client_id) {
                continue;
            }
            on!(&self.db, |db| sqlx::query(
                "DELETE FROM client WHERE client_id = $1 AND managed_by = 'file'"
            )
            .bind(&client_id)
            .execute(db)
            .await
            .map(|_| ())
            .map_err(Fault::from))?;
        }
        Ok(())
    }
}

pub(super) async fn upsert(
    tx: &mut Tx,
    client: &Client,
    managed_by: ManagedBy,
    now: Timestamp,
) -> Result<()> {
    on!(tx, |tx| sqlx::query(
        "INSERT INTO client
            (client_id, metadata, sector, managed_by, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, 1, $5, $5)
         ON CONFLICT (client_id) DO UPDATE
            SET metadata = excluded.metadata, managed_by = excluded.managed_by,
                version = client.version + 1, updated_at = excluded.updated_at
          WHERE client.metadata <> excluded.metadata
             OR client.managed_by <> excluded.managed_by"
    )
    .bind(&client.client_id)
    .bind(Json(&client.metadata))
    .bind(&client.sector)
    .bind(managed_by.as_str())
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from))
}

/// A client's secrets become these.
pub(super) async fn keep_secrets(
    tx: &mut Tx,
    client_id: &ClientId,
    secrets: &[Digest<ClientSecret>],
    now: Timestamp,
) -> Result<()> {
    on!(&mut *tx, |tx| sqlx::query(
        "DELETE FROM client_secret WHERE client_id = $1"
    )
    .bind(client_id)
    .execute(&mut **tx)
    .await
    .map(|_| ()))?;
    for digest in secrets {
        on!(&mut *tx, |tx| sqlx::query(
            "INSERT INTO client_secret (client_id, digest, created_at) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING"
        )
        .bind(client_id)
        .bind(digest.as_bytes())
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(|_| ()))?;
    }
    Ok(())
}

pub(super) async fn keep_origins(tx: &mut Tx, client: &Client) -> Result<()> {
    on!(&mut *tx, |tx| sqlx::query(
        "DELETE FROM client_origin WHERE client_id = $1"
    )
    .bind(&client.client_id)
    .execute(&mut **tx)
    .await
    .map(|_| ()))?;
    for origin in &client.metadata.web_origins {
        on!(&mut *tx, |tx| sqlx::query(
            "INSERT INTO client_origin (client_id, origin) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        )
        .bind(&client.client_id)
        .bind(origin.as_str())
        .execute(&mut **tx)
        .await
        .map(|_| ()))?;
    }
    Ok(())
}
