//! Who asks, and how: what a client is told of by a redirect, and what goes wrong before anything is asked.

use std::time::Duration;

use portvakt::testing::{Signer, canary};
use serde_json::json;

use super::{Change, Looking};
use crate::client_auth::{Asserting, CHALLENGE, TYPE};
use crate::support::{App, SECRET};
use crate::token::told;

/// Everything that a client is told of by a redirect.
pub async fn redirects(looking: &Looking<'_>, signer: &Signer) {
    let app = looking.app;
    let long = "n".repeat(513);
    let acr = r#"{"id_token":{"acr":{"essential":true,"value":"urn:other"}}}"#;
    for (name, value, kind) in [
        ("response_type", None, "response_type_missing"),
        ("response_type", Some("token"), "response_type_unsupported"),
        ("scope", Some("profile"), "openid_missing"),
        ("resource", Some("urn:unknown"), "resource_not_allowed"),
        ("code_challenge", Some(CHALLENGE), "pkce_method"),
        ("prompt", Some("none login"), "prompt_none_combined"),
        ("max_age", Some("soon"), "max_age_malformed"),
        ("claims", Some("{"), "claims_invalid"),
        ("claims", Some(acr), "acr_unmet"),
        ("id_token_hint", Some("x"), "id_token_hint_foreign"),
        ("nonce", Some(long.as_str()), "nonce_too_long"),
        ("dpop_jkt", Some("x"), "dpop_jkt_malformed"),
        ("registration", Some("{}"), "registration_unsupported"),
        ("request", Some("x.y.z"), "request_object_unexpected"),
        (
            "request_uri",
            Some("https://app.example/r"),
            "request_uri_unsupported",
        ),
    ] {
        looking.is_told("web", &[(name, value)], kind).await;
    }
    let malformed = [
        ("code_challenge", Some("short")),
        ("code_challenge_method", Some("S256")),
    ];
    looking
        .is_told("web", &malformed, "challenge_malformed")
        .await;
    let as_client = |client, more: &[Change<'static>]| {
        let own = [
            ("client_id", Some(client)),
            ("redirect_uri", Some(crate::client_auth::CALLBACK)),
            ("scope", Some("openid")),
        ];
        [&own, more].concat()
    };
    let strict = [
        ("client_id", Some("strict")),
        ("redirect_uri", Some("https://strict.example/callback")),
    ];
    looking
        .is_told("strict", &strict, "personal_number_not_entitled")
        .await;
    let strict = [&strict[..], &[("scope", Some("openid"))]].concat();
    looking.is_told("strict", &strict, "pkce_missing").await;
    looking
        .is_told("pushing", &as_client("pushing", &[]), "not_pushed")
        .await;
    looking
        .is_told("signing", &as_client("signing", &[]), "not_signed")
        .await;
    looking
        .is_told(
            "moding",
            &as_client("moding", &[]),
            "response_mode_unregistered",
        )
        .await;

    let key = json!({"alg": "ES256", "kid": "ec"});
    for (header, name, value, kind) in [
        (
            json!({"alg": "none"}),
            "jti",
            json!("j"),
            "request_object_unsigned",
        ),
        (
            json!({"alg": "HS256"}),
            "jti",
            json!("j"),
            "request_object_algorithm",
        ),
        (
            json!({"alg": "ES256", "kid": "old"}),
            "jti",
            json!("j"),
            "request_object_key",
        ),
        (key.clone(), "iss", json!("other"), "request_object_issuer"),
        (
            key.clone(),
            "aud",
            json!("https://other.example"),
            "request_object_audience",
        ),
        (key.clone(), "exp", json!(-5), "request_object_expired"),
        (key.clone(), "exp", json!(90_000), "request_object_times"),
        (
            key.clone(),
            "client_id",
            json!("other"),
            "request_object_differs",
        ),
    ] {
        // Only so many of a kind are kept in a minute.
        app.clock.advance(Duration::from_secs(61));
        let token = looking.request_object(signer, &header, name, &value);
        let changes = [&as_client("signing", &[])[..], &[("request", Some(&token))]].concat();
        looking.is_told("signing", &changes, kind).await;
    }
}

