//! What goes wrong with codes and tokens, from the exchange to the logout.

use std::time::Duration;

use portvakt::storage::KNOWN_FOR;
use portvakt::testing::Signer;
use serde_json::{Value, json};

use super::{Looking, WEEK, raw};
use crate::client_auth::CHALLENGE;
use crate::support::phone::TOLVAN;
use crate::support::{Browser, CALLBACK, SECRET};
use crate::token::told;

/// What goes wrong with codes, proofs and refresh tokens.
pub async fn tokens(looking: &Looking<'_>, signer: &Signer) {
    let (app, web) = (looking.app, Some("web"));
    let redeeming = |code: &str, more: &[(&'static str, &'static str)]| {
        let mut form = vec![
            ("grant_type".to_owned(), "authorization_code".to_owned()),
            ("code".to_owned(), code.to_owned()),
            ("redirect_uri".to_owned(), CALLBACK.to_owned()),
        ];
        for (name, value) in more {
            form.retain(|(n, _)| n != name);
            form.push(((*name).to_owned(), (*value).to_owned()));
        }
        form
    };
    let exchange = |code: &str, more: &[(&'static str, &'static str)]| {
        let request = looking.post("/token").basic_auth("web", Some(SECRET));
        request.form(&redeeming(code, more))
    };
    looking
        .is_told("web", &[("prompt", Some("none"))], "login_required")
        .await;
    let few = [("scope", Some("openid"))];
    let answer = app.log_in_with(&looking.browser, TOLVAN, &few).await;
    let more = [("prompt", Some("none")), ("scope", Some("openid profile"))];
    looking.is_told("web", &more, "consent_required").await;
    looking.sends(web, exchange("", &[]), "code_missing").await;
    looking
        .sends(web, exchange("nonsense", &[]), "code_unknown")
        .await;
    let others = looking
        .post("/token")
        .basic_auth("strict", Some(format!("{SECRET}-strict")));
    let others = others.form(&redeeming(answer.code(), &[]));
    let found = looking
        .sends(Some("strict"), others, "code_of_other_client")
        .await;
    let expected = Some("given to web, sent by strict");
    assert_eq!(found.explanation.difference.as_deref(), expected);
    let tokens = told(exchange(answer.code(), &[])).await.body;
    looking
        .sends(web, exchange(answer.code(), &[]), "code_used")
        .await;
    let access = tokens["access_token"].as_str().expect("a token");
    let userinfo = || app.http.get(format!("{}/userinfo", app.issuer));
    looking
        .sends(web, userinfo().bearer_auth(access), "token_revoked")
        .await;

    let challenge = [
        ("code_challenge", Some(CHALLENGE)),
        ("code_challenge_method", Some("S256")),
    ];
    let challenged = [&few[..], &challenge].concat();
    let wrong = "w".repeat(43).leak();
    for (asked, more, kind) in [
        (
            &few[..],
            &[("redirect_uri", "https://app.example/other")][..],
            "code_redirect_uri_other",
        ),
        (&few, &[("redirect_uri", "")], "code_redirect_uri_missing"),
        (
            &few,
            &[("code_verifier", crate::client_auth::VERIFIER)],
            "verifier_unasked",
        ),
        (&challenged, &[], "verifier_missing"),
        (
            &challenged,
            &[("code_verifier", "short")],
            "verifier_malformed",
        ),
        (&challenged, &[("code_verifier", wrong)], "verifier_wrong"),
    ] {
        let code = looking.code(asked).await;
        looking.sends(web, exchange(&code, more), kind).await;
    }
    let code = looking.code(&few).await;
    app.clock.advance(Duration::from_secs(75));
    let found = looking
        .sends(web, exchange(&code, &[]), "code_expired")
        .await;
    let said = found.explanation.difference.expect("how late");
    assert!(
        said.starts_with("it ended 1") && said.ends_with(" seconds before it was sent"),
        "{said}"
    );

    for (form, kind) in [
        (&[][..], "grant_type_missing"),
        (&[("grant_type", "password")], "grant_type_unsupported"),
        (&[("grant_type", "refresh_token")], "refresh_tokens_off"),
        (
            &[("grant_type", "client_credentials")],
            "client_credentials_off",
        ),
    ] {
        looking.sends(web, looking.web("/token", form), kind).await;
    }
    let own = |scope| {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        looking
            .post("/token")
            .basic_auth("bare", Some(SECRET))
            .form(&form)
    };
    let found = looking
        .sends(Some("bare"), own("write"), "own_scope_not_allowed")
        .await;
    assert_eq!(
        found.explanation.difference.as_deref(),
        Some("registered read, received write")
    );
    let robot = told(own("read")).await.body;
    let robot = robot["access_token"].as_str().expect("a token");
    looking
        .sends(
            Some("bare"),
            userinfo().bearer_auth(robot),
            "token_of_nobody",
        )
        .await;
    let scheme = userinfo().header("authorization", format!("DPoP {robot}"));
    looking.sends(Some("bare"), scheme, "token_binding").await;
    refreshing(looking).await;
    proofs(looking, signer).await;

    // What is shown at userinfo and elsewhere.
    let code = looking.code(&few).await;
    let tokens = told(exchange(&code, &[])).await.body;
    let text = |name: &str| tokens[name].as_str().expect("a token");
    let access = text("access_token");
    looking
        .sends(
            web,
            userinfo().bearer_auth(text("id_token")),
            "token_is_id_token",
        )
        .await;
    looking.sends(None, userinfo(), "token_missing").await;
    let in_query = app
        .http
        .get(format!("{}/userinfo?access_token={access}", app.issuer));
    looking.sends(None, in_query, "token_in_query").await;
    let twice = looking
        .post("/userinfo")
        .bearer_auth(access)
        .form(&[("access_token", access)]);
    looking.sends(web, twice, "token_twice").await;
    looking
        .sends(
            web,
            userinfo().basic_auth("web", Some(SECRET)),
            "token_scheme",
        )
        .await;
    let never = format!("at_{}", "x".repeat(43));
    looking
        .sends(None, userinfo().bearer_auth(never), "token_unknown")
        .await;
    app.clock.advance(Duration::from_secs(400));
    looking
        .sends(web, userinfo().bearer_auth(access), "token_expired")
        .await;
    looking
        .sends(web, looking.web("/introspect", &[]), "token_missing")
        .await;
    looking
        .sends(web, looking.web("/revoke", &[]), "token_missing")
        .await;
    looking
        .sends(
            web,
            looking.web("/revoke", &[("token", &code)]),
            "revocation_unsupported",
        )
        .await;
    let public = looking.post("/introspect").form(&[("client_id", "public")]);
    looking
        .sends(Some("public"), public, "introspection_of_public_client")
        .await;
    logouts(looking, text("id_token")).await;
}

