//! From SQLite to PostgreSQL, all of it or nothing. Which tables and columns there are is read from the
//! databases, so that a new table cannot be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, PgConnection, Row, SqliteConnection};
use thiserror::Error;

use super::backup::{BackupError, file_of};
use super::pool::SqlitePool;
use super::{Backend, OpenError, Store, Tables, Tx, commit, connect, connect_to, migration};
use crate::audit::Event;
use crate::clock::{Seconds, Timestamp};
use crate::error::Fault;
use crate::random::Random;
use crate::secret::MasterKeys;

/// How long ago a node that serves may last have been heard of.
const ALIVE: Seconds = Seconds(15);

/// Why nothing was moved.
#[derive(Debug, Error)]
pub enum MoveError {
    /// It is PostgreSQL already.
    #[error("database.url is not a SQLite file: only such a one is moved")]
    NotSqlite,
    /// There is none.
    #[error("there is no database at database.url")]
    Missing,
    /// It would be another file.
    #[error("the new database must be at an address that begins with postgres:")]
    NotPostgres,
    /// It could not stand in a configuration.
    #[error("the address of the new database {0}")]
    Danger(String),
    /// What it writes meanwhile would be lost.
    #[error("the node {0} serves the database, or did so {1} seconds ago: stop it first")]
    Serving(String, i64),
    /// Somebody uses it.
    #[error("the new database is not empty: it has the table {0}")]
    NotEmpty(String),
    /// The same migrations made other tables there.
    #[error("{0} is not the same in both databases")]
    Shape(String),
    /// A type that nothing here uses.
    #[error("{0}.{1} is of the type {2}, which cannot be moved")]
    Type(String, String, String),
    /// A table that cannot be read.
    #[error("{0} cannot be read: {1}")]
    Read(String, Fault),
    /// A table that cannot be written.
    #[error("{0} cannot be written: {1}")]
    Write(String, Fault),
    /// What was written is not what was read.
    #[error("{0} did not arrive as it was sent")]
    Differs(String),
    /// One of the databases cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A part of the work.
    #[error(transparent)]
    Fault(#[from] Fault),
}

type Result<T> = std::result::Result<T, MoveError>;

/// A table that is the same in both databases now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its name.
    pub table: String,
    /// Its rows.
    pub rows: usize,
    /// SHA-256 of all that is in it, in no order.
    pub digest: [u8; 32],
}

/// Moves the database at `url`, which nobody serves, to an empty one at `to`.
pub async fn move_database(
    url: &str,
    to: &str,
    master: &MasterKeys,
    random: &Random,
    event: &Event,
) -> Result<Vec<Moved>> {
    let file = file_of(url).map_err(|error| match error {
        BackupError::Open(error) => MoveError::Open(error),
        _ => MoveError::NotSqlite,
    })?;
    if !file.exists() {
        return Err(MoveError::Missing);
    }
    if to.starts_with("sqlite:") {
        return Err(MoveError::NotPostgres);
    }
    let now = event.at.timestamp();
    let from = connect_to(url, Tables::Leave).await?;
    let moved = match &from {
        Backend::Sqlite(pool) => {
            refuse_served(pool, now).await?;
            let (store, _) = Store::on(from.clone(), master, random, now).await?;
            move_to(pool, to, &store, event).await
        }
        Backend::Postgres(_) => Err(MoveError::NotSqlite),
    };
    super::on!(&from, |db| db.close().await);
    moved
}

async fn refuse_served(pool: &SqlitePool, now: Timestamp) -> Result<()> {
    let alive: Option<(String, Timestamp)> =
        sqlx::query_as("SELECT id, heartbeat_at FROM node WHERE heartbeat_at > $1")
            .bind(now - ALIVE)
            .fetch_optional(pool)
            .await
            .map_err(|error| MoveError::Read("node".to_owned(), error.into()))?;
    match alive {
        Some((node, at)) => Err(MoveError::Serving(node, (now - at).0)),
        None => Ok(()),
    }
}

async fn move_to(pool: &SqlitePool, to: &str, store: &Store, event: &Event) -> Result<Vec<Moved>> {
    let target = match connect(to).await? {
        Backend::Postgres(target) => target,
        Backend::Sqlite(_) => return Err(MoveError::NotPostgres),
    };
    // Nobody begins to write while it is read.
    let mut source = pool
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(Fault::from)?;
    refuse_served(pool, event.at.timestamp()).await?;
    let mut tx = target.begin().await.map_err(Fault::from)?;
    let moved = copy_all(source.unlimited(), tx.unlimited()).await?;
    let mut tx: Tx = Backend::Postgres(tx);
    store.tell(&mut tx, event).await?;
    commit(tx).await?;
    let _ = source.rollback().await;
    target.close().await;
    Ok(moved)
}

