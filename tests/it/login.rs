//! A login by the animated code, from the application to the verified ID token.

use std::time::Duration;

use portvakt::shows;
use serde_json::Value;

use crate::support::browser::{read_modules, read_qr};
use crate::support::phone::{ASA, TOLVAN, YUSUF};
use crate::support::{Answer, App, Browser, Database, on_both, run};

on_both!(the_sample_application_logs_a_person_in, async |database| {
    let _shows = shows!(accepting "PV-SAMPLE-1", accepting "PV-DB-1", accepting "DI-01", accepting "DI-04", accepting "TK-19", accepting "LI-03");
    let app = App::on(database).await;
    let browser = Browser::new();
    let start = browser.get(&format!("{}/login", app.application)).await;
    let choice = browser.follow(&start).await;
    assert!(choice.body.contains("Provappen"));
    let login = browser.choose(&choice, "other").await;
    let claimed = app.phone.scan(&login.qr_text(), ASA).await;
    assert_eq!(claimed.relying_party, "Testkommunen");
    assert!(
        claimed.text.starts_with("Logga in hos Provappen."),
        "{}",
        claimed.text
    );
    assert_eq!(claimed.return_url, None);
    browser.until(&login, "working").await;
    claimed.approve().await;
    let finished = browser.until_departure(&login).await;
    let callback = browser.follow(&finished).await;
    let home = browser.follow(&callback).await;
    for text in [
        ASA,
        "1990-03-15",
        "Åsa Märta Östergren-Lindström af Ekenstam",
        &app.issuer,
    ] {
        assert!(home.body.contains(text), "{text} is not in {}", home.body);
    }
    let out = browser
        .post(&format!("{}/logout", app.application), &[])
        .await;
    // By way of the provider, which shows its frames and forgets the person too.
    let away = browser.follow(&out).await;
    let home = away.after("content=\"4;url=").expect("a refresh");
    assert!(browser.get(&home).await.body.contains("Log in"));
    assert!(!browser.cookie_names().contains(&"session".to_owned()));
});

on_both!(people_are_told_apart_and_known_again, async |database| {
    let _shows = shows!(accepting "ID-04");
    let app = App::on(database).await;
    let mut subjects = Vec::new();
    for person in [TOLVAN, YUSUF, TOLVAN] {
        let answer = app.log_in(&Browser::new(), person).await;
        let tokens = crate::token::redeem(&app, &answer).await;
        let claims = crate::token::claims(&app, &tokens).await;
        assert_eq!(claims["personal_number"], person);
        subjects.push(claims["sub"].clone());
    }
    assert_eq!(subjects[0], subjects[2]);
    assert_ne!(subjects[0], subjects[1]);
});

#[test]
fn the_code_is_new_each_second_and_goes_when_it_is_scanned() {
    run(async {
        let _shows = shows!(accepting "BC-05", accepting "BP-08", accepting "BP-09", accepting "PV-QR-2", refusing "PV-QR-2", accepting "B3", refusing "B4", accepting "B4");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let first = login.qr_text();
        tokio::time::sleep(Duration::from_millis(2100)).await;
        let (_, status) = browser.status(&login).await;
        let second = crate::support::browser::read_qr(status["qr"].as_str().expect("a code"));
        let seconds = |text: &str| {
            text.split('.')
                .nth(2)
                .and_then(|n| n.parse::<u64>().ok())
                .expect("seconds")
        };
        assert!(seconds(&second) >= seconds(&first) + 2);
        assert_eq!(
            app.phone
                .try_scan(&login.login_id(), TOLVAN)
                .await
                .err()
                .as_deref(),
            Some("This is not a valid BankID code.")
        );
        let claimed = app.phone.scan(&second, TOLVAN).await;
        let working = browser.until(&login, "working").await;
        assert!(
            working.body.contains("Skriv in din säkerhetskod")
                && !working.body.contains("id=\"qr\"")
        );
        let (_, status) = browser.status(&login).await;
        assert_eq!(status["qr"], Value::Null);
        assert!(
            app.phone.try_scan(&second, ASA).await.is_err(),
            "it is taken"
        );
        claimed.approve().await;
        browser.until_departure(&login).await;
    });
}

