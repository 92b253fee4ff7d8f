//! What is signed for clients, by every algorithm that is advertised, and what they send back of it.

use std::collections::BTreeSet;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use portvakt::config::Config;
use portvakt::jose::algorithm::Algorithm;
use portvakt::shows;
use portvakt::testing::canary;
use portvakt::token::id_token::half_hash;
use serde_json::{Value, json};

use crate::keys::key_command;
use crate::logout::logout_url;
use crate::notices::told_app;
use crate::refresh::{refresh_as, text};
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Backend, Browser, Database, LOGGED_OUT, Page, SECRET, run};
use crate::token::told;

/// What an application does: it fetches our keys when it wants, and believes what they verify.
pub struct Cache(JwkSet);

impl Cache {
    pub async fn of(app: &App, browser: &Browser) -> Cache {
        let page = browser.get(&format!("{}/jwks", app.issuer)).await;
        assert_eq!(page.header("cache-control"), "public, max-age=300");
        assert_eq!(page.header("access-control-allow-origin"), "*");
        Cache(serde_json::from_str(&page.body).expect("keys"))
    }

    pub fn kids(&self) -> Vec<&str> {
        let kids = self.0.keys.iter().map(|key| key.common.key_id.as_deref());
        kids.map(|kid| kid.expect("a kid")).collect()
    }

    /// The `kid` and the claims of a token that one of these keys signed by this algorithm.
    pub fn read(
        &self,
        token: &str,
        algorithm: &str,
        client: &str,
        issuer: &str,
    ) -> (String, Value) {
        let header = jsonwebtoken::decode_header(token).expect("a header");
        let kid = header.kid.expect("a kid");
        let key = self.0.find(&kid);
        let key = key.unwrap_or_else(|| panic!("{kid} is not in {:?}", self.kids()));
        let named = key.common.key_algorithm.expect("an algorithm").to_string();
        assert_eq!(
            (named.as_str(), format!("{:?}", header.alg)),
            (algorithm, named.clone())
        );
        let mut rules = Validation::new(header.alg);
        rules.set_issuer(&[issuer]);
        rules.set_audience(&[client]);
        rules.set_required_spec_claims(&["iss", "aud"]);
        let key = DecodingKey::from_jwk(key).expect("a key");
        let read = jsonwebtoken::decode::<Value>(token, &key, &rules);
        (kid, read.expect("a good token").claims)
    }
}

/// A request of the client that has everything signed by an algorithm.
pub fn request(app: &App, algorithm: &str, changes: &[(&str, Option<&str>)]) -> String {
    let client = algorithm.to_lowercase();
    let callback = format!("https://{client}.example/callback");
    let mut all = vec![
        ("client_id", Some(client.as_str())),
        ("redirect_uri", Some(callback.as_str())),
        ("scope", Some("openid profile")),
        ("response_mode", Some("jwt")),
    ];
    all.extend_from_slice(changes);
    app.authorize_url(&all)
}

/// The one member of a signed answer.
pub fn response(answer: &Answer) -> String {
    assert_eq!(answer.names(), ["response"], "nothing stands outside");
    let token = answer.get("response").expect("an answer").to_owned();
    canary(&token);
    token
}

pub async fn answered(app: &App, browser: &Browser, url: &str) -> String {
    let page = browser.get(url).await;
    let expected = if url.contains("form_post.jwt") {
        200
    } else {
        303
    };
    assert_eq!(page.status, expected, "{} {}", app.issuer, page.body);
    response(&Answer::of(&page))
}

fn left_by(page: &Page) -> String {
    response(&match page.after("content=\"0;url=") {
        Some(location) => Answer::at(&location),
        None => Answer::of(page),
    })
}

