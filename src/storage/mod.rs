//! What is kept, in SQLite or PostgreSQL: one text of SQL for both, one file for each table, but for what
//! PostgreSQL does [`at_once`].
//!
//! A method is a sentence of the domain and is atomic. Who may do something once is decided by a
//! conditional `UPDATE … RETURNING` or a unique insert, never by reading and then writing.
//! Transactions do not leave this module.

mod access_token;
mod administrator;
mod at_once;
mod audit;
mod backup;
mod client;
mod client_secret;
mod client_token;
mod client_use;
mod code;
mod column;
mod condition;
mod conflict;
mod copy;
mod data_key;
mod entitlement;
mod erasure;
mod evidence;
mod generations;
mod grant;
mod initial_access_token;
mod job;
mod known_client;
mod lease;
mod login;
mod logo;
mod migration;
mod node;
mod person;
mod pool;
mod pushed_request;
mod refresh_token;
mod refusal;
mod registration;
mod replay;
mod restored;
mod sealed;
mod session;
mod signing_key;
mod sweep;
mod traces;
mod transfer;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Postgres, Sqlite};
use thiserror::Error;

use crate::audit::seal::Notary;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::random::Random;
use crate::secret::MasterKeys;
use crate::telemetry::metrics::Database;
use known_client::KnownClients;
use migration::Standing;
use pool::{Greeting, Limits, PgPool, Pool, SqlitePool, Transaction};

pub use administrator::{AdminSession, Enrolment};
pub use audit::EventFilter;
pub use backup::{BackUp, BackupError, Installation, Returning, Snapshot};
pub use client::{Activity, ClientFilter, Decided, object};
pub use client_secret::{SecretChange, same_secrets};
pub use condition::Condition;
pub use data_key::{Generation, IndexKeys, KEPT, Keys, NumberIndex, Purpose, SETTLING, used};
pub use entitlement::EntitlementRequest;
pub use erasure::{Erased, Erasure, Wanted};
pub use generations::{Cursor, Rolled};
pub use grant::{Exchange, Finish, Finished, Kept, Unissued};
pub use known_client::KNOWN_FOR;
pub use login::Old;
pub use node::{NodeName, Waiting};
pub use refresh_token::Rotation;
pub use refusal::{Listed, Place};
pub use registration::{By, Managed};
pub use replay::SignedKind;
pub use restored::Ended as EndedByRestore;
pub use session::{Ended, SessionRow};
pub use signing_key::Revoked;
pub use traces::{GrantTrace, Known, LoginTrace, Traces};
pub use transfer::{MoveError, Moved, move_database};

/// Either database. There is no third.
#[derive(Clone, Debug)]
pub enum Backend<S, P> {
    /// One node, one file.
    Sqlite(S),
    /// Any number of nodes.
    Postgres(P),
}

type Tx = Backend<Transaction<Sqlite>, Transaction<Postgres>>;

/// The result of everything that asks the database.
pub type Result<T> = std::result::Result<T, Fault>;

/// The database, with what seals and opens its values.
#[derive(Clone, Debug)]
pub struct Store {
    db: Backend<SqlitePool, PgPool>,
    sealer: data_key::Seals,
    index: IndexKeys,
    wrapper: data_key::Wrapper,
    needs_former: bool,
    notary: Arc<Notary>,
    random: Random,
    measured: Database,
    clients: KnownClients,
    /// Whether others may use keys that this node does not know: then it writes nothing.
    is_behind: Arc<AtomicBool>,
}

/// The connections to the database.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// How many somebody holds.
    pub in_use: usize,
    /// How many wait for somebody.
    pub idle: usize,
    /// How many there may be.
    pub limit: usize,
}

/// A database that cannot be used.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Neither `sqlite:` nor `postgres:`.
    #[error("database.url must begin with sqlite: or postgres:")]
    Scheme,
    /// There is no such file.
    #[error(
        "there is no database at {}: `portvakt migrate` makes one. If there was one, look whether its volume is mounted and where database.url leads", .0.display()
    )]
    Missing(PathBuf),
    /// There is nothing in it.
    #[error(
        "the database has no tables: `portvakt migrate` makes them. If it had some, look whether its volume is mounted and where database.url leads"
    )]
    Unmade,
    /// An older version made its tables.
    #[error(
        "the database is as an older version of this program left it: take a backup, and bring it up to date by `portvakt migrate`, or by starting a node"
    )]
    Behind,
    /// Its file cannot be made.
    #[error("the database cannot be made: {}: {}", .0.display(), .1)]
    Make(PathBuf, io::Error),
    /// It cannot be reached.
    #[error("the database cannot be opened: {0}")]
    Connect(sqlx::Error),
    /// A newer version changed its tables in a way that this one cannot live with.
    #[error(
        "the database is of a newer version of this program, which has changed its tables ({0}: {1}): use that version, or one after it"
    )]
    Newer(i64, String),
    /// Its tables cannot be made.
    #[error("the database cannot be migrated: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Its keys were wrapped by a key that is not at hand.
    #[error(
        "keys: this database was made with another master key, and none of the former ones opens it either"
    )]
    MasterKey,
    /// Its keys cannot be read.
    #[error(transparent)]
    Keys(#[from] Fault),
}

