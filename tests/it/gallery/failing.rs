//! What comes to nothing, with why and a way on.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{CLIENT, Stage, register};
use super::{Asks, State, state};
use crate::support::phone::{ASA, TOLVAN};
use crate::support::{App, Database, Options};

pub fn states() -> Vec<State> {
    let mut states: Vec<State> = [
        "userCancel",
        "cancelled",
        "expiredTransaction",
        "certificateErr",
        "notSupportedByUserApp",
        "mrtdVerificationFailed",
        "facialRecognitionFailed",
        "nfcNotSupportedByDevice",
        "multipleBankIdsOnDevice",
        "stepUpFailed",
        "transactionRiskBlocked",
        "brandNew",
    ]
    .into_iter()
    .map(failed)
    .collect();
    states.extend([
        state(
            "failed-startFailed-on-this-device",
            Asks::One,
            async |stage: &Stage| {
                let claimed = stage.opened(&stage.request(&[])).await;
                claimed.hint("startFailed", true).await;
                stage.sees_screen("failed").await;
            },
        ),
        state(
            "failed-startFailed-by-code",
            Asks::One,
            async |stage: &Stage| {
                stage.scan(&stage.request(&[])).await;
                // Every order that is left runs out in silence, and then it is said.
                for _ in 0..60 {
                    let shown = stage
                        .browser
                        .see("[data-screen=failed], #qr:not(.stale)")
                        .await;
                    if !matches!(shown.attr("id").await.ok().flatten().as_deref(), Some("qr")) {
                        break;
                    }
                    stage.app.clock.advance(Duration::from_secs(10));
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                stage.sees_screen("failed").await;
            },
        ),
        state(
            "failed-for-another-person",
            Asks::One,
            async |stage: &Stage| {
                let named = json!({
                    "id_token": { "personal_number": { "essential": true, "value": TOLVAN } }
                });
                let claims = named.to_string();
                let claimed = stage
                    .scanned(&stage.request(&[("claims", Some(&claims))]))
                    .await;
                let other = json!({"completionData": {"user": {"personalNumber": ASA}}});
                let whim = json!({"operation": "collect", "what": {"patch": other}, "times": 0});
                stage.app.phone.whim(whim).await;
                claimed.approve().await;
                stage.sees_screen("failed").await;
            },
        ),
        state("failed-at-high-risk", Asks::One, async |stage: &Stage| {
            let claimed = stage.scanned(&stage.request(&[])).await;
            claimed.approve_at_risk("high").await;
            stage.sees_screen("failed").await;
        }),
        state(
            "failed-with-the-last-order",
            Asks::One,
            async |stage: &Stage| {
                stage.scan(&stage.request(&[])).await;
                for device in ["this", "other", "this", "other"] {
                    stage
                        .browser
                        .press(&format!("button[value={device}]"))
                        .await;
                    let screen = if device == "this" { "launch" } else { "scan" };
                    stage.sees_screen(screen).await;
                }
                stage.browser.press("button[value=this]").await;
                stage.sees_screen("launch").await;
                let link = stage.browser.attribute("#open-app", "href").await;
                stage.app.phone.open(&link, TOLVAN).await.decline().await;
                stage.sees_screen("failed").await;
            },
        ),
        state("expired", Asks::One, async |stage: &Stage| {
            stage.scan(&stage.request(&[])).await;
            stage.app.clock.advance(Duration::from_secs(14 * 60));
            stage.sees_screen("failed").await;
        }),
        trouble("bankid-down", "maintenance"),
        trouble("order-in-progress", "alreadyInProgress"),
        trouble("our-fault-with-an-order", "invalidParameters"),
        state(
            "bankid-down-at-another-order",
            Asks::One,
            async |stage: &Stage| {
                stage.scan(&stage.request(&[])).await;
                no_order(stage, "maintenance").await;
                stage.browser.press("button[value=this]").await;
                stage.browser.see("#try-again").await;
            },
        ),
        state("queue", Asks::One, async |stage: &Stage| {
            let limits = "[limits]\nlogins_per_address = 1".to_owned();
            let options = Options {
                sections: limits,
                ..Options::on(Database::sqlite())
            };
            let crowded = App::start(options).await;
            register(&crowded, &stage.holding).await;
            stage.choice(&stage.request_at(&crowded, &[])).await;
            stage.browser.press("button[value=other]").await;
            stage.sees_screen("scan").await;
            stage.choice(&stage.request_at(&crowded, &[])).await;
            // The page tries again by itself, and would be gone before it was looked at.
            stage.browser.let_scripts_run(false).await;
            stage.browser.press("button[value=other]").await;
            stage.browser.see("#try-again").await;
            stage.browser.let_scripts_run(true).await;
            stage.keep(crowded);
        }),
        state("our-fault", Asks::OneAtMost, async |stage: &Stage| {
            let broken = App::on(Database::sqlite()).await;
            register(&broken, &stage.holding).await;
            let url = broken.database.url(broken.directory.path());
            let pool = sqlx::SqlitePool::connect(&url).await.expect("connected");
            let broke = sqlx::query("ALTER TABLE client RENAME TO gone")
                .execute(&pool)
                .await;
            broke.expect("renamed");
            let request = [("client_id", Some(CLIENT))];
            stage.browser.go(&stage.request_at(&broken, &request)).await;
            stage.browser.see("h1").await;
            stage.keep(broken);
        }),
    ]);
    states
}

fn failed(hint: &'static str) -> State {
    let name = format!("failed-{hint}");
    state(&name, Asks::One, async move |stage: &Stage| {
        let claimed = stage.scanned(&stage.request(&[])).await;
        claimed.hint(hint, true).await;
        stage.sees_screen("failed").await;
    })
}

fn trouble(name: &str, error: &'static str) -> State {
    state(name, Asks::One, async move |stage: &Stage| {
        stage.choice(&stage.request(&[])).await;
        no_order(stage, error).await;
        stage.browser.press("button[value=other]").await;
        stage.browser.see("#try-again").await;
    })
}

async fn no_order(stage: &Stage, error: &str) {
    let whim: Value = json!({"operation": "auth", "what": {"error": error}, "times": 1});
    stage.app.phone.whim(whim).await;
}
