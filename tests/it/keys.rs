//! The keys that we sign with: their life, and what operators do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use portvakt::audit::{Action, Actor, Event};
use portvakt::clock::{Clock, Seconds};
use portvakt::config::Config;
use portvakt::http;
use portvakt::jose::algorithm::Algorithm;
use portvakt::jose::keyring::Keyring;
use portvakt::jose::rotation::{Rotation, State};
use portvakt::provider::Provider;
use portvakt::random::Random;
use portvakt::secret::Key;
use portvakt::shows;
use portvakt::storage::{Revoked, Store};

use crate::signed::{Cache, answered, exchange, request, response};
use crate::support::phone::TOLVAN;
use crate::support::ports;
use crate::support::{Answer, App, Browser, Database, Options, on_both};

const SHORT: &str = "announce_days = 3\nrotate_days = 20\nretain_days = 2";

/// Another node on the same database and by the same clock, and where it listens.
pub async fn beside(app: &App) -> u16 {
    let config = Config::parse(&app.config, app.directory.path()).expect("a good configuration");
    let provider = Provider::start(config, app.clock.clone(), Random::system());
    let (listener, port) = ports::listener();
    let runtime = tokio::runtime::Handle::current();
    http::serve(provider.await.expect("it starts"), listener, None, runtime).expect("served");
    port
}

on_both!(
    /// Two nodes, where there can be two; a client that asks for our keys once a day, now this node
    /// and now that one; thirty days, in which every key is replaced and the first ones are removed.
    whoever_keeps_our_keys_for_a_day_never_fails,
    async |database: Database| {
        let _shows = shows!(accepting "JK-04", refusing "JK-04", accepting "PV-KEY-2", accepting "PV-KEY-4");
        let mut options = Options::on(database.clone());
        options.keys = SHORT;
        let app = App::start(options).await;
        let mut nodes = vec![Browser::new()];
        if let Database::Postgres(_) = database {
            let other = Browser::new();
            other.connect_to(beside(&app).await);
            nodes.push(other);
        }
        let mut cache = Cache::of(&app, &nodes[0]).await;
        let first = cache.kids().join(" ");
        let mut signed: BTreeMap<Algorithm, BTreeSet<String>> = BTreeMap::new();
        let mut published = BTreeSet::new();
        let mut hint = None;
        for step in 0..30 * 8 {
            let hour = step * 3;
            if hour % 24 == 0 {
                cache = Cache::of(&app, &nodes[step / 8 % nodes.len()]).await;
                published.extend(cache.kids().into_iter().map(str::to_owned));
            }
            for (n, algorithm) in Algorithm::ALL.into_iter().enumerate() {
                let name = algorithm.as_str();
                let node = &nodes[(step + n) % nodes.len()];
                let url = request(&app, name, &[("prompt", Some("none"))]);
                let token = answered(&app, node, &url).await;
                let client = name.to_lowercase();
                let (kid, told) = cache.read(&token, name, &client, &app.issuer);
                assert_eq!(told["error"], "login_required", "hour {hour}");
                signed.entry(algorithm).or_default().insert(kid);
            }
            // A login an hour before the keys are replaced, and one right after.
            if [477, 480].contains(&hour) {
                let url = request(&app, "ES256", &[]);
                let browser = Browser::new();
                let login = browser.choose(&browser.get(&url).await, "other").await;
                app.phone.scan(&login.qr_text(), TOLVAN).await.approve().await;
                let answer = response(&Answer::of(&browser.until_departure(&login).await));
                let read = |token: &str| cache.read(token, "ES256", "es256", &app.issuer);
                let granted = read(&answer).1;
                let code = granted["code"].as_str().expect("a code");
                let tokens = exchange(&app, "es256", code).await;
                let id_token = tokens["id_token"].as_str().expect("an ID token").to_owned();
                let (kid, _) = read(&id_token);
                let is_first = first.contains(&kid);
                assert_eq!(is_first, hour == 477, "{kid} of {first}");
                hint.get_or_insert(id_token);
            }
            // What a retained key signed is good; what a removed one signed is not.
            if let Some(hint) = &hint
                && [504, 531].contains(&hour)
            {
                let more = [("prompt", Some("none")), ("id_token_hint", Some(hint.as_str()))];
                let token = answered(&app, &nodes[0], &request(&app, "ES256", &more)).await;
                let told = cache.read(&token, "ES256", "es256", &app.issuer).1;
                let expected = if hour == 504 { "login_required" } else { "invalid_request" };
                assert_eq!(told["error"], expected, "hour {hour}");
            }
            app.clock.advance(Duration::from_secs(3 * 60 * 60));
        }
        for (algorithm, kids) in &signed {
            assert_eq!(kids.len(), 2, "{algorithm} {kids:?}");
        }
        assert_eq!(published.len(), 8, "however many nodes there are");
        let last = Cache::of(&app, &nodes[0]).await;
        assert!(last.kids().iter().all(|kid| !first.contains(kid)), "the first ones are gone");
    }
);

/// What the program says for `portvakt key …`, and whether it went well.
pub fn key_command(app: &App, arguments: &[&str]) -> (bool, String) {
    command(app, "key", arguments)
}

