//! Whole logins by the pages' own buttons, in Chromium, over TLS, with application, provider and
//! simulator on different sites, so that cookies, forms and headers obey the rules of production.

use std::time::Duration;

use portvakt::shows;

use crate::support::browser::read_qr;
use crate::support::chromium::{Chromium, Scripts, browsers, browsers_as, is_there};
use crate::support::phone::{ASA, TOLVAN};
use crate::support::{App, Database, Names, Options, run};

pub const NAMES: Names = Names {
    provider: "login.portvakt.example",
    application: "app.kommunen.example",
    phone: "phone.simulator.example",
};

pub async fn app() -> App {
    let options = Options {
        names: Some(NAMES),
        ..Options::on(Database::sqlite())
    };
    App::start(options).await
}

/// A story of real browsers and a fresh app, where there is a Chromium.
pub fn in_browsers<const N: usize>(scripts: Scripts, story: impl AsyncFnOnce(App, [Chromium; N])) {
    if !is_there() {
        return;
    }
    run(async {
        let app = app().await;
        let browsers = browsers(&app.certificate, scripts).await;
        story(app, browsers).await;
    });
}

/// From the application to the choice.
pub async fn ask(browser: &Chromium, app: &App) {
    browser.go(&app.application).await;
    browser.press("#log-in").await;
    browser.see("button[value=other]").await;
}

pub async fn logged_in(browser: &Chromium, person: &str) {
    browser.see("#id-token").await;
    let text = browser.text().await;
    assert!(
        text.contains(person) && text.contains("https://login.portvakt.example"),
        "{text}"
    );
}

pub async fn scan_on_screen(phone: &Chromium, app: &App, person: &str) {
    phone.go(&app.phone_url).await;
    // The page shows new codes by coming anew, and may do so under the finger.
    for _ in 0..5 {
        phone.press(&format!("input[value='{person}']")).await;
        phone.press("button[name=screen]").await;
        if phone.sees("#approve").await {
            return;
        }
    }
    panic!("the code cannot be scanned: {}", phone.text().await);
}

fn log_in_by_qr(scripts: Scripts) {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "PV-BROWSER-1");
        let _without = (scripts == Scripts::Off).then(|| shows!(accepting "PV-NOSCRIPT-1"));
        let app = app().await;
        let [browser, phone] = browsers(&app.certificate, scripts).await;
        assert_eq!(browser.runs_scripts().await, scripts == Scripts::On);
        ask(&browser, &app).await;
        assert!(browser.text().await.contains("Provappen"));
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        scan_on_screen(&phone, &app, TOLVAN).await;
        browser.see("[data-screen=working]").await;
        phone.press("#approve").await;
        logged_in(&browser, TOLVAN).await;
        browser.press("#log-out").await;
        browser.see("#log-in").await;
    });
}

#[test]
fn a_login_by_qr_with_scripts() {
    log_in_by_qr(Scripts::On);
}

#[test]
fn a_login_by_qr_without_scripts() {
    log_in_by_qr(Scripts::Off);
}

fn log_in_on_this_device(scripts: Scripts) {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "PV-BROWSER-1");
        let _without = (scripts == Scripts::Off).then(|| shows!(accepting "PV-NOSCRIPT-1"));
        let app = app().await;
        let [browser] = browsers(&app.certificate, scripts).await;
        assert_eq!(browser.runs_scripts().await, scripts == Scripts::On);
        ask(&browser, &app).await;
        browser.press("button[value=this]").await;
        browser.press("#open-app").await;
        browser.press(&format!("input[value='{ASA}']")).await;
        browser.press("#continue").await;
        browser.press("#approve").await;
        logged_in(&browser, ASA).await;
    });
}

#[test]
fn a_login_on_this_device_with_scripts() {
    log_in_on_this_device(Scripts::On);
}

#[test]
fn a_login_on_this_device_without_scripts() {
    log_in_on_this_device(Scripts::Off);
}

