//! Access tokens that are JWTs (RFC 9068).

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use portvakt::shows;
use serde_json::{Value, json};

use crate::dpop::{Prover, asked};
use crate::introspection::ask;
use crate::keys::key_command;
use crate::logout::logout_url;
use crate::refresh::{refresh_as, text};
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, CALLBACK, Database, SECRET, on_both};
use crate::token::Told;

/// What a resource server makes of an access token (RFC 9068 §4), but for whom it is for.
pub async fn claims(app: &App, token: &str, algorithm: &str) -> Value {
    let jwks = app.http.get(format!("{}/jwks", app.issuer));
    let jwks: JwkSet = jwks.send().await.expect("keys").json().await.expect("keys");
    let header = jsonwebtoken::decode_header(token).expect("a header");
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    assert_eq!(format!("{:?}", header.alg), algorithm);
    let key = jwks.find(header.kid.as_deref().expect("a kid"));
    let key = DecodingKey::from_jwk(key.expect("a published key")).expect("a key");
    let mut rules = Validation::new(header.alg);
    rules.set_issuer(&[&app.issuer]);
    rules.set_required_spec_claims(&["iss", "exp", "aud", "sub"]);
    rules.validate_aud = false;
    let read = jsonwebtoken::decode::<Value>(token, &key, &rules);
    read.expect("a good token").claims
}

const OWN: [(&str, Option<&str>); 2] = [
    ("client_id", Some("signed-access")),
    ("scope", Some("openid profile personal_number")),
];

async fn app(database: Database) -> App {
    let app = App::on(database).await;
    app.register(
        "signed-access",
        json!({
            "client_name": "Appen", "redirect_uris": [CALLBACK], "pkce": "accepted",
            "personal_number": {"purpose": "Tests."}, "refresh_tokens": true,
            "access_token": "jwt", "id_token_signed_response_alg": "EdDSA",
        }),
    )
    .await;
    app
}

async fn exchange(app: &App, answer: &Answer, proof: Option<&str>) -> Value {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", answer.code()),
        ("redirect_uri", CALLBACK),
    ];
    let told = asked(app, "signed-access", &form, proof).await;
    assert_eq!(told.status, 200, "{}", told.body);
    told.body
}

/// From the session of a browser that has logged in to this client.
async fn again(app: &App, browser: &Browser) -> Value {
    let changes: Vec<_> = OWN
        .iter()
        .chain(&[("prompt", Some("none"))])
        .copied()
        .collect();
    let answer = Answer::of(&browser.get(&app.authorize_url(&changes)).await);
    exchange(app, &answer, None).await
}

async fn revoke(app: &App, token: &str) -> Told {
    let request = app.http.post(format!("{}/revoke", app.issuer));
    let request = request.basic_auth("signed-access", Some(SECRET));
    crate::token::told(request.form(&[("token", token)])).await
}

/// Whether a token is worth anything at our own doors, which agree.
async fn is_good(app: &App, token: &str) -> bool {
    let userinfo = crate::userinfo::ask(app, token).await;
    for caller in ["signed-access", "resource"] {
        let told = ask(app, caller, token).await.body;
        assert_eq!(told["active"], userinfo.status == 200, "{caller}");
    }
    match userinfo.status {
        200 => true,
        status => {
            assert_eq!(
                (status, &userinfo.body["error"]),
                (401, &json!("invalid_token"))
            );
            false
        }
    }
}

