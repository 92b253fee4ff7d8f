//! The connections to the database. They are lent one by one and come back by themselves.
//!
//! sqlx's own pool asks a connection twice in each use whether it is alive, before and after, which is
//! two thirds of what a short statement costs. Here one is asked when something went wrong on it, or when
//! nobody used it for a moment. And no pool minds who made a connection: what comes over it wakes the threads
//! of the runtime that it was made on, which then wake those that wait for it. Here whoever wants one
//! gets one of its own runtime's where there is one, and otherwise another's while one is made.

mod lent;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use futures_util::future::BoxFuture;
use prometheus_client::metrics::histogram::Histogram;
use sqlx::{ConnectOptions, Connection, Database, Executor, Postgres, Sqlite};
use thiserror::Error;
use tokio::runtime::{Handle, Id};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep, Timeout, sleep, timeout};

use super::Connections;
use crate::telemetry::metrics::waits;

pub(super) use lent::{Held, Transaction};

/// After how long without use a connection is asked whether it is alive.
const DOUBTED_AFTER: Duration = Duration::from_millis(100);
/// How long it may take to say so. Whoever waits for a connection has more patience, and gets another one.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
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
    /// Whether what comes over a connection wakes the runtime that it was made on.
    const HAS_HOME: bool;

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
    shared: Arc<Shared<DB>>,
    /// Whether it is for what is done beside the service ([`Limits::beside`]).
    is_patient: bool,
}

impl<DB: Pooled> Clone for Pool<DB> {
    fn clone(&self) -> Pool<DB> {
        Pool {
            shared: self.shared.clone(),
            is_patient: self.is_patient,
        }
    }
}

impl<DB: Pooled> fmt::Debug for Pool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

struct Shared<DB: Pooled> {
    options: Options<DB>,
    /// The runtime that what takes its time is timed by. Work may go on when the one that it began on has ended, and
    /// with it its timers.
    timers: Handle,
    /// What each connection is told first.
    greeting: Option<Greeting>,
    /// How long whoever wants a connection waits for one.
    patience: Duration,
    /// How long that was.
    waits: Histogram,
    /// How many connections there may be.
    most: usize,
    /// One for each that may be in use; first come, first served.
    permits: Arc<Semaphore>,
    /// How many there are, idle, in use or being made.
    room: Arc<Room>,
    /// Those that nobody uses, the one that was used last at the end.
    idle: Mutex<Vec<Kept<DB>>>,
    /// Whether one is being made for whoever comes next.
    is_preparing: AtomicBool,
    /// The runtime whose connections alone are used, when the others are about to end.
    only: OnceLock<Id>,
    /// How long the answer to a statement is waited for, once anybody is served.
    limits: OnceLock<Limits>,
    /// Whether nobody waits any more for those that come back.
    is_over: AtomicBool,
}

/// How long the answer to a statement is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Where somebody waits to be served.
    pub people: Duration,
    /// Beside that.
    pub beside: Duration,
}

/// What a connection is told first.
#[derive(Clone, Copy, Debug)]
pub struct Greeting {
    /// What it must take.
    pub needed: &'static str,
    /// What it is done without where the database refuses it.
    pub wished: Option<&'static str>,
}

/// A connection, and what is thought of it.
struct Kept<DB: Pooled> {
    connection: DB::Connection,
    /// The runtime that it was made on, where that matters.
    home: Option<Home>,
    made: Instant,
    used: Instant,
    /// Whether its last use did not end, or not well.
    is_doubted: bool,
    /// Whether a transaction began on it, or may have, and did not end.
    is_open: bool,
    /// Whether it ended, or its server is silent.
    is_lost: bool,
    _place: Place,
}

/// A runtime that a connection was made on. When its threads have ended, nothing arrives over it any more.
struct Home {
    id: Id,
    /// A task that waits for ever, and so ends only with them.
    witness: AbortHandle,
}

impl Home {
    fn here() -> Home {
        Home {
            id: Handle::current().id(),
            witness: tokio::spawn(std::future::pending::<()>()).abort_handle(),
        }
    }

    fn is_there(&self) -> bool {
        !self.witness.is_finished()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.witness.abort();
    }
}

/// How many connections there are.
struct Room {
    count: AtomicUsize,
    /// Told when those who wait may find a connection, or room for one.
    changed: Notify,
}

/// A connection's place among those that there may be.
struct Place(Arc<Room>);

