//! The tables `login` and `bankid_order`.

use sqlx::{FromRow, QueryBuilder};

use super::at_once::Answered;
use super::column::Row;
use super::{NodeName, Result, Store, Tx, alone, commit, on, rollback, sealed, whole};
use crate::bankid::collect::Hint;
use crate::bankid::message::Device;
use crate::bankid::order::Ordered;
use crate::clock::{Moment, Timestamp};
use crate::error::Fault;
use crate::id::{ClientId, Id, kind};
use crate::language::Tag;
use crate::login::{
    Asked, Comeback, Login, Order, Progress, RENEWAL_PAUSE, RENEWAL_TRIES, Renewal, State,
};
use crate::secret::{Digest, kind as secret};

#[derive(FromRow)]
struct LoginRow {
    id: String,
    browser: Vec<u8>,
    client_id: ClientId,
    asked: Vec<u8>,
    state: State,
    orders_made: i64,
    version: i64,
    expires_at: Timestamp,
    order_id: String,
    device: Device,
    tokens: Vec<u8>,
    received_at_ms: Moment,
    progress: String,
    hint: String,
    answer: Option<Vec<u8>>,
    answered_at: Option<Timestamp>,
    comeback: Comeback,
    ordered: Option<Vec<u8>>,
    vouched: i64,
    renewals_tried: i64,
    renewal_tried_at: Timestamp,
}

/// The columns of a login with its current order.
macro_rules! select_login {
    ($rest:literal) => {
        concat!(
            "SELECT l.id, l.browser, l.client_id, l.asked, l.state, l.orders_made, l.version,
                    l.expires_at, l.order_id, o.device, o.tokens, o.received_at_ms, o.progress,
                    o.hint, o.answer, o.answered_at, o.comeback, o.ordered, o.vouched,
                    l.renewals_tried, l.renewal_tried_at
               FROM login l JOIN bankid_order o ON o.id = l.order_id ",
            $rest
        )
    };
}

/// What is kept of a new order.
pub(super) struct SealedOrder<'a> {
    pub tokens: Vec<u8>,
    pub ordered: Vec<u8>,
    pub hint: &'a str,
}

/// An order that is to be replaced.
#[derive(Clone, Copy, Debug)]
pub struct Old {
    /// Which.
    pub order: Id<kind::Order>,
    /// Whether it was seen to be complete and not good enough, so that it cannot log anyone in.
    pub is_unmet: bool,
}

impl Store {
    /// A login with its current order.
    pub async fn login(&self, id: Id<kind::Login>) -> Result<Option<Login>> {
        let row: Option<LoginRow> =
            alone!(self, |db| sqlx::query_as(select_login!("WHERE l.id = $1"))
                .bind(id.to_string())
                .fetch_optional(db)
                .await)?;
        row.map(|row| self.read(row)).transpose()
    }

    /// The login that a browser began with this cookie.
    pub async fn login_of_browser(
        &self,
        cookie: Digest<secret::LoginCookie>,
    ) -> Result<Option<Login>> {
        let row: Option<LoginRow> = alone!(self, |db| sqlx::query_as(select_login!(
            "WHERE l.browser = $1"
        ))
        .bind(cookie.as_bytes())
        .fetch_optional(db)
        .await)?;
        row.map(|row| self.read(row)).transpose()
    }

    /// The login whose app was told to come back with this nonce, and whether that was for its
    /// current order.
    pub async fn login_by_return(
        &self,
        nonce: Digest<secret::ReturnNonce>,
    ) -> Result<Option<Login>> {
        // By the login's own id, too, of which alone there is an index: by the order's, all logins would be read.
        let row: Option<LoginRow> = alone!(self, |db| sqlx::query_as(select_login!(
            "WHERE o.return_nonce = $1 AND l.id = o.login_id"
        ))
        .bind(nonce.as_bytes())
        .fetch_optional(db)
        .await)?;
        row.map(|row| self.read(row)).transpose()
    }

