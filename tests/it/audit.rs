//! The audit log: who did what, told with what it tells of, and whether somebody else wrote in it.

use std::time::Duration;

use futures_util::future::join_all;
use portvakt::audit::seal::Finding;
use portvakt::audit::{Action, Actor, Door, Event, Who};
use portvakt::clock::{Clock, Seconds};
use portvakt::shows;
use portvakt::storage::{EventFilter, Store};
use portvakt::testing::canary;
use serde_json::json;

use crate::registration::issued;
use crate::storage::open;
use crate::support::doors::{Ran, desk, ran};
use crate::support::phone::TOLVAN;
use crate::support::{App, Browser, Database, SECRET, on_both};

/// A client is made in a shell, which seals that.
fn create(app: &App, id: &str) -> String {
    let redirects = format!("redirect_uris=[\"https://{id}.example/cb\"]");
    let name = format!("client_name=App {id}");
    let said = ran(
        app,
        &["client", "create", "--client-id", id, &name, &redirects],
    )
    .good();
    let secret = said.lines().last().expect("a line").to_owned();
    canary(&secret);
    secret
}

fn verify(app: &App, head: Option<&str>) -> Ran {
    let head: Vec<&str> = head.iter().flat_map(|head| ["--head", *head]).collect();
    ran(app, &[&["audit", "verify"], head.as_slice()].concat())
}

/// The head, as the verification of a sound log tells it.
fn head(app: &App) -> String {
    let said = verify(app, None).good();
    said.lines().nth(1).expect("a head").to_owned()
}

/// The names of the events of each seal, in the order in which they stand in it.
async fn seals(app: &App, database: &Database) -> Vec<Vec<String>> {
    let question = "SELECT seal || ' ' || audit_id FROM audit_sealed ORDER BY seal, position";
    let mut seals: Vec<(String, Vec<String>)> = Vec::new();
    for line in database.texts(app.directory.path(), question) {
        let (seal, id) = line.split_once(' ').expect("two words");
        match seals.last_mut() {
            Some((last, ids)) if last == seal => ids.push(id.to_owned()),
            _ => seals.push((seal.to_owned(), vec![id.to_owned()])),
        }
    }
    seals.into_iter().map(|(_, ids)| ids).collect()
}

