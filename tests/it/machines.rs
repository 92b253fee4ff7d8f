//! Access tokens that clients get for themselves (RFC 6749 §4.4).

use std::time::Duration;

use portvakt::shows;
use serde_json::{Value, json};

use crate::access_tokens::claims;
use crate::dpop::{Prover, asked, error, userinfo};
use crate::introspection::ask;
use crate::refresh::text;
use crate::resources::API;
use crate::support::{App, Database, on_both};
use crate::token::Told;

async fn app(database: Database) -> App {
    let app = App::on(database).await;
    let registered = |more: Value| {
        let mut metadata = json!({
            "client_name": "Roboten", "resources": [API],
            "client_credentials": {"scopes": ["orders:read", "orders:write"]},
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            metadata[name] = value.clone();
        }
        metadata
    };
    let (signed, proving) = (
        json!({"access_token": "jwt", "id_token_signed_response_alg": "ES256"}),
        json!({"access_token": "jwt", "dpop_bound_access_tokens": true}),
    );
    app.register("machine", registered(json!({}))).await;
    app.register("signing", registered(signed)).await;
    app.register("proving", registered(proving)).await;
    let api = json!({"client_name": "Tjänsten", "introspects": true, "serves": [API]});
    app.register("api", api).await;
    app
}

async fn token(app: &App, client: &str, more: &[(&str, &str)], proof: Option<&str>) -> Told {
    let form = [("grant_type", "client_credentials")];
    let form: Vec<_> = form.iter().chain(more).copied().collect();
    asked(app, client, &form, proof).await
}

async fn revoke(app: &App, client: &str, token: &str) {
    let request = app.http.post(format!("{}/revoke", app.issuer));
    let request = request.basic_auth(client, Some(crate::support::SECRET));
    let told = crate::token::told(request.form(&[("token", token)])).await;
    assert_eq!(told.status, 200);
}

on_both!(
    a_client_gets_a_token_for_itself_and_nothing_of_a_person,
    async |database: Database| {
        let _shows = shows!(accepting "PV-MACHINE-1", accepting "PV-MACHINE-2", refusing "PV-MACHINE-2", accepting "UI-04", refusing "UI-04",
            accepting "TK-30", accepting "TK-03");
        let app = app(database).await;
        for client in ["machine", "signing"] {
            let told = token(&app, client, &[("resource", API)], None).await;
            assert_eq!(told.status, 200, "{}", told.body);
            assert_eq!(told.headers["cache-control"], "no-store");
            let token = text(&told.body, "access_token");
            let expected = json!({
                "access_token": token, "token_type": "Bearer", "expires_in": 300,
                "scope": "orders:read orders:write"
            });
            assert_eq!(told.body, expected, "no ID token, and no refresh token");
            if client == "signing" {
                let claims = claims(&app, token, "ES256").await;
                let names: Vec<&String> = claims.as_object().expect("claims").keys().collect();
                let expected = [
                    "aud",
                    "client_id",
                    "exp",
                    "iat",
                    "iss",
                    "jti",
                    "scope",
                    "sub",
                ];
                assert_eq!(names, expected);
                let told = ["sub", "client_id", "aud"].map(|name| &claims[name]);
                assert_eq!(told, ["signing", "signing", API]);
            }
            for (caller, is_told) in [(client, true), ("api", true), ("resource", false)] {
                let told = ask(&app, caller, token).await.body;
                assert_eq!(told["active"], is_told, "{caller}");
                if is_told {
                    let told = ["sub", "client_id", "aud"].map(|name| &told[name]);
                    assert_eq!(told, [client, client, API]);
                }
            }
            // It is nobody's at userinfo.
            let page = userinfo(&app, "Bearer", token, &[]).await;
            let challenge = page.header("www-authenticate").to_owned();
            assert_eq!(page.status, 403, "{}", page.body);
            assert!(
                challenge.contains("error=\"insufficient_scope\"")
                    && challenge.contains("scope=\"openid\""),
                "{challenge}"
            );
            // Its own client ends it, and no other one.
            revoke(&app, "api", token).await;
            assert_eq!(ask(&app, "api", token).await.body["active"], true);
            revoke(&app, client, token).await;
            assert_eq!(ask(&app, "api", token).await.body, json!({"active": false}));
            assert_eq!(userinfo(&app, "Bearer", token, &[]).await.status, 401);
        }
        let told = token(&app, "machine", &[("scope", "orders:write")], None).await;
        assert_eq!(told.body["scope"], "orders:write");
        let token = text(&told.body, "access_token");
        let own = ask(&app, "machine", token).await.body;
        assert_eq!(
            (&own["scope"], &own["aud"]),
            (&json!("orders:write"), &json!(app.issuer))
        );
        assert_eq!(userinfo(&app, "Bearer", token, &[]).await.status, 403);
        app.clock.advance(Duration::from_secs(301));
        let late = ask(&app, "machine", token).await.body;
        assert_eq!(late, json!({"active": false}));
        app.clock.advance(Duration::from_secs(24 * 60 * 60));
        let count = "SELECT count(*) FROM client_token";
        assert_eq!(crate::races::rows(&app, count).await, 1);
        let (store, now) = (&app.provider.store, app.clock.now());
        store.sweep(now).await.expect("swept");
        assert_eq!(crate::races::rows(&app, count).await, 0);
        // A person's token opens userinfo as ever.
        let answer = app
            .log_in(
                &crate::support::Browser::new(),
                crate::support::phone::TOLVAN,
            )
            .await;
        let tokens = crate::token::redeem(&app, &answer).await;
        let told = crate::userinfo::ask(&app, text(&tokens, "access_token")).await;
        assert_eq!(told.status, 200);
    }
);

on_both!(
    who_may_not_have_a_token_for_itself_is_told_why,
    async |database: Database| {
        let _shows = shows!(refusing "PV-MACHINE-1", refusing "TK-03", refusing "PV-RESOURCE-1", accepting "TK-20", refusing "TK-20",
            accepting "TK-23", accepting "IN-03", refusing "UI-04");
        let app = app(database).await;
        let public = [("client_id", "public")];
        for (client, more, expected) in [
            ("web", &[][..], "unauthorized_client"),
            ("public", &public, "unauthorized_client"),
            ("machine", &[("scope", "openid")], "invalid_scope"),
            (
                "machine",
                &[("scope", "orders:read openid")],
                "invalid_scope",
            ),
            ("machine", &[("scope", "offline_access")], "invalid_scope"),
            ("machine", &[("scope", "orders:delete")], "invalid_scope"),
            ("machine", &[("resource", "urn:other")], "invalid_target"),
            (
                "machine",
                &[("resource", API), ("resource", "urn:other")],
                "invalid_target",
            ),
            (
                "machine",
                &[("scope", "orders:read"), ("scope", "orders:read")],
                "invalid_request",
            ),
            ("proving", &[], "invalid_dpop_proof"),
        ] {
            let told = token(&app, client, more, None).await;
            assert_eq!(error(&told), (400, expected), "{client} {more:?}");
        }
        let told = asked(
            &app,
            "machine",
            &[
                ("grant_type", "client_credentials"),
                ("client_id", "machine"),
            ],
            None,
        )
        .await;
        assert_eq!(error(&told), (401, "invalid_client"), "without its secret");
        // A proof is asked of one, and taken from another.
        let key = Prover::new("ES256");
        for client in ["machine", "proving"] {
            let proof = key.proof(&app, "POST", "/token", None);
            let told = token(&app, client, &[("resource", API)], Some(&proof)).await;
            assert_eq!(told.body["token_type"], "DPoP", "{}", told.body);
            let token = text(&told.body, "access_token");
            let bound = ask(&app, "api", token).await.body;
            let cnf = json!({"jkt": key.jkt()});
            assert_eq!(
                (&bound["token_type"], &bound["cnf"]),
                (&json!("DPoP"), &cnf)
            );
            if client == "proving" {
                assert_eq!(claims(&app, token, "RS256").await["cnf"], cnf);
            }
            let proof = key.proof(&app, "GET", "/userinfo", Some(token));
            let page = userinfo(&app, "DPoP", token, &[&proof]).await;
            assert_eq!(page.status, 403, "{}", page.body);
        }
    }
);
