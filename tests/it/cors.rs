//! Applications that live in a browser: their scripts call us from their own site.

use portvakt::shows;
use reqwest::Method;

use crate::chromium::{app as app_on_sites, scan_on_screen};
use crate::support::chromium::{Scripts, browsers, is_there};
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Page, on_both, run};

const ORIGIN: &str = "access-control-allow-origin";

async fn asked(app: &App, method: Method, path: &str, origin: Option<&str>) -> Page {
    let request = app.http.request(method, format!("{}{path}", app.issuer));
    let request = match origin {
        Some(origin) => request.header("origin", origin),
        None => request,
    };
    Browser::new().send(request).await
}

on_both!(
    a_registered_site_may_read_and_another_may_not,
    async |database| {
        let _shows =
            shows!(accepting "GE-07", refusing "GE-07", accepting "AU-46", refusing "AU-46");
        let app = App::on(database).await;
        let ours = Some("https://public.example");
        for (path, methods) in [
            ("/token", "POST"),
            ("/userinfo", "GET, POST"),
            ("/revoke", "POST"),
        ] {
            let before = asked(&app, Method::OPTIONS, path, ours).await;
            assert_eq!(
                (before.status, before.header(ORIGIN)),
                (204, "https://public.example")
            );
            assert_eq!(before.header("access-control-allow-methods"), methods);
            let headers = before.header("access-control-allow-headers");
            assert!(headers.contains("authorization") && headers.contains("content-type"));
            assert_eq!(before.header("access-control-allow-credentials"), "");
            assert_eq!(before.header("vary"), "Origin");
            // What went wrong is read, too.
            let refused = asked(&app, Method::POST, path, ours).await;
            assert!(refused.status >= 400, "{}", refused.status);
            assert_eq!(refused.header(ORIGIN), "https://public.example");
            assert!(
                refused
                    .header("access-control-expose-headers")
                    .contains("www-authenticate")
            );
            assert_eq!(refused.header("vary"), "Origin");
            for other in [
                None,
                Some("null"),
                Some("https://evil.example"),
                Some("https://public.example.evil.example"),
                Some("https://public.example:8443"),
                Some("http://public.example"),
                Some("https://PUBLIC.example"),
                // A site that people are sent back to is not one that scripts may call from.
                Some("https://app.example"),
            ] {
                for method in [Method::OPTIONS, Method::POST] {
                    let page = asked(&app, method.clone(), path, other).await;
                    let said: Vec<&str> = page
                        .headers
                        .keys()
                        .map(|name| name.as_str())
                        .filter(|name| name.starts_with("access-control"))
                        .collect();
                    assert!(said.is_empty(), "{method} {path} {other:?}: {said:?}");
                    assert_eq!(page.header("vary"), "Origin");
                }
            }
        }
        for path in [
            "/authorize",
            "/login",
            "/static/login.js",
            "/login/x/status",
        ] {
            for method in [Method::OPTIONS, Method::GET, Method::POST] {
                let page = asked(&app, method, path, ours).await;
                assert_eq!(page.header(ORIGIN), "", "{path}");
            }
        }
    }
);

#[test]
fn an_application_without_a_server_logs_people_in() {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "GE-07", refusing "GE-07");
        let app = app_on_sites().await;
        let [browser, phone] = browsers(&app.certificate, Scripts::On).await;
        let callback = format!("{}/in-the-browser", app.application);
        // RFC 7636 appendix B.
        browser
            .go(&app.authorize_url(&[
                ("client_id", Some("public")),
                ("redirect_uri", Some(&callback)),
                ("scope", Some("openid profile")),
                (
                    "code_challenge",
                    Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
                ),
                ("code_challenge_method", Some("S256")),
            ]))
            .await;
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        scan_on_screen(&phone, &app, TOLVAN).await;
        phone.press("#approve").await;
        let mut arrived = browser.url().await;
        for _ in 0..100 {
            if arrived.starts_with(&callback) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            arrived = browser.url().await;
        }
        let answer = Answer::at(&arrived);
        // Something on that site that may call anyone, as far as its own policy goes.
        let site = format!("{}/static/portvakt.css", app.application);
        browser.go(&site).await;
        let script = format!(
            "return (async () => {{
               const body = new URLSearchParams({{ grant_type: 'authorization_code', client_id: 'public',
                 code: '{code}', redirect_uri: '{callback}',
                 code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk' }});
               const tokens = await (await fetch('{issuer}/token', {{ method: 'POST', body }})).json();
               const headers = {{ authorization: 'Bearer ' + tokens.access_token }};
               const told = await (await fetch('{issuer}/userinfo', {{ headers }})).json();
               const refused = await fetch('{issuer}/userinfo', {{ headers: {{ authorization: 'Bearer x' }} }});
               return [tokens.error_description ?? told.name, refused.status, refused.headers.get('www-authenticate')];
             }})()",
            issuer = app.issuer,
            code = answer.code(),
        );
        let told = browser.execute(&script).await;
        assert_eq!(told[0], "Tolvan Tolvansson", "{told}");
        assert_eq!(told[1], 401);
        assert!(
            told[2]
                .as_str()
                .is_some_and(|c| c.contains("invalid_token"))
        );
        // The same script on another site reads nothing.
        let elsewhere = format!(
            "return fetch('{}/userinfo', {{ headers: {{ authorization: 'Bearer x' }} }})
               .then(() => 'read', (error) => error.name)",
            app.issuer
        );
        phone.go(&format!("{}no-such-page", app.phone_url)).await;
        assert_eq!(phone.execute(&elsewhere).await, "TypeError");
    });
}
