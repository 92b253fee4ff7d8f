//! The steps of a login that everybody takes, each in one statement and one round trip, where the database can do
//! that. A transaction of four statements is six round trips, and they are most of what a login costs.
//!
//! PostgreSQL changes several tables in one statement (`WITH … UPDATE … RETURNING`); SQLite, which is in the same
//! process, does not. What is done is what the transaction of the same name does; where a step needs more
//! than its usual case, that transaction does it.
//!
//! All parts of such a statement see the tables as they were at its beginning, and not each other's changes: what one
//! must know of another, it is handed by `RETURNING`. Rows that somebody else changes meanwhile are waited for, and looked
//! at again as they have become.

use sqlx::types::Json;

use super::grant::Finish;
use super::pool::PgPool;
use super::refresh_token::Rotation;
use super::{Backend, NodeName, Result, Store, sealed, whole};
use crate::authorize::pkce::Challenge;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{ClientId, Id, kind};
use crate::jose::jwks::Thumbprint;
use crate::login::{Comeback, Login};
use crate::secret::{Digest, kind as secret};
use crate::session::Session;
use crate::token::code::Issued;
use crate::token::grant::Tokens;

/// How a login's answer is kept.
pub(super) struct Answered<'a> {
    pub login: Id<kind::Login>,
    pub order: &'a str,
    pub progress: &'static str,
    pub hint: &'a str,
    pub answer: Option<&'a [u8]>,
    pub at: Option<Timestamp>,
}

impl Store {
    /// The database, where it does several things at once.
    pub(super) fn at_once(&self) -> Result<Option<&PgPool>> {
        match &self.db {
            Backend::Sqlite(_) => Ok(None),
            Backend::Postgres(_) if self.is_behind() => Err(Fault::KeysUnknown),
            Backend::Postgres(db) => Ok(Some(db)),
        }
    }

    /// A login and its first order.
    pub(super) async fn begin_at_once(
        &self,
        db: &PgPool,
        login: &Login,
        nonce: Option<Digest<secret::ReturnNonce>>,
        node: &NodeName,
        now: Timestamp,
    ) -> Result<bool> {
        let (id, order) = (login.id.to_string(), login.order.id.to_string());
        let seal = sealed::LOGIN_ASKED.of(&id);
        let asked = self.sealer.seal_json(seal, &login.asked, &self.random);
        let sealed = self.sealed_order(&login.order);
        whole!(self, {
            let done = sqlx::query(
                "WITH begun AS
                    (INSERT INTO login (id, browser, client_id, asked, state, order_id, orders_made,
                                        version, created_at, expires_at)
                     VALUES ($1, $2, $3, $4, 'open', $5, 1, 1, $6, $7)
                     ON CONFLICT DO NOTHING RETURNING id)
                 INSERT INTO bankid_order (id, login_id, device, tokens, received_at_ms, progress, hint,
                                           return_nonce, comeback, node_id, node_epoch, ordered)
                 SELECT $5, id, $8, $9, $10, 'ordered', $11, $12, $13, $14, $15, $16 FROM begun",
            )
            .bind(&id)
            .bind(login.browser.as_bytes())
            .bind(&login.client_id)
            .bind(&asked)
            .bind(&order)
            .bind(now)
            .bind(login.expires_at)
            .bind(login.order.device)
            .bind(&sealed.tokens)
            .bind(login.order.received_at)
            .bind(sealed.hint)
            .bind(nonce.as_ref().map(Digest::as_bytes))
            .bind(login.order.comeback)
            .bind(&node.id)
            .bind(node.epoch)
            .bind(&sealed.ordered)
            .execute(db)
            .await?;
            Ok(done.rows_affected() > 0)
        })
    }

