//! A fresh database for each story: a file, or a schema on the PostgreSQL that `./test` starts.

use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use super::left_out;
use super::postgres::Server;

#[derive(Clone)]
pub enum Database {
    Sqlite,
    Postgres(Arc<Schema>),
}

/// A schema, dropped in the end.
pub struct Schema {
    server: String,
    name: String,
    /// Seen by a role that does not own it.
    role: Option<(String, Arc<Schema>)>,
    /// The database that it is all of, and the server that has it.
    whole: Option<(String, String)>,
    /// How its connections isolate transactions, where not as PostgreSQL does by itself.
    isolation: Option<&'static str>,
    /// A server that goes with it.
    own: Option<Arc<Server>>,
}

static SAID: OnceLock<()> = OnceLock::new();

impl Database {
    pub fn sqlite() -> Database {
        Database::Sqlite
    }

    /// A schema of its own, or nothing where there is no PostgreSQL and there need not be one.
    pub fn postgres() -> Option<Database> {
        let Ok(server) = std::env::var("PORTVAKT_TEST_POSTGRES") else {
            left_out("PostgreSQL", &SAID);
            return None;
        };
        let random = portvakt::random::Random::system();
        let name = format!("t{}", hex::encode(random.bytes::<8>()));
        execute(&server, format!("CREATE SCHEMA {name}"));
        Some(Database::Postgres(Arc::new(Schema {
            server,
            name,
            role: None,
            whole: None,
            isolation: None,
            own: None,
        })))
    }

    /// The same, with transactions isolated so strictly that some are given up in favour of others, as a
    /// cluster may do that speaks PostgreSQL's protocol.
    pub fn strict_postgres() -> Option<Database> {
        let Database::Postgres(mut schema) = Database::postgres()? else {
            unreachable!("it was asked for");
        };
        let own = Arc::get_mut(&mut schema).expect("nobody else has it yet");
        own.isolation = Some("serializable");
        Some(Database::Postgres(schema))
    }

    /// All of a server of the test's own.
    pub fn of(server: &Arc<Server>) -> Database {
        Database::Postgres(Arc::new(Schema {
            server: server.url(),
            name: "public".to_owned(),
            role: None,
            whole: None,
            isolation: None,
            own: Some(server.clone()),
        }))
    }

    /// The same as a database of its own, for tools that take whole ones.
    pub fn whole_postgres() -> Option<Database> {
        let Ok(server) = std::env::var("PORTVAKT_TEST_POSTGRES") else {
            left_out("PostgreSQL", &SAID);
            return None;
        };
        let random = portvakt::random::Random::system();
        let database = format!("d{}", hex::encode(random.bytes::<8>()));
        execute(&server, format!("CREATE DATABASE {database}"));
        let mut of: url::Url = server.parse().expect("an address");
        of.set_path(&database);
        Some(Database::Postgres(Arc::new(Schema {
            server: of.into(),
            name: "public".to_owned(),
            role: None,
            whole: Some((server, database)),
            isolation: None,
            own: None,
        })))
    }

    /// Makes a whole database anew, with nothing in it.
    pub fn empty(&self) {
        let Database::Postgres(schema) = self else {
            panic!("SQLite's is a file");
        };
        let (server, name) = schema.whole.as_ref().expect("a whole database");
        execute(server, format!("DROP DATABASE {name} WITH (FORCE)"));
        execute(server, format!("CREATE DATABASE {name}"));
    }

    /// The same by a role that is made by statements, in which `named` stands for it.
    pub fn by_role(&self, named: &str, statements: &str) -> Database {
        let Database::Postgres(schema) = self else {
            panic!("SQLite has no roles");
        };
        let role = format!("{named}_{}", schema.name);
        let statements = statements
            .replace(named, &role)
            .replace("SCHEMA public", &format!("SCHEMA {}", schema.name));
        let begin = format!("SET search_path TO {};", schema.name);
        execute(&schema.server, begin + &statements);
        Database::Postgres(Arc::new(Schema {
            server: schema.server.clone(),
            name: schema.name.clone(),
            role: Some((role, schema.clone())),
            whole: None,
            isolation: None,
            own: None,
        }))
    }

