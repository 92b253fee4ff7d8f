//! What is kept, in SQLite or PostgreSQL: one text of SQL for both, one file for each table.
//!
//! A method is a sentence of the domain and is atomic. Who may do something once is decided by a
//! conditional `UPDATE … RETURNING` or a unique insert, never by reading and then writing.
//! Transactions do not leave this module.

mod access_token;
mod administrator;
mod audit;
mod backup;
mod client;
mod client_secret;
mod client_token;
mod client_use;
mod code;
mod column;
mod data_key;
mod entitlement;
mod evidence;
mod generations;
mod grant;
mod initial_access_token;
mod job;
mod lease;
mod login;
mod logo;
mod migration;
mod node;
mod person;
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
mod transfer;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Executor, PgPool, Postgres, Sqlite, SqlitePool, Transaction};
use thiserror::Error;

use crate::audit::seal::Notary;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::random::Random;
use crate::secret::MasterKeys;

pub use administrator::{AdminSession, Enrolment};
pub use audit::EventFilter;
pub use backup::{BackUp, BackupError, Installation, Returning, Snapshot};
pub use client::{Activity, ClientFilter, Decided, object};
pub use client_secret::{SecretChange, same_secrets};
pub use data_key::{Generation, IndexKeys, KEPT, Keys, NumberIndex, Purpose, SETTLING, used};
pub use entitlement::EntitlementRequest;
pub use generations::{Cursor, Rolled};
pub use grant::{Exchange, Finish, Kept, Unissued};
pub use login::Old;
pub use node::{NodeName, Waiting};
pub use refresh_token::Rotation;
pub use refusal::{Listed, Place};
pub use registration::{By, Managed};
pub use replay::SignedKind;
pub use restored::Ended as EndedByRestore;
pub use session::{Ended, SessionRow};
pub use signing_key::Revoked;
pub use transfer::{MoveError, Moved, move_database};

/// Either database. There is no third.
#[derive(Clone, Debug)]
pub enum Backend<S, P> {
    /// One node, one file.
    Sqlite(S),
    /// Any number of nodes.
    Postgres(P),
}

type Tx = Backend<Transaction<'static, Sqlite>, Transaction<'static, Postgres>>;

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
}

/// A database that cannot be used.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Neither `sqlite:` nor `postgres:`.
    #[error("database.url must begin with sqlite: or postgres:")]
    Scheme,
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
const SQLITE_CONNECTIONS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;
/// How long a request waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// A node that is gone without a word, with its network or its power, leaves connections that PostgreSQL
/// takes for alive for hours. What such a one was in the middle of must not hold up the others.
const SILENCE: &str = "SET idle_in_transaction_session_timeout = '10s'";
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

/// Connects, without touching the tables.
async fn connect(url: &str) -> std::result::Result<Backend<SqlitePool, PgPool>, OpenError> {
    if url.starts_with("sqlite:") {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(OpenError::Connect)?
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        SqlitePoolOptions::new()
            .max_connections(SQLITE_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT + BUSY_TIMEOUT)
            .connect_with(options)
            .await
            .map(Backend::Sqlite)
            .map_err(OpenError::Connect)
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        let options = PgConnectOptions::from_str(url)
            .map_err(OpenError::Connect)?
            .disable_statement_logging();
        PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(SILENCE).await.map(drop) })
            })
            .connect_with(options)
            .await
            .map(Backend::Postgres)
            .map_err(OpenError::Connect)
    } else {
        Err(OpenError::Scheme)
    }
}

/// Makes or updates the tables.
pub async fn migrate(url: &str) -> std::result::Result<(), OpenError> {
    let db = connect(url).await?;
    let done = migration::bring_up_to_date(&db).await;
    on!(&db, |db| db.close().await);
    done
}

impl Store {
    /// Opens the database at `url`, makes or updates its tables, and opens its keys with the
    /// master keys; the keys are made when there are none, and wrapped anew where a former master key
    /// did it.
    pub async fn open(
        url: &str,
        master: &MasterKeys,
        random: &Random,
        now: crate::clock::Timestamp,
    ) -> std::result::Result<(Store, Keys), OpenError> {
        Store::on(connect(url).await?, master, random, now).await
    }

    async fn on(
        db: Backend<SqlitePool, PgPool>,
        master: &MasterKeys,
        random: &Random,
        now: crate::clock::Timestamp,
    ) -> std::result::Result<(Store, Keys), OpenError> {
        migration::bring_up_to_date(&db).await?;
        let data_key::Opened {
            keys,
            seals,
            wrapper,
            needs_former,
        } = data_key::open_or_make(&db, master, random, now).await?;
        let store = Store {
            db,
            sealer: seals,
            index: keys.index.clone(),
            wrapper,
            needs_former,
            notary: Arc::new(Notary::new(keys.audit.clone())),
            random: random.clone(),
        };
        store.index_clients().await?;
        Ok((store, keys))
    }

    /// Binds the database to one of BankID's environments, at the first start; says to which it is
    /// bound.
    pub async fn bind_environment(&self, environment: &str) -> Result<String> {
        Ok(on!(&self.db, |db| sqlx::query_scalar(
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
        on!(&self.db, |db| sqlx::query(
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

    /// Whether a former master key is still needed to open this database.
    pub fn needs_former_master_key(&self) -> bool {
        self.needs_former
    }

    /// Whether every connection that there may be is in use.
    pub fn is_full(&self) -> bool {
        on!(&self.db, |db| db.num_idle() == 0
            && db.size() >= db.options().get_max_connections())
    }

    /// Whether the tables are those that this version needs. A newer version may have made more.
    pub async fn is_migrated(&self) -> Result<bool> {
        Ok(migration::is_up_to_date(&self.db).await?)
    }

    /// Whether several nodes may share this database.
    pub fn is_shared(&self) -> bool {
        matches!(self.db, Backend::Postgres(_))
    }

    /// Closes every connection.
    pub async fn close(&self) {
        on!(&self.db, |db| db.close().await);
    }

    /// A transaction; on SQLite one that takes the write lock at once, so that it cannot fail in
    /// the middle for want of it.
    async fn begin(&self) -> Result<Tx> {
        begin(&self.db).await
    }
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