    /// What BankID said of an order. The version that the login has by then.
    pub(super) async fn answer_at_once(
        &self,
        db: &PgPool,
        answered: &Answered<'_>,
    ) -> Result<Option<i64>> {
        whole!(self, {
            Ok(sqlx::query_scalar(
                "WITH held AS
                    (UPDATE login l SET version = version + 1
                      WHERE l.id = $6
                        AND EXISTS (SELECT 1 FROM bankid_order o
                                     WHERE o.id = $4
                                       AND (o.progress = 'ordered'
                                            OR (o.progress = 'lost' AND $1 = 'complete')))
                     RETURNING version, order_id, state)
                 UPDATE bankid_order SET progress = $1, hint = $2, answer = $3, answered_at = $5
                   FROM held
                  WHERE id = $4
                    AND (progress = 'ordered'
                         OR (progress = 'lost' AND $1 = 'complete'
                             AND held.order_id = id AND held.state = 'open'))
                 RETURNING held.version",
            )
            .bind(answered.progress)
            .bind(answered.hint)
            .bind(answered.answer)
            .bind(answered.order)
            .bind(answered.at)
            .bind(answered.login.to_string())
            .fetch_optional(db)
            .await?)
        })
    }

    /// Where the app came back to. The version that the login has by then.
    pub(super) async fn return_at_once(
        &self,
        db: &PgPool,
        login: &Login,
        kept: Comeback,
        is_vouched: bool,
    ) -> Result<Option<i64>> {
        whole!(self, {
            Ok(sqlx::query_scalar(
                "WITH held AS
                    (UPDATE login SET version = version + 1
                      WHERE id = $4 AND order_id = $3 AND state = 'open' RETURNING version)
                 UPDATE bankid_order SET comeback = $1, vouched = $2
                   FROM held
                  WHERE id = $3 AND comeback = 'awaited' AND (vouched = 0 OR $1 = 'here')
                 RETURNING held.version",
            )
            .bind(kept)
            .bind(i64::from(is_vouched))
            .bind(login.order.id.to_string())
            .bind(login.id.to_string())
            .fetch_optional(db)
            .await?)
        })
    }

    /// The end of a login for a person who is known, in a browser that had no session. The version that the
    /// login has by then. `None`: somebody else ended it, or the person is gone.
    pub(super) async fn finish_at_once(
        &self,
        db: &PgPool,
        finish: &Finish<'_>,
        session: &Session,
        issued: &Issued,
        now: Timestamp,
    ) -> Result<Option<i64>> {
        let (grant, session_id) = (&issued.grant, session.id.to_string());
        let (person, grant_id) = (session.person.to_string(), grant.id.to_string());
        let identity = self.sealed_identity(&session_id, &session.identity);
        let seal = sealed::GRANT_IDENTITY.of(&grant_id);
        let granted = self.sealer.seal_json(seal, &grant.identity, &self.random);
        let finished = whole!(self, {
            Ok(sqlx::query_scalar(
                "WITH ended AS
                    (UPDATE login SET state = 'finished', version = version + 1
                      WHERE id = $1 AND order_id = $2 AND state = 'open' AND expires_at > $3
                     RETURNING version),
                 spent AS
                    (UPDATE bankid_order SET answer = NULL, progress = 'spent'
                       FROM ended WHERE id = $2),
                 met AS
                    (UPDATE person SET used_at = $3
                       FROM ended WHERE id = $4 AND (used_at IS NULL OR used_at <= $5)),
                 begun AS
                    (INSERT INTO session (id, browser, person_id, client_id, identity, auth_time,
                                          txn, expires_at)
                     SELECT $6, $7, $4, $8, $9, $10, $11, $12 FROM ended),
                 approved AS
                    (INSERT INTO approval (person_id, client_id, claims, approved_at,
                                           offline_access)
                     SELECT $4, $8, $13, $3, $14 FROM ended
                     ON CONFLICT (person_id, client_id) DO UPDATE
                        SET claims = excluded.claims, approved_at = excluded.approved_at,
                            offline_access = excluded.offline_access),
                 granted AS
                    (INSERT INTO client_grant (id, client_id, session_id, subject, scope, released,
                                               identity, nonce, auth_time, txn, created_at,
                                               expires_at, resources, person_id)
                     SELECT $15, $8, $6, $16, $17, $18, $19, $20, $10, $11, $3, $21, $22, $4
                       FROM ended RETURNING id)
                 INSERT INTO code (digest, grant_id, client_id, redirect_uri, challenge, dpop_jkt,
                                   expires_at)
                 SELECT $23, id, $8, $24, $25, $26, $27 FROM granted
                 RETURNING (SELECT version FROM ended)",
            )
            .bind(finish.login.to_string())
            .bind(finish.order.to_string())
            .bind(now)
            .bind(&person)
            .bind(now - super::person::DAY)
            .bind(&session_id)
            .bind(finish.new_browser.as_bytes())
            .bind(finish.client_id)
            .bind(&identity)
            .bind(session.auth_time)
            .bind(session.txn.to_string())
            .bind(session.expires_at)
            .bind(Json(&finish.approved))
            .bind(finish.approved_offline)
            .bind(&grant_id)
            .bind(&grant.subject)
            .bind(&grant.scope)
            .bind(Json(&grant.released))
            .bind(&granted)
            .bind(&grant.nonce)
            .bind(grant.expires_at)
            .bind(Json(&grant.resources))
            .bind(issued.code.digest().as_bytes())
            .bind(&issued.redirect_uri)
            .bind(issued.challenge.as_ref().map(Challenge::as_str))
            .bind(issued.dpop_jkt.as_ref().map(Thumbprint::as_str))
            .bind(issued.expires_at)
            .fetch_optional(db)
            .await?)
        });
        match finished {
            // The person was erased at this moment: nothing was done.
            Err(Fault::Database(sqlx::Error::Database(error)))
                if error.is_foreign_key_violation() =>
            {
                Ok(None)
            }
            other => other,
        }
    }

