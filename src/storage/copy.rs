//! A file that is made beside its place, and comes there when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use sqlx::sqlite::{SqliteConnectOptions, SqliteLockingMode};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::backup::{BackupError, Result, rows};
use crate::clock::{Seconds, Timestamp};
use crate::random::Random;

/// A file under another name until it is whole. It goes when it does not come to that: at once, or with a
/// later one in the same folder, where the program was killed.
pub(super) struct Copy(PathBuf);

impl Copy {
    pub(super) fn begin(for_file: &Path, random: &Random, now: Timestamp) -> Result<Copy> {
        let of = |error| BackupError::File(for_file.to_owned(), error);
        let name = for_file.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| of(io::ErrorKind::InvalidFilename.into()))?;
        sweep(directory_of(for_file), now);
        let hidden = format!(".{name}.{}{PART}", hex::encode(random.bytes::<8>()));
        let path = for_file.with_file_name(hidden);
        // SQLite fills an empty file, and leaves its rights as they are.
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(&path).map_err(of)?;
        Ok(Copy(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Takes what is in another file, and not who may read that.
    pub(super) fn fill(&self, from: &Path) -> Result<()> {
        let copied = File::open(from).and_then(|mut from| {
            let mut to = OpenOptions::new().write(true).open(&self.0)?;
            io::copy(&mut from, &mut to)
        });
        copied.map_err(|error| BackupError::File(from.to_owned(), error))?;
        Ok(())
    }

    /// Gives it its name, which must be free.
    pub(super) fn keep(self, to: &Path) -> Result<()> {
        self.flush()?;
        reserve(to)?;
        let renamed = self.rename(to);
        if renamed.is_err() {
            let _ = fs::remove_file(to);
        }
        renamed.and_then(|()| sync_directory(to))
    }

    /// Gives it the name of a database that has nothing in it, and that nobody uses.
    pub(super) async fn replace(self, what: &Path) -> Result<()> {
        self.flush()?;
        let held = hold(what).await?;
        // Closed last: with any of its files, all locks of a process on it go.
        let former = OpenOptions::new().write(true).open(what);
        let mut former = former.map_err(|error| BackupError::File(what.to_owned(), error))?;
        let renamed = self.rename(what);
        if renamed.is_ok() {
            // Who opened it meanwhile, and waits, would begin a log by its name, beside the other one.
            let _ = former.write_all(&REPLACED.repeat(100));
        }
        let _ = held.close().await;
        drop(former);
        renamed.and_then(|()| sync_directory(what))
    }

    fn rename(&self, to: &Path) -> Result<()> {
        let renamed = fs::rename(&self.0, to);
        renamed.map_err(|error| BackupError::File(to.to_owned(), error))
    }

    fn flush(&self) -> Result<()> {
        let flushed = File::open(&self.0).and_then(|file| file.sync_all());
        flushed.map_err(|error| BackupError::File(self.0.clone(), error))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// What is written over an empty database that another one took the place of: it is no database any more.
const REPLACED: &[u8] = b"Another database has taken the place of this one.\n";

/// Opens an empty database as the only one who has it: who uses it already is found out by that, and who comes
/// later waits.
async fn hold(file: &Path) -> Result<SqliteConnection> {
    let used = |error: sqlx::Error| BackupError::Used(file.to_owned(), error);
    let options = SqliteConnectOptions::new()
        .filename(file)
        .locking_mode(SqliteLockingMode::Exclusive)
        .busy_timeout(HOLD_TIMEOUT)
        .disable_statement_logging();
    let mut db = options.connect().await.map_err(used)?;
    let run = async |db: &mut SqliteConnection, sql: &'static str| {
        sqlx::query(sql).execute(db).await.map_err(used).map(|_| ())
    };
    run(&mut db, "BEGIN EXCLUSIVE").await?;
    let is_empty = rows(&mut db).await.map_err(used)?.is_empty();
    run(&mut db, "ROLLBACK").await?;
    if !is_empty {
        let _ = db.close().await;
        return Err(BackupError::Exists(file.to_owned()));
    }
    // With a log, that would be removed by its name when this is closed: another database has the name then.
    run(&mut db, "PRAGMA journal_mode = DELETE").await?;
    run(&mut db, "BEGIN EXCLUSIVE").await?;
    Ok(db)
}

/// How long somebody who has an empty database open is waited for.
const HOLD_TIMEOUT: Duration = Duration::from_secs(1);

/// Takes a name that is free. Not by a link, which some network and memory-card file systems do not know.
pub(super) fn reserve(name: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match options.open(name) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(BackupError::Exists(name.to_owned()))
        }
        Err(error) => Err(BackupError::File(name.to_owned(), error)),
    }
}

/// How the name of a copy ends that is not whole yet.
const PART: &str = ".portvakt.part";
/// How long ago a copy that is worked on may have been written last. A lock would be better, but on a network
/// file system it would be in the way of SQLite's own.
const LEFT_AFTER: Seconds = Seconds(24 * 60 * 60);

/// Removes what earlier ones in the same folder have left.
fn sweep(directory: &Path, now: Timestamp) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(is_part);
        if is_ours && written_at(&entry).is_some_and(|at| at < now - LEFT_AFTER) {
            remove(&entry.path());
        }
    }
}

fn written_at(entry: &fs::DirEntry) -> Option<Timestamp> {
    let at = entry.metadata().ok()?.modified().ok()?;
    let since_1970 = at.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since_1970.as_secs()).ok().map(Timestamp)
}

fn is_part(name: &str) -> bool {
    let name = name.strip_prefix('.').and_then(|it| it.strip_suffix(PART));
    let random = name.and_then(|it| it.rsplit_once('.'));
    random.is_some_and(|(_, it)| it.len() == 16 && it.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Removes a file with what SQLite put beside it.
fn remove(file: &Path) {
    let _ = fs::remove_file(file);
    for suffix in BESIDE {
        let _ = fs::remove_file(beside(file, suffix));
    }
}

/// How the files end that SQLite puts beside one.
pub(super) const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn sync_directory(of: &Path) -> Result<()> {
    let directory = directory_of(of);
    let flushed = File::open(directory).and_then(|directory| directory.sync_all());
    flushed.map_err(|error| BackupError::File(directory.to_owned(), error))
}
