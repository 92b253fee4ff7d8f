//! How sessions end.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portvakt::shows;
use portvakt::testing::canary;
use serde_json::Value;

use crate::notices::told_app;
use crate::support::phone::TOLVAN;
use crate::support::{
    Answer, App, Backend, Browser, Database, LOGGED_OUT, Page, SECRET, on_both, run,
};

const NONE: [(&str, Option<&str>); 1] = [("prompt", Some("none"))];

pub fn logout_url(app: &App, members: &[(&str, &str)]) -> String {
    let mut url = url::Url::parse(&format!("{}/logout", app.issuer)).expect("an address");
    if !members.is_empty() {
        url.query_pairs_mut().extend_pairs(members);
    }
    url.into()
}

pub async fn id_token(app: &App, answer: &Answer) -> String {
    let tokens = crate::token::redeem(app, answer).await;
    tokens["id_token"].as_str().expect("an ID token").to_owned()
}

/// A login to another client; its ID token.
pub async fn log_in_to(client: &str, callback: &str, app: &App, browser: &Browser) -> String {
    let changes = [
        ("client_id", Some(client)),
        ("redirect_uri", Some(callback)),
        ("scope", Some("openid")),
    ];
    let answer = app.log_in_with(browser, TOLVAN, &changes).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", answer.code()),
        ("redirect_uri", callback),
    ];
    let request = app.http.post(format!("{}/token", app.issuer)).form(&form);
    let request = request.basic_auth(client, Some(SECRET));
    let tokens = request.send().await.expect("an answer");
    let tokens: serde_json::Value = tokens.json().await.expect("JSON");
    let token = tokens["id_token"].as_str().expect("an ID token").to_owned();
    canary(&token);
    token
}

pub async fn log_in_to_the_bank(app: &App, browser: &Browser) -> String {
    log_in_to("careful", "https://bank.example/callback", app, browser).await
}

pub async fn is_logged_in(app: &App, browser: &Browser) -> bool {
    let page = browser.get(&app.authorize_url(&NONE)).await;
    match Answer::of(&page).get("error") {
        None => true,
        Some(error) => {
            assert_eq!(error, "login_required");
            false
        }
    }
}

const INVALID: &str = "begäran om utloggning är ogiltig";

fn asks(page: &Page) -> bool {
    page.body.contains("id=\"log-out-here\"")
}

async fn answer(app: &App, browser: &Browser, question: &Page, word: &str) -> Page {
    let form = question.value("form");
    let url = format!("{}/logout/confirm", app.issuer);
    browser
        .post(&url, &[("form", &form), ("answer", word)])
        .await
}

on_both!(a_client_logs_its_person_out, async |database| {
    let _shows = shows!(accepting "LO-01", accepting "LO-02", accepting "LO-03", accepting "LO-04", accepting "LO-06", accepting "LO-11", refusing "LO-11", accepting "LO-14", refusing "LO-14");
    let app = App::on(database).await;
    let browser = Browser::new();
    let first = app.log_in(&browser, TOLVAN).await;
    let tokens = crate::token::redeem(&app, &first).await;
    let hint = tokens["id_token"].as_str().expect("an ID token").to_owned();
    let access_token = tokens["access_token"].as_str().expect("a token").to_owned();
    let pending = browser.get(&app.authorize_url(&NONE)).await;
    let pending = Answer::of(&pending);
    let userinfo = crate::userinfo::ask(&app, &access_token).await;
    assert_eq!(userinfo.status, 200);
    let session = browser.cookie("session").expect("a session");
    let members = [
        ("id_token_hint", hint.as_str()),
        ("client_id", "web"),
        ("post_logout_redirect_uri", LOGGED_OUT),
        ("state", "a&b=ö"),
        ("logout_hint", TOLVAN),
        ("ui_locales", "en"),
    ];
    let page = browser.get(&logout_url(&app, &members)).await;
    assert_eq!(page.status, 303, "{}", page.body);
    assert_eq!(
        page.location().as_deref(),
        Some("https://app.example/logged-out?a=1&state=a%26b%3D%C3%B6")
    );
    assert!(!browser.cookie_names().contains(&"session".to_owned()));
    // The session is gone on our side, and what came of it with it.
    browser.set_cookie("session", &session);
    assert!(!is_logged_in(&app, &browser).await);
    assert_eq!(crate::userinfo::ask(&app, &access_token).await.status, 401);
    let late = crate::token::exchange(&app, pending.code(), &[]).await;
    assert_eq!(late.body["error"], "invalid_grant");
    // Whoever is logged out already is sent back all the same, without a state when there was none.
    for browser in [browser, Browser::new()] {
        let members = [members[0], members[2]];
        let page = browser.get(&logout_url(&app, &members)).await;
        assert_eq!(page.location().as_deref(), Some(LOGGED_OUT));
    }
});

