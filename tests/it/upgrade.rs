//! Databases of earlier versions, and of later ones.
//!
//! `tests/fixtures/upgrade` holds what earlier versions wrote, sealed by them under the tests' master key.

use std::path::Path;

use futures_util::future::join_all;
use portvakt::clock::{Clock, Timestamp};
use portvakt::random::Random;
use portvakt::secret::Key;
use portvakt::shows;
use portvakt::storage::Store;

use crate::crash::Serving;
use crate::logout::{is_logged_in, logout_url};
use crate::refresh::{refresh, text, tokens};
use crate::support::doors::{ran, ran_with};
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, Options, on_both, run};
use crate::token::{claims, exchange, redeem};

const FIRST: &str = include_str!("../fixtures/upgrade/0001.sql");
const NINTH: &str = include_str!("../fixtures/upgrade/0009.sql");

/// Puts rows into tables, with times as if they had been written `{s+0}` now.
fn fill(database: &Database, directory: &Path, version: i64, rows: &str, now: Timestamp) {
    database.migrate_to(directory, version);
    let mut parts = rows.split('{');
    let mut sql = parts.next().expect("a beginning").to_owned();
    for part in parts {
        // JSON has braces, too.
        let time = part.split_once('}').and_then(|(inside, rest)| {
            let (unit, base) = match inside.strip_prefix("ms") {
                Some(offset) => (offset, now.0 * 1000),
                None => (inside.strip_prefix('s')?, now.0),
            };
            Some((base + unit.parse::<i64>().ok()?, rest))
        });
        match time {
            Some((time, rest)) => sql += &format!("{time}{rest}"),
            None => sql += &format!("{{{part}"),
        }
    }
    if let Database::Postgres(_) = database {
        // A literal of bytes is what the two write differently.
        let mut parts = sql.split("X'");
        let mut written = parts.next().expect("a beginning").to_owned();
        for part in parts {
            let (hex, rest) = part.split_once('\'').expect("an end");
            written += &format!("'\\x{hex}'::BYTEA{rest}");
        }
        sql = written;
    }
    database.meddle(directory, sql).expect("filled");
}

fn first(database: &Database, directory: &Path, now: Timestamp) {
    fill(database, directory, 1, FIRST, now);
}

fn ninth(database: &Database, directory: &Path, now: Timestamp) {
    fill(database, directory, 9, NINTH, now);
}

/// A browser that has kept its cookies.
fn browser(cookies: &[(&str, &str)]) -> Browser {
    let browser = Browser::new();
    for (name, value) in cookies {
        browser.set_cookie(name, value);
    }
    browser
}

/// What Tolvan was called by the client `web` in the first version.
const SUBJECT: &str = "iXPFMhneaKZMax0lXOI6tSQ6A6782qxv8bD7mzLmvMY";

on_both!(
    what_the_first_version_wrote_works_on,
    async |database: Database| {
        let _shows = shows!(accepting "PV-UPGRADE-1", refusing "PV-UPGRADE-1");
        let app = App::start(Options {
            found: Some(first),
            ..Options::on(database)
        })
        .await;
        // A code that was not used, and one that was.
        let told = exchange(&app, "ac_Ln8pfCyYBSCmTzwdjYzsL3w94WOtJ5e3bsvZ3kgyIDQ", &[]).await;
        assert_eq!(told.status, 200, "{}", told.body);
        assert_eq!(claims(&app, &told.body).await["sub"], SUBJECT);
        let access_token = "at_htmJ53PjbYCXsrTJP2QpJ2LKBh898Nduo4HNLI-_qnM";
        assert_eq!(crate::userinfo::ask(&app, access_token).await.status, 200);
        let again = exchange(&app, "ac_p84xvV6kJWrWpvk9dclBJCYtVPNCBcw7XJNTr6-HltQ", &[]).await;
        assert_eq!(again.body["error"], "invalid_grant");
        assert_eq!(crate::userinfo::ask(&app, access_token).await.status, 401);
        // A session that answers by itself.
        let known = browser(&[("session", "sc_U9C8PBPwZTLuUUgZKwjHHPbEviHOdPv7Xb5URKrgU7w")]);
        assert!(is_logged_in(&app, &known).await);
        let page = known
            .get(&app.authorize_url(&[("prompt", Some("none"))]))
            .await;
        let tokens = redeem(&app, &Answer::of(&page)).await;
        let told = claims(&app, &tokens).await;
        assert_eq!(
            (&told["sub"], &told["sid"], &told["personal_number"]),
            (
                &SUBJECT.into(),
                &"912b9d40-d0df-4f26-9566-2caaeec2049e".into(),
                &TOLVAN.into()
            )
        );
        // A login that was under way: its page is there for its browser, and for no other.
        let cookies = [(
            "l-96d08d46",
            "lc_jX10IRuYzrX8ATI5VOqYlvIpvU5SAQGnbQm8a6p97HM",
        )];
        let url = format!("{}/login/96d08d46-add1-4544-893e-5b04a9738a4a", app.issuer);
        assert_eq!(browser(&cookies).get(&url).await.status, 200);
        assert_ne!(Browser::new().get(&url).await.status, 200);
        // The same person, and the same subject.
        let answer = app.log_in(&Browser::new(), TOLVAN).await;
        let tokens = redeem(&app, &answer).await;
        assert_eq!(claims(&app, &tokens).await["sub"], SUBJECT);
        let hint = text(&tokens, "id_token");
        let members = [("id_token_hint", hint), ("client_id", "web")];
        let out = known.get(&logout_url(&app, &members)).await;
        assert_eq!(out.status, 200, "{}", out.body);
    }
);

