//! People who need time have it: what became too old is asked for anew, by one press, and nothing
//! that was asked is lost on the way.

use std::time::Duration;

use portvakt::shows;

use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, Page, on_both, run};

const MINUTE: Duration = Duration::from_secs(60);

/// Approves a login by its code, and sees it lead to the application. The state that comes back.
async fn approved(app: &App, browser: &Browser, login: &Page) -> String {
    let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
    claimed.approve().await;
    let answer = Answer::of(&browser.until_departure(login).await);
    answer.code();
    answer.get("state").expect("a state").to_owned()
}

#[test]
fn a_choice_that_was_left_open_leads_to_another_one() {
    run(async {
        let _shows = shows!(accepting "PV-TIME-2", refusing "PV-TIME-2");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let url = app.authorize_url(&[("state", Some("once"))]);
        let first = browser.get(&url).await;
        assert!(
            !first.body.contains("varit öppen för länge"),
            "{}",
            first.body
        );
        assert!(first.body.contains("data-after=\"480\""));
        app.clock.advance(11 * MINUTE);
        let again = browser.press(&first, "other").await;
        assert!(
            again.body.contains("varit öppen för länge"),
            "{}",
            again.body
        );
        assert!(browser.cookie_names().iter().all(|n| !n.starts_with("l-")));
        // What was asked is still asked.
        let login = browser.choose(&again, "other").await;
        assert_eq!(approved(&app, &browser, &login).await, "once");
        // Before it is too old, a press gives more time, and says nothing of being late.
        let second = browser
            .get(&app.authorize_url(&[("prompt", Some("login"))]))
            .await;
        app.clock.advance(9 * MINUTE);
        let more = browser.press(&second, "renew").await;
        assert!(
            !more.body.contains("varit öppen för länge"),
            "{}",
            more.body
        );
        app.clock.advance(9 * MINUTE);
        browser.choose(&more, "other").await;
        // An hour later nobody knows any more what was asked.
        let third = browser
            .get(&app.authorize_url(&[("prompt", Some("login"))]))
            .await;
        app.clock.advance(61 * MINUTE);
        let late = browser.press(&third, "other").await;
        assert_eq!(late.status, 403);
        assert!(late.body.contains("Sidan är för gammal"));
    });
}

#[test]
fn a_request_can_be_asked_anew_for_an_hour_and_no_longer() {
    run(async {
        let _shows = shows!(refusing "PV-TIME-2", refusing "PV-TIME-3");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        // By however many pages.
        let mut choice = browser.get(&app.authorize_url(&[])).await;
        for _ in 0..6 {
            app.clock.advance(9 * MINUTE);
            choice = browser.press(&choice, "renew").await;
        }
        let login = browser.choose(&choice, "other").await;
        app.clock.advance(7 * MINUTE);
        let late = browser.press(&choice, "renew").await;
        assert_eq!(late.status, 403);
        // A login that began in time has its time, and no other takes its place.
        app.clock.advance(7 * MINUTE);
        let over = browser.until(&login, "failed").await;
        assert!(
            over.body.contains("Tillbaka till tjänsten"),
            "{}",
            over.body
        );
        assert!(!over.body.contains("name=\"device\""), "{}", over.body);
        let pressed = browser.press_on(&over, "order", "other").await;
        let same = format!("/login/{}", login.login_id());
        assert_eq!(pressed.location(), Some(same));
        assert_eq!(app.phone.codes_on_screen().await, 0);
    });
}

#[test]
fn a_choice_that_is_too_old_can_still_be_cancelled() {
    run(async {
        let _shows = shows!(accepting "LI-07");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        app.clock.advance(20 * MINUTE);
        let left = browser.press(&choice, "none").await;
        let address = left.after("content=\"0;url=").expect("a way on");
        assert!(address.contains("error=access_denied"), "{address}");
        // Another language is no lateness, and is remembered.
        let form = choice.value("form");
        let fields = [("form", form.as_str()), ("language", "en")];
        let other = browser.post(&choice.absolute("/login"), &fields).await;
        assert!(
            other.body.contains("Identify with BankID"),
            "{}",
            other.body
        );
        assert!(!other.body.contains("loaded anew"), "{}", other.body);
        assert_eq!(browser.cookie("language").as_deref(), Some("en"));
    });
}

