//! The store on its own: nodes and who collects what.

use std::time::Duration;

use futures_util::future::join_all;
use portvakt::authorize::request::Parameters;
use portvakt::bankid::collect::Hint;
use portvakt::bankid::launch::Manner;
use portvakt::bankid::message::Device;
use portvakt::bankid::order::{OrderTokens, Ordered};
use portvakt::claims::release::{Identity, Release};
use portvakt::client::bankid::Demands;
use portvakt::clock::{Clock, Seconds};
use portvakt::id::{ClientId, Id};
use portvakt::language::Language;
use portvakt::login::{
    Asked, Comeback, LIFETIME, Login, Order, Progress, RENEWAL_PAUSE, RENEWAL_TRIES, Renewal, State,
};
use portvakt::random::Random;
use portvakt::secret::{Key, Secret};
use portvakt::session::Session;
use portvakt::shows;
use portvakt::storage::{Exchange, Finish, Old, Rotation, Store};
use portvakt::token::code::Issued;
use portvakt::token::grant::{Grant, Tokens};
use portvakt::token::refresh::Turn;
use sqlx::Connection;

use crate::notices::Logins;
use crate::support::{Database, on_both, run};

pub async fn open(database: &Database, directory: &std::path::Path) -> (Store, Clock, Random) {
    let (clock, random) = (Clock::system(), Random::system());
    let key = Key::from_bytes(&[7; 32]).expect("32 bytes");
    let url = database.url(directory);
    let (store, _) = Store::open(&url, &key.into(), &random, clock.now())
        .await
        .expect("it opens");
    (store, clock, random)
}

pub fn login(clock: &Clock, random: &Random) -> Login {
    Login {
        id: Id::fresh(random),
        browser: Secret::fresh(random).digest(),
        client_id: ClientId::parse("web").expect("an id"),
        asked: Asked {
            asked_at: None,
            parameters: Parameters::from_pairs([("claims".to_owned(), "191212121212".to_owned())]),
            ip: [192, 0, 2, 1].into(),
            language: Language::SWEDISH.tag().clone(),
            manner: Manner::default(),
            demands: Demands::default(),
            expected_people: Vec::new(),
            scripts: true,
            user_agent: "Browser".into(),
            browser_name: "d".into(),
        },
        expires_at: clock.now() + LIFETIME,
        orders_made: 1,
        state: State::Open,
        order: Order {
            id: Id::fresh(random),
            device: Device::Other,
            tokens: OrderTokens {
                order_ref: "131daac9-16c6-4618-beb0-365768f37288".into(),
                auto_start_token: "7c40b5c9-fa74-49cf-b98c-bfe651f9a7c6".into(),
                qr_start_token: "67df3917-fa0d-44e5-b327-edcc928297f8".into(),
                qr_start_secret: "d28db9a7-4cde-429e-a983-359be676944c".into(),
            },
            ordered: Ordered::default(),
            received_at: clock.moment(),
            progress: Progress::Ordered(Hint::new("outstandingTransaction")),
            answered_at: None,
            comeback: Comeback::NotExpected,
        },
        renewal: Renewal::default(),
        version: 1,
    }
}

on_both!(
    a_node_hears_of_others_until_they_stop,
    async |database: Database| {
        let _shows = shows!(accepting "PV-NODE-4", refusing "PV-NODE-4");
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, _) = open(&database, directory.path()).await;
        let (now, since) = (clock.now(), clock.now() - Seconds(6));
        let a = store.start_node("a", now).await.expect("started");
        let old = now - Seconds(60);
        store.start_node("old", old).await.expect("started");
        let hears = async || store.has_other_node(&a, since).await.expect("asked");
        assert!(!hears().await);
        let b = store.start_node("b", now).await.expect("started");
        assert!(hears().await);
        store.stop_node(&b).await.expect("stopped");
        assert!(!hears().await);
    }
);

