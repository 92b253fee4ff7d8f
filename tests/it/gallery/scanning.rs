//! The code and the link: until an app has the order.

use std::time::Duration;

use serde_json::json;

use super::stage::{PHONE, Stage, register};
use super::{Asks, State, state};
use crate::support::{App, Database};

pub fn states() -> Vec<State> {
    vec![
        state("scan", Asks::OneAtMost, async |stage: &Stage| {
            stage.scan(&stage.request(&[])).await;
        }),
        state(
            "scan-full-screen",
            Asks::OneAtMost,
            async |stage: &Stage| {
                stage.scan(&stage.request(&[])).await;
                stage.browser.press("#qr").await;
                stage.browser.see("#qr.large").await;
            },
        ),
        state("scan-ending", Asks::OneAtMost, async |stage: &Stage| {
            let claimed = stage.scanned(&stage.request(&[])).await;
            claimed.decline().await;
            stage.sees_screen("failed").await;
            // Long afterwards the person tries once more.
            stage.app.clock.advance(Duration::from_secs(12 * 60));
            stage.browser.press("button[value=other]").await;
            stage.browser.see("#qr:not(.stale)").await;
            stage.browser.see("#ending:not([hidden])").await;
        }),
        state(
            "scan-without-connection",
            Asks::OneAtMost,
            async |stage: &Stage| {
                let stopping = App::on(Database::sqlite()).await;
                register(&stopping, &stage.holding).await;
                stage.scan(&stage.request_at(&stopping, &[])).await;
                stopping.stop_provider().await;
                stage.browser.see("#away:not([hidden])").await;
            },
        ),
        state("renewing", Asks::OneAtMost, async |stage: &Stage| {
            stage.scan(&stage.request(&[])).await;
            // BankID makes no new order.
            let none = json!({"operation": "auth", "what": {"error": "maintenance"}, "times": 0});
            stage.app.phone.whim(none).await;
            stage.app.clock.advance(Duration::from_secs(31));
            stage.browser.client.refresh().await.expect("it loads");
            stage.sees_screen("renewing").await;
        }),
        state("launch", Asks::One, async |stage: &Stage| {
            stage.launch(&stage.request(&[])).await;
        }),
        state("launch-on-a-phone", Asks::One, async |stage: &Stage| {
            stage.pose_as(PHONE).await;
            stage.launch(&stage.request(&[])).await;
        }),
        state("launch-not-started", Asks::One, async |stage: &Stage| {
            stage.launch(&stage.request(&[])).await;
            stage.browser.see("#not-started:not([hidden])").await;
        }),
        state("launch-again", Asks::One, async |stage: &Stage| {
            stage.launch(&stage.request(&[])).await;
            stage.app.clock.advance(Duration::from_secs(26));
            stage.sees_screen("launch-again").await;
        }),
    ]
}