    /// Begins a login with its first order. Of any number of callers with the same login id, one
    /// begins it; the others get `false` and have nothing stored.
    pub async fn begin_login(
        &self,
        login: &Login,
        nonce: Option<Digest<secret::ReturnNonce>>,
        node: &NodeName,
        now: Timestamp,
    ) -> Result<bool> {
        if let Some(db) = self.at_once()? {
            return self.begin_at_once(db, login, nonce, node, now).await;
        }
        whole!(self, {
            let mut tx = self.begin().await?;
            if !self.insert_login(&mut tx, login, now).await? {
                rollback(tx).await?;
                return Ok(false);
            }
            self.insert_order(&mut tx, login.id, &login.order, nonce, node)
                .await?;
            commit(tx).await?;
            Ok(true)
        })
    }

    /// The login as it is when all that is under way with it has come to its end. A commit that nobody
    /// confirmed, because its connection broke, may still be on its way: a look would not see it.
    pub async fn settled_login(&self, login: &Login, now: Timestamp) -> Result<Option<Login>> {
        whole!(self, {
            let mut tx = self.begin().await?;
            // Whoever is making a row of this name is waited for, and so is whoever is changing it.
            self.insert_login(&mut tx, login, now).await?;
            lock_login(&mut tx, login.id).await?;
            rollback(tx).await
        })?;
        self.login(login.id).await
    }

    /// `false`: there is one of this name.
    async fn insert_login(&self, tx: &mut Tx, login: &Login, now: Timestamp) -> Result<bool> {
        let id = login.id.to_string();
        let asked = self
            .sealer
            .seal_json(sealed::LOGIN_ASKED.of(&id), &login.asked, &self.random);
        let rows = on!(tx, |tx| sqlx::query(
            "INSERT INTO login (id, browser, client_id, asked, state, order_id, orders_made,
                                version, created_at, expires_at)
             VALUES ($1, $2, $3, $4, 'open', $5, 1, 1, $6, $7) ON CONFLICT DO NOTHING"
        )
        .bind(&id)
        .bind(login.browser.as_bytes())
        .bind(&login.client_id)
        .bind(&asked)
        .bind(login.order.id.to_string())
        .bind(now)
        .bind(login.expires_at)
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Changes the language of a login that is not over. Nothing else of what it was asked ever changes.
    pub async fn speak(&self, login: &Login, language: &Tag) -> Result<()> {
        let id = login.id.to_string();
        let asked = Asked {
            language: language.clone(),
            ..login.asked.clone()
        };
        let asked = self
            .sealer
            .seal_json(sealed::LOGIN_ASKED.of(&id), &asked, &self.random);
        alone!(self, |db| sqlx::query(
            "UPDATE login SET asked = $1, version = version + 1 WHERE id = $2 AND state = 'open'"
        )
        .bind(&asked)
        .bind(&id)
        .execute(db)
        .await
        .map(|_| ())
        .map_err(Fault::from))
    }

    /// Puts a new order in the place of `old`. Of any number of callers one does; the others get
    /// `false` and have nothing stored.
    pub async fn replace_order(
        &self,
        login: &Login,
        old: &Old,
        nonce: Option<Digest<secret::ReturnNonce>>,
        node: &NodeName,
        now: Timestamp,
    ) -> Result<bool> {
        whole!(self, {
            let mut tx = self.begin().await?;
            let rows = on!(&mut tx, |tx| {
                sqlx::query(
            "UPDATE login SET order_id = $1, orders_made = orders_made + 1, version = version + 1,
                    renewals_tried = 0, renewal_tried_at = 0
              WHERE id = $2 AND order_id = $3 AND state = 'open' AND expires_at > $4"
        )
        .bind(login.order.id.to_string())
        .bind(login.id.to_string())
        .bind(old.order.to_string())
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected())
            })?;
            // The old one may still wait for an answer: from here on a late one changes nothing. One
            // that is about to log the person in is not replaced.
            if rows == 0 || end_order(&mut tx, old).await? == 0 {
                rollback(tx).await?;
                return Ok(false);
            }
            self.insert_order(&mut tx, login.id, &login.order, nonce, node)
                .await?;
            commit(tx).await?;
            Ok(true)
        })
    }