on_both!(
    whatever_is_done_to_the_log_is_named_by_the_program,
    async |database: Database| {
        let _shows = shows!(accepting "M8", refusing "M8");
        let app = App::on(database.clone()).await;
        app.stop_provider().await;
        for id in ["a", "b", "c", "d"] {
            create(&app, id);
        }
        let listed = ran(&app, &["audit", "list", "--json"]).json();
        let last = &listed[0];
        assert_eq!(last["action"], "client.create");
        assert_eq!(last["object"], "client:d");
        assert_eq!(last["actor"], "operator:tester");
        assert_eq!(last["door"], "cli");
        assert_eq!(last["after"]["client_name"], "App d");
        let only = [
            "audit", "list", "--json", "--object", "client:a", "--most", "5",
        ];
        assert_eq!(ran(&app, &only).json().as_array().map(Vec::len), Some(1));
        let table = ran(&app, &["audit", "list", "--actor", "operator:tester"]).good();
        assert_eq!(table.lines().count(), 5, "{table}");
        assert!(!table.contains("provider"), "{table}");
        let (early, good) = (head(&app), head(&app));
        assert_eq!(early, good, "to look changes nothing");
        for known in [None, Some(good.as_str())] {
            verify(&app, known).good();
        }
        // Each is undone, so that the next one is alone.
        let seals = seals(&app, &database).await;
        let (first, ids) = (seals[0].clone(), seals[1..].concat());
        assert!(first.len() > 1 && ids.len() == 4, "{seals:?}");
        let directory = app.directory.path();
        let meddle = |statement: String| database.meddle(directory, statement).expect("done");
        let id = &ids[1];
        let number = seals.len();
        let reordered = |a: usize, b: usize| {
            let at = |position: usize, id: &str| {
                format!("UPDATE audit_sealed SET position = {position} WHERE audit_id = '{id}'; ")
            };
            at(1000, &first[0]) + &at(a, &first[1]) + &at(b, &first[0])
        };
        let forged = "INSERT INTO audit (id, at_ms, actor, action, object, detail, mac) VALUES
            ('not even a name', 1, 'operator:tester', 'client.remove', 'client:a', 'no JSON', ";
        let nothing = match database {
            Database::Sqlite => "x'00')",
            Database::Postgres(_) => "'\\x00')",
        };
        for (done, undone, told) in [
            (
                format!("UPDATE audit SET actor = 'operator:eve' WHERE id = '{id}'"),
                format!("UPDATE audit SET actor = 'operator:tester' WHERE id = '{id}'"),
                vec![format!(
                    "event {id} was changed after it was sealed in seal 3"
                )],
            ),
            (
                format!("UPDATE audit SET detail = detail || ' ' WHERE id = '{id}'"),
                format!("UPDATE audit SET detail = rtrim(detail) WHERE id = '{id}'"),
                vec![format!("event {id} was changed")],
            ),
            (
                format!(
                    "CREATE TABLE kept AS SELECT * FROM audit WHERE id = '{id}'; DELETE FROM audit WHERE id = '{id}'"
                ),
                "INSERT INTO audit SELECT * FROM kept; DROP TABLE kept".to_owned(),
                vec![format!("event {id} of seal 3 was removed")],
            ),
            (
                reordered(0, 1),
                reordered(1, 0),
                vec!["the events of seal 1 were reordered".to_owned()],
            ),
            (
                format!("{forged}{nothing}"),
                "DELETE FROM audit WHERE id = 'not even a name'".to_owned(),
                vec!["event not even a name was not written by this installation".to_owned()],
            ),
            // With a line that says that it is in a seal.
            (
                format!("{forged}{nothing}; INSERT INTO audit_sealed (audit_id, seal, position, digest) VALUES ('not even a name', -1, 0, {nothing}"),
                "DELETE FROM audit WHERE id = 'not even a name'; DELETE FROM audit_sealed WHERE seal = -1".to_owned(),
                vec!["event not even a name was not written by this installation".to_owned()],
            ),
            (
                "CREATE TABLE kept AS SELECT * FROM audit_seal WHERE number = 2; DELETE FROM audit_seal WHERE number = 2".to_owned(),
                "INSERT INTO audit_seal SELECT * FROM kept; DROP TABLE kept".to_owned(),
                vec!["seal 2 was removed".to_owned()],
            ),
            (
                "CREATE TABLE kept AS SELECT * FROM audit_seal WHERE number = 2; UPDATE audit_seal SET digest = signature WHERE number = 2".to_owned(),
                "DELETE FROM audit_seal WHERE number = 2; INSERT INTO audit_seal SELECT * FROM kept; DROP TABLE kept".to_owned(),
                vec!["seal 2 is not signed".to_owned(), "seal 3 is not signed, or does not follow".to_owned()],
            ),
            (
                "UPDATE audit_seal SET sealed_at = sealed_at + 1 WHERE number = 2".to_owned(),
                "UPDATE audit_seal SET sealed_at = sealed_at - 1 WHERE number = 2".to_owned(),
                vec!["seal 2".to_owned()],
            ),
        ] {
            meddle(done.clone());
            let said = verify(&app, None).bad();
            for told in &told {
                assert!(said.contains(told), "{done}: {told} in {said}");
            }
            // The list shows what is there, and another act goes on.
            ran(&app, &["audit", "list"]).good();
            meddle(undone);
            verify(&app, Some(&good)).good();
        }
        // The end: only who knows what was there finds out.
        meddle(format!(
            "DELETE FROM audit WHERE id = '{}'; DELETE FROM audit_sealed WHERE seal = {number};
             DELETE FROM audit_seal WHERE number = {number}",
            ids[3]
        ));
        verify(&app, None).good();
        let said = verify(&app, Some(&good)).bad();
        assert!(
            said.contains(&format!(
                "the end of the log was removed: it once was {good}"
            )),
            "{said}"
        );
        // It does not grow over.
        create(&app, "e");
        verify(&app, None).good();
        let said = verify(&app, Some(&good)).bad();
        assert!(
            said.contains(&format!("seal {number} is not signed, or does not follow")),
            "{said}"
        );
    }
);

fn event(clock: &Clock, n: usize) -> Event {
    Event {
        at: clock.moment(),
        actor: Actor {
            who: Who::Operator("tester".into()),
            door: Door::Cli,
            address: None,
        },
        action: Action::ClientChange,
        object: format!("client:{n}"),
        before: None,
        after: Some(json!({ "n": n })),
    }
}

async fn is_sound(store: &Store, clock: &Clock) {
    let found = store.verify_audit(None, clock.now()).await.expect("read");
    assert_eq!(found, []);
}

on_both!(
    nodes_that_seal_at_once_make_one_chain,
    async |database: Database| {
        let _shows = shows!(accepting "M8");
        let directory = tempfile::tempdir().expect("a directory");
        let (one, clock, _) = open(&database, directory.path()).await;
        let (two, _, _) = open(&database, directory.path()).await;
        let both = [&one, &two];
        for round in 0..10 {
            let told = (0..8).map(|n| {
                let (store, clock) = (both[n % 2], &clock);
                async move {
                    store
                        .tell_of(&event(clock, round * 8 + n))
                        .await
                        .expect("told");
                    store.seal_audit(clock.now()).await.expect("sealed");
                }
            });
            join_all(told).await;
        }
        is_sound(&one, &clock).await;
        let counted = |table: &str| {
            let count = format!("SELECT CAST(count(*) AS TEXT) FROM {table}");
            database.texts(directory.path(), count).remove(0)
        };
        assert_eq!(counted("audit"), "80");
        assert_eq!(counted("audit_sealed"), "80");
        let last = one.audit_head().await.expect("asked").expect("a head");
        assert_eq!(counted("audit_seal"), last.number.to_string());
    }
);

on_both!(
    many_events_are_all_sealed_however_late,
    async |database: Database| {
        let _shows = shows!(accepting "M8", refusing "M8");
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, _) = open(&database, directory.path()).await;
        for n in 0..3 {
            store.tell_of(&event(&clock, n)).await.expect("told");
        }
        store.seal_audit(clock.now()).await.expect("sealed");
        // More than one seal holds, left behind by a node that died, and found hours later.
        let many: Vec<usize> = (3..1203).collect();
        for part in many.chunks(100) {
            for n in part {
                store.tell_of(&event(&clock, *n)).await.expect("told");
            }
        }
        clock.advance(Duration::from_secs(3 * 60 * 60));
        let found = store.verify_audit(None, clock.now()).await.expect("read");
        assert_eq!(found.len(), 1200);
        assert!(
            found
                .iter()
                .all(|finding| matches!(finding, Finding::Unsealed(_)))
        );
        let head = store.seal_audit(clock.now()).await.expect("sealed");
        assert_eq!(head.expect("a head").number, 4);
        is_sound(&store, &clock).await;
        // A seal by a clock that was wrong, a day ahead, stops nothing.
        store.tell_of(&event(&clock, 2000)).await.expect("told");
        store
            .seal_audit(clock.now() + Seconds(24 * 60 * 60))
            .await
            .expect("sealed");
        store.tell_of(&event(&clock, 2001)).await.expect("told");
        assert!(
            store
                .seal_audit(clock.now())
                .await
                .expect("sealed")
                .is_some()
        );
        clock.advance(Duration::from_secs(600));
        is_sound(&store, &clock).await;
    }
);

