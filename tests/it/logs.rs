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