async fn refreshing(looking: &Looking<'_>) {
    let (app, offline) = (looking.app, Some("offline"));
    let asked = [
        ("client_id", Some("offline")),
        ("redirect_uri", Some("https://offline.example/callback")),
        ("scope", Some("openid offline_access")),
    ];
    let answer = app.log_in_with(&Browser::new(), TOLVAN, &asked).await;
    let by = |client: &str, form: &[(&str, &str)]| {
        looking
            .post("/token")
            .basic_auth(client, Some(SECRET))
            .form(form)
    };
    let redeeming = [
        ("grant_type", "authorization_code"),
        ("code", answer.code()),
        ("redirect_uri", "https://offline.example/callback"),
    ];
    let tokens = told(by("offline", &redeeming)).await.body;
    let first = tokens["refresh_token"].as_str().expect("a token");
    let refresh = [("grant_type", "refresh_token")];
    let shown = |token| [refresh[0], ("refresh_token", token)];
    looking
        .sends(offline, by("offline", &refresh), "refresh_token_missing")
        .await;
    looking
        .sends(
            offline,
            by("offline", &shown("nonsense")),
            "refresh_token_unknown",
        )
        .await;
    looking
        .sends(
            Some("resource"),
            by("resource", &shown(first)),
            "refresh_token_of_other_client",
        )
        .await;
    let wider = [&shown(first)[..], &[("scope", "openid profile")]].concat();
    looking
        .sends(offline, by("offline", &wider), "scope_wider")
        .await;
    let second = told(by("offline", &shown(first))).await.body;
    let second = second["refresh_token"].as_str().expect("a token");
    told(by("offline", &shown(second))).await;
    looking
        .sends(
            offline,
            by("offline", &shown(first)),
            "refresh_token_reused",
        )
        .await;
    looking
        .sends(
            offline,
            by("offline", &shown(second)),
            "refresh_token_revoked",
        )
        .await;
}

/// What takes other people's services, or a long time.
pub async fn later(looking: &Looking<'_>) {
    let (app, served) = (looking.app, Some("served"));
    let by_served = |form: &[(&str, &str)]| {
        let request = looking.post("/token").basic_auth("served", Some(SECRET));
        request.form(form)
    };
    let asked = [
        ("client_id", served),
        ("redirect_uri", Some(crate::client_auth::CALLBACK)),
        ("scope", Some("openid offline_access")),
        ("resource", Some("urn:api")),
    ];
    let answer = app.log_in_with(&Browser::new(), TOLVAN, &asked).await;
    let redeeming = [
        ("grant_type", "authorization_code"),
        ("code", answer.code()),
        ("redirect_uri", crate::client_auth::CALLBACK),
    ];
    let tokens = told(by_served(&redeeming)).await.body;
    let text = |name: &str| tokens[name].as_str().expect("a token");
    let userinfo = app.http.get(format!("{}/userinfo", app.issuer));
    let userinfo = userinfo.bearer_auth(text("access_token"));
    looking.sends(served, userinfo, "token_for_others").await;

    let expires_at = app.clock.now().0 + 60;
    let url = app.database.url(app.directory.path());
    let update =
        format!("UPDATE client_secret SET expires_at = {expires_at} WHERE client_id = 'heading'");
    raw(&app.database, &url, Some(update)).await;
    // As whoever changes a secret does, so that nodes that know the client hear of it.
    let update = "UPDATE client SET version = version + 1 WHERE client_id = 'heading'";
    raw(&app.database, &url, Some(update.to_owned())).await;
    tokio::time::sleep(KNOWN_FOR).await;
    app.clock.advance(Duration::from_secs(90));
    let request = looking.post("/token").basic_auth("heading", Some(SECRET));
    let found = looking
        .sends(Some("heading"), request.form(&redeeming), "secret_expired")
        .await;
    let difference = found.explanation.difference.expect("how late");
    assert!(difference.starts_with("it ended 3"), "{difference}");

    app.clock.advance(WEEK + Duration::from_secs(60));
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text("refresh_token")),
    ];
    looking
        .sends(served, by_served(&refresh), "refresh_token_expired")
        .await;
}

