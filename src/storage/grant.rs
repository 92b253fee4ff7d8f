//! The table `client_grant`, and the two commits that matter most: the end of a login, and the
//! exchange of its code.

use std::collections::BTreeSet;

use sqlx::FromRow;
use sqlx::types::Json;

use super::column::Row;
use super::replay::{self, SignedKind};
use super::{
    Ended, NumberIndex, Result, Store, Tx, access_token, code, commit, on, person, pushed_request,
    refresh_token, rollback, sealed, session, whole,
};
use crate::authorize::resource::Resources;
use crate::bankid::evidence::record::Record;
use crate::claims::release::Claim;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id::{ClientId, Id, kind};
use crate::secret::{Digest, Key, kind as secret};
use crate::session::Session;
use crate::token::code::Issued;
use crate::token::grant::{Grant, Tokens};

/// Everything that the end of a login writes.
#[derive(Debug)]
pub struct Finish<'a> {
    /// The login that ends.
    pub login: Id<kind::Login>,
    /// Its order, which must still be the current one.
    pub order: Id<kind::Order>,
    /// The index of the person's number.
    pub index: NumberIndex,
    /// The cookie that the browser had, if any.
    pub old_browser: Option<Digest<secret::SessionCookie>>,
    /// The cookie that it gets.
    pub new_browser: Digest<secret::SessionCookie>,
    /// Who asked.
    pub client_id: &'a ClientId,
    /// What clients know people by, to be told of another person whose sessions end with this login.
    pub subject_key: &'a Key,
    /// What the person approved.
    pub approved: BTreeSet<Claim>,
    /// Whether they approved that the client comes back without them.
    pub approved_offline: bool,
    /// What proves the identification, for a client that has it kept.
    pub evidence: Option<Kept>,
}

impl Finish<'_> {
    /// Whether the browser had no session, nothing is kept to prove the login, and the person is looked for
    /// by one index alone.
    fn is_usual(&self) -> bool {
        self.old_browser.is_none() && self.evidence.is_none() && self.index.others.is_empty()
    }
}

impl Issued {
    /// Whether the request was neither pushed nor signed, so that nothing is spent by answering it.
    fn is_usual(&self) -> bool {
        self.pushed.is_none() && self.once.is_none()
    }
}

/// Evidence to be kept.
#[derive(Debug)]
pub struct Kept {
    /// The evidence.
    pub record: Record,
    /// Until when.
    pub until: Timestamp,
}

/// What the end of a login came to.
#[derive(Debug)]
pub struct Finished<T> {
    /// What the person gets.
    pub outcome: T,
    /// Sessions of another person in this browser, which have ended.
    pub ended: Ended,
    /// The version that the login has by then.
    pub version: i64,
}

/// What an exchange came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Exchange {
    /// This caller got the code.
    Won,
    /// Somebody else had it: the grant has ended.
    Lost,
}

/// Why a session gives no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unissued {
    /// It has ended meanwhile.
    SessionEnded,
    /// The pushed or signed request that it would answer was answered before.
    Repeated,
}

impl Store {
    /// Ends a login with a code: the login is over, the person has a session, the client a grant
    /// and a code for it, all in one commit. `make` is told who the person is and says what they
    /// get. Of any number of callers one ends the login; the others get `None`, and so does
    /// everyone whose pushed or signed request was answered by another login. Sessions of another
    /// person in this browser have ended, too.
    pub async fn finish_login<T>(
        &self,
        finish: &Finish<'_>,
        fresh: Id<kind::Person>,
        now: Timestamp,
        make: impl Fn(Id<kind::Person>, Option<Id<kind::Session>>) -> (Session, Issued, T),
    ) -> Result<Option<Finished<T>>> {
        if let Some(db) = self.at_once()?
            && finish.is_usual()
            && let Some(person) = self.person(&finish.index).await?
        {
            let (session, issued, outcome) = make(person, None);
            if issued.is_usual()
                && let Some(version) = self
                    .finish_at_once(db, finish, &session, &issued, now)
                    .await?
            {
                return Ok(Some(Finished {
                    outcome,
                    ended: Ended::default(),
                    version,
                }));
            }
        }
        whole!(self, {
            let mut tx = self.begin().await?;
            let version: Option<i64> = on!(&mut tx, |tx| {
                sqlx::query_scalar(
                    "UPDATE login SET state = 'finished', version = version + 1
                      WHERE id = $1 AND order_id = $2 AND state = 'open' AND expires_at > $3
                     RETURNING version",
                )
                .bind(finish.login.to_string())
                .bind(finish.order.to_string())
                .bind(now)
                .fetch_optional(&mut **tx)
                .await
            })?;
            let Some(version) = version else {
                rollback(tx).await?;
                return Ok(None);
            };
            // The answer has done its work: who the person is lives on in session and grant alone.
            on!(&mut tx, |tx| sqlx::query(
                "UPDATE bankid_order SET answer = NULL, progress = 'spent' WHERE id = $1"
            )
            .bind(finish.order.to_string())
            .execute(&mut **tx)
            .await
            .map(|_| ()))?;
            let person = person::find_or_make(&mut tx, &finish.index, fresh, now).await?;
            let (kept, ended) = match finish.old_browser {
                Some(old) => {
                    self.renew_browser(&mut tx, finish, old, person, now)
                        .await?
                }
                None => (None, Ended::default()),
            };
            let (made, issued, outcome) = make(person, kept);
            let identity = self.sealed_identity(&made.id.to_string(), &made.identity);
            match kept {
                Some(_) => session::go_on(&mut tx, &made, &identity).await?,
                None => {
                    let (browser, client_id) = (finish.new_browser, finish.client_id);
                    session::insert(&mut tx, &made, &identity, browser, client_id).await?;
                }
            }
            session::approve(
                &mut tx,
                person,
                finish.client_id,
                &finish.approved,
                finish.approved_offline,
                now,
            )
            .await?;
            let whose = person.to_string();
            if !self.insert_issued(&mut tx, &issued, &whose, now).await? {
                rollback(tx).await?;
                return Ok(None);
            }
            if let Some(kept) = &finish.evidence {
                self.insert_evidence(&mut tx, kept, &whose, now).await?;
            }
            commit(tx).await?;
            Ok(Some(Finished {
                outcome,
                ended,
                version,
            }))
        })
    }