/// The same for other things that operators do.
pub fn command(app: &App, what: &str, arguments: &[&str]) -> (bool, String) {
    let file = app.directory.path().join("portvakt.toml");
    std::fs::write(&file, &app.config).expect("written");
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_portvakt"))
        .arg(what)
        .args(arguments)
        .arg("--config")
        .arg(&file)
        .output()
        .expect("it runs");
    let text = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8(text).expect("text"))
}

async fn store(database: &Database, app: &App) -> Store {
    let key = Key::from_bytes(&[7; 32]).expect("32 bytes");
    let url = database.url(app.directory.path());
    let opened = Store::open(&url, &key.into(), &Random::system(), app.clock.now()).await;
    opened.expect("it opens").0
}

on_both!(
    a_key_that_is_revoked_is_refused_at_once,
    async |database: Database| {
        let _shows = shows!(accepting "PV-KEY-5", refusing "PV-KEY-5", accepting "PV-KEY-6", refusing "PV-KEY-6");
        let app = App::on(database.clone()).await;
        let store = store(&database, &app).await;
        let browser = Browser::new();
        let answer = app.log_in(&browser, TOLVAN).await;
        let tokens = crate::token::redeem(&app, &answer).await;
        let hint = tokens["id_token"].as_str().expect("an ID token").to_owned();
        let hinted = [
            ("prompt", Some("none")),
            ("id_token_hint", Some(hint.as_str())),
        ];
        let hinted = app.authorize_url(&hinted);
        Answer::of(&browser.get(&hinted).await).code();
        let kid = jsonwebtoken::decode_header(&hint)
            .expect("a header")
            .kid
            .expect("a kid");
        let private = store
            .private_signing_key(&kid)
            .await
            .expect("asked")
            .expect("a key");
        let mut said = String::new();

        let (fine, list) = key_command(&app, &["list"]);
        let (_, programs) = key_command(&app, &["list", "--json"]);
        let programs: serde_json::Value = serde_json::from_str(&programs).expect("JSON");
        let programs = programs.as_array().expect("a list");
        assert_eq!(programs.len(), list.lines().count());
        assert!(
            programs
                .iter()
                .all(|key| list.contains(key["kid"].as_str().expect("a kid")))
        );
        assert!(fine && list.lines().count() == 4, "{list}");
        assert!(
            list.contains(&format!("{kid}  RS256  active     signs since ")),
            "{list}"
        );
        said += &list;
        // Nobody has seen another one: it is made, and logins go on with it.
        let (fine, text) = key_command(&app, &["revoke", &kid]);
        assert!(
            fine && text.contains("No application has seen it yet"),
            "{text}"
        );
        said += &text;
        let refused = Answer::of(&browser.get(&hinted).await);
        assert_eq!(refused.get("error"), Some("invalid_request"));
        let keys = Cache::of(&app, &browser).await;
        assert!(!keys.kids().contains(&kid.as_str()));
        assert_eq!(store.private_signing_key(&kid).await.expect("asked"), None);
        let signed_by = async || {
            let again = browser
                .get(&app.authorize_url(&[("prompt", Some("none"))]))
                .await;
            let tokens = crate::token::redeem(&app, &Answer::of(&again)).await;
            crate::token::claims(&app, &tokens).await;
            let token = tokens["id_token"].as_str().expect("an ID token");
            jsonwebtoken::decode_header(token)
                .expect("a header")
                .kid
                .expect("a kid")
        };
        let second = signed_by().await;
        assert_ne!(second, kid);

        // One that waits is there for everybody, and takes over.
        let (fine, text) = key_command(&app, &["rotate", "--algorithm", "RS256"]);
        assert!(
            fine && text.contains("is announced, and signs from "),
            "{text}"
        );
        let announced = text.split(' ').nth(1).expect("a kid").to_owned();
        said += &text;
        let (fine, text) = key_command(&app, &["rotate", "--algorithm", "RS256"]);
        assert!(
            fine && text.contains(&format!("{announced} was already announced")),
            "{text}"
        );
        app.provider.keyring.newest().await.expect("read");
        let keys = Cache::of(&app, &browser).await;
        assert_eq!(keys.kids().len(), 5);
        assert_eq!(signed_by().await, second, "what is announced does not sign");
        let (fine, text) = key_command(&app, &["revoke", &second]);
        assert!(
            fine && text.contains(&format!("{announced}, which was announced before")),
            "{text}"
        );
        said += &text;
        app.provider.keyring.newest().await.expect("read");
        assert_eq!(signed_by().await, announced);
        let (fine, list) = key_command(&app, &["list"]);
        let revoked = list.lines().filter(|line| line.contains("  was revoked "));
        assert!(fine && revoked.count() == 2, "{list}");
        said += &list;

        for (arguments, reason) in [
            (vec!["revoke", kid.as_str()], "there is no such key"),
            (vec!["revoke", "nothing"], "there is no such key"),
            (vec!["revoke", "-Ekid"], "there is no such key"),
            (
                vec!["rotate", "--algorithm", "HS256"],
                "RS256, PS256, ES256, EdDSA",
            ),
        ] {
            let (fine, text) = key_command(&app, &arguments);
            assert!(!fine && text.contains(reason), "{text}");
            said += &text;
        }
        // Nothing that is private is ever said, whole or in part.
        let secret = &private[private.len() / 2..][..32];
        for form in [
            hex::encode(secret),
            STANDARD.encode(&private[..30]),
            URL_SAFE_NO_PAD.encode(&private[..30]),
            "PRIVATE".to_owned(),
            STANDARD.encode([7; 32]),
        ] {
            assert!(!said.contains(&form[..20.min(form.len())]), "{said}");
        }
    }
);

