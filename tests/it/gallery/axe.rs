//! axe-core looks at every state, light and dark, on a phone and on a computer, in every language that
//! it speaks; and so do people, when pictures are asked for.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use portvakt::shows;
use serde_json::Value;

use super::sound::{complaints, said, text};
use super::stage::{Stage, Tongue};
use super::{State, WINGS, pictures, walk};
use crate::support::chromium::is_there;
use crate::support::devtools::Scheme;
use crate::support::{may_leave_out, run};

const WIDTHS: [u32; 2] = [390, 1280];

/// The script, and what it says of the page: every rule of WCAG 2.0, 2.1 and 2.2 up to AA, and what
/// is good practice. What it cannot decide about contrast is told, too.
static AXE: LazyLock<Option<String>> = LazyLock::new(|| {
    let packages = std::env::var_os("PORTVAKT_TEST_NODE_PACKAGES")?;
    let file = std::path::Path::new(&packages).join("node_modules/axe-core/axe.min.js");
    Some(std::fs::read_to_string(file).expect("axe-core is there"))
});

const RUN: &str = "
  const [only, done] = arguments;
  if (typeof axe === 'undefined') return void done({ came_anew: true });
  const all = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa', 'best-practice'];
  const colours = { type: 'rule', values: ['color-contrast', 'link-in-text-block'] };
  const found = (list) => list.flatMap(({ id, help, nodes }) => nodes.map((node) =>
    ({ id, help, target: node.target.join(' '), html: node.html.slice(0, 160), why: node.failureSummary })));
  axe.run(document, {
    runOnly: only === 'colours' ? colours : { type: 'tag', values: all },
    rules: only === 'colours' ? {} : { 'target-size': { enabled: true } },
    resultTypes: ['violations', 'incomplete'],
    iframes: false,
    preload: false,
  }).then(
    (result) => done({
      rules: result.passes.length + result.violations.length,
      found: found(result.violations),
      unsure: found(result.incomplete.filter(({ id }) => id === 'color-contrast')),
    }),
    (error) => done({ failed: String(error) }),
  );";

/// Where it cannot tell the contrast, and somebody has looked: part of the state's name, the element,
/// and what was seen.
const LOOKED_AT: &[(&str, &str, &str)] = &[(
    "admin-edit",
    "set-",
    "what is scrolled below the button that stays at the window's edge",
)];

fn has_been_looked_at(state: &State, target: &str) -> bool {
    LOOKED_AT
        .iter()
        .any(|(name, element, _)| state.name.contains(name) && target.contains(element))
}

async fn axe(stage: &Stage, state: &State) -> Vec<String> {
    let browser = &stage.browser;
    let script = AXE.as_ref().expect("it was asked for");
    let mut complaints = BTreeMap::<String, Vec<String>>::new();
    for width in WIDTHS {
        for scheme in Scheme::ALL {
            browser.look(width, scheme).await;
            // Another scheme is nothing but other colours.
            let (only, rules) = match scheme {
                Scheme::Light => ("everything", 10),
                Scheme::Dark => ("colours", 1),
            };
            // The page may have come anew since, or may do so at this very moment.
            let mut result = Value::Null;
            for _ in 0..10 {
                if browser.execute("return typeof axe").await == "undefined" {
                    browser.execute(script).await;
                }
                result = browser.execute_later(RUN, only).await;
                if result["came_anew"] != true {
                    break;
                }
            }
            assert!(
                result["rules"].as_u64() >= Some(rules),
                "{}: {result}",
                state.name
            );
            let nodes = |name: &str| result[name].as_array().cloned().unwrap_or_default();
            let unsure = nodes("unsure").into_iter();
            let unsure = unsure.filter(|node| !has_been_looked_at(state, &text(node, "target")));
            let unsure = unsure.map(|node| format!("not sure, {}", told(&node)));
            for complaint in nodes("found").iter().map(told).chain(unsure) {
                let at = format!("{} {width}", scheme.name());
                complaints.entry(complaint).or_default().push(at);
            }
        }
    }
    let with_places = |(complaint, at): (_, Vec<_>)| format!("{complaint} [{}]", at.join(", "));
    complaints.into_iter().map(with_places).collect()
}

fn told(node: &Value) -> String {
    let [id, target, html, why] = ["id", "target", "html", "why"].map(|name| text(node, name));
    format!("{id}: {target} {html} {}", why.replace('\n', " "))
}

/// Everything that is wrong in the states of one name and language.
fn look_at(name: &str, tongue: Tongue) {
    if !is_there() || (AXE.is_none() && may_leave_out()) {
        return;
    }
    run(async {
        let _shows = shows!(accepting "PV-A11Y-1", accepting "PV-A11Y-2", accepting "PV-GALLERY-1");
        let wing = WINGS.iter().find(|w| w.name == name && w.tongue == tongue);
        let mut all = Vec::new();
        let found = std::cell::RefCell::new(&mut all);
        walk(wing.expect("a wing"), async |stage, state| {
            pictures::take(stage, state).await;
            let mut now = axe(stage, state).await;
            now.extend(complaints(stage, state).await);
            found.borrow_mut().extend(said(stage, state, &now));
        })
        .await;
        pictures::show();
        assert!(
            all.is_empty(),
            "{} complaints:\n{}",
            all.len(),
            all.join("\n")
        );
    });
}

macro_rules! looks {
    ($($name:ident: $wing:literal, $tongue:ident;)+) => {
        $(#[test]
        fn $name() {
            look_at($wing, Tongue::$tongue);
        })+

        #[test]
        fn every_wing_is_looked_at() {
            let looked_at = [$(($wing, Tongue::$tongue)),+];
            let all: Vec<_> = WINGS.iter().map(|wing| (wing.name, wing.tongue)).collect();
            assert_eq!(all, looked_at);
        }
    };
}

looks! {
    choosing_in_swedish: "choosing", Sv;
    choosing_in_english: "choosing", En;
    scanning_in_swedish: "scanning", Sv;
    scanning_in_english: "scanning", En;
    working_in_swedish: "working", Sv;
    working_in_english: "working", En;
    failing_in_swedish: "failing", Sv;
    failing_in_english: "failing", En;
    doors_in_swedish: "doors", Sv;
    doors_in_english: "doors", En;
    phone: "phone", En;
    administration: "administration", En;
}

#[test]
fn what_nobody_can_use_is_complained_of() {
    if !is_there() || (AXE.is_none() && may_leave_out()) {
        return;
    }
    super::stage::on_a_stage(async |stage| {
        let _shows = shows!(refusing "PV-A11Y-1", refusing "PV-A11Y-2");
        let bad = "data:text/html,<html lang=fi><body><h1>a</h1><h1>b</h1>\
            <img src=data:,><input autofocus><a href=x style='display:inline-block;width:9px'>x</a>\
            <a href=y>y</a><p style='color:%23999;background:%23fff;width:900px'>faint</p>\
            <button class=primary>1</button><button class=primary>2</button>";
        stage.browser.go(bad).await;
        let state = super::state("bad", super::Asks::One, async |_: &Stage| {});
        let found = axe(stage, &state).await.join("\n");
        for rule in [
            "image-alt",
            "color-contrast",
            "target-size",
            "label",
            "landmark-one-main",
        ] {
            assert!(found.contains(rule), "{rule}: {found}");
        }
        let found = complaints(stage, &state).await.join("\n");
        for part in [
            "320",
            "twice",
            "2 headings",
            "\"fi\"",
            "autofocus",
            "2 things",
        ] {
            assert!(found.contains(part), "{part}: {found}");
        }
    });
}
