//! Where the gallery's browser walks: an app, a browser, and a client that keeps nobody.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use portvakt::admin::role::{Reach, Role};
use serde_json::{Value, json};

use crate::support::browser::read_qr;
use crate::support::chromium::{Chromium, Scripts, browsers};
use crate::support::devtools::Scheme;
use crate::support::holding::Holding;
use crate::support::phone::{Claimed, TOLVAN};
use crate::support::{App, Database, Options, run};

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tongue {
    Sv,
    En,
}

impl Tongue {
    pub fn tag(self) -> &'static str {
        match self {
            Tongue::Sv => "sv",
            Tongue::En => "en",
        }
    }

    /// As a browser says it.
    fn accepted(self) -> &'static str {
        match self {
            Tongue::Sv => "sv-SE,sv",
            Tongue::En => "en-GB,en",
        }
    }
}

/// A computer. Its browsers open no app before a link is pressed.
pub const COMPUTER: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36";
/// A phone whose browser opens no app before a link is pressed.
pub const PHONE: &str = "Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile Safari/537.36";
/// A browser inside another application.
pub const INSIDE_AN_APP: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/500.0]";

/// The client that keeps nobody, and the same with a page of its own that logs out.
pub const CLIENT: &str = "gallery";
pub const FRAMED: &str = "gallery-framed";

/// What the pages say of the provider.
const PAGES: &str = r#"[pages]
name = "Kommunens inloggning"
help_uri = "https://kommunen.example/hjalp"
privacy_uri = "https://kommunen.example/personuppgifter"
accessibility_uri = "https://kommunen.example/tillganglighet"
"#;

pub struct Stage {
    pub app: App,
    pub browser: Chromium,
    pub tongue: Tongue,
    pub holding: Holding,
    administers: Cell<bool>,
    requests: Cell<usize>,
    /// Apps of other kinds, for as long as they are looked at.
    others: RefCell<Vec<App>>,
}

/// Runs a story on a stage of its own.
pub fn on_a_stage(story: impl AsyncFn(&Stage)) {
    run(async {
        let stage = Stage::start(Tongue::Sv).await;
        stage.clear().await;
        story(&stage).await;
    });
}

impl Stage {
    pub async fn start(tongue: Tongue) -> Stage {
        let options = Options {
            sections: PAGES.to_owned(),
            ..Options::on(Database::sqlite())
        };
        let app = App::start(options).await;
        let holding = Holding::start();
        register(&app, &holding).await;
        let [browser] = browsers(&app.certificate, Scripts::On).await;
        Stage {
            app,
            browser,
            tongue,
            holding,
            administers: Cell::default(),
            requests: Cell::default(),
            others: RefCell::default(),
        }
    }

    /// Somebody new sits down. Only an administrator stays.
    pub async fn clear(&self) {
        let browser = &self.browser;
        browser.let_scripts_run(true).await;
        browser.go("about:blank").await;
        browser.look(1280, Scheme::Light).await;
        self.pose_as(COMPUTER).await;
        if !self.administers.get() {
            browser.forget_cookies().await;
        }
        self.app.phone.no_whims().await;
        self.others.borrow_mut().clear();
    }

    pub async fn pose_as(&self, user_agent: &str) {
        let language = self.tongue.accepted();
        self.browser.pose_as(user_agent, language).await;
    }

