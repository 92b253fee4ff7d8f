//! Copies of the database, and what becomes of one that was put back.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use portvakt::admin::role::{Reach, Role};
use portvakt::audit::{Action, Actor, Event};
use portvakt::clock::{Moment, Seconds};
use portvakt::jose::jwt::Once;
use portvakt::secret::Digest;
use portvakt::shows;
use portvakt::storage::{SignedKind, Store};
use portvakt::testing::{Signer, canary};
use serde_json::json;

use crate::client_auth::{Asserting, by_key, is_unauthenticated};
use crate::crash::Serving;
use crate::logout::{is_logged_in, logout_url};
use crate::refresh::{refresh, text, tokens};
use crate::registration::{issued, register};
use crate::storage::{login, open};
use crate::support::doors::{ran, ran_with};
use crate::support::phone::{ASA, TOLVAN};
use crate::support::{App, Browser, Database, SECRET, on_both, run};
use crate::token::{claims, exchange, redeem, told};

/// What else is in a directory than before: half-made files among them.
pub fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let names = entries.map(|entry| entry.expect("a file").file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into()).collect();
    names.sort();
    names
}

/// A backup by the program itself.
pub fn back_up(app: &App, name: &str) -> PathBuf {
    let file = app.directory.path().join(name);
    let said = ran(app, &["backup", file.to_str().expect("a path")]).good();
    assert!(said.contains("The master key is not in it."), "{said}");
    file
}

pub fn restore(app: &App, file: &Path) -> crate::support::doors::Ran {
    ran(app, &["restore", file.to_str().expect("a path")])
}

/// The database goes, as with its disk.
pub fn lose(app: &App) -> PathBuf {
    let file = app.directory.path().join("test.db");
    std::fs::remove_file(&file).expect("removed");
    file
}

#[test]
fn a_backup_is_whole_private_and_made_while_people_log_in() {
    run(async {
        let _shows = shows!(accepting "PV-BACKUP-1", refusing "PV-BACKUP-1");
        let app = App::on(Database::sqlite()).await;
        let directory = app.directory.path().to_owned();
        // Somebody writes all the time.
        let (store, clock) = (app.provider.store.clone(), app.clock.clone());
        let writing = tokio::spawn(async move {
            for n in 0_u64.. {
                let event = Event {
                    at: clock.moment(),
                    actor: Actor::CONFIGURATION,
                    action: Action::ClientChange,
                    object: format!("client:{n}"),
                    before: None,
                    after: None,
                };
                store.tell_of(&event).await.expect("told");
            }
        });
        app.log_in(&Browser::new(), TOLVAN).await;
        for name in ["first.backup", "second.backup"] {
            let file = back_up(&app, name);
            let metadata = std::fs::metadata(&file).expect("there");
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
            app.log_in(&Browser::new(), ASA).await;
        }
        writing.abort();
        let before = files(&directory);
        assert!(
            !before.iter().any(|name| name.ends_with(".part")),
            "{before:?}"
        );
        // Nothing that is there is overwritten, whatever it is.
        let first = directory.join("first.backup");
        let bytes = std::fs::read(&first).expect("there");
        std::fs::create_dir(directory.join("folder")).expect("made");
        std::os::unix::fs::symlink("nowhere", directory.join("link")).expect("made");
        for taken in ["first.backup", "folder", "link", "test.db"] {
            let taken = directory.join(taken);
            let said = ran(&app, &["backup", taken.to_str().expect("a path")]).bad();
            assert!(
                said.contains("is there already, and is not overwritten"),
                "{said}"
            );
        }
        let nowhere = directory.join("none/backup");
        let said = ran(&app, &["backup", nowhere.to_str().expect("a path")]).bad();
        assert!(said.contains("none/backup"), "{said}");
        assert_eq!(std::fs::read(&first).expect("there"), bytes);
        // No number in it, and no master key.
        let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [7; 32]);
        for secret in [TOLVAN.as_bytes(), key.as_bytes(), &[7; 32]] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
        let events = ran(
            &app,
            &["audit", "list", "--action", "database.back_up", "--json"],
        )
        .json();
        assert_eq!(events.as_array().expect("a list").len(), 2);
    });
}