on_both!(
    refresh_tokens_and_sessions_of_an_earlier_version_work_on,
    async |database: Database| {
        let _shows = shows!(accepting "PV-UPGRADE-1", refusing "PV-UPGRADE-1");
        let app = App::start(Options {
            found: Some(ninth),
            ..Options::on(database)
        })
        .await;
        let refreshed = refresh(&app, "rt_EJ92VMiVdm0LN5ttZskC0dP-zRe41nahU6rHJ-RwgaE").await;
        assert_eq!(refreshed.status, 200, "{}", refreshed.body);
        let told = claims(&app, &refreshed.body).await;
        assert_eq!(told["sub"], "SNrS67xf2zhs4qeCkkjdnK_ukoiCIJ5kNuO-4elh1kQ");
        let next = refresh(&app, text(&refreshed.body, "refresh_token")).await;
        assert_eq!(next.status, 200, "{}", next.body);
        // The first of the family was used long before.
        let reused = refresh(&app, "rt_7eH0_hf5kt31nlKERStYUr8H6po3QxJ32nnSjtHfkhI").await;
        assert_eq!(reused.body["error"], "invalid_grant");
        let family = refresh(&app, text(&next.body, "refresh_token")).await;
        assert_eq!(family.body["error"], "invalid_grant");
        // Logged out by the client, with an ID token of this version.
        let known = browser(&[("session", "sc_lY-yO_BsA322qHts9Ez-pmcAGgGqkYEbqjo6MUzgL_0")]);
        let page = known
            .get(&app.authorize_url(&[("prompt", Some("none"))]))
            .await;
        let tokens = redeem(&app, &Answer::of(&page)).await;
        let members = [("id_token_hint", text(&tokens, "id_token"))];
        known.get(&logout_url(&app, &members)).await;
        known.set_cookie("session", "sc_lY-yO_BsA322qHts9Ez-pmcAGgGqkYEbqjo6MUzgL_0");
        assert!(!is_logged_in(&app, &known).await);
    }
);

on_both!(
    nodes_that_start_at_once_migrate_once,
    async |database: Database| {
        let _shows = shows!(accepting "PV-UPGRADE-3", refusing "PV-UPGRADE-3", accepting "P9");
        let directory = tempfile::tempdir().expect("a directory");
        first(&database, directory.path(), Clock::system().now());
        let url = database.url(directory.path());
        let starts = (0..8).map(|_| {
            let url = url.clone();
            tokio::spawn(async move {
                let key = Key::from_bytes(&[7; 32]).expect("32 bytes");
                let now = Clock::system().now();
                let opened = Store::open(&url, &key.into(), &Random::system(), now).await;
                opened.map(|_| ()).map_err(|error| error.to_string())
            })
        });
        for started in join_all(starts).await {
            assert_eq!(started.expect("no panic"), Ok(()));
        }
        let applied = "SELECT description FROM _sqlx_migrations WHERE success ORDER BY version";
        let applied = database.texts(directory.path(), applied);
        let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations"));
        assert_eq!(applied.len(), files.expect("the folder").count());
        let people = database.texts(directory.path(), "SELECT id FROM person");
        assert_eq!(people.len(), 1, "nothing was done twice");
    }
);

