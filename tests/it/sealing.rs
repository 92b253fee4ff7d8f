//! The keys of the database are replaced while people log in, and nothing in it is readable before, between
//! and after.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portvakt::audit::{Action, Actor, Event};
use portvakt::clock::{Clock, Seconds};
use portvakt::error::Fault;
use portvakt::id::{Id, kind};
use portvakt::login::Progress;
use portvakt::random::Random;
use portvakt::secret::{Key, MasterKeys, Secret};
use portvakt::session::Session;
use portvakt::shows;
use portvakt::storage::{
    Cursor, Finish, KEPT, NumberIndex, OpenError, Purpose, Rolled, SETTLING, Store,
};

use crate::storage::{issued, login, open};
use crate::support::doors::{ran, ran_with};
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, Options, SECRET, on_both};

pub fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).expect("32 bytes")
}

fn master(current: u8, former: &[u8]) -> MasterKeys {
    MasterKeys {
        current: key(current),
        former: former.iter().map(|byte| key(*byte)).collect(),
    }
}

fn event(clock: &Clock, action: Action) -> Event {
    Event {
        at: clock.moment(),
        actor: Actor::CONFIGURATION,
        action,
        object: "key:seal".into(),
        before: None,
        after: None,
    }
}

fn rolled(clock: &Clock) -> Event {
    event(clock, Action::KeyRollSealing)
}

on_both!(
    the_current_master_key_takes_over_from_a_former_one,
    async |database: Database| {
        let _shows =
            shows!(accepting "PV-KEY-10", refusing "PV-KEY-10", accepting "D1", refusing "D1");
        let directory = tempfile::tempdir().expect("a directory");
        let (clock, random) = (Clock::system(), Random::system());
        let url = database.url(directory.path());
        let open = async |keys: MasterKeys| Store::open(&url, &keys, &random, clock.now()).await;
        let (running, _) = open(master(1, &[])).await.expect("made");
        let node = running.start_node("a", clock.now()).await.expect("started");
        let login = login(&clock, &random);
        let began = running.begin_login(&login, None, &node, clock.now()).await;
        assert!(began.expect("stored"));
        for wrong in [master(2, &[]), master(2, &[3])] {
            let refused = open(wrong).await.expect_err("another key");
            assert!(matches!(refused, OpenError::MasterKey), "{refused}");
            assert_eq!(refused.to_string().lines().count(), 1);
        }
        // Several nodes start at once with the new one.
        let starts = (0..4).map(|_| open(master(2, &[3, 1])));
        for opened in futures_util::future::join_all(starts).await {
            let (store, _) = opened.expect("opened");
            assert!(!store.needs_former_master_key());
            store.login(login.id).await.expect("read").expect("there");
            store.close().await;
        }
        let (alone, _) = open(master(2, &[]))
            .await
            .expect("the former one is not needed");
        alone.login(login.id).await.expect("read").expect("there");
        let refused = open(master(1, &[])).await.expect_err("the former one");
        assert!(matches!(refused, OpenError::MasterKey), "{refused}");
        // A node that was not started again goes on.
        running
            .refresh_keys(clock.now())
            .await
            .expect("nothing new");
        running.login(login.id).await.expect("read").expect("there");
        // Until there is a key that it cannot open: then it says so.
        let new = alone.roll_key(Purpose::Seal, &rolled(&clock)).await;
        assert!(matches!(new, Ok(Rolled::New(_))));
        assert!(running.refresh_keys(clock.now()).await.is_err());
        alone.refresh_keys(clock.now()).await.expect("it can");
    }
);

