//! What every answer has, whatever it says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portvakt::shows;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{App, Browser, CALLBACK, Database, run};

#[test]
fn every_answer_has_its_headers() {
    run(async {
        let _shows = shows!(accepting "LI-09", accepting "O18", accepting "O22", accepting "O24", accepting "O30");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let script = choice.after("script src=\"").expect("a script");
        for page in [
            &choice,
            &login,
            &browser.get(&format!("{}/nothing", app.issuer)).await,
            &browser
                .get(&app.authorize_url(&[("client_id", None)]))
                .await,
            &Browser::new().get(&login.url).await,
        ] {
            let policy = page.header("content-security-policy");
            for part in [
                "default-src 'none'",
                "script-src 'self'",
                "form-action 'self'",
                "frame-ancestors 'none'",
                "base-uri 'none'",
            ] {
                assert!(policy.contains(part), "{} lacks {part}: {policy}", page.url);
            }
            assert!(!policy.contains("unsafe"), "{policy}");
        }
        let urls = [
            "/.well-known/openid-configuration",
            "/jwks",
            "/nothing",
            "/userinfo",
            "/token",
            "/par",
            &script,
        ];
        for url in urls {
            let page = browser.get(&format!("{}{url}", app.issuer)).await;
            assert_eq!(page.header("x-content-type-options"), "nosniff", "{url}");
            assert_eq!(page.header("referrer-policy"), "no-referrer", "{url}");
            assert_eq!(page.header("x-frame-options"), "DENY", "{url}");
            let may_be_kept =
                ["/jwks", "/.well-known/openid-configuration", &script].contains(&url);
            assert_eq!(
                page.header("cache-control") != "no-store",
                may_be_kept,
                "{url}"
            );
            assert_eq!(page.header("server"), "");
        }
        assert!(
            !choice.body.contains("http-equiv=\"refresh\"")
                && login
                    .body
                    .contains("<noscript><meta http-equiv=\"refresh\"")
        );
        for cookie in choice
            .headers
            .get_all("set-cookie")
            .iter()
            .chain(login.headers.get_all("set-cookie"))
        {
            let cookie = cookie.to_str().expect("ASCII");
            for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
        }
        for foreign in ["http://", "https://", "//"] {
            let elsewhere = format!("src=\"{foreign}");
            assert!(!choice.body.contains(&elsewhere) && !login.body.contains(&elsewhere));
        }
    });
}

#[test]
fn a_request_for_another_host_is_turned_away_everywhere() {
    run(async {
        let _shows = shows!(accepting "O14", refusing "O14", accepting "GE-03", refusing "GE-03");
        let app = App::on(Database::sqlite()).await;
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        for path in [
            "/.well-known/openid-configuration",
            "/jwks",
            "/authorize?client_id=web",
            "/login/x",
            "/r/x",
            "/userinfo",
            "/nothing",
        ] {
            let url = format!("{}{path}", app.issuer);
            let answer = http
                .get(&url)
                .header("host", "evil.example")
                .send()
                .await
                .expect("an answer");
            assert_eq!(answer.status(), 421, "{path}");
            assert!(
                !answer.text().await.expect("text").contains("evil"),
                "{path}"
            );
            let forwarded = http
                .get(&url)
                .header("x-forwarded-host", "evil.example")
                .header("forwarded", "host=evil.example;proto=https")
                .send()
                .await
                .expect("an answer");
            assert_ne!(forwarded.status(), 421, "{path}");
            assert!(
                !forwarded.text().await.expect("text").contains("evil"),
                "{path}"
            );
        }
    });
}

#[test]
fn nothing_that_was_asked_is_shown_unescaped() {
    run(async {
        let _shows = shows!(refusing "O24");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let markup = "\"><script>alert(1)</script>";
        for name in [
            "client_id",
            "redirect_uri",
            "scope",
            "state",
            "nonce",
            "prompt",
            "ui_locales",
            "response_mode",
            "claims",
            "login_hint",
        ] {
            let page = browser
                .get(&app.authorize_url(&[(name, Some(markup))]))
                .await;
            assert!(!page.body.contains("<script>alert"), "{name}");
            assert!(!page.location().unwrap_or_default().contains('<'), "{name}");
        }
        let page = browser
            .get(&format!("{}/{}", app.issuer, "%22%3E%3Cscript%3Ealert(1)"))
            .await;
        assert_eq!(page.status, 404);
        assert!(!page.body.contains("<script>alert"));
    });
}

