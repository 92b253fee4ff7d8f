//! Two logins in two tabs of one browser.

use fantoccini::wd::WindowHandle;
use portvakt::shows;

use crate::gallery::stage::{Stage, on_a_stage};
use crate::support::browser::read_qr;
use crate::support::chromium::is_there;
use crate::support::phone::{ASA, TOLVAN};

/// Begins a login whose client tells it from all others by its state.
async fn begin(stage: &Stage, state: &str) -> WindowHandle {
    stage.scan(&stage.request(&[("state", Some(state))])).await;
    stage.browser.tab().await
}

async fn approve(stage: &Stage, person: &str, state: &str) {
    let code = read_qr(&stage.browser.attribute("#qr path", "d").await);
    stage.app.phone.scan(&code, person).await.approve().await;
    let state = format!("state={state}&");
    stage.holding.hears(&["code=", &state]).await;
}

#[test]
fn two_logins_in_two_tabs_know_nothing_of_each_other() {
    if !is_there() {
        return;
    }
    on_a_stage(async |stage| {
        let _shows = shows!(accepting "PV-STEP-3");
        let browser = &stage.browser;
        let first = begin(stage, "first").await;
        browser.open_tab().await;
        let second = begin(stage, "second").await;
        assert_eq!(stage.app.phone.codes_on_screen().await, 2);
        // One fails, and the other one goes on.
        let code = read_qr(&browser.attribute("#qr path", "d").await);
        stage.app.phone.scan(&code, ASA).await.decline().await;
        stage.sees_screen("failed").await;
        browser.show_tab(&first).await;
        stage.sees_screen("scan").await;
        approve(stage, TOLVAN, "first").await;
        // The other one is where it was, and ends with whom it ends.
        browser.show_tab(&second).await;
        stage.sees_screen("failed").await;
        browser.press("button[value=other]").await;
        stage.sees_screen("scan").await;
        approve(stage, ASA, "second").await;
    });
}

#[test]
fn cancelling_in_one_tab_leaves_the_other() {
    if !is_there() {
        return;
    }
    on_a_stage(async |stage| {
        let _shows = shows!(accepting "PV-STEP-3", refusing "PV-STEP-3");
        let browser = &stage.browser;
        let first = begin(stage, "first").await;
        browser.open_tab().await;
        begin(stage, "second").await;
        browser.press("#cancel").await;
        let cancelled = ["error=access_denied", "state=second&"];
        stage.holding.hears(&cancelled).await;
        browser.show_tab(&first).await;
        stage.sees_screen("scan").await;
        approve(stage, TOLVAN, "first").await;
    });
}
