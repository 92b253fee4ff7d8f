//! Single use is one statement: of any number of parallel callers, one wins.

use futures_util::future::join_all;
use portvakt::shows;

use crate::support::phone::{ASA, TOLVAN, YUSUF};
use crate::support::{Answer, App, Browser, Database, on_both, run};

on_both!(
    a_hundred_parallel_exchanges_give_one_set_of_tokens,
    async |database| {
        let _shows = shows!(accepting "TK-15", refusing "TK-15", accepting "O3", refusing "O3", accepting "PV-RACE-1", refusing "PV-RACE-1");
        let app = App::on(database).await;
        let browser = Browser::new();
        let answer = app.log_in(&browser, TOLVAN).await;
        let exchanges = (0..100).map(|_| crate::token::exchange(&app, answer.code(), &[]));
        let results = join_all(exchanges).await;
        let won: Vec<_> = results.iter().filter(|r| r.status == 200).collect();
        assert_eq!(won.len(), 1);
        for lost in results.iter().filter(|r| r.status != 200) {
            assert_eq!(
                (lost.status, lost.body["error"].as_str()),
                (400, Some("invalid_grant"))
            );
        }
        // A code shown twice was stolen from somebody: what came of it is worth nothing.
        let token = won[0].body["access_token"].as_str().expect("a token");
        let userinfo = crate::userinfo::ask(&app, token).await;
        assert_eq!(userinfo.status, 401);
        // An operator can be woken by it.
        let alarm = "portvakt_grants_ended_by_reuse_total{kind=\"code\"} ";
        let metrics = app.provider.metrics.text();
        assert!(metrics.contains(alarm) && !metrics.contains(&format!("{alarm}0\n")));
    }
);

on_both!(
    twenty_parallel_posts_of_a_form_begin_one_login,
    async |database| {
        let _shows = shows!(accepting "PV-RACE-2", refusing "PV-RACE-2");
        let app = App::on(database).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let pressed = join_all((0..20).map(|_| browser.press(&choice, "other"))).await;
        let locations: std::collections::HashSet<_> =
            pressed.iter().map(|p| (p.status, p.location())).collect();
        assert_eq!(locations.len(), 1, "{locations:?}");
        assert_eq!(pressed[0].status, 303);
        assert_eq!(
            app.phone.codes_on_screen().await,
            1,
            "one live order at BankID"
        );
        let login = browser.follow(&pressed[0]).await;
        app.phone
            .scan(&login.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        Answer::of(&browser.until_departure(&login).await).code();
    }
);

on_both!(twenty_parallel_finishes_give_one_code, async |database| {
    let _shows = shows!(accepting "B9", refusing "B9", accepting "PV-RACE-3", refusing "PV-RACE-3");
    let app = App::on(database).await;
    let browser = Browser::new();
    let choice = browser.get(&app.authorize_url(&[])).await;
    let login = browser.choose(&choice, "other").await;
    app.phone
        .scan(&login.qr_text(), TOLVAN)
        .await
        .approve()
        .await;
    loop {
        let page = browser.get(&login.url).await;
        if page.screen().as_deref() == Some("finish") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let url = format!("{}/finish", login.login_url());
    let windows: Vec<Browser> = (0..20).map(|_| browser.copy()).collect();
    let ends = join_all(windows.iter().map(|window| window.get(&url))).await;
    let codes = ends.iter().filter(|page| page.status == 303).count();
    assert_eq!(codes, 1);
    assert!(ends.iter().all(|page| [303, 410].contains(&page.status)));
    let stored = rows(&app, "SELECT count(*) FROM code").await;
    assert_eq!(stored, 1);
});

on_both!(parallel_new_orders_leave_one_alive, async |database| {
    let _shows = shows!(accepting "B12", refusing "B12");
    let app = App::on(database).await;
    let browser = Browser::new();
    let choice = browser.get(&app.authorize_url(&[])).await;
    let login = browser.choose(&choice, "other").await;
    let pressed = join_all((0..10).map(|_| browser.press_on(&login, "order", "other"))).await;
    assert!(pressed.iter().all(|page| page.status == 303));
    assert_eq!(
        app.phone.codes_on_screen().await,
        1,
        "one live order at BankID"
    );
    let page = browser.get(&login.url).await;
    app.phone
        .scan(&page.qr_text(), TOLVAN)
        .await
        .approve()
        .await;
    Answer::of(&browser.until_departure(&login).await).code();
});

pub async fn rows(app: &App, sql: &'static str) -> i64 {
    let url = app.database.url(app.directory.path());
    match &app.database {
        crate::support::Database::Sqlite => {
            let db = sqlx::SqlitePool::connect(&url).await.expect("the database");
            sqlx::query_scalar(sql)
                .fetch_one(&db)
                .await
                .expect("a count")
        }
        crate::support::Database::Postgres(_) => {
            let db = sqlx::PgPool::connect(&url).await.expect("the database");
            sqlx::query_scalar(sql)
                .fetch_one(&db)
                .await
                .expect("a count")
        }
    }
}

#[test]
fn of_two_nodes_one_collects_and_never_too_often_or_after_the_end() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "BC-04", refusing "BC-04", refusing "BP-01", accepting "BP-34", accepting "PV-NODE-3", refusing "PV-NODE-3", accepting "B10", refusing "B10");
        let app = App::on(database).await;
        let other = crate::crash::Serving::beside(&app, "other").await;
        let mut logins = Vec::new();
        for n in 0..4 {
            let browser = Browser::new();
            let state = format!("s{n}");
            let choice = browser
                .get(&app.authorize_url(&[("state", Some(&state))]))
                .await;
            // Every other form is sent to a node that did not make it.
            if n % 2 == 1 {
                browser.connect_to(other.port);
            }
            let login = browser.choose(&choice, "other").await;
            // Half of all looks go to a node that did not make the order.
            let beside = browser.copy();
            if n % 2 == 0 {
                beside.connect_to(other.port);
            }
            logins.push((browser, beside, login));
        }
        for (n, (browser, _, login)) in logins.iter().enumerate() {
            let person = [TOLVAN, ASA, YUSUF, "196408233234"][n];
            let scan = browser.get(&login.url).await;
            app.phone
                .scan(&scan.qr_text(), person)
                .await
                .approve()
                .await;
        }
        for _ in 0..25 {
            for (browser, beside, login) in &logins {
                let looks = tokio::join!(browser.status(login), beside.status(login));
                assert_eq!((looks.0.0, looks.1.0), (200, 200));
            }
            tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        }
        for (browser, beside, login) in &logins {
            browser.until(login, "finish").await;
            let finish = format!("{}/finish", login.login_url());
            let (here, there) = (browser.get(&finish), beside.get(&finish));
            let (here, there) = tokio::join!(here, there);
            let codes = [here, there]
                .iter()
                .filter(|page| page.location().is_some_and(|l| l.contains("code=")))
                .count();
            assert_eq!(codes, 1);
        }
        // The simulator refuses what comes too soon and what comes after the end, and tells of both.
        let listed = app.phone.listed().await;
        let calls = listed["calls"].as_array().expect("a list");
        let refused: Vec<_> = calls
            .iter()
            .filter(|call| call["operation"] == "collect")
            .collect();
        assert_eq!(refused, Vec::<&serde_json::Value>::new());
    });
}