#[test]
fn a_statement_that_nobody_waits_for_ends_in_the_database_too() {
    let Some(database) = Database::whole_postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-AWAY-3", refusing "PV-AWAY-3");
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, _) = open(&database, directory.path()).await;
        let node = store.start_node("a", clock.now()).await.expect("started");
        let url = database.url(directory.path());
        let mut holder = sqlx::PgConnection::connect(&url).await.expect("connected");
        let mut held = holder.begin().await.expect("begun");
        sqlx::query("SELECT id FROM node FOR UPDATE")
            .execute(&mut *held)
            .await
            .expect("locked");
        let waiting = "SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let mut observer = sqlx::PgConnection::connect(&url).await.expect("connected");
        let mut waiting = async || -> i64 {
            let count = sqlx::query_scalar(waiting);
            count.fetch_one(&mut observer).await.expect("counted")
        };
        // Whoever serves gives up, and whoever is patient does not.
        store.serve();
        let (patient, now) = (store.patient(), clock.now());
        let (one, other) = (node.clone(), node.clone());
        let patient = tokio::spawn(async move { patient.heartbeat(&one, now).await });
        let given_up = tokio::spawn(async move { store.heartbeat(&other, now).await });
        while waiting().await < 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let given_up = given_up.await.expect("no panic").expect_err("given up");
        assert!(given_up.passes(), "{given_up}");
        for _ in 0..100 {
            if waiting().await == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(waiting().await, 1, "the patient one alone");
        assert!(!patient.is_finished());
        held.rollback().await.expect("released");
        assert!(patient.await.expect("no panic").expect("heard"));
    });
}

on_both!(
    orders_of_dead_nodes_are_taken_over_by_one,
    async |database: Database| {
        let _shows = shows!(accepting "B10", refusing "B10");
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, random) = open(&database, directory.path()).await;
        let now = clock.now();
        let (other, _, _) = open(&database, directory.path()).await;
        let a = store.start_node("a", now).await.expect("started");
        let b = store.start_node("b", now).await.expect("started");
        let lease = now - Seconds(6);
        let own = login(&clock, &random);
        store
            .begin_login(&own, None, &a, now)
            .await
            .expect("stored");
        let mut taken_by_a = 0;
        for round in 0..20 {
            let dead = store
                .start_node(&format!("dead {round}"), now - Seconds(60))
                .await
                .expect("started");
            for _ in 0..20 {
                let login = login(&clock, &random);
                assert!(
                    store
                        .begin_login(&login, None, &dead, now)
                        .await
                        .expect("stored")
                );
            }
            let take = |store: &Store, node: &portvakt::storage::NodeName| {
                let (store, node) = (store.clone(), node.clone());
                tokio::spawn(async move { store.take_over_orders(&node, lease, now).await })
            };
            let (first, second) = tokio::join!(take(&store, &a), take(&other, &b));
            let first = first.expect("no panic").expect("taken");
            let second = second.expect("no panic").expect("taken");
            assert_eq!(first + second, 20, "each by one");
            taken_by_a += first;
        }
        let held = |node| {
            let (store, node) = (store.clone(), node);
            async move { store.orders_of_node(&node).await.expect("asked") }
        };
        let of_b = held(b.clone()).await;
        assert!(
            of_b.iter().all(|order| order.order != own.order.id),
            "a living node's stay"
        );
        assert!(of_b.iter().all(|order| order.taken_over_at == Some(now)));
        assert_eq!(held(a.clone()).await.len() as u64, taken_by_a + 1);
        // A new start of the same node takes over what the last one left.
        let again = store.start_node("a", now).await.expect("started");
        assert_eq!(again.epoch, a.epoch + 1);
        let left = store
            .take_over_orders(&again, lease, now)
            .await
            .expect("taken");
        assert_eq!(left, taken_by_a + 1);
        assert!(
            !store.heartbeat(&a, now).await.expect("asked"),
            "the old start is told"
        );
    }
);