#[test]
fn a_logout_by_the_pages_buttons() {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "LO-01", accepting "LO-03", refusing "LO-03", accepting "LO-12", accepting "PV-BROWSER-1", accepting "PV-NOSCRIPT-1");
        let app = app().await;
        for scripts in [Scripts::On, Scripts::Off] {
            let [browser] = browsers(&app.certificate, scripts).await;
            ask(&browser, &app).await;
            browser.press("button[value=other]").await;
            browser.see("[data-screen=scan]").await;
            let code = read_qr(&browser.attribute("#qr path", "d").await);
            app.phone.scan(&code, TOLVAN).await.approve().await;
            logged_in(&browser, TOLVAN).await;
            // Nobody says which session is meant: the person is asked, and may say no.
            let logout = format!("{}/logout", app.issuer);
            browser.go(&logout).await;
            browser.read("Provappen").await;
            browser.press("#stay").await;
            browser.read("fortfarande inloggad").await;
            browser.go(&app.application).await;
            browser.see("#id-token").await;
            browser.go(&logout).await;
            browser.press("#log-out-here").await;
            browser.read("Du är utloggad").await;
            // A frame has told the application, which knows nobody any more, and neither do we.
            browser.go(&app.application).await;
            ask(&browser, &app).await;
            // The application's own button leads through the provider and home.
            browser.press("button[value=other]").await;
            browser.see("[data-screen=scan]").await;
            let code = read_qr(&browser.attribute("#qr path", "d").await);
            app.phone.scan(&code, TOLVAN).await.approve().await;
            logged_in(&browser, TOLVAN).await;
            browser.press("#log-out").await;
            browser.press("#log-in").await;
            browser.see("button[value=other]").await;
        }
    });
}

#[test]
fn the_returned_tab_finishes_and_the_first_says_so() {
    in_browsers(Scripts::On, async |app, [browser]| {
        let _shows = shows!(accepting "BP-17", accepting "PV-TAB-1");
        ask(&browser, &app).await;
        browser.press("button[value=this]").await;
        let link = browser.attribute("#open-app", "href").await;
        let first = browser.tab().await;
        // The app is another program: the page that it was started from stays where it is.
        let second = browser.open_tab().await;
        browser.go(&link).await;
        browser.press("#continue").await;
        browser.see("#approve").await;
        browser.show_tab(&first).await;
        browser.see("[data-screen=working]").await;
        browser.show_tab(&second).await;
        browser.press("#approve").await;
        browser.see("[data-screen=working], #id-token").await;
        browser.show_tab(&first).await;
        browser.see("[data-screen=other-tab], h1").await;
        browser.show_tab(&second).await;
        logged_in(&browser, TOLVAN).await;
        browser.show_tab(&first).await;
        browser.client.refresh().await.expect("it loads");
        assert!(
            browser
                .client
                .find(fantoccini::Locator::Css("#id-token"))
                .await
                .is_err()
        );
    });
}

#[test]
fn a_return_in_another_browser_is_told_in_both() {
    in_browsers(Scripts::On, async |app, [browser, other]| {
        let _shows = shows!(accepting "PV-ELSE-1");
        ask(&browser, &app).await;
        browser.press("button[value=this]").await;
        let link = browser.attribute("#open-app", "href").await;
        other.go(&link).await;
        other.press("#continue").await;
        other.press("#approve").await;
        other.read("Fel webbläsare").await;
        browser.see("[data-screen=elsewhere]").await;
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        scan_on_screen(&other, &app, TOLVAN).await;
        other.press("#approve").await;
        logged_in(&browser, TOLVAN).await;
        // Next time it warns first.
        browser.press("#log-out").await;
        browser.press("#log-in").await;
        browser.read("Förra gången").await;
    });
}

#[test]
fn cancel_leads_back_to_the_application() {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "LI-07");
        let app = app().await;
        for scripts in [Scripts::On, Scripts::Off] {
            let [browser] = browsers(&app.certificate, scripts).await;
            ask(&browser, &app).await;
            browser.press("button[value=other]").await;
            browser.press("#cancel").await;
            browser.see("#trouble").await;
            browser.read("access_denied").await;
        }
    });
}

