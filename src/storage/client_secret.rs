//! The table `client_secret`: what clients' secrets are recognised by.

use super::column::Row;
use super::{Result, Store, Tx, alone, on};
use crate::client::authentication::ClientSecret;
use crate::client::registered::{KeptSecret, secret_id};
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::ClientId;
use crate::secret::Digest;

/// What becomes of a client's secrets.
#[derive(Clone, Debug)]
pub enum SecretChange {
    /// They stay.
    Kept,
    /// They become these.
    Exactly(Vec<Digest<ClientSecret>>),
    /// There is one more, and the one before it ends at a time. One that had an end already is gone: two
    /// live at a time.
    Added(Digest<ClientSecret>, Timestamp),
    /// One of them ends now.
    Ended(String),
}

impl Store {
    /// What is known of a client's secrets: the one that has no end first.
    pub(super) async fn kept_secrets(&self, client_id: &ClientId) -> Result<Vec<KeptSecret>> {
        let rows: Vec<(Vec<u8>, Timestamp, Option<Timestamp>)> = alone!(self, |db| {
            sqlx::query_as(
                "SELECT digest, created_at, expires_at FROM client_secret
                  WHERE client_id = $1
                  ORDER BY expires_at IS NOT NULL, created_at DESC, digest",
            )
            .bind(client_id)
            .fetch_all(db)
            .await
        })?;
        let row = Row {
            table: "client_secret",
            key: client_id.as_str(),
        };
        let kept = |(digest, created_at, expires_at): (Vec<u8>, _, _)| {
            Ok(KeptSecret {
                id: secret_id(&row.digest("digest", &digest)?),
                created_at,
                expires_at,
            })
        };
        rows.into_iter().map(kept).collect()
    }
}

/// Whether a client has these secrets and no others, without an end.
pub fn same_secrets(kept: &[KeptSecret], secrets: &[Digest<ClientSecret>]) -> bool {
    let ids =
        |ids: &mut dyn Iterator<Item = String>| ids.collect::<std::collections::BTreeSet<_>>();
    let kept_ids = ids(&mut kept.iter().map(|secret| secret.id.clone()));
    let wanted = ids(&mut secrets.iter().map(secret_id));
    kept_ids == wanted && kept.iter().all(|secret| secret.expires_at.is_none())
}

pub(super) async fn change_secrets(
    tx: &mut Tx,
    client_id: &ClientId,
    change: &SecretChange,
    now: Timestamp,
) -> Result<()> {
    match change {
        SecretChange::Kept => Ok(()),
        SecretChange::Exactly(secrets) => keep_secrets(tx, client_id, secrets, now).await,
        SecretChange::Added(secret, other_ends_at) => {
            for statement in [
                "DELETE FROM client_secret
                  WHERE client_id = $1 AND (expires_at IS NOT NULL OR $2 <= $3)",
                "UPDATE client_secret SET expires_at = $2 WHERE client_id = $1 AND $2 > $3",
            ] {
                on!(&mut *tx, |tx| sqlx::query(statement)
                    .bind(client_id)
                    .bind(other_ends_at)
                    .bind(now)
                    .execute(&mut **tx)
                    .await
                    .map(|_| ()))?;
            }
            add_secret(tx, client_id, secret, now).await
        }
        SecretChange::Ended(id) => {
            let digests: Vec<Vec<u8>> = on!(&mut *tx, |tx| sqlx::query_scalar(
                "SELECT digest FROM client_secret WHERE client_id = $1"
            )
            .bind(client_id)
            .fetch_all(&mut **tx)
            .await)?;
            let row = Row {
                table: "client_secret",
                key: client_id.as_str(),
            };
            for digest in &digests {
                if secret_id(&row.digest("digest", digest)?) == *id {
                    remove_secret(tx, client_id, digest).await?;
                }
            }
            Ok(())
        }
    }
}

/// A client's secrets become these. Those that it has already keep their age.
async fn keep_secrets(
    tx: &mut Tx,
    client_id: &ClientId,
    secrets: &[Digest<ClientSecret>],
    now: Timestamp,
) -> Result<()> {
    let kept: Vec<Vec<u8>> = on!(&mut *tx, |tx| sqlx::query_scalar(
        "SELECT digest FROM client_secret WHERE client_id = $1 AND expires_at IS NULL"
    )
    .bind(client_id)
    .fetch_all(&mut **tx)
    .await)?;
    on!(&mut *tx, |tx| sqlx::query(
        "DELETE FROM client_secret WHERE client_id = $1 AND expires_at IS NOT NULL"
    )
    .bind(client_id)
    .execute(&mut **tx)
    .await
    .map(|_| ()))?;
    for digest in &kept {
        if !secrets.iter().any(|secret| secret.as_bytes() == digest) {
            remove_secret(tx, client_id, digest).await?;
        }
    }
    for secret in secrets {
        if !kept.iter().any(|digest| secret.as_bytes() == digest) {
            add_secret(tx, client_id, secret, now).await?;
        }
    }
    Ok(())
}

async fn add_secret(
    tx: &mut Tx,
    client_id: &ClientId,
    secret: &Digest<ClientSecret>,
    now: Timestamp,
) -> Result<()> {
    on!(tx, |tx| sqlx::query(
        "INSERT INTO client_secret (client_id, digest, created_at) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING"
    )
    .bind(client_id)
    .bind(secret.as_bytes())
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from))
}

async fn remove_secret(tx: &mut Tx, client_id: &ClientId, digest: &[u8]) -> Result<()> {
    on!(tx, |tx| sqlx::query(
        "DELETE FROM client_secret WHERE client_id = $1 AND digest = $2"
    )
    .bind(client_id)
    .bind(digest)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from))
}