#[test]
fn every_algorithm_that_is_advertised_signs_all_that_is_signed() {
    run(async {
        let _shows = shows!(accepting "ID-05", accepting "UI-05", accepting "DI-05", accepting "DI-16", accepting "AU-48", refusing "AU-48", accepting "JK-02", accepting "JK-03");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let keys = Cache::of(&app, &browser).await;
        let kids: BTreeSet<&str> = keys.kids().into_iter().collect();
        assert_eq!((keys.kids().len(), kids.len()), (4, 4), "no two alike");
        let url = format!("{}/.well-known/openid-configuration", app.issuer);
        let document = browser.get(&url).await;
        let document: Value = serde_json::from_str(&document.body).expect("JSON");
        let all = json!(["RS256", "PS256", "ES256", "EdDSA"]);
        for what in ["id_token", "userinfo", "authorization"] {
            assert_eq!(
                document[format!("{what}_signing_alg_values_supported")],
                all
            );
        }
        let modes = json!([
            "query",
            "fragment",
            "form_post",
            "jwt",
            "query.jwt",
            "fragment.jwt",
            "form_post.jwt"
        ]);
        assert_eq!(document["response_modes_supported"], modes);
        for (n, algorithm) in all.as_array().expect("an array").iter().enumerate() {
            let algorithm = algorithm.as_str().expect("text");
            let mode = ["jwt", "query.jwt", "form_post.jwt", "fragment.jwt"][n];
            everything_signed(&app, &keys, algorithm, mode).await;
        }
        // Their neighbours are not answered at all.
        for mode in [
            "fragment jwt",
            "form_post jwt",
            "web_message",
            "JWT",
            "query.jwt jwt",
        ] {
            let url = request(&app, "es256", &[("response_mode", Some(mode))]);
            let page = browser.get(&url).await;
            assert_eq!((page.status, page.location()), (400, None), "{mode}");
        }
    });
}

async fn everything_signed(app: &App, keys: &Cache, algorithm: &str, mode: &str) {
    let client = algorithm.to_lowercase();
    let read = |token: &str| keys.read(token, algorithm, &client, &app.issuer).1;
    let names = |claims: &Value| -> Vec<String> {
        claims
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    let browser = Browser::new();
    let mode = ("response_mode", Some(mode));
    let now = || app.clock.now().0;
    // Mistakes, and what cannot be done.
    for (change, error) in [
        (("prompt", Some("none")), "login_required"),
        (
            ("response_type", Some("token")),
            "unsupported_response_type",
        ),
        (("scope", Some("openid personal_number")), "invalid_scope"),
    ] {
        let url = request(app, algorithm, &[mode, change]);
        let told = read(&answered(app, &browser, &url).await);
        assert_eq!(
            (&told["error"], &told["state"]),
            (&error.into(), &"the-state".into())
        );
        assert_eq!(
            names(&told),
            ["aud", "error", "error_description", "exp", "iss", "state"]
        );
        let left = told["exp"].as_i64().expect("exp") - now();
        assert!((1..=600).contains(&left), "{left}");
    }
    // Somebody who would rather not, before and after there is a login.
    let url = request(app, algorithm, &[mode]);
    let choice = browser.get(&url).await;
    let told = read(&left_by(&browser.press(&choice, "none").await));
    assert_eq!(told["error"], "access_denied");
    let login = browser.choose(&browser.get(&url).await, "other").await;
    let cancelled = browser.press_on(&login, "cancel", "").await;
    let told = read(&left_by(&browser.follow(&cancelled).await));
    assert_eq!(told["error"], "access_denied");
    // Somebody who does.
    let login = browser.choose(&browser.get(&url).await, "other").await;
    app.phone
        .scan(&login.qr_text(), TOLVAN)
        .await
        .approve()
        .await;
    let granted = read(&response(&Answer::of(
        &browser.until_departure(&login).await,
    )));
    assert_eq!(names(&granted), ["aud", "code", "exp", "iss", "state"]);
    let code = granted["code"].as_str().expect("a code");
    canary(code);
    let tokens = exchange(app, &client, code).await;
    let claims = read(tokens["id_token"].as_str().expect("an ID token"));
    let half = claims["at_hash"].as_str().expect("a hash");
    assert_eq!(half.len(), if algorithm == "EdDSA" { 43 } else { 22 });
    // By the session, without another login.
    let url = request(app, algorithm, &[mode, ("prompt", Some("none"))]);
    assert!(read(&answered(app, &browser, &url).await)["code"].is_string());
    let token = tokens["access_token"].as_str().expect("a token");
    let told = app
        .http
        .get(format!("{}/userinfo", app.issuer))
        .bearer_auth(token);
    let told = browser.send(told).await;
    assert_eq!(
        (
            told.status,
            told.header("content-type"),
            told.header("cache-control")
        ),
        (200, "application/jwt", "no-store")
    );
    canary(&told.body);
    let said = read(&told.body);
    assert_eq!(
        (&said["sub"], &said["name"]),
        (&claims["sub"], &"Tolvan Tolvansson".into())
    );
    assert_eq!(said["exp"], Value::Null, "it never passes for an ID token");
    let hint = [
        mode,
        ("prompt", Some("none")),
        ("id_token_hint", Some(told.body.as_str())),
    ];
    let refused = read(&answered(app, &browser, &request(app, algorithm, &hint)).await);
    assert_eq!(refused["error"], "invalid_request");
    // A bad token is told about in JSON, as ever.
    let bad = app
        .http
        .get(format!("{}/userinfo", app.issuer))
        .bearer_auth("x");
    let bad = browser.send(bad).await;
    assert_eq!(
        (bad.status, bad.header("content-type")),
        (401, "application/json")
    );
}

pub async fn exchange(app: &App, client: &str, code: &str) -> Value {
    let callback = format!("https://{client}.example/callback");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &callback),
    ];
    let request = app.http.post(format!("{}/token", app.issuer));
    let request = request.basic_auth(client, Some(SECRET)).form(&form);
    let tokens: Value = request
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    for token in ["access_token", "id_token"] {
        canary(tokens[token].as_str().unwrap_or_else(|| panic!("{tokens}")));
    }
    tokens
}