#[test]
fn the_page_is_told_by_events() {
    run(async {
        let _shows = shows!(accepting "PV-EVENTS-1", refusing "PV-EVENTS-1");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let name = format!("l-{}", &login.login_id()[..8]);
        let cookie = format!("{name}={}", browser.cookie(&name).expect("a cookie"));
        let url = format!("{}/events?code=modules", login.login_url());
        let stranger = reqwest::get(&url).await.expect("an answer");
        assert_eq!(stranger.status(), 403);
        let mut events = reqwest::Client::new()
            .get(&url)
            .header("cookie", cookie)
            .send()
            .await
            .expect("an answer");
        assert_eq!(events.headers()["content-type"], "text/event-stream");
        let mut screens: Vec<String> = Vec::new();
        let mut codes: Vec<String> = Vec::new();
        let mut claimed = None;
        while let Some(chunk) = events.chunk().await.expect("a chunk") {
            let text = String::from_utf8(chunk.to_vec()).expect("UTF-8");
            for event in text.split("\n\n").filter_map(|e| e.strip_prefix("data: ")) {
                let event: Value = serde_json::from_str(event).expect("JSON");
                let screen = event["screen"].as_str().expect("a screen").to_owned();
                if let Some(modules) = event["modules"].as_str() {
                    codes.push(read_modules(modules));
                }
                if screens.last() != Some(&screen) {
                    screens.push(screen);
                }
            }
            match (&claimed, codes.len()) {
                (None, 2..) => {
                    claimed = Some(app.phone.scan(codes.last().expect("a code"), TOLVAN).await)
                }
                (Some(claimed), _) if screens.last().is_some_and(|s| s == "working") => {
                    let _ = claimed.type_code("123456").await;
                }
                _ => {}
            }
        }
        assert_eq!(screens, ["scan", "working", "finish"]);
        codes.dedup();
        assert!(codes.len() >= 2, "a new code each second");
    });
}

#[test]
fn a_page_of_an_earlier_version_is_told_the_path_of_the_code() {
    run(async {
        let _shows = shows!(accepting "PV-EVENTS-1");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let (_, told) = browser.status(&login).await;
        assert_eq!(told["modules"], Value::Null);
        let text = read_qr(told["qr"].as_str().expect("a path"));
        assert!(text.starts_with("bankid."));
    });
}

#[test]
fn an_unscanned_code_is_renewed_in_silence() {
    run(async {
        let _shows = shows!(accepting "BC-05", accepting "BP-06", accepting "PV-RENEW-1", refusing "PV-RENEW-1");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let token = |text: &str| text.split('.').nth(1).expect("a token").to_owned();
        let mut tokens = vec![token(&login.qr_text())];
        for made in 2..=6 {
            app.clock.advance(Duration::from_secs(31));
            let mut renewed = None;
            for _ in 0..80 {
                tokio::time::sleep(Duration::from_millis(250)).await;
                let (_, status) = browser.status(&login).await;
                if status["order"] == made && status["screen"] == "scan" {
                    renewed = status["qr"].as_str().map(crate::support::browser::read_qr);
                    break;
                }
            }
            tokens.push(token(
                &renewed.unwrap_or_else(|| panic!("order {made} was not made")),
            ));
        }
        tokens.sort();
        tokens.dedup();
        assert_eq!(tokens.len(), 6, "every renewal is a new order");
        app.clock.advance(Duration::from_secs(31));
        let failed = browser.until(&login, "failed").await;
        assert!(
            failed.body.contains("Misslyckades att läsa av QR-koden"),
            "{}",
            failed.body
        );
        let again = browser.press_on(&failed, "order", "other").await;
        assert_eq!(again.status, 303);
        assert_eq!(
            browser.get(&login.url).await.screen().as_deref(),
            Some("failed"),
            "the budget is spent"
        );
    });
}

