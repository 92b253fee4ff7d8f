//! Nothing secret and nobody's name is in a log, however much is logged.

use std::time::Duration;

use portvakt::random::Random;
use portvakt::shows;

use crate::crash::Serving;
use crate::support::phone::{ASA, TOLVAN};
use crate::support::{Answer, App, Browser, Database, Options, SECRET, run};

#[test]
fn the_log_of_logins_and_failures_names_nobody_and_gives_nothing_away() {
    run(async {
        let _shows = shows!(refusing "BC-12", accepting "LI-10", refusing "LI-10", accepting "PV-LOG-1", refusing "PV-LOG-1", refusing "B4");
        // The simulator's tokens are known in advance: the order's reference, the launch token,
        // the code's token and its key, four for each order.
        let seed = 4711;
        let expected = Random::seeded(seed);
        let mut canaries: Vec<String> = (0..16).map(|_| expected.uuid().to_string()).collect();
        let options = Options {
            simulator_seed: Some(seed),
            ..Options::on(Database::sqlite())
        };
        let app = App::start(options).await;
        app.stop_provider().await;
        let serving = Serving::start(&app, "logged", &[]).await;

        let browser = Browser::new();
        let answer = app.log_in(&browser, TOLVAN).await;
        let tokens = crate::token::redeem(&app, &answer).await;
        let access_token = tokens["access_token"].as_str().expect("a token").to_owned();
        crate::userinfo::ask(&app, &access_token).await;
        let page = browser
            .get(&app.authorize_url(&[("prompt", Some("none"))]))
            .await;
        canaries.push(Answer::of(&page).code().to_owned());

        let login = [
            ("prompt", Some("login")),
            (
                "claims",
                Some(r#"{"id_token":{"personal_number":{"value":"191212121212"}}}"#),
            ),
        ];
        let choice = browser.get(&app.authorize_url(&login)).await;
        let launch = browser.choose(&choice, "this").await;
        let claimed = app.phone.open(&launch.launch_link(), ASA).await;
        claimed.approve().await;
        let return_url = claimed.return_url.clone().expect("a return address");
        Browser::new().get(&return_url).await;
        browser.until(&launch, "elsewhere").await;

        // Everything that can fail, with something secret in it.
        crate::token::exchange(&app, answer.code(), &[]).await;
        crate::token::exchange(&app, &format!("{}x", answer.code()), &[]).await;
        for (name, value) in [
            ("client_id", TOLVAN),
            ("redirect_uri", ASA),
            (
                "id_token_hint",
                tokens["id_token"].as_str().expect("a token"),
            ),
            ("login_hint", TOLVAN),
        ] {
            browser
                .get(&app.authorize_url(&[(name, Some(value))]))
                .await;
        }
        browser
            .get(&format!(
                "{}/userinfo?access_token={access_token}",
                app.issuer
            ))
            .await;
        browser.get(&format!("{}/{TOLVAN}", app.issuer)).await;
        let hint = tokens["id_token"].as_str().expect("a token");
        for query in [
            format!("id_token_hint={hint}&client_id=strict&logout_hint={TOLVAN}"),
            format!("id_token_hint={hint}x&state={TOLVAN}"),
        ] {
            browser.get(&format!("{}/logout?{query}", app.issuer)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;

        canaries.extend(
            [
                TOLVAN,
                &TOLVAN[2..],
                ASA,
                "Tolvansson",
                "Östergren",
                SECRET,
                answer.code(),
                &access_token,
                &return_url,
            ]
            .map(str::to_owned),
        );
        canaries.push(tokens["id_token"].as_str().expect("a token").to_owned());
        let cookies = browser.cookie_names();
        for kind in ["session", "f-", "browser"] {
            let name = cookies.iter().find(|name| name.starts_with(kind));
            let value = name.and_then(|name| browser.cookie(name));
            canaries.push(value.unwrap_or_else(|| panic!("no cookie {kind}")));
        }
        canaries.push("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".to_owned());
        let log = std::fs::read_to_string(&serving.log).expect("a log");
        assert!(log.lines().count() > 100, "there is a log to search: {log}");
        for canary in canaries {
            assert!(
                !log.contains(&canary),
                "a secret of {} characters is in the log",
                canary.len()
            );
        }
    });
}

#[test]
fn the_reference_on_a_page_finds_the_lines_of_the_log() {
    run(async {
        let _shows = shows!(accepting "PV-LOG-2", refusing "PV-LOG-2");
        let app = App::on(Database::sqlite()).await;
        app.stop_provider().await;
        // As much as is logged where nobody asks for more.
        let usual = [("RUST_LOG", "warn,portvakt=info".to_owned())];
        let serving = Serving::start_in(&app, "referred", &[], &usual).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        app.phone
            .scan(&login.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        let answer = Answer::of(&browser.until_departure(&login).await);
        let mut pages = vec![
            browser
                .get(&app.authorize_url(&[("client_id", Some("nobody"))]))
                .await,
            browser
                .get(&app.authorize_url(&[("redirect_uri", Some("https://elsewhere.example/"))]))
                .await,
            browser
                .post(&format!("{}/login", app.issuer), &[("form", "x")])
                .await,
        ];
        pages.push(browser.get(&format!("{}/finish", login.login_url())).await);
        // Somebody who changes their mind in the app, and whose screen says so.
        let other = Browser::new();
        let choice = other.get(&app.authorize_url(&[])).await;
        let declined = other.choose(&choice, "other").await;
        let order = app.phone.scan(&declined.qr_text(), TOLVAN).await;
        order.decline().await;
        pages.push(other.until(&declined, "failed").await);
        // What is not there is told of to nobody, however often it is asked for.
        let nothing = browser.get(&format!("{}/nothing", app.issuer)).await;
        assert_eq!(nothing.status, 404);
        assert!(!nothing.body.contains("class=\"reference\""));
        // A wrong secret is told of to nobody, and logged.
        let form = [
            ("grant_type", "authorization_code"),
            ("code", answer.code()),
        ];
        let request = app.http.post(format!("{}/token", app.issuer));
        let request = request.basic_auth("web", Some("wrong")).form(&form);
        assert_eq!(request.send().await.expect("an answer").status(), 401);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let log = std::fs::read_to_string(&serving.log).expect("a log");
        let mut seen = std::collections::BTreeSet::new();
        for page in &pages {
            let (_, reference) = page
                .body
                .split_once("<p class=\"reference\">")
                .unwrap_or_else(|| panic!("no reference: {}", page.status));
            let (_, reference) = reference.split_once("<code>").expect("a reference");
            let (reference, _) = reference.split_once("</code>").expect("a reference");
            assert_eq!(reference.len(), 10);
            let lines: Vec<&str> = log
                .lines()
                .filter(|line| line.contains(reference))
                .collect();
            assert!(
                !lines.is_empty(),
                "{reference} of a page with {} is not in the log",
                page.status
            );
            for line in lines {
                assert_eq!(
                    line.matches("reference=").count(),
                    line.matches(reference).count(),
                    "{line}"
                );
            }
            assert!(
                seen.insert(reference.to_owned()),
                "each request has its own"
            );
        }
        // What a door said on its way has the reference of its request, and the login where there is one.
        let line = |words: &str| {
            let found = log.lines().find(|line| line.contains(words));
            found.unwrap_or_else(|| panic!("{words} is not in the log"))
        };
        assert!(line("a client did not authenticate").contains("request{reference="));
        assert!(!log.contains("no such page"), "{log}");
        let failed = line("a person reads that the order failed");
        assert!(failed.contains(&declined.login_id()), "{failed}");
        let over = line("a login was asked for that is over");
        assert!(
            over.contains(&format!("login={}", login.login_id())),
            "{over}"
        );
    });
}
