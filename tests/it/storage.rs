//! The store on its own: nodes and who collects what.

use portvakt::authorize::request::Parameters;
use portvakt::bankid::collect::Hint;
use portvakt::bankid::launch::Platform;
use portvakt::bankid::message::{Device, Language};
use portvakt::bankid::order::OrderTokens;
use portvakt::clock::{Clock, Seconds};
use portvakt::id::{ClientId, Id};
use portvakt::login::{Asked, Comeback, LIFETIME, Login, Order, Progress, State};
use portvakt::random::Random;
use portvakt::secret::{Key, Secret};
use portvakt::shows;
use portvakt::storage::Store;

use crate::support::{Database, on_both};

async fn open(database: &Database, directory: &std::path::Path) -> (Store, Clock, Random) {
    let (clock, random) = (Clock::system(), Random::system());
    let key = Key::from_bytes(&[7; 32]).expect("32 bytes");
    let url = database.url(directory);
    let (store, _) = Store::open(&url, &key, &random, clock.now())
        .await
        .expect("it opens");
    (store, clock, random)
}

fn login(clock: &Clock, random: &Random) -> Login {
    Login {
        id: Id::fresh(random),
        browser: Secret::fresh(random).digest(),
        client_id: ClientId::parse("web").expect("an id"),
        asked: Asked {
            parameters: Parameters::from_pairs([("claims".to_owned(), "191212121212".to_owned())]),
            ip: [192, 0, 2, 1].into(),
            language: Language::Sv,
            platform: Platform::Computer,
            scripts: true,
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
            received_at: clock.moment(),
            progress: Progress::Ordered(Hint::new("outstandingTransaction")),
            comeback: Comeback::NotExpected,
        },
        version: 1,
    }
}

on_both!(
    orders_of_dead_nodes_are_taken_over_by_one,
    async |database: Database| {
        let _shows = shows!(accepting "B10", refusing "B10");
        let directory = tempfile::tempdir().expect("a directory");
        let (store, clock, random) = open(&database, directory.path()).await;
        let now = clock.now();
        let dead = store
            .start_node("dead", now - Seconds(60))
            .await
            .expect("started");
        let a = store.start_node("a", now).await.expect("started");
        let b = store.start_node("b", now).await.expect("started");
        for _ in 0..50 {
            let login = login(&clock, &random);
            assert!(
                store
                    .begin_login(&login, None, &dead, now)
                    .await
                    .expect("stored")
            );
        }
        let own = login(&clock, &random);
        store
            .begin_login(&own, None, &a, now)
            .await
            .expect("stored");
        let lease = now - Seconds(6);
        let (first, second) = tokio::join!(
            store.take_over_orders(&a, lease, now),
            store.take_over_orders(&b, lease, now)
        );
        let (first, second) = (first.expect("taken"), second.expect("taken"));
        assert_eq!(first.len() + second.len(), 50, "each by one");
        assert!(
            first
                .iter()
                .chain(&second)
                .all(|taken| taken.order != own.order.id),
            "a living node's stay"
        );
        // A new start of the same node takes over what the last one left.
        let again = store.start_node("a", now).await.expect("started");
        assert_eq!(again.epoch, a.epoch + 1);
        let left = store
            .take_over_orders(&again, lease, now)
            .await
            .expect("taken");
        assert_eq!(left.len(), first.len() + 1);
        assert!(
            !store.heartbeat(&a, now).await.expect("asked"),
            "the old start is told"
        );
    }
);

on_both!(
    an_answer_is_kept_once_whoever_holds_it,
    async |database: Database| {
        let _shows = shows!(accepting "PV-ANSWER-1", refusing "PV-ANSWER-1");
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
                .keep_progress(login.id, login.order.id, &complete())
                .await
                .expect("stored")
        );
        for late in [
            complete(),
            Progress::Lost,
            Progress::Failed(Hint::new("userCancel")),
        ] {
            assert!(
                !store
                    .keep_progress(login.id, login.order.id, &late)
                    .await
                    .expect("asked")
            );
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
            .keep_progress(login.id, login.order.id, &complete)
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
                &other,
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