async fn copy_all(source: &mut SqliteConnection, target: &mut PgConnection) -> Result<Vec<Moved>> {
    let found: Option<String> = sqlx::query_scalar(
        "SELECT table_name::TEXT FROM information_schema.tables
          WHERE table_schema = current_schema() ORDER BY table_name LIMIT 1",
    )
    .fetch_optional(&mut *target)
    .await
    .map_err(Fault::from)?;
    if let Some(table) = found {
        return Err(MoveError::NotEmpty(table));
    }
    migration::make_tables(target).await?;
    let tables = tables_of(target).await?;
    compare(source, &tables).await?;
    let mut moved = Vec::new();
    for name in in_order(target, &tables).await? {
        let columns = &tables[&name];
        let sent = copy(source, target, &name, columns).await?;
        if arrived(target, &name, columns).await? != sent {
            return Err(MoveError::Differs(name));
        }
        moved.push(sent);
    }
    Ok(moved)
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    BigInt,
    Boolean,
    Bytea,
    Jsonb,
}

/// The columns of a table, by name.
type Columns = BTreeMap<String, Kind>;

/// All tables but the one that the migrations are kept in: those were made anew.
async fn tables_of(target: &mut PgConnection) -> Result<BTreeMap<String, Columns>> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT table_name::TEXT, column_name::TEXT, data_type::TEXT
           FROM information_schema.columns
          WHERE table_schema = current_schema() AND table_name <> '_sqlx_migrations'",
    )
    .fetch_all(target)
    .await
    .map_err(Fault::from)?;
    let mut tables: BTreeMap<String, Columns> = BTreeMap::new();
    for (table, column, data_type) in rows {
        let kind = match data_type.as_str() {
            "text" => Kind::Text,
            "bigint" => Kind::BigInt,
            "boolean" => Kind::Boolean,
            "bytea" => Kind::Bytea,
            "jsonb" => Kind::Jsonb,
            _ => return Err(MoveError::Type(table, column, data_type)),
        };
        tables.entry(table).or_default().insert(column, kind);
    }
    Ok(tables)
}

/// Both have the same tables, and those the same columns.
async fn compare(source: &mut SqliteConnection, tables: &BTreeMap<String, Columns>) -> Result<()> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
          WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> '_sqlx_migrations'",
    )
    .fetch_all(source)
    .await
    .map_err(Fault::from)?;
    let here: BTreeSet<(String, String)> = rows.into_iter().collect();
    let columns = tables.iter().flat_map(|(table, columns)| {
        let names = columns.keys();
        names.map(|column| (table.clone(), column.clone()))
    });
    let there: BTreeSet<(String, String)> = columns.collect();
    match here.symmetric_difference(&there).next() {
        Some((table, column)) => Err(MoveError::Shape(format!("{table}.{column}"))),
        None => Ok(()),
    }
}

/// The tables, each after those that its rows refer to.
async fn in_order(
    target: &mut PgConnection,
    tables: &BTreeMap<String, Columns>,
) -> Result<Vec<String>> {
    let references: Vec<(String, String)> = sqlx::query_as(
        "SELECT c.relname::TEXT, f.relname::TEXT
           FROM pg_constraint k
           JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
           JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE k.contype = 'f' AND n.nspname = current_schema() AND c.oid <> f.oid",
    )
    .fetch_all(target)
    .await
    .map_err(Fault::from)?;
    let mut ordered: Vec<String> = Vec::new();
    while ordered.len() < tables.len() {
        let waits = |table: &String| {
            let mut needed = references.iter().filter(|(from, _)| from == table);
            needed.any(|(_, to)| !ordered.contains(to))
        };
        let next = tables
            .keys()
            .find(|table| !ordered.contains(table) && !waits(table));
        // Tables that refer to each other would need their constraints deferred.
        let next = next.ok_or_else(|| MoveError::Shape("the order of the tables".to_owned()))?;
        ordered.push(next.clone());
    }
    Ok(ordered)
}

/// A value of either database.
#[derive(Debug)]
enum Value {
    Null(Kind),
    Text(String),
    BigInt(i64),
    Boolean(bool),
    Bytea(Vec<u8>),
    Jsonb(serde_json::Value),
}

macro_rules! read {
    ($row:expr, $column:expr, $kind:expr) => {{
        let (row, column) = ($row, $column);
        let value = match $kind {
            Kind::Text => row
                .try_get_unchecked::<Option<String>, _>(column)?
                .map(Value::Text),
            Kind::BigInt => row
                .try_get_unchecked::<Option<i64>, _>(column)?
                .map(Value::BigInt),
            Kind::Boolean => row
                .try_get_unchecked::<Option<bool>, _>(column)?
                .map(Value::Boolean),
            Kind::Bytea => row
                .try_get_unchecked::<Option<Vec<u8>>, _>(column)?
                .map(Value::Bytea),
            Kind::Jsonb => row
                .try_get_unchecked::<Option<sqlx::types::Json<serde_json::Value>>, _>(column)?
                .map(|json| Value::Jsonb(json.0)),
        };
        value.unwrap_or(Value::Null($kind))
    }};
}

fn read_sqlite(row: &SqliteRow, columns: &Columns) -> sqlx::Result<Vec<Value>> {
    let read = |(column, kind): (&String, &Kind)| Ok(read!(row, column.as_str(), *kind));
    columns.iter().map(read).collect()
}