#[test]
fn postgresql_is_left_to_its_own_tools() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(refusing "PV-BACKUP-1", refusing "PV-BACKUP-2");
        let app = App::on(database).await;
        let file = app.directory.path().join("backup");
        for command in ["backup", "restore"] {
            let said = ran(&app, &[command, file.to_str().expect("a path")]).bad();
            assert!(
                said.contains("pg_dump") && said.contains("docs/backup.md"),
                "{said}"
            );
        }
        assert!(!file.exists());
    });
}

#[test]
fn a_backup_is_put_back_where_nothing_is_and_where_it_belongs() {
    run(async {
        let _shows = shows!(accepting "PV-BACKUP-2", refusing "PV-BACKUP-2");
        let app = App::on(Database::sqlite()).await;
        let directory = app.directory.path().to_owned();
        app.log_in(&Browser::new(), TOLVAN).await;
        let file = back_up(&app, "backup");
        app.stop_provider().await;
        let said = restore(&app, &file).bad();
        assert!(said.contains("test.db is there already"), "{said}");
        let target = lose(&app);
        let path = file.to_str().expect("a path");
        let before = files(&directory);
        let master = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [7; 32]);
        let other = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [8; 32]);
        let issuer = format!("issuer = \"{}\"", app.issuer);
        for (from, to, problem) in [
            (
                master.as_str(),
                other.as_str(),
                "made with another master key",
            ),
            (
                issuer.as_str(),
                "issuer = \"http://localhost:1\"",
                "this is a backup of http://localhost:",
            ),
            (
                "environment = \"simulator\"",
                "environment = \"custom\"",
                "must not count under \"custom\"",
            ),
        ] {
            let changed = app.config.replacen(from, to, 1);
            assert_ne!(changed, app.config);
            let said = ran_with(&app, &changed, &["restore", path]).bad();
            assert!(said.contains(problem), "{said}");
            assert_eq!(files(&directory), before, "{problem}");
        }
        // Files that are no whole backup of a version that is known here.
        let good = std::fs::read(&file).expect("there");
        let bad = directory.join("bad");
        let meddled = |sql: &str| {
            std::fs::write(&bad, &good).expect("written");
            let (bad, sql) = (bad.clone(), sql.to_owned());
            let meddling = std::thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().expect("a runtime");
                runtime.block_on(async {
                    use sqlx::Connection;
                    let url = format!("sqlite:{}", bad.display());
                    let mut db = sqlx::SqliteConnection::connect(&url).await.expect("opened");
                    let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
                    sql.execute(&mut db).await.expect("done");
                    db.close().await.expect("closed");
                });
            });
            meddling.join().expect("no panic");
        };
        let fails = |problem: &str| {
            let said = restore(&app, &bad).bad();
            assert!(said.contains(problem), "{problem}: {said}");
            assert!(!target.exists(), "{problem}");
        };
        std::fs::write(&bad, "no database").expect("written");
        fails("bad");
        std::fs::write(&bad, &good[..good.len() / 2]).expect("written");
        fails("bad");
        let mut torn = good.clone();
        for page in torn.chunks_mut(4096).skip(3).step_by(2) {
            page.fill(0x5a);
        }
        std::fs::write(&bad, torn).expect("written");
        fails("bad");
        meddled("PRAGMA foreign_keys = OFF; DELETE FROM person");
        fails("rows refer to others that are not in it");
        meddled("DELETE FROM data_key");
        fails("it has no keys");
        meddled("DROP TABLE _sqlx_migrations");
        fails("it is no database of this program");
        meddled(
            "UPDATE _sqlx_migrations SET version = 9999, description = 'contract' WHERE version = 18",
        );
        fails("of a newer version");
        std::fs::write(directory.join("bad-wal"), "x").expect("written");
        fails("bad-wal is there");
        std::fs::remove_file(directory.join("bad-wal")).expect("removed");
        std::fs::write(directory.join("test.db-wal"), "x").expect("written");
        let said = restore(&app, &file).bad();
        assert!(said.contains("test.db-wal is there"), "{said}");
        std::fs::remove_file(directory.join("test.db-wal")).expect("removed");
        // An older one is taken, and into an empty file, too. The backup is only read.
        std::fs::write(&target, "").expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o444)).expect("set");
        let said = restore(&app, &file).good();
        assert!(said.contains("The database is as it was at 20"), "{said}");
        assert_eq!(std::fs::read(&file).expect("there"), good);
        let mode = std::fs::metadata(&target)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let left = files(&directory);
        assert!(
            !left
                .iter()
                .any(|name| name.ends_with(".part") || name.contains("-journal")),
            "{left:?}"
        );
        assert!(restore(&app, &file).bad().contains("is there already"));
    });
}

