//! From SQLite to PostgreSQL.

use portvakt::shows;

use crate::crash::Serving;
use crate::logout::is_logged_in;
use crate::refresh::{refresh, text, tokens};
use crate::support::doors::{ran, ran_with};
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, Options, run};
use crate::token::{claims, exchange, redeem};

/// The names of all tables but the one of the migrations.
fn tables(database: &Database, app: &App) -> Vec<String> {
    let question = match database {
        Database::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations' ORDER BY name"
        }
        Database::Postgres(_) => {
            "SELECT tablename::TEXT FROM pg_tables WHERE schemaname = current_schema() AND tablename <> '_sqlx_migrations' ORDER BY tablename"
        }
    };
    database.texts(app.directory.path(), question)
}

fn count(database: &Database, app: &App, table: &str) -> String {
    let question = format!("SELECT CAST(count(*) AS TEXT) FROM {table}");
    database.texts(app.directory.path(), question).remove(0)
}

#[test]
fn a_database_moves_to_postgresql_with_all_that_lives_in_it() {
    let Some(target) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-MOVE-1", refusing "PV-MOVE-2");
        let app = App::start(Options {
            evidence: true,
            ..Options::on(Database::sqlite())
        })
        .await;
        let url = target.url(app.directory.path());
        let browser = Browser::new();
        let first = redeem(&app, &app.log_in(&browser, TOLVAN).await).await;
        let sub = claims(&app, &first).await["sub"].clone();
        let page = browser
            .get(&app.authorize_url(&[("prompt", Some("none"))]))
            .await;
        let unused = Answer::of(&page);
        let family = tokens(&app).await;
        let proving = [
            ("client_id", Some("proving")),
            ("redirect_uri", Some("https://proof.example/callback")),
        ];
        app.log_in_with(&Browser::new(), TOLVAN, &proving).await;
        let moved = || ran(&app, &["migrate-database", "--to", &url]);
        // Not while somebody writes.
        let said = moved().bad();
        assert!(
            said.contains("the node single serves the database"),
            "{said}"
        );
        assert!(tables(&target, &app).is_empty());
        app.stop_provider().await;
        let said = moved().good();
        assert!(said.contains("Everything has arrived"), "{said}");
        // Every table, with its rows; of the log one more, which tells of this.
        let all = tables(&app.database, &app);
        assert_eq!(tables(&target, &app), all);
        for table in &all {
            let rows = count(&app.database, &app, table);
            let mut lines = said.lines();
            let line = lines.find(|line| line.split_whitespace().next() == Some(table));
            let line: Vec<&str> = line.expect("its line").split_whitespace().collect();
            assert_eq!(line[1], rows, "{table}");
            match table.as_str() {
                "audit" => assert_ne!(count(&target, &app, table), rows),
                _ => assert_eq!(count(&target, &app, table), rows, "{table}"),
            }
        }
        for table in [
            "session",
            "client_grant",
            "refresh_token",
            "evidence",
            "audit_seal",
        ] {
            assert_ne!(count(&target, &app, table), "0", "{table}");
        }
        // Not twice.
        let said = moved().bad();
        assert!(said.contains("the new database is not empty"), "{said}");
        // It lives on there.
        let here = app.database.url(app.directory.path());
        let _serving = Serving::start(&app, "moved", &[(&here, &url)]).await;
        assert!(is_logged_in(&app, &browser).await);
        let told = exchange(&app, unused.code(), &[]).await;
        assert_eq!(told.status, 200, "{}", told.body);
        assert_eq!(claims(&app, &told.body).await["sub"], sub);
        let told = refresh(&app, text(&family, "refresh_token")).await;
        assert_eq!(told.status, 200, "{}", told.body);
        let config = app.config.replace(&here, &url);
        let said = crate::support::doors::ran_with(&app, &config, &["audit", "verify"]);
        assert!(said.is_good, "{said:?}");
    });
}

#[test]
fn a_move_that_fails_leaves_nothing_behind() {
    let Some(target) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-MOVE-2", refusing "PV-MOVE-2", refusing "PV-MOVE-1");
        let app = App::on(Database::sqlite()).await;
        app.log_in(&Browser::new(), TOLVAN).await;
        app.stop_provider().await;
        let (database, directory) = (&app.database, app.directory.path());
        let url = target.url(directory);
        let fails = |change: &str, problem: &str| {
            database.meddle(directory, change).expect("changed");
            let said = ran(&app, &["migrate-database", "--to", &url]).bad();
            assert!(said.contains(problem), "{said}");
            assert!(tables(&target, &app).is_empty(), "{problem}");
        };
        fails(
            "CREATE TABLE forgotten (id TEXT NOT NULL PRIMARY KEY)",
            "forgotten.id is not the same in both databases",
        );
        fails(
            "DROP TABLE forgotten; ALTER TABLE person ADD COLUMN more TEXT",
            "person.more is not the same in both databases",
        );
        // What PostgreSQL does not take, late in the work.
        fails(
            "ALTER TABLE person DROP COLUMN more; UPDATE session SET txn = 'a' || char(0) || 'b'",
            "session cannot be written",
        );
        // What it would take for something else.
        fails(
            "UPDATE session SET txn = 'a'; UPDATE node SET heartbeat_at = 32503680000",
            "serves the database",
        );
        database
            .meddle(directory, "UPDATE node SET heartbeat_at = 0")
            .expect("changed");
        let elsewhere = format!("sqlite:{}/other.db", directory.display());
        let said = ran(&app, &["migrate-database", "--to", &elsewhere]).bad();
        assert!(said.contains("begins with postgres:"), "{said}");
        assert!(!directory.join("other.db").exists());
        // Nor over a network that others see.
        let (host, rest) = (
            "127.0.0.1:1/portvakt",
            "postgres://portvakt@192.0.2.1:1/portvakt",
        );
        for remote in [
            rest.to_owned(),
            format!("postgres://portvakt@{host}?hostaddr=192.0.2.1&sslmode=require"),
        ] {
            let said = ran(&app, &["migrate-database", "--to", &remote]).bad();
            assert!(said.contains("must have sslmode=verify-full"), "{said}");
        }
        let config = app
            .config
            .replace("[database]", "[database]\ndanger_unverified = true");
        let unverified = format!("postgres://portvakt@{host}?hostaddr=127.0.0.1");
        let said = ran_with(&app, &config, &["migrate-database", "--to", &unverified]).bad();
        assert!(said.contains("cannot be opened"), "{said}");
        assert!(ran(&app, &["migrate-database", "--to", &url]).is_good);
    });
}