async fn proofs(looking: &Looking<'_>, signer: &Signer) {
    let (app, web) = (looking.app, Some("web"));
    let proof = |header: &[(&str, Value)], claims: &[(&str, Value)]| {
        let mut head = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": signer.jwk("ES256")});
        let mut body = json!({"jti": "j", "htm": "POST", "htu": format!("{}/token", app.issuer),
            "iat": app.clock.now().0});
        for (name, value) in header {
            head[*name] = value.clone();
        }
        for (name, value) in claims {
            body[*name] = value.clone();
        }
        signer.sign(&head, &body)
    };
    let other = Signer::new().jwk("ES256");
    let form = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    for (proof, kind) in [
        (proof(&[("typ", json!("JWT"))], &[]), "dpop_malformed"),
        (proof(&[("alg", json!("RS256"))], &[]), "dpop_algorithm"),
        (proof(&[("jwk", other)], &[]), "dpop_signature"),
        (proof(&[], &[("htm", json!("GET"))]), "dpop_htm"),
        (
            proof(&[], &[("htu", json!("http://inside:8080/token"))]),
            "dpop_htu",
        ),
        (
            proof(&[], &[("iat", json!(app.clock.now().0 - 300))]),
            "dpop_iat",
        ),
    ] {
        let request = looking.web("/token", &form).header("dpop", proof);
        looking.sends(web, request, kind).await;
    }
    let bound = looking
        .post("/token")
        .basic_auth("bound", Some(SECRET))
        .form(&form);
    looking.sends(Some("bound"), bound, "dpop_missing").await;
    let once = proof(&[], &[]);
    let own = [("grant_type", "client_credentials"), ("scope", "read")];
    let robot = || {
        let request = looking.post("/token").basic_auth("bare", Some(SECRET));
        request.form(&own).header("dpop", &once)
    };
    let token = told(robot()).await.body;
    let token = token["access_token"].as_str().expect("a token");
    looking.sends(Some("bare"), robot(), "dpop_replayed").await;
    let at_userinfo = proof(
        &[],
        &[
            ("htm", json!("GET")),
            ("htu", json!(format!("{}/userinfo", app.issuer))),
        ],
    );
    let request = app.http.get(format!("{}/userinfo", app.issuer));
    let request = request
        .header("authorization", format!("DPoP {token}"))
        .header("dpop", at_userinfo);
    looking.sends(Some("bare"), request, "dpop_ath").await;
    let asked = [
        ("scope", Some("openid")),
        (
            "dpop_jkt",
            Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
        ),
    ];
    let code = looking.code(&asked).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
    ];
    let request = looking
        .web("/token", &form)
        .header("dpop", proof(&[], &[("jti", json!("k"))]));
    looking.sends(web, request, "dpop_other_key").await;
}

async fn logouts(looking: &Looking<'_>, id_token: &str) {
    let app = looking.app;
    for (client, query, kind) in [
        (
            Some("web"),
            "client_id=web&id_token_hint=x".to_owned(),
            "logout_hint_foreign",
        ),
        (
            Some("strict"),
            format!("client_id=strict&id_token_hint={id_token}"),
            "logout_hint_of_other_client",
        ),
        (
            None,
            "post_logout_redirect_uri=https://app.example/".to_owned(),
            "logout_address_unproven",
        ),
        (
            Some("web"),
            "client_id=web&post_logout_redirect_uri=https://app.example/logged-out/%3Fa%3D1"
                .to_owned(),
            "logout_address_unregistered",
        ),
        (
            Some("strict"),
            "client_id=strict&post_logout_redirect_uri=https://app.example/".to_owned(),
            "logout_address_none_registered",
        ),
        (
            None,
            "client_id=someone-unknown".to_owned(),
            "client_id_unknown",
        ),
    ] {
        let request = app.http.get(format!("{}/logout?{query}", app.issuer));
        looking.sends(client, request, kind).await;
    }
}
