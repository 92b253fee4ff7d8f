//! The table `signing_key`.

use sqlx::FromRow;

use super::{Result, Store, on};
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::secret::Place;

/// A private signing key as it is kept: PKCS#8 in DER, opened.
pub struct StoredSigningKey {
    /// Its RFC 7638 thumbprint.
    pub kid: String,
    /// Whether it signs today.
    pub is_active: bool,
    /// The key.
    pub pkcs8: zeroize::Zeroizing<Vec<u8>>,
}

fn private_of(kid: &str) -> Place<'_> {
    Place {
        table: "signing_key",
        column: "private",
        row: kid,
    }
}

impl Store {
    /// The keys that are published, the one that signs first.
    pub async fn signing_keys(&self) -> Result<Vec<StoredSigningKey>> {
        #[derive(FromRow)]
        struct KeyRow {
            kid: String,
            is_active: bool,
            private: Vec<u8>,
        }
        let rows: Vec<KeyRow> = on!(&self.db, |db| sqlx::query_as(
            "SELECT kid, state = 'active' AS is_active, private FROM signing_key
              WHERE state <> 'removed' ORDER BY (state = 'active') DESC, created_at DESC"
        )
        .fetch_all(db)
        .await)?;
        rows.into_iter()
            .map(|row| {
                let plain = self
                    .sealer
                    .open(private_of(&row.kid), &row.private)
                    .ok_or(Fault::Sealed("signing_key", "private"))?;
                Ok(StoredSigningKey {
                    kid: row.kid,
                    is_active: row.is_active,
                    pkcs8: plain.into(),
                })
            })
            .collect()
    }

    /// Keeps a key that signs from now on, unless there is one: of several nodes that start
    /// together, one key is kept.
    pub async fn keep_first_signing_key(
        &self,
        kid: &str,
        pkcs8: &[u8],
        now: Timestamp,
    ) -> Result<()> {
        let private = self.sealer.seal(private_of(kid), pkcs8, &self.random);
        on!(&self.db, |db| sqlx::query(
            "INSERT INTO signing_key (kid, algorithm, state, private, created_at)
             VALUES ($1, 'RS256', 'active', $2, $3) ON CONFLICT DO NOTHING"
        )
        .bind(kid)
        .bind(&private)
        .bind(now)
        .execute(db)
        .await
        .map(|_| ())
        .map_err(Fault::from))
    }
}