/// Few, because SQLite has one writer: with sixteen a race of writers was twenty times slower.
const SQLITE_CONNECTIONS: usize = 4;
const POSTGRES_CONNECTIONS: usize = 16;
/// How long a request waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the answer to a statement is waited for. For people: longer than a writer waits for another one in SQLite,
/// and no time that a person would wait. Beside them: longer than anything takes that is done while others are served;
/// it would otherwise wait for ever for a server that is gone, and remove nothing any more.
const ANSWER_TIMEOUT: Limits = Limits {
    people: Duration::from_secs(20),
    beside: Duration::from_secs(15 * 60),
};
/// A node that is gone without a word, with its network or its power, leaves connections that PostgreSQL
/// takes for alive for hours. What such a one was in the middle of must not hold up the others. And a statement whose
/// answer nobody waits for any more should end, or one after the other would wait for what it waits for, until there is
/// no room for a connection; from version 14 on, PostgreSQL looks whether somebody is still there, if the system that it
/// runs on can tell it (it cannot on Windows).
const GREETING: Greeting = Greeting {
    needed: "SET idle_in_transaction_session_timeout = '10s'",
    wished: Some(
        "SELECT set_config(name, '2s', false) FROM pg_settings
          WHERE name = 'client_connection_check_interval'",
    ),
};
/// How long a writer waits for another one in SQLite.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs one sqlx expression against whichever database is behind the handle.
macro_rules! on {
    ($handle:expr, |$db:ident| $query:expr) => {
        match $handle {
            $crate::storage::Backend::Sqlite($db) => $query,
            $crate::storage::Backend::Postgres($db) => $query,
        }
    };
}
pub(crate) use on;

/// Runs a statement by itself, and again while the database gives it up ([`conflict`]).
macro_rules! alone {
    ($store:expr, |$db:ident| $query:expr) => {{
        let mut tries = $crate::storage::conflict::Tries::default();
        loop {
            let done = $crate::storage::on!(&$store.db, |$db| $query);
            if !tries.another(&done, $store).await {
                break done;
            }
        }
    }};
}
pub(crate) use alone;

/// Runs a transaction from its beginning to its commit, and again while the database gives it up
/// ([`conflict`]). A macro, because of what an async closure borrows the compiler cannot tell yet that it may
/// go to another thread.
macro_rules! whole {
    ($store:expr, { $($transaction:tt)* }) => {{
        let mut tries = $crate::storage::conflict::Tries::default();
        loop {
            let done: $crate::storage::Result<_> = async { $($transaction)* }.await;
            if !tries.another(&done, $store).await {
                break done;
            }
        }
    }};
}
pub(crate) use whole;

/// Connects to what there is, without touching the tables.
async fn connect(url: &str) -> std::result::Result<Backend<SqlitePool, PgPool>, OpenError> {
    if url.starts_with("sqlite:") {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(OpenError::Connect)?
            .create_if_missing(false)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            // What was removed is overwritten, so that nobody finds it in the file.
            .pragma("secure_delete", "ON")
            .disable_statement_logging();
        let file = options.get_filename();
        if matches!(file.try_exists(), Ok(false)) {
            return Err(OpenError::Missing(file.to_owned()));
        }
        let patience = ACQUIRE_TIMEOUT + BUSY_TIMEOUT;
        Pool::connect(options, SQLITE_CONNECTIONS, patience, None)
            .await
            .map(Backend::Sqlite)
            .map_err(OpenError::Connect)
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        let options = PgConnectOptions::from_str(url)
            .map_err(OpenError::Connect)?
            .disable_statement_logging();
        Pool::connect(
            options,
            POSTGRES_CONNECTIONS,
            ACQUIRE_TIMEOUT,
            Some(GREETING),
        )
        .await
        .map(Backend::Postgres)
        .map_err(OpenError::Connect)
    } else {
        Err(OpenError::Scheme)
    }
}

