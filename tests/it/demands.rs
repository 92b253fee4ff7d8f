//! What clients demand of BankID, and what they take for an answer.

use std::time::Duration;

use portvakt::shows;
use serde_json::json;

use crate::support::phone::{ASA, TOLVAN};
use crate::support::{Answer, App, Browser, Database, Page, on_both, run};

/// A request of a client whose callback is all that matters.
fn request(app: &App, client: &str, host: &str, more: &[(&str, Option<&str>)]) -> String {
    let callback = format!("https://{host}.example/callback");
    let mut changes = vec![
        ("client_id", Some(client)),
        ("redirect_uri", Some(callback.as_str())),
        ("scope", Some("openid")),
    ];
    changes.extend_from_slice(more);
    app.authorize_url(&changes)
}

async fn scan_again(app: &App, browser: &Browser, page: &Page) -> crate::support::phone::Claimed {
    let again = browser.press_on(page, "order", "other").await;
    let scan = browser.follow(&again).await;
    app.phone.scan(&scan.qr_text(), TOLVAN).await
}

on_both!(a_risk_is_answered_by_the_clients_policy, async |database| {
    let _shows = shows!(accepting "B14", refusing "B14", refusing "B3");
    let app = App::on(database).await;
    for (risk, asks) in [
        ("moderate", "skriv då din säkerhetskod"),
        ("unknown", "läs då av ditt pass"),
    ] {
        let browser = Browser::new();
        let choice = browser.get(&request(&app, "careful", "bank", &[])).await;
        let login = browser.choose(&choice, "other").await;
        let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
        assert!(!claimed.pin_code && !claimed.mrtd);
        claimed.approve_at_risk(risk).await;
        let more = browser.until(&login, "step-up").await;
        assert!(more.body.contains(asks), "{risk}: {}", more.body);
        let finish = browser.get(&format!("{}/finish", login.login_url())).await;
        assert!(
            finish.location().is_some_and(|l| !l.contains("code=")),
            "{risk}"
        );
        let claimed = scan_again(&app, &browser, &more).await;
        assert_eq!(
            (claimed.pin_code, claimed.mrtd),
            (risk == "moderate", risk == "unknown")
        );
        claimed.approve_at_risk(risk).await;
        Answer::of(&browser.until_departure(&login).await).code();
    }
    // High is the end, whatever the client is like.
    for (client, host) in [("careful", "bank"), ("lenient", "lenient")] {
        let browser = Browser::new();
        let choice = browser.get(&request(&app, client, host, &[])).await;
        let login = browser.choose(&choice, "other").await;
        let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
        claimed.approve_at_risk("high").await;
        let failed = browser.until(&login, "failed").await;
        assert!(
            !failed.body.contains("name=\"device\""),
            "no other try: {}",
            failed.body
        );
        let forced = browser.press_on(&failed, "order", "other").await;
        assert_eq!(
            browser.follow(&forced).await.screen().as_deref(),
            Some("failed")
        );
        let finish = browser.get(&format!("{}/finish", login.login_url())).await;
        assert!(finish.location().is_some_and(|l| !l.contains("code=")));
        let back = browser.press_on(&failed, "cancel", "").await;
        let left = browser.follow(&back).await;
        assert!(left.body.contains("error=access_denied"), "{}", left.body);
    }
});

on_both!(
    the_person_whom_a_request_names_must_log_in,
    async |database| {
        let _shows = shows!(accepting "B19", refusing "B19");
        let app = App::on(database).await;
        let named = |number: &str| {
            json!({"id_token": {"personal_number": {"essential": true, "value": number}}})
                .to_string()
        };
        let (tolvan, asa) = (named(TOLVAN), named(ASA));
        let url = |claims: &str, more: &[(&'static str, Option<&'static str>)]| {
            let mut changes = vec![("claims", Some(claims))];
            changes.extend_from_slice(more);
            app.authorize_url(&changes)
        };
        let browser = Browser::new();
        let choice = browser.get(&url(&tolvan, &[])).await;
        assert!(!choice.body.contains(TOLVAN), "it is never shown");
        let login = browser.choose(&choice, "other").await;
        // BankID itself lets nobody else.
        let wrong = app.phone.try_scan(&login.qr_text(), ASA).await;
        assert_eq!(
            wrong.err().as_deref(),
            Some("This is meant for another person.")
        );
        let failed = browser.until(&login, "failed").await;
        // And if it did, it would not help.
        let again = browser.press_on(&failed, "order", "other").await;
        let scan = browser.follow(&again).await;
        let claimed = app.phone.scan(&scan.qr_text(), TOLVAN).await;
        let other = json!({"completionData": {"user": {"personalNumber": ASA}}});
        app.phone
            .whim(json!({"operation": "collect", "what": {"patch": other}, "times": 0}))
            .await;
        claimed.approve().await;
        let failed = browser.until(&login, "failed").await;
        assert!(failed.body.contains("en annan person"), "{}", failed.body);
        app.phone.no_whims().await;
        scan_again(&app, &browser, &failed).await.approve().await;
        let answer = Answer::of(&browser.until_departure(&login).await);
        let tokens = crate::token::redeem(&app, &answer).await;
        assert_eq!(
            crate::token::claims(&app, &tokens).await["personal_number"],
            TOLVAN
        );
        // The session is Tolvan's: good for a request that names him, and for no other.
        let silent = [("prompt", Some("none"))];
        let same = browser.get(&url(&tolvan, &silent)).await;
        Answer::of(&same).code();
        let other = browser.get(&url(&asa, &silent)).await;
        assert_eq!(Answer::of(&other).get("error"), Some("login_required"));
        // A client that may not know numbers may not name them either.
        let claims = named("191212121212");
        let unentitled = request(&app, "lenient", "lenient", &[("claims", Some(&claims))]);
        let refused = browser.get(&unentitled).await;
        assert_eq!(Answer::of(&refused).get("error"), Some("invalid_request"));
        let nonsense = browser.get(&url(&named("12"), &[])).await;
        assert_eq!(Answer::of(&nonsense).get("error"), Some("invalid_request"));
    }
);

