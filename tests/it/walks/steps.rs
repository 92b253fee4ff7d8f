//! What people press at any time: reload, and back; and the address opened in another browser. A table
//! says where they find themselves.

use std::time::Duration;

use portvakt::shows;

use crate::chromium::{ask, in_browsers, logged_in};
use crate::support::App;
use crate::support::browser::read_qr;
use crate::support::chromium::{Chromium, Scripts};
use crate::support::phone::{Claimed, TOLVAN};

/// Where somebody is when they press it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Choice,
    Scan,
    Launch,
    Working,
    AwaitReturn,
    Failed,
    Cancelled,
    LoggedIn,
}

/// What they see then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    Choice,
    /// A screen of a login, by its name.
    Screen(&'static str),
    /// A page by its heading.
    Page(&'static str),
    /// The application, which knows them.
    KnownThere,
    /// The application, which knows nobody.
    UnknownThere,
}

impl Sees {
    async fn by(self, browser: &Chromium) -> bool {
        match self {
            Sees::Choice => browser.shows("form.choices button[name=device]").await,
            Sees::Screen(name) => browser.shows(&format!("[data-screen={name}]")).await,
            Sees::Page(heading) => {
                let script = "return document.querySelector('h1')?.textContent ?? ''";
                browser.execute(script).await == heading
            }
            Sees::KnownThere => browser.shows("#id-token").await,
            Sees::UnknownThere => browser.shows("#log-in").await,
        }
    }

    /// Comes there soon, and stays there.
    async fn expected_by(self, browser: &Chromium, why: &str) {
        for _ in 0..50 {
            if self.by(browser).await {
                tokio::time::sleep(Duration::from_millis(700)).await;
                if self.by(browser).await {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let (url, text) = (browser.url().await, browser.text().await);
        panic!("{why}: never {self:?}, but at {url}: {text}");
    }
}

async fn scanned(browser: &Chromium, app: &App) -> Claimed {
    let code = read_qr(&browser.attribute("#qr path", "d").await);
    let claimed = app.phone.scan(&code, TOLVAN).await;
    browser.see("[data-screen=working]").await;
    claimed
}

/// Leads somebody who was never here to a step. The address of their login, where there is one.
async fn lead(step: Step, browser: &Chromium, app: &App) -> String {
    browser.go("about:blank").await;
    browser.forget_cookies().await;
    ask(browser, app).await;
    let choice = browser.url().await;
    if step == Step::Choice {
        return choice;
    }
    if matches!(step, Step::Launch | Step::AwaitReturn) {
        browser.press("button[value=this]").await;
        browser.see("[data-screen=launch]").await;
        let login = browser.url().await;
        if step == Step::AwaitReturn {
            let link = browser.attribute("#open-app", "href").await;
            app.phone.open(&link, TOLVAN).await.approve().await;
            browser.see("[data-screen=await-return]").await;
        }
        return login;
    }
    browser.press("button[value=other]").await;
    browser.see("[data-screen=scan]").await;
    let login = browser.url().await;
    match step {
        Step::Choice | Step::Scan | Step::Launch | Step::AwaitReturn => {}
        Step::Working => {
            scanned(browser, app).await;
        }
        Step::Failed => {
            scanned(browser, app).await.decline().await;
            browser.see("[data-screen=failed]").await;
        }
        Step::Cancelled => {
            browser.press("#cancel").await;
            browser.see("#trouble").await;
        }
        Step::LoggedIn => {
            scanned(browser, app).await.approve().await;
            logged_in(browser, TOLVAN).await;
        }
    }
    login
}

#[test]
fn reload_at_every_step() {
    in_browsers(Scripts::On, async |app, [browser]| {
        let _shows = shows!(accepting "PV-STEP-1");
        for (step, sees) in [
            (Step::Choice, Sees::Choice),
            (Step::Scan, Sees::Screen("scan")),
            (Step::Launch, Sees::Screen("launch")),
            (Step::Working, Sees::Screen("working")),
            (Step::AwaitReturn, Sees::Screen("await-return")),
            (Step::Failed, Sees::Screen("failed")),
            (Step::Cancelled, Sees::UnknownThere),
            (Step::LoggedIn, Sees::KnownThere),
        ] {
            lead(step, &browser, &app).await;
            browser.client.refresh().await.expect("it loads");
            let why = format!("{step:?}, reloaded");
            sees.expected_by(&browser, &why).await;
        }
    });
}

#[test]
fn back_at_every_step() {
    in_browsers(Scripts::On, async |app, [browser]| {
        let _shows = shows!(accepting "PV-STEP-1");
        for (step, sees, then) in [
            (Step::Choice, Sees::UnknownThere, None),
            // The choice again, and what is chosen then goes on with the same login.
            (Step::Scan, Sees::Choice, Some(("other", "scan"))),
            (Step::Launch, Sees::Choice, Some(("this", "launch"))),
            (Step::Launch, Sees::Choice, Some(("other", "scan"))),
            (Step::Working, Sees::Choice, Some(("other", "working"))),
            (Step::AwaitReturn, Sees::Choice, Some(("other", "scan"))),
            (Step::Failed, Sees::Choice, Some(("other", "scan"))),
            (Step::Cancelled, Sees::UnknownThere, None),
            (Step::LoggedIn, Sees::KnownThere, None),
        ] {
            lead(step, &browser, &app).await;
            browser.client.back().await.expect("it goes back");
            let why = format!("{step:?}, gone back from");
            sees.expected_by(&browser, &why).await;
            if let Some((device, screen)) = then {
                browser.press(&format!("button[value={device}]")).await;
                let why = format!("{why}, and {device} pressed");
                Sees::Screen(screen).expected_by(&browser, &why).await;
            }
        }
    });
}

#[test]
fn another_browser_at_every_step() {
    in_browsers(Scripts::On, async |app, [browser, other]| {
        let _shows = shows!(accepting "PV-STEP-2", refusing "PV-STEP-2");
        let wrong = Sees::Page("Fel webbläsare");
        for (step, there, here) in [
            (Step::Choice, Sees::Choice, Sees::Choice),
            (Step::Scan, wrong, Sees::Screen("scan")),
            (Step::Launch, wrong, Sees::Screen("launch")),
            (Step::Working, wrong, Sees::Screen("working")),
            (Step::AwaitReturn, wrong, Sees::Screen("await-return")),
            (Step::Failed, wrong, Sees::Screen("failed")),
            (Step::Cancelled, wrong, Sees::UnknownThere),
            (Step::LoggedIn, wrong, Sees::KnownThere),
        ] {
            let address = lead(step, &browser, &app).await;
            other.go("about:blank").await;
            other.forget_cookies().await;
            for address in [address.clone(), format!("{address}/finish")] {
                if step == Step::Choice && address.ends_with("/finish") {
                    continue;
                }
                other.go(&address).await;
                there
                    .expected_by(&other, &format!("{step:?}, in another browser"))
                    .await;
            }
            here.expected_by(&browser, &format!("{step:?}, after another browser came"))
                .await;
        }
    });
}

#[test]
fn the_address_of_a_login_that_has_ended() {
    in_browsers(Scripts::On, async |app, [browser]| {
        let _shows = shows!(accepting "PV-STEP-1");
        for (step, sees) in [
            (Step::Cancelled, Sees::UnknownThere),
            (Step::LoggedIn, Sees::Page("Inloggningen är avslutad")),
        ] {
            let login = lead(step, &browser, &app).await;
            browser.go(&login).await;
            sees.expected_by(&browser, &format!("{step:?}, and its address again"))
                .await;
        }
    });
}