#[test]
fn tokens_of_a_session_that_goes_on_go_on() {
    run(async {
        let _shows = shows!(accepting "LO-11");
        let app = App::on(Database::sqlite()).await;
        let (browser, other) = (Browser::new(), Browser::new());
        let answer = app.log_in(&other, TOLVAN).await;
        let tokens = crate::token::redeem(&app, &answer).await;
        let access_token = tokens["access_token"].as_str().expect("a token");
        let hint = id_token(&app, &app.log_in(&browser, TOLVAN).await).await;
        let page = browser
            .get(&logout_url(&app, &[("id_token_hint", &hint)]))
            .await;
        assert!(page.status == 200 && page.body.contains("Du är utloggad"));
        assert!(is_logged_in(&app, &other).await);
        assert_eq!(crate::userinfo::ask(&app, access_token).await.status, 200);
    });
}

#[test]
fn the_person_is_asked_when_nobody_shows_their_session() {
    run(async {
        let _shows = shows!(accepting "LO-03", refusing "LO-03", accepting "LO-05", refusing "LO-05", accepting "LO-06", accepting "O17", refusing "O17");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        app.log_in(&browser, TOLVAN).await;
        let of_another = id_token(&app, &app.log_in(&Browser::new(), TOLVAN).await).await;
        let home = ("post_logout_redirect_uri", LOGGED_OUT);
        let requests = [
            vec![],
            vec![("state", "s")],
            vec![("client_id", "web"), home, ("state", "s")],
            vec![("id_token_hint", of_another.as_str()), home],
        ];
        for members in &requests {
            let page = browser.get(&logout_url(&app, members)).await;
            assert!(page.status == 200 && asks(&page), "{}", page.body);
            assert!(page.body.contains("Kommunens e-tjänster"), "{}", page.body);
            assert!(is_logged_in(&app, &browser).await);
            let stayed = answer(&app, &browser, &page, "no").await;
            assert!(stayed.status == 200 && stayed.location().is_none());
            assert!(stayed.body.contains("fortfarande inloggad"));
            assert!(is_logged_in(&app, &browser).await);
        }
        // A form that another site sends, one made for another browser, and an old one: nothing.
        let question = browser.get(&logout_url(&app, &requests[2])).await;
        let form = question.value("form");
        let url = format!("{}/logout/confirm", app.issuer);
        let fields = [("form", form.as_str()), ("answer", "yes")];
        assert_eq!(browser.post_from_elsewhere(&url, &fields).await.status, 403);
        let stranger = Browser::new();
        app.log_in(&stranger, TOLVAN).await;
        assert_eq!(stranger.post(&url, &fields).await.status, 403);
        assert!(is_logged_in(&app, &stranger).await);
        let made_up = [("form", "AAAA"), ("answer", "yes")];
        assert_eq!(browser.post(&url, &made_up).await.status, 403);
        app.clock.advance(Duration::from_secs(600));
        assert_eq!(browser.post(&url, &fields).await.status, 403);
        assert!(is_logged_in(&app, &browser).await);
        // Yes, twice.
        let question = browser.get(&logout_url(&app, &requests[2])).await;
        let twin = browser.copy();
        for browser in [&browser, &twin] {
            let out = answer(&app, browser, &question, "yes").await;
            assert_eq!(out.status, 200, "a form leads to no other site");
            let away = out.after("content=\"0;url=").expect("a refresh");
            assert_eq!(away, format!("{LOGGED_OUT}&state=s"));
            assert!(!is_logged_in(&app, browser).await);
        }
        let again = answer(&app, &browser, &question, "yes").await;
        assert!(again.body.contains("Du är utloggad"), "{}", again.body);
        // Without a hint and without a session: the way back is there, and takes a press.
        let page = browser.get(&logout_url(&app, &requests[2])).await;
        assert_eq!((page.status, page.location()), (200, None));
        assert!(!page.body.contains("http-equiv=\"refresh\""));
        assert_eq!(
            page.after("id=\"go-on\" href=\""),
            Some(format!("{LOGGED_OUT}&state=s"))
        );
    });
}