#[test]
fn cancel_ends_the_order_at_bankid_and_tells_the_client() {
    run(async {
        let _shows = shows!(accepting "BC-10", accepting "BP-29", accepting "BP-14", accepting "LI-07", refusing "LI-07", accepting "B12");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
        let cancelled = browser.press_on(&login, "cancel", "").await;
        let left = browser.follow(&cancelled).await;
        let answer = Answer::at(&left.after("content=\"0;url=").expect("a refresh"));
        assert_eq!(answer.get("error"), Some("access_denied"));
        assert_eq!(
            (answer.get("state"), answer.get("iss")),
            (Some("the-state"), Some(app.issuer.as_str()))
        );
        assert!(
            claimed.type_code("123456").await.is_err(),
            "the order is no more"
        );
        // However the browser came to leave, it gets there: by the page that was open, too.
        let reloaded = browser.get(&login.url).await;
        let left = browser.follow(&reloaded).await;
        assert!(left.body.contains("error=access_denied"), "{}", left.body);
        for path in ["", "/returned", "/left", "/status"] {
            let again = browser.get(&format!("{}{path}", login.login_url())).await;
            assert!(
                [200, 303].contains(&again.status),
                "{path} {}",
                again.status
            );
        }
    });
}

#[test]
fn cancel_on_the_choice_page_ends_the_login_that_was_begun_for_it() {
    run(async {
        let _shows = shows!(accepting "LI-07");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
        // The back button, and the person has thought better of it.
        let again = browser.get(&app.authorize_url(&[])).await;
        let left = browser.press(&again, "none").await;
        assert!(left.body.contains("error=access_denied"), "{}", left.body);
        assert!(left.body.contains("class=\"banner\""), "{}", left.body);
        assert!(
            claimed.type_code("123456").await.is_err(),
            "the order is no more"
        );
        let (_, status) = browser.status(&login).await;
        assert_eq!(status["screen"], "over");
    });
}

#[test]
fn choice_pages_that_are_opened_at_once_all_work() {
    run(async {
        let _shows = shows!(accepting "PV-CHOICE-1");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        // Another application of the same host has a cookie of its own taste.
        browser.set_cookie("theirs", "\u{e5}\u{e4}\u{f6}");
        let urls = ["a", "b"].map(|state| app.authorize_url(&[("state", Some(state))]));
        let (one, two) = tokio::join!(browser.get(&urls[0]), browser.get(&urls[1]));
        for choice in [one, two] {
            assert_eq!(
                browser.choose(&choice, "other").await.screen().as_deref(),
                Some("scan")
            );
        }
        for n in 0..20 {
            let state = format!("c{n}");
            browser
                .get(&app.authorize_url(&[("state", Some(&state))]))
                .await;
        }
        let held = browser.cookie_names();
        assert_eq!(held.iter().filter(|n| n.starts_with("f-")).count(), 5);
    });
}