    /// Everything that the page needs is there.
    pub async fn settle(&self) {
        for _ in 0..100 {
            let is_loaded = "return document.readyState === 'complete'";
            if self.browser.execute(is_loaded).await == json!(true) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it never loads: {}", self.browser.url().await);
    }

    /// Keeps another app for as long as its page is looked at.
    pub fn keep(&self, app: App) {
        self.others.borrow_mut().push(app);
    }

    /// A request of the client that keeps nobody, unlike all before.
    pub fn request(&self, changes: &[(&str, Option<&str>)]) -> String {
        self.request_at(&self.app, changes)
    }

    pub fn request_at(&self, app: &App, changes: &[(&str, Option<&str>)]) -> String {
        self.requests.set(self.requests.get() + 1);
        let state = format!("request-{}", self.requests.get());
        let callback = format!("{}/callback", self.holding.url);
        let mut asked = vec![
            ("client_id", Some(CLIENT)),
            ("redirect_uri", Some(callback.as_str())),
            ("state", Some(state.as_str())),
        ];
        asked.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        asked.extend(changes);
        app.authorize_url(&asked)
    }

    /// A request of another client, whose callback is all that matters.
    pub fn request_of(&self, client: &str, host: &str) -> String {
        let callback = format!("https://{host}.example/callback");
        self.request(&[
            ("client_id", Some(client)),
            ("redirect_uri", Some(&callback)),
            ("scope", Some("openid")),
        ])
    }

    pub async fn choice(&self, request: &str) {
        self.browser.go(request).await;
        self.browser.see("button[name=device]").await;
    }

    /// To the code on the screen.
    pub async fn scan(&self, request: &str) {
        self.choice(request).await;
        self.browser.press("button[value=other]").await;
        self.browser.see("[data-screen=scan]").await;
    }

    /// To the link that opens the app.
    pub async fn launch(&self, request: &str) {
        self.choice(request).await;
        self.browser.press("button[value=this]").await;
        self.browser.see("[data-screen=launch]").await;
    }

    /// An app scans the code on the screen.
    pub async fn scanned(&self, request: &str) -> Claimed {
        self.scan(request).await;
        self.scan_again().await
    }

    /// The same of a code that is there.
    pub async fn scan_again(&self) -> Claimed {
        let code = read_qr(&self.browser.attribute("#qr path", "d").await);
        self.app.phone.scan(&code, TOLVAN).await
    }

    /// The app opens on this device.
    pub async fn opened(&self, request: &str) -> Claimed {
        self.launch(request).await;
        let link = self.browser.attribute("#open-app", "href").await;
        self.app.phone.open(&link, TOLVAN).await
    }

    pub async fn sees_screen(&self, screen: &str) {
        self.browser.see(&format!("[data-screen={screen}]")).await;
    }

    /// Waits until something of the page before is gone, and another page is there.
    pub async fn sees_no_more(&self, css: &str) {
        for _ in 0..200 {
            if !self.browser.shows(css).await && self.browser.shows("h1").await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{css} stays: {}", self.browser.text().await);
    }

    /// Logs in at a client that keeps nobody, whole.
    pub async fn log_in_at(&self, client: &str) {
        let request = self.request(&[("client_id", Some(client))]);
        let claimed = self.scanned(&request).await;
        claimed.approve().await;
        let state = format!("state=request-{}", self.requests.get());
        self.holding.hears(&["/callback", "code=", &state]).await;
    }

    /// Becomes an administrator, once.
    pub async fn administer(&self, path: &str) {
        let browser = &self.browser;
        if !self.administers.get() {
            let (_, link) = self.app.invite(Role::Owner, Reach::All).await;
            browser.go(&link).await;
            browser.press("#take").await;
            browser.press("button[value=this]").await;
            browser.press("#open-app").await;
            browser.press(&format!("input[value='{TOLVAN}']")).await;
            browser.press("#continue").await;
            browser.press("#approve").await;
            browser.read("Certificates at BankID").await;
            self.administers.set(true);
        }
        self.go_to_administration(path).await;
    }

    pub async fn go_to_administration(&self, path: &str) {
        let browser = &self.browser;
        browser.go(&format!("{}{path}", self.app.admin)).await;
        browser.see("main h1").await;
    }
}

/// Registers the clients of [`Holding`].
pub async fn register(app: &App, holding: &Holding) {
    let of = |name: &str, more: Value| {
        let mut metadata = json!({
            "client_name": name,
            "redirect_uris": [format!("{}/callback", holding.url)],
            "post_logout_redirect_uris": [format!("{}/", holding.url)],
            "purpose": { "sv": "Ansök om bygglov.", "en": "Apply for a building permit." },
            "pkce": "accepted",
            "personal_number": { "purpose": "Tests." },
        });
        let members = more.as_object().expect("an object").clone();
        metadata.as_object_mut().expect("an object").extend(members);
        metadata
    };
    let front = format!("{}/front", holding.url);
    app.register(CLIENT, of("Kommunens e-tjänster", json!({})))
        .await;
    let framed = of(
        "Bygglovsportalen",
        json!({ "frontchannel_logout_uri": front }),
    );
    app.register(FRAMED, framed).await;
}
