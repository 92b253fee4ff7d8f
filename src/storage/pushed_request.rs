//! The table `pushed_request`.

use super::replay::{self, SignedKind};
use super::{Result, Store, Tx, alone, commit, on, rollback, sealed, whole};
use crate::authorize::pushed::Pushed;
use crate::authorize::request::Parameters;
use crate::clock::Timestamp;
use crate::id::ClientId;
use crate::jose::jwt::Once;
use crate::secret::{Digest, kind as secret};

impl Store {
    /// Keeps a request until a browser brings its name. `false`: it was signed, and was pushed
    /// before.
    pub async fn push_request(
        &self,
        digest: Digest<secret::PushedRequest>,
        client_id: &ClientId,
        parameters: &Parameters,
        expires_at: Timestamp,
        once: Option<&Once>,
    ) -> Result<bool> {
        let place = hex::encode(digest.as_bytes());
        let sealed = self.sealer.seal_json(
            sealed::PUSHED_PARAMETERS.of(&place),
            parameters,
            &self.random,
        );
        whole!(self, {
            let mut tx = self.begin().await?;
            if let Some(once) = once
                && !replay::spend(&mut tx, SignedKind::RequestObject, client_id.as_str(), once)
                    .await?
            {
                rollback(tx).await?;
                return Ok(false);
            }
            on!(&mut tx, |tx| sqlx::query(
                "INSERT INTO pushed_request (digest, client_id, parameters, expires_at)
             VALUES ($1, $2, $3, $4)"
            )
            .bind(digest.as_bytes())
            .bind(client_id)
            .bind(&sealed)
            .bind(expires_at)
            .execute(&mut **tx)
            .await
            .map(|_| ()))?;
            commit(tx).await?;
            Ok(true)
        })
    }

    /// A client's pushed request, old or not. Another client's is as good as none.
    pub async fn pushed_request(
        &self,
        digest: Digest<secret::PushedRequest>,
        client_id: &ClientId,
    ) -> Result<Option<Pushed>> {
        let row: Option<(Vec<u8>, Timestamp)> = alone!(self, |db| sqlx::query_as(
            "SELECT parameters, expires_at FROM pushed_request
              WHERE digest = $1 AND client_id = $2"
        )
        .bind(digest.as_bytes())
        .bind(client_id)
        .fetch_optional(db)
        .await)?;
        let place = hex::encode(digest.as_bytes());
        row.map(|(sealed, expires_at)| {
            Ok(Pushed {
                parameters: self
                    .sealer
                    .open_json(sealed::PUSHED_PARAMETERS.of(&place), &sealed)?,
                expires_at,
            })
        })
        .transpose()
    }
}

/// Spends a pushed request, which goes with all that it says: of any number of callers, one gets
/// `true`.
pub(super) async fn spend(tx: &mut Tx, digest: Digest<secret::PushedRequest>) -> Result<bool> {
    let rows = on!(tx, |tx| sqlx::query(
        "DELETE FROM pushed_request WHERE digest = $1"
    )
    .bind(digest.as_bytes())
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(rows > 0)
}
