//! A connection that is lent, by itself or for a transaction, and what is said over it.

use std::borrow::BorrowMut;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sqlx::{Connection, Database, Either, Execute, Executor, Postgres, SqlStr, Sqlite};
use sqlx_core::transaction::TransactionManager as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::{Kept, Pool, Pooled, Silence};

/// How long a transaction that somebody gave up may take to end.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(3);

/// Has something said over a connection, and waits for the answer no longer than the pool's limit. A macro,
/// because of what an async closure borrows the compiler cannot tell yet that it may go to another thread.
macro_rules! ask {
    ($held:expr, |$connection:ident| $ask:expr) => {{
        let limit = $held.limit();
        let $connection = $held.asking();
        let done = match limit {
            Some((pool, limit)) => pool.answer_within(limit, $ask).await,
            None => $ask.await,
        };
        $held.answered(done)
    }};
}

impl<DB: Pooled> Pool<DB> {
    async fn answer_within<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = sqlx::Result<T>>,
    ) -> sqlx::Result<T> {
        let answered = self.shared.timed(limit, answer).await;
        answered.unwrap_or_else(|_| {
            tracing::warn!("the database did not answer in time");
            Err(Silence::error())
        })
    }
}

/// A connection in use. It comes back when this is dropped.
pub(in crate::storage) struct Held<DB: Pooled> {
    /// `None` when it is not to come back.
    kept: Option<Kept<DB>>,
    pool: Pool<DB>,
    // After the connection has come back.
    _permit: OwnedSemaphorePermit,
}

impl<DB: Pooled> fmt::Debug for Held<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

impl<DB: Pooled> Held<DB> {
    pub(super) fn new(kept: Kept<DB>, pool: Pool<DB>, permit: OwnedSemaphorePermit) -> Held<DB> {
        Held {
            kept: Some(kept),
            pool,
            _permit: permit,
        }
    }

    fn is_lost(&self) -> bool {
        self.kept.as_ref().is_none_or(|kept| kept.is_lost)
    }

    fn kept(&mut self) -> &mut Kept<DB> {
        self.kept.as_mut().expect("it is held")
    }

    /// The connection itself, over which an answer is waited for without a limit.
    pub fn unlimited(&mut self) -> &mut DB::Connection {
        &mut self.kept().connection
    }

    /// How long an answer is waited for, if not for as long as it takes.
    fn limit(&self) -> Option<(Pool<DB>, Duration)> {
        Some((self.pool.clone(), self.pool.limit()?))
    }

    /// The connection to say something over.
    fn asking(&mut self) -> &mut DB::Connection {
        let kept = self.kept();
        // Should this be broken off.
        kept.is_doubted = true;
        &mut kept.connection
    }

    /// Notes how that ended.
    fn answered<T>(&mut self, done: sqlx::Result<T>) -> sqlx::Result<T> {
        let kept = self.kept();
        kept.is_doubted = done.is_err();
        kept.is_lost |= done.as_ref().is_err_and(DB::is_gone);
        done
    }

    /// Begins a transaction, by sqlx's own hand, which counts what begins within it.
    pub(super) async fn begin(&mut self, statement: &'static str) -> sqlx::Result<()> {
        self.kept().is_open = true;
        let begin = Some(SqlStr::from_static(statement));
        let begun = ask!(self, |it| DB::TransactionManager::begin(it, begin));
        if let Err(sqlx::Error::Database(_)) = begun {
            self.kept().is_open = false;
        }
        begun
    }

    /// Ends the connection.
    pub async fn close(mut self) -> sqlx::Result<()> {
        match self.kept.take() {
            Some(kept) => kept.connection.close().await,
            None => Ok(()),
        }
    }
}

impl<DB: Pooled> Drop for Held<DB> {
    fn drop(&mut self) {
        // One that is open would take in whatever is done next, and nobody would commit that.
        let back = self.kept.take();
        if let Some(kept) = back.filter(|kept| !kept.is_open && !kept.is_lost) {
            self.pool.shared.take_back(kept);
        }
    }
}

/// A transaction on a connection of its own. What is not committed did not happen.
pub(in crate::storage) struct Transaction<DB: Pooled> {
    /// `None` when it is over.
    held: Option<Held<DB>>,
}

impl<DB: Pooled> Transaction<DB> {
    /// The one that began on this connection.
    pub(super) fn on(held: Held<DB>) -> Transaction<DB> {
        Transaction { held: Some(held) }
    }

    /// Makes what was done lasting.
    pub async fn commit(mut self) -> sqlx::Result<()> {
        let done = ask!(self, |it| DB::TransactionManager::commit(it));
        self.end(done)
    }

    /// Takes back what was done.
    pub async fn rollback(mut self) -> sqlx::Result<()> {
        let done = ask!(self, |it| DB::TransactionManager::rollback(it));
        self.end(done)
    }

    fn end(mut self, done: sqlx::Result<()>) -> sqlx::Result<()> {
        if done.is_ok()
            && let Some(mut held) = self.held.take()
        {
            held.kept().is_open = false;
        }
        done
    }
}