on_both!(
    an_answer_is_kept_once_whoever_holds_it,
    async |database: Database| {
        let _shows = shows!(accepting "BC-04", accepting "PV-ANSWER-1", refusing "PV-ANSWER-1");
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, random) = open(&database, directory.path()).await;
        let node = store.start_node("a", clock.now()).await.expect("started");
        let login = login(&clock, &random);
        store
            .begin_login(&login, None, &node, clock.now())
            .await
            .expect("stored");
        assert!(
            !store
                .begin_login(&login, None, &node, clock.now())
                .await
                .expect("asked"),
            "one begins it"
        );
        let data = serde_json::json!({"user": {"personalNumber": "191212121212", "name": "T T", "givenName": "T", "surname": "T"}});
        let complete = || Progress::Complete(serde_json::from_value(data.clone()).expect("data"));
        assert!(
            store
                .keep_progress(login.id, login.order.id, &complete(), None)
                .await
                .expect("stored")
                .is_some()
        );
        for late in [
            complete(),
            Progress::Lost,
            Progress::Failed(Hint::new("userCancel")),
        ] {
            let kept = store
                .keep_progress(login.id, login.order.id, &late, None)
                .await;
            assert_eq!(kept.expect("asked"), None);
        }
        let read = store.login(login.id).await.expect("read").expect("there");
        assert!(matches!(read.order.progress, Progress::Complete(_)));
        assert_eq!(read.version, 2);
        let changed = store
            .changed_logins(&[(login.id, 1), (Id::fresh(&random), 1)])
            .await
            .expect("asked");
        assert!(changed.contains(&login.id));
        assert!(
            store
                .changed_logins(&[(login.id, 2)])
                .await
                .expect("asked")
                .is_empty()
        );
    }
);

on_both!(
    only_the_node_that_collects_an_order_may_give_it_up,
    async |database: Database| {
        let _shows = shows!(accepting "B11", refusing "B11");
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, random) = open(&database, directory.path()).await;
        let now = clock.now();
        let slow = store.start_node("slow", now).await.expect("started");
        let other = store.start_node("other", now).await.expect("started");
        let login = login(&clock, &random);
        let (id, order) = (login.id, login.order.id);
        let stored = store.begin_login(&login, None, &slow, now).await;
        assert!(stored.expect("stored"));
        // The slow node was not heard of, and its question is answered too late: the other one has
        // the answer and is storing it.
        let later = now + Seconds(60);
        let beat = store.heartbeat(&other, later).await;
        assert!(beat.expect("asked"));
        let taken = store
            .take_over_orders(&other, later - Seconds(6), later)
            .await;
        assert_eq!(taken.expect("taken"), 1);
        assert!(!store.lose_order(id, order, &slow).await.expect("asked"));
        let waiting = store.login(id).await.expect("read").expect("there");
        assert!(matches!(waiting.order.progress, Progress::Ordered(_)));
        assert!(store.lose_order(id, order, &other).await.expect("asked"));
        assert!(!store.lose_order(id, order, &other).await.expect("asked"));
        let lost = store.login(id).await.expect("read").expect("there");
        assert!(matches!(lost.order.progress, Progress::Lost));
        // Who holds an approval all the same has not come too late.
        let data = serde_json::json!({"user": {"personalNumber": "191212121212", "name": "T T", "givenName": "T", "surname": "T"}});
        let complete = Progress::Complete(serde_json::from_value(data).expect("data"));
        let kept = store.keep_progress(id, order, &complete, Some(now)).await;
        assert!(kept.expect("stored").is_some());
        let found = store.login(id).await.expect("read").expect("there");
        assert!(found.completion(now).is_ok());
        // And when its time is up without a finish, nobody's number stays.
        let after = found.expires_at + Seconds(1);
        store.sweep(after).await.expect("swept");
        let swept = store.login(id).await.expect("read").expect("there");
        assert!(matches!(swept.order.progress, Progress::Spent));
    }
);

