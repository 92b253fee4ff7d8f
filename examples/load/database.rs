//! A database for one run.

use anyhow::Context;
use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;

/// Where the provider keeps what it keeps.
pub struct Database {
    /// Its address.
    pub url: String,
    server: Option<(String, String)>,
    directory: TempDir,
}

impl Database {
    /// A new file, or a new database on a server.
    pub async fn make(server: Option<&str>) -> anyhow::Result<Database> {
        let directory = tempfile::tempdir()?;
        let Some(server) = server else {
            let url = format!("sqlite:{}/load.db", directory.path().display());
            return Ok(Database {
                url,
                server: None,
                directory,
            });
        };
        let name = format!("portvakt_load_{}", std::process::id());
        let mut url = url::Url::parse(server).context("--database is no address")?;
        url.set_path(&name);
        let mut connection = PgConnection::connect(server).await?;
        connection
            .execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .await?;
        Ok(Database {
            url: url.to_string(),
            server: Some((server.to_owned(), name)),
            directory,
        })
    }

    /// The folder for all else that the run needs.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Which kind it is.
    pub fn name(&self) -> &'static str {
        match self.server {
            Some(_) => "PostgreSQL",
            None => "SQLite",
        }
    }

    /// How many bytes it takes, and how many it has written to its journal, where that is known.
    pub async fn size(&self) -> anyhow::Result<(i64, Option<i64>)> {
        if self.server.is_none() {
            let file = self.url.trim_start_matches("sqlite:");
            return Ok((i64::try_from(std::fs::metadata(file)?.len())?, None));
        }
        let mut connection = PgConnection::connect(&self.url).await?;
        let size = sqlx::query_scalar("SELECT pg_database_size(current_database())");
        let size: i64 = size.fetch_one(&mut connection).await?;
        let written = "SELECT (pg_current_wal_insert_lsn() - '0/0')::BIGINT";
        let written: i64 = sqlx::query_scalar(written)
            .fetch_one(&mut connection)
            .await?;
        Ok((size, Some(written)))
    }

    /// Drops it.
    pub async fn remove(self) -> anyhow::Result<()> {
        if let Some((server, name)) = &self.server {
            let mut connection = PgConnection::connect(server).await?;
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            connection.execute(sqlx::AssertSqlSafe(drop)).await?;
        }
        Ok(())
    }
}
