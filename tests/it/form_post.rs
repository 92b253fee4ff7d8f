//! OAuth 2.0 Form Post Response Mode: the answer goes to the client in a form, whatever it is and
//! from wherever it comes.

use portvakt::shows;
use serde_json::json;

use crate::support::browser::read_qr;
use crate::support::chromium::{Scripts, browsers, is_there};
use crate::support::phone::TOLVAN;
use crate::support::receiver::Receiver;
use crate::support::{Answer, App, Browser, CALLBACK, Database, Names, Options, Page, run};

const FORM: (&str, Option<&str>) = ("response_mode", Some("form_post"));

fn is_form_to_client(page: &Page) {
    assert_eq!((page.status, page.location()), (200, None), "{}", page.body);
    assert_eq!(page.header("cache-control"), "no-store");
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'; ",
        "script-src 'self'; ",
        "base-uri 'none'; ",
        "frame-ancestors 'none'; ",
    ] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    // Browsers would hold it against what the application does next.
    assert!(!policy.contains("form-action"), "{policy}");
    assert_eq!(page.body.matches("<form").count(), 1);
    assert!(!page.body.contains("http-equiv"), "{}", page.body);
    assert!(
        page.body.contains("<button"),
        "without scripts it is pressed"
    );
}

#[test]
fn an_answer_in_a_form_comes_from_login_session_and_refusal_alike() {
    run(async {
        let _shows = shows!(accepting "AU-12", refusing "AU-12", accepting "AU-11", accepting "AU-16", refusing "AU-16", accepting "AU-13");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let state = "<s\"t&'å>";
        let asked = [FORM, ("state", Some(state))];

        let choice = browser.get(&app.authorize_url(&asked)).await;
        let login = browser.choose(&choice, "other").await;
        let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
        claimed.approve().await;
        let page = browser.until_departure(&login).await;
        is_form_to_client(&page);
        let answer = Answer::of(&page);
        assert_eq!(answer.url.as_str(), CALLBACK);
        assert_eq!(answer.names(), ["code", "state", "iss"]);
        assert_eq!(answer.get("state"), Some(state));
        assert_eq!(answer.get("iss"), Some(app.issuer.as_str()));
        crate::token::redeem(&app, &answer).await;

        // From the session, by GET and by POST.
        let silent = [FORM, ("prompt", Some("none"))];
        let page = browser.get(&app.authorize_url(&silent)).await;
        is_form_to_client(&page);
        crate::token::redeem(&app, &Answer::of(&page)).await;
        let at = format!("{}/authorize", app.issuer);
        let bounce = browser.post_from_elsewhere(&at, &App::asked(&silent)).await;
        let request = bounce.value("request");
        let page = browser
            .post(&format!("{at}/continue"), &[("request", &request)])
            .await;
        is_form_to_client(&page);
        Answer::of(&page).code();

        // What is refused, before and after the person was asked.
        let stranger = Browser::new();
        let with_query = "https://app.example/callback?a=1";
        for (changes, error, uri) in [
            (("prompt", Some("none")), "login_required", CALLBACK),
            (("scope", Some("profile")), "invalid_scope", CALLBACK),
            (
                ("redirect_uri", Some(with_query)),
                "login_required",
                with_query,
            ),
        ] {
            let url = app.authorize_url(&[FORM, ("prompt", Some("none")), changes]);
            let page = stranger.get(&url).await;
            is_form_to_client(&page);
            let answer = Answer::of(&page);
            assert_eq!(answer.url.as_str(), uri);
            assert_eq!(answer.get("error"), Some(error));
            assert_eq!(
                answer.names(),
                ["error", "error_description", "state", "iss"]
            );
        }
        let choice = stranger.get(&app.authorize_url(&asked)).await;
        let page = stranger.press(&choice, "none").await;
        is_form_to_client(&page);
        assert_eq!(Answer::of(&page).get("error"), Some("access_denied"));
        let choice = stranger.get(&app.authorize_url(&[FORM])).await;
        let login = stranger.choose(&choice, "other").await;
        let left = stranger.press_on(&login, "cancel", "").await;
        let page = stranger.follow(&left).await;
        is_form_to_client(&page);
        assert_eq!(Answer::of(&page).get("error"), Some("access_denied"));

        // A form never goes to what is no page.
        app.register(
            "native",
            json!({"client_name": "A", "redirect_uris": ["se.kommunen.app:/cb"]}),
        )
        .await;
        let native = [
            FORM,
            ("client_id", Some("native")),
            ("redirect_uri", Some("se.kommunen.app:/cb")),
        ];
        let page = stranger.get(&app.authorize_url(&native)).await;
        assert_eq!((page.status, page.location()), (400, None));
    });
}

fn a_login_answered_in_a_form(scripts: Scripts) {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "AU-12", accepting "PV-BROWSER-1");
        let names = Names {
            provider: "login.portvakt.example",
            application: "app.kommunen.example",
            phone: "phone.simulator.example",
        };
        let app = App::start(Options {
            names: Some(names),
            ..Options::on(Database::sqlite())
        })
        .await;
        let receiver = Receiver::start(&app, "form.regionen.example");
        app.register(
            "posted",
            json!({"client_name": "Regionen", "redirect_uris": [receiver.callback, receiver.onward], "pkce": "accepted"}),
        )
        .await;
        let asked = [
            FORM,
            ("client_id", Some("posted")),
            ("redirect_uri", Some(receiver.callback.as_str())),
            ("scope", Some("openid")),
        ];
        let [browser] = browsers(&app.certificate, scripts).await;
        assert_eq!(browser.runs_scripts().await, scripts == Scripts::On);
        let received = async |member: &str| {
            if scripts == Scripts::Off {
                browser.press("#go-on").await;
            }
            browser.read("POST query= type=").await;
            let text = browser.text().await;
            for part in [
                "application/x-www-form-urlencoded",
                "site=cross-site",
                member,
                "state=the-state",
                "iss=https%3A%2F%2Flogin.portvakt.example",
            ] {
                assert!(text.contains(part), "{part} is not in {text}");
            }
        };
        let url = app.authorize_url(&asked);
        // From the choice, and from a login: the way back began with a form of ours both times.
        browser.go(&url).await;
        browser.press("button[value=none]").await;
        received("error=access_denied").await;
        browser.go(&url).await;
        browser.press("button[value=other]").await;
        browser.press("#cancel").await;
        received("error=access_denied").await;
        browser.go(&url).await;
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        let code = read_qr(&browser.attribute("#qr path", "d").await);
        app.phone.scan(&code, TOLVAN).await.approve().await;
        received("code=ac_").await;
        // From the session.
        browser.go(&url).await;
        received("code=ac_").await;
        // Many applications redirect from there at once, and to where is theirs to say.
        let asked = [
            asked[0],
            asked[1],
            ("redirect_uri", Some(receiver.onward.as_str())),
            asked[3],
        ];
        browser.go(&app.authorize_url(&asked)).await;
        if scripts == Scripts::Off {
            browser.press("#go-on").await;
        }
        browser.read("GET query=code=ac_").await;
        assert!(
            browser
                .url()
                .await
                .starts_with("https://pages.form.regionen.example:")
        );
    });
}

#[test]
fn a_login_answered_in_a_form_with_scripts() {
    a_login_answered_in_a_form(Scripts::On);
}

#[test]
fn a_login_answered_in_a_form_without_scripts() {
    a_login_answered_in_a_form(Scripts::Off);
}