const DAY: i64 = 24 * 60 * 60;
const ROTATION: Rotation = Rotation {
    announced: Seconds(14 * DAY),
    active: Seconds(90 * DAY),
    retained: Seconds(14 * DAY),
};

on_both!(
    /// The database decides, and not who comes first.
    of_many_nodes_one_makes_each_key_and_one_lets_it_take_over,
    async |database: Database| {
        let _shows = shows!(accepting "PV-KEY-4", refusing "PV-KEY-4", accepting "PV-KEY-5", accepting "D1");
        let directory = tempfile::tempdir().expect("a directory");
        let (clock, random) = (Clock::system(), Random::system());
        let key = Key::from_bytes(&[7; 32]).expect("32 bytes");
        let url = database.url(directory.path());
        let open = async || {
            let opened = Store::open(&url, &key.clone().into(), &random, clock.now()).await;
            opened.expect("it opens").0
        };
        let store = open().await;
        let mut stores = Vec::new();
        for _ in 0..6 {
            stores.push(open().await);
        }
        let starts = stores.iter().map(|store| {
            tokio::spawn(Keyring::open(store.clone(), ROTATION, clock.clone()))
        });
        let nodes: Vec<Keyring> = join_all(starts)
            .await
            .into_iter()
            .map(|node| node.expect("no panic").expect("it opens"))
            .collect();
        let all_read = async || {
            let reads = nodes.iter().map(|node| {
                let node = node.clone();
                tokio::spawn(async move { node.newest().await.map(|keys| keys.jwks().clone()) })
            });
            for read in join_all(reads).await {
                read.expect("no panic").expect("read");
            }
            // What each of them says when all have read again.
            let mut said = Vec::new();
            for node in &nodes {
                said.push(node.newest().await.expect("read").jwks().clone());
            }
            assert!(said.iter().all(|jwks| *jwks == said[0]), "all publish the same");
            let keys = store.signing_keys().await.expect("read");
            let count = |state| keys.iter().filter(|key| key.state == state).count();
            State::ALL.map(count)
        };
        assert_eq!(all_read().await, [4, 0, 0, 0]);
        let before = store.signing_keys().await.expect("read");
        clock.advance(Duration::from_secs(76 * 24 * 60 * 60));
        assert_eq!(all_read().await, [4, 4, 0, 0], "announced");
        clock.advance(Duration::from_secs(14 * 24 * 60 * 60 - 60));
        assert_eq!(all_read().await, [4, 4, 0, 0], "a minute before its time");
        clock.advance(Duration::from_secs(60));
        assert_eq!(all_read().await, [4, 0, 4, 0], "taken over");
        clock.advance(Duration::from_secs(14 * 24 * 60 * 60));
        assert_eq!(all_read().await, [4, 0, 0, 4], "removed");
        for key in &before {
            let private = store.private_signing_key(&key.kid).await;
            assert_eq!(private.expect("asked"), None, "what is private goes with it");
        }
        // However many revoke one key, one of them says who follows, and there is one.
        let keys = store.signing_keys().await.expect("read");
        let active = |algorithm| {
            let signs = |key: &&portvakt::jose::rotation::KeyRecord| {
                key.algorithm == algorithm && key.state == State::Active
            };
            keys.iter().find(signs).expect("a key").kid.clone()
        };
        let kid = active(Algorithm::ES256);
        let revocations = stores.iter().map(|store| {
            let (store, kid) = (store.clone(), kid.clone());
            let event = Event {
                at: clock.moment(),
                actor: Actor::CONFIGURATION,
                action: Action::KeyRevoke,
                object: format!("key:{kid}"),
                before: None,
                after: None,
            };
            tokio::spawn(async move {
                let spare = portvakt::jose::key::NewKey::make(Algorithm::ES256).expect("a key");
                store.revoke_signing_key(&kid, &spare, &event).await
            })
        });
        let mut fresh = 0;
        for revoked in join_all(revocations).await {
            match revoked.expect("no panic").expect("revoked") {
                Revoked::Fresh(_) => fresh += 1,
                Revoked::Unknown => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(fresh, 1);
        assert_eq!(all_read().await, [4, 0, 0, 5]);
        // Sealed, each for its own row, and by this master key alone.
        let other = Key::from_bytes(&[8; 32]).expect("32 bytes");
        assert!(Store::open(&url, &other.into(), &random, clock.now()).await.is_err());
    }
);
