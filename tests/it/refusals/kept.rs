//! What is kept, for how long, how much of it, and what never is.

use std::time::Duration;

use portvakt::admin::failure;
use portvakt::clock::Seconds;
use portvakt::id::ClientId;
use portvakt::shows;
use portvakt::storage::Place;

use super::{Looking, WEEK, raw};
use crate::client_auth::TYPE;
use crate::keys::command;
use crate::support::phone::TOLVAN;
use crate::support::{App, Database, SECRET, on_both};

on_both!(
    a_week_later_it_is_gone_and_a_stop_loses_nothing,
    async |database: Database| {
        let _shows = shows!(accepting "PV-WHY-5", refusing "PV-WHY-5");
        let app = App::on(database).await;
        let looking = Looking::on(&app);
        let store = &app.provider.store;
        let found = looking
            .asks(&[("redirect_uri", None)], "redirect_uri_missing")
            .await;
        app.clock.advance(WEEK - Duration::from_secs(60));
        store.sweep(app.clock.now()).await.expect("swept");
        assert_eq!(looking.all(Some("web")).await.len(), 1);
        let recent = app.clock.now() - Seconds(24 * 60 * 60);
        assert_eq!(store.refusal_counts(recent).await.expect("counts"), []);
        let long = [("redirect_uri", Some("https://app.example/callback/"))];
        let page = looking.browser.get(&app.authorize_url(&long)).await;
        let later = looking.found(&page).await;
        let counts = store.refusal_counts(recent).await.expect("counts");
        assert_eq!(counts, [(ClientId::parse("web").expect("an id"), 1)]);
        app.clock.advance(Duration::from_secs(120));
        store.sweep(app.clock.now()).await.expect("swept");
        assert_eq!(looking.all(Some("web")).await, [later]);
        let gone = failure::find(store, &found.reference)
            .await
            .expect("answered");
        assert_eq!(gone, None);

        // The last one before a stop.
        let page = looking
            .browser
            .get(&app.authorize_url(&[("client_id", None)]))
            .await;
        let (_, rest) = page.body.split_once("<code>").expect("a reference");
        let (reference, _) = rest.split_once('<').expect("its end");
        app.stop_provider().await;
        let (fine, said) = command(&app, "client", &["failures", "--reference", reference]);
        assert!(fine && said.contains("client_id_missing"), "{said}");
    }
);