#[test]
fn a_wrong_algorithm_or_rotation_does_not_start() {
    run(async {
        let _shows =
            shows!(refusing "ID-05", refusing "UI-05", refusing "AU-48", refusing "PV-CONFIG-1");
        let app = App::on(Database::sqlite()).await;
        let keys = "[keys]\n";
        let client = "id_token_signed_response_alg = \"PS256\"";
        for (from, to, key, reason) in [
            (
                client,
                "id_token_signed_response_alg = \"none\"",
                "id_token_signed_response_alg",
                "\"none\" is no algorithm to sign with: RS256, PS256, ES256, EdDSA",
            ),
            (
                client,
                "userinfo_signed_response_alg = \"HS256\"",
                "userinfo_signed_response_alg",
                "\"HS256\" is no algorithm",
            ),
            (
                keys,
                "[keys]\nannounce_days = 1\n",
                "keys.announce_days",
                "must be 2 to 3650",
            ),
            (
                keys,
                "[keys]\nretain_days = 1\n",
                "keys.retain_days",
                "must be 2 to 3650",
            ),
            (
                keys,
                "[keys]\nrotate_days = 14\n",
                "keys.rotate_days",
                "more than announce_days",
            ),
            (
                keys,
                "[keys]\nrotate_days = 0\n",
                "keys.rotate_days",
                "more than announce_days",
            ),
        ] {
            assert!(app.config.contains(from));
            let text = app.config.replacen(from, to, 1).replace(
                "userinfo_signed_response_alg = \"HS256\"\nuserinfo_signed_response_alg = \"PS256\"",
                "userinfo_signed_response_alg = \"HS256\"",
            );
            let wrong = Config::parse(&text, app.directory.path());
            let wrong = wrong.expect_err("refused").to_string();
            assert!(wrong.contains(key) && wrong.contains(reason), "{wrong}");
        }
    });
}

