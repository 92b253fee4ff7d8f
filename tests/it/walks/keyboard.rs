//! By the keyboard alone. The focus is where it can be seen, goes as people read, and is moved by
//! nobody else.

use portvakt::shows;
use serde_json::{Value, json};

use crate::chromium::{app, in_browsers, logged_in};
use crate::support::App;
use crate::support::browser::read_qr;
use crate::support::chromium::{Chromium, Scripts, browsers, is_there};
use crate::support::phone::{ASA, TOLVAN};
use crate::support::run;

const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';
const ESCAPE: char = '\u{e00c}';
const DOWN: char = '\u{e015}';
const SPACE: char = ' ';

/// What has the focus: whether it is what is looked for, and whether somebody sees where they are.
const STOP: &str = "
  const one = document.activeElement;
  const [style, box] = [getComputedStyle(one), one.getBoundingClientRect()];
  const rings = (style) => style.outlineStyle === 'auto'
    || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2);
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  const before = window.stoppedAt;
  window.stoppedAt = one;
  return {
    name: one.cloneNode(false).outerHTML.slice(0, 200),
    found: one.matches(SOUGHT),
    outside: one === document.body || one === document.documentElement,
    ringed: rings(style),
    uncovered: top !== null && (one.contains(top) || top.contains(one)),
    inOrder: !before || !before.isConnected
      || Boolean(before.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING),
    below: !before || !before.isConnected || box.bottom >= before.getBoundingClientRect().top,
  };";

/// Presses Tab until something has the focus, as somebody does who looks where they are.
async fn tab_to(browser: &Chromium, css: &str) {
    let stop = STOP.replace("SOUGHT", &json!(css).to_string());
    browser.see(css).await;
    for _ in 0..40 {
        browser.key(TAB).await;
        let at: Value = browser.execute(&stop).await;
        if at["outside"] == json!(true) {
            continue;
        }
        for sound in ["ringed", "uncovered", "inOrder", "below"] {
            assert_eq!(at[sound], json!(true), "on the way to {css}: {sound}: {at}");
        }
        if at["found"] == json!(true) {
            return;
        }
    }
    panic!("Tab never comes to {css}");
}

async fn press(browser: &Chromium, css: &str, key: char) {
    tab_to(browser, css).await;
    browser.key(key).await;
}

async fn begin(browser: &Chromium, app: &App) {
    browser.go(&app.application).await;
    press(browser, "#log-in", ENTER).await;
    browser.see("button[value=other]").await;
    let moved = "return document.activeElement !== document.body";
    assert_eq!(
        browser.execute(moved).await,
        json!(false),
        "the focus is moved"
    );
}

async fn code_on_screen(browser: &Chromium) -> String {
    read_qr(&browser.attribute("#qr path", "d").await)
}

#[test]
fn a_login_by_code_with_all_that_happens_on_the_way() {
    in_browsers(Scripts::On, async |app, [browser]| {
        let _shows = shows!(accepting "PV-A11Y-3");
        begin(&browser, &app).await;
        // Thinks better of it.
        press(&browser, "#cancel", SPACE).await;
        browser.see("#trouble").await;
        begin(&browser, &app).await;
        press(&browser, "button[value=other]", ENTER).await;
        browser.see("[data-screen=scan]").await;
        for key in [ENTER, SPACE] {
            press(&browser, "#qr", key).await;
            browser.see("#qr.large").await;
            browser.key(ESCAPE).await;
            browser.see("#qr:not(.large)").await;
            let focused = "return document.activeElement.id";
            assert_eq!(
                browser.execute(focused).await,
                "qr",
                "and goes on from there"
            );
            browser
                .execute("window.stoppedAt = undefined; document.activeElement.blur()")
                .await;
        }
        // It fails, and another try is one press away.
        let code = code_on_screen(&browser).await;
        app.phone.scan(&code, TOLVAN).await.decline().await;
        browser.see("[data-screen=failed]").await;
        press(&browser, "button[value=other]", ENTER).await;
        browser.see("[data-screen=scan]").await;
        let code = code_on_screen(&browser).await;
        let claimed = app.phone.scan(&code, TOLVAN).await;
        browser.see("[data-screen=working]").await;
        tab_to(&browser, "#cancel").await;
        claimed.approve().await;
        logged_in(&browser, TOLVAN).await;

        let logout = format!("{}/logout", app.issuer);
        browser.go(&logout).await;
        press(&browser, "#stay", ENTER).await;
        browser.read("fortfarande inloggad").await;
        browser.go(&logout).await;
        press(&browser, "#log-out-here", SPACE).await;
        browser.read("Du är utloggad").await;
    });
}

#[test]
fn a_login_on_this_device() {
    in_browsers(Scripts::On, async |app, [browser]| {
        let _shows = shows!(accepting "PV-A11Y-3");
        begin(&browser, &app).await;
        press(&browser, "button[value=this]", SPACE).await;
        press(&browser, "#open-app", ENTER).await;
        // The person among others, as the arrows go through a group.
        tab_to(&browser, "input[name=person]").await;
        let chosen = format!("return document.activeElement.value === '{ASA}'");
        for _ in 0..10 {
            if browser.execute(&chosen).await == json!(true) {
                break;
            }
            browser.key(DOWN).await;
        }
        press(&browser, "#continue", ENTER).await;
        press(&browser, "#approve", ENTER).await;
        logged_in(&browser, ASA).await;
        press(&browser, "#log-out", ENTER).await;
        browser.see("#log-in").await;
    });
}

#[test]
fn what_a_keyboard_does_not_reach_or_show_is_noticed() {
    if !is_there() {
        return;
    }
    let walk = |page: &'static str| {
        run(async move {
            let app = app().await;
            let [browser] = browsers(&app.certificate, Scripts::On).await;
            let url = format!("data:text/html,{page}");
            browser.go(&url).await;
            let walked = std::panic::AssertUnwindSafe(tab_to(&browser, "#sought"));
            futures_util::FutureExt::catch_unwind(walked).await.is_ok()
        })
    };
    let _shows = shows!(refusing "PV-A11Y-3");
    assert!(walk("<a href=x>a</a><button id=sought>b</button>"));
    assert!(!walk("<a href=x>a</a><span id=sought>b</span>"));
    assert!(!walk(
        "<a href=x>a</a><button id=sought style='outline:none'>b</button>"
    ));
    assert!(!walk(
        "<button id=sought tabindex=2>b</button><a href=x tabindex=1>a</a>"
    ));
}