#[test]
fn a_double_click_begins_one_login() {
    in_browsers(Scripts::On, async |app, [browser]| {
        let _shows = shows!(accepting "BP-30", accepting "PV-RACE-2");
        ask(&browser, &app).await;
        let script =
            "const b = document.querySelector('button[value=other]'); b.click(); b.click();";
        browser
            .client
            .execute(script, Vec::new())
            .await
            .expect("it runs");
        browser.see("[data-screen=scan]").await;
        assert_eq!(app.phone.codes_on_screen().await, 1);
        // The back button, and the choice once more: the same login.
        let login = browser.client.current_url().await.expect("an address");
        browser.client.back().await.expect("it goes back");
        browser.press("button[value=other]").await;
        browser.see("[data-screen=scan]").await;
        assert_eq!(
            browser.client.current_url().await.expect("an address"),
            login
        );
        browser.client.refresh().await.expect("it loads");
        browser.see("[data-screen=scan]").await;
        assert_eq!(app.phone.codes_on_screen().await, 1);
    });
}

#[test]
fn a_form_that_finds_the_login_approved_leads_on() {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "BP-05", accepting "PV-LEAVE-1");
        let app = app().await;
        for scripts in [Scripts::On, Scripts::Off] {
            let [browser] = browsers(&app.certificate, scripts).await;
            ask(&browser, &app).await;
            let choice = browser.url().await;
            browser.press("button[value=other]").await;
            browser.see("[data-screen=scan]").await;
            let code = read_qr(&browser.attribute("#qr path", "d").await);
            // Nobody looks at the login while it is approved, and then the choice is made again.
            browser.go_and_see(&choice, "button[value=other]").await;
            app.phone.scan(&code, TOLVAN).await.approve().await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            browser.press("button[value=other]").await;
            logged_in(&browser, TOLVAN).await;
        }
    });
}

pub const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";

#[test]
fn a_return_by_fragment_outlives_a_network_that_is_not_there_yet() {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "BP-02", refusing "BP-10", refusing "BP-11", accepting "PV-RETURN-1", accepting "PV-RETURN-2", accepting "PV-LAUNCH-5", refusing "PV-LAUNCH-5");
        let app = app().await;
        let [browser] = browsers_as(&app.certificate, Scripts::On, Some(SAFARI)).await;
        ask(&browser, &app).await;
        browser.press("button[value=this]").await;
        // Safari opens the app by itself. Here that is a page, and the back button leads away from it:
        // the app is not opened again.
        browser.see("#continue").await;
        let link = browser.url().await;
        browser.client.back().await.expect("it goes back");
        browser.see("[data-screen=launch]").await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        browser.see("[data-screen=launch]").await;
        let claimed = app.phone.open(&link, TOLVAN).await;
        let return_url = claimed.return_url.clone().expect("a return address");
        let (page, nonce) = return_url.split_once('#').expect("a fragment");
        assert_eq!(page, browser.url().await);
        claimed.approve().await;
        browser.see("[data-screen=await-return]").await;
        // A phone that wakes up has no network at first, and events may come before the answer.
        browser
            .execute(
                "const real = window.fetch; let left = 2; window.fetch = async (address, options) => {
                   if (!address.endsWith('/return')) return real(address, options);
                   if (left-- > 0) throw new TypeError('offline');
                   const answer = await real(address, options);
                   await new Promise((done) => setTimeout(done, 2500));
                   return answer;
                 }",
            )
            .await;
        browser.execute(&format!("location.hash = '{nonce}'")).await;
        logged_in(&browser, TOLVAN).await;
    });
}

#[test]
fn a_return_that_an_event_meets_on_its_way_is_told_first() {
    if !is_there() {
        return;
    }
    run(async {
        let _shows = shows!(accepting "PV-RETURN-2");
        let app = app().await;
        let [browser] = browsers_as(&app.certificate, Scripts::On, Some(SAFARI)).await;
        ask(&browser, &app).await;
        browser.press("button[value=this]").await;
        browser.see("#continue").await;
        let link = browser.url().await;
        browser.client.back().await.expect("it goes back");
        browser.see("[data-screen=launch]").await;
        // The page sleeps behind the app.
        browser.execute("rest(); leaving = true;").await;
        let claimed = app.phone.open(&link, TOLVAN).await;
        let return_url = claimed.return_url.clone().expect("a return address");
        let (_, nonce) = return_url.split_once('#').expect("a fragment");
        claimed.approve().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        // It wakes up: the app's address and the first event come together.
        let together = format!(
            "leaving = false; location.hash = '{nonce}'; show({{ screen: 'await-return' }});"
        );
        browser.execute(&together).await;
        logged_in(&browser, TOLVAN).await;
    });
}