on_both!(
    operators_are_told_when_a_former_master_key_is_needless,
    async |database: Database| {
        let _shows = shows!(accepting "PV-KEY-10", refusing "PV-KEY-10");
        let app = App::on(database).await;
        let (old, new) = (
            STANDARD.encode([7; 32]),
            STANDARD.encode(b"\x01the next key of these tests: 32"),
        );
        assert_eq!(STANDARD.decode(&new).expect("base64").len(), 32);
        let line = format!("master_key = \"{old}\"");
        assert!(app.config.contains(&line));
        let with = |lines: &str| app.config.replace(&line, lines);
        let said = ran(&app, &["key", "status"]).good();
        assert!(
            said.starts_with("master key: it wraps all keys of the database\n"),
            "{said}"
        );
        assert!(
            said.contains("sealing key 1: ") && said.contains("index key 1: 0 people"),
            "{said}"
        );
        // A file each, as an operator keeps them.
        std::fs::write(app.directory.path().join("old.key"), &old).expect("written");
        std::fs::write(app.directory.path().join("new.key"), &new).expect("written");
        let wrong = with("master_key_file = \"new.key\"");
        let told = ran_with(&app, &wrong, &["key", "status"]).bad();
        assert!(told.contains("made with another master key"), "{told}");
        let both = with("master_key_file = \"new.key\"\nformer_master_key_files = [\"old.key\"]");
        let said = ran_with(&app, &both, &["check"]);
        assert!(said.out.contains("are not needed any more"), "{said:?}");
        let status = ran_with(&app, &both, &["key", "status", "--json"]).json();
        assert_eq!(status["former_master_keys"], 1);
        assert_eq!(status["former_master_keys_needed"], false);
        ran_with(&app, &wrong, &["key", "status"]).good();
        ran(&app, &["key", "status"]).bad();
        // Who serves all the while has noticed nothing.
        app.log_in(&Browser::new(), TOLVAN).await;
    }
);

/// Seals all that there is anew, and says how many values.
async fn reseal(store: &Store) -> (u64, u64) {
    let mut cursor = Cursor::default();
    while store.reseal_some(&mut cursor).await.expect("sealed") {}
    (cursor.resealed, cursor.unopened)
}

on_both!(
    values_are_sealed_anew_after_a_crash_too,
    async |database: Database| {
        let _shows = shows!(accepting "PV-KEY-11", refusing "PV-KEY-11", accepting "PV-KEY-8", refusing "PV-KEY-8");
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, random) = open(&database, directory.path()).await;
        let (other, _, _) = open(&database, directory.path()).await;
        let node = store.start_node("a", clock.now()).await.expect("started");
        let mut logins = Vec::new();
        let begin = async |store: &Store| {
            let login = login(&clock, &random);
            let began = store.begin_login(&login, None, &node, clock.now()).await;
            assert!(began.expect("stored"));
            login.id
        };
        for _ in 0..120 {
            logins.push(begin(&store).await);
        }
        // Each has three sealed values: what was asked, the tokens, and what was ordered.
        let uses = async |number| {
            store
                .key_uses(Purpose::Seal, number)
                .await
                .expect("counted")
        };
        assert_eq!(uses(1).await, 360);
        let first = store
            .roll_key(Purpose::Seal, &rolled(&clock))
            .await
            .expect("made");
        assert!(matches!(first, Rolled::New(key) if key.number == 2));
        let again = other
            .roll_key(Purpose::Seal, &rolled(&clock))
            .await
            .expect("asked");
        assert!(matches!(again, Rolled::Already(key) if key.number == 2));
        // Not before each node had time to learn of it.
        store.refresh_keys(clock.now()).await.expect("read");
        logins.push(begin(&store).await);
        assert_eq!((uses(1).await, uses(2).await), (363, 0));
        clock.advance(Duration::from_secs(SETTLING.0.unsigned_abs()));
        store.refresh_keys(clock.now()).await.expect("read");
        logins.push(begin(&store).await);
        assert_eq!((uses(1).await, uses(2).await), (363, 3));
        // The other one learned of it, and still uses the old one because it has not looked since.
        other
            .refresh_keys(clock.now() - SETTLING)
            .await
            .expect("read");
        logins.push(begin(&other).await);
        assert_eq!((uses(1).await, uses(2).await), (366, 3));
        for id in &logins {
            other.login(*id).await.expect("read").expect("there");
        }
        other.refresh_keys(clock.now()).await.expect("read");
        // It stops half way, and another node begins anew.
        let mut cursor = Cursor::default();
        store.reseal_some(&mut cursor).await.expect("sealed");
        while cursor.resealed == 0 {
            store.reseal_some(&mut cursor).await.expect("sealed");
        }
        assert_eq!((cursor.resealed, uses(2).await), (100, 103));
        // One value was meddled with: it stays as it is, and so does the key.
        let spoiled = logins[50];
        let flip = match &database {
            Database::Sqlite => {
                let zeros = "0".repeat(80);
                format!("UPDATE login SET asked = x'01{zeros}' WHERE id = '{spoiled}'")
            }
            Database::Postgres(_) => {
                format!(
                    "UPDATE login SET asked = '\\x01'::bytea || decode(repeat('00', 40), 'hex') WHERE id = '{spoiled}'"
                )
            }
        };
        assert_eq!(database.meddle(directory.path(), flip), Ok(1));
        let (resealed, unopened) = reseal(&other).await;
        assert_eq!((resealed >= 265, unopened), (true, 1), "{resealed}");
        assert_eq!(uses(1).await, 1);
        assert_eq!(reseal(&store).await, (0, 1), "nothing is left to do");
        let removed = async |after: Seconds| {
            let removed = store.remove_unused_sealing_keys(clock.now() + after).await;
            removed.expect("removed")
        };
        assert_eq!(
            removed(KEPT).await,
            [] as [u8; 0],
            "one value still needs it"
        );
        let statement = format!("DELETE FROM login WHERE id = '{spoiled}'");
        assert_eq!(database.meddle(directory.path(), statement), Ok(1));
        assert_eq!(
            removed(Seconds(KEPT.0 - 60)).await,
            [] as [u8; 0],
            "too early"
        );
        assert_eq!(removed(KEPT).await, [1]);
        store.refresh_keys(clock.now()).await.expect("read");
        for id in logins.iter().filter(|id| **id != spoiled) {
            store.login(*id).await.expect("read").expect("there");
        }
        // A value moved to another row does not open there.
        let (a, b) = (logins[0], logins[1]);
        let moved = format!(
            "UPDATE login SET asked = (SELECT asked FROM login WHERE id = '{a}') WHERE id = '{b}'"
        );
        assert_eq!(database.meddle(directory.path(), moved), Ok(1));
        assert!(store.login(b).await.is_err());
        let (fresh, _, _) = open(&database, directory.path()).await;
        fresh.login(a).await.expect("read").expect("there");
    }
);

