//! What a page of a login does while somebody looks at it, or does not: in Chromium.

use std::time::Duration;

use portvakt::shows;
use serde_json::{Value, json};

use crate::chromium::{NAMES, SAFARI, app, ask, in_browsers, logged_in, scan_on_screen};
use crate::support::browser::read_qr;
use crate::support::chromium::{Chromium, Scripts, browsers_as, is_there};
use crate::support::phone::TOLVAN;
use crate::support::{App, Database, Options, run};

/// What a large tablet with Android calls itself, and a computer with Linux.
const LINUX: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0 Safari/537.36";

#[test]
fn the_code_on_the_page_moves_and_its_text_can_be_pasted() {
    in_browsers(Scripts::On, async |app, [browser, phone]| {
        let _shows = shows!(accepting "PV-QR-2", accepting "PV-EVENTS-1");
        ask(&browser, &app).await;
        browser.press("button[value=other]").await;
        let first = browser.attribute("#qr path", "d").await;
        let mut second = first.clone();
        while second == first {
            tokio::time::sleep(Duration::from_millis(100)).await;
            second = browser.attribute("#qr path", "d").await;
        }
        phone.go(&app.phone_url).await;
        let latest = browser.attribute("#qr path", "d").await;
        phone.write("#text", &read_qr(&latest)).await;
        phone.press("#scan-text").await;
        phone.press("#approve").await;
        logged_in(&browser, TOLVAN).await;
    });
}

#[test]
fn a_tablet_that_calls_itself_a_computer_opens_its_own_app() {
    if !is_there() {
        return;
    }
    run(async {
        let _shows =
            shows!(accepting "PV-LAUNCH-1", accepting "PV-DEVICE-1", refusing "PV-DEVICE-1");
        let app = App::start(Options {
            names: Some(NAMES),
            opens_the_app: true,
            ..Options::on(Database::sqlite())
        })
        .await;
        let [browser] = browsers_as(&app.certificate, Scripts::On, Some(LINUX)).await;
        ask(&browser, &app).await;
        let this = "button[value=this]";
        let is_shown = async || browser.see(this).await.is_displayed().await.expect("asked");
        assert!(!is_shown().await, "a computer with Linux has no BankID");
        let fingers = json!({"enabled": true, "maxTouchPoints": 5});
        browser
            .devtools("Emulation.setTouchEmulationEnabled", fingers)
            .await;
        browser.client.refresh().await.expect("it loads");
        assert!(is_shown().await);
        browser.press(this).await;
        let link = browser.attribute("#open-app", "href").await;
        assert!(
            link.starts_with("https://app.bankid.com/?autostarttoken="),
            "{link}"
        );
    });
}

#[test]
fn a_code_that_is_not_renewed_says_so_with_a_way_on() {
    in_browsers(Scripts::On, async |app, [browser]| {
        let _shows = shows!(accepting "PV-QR-4", accepting "PV-DOWN-1");
        ask(&browser, &app).await;
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        let none = json!({"operation": "auth", "what": {"error": "maintenance"}, "times": 0});
        app.phone.whim(none).await;
        app.clock.advance(Duration::from_secs(31));
        // By itself.
        browser.see("[data-screen=renewing]").await;
        browser.press("button[value=other]").await;
        browser.see("#try-again").await;
    });
}

#[test]
fn where_events_do_not_pass_the_page_asks() {
    in_browsers(Scripts::On, async |app, [browser, phone]| {
        let _shows = shows!(accepting "PV-POLL-1");
        ask(&browser, &app).await;
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        // As after three failures, from here on.
        let give_up = "rest(); window.EventSource = class { constructor() { throw new Error(); } }; failures = 3; follow(); return source === null;";
        let asks = browser
            .client
            .execute(give_up, Vec::new())
            .await
            .expect("it runs");
        assert_eq!(asks, true);
        let first = browser.attribute("#qr path", "d").await;
        let mut second = first.clone();
        for _ in 0..100 {
            second = browser.attribute("#qr path", "d").await;
            if second != first {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_ne!(first, second, "the code moves");
        scan_on_screen(&phone, &app, TOLVAN).await;
        phone.press("#approve").await;
        logged_in(&browser, TOLVAN).await;
    });
}

#[test]
fn the_code_moves_by_one_loop_and_what_has_ended_asks_no_more() {
    in_browsers(Scripts::On, async |app, [browser]| {
        let _shows = shows!(accepting "BP-07", refusing "BP-04", accepting "BP-22");
        ask(&browser, &app).await;
        browser.press("button[value=this]").await;
        browser.see("#not-started[hidden]").await;
        browser.see("#not-started:not([hidden])").await;
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        // Looks away and back, as often as people do: each time by one loop.
        let tab = browser.tab().await;
        for _ in 0..3 {
            browser.open_tab().await;
            browser.show_tab(&tab).await;
        }
        let watch = "const path = document.querySelector('#qr path'); window.changes = 0; new MutationObserver(() => window.changes++).observe(path, { attributes: true });";
        browser.execute(watch).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let changes = browser.execute("return window.changes").await;
        let changes = changes.as_u64().expect("a number");
        // Two loops would make ten.
        assert!((3..=8).contains(&changes), "{changes} in five seconds");
        let code = read_qr(&browser.attribute("#qr path", "d").await);
        app.phone.scan(&code, TOLVAN).await.decline().await;
        browser.see("[data-screen=failed]").await;
        let asked = "return performance.getEntriesByType('resource').length";
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = browser.execute(asked).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(browser.execute(asked).await, before, "it asks no more");
    });
}

#[test]
fn the_app_is_opened_by_the_tab_that_was_pressed_alone() {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "BP-11", refusing "BP-11");
        let app = app().await;
        let [browser] = browsers_as(&app.certificate, Scripts::On, Some(SAFARI)).await;
        ask(&browser, &app).await;
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        let login = browser.url().await;
        let first = browser.tab().await;
        let second = browser.open_tab().await;
        browser.go(&login).await;
        browser.see("[data-screen=scan]").await;
        browser.show_tab(&first).await;
        browser.press("button[value=this]").await;
        browser.see("#continue").await;
        browser.show_tab(&second).await;
        browser.see("[data-screen=launch]").await;
        // Not now and not later; but somebody who looks for so long may need help.
        browser.see("#not-started:not([hidden])").await;
        assert_eq!(browser.url().await, login);
        assert!(browser.sees("[data-screen=launch]").await);
    });
}