on_both!(
    a_seal_after_which_there_is_no_number_keeps_no_node_busy,
    async |database: Database| {
        let _shows = shows!(refusing "M8");
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, _) = open(&database, directory.path()).await;
        store.tell_of(&event(&clock, 0)).await.expect("told");
        store.seal_audit(clock.now()).await.expect("sealed");
        let forged = format!(
            "INSERT INTO audit_seal (number, sealed_at, previous, digest, signature)
             SELECT {}, sealed_at, previous, digest, signature FROM audit_seal",
            i64::MAX
        );
        database.meddle(directory.path(), forged).expect("done");
        store.tell_of(&event(&clock, 1)).await.expect("told");
        let sealing = store.seal_audit(clock.now());
        let sealed = tokio::time::timeout(Duration::from_secs(5), sealing).await;
        assert!(sealed.expect("an answer").is_err());
        let found = store.verify_audit(None, clock.now()).await.expect("read");
        assert!(found.contains(&Finding::NoSeal(2)) && found.len() < 1000);
    }
);

on_both!(
    an_event_comes_with_its_row_or_not_at_all,
    async |database: Database| {
        let _shows = shows!(accepting "M8", refusing "M8");
        let app = App::on(database.clone()).await;
        create(&app, "a");
        let count = async || {
            let all = EventFilter::default();
            let events = app.provider.store.events(&all, u16::MAX).await;
            events.expect("asked").len()
        };
        let before = count().await;
        // Refused: nothing is told.
        for refused in [
            &[
                "client",
                "create",
                "--client-id",
                "a",
                "client_name=A",
                "redirect_uris=[\"https://a.example/cb\"]",
            ][..],
            &["client", "set", "a", "pkce=never"],
            &["client", "remove", "web"],
            &["client", "restore", "a"],
        ] {
            ran(&app, refused).bad();
        }
        assert_eq!(count().await, before);
        // Where the event cannot be written nothing is done either.
        let shown = ran(&app, &["client", "show", "a"]).good();
        let directory = app.directory.path();
        let meddle = |statement: &str| database.meddle(directory, statement).expect("done");
        meddle("ALTER TABLE audit RENAME TO elsewhere");
        for fails in [
            &["client", "set", "a", "client_name=B"][..],
            &["client", "remove", "a"],
            &["client", "secret", "a"],
            &["client", "entitle", "a", "--purpose", "Tests."],
            &[
                "client",
                "create",
                "--client-id",
                "b",
                "client_name=B",
                "redirect_uris=[\"https://b.example/cb\"]",
            ],
            &["key", "rotate"],
        ] {
            ran(&app, fails).bad();
        }
        meddle("ALTER TABLE elsewhere RENAME TO audit");
        assert_eq!(ran(&app, &["client", "show", "a"]).good(), shown);
        ran(&app, &["client", "show", "b"]).bad();
        assert_eq!(count().await, before);
        assert!(!ran(&app, &["key", "list"]).good().contains("announced"));
    }
);