on_both!(
    one_node_at_a_time_sets_out_to_renew_a_code,
    async |database: Database| {
        let _shows = shows!(accepting "PV-RENEW-2", refusing "PV-RENEW-2");
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, random) = open(&database, directory.path()).await;
        let (mut now, mut login) = (clock.now(), login(&clock, &random));
        let node = store.start_node("a", now).await.expect("started");
        let stored = store.begin_login(&login, None, &node, now).await;
        assert!(stored.expect("stored"));
        for tried in 1..=RENEWAL_TRIES + 1 {
            let claims = (0..20).map(|_| {
                let (store, login) = (store.clone(), login.clone());
                tokio::spawn(async move { store.claim_renewal(&login, now).await })
            });
            let claims = futures_util::future::join_all(claims).await;
            let won = claims
                .into_iter()
                .filter(|claim| matches!(claim, Ok(Ok(true))))
                .count();
            assert_eq!(won, usize::from(tried <= RENEWAL_TRIES), "{tried}");
            login = store.login(login.id).await.expect("read").expect("there");
            assert_eq!(login.renewal.tried, tried.min(RENEWAL_TRIES));
            now = now + RENEWAL_PAUSE;
        }
    }
);

on_both!(
    nothing_readable_is_in_the_tables,
    async |database: Database| {
        let _shows = shows!(accepting "D1", refusing "D1");
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, random) = open(&database, directory.path()).await;
        let node = store.start_node("a", clock.now()).await.expect("started");
        let login = login(&clock, &random);
        store
            .begin_login(&login, None, &node, clock.now())
            .await
            .expect("stored");
        let data = serde_json::json!({"user": {"personalNumber": "191212121212", "name": "Tolvan T", "givenName": "T", "surname": "T"}});
        let complete = Progress::Complete(serde_json::from_value(data).expect("data"));
        store
            .keep_progress(login.id, login.order.id, &complete, None)
            .await
            .expect("stored");
        let dump = dump(&database, directory.path()).await;
        assert!(
            dump.contains(&login.id.to_string()),
            "the dump shows the row"
        );
        for secret in [
            "191212121212",
            "Tolvan",
            "d28db9a7",
            "131daac9",
            "7c40b5c9",
            "MTkxMjEyMTIxMjEy",
        ] {
            assert!(!dump.contains(secret), "{secret}");
        }
        // Another master key opens nothing.
        store.close().await;
        let other = Key::from_bytes(&[8; 32]).expect("32 bytes");
        assert!(
            Store::open(
                &database.url(directory.path()),
                &other.into(),
                &random,
                clock.now()
            )
            .await
            .is_err()
        );
    }
);

async fn dump(database: &Database, directory: &std::path::Path) -> String {
    use sqlx::Row;
    let url = database.url(directory);
    let sql = "SELECT l.id, l.asked, o.tokens, o.answer, o.hint FROM login l JOIN bankid_order o ON o.login_id = l.id";
    fn text(id: String, blobs: [Option<Vec<u8>>; 3], hint: String) -> String {
        let blobs: Vec<String> = blobs
            .iter()
            .flatten()
            .map(|b| format!("{} {}", String::from_utf8_lossy(b), hex::encode(b)))
            .collect();
        format!("{id} {} {hint}", blobs.join(" "))
    }
    match database {
        Database::Sqlite => {
            let db = sqlx::SqlitePool::connect(&url).await.expect("the database");
            let row = sqlx::query(sql).fetch_one(&db).await.expect("a row");
            text(
                row.get(0),
                [Some(row.get(1)), Some(row.get(2)), row.get(3)],
                row.get(4),
            )
        }
        Database::Postgres(_) => {
            let db = sqlx::PgPool::connect(&url).await.expect("the database");
            let row = sqlx::query(sql).fetch_one(&db).await.expect("a row");
            text(
                row.get(0),
                [Some(row.get(1)), Some(row.get(2)), row.get(3)],
                row.get(4),
            )
        }
    }
}

pub fn issued(clock: &Clock, random: &Random) -> Issued {
    let data = serde_json::json!({"user": {"personalNumber": "191212121212", "name": "T T", "givenName": "T", "surname": "T"}});
    Issued {
        dpop_jkt: None,
        code: Secret::fresh(random),
        grant: Grant {
            id: Id::fresh(random),
            client_id: ClientId::parse("web").expect("an id"),
            session: Id::fresh(random),
            subject: "s".into(),
            scope: "openid".into(),
            resources: Default::default(),
            released: Release::default(),
            identity: Identity::of(&serde_json::from_value(data).expect("data")),
            nonce: None,
            auth_time: clock.now(),
            txn: Id::fresh(random),
            expires_at: clock.now() + Seconds(360),
            has_ended: false,
        },
        redirect_uri: "https://app.example/callback".into(),
        challenge: None,
        expires_at: clock.now() + Seconds(60),
        pushed: None,
        once: None,
    }
}

