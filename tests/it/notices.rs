//! What clients are told of sessions that have ended, behind the browser's back: once they hear it,
//! whatever becomes of them or of us meanwhile.

use std::time::Duration;

use futures_util::future::join_all;
use portvakt::clock::{Clock, Seconds};
use portvakt::id::{ClientId, Id, kind};
use portvakt::job::{LEASE, LIFETIME};
use portvakt::random::Random;
use portvakt::secret::{Digest, Key, Secret, kind as secret};
use portvakt::session::Session;
use portvakt::shows;
use portvakt::storage::{Ended, Exchange, Finish, NodeName, Store, Unissued};
use serde_json::json;

use crate::crash::Serving;
use crate::logout::{id_token, is_logged_in, log_in_to, log_in_to_the_bank, logout_url, part};
use crate::support::phone::{ASA, TOLVAN};
use crate::support::{App, Backend, Browser, Database, LOGGED_OUT, Options, on_both, run};

pub async fn told_app(database: Database, backend: &Backend) -> App {
    let options = Options {
        told: Some(backend.told.clone()),
        ..Options::on(database)
    };
    App::start(options).await
}

on_both!(
    clients_are_told_behind_the_browsers_back,
    async |database| {
        let _shows = shows!(accepting "LO-07", accepting "LO-08", refusing "LO-08", accepting "LO-09", accepting "LO-10", accepting "O31", refusing "O31");
        let backend = Backend::start();
        let app = told_app(database, &backend).await;
        let (browser, other) = (Browser::new(), Browser::new());
        app.log_in(&other, TOLVAN).await;
        let web = id_token(&app, &app.log_in(&browser, TOLVAN).await).await;
        let bank = log_in_to_the_bank(&app, &browser).await;
        let members = [("id_token_hint", bank.as_str()), ("client_id", "careful")];
        let page = browser.get(&logout_url(&app, &members)).await;
        assert_eq!(page.status, 200, "{}", page.body);
        // They have heard before the browser goes on.
        let mut heard = backend.heard();
        heard.sort_by(|a, b| a.path.cmp(&b.path));
        let paths: Vec<&str> = heard.iter().map(|heard| heard.path.as_str()).collect();
        assert_eq!(paths, ["/careful", "/web?x=1"]);
        for (heard, id_token) in heard.iter().zip([&bank, &web]) {
            let header = part(&heard.token, 0);
            assert_eq!(header["typ"], "logout+jwt");
            assert_eq!(header["alg"], "RS256");
            let claims = crate::token::claims(&app, &json!({ "id_token": heard.token })).await;
            let of_login = part(id_token, 1);
            for same in ["iss", "aud", "sub", "sid"] {
                assert_eq!(claims[same], of_login[same], "{same}");
            }
            let event = "http://schemas.openid.net/event/backchannel-logout";
            assert_eq!(claims["events"], json!({ event: {} }));
            let life =
                claims["exp"].as_i64().expect("a time") - claims["iat"].as_i64().expect("a time");
            assert!((1..=120).contains(&life));
            assert!(claims["jti"].as_str().is_some_and(|jti| jti.len() > 20));
            assert!(claims.get("nonce").is_none());
            // It is no ID token of ours.
            let hint = [("id_token_hint", heard.token.as_str())];
            let refused = other.get(&logout_url(&app, &hint)).await;
            assert_eq!(refused.status, 400);
        }
        assert!(is_logged_in(&app, &other).await, "another browser stays");
        // Once is enough.
        app.clock.advance(Duration::from_secs(600));
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(backend.heard().len(), 2);
    }
);

const SLOW: Duration = Duration::from_secs(8);
/// A little less than a call to a client may take.
const CALLED: Duration = Duration::from_millis(4500);