#[test]
fn a_person_who_declines_is_told_and_may_try_again() {
    run(async {
        let _shows = shows!(accepting "LI-06", refusing "LI-06");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        app.phone
            .scan(&login.qr_text(), TOLVAN)
            .await
            .decline()
            .await;
        let failed = browser.until(&login, "failed").await;
        assert!(failed.body.contains("Åtgärden avbröts."), "{}", failed.body);
        let again = browser.press_on(&failed, "order", "other").await;
        let scan = browser.follow(&again).await;
        assert_eq!(scan.screen().as_deref(), Some("scan"));
        app.phone
            .scan(&scan.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        Answer::of(&browser.until_departure(&login).await).code();
    });
}

#[test]
fn a_changed_device_is_a_new_order_and_the_old_one_is_cancelled() {
    run(async {
        let _shows = shows!(accepting "BC-03", refusing "BC-03", accepting "BC-10", accepting "B2", refusing "B2", accepting "B12");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let old = login.qr_text();
        assert!(!login.body.contains("autostarttoken"));
        let switched = browser.press_on(&login, "order", "this").await;
        let launch = browser.follow(&switched).await;
        assert_eq!(launch.screen().as_deref(), Some("launch"));
        assert!(!launch.body.contains("<path"));
        let (_, status) = browser.status(&login).await;
        assert_eq!(status["qr"], Value::Null);
        assert!(
            app.phone.try_scan(&old, TOLVAN).await.is_err(),
            "the old code is dead"
        );
        let claimed = app.phone.open(&launch.launch_link(), TOLVAN).await;
        assert!(claimed.return_url.is_some());
    });
}

#[test]
fn reload_back_and_a_second_tab_resume() {
    run(async {
        let _shows = shows!(accepting "BP-13", accepting "PV-RESUME-2");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let again = browser.get(&login.url).await;
        assert_eq!(again.screen().as_deref(), Some("scan"));
        // The back button shows the choice again, and its form leads to the same login.
        let same = browser.choose(&choice, "other").await;
        assert_eq!(same.login_id(), login.login_id());
        let anew = browser.get(&app.authorize_url(&[])).await;
        let same = browser.choose(&anew, "other").await;
        assert_eq!(
            same.login_id(),
            login.login_id(),
            "the same request, in the same browser"
        );
        let other = browser
            .get(&app.authorize_url(&[("state", Some("another"))]))
            .await;
        assert_ne!(
            browser.choose(&other, "other").await.login_id(),
            login.login_id()
        );
        assert_eq!(app.phone.codes_on_screen().await, 2);
        let tab = browser.copy().get(&login.url).await;
        app.phone.scan(&tab.qr_text(), TOLVAN).await.approve().await;
        Answer::of(&browser.until_departure(&login).await).code();
        // Whoever comes back is told that it is over; anybody else, nothing.
        let over = browser.get(&login.url).await;
        assert_eq!((over.status, over.location()), (410, None));
        assert_eq!(Browser::new().get(&login.url).await.status, 403);
    });
}

#[test]
fn several_logins_side_by_side_work_and_five_are_enough() {
    run(async {
        let _shows = shows!(accepting "PV-COOKIE-1", refusing "PV-COOKIE-1");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let mut logins = Vec::new();
        for n in 0..6 {
            let state = format!("login {n}");
            let choice = browser
                .get(&app.authorize_url(&[("state", Some(&state))]))
                .await;
            logins.push(browser.choose(&choice, "other").await);
        }
        let held = browser
            .cookie_names()
            .iter()
            .filter(|n| n.starts_with("l-"))
            .count();
        assert_eq!(held, 5);
        let latest = logins.last().expect("six");
        let people = [ASA, TOLVAN];
        for (login, person) in [latest, &logins[4]].into_iter().zip(people) {
            let page = browser.get(&login.url).await;
            app.phone
                .scan(&page.qr_text(), person)
                .await
                .approve()
                .await;
            Answer::of(&browser.until_departure(login).await).code();
        }
    });
}

#[test]
fn a_login_is_over_when_its_time_is_up() {
    run(async {
        let _shows = shows!(refusing "PV-TIME-1", accepting "PV-TIME-1");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        app.clock.advance(Duration::from_secs(901));
        let over = browser.get(&login.url).await;
        assert_eq!(over.screen().as_deref(), Some("failed"));
        let finish = browser.get(&format!("{}/finish", login.login_url())).await;
        assert_eq!(finish.status, 410);
    });
}

#[test]
fn whoever_would_rather_not_leaves_before_anything_is_ordered() {
    run(async {
        let _shows = shows!(accepting "LI-07");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let left = browser.press(&choice, "none").await;
        assert_eq!(left.status, 200);
        let answer = Answer::at(&left.after("content=\"0;url=").expect("a refresh"));
        assert_eq!(
            (answer.get("error"), answer.get("state")),
            (Some("access_denied"), Some("the-state"))
        );
        assert_eq!(app.phone.codes_on_screen().await, 0);
    });
}

#[test]
fn a_bankid_that_does_not_answer_costs_nobody_their_login() {
    run(async {
        let _shows = shows!(accepting "PV-DOWN-1", refusing "PV-DOWN-1");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let other = browser
            .get(&app.authorize_url(&[("state", Some("another"))]))
            .await;
        app.simulator.stop().await;
        let down = browser.press(&other, "other").await;
        assert_eq!(down.status, 503);
        assert!(down.body.contains("BankID svarar inte"), "{}", down.body);
        // A new order in the place of a running one: the old one is ended, and the page says so.
        let again = browser.press_on(&login, "order", "other").await;
        assert_eq!(again.status, 503);
        let failed = browser.get(&login.url).await;
        assert_eq!(failed.screen().as_deref(), Some("failed"));
        assert!(failed.body.contains("Försök igen"), "{}", failed.body);
        assert!(failed.body.contains("value=\"other\""), "there is a way on");
    });
}

#[test]
fn browsers_inside_other_apps_can_log_in_and_are_known_again() {
    run(async {
        let _shows = shows!(accepting "BC-02", accepting "BP-26", accepting "PV-WEB-1");
        let app = App::on(Database::sqlite()).await;
        // Longer than BankID takes; the simulator refuses it uncut, as BankID does.
        let browser = Browser::with_user_agent(Box::leak(
            format!("Mozilla/5.0 {}", "x".repeat(300)).into_boxed_str(),
        ));
        app.log_in(&browser, TOLVAN).await;
        let name = browser.cookie("browser").expect("a cookie");
        app.log_in_with(&browser, TOLVAN, &[("prompt", Some("login"))])
            .await;
        assert_eq!(browser.cookie("browser").as_deref(), Some(name.as_str()));
        browser.set_cookie("browser", &"x".repeat(100));
        app.log_in_with(
            &browser,
            TOLVAN,
            &[("prompt", Some("login")), ("state", Some("b"))],
        )
        .await;
        assert_ne!(
            browser.cookie("browser").map(|n| n.len()),
            Some(100),
            "a planted one is not passed on"
        );
    });
}

#[test]
fn inside_another_application_the_person_is_told_how_to_get_out() {
    run(async {
        let _shows = shows!(accepting "BP-18");
        let app = App::on(Database::sqlite()).await;
        let advice = "Du är inne i en annan app";
        let facebook = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22H20 [FBAN/FBIOS;FBAV/535.0.0.44.101]";
        let inside = Browser::with_user_agent(facebook)
            .get(&app.authorize_url(&[]))
            .await;
        assert!(inside.body.contains(advice), "{}", inside.body);
        let outside = Browser::new().get(&app.authorize_url(&[])).await;
        assert!(!outside.body.contains(advice));
    });
}

#[test]
fn names_are_as_the_bank_wrote_them_and_connections_are_kept() {
    run(async {
        let _shows = shows!(accepting "BP-36", accepting "BP-35");
        let app = App::on(Database::sqlite()).await;
        for n in 0..6 {
            let state = format!("s{n}");
            let browser = Browser::new();
            let answer = app
                .log_in_with(&browser, "196408233234", &[("state", Some(&state))])
                .await;
            let tokens = crate::token::redeem(&app, &answer).await;
            let claims = crate::token::claims(&app, &tokens).await;
            assert_eq!(claims["name"], "GUNILLA KARLSSON");
        }
        let listed = app.phone.listed().await;
        let connections = listed["connections"].as_u64().expect("a number");
        assert!(
            (1..=3).contains(&connections),
            "{connections} for six logins"
        );
    });
}
