//! The token endpoint and what it issues.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use portvakt::shows;
use portvakt::testing::canary;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, CALLBACK, Database, SECRET, run};

pub struct Told {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

pub async fn told(request: reqwest::RequestBuilder) -> Told {
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.expect("text");
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    for token in [
        "access_token",
        "id_token",
        "refresh_token",
        "client_secret",
        "registration_access_token",
    ] {
        if let Some(token) = body[token].as_str() {
            canary(token);
        }
    }
    Told {
        status,
        headers,
        body,
    }
}

fn url(app: &App) -> String {
    format!("{}/token", app.issuer)
}

fn form<'a>(code: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
    ];
    for (name, value) in changes {
        form.retain(|(n, _)| n != name);
        if !value.is_empty() {
            form.push((*name, *value));
        }
    }
    form
}

/// An exchange by the client `web`; a change with an empty value leaves the member out.
pub async fn exchange(app: &App, code: &str, changes: &[(&str, &str)]) -> Told {
    let request = app
        .http
        .post(url(app))
        .basic_auth("web", Some(SECRET))
        .form(&form(code, changes));
    told(request).await
}

pub async fn redeem(app: &App, answer: &Answer) -> Value {
    let told = exchange(app, answer.code(), &[]).await;
    assert_eq!(told.status, 200, "{}", told.body);
    told.body
}

/// The claims of an ID token, verified with the published keys.
pub async fn claims(app: &App, tokens: &Value) -> Value {
    let jwks: jsonwebtoken::jwk::JwkSet = app
        .http
        .get(format!("{}/jwks", app.issuer))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("keys");
    let token = tokens["id_token"].as_str().expect("an ID token");
    let header = jsonwebtoken::decode_header(token).expect("a header");
    assert_eq!(header.alg, Algorithm::RS256);
    let key = jwks
        .find(header.kid.as_deref().expect("a kid"))
        .expect("a published key");
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_issuer(&[&app.issuer]);
    rules.validate_aud = false;
    let key = DecodingKey::from_jwk(key).expect("a key");
    jsonwebtoken::decode::<Value>(token, &key, &rules)
        .expect("a good token")
        .claims
}