/// What is done where a database is not as this version needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tables {
    /// It is made, where there is none, and brought up to date.
    Make,
    /// It is brought up to date, and must have been made before.
    Update,
    /// Nothing.
    Leave,
}

async fn connect_to(
    url: &str,
    tables: Tables,
) -> std::result::Result<Backend<SqlitePool, PgPool>, OpenError> {
    if tables == Tables::Make {
        make_file(url)?;
    }
    let db = connect(url).await?;
    let ready = match (migration::look(&db).await, tables) {
        (Ok(Standing::UpToDate), _) => Ok(()),
        (Ok(_), Tables::Make) | (Ok(Standing::Behind), Tables::Update) => {
            migration::bring_up_to_date(&db).await
        }
        (Ok(Standing::Unmade), _) => Err(OpenError::Unmade),
        (Ok(Standing::Behind), Tables::Leave) => Err(OpenError::Behind),
        (Err(error), _) => Err(error),
    };
    if let Err(error) = ready {
        on!(&db, |db| db.close().await);
        return Err(error);
    }
    Ok(db)
}

/// Makes the file of a SQLite database where there is none.
fn make_file(url: &str) -> std::result::Result<(), OpenError> {
    if !url.starts_with("sqlite:") {
        return Ok(());
    }
    let options = SqliteConnectOptions::from_str(url).map_err(OpenError::Connect)?;
    let file = options.get_filename();
    // Nobody else may read it. What SQLite puts beside it gets the same mode.
    let mut private = OpenOptions::new();
    private.write(true).create_new(true).mode(0o600);
    match private.open(file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(OpenError::Make(file.to_owned(), error))
        }
        _ => Ok(()),
    }
}

/// Makes or updates the database and its tables.
pub async fn migrate(url: &str) -> std::result::Result<(), OpenError> {
    let db = connect_to(url, Tables::Make).await?;
    on!(&db, |db| db.close().await);
    Ok(())
}

/// Updates the tables of a database that was made before.
pub async fn update(url: &str) -> std::result::Result<(), OpenError> {
    let db = connect_to(url, Tables::Update).await?;
    on!(&db, |db| db.close().await);
    Ok(())
}

impl Store {
    /// Opens the database at `url`, and its keys with the master keys. The database is made where there is
    /// none, and brought up to date; the keys are made when there are none, and wrapped anew where a former
    /// master key did it.
    pub async fn open(
        url: &str,
        master: &MasterKeys,
        random: &Random,
        now: crate::clock::Timestamp,
    ) -> std::result::Result<(Store, Keys), OpenError> {
        Store::on(connect_to(url, Tables::Make).await?, master, random, now).await
    }

    /// The same for a database that was made before. An empty one in its place, as where a volume is not
    /// mounted, would make everybody somebody else.
    pub async fn open_made(
        url: &str,
        master: &MasterKeys,
        random: &Random,
        now: crate::clock::Timestamp,
    ) -> std::result::Result<(Store, Keys), OpenError> {
        Store::on(connect_to(url, Tables::Update).await?, master, random, now).await
    }

    /// The same without a change to its tables: one that is behind is refused.
    pub async fn open_unchanged(
        url: &str,
        master: &MasterKeys,
        random: &Random,
        now: crate::clock::Timestamp,
    ) -> std::result::Result<(Store, Keys), OpenError> {
        Store::on(connect_to(url, Tables::Leave).await?, master, random, now).await
    }

    /// On tables that are as this version needs them.
    async fn on(
        db: Backend<SqlitePool, PgPool>,
        master: &MasterKeys,
        random: &Random,
        now: crate::clock::Timestamp,
    ) -> std::result::Result<(Store, Keys), OpenError> {
        let data_key::Opened {
            keys,
            seals,
            wrapper,
            needs_former,
        } = data_key::open_or_make(&db, master, random, now).await?;
        let measured = Database {
            waits: on!(&db, |db| db.waits()),
            ..Database::default()
        };
        let store = Store {
            db,
            sealer: seals,
            index: keys.index.clone(),
            wrapper,
            needs_former,
            notary: Arc::new(Notary::new(keys.audit.clone())),
            random: random.clone(),
            measured,
            clients: KnownClients::default(),
            is_behind: Arc::default(),
        };
        store.index_clients().await?;
        Ok((store, keys))
    }

    /// Binds the database to one of BankID's environments, at the first start; says to which it is
    /// bound.
    pub async fn bind_environment(&self, environment: &str) -> Result<String> {
        Ok(alone!(self, |db| sqlx::query_scalar(
            "INSERT INTO installation (id, environment) VALUES (1, $1)
             ON CONFLICT (id) DO UPDATE SET environment = installation.environment
             RETURNING environment"
        )
        .bind(environment)
        .fetch_one(db)
        .await)?)
    }