impl Place {
    /// One more, unless there are as many as there may be.
    fn take(room: &Arc<Room>, most: usize) -> Option<Place> {
        let more = |count| (count < most).then_some(count + 1);
        let taken = room
            .count
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        taken.is_ok().then(|| Place(room.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }
}

impl<DB: Pooled> Shared<DB> {
    /// Waits for something no longer than this.
    fn timed<F: Future>(&self, limit: Duration, work: F) -> Timeout<F> {
        let _timers = self.timers.enter();
        timeout(limit, work)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Kept<DB>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One to use from here: the last that was used here, or else that one of another runtime's which has been
    /// idle for the longest time, and then one is made here for the next who asks.
    fn choose(self: &Arc<Self>, here: Option<Id>) -> Option<Kept<DB>> {
        let borrowed = {
            let mut idle = self.idle();
            if let Some(only) = self.only.get() {
                idle.retain(|kept| kept.is_of(Some(*only)));
            }
            if let Some(place) = idle.iter().rposition(|kept| kept.is_of(here)) {
                return Some(idle.remove(place));
            }
            (!idle.is_empty()).then(|| idle.remove(0))
        };
        if borrowed.is_some() {
            self.prepare();
        }
        borrowed
    }

    /// Sets out to make one, if there may be one more. Whoever asked may take another one meanwhile, or go away:
    /// then it is for whoever comes next.
    fn make(self: &Arc<Self>) -> Option<oneshot::Receiver<sqlx::Result<Kept<DB>>>> {
        let place = Place::take(&self.room, self.most)?;
        let (shared, (made, asker)) = (self.clone(), oneshot::channel());
        // A task of the runtime that it is for, which never goes to another one.
        tokio::spawn(async move {
            let connected = timeout(shared.patience, shared.connect()).await;
            let connected = connected.unwrap_or(Err(sqlx::Error::PoolTimedOut));
            let kept = connected.map(|(connection, home)| Kept::new(connection, home, place));
            if let Err(Ok(kept)) = made.send(kept) {
                shared.take_back(kept);
            }
        });
        Some(asker)
    }

    /// Sets out to make one for the next who asks here, unless somebody is at it.
    fn prepare(self: &Arc<Self>) {
        if self.is_preparing.swap(true, Ordering::AcqRel) {
            return;
        }
        let preparing = Preparing(self.clone());
        let Some(asker) = self.make() else {
            return;
        };
        tokio::spawn(async move {
            if let Ok(Ok(kept)) = asker.await {
                preparing.0.take_back(kept);
            }
        });
    }

    /// Puts a connection among those that nobody uses, as long as somebody may still want it.
    fn take_back(&self, mut kept: Kept<DB>) {
        if !self.is_over.load(Ordering::Relaxed) {
            kept.used = Instant::now();
            self.idle().push(kept);
            self.room.changed.notify_waiters();
        }
    }

    /// Whoever asks while a server starts again waits for it.
    async fn connect(&self) -> sqlx::Result<(DB::Connection, Option<Home>)> {
        // Whoever waits for it is told why there is none, and not only that there is none.
        let patience = self.patience.saturating_sub(PAUSES.1);
        let (latest, mut pause) = (Instant::now() + patience, PAUSES.0);
        loop {
            match self.try_connect().await {
                Err(error) if DB::is_starting(&error) && Instant::now() + pause < latest => {
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
                done => return done,
            }
        }
    }

    async fn try_connect(&self) -> sqlx::Result<(DB::Connection, Option<Home>)> {
        let home = DB::HAS_HOME.then(Home::here);
        let mut connection = self.options.connect().await?;
        let Some(greeting) = self.greeting else {
            return Ok((connection, home));
        };
        DB::run(&mut connection, greeting.needed).await?;
        if let Some(wished) = greeting.wished {
            match DB::run(&mut connection, wished).await {
                Err(error @ sqlx::Error::Database(_)) => {
                    tracing::debug!(%error, "the database does not take a setting");
                }
                done => done?,
            }
        }
        Ok((connection, home))
    }
}

/// That one is being made for the next.
struct Preparing<DB: Pooled>(Arc<Shared<DB>>);

impl<DB: Pooled> Drop for Preparing<DB> {
    fn drop(&mut self) {
        self.0.is_preparing.store(false, Ordering::Release);
    }
}

impl<DB: Pooled> Kept<DB> {
    /// Whether it was made on a runtime, or none is better than another.
    fn is_of(&self, here: Option<Id>) -> bool {
        self.home.as_ref().map(|home| home.id) == here
    }

    fn new(connection: DB::Connection, home: Option<Home>, place: Place) -> Kept<DB> {
        let now = Instant::now();
        Kept {
            connection,
            home,
            made: now,
            used: now,
            is_doubted: false,
            is_open: false,
            is_lost: false,
            _place: place,
        }
    }

    /// Whether it can be used.
    async fn is_fit(&mut self, shared: &Shared<DB>) -> bool {
        if self.made.elapsed() > LIFETIME || self.home.as_ref().is_some_and(|it| !it.is_there()) {
            return false;
        }
        if self.is_doubted || self.used.elapsed() > DOUBTED_AFTER {
            let alive = shared.timed(PING_TIMEOUT, self.connection.ping()).await;
            return matches!(alive, Ok(Ok(())));
        }
        true
    }
}

/// What somebody waits for who wants a connection.
#[derive(Default)]
struct Stage(AtomicU8);

impl Stage {
    const MADE: u8 = 1;
    const ALIVE: u8 = 2;

    fn is(&self, stage: u8) {
        self.0.store(stage, Ordering::Relaxed);
    }

    fn name(&self) -> &'static str {
        match self.0.load(Ordering::Relaxed) {
            Stage::MADE => "a new connection, or one that comes back",
            Stage::ALIVE => "a word of the server's",
            _ => "their turn",
        }
    }
}

impl<DB: Pooled> Pool<DB> {
    /// So many connections at the most, of which the first is made now. Whoever wants one waits for `patience`.
    pub async fn connect(
        options: Options<DB>,
        most: usize,
        patience: Duration,
        greeting: Option<Greeting>,
    ) -> sqlx::Result<Pool<DB>> {
        let shared = Shared {
            options,
            timers: Handle::current(),
            greeting,
            patience,
            waits: waits(),
            most,
            permits: Arc::new(Semaphore::new(most)),
            room: Arc::new(Room {
                count: AtomicUsize::new(0),
                changed: Notify::new(),
            }),
            idle: Mutex::new(Vec::new()),
            is_preparing: AtomicBool::new(false),
            only: OnceLock::new(),
            limits: OnceLock::new(),
            is_over: AtomicBool::new(false),
        };
        let pool = Pool {
            shared: Arc::new(shared),
            is_patient: false,
        };
        pool.acquire().await?;
        Ok(pool)
    }

    /// A connection for several statements.
    pub async fn acquire(&self) -> sqlx::Result<Held<DB>> {
        let (since, stage) = (Instant::now(), Stage::default());
        let patience = self.shared.patience;
        let held = self.shared.timed(patience, self.held(&stage)).await;
        self.shared.waits.observe(since.elapsed().as_secs_f64());
        held.unwrap_or_else(|_| {
            tracing::warn!(waited_for = stage.name(), "no connection in time");
            Err(sqlx::Error::PoolTimedOut)
        })
    }

    async fn held(&self, stage: &Stage) -> sqlx::Result<Held<DB>> {
        let shared = &self.shared;
        let permit = shared.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| sqlx::Error::PoolClosed)?;
        let here = DB::HAS_HOME.then(|| Handle::current().id());
        let mut made: Option<oneshot::Receiver<_>> = None;
        let mut kept = loop {
            stage.is(Stage::MADE);
            // Before anything is looked for, so that no change after that is missed.
            let changed = shared.room.changed.notified();
            let mut kept = match shared.choose(here) {
                Some(kept) => kept,
                None => {
                    made = made.or_else(|| shared.make());
                    let Some(asked) = &mut made else {
                        // All that there may be are in use or being made, and of those one is for us.
                        changed.await;
                        continue;
                    };
                    let answer = tokio::select! {
                        biased;
                        answer = asked => answer,
                        // One that comes back meanwhile serves as well.
                        () = changed => continue,
                    };
                    made = None;
                    match answer {
                        Ok(Ok(kept)) => kept,
                        Ok(Err(error)) => shared.choose(here).ok_or(error)?,
                        // The runtime ends that it was made on, and this goes on elsewhere.
                        Err(_) => continue,
                    }
                }
            };
            stage.is(Stage::ALIVE);
            if kept.is_fit(shared).await {
                break kept;
            }
        };
        // One that was made meanwhile is for the next.
        if let Some(mut asked) = made {
            asked.close();
            if let Ok(Ok(kept)) = asked.try_recv() {
                shared.take_back(kept);
            }
        }
        // Should its use be broken off.
        kept.is_doubted = true;
        Ok(Held::new(kept, self.clone(), permit))
    }

    /// A transaction.
    pub async fn begin(&self) -> sqlx::Result<Transaction<DB>> {
        self.begin_with("BEGIN").await
    }

    /// A transaction that begins by this statement.
    pub async fn begin_with(&self, statement: &'static str) -> sqlx::Result<Transaction<DB>> {
        let mut tries = 0..=self.shared.most;
        loop {
            let mut held = self.acquire().await?;
            match held.begin(statement).await {
                Ok(()) => return Ok(Transaction::on(held)),
                // One that broke since it was last used: nothing was done on it yet.
                Err(error)
                    if DB::is_gone(&error) && !is_silence(&error) && tries.next().is_some() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether every connection that there may be is in use.
    pub fn is_full(&self) -> bool {
        self.shared.permits.available_permits() == 0
    }

    /// How they are used.
    pub fn connections(&self) -> Connections {
        Connections {
            in_use: self.shared.most - self.shared.permits.available_permits(),
            idle: self.shared.idle().len(),
            limit: self.shared.most,
        }
    }

    /// How long whoever wanted one waited for it.
    pub fn waits(&self) -> Histogram {
        self.shared.waits.clone()
    }

    /// How it connects.
    pub fn connect_options(&self) -> &Options<DB> {
        &self.shared.options
    }

    /// From now on only connections of the runtime that this is called on are used: the others are about to end,
    /// and with them what is on its way over theirs.
    pub fn stay_here(&self) {
        if DB::HAS_HOME {
            let _ = self.shared.only.set(Handle::current().id());
        }
    }

    /// From now on an answer is waited for no longer than this. Whoever serves people sets it: a server that
    /// falls silent in the middle, with its machine or the way there, would keep every connection in use until the
    /// network gives up, a quarter of an hour later, also where another server has long taken its place. And the
    /// network never does where the question had arrived.
    pub fn give_up_after(&self, limits: Limits) {
        let _ = self.shared.limits.set(limits);
    }

    /// The same connections, for what is done beside the service.
    pub fn patient(&self) -> Pool<DB> {
        Pool {
            shared: self.shared.clone(),
            is_patient: true,
        }
    }

    fn limit(&self) -> Option<Duration> {
        let limits = self.shared.limits.get()?;
        Some(match self.is_patient {
            true => limits.beside,
            false => limits.people,
        })
    }

    /// A pause, which is one wherever the work goes on.
    pub fn pause(&self, length: Duration) -> Sleep {
        let _timers = self.shared.timers.enter();
        sleep(length)
    }

    /// Ends every connection, those in use when they come back. It takes no longer than [`CLOSING`], whatever
    /// they are at: what is left then ends with the program.
    pub async fn close(&self) {
        self.close_within(CLOSING).await;
    }

    async fn close_within(&self, patience: Duration) {
        self.shared.permits.close();
        let all = async {
            while self.shared.room.count.load(Ordering::Acquire) > 0 {
                let idle = self.shared.idle().pop();
                match idle {
                    // One that is broken ends all the same.
                    Some(kept) => drop(kept.connection.close().await),
                    // All that are left are in use.
                    None => sleep(Duration::from_millis(2)).await,
                }
            }
        };
        let _ = timeout(patience, all).await;
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

/// No answer came in time. The network has said nothing: it may be that the statement is done, or will be.
#[derive(Debug, Error)]
#[error("the database did not answer in time")]
struct Silence;

impl Silence {
    fn error() -> sqlx::Error {
        sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, Silence))
    }
}

/// Whether nothing came back from the database for as long as one waits for it.
pub(crate) fn is_silence(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.get_ref().is_some_and(|inner| inner.is::<Silence>()),
        _ => false,
    }
}

macro_rules! pooled {
    ($kind:ty, $has_home:literal) => {
        impl Pooled for $kind {
            const HAS_HOME: bool = $has_home;

            fn run<'c>(
                connection: &'c mut Self::Connection,
                sql: &'static str,
            ) -> BoxFuture<'c, sqlx::Result<()>> {
                Box::pin(async move { connection.execute(sqlx::raw_sql(sql)).await.map(drop) })
            }
        }
    };
}

// SQLite's connections each have a thread of their own.
pooled!(Sqlite, false);
pooled!(Postgres, true);