/// What a request says is looked at where it stood: in what was signed, or in what was pushed.
pub async fn elsewhere(looking: &Looking<'_>, signer: &Signer) {
    let app = looking.app;
    app.clock.advance(Duration::from_secs(61));
    let key = json!({"alg": "ES256", "kid": "ec"});
    let wrong = json!("https://signing.example/callback/");
    let token = looking.request_object(signer, &key, "redirect_uri", &wrong);
    let beside = [
        ("client_id", Some("signing")),
        ("redirect_uri", Some(crate::client_auth::CALLBACK)),
        ("request", Some(&token)),
    ];
    let url = app.authorize_url(&beside);
    let found = looking.page(&url, "redirect_uri_slash").await;
    let expected = "differs only in the trailing slash: registered https://signing.example/callback, received https://signing.example/callback/";
    assert_eq!(found.explanation.difference.as_deref(), Some(expected));

    let silent = App::asked(&[("client_id", None), ("prompt", Some("none"))]);
    let before = looking.all(Some("web")).await.len();
    let pushed = told(looking.web("/par", &silent)).await;
    let name = pushed.body["request_uri"].as_str().expect("a name");
    canary(name);
    let bring = format!("{}/authorize?client_id=web&request_uri={name}", app.issuer);
    let page = looking.browser.get(&bring).await;
    assert!(
        page.location()
            .is_some_and(|to| to.contains("login_required")),
        "{}",
        page.body
    );
    let all = looking.all(Some("web")).await;
    assert_eq!((all.len(), all[0].kind), (before + 1, "login_required"));
}