on_both!(
    nobody_notices_that_keys_are_replaced,
    async |database: Database| {
        let _shows = shows!(accepting "PV-KEY-11", accepting "PV-KEY-12");
        let app = App::on(database).await;
        let known = Browser::new();
        let subject = async |answer: &Answer| {
            let tokens = crate::token::redeem(&app, answer).await;
            crate::token::claims(&app, &tokens).await["sub"].clone()
        };
        let before = subject(&app.log_in(&known, TOLVAN).await).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let underway = browser.choose(&choice, "other").await;
        let said = ran(&app, &["key", "roll-sealing"]).good();
        assert!(said.starts_with("sealing key 2 is made"), "{said}");
        let said = ran(&app, &["key", "roll-sealing"]).good();
        assert!(said.starts_with("sealing key 2 was made before"), "{said}");
        let said = ran(&app, &["key", "roll-index"]).good();
        assert!(said.starts_with("index key 2 is made"), "{said}");
        app.clock.advance(Duration::from_secs(2 * 60));
        let store = &app.provider.store;
        let mut left = -1;
        for _ in 0..150 {
            left = store.key_uses(Purpose::Seal, 1).await.expect("counted");
            if left == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(left, 0, "all is sealed anew");
        // The login that began before ends after, and the person is the same.
        let again = browser.until(&underway, "scan").await;
        app.phone
            .scan(&again.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        let answer = Answer::of(&browser.until_departure(&underway).await);
        assert_eq!(subject(&answer).await, before);
        assert_eq!(store.key_uses(Purpose::Index, 1).await.expect("counted"), 0);
        assert_eq!(store.key_uses(Purpose::Index, 2).await.expect("counted"), 1);
        // The old ones go, and sessions stay.
        app.clock
            .advance(Duration::from_secs(KEPT.0.unsigned_abs()));
        for _ in 0..150 {
            let mut generations = store.key_generations(Purpose::Seal).await.expect("read");
            generations.extend(store.key_generations(Purpose::Index).await.expect("read"));
            if generations.len() == 2 {
                assert!(generations.iter().all(|generation| generation.number == 2));
                let silent = app.authorize_url(&[("prompt", Some("none"))]);
                assert_eq!(
                    subject(&Answer::of(&known.get(&silent).await)).await,
                    before
                );
                let said = ran(&app, &["audit", "list"]).good();
                assert!(said.contains("key.roll_sealing") && said.contains("key.roll_index"));
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the old keys stay");
    }
);

/// Who somebody is whose number has this index, after a login.
async fn log_in(
    store: &Store,
    clock: &Clock,
    random: &Random,
    index: NumberIndex,
) -> Id<kind::Person> {
    let finished = try_to_log_in(store, clock, random, index).await;
    finished.expect("no fault")
}

async fn try_to_log_in(
    store: &Store,
    clock: &Clock,
    random: &Random,
    index: NumberIndex,
) -> Result<Id<kind::Person>, Fault> {
    let now = clock.now();
    let node = store.start_node("a", now).await.expect("started");
    let login = login(clock, random);
    let began = store.begin_login(&login, None, &node, now).await;
    assert!(began.expect("stored"));
    let finish = Finish {
        evidence: None,
        login: login.id,
        order: login.order.id,
        index,
        old_browser: None,
        new_browser: Secret::fresh(random).digest(),
        client_id: &login.client_id,
        subject_key: &key(9),
        approved: std::collections::BTreeSet::new(),
        approved_offline: false,
    };
    let finished = store.finish_login(&finish, Id::fresh(random), now, |person, _| {
        let issued = issued(clock, random);
        let session = Session {
            id: issued.grant.session,
            person,
            identity: issued.grant.identity.clone(),
            auth_time: now,
            txn: login.order.id,
            expires_at: now + Seconds(3600),
        };
        (session, issued, person)
    });
    Ok(finished.await?.expect("finished").outcome)
}

on_both!(
    a_node_that_has_missed_a_new_key_makes_nobody,
    async |database: Database| {
        let _shows = shows!(accepting "PV-KEY-13", refusing "PV-KEY-13");
        let directory = tempfile::tempdir().expect("a directory");
        let (clock, random) = (Clock::system(), Random::system());
        let url = database.url(directory.path());
        let open = async || {
            let opened = Store::open(&url, &key(7).into(), &random, clock.now()).await;
            opened.expect("it opens")
        };
        let (one, one_keys) = open().await;
        let (two, two_keys) = open().await;
        let (anna, bo, cecilia) = (b"191212121212", b"198506732399", b"199003152387");
        let known = log_in(&one, &clock, &random, one_keys.index.of(anna)).await;
        let not_moved = log_in(&one, &clock, &random, one_keys.index.of(cecilia)).await;
        let rolled = event(&clock, Action::KeyRollIndex);
        one.roll_key(Purpose::Index, &rolled).await.expect("rolled");
        // Nobody uses it yet.
        log_in(&two, &clock, &random, two_keys.index.of(b"200001019876")).await;
        clock.advance(Duration::from_secs(SETTLING.0.unsigned_abs()));
        one.refresh_keys(clock.now()).await.expect("read");
        let moved = log_in(&one, &clock, &random, one_keys.index.of(anna)).await;
        assert_eq!(moved, known);
        // The other node finds neither by the key that it knows, and takes neither for somebody new.
        for number in [anna, bo] {
            let index = two_keys.index.of(number);
            let refused = try_to_log_in(&two, &clock, &random, index).await;
            assert!(matches!(refused, Err(Fault::KeysUnknown)), "{refused:?}");
        }
        let index = two_keys.index.of(cecilia);
        assert_eq!(log_in(&two, &clock, &random, index).await, not_moved);
        two.refresh_keys(clock.now()).await.expect("read");
        let index = two_keys.index.of(anna);
        assert_eq!(log_in(&two, &clock, &random, index).await, known);
    }
);

on_both!(
    a_node_that_cannot_read_new_keys_stops_before_others_use_them,
    async |database: Database| {
        let _shows = shows!(accepting "PV-KEY-14", refusing "PV-KEY-14");
        let app = App::on(database).await;
        let meddle = |statement: &str| {
            let done = app.database.meddle(app.directory.path(), statement);
            done.expect("done");
        };
        // As another master key would wrap it.
        meddle(
            "INSERT INTO data_key (purpose, generation, wrapped, created_at)
             SELECT 'seal', 2, wrapped, created_at FROM data_key WHERE purpose = 'form'",
        );
        let choose = async || {
            let browser = Browser::new();
            let choice = browser.get(&app.authorize_url(&[])).await;
            browser.press(&choice, "other").await
        };
        // For a while nobody uses it.
        assert_eq!(choose().await.status, 303);
        app.clock.advance(Duration::from_secs(31));
        until(async || choose().await.status == 503).await;
        meddle("DELETE FROM data_key WHERE purpose = 'seal' AND generation = 2");
        until(async || choose().await.status == 303).await;
        app.log_in(&Browser::new(), TOLVAN).await;
    }
);

/// Waits for what a node notices by itself.
async fn until(is_so: impl AsyncFn() -> bool) {
    for _ in 0..60 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("it never is");
}

on_both!(
    a_number_has_one_person_whichever_key_it_is_found_by,
    async |database: Database| {
        let _shows =
            shows!(accepting "PV-KEY-12", refusing "PV-KEY-12", accepting "D2", refusing "D2");
        let directory = tempfile::tempdir().expect("a directory");
        let (clock, random) = (Clock::system(), Random::system());
        let url = database.url(directory.path());
        let open = async |url: &str| {
            let opened = Store::open(url, &key(7).into(), &random, clock.now()).await;
            opened.expect("it opens")
        };
        let (one, one_keys) = open(&url).await;
        let (two, two_keys) = open(&url).await;
        // No digest without the key, and no other installation's key, gives the index.
        let number = b"191212121212";
        let index = one_keys.index.of(number);
        let elsewhere = tempfile::tempdir().expect("a directory");
        let (_, foreign) = open(&Database::Sqlite.url(elsewhere.path())).await;
        assert_ne!(index.written, foreign.index.of(number).written);
        {
            use sha2::Digest;
            for plain in [&number[..], b"1212121212", b"121212-1212", b"19121212-1212"] {
                assert_ne!(index.written[..], sha2::Sha256::digest(plain)[..]);
            }
        }
        let early = log_in(&one, &clock, &random, index.clone()).await;
        let made = one
            .roll_key(Purpose::Index, &event(&clock, Action::KeyRollIndex))
            .await;
        assert!(matches!(made, Ok(Rolled::New(_))));
        clock.advance(Duration::from_secs(SETTLING.0.unsigned_abs()));
        // One node writes the new one already, the other still the old one, and neither loses anybody.
        one.refresh_keys(clock.now()).await.expect("read");
        two.refresh_keys(clock.now() - SETTLING)
            .await
            .expect("read");
        let (new, old) = (one_keys.index.of(number), two_keys.index.of(number));
        assert_eq!((new.generation, old.generation), (2, 1));
        assert_eq!(two.person(&old).await.expect("asked"), Some(early));
        assert_eq!(log_in(&one, &clock, &random, new.clone()).await, early);
        assert_eq!(log_in(&two, &clock, &random, old.clone()).await, early);
        assert_eq!(
            one.key_uses(Purpose::Index, 2).await.expect("counted"),
            1,
            "never back"
        );
        assert_eq!(two.person(&old).await.expect("asked"), Some(early));
        // First logins of one person on both at the same moment.
        for round in 0..20 {
            let number = format!("2000010{round:05}");
            let (new, old) = (
                one_keys.index.of(number.as_bytes()),
                two_keys.index.of(number.as_bytes()),
            );
            let (a, b) = tokio::join!(
                log_in(&one, &clock, &random, new),
                log_in(&two, &clock, &random, old),
            );
            assert_eq!(a, b, "{round}");
        }
        // Who does not come keeps the old key needed.
        let late = clock.now() + KEPT + SETTLING;
        let left = one.key_uses(Purpose::Index, 1).await.expect("counted");
        assert_eq!(
            left > 0,
            one.remove_unused_index_keys(late)
                .await
                .expect("asked")
                .is_empty()
        );
        let statement = "DELETE FROM person WHERE index_generation = 1";
        database
            .meddle(directory.path(), statement)
            .expect("deleted");
        let gone = one.remove_unused_index_keys(late).await.expect("asked");
        assert!(gone == [1] || left == 0, "{gone:?}");
        one.refresh_keys(clock.now()).await.expect("read");
        assert_eq!(
            one.person(&one_keys.index.of(b"191212121212"))
                .await
                .expect("asked"),
            Some(early)
        );
    }
);

/// Everything that a database holds, as a thief has it: with what is written in hexadecimal also as the bytes
/// that it stands for.
pub fn dump(database: &Database, directory: &std::path::Path) -> Vec<u8> {
    match database {
        Database::Sqlite => ["test.db", "test.db-wal"]
            .iter()
            .filter_map(|name| std::fs::read(directory.join(name)).ok())
            .flatten()
            .collect(),
        Database::Postgres(_) => {
            let tables = database.texts(
                directory,
                "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()",
            );
            let mut all = Vec::new();
            for table in tables {
                for row in
                    database.texts(directory, format!("SELECT CAST(t AS TEXT) FROM {table} t"))
                {
                    for part in row.split("\\x").skip(1) {
                        let digits = part.find(|c: char| !c.is_ascii_hexdigit());
                        let digits = &part[..digits.unwrap_or(part.len())];
                        all.extend(hex::decode(digits).expect("bytes"));
                    }
                    all.extend(row.into_bytes());
                }
            }
            all
        }
    }
}

/// How something might stand there.
pub fn encodings(secret: &[u8]) -> Vec<Vec<u8>> {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut all = vec![
        secret.to_vec(),
        hex::encode(secret).into(),
        hex::encode_upper(secret).into(),
    ];
    // Base64 depends on where the bytes begin; what is at the edges does, too, and is left away.
    for shift in 0..3 {
        let shifted = [&vec![0; shift][..], secret].concat();
        let whole = shifted.len() / 3 * 3;
        let from = if shift == 0 { 0 } else { 4 };
        for engine in [&STANDARD, &URL_SAFE_NO_PAD] {
            all.push(engine.encode(&shifted[..whole]).as_bytes()[from..].to_vec());
        }
    }
    if let Ok(text) = std::str::from_utf8(secret) {
        all.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        all.push(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }
    all
}

on_both!(
    a_stolen_database_says_nothing_of_anybody,
    async |database: Database| {
        let _shows = shows!(accepting "D1", refusing "D1", refusing "D7");
        let options = Options {
            evidence: true,
            ..Options::on(database.clone())
        };
        let app = App::start(options).await;
        let (store, clock, random) = (&app.provider.store, &app.clock, Random::system());
        // A login at a client that has evidence kept, with a code and its tokens; a pushed request; and an
        // order that is complete and was not finished.
        let browser = Browser::new();
        let callback = "https://proof.example/callback";
        let url = app.authorize_url(&[
            ("client_id", Some("proving")),
            ("redirect_uri", Some(callback)),
        ]);
        let proof = app.log_in_at(&browser, TOLVAN, &url).await;
        let proof = proof.code().to_owned();
        let number = r#"{"id_token":{"personal_number":{"value":"191212121212"}}}"#;
        let name = crate::par::push(&app, &[("claims", Some(number))]).await;
        let answer = app.log_in(&Browser::new(), TOLVAN).await;
        let tokens = crate::token::redeem(&app, &answer).await;
        let access_token = tokens["access_token"].as_str().expect("a token").to_owned();
        let node = store.start_node("a", clock.now()).await.expect("started");
        let login = login(clock, &random);
        let began = store.begin_login(&login, None, &node, clock.now()).await;
        assert!(began.expect("stored"));
        let data = serde_json::json!({"user": {"personalNumber": "191212121212", "name": "Tolvan Tolvansson", "givenName": "Tolvan", "surname": "Tolvansson"}});
        let complete = Progress::Complete(serde_json::from_value(data).expect("data"));
        let kept = store
            .keep_progress(login.id, login.order.id, &complete, None)
            .await;
        assert!(kept.expect("stored").is_some());
        ran(&app, &["key", "roll-sealing"]).good();
        ran(&app, &["key", "roll-index"]).good();
        let mut secrets: Vec<Vec<u8>> = [
            "191212121212",
            "1212121212",
            "19121212-1212",
            "121212-1212",
            "Tolvansson",
            "131daac9-16c6-4618-beb0-365768f37288",
            "d28db9a7-4cde-429e-a983-359be676944c",
            SECRET,
            &access_token,
            &proof,
            name.rsplit(':').next().expect("a name"),
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec();
        secrets.push(vec![7; 32]);
        for key in store.signing_keys().await.expect("read") {
            let private = store.private_signing_key(&key.kid).await.expect("read");
            let private = private.expect("a key");
            secrets.push(private[private.len() - 32..].to_vec());
        }
        // Each sealed column holds something, or there is nothing to be found.
        for (table, column) in Store::sealed_columns() {
            let question =
                format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table} WHERE {column} IS NOT NULL");
            let count = database.texts(app.directory.path(), question);
            assert_ne!(count, ["0"], "{table}.{column}");
        }
        let dump = dump(&database, app.directory.path());
        // Eight bytes of it are looked up first: looking for each at each place would take minutes.
        let beginnings: HashSet<&[u8]> = dump.windows(8).collect();
        let holds = |bytes: &[u8]| {
            beginnings.contains(&bytes[..8]) && dump.windows(bytes.len()).any(|part| part == bytes)
        };
        assert!(holds(login.id.to_string().as_bytes()), "the dump is one");
        for secret in &secrets {
            for encoded in encodings(secret) {
                assert!(
                    encoded.len() >= 8 && !holds(&encoded),
                    "{}",
                    String::from_utf8_lossy(secret)
                );
            }
        }
    }
);