pub fn tokens(random: &Random, now: portvakt::clock::Timestamp) -> Tokens {
    Tokens {
        access: Secret::fresh(random),
        access_kid: None,
        access_binding: None,
        resources: Default::default(),
        refresh_key: None,
        access_expires_at: now + Seconds(300),
        scope: "openid".into(),
        refresh: Some((Secret::fresh(random), now + Seconds(3600))),
        kept_until: None,
    }
}

/// More than there are connections.
async fn crowd(store: &Store, clock: &Clock) {
    let asks = (0..40).map(|_| store.client("nobody", clock.now()));
    for answer in join_all(asks).await {
        assert!(answer.expect("a free connection that works").is_none());
    }
}

/// The same on a runtime of its own, which is still there and which nobody drives any more.
fn crowd_elsewhere(store: &Store, clock: &Clock) -> tokio::runtime::Runtime {
    let (store, clock) = (store.clone(), clock.clone());
    let elsewhere = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            crowd(&store, &clock).await;
            // Those that nobody had to wait for in the end.
            while store.connections().idle < 2 {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        });
        runtime
    });
    elsewhere.join().expect("it ends")
}

#[test]
fn connections_go_with_the_threads_that_they_were_made_on() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, _) = open(&database, directory.path()).await;
        for _ in 0..3 {
            crowd_elsewhere(&store, &clock).shutdown_background();
            // Nothing arrives any more over what was made there.
            crowd(&store, &clock).await;
        }
    });
}

#[test]
fn whoever_signs_off_uses_no_connection_of_threads_that_stand_still() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, _) = open(&database, directory.path()).await;
        let still = crowd_elsewhere(&store, &clock);
        assert!(store.connections().idle >= 2);
        store.stay_here();
        let nobody = store.client("nobody", clock.now()).await;
        assert!(nobody.expect("a connection that works").is_none());
        // Nothing is left of those that were made there.
        assert_eq!(store.connections().idle, 1);
        crowd(&store, &clock).await;
        still.shutdown_background();
    });
}