    /// A code from a session that is alive.
    pub(super) async fn issue_at_once(
        &self,
        db: &PgPool,
        issued: &Issued,
        now: Timestamp,
    ) -> Result<bool> {
        let grant = &issued.grant;
        let id = grant.id.to_string();
        let seal = sealed::GRANT_IDENTITY.of(&id);
        let identity = self.sealer.seal_json(seal, &grant.identity, &self.random);
        whole!(self, {
            let done = sqlx::query(
                "WITH held AS
                    (SELECT person_id FROM session
                      WHERE id = $3 AND ended_at IS NULL AND expires_at > $11 FOR SHARE),
                 granted AS
                    (INSERT INTO client_grant (id, client_id, session_id, subject, scope, released,
                                               identity, nonce, auth_time, txn, created_at,
                                               expires_at, resources, person_id)
                     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, person_id
                       FROM held RETURNING id)
                 INSERT INTO code (digest, grant_id, client_id, redirect_uri, challenge, dpop_jkt,
                                   expires_at)
                 SELECT $14, id, $2, $15, $16, $17, $18 FROM granted",
            )
            .bind(&id)
            .bind(&grant.client_id)
            .bind(grant.session.to_string())
            .bind(&grant.subject)
            .bind(&grant.scope)
            .bind(Json(&grant.released))
            .bind(&identity)
            .bind(&grant.nonce)
            .bind(grant.auth_time)
            .bind(grant.txn.to_string())
            .bind(now)
            .bind(grant.expires_at)
            .bind(Json(&grant.resources))
            .bind(issued.code.digest().as_bytes())
            .bind(&issued.redirect_uri)
            .bind(issued.challenge.as_ref().map(Challenge::as_str))
            .bind(issued.dpop_jkt.as_ref().map(Thumbprint::as_str))
            .bind(issued.expires_at)
            .execute(db)
            .await?;
            Ok(done.rows_affected() > 0)
        })
    }