    pub fn url(&self, directory: &Path) -> String {
        match self {
            Database::Sqlite => format!("sqlite:{}/test.db", directory.display()),
            Database::Postgres(schema) => {
                let mut server: url::Url = schema.server.parse().expect("an address");
                if let Some((role, _)) = &schema.role {
                    server.set_username(role).expect("a name");
                }
                let isolation = schema.isolation.map_or(String::new(), |isolation| {
                    format!("%20-c%20default_transaction_isolation%3D{isolation}")
                });
                format!(
                    "{server}?options=-c%20search_path%3D{}{isolation}",
                    schema.name
                )
            }
        }
    }
}

impl Database {
    /// Whoever has the database does something to it.
    pub fn meddle(&self, directory: &Path, statement: impl Into<String>) -> Result<u64, String> {
        let (url, statement) = (self.url(directory), statement.into());
        apart(async move {
            let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement));
            let done = match url.starts_with("sqlite:") {
                true => {
                    let mut db = SqliteConnection::connect(&url).await.expect("it answers");
                    statement.execute(&mut db).await.map(|d| d.rows_affected())
                }
                false => {
                    let mut db = PgConnection::connect(&url).await.expect("it answers");
                    statement.execute(&mut db).await.map(|d| d.rows_affected())
                }
            };
            done.map_err(|error| error.to_string())
        })
    }

    /// Makes the tables as they were after a migration.
    pub fn migrate_to(&self, directory: &Path, version: i64) {
        let url = self.url(directory);
        apart(async move {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
            let migrator = Migrator::new(folder).await.expect("migrations");
            let done = match url.starts_with("sqlite:") {
                true => {
                    let options = SqliteConnectOptions::from_str(&url).expect("an address");
                    let options = options.create_if_missing(true);
                    let mut db = SqliteConnection::connect_with(&options)
                        .await
                        .expect("made");
                    migrator.run_direct(Some(version), &mut db, false).await
                }
                false => {
                    let mut db = PgConnection::connect(&url).await.expect("it answers");
                    migrator.run_direct(Some(version), &mut db, false).await
                }
            };
            done.expect("migrated");
        });
    }

    /// The one column of text that a question is answered with.
    pub fn texts(&self, directory: &Path, question: impl Into<String>) -> Vec<String> {
        let (url, question) = (self.url(directory), question.into());
        apart(async move {
            let question = sqlx::AssertSqlSafe(question);
            match url.starts_with("sqlite:") {
                true => {
                    let mut db = SqliteConnection::connect(&url).await.expect("it answers");
                    sqlx::query_scalar(question).fetch_all(&mut db).await
                }
                false => {
                    let mut db = PgConnection::connect(&url).await.expect("it answers");
                    sqlx::query_scalar(question).fetch_all(&mut db).await
                }
            }
            .expect("an answer")
        })
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        if self.own.is_some() {
            return;
        }
        let (server, statement) = match (&self.role, &self.whole) {
            (Some((role, _)), _) => (
                &self.server,
                format!("DROP OWNED BY {role}; DROP ROLE {role}"),
            ),
            (None, Some((server, database))) => {
                (server, format!("DROP DATABASE {database} WITH (FORCE)"))
            }
            (None, None) => (&self.server, format!("DROP SCHEMA {} CASCADE", self.name)),
        };
        execute(server, statement);
    }
}

fn execute(server: &str, statement: String) {
    let server = server.to_owned();
    apart(async move {
        let mut connection = PgConnection::connect(&server)
            .await
            .expect("PostgreSQL answers");
        connection
            .execute(sqlx::AssertSqlSafe(statement))
            .await
            .expect("the statement runs");
    });
}

/// On a thread and a runtime of its own: a story's runtime may be ending.
fn apart<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(work)
    });
    thread.join().expect("no panic")
}
