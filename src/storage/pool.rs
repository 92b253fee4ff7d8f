//! The connections to the database. They are lent one by one and come back by themselves.
//!
//! sqlx's own pool asks a connection twice in each use whether it is alive, before and after, which is
//! two thirds of what a short statement costs. Here one is asked when something went wrong on it, or when
//! nobody used it for a moment.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool::managed::{self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use prometheus_client::metrics::histogram::Histogram;
use sqlx::{
    ConnectOptions, Connection, Database, Either, Execute, Executor, Postgres, SqlStr, Sqlite,
};
use sqlx_core::transaction::TransactionManager as _;
use tokio::time::{Instant, sleep, timeout};

use super::Connections;
use crate::telemetry::metrics::waits;

/// After how long without use a connection is asked whether it is alive.
const DOUBTED_AFTER: Duration = Duration::from_millis(100);
/// How long it may take to say so. Whoever waits for a connection has more patience, and gets another one.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a transaction that somebody gave up may take to end.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(3);
/// After this time a connection gives way to a new one, so that what a server keeps for it does not
/// grow for ever.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// The first pause before a server that takes no connection is tried again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));
/// How long the end waits for connections that are in use.
const CLOSING: Duration = Duration::from_secs(10);

pub(super) type SqlitePool = Pool<Sqlite>;
pub(super) type PgPool = Pool<Postgres>;

type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// A kind of database whose connections can be held here.
pub(super) trait Pooled: Database {
    /// Runs a statement that has no values.
    fn run<'c>(
        connection: &'c mut Self::Connection,
        sql: &'static str,
    ) -> BoxFuture<'c, sqlx::Result<()>>;

    /// Whether a server that answers so is about to be there, or to have room.
    fn is_starting(error: &sqlx::Error) -> bool {
        match error {
            sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
            sqlx::Error::Database(error) => {
                matches!(error.code().as_deref(), Some("53300" | "57P03"))
            }
            _ => false,
        }
    }

    /// Whether a connection has ended, or is told that it will.
    fn is_gone(error: &sqlx::Error) -> bool {
        match error {
            sqlx::Error::Io(_) => true,
            sqlx::Error::Database(error) => {
                matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P03"))
            }
            _ => false,
        }
    }
}

/// A database's connections.
pub(super) struct Pool<DB: Pooled> {
    lent: managed::Pool<Maker<DB>>,
}

impl<DB: Pooled> Clone for Pool<DB> {
    fn clone(&self) -> Pool<DB> {
        Pool {
            lent: self.lent.clone(),
        }
    }
}

impl<DB: Pooled> fmt::Debug for Pool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

/// Makes connections, and looks at those that were used.
struct Maker<DB: Pooled> {
    options: Options<DB>,
    /// What each connection is told first.
    greeting: Option<&'static str>,
    /// How long whoever wants a connection waits for one.
    patience: Duration,
    /// How long that was.
    waits: Histogram,
    is_closed: AtomicBool,
}

/// A connection, and what is thought of it.
struct Kept<DB: Database> {
    connection: DB::Connection,
    /// Whether its last use did not end, or not well.
    is_doubted: bool,
    /// Whether a transaction began on it, or may have, and did not end.
    is_open: bool,
}

impl<DB: Pooled> managed::Manager for Maker<DB> {
    type Type = Kept<DB>;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<Kept<DB>> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(sqlx::Error::PoolClosed);
        }
        let (latest, mut pause) = (Instant::now() + self.patience, PAUSES.0);
        let mut connection = loop {
            match self.options.connect().await {
                // Whoever asks while a server starts again waits for it.
                Err(error) if DB::is_starting(&error) && Instant::now() + pause < latest => {
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
                other => break other?,
            }
        };
        if let Some(greeting) = self.greeting {
            DB::run(&mut connection, greeting).await?;
        }
        Ok(Kept {
            connection,
            is_doubted: false,
            is_open: false,
        })
    }

    async fn recycle(&self, kept: &mut Kept<DB>, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        // It would take in whatever is done next, and nobody would commit that.
        if kept.is_open {
            return Err(RecycleError::message("its transaction did not end"));
        }
        if metrics.age() > LIFETIME {
            return Err(RecycleError::message("it had its time"));
        }
        if kept.is_doubted || metrics.last_used() > DOUBTED_AFTER {
            let alive = timeout(PING_TIMEOUT, kept.connection.ping()).await;
            alive.map_err(|_| RecycleError::message("it does not answer"))??;
        }
        Ok(())
    }
}

/// A connection in use. It comes back when this is dropped.
pub(super) struct Held<DB: Pooled>(Object<Maker<DB>>);

impl<DB: Pooled> Held<DB> {
    /// Says how its use ended. Whatever is not said to have ended well is doubted.
    fn ended<T>(&mut self, done: &sqlx::Result<T>) {
        self.0.is_doubted = done.is_err();
    }

    /// Ends the connection.
    pub async fn close(self) -> sqlx::Result<()> {
        Object::take(self.0).connection.close().await
    }
}

