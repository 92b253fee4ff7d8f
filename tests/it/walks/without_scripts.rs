//! Without scripts: not only the straight way, which `chromium` goes, but what happens beside it.

use portvakt::shows;
use serde_json::json;

use crate::chromium::{ask, in_browsers, logged_in};
use crate::support::App;
use crate::support::browser::read_qr;
use crate::support::chromium::{Chromium, Scripts};
use crate::support::phone::{ASA, TOLVAN};

async fn scan_and_decline(browser: &Chromium, app: &App) {
    browser.see("[data-screen=scan]").await;
    let code = read_qr(&browser.attribute("#qr path", "d").await);
    app.phone.scan(&code, TOLVAN).await.decline().await;
    browser.see("[data-screen=failed]").await;
}

#[test]
fn cancelled_and_failed_and_tried_again_up_to_the_end_of_the_session() {
    in_browsers(Scripts::Off, async |app, [browser]| {
        let _shows = shows!(accepting "PV-NOSCRIPT-1");
        assert!(!browser.runs_scripts().await);
        // Cancelled before and after the choice.
        ask(&browser, &app).await;
        browser.press("#cancel").await;
        browser.read("access_denied").await;
        ask(&browser, &app).await;
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        browser.press("#cancel").await;
        browser.read("access_denied").await;
        // BankID makes no order, and then it does.
        ask(&browser, &app).await;
        let down = json!({"operation": "auth", "what": {"error": "maintenance"}, "times": 1});
        app.phone.whim(down).await;
        browser.press("button[value=other]").await;
        browser.press("#try-again").await;
        scan_and_decline(&browser, &app).await;
        browser.press("button[value=other]").await;
        scan_and_decline(&browser, &app).await;
        browser.press("button[value=this]").await;
        browser.press("#open-app").await;
        browser.press(&format!("input[value='{ASA}']")).await;
        browser.press("#continue").await;
        browser.press("#approve").await;
        logged_in(&browser, ASA).await;
        // The end of the session, at second thoughts.
        let logout = format!("{}/logout", app.issuer);
        browser.go(&logout).await;
        browser.press("#stay").await;
        browser.read("fortfarande inloggad").await;
        browser.go(&logout).await;
        browser.press("#log-out-here").await;
        browser.read("Du är utloggad").await;
        browser.go(&logout).await;
        browser.read("Du är utloggad").await;
        assert!(
            !browser.shows("#log-out-here").await,
            "there is nothing to log out of"
        );
    });
}