    /// Sets out to renew a login's code in silence. Of any number of nodes that want to, one gets
    /// `true`, and has [`RENEWAL_PAUSE`] before the next.
    pub async fn claim_renewal(&self, login: &Login, now: Timestamp) -> Result<bool> {
        let rows = alone!(self, |db| sqlx::query(
            "UPDATE login SET renewals_tried = renewals_tried + 1, renewal_tried_at = $1,
                    version = version + 1
              WHERE id = $2 AND order_id = $3 AND state = 'open'
                AND renewals_tried < $4 AND renewal_tried_at <= $5"
        )
        .bind(now)
        .bind(login.id.to_string())
        .bind(login.order.id.to_string())
        .bind(RENEWAL_TRIES)
        .bind(now - RENEWAL_PAUSE)
        .execute(db)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    async fn insert_order(
        &self,
        tx: &mut Tx,
        login: Id<kind::Login>,
        order: &Order,
        nonce: Option<Digest<secret::ReturnNonce>>,
        node: &NodeName,
    ) -> Result<()> {
        let sealed = self.sealed_order(order);
        on!(tx, |tx| sqlx::query(
            "INSERT INTO bankid_order (id, login_id, device, tokens, received_at_ms, progress,
                                       hint, return_nonce, comeback, node_id, node_epoch,
                                       ordered)
             VALUES ($1, $2, $3, $4, $5, 'ordered', $6, $7, $8, $9, $10, $11)"
        )
        .bind(order.id.to_string())
        .bind(login.to_string())
        .bind(order.device)
        .bind(&sealed.tokens)
        .bind(order.received_at)
        .bind(sealed.hint)
        .bind(nonce.as_ref().map(Digest::as_bytes))
        .bind(order.comeback)
        .bind(&node.id)
        .bind(node.epoch)
        .bind(&sealed.ordered)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(Fault::from))
    }

    pub(super) fn sealed_order<'a>(&self, order: &'a Order) -> SealedOrder<'a> {
        let id = order.id.to_string();
        let (tokens, ordered) = (sealed::ORDER_TOKENS.of(&id), sealed::ORDER_ORDERED.of(&id));
        SealedOrder {
            tokens: self.sealer.seal_json(tokens, &order.tokens, &self.random),
            ordered: self.sealer.seal_json(ordered, &order.ordered, &self.random),
            hint: match &order.progress {
                Progress::Ordered(hint) => hint.0.as_str(),
                _ => "",
            },
        }
    }

    /// Keeps what BankID said of an order that still waits. A terminal answer is stored here
    /// before anyone acts on it; whoever holds it may store it, also when another node has given the
    /// order up meanwhile. The version that the login has by then; `None`: the order was no longer waiting, and
    /// it is as it was.
    pub async fn keep_progress(
        &self,
        login: Id<kind::Login>,
        order: Id<kind::Order>,
        progress: &Progress,
        answered_at: Option<Timestamp>,
    ) -> Result<Option<i64>> {
        let order_id = order.to_string();
        let (name, hint) = match progress {
            Progress::Ordered(hint) => ("ordered", hint.0.as_str()),
            Progress::Failed(hint) => ("failed", hint.0.as_str()),
            Progress::Complete(_) => ("complete", ""),
            Progress::Cancelled => ("cancelled", ""),
            Progress::Lost => ("lost", ""),
            Progress::Spent => ("spent", ""),
        };
        let answer = match progress {
            Progress::Complete(data) => Some(self.sealer.seal_json(
                sealed::ORDER_ANSWER.of(&order_id),
                data,
                &self.random,
            )),
            _ => None,
        };
        if let Some(db) = self.at_once()? {
            let answered = Answered {
                login,
                order: &order_id,
                progress: name,
                hint,
                answer: answer.as_deref(),
                at: answered_at,
            };
            return self.answer_at_once(db, &answered).await;
        }
        whole!(self, {
            let mut tx = self.begin().await?;
            let version = lock_login(&mut tx, login).await?;
            let rows = on!(&mut tx, |tx| {
                sqlx::query(
            "UPDATE bankid_order SET progress = $1, hint = $2, answer = $3, answered_at = $5
              WHERE id = $4
                AND (progress = 'ordered'
                     OR (progress = 'lost' AND $1 = 'complete'
                         AND EXISTS (SELECT 1 FROM login
                                      WHERE login.order_id = bankid_order.id AND state = 'open')))"
        )
        .bind(name)
        .bind(hint)
        .bind(answer.as_deref())
        .bind(&order_id)
        .bind(answered_at)
        .execute(&mut **tx)
        .await
        .map(|done| done.rows_affected())
            })?;
            let kept = commit_if(tx, rows > 0).await?;
            Ok(version.filter(|_| kept))
        })
    }

    /// Gives an order up that this node collects and BankID no longer knows. `false`: it was no longer
    /// waiting, or another node has taken it over and may hold its answer.
    pub async fn lose_order(
        &self,
        login: Id<kind::Login>,
        order: Id<kind::Order>,
        node: &NodeName,
    ) -> Result<bool> {
        whole!(self, {
            let mut tx = self.begin().await?;
            lock_login(&mut tx, login).await?;
            let rows = on!(&mut tx, |tx| sqlx::query(
                "UPDATE bankid_order SET progress = 'lost', hint = ''
              WHERE id = $1 AND progress = 'ordered' AND node_id = $2 AND node_epoch = $3"
            )
            .bind(order.to_string())
            .bind(&node.id)
            .bind(node.epoch)
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected()))?;
            commit_if(tx, rows > 0).await
        })
    }

    /// Keeps that the app came back for this order, and where. The first return decides. The version that
    /// the login has by then; `None`: it was decided before.
    pub async fn keep_return(&self, login: &Login) -> Result<Option<i64>> {
        // One that only vouches leaves the order waiting for more.
        let (kept, vouched) = match login.order.comeback {
            Comeback::Vouched => (Comeback::Awaited, true),
            comeback => (comeback, false),
        };
        if let Some(db) = self.at_once()? {
            return self.return_at_once(db, login, kept, vouched).await;
        }
        whole!(self, {
            let mut tx = self.begin().await?;
            let version: Option<i64> = on!(&mut tx, |tx| sqlx::query_scalar(
                "UPDATE login SET version = version + 1
              WHERE id = $1 AND order_id = $2 AND state = 'open' RETURNING version"
            )
            .bind(login.id.to_string())
            .bind(login.order.id.to_string())
            .fetch_optional(&mut **tx)
            .await)?;
            let rows = on!(&mut tx, |tx| sqlx::query(
                "UPDATE bankid_order SET comeback = $1, vouched = $2
              WHERE id = $3 AND comeback = 'awaited' AND (vouched = 0 OR $1 = 'here')"
            )
            .bind(kept)
            .bind(i64::from(vouched))
            .bind(login.order.id.to_string())
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected()))?;
            let kept = commit_if(tx, version.is_some() && rows > 0).await?;
            Ok(version.filter(|_| kept))
        })
    }

    /// Ends a login that is still open, and its order with it. `false`: it is over already, or has
    /// another order by now.
    pub async fn cancel_login(&self, login: &Login) -> Result<bool> {
        whole!(self, {
            let mut tx = self.begin().await?;
            let rows = on!(&mut tx, |tx| sqlx::query(
                "UPDATE login SET state = 'cancelled', version = version + 1
              WHERE id = $1 AND order_id = $2 AND state = 'open'"
            )
            .bind(login.id.to_string())
            .bind(login.order.id.to_string())
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected()))?;
            on!(&mut tx, |tx| sqlx::query(
                "UPDATE bankid_order SET progress = 'cancelled', answer = NULL
              WHERE id = $1 AND progress IN ('ordered', 'complete')"
            )
            .bind(login.order.id.to_string())
            .execute(&mut **tx)
            .await
            .map(|_| ()))?;
            commit_if(tx, rows > 0).await
        })
    }

    /// Which of these logins have changed since the version that is known of them.
    pub async fn changed_logins(
        &self,
        known: &[(Id<kind::Login>, i64)],
    ) -> Result<Vec<Id<kind::Login>>> {
        let mut changed = Vec::new();
        for known in known.chunks(500) {
            let rows: Vec<(String, i64)> = alone!(self, |db| {
                let mut query = QueryBuilder::new("SELECT id, version FROM login WHERE id IN (");
                let mut ids = query.separated(", ");
                for (id, _) in known {
                    ids.push_bind(id.to_string());
                }
                query.push(")");
                query.build_query_as().fetch_all(db).await
            })?;
            let versions: std::collections::HashMap<String, i64> = rows.into_iter().collect();
            changed.extend(known.iter().filter_map(|(id, version)| {
                (versions.get(&id.to_string()) != Some(version)).then_some(*id)
            }));
        }
        Ok(changed)
    }

    fn read(&self, row: LoginRow) -> Result<Login> {
        let at = Row {
            table: "login",
            key: &row.id,
        };
        let hint = Hint(row.hint.clone());
        let progress = match (row.progress.as_str(), &row.answer) {
            ("ordered", _) => Progress::Ordered(hint),
            ("failed", _) => Progress::Failed(hint),
            ("cancelled", _) => Progress::Cancelled,
            ("lost", _) => Progress::Lost,
            ("spent", _) => Progress::Spent,
            ("complete", Some(answer)) => Progress::Complete(
                self.sealer
                    .open_json(sealed::ORDER_ANSWER.of(&row.order_id), answer)?,
            ),
            _ => return Err(at.fault("progress")),
        };
        Ok(Login {
            id: at.id("id", &row.id)?,
            browser: at.digest("browser", &row.browser)?,
            client_id: row.client_id,
            asked: self
                .sealer
                .open_json(sealed::LOGIN_ASKED.of(&row.id), &row.asked)?,
            expires_at: row.expires_at,
            orders_made: row.orders_made,
            state: row.state,
            version: row.version,
            order: Order {
                id: at.id("order_id", &row.order_id)?,
                device: row.device,
                tokens: self
                    .sealer
                    .open_json(sealed::ORDER_TOKENS.of(&row.order_id), &row.tokens)?,
                ordered: match &row.ordered {
                    Some(sealed) => self
                        .sealer
                        .open_json(sealed::ORDER_ORDERED.of(&row.order_id), sealed)?,
                    None => Ordered::default(),
                },
                received_at: row.received_at_ms,
                progress,
                answered_at: row.answered_at,
                comeback: match row.comeback {
                    Comeback::Awaited if row.vouched != 0 => Comeback::Vouched,
                    comeback => comeback,
                },
            },
            renewal: Renewal {
                tried: row.renewals_tried,
                tried_at: row.renewal_tried_at,
            },
        })
    }
}