// Every caller has read that its turn is good. Those who use a token for the first time compete with
// each other, and those who use its predecessor once more compete with them for the same row.
on_both!(
    of_many_uses_of_a_refresh_token_and_its_predecessor_one_wins,
    async |database: Database| {
        let _shows = shows!(accepting "PV-RACE-4", refusing "PV-RACE-4");
        let directory = tempfile::tempdir().expect("a directory");
        let logins = Logins::new(&database, directory.path()).await;
        let (two, clock, random) = open(&database, directory.path()).await;
        let one = &logins.store;
        for person in 0..10 {
            let (mut issued, now) = (issued(&clock, &random), clock.now());
            issued.grant.session = logins.log_in(person, None).await.0.session;
            let given = one.issue_code(&issued, now).await;
            assert_eq!(given.expect("stored"), Ok(()));
            let (grant, client) = (issued.grant.id, issued.grant.client_id);
            let first = tokens(&random, now);
            one.exchange_code(issued.code.digest(), grant, &client, &first, now)
                .await
                .expect("exchanged");
            let all = async |turns: Vec<(&Tokens, Turn)>| {
                let mut callers = Vec::new();
                for (n, (shown, turn)) in turns.into_iter().enumerate() {
                    let store = if n % 2 == 0 { one.clone() } else { two.clone() };
                    let (client, fresh) = (client.clone(), tokens(&random, now));
                    let shown = shown.refresh.as_ref().expect("one").0.digest();
                    callers.push(tokio::spawn(async move {
                        let client_id = &client;
                        let rotation = Rotation {
                            shown,
                            client_id,
                            grant,
                            turn,
                        };
                        let won = store.rotate_refresh_token(&rotation, &fresh, now).await;
                        won.expect("no fault").then_some(fresh)
                    }));
                }
                let mut winners = Vec::new();
                for caller in callers {
                    winners.extend(caller.await.expect("no panic"));
                }
                winners
            };
            let mut second = all(vec![(&first, Turn::First); 16]).await;
            assert_eq!(second.len(), 1);
            let second = second.remove(0);
            // Whoever comes too late, with tokens that would end sooner, takes nothing from the grant's time.
            let end = async || {
                let digest = second.refresh.as_ref().expect("one").0.digest();
                let record = one.refresh_token(digest, &client).await.expect("read");
                record.expect("there").grant.expires_at
            };
            let rotation = Rotation {
                shown: first.refresh.as_ref().expect("one").0.digest(),
                client_id: &client,
                grant,
                turn: Turn::First,
            };
            let (sooner, before) = (tokens(&random, now - Seconds(600)), end().await);
            let lost = one.rotate_refresh_token(&rotation, &sooner, now).await;
            assert!(!lost.expect("no fault"));
            assert_eq!(end().await, before);
            let mixed = (0..32).map(|n| match n % 2 {
                0 => (&second, Turn::First),
                _ => (&first, Turn::Again),
            });
            let third = all(mixed.collect()).await;
            assert_eq!(third.len(), 1);
            let live = |tokens: &Tokens| {
                let digest = tokens.refresh.as_ref().expect("one").0.digest();
                let (store, client) = (one.clone(), client.clone());
                async move {
                    let record = store.refresh_token(digest, &client).await.expect("read");
                    let record = record.expect("there");
                    record.used_at.is_none() && !record.is_replaced
                }
            };
            assert!(!live(&first).await && !live(&second).await && live(&third[0]).await);
            // What was ended in between gives nothing, although everybody read that it lives.
            one.end_grant(grant, now).await.expect("ended");
            let fourth = all(vec![(&third[0], Turn::First); 4]).await;
            assert_eq!(fourth.len(), 0);
        }
    }
);

// At the door most of a hundred are turned away by what they read; here all of them have read that
// the code is good, and only the statement itself stands between them.
on_both!(
    of_many_exchanges_that_all_saw_a_good_code_one_wins,
    async |database: Database| {
        let _shows = shows!(accepting "TK-15", refusing "TK-15", accepting "PV-RACE-1", refusing "PV-RACE-1");
        let directory = tempfile::tempdir().expect("a directory");
        let logins = Logins::new(&database, directory.path()).await;
        let (two, clock, random) = open(&database, directory.path()).await;
        let one = &logins.store;
        for person in 0..20 {
            let mut issued = issued(&clock, &random);
            issued.grant.session = logins.log_in(person, None).await.0.session;
            let given = one.issue_code(&issued, clock.now()).await;
            assert_eq!(given.expect("stored"), Ok(()));
            let (code, grant, client) = (
                issued.code.digest(),
                issued.grant.id,
                issued.grant.client_id,
            );
            let mut callers = Vec::new();
            for n in 0..32 {
                let store = if n % 2 == 0 { one.clone() } else { two.clone() };
                let (client, now) = (client.clone(), clock.now());
                let tokens = tokens(&random, now);
                callers.push(tokio::spawn(async move {
                    let outcome = store
                        .exchange_code(code, grant, &client, &tokens, now)
                        .await;
                    (outcome.expect("no fault"), tokens.access)
                }));
            }
            let mut winners = Vec::new();
            for caller in callers {
                if let (Exchange::Won, token) = caller.await.expect("no panic") {
                    winners.push(token);
                }
            }
            assert_eq!(winners.len(), 1);
            let alive = one
                .access_token(winners[0].digest(), clock.now())
                .await
                .expect("asked");
            assert!(alive.is_none(), "the others ended what it got");
        }
    }
);