impl<DB: Pooled> Deref for Transaction<DB> {
    type Target = Held<DB>;
    fn deref(&self) -> &Held<DB> {
        self.held.as_ref().expect("it is not over yet")
    }
}

impl<DB: Pooled> DerefMut for Transaction<DB> {
    fn deref_mut(&mut self) -> &mut Held<DB> {
        self.held.as_mut().expect("it is not over yet")
    }
}

impl<DB: Pooled> Drop for Transaction<DB> {
    fn drop(&mut self) {
        // Nothing can be said any more over one that is lost.
        let Some(mut held) = self.held.take().filter(|held| !held.is_lost()) else {
            return;
        };
        // Somebody gave up in the middle. Others wait for the locks that it holds, so it ends now, and with it the
        // connection where that cannot be said any more.
        let ended = async move {
            let rollback = DB::TransactionManager::rollback(held.unlimited());
            if let Ok(Ok(())) = timeout(ROLLBACK_TIMEOUT, rollback).await {
                held.kept().is_open = false;
                held.kept().is_doubted = false;
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(ended)),
            Err(_) => drop(ended),
        }
    }
}

/// Whoever has a connection, or gets one.
trait Lender<DB: Pooled>: Send {
    type Lent: BorrowMut<Held<DB>> + Send;

    fn lend(self) -> impl Future<Output = sqlx::Result<Self::Lent>> + Send;
}

impl<DB: Pooled> Lender<DB> for Pool<DB> {
    type Lent = Held<DB>;

    async fn lend(self) -> sqlx::Result<Held<DB>> {
        self.acquire().await
    }
}

impl<'c, DB: Pooled> Lender<DB> for &'c mut Held<DB> {
    type Lent = &'c mut Held<DB>;

    async fn lend(self) -> sqlx::Result<&'c mut Held<DB>> {
        Ok(self)
    }
}

/// The same over the connection that somebody has or gets.
macro_rules! lend {
    ($lender:expr, $kind:ty, |$connection:ident| $ask:expr) => {{
        let mut lent = $lender.lend().await?;
        let held = BorrowMut::<Held<$kind>>::borrow_mut(&mut lent);
        ask!(held, |$connection| $ask)
    }};
}

type Row<DB> = <DB as Database>::Row;
type Done<DB> = <DB as Database>::QueryResult;

/// Statements over what `$lender` makes of `$executor`.
macro_rules! executor {
    ($life:lifetime, $executor:ty, $kind:ty, $lender:expr) => {
        impl<$life> Executor<$life> for $executor {
            type Database = $kind;

            fn fetch_many<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxStream<'e, sqlx::Result<Either<Done<$kind>, Row<$kind>>>>
            where
                $life: 'e,
                E: 'q + Execute<'q, $kind>,
            {
                let lender = $lender(self);
                let all = async move {
                    let all: sqlx::Result<Vec<_>> =
                        lend!(lender, $kind, |it| it.fetch_many(query).try_collect());
                    all.map(|all| stream::iter(all.into_iter().map(sqlx::Result::Ok)))
                };
                stream::once(all).try_flatten().boxed()
            }

            executor!(@ $life, $kind, $lender, execute(query) -> Done<$kind>);
            executor!(@ $life, $kind, $lender, fetch_all(query) -> Vec<Row<$kind>>);
            executor!(@ $life, $kind, $lender, fetch_optional(query) -> Option<Row<$kind>>);

            fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<sqlx::Describe<$kind>>>
            where
                $life: 'e,
            {
                let lender = $lender(self);
                Box::pin(async move {
                    lend!(lender, $kind, |it| it.describe(sql))
                })
            }

            fn prepare_with<'e>(
                self,
                sql: SqlStr,
                parameters: &'e [<$kind as Database>::TypeInfo],
            ) -> BoxFuture<'e, sqlx::Result<<$kind as Database>::Statement>>
            where
                $life: 'e,
            {
                let lender = $lender(self);
                Box::pin(async move {
                    lend!(lender, $kind, |it| it.prepare_with(sql, parameters))
                })
            }
        }
    };
    (@ $life:lifetime, $kind:ty, $lender:expr, $method:ident($query:ident) -> $answer:ty) => {
        fn $method<'e, 'q: 'e, E>(self, $query: E) -> BoxFuture<'e, sqlx::Result<$answer>>
        where
            $life: 'e,
            E: 'q + Execute<'q, $kind>,
        {
            let lender = $lender(self);
            Box::pin(async move {
                lend!(lender, $kind, |it| it.$method($query))
            })
        }
    };
}

// A statement by itself, on whichever connection is free.
executor!('p, &'_ Pool<Sqlite>, Sqlite, Pool::clone);
executor!('p, &'_ Pool<Postgres>, Postgres, Pool::clone);
// One after the other on the same connection.
executor!('c, &'c mut Held<Sqlite>, Sqlite, std::convert::identity);
executor!('c, &'c mut Held<Postgres>, Postgres, std::convert::identity);