/// Counts a change of a login, and keeps everyone else from changing it until this transaction ends.
/// Every transaction that touches a login and its order begins with the login: two that took their
/// locks in different orders would wait for each other. The version that it has by then.
async fn lock_login(tx: &mut Tx, login: Id<kind::Login>) -> Result<Option<i64>> {
    on!(tx, |tx| sqlx::query_scalar(
        "UPDATE login SET version = version + 1 WHERE id = $1 RETURNING version"
    )
    .bind(login.to_string())
    .fetch_optional(&mut **tx)
    .await
    .map_err(Fault::from))
}

async fn commit_if(tx: Tx, changed: bool) -> Result<bool> {
    match changed {
        true => commit(tx).await?,
        false => rollback(tx).await?,
    }
    Ok(changed)
}

/// Makes an order one that nobody may be logged in by any more, and drops its answer, if it has one.
/// Says how many rows that was: none when it is about to log the person in.
async fn end_order(tx: &mut Tx, old: &Old) -> Result<u64> {
    on!(tx, |tx| sqlx::query(
        "UPDATE bankid_order
            SET progress = CASE WHEN progress IN ('ordered', 'complete') THEN 'cancelled'
                                ELSE progress END,
                answer = NULL
          WHERE id = $1
            AND ($2 <> 0
                 OR NOT (progress = 'complete' AND comeback IN ('not_expected', 'here')))"
    )
    .bind(old.order.to_string())
    .bind(i64::from(old.is_unmet))
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected())
    .map_err(Fault::from))
}
