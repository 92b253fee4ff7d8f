//! Clients that were asked for a moment ago, with their secrets, so that a login does not read the same row nine
//! times. Whether a client is still as it is known is asked anew four times a second at the most; what this
//! node itself changes is forgotten at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sqlx::types::Json;
use tokio::time::Instant;

use super::column::Row;
use super::{Result, Store, alone};
use crate::client::authentication::ClientSecret;
use crate::client::{Client, Metadata};
use crate::clock::Timestamp;
use crate::id::ClientId;
use crate::secret::Digest;

/// How long a client is taken for what it was. After this time at the latest a change that another node made
/// counts here.
pub const KNOWN_FOR: Duration = Duration::from_millis(250);
/// How many are known at the most.
const MOST: usize = 10_000;

/// The clients that are known.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownClients(Arc<Mutex<HashMap<ClientId, Known>>>);

#[derive(Clone, Debug)]
struct Known {
    kept: Arc<Kept>,
    seen_at: Instant,
}

/// A client as it is kept.
#[derive(Debug)]
struct Kept {
    client: Client,
    version: Version,
    /// The one that has no end first.
    secrets: Vec<(Digest<ClientSecret>, Option<Timestamp>)>,
}

/// Which one a client is, and how often it was changed: one that is made anew begins with the same number.
type Version = (i64, Timestamp);

impl KnownClients {
    fn all(&self) -> MutexGuard<'_, HashMap<ClientId, Known>> {
        self.0.lock().expect("nothing panics under this lock")
    }

    /// These may have changed.
    pub fn forget<'a>(&self, ids: impl IntoIterator<Item = &'a ClientId>) {
        let mut all = self.all();
        for id in ids {
            all.remove(id);
        }
    }

    fn learn(&self, kept: Arc<Kept>, seen_at: Instant) {
        let mut all = self.all();
        if all.len() >= MOST {
            all.clear();
        }
        let id = kept.client.client_id.clone();
        all.insert(id, Known { kept, seen_at });
    }
}

impl Store {
    /// A client by its id, as it is at a time: with what it is entitled to then.
    pub async fn client(&self, client_id: &str, now: Timestamp) -> Result<Option<Client>> {
        let Some(client_id) = ClientId::parse(client_id) else {
            return Ok(None);
        };
        let kept = self.known_client(&client_id).await?;
        Ok(kept.map(|kept| Client {
            metadata: kept.client.metadata.clone().at(now),
            ..kept.client.clone()
        }))
    }

    /// The digests of a client's secrets that are alive, the one that has no end first.
    pub async fn client_secrets(
        &self,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<Vec<Digest<ClientSecret>>> {
        let kept = self.known_client(client_id).await?;
        let secrets = kept.iter().flat_map(|kept| &kept.secrets);
        let alive = secrets.filter(|(_, ends_at)| ends_at.is_none_or(|ends_at| ends_at > now));
        Ok(alive.map(|(digest, _)| *digest).collect())
    }

    async fn known_client(&self, client_id: &ClientId) -> Result<Option<Arc<Kept>>> {
        // Before the database is asked: what changes meanwhile may not be in its answer.
        let asked_at = Instant::now();
        let known = self.clients.all().get(client_id).cloned();
        if let Some(Known { kept, seen_at }) = known {
            if asked_at.duration_since(seen_at) < KNOWN_FOR {
                return Ok(Some(kept));
            }
            if self.version_of_client(client_id).await? == Some(kept.version) {
                self.clients.learn(kept.clone(), asked_at);
                return Ok(Some(kept));
            }
        }
        let kept = self.kept_client(client_id).await?.map(Arc::new);
        match &kept {
            Some(kept) => self.clients.learn(kept.clone(), asked_at),
            None => self.clients.forget([client_id]),
        }
        Ok(kept)
    }

    async fn version_of_client(&self, client_id: &ClientId) -> Result<Option<Version>> {
        Ok(alone!(self, |db| sqlx::query_as(
            "SELECT version, created_at FROM client WHERE client_id = $1 AND removed_at IS NULL"
        )
        .bind(client_id)
        .fetch_optional(db)
        .await)?)
    }

    async fn kept_client(&self, client_id: &ClientId) -> Result<Option<Kept>> {
        let row: Option<(Json<Metadata>, String, i64, Timestamp)> =
            alone!(self, |db| sqlx::query_as(
                "SELECT metadata, sector, version, created_at FROM client
              WHERE client_id = $1 AND removed_at IS NULL"
            )
            .bind(client_id)
            .fetch_optional(db)
            .await)?;
        let Some((Json(metadata), sector, version, created_at)) = row else {
            return Ok(None);
        };
        // After its version: secrets that change meanwhile come with a later one, which is seen next time.
        let secrets: Vec<(Vec<u8>, Option<Timestamp>)> = alone!(self, |db| sqlx::query_as(
            "SELECT digest, expires_at FROM client_secret WHERE client_id = $1
              ORDER BY expires_at IS NOT NULL, created_at DESC, digest"
        )
        .bind(client_id)
        .fetch_all(db)
        .await)?;
        let row = Row {
            table: "client_secret",
            key: client_id.as_str(),
        };
        let secrets = secrets
            .into_iter()
            .map(|(digest, ends_at)| Ok((row.digest("digest", &digest)?, ends_at)));
        Ok(Some(Kept {
            secrets: secrets.collect::<Result<_>>()?,
            client: Client {
                client_id: client_id.clone(),
                sector,
                metadata,
            },
            version: (version, created_at),
        }))
    }
}