#[test]
fn a_wrong_request_leads_nowhere_and_lets_the_person_log_out() {
    run(async {
        let _shows = shows!(refusing "LO-02", refusing "LO-04", accepting "LO-05", refusing "LO-05", accepting "O16", refusing "O16", refusing "LO-01");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let hint = id_token(&app, &app.log_in(&browser, TOLVAN).await).await;
        let token = ("id_token_hint", hint.as_str());
        let home = ("post_logout_redirect_uri", LOGGED_OUT);
        let bent = format!("{hint}x");
        let (head, _) = hint.rsplit_once('.').expect("three parts");
        let unsigned = format!("{head}.");
        let requests = [
            vec![("id_token_hint", bent.as_str()), home],
            vec![("id_token_hint", unsigned.as_str()), home],
            vec![token, home, ("client_id", "strict")],
            vec![token, home, home],
            vec![home],
            vec![("client_id", "nobody"), home],
            vec![("client_id", "strict"), home],
            vec![token, ("post_logout_redirect_uri", "https://evil.example/")],
            vec![
                token,
                ("post_logout_redirect_uri", "https://app.example/callback"),
            ],
            vec![
                token,
                (
                    "post_logout_redirect_uri",
                    "https://app.example/logged-out?a=1&b=2",
                ),
            ],
            vec![token, home, ("state", "a\u{0}b")],
        ];
        for members in &requests {
            let page = browser.get(&logout_url(&app, members)).await;
            assert_eq!(page.status, 400, "{members:?}");
            assert!(asks(&page) && page.location().is_none(), "{members:?}");
            assert!(page.body.contains(INVALID), "{members:?}");
            assert!(!page.body.contains("evil.example") && !page.body.contains(LOGGED_OUT));
            assert!(is_logged_in(&app, &browser).await);
        }
        let english = [requests[7].as_slice(), &[("ui_locales", "en")]].concat();
        let page = browser.get(&logout_url(&app, &english)).await;
        assert!(
            page.body.contains("Do you want to log out?"),
            "{}",
            page.body
        );
        assert!(page.body.contains("request to log you out is invalid"));
        let out = answer(&app, &browser, &page, "yes").await;
        assert!(out.status == 200 && out.body.contains("You are logged out"));
        assert!(!out.body.contains("is invalid"));
        assert!(!out.body.contains("evil.example") && !out.body.contains("http-equiv=\"refresh\""));
        assert!(!is_logged_in(&app, &browser).await);
        for members in &requests {
            let page = browser.get(&logout_url(&app, members)).await;
            assert_eq!((page.status, page.location()), (400, None), "{members:?}");
            assert!(!page.body.contains("go-on"), "{members:?}");
            assert!(page.body.contains(INVALID), "{members:?}");
        }
        for method in ["PUT", "DELETE", "HEAD"] {
            let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
            let answer = app.http.request(method, format!("{}/logout", app.issuer));
            assert_eq!(answer.send().await.expect("an answer").status(), 405);
        }
    });
}

#[test]
fn a_request_by_post_makes_one_more_way() {
    run(async {
        let _shows = shows!(accepting "LO-01", refusing "LO-01");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let hint = id_token(&app, &app.log_in(&browser, TOLVAN).await).await;
        let url = format!("{}/logout", app.issuer);
        let members = [
            ("id_token_hint", hint.as_str()),
            ("post_logout_redirect_uri", LOGGED_OUT),
        ];
        // Browsers send no Lax cookie with it: nothing is decided yet.
        let bounce = Browser::new().post_from_elsewhere(&url, &members).await;
        assert_eq!(bounce.status, 200);
        assert!(is_logged_in(&app, &browser).await);
        let sealed = bounce.value("request");
        assert!(!sealed.contains(&hint));
        let url = format!("{url}/continue");
        let fields = [("request", sealed.as_str())];
        let forged = browser.post_from_elsewhere(&url, &fields).await;
        assert_eq!(forged.status, 403);
        assert!(is_logged_in(&app, &browser).await);
        let out = browser.post(&url, &fields).await;
        assert_eq!(out.after("content=\"0;url=").as_deref(), Some(LOGGED_OUT));
        assert!(!is_logged_in(&app, &browser).await);
    });
}

#[test]
fn one_logout_ends_the_browsers_sessions_with_every_client() {
    run(async {
        let _shows = shows!(accepting "LO-02", accepting "LO-03");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        app.log_in(&browser, TOLVAN).await;
        let hint = &log_in_to_the_bank(&app, &browser).await;
        let question = browser.get(&logout_url(&app, &[])).await;
        for name in ["Kommunens e-tjänster", "Banken"] {
            assert!(question.body.contains(name), "{}", question.body);
        }
        // Its time is up, but the client may not know: the session is still one of this browser.
        app.clock.advance(Duration::from_secs(4000));
        let page = browser
            .get(&logout_url(&app, &[("id_token_hint", hint)]))
            .await;
        assert!(page.body.contains("Du är utloggad"), "{}", page.body);
        assert!(!is_logged_in(&app, &browser).await);
    });
}