impl<DB: Pooled> Deref for Held<DB> {
    type Target = DB::Connection;
    fn deref(&self) -> &DB::Connection {
        &self.0.connection
    }
}

impl<DB: Pooled> DerefMut for Held<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.0.connection
    }
}

impl<DB: Pooled> Pool<DB> {
    /// So many connections at the most, of which the first is made now. Whoever wants one waits for `patience`.
    pub async fn connect(
        options: Options<DB>,
        most: usize,
        patience: Duration,
        greeting: Option<&'static str>,
    ) -> sqlx::Result<Pool<DB>> {
        let maker = Maker {
            options,
            greeting,
            patience,
            waits: waits(),
            is_closed: AtomicBool::new(false),
        };
        let lent = managed::Pool::builder(maker)
            .max_size(most)
            // The one that was used last is not doubted, and the server's caches know it.
            .queue_mode(QueueMode::Lifo)
            .build()
            .expect("no timeouts of the pool's own are set, which would need a runtime");
        let pool = Pool { lent };
        pool.acquire().await?;
        Ok(pool)
    }

    /// A connection for several statements.
    pub async fn acquire(&self) -> sqlx::Result<Held<DB>> {
        let maker = self.lent.manager();
        if maker.is_closed.load(Ordering::Relaxed) {
            return Err(sqlx::Error::PoolClosed);
        }
        let since = Instant::now();
        let object = timeout(maker.patience, self.lent.get()).await;
        maker.waits.observe(since.elapsed().as_secs_f64());
        match object {
            Ok(Ok(mut object)) => {
                // Should its use be broken off.
                object.is_doubted = true;
                Ok(Held(object))
            }
            Ok(Err(PoolError::Backend(error))) => Err(error),
            Ok(Err(PoolError::Closed)) => Err(sqlx::Error::PoolClosed),
            Ok(Err(_)) | Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// A transaction.
    pub async fn begin(&self) -> sqlx::Result<Transaction<DB>> {
        self.begin_with("BEGIN").await
    }

    /// A transaction that begins by this statement.
    pub async fn begin_with(&self, statement: &'static str) -> sqlx::Result<Transaction<DB>> {
        loop {
            let mut held = self.acquire().await?;
            held.0.is_open = true;
            let begin = Some(SqlStr::from_static(statement));
            // By sqlx's own hand, which counts what begins within it.
            match DB::TransactionManager::begin(&mut held, begin).await {
                Ok(()) => return Ok(Transaction { held: Some(held) }),
                // One that broke since it was last used: nothing was done on it yet. It is not met again.
                Err(error) if DB::is_gone(&error) => drop(Object::take(held.0)),
                Err(error) => {
                    held.0.is_open = !matches!(error, sqlx::Error::Database(_));
                    return Err(error);
                }
            }
        }
    }

    /// Whether every connection that there may be is in use.
    pub fn is_full(&self) -> bool {
        let status = self.lent.status();
        status.available == 0 && status.size >= status.max_size
    }

    /// How they are used.
    pub fn connections(&self) -> Connections {
        let status = self.lent.status();
        Connections {
            in_use: status.size.saturating_sub(status.available),
            idle: status.available,
            limit: status.max_size,
        }
    }

    /// How long whoever wanted one waited for it.
    pub fn waits(&self) -> Histogram {
        self.lent.manager().waits.clone()
    }

    /// How it connects.
    pub fn connect_options(&self) -> &Options<DB> {
        &self.lent.manager().options
    }

    /// Ends every connection, those in use when they come back. It takes no longer than [`CLOSING`], whatever
    /// they are at: what is left then ends with the program.
    pub async fn close(&self) {
        self.close_within(CLOSING).await;
    }

    async fn close_within(&self, patience: Duration) {
        self.lent.manager().is_closed.store(true, Ordering::Relaxed);
        let all = async {
            while self.lent.status().size > 0 {
                match self.lent.get().await {
                    Ok(object) => {
                        // One that is broken ends all the same.
                        let _ = Held(object).close().await;
                    }
                    // All that are left are in use.
                    Err(_) => sleep(Duration::from_millis(2)).await,
                }
            }
        };
        // All of them are given up, or none is left.
        let _ = timeout(patience, all).await;
        self.lent.close();
    }
}

/// A transaction on a connection of its own. What is not committed did not happen.
pub(super) struct Transaction<DB: Pooled> {
    /// `None` when it is over.
    held: Option<Held<DB>>,
}

impl<DB: Pooled> Transaction<DB> {
    /// Makes what was done lasting.
    pub async fn commit(mut self) -> sqlx::Result<()> {
        let done = DB::TransactionManager::commit(&mut self).await;
        self.end(done)
    }

    /// Takes back what was done.
    pub async fn rollback(mut self) -> sqlx::Result<()> {
        let done = DB::TransactionManager::rollback(&mut self).await;
        self.end(done)
    }

    fn end(mut self, done: sqlx::Result<()>) -> sqlx::Result<()> {
        if done.is_ok()
            && let Some(mut held) = self.held.take()
        {
            held.0.is_open = false;
            held.ended(&done);
        }
        done
    }
}

impl<DB: Pooled> Deref for Transaction<DB> {
    type Target = DB::Connection;
    fn deref(&self) -> &DB::Connection {
        self.held.as_ref().expect("it is not over yet")
    }
}

impl<DB: Pooled> DerefMut for Transaction<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.held.as_mut().expect("it is not over yet")
    }
}