on_both!(
    a_return_nearby_counts_where_the_client_says_so,
    async |database| {
        let _shows = shows!(accepting "PV-ELSE-2", refusing "PV-ELSE-2");
        let app = App::on(database).await;
        let begin = |client: &'static str, host: &'static str| {
            let app = &app;
            async move {
                let (mine, theirs) = (Browser::new(), Browser::new());
                let choice = mine.get(&request(app, client, host, &[])).await;
                let login = mine.choose(&choice, "this").await;
                let claimed = app.phone.open(&login.launch_link(), TOLVAN).await;
                let back = claimed.return_url.clone();
                claimed.approve().await;
                if let Some(back) = back {
                    let wrong = theirs.get(&back).await;
                    assert_eq!((wrong.status, wrong.location()), (403, None));
                    assert!(theirs.cookie_names().is_empty());
                }
                (mine, login)
            }
        };
        let (mine, login) = begin("lenient", "lenient").await;
        let asked = mine.until(&login, "confirm").await;
        assert!(asked.body.contains("Var det du"), "{}", asked.body);
        let finish = mine.get(&format!("{}/finish", login.login_url())).await;
        assert!(
            finish.location().is_some_and(|l| !l.contains("code=")),
            "not without a word"
        );
        let stranger = Browser::new().press_on(&asked, "confirm", "").await;
        assert_eq!(stranger.status, 403);
        let yes = mine.press_on(&asked, "confirm", "").await;
        let tab = mine.follow(&yes).await;
        Answer::of(&mine.until_departure(&tab).await).code();
        // It was not me.
        let (mine, login) = begin("lenient", "lenient").await;
        let asked = mine.until(&login, "confirm").await;
        let no = mine.press_on(&asked, "cancel", "").await;
        assert!(mine.follow(&no).await.body.contains("error=access_denied"));
        // By default that is not enough.
        let (mine, login) = begin("careful", "bank").await;
        mine.until(&login, "elsewhere").await;
        let forced = mine.press_on(&login, "confirm", "").await;
        let forced = mine.follow(&forced).await;
        assert_eq!(forced.screen().as_deref(), Some("elsewhere"));
        // And who trusts everyone waits for no return.
        let (mine, login) = begin("trusting", "trusting").await;
        Answer::of(&mine.until_departure(&login).await).code();
    }
);

#[test]
fn a_confirmation_without_a_return_is_worth_nothing() {
    run(async {
        let _shows = shows!(refusing "PV-ELSE-2", refusing "B1");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&request(&app, "lenient", "lenient", &[])).await;
        let login = browser.choose(&choice, "this").await;
        let claimed = app.phone.open(&login.launch_link(), TOLVAN).await;
        claimed.approve().await;
        browser.until(&login, "await-return").await;
        let forced = browser.press_on(&login, "confirm", "").await;
        let forced = browser.follow(&forced).await;
        assert_eq!(forced.screen().as_deref(), Some("await-return"));
    });
}

#[test]
fn a_device_that_the_client_does_not_want_is_not_to_be_had() {
    run(async {
        let _shows = shows!(refusing "BC-03", accepting "PV-DEVICE-1", refusing "PV-DEVICE-1", refusing "B3");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&request(&app, "this-only", "here", &[])).await;
        assert!(!choice.body.contains("value=\"other\"") && choice.body.contains("value=\"this\""));
        assert_eq!(browser.press(&choice, "other").await.status, 403);
        let login = browser.choose(&choice, "this").await;
        assert!(!login.body.contains("value=\"other\""), "{}", login.body);
        assert_eq!(browser.press_on(&login, "order", "other").await.status, 403);
        let claimed = app.phone.open(&login.launch_link(), TOLVAN).await;
        assert!(claimed.pin_code, "what the client demands is required");
        // A code is for phones alone, so that no program on a computer takes it.
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let on_a_computer = app.phone.try_scan(&login.qr_text(), "195504302380").await;
        assert!(on_a_computer.is_err());
    });
}

#[test]
fn a_link_that_is_too_old_is_made_anew_by_a_press() {
    run(async {
        let _shows = shows!(refusing "BC-06", accepting "PV-LAUNCH-4", refusing "PV-LAUNCH-4");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "this").await;
        let old = login.launch_link();
        app.clock.advance(Duration::from_secs(26));
        let stale = browser.get(&login.url).await;
        assert_eq!(stale.screen().as_deref(), Some("launch-again"));
        assert!(!stale.body.contains("autostarttoken"), "{}", stale.body);
        let again = browser.press_on(&stale, "order", "this").await;
        let launch = browser.follow(&again).await;
        assert_ne!(launch.launch_link(), old);
        let claimed = app.phone.open(&launch.launch_link(), TOLVAN).await;
        assert!(
            app.phone.try_open(&old, TOLVAN).await.is_err(),
            "the old order is over"
        );
        claimed.approve().await;
    });
}
