//! What a browser loads before somebody sees what they are asked.

use portvakt::shows;
use serde_json::{Value, json};

use crate::gallery::stage::on_a_stage;
use crate::support::chromium::{Chromium, is_there};

/// All of the first view, with what HTTP says around it.
const MOST: u64 = 40_000;

const LOADED: &str = "
  const entries = ['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind));
  return entries.map(({ name, transferSize }) => ({ name, size: transferSize }));";

async fn loaded(browser: &Chromium) -> Vec<Value> {
    let loaded = browser.execute(LOADED).await;
    loaded.as_array().cloned().expect("a list")
}

/// What is too much in a view, or not ours.
fn complaints(loaded: &[Value], origin: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for one in loaded {
        let name = one["name"].as_str().unwrap_or_default();
        if !name.starts_with(&format!("{origin}/")) {
            complaints.push(format!("is not ours: {name}"));
        }
    }
    let all: u64 = loaded.iter().filter_map(|one| one["size"].as_u64()).sum();
    if all >= MOST {
        complaints.push(format!("takes {all} bytes: {loaded:?}"));
    }
    complaints
}

#[test]
fn the_first_view_is_small_and_ours_alone() {
    if !is_there() {
        return;
    }
    on_a_stage(async |stage| {
        let _shows = shows!(accepting "PV-FIRST-1");
        let (browser, origin) = (&stage.browser, &stage.app.issuer);
        stage.choice(&stage.request(&[])).await;
        let choice = loaded(browser).await;
        assert!(choice.len() > 1, "{choice:?}");
        assert_eq!(complaints(&choice, origin), Vec::<String>::new());
        browser.press("button[value=other]").await;
        stage.sees_screen("scan").await;
        // By whoever comes straight to it, with nothing kept.
        browser
            .devtools("Network.clearBrowserCache", json!({}))
            .await;
        browser.client.refresh().await.expect("it loads");
        stage.sees_screen("scan").await;
        assert_eq!(
            complaints(&loaded(browser).await, origin),
            Vec::<String>::new()
        );
    });
}

#[test]
fn a_view_that_is_heavy_or_somebody_elses_is_noticed() {
    let _shows = shows!(refusing "PV-FIRST-1");
    let of = |name: &str, size: u64| json!({ "name": name, "size": size });
    let ours = "https://login.example";
    let page = of("https://login.example/authorize?a=1", MOST - 1);
    assert!(complaints(std::slice::from_ref(&page), ours).is_empty());
    let heavy = [page.clone(), of("https://login.example/static/a.css", 1)];
    assert_eq!(complaints(&heavy, ours).len(), 1);
    for elsewhere in [
        "https://fonts.example/a.woff2",
        "https://login.example.evil/",
    ] {
        assert_eq!(complaints(&[page.clone(), of(elsewhere, 0)], ours).len(), 1);
    }
}