/// The database as it was, by the tools of either.
struct Past {
    file: PathBuf,
}

/// The commands of the document, in its order, run by a shell.
fn documented(app: &App, which: &str) {
    let document = include_str!("../../docs/backup.md");
    let blocks = document.split("```sh\n").skip(1);
    let mut blocks = blocks.filter_map(|rest| rest.split("```").next());
    let block = blocks.find(|block| block.contains(which)).expect("a block");
    let config = app.directory.path().join("portvakt.toml");
    std::fs::write(&config, &app.config).expect("written");
    let program = Path::new(env!("CARGO_BIN_EXE_portvakt"));
    let path = format!(
        "{}:{}",
        program.parent().expect("a folder").display(),
        std::env::var("PATH").expect("a path")
    );
    let run = Command::new("sh")
        .args(["-euc", block])
        .current_dir(app.directory.path())
        .env("PATH", path)
        .env("DATABASE", app.database.url(app.directory.path()))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
    assert!(run.status.success(), "{block}\n{said}");
}

impl Past {
    fn keep(app: &App) -> Past {
        let file = app.directory.path().join("portvakt.dump");
        match app.database {
            Database::Sqlite => drop(back_up(app, "portvakt.dump")),
            Database::Postgres(_) => documented(app, "pg_dump"),
        }
        Past { file }
    }

    fn come_back(&self, app: &App) {
        match app.database {
            Database::Sqlite => {
                lose(app);
                restore(app, &self.file).good();
            }
            Database::Postgres(_) => {
                app.database.empty();
                documented(app, "pg_restore");
            }
        }
    }
}

/// The end of the audit log, with all that was done in it.
async fn head(app: &App) -> String {
    let sealed = app.provider.store.seal_audit(app.clock.now()).await;
    sealed.expect("sealed");
    let said = ran(app, &["audit", "verify"]).good();
    said.lines().nth(1).expect("a head").to_owned()
}