/// What a later version's migration leaves behind.
fn migrated(database: &Database, directory: &Path, description: &str) {
    let sql = format!(
        "DELETE FROM _sqlx_migrations WHERE version = 9999;
         INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         SELECT 9999, '{description}', success, checksum, 1 FROM _sqlx_migrations WHERE version = 1"
    );
    database.meddle(directory, sql).expect("said");
}

on_both!(
    an_older_node_serves_on_a_database_that_only_grew,
    async |database: Database| {
        let _shows = shows!(accepting "PV-UPGRADE-2", refusing "PV-UPGRADE-2", accepting "P9", refusing "P9");
        let app = App::on(database.clone()).await;
        let directory = app.directory.path().to_owned();
        let before = tokens(&app).await;
        // A newer node makes all tables wider, and a new one, while this one serves.
        let tables = match database {
            Database::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%sqlite%' AND name <> '_sqlx_migrations'"
            }
            Database::Postgres(_) => {
                "SELECT tablename::TEXT FROM pg_tables WHERE schemaname = current_schema() AND tablename <> '_sqlx_migrations'"
            }
        };
        let tables = database.texts(&directory, tables);
        assert!(tables.len() > 20, "{tables:?}");
        for table in &tables {
            let wider = format!(
                "ALTER TABLE {table} ADD COLUMN later TEXT;
                 ALTER TABLE {table} ADD COLUMN much_later BIGINT NOT NULL DEFAULT 1"
            );
            database.meddle(&directory, wider).expect("widened");
        }
        let new = "CREATE TABLE later (id TEXT NOT NULL PRIMARY KEY)";
        database.meddle(&directory, new).expect("made");
        migrated(&database, &directory, "expand later");
        let story = async || {
            let browser = Browser::new();
            let answer = app.log_in(&browser, TOLVAN).await;
            redeem(&app, &answer).await;
            assert!(is_logged_in(&app, &browser).await);
            let refreshed = tokens(&app).await;
            let refreshed = refresh(&app, text(&refreshed, "refresh_token")).await;
            assert_eq!(refreshed.status, 200, "{}", refreshed.body);
        };
        story().await;
        let kept = refresh(&app, text(&before, "refresh_token")).await;
        assert_eq!(kept.status, 200, "{}", kept.body);
        // And it starts again.
        app.stop_provider().await;
        let serving = Serving::start(&app, "older", &[]).await;
        story().await;
        drop(serving);
        assert!(ran(&app, &["migrate"]).is_good);
        // What is no such growth is not touched.
        migrated(&database, &directory, "contract later");
        for command in ["serve", "migrate"] {
            let said = ran(&app, &[command]).bad();
            let line = "the database is of a newer version of this program, which has changed its tables (9999: contract later): use that version, or one after it";
            assert_eq!(said.lines().next(), Some(format!("Error: {line}").as_str()));
            assert!(!said.contains("Caused by"), "{said}");
        }
    }
);

/// What is in the tables of the migrations and of clients.
fn seen(database: &Database, directory: &Path) -> (Vec<String>, Vec<String>) {
    let applied = "SELECT description FROM _sqlx_migrations ORDER BY version";
    let clients = "SELECT client_id FROM client ORDER BY client_id";
    (
        database.texts(directory, applied),
        database.texts(directory, clients),
    )
}