#[test]
fn a_browser_without_cookies_is_told_so_and_can_go_on() {
    run(async {
        let _shows = shows!(accepting "PV-COOKIE-2", refusing "PV-COOKIE-2");
        let app = App::on(Database::sqlite()).await;
        let choice = Browser::new().get(&app.authorize_url(&[])).await;
        // Each time a browser that remembers nothing.
        let told = Browser::new().press(&choice, "other").await;
        assert_eq!(told.status, 403);
        assert!(told.body.contains("Kakor är avstängda"), "{}", told.body);
        // Whoever gives up needs none.
        for (reason, error) in [
            ("none", "access_denied"),
            ("unavailable", "temporarily_unavailable"),
        ] {
            let left = Browser::new().press(&choice, reason).await;
            let address = left.after("content=\"0;url=").expect("a way on");
            assert!(address.contains(&format!("error={error}")), "{address}");
        }
        // They are allowed now.
        let browser = Browser::new();
        let form = told.value("form");
        let again = browser
            .post(
                &told.absolute("/login"),
                &[("form", &form), ("device", "renew")],
            )
            .await;
        let login = browser.choose(&again, "other").await;
        assert_eq!(login.screen().as_deref(), Some("scan"));
        // A form that another browser brings begins nothing, whatever else it holds.
        let other = Browser::new();
        other.get(&app.authorize_url(&[])).await;
        let brought = other.press(&choice, "other").await;
        assert_eq!(brought.status, 200);
        assert!(other.cookie_names().iter().all(|n| !n.starts_with("l-")));
        // What is sent from another site is not even read.
        let forged = Browser::new()
            .post_from_elsewhere(
                &choice.absolute("/login"),
                &[("form", &choice.value("form")), ("device", "renew")],
            )
            .await;
        assert_eq!(forged.status, 403);
        assert!(forged.body.contains("Sidan är för gammal"));
    });
}

on_both!(
    whoever_has_used_up_a_login_begins_another,
    async |database| {
        let _shows = shows!(accepting "PV-TIME-3", refusing "PV-TIME-3");
        let app = App::on(database).await;
        let browser = Browser::new();
        let choice = browser
            .get(&app.authorize_url(&[("state", Some("kept"))]))
            .await;
        let login = browser.choose(&choice, "other").await;
        // All orders of this login, each declined.
        for _ in 0..5 {
            let page = browser.get(&login.url).await;
            app.phone
                .scan(&page.qr_text(), TOLVAN)
                .await
                .decline()
                .await;
            let failed = browser.until(&login, "failed").await;
            let again = browser.press_on(&failed, "order", "other").await;
            let same = format!("/login/{}", login.login_id());
            assert_eq!(again.location(), Some(same));
        }
        let page = browser.get(&login.url).await;
        app.phone
            .scan(&page.qr_text(), TOLVAN)
            .await
            .decline()
            .await;
        let failed = browser.until(&login, "failed").await;
        let anew = browser.press_on(&failed, "order", "other").await;
        let fresh = browser.follow(&anew).await;
        assert_ne!(fresh.login_id(), login.login_id());
        // The time of this one runs out while nobody looks.
        app.clock.advance(14 * MINUTE);
        let expired = browser.until(&fresh, "failed").await;
        let anew = browser.press_on(&expired, "order", "other").await;
        let last = browser.follow(&anew).await;
        assert_ne!(last.login_id(), fresh.login_id());
        // Before that, whoever is warned in time may ask for more.
        assert!(last.body.contains("data-after=\"660\""), "{}", last.body);
        let csrf = last.value("csrf");
        let url = format!("{}/order", last.login_url());
        let asked = [
            ("csrf", csrf.as_str()),
            ("device", "other"),
            ("anew", "yes"),
        ];
        let more = browser.follow(&browser.post(&url, &asked).await).await;
        // Pressing twice begins one.
        let twice = browser.follow(&browser.post(&url, &asked).await).await;
        assert_eq!(twice.login_id(), more.login_id());
        assert_ne!(more.login_id(), last.login_id());
        // The former login's code is worth nothing, and its page leads nowhere.
        assert!(app.phone.try_scan(&last.qr_text(), TOLVAN).await.is_err());
        let former = browser.get(&last.url).await;
        assert_eq!(former.screen().as_deref(), Some("failed"));
        // A stranger begins nothing.
        assert_eq!(Browser::new().post(&url, &asked).await.status, 403);
        assert_eq!(approved(&app, &browser, &more).await, "kept");
        // A login that has led somewhere cannot be begun again.
        let over = browser.press_on(&more, "order", "other").await;
        let same = format!("/login/{}", more.login_id());
        assert_eq!((over.status, over.location()), (303, Some(same)));
    }
);
