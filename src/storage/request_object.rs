//! The table `request_object`.

use super::{Result, Store, Tx, on};
use crate::authorize::request_object::Once;
use crate::id::ClientId;

impl Store {
    /// Whether a client's signed request was used before.
    pub async fn is_spent(&self, client_id: &ClientId, once: &Once) -> Result<bool> {
        let found: Option<i64> = on!(&self.db, |db| sqlx::query_scalar(
            "SELECT expires_at FROM request_object WHERE client_id = $1 AND jti = $2"
        )
        .bind(client_id)
        .bind(once.jti.as_bytes())
        .fetch_optional(db)
        .await)?;
        Ok(found.is_some())
    }
}

/// Uses a signed request: of any number of callers, one gets `true`.
pub(super) async fn spend(tx: &mut Tx, client_id: &ClientId, once: &Once) -> Result<bool> {
    let rows = on!(tx, |tx| sqlx::query(
        "INSERT INTO request_object (client_id, jti, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING"
    )
    .bind(client_id)
    .bind(once.jti.as_bytes())
    .bind(once.expires_at)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(rows > 0)
}