    /// Gives a client a code from a session that is there already, or stores nothing.
    pub async fn issue_code(
        &self,
        issued: &Issued,
        now: Timestamp,
    ) -> Result<std::result::Result<(), Unissued>> {
        if let Some(db) = self.at_once()?
            && issued.is_usual()
        {
            let is_issued = self.issue_at_once(db, issued, now).await?;
            return Ok(is_issued.then_some(()).ok_or(Unissued::SessionEnded));
        }
        whole!(self, {
            let mut tx = self.begin().await?;
            let outcome = match session::hold(&mut tx, issued.grant.session, now).await? {
                None => Err(Unissued::SessionEnded),
                Some(whose) => match self.insert_issued(&mut tx, issued, &whose, now).await? {
                    false => Err(Unissued::Repeated),
                    true => Ok(()),
                },
            };
            match outcome {
                Ok(()) => commit(tx).await?,
                Err(_) => rollback(tx).await?,
            }
            Ok(outcome)
        })
    }

    async fn insert_issued(
        &self,
        tx: &mut Tx,
        issued: &Issued,
        person: &str,
        now: Timestamp,
    ) -> Result<bool> {
        if let Some(pushed) = issued.pushed
            && !pushed_request::spend(tx, pushed).await?
        {
            return Ok(false);
        }
        if let Some(once) = &issued.once
            && !replay::spend(
                tx,
                SignedKind::RequestObject,
                issued.grant.client_id.as_str(),
                once,
            )
            .await?
        {
            return Ok(false);
        }
        let grant = &issued.grant;
        let id = grant.id.to_string();
        let identity = self.sealer.seal_json(
            sealed::GRANT_IDENTITY.of(&id),
            &grant.identity,
            &self.random,
        );
        on!(&mut *tx, |tx| sqlx::query(
            "INSERT INTO client_grant (id, client_id, session_id, subject, scope, released,
                                       identity, nonce, auth_time, txn, created_at, expires_at,
                                       resources, person_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
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
        .bind(person)
        .execute(&mut **tx)
        .await
        .map(|_| ()))?;
        code::insert(tx, issued).await?;
        Ok(true)
    }

    /// Whether a code that is known already can be exchanged without being read.
    pub fn exchanges_at_once(&self) -> bool {
        self.is_shared()
    }

    /// Exchanges a code that is known already and was not shown before, as far as that is known here. `false`: nothing
    /// was done, and why is to be seen by what stands in the database.
    pub async fn exchange_fresh_code(
        &self,
        code: Digest<secret::Code>,
        client_id: &ClientId,
        tokens: &Tokens,
        now: Timestamp,
    ) -> Result<bool> {
        match self.at_once()? {
            Some(db) => {
                self.exchange_at_once(db, code, client_id, tokens, now)
                    .await
            }
            None => Ok(false),
        }
    }

    /// Exchanges a code for tokens. One statement decides who wins; whoever comes second
    /// ends the grant and with it what the winner got (RFC 6749 §4.1.2).
    pub async fn exchange_code(
        &self,
        code: Digest<secret::Code>,
        grant: Id<kind::Grant>,
        client_id: &ClientId,
        tokens: &Tokens,
        now: Timestamp,
    ) -> Result<Exchange> {
        if let Some(db) = self.at_once()?
            && self
                .exchange_at_once(db, code, client_id, tokens, now)
                .await?
        {
            return Ok(Exchange::Won);
        }
        whole!(self, {
            let mut tx = self.begin().await?;
            if !code::spend(&mut tx, code, client_id, now).await? {
                end(&mut tx, grant, now).await?;
                commit(tx).await?;
                return Ok(Exchange::Lost);
            }
            access_token::insert(&mut tx, grant, tokens).await?;
            if tokens.refresh.is_some() {
                prolong(&mut tx, grant, tokens).await?;
                refresh_token::insert(&mut tx, grant, client_id, tokens, None).await?;
            }
            commit(tx).await?;
            Ok(Exchange::Won)
        })
    }

    /// Ends a grant: its code and its tokens are worth nothing from now on.
    pub async fn end_grant(&self, grant: Id<kind::Grant>, now: Timestamp) -> Result<()> {
        whole!(self, {
            let mut tx = self.begin().await?;
            end(&mut tx, grant, now).await?;
            commit(tx).await
        })
    }

    pub(super) fn read_grant(&self, stored: GrantRow) -> Result<Grant> {
        let row = Row {
            table: "client_grant",
            key: &stored.id,
        };
        Ok(Grant {
            id: row.id("id", &stored.id)?,
            client_id: stored.client_id,
            session: row.id("session_id", &stored.session_id)?,
            subject: stored.subject,
            scope: stored.scope,
            resources: stored.resources.unwrap_or_default().0,
            released: stored.released.0,
            identity: self
                .sealer
                .open_json(sealed::GRANT_IDENTITY.of(&stored.id), &stored.identity)?,
            nonce: stored.nonce,
            auth_time: stored.auth_time,
            txn: row.id("txn", &stored.txn)?,
            expires_at: stored.expires_at,
            has_ended: stored.ended_at.is_some(),
        })
    }
}

#[derive(FromRow)]
pub(super) struct GrantRow {
    id: String,
    client_id: ClientId,
    session_id: String,
    subject: String,
    scope: String,
    resources: Option<Json<Resources>>,
    released: Json<crate::claims::release::Release>,
    identity: Vec<u8>,
    nonce: Option<String>,
    auth_time: Timestamp,
    txn: String,
    expires_at: Timestamp,
    ended_at: Option<Timestamp>,
}

impl GrantRow {
    /// When it was ended, if it was.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }
}

/// Keeps a grant until the last of its tokens ends: those that were given before may end later than these.
/// `false` if it has ended before.
pub(super) async fn prolong(tx: &mut Tx, grant: Id<kind::Grant>, tokens: &Tokens) -> Result<bool> {
    let rows = on!(tx, |tx| sqlx::query(
        "UPDATE client_grant
            SET expires_at = CASE WHEN expires_at > $2 THEN expires_at ELSE $2 END
          WHERE id = $1 AND ended_at IS NULL"
    )
    .bind(grant.to_string())
    .bind(tokens.last_end())
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(rows > 0)
}

/// Ends what clients were given from a browser's sessions, ended ones included, but for what the person
/// approved to go on without them (Back-Channel Logout §2.7). A logout reaches grants here and nowhere
/// else.
pub(super) async fn end_with_browser(
    tx: &mut Tx,
    browser: Digest<secret::SessionCookie>,
    now: Timestamp,
) -> Result<()> {
    on!(tx, |tx| sqlx::query(
        "UPDATE client_grant SET ended_at = $1
          WHERE ended_at IS NULL AND NOT ' ' || scope || ' ' LIKE '% offline_access %'
            AND session_id IN (SELECT id FROM session WHERE browser = $2)"
    )
    .bind(now)
    .bind(browser.as_bytes())
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from))
}

/// Ends all that a client was given from a session, also what was to go on without the person: somebody
/// decided that it must not.
pub(super) async fn end_with_session(
    tx: &mut Tx,
    session: Id<kind::Session>,
    now: Timestamp,
) -> Result<()> {
    on!(tx, |tx| sqlx::query(
        "UPDATE client_grant SET ended_at = $1 WHERE session_id = $2 AND ended_at IS NULL"
    )
    .bind(now)
    .bind(session.to_string())
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from))
}

async fn end(tx: &mut Tx, grant: Id<kind::Grant>, now: Timestamp) -> Result<()> {
    on!(tx, |tx| sqlx::query(
        "UPDATE client_grant SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL"
    )
    .bind(now)
    .bind(grant.to_string())
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(Fault::from))
}