on_both!(
    only_who_is_meant_to_changes_the_tables,
    async |database: Database| {
        let _shows = shows!(accepting "PV-UPGRADE-4", refusing "PV-UPGRADE-4");
        // Elsewhere, so that nothing else writes to the database in question.
        let app = App::on(Database::sqlite()).await;
        let directory = app.directory.path().join("old");
        std::fs::create_dir(&directory).expect("made");
        ninth(&database, &directory, Clock::system().now());
        let here = app.database.url(app.directory.path());
        let config = app.config.replace(&here, &database.url(&directory));
        assert_ne!(config, app.config);
        let before = seen(&database, &directory);
        let redirects = "redirect_uris=[\"https://a.example/cb\"]";
        for arguments in [
            &["client", "list"][..],
            &[
                "client",
                "create",
                "--client-id",
                "a",
                "client_name=A",
                redirects,
            ],
            &["client", "export"],
            &["client", "token", "list"],
            &["admin", "list"],
            &["audit", "verify"],
            &["key", "list"],
            &["key", "rotate"],
            &[
                "evidence",
                "export",
                "--txn",
                "912b9d40-d0df-4f26-9566-2caaeec2049e",
            ],
            &["check"],
        ] {
            let ran = ran_with(&app, &config, arguments);
            assert!(!ran.is_good, "{arguments:?}: {ran:?}");
            let said = ran.out + &ran.err;
            let mut lines = said.lines();
            let line =
                lines.find(|line| line.contains("as an older version of this program left it"));
            assert!(
                line.is_some_and(|line| line.contains("`portvakt migrate`")),
                "{said}"
            );
            assert_eq!(seen(&database, &directory), before, "{arguments:?}");
        }
        ran_with(&app, &config, &["migrate"]).good();
        ran_with(&app, &config, &["client", "list"]).good();
        let after = seen(&database, &directory);
        assert!(after.0.len() > before.0.len());
    }
);

#[test]
fn no_database_is_made_by_mistake() {
    run(async {
        let _shows = shows!(accepting "PV-UPGRADE-5", refusing "PV-UPGRADE-5");
        let app = App::on(Database::sqlite()).await;
        app.stop_provider().await;
        let directory = app.directory.path();
        let here = app.database.url(directory);
        let none = directory.join("volume/none.db");
        std::fs::create_dir(directory.join("volume")).expect("made");
        // Relative to the configuration, which is not where the commands are run.
        let local = app.config.replace(&here, "sqlite:volume/none.db");
        assert_ne!(local, app.config);
        let public = local.replace(&app.issuer, "https://login.example.se");
        let refused = |config: &str, arguments: &[&str], problem: &str| {
            let ran = ran_with(&app, config, arguments);
            assert!(!ran.is_good, "{arguments:?}: {ran:?}");
            let said = ran.out + &ran.err;
            let mut lines = said.lines();
            let line = lines.find(|line| line.contains(problem));
            assert!(
                line.is_some_and(|line| line.contains("`portvakt migrate`")),
                "{said}"
            );
        };
        for arguments in [
            &["check"][..],
            &["client", "list"],
            &["key", "list"],
            &["audit", "verify"],
            &["restore", "--taken-over"],
        ] {
            refused(&local, arguments, "there is no database at");
        }
        refused(&public, &["serve"], "there is no database at");
        assert!(!none.exists());
        // A file that somebody made, with nothing in it, is none either.
        std::fs::write(&none, "").expect("written");
        refused(&public, &["serve"], "the database has no tables");
        refused(&local, &["key", "list"], "the database has no tables");
        std::fs::remove_file(&none).expect("removed");
        ran_with(&app, &public, &["migrate"]).good();
        let mode = std::fs::metadata(&none).expect("there").permissions();
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
            0o600
        );
        // The first start of one at home needs no command before it.
        std::fs::remove_file(&none).expect("removed");
        let serving = Serving::start(&app, "first", &[(&here, "sqlite:volume/none.db")]).await;
        for beside in ["volume/none.db", "volume/none.db-wal", "volume/none.db-shm"] {
            let mode = std::fs::metadata(directory.join(beside)).expect(beside);
            let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
            assert_eq!(mode & 0o777, 0o600, "{beside}");
        }
        drop(serving);
        ran_with(&app, &local, &["client", "list"]).good();
        // One that was made otherwise is told of.
        let problem = "can be read by everybody on this machine";
        assert!(!ran_with(&app, &local, &["check"]).good().contains(problem));
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(&none, open).expect("set");
        let said = ran_with(&app, &local, &["check"]).good();
        assert!(said.contains(&format!("none.db {problem}")), "{said}");
        let mut again = Serving::start(&app, "first", &[(&here, "sqlite:volume/none.db")]).await;
        again.kill();
        let log = std::fs::read_to_string(&again.log).expect("a log");
        assert!(log.contains(problem), "{log}");
    });
}
