//! The table `dpop_proof`.

use super::{Result, Store, on};
use crate::token::dpop::Proof;

impl Store {
    /// Uses a proof: of any number of callers, one gets `true`.
    pub async fn spend_proof(&self, proof: &Proof) -> Result<bool> {
        let rows = on!(&self.db, |db| sqlx::query(
            "INSERT INTO dpop_proof (name, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        )
        .bind(proof.name.as_bytes())
        .bind(proof.expires_at)
        .execute(db)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }
}
