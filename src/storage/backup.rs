//! Copies of a SQLite database in one file, made while it is used, and put back.
//!
//! PostgreSQL has tools of its own for that.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use thiserror::Error;

use super::copy::{BESIDE, Copy, beside, reserve};
use super::migration;
use super::pool::Pool;
use super::{BUSY_TIMEOUT, Backend, Keys, OpenError, Result as Stored, Store, alone, on};
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::random::Random;
use crate::secret::MasterKeys;

/// Why nothing was copied, or put back.
#[derive(Debug, Error)]
pub enum BackupError {
    /// It is not a file.
    #[error(
        "the database is PostgreSQL: it is backed up and restored by pg_dump, pg_basebackup or a replica, as docs/backup.md says"
    )]
    Postgres,
    /// There is something already.
    #[error("{} is there already, and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// What belongs to another file would be read into this one, or somebody is at it.
    #[error(
        "{} is there: a database is or was used with it. Stop the provider; if nothing uses it any more, move it away with its database", .0.display()
    )]
    Log(PathBuf),
    /// Somebody has it open.
    #[error("{} is in use ({}): stop the provider first", .0.display(), .1)]
    Used(PathBuf, sqlx::Error),
    /// A file.
    #[error("{}: {}", .0.display(), .1)]
    File(PathBuf, io::Error),
    /// The database in a file.
    #[error("{}: {}", .0.display(), .1)]
    Database(PathBuf, Fault),
    /// What is in it is not whole.
    #[error("{}: {}", .0.display(), .1)]
    Unsound(PathBuf, String),
    /// It cannot be opened as ours.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A part of the work.
    #[error(transparent)]
    Fault(#[from] Fault),
}

pub(super) type Result<T> = std::result::Result<T, BackupError>;

/// A copy that was made and read again.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// How many tables are in it.
    pub tables: usize,
    /// How many rows.
    pub rows: i64,
}

/// What a database is for.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Installation {
    /// BankID's environment.
    pub environment: String,
    /// Whose logins it holds, if it was served since that is kept.
    pub issuer: Option<String>,
}

/// The file that a SQLite database is in.
pub(super) fn file_of(url: &str) -> Result<PathBuf> {
    if !url.starts_with("sqlite:") {
        return Err(BackupError::Postgres);
    }
    let options = SqliteConnectOptions::from_str(url).map_err(OpenError::Connect)?;
    Ok(options.get_filename().to_owned())
}

/// A copy of a database that is about to be made.
pub struct BackUp {
    from: PathBuf,
    to: PathBuf,
    copy: Copy,
}

impl BackUp {
    /// Makes sure that the database at `url` can be copied to a file of this name, which is not there yet.
    pub fn begin(url: &str, to: &Path, random: &Random, now: Timestamp) -> Result<BackUp> {
        let from = file_of(url)?;
        if !from.exists() {
            return Err(BackupError::File(from, io::ErrorKind::NotFound.into()));
        }
        // Told before the work; whether the name is free is decided when it is taken.
        if fs::symlink_metadata(to).is_ok() {
            return Err(BackupError::Exists(to.to_owned()));
        }
        in_utf8(to)?;
        let copy = Copy::begin(to, random, now)?;
        let to = to.to_owned();
        Ok(BackUp { from, to, copy })
    }

    /// Copies the database as it is at one moment, while others read and write it. The file is whole or is
    /// not there, and nobody else may read it.
    pub async fn end(self) -> Result<Snapshot> {
        let BackUp { from, to, copy } = self;
        let failed = |error: sqlx::Error| BackupError::Database(from.clone(), error.into());
        let mut db = writable(&from).await.map_err(failed)?;
        let name = in_utf8(copy.path())?;
        let (counted, was_still) = copy_into(&mut db, name).await.map_err(failed)?;
        let _ = db.close().await;
        let found = verify(copy.path()).await?;
        // Compared where nobody wrote meanwhile: otherwise both are right, each at its moment.
        if was_still && counted != found {
            let why = "the copy does not have as many rows as the database".to_owned();
            return Err(BackupError::Unsound(copy.path().to_owned(), why));
        }
        copy.keep(&to)?;
        Ok(Snapshot {
            tables: found.len(),
            rows: found.iter().map(|(_, rows)| rows).sum(),
        })
    }
}

/// A name that SQLite can be told.
fn in_utf8(file: &Path) -> Result<&str> {
    let no_name = || {
        let why = "SQLite knows files by names in UTF-8 alone";
        let why = io::Error::new(io::ErrorKind::InvalidFilename, why);
        BackupError::File(file.to_owned(), why)
    };
    file.to_str().ok_or_else(no_name)
}

/// The rows of each table before, and whether nobody has written until it was copied.
async fn copy_into(
    db: &mut SqliteConnection,
    to: &str,
) -> std::result::Result<(Vec<(String, i64)>, bool), sqlx::Error> {
    let before = data_version(db).await?;
    let counted = rows(db).await?;
    sqlx::query("VACUUM INTO $1")
        .bind(to)
        .execute(&mut *db)
        .await?;
    Ok((counted, data_version(db).await? == before))
}

/// Changes with each commit of somebody else.
async fn data_version(db: &mut SqliteConnection) -> std::result::Result<i64, sqlx::Error> {
    sqlx::query_scalar("PRAGMA data_version")
        .fetch_one(db)
        .await
}

