//! The table `replay`: what clients signed is used once, on all nodes and across starts.

use super::{Result, Store, Tx, alone, on};
use crate::clock::Seconds;
use crate::jose::jwt::Once;

/// What a client signed. The signer of a proof is the thumbprint of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedKind {
    /// A request (RFC 9101).
    RequestObject,
    /// An assertion of who it is (RFC 7523).
    ClientAssertion,
    /// A proof of possession (RFC 9449).
    DpopProof,
}

impl SignedKind {
    fn as_str(self) -> &'static str {
        match self {
            SignedKind::RequestObject => "request_object",
            SignedKind::ClientAssertion => "client_assertion",
            SignedKind::DpopProof => "dpop_proof",
        }
    }
}

/// What may have been used before this database was restored counts as used: the rows that would say so are
/// lost. Decided here, so that it holds on every node from the commit that restores.
const SPEND: &str = "INSERT INTO replay (kind, signer, jti, expires_at)
     SELECT $1, $2, $3, $4
      WHERE NOT EXISTS (SELECT 1 FROM installation WHERE restored_at >= $5)
     ON CONFLICT DO NOTHING";

/// How far the clocks of the node that took something and of the machine that restored may be apart.
const SKEW: Seconds = Seconds(10);

impl Store {
    /// Whether something that was signed was used before, or may have been before this database was restored.
    pub async fn is_spent(&self, kind: SignedKind, signer: &str, once: &Once) -> Result<bool> {
        let found: Option<i64> = alone!(self, |db| sqlx::query_scalar(
            "SELECT expires_at FROM replay WHERE kind = $1 AND signer = $2 AND jti = $3
             UNION ALL
             SELECT restored_at FROM installation WHERE restored_at >= $4
             LIMIT 1"
        )
        .bind(kind.as_str())
        .bind(signer)
        .bind(once.jti.as_bytes())
        .bind(once.unused_before - SKEW)
        .fetch_optional(db)
        .await)?;
        Ok(found.is_some())
    }

    /// Uses something that was signed: of any number of callers, one gets `true`.
    pub async fn spend(&self, kind: SignedKind, signer: &str, once: &Once) -> Result<bool> {
        let rows = alone!(self, |db| sqlx::query(SPEND)
            .bind(kind.as_str())
            .bind(signer)
            .bind(once.jti.as_bytes())
            .bind(once.expires_at)
            .bind(once.unused_before - SKEW)
            .execute(db)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }
}

/// The same as a part of what follows from it.
pub(super) async fn spend(
    tx: &mut Tx,
    kind: SignedKind,
    signer: &str,
    once: &Once,
) -> Result<bool> {
    let rows = on!(tx, |tx| sqlx::query(SPEND)
        .bind(kind.as_str())
        .bind(signer)
        .bind(once.jti.as_bytes())
        .bind(once.expires_at)
        .bind(once.unused_before - SKEW)
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows > 0)
}
