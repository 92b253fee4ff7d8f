//! Userinfo.

use std::time::Duration;

use portvakt::shows;

use crate::support::phone::TOLVAN;
use crate::support::{App, Browser, Database, Page, run};

pub struct Told {
    pub status: u16,
    pub body: serde_json::Value,
    pub challenge: String,
}

impl From<Page> for Told {
    fn from(page: Page) -> Told {
        Told {
            status: page.status,
            challenge: page.header("www-authenticate").to_owned(),
            body: serde_json::from_str(&page.body).unwrap_or_default(),
        }
    }
}

/// By GET with the token in the header.
pub async fn ask(app: &App, token: &str) -> Told {
    let request = app
        .http
        .get(format!("{}/userinfo", app.issuer))
        .bearer_auth(token);
    Browser::new().send(request).await.into()
}

#[test]
fn a_token_opens_it_by_get_by_post_and_by_form() {
    run(async {
        let _shows = shows!(accepting "UI-01", accepting "UI-02", accepting "UI-03", accepting "UI-05", accepting "UI-09", refusing "UI-01", refusing "UI-02", refusing "UI-03");
        let app = App::on(Database::sqlite()).await;
        let answer = app.log_in(&Browser::new(), TOLVAN).await;
        let tokens = crate::token::redeem(&app, &answer).await;
        let token = tokens["access_token"].as_str().expect("a token");
        let url = format!("{}/userinfo", app.issuer);
        let (http, browser) = (&app.http, Browser::new());
        let form = [("access_token", token)];
        for request in [
            http.get(&url).bearer_auth(token),
            http.post(&url).bearer_auth(token),
            http.post(&url).form(&form),
            http.get(format!("{url}?v=1")).bearer_auth(token),
            http.get(&url)
                .header("authorization", format!("bearer {token}")),
        ] {
            let page = browser.send(request).await;
            assert_eq!(
                (page.status, page.header("cache-control")),
                (200, "no-store"),
                "{}",
                page.body
            );
            let told: Told = page.into();
            assert_eq!(
                told.body["sub"],
                crate::token::claims(&app, &tokens).await["sub"]
            );
            assert_eq!(told.body["name"], "Tolvan Tolvansson");
        }
        let code = answer.code().to_owned();
        for (request, status, error) in [
            (http.get(&url), 401, None),
            (http.post(&url), 401, None),
            (
                http.get(&url).bearer_auth("nonsense"),
                401,
                Some("invalid_token"),
            ),
            (
                http.get(&url).bearer_auth(&code),
                401,
                Some("invalid_token"),
            ),
            (
                http.get(&url)
                    .bearer_auth(tokens["id_token"].as_str().expect("a token")),
                401,
                Some("invalid_token"),
            ),
            (
                http.get(&url).basic_auth("web", Some("x")),
                400,
                Some("invalid_request"),
            ),
            (
                http.get(format!("{url}?access_token={token}")),
                400,
                Some("invalid_request"),
            ),
            (
                http.post(&url).bearer_auth(token).form(&form),
                400,
                Some("invalid_request"),
            ),
            (
                http.post(&url).body("access_token=x"),
                400,
                Some("invalid_request"),
            ),
        ] {
            let told: Told = browser.send(request).await.into();
            assert_eq!((told.status, told.body["error"].as_str()), (status, error));
            assert!(
                told.challenge.starts_with("Bearer realm"),
                "{}",
                told.challenge
            );
            assert_eq!(told.challenge.contains("error="), error.is_some());
        }
        app.clock.advance(Duration::from_secs(301));
        assert_eq!(
            ask(&app, token).await.status,
            401,
            "it lives for five minutes"
        );
    });
}
