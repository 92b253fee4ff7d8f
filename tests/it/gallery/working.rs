//! An app has the order: what it is doing, where it comes back to, and the way to the client.

use std::time::Duration;

use super::choosing::elsewhere;
use super::stage::Stage;
use super::{Asks, State, state};
use crate::support::Browser;

pub fn states() -> Vec<State> {
    let mut states: Vec<State> = [
        "started",
        "userSign",
        "userMrtd",
        "userFace",
        "userStepUp",
        "processing",
    ]
    .into_iter()
    .map(hinted)
    .collect();
    states.extend([
        state(
            "working-on-this-device",
            Asks::OneAtMost,
            async |stage: &Stage| {
                stage.opened(&stage.request(&[])).await;
                stage.sees_screen("working").await;
            },
        ),
        state("await-return", Asks::One, async |stage: &Stage| {
            let claimed = stage.opened(&stage.request(&[])).await;
            claimed.approve().await;
            stage.sees_screen("await-return").await;
        }),
        state("other-tab", Asks::OneAtMost, async |stage: &Stage| {
            let claimed = stage.opened(&stage.request(&[])).await;
            let back = claimed.return_url.clone().expect("a return address");
            let first = stage.browser.tab().await;
            stage.browser.open_tab().await;
            stage.browser.go(&back).await;
            stage.sees_screen("working").await;
            stage.browser.client.close_window().await.expect("closed");
            stage.browser.show_tab(&first).await;
            stage.sees_screen("other-tab").await;
        }),
        state("elsewhere", Asks::One, elsewhere),
        state("confirm", Asks::One, async |stage: &Stage| {
            let claimed = stage.opened(&stage.request_of("lenient", "lenient")).await;
            let back = claimed.return_url.clone().expect("a return address");
            claimed.approve().await;
            Browser::new().get(&back).await;
            stage.sees_screen("confirm").await;
        }),
        state("step-up-by-code", Asks::One, async |stage: &Stage| {
            step_up(stage, "moderate").await;
        }),
        state("step-up-by-passport", Asks::One, async |stage: &Stage| {
            step_up(stage, "unknown").await;
        }),
        state("finish", Asks::One, finish),
        state("leaving", Asks::One, async |stage: &Stage| {
            stage.scan(&stage.request(&[])).await;
            stage.browser.press("#cancel").await;
            stage.browser.see("#go-on").await;
        }),
        state("form-post", Asks::One, async |stage: &Stage| {
            let by_form = ("response_mode", Some("form_post"));
            stage.scan(&stage.request(&[by_form])).await;
            stage.browser.let_scripts_run(false).await;
            stage.browser.press("#cancel").await;
            stage.browser.see("#go-on").await;
            stage.browser.let_scripts_run(true).await;
        }),
        state("bounce", Asks::One, async |stage: &Stage| {
            let request = stage.request(&[]);
            stage.browser.let_scripts_run(false).await;
            post_from_elsewhere(stage, &request).await;
            stage.browser.see("#bounce").await;
            stage.browser.let_scripts_run(true).await;
        }),
    ]);
    states
}

fn hinted(hint: &'static str) -> State {
    let name = format!("working-{hint}");
    state(&name, Asks::OneAtMost, async move |stage: &Stage| {
        let claimed = stage.scanned(&stage.request(&[])).await;
        claimed.hint(hint, false).await;
        stage.sees_screen("working").await;
        // The words come with BankID's next answer.
        tokio::time::sleep(Duration::from_millis(2500)).await;
    })
}

async fn step_up(stage: &Stage, risk: &str) {
    let claimed = stage.scanned(&stage.request_of("careful", "bank")).await;
    claimed.approve_at_risk(risk).await;
    stage.sees_screen("step-up").await;
}

/// Nobody looks at the login while it is approved, and then it leads on.
pub async fn finish(stage: &Stage) {
    let claimed = stage.scanned(&stage.request(&[])).await;
    let login = stage.browser.url().await;
    stage.browser.go("about:blank").await;
    claimed.approve().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    stage.browser.go(&login).await;
    stage.sees_screen("finish").await;
    stage.holding.hears(&["/callback", "code="]).await;
}

/// Sends a request by POST, as a client's page does.
async fn post_from_elsewhere(stage: &Stage, request: &str) {
    let (action, query) = request.split_once('?').expect("a query");
    let fields: String = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| format!("<input type=hidden name='{name}' value='{value}'>"))
        .collect();
    let page = format!("<form method=post action='{action}'>{fields}<button>x</button></form>");
    let encoded = percent_encoding::utf8_percent_encode(&page, percent_encoding::NON_ALPHANUMERIC);
    stage.browser.go(&format!("data:text/html,{encoded}")).await;
    stage.browser.press("button").await;
}
