//! The simulator's phone, and the sample application.

use super::stage::Stage;
use super::{Asks, State, state};
use crate::support::phone::TOLVAN;

pub fn states() -> Vec<State> {
    vec![
        state("sample", Asks::One, async |stage: &Stage| {
            stage.browser.go(&stage.app.application).await;
            stage.browser.see("#log-in").await;
        }),
        state("sample-trouble", Asks::One, async |stage: &Stage| {
            stage.browser.go(&stage.app.application).await;
            stage.browser.press("#log-in").await;
            stage.browser.press("#cancel").await;
            stage.browser.see("#trouble").await;
        }),
        state(
            "sample-logged-in",
            Asks::OneAtMost,
            async |stage: &Stage| {
                stage.browser.go(&stage.app.application).await;
                stage.browser.press("#log-in").await;
                stage.browser.press("button[value=other]").await;
                stage.sees_screen("scan").await;
                stage.scan_again().await.approve().await;
                stage.browser.see("#id-token").await;
            },
        ),
        state("phone", Asks::Any, async |stage: &Stage| {
            stage.browser.go(&stage.app.phone_url).await;
            stage.browser.see("#scan").await;
        }),
        state("phone-with-codes", Asks::Any, async |stage: &Stage| {
            stage.scan(&stage.request(&[])).await;
            stage.browser.go(&stage.app.phone_url).await;
            stage.browser.see("button[name=screen]").await;
        }),
        state("phone-trouble", Asks::Any, async |stage: &Stage| {
            stage.browser.go(&stage.app.phone_url).await;
            stage.browser.write("#text", "bankid.x").await;
            stage.browser.press("#scan-text").await;
            stage.browser.see(".trouble").await;
        }),
        state("phone-opened", Asks::Any, opened),
        state("phone-order-of-a-code", Asks::Any, async |stage: &Stage| {
            stage.scan(&stage.request(&[])).await;
            stage.browser.go(&stage.app.phone_url).await;
            stage.browser.press("button[name=screen]").await;
            stage.browser.see("#approve").await;
        }),
        state("phone-order-of-a-link", Asks::Any, order),
        state("phone-code-wrong", Asks::Any, async |stage: &Stage| {
            order(stage).await;
            let empty = "document.getElementById('code').value = '000000'";
            stage.browser.execute(empty).await;
            stage.browser.press("#approve").await;
            stage.browser.see(".trouble").await;
        }),
        state("phone-done", Asks::Any, async |stage: &Stage| {
            order(stage).await;
            stage.browser.press("input[value=nothing]").await;
            stage.browser.press("#approve").await;
            stage.browser.see(".outcome").await;
        }),
        state("phone-declined", Asks::Any, async |stage: &Stage| {
            order(stage).await;
            stage.browser.press("#decline").await;
            stage.browser.see(".outcome").await;
        }),
        state("phone-orders", Asks::Any, async |stage: &Stage| {
            stage
                .browser
                .go(&format!("{}orders", stage.app.phone_url))
                .await;
            stage.browser.see("#whim").await;
        }),
    ]
}

/// By the link of a login page.
async fn opened(stage: &Stage) {
    stage.launch(&stage.request(&[])).await;
    stage.browser.press("#open-app").await;
    stage.browser.see("#continue").await;
}

async fn order(stage: &Stage) {
    opened(stage).await;
    stage
        .browser
        .press(&format!("input[value='{TOLVAN}']"))
        .await;
    stage.browser.press("#continue").await;
    stage.browser.see("#approve").await;
}
