//! Pushed authorization requests (RFC 9126): what a client leaves with us beforehand, and what a
//! browser brings of it.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use portvakt::shows;
use portvakt::testing::canary;
use serde_json::json;

use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, CALLBACK, Database, Page, SECRET, on_both, run};
use crate::token::{Told, told};

type Change<'a> = (&'a str, Option<&'a str>);

fn at(app: &App) -> String {
    format!("{}/par", app.issuer)
}

async fn pushed_by_web(app: &App, changes: &[Change<'_>]) -> Told {
    let request = app.http.post(at(app)).basic_auth("web", Some(SECRET));
    told(request.form(&App::asked(changes))).await
}

/// The name of a pushed request.
pub async fn push(app: &App, changes: &[Change<'_>]) -> String {
    let told = pushed_by_web(app, changes).await;
    assert_eq!(told.status, 201, "{}", told.body);
    let name = told.body["request_uri"].as_str().expect("a name");
    canary(name);
    name.to_owned()
}

/// Where a browser brings it.
pub fn bring(app: &App, client: &str, name: &str, more: &[(&str, &str)]) -> String {
    let mut url = url::Url::parse(&format!("{}/authorize", app.issuer)).expect("an address");
    url.query_pairs_mut()
        .append_pair("client_id", client)
        .append_pair("request_uri", name)
        .extend_pairs(more);
    url.into()
}

fn is_unknown(page: &Page) {
    assert_eq!((page.status, page.location()), (400, None), "{}", page.body);
    assert!(page.body.contains("request_uri är okänt"), "{}", page.body);
}

on_both!(
    a_pushed_request_is_brought_shown_again_and_answered_once,
    async |database: Database| {
        let _shows = shows!(
            accepting "PA-01", accepting "PA-02", accepting "PA-05", accepting "AU-42", refusing "AU-42", accepting "AU-43",
            refusing "AU-43", accepting "AU-44", refusing "AU-44", accepting "PV-PAR-1", refusing "PV-PAR-1"
        );
        let app = App::on(database).await;
        let told = pushed_by_web(&app, &[("state", Some("pushed-state"))]).await;
        assert_eq!(told.status, 201, "{}", told.body);
        assert_eq!(told.headers["cache-control"], "no-store");
        assert_eq!(told.body["expires_in"], 540);
        let name = told.body["request_uri"].as_str().expect("a name");
        canary(name);
        let secret = name.strip_prefix("urn:ietf:params:oauth:request_uri:pr_");
        assert_eq!(secret.map(str::len), Some(43), "256 bits");

        // What else is brought is worth nothing, be it wrong or right.
        let junk = [
            ("redirect_uri", "https://evil.example/"),
            ("scope", "profile"),
            ("state", "other"),
            ("prompt", "none"),
            ("response_mode", "fragment"),
            ("ui_locales", "en"),
        ];
        for _ in 0..3 {
            let preview = Browser::new().get(&bring(&app, "web", name, &junk)).await;
            assert_eq!(preview.status, 200, "{}", preview.body);
            assert!(preview.body.contains("ditt personnummer"));
        }
        let browser = Browser::new();
        let choice = browser.get(&bring(&app, "web", name, &junk)).await;
        let again = browser.get(&bring(&app, "web", name, &[])).await;
        assert_eq!((choice.status, again.status), (200, 200));
        // Whoever has the page open for minutes may load it again.
        app.clock.advance(Duration::from_secs(500));
        assert_eq!(
            browser.get(&bring(&app, "web", name, &[])).await.status,
            200
        );
        let login = browser.choose(&choice, "other").await;
        assert!(!login.url.contains("pushed-state") && !login.url.contains("request_uri"));

        // Too old to be brought anew, and good for the login that it led to.
        app.clock.advance(Duration::from_secs(41));
        is_unknown(&Browser::new().get(&bring(&app, "web", name, &[])).await);
        let resumed = browser.get(&bring(&app, "web", name, &[])).await;
        assert_eq!(
            resumed.status, 200,
            "its own browser comes back to its login"
        );
        let login = browser.choose(&resumed, "other").await;
        let login = browser.until(&login, "scan").await;
        app.phone
            .scan(&login.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        let answer = Answer::of(&browser.until_departure(&login).await);
        assert_eq!(
            answer.url.origin().ascii_serialization(),
            "https://app.example"
        );
        assert_eq!(answer.names(), ["code", "state", "iss"]);
        assert_eq!(answer.get("state"), Some("pushed-state"));
        let tokens = crate::token::redeem(&app, &answer).await;
        let claims = crate::token::claims(&app, &tokens).await;
        assert_eq!(claims["nonce"], "the-nonce");
        is_unknown(&browser.get(&bring(&app, "web", name, &[])).await);
    }
);

#[test]
fn a_name_is_worth_nothing_to_others_or_too_late_or_when_it_is_answered() {
    run(async {
        let _shows = shows!(refusing "AU-42", refusing "AU-43", refusing "PA-05", refusing "AU-36", accepting "AU-36");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let name = push(&app, &[]).await;
        is_unknown(&browser.get(&bring(&app, "lenient", &name, &[])).await);
        let bent = format!("{}A", &name[..name.len() - 1]);
        let short = &name[..name.len() - 1];
        let unprefixed = name.replace("pr_", "");
        for other in [bent.as_str(), short, &unprefixed] {
            if other != name {
                is_unknown(&browser.get(&bring(&app, "web", other, &[])).await);
            }
        }
        let both = browser
            .get(&bring(&app, "web", &name, &[("request", "x.y.z")]))
            .await;
        assert_eq!((both.status, both.location()), (400, None));
        let twice = browser
            .get(&bring(&app, "web", &name, &[("request_uri", &name)]))
            .await;
        assert_eq!((twice.status, twice.location()), (400, None));
        assert_eq!(
            browser.get(&bring(&app, "web", &name, &[])).await.status,
            200
        );
        app.clock.advance(Duration::from_secs(540));
        is_unknown(&browser.get(&bring(&app, "web", &name, &[])).await);
    });
}

#[test]
fn everything_that_is_wrong_is_told_when_it_is_pushed() {
    run(async {
        let _shows = shows!(refusing "PA-01", refusing "PA-02", refusing "PA-03", refusing "PA-04", accepting "PA-06",
            refusing "PA-06", accepting "PA-07", refusing "PA-07");
        let app = App::on(Database::sqlite()).await;
        let essential = r#"{"id_token":{"acr":{"essential":true,"value":"x"}}}"#;
        let cases: &[(Change, &str)] = &[
            (("request_uri", Some("urn:x")), "invalid_request"),
            (("redirect_uri", None), "invalid_request"),
            (
                ("redirect_uri", Some("http://app.example/callback")),
                "invalid_request",
            ),
            (
                ("redirect_uri", Some("https://evil.example/")),
                "invalid_request",
            ),
            (("response_mode", Some("web_message")), "invalid_request"),
            (("response_type", None), "invalid_request"),
            (
                ("response_type", Some("id_token")),
                "unsupported_response_type",
            ),
            (("scope", None), "invalid_scope"),
            (("code_challenge", Some("x")), "invalid_request"),
            (("code_challenge_method", Some("plain")), "invalid_request"),
            (("prompt", Some("none login")), "invalid_request"),
            (("max_age", Some("x")), "invalid_request"),
            (("claims", Some("[]")), "invalid_request"),
            (
                ("claims", Some(essential)),
                "unmet_authentication_requirements",
            ),
            (("id_token_hint", Some("x")), "invalid_request"),
            (("registration", Some("{}")), "registration_not_supported"),
            (("client_id", Some("lenient")), "invalid_request"),
        ];
        for (change, error) in cases {
            let told = pushed_by_web(&app, &[*change]).await;
            assert_eq!(
                (told.status, told.body["error"].as_str()),
                (400, Some(*error)),
                "{change:?} {}",
                told.body
            );
            assert_eq!(told.headers["cache-control"], "no-store");
        }
        // What only the person can settle is not settled here.
        push(&app, &[("prompt", Some("none"))]).await;
        assert_eq!(app.phone.codes_on_screen().await, 0, "nothing is ordered");

        let asked = App::asked(&[]);
        let send = async |request: reqwest::RequestBuilder| {
            let told = told(request).await;
            (told.status, told.body["error"].as_str().map(str::to_owned))
        };
        let is = |status, error: &str| (status, Some(error.to_owned()));
        let post = || app.http.post(at(&app));
        let nobody = send(post().form(&asked)).await;
        assert_eq!(nobody, is(401, "invalid_client"));
        let wrong = post().basic_auth("web", Some("wrong")).form(&asked);
        assert_eq!(send(wrong).await, is(401, "invalid_client"));
        let web = || post().basic_auth("web", Some(SECRET));
        let json = web().json(&json!({"client_id": "web"}));
        assert_eq!(send(json).await, is(400, "invalid_request"));
        let in_query = app
            .http
            .post(format!("{}?scope=openid", at(&app)))
            .basic_auth("web", Some(SECRET))
            .form(&asked);
        assert_eq!(send(in_query).await, is(400, "invalid_request"));
        let twice: Vec<_> = asked.iter().chain([&("scope", "openid")]).collect();
        assert_eq!(send(web().form(&twice)).await, is(400, "invalid_request"));
        let get = told(app.http.get(at(&app))).await;
        assert_eq!(
            (get.status, get.headers["allow"].as_bytes()),
            (405, &b"POST"[..])
        );

        let filled = "x".repeat(7 * 1024);
        let large: Vec<(&str, &str)> = [("x1", filled.as_str()), ("x2", &filled)]
            .into_iter()
            .chain(asked.iter().copied())
            .collect();
        assert_eq!(told(web().form(&large)).await.status, 201);
        let larger: Vec<(&str, &str)> =
            [("x3", filled.as_str())].into_iter().chain(large).collect();
        assert_eq!(send(web().form(&larger)).await, is(413, "invalid_request"));
    });
}

#[test]
fn a_public_client_pushes_by_its_name_and_not_without_end() {
    run(async {
        let _shows = shows!(accepting "PA-01", refusing "PA-07");
        let app = App::on(Database::sqlite()).await;
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let asked = App::asked(&[
            ("client_id", Some("public")),
            ("redirect_uri", Some("https://public.example/callback")),
            ("scope", Some("openid")),
            ("code_challenge", Some(challenge)),
            ("code_challenge_method", Some("S256")),
        ]);
        let push = || told(app.http.post(at(&app)).form(&asked));
        let pushed = push().await;
        assert_eq!(pushed.status, 201, "{}", pushed.body);
        let name = pushed.body["request_uri"].as_str().expect("a name");
        canary(name);
        let url = bring(&app, "public", name, &[]);
        let answer = app.log_in_at(&Browser::new(), TOLVAN, &url).await;
        assert!(
            answer
                .url
                .as_str()
                .starts_with("https://public.example/callback?code=")
        );
        let mut statuses = HashSet::new();
        for _ in 0..200 {
            let pushed = join_all((0..20).map(|_| push())).await;
            statuses.extend(pushed.iter().map(|told| told.status));
            if statuses.contains(&429) {
                break;
            }
        }
        assert_eq!(statuses, HashSet::from([201, 429]));
        assert_eq!(
            pushed_by_web(&app, &[]).await.status,
            201,
            "others are not held up"
        );
    });
}

on_both!(
    of_many_who_bring_one_name_one_gets_an_answer,
    async |database: Database| {
        let _shows =
            shows!(accepting "AU-44", refusing "AU-43", accepting "PV-PAR-1", refusing "PV-PAR-1");
        let app = App::on(database).await;
        let browser = Browser::new();
        app.log_in(&browser, TOLVAN).await;
        for _ in 0..3 {
            let name = push(&app, &[("prompt", Some("none"))]).await;
            let url = bring(&app, "web", &name, &[]);
            let brought = join_all((0..20).map(|_| browser.get(&url))).await;
            let (answered, turned_away): (Vec<_>, Vec<_>) =
                brought.iter().partition(|page| page.status == 303);
            assert_eq!(answered.len(), 1);
            Answer::of(answered[0]).code();
            turned_away.into_iter().for_each(is_unknown);
        }
        // An answer without a code spends nothing.
        let name = push(&app, &[("prompt", Some("none"))]).await;
        let url = bring(&app, "web", &name, &[]);
        let refused = Answer::of(&Browser::new().get(&url).await);
        assert_eq!(refused.get("error"), Some("login_required"));
        Answer::of(&browser.get(&url).await).code();

        // Two browsers, two logins, and both are approved.
        let name = push(&app, &[("prompt", Some("login"))]).await;
        let url = bring(&app, "web", &name, &[]);
        let mut logins = Vec::new();
        for person in [TOLVAN, crate::support::phone::ASA] {
            let browser = Browser::new();
            let choice = browser.get(&url).await;
            let login = browser.choose(&choice, "other").await;
            let claimed = app.phone.scan(&login.qr_text(), person).await;
            claimed.approve().await;
            logins.push((browser, login));
        }
        let mut codes = 0;
        for (browser, login) in &logins {
            let end = browser.until_departure(login).await;
            match end.status {
                303 => codes += usize::from(Answer::of(&end).get("code").is_some()),
                _ => assert_eq!(end.status, 410, "{}", end.body),
            }
        }
        assert_eq!(codes, 1);
    }
);

#[test]
fn a_client_that_must_push_is_heard_by_that_way_alone() {
    run(async {
        let _shows =
            shows!(accepting "AU-41", refusing "AU-41", accepting "RG-09", refusing "RG-09");
        let app = App::on(Database::sqlite()).await;
        app.register(
            "pushing",
            json!({
                "client_name": "Banken", "redirect_uris": [CALLBACK], "pkce": "accepted",
                "require_pushed_authorization_requests": true
            }),
        )
        .await;
        let own = [("client_id", Some("pushing")), ("scope", Some("openid"))];
        let browser = Browser::new();
        let refused = Answer::of(&browser.get(&app.authorize_url(&own)).await);
        assert_eq!(refused.get("error"), Some("invalid_request"));
        assert_eq!(refused.get("state"), Some("the-state"));
        let elsewhere = [own[0], ("redirect_uri", Some("https://evil.example/"))];
        let page = browser.get(&app.authorize_url(&elsewhere)).await;
        assert_eq!((page.status, page.location()), (400, None));
        let request = app.http.post(at(&app)).basic_auth("pushing", Some(SECRET));
        let told = told(request.form(&App::asked(&own))).await;
        let name = told.body["request_uri"].as_str().expect("a name");
        canary(name);
        let url = bring(&app, "pushing", name, &[]);
        app.log_in_at(&browser, TOLVAN, &url).await.code();
    });
}

#[test]
fn what_is_pushed_is_sealed_and_goes() {
    run(async {
        let _shows =
            shows!(accepting "D1", refusing "D1", accepting "PV-PAR-2", refusing "PV-PAR-2");
        let app = App::on(Database::sqlite()).await;
        let number = r#"{"id_token":{"personal_number":{"value":"191212121212"}}}"#;
        let name = push(
            &app,
            &[("claims", Some(number)), ("state", Some("a-state"))],
        )
        .await;
        let file = app.database.url(app.directory.path());
        let db = sqlx::SqlitePool::connect(&file)
            .await
            .expect("the database");
        let rows = async || -> Vec<(Vec<u8>, Vec<u8>)> {
            sqlx::query_as("SELECT digest, parameters FROM pushed_request")
                .fetch_all(&db)
                .await
                .expect("rows")
        };
        let kept = rows().await;
        assert_eq!(kept.len(), 1);
        let shown = |text: &str| {
            let text = text.as_bytes();
            kept.iter().any(|(digest, parameters)| {
                [digest, parameters]
                    .iter()
                    .any(|bytes| bytes.windows(text.len()).any(|part| part == text))
            })
        };
        for secret in ["191212121212", "a-state", SECRET, &name[name.len() - 43..]] {
            assert!(!shown(secret));
        }
        let sweep = async || {
            let now = app.clock.now();
            app.provider.store.sweep(now).await.expect("swept");
        };
        // A choice page that was opened at the last moment and left open for as long as it can be asked for
        // anew, and a login that began at its last.
        app.clock.advance(Duration::from_secs(540 + 73 * 60 - 5));
        sweep().await;
        assert_eq!(rows().await.len(), 1);
        app.clock.advance(Duration::from_secs(60));
        sweep().await;
        assert_eq!(rows().await.len(), 0);
        app.log_in_at(
            &Browser::new(),
            TOLVAN,
            &bring(&app, "web", &push(&app, &[]).await, &[]),
        )
        .await;
        assert_eq!(rows().await.len(), 0, "what is answered goes at once");
    });
}

#[test]
fn discovery_says_where_requests_are_pushed_and_how_answers_come() {
    run(async {
        let _shows = shows!(accepting "DI-14");
        let app = App::on(Database::sqlite()).await;
        let at_well_known = format!("{}/.well-known/openid-configuration", app.issuer);
        let document = told(app.http.get(at_well_known)).await.body;
        assert_eq!(document["pushed_authorization_request_endpoint"], at(&app));
        assert_eq!(document["require_pushed_authorization_requests"], false);
        assert_eq!(document["request_parameter_supported"], true);
        assert_eq!(document["request_uri_parameter_supported"], false);
        // Each that is offered signs a request that is taken.
        let offered = &document["request_object_signing_alg_values_supported"];
        assert_eq!(
            *offered,
            json!(["RS256", "PS256", "ES256", "ES384", "EdDSA"])
        );
        let signer = portvakt::testing::Signer::new();
        app.register(
            "signing",
            json!({
                "client_name": "Banken", "redirect_uris": [CALLBACK], "pkce": "accepted",
                "jwks": signer.jwks()
            }),
        )
        .await;
        let now = app.clock.now().0;
        for alg in offered.as_array().expect("a list") {
            let claims = json!({
                "iss": "signing", "aud": app.issuer, "nbf": now, "exp": now + 300,
                "response_type": "code", "redirect_uri": CALLBACK, "scope": "openid"
            });
            let token = signer.sign(&json!({"alg": alg}), &claims);
            let request = app.http.post(at(&app)).basic_auth("signing", Some(SECRET));
            let pushed = told(request.form(&[("request", &token)])).await;
            assert_eq!(pushed.status, 201, "{alg}: {}", pushed.body);
            canary(pushed.body["request_uri"].as_str().expect("a name"));
        }
    });
}

on_both!(
    a_signed_request_is_answered_once_and_pushed_once,
    async |database: Database| {
        let _shows = shows!(accepting "AU-31", refusing "AU-31", accepting "AU-38", refusing "AU-38", accepting "PA-09", refusing "PA-10");
        let app = App::on(database).await;
        let signer = portvakt::testing::Signer::new();
        app.register(
            "signing",
            json!({
                "client_name": "Banken", "redirect_uris": [CALLBACK], "pkce": "accepted",
                "jwks": signer.jwks(), "request_object_signing_alg": "ES256",
                "require_signed_request_object": true
            }),
        )
        .await;
        let now = app.clock.now().0;
        let signed = |alg: &str, jti: &str, prompt: &str| {
            let claims = json!({
                "iss": "signing", "aud": app.issuer, "nbf": now, "exp": now + 300, "jti": jti,
                "client_id": "signing", "response_type": "code", "redirect_uri": CALLBACK,
                "scope": "openid", "state": "signed-state", "prompt": prompt
            });
            signer.sign(&json!({"alg": alg}), &claims)
        };
        let url = |token: &str| {
            app.authorize_url(&[("client_id", Some("signing")), ("request", Some(token))])
        };
        let browser = Browser::new();
        let answer = app
            .log_in_at(&browser, TOLVAN, &url(&signed("ES256", "1", "login")))
            .await;
        assert!(answer.code().starts_with("ac_"));
        assert_eq!(answer.get("state"), Some("signed-state"));
        let silent = url(&signed("ES256", "2", "none"));
        let brought = join_all((0..10).map(|_| browser.get(&silent))).await;
        let (codes, refused): (Vec<Answer>, Vec<Answer>) = brought
            .iter()
            .map(Answer::of)
            .partition(|answer| answer.get("code").is_some());
        assert_eq!((codes.len(), refused.len()), (1, 9));
        for answer in refused {
            assert_eq!(answer.get("error"), Some("invalid_request_object"));
        }
        for bad in [
            silent,
            url(&signed("ES256", "1", "login")),
            url(&signed("RS256", "3", "login")),
            url(&signed("none", "4", "login")),
        ] {
            let refused = Answer::of(&browser.get(&bad).await);
            assert_eq!(refused.get("error"), Some("invalid_request_object"));
        }
        let unsigned = app.authorize_url(&[("client_id", Some("signing"))]);
        let refused = Answer::of(&browser.get(&unsigned).await);
        assert_eq!(refused.get("error"), Some("invalid_request"));
        let push = async |token: String| {
            let request = app.http.post(at(&app)).basic_auth("signing", Some(SECRET));
            told(request.form(&[("request", token)])).await
        };
        let token = signed("ES256", "5", "none");
        let pushed = push(token.clone()).await;
        assert_eq!(pushed.status, 201, "{}", pushed.body);
        let name = pushed.body["request_uri"].as_str().expect("a name");
        canary(name);
        let page = browser.get(&bring(&app, "signing", name, &[])).await;
        Answer::of(&page).code();
        for again in [token, signed("none", "6", "none")] {
            let refused = push(again).await;
            assert_eq!(refused.status, 400);
            assert_eq!(refused.body["error"], "invalid_request_object");
        }
    }
);

#[test]
fn a_login_by_a_signed_request_ends_as_it_began() {
    run(async {
        let _shows = shows!(accepting "AU-31", accepting "AU-38", refusing "AU-38");
        let app = App::on(Database::sqlite()).await;
        let signer = portvakt::testing::Signer::new();
        let banken = |jwks: serde_json::Value| json!({"client_name": "Banken", "redirect_uris": [CALLBACK], "pkce": "accepted", "jwks": jwks});
        app.register("signing", banken(signer.jwks())).await;
        let now = app.clock.now().0;
        let url = |jti: &str| {
            let claims = json!({
                "iss": "signing", "aud": app.issuer, "exp": now + 300, "jti": jti,
                "client_id": "signing", "response_type": "code", "redirect_uri": CALLBACK,
                "scope": "openid"
            });
            let token = signer.sign(&json!({"alg": "ES256"}), &claims);
            app.authorize_url(&[("client_id", Some("signing")), ("request", Some(&token))])
        };
        let browser = Browser::new();
        let (one, other) = (browser.get(&url("1")).await, browser.get(&url("1")).await);
        let third = Browser::new();
        let begun = third.get(&url("1")).await;
        let begun = third.choose(&begun, "other").await;
        let login = browser.choose(&one, "other").await;
        // The client has other keys by now.
        let fresh = portvakt::testing::Signer::new();
        app.register("signing", banken(fresh.jwks())).await;
        let refused = async || {
            let page = browser.get(&url("2")).await;
            page.status == 303 && Answer::of(&page).get("error") == Some("invalid_request_object")
        };
        while !refused().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        app.phone
            .scan(&login.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        Answer::of(&browser.until_departure(&login).await).code();
        // Nobody identifies themselves for the same request in another tab.
        let left = browser.press(&other, "other").await;
        let address = left.after("content=\"0;url=").expect("a way on");
        assert!(
            address.contains("error=invalid_request_object"),
            "{address}"
        );
        // Nor once more where they had begun to.
        let left = third.press_on(&begun, "order", "this").await;
        let address = left.after("content=\"0;url=").expect("a way on");
        assert!(address.contains("error=invalid_request_object"));
    });
}
