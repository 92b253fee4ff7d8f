//! What is kept goes when its time is up, by one node, and not before.

use std::time::Duration;

use portvakt::admin::role::{Reach, Role};
use portvakt::clock::{Seconds, Timestamp};
use portvakt::config::Config;
use portvakt::login::{LIFETIME, Progress, State};
use portvakt::provider::Provider;
use portvakt::random::Random;
use portvakt::shows;
use portvakt::sweeping::{Due, take_a_turn};
use serde_json::json;

use crate::refresh::{refresh, text, tokens};
use crate::storage::login;
use crate::support::admin::Console;
use crate::support::phone::{ASA, TOLVAN, YUSUF};
use crate::support::{App, Browser, Database, Options, on_both, run};
use crate::token::{claims, redeem};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn count(app: &App, table: &str) -> i64 {
    let question = format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}");
    let rows = app.database.texts(app.directory.path(), question);
    rows[0].parse().expect("a number")
}

on_both!(
    what_has_had_its_time_goes_and_not_before,
    async |database: Database| {
        let _shows = shows!(accepting "D5", refusing "D5");
        let app = App::on(database).await;
        let (store, random) = (&app.provider.store, Random::system());
        let start = app.clock.now();
        // A login with its code and tokens, one that nobody finished, a request that was left, and one that was
        // refused.
        let browser = Browser::new();
        redeem(&app, &app.log_in(&browser, TOLVAN).await).await;
        let node = store.start_node("b", start).await.expect("started");
        let open = login(&app.clock, &random);
        let began = store.begin_login(&open, None, &node, start).await;
        assert!(began.expect("stored"));
        let data = json!({"user": {"personalNumber": TOLVAN, "name": "T T", "givenName": "T", "surname": "T"}});
        let data = Progress::Complete(serde_json::from_value(data).expect("data"));
        let kept = store.keep_progress(open.id, open.order.id, &data, Some(start));
        assert!(kept.await.expect("stored").is_some());
        crate::par::push(&app, &[]).await;
        let wrong = [("redirect_uri", Some("https://other.example/"))];
        Browser::new().get(&app.authorize_url(&wrong)).await;
        app.provider.keep_waiting_refusals().await.expect("kept");
        let end = app.clock.now();
        let swept = async |at: Timestamp| {
            for _ in 0..2 {
                store.sweep(at).await.expect("swept");
            }
        };
        // What BankID said of somebody whom nobody logged in.
        let progress = async || {
            let read = store.login(open.id).await.expect("read").expect("there");
            assert_eq!(read.state, State::Open);
            (read.order.progress, read.version)
        };
        store
            .drop_answers(start + Seconds(10 * MINUTE))
            .await
            .expect("swept");
        let (before, version) = progress().await;
        assert!(matches!(before, Progress::Complete(_)));
        store
            .drop_answers(start + Seconds(10 * MINUTE + 1))
            .await
            .expect("swept");
        let (after, later) = progress().await;
        assert!(
            matches!(after, Progress::Spent) && later > version,
            "pages are told"
        );
        // Each with how long after it was made it is there, and not a second longer.
        let login_end = LIFETIME.0 + DAY;
        for (tables, after) in [
            (&["pushed_request"][..], 540 + 73 * MINUTE),
            (&["access_token"], 5 * MINUTE + DAY),
            (&["client_grant", "code"], 6 * MINUTE + DAY),
            (&["login", "bankid_order"], login_end),
            (&["session"], HOUR + DAY),
            (&["refusal"], 7 * DAY),
        ] {
            swept(start + Seconds(after - 1)).await;
            for table in tables {
                assert_ne!(count(&app, table), 0, "{table} goes too early");
            }
            swept(end + Seconds(after + 1)).await;
            for table in tables {
                assert_eq!(count(&app, table), 0, "{table} goes too late");
            }
        }
        assert_eq!((count(&app, "person"), count(&app, "approval")), (1, 1));
    }
);

on_both!(
    what_was_ended_goes_a_day_later,
    async |database: Database| {
        let _shows = shows!(accepting "D5", refusing "D5");
        let app = App::on(database).await;
        let store = &app.provider.store;
        let (revoked, living) = (tokens(&app).await, tokens(&app).await);
        let form = [("token", text(&revoked, "refresh_token"))];
        let request = app.http.post(format!("{}/revoke", app.issuer)).form(&form);
        let request = request.basic_auth("offline", Some(crate::support::SECRET));
        assert_eq!(crate::token::told(request).await.status, 200);
        let now = app.clock.now();
        store
            .sweep(now + Seconds(DAY - MINUTE))
            .await
            .expect("swept");
        assert_eq!(count(&app, "client_grant"), 2);
        store.sweep(now + Seconds(DAY + 1)).await.expect("swept");
        assert_eq!(count(&app, "client_grant"), 1);
        assert_eq!(count(&app, "refresh_token"), 1);
        let told = refresh(&app, text(&living, "refresh_token")).await;
        assert_eq!(told.status, 200, "{}", told.body);
    }
);