    /// Tokens for a code that nobody had before.
    pub(super) async fn exchange_at_once(
        &self,
        db: &PgPool,
        code: Digest<secret::Code>,
        client_id: &ClientId,
        tokens: &Tokens,
        now: Timestamp,
    ) -> Result<bool> {
        let Some((refresh, refresh_ends_at)) = &tokens.refresh else {
            return whole!(self, {
                let done = sqlx::query(
                    "WITH spent AS
                        (UPDATE code SET used_at = $3
                          WHERE digest = $1 AND client_id = $2 AND used_at IS NULL
                            AND expires_at > $3
                            AND EXISTS (SELECT 1 FROM client_grant
                                         WHERE id = grant_id AND ended_at IS NULL)
                         RETURNING grant_id)
                     INSERT INTO access_token (digest, grant_id, expires_at, scope, cnf, resources,
                                               kid)
                     SELECT $4, grant_id, $5, $6, $7, $8, $9 FROM spent",
                )
                .bind(code.as_bytes())
                .bind(client_id)
                .bind(now)
                .bind(tokens.access.digest().as_bytes())
                .bind(tokens.access_expires_at)
                .bind(&tokens.scope)
                .bind(tokens.access_binding.as_ref().map(Json))
                .bind(Json(&tokens.resources))
                .bind(&tokens.access_kid)
                .execute(db)
                .await?;
                Ok(done.rows_affected() > 0)
            });
        };
        whole!(self, {
            let done = sqlx::query(
                "WITH spent AS
                    (UPDATE code SET used_at = $3
                      WHERE digest = $1 AND client_id = $2 AND used_at IS NULL AND expires_at > $3
                        AND EXISTS (SELECT 1 FROM client_grant
                                     WHERE id = grant_id AND ended_at IS NULL)
                     RETURNING grant_id),
                 prolonged AS
                    (UPDATE client_grant SET expires_at = greatest(expires_at, $10)
                       FROM spent WHERE id = spent.grant_id AND ended_at IS NULL),
                 fresh AS
                    (INSERT INTO refresh_token (digest, grant_id, client_id, expires_at, dpop_jkt)
                     SELECT $11, grant_id, $2, $12, $13 FROM spent)
                 INSERT INTO access_token (digest, grant_id, expires_at, scope, cnf, resources, kid)
                 SELECT $4, grant_id, $5, $6, $7, $8, $9 FROM spent",
            )
            .bind(code.as_bytes())
            .bind(client_id)
            .bind(now)
            .bind(tokens.access.digest().as_bytes())
            .bind(tokens.access_expires_at)
            .bind(&tokens.scope)
            .bind(tokens.access_binding.as_ref().map(Json))
            .bind(Json(&tokens.resources))
            .bind(&tokens.access_kid)
            .bind(tokens.last_end())
            .bind(refresh.digest().as_bytes())
            .bind(*refresh_ends_at)
            .bind(tokens.refresh_key.as_ref().map(Thumbprint::as_str))
            .execute(db)
            .await?;
            Ok(done.rows_affected() > 0)
        })
    }

    /// Fresh tokens for a refresh token at its first use.
    pub(super) async fn rotate_at_once(
        &self,
        db: &PgPool,
        rotation: &Rotation<'_>,
        tokens: &Tokens,
        now: Timestamp,
    ) -> Result<bool> {
        let Some((refresh, refresh_ends_at)) = &tokens.refresh else {
            return Ok(false);
        };
        whole!(self, {
            let done = sqlx::query(
                // The grant is held before it is known who wins: whoever loses leaves its end as it was, or later.
                "WITH lives AS
                    (UPDATE client_grant SET expires_at = greatest(expires_at, $10)
                      WHERE id = $14 AND ended_at IS NULL
                     RETURNING id),
                 spent AS
                    (UPDATE refresh_token SET used_at = $3 FROM lives
                      WHERE digest = $1 AND client_id = $2 AND used_at IS NULL
                        AND replaced_at IS NULL AND refresh_token.expires_at > $3
                     RETURNING grant_id),
                 fresh AS
                    (INSERT INTO refresh_token (digest, grant_id, client_id, predecessor,
                                                expires_at, dpop_jkt)
                     SELECT $11, grant_id, $2, $1, $12, $13 FROM spent)
                 INSERT INTO access_token (digest, grant_id, expires_at, scope, cnf, resources, kid)
                 SELECT $4, grant_id, $5, $6, $7, $8, $9 FROM spent",
            )
            .bind(rotation.shown.as_bytes())
            .bind(rotation.client_id)
            .bind(now)
            .bind(tokens.access.digest().as_bytes())
            .bind(tokens.access_expires_at)
            .bind(&tokens.scope)
            .bind(tokens.access_binding.as_ref().map(Json))
            .bind(Json(&tokens.resources))
            .bind(&tokens.access_kid)
            .bind(tokens.last_end())
            .bind(refresh.digest().as_bytes())
            .bind(*refresh_ends_at)
            .bind(tokens.refresh_key.as_ref().map(Thumbprint::as_str))
            .bind(rotation.grant.to_string())
            .execute(db)
            .await?;
            Ok(done.rows_affected() > 0)
        })
    }
}