impl<DB: Pooled> Drop for Transaction<DB> {
    fn drop(&mut self) {
        let Some(mut held) = self.held.take() else {
            return;
        };
        // Somebody gave up in the middle. Others wait for the locks that it holds, so it ends now, and with it the
        // connection where that cannot be said any more.
        let ended = async move {
            let rollback = DB::TransactionManager::rollback(&mut held);
            match timeout(ROLLBACK_TIMEOUT, rollback).await {
                Ok(Ok(())) => {
                    held.0.is_open = false;
                    held.ended(&Ok(()));
                }
                _ => drop(Object::take(held.0)),
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(ended)),
            Err(_) => drop(ended),
        }
    }
}

macro_rules! pooled {
    ($kind:ty) => {
        impl Pooled for $kind {
            fn run<'c>(
                connection: &'c mut Self::Connection,
                sql: &'static str,
            ) -> BoxFuture<'c, sqlx::Result<()>> {
                Box::pin(async move { connection.execute(sqlx::raw_sql(sql)).await.map(drop) })
            }
        }

        /// A statement by itself, on whichever connection is free.
        impl<'p> Executor<'p> for &'_ Pool<$kind> {
            type Database = $kind;

            fn fetch_many<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxStream<'e, sqlx::Result<Either<Done<$kind>, Row<$kind>>>>
            where
                E: 'q + Execute<'q, $kind>,
            {
                let pool = self.clone();
                let all = async move {
                    let mut held = pool.acquire().await?;
                    let all: sqlx::Result<Vec<_>> = held.fetch_many(query).try_collect().await;
                    held.ended(&all);
                    all.map(|all| stream::iter(all.into_iter().map(sqlx::Result::Ok)))
                };
                stream::once(all).try_flatten().boxed()
            }

            fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Done<$kind>>>
            where
                'p: 'e,
                E: 'q + Execute<'q, $kind>,
            {
                let pool = self.clone();
                Box::pin(async move {
                    let mut held = pool.acquire().await?;
                    let done = held.execute(query).await;
                    held.ended(&done);
                    done
                })
            }

            fn fetch_all<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxFuture<'e, sqlx::Result<Vec<Row<$kind>>>>
            where
                'p: 'e,
                E: 'q + Execute<'q, $kind>,
            {
                let pool = self.clone();
                Box::pin(async move {
                    let mut held = pool.acquire().await?;
                    let done = held.fetch_all(query).await;
                    held.ended(&done);
                    done
                })
            }

            fn fetch_optional<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxFuture<'e, sqlx::Result<Option<Row<$kind>>>>
            where
                E: 'q + Execute<'q, $kind>,
            {
                let pool = self.clone();
                Box::pin(async move {
                    let mut held = pool.acquire().await?;
                    let done = held.fetch_optional(query).await;
                    held.ended(&done);
                    done
                })
            }

            fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<sqlx::Describe<$kind>>>
            where
                'p: 'e,
            {
                let pool = self.clone();
                Box::pin(async move {
                    let mut held = pool.acquire().await?;
                    let done = held.describe(sql).await;
                    held.ended(&done);
                    done
                })
            }

            fn prepare_with<'e>(
                self,
                sql: SqlStr,
                parameters: &'e [<$kind as Database>::TypeInfo],
            ) -> BoxFuture<'e, sqlx::Result<<$kind as Database>::Statement>>
            where
                'p: 'e,
            {
                let pool = self.clone();
                Box::pin(async move {
                    let mut held = pool.acquire().await?;
                    let done = held.prepare_with(sql, parameters).await;
                    held.ended(&done);
                    done
                })
            }
        }
    };
}

type Row<DB> = <DB as Database>::Row;
type Done<DB> = <DB as Database>::QueryResult;

pooled!(Sqlite);
pooled!(Postgres);

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;

    use super::*;

    #[tokio::test]
    async fn the_end_waits_for_what_is_in_use_and_not_for_ever() {
        const PATIENCE: Duration = Duration::from_millis(400);
        let options = SqliteConnectOptions::new().in_memory(true);
        let pool = Pool::<Sqlite>::connect(options, 2, PATIENCE, None).await;
        let pool = pool.expect("connected");
        let (late, never) = (pool.acquire().await, pool.acquire().await);
        let (late, never) = (late.expect("lent"), never.expect("lent"));
        let back = tokio::spawn(async move {
            sleep(PATIENCE / 2).await;
            drop(late);
        });
        pool.close_within(PATIENCE).await;
        back.await.expect("it came back");
        assert_eq!(pool.lent.status().size, 1, "the one that came back ended");
        assert!(matches!(pool.acquire().await, Err(sqlx::Error::PoolClosed)));
        drop(never);
        assert_eq!(pool.lent.status().size, 0);
    }
}
