//! Before a login, after it, and where there is none: requests that cannot be answered, wrong browsers
//! and old pages, and the end of a session.

use std::time::Duration;

use super::stage::{CLIENT, FRAMED, Stage};
use super::working::finish;
use super::{Asks, State, state};
use crate::support::Browser;

pub fn states() -> Vec<State> {
    let mut states = vec![
        mistake("client-unknown", &[("client_id", Some("nobody"))]),
        mistake("client-missing", &[("client_id", None)]),
        mistake("redirect-uri-missing", &[("redirect_uri", None)]),
        mistake(
            "redirect-uri-unregistered",
            &[("redirect_uri", Some("https://evil.example/"))],
        ),
        mistake("response-mode", &[("response_mode", Some("query.jwt2"))]),
        mistake(
            "request-uri-unknown",
            &[("request_uri", Some("urn:ietf:params:oauth:request_uri:x"))],
        ),
        mistake(
            "request-object",
            &[("request", Some("x")), ("redirect_uri", None)],
        ),
        mistake("unreadable", &[("nonce", Some("\u{1}"))]),
        state("not-found", Asks::OneAtMost, async |stage: &Stage| {
            stage
                .browser
                .go(&format!("{}/nothing", stage.app.issuer))
                .await;
        }),
        state("wrong-browser", Asks::OneAtMost, async |stage: &Stage| {
            let other = Browser::new();
            let choice = other.get(&stage.request(&[])).await;
            let login = other.choose(&choice, "other").await;
            stage.browser.go(&login.url).await;
            stage.browser.see("h1").await;
        }),
        state("stale-form", Asks::OneAtMost, async |stage: &Stage| {
            stage.choice(&stage.request(&[])).await;
            stage.app.clock.advance(Duration::from_secs(2 * 60 * 60));
            stage.browser.press("button[value=other]").await;
            stage.sees_no_more("form.choices").await;
        }),
        state("cookies-off", Asks::One, async |stage: &Stage| {
            stage.choice(&stage.request(&[])).await;
            // As a browser that kept none would come.
            stage.browser.forget_cookies().await;
            stage.browser.press("button[value=other]").await;
            stage.browser.see("#try-again").await;
        }),
        state("over", Asks::OneAtMost, async |stage: &Stage| {
            finish(stage).await;
            stage.browser.client.refresh().await.expect("it loads");
            stage.sees_no_more("#go-on").await;
        }),
    ];
    states.extend(ends());
    states
}

/// The end of a session.
fn ends() -> Vec<State> {
    vec![
        state("log-out", Asks::One, async |stage: &Stage| {
            asked_to_log_out(stage, CLIENT, "").await;
        }),
        state(
            "log-out-by-a-wrong-request",
            Asks::One,
            async |stage: &Stage| {
                asked_to_log_out(stage, CLIENT, "?id_token_hint=x").await;
            },
        ),
        state(
            "log-out-of-one-who-asks",
            Asks::One,
            async |stage: &Stage| {
                let by = format!("?client_id={CLIENT}");
                asked_to_log_out(stage, CLIENT, &by).await;
            },
        ),
        state("logged-out", Asks::OneAtMost, async |stage: &Stage| {
            asked_to_log_out(stage, CLIENT, "").await;
            stage.browser.press("#log-out-here").await;
            stage.sees_no_more("#log-out-here").await;
        }),
        state(
            "logged-out-already-by-a-wrong-request",
            Asks::OneAtMost,
            async |stage: &Stage| {
                let wrong = format!("{}/logout?id_token_hint=x", stage.app.issuer);
                stage.browser.go(&wrong).await;
                stage.browser.see("h1").await;
            },
        ),
        state(
            "logged-out-in-frames",
            Asks::OneAtMost,
            async |stage: &Stage| {
                asked_to_log_out(stage, FRAMED, "").await;
                stage.browser.press("#log-out-here").await;
                stage.browser.see("iframe").await;
            },
        ),
        state(
            "logged-out-in-frames-and-on",
            Asks::One,
            async |stage: &Stage| {
                let home = format!(
                    "?client_id={FRAMED}&post_logout_redirect_uri={}/",
                    stage.holding.url
                );
                asked_to_log_out(stage, FRAMED, &home).await;
                stage.browser.press("#log-out-here").await;
                stage.browser.see("iframe").await;
            },
        ),
        state(
            "logged-out-and-on-by-a-press",
            Asks::One,
            async |stage: &Stage| {
                let home = format!(
                    "?client_id={CLIENT}&post_logout_redirect_uri={}/",
                    stage.holding.url
                );
                stage
                    .browser
                    .go(&format!("{}/logout{home}", stage.app.issuer))
                    .await;
                stage.browser.see("#go-on").await;
            },
        ),
        state("still-logged-in", Asks::OneAtMost, async |stage: &Stage| {
            asked_to_log_out(stage, CLIENT, "").await;
            stage.browser.press("#stay").await;
            stage.sees_no_more("#stay").await;
        }),
    ]
}

fn mistake(name: &str, changes: &'static [(&'static str, Option<&'static str>)]) -> State {
    state(name, Asks::OneAtMost, async move |stage: &Stage| {
        stage.browser.go(&stage.request(changes)).await;
        stage.browser.see("h1").await;
    })
}

async fn asked_to_log_out(stage: &Stage, client: &str, query: &str) {
    stage.log_in_at(client).await;
    let logout = format!("{}/logout{query}", stage.app.issuer);
    stage.browser.go(&logout).await;
    stage.browser.see("#log-out-here").await;
}