#[test]
fn a_client_that_is_down_is_told_again_and_holds_nobody_up() {
    run(async {
        let _shows = shows!(accepting "LO-09", refusing "LO-09", accepting "LO-10", refusing "LO-10", accepting "PV-LOGOUT-1", refusing "PV-LOGOUT-1", accepting "PV-LOGOUT-4");
        let backend = Backend::start();
        let app = told_app(Database::sqlite(), &backend).await;
        let log_out = async || {
            let browser = Browser::new();
            let hint = id_token(&app, &app.log_in(&browser, TOLVAN).await).await;
            let members = [
                ("id_token_hint", hint.as_str()),
                ("post_logout_redirect_uri", LOGGED_OUT),
            ];
            let began = std::time::Instant::now();
            let page = browser.get(&logout_url(&app, &members)).await;
            assert_eq!(page.location().as_deref(), Some(LOGGED_OUT));
            assert!(began.elapsed() < CALLED, "the person waits for no call");
        };
        // It takes longer than anybody waits for.
        backend.answer(200, SLOW);
        log_out().await;
        assert_eq!(backend.heard().len(), 1);
        backend.answer(503, Duration::ZERO);
        tokio::time::sleep(Duration::from_secs(5)).await;
        for (pause, count) in [(11, 2), (21, 3)] {
            tokio::time::sleep(Duration::from_millis(2500)).await;
            assert_eq!(backend.heard().len(), count - 1, "not before its time");
            app.clock.advance(Duration::from_secs(pause));
            backend.until(count).await;
        }
        // The third answer has been read by now.
        tokio::time::sleep(Duration::from_secs(1)).await;
        backend.answer(204, Duration::ZERO);
        app.clock.advance(Duration::from_secs(41));
        backend.until(4).await;
        let tokens = backend.heard();
        let ids: std::collections::BTreeSet<String> = tokens
            .iter()
            .map(|heard| part(&heard.token, 1)["jti"].to_string())
            .collect();
        assert_eq!(ids.len(), 4, "each try has a token of its own");
        // Whoever says no is not asked again, and nobody is followed elsewhere.
        for (status, count) in [(400, 5), (302, 6)] {
            backend.answer(status, Duration::ZERO);
            log_out().await;
            backend.until(count).await;
            app.clock.advance(Duration::from_secs(100));
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let heard = backend.heard();
        assert_eq!(heard.len(), 6);
        assert!(heard.iter().all(|heard| heard.path == "/web?x=1"));
        let expected = [("postponed", 3), ("heard", 1), ("given_up", 2)].map(|(outcome, count)| {
            format!("portvakt_logout_notices_total{{outcome=\"{outcome}\"}} {count}\n")
        });
        // What the client answered is counted a moment after it was said.
        let is_measured = || {
            let measured = app.provider.metrics.text();
            expected.iter().all(|line| measured.contains(line))
        };
        for _ in 0..100 {
            if is_measured() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{}", app.provider.metrics.text());
    });
}

on_both!(
    a_keycloak_that_logs_somebody_out_is_told_when_it_has,
    async |database| {
        let _shows = shows!(accepting "PV-LOGOUT-5", refusing "PV-LOGOUT-5");
        let backend = Backend::start();
        let app = told_app(database, &backend).await;
        let (callback, home) = ("https://sso.example/callback", "https://sso.example/out");
        let keycloak = json!({
            "client_name": "Keycloak",
            "redirect_uris": [callback],
            "post_logout_redirect_uris": [home],
            "backchannel_logout_uri": format!("{}/sso", backend.told.url),
            "claims": { "preset": "keycloak" },
            "pkce": "accepted",
        });
        app.register("sso", keycloak).await;
        let browser = Browser::new();
        let log_in = async || {
            let web = id_token(&app, &app.log_in(&browser, TOLVAN).await).await;
            (web, log_in_to("sso", callback, &app, &browser).await)
        };
        let paths = || {
            let mut paths: Vec<_> = backend.heard().into_iter().map(|it| it.path).collect();
            paths.sort();
            paths
        };
        // It ends its own session when the browser is back, and others hear at once.
        let (_, sso) = log_in().await;
        let members = [
            ("id_token_hint", sso.as_str()),
            ("post_logout_redirect_uri", home),
        ];
        let page = browser.get(&logout_url(&app, &members)).await;
        assert_eq!(page.location().as_deref(), Some(home), "{}", page.body);
        assert_eq!(paths(), ["/web?x=1"]);
        // Whatever became of that, it is told.
        app.clock
            .advance(Duration::from_secs(LEASE.0.unsigned_abs() + 1));
        backend.until(2).await;
        let heard = backend.heard().pop().expect("the latest");
        assert_eq!(heard.path, "/sso");
        assert_eq!(part(&heard.token, 1)["sid"], part(&sso, 1)["sid"]);
        // Whoever logs out elsewhere is logged out there at once, too.
        let (web, _) = log_in().await;
        let members = [
            ("id_token_hint", web.as_str()),
            ("post_logout_redirect_uri", LOGGED_OUT),
        ];
        browser.get(&logout_url(&app, &members)).await;
        assert_eq!(paths(), ["/sso", "/sso", "/web?x=1", "/web?x=1"]);
    }
);

on_both!(
    clients_of_whoever_was_here_before_are_told_when_somebody_else_logs_in,
    async |database| {
        let _shows = shows!(accepting "LO-07", accepting "PV-LOGOUT-2", refusing "PV-LOGOUT-2", accepting "O19", refusing "O19", accepting "LO-11", refusing "LO-11");
        let backend = Backend::start();
        let app = told_app(database, &backend).await;
        let (browser, other) = (Browser::new(), Browser::new());
        app.log_in(&other, TOLVAN).await;
        let tokens = crate::token::redeem(&app, &app.log_in(&browser, TOLVAN).await).await;
        let bank = log_in_to_the_bank(&app, &browser).await;
        let userinfo = async |tokens: &serde_json::Value| {
            let token = tokens["access_token"].as_str().expect("a token");
            crate::userinfo::ask(&app, token).await.status
        };
        assert_eq!(userinfo(&tokens).await, 200);
        let anew = [("prompt", Some("login"))];
        let answer = app.log_in_with(&browser, ASA, &anew).await;
        // They have heard before the browser goes on, and of the former person only.
        let mut heard = backend.heard();
        heard.sort_by(|a, b| a.path.cmp(&b.path));
        let web = tokens["id_token"].as_str().expect("an ID token");
        assert_eq!(heard.len(), 2);
        for (heard, id_token) in heard.iter().zip([bank.as_str(), web]) {
            let told = part(&heard.token, 1);
            for same in ["aud", "sub", "sid"] {
                assert_eq!(told[same], part(id_token, 1)[same], "{same}");
            }
        }
        assert_eq!(userinfo(&tokens).await, 401);
        assert!(is_logged_in(&app, &other).await, "another browser stays");
        // Who logs in once more ends nothing of theirs, until they log out of all of it.
        let first = crate::token::redeem(&app, &answer).await;
        let again = app.log_in_with(&browser, ASA, &anew).await;
        let second = crate::token::redeem(&app, &again).await;
        assert_eq!(backend.heard().len(), 2);
        assert_eq!(
            (userinfo(&first).await, userinfo(&second).await),
            (200, 200)
        );
        let hint = second["id_token"].as_str().expect("an ID token");
        let out = browser
            .get(&logout_url(&app, &[("id_token_hint", hint)]))
            .await;
        assert_eq!(out.status, 200);
        assert_eq!(
            (userinfo(&first).await, userinfo(&second).await),
            (401, 401)
        );
        assert_eq!(backend.heard().len(), 3);
        // It is one session, however often they have logged in.
        let before = first["id_token"].as_str().expect("an ID token");
        for token in [before, hint] {
            assert_eq!(
                part(&backend.heard()[2].token, 1)["sid"],
                part(token, 1)["sid"]
            );
        }
    }
);

/// Where a node dies that tells a client.
#[derive(Clone, Copy, Debug)]
enum Death {
    DuringATry,
    BetweenTries,
}

#[test]
fn a_client_that_fails_twice_hears_of_a_logout_although_the_node_dies() {
    run(async {
        let _shows = shows!(accepting "LO-09", accepting "PV-LOGOUT-1", accepting "PV-JOB-1");
        for death in [Death::BetweenTries, Death::DuringATry] {
            let Some(database) = Database::postgres() else {
                return;
            };
            let backend = Backend::start();
            // One node is here, and its clock can be turned; the other one is the program itself.
            let app = told_app(database, &backend).await;
            let mut dying = Serving::beside(&app, "dying").await;
            let browser = Browser::new();
            let hint = id_token(&app, &app.log_in(&browser, TOLVAN).await).await;
            backend.answer(
                500,
                match death {
                    Death::DuringATry => Duration::from_secs(20),
                    Death::BetweenTries => Duration::ZERO,
                },
            );
            browser.connect_to(dying.port);
            let members = [
                ("id_token_hint", hint.as_str()),
                ("post_logout_redirect_uri", LOGGED_OUT),
            ];
            let page = browser.get(&logout_url(&app, &members)).await;
            assert_eq!(page.location().as_deref(), Some(LOGGED_OUT), "{death:?}");
            assert_eq!(backend.heard().len(), 1, "{death:?}");
            let pause = match death {
                Death::DuringATry => LEASE,
                Death::BetweenTries => {
                    dying.until_it_says("will be told again").await;
                    Seconds(10)
                }
            };
            dying.kill();
            backend.answer(500, Duration::ZERO);
            tokio::time::sleep(Duration::from_millis(2500)).await;
            assert_eq!(backend.heard().len(), 1, "{death:?}: not before its time");
            app.clock.advance(seconds(pause) + Duration::from_secs(2));
            backend.until(2).await;
            // The second failure has been kept by now.
            tokio::time::sleep(Duration::from_secs(1)).await;
            backend.answer(200, Duration::ZERO);
            app.clock.advance(Duration::from_secs(21));
            backend.until(3).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            let heard = backend.heard();
            assert_eq!(heard.len(), 3, "{death:?}");
            for heard in heard {
                let told = part(&heard.token, 1);
                assert_eq!(told["sid"], part(&hint, 1)["sid"]);
                assert_eq!(told["iss"], app.issuer.as_str());
            }
            // It is done, and nobody has it any more.
            let later = app.clock.now() + Seconds(3000);
            let left = app.provider.store.claim_jobs(100, later).await;
            assert_eq!(left.expect("asked"), [], "{death:?}");
        }
    });
}

fn seconds(seconds: Seconds) -> Duration {
    Duration::from_secs(u64::try_from(seconds.0).expect("not before now"))
}

/// A store, and what logins in it need.
pub struct Logins {
    pub store: Store,
    clock: Clock,
    random: Random,
    node: NodeName,
    subject_key: Key,
}

pub struct LoggedIn {
    browser: Digest<secret::SessionCookie>,
    pub session: Id<kind::Session>,
}

impl Logins {
    /// With the client `web`, which wants to be told.
    pub async fn new(database: &Database, directory: &std::path::Path) -> Logins {
        let (store, clock, random) = crate::storage::open(database, directory).await;
        let node = store.start_node("a", clock.now()).await.expect("started");
        let metadata = json!({
            "client_name": "W", "redirect_uris": ["https://app.example/callback"],
            "backchannel_logout_uri": "https://app.example/told",
        });
        let client = portvakt::client::Client {
            client_id: ClientId::parse("web").expect("an id"),
            sector: "app.example".into(),
            metadata: serde_json::from_value(metadata).expect("metadata"),
        };
        store
            .register_client(&client, &[], clock.moment())
            .await
            .expect("registered");
        Logins {
            subject_key: Key::fresh(&random),
            store,
            clock,
            random,
            node,
        }
    }

    /// Logs somebody in, in a browser that was somebody's before or nobody's.
    pub async fn log_in(&self, person: u8, before: Option<&LoggedIn>) -> (LoggedIn, Ended) {
        let (clock, random) = (&self.clock, &self.random);
        let now = clock.now();
        let login = crate::storage::login(clock, random);
        let begun = self.store.begin_login(&login, None, &self.node, now).await;
        begun.expect("stored");
        let browser = Secret::fresh(random).digest();
        let finish = Finish {
            evidence: None,
            login: login.id,
            order: login.order.id,
            index: [person; 32].into(),
            old_browser: before.map(|before| before.browser),
            new_browser: browser,
            client_id: &login.client_id,
            subject_key: &self.subject_key,
            approved: std::collections::BTreeSet::new(),
            approved_offline: false,
        };
        let finished = self
            .store
            .finish_login(&finish, Id::fresh(random), now, |person, kept| {
                let mut issued = crate::storage::issued(clock, random);
                issued.grant.session = kept.unwrap_or(issued.grant.session);
                let session = Session {
                    id: issued.grant.session,
                    person,
                    identity: issued.grant.identity.clone(),
                    auth_time: now,
                    txn: login.order.id,
                    expires_at: now + Seconds(3600),
                };
                let id = session.id;
                (session, issued, id)
            });
        let finished = finished.await.expect("no fault").expect("finished");
        let session = finished.outcome;
        (LoggedIn { browser, session }, finished.ended)
    }
}

on_both!(
    a_job_is_tried_by_one_node_at_a_time_until_its_time_is_up,
    async |database: Database| {
        let _shows = shows!(accepting "PV-JOB-1", refusing "PV-JOB-1", accepting "PV-LOGOUT-1", refusing "PV-LOGOUT-1");
        let directory = tempfile::tempdir().expect("a directory");
        let logins = Logins::new(&database, directory.path()).await;
        let (other, _, _) = crate::storage::open(&database, directory.path()).await;
        let (store, now) = (&logins.store, logins.clock.now());
        let mut kept = Vec::new();
        for person in 0..20 {
            let (here, _) = logins.log_in(person, None).await;
            let out = store.log_out(here.browser, &logins.subject_key, now).await;
            kept.extend(out.expect("kept").notices);
            let twice = store.log_out(here.browser, &logins.subject_key, now).await;
            assert!(
                twice.expect("asked").notices.is_empty(),
                "each is ended once"
            );
        }
        assert_eq!(kept.len(), 20);
        let claim = |store: &Store, now| {
            let store = store.clone();
            tokio::spawn(async move { store.claim_jobs(100, now).await.expect("claimed") })
        };
        // The first try is that of whoever kept them; when nothing comes of it, others may.
        assert_eq!(claim(store, now).await.expect("no panic"), []);
        let later = now + LEASE;
        let (a, b) = tokio::join!(claim(store, later), claim(&other, later));
        let mut both = a.expect("no panic");
        both.extend(b.expect("no panic"));
        assert!(both.iter().all(|job| job.tries == 2));
        let order = |job: &portvakt::job::Job| job.id.to_string();
        both.sort_by_key(order);
        kept.sort_by_key(order);
        let tasks = |jobs: &[portvakt::job::Job]| -> Vec<_> {
            jobs.iter().map(|job| (job.id, job.task.clone())).collect()
        };
        assert_eq!(tasks(&both), tasks(&kept), "each by one");
        store.forget_job(both[0].id).await.expect("forgotten");
        let next = later + Seconds(600);
        let postponed = store.postpone_job(both[1].id, next + Seconds(1)).await;
        postponed.expect("postponed");
        assert_eq!(claim(&other, next).await.expect("no panic").len(), 18);
        let end = now + LIFETIME;
        assert_eq!(claim(store, end).await.expect("no panic"), []);
        store.sweep(end + Seconds(1)).await.expect("swept");
        let after = claim(store, now + Seconds(700)).await.expect("no panic");
        assert_eq!(after, []);
    }
);

// At the door most requests find the session ended; here all of them have read that it is alive.
on_both!(
    no_code_outlives_the_session_that_ends_at_the_same_moment,
    async |database: Database| {
        let _shows = shows!(accepting "PV-LOGOUT-3", refusing "PV-LOGOUT-3", refusing "LO-11");
        let directory = tempfile::tempdir().expect("a directory");
        let logins = Logins::new(&database, directory.path()).await;
        let (other, _, _) = crate::storage::open(&database, directory.path()).await;
        let (store, random, now) = (&logins.store, &logins.random, logins.clock.now());
        let client = ClientId::parse("web").expect("an id");
        let issued = |session| {
            let mut issued = crate::storage::issued(&logins.clock, random);
            issued.grant.session = session;
            issued
        };
        for round in 0..25 {
            let (here, _) = logins.log_in(round, None).await;
            let before = issued(here.session);
            assert_eq!(
                store.issue_code(&before, now).await.expect("no fault"),
                Ok(())
            );
            let many: Vec<_> = (0..12).map(|_| issued(here.session)).collect();
            // The session ends by a logout, or by somebody else's login.
            let ends = async {
                match round % 2 {
                    0 => {
                        let out = other.log_out(here.browser, &logins.subject_key, now).await;
                        out.expect("no fault").notices
                    }
                    _ => logins.log_in(round + 100, Some(&here)).await.1.notices,
                }
            };
            let codes = join_all(many.iter().enumerate().map(|(n, issued)| {
                let store = if n % 2 == 0 { store } else { &other };
                store.issue_code(issued, now)
            }));
            let (codes, notices) = tokio::join!(codes, ends);
            assert_eq!(notices.len(), 1, "one notice");
            for (issued, given) in many.iter().zip(codes) {
                let digest = issued.code.digest();
                let kept = store.code(digest, &client).await.expect("asked");
                match (given.expect("no fault"), kept) {
                    (Ok(()), Some(kept)) => assert!(kept.grant.has_ended, "round {round}"),
                    (Err(Unissued::SessionEnded), None) => {}
                    (given, kept) => panic!("{given:?} and {kept:?}"),
                }
            }
            let after = store.issue_code(&issued(here.session), now).await;
            assert_eq!(after.expect("no fault"), Err(Unissued::SessionEnded));
            // A code from before is worth nothing either, even to whoever has read that it is good.
            let tokens = crate::storage::tokens(random, now);
            let exchange =
                store.exchange_code(before.code.digest(), before.grant.id, &client, &tokens, now);
            assert_eq!(exchange.await.expect("no fault"), Exchange::Lost);
        }
    }
);
