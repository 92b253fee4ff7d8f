//! A backup that is put back while somebody is at work there, and what is left of one that was broken off.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use portvakt::random::Random;
use portvakt::secret::{Key, MasterKeys};
use portvakt::shows;
use portvakt::storage::{Returning, Store};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{Connection, SqliteConnection};

use crate::backup::{back_up, files, lose, restore};
use crate::support::{App, Database, run};

/// A backup of an app that is stopped and has lost its database, and where that was.
async fn lost() -> (App, PathBuf, PathBuf) {
    let app = App::on(Database::sqlite()).await;
    let file = back_up(&app, "backup");
    app.stop_provider().await;
    let target = lose(&app);
    (app, file, target)
}

#[test]
fn nothing_is_put_back_where_somebody_is_at_work() {
    run(async {
        let _shows = shows!(refusing "PV-BACKUP-2");
        let (app, file, target) = lost().await;
        for suffix in ["-wal", "-shm", "-journal"] {
            for of in [&target, &file] {
                let beside = PathBuf::from(format!("{}{suffix}", of.display()));
                std::fs::write(&beside, "").expect("written");
                let said = restore(&app, &file).bad();
                assert!(said.contains("Stop the provider"), "{said}");
                std::fs::remove_file(&beside).expect("removed");
                assert!(!target.exists());
            }
        }
        // Who comes while the backup is made ready: with an open database, or with one that is made.
        let url = app.database.url(app.directory.path());
        let (random, now) = (Random::system(), app.clock.now());
        let master = || MasterKeys::from(Key::from_bytes(&[7; 32]).expect("32 bytes"));
        for (was_there, stays, problem) in [
            (true, true, "is in use"),
            (true, false, "is there already"),
            (false, true, "is there already"),
        ] {
            if was_there {
                std::fs::write(&target, "").expect("written");
            }
            let returning = Returning::begin(&file, &url, &master(), &random, now).await;
            let returning = returning.expect("begun");
            let (store, _) = Store::open(&url, &master(), &random, now)
                .await
                .expect("opened");
            if !stays {
                store.close().await;
            }
            let refused = returning.end().await.expect_err("refused").to_string();
            assert!(refused.contains(problem), "{refused}");
            store.close().await;
            // It is theirs as before, with a key that is not the backup's.
            let (store, _) = Store::open_made(&url, &master(), &random, now)
                .await
                .expect("opened");
            assert_eq!(
                store
                    .installation()
                    .await
                    .expect("read")
                    .map(|it| it.environment),
                None
            );
            store.close().await;
            std::fs::remove_file(&target).expect("removed");
        }
        // Of somebody who has it open and has not begun, and the backup, one comes to be.
        std::fs::write(&target, "").expect("written");
        let returning = Returning::begin(&file, &url, &master(), &random, now).await;
        let options = SqliteConnectOptions::new().filename(&target);
        let options = options.journal_mode(SqliteJournalMode::Wal);
        let mut other = SqliteConnection::connect_with(&options)
            .await
            .expect("opened");
        let put_back = returning.expect("begun").end().await;
        let begun = sqlx::query("CREATE TABLE theirs (id TEXT)");
        let begun = begun.execute(&mut other).await;
        assert_ne!(put_back.is_ok(), begun.is_ok(), "{put_back:?} {begun:?}");
        other.close().await.expect("closed");
        let left = files(app.directory.path());
        assert!(!left.iter().any(|name| name.ends_with(".part")), "{left:?}");
        if put_back.is_ok() {
            let (store, _) = Store::open_unchanged(&url, &master(), &random, now)
                .await
                .expect("opened");
            let installation = store.installation().await.expect("read");
            assert_eq!(installation.expect("there").environment, "simulator");
            store.close().await;
        }
    });
}

#[test]
fn what_a_killed_one_left_goes_with_the_next() {
    run(async {
        let _shows = shows!(accepting "PV-BACKUP-1", refusing "PV-BACKUP-1");
        let (app, file, target) = lost().await;
        let directory = app.directory.path();
        let half = |name: &str, hours: u64| {
            let path = directory.join(name);
            let file = std::fs::File::create(&path).expect("made");
            let now = u64::try_from(app.clock.now().0).expect("after 1970");
            let old = UNIX_EPOCH + Duration::from_secs(now - hours * 3600);
            file.set_modified(old).expect("set");
            path
        };
        let left = [
            half(".test.db.0123456789abcdef.portvakt.part", 25),
            half(".monday.0123456789abcdef.portvakt.part", 25),
            half(".monday.0123456789abcdef.portvakt.part-journal", 25),
        ];
        let others = [
            // Perhaps somebody is at work on it.
            half(".test.db.1123456789abcdef.portvakt.part", 23),
            half(".test.db.0123456789abcdef.part", 25),
            half("test.db.0123456789abcdef.portvakt.part", 25),
            half(".test.db.0123456789abcdeg.portvakt.part", 25),
        ];
        restore(&app, &file).good();
        assert!(target.exists());
        assert!(
            !left.iter().any(|file| file.exists()),
            "{:?}",
            files(directory)
        );
        assert!(others.iter().all(|file| file.exists()));
        let left = half(".tuesday.0123456789abcdef.portvakt.part", 25);
        back_up(&app, "wednesday");
        assert!(!left.exists());
        // SQLite is not told another name than the one that was asked for.
        let name = OsStr::from_bytes(b"caf\xe9");
        let config = directory.join("portvakt.toml");
        std::fs::write(&config, &app.config).expect("written");
        let run = Command::new(env!("CARGO_BIN_EXE_portvakt"))
            .arg("backup")
            .arg(directory.join(name))
            .arg("--config")
            .arg(&config)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(!run.status.success() && said.contains("UTF-8"), "{said}");
    });
}
