//! The table `code`.

use sqlx::FromRow;

use super::column::thumbprint;
use super::grant::GrantRow;
use super::{Result, Store, Tx, alone, commit, on, whole};
use crate::authorize::pkce::Challenge;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::ClientId;
use crate::jose::jwks::Thumbprint;
use crate::secret::{Digest, kind as secret};
use crate::token::code::{CodeRecord, Issued};

#[derive(FromRow)]
struct CodeRow {
    redirect_uri: String,
    challenge: Option<String>,
    dpop_jkt: Option<String>,
    code_expires_at: Timestamp,
    used_at: Option<Timestamp>,
    #[sqlx(flatten)]
    grant: GrantRow,
}

impl Store {
    /// A client's code, spent or not, with its grant. Another client's is as good as none.
    pub async fn code(
        &self,
        digest: Digest<secret::Code>,
        client_id: &ClientId,
    ) -> Result<Option<CodeRecord>> {
        let row: Option<CodeRow> = alone!(self, |db| {
            sqlx::query_as(
            "SELECT c.redirect_uri, c.challenge, c.dpop_jkt, c.expires_at AS code_expires_at, c.used_at,
                    g.id, g.client_id, g.session_id, g.subject, g.scope, g.resources, g.released,
                    g.identity, g.nonce, g.auth_time, g.txn, g.expires_at, g.ended_at
               FROM code c JOIN client_grant g ON g.id = c.grant_id
              WHERE c.digest = $1 AND c.client_id = $2"
        )
        .bind(digest.as_bytes())
        .bind(client_id)
        .fetch_optional(db)
        .await
        })?;
        row.map(|row| {
            Ok(CodeRecord {
                redirect_uri: row.redirect_uri,
                challenge: row.challenge.as_deref().and_then(Challenge::parse),
                dpop_jkt: thumbprint("code", row.dpop_jkt.as_deref())?,
                expires_at: row.code_expires_at,
                is_used: row.used_at.is_some(),
                grant: self.read_grant(row.grant)?,
            })
        })
        .transpose()
    }

    /// Spends a code without giving anything for it.
    pub async fn burn_code(
        &self,
        digest: Digest<secret::Code>,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<()> {
        whole!(self, {
            let mut tx = self.begin().await?;
            spend(&mut tx, digest, client_id, now).await?;
            commit(tx).await
        })
    }
}

/// Hands a code to one redeemer: of any number of callers, one gets `true`. A code whose grant has ended
/// with its session meanwhile is handed to nobody.
pub(super) async fn spend(
    tx: &mut Tx,
    digest: Digest<secret::Code>,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<bool> {
    let rows = on!(tx, |tx| sqlx::query(
        "UPDATE code SET used_at = $3
          WHERE digest = $1 AND client_id = $2 AND used_at IS NULL AND expires_at > $3
            AND EXISTS (SELECT 1 FROM client_grant WHERE id = grant_id AND ended_at IS NULL)"
    )
    .bind(digest.as_bytes())
    .bind(client_id)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(rows > 0)
}

pub(super) async fn insert(tx: &mut Tx, issued: &Issued) -> Result<()> {
    on!(tx, |tx| {
        sqlx::query(
        "INSERT INTO code (digest, grant_id, client_id, redirect_uri, challenge, dpop_jkt, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)"
    )
    .bind(issued.code.digest().as_bytes())
    .bind(issued.grant.id.to_string())
    .bind(&issued.grant.client_id)
    .bind(&issued.redirect_uri)
    .bind(issued.challenge.as_ref().map(Challenge::as_str))
    .bind(issued.dpop_jkt.as_ref().map(Thumbprint::as_str))
    .bind(issued.expires_at)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from)
    })
}