#[test]
fn a_page_out_of_the_browsers_memory_asks_how_things_stand() {
    in_browsers(Scripts::On, async |app, [browser]| {
        let _shows = shows!(accepting "BP-41", refusing "BP-41", accepting "BP-30");
        ask(&browser, &app).await;
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        let remembered = "window.same = true; leaving = true; rest();
          dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));";
        browser.execute(remembered).await;
        let before = browser.attribute("#qr path", "d").await;
        pause(3).await;
        assert_eq!(browser.execute("return window.same").await, true);
        let moved = browser.attribute("#qr path", "d").await;
        assert_ne!(moved, before, "it goes on");
        // What has changed meanwhile is shown.
        browser.execute("leaving = true; rest();").await;
        app.phone.scan(&read_qr(&moved), TOLVAN).await;
        pause(3).await;
        assert!(browser.sees("[data-screen=scan]").await);
        browser.execute(remembered).await;
        browser.see("[data-screen=working]").await;
    });
}

#[test]
fn the_code_can_be_seen_by_those_who_enlarge_their_screen() {
    in_browsers(Scripts::On, async |app, [browser]| {
        let _shows = shows!(accepting "BP-42", refusing "BP-42", accepting "BP-06");
        ask(&browser, &app).await;
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        assert_eq!(browser.attribute("#qr svg", "aria-label").await, "QR-kod");
        let label = "Visa QR-koden i helskärm";
        assert_eq!(browser.attribute("#qr", "aria-label").await, label);
        let told = "return document.getElementById('seen').textContent";
        let whole = json!("Hela QR-koden syns.");
        until(&browser, told, &whole).await;
        let role = browser.attribute("#seen", "role").await;
        assert_eq!(role, "status", "it is read out, politely");
        let around = "return document.querySelector('[role=status] #qr, [aria-live] #qr') === null";
        assert_eq!(browser.execute(around).await, true, "and the code is not");
        // As if enlarged until a part of it is out of sight.
        let grow =
            "document.getElementById('qr').style.cssText = 'width: 250vw; margin-left: -1rem'";
        browser.execute(grow).await;
        let cut = json!(
            "Hela QR-koden syns inte. Rulla sidan, eller tryck på koden för att visa den i helskärm."
        );
        until(&browser, told, &cut).await;
        assert!(
            browser.text().await.contains("syns inte"),
            "it is seen, too"
        );
        browser
            .execute("document.getElementById('qr').style.cssText = ''")
            .await;
        until(&browser, told, &whole).await;

        let full = "return document.fullscreenElement?.id ?? ''";
        let focus = "return document.activeElement.id";
        // By the keyboard: Enter, and Enter again.
        browser.write("#qr", "\u{e007}").await;
        until(&browser, full, &json!("qr")).await;
        until(&browser, told, &whole).await;
        browser.write("#qr", "\u{e007}").await;
        until(&browser, full, &json!("")).await;
        until(&browser, focus, &json!("qr")).await;
        // A new order is made meanwhile, for a page that stays as it is.
        browser.write("#qr", "\u{e007}").await;
        until(&browser, full, &json!("qr")).await;
        browser.execute("window.same = true").await;
        app.clock.advance(Duration::from_secs(31));
        while app.phone.listed().await["orders"].as_array().map(Vec::len) != Some(2) {
            pause(1).await;
        }
        pause(2).await;
        assert_eq!(browser.execute("return window.same").await, true);
        assert_eq!(browser.execute(full).await, "qr");
        assert_eq!(browser.execute("return qr.className").await, "qr large");
        // Browsers keep this Escape to themselves, and some have lost the focus by then.
        let escape = "document.activeElement.blur(); document.exitFullscreen()";
        browser.execute(escape).await;
        until(&browser, full, &json!("")).await;
        until(&browser, focus, &json!("qr")).await;
        until(&browser, "return qr.className", &json!("qr")).await;
        // A browser that fills its screen with films alone.
        browser
            .execute("qr.requestFullscreen = () => Promise.reject(new TypeError())")
            .await;
        browser.press("#qr").await;
        let fills = "const box = qr.getBoundingClientRect();
          return box.width === document.documentElement.clientWidth && box.height === innerHeight";
        until(&browser, fills, &json!(true)).await;
        until(&browser, told, &whole).await;
        browser.write("#qr", "\u{e00c}").await;
        until(&browser, "return qr.className", &json!("qr")).await;
        let code = read_qr(&browser.attribute("#qr path", "d").await);
        app.phone.scan(&code, TOLVAN).await.approve().await;
        logged_in(&browser, TOLVAN).await;
    });
}