#[test]
fn tokens_of_refreshes_and_logouts_are_signed_alike_and_taken_as_hints() {
    run(async {
        let _shows = shows!(accepting "ID-05", accepting "TK-28", accepting "LO-08", accepting "LO-02", refusing "LO-02", accepting "AU-27", refusing "AU-27", accepting "PV-KEY-5", refusing "PV-KEY-5");
        let backend = Backend::start();
        let app = told_app(Database::sqlite(), &backend).await;
        let (browser, stranger) = (Browser::new(), Browser::new());
        for algorithm in Algorithm::ALL {
            let name = algorithm.as_str();
            let client = format!("kept-{}", name.to_lowercase());
            let callback = format!("https://{client}.example/callback");
            let told_at = format!("{}/{client}", backend.told.url);
            app.register(
                &client,
                json!({
                    "client_name": "Den trogna appen", "redirect_uris": [callback], "pkce": "accepted",
                    "post_logout_redirect_uris": [LOGGED_OUT], "backchannel_logout_uri": told_at,
                    "refresh_tokens": true, "id_token_signed_response_alg": name,
                }),
            )
            .await;
            let me = [
                ("client_id", Some(client.as_str())),
                ("redirect_uri", Some(callback.as_str())),
                ("scope", Some("openid offline_access")),
            ];
            let answer = app.log_in_with(&browser, TOLVAN, &me).await;
            let tokens = exchange(&app, &client, answer.code()).await;
            let refreshed = refresh_as(&app, &client, text(&tokens, "refresh_token"), "").await;
            assert_eq!(refreshed.status, 200, "{}", refreshed.body);
            let keys = Cache::of(&app, &browser).await;
            let read = |token: &str| keys.read(token, name, &client, &app.issuer);
            for tokens in [&tokens, &refreshed.body] {
                let (_, claims) = read(text(tokens, "id_token"));
                let half = half_hash(algorithm, text(tokens, "access_token"));
                assert_eq!(claims["at_hash"], half.as_str());
            }

            // A hint is as good pushed as brought, and as the one of a logout.
            let hint = text(&tokens, "id_token").to_owned();
            let hinted = [
                ("prompt", Some("none")),
                ("id_token_hint", Some(hint.as_str())),
            ];
            let asked: Vec<(&str, Option<&str>)> = me.iter().chain(&hinted).copied().collect();
            let push = async || {
                let request = app.http.post(format!("{}/par", app.issuer));
                let request = request.basic_auth(&client, Some(SECRET));
                told(request.form(&App::asked(&asked))).await
            };
            let pushed = push().await;
            assert_eq!(pushed.status, 201, "{}", pushed.body);
            canary(text(&pushed.body, "request_uri"));
            let pushed = [
                ("client_id", Some(client.as_str())),
                ("request_uri", pushed.body["request_uri"].as_str()),
            ];
            Answer::of(&browser.get(&app.authorize_url(&asked)).await).code();
            let members = [
                ("id_token_hint", hint.as_str()),
                ("post_logout_redirect_uri", LOGGED_OUT),
            ];
            let logout = logout_url(&app, &members);
            let page = browser.get(&logout).await;
            assert_eq!(
                page.location().as_deref(),
                Some(LOGGED_OUT),
                "{}",
                page.body
            );
            let heard = backend.heard().pop().expect("it was told");
            assert_eq!(heard.path, format!("/{client}"));
            let header = jsonwebtoken::decode_header(&heard.token).expect("a header");
            assert_eq!(header.typ.as_deref(), Some("logout+jwt"));
            let (kid, _) = read(&heard.token);

            // And nowhere, when its key may be somebody else's.
            let (fine, said) = key_command(&app, &["revoke", &kid]);
            assert!(fine, "{said}");
            let page = stranger.get(&logout).await;
            assert_eq!((page.status, page.location()), (400, None), "{name}");
            for url in [app.authorize_url(&asked), app.authorize_url(&pushed)] {
                let refused = Answer::of(&stranger.get(&url).await);
                assert_eq!(refused.get("error"), Some("invalid_request"), "{name}");
            }
            let refused = push().await;
            let error = refused.body["error"].as_str();
            assert_eq!((refused.status, error), (400, Some("invalid_request")));
        }
    });
}
