//! BankID on this device: the return decides.

use std::time::Duration;

use portvakt::shows;
use serde_json::json;

use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, Page, on_both, run};

pub async fn launched(app: &App, browser: &Browser) -> Page {
    let choice = browser.get(&app.authorize_url(&[])).await;
    let login = browser.choose(&choice, "this").await;
    assert_eq!(login.screen().as_deref(), Some("launch"));
    let (_, anchor) = login.body.split_once("<a ").expect("an anchor");
    let (anchor, _) = anchor.split_once('>').expect("its end");
    assert!(
        anchor.contains("id=\"open-app\"") && anchor.contains("referrerpolicy=\"origin\""),
        "{anchor}"
    );
    assert!(
        !anchor.contains("target=") && !anchor.contains("noreferrer"),
        "{anchor}"
    );
    login
}

on_both!(
    the_tab_that_the_app_opens_ends_the_login,
    async |database| {
        let _shows = shows!(accepting "BC-08", accepting "BP-19", accepting "BP-20", accepting "B1", accepting "B6", accepting "LI-04", accepting "PV-TAB-1", refusing "PV-TAB-1");
        let app = App::on(database).await;
        let browser = Browser::new();
        let login = launched(&app, &browser).await;
        let claimed = app.phone.open(&login.launch_link(), TOLVAN).await;
        let return_url = claimed.return_url.clone().expect("a return address");
        assert!(return_url.starts_with(&format!("{}/r/rn_", app.issuer)));
        claimed.approve().await;
        let returned = browser.get(&return_url).await;
        let tab = browser.follow(&returned).await;
        assert!(tab.url.ends_with("/returned"));
        // The first tab stays where it is and says where to go on.
        let first = browser.until(&login, "other-tab").await;
        assert!(first.body.contains("Fortsätt i den andra fliken"));
        Answer::of(&browser.until_departure(&tab).await).code();
        // The nonce is good once: it leads to the end of the login, and to no other code.
        let again = browser.get(&return_url).await;
        let over = browser.follow(&again).await;
        assert_eq!((over.status, over.location()), (410, None));
    }
);