    /// Keeps whose logins the database holds.
    pub async fn note_issuer(&self, issuer: &str) -> Result<()> {
        alone!(self, |db| sqlx::query(
            "UPDATE installation SET issuer = $1 WHERE issuer IS DISTINCT FROM $1"
        )
        .bind(issuer)
        .execute(db)
        .await
        .map(|_| ())
        .map_err(Fault::from))
    }

    /// What time it is for the database; `None` where that is this machine's own clock.
    pub async fn clock(&self) -> Result<Option<Timestamp>> {
        match &self.db {
            Backend::Sqlite(db) => {
                sqlx::query("SELECT 1").execute(db).await?;
                Ok(None)
            }
            Backend::Postgres(db) => {
                let now = "SELECT EXTRACT(EPOCH FROM clock_timestamp())::BIGINT";
                Ok(Some(sqlx::query_scalar(now).fetch_one(db).await?))
            }
        }
    }

    /// How many bytes there is room for on the disk of the database, where that is this machine's and says so.
    pub fn room(&self) -> Option<u64> {
        let Backend::Sqlite(db) = &self.db else {
            return None;
        };
        let options = db.connect_options();
        let disk = rustix::fs::statvfs(options.get_filename()).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Whether a former master key is still needed to open this database.
    pub fn needs_former_master_key(&self) -> bool {
        self.needs_former
    }

    /// Whether every connection that there may be is in use.
    pub fn is_full(&self) -> bool {
        on!(&self.db, |db| db.is_full())
    }

    /// How its connections are used.
    pub fn connections(&self) -> Connections {
        on!(&self.db, |db| db.connections())
    }

    /// Whether the tables are those that this version needs. A newer version may have made more.
    pub async fn is_migrated(&self) -> Result<bool> {
        Ok(migration::is_up_to_date(&self.db).await?)
    }

    /// Whether several nodes may share this database.
    pub fn is_shared(&self) -> bool {
        matches!(self.db, Backend::Postgres(_))
    }

    /// From now on no statement is waited for longer than people wait, or by a patient one ([`Store::patient`]) than
    /// anything takes beside them. What takes as long as there is to do, as making tables or copying a database, is
    /// done without this.
    pub fn serve(&self) {
        on!(&self.db, |db| db.give_up_after(ANSWER_TIMEOUT));
    }

    /// The same database for what takes its time beside the service.
    pub fn patient(&self) -> Store {
        let db = match &self.db {
            Backend::Sqlite(db) => Backend::Sqlite(db.patient()),
            Backend::Postgres(db) => Backend::Postgres(db.patient()),
        };
        Store { db, ..self.clone() }
    }

    /// From now on nothing goes over connections of other runtimes than the one that this is called on: they
    /// are about to end.
    pub fn stay_here(&self) {
        on!(&self.db, |db| db.stay_here());
    }

    /// Closes every connection.
    pub async fn close(&self) {
        on!(&self.db, |db| db.close().await);
    }

    /// Whether this node has not been able to read the keys of the database for so long that others may use
    /// keys which it does not know. What it would write could be lost, and whom it does not find may be there.
    pub fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::Relaxed)
    }

    /// Says so, or that it is over.
    pub fn set_behind(&self, is_behind: bool) {
        self.is_behind.store(is_behind, Ordering::Relaxed);
    }

    /// A transaction; on SQLite one that takes the write lock at once, so that it cannot fail in
    /// the middle for want of it.
    async fn begin(&self) -> Result<Tx> {
        if self.is_behind() {
            return Err(Fault::KeysUnknown);
        }
        begin(&self.db).await
    }
}

/// Whether nothing came back from the database: no connection, or no answer.
pub fn is_of_no_answer(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::PoolTimedOut) || pool::is_silence(error)
}

async fn begin(db: &Backend<SqlitePool, PgPool>) -> Result<Tx> {
    Ok(match db {
        Backend::Sqlite(db) => Backend::Sqlite(db.begin_with("BEGIN IMMEDIATE").await?),
        Backend::Postgres(db) => Backend::Postgres(db.begin().await?),
    })
}

async fn commit(tx: Tx) -> Result<()> {
    Ok(on!(tx, |tx| tx.commit().await)?)
}

async fn rollback(tx: Tx) -> Result<()> {
    Ok(on!(tx, |tx| tx.rollback().await)?)
}
