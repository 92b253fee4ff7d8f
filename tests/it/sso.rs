//! Sessions: who is still known, and to whom.

use std::time::Duration;

use portvakt::shows;

use crate::support::phone::{ASA, TOLVAN};
use crate::support::{Answer, App, Browser, Database, on_both, run};

on_both!(
    a_session_answers_the_client_it_was_made_for,
    async |database| {
        let _shows = shows!(accepting "AU-19", accepting "AU-25", accepting "AU-22", refusing "AU-22", accepting "AU-27", refusing "AU-27", accepting "O15", refusing "O15", accepting "O28", refusing "O28");
        let app = App::on(database).await;
        let browser = Browser::new();
        let first = app.log_in(&browser, TOLVAN).await;
        let tokens = crate::token::redeem(&app, &first).await;
        let claims = crate::token::claims(&app, &tokens).await;
        let hint = tokens["id_token"].as_str().expect("an ID token").to_owned();
        app.clock.advance(Duration::from_secs(10));
        for more in [
            vec![("prompt", Some("none"))],
            vec![("max_age", Some("10000"))],
            vec![
                ("prompt", Some("none")),
                ("id_token_hint", Some(hint.as_str())),
            ],
            vec![],
        ] {
            let page = browser.get(&app.authorize_url(&more)).await;
            let answer = Answer::of(&page);
            let tokens = crate::token::redeem(&app, &answer).await;
            let again = crate::token::claims(&app, &tokens).await;
            for same in ["sub", "auth_time", "sid", "txn"] {
                assert_eq!(again[same], claims[same], "{same}");
            }
        }
        for more in [
            [("prompt", Some("login"))],
            [("max_age", Some("1"))],
            [("prompt", Some("consent"))],
        ] {
            let page = browser.get(&app.authorize_url(&more)).await;
            assert_eq!(page.status, 200, "{more:?} shows the choice");
        }
        // Another client is not served by it, and neither is another browser.
        let strict = [
            ("client_id", Some("strict")),
            ("redirect_uri", Some("https://strict.example/callback")),
            ("scope", Some("openid")),
            ("prompt", Some("none")),
            (
                "code_challenge",
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ),
            ("code_challenge_method", Some("S256")),
        ];
        let none = [("prompt", Some("none"))];
        for page in [
            browser.get(&app.authorize_url(&strict)).await,
            Browser::new().get(&app.authorize_url(&none)).await,
        ] {
            assert_eq!(Answer::of(&page).get("error"), Some("login_required"));
        }
        app.clock.advance(Duration::from_secs(3600));
        let late = browser.get(&app.authorize_url(&none)).await;
        assert_eq!(
            Answer::of(&late).get("error"),
            Some("login_required"),
            "an hour is the end"
        );
    }
);

on_both!(
    another_person_in_the_same_browser_ends_the_session,
    async |database| {
        let _shows = shows!(accepting "O19", refusing "O19", accepting "LO-14", refusing "LO-14");
        let app = App::on(database).await;
        let browser = Browser::new();
        app.log_in(&browser, TOLVAN).await;
        let old = browser.cookie("session").expect("a session");
        let hint = {
            let page = browser
                .get(&app.authorize_url(&[("prompt", Some("none"))]))
                .await;
            let tokens = crate::token::redeem(&app, &Answer::of(&page)).await;
            tokens["id_token"].as_str().expect("an ID token").to_owned()
        };
        let login = [("prompt", Some("login"))];
        let answer = app.log_in_with(&browser, ASA, &login).await;
        let tokens = crate::token::redeem(&app, &answer).await;
        assert_eq!(
            crate::token::claims(&app, &tokens).await["personal_number"],
            ASA
        );
        let new = browser.cookie("session").expect("a session");
        assert_ne!(old, new);
        let none = [("prompt", Some("none"))];
        let thief = Browser::new();
        thief.set_cookie("session", &old);
        let page = thief.get(&app.authorize_url(&none)).await;
        assert_eq!(
            Answer::of(&page).get("error"),
            Some("login_required"),
            "the old cookie is dead"
        );
        thief.set_cookie("session", "sc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        let page = thief.get(&app.authorize_url(&none)).await;
        assert_eq!(
            Answer::of(&page).get("error"),
            Some("login_required"),
            "a planted one is nothing"
        );
        // A hint at the person from before never yields the one of now.
        let hinted = [
            ("prompt", Some("none")),
            ("id_token_hint", Some(hint.as_str())),
        ];
        let page = browser.get(&app.authorize_url(&hinted)).await;
        assert_eq!(Answer::of(&page).get("error"), Some("login_required"));
        // And a login that a hint asks of one person, made by another, ends without a code.
        let hinted = [
            ("prompt", Some("login")),
            ("id_token_hint", Some(hint.as_str())),
        ];
        let choice = browser.get(&app.authorize_url(&hinted)).await;
        let login = browser.choose(&choice, "other").await;
        let claimed = app.phone.scan(&login.qr_text(), ASA).await;
        claimed.approve().await;
        let answer = Answer::of(&browser.until_departure(&login).await);
        assert_eq!(answer.get("error"), Some("access_denied"));
        // The application is told once, however soon somebody comes again.
        let again = browser.get(&format!("{}/finish", login.login_url())).await;
        assert_eq!(again.status, 410, "{}", again.body);
        let answer = app.log_in_with(&browser, TOLVAN, &hinted).await;
        answer.code();
    }
);

#[test]
fn nothing_new_is_released_without_the_person() {
    run(async {
        let _shows = shows!(refusing "LI-05", accepting "LI-05");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        app.log_in_with(&browser, TOLVAN, &[("scope", Some("openid"))])
            .await;
        let same = [("scope", Some("openid")), ("prompt", Some("none"))];
        Answer::of(&browser.get(&app.authorize_url(&same)).await).code();
        let more = [
            ("scope", Some("openid personal_number")),
            ("prompt", Some("none")),
        ];
        let answer = Answer::of(&browser.get(&app.authorize_url(&more)).await);
        assert_eq!(answer.get("error"), Some("consent_required"));
        let shown = browser.get(&app.authorize_url(&more[..1])).await;
        assert!(shown.status == 200 && shown.body.contains("ditt personnummer"));
    });
}

#[test]
fn two_clients_in_one_browser_keep_their_sessions() {
    run(async {
        let _shows = shows!(accepting "PV-SSO-1");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        app.log_in(&browser, TOLVAN).await;
        let start = browser.get(&format!("{}/login", app.application)).await;
        let choice = browser.follow(&start).await;
        let login = browser.choose(&choice, "other").await;
        app.phone
            .scan(&login.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        browser.until_departure(&login).await;
        let page = browser
            .get(&app.authorize_url(&[("prompt", Some("none"))]))
            .await;
        Answer::of(&page).code();
    });
}