on_both!(
    of_many_ends_of_a_login_one_makes_a_code,
    async |database: Database| {
        let _shows =
            shows!(accepting "PV-RACE-3", refusing "PV-RACE-3", accepting "B9", refusing "B9");
        let directory = tempfile::tempdir().expect("a directory");
        let (one, clock, random) = open(&database, directory.path()).await;
        let (two, _, _) = open(&database, directory.path()).await;
        let node = one.start_node("a", clock.now()).await.expect("started");
        for round in 0..10 {
            let login = login(&clock, &random);
            one.begin_login(&login, None, &node, clock.now())
                .await
                .expect("stored");
            let mut callers = Vec::new();
            for n in 0..20 {
                let store = if n % 2 == 0 { one.clone() } else { two.clone() };
                let (clock, random, login) = (clock.clone(), random.clone(), login.clone());
                callers.push(tokio::spawn(async move {
                    let now = clock.now();
                    let finish = Finish {
                        evidence: None,
                        login: login.id,
                        order: login.order.id,
                        // One person in every round, so that they are found and made at once.
                        index: [round / 5; 32].into(),
                        old_browser: None,
                        new_browser: Secret::fresh(&random).digest(),
                        client_id: &login.client_id,
                        subject_key: &Key::from_bytes(&[7; 32]).expect("32 bytes"),
                        approved: std::collections::BTreeSet::new(),
                        approved_offline: false,
                    };
                    let fresh = Id::fresh(&random);
                    let made = store.finish_login(&finish, fresh, now, |person, _| {
                        let issued = issued(&clock, &random);
                        let identity = issued.grant.identity.clone();
                        let session = Session {
                            id: Id::fresh(&random),
                            person,
                            identity,
                            auth_time: now,
                            txn: login.order.id,
                            expires_at: now + Seconds(60),
                        };
                        (session, issued, person)
                    });
                    made.await.expect("no fault")
                }));
            }
            let mut winners = 0;
            for caller in callers {
                winners += usize::from(caller.await.expect("no panic").is_some());
            }
            assert_eq!(winners, 1);
        }
    }
);

on_both!(
    whatever_happens_to_a_login_at_once_happens_one_after_the_other,
    async |database: Database| {
        let _shows = shows!(accepting "PV-ANSWER-1", refusing "PV-ANSWER-1");
        let directory = tempfile::tempdir().expect("a directory");
        let (one, clock, random) = open(&database, directory.path()).await;
        let (two, _, _) = open(&database, directory.path()).await;
        let node = one.start_node("a", clock.now()).await.expect("started");
        let data = serde_json::json!({"user": {"personalNumber": "191212121212", "name": "T T", "givenName": "T", "surname": "T"}});
        for round in 0..40 {
            let mut login = login(&clock, &random);
            login.order.device = Device::This;
            login.order.comeback = Comeback::Awaited;
            let nonce = Secret::fresh(&random).digest();
            one.begin_login(&login, Some(nonce), &node, clock.now())
                .await
                .expect("stored");
            let complete: Progress =
                Progress::Complete(serde_json::from_value(data.clone()).expect("data"));
            let mut returned = login.clone();
            returned.order.comeback = Comeback::Here;
            let mut renewed = login.clone();
            renewed.order = self::login(&clock, &random).order;
            let (old, now) = (login.order.id, clock.now());
            let replaced = Old {
                order: old,
                is_unmet: false,
            };
            let (kept, came, replaced, cancelled) = tokio::join!(
                one.keep_progress(login.id, old, &complete, Some(now)),
                two.keep_return(&returned),
                one.replace_order(&renewed, &replaced, None, &node, now),
                async {
                    match round % 2 {
                        0 => two.cancel_login(&login).await,
                        _ => Ok(false),
                    }
                },
            );
            let (kept, came) = (kept.expect("no fault"), came.expect("no fault"));
            let (kept, came) = (kept.is_some(), came.is_some());
            let (replaced, cancelled) = (replaced.expect("no fault"), cancelled.expect("no fault"));
            let after = one.login(login.id).await.expect("read").expect("there");
            assert!(!(replaced && cancelled) || after.state == State::Cancelled);
            assert_eq!(after.state == State::Cancelled, cancelled);
            if kept && came && !cancelled {
                assert_eq!(
                    after.completion(now).is_ok(),
                    !replaced,
                    "an order that wins is not replaced"
                );
            }
            if replaced {
                assert_eq!(after.order.id, renewed.order.id);
            }
        }
    }
);