fn read_postgres(row: &PgRow, columns: &Columns) -> sqlx::Result<Vec<Value>> {
    let read = |(column, kind): (&String, &Kind)| Ok(read!(row, column.as_str(), *kind));
    columns.iter().map(read).collect()
}

fn selection(table: &str, columns: &Columns) -> AssertSqlSafe<String> {
    let names = columns.keys().map(|column| format!("\"{column}\""));
    let names = names.collect::<Vec<_>>().join(", ");
    AssertSqlSafe(format!("SELECT {names} FROM \"{table}\""))
}

fn insertion(table: &str, columns: &Columns) -> String {
    let names = columns.keys().map(|column| format!("\"{column}\""));
    let places = (1..=columns.len()).map(|n| format!("${n}"));
    format!(
        "INSERT INTO \"{table}\" ({}) VALUES ({})",
        names.collect::<Vec<_>>().join(", "),
        places.collect::<Vec<_>>().join(", "),
    )
}

async fn copy(
    source: &mut SqliteConnection,
    target: &mut PgConnection,
    table: &str,
    columns: &Columns,
) -> Result<Moved> {
    let unread = |error: sqlx::Error| MoveError::Read(table.to_owned(), error.into());
    let unwritten = |error: sqlx::Error| MoveError::Write(table.to_owned(), error.into());
    let (asked, insertion) = (selection(table, columns), insertion(table, columns));
    let mut rows = sqlx::query(asked).fetch(source);
    let mut digests = Digests::default();
    while let Some(row) = rows.try_next().await.map_err(unread)? {
        let values = read_sqlite(&row, columns).map_err(unread)?;
        digests.take(columns, &values);
        let mut query = sqlx::query(AssertSqlSafe(insertion.as_str()));
        for value in values {
            query = match value {
                Value::Null(Kind::Text) => query.bind(None::<String>),
                Value::Null(Kind::BigInt) => query.bind(None::<i64>),
                Value::Null(Kind::Boolean) => query.bind(None::<bool>),
                Value::Null(Kind::Bytea) => query.bind(None::<Vec<u8>>),
                Value::Null(Kind::Jsonb) => query.bind(None::<serde_json::Value>),
                Value::Text(text) => query.bind(text),
                Value::BigInt(number) => query.bind(number),
                Value::Boolean(truth) => query.bind(truth),
                Value::Bytea(bytes) => query.bind(bytes),
                Value::Jsonb(json) => query.bind(json),
            };
        }
        query.execute(&mut *target).await.map_err(unwritten)?;
    }
    Ok(digests.of(table))
}

async fn arrived(target: &mut PgConnection, table: &str, columns: &Columns) -> Result<Moved> {
    let unread = |error: sqlx::Error| MoveError::Read(table.to_owned(), error.into());
    let mut rows = sqlx::query(selection(table, columns)).fetch(target);
    let mut digests = Digests::default();
    while let Some(row) = rows.try_next().await.map_err(unread)? {
        digests.take(columns, &read_postgres(&row, columns).map_err(unread)?);
    }
    Ok(digests.of(table))
}

/// One digest for each row. They are put in order, because databases sort text each in its own way.
#[derive(Default)]
struct Digests(Vec<[u8; 32]>);

impl Digests {
    fn take(&mut self, columns: &Columns, values: &[Value]) {
        let mut row = Sha256::new();
        for (column, value) in columns.keys().zip(values) {
            let (kind, bytes) = match value {
                Value::Null(_) => (0, Vec::new()),
                Value::Text(text) => (1, text.clone().into_bytes()),
                Value::BigInt(number) => (2, number.to_be_bytes().to_vec()),
                Value::Boolean(truth) => (3, vec![u8::from(*truth)]),
                Value::Bytea(bytes) => (4, bytes.clone()),
                // Members in order, as PostgreSQL does not keep them in ours.
                Value::Jsonb(json) => (5, json.to_string().into_bytes()),
            };
            for part in [column.as_bytes(), &[kind], &bytes] {
                row.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                row.update(part);
            }
        }
        self.0.push(row.finalize().into());
    }

    fn of(mut self, table: &str) -> Moved {
        self.0.sort_unstable();
        Moved {
            table: table.to_owned(),
            rows: self.0.len(),
            digest: Sha256::digest(self.0.concat()).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_what_is_there_and_not_of_its_order() {
        let _shows = crate::shows!(accepting "PV-MOVE-1", refusing "PV-MOVE-1");
        let columns = Columns::from([("a".into(), Kind::Text), ("b".into(), Kind::Text)]);
        let of = |rows: &[[&str; 2]]| {
            let mut digests = Digests::default();
            for row in rows {
                digests.take(&columns, &row.map(|text| Value::Text(text.to_owned())));
            }
            digests.of("t")
        };
        let whole = of(&[["1", "2"], ["3", "4"]]);
        assert_eq!(whole, of(&[["3", "4"], ["1", "2"]]));
        for other in [
            of(&[["1", "2"]]),
            of(&[["1", "2"], ["3", "4"], ["3", "4"]]),
            of(&[["2", "1"], ["3", "4"]]),
            of(&[["12", ""], ["3", "4"]]),
        ] {
            assert_ne!(whole, other);
        }
    }
}