on_both!(without_the_return_there_is_no_code, async |database| {
    let _shows = shows!(refusing "B1", refusing "B7", accepting "B7");
    let app = App::on(database).await;
    let browser = Browser::new();
    let login = launched(&app, &browser).await;
    // The same address on both sides: only the missing return stands in the way.
    let claimed = app.phone.open(&login.launch_link(), TOLVAN).await;
    claimed.approve().await;
    let waiting = browser.until(&login, "await-return").await;
    for _ in 0..10 {
        let (status, state) = browser.status(&login).await;
        assert_eq!(
            (status, state["screen"].as_str()),
            (200, Some("await-return"))
        );
        let finish = browser.get(&format!("{}/finish", login.login_url())).await;
        assert!(
            finish.location().is_some_and(|l| l.starts_with("/login/")),
            "{:?}",
            finish.location()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for wrong in ["rn_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x", ""] {
        let page = browser.get(&format!("{}/r/{wrong}", app.issuer)).await;
        assert!([403, 404].contains(&page.status), "{wrong} {}", page.status);
    }
    // A way on: another order in the place of this one.
    let again = browser.press_on(&waiting, "order", "other").await;
    let scan = browser.follow(&again).await;
    app.phone
        .scan(&scan.qr_text(), TOLVAN)
        .await
        .approve()
        .await;
    Answer::of(&browser.until_departure(&login).await).code();
});

on_both!(a_return_in_another_browser_ends_nowhere, async |database| {
    let _shows = shows!(refusing "BC-08", refusing "BP-12", refusing "B6", refusing "LI-04", accepting "PV-ELSE-1", refusing "PV-ELSE-1");
    let app = App::on(database).await;
    let (mine, theirs) = (Browser::new(), Browser::new());
    let login = launched(&app, &mine).await;
    let claimed = app.phone.open(&login.launch_link(), TOLVAN).await;
    claimed.approve().await;
    let return_url = claimed.return_url.clone().expect("a return address");
    let stranger = theirs.get(&return_url).await;
    assert_eq!(stranger.status, 403);
    assert!(
        stranger.body.contains("Fel webbläsare"),
        "{}",
        stranger.body
    );
    assert_eq!(theirs.cookie_names(), Vec::<String>::new());
    let told = mine.until(&login, "elsewhere").await;
    assert!(told.body.contains("Svaret öppnades i en annan webbläsare"));
    let finish = mine.get(&format!("{}/finish", login.login_url())).await;
    assert!(finish.location().is_some_and(|l| !l.contains("code=")));
    // The right browser comes too late: the first return has decided.
    let late = mine.get(&return_url).await;
    assert_eq!(
        mine.follow(&late).await.screen().as_deref(),
        Some("elsewhere")
    );
    let next = mine.get(&app.authorize_url(&[])).await;
    assert!(
        next.body.contains("Förra gången öppnades svaret"),
        "the next choice warns"
    );
    let again = mine.press_on(&told, "order", "other").await;
    let scan = mine.follow(&again).await;
    app.phone
        .scan(&scan.qr_text(), TOLVAN)
        .await
        .approve()
        .await;
    Answer::of(&mine.until_departure(&login).await).code();
});

#[test]
fn a_return_before_the_answer_is_known_waits_for_it() {
    run(async {
        let _shows = shows!(accepting "PV-TAB-2");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let login = launched(&app, &browser).await;
        let claimed = app.phone.open(&login.launch_link(), TOLVAN).await;
        let return_url = claimed.return_url.clone().expect("a return address");
        let returned = browser.get(&return_url).await;
        let tab = browser.follow(&returned).await;
        assert_eq!(tab.screen().as_deref(), Some("working"));
        let finish = browser.get(&format!("{}/finish", login.login_url())).await;
        assert!(
            finish.location().is_some_and(|l| !l.contains("code=")),
            "not before the approval"
        );
        claimed.approve().await;
        Answer::of(&browser.until_departure(&tab).await).code();
    });
}

#[test]
fn the_time_of_authentication_is_that_of_the_approval() {
    run(async {
        let _shows = shows!(accepting "ID-01");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let login = launched(&app, &browser).await;
        let claimed = app.phone.open(&login.launch_link(), TOLVAN).await;
        claimed.approve().await;
        let approved_at = app.clock.now();
        browser.until(&login, "await-return").await;
        // The person comes back minutes later.
        app.clock.advance(Duration::from_secs(300));
        let returned = browser
            .get(&claimed.return_url.clone().expect("a return address"))
            .await;
        let tab = browser.follow(&returned).await;
        assert_eq!(tab.screen().as_deref(), Some("finish"));
        let answer = Answer::of(&browser.until_departure(&tab).await);
        let tokens = crate::token::redeem(&app, &answer).await;
        let auth_time = crate::token::claims(&app, &tokens).await["auth_time"]
            .as_i64()
            .expect("a time");
        assert!(
            (approved_at.0..=approved_at.0 + 10).contains(&auth_time),
            "{auth_time} {approved_at:?}"
        );
    });
}

#[test]
fn safari_comes_back_by_a_fragment_to_the_same_tab() {
    run(async {
        let _shows = shows!(accepting "BP-02", accepting "BP-39", accepting "PV-RETURN-1", refusing "PV-RETURN-1");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::with_user_agent(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
        );
        let choice = browser.get(&app.authorize_url(&[])).await;
        let this = choice.body.find("value=\"this\"").expect("a button");
        let other = choice.body.find("value=\"other\"").expect("a button");
        assert!(this < other, "a phone is offered itself first");
        let form = choice.value("form");
        let fields = [
            ("form", form.as_str()),
            ("device", "this"),
            ("scripts", "on"),
        ];
        let pressed = browser.post(&choice.absolute("/login"), &fields).await;
        let login = browser.follow(&pressed).await;
        let claimed = app.phone.open(&login.launch_link(), TOLVAN).await;
        claimed.approve().await;
        let return_url = claimed.return_url.clone().expect("a return address");
        let (page, nonce) = return_url.split_once('#').expect("a fragment");
        assert_eq!(page, login.login_url());
        let back = format!("{page}/return");
        let forged = browser.post(&back, &[("nonce", "rn_x")]).await;
        assert_eq!(forged.status, 403);
        let told = browser.post(&back, &[("nonce", nonce)]).await;
        assert_eq!(told.status, 200, "{}", told.body);
        let next: serde_json::Value = serde_json::from_str(&told.body).expect("JSON");
        let tab = browser
            .get(&told.absolute(next["next"].as_str().expect("a path")))
            .await;
        Answer::of(&browser.until_departure(&tab).await).code();
    });
}

#[test]
fn an_app_too_old_to_come_back_fails_with_advice() {
    run(async {
        let _shows = shows!(refusing "PV-SIM-5", accepting "PV-SIM-5");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let phone = Browser::new();
        let login = launched(&app, &browser).await;
        let opened = phone
            .post(
                &format!("{}open", app.phone_url),
                &[("person", TOLVAN), ("link", &login.launch_link())],
            )
            .await;
        let order = phone.follow(&opened).await;
        assert!(
            order.body.contains("Testkommunen") && order.body.contains("Afterwards the app"),
            "{}",
            order.body
        );
        phone
            .post(
                &format!("{}/approve", order.url),
                &[("code", "123456"), ("afterwards", "old-app")],
            )
            .await;
        let failed = browser.until(&login, "failed").await;
        assert!(
            failed.body.contains("Uppdatera BankID-appen"),
            "{}",
            failed.body
        );
        // The same phone can go back to another browser by itself.
        let again = browser.press_on(&failed, "order", "this").await;
        let launch = browser.follow(&again).await;
        let opened = phone
            .post(
                &format!("{}open", app.phone_url),
                &[("person", TOLVAN), ("link", &launch.launch_link())],
            )
            .await;
        let order = phone.follow(&opened).await;
        phone
            .post(
                &format!("{}/approve", order.url),
                &[("code", "123456"), ("afterwards", "elsewhere")],
            )
            .await;
        browser.until(&login, "elsewhere").await;
    });
}

#[test]
fn an_app_with_another_address_is_no_reason_to_stop_anyone() {
    run(async {
        let _shows = shows!(accepting "BP-37", accepting "B7");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        for (n, address) in ["203.0.113.9", "2001:db8::9", "fe80::1%eth0", ""]
            .iter()
            .enumerate()
        {
            let state = format!("s{n}");
            let choice = browser
                .get(&app.authorize_url(&[("state", Some(&state)), ("prompt", Some("login"))]))
                .await;
            let login = browser.choose(&choice, "this").await;
            let claimed = app.phone.open(&login.launch_link(), TOLVAN).await;
            let patch = json!({"completionData": {"device": {"ipAddress": address}}});
            let whim = json!({"operation": "collect", "what": {"patch": patch}, "times": 0});
            app.phone.whim(whim).await;
            claimed.approve().await;
            let back = claimed.return_url.clone().expect("a return address");
            let returned = browser.get(&back).await;
            let tab = browser.follow(&returned).await;
            Answer::of(&browser.until_departure(&tab).await).code();
            app.phone.no_whims().await;
        }
    });
}