#[test]
fn the_metadata_is_what_the_endpoints_do() {
    run(async {
        let _shows = shows!(accepting "DI-01", accepting "DI-02", accepting "DI-03", accepting "DI-04", accepting "DI-05", accepting "DI-06", accepting "DI-09", accepting "DI-10", accepting "DI-13", accepting "DI-18", refusing "LO-13", accepting "JK-01", accepting "JK-02", accepting "GE-07", refusing "GE-07", accepting "AU-46", refusing "AU-46");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let page = browser
            .get(&format!("{}/.well-known/openid-configuration", app.issuer))
            .await;
        assert_eq!(
            (
                page.status,
                page.header("content-type"),
                page.header("access-control-allow-origin")
            ),
            (200, "application/json", "*")
        );
        let for_oauth = "/.well-known/oauth-authorization-server";
        let same = browser.get(&format!("{}{for_oauth}", app.issuer)).await;
        assert_eq!((same.status, &same.body), (200, &page.body));
        let document: serde_json::Value = serde_json::from_str(&page.body).expect("JSON");
        assert_eq!(document["issuer"], app.issuer.as_str());
        for endpoint in [
            "authorization_endpoint",
            "token_endpoint",
            "userinfo_endpoint",
            "revocation_endpoint",
            "introspection_endpoint",
            "jwks_uri",
            "end_session_endpoint",
            "registration_endpoint",
        ] {
            let url = document[endpoint].as_str().expect("an address");
            assert_ne!(browser.get(url).await.status, 404, "{endpoint}");
        }
        let grants = ["authorization_code", "refresh_token", "client_credentials"];
        let grants = serde_json::json!(grants);
        assert_eq!(document["grant_types_supported"], grants);
        let proving = serde_json::json!([
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt"
        ]);
        let listed = &document["introspection_endpoint_auth_methods_supported"];
        assert_eq!(*listed, proving, "a public client cannot introspect");
        // Browsers keep cookies from frames of other sites: what a frame could tell would be wrong.
        assert_eq!(document.get("check_session_iframe"), None);
        for (name, value) in document.as_object().expect("an object") {
            assert!(
                !value.as_array().is_some_and(Vec::is_empty),
                "{name} is empty"
            );
        }
        let has = |name: &str, value: &str| {
            document[name]
                .as_array()
                .is_some_and(|list| list.iter().any(|v| v == value))
        };
        assert!(
            has("id_token_signing_alg_values_supported", "RS256")
                && has("code_challenge_methods_supported", "S256")
        );
        assert!(
            !has("code_challenge_methods_supported", "plain")
                && !has("response_types_supported", "token")
        );
        assert_eq!(
            (
                &document["request_uri_parameter_supported"],
                &document["authorization_response_iss_parameter_supported"]
            ),
            (&false.into(), &true.into())
        );
        let keys = browser.get(&format!("{}/jwks", app.issuer)).await;
        let keys: serde_json::Value = serde_json::from_str(&keys.body).expect("JSON");
        let key = keys["keys"][0].as_object().expect("a key");
        assert!(key.contains_key("kid") && !key.contains_key("d"));
        let authorize = browser.get(&app.authorize_url(&[])).await;
        assert_eq!(authorize.header("access-control-allow-origin"), "");
        assert_eq!(
            browser
                .get(&format!("{}/userinfo/x.css", app.issuer))
                .await
                .status,
            404
        );
    });
}

#[test]
fn a_login_page_has_its_clients_colours_words_and_help() {
    run(async {
        let _shows = shows!(accepting "PV-THEME-1", refusing "PV-THEME-1");
        let app = App::on(Database::sqlite()).await;
        let theme = json!({"accent": "#7a0019", "note": {"sv": "Öppet dygnet runt.", "en": "Always open."},
            "help_uri": "https://app.example/hjalp?a=1&b=2"});
        let metadata = json!({"client_name": "Appen", "redirect_uris": [CALLBACK], "pkce": "accepted",
            "theme": theme});
        app.register("themed", metadata).await;
        let url = app.authorize_url(&[("client_id", Some("themed")), ("scope", Some("openid"))]);
        let browser = Browser::new();
        let choice = browser.get(&url).await;
        let colors = ":root{--accent:#7a0019;";
        for text in [
            "Öppet dygnet runt.",
            &format!("<style>{colors}"),
            "https://app.example/hjalp?a=1&#38;b=2",
        ] {
            assert!(choice.body.contains(text), "{text}: {}", choice.body);
        }
        let login = browser.choose(&choice, "other").await;
        assert!(login.body.contains(colors), "{}", login.body);
        // Every style in a page is allowed by its digest, and no other is.
        for page in [&choice, &login] {
            let policy = page.header("content-security-policy");
            let styles: Vec<&str> = page.body.split("<style>").skip(1).collect();
            assert_eq!(styles.len(), 2);
            for style in styles {
                let style = style.split("</style>").next().expect("its end");
                let digest = STANDARD.encode(Sha256::digest(style));
                assert!(policy.contains(&format!("'sha256-{digest}'")), "{policy}");
            }
            assert_eq!(policy.matches("'sha256-").count(), 2, "{policy}");
        }
        // Those that say nothing look as the provider does.
        let usual = Browser::new().get(&app.authorize_url(&[])).await;
        assert_eq!(usual.body.matches("<style>").count(), 1);
        assert!(!usual.body.contains("#7a0019"), "{}", usual.body);
    });
}