on_both!(
    old_events_go_and_the_rest_can_be_verified,
    async |database: Database| {
        let _shows = shows!(accepting "PV-AUDIT-1", refusing "PV-AUDIT-1");
        let app = App::on(database.clone()).await;
        app.stop_provider().await;
        create(&app, "old");
        let refused = ran(&app, &["audit", "prune", "--keep-days", "89"]).bad();
        assert!(refused.contains("must be at least 90"), "{refused}");
        let said = ran(&app, &["audit", "prune", "--keep-days", "90"]).good();
        assert_eq!(said, "The events of 0 seals were removed.\n");
        let listed = || ran(&app, &["audit", "list", "--json", "--most", "1000"]).json();
        let before = listed();
        let good = head(&app);
        // Time is turned back: all of that was long ago.
        let (store, clock, random) = open(&database, app.directory.path()).await;
        clock.advance(Duration::from_secs(91 * 24 * 60 * 60));
        let door = portvakt::admin::Desk {
            store: &store,
            clock: &clock,
            random: &random,
            ..desk(&app, Door::Cli)
        };
        store.tell_of(&event(&clock, 1)).await.expect("told");
        store.seal_audit(clock.now()).await.expect("sealed");
        let gone = portvakt::admin::audit::prune(&door, 90)
            .await
            .expect("pruned");
        assert!(gone >= 2, "{gone}");
        store.seal_audit(clock.now()).await.expect("sealed");
        is_sound(&store, &clock).await;
        let after = listed();
        let kinds: Vec<&str> = after
            .as_array()
            .expect("a list")
            .iter()
            .map(|event| event["action"].as_str().expect("text"))
            .collect();
        assert_eq!(kinds, ["audit.prune", "client.change"]);
        assert!(before.as_array().expect("a list").len() > 2);
        // The head of before is still one of the chain's.
        verify(&app, Some(&good)).good();
        // A removal that nobody signed is named.
        let meddle = |statement: &str| {
            database
                .meddle(app.directory.path(), statement)
                .expect("done")
        };
        meddle(
            "UPDATE audit_seal SET removed_at = 1, removal = signature WHERE removed_at IS NULL",
        );
        assert!(verify(&app, None).bad().contains("is not signed"));
    }
);

