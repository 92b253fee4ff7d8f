//! The table `access_token`, and where a token is looked for that may be in another.

use sqlx::FromRow;
use sqlx::types::Json;

use super::grant::GrantRow;
use super::{Result, Store, Tx, alone, on};
use crate::authorize::resource::Resources;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{ClientId, Id, kind};
use crate::secret::{Digest, kind as secret};
use crate::token::access_token::AccessRecord;
use crate::token::binding::Binding;
use crate::token::grant::Tokens;

#[derive(FromRow)]
struct AccessRow {
    token_expires_at: Timestamp,
    token_scope: Option<String>,
    token_resources: Option<Json<Resources>>,
    token_cnf: Option<Json<Binding>>,
    #[sqlx(flatten)]
    grant: GrantRow,
}

impl Store {
    /// An access token, if it is alive; with its grant, which is as narrow as the token, if that is
    /// alive too; or one that its client has for itself. A signed one ends with the key that signed it.
    pub async fn access_token(
        &self,
        token: Digest<secret::AccessToken>,
        now: Timestamp,
    ) -> Result<Option<AccessRecord>> {
        let row: Option<AccessRow> = alone!(self, |db| sqlx::query_as(
            "SELECT t.expires_at AS token_expires_at, t.scope AS token_scope,
                    t.resources AS token_resources, t.cnf AS token_cnf,
                    g.id, g.client_id, g.session_id, g.subject, g.scope, g.resources, g.released,
                    g.identity, g.nonce, g.auth_time, g.txn, g.expires_at, g.ended_at
               FROM access_token t JOIN client_grant g ON g.id = t.grant_id
              WHERE t.digest = $1 AND t.expires_at > $2 AND g.ended_at IS NULL
                AND (t.kid IS NULL
                     OR t.kid IN (SELECT kid FROM signing_key WHERE state <> 'removed'))"
        )
        .bind(token.as_bytes())
        .bind(now)
        .fetch_optional(db)
        .await)?;
        let Some(row) = row else {
            return self.client_token(token, now).await;
        };
        let grant = self.read_grant(row.grant)?;
        let grant = match row.token_scope {
            Some(scope) => grant.narrowed(&scope),
            None => grant,
        };
        Ok(Some(AccessRecord {
            expires_at: row.token_expires_at,
            binding: row.token_cnf.map(|cnf| cnf.0),
            scope: grant.scope.clone(),
            resources: row.token_resources.unwrap_or_default().0,
            client_id: grant.client_id.clone(),
            grant: Some(grant),
        }))
    }

    /// Ends an access token of a client. Another client's stays as it is.
    pub async fn end_access_token(
        &self,
        token: Digest<secret::AccessToken>,
        client_id: &ClientId,
    ) -> Result<()> {
        alone!(self, |db| sqlx::query(
            "DELETE FROM access_token
              WHERE digest = $1
                AND grant_id IN (SELECT id FROM client_grant WHERE client_id = $2)"
        )
        .bind(token.as_bytes())
        .bind(client_id)
        .execute(db)
        .await
        .map(|_| ())
        .map_err(Fault::from))?;
        self.end_client_token(token, client_id).await
    }
}

pub(super) async fn insert(tx: &mut Tx, grant: Id<kind::Grant>, tokens: &Tokens) -> Result<()> {
    on!(tx, |tx| sqlx::query(
        "INSERT INTO access_token (digest, grant_id, expires_at, scope, cnf, resources, kid)
         VALUES ($1, $2, $3, $4, $5, $6, $7)"
    )
    .bind(tokens.access.digest().as_bytes())
    .bind(grant.to_string())
    .bind(tokens.access_expires_at)
    .bind(&tokens.scope)
    .bind(tokens.access_binding.as_ref().map(Json))
    .bind(Json(&tokens.resources))
    .bind(&tokens.access_kid)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from))
}