on_both!(
    a_signed_access_token_is_as_good_as_an_opaque_one_and_ends_with_it,
    async |database: Database| {
        let _shows = shows!(accepting "TK-30", refusing "TK-30", accepting "TK-29", accepting "UI-01", accepting "RV-03", refusing "RV-03",
            refusing "O8", accepting "O20", refusing "O20", accepting "LO-11", refusing "LO-11");
        let app = app(database).await;
        let browser = Browser::new();
        let answer = app.log_in_with(&browser, TOLVAN, &OWN).await;
        let tokens = exchange(&app, &answer, None).await;
        let token = text(&tokens, "access_token");
        let claims = claims(&app, token, "EdDSA").await;
        let names: Vec<&String> = claims.as_object().expect("claims").keys().collect();
        // Nothing says who the person is.
        let expected = [
            "acr",
            "aud",
            "auth_time",
            "client_id",
            "exp",
            "iat",
            "iss",
            "jti",
            "scope",
            "sub",
        ];
        assert_eq!(names, expected);
        let told = ask(&app, "signed-access", token).await.body;
        for same in ["sub", "aud", "client_id", "scope", "exp", "iss"] {
            assert_eq!(claims[same], told[same], "{same}");
        }
        assert_eq!(claims["aud"], app.issuer.as_str());
        let userinfo = crate::userinfo::ask(&app, token).await;
        assert_eq!(
            (&userinfo.body["sub"], &userinfo.body["personal_number"]),
            (&claims["sub"], &json!(TOLVAN))
        );
        assert!(is_good(&app, token).await);
        // One that was changed, or that is another kind of token, is nothing.
        let (message, _) = token.rsplit_once('.').expect("a signature");
        let changed = [
            format!("{message}."),
            format!("{token}="),
            token.to_uppercase(),
            text(&tokens, "id_token").to_owned(),
        ];
        for other in &changed {
            assert!(!is_good(&app, other).await, "{other}");
        }
        let hint = [OWN[0], OWN[1], ("id_token_hint", Some(token))];
        let refused = Answer::of(&browser.get(&app.authorize_url(&hint)).await);
        assert_eq!(refused.get("error"), Some("invalid_request"));
        // It ends alone when it is revoked, and with everything else when the person logs out.
        let other = again(&app, &browser).await;
        let other = text(&other, "access_token");
        assert_eq!(revoke(&app, token).await.status, 200);
        assert!(!is_good(&app, token).await && is_good(&app, other).await);
        assert_eq!(revoke(&app, text(&tokens, "id_token")).await.status, 400);
        let members = [("id_token_hint", text(&tokens, "id_token"))];
        browser.get(&logout_url(&app, &members)).await;
        assert!(!is_good(&app, other).await);
    }
);

on_both!(
    a_signed_access_token_is_refreshed_bound_and_ends_with_its_key,
    async |database: Database| {
        let _shows = shows!(accepting "TK-30", refusing "TK-30", accepting "TK-23", accepting "UI-07", refusing "UI-07", accepting "TK-25",
            accepting "PV-KEY-5", refusing "PV-KEY-5");
        let app = app(database).await;
        let (browser, key) = (Browser::new(), Prover::new("ES256"));
        let offline = [OWN[0], ("scope", Some("openid profile offline_access"))];
        let answer = app.log_in_with(&browser, TOLVAN, &offline).await;
        let proof = key.proof(&app, "POST", "/token", None);
        let tokens = exchange(&app, &answer, Some(&proof)).await;
        let token = text(&tokens, "access_token");
        let bound = claims(&app, token, "EdDSA").await;
        assert_eq!(bound["cnf"], json!({"jkt": key.jkt()}));
        for (scheme, status) in [("DPoP", 200), ("Bearer", 401)] {
            let proof = key.proof(&app, "GET", "/userinfo", Some(token));
            let page = crate::dpop::userinfo(&app, scheme, token, &[&proof]).await;
            assert_eq!(page.status, status, "{}", page.body);
        }
        let first = text(&tokens, "refresh_token");
        let next = refresh_as(&app, "signed-access", first, "openid")
            .await
            .body;
        let token = text(&next, "access_token");
        let narrow = claims(&app, token, "EdDSA").await;
        assert_eq!(
            (&narrow["scope"], &narrow["cnf"]),
            (&json!("openid"), &Value::Null)
        );
        assert_ne!(narrow["jti"], bound["jti"]);
        assert_eq!(narrow["auth_time"], bound["auth_time"]);
        assert!(is_good(&app, token).await);
        // The key is revoked from a shell: what it signed is worth nothing at once.
        let kid = jsonwebtoken::decode_header(token).expect("a header").kid;
        let (fine, said) = key_command(&app, &["revoke", &kid.expect("a kid")]);
        assert!(fine, "{said}");
        assert!(!is_good(&app, token).await);
        app.provider.keyring.newest().await.expect("keys");
        let next = refresh_as(&app, "signed-access", text(&next, "refresh_token"), "").await;
        let token = text(&next.body, "access_token");
        claims(&app, token, "EdDSA").await;
        assert!(is_good(&app, token).await);
        let ended = revoke(&app, text(&next.body, "refresh_token")).await;
        assert_eq!(ended.status, 200);
        assert!(!is_good(&app, token).await, "the grant has ended");
    }
);