pub(super) async fn rows(
    db: &mut SqliteConnection,
) -> std::result::Result<Vec<(String, i64)>, sqlx::Error> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .fetch_all(&mut *db)
    .await?;
    let mut counted = Vec::new();
    for table in tables {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM \"{table}\""));
        let count = sqlx::query_scalar(count).fetch_one(&mut *db).await?;
        counted.push((table, count));
    }
    Ok(counted)
}

async fn writable(file: &Path) -> std::result::Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(file);
    let options = options.busy_timeout(BUSY_TIMEOUT);
    options.disable_statement_logging().connect().await
}

/// Reads a whole file: its pages, its references, and that it is a database of ours that this version
/// knows. The rows of each table.
async fn verify(file: &Path) -> Result<Vec<(String, i64)>> {
    let unread = |error: sqlx::Error| BackupError::Database(file.to_owned(), error.into());
    let unsound = |why: &str| BackupError::Unsound(file.to_owned(), why.to_owned());
    // Nobody else has it: no lock and no log beside it.
    let options = SqliteConnectOptions::new().filename(file);
    let options = options.read_only(true).immutable(true);
    let options = options.disable_statement_logging();
    let mut db = options.connect().await.map_err(unread)?;
    let said: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_all(&mut db)
        .await
        .map_err(unread)?;
    if said != ["ok"] {
        return Err(unsound("it is damaged"));
    }
    let strays = sqlx::query("PRAGMA foreign_key_check")
        .fetch_all(&mut db)
        .await
        .map_err(unread)?;
    if !strays.is_empty() {
        return Err(unsound("rows refer to others that are not in it"));
    }
    let applied: Vec<migration::Applied> = sqlx::query_as(
        "SELECT version, description, checksum FROM _sqlx_migrations WHERE success ORDER BY version",
    )
    .fetch_all(&mut db)
    .await
    .map_err(|_| unsound("it is no database of this program"))?;
    migration::judge(&applied)?;
    let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM data_key")
        .fetch_one(&mut db)
        .await
        .map_err(unread)?;
    if keys == 0 {
        return Err(unsound("it has no keys: no provider has used it"));
    }
    let found = rows(&mut db).await.map_err(unread)?;
    let _ = db.close().await;
    Ok(found)
}

/// A backup that was copied to where the database will be, and is made ready there.
pub struct Returning {
    copy: Copy,
    target: PathBuf,
    replaces_an_empty_one: bool,
    store: Store,
}

impl Returning {
    /// Copies a backup beside the place of the database at `url`, which must not be there or have no tables,
    /// and opens it with the master key. The backup itself is only read.
    pub async fn begin(
        from: &Path,
        url: &str,
        master: &MasterKeys,
        random: &Random,
        now: Timestamp,
    ) -> Result<Returning> {
        let target = file_of(url)?;
        for file in [from, &target] {
            let mut logs = BESIDE.iter().map(|suffix| beside(file, suffix));
            if let Some(log) = logs.find(|log| fs::symlink_metadata(log).is_ok()) {
                return Err(BackupError::Log(log));
            }
        }
        let replaces_an_empty_one = target.exists();
        if replaces_an_empty_one && !is_empty(&target).await? {
            return Err(BackupError::Exists(target));
        }
        let copy = Copy::begin(&target, random, now)?;
        copy.fill(from)?;
        verify(copy.path()).await.map_err(|error| error.of(from))?;
        let options = SqliteConnectOptions::new()
            .filename(copy.path())
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Delete)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let pool = Pool::connect(options, 1, BUSY_TIMEOUT, None).await;
        let db = Backend::Sqlite(pool.map_err(OpenError::Connect)?);
        migration::bring_up_to_date(&db).await?;
        let (store, _): (Store, Keys) = Store::on(db, master, random, now).await?;
        Ok(Returning {
            copy,
            target,
            replaces_an_empty_one,
            store,
        })
    }

    /// The database as it will be.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Puts it into its place.
    pub async fn end(self) -> Result<()> {
        // Whoever served it when it was copied is not alive in it.
        let rest = on!(&self.store.db, |db| sqlx::query(
            "UPDATE node SET heartbeat_at = 0"
        )
        .execute(db)
        .await
        .map(|_| ()));
        rest.map_err(Fault::from)?;
        self.store.close().await;
        if !self.replaces_an_empty_one {
            reserve(&self.target)?;
        }
        self.copy.replace(&self.target).await
    }
}

async fn is_empty(file: &Path) -> Result<bool> {
    let unread = |error: sqlx::Error| BackupError::Database(file.to_owned(), error.into());
    // Not to read alone: who may only read leaves files beside it.
    let mut db = writable(file).await.map_err(unread)?;
    let found = rows(&mut db).await.map_err(unread)?;
    let _ = db.close().await;
    Ok(found.is_empty())
}

impl BackupError {
    /// The same of the file that a copy is of.
    fn of(self, file: &Path) -> BackupError {
        let file = file.to_owned();
        match self {
            BackupError::Database(_, error) => BackupError::Database(file, error),
            BackupError::Unsound(_, why) => BackupError::Unsound(file, why),
            other => other,
        }
    }
}

impl Store {
    /// What this database is for, if a provider has used it.
    pub async fn installation(&self) -> Stored<Option<Installation>> {
        Ok(alone!(self, |db| sqlx::query_as(
            "SELECT environment, issuer FROM installation WHERE id = 1"
        )
        .fetch_optional(db)
        .await)?)
    }
}
