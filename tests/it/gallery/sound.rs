//! What holds for every page, however it looks: it fits, enlarged or on the smallest screen, it has one
//! heading and one thing of first importance, and it says its language.

use serde_json::{Value, json};

use super::stage::Stage;
use super::{Asks, State};
use crate::support::devtools::Scheme;

/// What is wrong with the page that the browser is on.
pub async fn complaints(stage: &Stage, state: &State) -> Vec<String> {
    let browser = &stage.browser;
    let mut complaints = Vec::new();
    let mut complain = |complaint: String| complaints.push(complaint);

    browser.look(320, Scheme::Light).await;
    for wide in browser.execute(OVERFLOW).await.as_array().expect("a list") {
        complain(format!("does not fit into 320 pixels: {wide}"));
    }
    browser.look(640, Scheme::Light).await;
    browser.execute(&enlarged("200%")).await;
    for wide in browser.execute(OVERFLOW).await.as_array().expect("a list") {
        complain(format!("does not fit with letters twice as large: {wide}"));
    }
    browser.execute(&enlarged("")).await;

    let page = browser.execute(PAGE).await;
    if page["headings"] != json!(1) {
        complain(format!(
            "has {} headings of the first level",
            page["headings"]
        ));
    }
    if page["lang"] != json!(stage.tongue.tag()) {
        complain(format!("says that its language is {}", page["lang"]));
    }
    if page["autofocus"] != json!(false) {
        complain("moves the focus by autofocus".to_owned());
    }
    let primary = page["primary"].as_u64().expect("a number");
    let is_right = match state.asks {
        Asks::One => primary == 1,
        Asks::OneAtMost => primary <= 1,
        Asks::Any => true,
    };
    if !is_right {
        complain(format!("has {primary} things of first importance"));
    }
    complaints
}

fn enlarged(size: &str) -> String {
    format!("document.documentElement.style.fontSize = '{size}'")
}

/// What stands out of the window, if the page is wider than it.
const OVERFLOW: &str = "
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.body.querySelectorAll('*')]
    .filter((one) => one.getBoundingClientRect().right > width + 1)
    .map((one) => one.cloneNode(false).outerHTML.slice(0, 120)).slice(0, 3);";

const PAGE: &str = "
  const seen = (one) => one.getClientRects().length > 0;
  return {
    headings: document.querySelectorAll('h1').length,
    primary: [...document.querySelectorAll('.primary')].filter(seen).length,
    lang: document.documentElement.lang,
    autofocus: document.querySelector('[autofocus]') !== null,
  };";

/// One line for each complaint, with where it is.
pub fn said(stage: &Stage, state: &State, complaints: &[String]) -> Vec<String> {
    let at = format!("{} ({})", state.name, stage.tongue.tag());
    complaints
        .iter()
        .map(|said| format!("{at}: {said}"))
        .collect()
}

/// A member of a JSON object as text.
pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