on_both!(
    the_log_holds_no_secret_and_nobody,
    async |database: Database| {
        let _shows = shows!(accepting "M5", refusing "M5", accepting "M9", refusing "M9");
        let app = App::on(database.clone()).await;
        let mut secrets = vec![create(&app, "a"), SECRET.to_owned()];
        let rotated = ran(&app, &["client", "secret", "a"]).good();
        secrets.push(rotated.lines().last().expect("a line").to_owned());
        ran(&app, &["client", "entitle", "a", "--purpose", "Tests."]).good();
        secrets.push(issued(&app, &[]));
        ran(&app, &["key", "rotate"]).good();
        // A person logs in, and somebody looks who it is, and ends that.
        app.log_in(&Browser::new(), TOLVAN).await;
        let door = desk(&app, Door::Page);
        let sessions = portvakt::admin::session::list(&door, None, 10)
            .await
            .expect("listed");
        let id = sessions[0].id.to_string();
        let short = portvakt::admin::session::reveal(&door, &id, "why").await;
        assert!(short.is_err(), "a reason is needed");
        let person = portvakt::admin::session::reveal(&door, &id, "The police asks").await;
        assert_eq!(person.expect("known").number, TOLVAN);
        let key = portvakt::secret::Key::from_bytes(&[7; 32]).expect("32 bytes");
        portvakt::admin::session::end(&door, &id, &key)
            .await
            .expect("ended");
        let filter = EventFilter::default();
        let told = app
            .provider
            .store
            .events(&filter, 1000)
            .await
            .expect("asked");
        for action in [
            "client.secret.add",
            "token.issue",
            "key.announce",
            "person.reveal",
            "session.end",
        ] {
            assert!(told.iter().any(|event| event.action == action), "{action}");
        }
        let revealed = told.iter().find(|event| event.action == "person.reveal");
        assert_eq!(revealed.expect("told").object, format!("session:{id}"));
        let rows = database.texts(
            app.directory.path(),
            "SELECT id || ' ' || actor || ' ' || action || ' ' || object || ' ' || detail FROM audit",
        );
        assert!(rows.len() > 10);
        let all = rows.join("\n");
        secrets.extend([
            TOLVAN.to_owned(),
            TOLVAN[2..].to_owned(),
            "Tolvan".to_owned(),
        ]);
        for secret in &secrets {
            assert!(!all.contains(secret.as_str()), "{secret}");
        }
    }
);