async fn nothing_lives_again(database: Database) {
    let _shows =
        shows!(accepting "PV-BACKUP-3", refusing "PV-BACKUP-3", accepting "P5", refusing "P5");
    let app = App::on(database).await;
    let signer = Signer::new();
    app.register("signing", by_key(&signer, "standard")).await;
    let asserting = Asserting {
        app: &app,
        signer: &signer,
        client_id: "signing",
    };
    let machine = json!({"client_name": "M", "client_credentials": {"scopes": ["orders:read"]}});
    app.register("machine", machine).await;
    // What lives when the backup is made.
    let browser = Browser::new();
    let first = redeem(&app, &app.log_in(&browser, TOLVAN).await).await;
    let sub = claims(&app, &first).await["sub"].clone();
    let page = browser
        .get(&app.authorize_url(&[("prompt", Some("none"))]))
        .await;
    let unused = crate::support::Answer::of(&page);
    let family = tokens(&app).await;
    let waiting = Browser::new();
    let choice = waiting.get(&app.authorize_url(&[])).await;
    let under_way = waiting.choose(&choice, "other").await;
    let pushed = asserting.push(&asserting.assertion(&json!({}))).await;
    let pushed = pushed.body["request_uri"]
        .as_str()
        .expect("a name")
        .to_owned();
    canary(&pushed);
    let machines = app.http.post(format!("{}/token", app.issuer));
    let machines = machines.basic_auth("machine", Some(SECRET));
    let machines = told(machines.form(&[("grant_type", "client_credentials")])).await;
    let initial = issued(&app, &[]);
    let (_, invitation) = app.invite(Role::Owner, Reach::All).await;
    let console = app.administrator(Role::Reader, Reach::All, ASA).await;
    let known = head(&app).await;
    let past = Past::keep(&app);
    // What happens afterwards, and is lost.
    assert_eq!(exchange(&app, unused.code(), &[]).await.status, 200);
    let rotated = refresh(&app, text(&family, "refresh_token")).await.body;
    let used = asserting.assertion(&json!({}));
    assert_eq!(asserting.push(&used).await.status, 201);
    let hint = text(&first, "id_token").to_owned();
    let session = browser.cookie("session").expect("a session");
    browser
        .get(&logout_url(&app, &[("id_token_hint", &hint)]))
        .await;
    let registration = json!({"redirect_uris": ["https://self.example/cb"], "client_name": "S"});
    assert_eq!(register(&app, &initial, &registration).await.status, 201);
    let later = head(&app).await;
    assert_ne!(known, later);
    app.stop_provider().await;
    past.come_back(&app);
    let serving = Serving::start(&app, "again", &[]).await;
    // None of it lives.
    let told = exchange(&app, unused.code(), &[]).await;
    assert_eq!(told.body["error"], "invalid_grant");
    for token in [
        text(&family, "refresh_token"),
        text(&rotated, "refresh_token"),
    ] {
        let told = refresh(&app, token).await;
        assert_eq!(told.body["error"], "invalid_grant");
    }
    for token in [&first, &family, &rotated] {
        let token = text(token, "access_token");
        assert_eq!(crate::userinfo::ask(&app, token).await.status, 401);
    }
    let machine = text(&machines.body, "access_token");
    let told = crate::introspection::ask(&app, "resource", machine).await;
    assert_eq!(told.body, json!({"active": false}));
    browser.set_cookie("session", &session);
    assert!(!is_logged_in(&app, &browser).await);
    is_unauthenticated(&asserting.push(&used).await);
    let mut url = url::Url::parse(&format!("{}/authorize", app.issuer)).expect("an address");
    url.query_pairs_mut()
        .append_pair("client_id", "signing")
        .append_pair("request_uri", &pushed);
    assert_eq!(browser.get(url.as_str()).await.status, 400);
    assert_eq!(register(&app, &initial, &registration).await.status, 401);
    assert_ne!(
        waiting.get(&under_way.url).await.screen().as_deref(),
        Some("scan")
    );
    // People log in again, and are who they were.
    let again = redeem(&app, &app.log_in(&browser, TOLVAN).await).await;
    assert_eq!(claims(&app, &again).await["sub"], sub);
    assert!(is_logged_in(&app, &browser).await);
    drop(serving);
    let directory = app.directory.path();
    for (question, why) in [
        (
            "SELECT 'x' FROM admin_session",
            "an administrator is still logged in",
        ),
        (
            "SELECT 'x' FROM invitation WHERE used_at IS NULL",
            "an invitation still works",
        ),
    ] {
        assert!(app.database.texts(directory, question).is_empty(), "{why}");
    }
    drop((invitation, console));
    // The log is sound, and says what is known of its end.
    let events = ran(
        &app,
        &["audit", "list", "--action", "database.restore", "--json"],
    )
    .json();
    let verify = |head: &str| ran(&app, &["audit", "verify", "--head", head]);
    for head in [known.as_str(), text(&events[0]["after"], "audit_head")] {
        assert!(verify(head).is_good, "{head}");
    }
    let said = verify(&later).bad();
    assert!(!said.is_empty(), "a cut end is told");
}