pub fn part(token: &str, n: usize) -> Value {
    let part = token.split('.').nth(n).expect("a part");
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[test]
fn a_client_with_a_page_for_it_is_logged_out_in_a_frame() {
    run(async {
        let _shows = shows!(accepting "LO-12", refusing "LO-12", accepting "LO-07");
        let app = App::on(Database::sqlite()).await;
        let home = "https://lenient.example/bye";
        for way_on in [true, false] {
            let browser = Browser::new();
            let callback = "https://lenient.example/callback";
            let hint = log_in_to("lenient", callback, &app, &browser).await;
            app.log_in(&browser, TOLVAN).await;
            let mut members = vec![("id_token_hint", hint.as_str()), ("state", "s")];
            if way_on {
                members.push(("post_logout_redirect_uri", home));
            }
            let page = browser.get(&logout_url(&app, &members)).await;
            assert_eq!((page.status, page.location()), (200, None));
            assert!(!browser.cookie_names().contains(&"session".to_owned()));
            let frame = page.after("<iframe src=\"").expect("a frame");
            let frame = url::Url::parse(&frame).expect("an address");
            let sid = part(&hint, 1)["sid"]
                .as_str()
                .expect("a session")
                .to_owned();
            let pairs: Vec<(String, String)> = frame.query_pairs().into_owned().collect();
            let expected = [("x", "1"), ("iss", app.issuer.as_str()), ("sid", &sid)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(pairs, expected);
            assert_eq!(page.body.matches("<iframe").count(), 1, "{}", page.body);
            let policy = page.header("content-security-policy");
            let sources = policy
                .split("; ")
                .find_map(|p| p.strip_prefix("frame-src "));
            assert_eq!(sources, Some("https://lenient.example/front"), "{policy}");
            // It goes on without scripts, by itself or by a press, and with a broken frame.
            let refresh = page.after("http-equiv=\"refresh\" content=\"4;url=");
            let link = page.after("id=\"go-on\" href=\"");
            let away = way_on.then(|| format!("{home}?state=s"));
            assert_eq!((&refresh, &link), (&away, &away));
        }
        // Other pages frame nothing.
        let browser = Browser::new();
        app.log_in(&browser, TOLVAN).await;
        let question = browser.get(&logout_url(&app, &[])).await;
        let out = answer(&app, &browser, &question, "yes").await;
        for page in [question, out] {
            assert!(!page.header("content-security-policy").contains("frame-src"));
            assert!(!page.body.contains("<iframe"));
        }
    });
}

#[test]
fn an_address_of_a_logout_that_is_not_the_clients_own_is_not_registered() {
    run(async {
        let _shows = shows!(accepting "RG-11", refusing "RG-11");
        let backend = Backend::start();
        let app = told_app(Database::sqlite(), &backend).await;
        let front = "frontchannel_logout_uri = \"https://lenient.example/front?x=1\"";
        let back = format!("backchannel_logout_uri = \"{}/careful\"", backend.told.url);
        let parse = |from: &str, to: &str| {
            assert!(app.config.contains(from), "{from}");
            let config = app.config.replace(from, to);
            portvakt::config::Config::parse(&config, app.directory.path()).map(|_| ())
        };
        for (from, key, values) in [
            (
                front,
                "frontchannel_logout_uri",
                [
                    "https://lenient.example:8443/front",
                    "http://lenient.example/front",
                    "https://other.example/front",
                    "https://lenient.example/front#x",
                    "lenient:/front",
                ],
            ),
            (
                &back,
                "backchannel_logout_uri",
                [
                    "http://bank.example/back",
                    "http://localhost/back",
                    "https://bank.example/back#x",
                    "https://me@bank.example/back",
                    "bank:/back",
                ],
            ),
        ] {
            for value in values {
                let refused = parse(from, &format!("{key} = \"{value}\"")).expect_err(value);
                assert!(
                    refused.to_string().contains(key) || refused.to_string().contains("client"),
                    "{refused}"
                );
            }
            parse(from, "").expect("none is needed");
        }
        parse(
            &back,
            "backchannel_logout_uri = \"https://elsewhere.example/back?x=1\"",
        )
        .expect("any host");
        parse(
            front,
            "frontchannel_logout_uri = \"https://lenient.example/\"",
        )
        .expect("its own");
        for host in ["https://a.example", "a.example:443", "a.example/x", ""] {
            let to = format!("[outbound]\nallow_hosts = [\"{host}\"]");
            let refused = parse("[outbound]", &to).expect_err("refused");
            assert!(
                refused.to_string().contains("outbound.allow_hosts"),
                "{refused}"
            );
        }
    });
}