on_both!(
    people_are_forgotten_who_do_not_come_back,
    async |database: Database| {
        let _shows = shows!(accepting "PV-PERSON-4", refusing "PV-PERSON-4");
        let options = Options {
            sections: "[retention]\nperson_months = 2".to_owned(),
            ..Options::on(database)
        };
        let app = App::start(options).await;
        let (store, kept) = (&app.provider.store, app.provider.config.person_kept);
        assert_eq!(kept, Seconds(62 * DAY));
        let subject = async |person: &str| {
            let answer = app.log_in(&Browser::new(), person).await;
            claims(&app, &redeem(&app, &answer).await).await["sub"].clone()
        };
        let auditor: Console = app.administrator(Role::Auditor, Reach::All, YUSUF).await;
        let asa = subject(ASA).await;
        // Somebody who does not come, but whose application does.
        let mut offline = tokens(&app).await;
        let console =
            |person| portvakt::admin::console::subject(&app.provider.keys.subject, person);
        let advance = |seconds: i64| {
            let seconds = seconds.try_into().expect("forward");
            app.clock.advance(Duration::from_secs(seconds));
        };
        let sweep = async || {
            let now = app.clock.now();
            store.sweep(now).await.expect("swept");
            store
                .sweep_people(now - kept, now, console)
                .await
                .expect("swept")
        };
        for _ in 0..4 {
            advance(6 * DAY);
            let told = refresh(&app, text(&offline, "refresh_token")).await;
            assert_eq!(told.status, 200, "{}", told.body);
            offline = told.body;
            assert_eq!(sweep().await, 0);
        }
        // Its grant has ended after a week, and is swept a day later.
        advance(8 * DAY);
        assert_eq!((sweep().await, count(&app, "client_grant")), (0, 0));
        advance(30 * DAY - HOUR);
        assert_eq!(sweep().await, 0, "an hour too early");
        assert_eq!(subject(ASA).await, asa, "in time they are the same");
        advance(4 * HOUR);
        // Tolvan's application was there for weeks after the login; Åsa was here just now; Yusuf
        // administers.
        assert_eq!(sweep().await, 0);
        assert_eq!(count(&app, "person"), 3);
        advance(31 * DAY);
        assert_eq!(sweep().await, 1, "Tolvan");
        advance(31 * DAY);
        assert_eq!(sweep().await, 1, "Åsa");
        assert_eq!((sweep().await, count(&app, "person")), (0, 1));
        assert_eq!(count(&app, "approval"), 1, "with the person");
        assert_ne!(subject(ASA).await, asa, "somebody new");
        // Who administers is known as ever.
        let begun = auditor.browser.get(&format!("{}/login", app.admin)).await;
        let page = app.come_back(&auditor.browser, &begun, YUSUF).await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert_eq!(auditor.get("/audit").await.status, 200);
        // Whom an earlier version did not date is taken for somebody who was here today.
        let undated = "UPDATE person SET used_at = NULL";
        app.database
            .meddle(app.directory.path(), undated)
            .expect("done");
        advance(61 * DAY);
        assert_eq!(sweep().await, 0);
        advance(61 * DAY);
        assert_eq!(sweep().await, 0);
        advance(2 * DAY);
        assert_eq!(sweep().await, 1);
    }
);

#[test]
fn one_node_at_a_time_removes_what_has_had_its_time() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "D5", refusing "D5");
        let app = App::on(database).await;
        let config = Config::parse(&app.config, app.directory.path()).expect("a configuration");
        let other = Provider::start(config, app.clock.clone(), Random::system()).await;
        let other = other.expect("it starts");
        // Whichever was first keeps it, for as long as it is heard of.
        let turns = async || {
            let (mut one, mut two) = (Due::default(), Due::default());
            let (a, b) = tokio::join!(
                take_a_turn(&app.provider, &mut one),
                take_a_turn(&other, &mut two)
            );
            (a.expect("no fault"), b.expect("no fault"))
        };
        let first = turns().await;
        assert!(first.0 != first.1, "{first:?}");
        for _ in 0..5 {
            assert_eq!(turns().await, first);
        }
        // Both have had the turn that each takes by itself when it starts, and none comes with the time of before.
        tokio::time::sleep(Duration::from_secs(1)).await;
        // A node that is gone leaves it to the other.
        app.clock.advance(Duration::from_secs(151));
        let (left, next) = match first.0 {
            true => (&other, &app.provider),
            false => (&app.provider, &other),
        };
        assert!(
            take_a_turn(left, &mut Due::default())
                .await
                .expect("no fault")
        );
        assert!(
            !take_a_turn(next, &mut Due::default())
                .await
                .expect("no fault")
        );
        other.stop().await;
    });
}