on_both!(
    many_alike_are_counted_and_a_list_goes_on_where_it_ended,
    async |database: Database| {
        let _shows = shows!(accepting "PV-WHY-3", refusing "PV-WHY-3");
        let app = App::on(database).await;
        let looking = Looking::on(&app);
        for n in 0..60 {
            let name = format!("made-up-{n}");
            looking
                .browser
                .get(&app.authorize_url(&[("client_id", Some(&name))]))
                .await;
            looking
                .browser
                .get(&app.authorize_url(&[("redirect_uri", None)]))
                .await;
        }
        for client in [None, Some("web")] {
            let all = looking.all(client).await;
            let times: i64 = all.iter().map(|failure| failure.times).sum();
            // A minute may end in between.
            assert!(
                all.len() <= 10 && times == 60,
                "{} rows, {times} times",
                all.len()
            );
        }
        for minute in 0..5 {
            app.clock.advance(Duration::from_secs(61));
            let mode = format!("mode-{minute}");
            looking
                .browser
                .get(&app.authorize_url(&[("response_mode", Some(&mode))]))
                .await;
        }
        let all = looking.all(Some("web")).await;
        assert!(
            all.windows(2).all(|two| two[0].at >= two[1].at),
            "newest first"
        );
        let web = ClientId::parse("web");
        let (mut parts, mut after) = (Vec::new(), None);
        loop {
            let part = failure::list(&app.provider.store, web.as_ref(), after, 2).await;
            let part = part.expect("a part");
            assert!(part.failures.len() <= 2 && parts.len() < 50);
            parts.extend(part.failures);
            match part.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(parts, all);
        let place = failure::list(&app.provider.store, web.as_ref(), None, 2).await;
        let place = place.expect("a part").next.expect("a place");
        assert_eq!(Place::parse(&place.to_string()), Some(place));
        assert_eq!(Place::parse("1"), None);
    }
);

on_both!(
    nothing_of_a_person_and_no_secret_is_kept,
    async |database: Database| {
        let _shows = shows!(refusing "PV-WHY-4", refusing "PV-WHY-2");
        let app = App::on(database).await;
        let looking = Looking::on(&app);
        let browser = &looking.browser;
        // A no of the person's is no mistake, and neither is what goes well.
        let few = [("scope", Some("openid"))];
        let choice = browser.get(&app.authorize_url(&few)).await;
        let login = browser.choose(&choice, "other").await;
        let left = browser.press_on(&login, "cancel", "").await;
        let page = browser.follow(&left).await;
        assert!(page.body.contains("access_denied"), "{}", page.body);
        let answer = app.log_in_with(browser, TOLVAN, &few).await;
        let tokens = crate::token::redeem(&app, &answer).await;
        assert_eq!(looking.all(Some("web")).await, []);
        assert_eq!(looking.all(None).await, []);

        let text = |name: &str| tokens[name].as_str().expect("a token").to_owned();
        let (id_token, access_token) = (text("id_token"), text("access_token"));
        let names = r#"{"id_token":{"personal_number":{"value":"191212121212"}}}"#;
        let address = format!(
            "https://app.example/{TOLVAN}/{access_token}?pnr={TOLVAN}&code={SECRET}#{SECRET}"
        );
        for (name, value) in [
            ("redirect_uri", address.as_str()),
            ("client_id", TOLVAN),
            ("client_id", SECRET),
            ("client_id", &access_token),
            ("response_type", TOLVAN),
            ("response_mode", &access_token),
            ("prompt", "none 19121212-1212"),
            ("scope", TOLVAN),
            ("resource", &address),
            ("claims", names),
            ("id_token_hint", "x"),
        ] {
            let hints = [
                (name, Some(value)),
                ("login_hint", Some(TOLVAN)),
                ("state", Some("the-state-of-it")),
            ];
            browser.get(&app.authorize_url(&hints)).await;
        }
        let form = |more: &[(&str, &str)]| {
            let all = [&[("grant_type", "authorization_code")], more].concat();
            looking.web("/token", &all)
        };
        let address = address.as_str();
        for request in [
            form(&[("code", answer.code()), ("redirect_uri", address)]),
            form(&[("code", &access_token)]),
            form(&[
                ("code", "x"),
                ("code_verifier", SECRET),
                ("client_secret", SECRET),
            ]),
            looking.post("/token").basic_auth("web", Some(TOLVAN)),
            looking
                .post("/token")
                .basic_auth(TOLVAN, Some(SECRET))
                .form(&few),
            looking.post("/token").bearer_auth(&access_token).form(&few),
            looking.post("/token").form(&[
                ("client_assertion", id_token.as_str()),
                ("client_assertion_type", TYPE),
            ]),
            looking.web(
                "/token",
                &[
                    ("grant_type", TOLVAN),
                    ("grant_type", SECRET),
                    (TOLVAN, "1"),
                    (TOLVAN, "2"),
                ],
            ),
            looking.web(&format!("/token?{TOLVAN}={SECRET}"), &[]),
            looking.web("/token", &[]).header("dpop", &id_token),
            looking
                .web("/token", &[("grant_type", "x")])
                .header("content-type", TOLVAN),
            app.http
                .get(format!("{}/userinfo", app.issuer))
                .bearer_auth(&id_token),
            app.http.get(format!(
                "{}/userinfo?access_token={access_token}",
                app.issuer
            )),
            app.http.get(format!(
                "{}/logout?id_token_hint={id_token}&client_id=strict",
                app.issuer
            )),
            app.http.get(format!(
                "{}/logout?client_id=web&post_logout_redirect_uri={}",
                app.issuer,
                address.replace('&', "%26").replace('#', "%23")
            )),
        ] {
            request.send().await.expect("an answer");
        }
        let mut rows = Vec::new();
        for client in [Some("web"), Some("strict"), None] {
            rows.extend(looking.all(client).await);
        }
        assert!(rows.len() > 15, "{}", rows.len());
        let url = app.database.url(app.directory.path());
        let text = format!("{rows:?} {}", raw(&app.database, &url, None).await);
        let subject = crate::token::claims(&app, &tokens).await["sub"].to_string();
        for secret in [
            TOLVAN,
            &TOLVAN[2..],
            "121212-1212",
            SECRET,
            answer.code(),
            &access_token,
            &id_token,
            "the-state-of-it",
            "the-nonce",
            "Tolvansson",
            subject.trim_matches('"'),
            id_token.rsplit('.').next().expect("a signature"),
        ] {
            assert!(
                !text.contains(secret),
                "{} characters are in {text}",
                secret.len()
            );
        }
    }
);
