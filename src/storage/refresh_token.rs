//! The table `refresh_token`.

use sqlx::FromRow;

use super::column::thumbprint;
use super::grant::{self, GrantRow};
use super::{Result, Store, Tx, access_token, alone, commit, on, rollback, whole};
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{ClientId, Id, kind};
use crate::jose::jwks::Thumbprint;
use crate::secret::{Digest, kind as secret};
use crate::token::grant::Tokens;
use crate::token::refresh::{GRACE, RefreshRecord, Turn};

#[derive(FromRow)]
struct RefreshRow {
    token_expires_at: Timestamp,
    token_dpop_jkt: Option<String>,
    used_at: Option<Timestamp>,
    replaced_at: Option<Timestamp>,
    used_again_at: Option<Timestamp>,
    successors_used: i64,
    #[sqlx(flatten)]
    grant: GrantRow,
}

/// A use of a refresh token that was decided on.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    /// The token that was shown.
    pub shown: Digest<secret::RefreshToken>,
    /// Whose it is.
    pub client_id: &'a ClientId,
    /// Its grant.
    pub grant: Id<kind::Grant>,
    /// Which use it is.
    pub turn: Turn,
}

impl Store {
    /// A client's refresh token, used or not, with its grant. Another client's is as good as none.
    pub async fn refresh_token(
        &self,
        digest: Digest<secret::RefreshToken>,
        client_id: &ClientId,
    ) -> Result<Option<RefreshRecord>> {
        let row: Option<RefreshRow> = alone!(self, |db| sqlx::query_as(
            "SELECT t.expires_at AS token_expires_at, t.dpop_jkt AS token_dpop_jkt,
                    t.used_at, t.replaced_at,
                    (SELECT max(s.replaced_at) FROM refresh_token s
                      WHERE s.predecessor = t.digest) AS used_again_at,
                    (SELECT count(*) FROM refresh_token s
                      WHERE s.predecessor = t.digest
                        AND s.used_at IS NOT NULL) AS successors_used,
                    g.id, g.client_id, g.session_id, g.subject, g.scope, g.resources, g.released,
                    g.identity, g.nonce, g.auth_time, g.txn, g.expires_at, g.ended_at
               FROM refresh_token t JOIN client_grant g ON g.id = t.grant_id
              WHERE t.digest = $1 AND t.client_id = $2"
        )
        .bind(digest.as_bytes())
        .bind(client_id)
        .fetch_optional(db)
        .await)?;
        row.map(|row| {
            Ok(RefreshRecord {
                expires_at: row.token_expires_at,
                key: thumbprint("refresh_token", row.token_dpop_jkt.as_deref())?,
                used_at: row.used_at,
                is_replaced: row.replaced_at.is_some(),
                used_again_at: row.used_again_at,
                successor_is_used: row.successors_used > 0,
                grant: self.read_grant(row.grant)?,
            })
        })
        .transpose()
    }

    /// Gives fresh tokens for a refresh token. One statement decides who wins; whoever does not is
    /// told `false`, and has to look again at what became of the token.
    pub async fn rotate_refresh_token(
        &self,
        rotation: &Rotation<'_>,
        tokens: &Tokens,
        now: Timestamp,
    ) -> Result<bool> {
        if let Some(db) = self.at_once()?
            && rotation.turn == Turn::First
            && self.rotate_at_once(db, rotation, tokens, now).await?
        {
            return Ok(true);
        }
        whole!(self, {
            let mut tx = self.begin().await?;
            // The grant comes first: who ends it at the same time either comes before this, or ends the
            // fresh tokens with it.
            let lives = grant::prolong(&mut tx, rotation.grant, tokens).await?;
            let won = match rotation.turn {
                Turn::First => lives && spend(&mut tx, rotation, now).await?,
                Turn::Again => lives && replace_successor(&mut tx, rotation, now).await?,
                Turn::Kept => lives && keep(&mut tx, rotation, tokens, now).await?,
            };
            if !won {
                rollback(tx).await?;
                return Ok(false);
            }
            access_token::insert(&mut tx, rotation.grant, tokens).await?;
            insert(
                &mut tx,
                rotation.grant,
                rotation.client_id,
                tokens,
                Some(rotation.shown),
            )
            .await?;
            commit(tx).await?;
            Ok(true)
        })
    }
}

/// The first use: of any number of callers, one gets `true`.
async fn spend(tx: &mut Tx, rotation: &Rotation<'_>, now: Timestamp) -> Result<bool> {
    let rows = on!(tx, |tx| sqlx::query(
        "UPDATE refresh_token SET used_at = $3
          WHERE digest = $1 AND client_id = $2 AND used_at IS NULL AND replaced_at IS NULL
            AND expires_at > $3"
    )
    .bind(rotation.shown.as_bytes())
    .bind(rotation.client_id)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(rows > 0)
}

/// The one more try: it takes the life of the only successor, which competes for the same row when
/// it is used. Of any number of callers, the successor's user among them, one wins.
async fn replace_successor(tx: &mut Tx, rotation: &Rotation<'_>, now: Timestamp) -> Result<bool> {
    let rows = on!(tx, |tx| sqlx::query(
        "UPDATE refresh_token SET replaced_at = $3
          WHERE predecessor = $1 AND client_id = $2 AND used_at IS NULL AND replaced_at IS NULL
            AND (SELECT count(*) FROM refresh_token s WHERE s.predecessor = $1) = 1
            AND EXISTS (SELECT 1 FROM refresh_token p
                         WHERE p.digest = $1 AND p.used_at > $4 AND p.expires_at > $3)"
    )
    .bind(rotation.shown.as_bytes())
    .bind(rotation.client_id)
    .bind(now)
    .bind(now - GRACE)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(rows > 0)
}

/// One use of many: the token's end is put off.
async fn keep(
    tx: &mut Tx,
    rotation: &Rotation<'_>,
    tokens: &Tokens,
    now: Timestamp,
) -> Result<bool> {
    let rows = on!(tx, |tx| {
        sqlx::query(
        "UPDATE refresh_token SET expires_at = CASE WHEN expires_at > $4 THEN expires_at ELSE $4 END
          WHERE digest = $1 AND client_id = $2 AND used_at IS NULL AND replaced_at IS NULL
            AND expires_at > $3"
    )
    .bind(rotation.shown.as_bytes())
    .bind(rotation.client_id)
    .bind(now)
    .bind(tokens.kept_until.unwrap_or(now))
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected())
    })?;
    Ok(rows > 0)
}

pub(super) async fn insert(
    tx: &mut Tx,
    grant: Id<kind::Grant>,
    client_id: &ClientId,
    tokens: &Tokens,
    predecessor: Option<Digest<secret::RefreshToken>>,
) -> Result<()> {
    let Some((token, expires_at)) = &tokens.refresh else {
        return Ok(());
    };
    on!(tx, |tx| sqlx::query(
        "INSERT INTO refresh_token (digest, grant_id, client_id, predecessor, expires_at, dpop_jkt)
         VALUES ($1, $2, $3, $4, $5, $6)"
    )
    .bind(token.digest().as_bytes())
    .bind(grant.to_string())
    .bind(client_id)
    .bind(predecessor.as_ref().map(Digest::as_bytes))
    .bind(*expires_at)
    .bind(tokens.refresh_key.as_ref().map(Thumbprint::as_str))
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from))
}
