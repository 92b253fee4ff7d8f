//! The choice of a device, and what can be said on it.

use std::time::Duration;

use serde_json::json;

use super::stage::{INSIDE_AN_APP, PHONE, Stage};
use super::{Asks, State, state};
use crate::support::Browser;
use crate::support::CALLBACK;

pub fn states() -> Vec<State> {
    let choice = |name, reach: fn(&Stage) -> String| {
        state(name, Asks::One, async move |stage: &Stage| {
            stage.choice(&reach(stage)).await;
        })
    };
    vec![
        choice("choice", |stage| stage.request(&[])),
        choice("choice-without-claims", |stage| {
            stage.request(&[("scope", Some("openid"))])
        }),
        choice("choice-by-ui-locales", |stage| {
            stage.request(&[("ui_locales", Some(stage.tongue.tag()))])
        }),
        choice("choice-without-purpose", |stage| {
            stage.request_of("lenient", "lenient")
        }),
        choice("choice-of-this-device-alone", |stage| {
            stage.request_of("this-only", "here")
        }),
        choice("choice-with-offline-access", |stage| {
            let offline = "openid profile offline_access";
            stage.request(&[
                ("client_id", Some("offline")),
                ("redirect_uri", Some("https://offline.example/callback")),
                ("scope", Some(offline)),
            ])
        }),
        state("choice-on-a-phone", Asks::One, async |stage: &Stage| {
            stage.pose_as(PHONE).await;
            stage.choice(&stage.request(&[])).await;
        }),
        state("choice-inside-an-app", Asks::One, async |stage: &Stage| {
            stage.pose_as(INSIDE_AN_APP).await;
            stage.choice(&stage.request(&[])).await;
        }),
        state("choice-in-colours", Asks::One, async |stage: &Stage| {
            let theme = json!({
                "accent": "#7a0019",
                "note": { "sv": "Öppet dygnet runt.", "en": "Always open." },
                "help_uri": "https://app.example/hjalp",
            });
            let metadata = json!({
                "client_name": "Region Långtbortistans samlade patientjournaler och tidsbokningar",
                "redirect_uris": [CALLBACK], "pkce": "accepted", "theme": theme,
            });
            stage.app.register("themed", metadata).await;
            let themed = [
                ("client_id", Some("themed")),
                ("redirect_uri", Some(CALLBACK)),
                ("scope", Some("openid")),
            ];
            stage.choice(&stage.request(&themed)).await;
        }),
        state("choice-renewed", Asks::One, async |stage: &Stage| {
            stage.choice(&stage.request(&[])).await;
            stage.app.clock.advance(Duration::from_secs(11 * 60));
            stage.browser.press("button[value=other]").await;
            let renewed = "return location.pathname === '/login'";
            while stage.browser.execute(renewed).await != json!(true) {}
            stage.browser.see("form.choices").await;
        }),
        state("choice-ending", Asks::One, async |stage: &Stage| {
            stage.choice(&stage.request(&[])).await;
            // The browser's clock cannot be turned, and eight minutes are long.
            let ending = "document.getElementById('ending').hidden = false";
            stage.browser.execute(ending).await;
        }),
        state(
            "choice-elsewhere-before",
            Asks::One,
            async |stage: &Stage| {
                elsewhere(stage).await;
                stage.choice(&stage.request(&[])).await;
            },
        ),
    ]
}

/// The app comes back to another browser.
pub async fn elsewhere(stage: &Stage) {
    let claimed = stage.opened(&stage.request(&[])).await;
    let back = claimed.return_url.clone().expect("a return address");
    claimed.approve().await;
    Browser::new().get(&back).await;
    stage.sees_screen("elsewhere").await;
}