#[test]
fn an_id_token_says_what_was_asked_and_no_more() {
    run(async {
        let _shows = shows!(accepting "ID-01", accepting "ID-02", accepting "ID-05", accepting "ID-06", accepting "ID-08", accepting "ID-09",
            accepting "TK-02", accepting "TK-19", accepting "TK-29", accepting "AU-15", accepting "AU-28", accepting "O20", accepting "AU-51", accepting "B20", refusing "B20");
        let app = App::on(Database::sqlite()).await;
        let answer = app.log_in(&Browser::new(), TOLVAN).await;
        assert_eq!(answer.names(), ["code", "state", "iss"]);
        let told = exchange(&app, answer.code(), &[]).await;
        assert_eq!(
            (told.status, &told.headers["cache-control"]),
            (200, &"no-store".parse().expect("a header"))
        );
        assert_eq!(
            (
                told.body["token_type"].as_str(),
                told.body["expires_in"].as_i64()
            ),
            (Some("Bearer"), Some(300))
        );
        assert_eq!(told.body["scope"], "openid profile personal_number");
        let claims = claims(&app, &told.body).await;
        let names: Vec<&String> = claims.as_object().expect("an object").keys().collect();
        let expected = [
            "acr",
            "at_hash",
            "aud",
            "auth_time",
            "birthdate",
            "exp",
            "family_name",
            "given_name",
            "iat",
            "iss",
            "name",
            "nonce",
            "personal_number",
            "sid",
            "sub",
            "txn",
        ];
        assert_eq!(names, expected);
        assert_eq!(
            (&claims["aud"], &claims["nonce"], &claims["personal_number"]),
            (&"web".into(), &"the-nonce".into(), &TOLVAN.into())
        );
        assert_eq!(
            claims["exp"].as_i64().expect("exp") - claims["iat"].as_i64().expect("iat"),
            300
        );
        assert_eq!(claims["acr"], "urn:portvakt:acr:simulated");
        let access_token = told.body["access_token"].as_str().expect("a token");
        let half = URL_SAFE_NO_PAD.encode(&Sha256::digest(access_token)[..16]);
        assert_eq!(claims["at_hash"], half.as_str());
        let sub = claims["sub"].as_str().expect("a subject");
        for guess in [TOLVAN, &TOLVAN[2..]] {
            assert_ne!(URL_SAFE_NO_PAD.encode(Sha256::digest(guess)), sub);
        }

        let bare = [
            ("scope", Some("openid")),
            ("nonce", None),
            ("acr_values", Some("urn:other:loa4")),
        ];
        let answer = app.log_in_with(&Browser::new(), TOLVAN, &bare).await;
        let tokens = redeem(&app, &answer).await;
        let claims_of_bare = self::claims(&app, &tokens).await;
        let names: Vec<&String> = claims_of_bare
            .as_object()
            .expect("an object")
            .keys()
            .collect();
        assert_eq!(
            names,
            [
                "acr",
                "at_hash",
                "aud",
                "auth_time",
                "exp",
                "iat",
                "iss",
                "sid",
                "sub",
                "txn"
            ]
        );
        assert_eq!(
            claims_of_bare["acr"], claims["acr"],
            "a requested acr is never copied"
        );

        let one = [
            ("scope", Some("openid")),
            (
                "claims",
                Some(r#"{"id_token":{"birthdate":null},"userinfo":{"personal_number":null}}"#),
            ),
        ];
        let answer = app.log_in_with(&Browser::new(), TOLVAN, &one).await;
        let tokens = redeem(&app, &answer).await;
        let claims = self::claims(&app, &tokens).await;
        assert_eq!(
            (&claims["birthdate"], &claims["personal_number"]),
            (&"1912-12-12".into(), &Value::Null)
        );
        let userinfo =
            crate::userinfo::ask(&app, tokens["access_token"].as_str().expect("a token")).await;
        assert_eq!(
            (
                &userinfo.body["personal_number"],
                &userinfo.body["birthdate"]
            ),
            (&TOLVAN.into(), &Value::Null)
        );
    });
}

#[test]
fn a_number_goes_to_nobody_who_is_not_entitled() {
    run(async {
        let _shows = shows!(refusing "O20", refusing "ID-06", accepting "AU-18", accepting "TK-17");
        let app = App::on(Database::sqlite()).await;
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let changes = [
            ("client_id", Some("strict")),
            ("redirect_uri", Some("https://strict.example/callback")),
            ("scope", Some("openid")),
            (
                "code_challenge",
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ),
            ("code_challenge_method", Some("S256")),
            (
                "claims",
                Some(
                    r#"{"id_token":{"personal_number":{"essential":true}},"userinfo":{"personal_number":null}}"#,
                ),
            ),
        ];
        let answer = app.log_in_with(&Browser::new(), TOLVAN, &changes).await;
        let secret = format!("{SECRET}-strict");
        let form = [
            ("grant_type", "authorization_code"),
            ("code", answer.code()),
            ("redirect_uri", "https://strict.example/callback"),
            ("client_id", "strict"),
            ("client_secret", &secret),
            ("code_verifier", verifier),
        ];
        let told = told(app.http.post(url(&app)).form(&form)).await;
        assert_eq!(told.status, 200, "{}", told.body);
        assert!(claims(&app, &told.body).await["personal_number"].is_null());
        let userinfo =
            crate::userinfo::ask(&app, told.body["access_token"].as_str().expect("a token")).await;
        assert_eq!(
            userinfo.body.as_object().expect("an object").len(),
            1,
            "the subject alone"
        );
    });
}

#[test]
fn a_public_client_exchanges_with_its_verifier() {
    run(async {
        let _shows =
            shows!(accepting "TK-05", accepting "AU-03", accepting "O4", accepting "RV-01");
        let app = App::on(Database::sqlite()).await;
        let changes = [
            ("client_id", Some("public")),
            ("redirect_uri", Some("http://127.0.0.1:49152/callback")),
            ("scope", Some("openid")),
            (
                "code_challenge",
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ),
            ("code_challenge_method", Some("S256")),
        ];
        let answer = app.log_in_with(&Browser::new(), TOLVAN, &changes).await;
        assert!(
            answer
                .url
                .as_str()
                .starts_with("http://127.0.0.1:49152/callback?code=")
        );
        let form = [
            ("grant_type", "authorization_code"),
            ("code", answer.code()),
            ("redirect_uri", "http://127.0.0.1:49152/callback"),
            ("client_id", "public"),
            (
                "code_verifier",
                "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            ),
        ];
        let tokens = told(app.http.post(url(&app)).form(&form)).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        // Its name is all that it needs to take a token back.
        let token = tokens.body["access_token"].as_str().expect("a token");
        assert_eq!(crate::userinfo::ask(&app, token).await.status, 200);
        let form = [("token", token), ("client_id", "public")];
        let revoke = app.http.post(format!("{}/revoke", app.issuer));
        assert_eq!(told(revoke.form(&form)).await.status, 200);
        assert_eq!(crate::userinfo::ask(&app, token).await.status, 401);
    });
}

#[test]
fn failed_authentication_never_spends_a_code_and_a_wrong_companion_does() {
    run(async {
        let _shows = shows!(accepting "TK-04", refusing "TK-04", accepting "TK-13", refusing "TK-13", refusing "TK-14", refusing "O9", accepting "O9", accepting "O10", refusing "O10");
        let app = App::on(Database::sqlite()).await;
        let answer = app.log_in(&Browser::new(), TOLVAN).await;
        let code = answer.code();
        let http = &app.http;
        let wrong_secret = told(
            http.post(url(&app))
                .basic_auth("web", Some("wrong"))
                .form(&form(code, &[])),
        )
        .await;
        assert_eq!(
            (wrong_secret.status, wrong_secret.body["error"].as_str()),
            (401, Some("invalid_client"))
        );
        assert!(
            wrong_secret.headers["www-authenticate"]
                .to_str()
                .expect("ASCII")
                .starts_with("Basic")
        );
        let nobody = told(
            http.post(url(&app))
                .basic_auth("nobody", Some("wrong"))
                .form(&form(code, &[])),
        )
        .await;
        assert_eq!(
            (nobody.status, &nobody.body),
            (401, &wrong_secret.body),
            "the same words for an unknown client"
        );
        let none = told(http.post(url(&app)).form(&form(code, &[]))).await;
        assert_eq!(none.status, 401);
        let as_public = told(
            http.post(url(&app))
                .form(&form(code, &[("client_id", "web")])),
        )
        .await;
        assert_eq!(as_public.status, 401);
        // Another client's code is as good as none, and stays whole.
        let secret = format!("{SECRET}-strict");
        let thief = told(
            http.post(url(&app))
                .basic_auth("strict", Some(&secret))
                .form(&form(code, &[])),
        )
        .await;
        assert_eq!(
            (thief.status, thief.body["error"].as_str()),
            (400, Some("invalid_grant"))
        );
        redeem(&app, &answer).await;

        for wrong in [
            ("redirect_uri", "https://app.example/callback?a=1"),
            ("redirect_uri", ""),
            (
                "code_verifier",
                "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            ),
        ] {
            let answer = app.log_in(&Browser::new(), TOLVAN).await;
            let told = exchange(&app, answer.code(), &[wrong]).await;
            assert_eq!(
                (told.status, told.body["error"].as_str()),
                (400, Some("invalid_grant")),
                "{wrong:?}"
            );
            let right = exchange(&app, answer.code(), &[]).await;
            assert_eq!(right.status, 400, "{wrong:?} spent it");
        }
    });
}

#[test]
fn a_code_lives_for_a_minute_and_a_late_second_use_ends_what_came_of_it() {
    run(async {
        let _shows = shows!(accepting "TK-16", refusing "TK-16", refusing "TK-15");
        let app = App::on(Database::sqlite()).await;
        let answer = app.log_in(&Browser::new(), TOLVAN).await;
        app.clock.advance(Duration::from_secs(55));
        let tokens = redeem(&app, &answer).await;
        let access_token = tokens["access_token"].as_str().expect("a token");
        assert_eq!(crate::userinfo::ask(&app, access_token).await.status, 200);
        app.clock.advance(Duration::from_secs(30));
        assert_eq!(exchange(&app, answer.code(), &[]).await.status, 400);
        assert_eq!(crate::userinfo::ask(&app, access_token).await.status, 401);
        let answer = app.log_in(&Browser::new(), TOLVAN).await;
        app.clock.advance(Duration::from_secs(61));
        let late = exchange(&app, answer.code(), &[]).await;
        assert_eq!(
            (late.status, late.body["error"].as_str()),
            (400, Some("invalid_grant"))
        );
    });
}

#[test]
fn requests_that_are_none_are_refused_in_json() {
    run(async {
        let _shows = shows!(accepting "TK-01", refusing "TK-01", refusing "TK-02", refusing "TK-03", accepting "TK-03", refusing "TK-05", refusing "O8", accepting "O8", refusing "O23");
        let app = App::on(Database::sqlite()).await;
        let http = &app.http;
        let basic = format!("Basic {}", STANDARD.encode(format!("web:{SECRET}")));
        let post = |body: &str, kind: &str| {
            http.post(url(&app))
                .header("authorization", &basic)
                .header("content-type", kind)
                .body(body.to_owned())
        };
        const FORM: &str = "application/x-www-form-urlencoded";
        let cases = [
            (post("", FORM), 400, "invalid_request"),
            (
                post("grant_type=authorization_code", FORM),
                400,
                "invalid_request",
            ),
            (
                post(
                    "grant_type=authorization_code&grant_type=authorization_code&code=x",
                    FORM,
                ),
                400,
                "invalid_request",
            ),
            (
                post("grant_type=authorization_code&code=%00", FORM),
                400,
                "invalid_request",
            ),
            (
                post("grant_type=authorization_code&code=%ff", FORM),
                400,
                "invalid_request",
            ),
            (post("{}", "application/json"), 400, "invalid_request"),
            (
                post("grant_type=password&username=a&password=b", FORM),
                400,
                "unsupported_grant_type",
            ),
            (
                post("grant_type=refresh_token&refresh_token=x", FORM),
                400,
                "unauthorized_client",
            ),
            (
                post("grant_type=client_credentials", FORM),
                400,
                "unauthorized_client",
            ),
            (
                post("grant_type=authorization_code&code=x&redirect_uri=y", FORM),
                400,
                "invalid_grant",
            ),
            (
                post(
                    &format!("grant_type=authorization_code&code=at_{}", "A".repeat(43)),
                    FORM,
                ),
                400,
                "invalid_grant",
            ),
            (
                post(
                    &format!(
                        "grant_type=authorization_code&code=x&client_id=web&client_secret={SECRET}"
                    ),
                    FORM,
                ),
                400,
                "invalid_request",
            ),
        ];
        for (n, (request, status, error)) in cases.into_iter().enumerate() {
            let told = told(request).await;
            assert_eq!(
                (told.status, told.body["error"].as_str()),
                (status, Some(error)),
                "case {n}: {}",
                told.body
            );
            assert_eq!(told.headers["cache-control"], "no-store");
            assert_eq!(told.headers["content-type"], "application/json");
        }
        let large = told(post(&format!("grant_type={}", "x".repeat(70_000)), FORM)).await;
        assert_eq!(
            (large.status, large.body["error"].as_str()),
            (413, Some("invalid_request"))
        );
        let in_query = told(
            http.post(format!("{}?grant_type=authorization_code", url(&app)))
                .header("authorization", &basic),
        )
        .await;
        assert_eq!(in_query.status, 400);
        assert_eq!(told(http.get(url(&app))).await.status, 405);
    });
}

#[test]
fn a_secret_is_replaced_while_the_one_before_still_works() {
    run(async {
        let _shows = shows!(accepting "PV-SECRET-1", refusing "PV-SECRET-1");
        let app = App::on(Database::sqlite()).await;
        for (secret, status) in [
            (SECRET.to_owned(), 200),
            (format!("{SECRET}-before"), 200),
            (format!("{SECRET}-long-before"), 401),
        ] {
            let answer = app.log_in(&Browser::new(), TOLVAN).await;
            let request = app
                .http
                .post(url(&app))
                .basic_auth("web", Some(&secret))
                .form(&form(answer.code(), &[]));
            assert_eq!(told(request).await.status, status);
        }
        let short = app.config.replace(
            "-before\"",
            "-before\"\nprevious_client_secret_file = \"x\"",
        );
        assert!(portvakt::config::Config::parse(&short, app.directory.path()).is_err());
    });
}
