//! SQLite on a disk that is full while people log in.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use portvakt::shows;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::support::balancer::Balancer;
use crate::support::cluster::Node;
use crate::support::phone::TOLVAN;
use crate::support::postgres::is_root;
use crate::support::visitors::Visitors;
use crate::support::{Answer, App, Browser, Database, left_out, run};

/// A file system of a few megabytes, in memory.
struct Small {
    place: TempDir,
}

static SAID: OnceLock<()> = OnceLock::new();

impl Small {
    /// `None` where nothing can be mounted and nothing must be.
    fn mounted() -> Option<Small> {
        let place = tempfile::tempdir().expect("a directory");
        let mounted = as_root(
            &["mount", "-t", "tmpfs", "-o", "size=8m,mode=0777", "small"],
            place.path(),
        );
        if !mounted {
            left_out("a small file system (as root or by sudo)", &SAID);
            return None;
        }
        Some(Small { place })
    }

    fn filler(&self) -> PathBuf {
        self.place.path().join("filler")
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.filler())
            .expect("a file");
        for size in [64 * 1024, 4096, 1] {
            let block = vec![0; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).expect("removed");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        as_root(&["umount", "-l"], self.place.path());
    }
}

fn as_root(command: &[&str], place: &Path) -> bool {
    let before: &[&str] = match is_root() {
        true => &[],
        false => &["sudo", "-n"],
    };
    let words = [before, command].concat();
    let done = Command::new(words[0]).args(&words[1..]).arg(place).status();
    done.is_ok_and(|status| status.success())
}

/// What SQLite itself finds wrong with a database.
async fn wrong_with(url: &str) -> Vec<String> {
    let mut db = SqliteConnection::connect(url).await.expect("it opens");
    let found = sqlx::query_scalar("PRAGMA integrity_check");
    let found: Vec<String> = found.fetch_all(&mut db).await.expect("it is looked at");
    found.into_iter().filter(|line| line != "ok").collect()
}

#[test]
fn a_full_disk_is_said_and_survived() {
    let Some(small) = Small::mounted() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-AWAY-2", refusing "PV-AWAY-2");
        let mut app = App::on(Database::sqlite()).await;
        app.stop_provider().await;
        let url = format!("sqlite:{}/test.db", small.place.path().display());
        let elsewhere = app.database.url(app.directory.path());
        app.config = app.config.replace(&elsewhere, &url);
        let app = Arc::new(app);
        let mut node = Node::start(&app, "one").await;
        let _balancer = Balancer::before(&app, &[node.place]).await;
        let (_, little) = node.readiness(&app).await;
        assert!(
            little.contains("warning: the disk of the database has "),
            "{little}"
        );
        let visitors = Visitors::of(6, &app);
        visitors.until_more(4).await;
        // Somebody has the phone in the hand.
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
        browser.until(&login, "working").await;
        small.fill();
        node.until_it_says(&app, 503, "the disk of the database is full")
            .await;
        // What is written lands in room that SQLite has of its own, until that is used up. The visitors may all be
        // waiting for an answer of BankID's that cannot be stored: others come.
        let begin = async || {
            let newcomer = Browser::new();
            let choice = newcomer.get(&app.authorize_url(&[])).await;
            newcomer.press(&choice, "other").await
        };
        let mut begun = begin().await;
        for _ in 0..900 {
            if begun.status == 503 {
                break;
            }
            assert_eq!(begun.status, 303, "{}", begun.body);
            tokio::time::sleep(Duration::from_millis(100)).await;
            begun = begin().await;
        }
        assert_eq!(begun.status, 503, "it is never full: {}", begun.body);
        // BankID gives its answer once, and it is not lost for that.
        claimed.approve().await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(wrong_with(&url).await, [] as [String; 0]);
        node.until_it_says(&app, 503, "the disk of the database is full")
            .await;
        small.free();
        node.until_it_says(&app, 200, "ready").await;
        let answer = Answer::of(&browser.until_departure(&login).await);
        crate::token::redeem(&app, &answer).await;
        visitors.until_more(6).await;
        let tally = visitors.leave().await;
        println!("{tally:?}");
        assert_eq!(tally.answers_lost.load(Ordering::SeqCst), 0);
        tally.nothing_was_lost_but_at_bankid([&node]);
        assert!(node.log().contains("the disk is full"));
        node.serving.tell_to_stop();
        assert!(node.serving.ends_well().await);
        assert_eq!(wrong_with(&url).await, [] as [String; 0]);
    });
}
