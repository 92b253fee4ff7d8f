//! How a database is set up, for whoever looks after it.

use super::{Backend, POSTGRES_CONNECTIONS, Result, Store};
use crate::clock::{Seconds, Timestamp};

/// How a database is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A file.
    Sqlite {
        /// How it keeps what is not yet in the file: `wal`.
        journal: String,
        /// How many bytes there is room for on its disk, where that is known.
        room: Option<u64>,
    },
    /// A server.
    Postgres {
        /// Its version: 150004 is 15.4.
        version: i32,
        /// How many connections it takes.
        connections: i32,
        /// How many of these are for its own administrators.
        reserved: i32,
        /// How many every node may want.
        per_node: usize,
        /// How many nodes have said just now that they live.
        nodes: i64,
        /// How transactions are isolated where nothing else is said.
        isolation: String,
        /// Whether it is a copy that follows another server.
        is_copy: bool,
        /// How texts are kept.
        encoding: String,
    },
}

/// A node that has not said for so long that it lives is no more.
const ALIVE: Seconds = Seconds(60);

impl Store {
    /// How the database is set up.
    pub async fn condition(&self, now: Timestamp) -> Result<Condition> {
        match &self.db {
            Backend::Sqlite(db) => Ok(Condition::Sqlite {
                journal: sqlx::query_scalar("PRAGMA journal_mode")
                    .fetch_one(db)
                    .await?,
                room: self.room(),
            }),
            Backend::Postgres(db) => {
                let (version, connections, reserved, isolation, is_copy, encoding) =
                    sqlx::query_as(
                        "SELECT current_setting('server_version_num')::INT,
                                current_setting('max_connections')::INT,
                                current_setting('superuser_reserved_connections')::INT,
                                current_setting('default_transaction_isolation'),
                                pg_is_in_recovery(),
                                current_setting('server_encoding')",
                    )
                    .fetch_one(db)
                    .await?;
                let nodes = "SELECT count(*) FROM node WHERE heartbeat_at > $1";
                let nodes = sqlx::query_scalar(nodes).bind(now - ALIVE);
                Ok(Condition::Postgres {
                    version,
                    connections,
                    reserved,
                    per_node: POSTGRES_CONNECTIONS,
                    nodes: nodes.fetch_one(db).await?,
                    isolation,
                    is_copy,
                    encoding,
                })
            }
        }
    }
}