/// How clients fail to say who they are, and what they send instead of a form.
pub async fn callers(looking: &Looking<'_>, signer: &Signer) {
    let app = looking.app;
    let web = Some("web");
    let basic =
        |client: &str, secret: &str| looking.post("/token").basic_auth(client, Some(secret));
    let grant = [("grant_type", "authorization_code")];
    let unsent: [(&str, &str); 0] = [];
    let secret_in_form = |client| [("client_id", client), ("client_secret", SECRET)];
    let padded = format!("{SECRET}\n");
    for (client, request, kind) in [
        (
            web,
            looking.web("/token?grant_type=x", &grant),
            "parameters_in_query",
        ),
        (web, basic("web", SECRET).json(&json!({})), "body_no_form"),
        (
            web,
            looking.web("/token", &[("code", "1"), ("code", "2")]),
            "parameter_repeated",
        ),
        (
            web,
            looking.web("/token", &[("client_secret", SECRET)]),
            "authentication_twice",
        ),
        (
            web,
            looking.web("/token", &[("client_id", "strict")]),
            "client_id_differs",
        ),
        (web, basic("web", "wrong").form(&grant), "secret_wrong"),
        (web, basic("web", &padded).form(&grant), "secret_padded"),
        (
            web,
            looking.post("/token").form(&[("client_id", "web")]),
            "secret_not_sent",
        ),
        (
            Some("heading"),
            looking.post("/token").form(&secret_in_form("heading")),
            "secret_in_form",
        ),
        (
            Some("posting"),
            basic("posting", SECRET).form(&grant),
            "secret_in_header",
        ),
        (
            Some("public"),
            looking.post("/token").form(&secret_in_form("public")),
            "secret_of_public_client",
        ),
        (
            Some("keyed"),
            basic("keyed", SECRET).form(&grant),
            "authentication_method",
        ),
        (
            None,
            looking.post("/token").form(&grant),
            "authentication_missing",
        ),
        (
            None,
            looking
                .post("/token")
                .header("authorization", "Basic !")
                .form(&grant),
            "basic_malformed",
        ),
        (
            None,
            basic("someone-unknown", SECRET).form(&grant),
            "client_id_unknown",
        ),
        (
            None,
            basic(SECRET, "x").form(&unsent),
            "client_id_is_secret",
        ),
    ] {
        looking.sends(client, request, kind).await;
    }
    let all_in_query = looking.post("/token?grant_type=refresh_token&client_id=taxed");
    looking
        .sends(Some("taxed"), all_in_query, "parameters_in_query")
        .await;
    let twice = looking
        .web("/token", &grant)
        .header("authorization", "Basic eDp4");
    looking.sends(None, twice, "authorization_repeated").await;
    let broken = basic("web", SECRET)
        .header("content-type", "application/x-www-form-urlencoded")
        .body("code=%zz");
    looking.sends(web, broken, "body_unreadable").await;
    let part = "x".repeat(8000);
    let large = [("a", part.as_str()), ("b", &part), ("c", &part)];
    looking
        .sends(web, looking.web("/par", &large), "body_too_large")
        .await;

    let keyed = Asserting {
        app,
        signer,
        client_id: "keyed",
    };
    let now = app.clock.now().0;
    let kept = keyed.assertion(&json!({}));
    assert_eq!(keyed.push(&kept).await.status, 201);
    let malformed = [("client_id", "keyed"), ("client_assertion_type", TYPE)];
    looking
        .sends(
            Some("keyed"),
            looking.post("/par").form(&malformed),
            "assertion_malformed",
        )
        .await;
    for (assertion, kind) in [
        (kept, "assertion_replayed"),
        (
            keyed.assertion(&json!({"alg": "HS256"})),
            "assertion_algorithm",
        ),
        (keyed.assertion(&json!({"kid": "old"})), "assertion_key"),
        (
            keyed.assertion(&json!({"kid": "rsa"})),
            "assertion_signature",
        ),
        (keyed.assertion(&json!({"typ": "at+jwt"})), "assertion_typ"),
        (
            keyed.assertion(&json!({"iss": "other"})),
            "assertion_subject",
        ),
        (
            keyed.assertion(&json!({"aud": "https://other.example"})),
            "assertion_audience",
        ),
        (
            keyed.assertion(&json!({"exp": now - 30})),
            "assertion_expired",
        ),
        (keyed.assertion(&json!({"exp": null})), "assertion_times"),
        (keyed.assertion(&json!({"jti": null})), "assertion_jti"),
    ] {
        canary(&assertion);
        let form = [
            ("client_assertion_type", TYPE),
            ("client_assertion", &assertion),
        ];
        looking
            .sends(Some("keyed"), looking.post("/par").form(&form), kind)
            .await;
    }
    let pushed = [App::asked(&[]), vec![("request_uri", "urn:x")]].concat();
    looking
        .sends(web, looking.web("/par", &pushed), "request_uri_pushed")
        .await;
    let key = json!({"alg": "ES256", "kid": "ec"});
    let token = looking.request_object(signer, &key, "jti", &json!("once"));
    let again = || looking.post("/par").basic_auth("signing", Some(SECRET));
    let form = [("request", token.as_str())];
    assert_eq!(told(again().form(&form)).await.status, 201);
    looking
        .sends(Some("signing"), again().form(&form), "request_object_used")
        .await;
    for _ in 0..20 {
        told(basic("taxed", "guess").form(&grant)).await;
    }
    looking
        .sends(
            Some("taxed"),
            basic("taxed", "guess").form(&grant),
            "too_many_wrong_secrets",
        )
        .await;
}

pub async fn registrations(looking: &Looking<'_>) {
    let app = looking.app;
    let token = crate::registration::issued(app, &[]);
    let never = format!("ia_{}", "x".repeat(43));
    let by = |token: &str| looking.post("/register").bearer_auth(token);
    let bad = json!({"redirect_uris": ["http://app.example/cb"]});
    let worse = json!({"redirect_uris": ["https://app.example/cb"], "contacts": 5});
    for (request, kind) in [
        (
            looking.post("/register").json(&bad),
            "registration_token_missing",
        ),
        (by(&never).json(&bad), "registration_token_unknown"),
        (by(&token).form(&[("a", "b")]), "body_no_json"),
        (by(&token).json(&bad), "registration_redirect_uri"),
        (by(&token).json(&worse), "registration_metadata"),
    ] {
        looking.sends(None, request, kind).await;
    }
}