#[test]
fn a_question_that_is_broken_off_leaves_the_page_as_it_is() {
    in_browsers(Scripts::On, async |app, [browser]| {
        let _shows = shows!(accepting "BP-19");
        ask(&browser, &app).await;
        browser.press("button[value=this]").await;
        let link = browser.attribute("#open-app", "href").await;
        browser
            .execute(
                "rest(); window.real = window.fetch;
                 window.fetch = () => Promise.reject(new DOMException('left', 'AbortError'));
                 failures = 3; follow();",
            )
            .await;
        pause(3).await;
        browser.see("[data-screen=launch]").await;
        let claimed = app.phone.open(&link, TOLVAN).await;
        browser.execute("window.fetch = window.real").await;
        browser.see("[data-screen=working]").await;
        claimed.approve().await;
        browser.see("[data-screen=await-return]").await;
    });
}

/// What the page does of itself is looked at, and not how long it takes.
const CODE_IS_SEEN: &str = "return getComputedStyle(path).opacity !== '0'";

#[test]
fn a_code_that_is_too_old_is_not_left_on_the_page() {
    in_browsers(Scripts::On, async |app, [browser]| {
        let _shows = shows!(accepting "PV-QR-4", refusing "PV-QR-4");
        ask(&browser, &app).await;
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        browser.execute("window.same = true").await;
        until(&browser, CODE_IS_SEEN, &json!(true)).await;
        // As in a tunnel: nothing is refused, and nothing comes.
        browser
            .execute("window.real = { fetch, EventSource }; source.close(); source.onmessage = null; window.fetch = (address, { signal }) => new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason))); window.EventSource = class { close() {} };")
            .await;
        until(&browser, CODE_IS_SEEN, &json!(false)).await;
        browser.read("Ingen kontakt").await;
        assert_eq!(
            browser
                .execute("return away.parentElement.getAttribute('role')")
                .await,
            "status"
        );
        // Out of it.
        // However slow the network is at first: each try has its time.
        let slowly =
            "window.EventSource = class { constructor() { throw new Error(); } close() {} };
          window.fetch = async (...asked) => {
            await new Promise((done) => setTimeout(done, 1500));
            return window.real.fetch.call(window, ...asked);
          };
          failures = 3;";
        browser.execute(slowly).await;
        until(&browser, CODE_IS_SEEN, &json!(true)).await;
        until(&browser, "return away.hidden", &json!(true)).await;
        browser.execute("Object.assign(window, window.real)").await;
        until(&browser, CODE_IS_SEEN, &json!(true)).await;
        until(&browser, "return away.hidden", &json!(true)).await;
        assert_eq!(browser.execute("return window.same").await, true);
    });
}

#[test]
fn where_a_proxy_holds_events_back_the_page_asks() {
    in_browsers(Scripts::On, async |app, [browser, phone]| {
        let _shows = shows!(accepting "PV-POLL-2");
        ask(&browser, &app).await;
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        // A stream that is open and says nothing.
        browser
            .execute("rest(); window.EventSource = class { close() {} }; failures = 0; follow();")
            .await;
        let asks = "return performance.getEntriesByType('resource').filter((one) => one.name.includes('/status')).length > 2";
        until(&browser, asks, &json!(true)).await;
        until(&browser, CODE_IS_SEEN, &json!(true)).await;
        scan_on_screen(&phone, &app, TOLVAN).await;
        phone.press("#approve").await;
        logged_in(&browser, TOLVAN).await;
    });
}

async fn pause(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Waits until a script says so.
async fn until(browser: &Chromium, script: &str, expected: &Value) {
    let mut said = Value::Null;
    for _ in 0..200 {
        said = browser.execute(script).await;
        if said == *expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{script}: {said} and never {expected}");
}
