//! The table `client_token`: access tokens that clients have for themselves.

use sqlx::FromRow;
use sqlx::types::Json;

use super::{Result, Store, alone};
use crate::authorize::resource::Resources;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::ClientId;
use crate::secret::{Digest, kind as secret};
use crate::token::access_token::AccessRecord;
use crate::token::binding::Binding;
use crate::token::grant::Tokens;

#[derive(FromRow)]
struct ClientTokenRow {
    client_id: ClientId,
    scope: String,
    resources: Json<Resources>,
    cnf: Option<Json<Binding>>,
    expires_at: Timestamp,
}

impl Store {
    /// Keeps an access token that a client got for itself.
    pub async fn keep_client_token(&self, client_id: &ClientId, tokens: &Tokens) -> Result<()> {
        alone!(self, |db| sqlx::query(
            "INSERT INTO client_token
                (digest, client_id, scope, resources, cnf, kid, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)"
        )
        .bind(tokens.access.digest().as_bytes())
        .bind(client_id)
        .bind(&tokens.scope)
        .bind(Json(&tokens.resources))
        .bind(tokens.access_binding.as_ref().map(Json))
        .bind(&tokens.access_kid)
        .bind(tokens.access_expires_at)
        .execute(db)
        .await
        .map(|_| ())
        .map_err(Fault::from))
    }

    pub(super) async fn client_token(
        &self,
        token: Digest<secret::AccessToken>,
        now: Timestamp,
    ) -> Result<Option<AccessRecord>> {
        let row: Option<ClientTokenRow> = alone!(self, |db| sqlx::query_as(
            "SELECT client_id, scope, resources, cnf, expires_at
               FROM client_token
              WHERE digest = $1 AND expires_at > $2
                AND (kid IS NULL OR kid IN (SELECT kid FROM signing_key WHERE state <> 'removed'))"
        )
        .bind(token.as_bytes())
        .bind(now)
        .fetch_optional(db)
        .await)?;
        row.map(|row| {
            Ok(AccessRecord {
                expires_at: row.expires_at,
                binding: row.cnf.map(|cnf| cnf.0),
                scope: row.scope,
                resources: row.resources.0,
                client_id: row.client_id,
                grant: None,
            })
        })
        .transpose()
    }

    pub(super) async fn end_client_token(
        &self,
        token: Digest<secret::AccessToken>,
        client_id: &ClientId,
    ) -> Result<()> {
        alone!(self, |db| sqlx::query(
            "DELETE FROM client_token WHERE digest = $1 AND client_id = $2"
        )
        .bind(token.as_bytes())
        .bind(client_id)
        .execute(db)
        .await
        .map(|_| ())
        .map_err(Fault::from))
    }
}
