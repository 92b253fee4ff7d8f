//! How the tables are made and brought up to date, under a lock, by one node at a time.
//!
//! Nodes of two versions may serve at once while the newer one is rolled out. So a migration whose name
//! begins with `expand_` only adds what an older version can do without, and an older version serves on
//! and starts on a database that has such ones. Any other migration is for itself alone: every older
//! version refuses to start on it.

use std::sync::LazyLock;

use sqlx::Connection;
use sqlx::migrate::Migrator;

use super::pool::{PgPool, SqlitePool};
use super::{Backend, OpenError, on};

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("./migrations");
    // Whether a newer one may be there is decided here.
    migrator.set_ignore_missing(true);
    migrator
});

/// How a migration is called that older versions can live with.
const EXPANDING: &str = "expand ";

type Database = Backend<SqlitePool, PgPool>;

/// A migration that a database has had.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Applied {
    pub(super) version: i64,
    pub(super) description: String,
    pub(super) checksum: Vec<u8>,
}

/// What this version would have to do to the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    UpToDate,
    /// Everything: there are none.
    Unmade,
    /// It has migrations that the database has not had, or knows by other texts.
    Behind,
}

/// What is to be done to a database, if this version may touch it at all. It is only looked at.
pub(super) async fn look(db: &Database) -> Result<Standing, OpenError> {
    let read = match is_begun(db).await {
        Ok(true) => read(db).await,
        Ok(false) => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    judge(&read.map_err(OpenError::Connect)?)
}

/// Whether any migration was ever begun.
async fn is_begun(db: &Database) -> Result<bool, sqlx::Error> {
    match db {
        Backend::Sqlite(db) => {
            let found = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
            let found: i64 = sqlx::query_scalar(found).fetch_one(db).await?;
            Ok(found > 0)
        }
        Backend::Postgres(db) => {
            let found = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
            sqlx::query_scalar(found).fetch_one(db).await
        }
    }
}

/// The migrations that a database with tables has had.
async fn read(db: &Database) -> Result<Vec<Applied>, sqlx::Error> {
    on!(db, |db| {
        sqlx::query_as(
        "SELECT version, description, checksum FROM _sqlx_migrations WHERE success ORDER BY version"
    )
    .fetch_all(db)
    .await
    })
}

/// Whether a database has all tables that this version needs, and none that it cannot live with.
pub(super) async fn is_up_to_date(db: &Database) -> Result<bool, sqlx::Error> {
    Ok(matches!(judge(&read(db).await?), Ok(Standing::UpToDate)))
}

/// What is to be done to tables that have had these migrations, if this version may touch them at all.
pub(super) fn judge(applied: &[Applied]) -> Result<Standing, OpenError> {
    let narrowing = applied.iter().find(|one| {
        !MIGRATOR.version_exists(one.version) && !one.description.starts_with(EXPANDING)
    });
    if let Some(one) = narrowing {
        return Err(OpenError::Newer(one.version, one.description.clone()));
    }
    if applied.is_empty() {
        return Ok(Standing::Unmade);
    }
    let has = |version: i64, checksum: &[u8]| {
        let mut same = applied.iter();
        same.any(|one| one.version == version && one.checksum == checksum)
    };
    let mut ours = MIGRATOR.iter();
    Ok(match ours.all(|one| has(one.version, &one.checksum)) {
        true => Standing::UpToDate,
        false => Standing::Behind,
    })
}

/// Makes or updates the tables where that is needed. Looking is all that a role needs that may make none.
pub(super) async fn bring_up_to_date(db: &Database) -> Result<(), OpenError> {
    if look(db).await? == Standing::UpToDate {
        return Ok(());
    }
    match db {
        // The lock of writers, taken before it is read what there is.
        Backend::Sqlite(db) => {
            let mut connection = db.acquire().await.map_err(OpenError::Connect)?;
            // sqlx's own transaction: there are others in it.
            let begun = connection.unlimited().begin_with("BEGIN IMMEDIATE").await;
            let mut tx = begun.map_err(OpenError::Connect)?;
            MIGRATOR.run_direct(None, &mut *tx, false).await?;
            tx.commit().await.map_err(OpenError::Connect)?;
        }
        // PostgreSQL's advisory lock, which ends with its connection.
        Backend::Postgres(db) => {
            let mut connection = db.acquire().await.map_err(OpenError::Connect)?;
            let done = MIGRATOR
                .run_direct(None, connection.unlimited(), false)
                .await;
            if done.is_err() {
                let _ = connection.close().await;
            }
            done?;
        }
    }
    // A newer version may have been before us.
    look(db).await.map(|_| ())
}

/// Makes the tables in a transaction of PostgreSQL.
pub(super) async fn make_tables(db: &mut sqlx::PgConnection) -> Result<(), OpenError> {
    Ok(MIGRATOR.run_direct(None, db, false).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Vec<Applied> {
        let ours = MIGRATOR.iter().map(|one| Applied {
            version: one.version,
            description: one.description.to_string(),
            checksum: one.checksum.to_vec(),
        });
        ours.collect()
    }

    fn with(description: &str) -> Vec<Applied> {
        let mut applied = ours();
        applied.push(Applied {
            version: 9999,
            description: description.to_owned(),
            checksum: vec![1],
        });
        applied
    }

    #[test]
    fn older_versions_serve_what_only_grew_and_nothing_else() {
        let _shows = crate::shows!(accepting "PV-UPGRADE-2", refusing "PV-UPGRADE-2");
        let judged = |applied: &[Applied]| judge(applied).map_err(|error| error.to_string());
        assert_eq!(judged(&ours()), Ok(Standing::UpToDate));
        assert_eq!(judged(&[]), Ok(Standing::Unmade));
        assert_eq!(judged(&ours()[..3]), Ok(Standing::Behind));
        assert_eq!(judged(&with("expand more")), Ok(Standing::UpToDate));
        for narrowing in ["contract more", "more", "expanded"] {
            let refused = judged(&with(narrowing)).expect_err("refused");
            assert!(
                refused.contains("9999") && !refused.contains('\n'),
                "{refused}"
            );
        }
        let mut rewritten = ours();
        rewritten[0].checksum = vec![1];
        assert_eq!(judged(&rewritten), Ok(Standing::Behind));
    }

    #[test]
    fn what_is_called_expanding_only_adds() {
        let _shows = crate::shows!(accepting "PV-UPGRADE-2", refusing "PV-UPGRADE-2");
        let expanding = MIGRATOR
            .iter()
            .filter(|one| one.description.starts_with(EXPANDING));
        let texts: Vec<_> = expanding.map(|one| one.sql.as_str().to_owned()).collect();
        assert!(!texts.is_empty());
        assert_eq!(texts.iter().find(|text| !only_adds(text)), None);
        for bad in [
            "DROP TABLE client;",
            "ALTER TABLE client DROP COLUMN sector;",
            "ALTER TABLE client RENAME COLUMN sector TO part;",
            "ALTER TABLE client ADD COLUMN part TEXT NOT NULL;",
            "DELETE FROM client;",
            "UPDATE client SET sector = '';",
            "CREATE UNIQUE INDEX client_sector ON client (sector);",
        ] {
            assert!(!only_adds(bad), "{bad}");
        }
        assert!(only_adds(
            "CREATE TABLE a (b TEXT NOT NULL); CREATE UNIQUE INDEX a_b ON a (b); CREATE INDEX client_c ON client (c);
             ALTER TABLE client ADD COLUMN part TEXT NOT NULL DEFAULT '';"
        ));
    }

    /// Whether an older version can write as before: new tables, columns that need not be named, and
    /// indexes that refuse nothing in older tables.
    fn only_adds(sql: &str) -> bool {
        let lines = sql
            .lines()
            .map(|line| line.split("--").next().unwrap_or_default());
        let text = lines.collect::<Vec<_>>().join(" ");
        let statements = text
            .split(';')
            .map(|one| one.split_whitespace().collect::<Vec<_>>());
        let statements: Vec<Vec<&str>> = statements.filter(|words| !words.is_empty()).collect();
        let is_new = |table: &str| {
            statements
                .iter()
                .any(|words| words.starts_with(&["CREATE", "TABLE", table]))
        };
        statements.iter().all(|words| match words.as_slice() {
            ["CREATE", "TABLE" | "INDEX", ..] => true,
            ["CREATE", "UNIQUE", "INDEX", _, "ON", table, ..] => is_new(table),
            ["ALTER", "TABLE", table, "ADD", "COLUMN", more @ ..] => {
                let needed = more.windows(2).any(|pair| pair == ["NOT", "NULL"]);
                is_new(table) || !needed || more.contains(&"DEFAULT")
            }
            _ => false,
        })
    }
}
