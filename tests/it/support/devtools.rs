//! What WebDriver has no words for: Chromium's DevTools protocol, through ChromeDriver.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::Locator;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::wd::WebDriverCompatibleCommand;
use serde_json::{Value, json};

use super::chromium::Chromium;

/// Whether somebody prefers dark letters on light, or the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    pub const ALL: [Scheme; 2] = [Scheme::Light, Scheme::Dark];

    pub fn name(self) -> &'static str {
        match self {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        }
    }
}

/// One command of the DevTools protocol.
#[derive(Debug)]
struct Command(Value);

impl WebDriverCompatibleCommand for Command {
    fn endpoint(
        &self,
        base_url: &url::Url,
        session_id: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        let session = session_id.unwrap_or_default();
        base_url.join(&format!("session/{session}/goog/cdp/execute"))
    }

    fn method_and_body(&self, _: &url::Url) -> (reqwest::Method, Option<String>) {
        (reqwest::Method::POST, Some(self.0.to_string()))
    }
}

/// A window's height where nothing else is wanted.
const HEIGHT: u32 = 900;

impl Chromium {
    /// Asks the tab in front for something.
    pub async fn devtools(&self, command: &str, params: Value) -> Value {
        let asked = Command(json!({ "cmd": command, "params": params }));
        let answer = self.client.issue_cmd(asked).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// A window of this width in CSS pixels, for somebody who prefers this scheme.
    pub async fn look(&self, width: u32, scheme: Scheme) {
        let size =
            json!({ "width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme.name() });
        let media = json!({ "features": [feature] });
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// Calls itself something, and prefers a language.
    pub async fn pose_as(&self, user_agent: &str, language: &str) {
        let posed = json!({ "userAgent": user_agent, "acceptLanguage": language });
        self.devtools("Emulation.setUserAgentOverride", posed).await;
    }

    /// Whether the scripts of pages that come from now on run. Ours run in any case.
    pub async fn let_scripts_run(&self, run: bool) {
        let value = json!({ "value": !run });
        self.devtools("Emulation.setScriptExecutionDisabled", value)
            .await;
    }

    pub async fn forget_cookies(&self) {
        self.devtools("Network.clearBrowserCookies", json!({}))
            .await;
    }

    /// A picture of the whole page as PNG, what is below the window's edge included.
    pub async fn whole_picture(&self) -> Vec<u8> {
        // It is taken of a window as high as the page, which has no bar to scroll with.
        let width = self.execute("return innerWidth").await;
        let layout = self.devtools("Page.getLayoutMetrics", json!({})).await;
        let content = &layout["cssContentSize"];
        let clip = json!({
            "x": 0, "y": 0, "width": width, "height": content["height"], "scale": 1
        });
        self.picture(json!({ "format": "png", "captureBeyondViewport": true, "clip": clip }))
            .await
    }

    /// A picture of what the window shows.
    pub async fn window_picture(&self) -> Vec<u8> {
        self.picture(json!({ "format": "png" })).await
    }

    async fn picture(&self, params: Value) -> Vec<u8> {
        let taken = self.devtools("Page.captureScreenshot", params).await;
        let data = taken["data"].as_str().expect("a picture");
        STANDARD.decode(data).expect("base64")
    }

    /// Whether something is on the page at this moment.
    pub async fn shows(&self, css: &str) -> bool {
        self.client.find(Locator::Css(css)).await.is_ok()
    }

    /// Presses a key, for whatever has the focus.
    pub async fn key(&self, key: char) {
        let pressed = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value: key })
            .then(KeyAction::Up { value: key });
        let done = self.client.perform_actions(pressed).await;
        done.expect("the key can be pressed");
    }

    /// Runs a script that says later what came of it, by its last argument.
    pub async fn execute_later(&self, script: &str, argument: &str) -> Value {
        let arguments = vec![argument.into()];
        let done = self.client.execute_async(script, arguments).await;
        done.unwrap_or_else(|error| panic!("it does not run: {error}"))
    }
}