#[test]
fn nothing_of_a_lost_past_lives_again_after_a_restore() {
    run(nothing_lives_again(Database::sqlite()));
}

#[test]
fn nothing_of_a_lost_past_lives_again_on_postgresql() {
    let Some(database) = Database::whole_postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-BACKUP-4", refusing "PV-BACKUP-4");
        nothing_lives_again(database).await;
    });
}

async fn mark(store: &Store, at: Moment) {
    let event = Event {
        at,
        actor: Actor::CONFIGURATION,
        action: Action::DatabaseRestore,
        object: "database".to_owned(),
        before: None,
        after: None,
    };
    let done = store.end_what_lived("simulator", &event).await;
    done.expect("ended");
}

on_both!(
    what_was_signed_before_a_restore_counts_as_used,
    async |database: Database| {
        let _shows = shows!(accepting "P5", refusing "P5");
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, _) = open(&database, directory.path()).await;
        let restored = clock.now();
        let kinds = [
            SignedKind::ClientAssertion,
            SignedKind::DpopProof,
            SignedKind::RequestObject,
        ];
        let once = |name: &str, from: i64| Once {
            jti: Digest::of(name),
            expires_at: restored + Seconds(3600),
            unused_before: restored + Seconds(from),
        };
        let spent = async |kind, once: &Once| {
            let before = store.is_spent(kind, "client", once).await.expect("asked");
            let won = store.spend(kind, "client", once).await.expect("spent");
            // Looking and taking never disagree.
            assert_eq!(before, !won);
            before
        };
        for kind in kinds {
            assert!(!spent(kind, &once("before", -1000)).await);
            assert!(spent(kind, &once("before", -1000)).await);
        }
        mark(&store, Moment(restored.0 * 1000)).await;
        for kind in kinds {
            for (name, from, is_spent) in [
                ("before", -1000, true),
                ("another of before", -1000, true),
                // By a clock that was ahead of the one that restored.
                ("at once", 10, true),
                ("after", 11, false),
                ("after", 11, true),
            ] {
                assert_eq!(spent(kind, &once(name, from)).await, is_spent, "{name}");
            }
        }
        // The later of two restores counts.
        mark(&store, Moment((restored.0 - 500) * 1000)).await;
        assert!(spent(kinds[0], &once("between", -100)).await);
        mark(&store, Moment((restored.0 + 500) * 1000)).await;
        assert!(spent(kinds[0], &once("after", 100)).await);
        assert!(!spent(kinds[0], &once("after both", 511)).await);
    }
);

on_both!(
    a_login_that_was_under_way_ends_with_its_answer,
    async |database: Database| {
        let _shows = shows!(refusing "PV-BACKUP-3");
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, random) = open(&database, directory.path()).await;
        let now = clock.now();
        let node = store.start_node("a", now).await.expect("started");
        let (asking, answered) = (login(&clock, &random), login(&clock, &random));
        for login in [&asking, &answered] {
            assert!(
                store
                    .begin_login(login, None, &node, now)
                    .await
                    .expect("stored")
            );
        }
        let data = json!({"user": {"personalNumber": "191212121212", "name": "T T", "givenName": "T", "surname": "T"}});
        let complete =
            portvakt::login::Progress::Complete(serde_json::from_value(data).expect("data"));
        let kept = store.keep_progress(answered.id, answered.order.id, &complete, Some(now));
        assert!(kept.await.expect("stored").is_some());
        mark(&store, clock.moment()).await;
        for id in [asking.id, answered.id] {
            let read = store.login(id).await.expect("read").expect("there");
            assert_eq!(read.state, portvakt::login::State::Cancelled);
            assert!(read.completion(now).is_err());
        }
        let question = "SELECT progress FROM bankid_order WHERE answer IS NOT NULL OR progress IN ('ordered', 'complete')";
        assert!(database.texts(directory.path(), question).is_empty());
    }
);
