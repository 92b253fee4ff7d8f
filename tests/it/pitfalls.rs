//! What those who build on BankID forget or get wrong, each shown not to happen here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portvakt::config::Config;
use portvakt::secret::{Secret, kind};
use portvakt::shows;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::phone::TOLVAN;
use crate::support::ports;
use crate::support::{Answer, App, Browser, Database, Page, run};

const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1";
const OPERA: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36 OPR/92.0.0.0";
const INSTAGRAM: &str = "Mozilla/5.0 (Linux; Android 15; SM-S921B Build/AP3A.240905.015; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/141.0.7390.122 Mobile Safari/537.36 Instagram 404.0.0.48.76 Android (35/15; 480dpi; 1080x2340; samsung; SM-S921B; e1s; s5e9945; sv_SE; 800000000)";

/// When BankID was called for something, in milliseconds, the first time first. Answers to `collect`
/// are listed where a whim spoiled them.
async fn called(app: &App, operation: &str) -> Vec<i64> {
    let listed = app.phone.listed().await;
    let calls = listed["calls"].as_array().expect("a list");
    let mut at: Vec<i64> = calls
        .iter()
        .filter(|call| call["operation"] == operation)
        .map(|call| call["at"].as_i64().expect("a moment"))
        .collect();
    at.reverse();
    at
}

async fn whim(app: &App, operation: &str, what: Value, times: u32) {
    let whim = json!({"operation": operation, "what": what, "times": times});
    app.phone.whim(whim).await;
}

/// Waits until the latest order stands so.
async fn standing(app: &App, expected: &str) {
    let mut seen = Value::Null;
    for _ in 0..100 {
        seen = app.phone.listed().await["orders"][0]["standing"].clone();
        if seen == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the order never was {expected}: {seen}");
}

async fn begin(app: &App, browser: &Browser, device: &str) -> Page {
    let choice = browser.get(&app.authorize_url(&[])).await;
    browser.choose(&choice, device).await
}

async fn pause(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[test]
fn bankid_is_asked_at_once_then_every_two_seconds_and_never_twice() {
    run(async {
        let _shows = shows!(accepting "BC-04", refusing "BC-04", accepting "BP-01", refusing "BP-01", accepting "BP-03", accepting "BP-06");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        whim(&app, "collect", json!("garbage"), 0).await;
        let login = begin(&app, &browser, "other").await;
        // BankID has said nothing of it yet, and the code is there.
        login.qr_text();
        pause(7).await;
        let ordered_at = called(&app, "auth").await[0];
        let asked_at = called(&app, "collect").await;
        assert!(asked_at[0] - ordered_at < 1900, "at once");
        assert!((2..=5).contains(&asked_at.len()), "{asked_at:?}");
        for pair in asked_at.windows(2) {
            assert!(pair[1] - pair[0] > 1500, "{asked_at:?}");
        }
        // One that is not answered is waited for, and nobody asks beside it.
        app.phone.no_whims().await;
        whim(&app, "collect", json!("hang"), 1).await;
        whim(&app, "collect", json!("garbage"), 0).await;
        let before = asked_at.len();
        while called(&app, "collect").await.len() <= before {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let hung = called(&app, "collect").await.len();
        pause(7).await;
        assert_eq!(called(&app, "collect").await.len(), hung, "not twice");
        app.phone.no_whims().await;
        let scan = browser.until(&login, "scan").await;
        app.phone
            .scan(&scan.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        browser.until(&login, "finish").await;
        // After the answer there are no questions.
        let asked = called(&app, "collect").await.len();
        whim(&app, "collect", json!("garbage"), 0).await;
        pause(5).await;
        assert_eq!(called(&app, "collect").await.len(), asked);
        Answer::of(&browser.until_departure(&login).await).code();
    });
}

#[test]
fn nobody_is_told_an_answer_before_it_is_stored() {
    run(async {
        use sqlx::Connection;
        let _shows = shows!(accepting "BC-04", refusing "BC-04");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let login = begin(&app, &browser, "other").await;
        let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
        browser.until(&login, "working").await;
        let url = app.database.url(app.directory.path());
        let mut writer = sqlx::SqliteConnection::connect(&url)
            .await
            .expect("the database");
        let mut held = writer.begin_with("BEGIN IMMEDIATE").await.expect("begun");
        sqlx::query("SELECT 1")
            .execute(&mut *held)
            .await
            .expect("asked");
        claimed.approve().await;
        standing(&app, "collected or cancelled").await;
        pause(2).await;
        let (_, told) = browser.status(&login).await;
        assert_eq!(told["screen"], "working", "it cannot be stored yet");
        held.rollback().await.expect("released");
        Answer::of(&browser.until_departure(&login).await).code();
    });
}

#[test]
fn an_approval_is_fetched_while_nobody_looks_and_kept_for_whoever_comes() {
    run(async {
        let _shows =
            shows!(accepting "BP-02", accepting "BP-05", accepting "BP-17", accepting "BC-08");
        let app = App::on(Database::sqlite()).await;
        for user_agent in [OPERA, IPHONE] {
            let browser = Browser::with_user_agent(user_agent);
            let login = begin(&app, &browser, "this").await;
            let claimed = app.phone.open(&login.launch_link(), TOLVAN).await;
            let return_url = claimed.return_url.clone().expect("a return address");
            claimed.approve().await;
            standing(&app, "collected or cancelled").await;
            // By the database, because a page would be somebody who looks.
            let url = app.database.url(app.directory.path());
            let db = sqlx::SqlitePool::connect(&url).await.expect("the database");
            let sql = "SELECT count(*) FROM bankid_order WHERE progress = 'complete'";
            let mut stored = 0;
            for _ in 0..100 {
                stored = sqlx::query_scalar(sql)
                    .fetch_one(&db)
                    .await
                    .expect("a count");
                if stored == 1 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            assert_eq!(stored, 1, "it is fetched");
            // BankID itself would have forgotten it by now.
            app.clock.advance(Duration::from_secs(240));
            let returned = browser.get(&return_url).await;
            let tab = browser.follow(&returned).await;
            for _ in 0..3 {
                let again = browser.get(&tab.url).await;
                assert_eq!(again.screen().as_deref(), Some("finish"), "{user_agent}");
                let other = browser.copy().get(&login.url).await;
                assert_eq!(other.screen().as_deref(), Some("other-tab"));
            }
            Answer::of(&browser.until_departure(&tab).await).code();
        }
        let refused = called(&app, "collect").await;
        assert!(refused.is_empty(), "the result was asked for once");
    });
}

#[test]
fn an_order_ends_at_bankid_with_its_logins_time() {
    run(async {
        let _shows = shows!(accepting "BC-10", refusing "BC-10");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let login = begin(&app, &browser, "other").await;
        app.clock.advance(Duration::from_secs(31));
        browser.until(&login, "renewing").await;
        browser.until(&login, "scan").await;
        app.clock.advance(Duration::from_secs(715));
        // Half a minute before its end the login makes another order.
        let mut scan = browser.get(&login.url).await;
        while scan.screen().as_deref() != Some("scan") {
            if scan.screen().as_deref() == Some("failed") {
                browser.press_on(&scan, "order", "other").await;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
            scan = browser.get(&login.url).await;
        }
        let claimed = app.phone.scan(&scan.qr_text(), TOLVAN).await;
        browser.until(&login, "working").await;
        app.clock.advance(Duration::from_secs(35));
        let over = browser.get(&login.url).await;
        assert_eq!(over.screen().as_deref(), Some("failed"));
        standing(&app, "collected or cancelled").await;
        assert!(
            claimed.type_code("123456").await.is_err(),
            "nothing is left"
        );
    });
}

#[test]
fn whoever_cancels_leaves_even_when_bankid_fails() {
    run(async {
        let _shows = shows!(accepting "BP-29", refusing "BP-29");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let login = begin(&app, &browser, "other").await;
        let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
        whim(&app, "cancel", json!({"error": "internalError"}), 1).await;
        let cancelled = browser.press_on(&login, "cancel", "").await;
        let left = browser.follow(&cancelled).await;
        assert!(left.body.contains("error=access_denied"), "{}", left.body);
        assert_eq!(called(&app, "cancel").await.len(), 1);
        // What BankID did not end logs nobody in.
        claimed.approve().await;
        pause(3).await;
        let finish = browser.get(&format!("{}/finish", login.login_url())).await;
        assert!(!finish.location().unwrap_or_default().contains("code="));
    });
}

#[test]
fn whoever_goes_away_leaves_no_live_order() {
    run(async {
        let _shows = shows!(refusing "BP-30");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let login = begin(&app, &browser, "other").await;
        // Longer than a page that is looked at ever stays away.
        pause(9).await;
        app.clock.advance(Duration::from_secs(31));
        pause(5).await;
        assert_eq!(called(&app, "auth").await.len(), 1, "nobody looks");
        assert_eq!(app.phone.codes_on_screen().await, 0);
        browser.until(&login, "scan").await;
        assert_eq!(called(&app, "auth").await.len(), 2, "somebody is back");
    });
}

#[test]
fn whoever_takes_their_time_over_the_choice_has_all_the_time_after_it() {
    run(async {
        let _shows = shows!(accepting "BP-21");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let lives = |page: &Page, prefix: &str| {
            let cookies = page.headers.get_all("set-cookie").iter();
            let cookie = cookies
                .map(|c| c.to_str().expect("ASCII"))
                .find(|c| c.starts_with(prefix))
                .expect("a cookie");
            let (_, age) = cookie.split_once("Max-Age=").expect("an age");
            age.split(';')
                .next()
                .and_then(|a| a.parse::<u64>().ok())
                .expect("seconds")
        };
        assert!(lives(&choice, "f-") >= 600);
        app.clock.advance(Duration::from_secs(590));
        let pressed = browser.press(&choice, "this").await;
        assert!(lives(&pressed, "l-") >= 13 * 60);
        let login = browser.follow(&pressed).await;
        // The first try comes to nothing, and minutes later there is another one.
        app.clock.advance(Duration::from_secs(700));
        let failed = browser.until(&login, "failed").await;
        let again = browser.press_on(&failed, "order", "other").await;
        let scan = browser.follow(&again).await;
        app.phone
            .scan(&scan.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        Answer::of(&browser.until_departure(&login).await).code();
    });
}

#[test]
fn an_order_is_made_by_a_form_of_our_own_alone() {
    run(async {
        let _shows =
            shows!(accepting "BC-02", refusing "BC-02", accepting "BP-25", refusing "BP-31");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::with_user_agent(INSTAGRAM);
        assert!(INSTAGRAM.len() > 256);
        let choice = browser.get(&app.authorize_url(&[])).await;
        let form = choice.value("form");
        let url = format!("{}/login", app.issuer);
        let fields = [("form", form.as_str()), ("device", "other")];
        let by_get = format!("{url}?device=other&form={form}");
        assert_eq!(browser.get(&by_get).await.status, 405);
        assert_eq!(browser.post_from_elsewhere(&url, &fields).await.status, 403);
        assert_eq!(Browser::new().post(&url, &fields).await.status, 403);
        let changed = format!("{}x", &form[..form.len() - 1]);
        let forged = [("form", changed.as_str()), ("device", "other")];
        assert_eq!(browser.post(&url, &forged).await.status, 403);
        assert!(called(&app, "auth").await.is_empty());
        // The simulator refuses what BankID refuses: media type, address, browser, domain.
        let login = browser.choose(&choice, "other").await;
        let name = browser.cookie("browser").expect("a lasting name");
        for _ in 0..3 {
            browser.get(&login.url).await;
        }
        let listed = app.phone.listed().await;
        let outcomes: Vec<&Value> = listed["calls"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|call| &call["outcome"])
            .collect();
        assert_eq!(outcomes, ["200"]);
        browser.press_on(&login, "order", "other").await;
        assert_eq!(browser.cookie("browser"), Some(name));
    });
}

#[test]
fn a_returns_nonce_is_kept_as_a_digest() {
    run(async {
        let _shows = shows!(accepting "BC-03");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let login = begin(&app, &browser, "this").await;
        let claimed = app.phone.open(&login.launch_link(), TOLVAN).await;
        let return_url = claimed.return_url.clone().expect("a return address");
        let nonce = return_url.rsplit('/').next().expect("a nonce");
        let digest = Secret::<kind::ReturnNonce>::parse(nonce)
            .expect("ours")
            .digest();
        let other = browser
            .get(&app.authorize_url(&[("state", Some("b"))]))
            .await;
        browser.choose(&other, "other").await;
        let url = app.database.url(app.directory.path());
        let db = sqlx::SqlitePool::connect(&url).await.expect("the database");
        let kept: Vec<Option<Vec<u8>>> =
            sqlx::query_scalar("SELECT return_nonce FROM bankid_order ORDER BY return_nonce DESC")
                .fetch_all(&db)
                .await
                .expect("two orders");
        assert_eq!(kept, [Some(digest.as_bytes().to_vec()), None]);
    });
}

/// A way to the simulator that counts connections: a configuration that takes it, and the count.
async fn counted(app: &App) -> (String, Arc<AtomicUsize>) {
    let url = app
        .config
        .split("https://")
        .find(|rest| rest.starts_with("localhost:") && rest.contains("/rp/v6.0"));
    let api = url.and_then(|rest| rest.split('/').next());
    let api = api.expect("an address").to_owned();
    let there = api.clone();
    let (listener, port) = ports::awaited();
    let near = format!("localhost:{port}");
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::Relaxed);
            let mut far = TcpStream::connect(&there).await.expect("the simulator");
            tokio::spawn(async move {
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (app.config.replace(&api, &near), count)
}

#[test]
fn connections_are_kept_and_orders_that_hang_keep_nobody_waiting() {
    run(async {
        let _shows = shows!(accepting "BP-35");
        let app = App::on(Database::sqlite()).await;
        let request = |n: usize| {
            let state = format!("s{n}");
            app.authorize_url(&[("state", Some(&state))])
        };
        let (through, connections) = counted(&app).await;
        let config = Config::parse(&through, app.directory.path()).expect("a good configuration");
        let parties = config.bankid.parties().expect("made");
        for _ in 0..10 {
            parties[0].bankid.probe().await.expect("BankID answers");
            // A connection is put back a moment after its answer.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // One; another where that moment was longer.
        let made = connections.load(Ordering::Relaxed);
        assert!(made <= 3, "{made} connections for ten questions");
        whim(&app, "collect", json!("hang"), 0).await;
        for n in 0..40 {
            let browser = Browser::new();
            let choice = browser.get(&request(n)).await;
            browser.choose(&choice, "other").await.qr_text();
        }
        // The last ones are about to be asked after.
        for _ in 0..100 {
            if called(&app, "collect").await.len() >= 40 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("all of them hang");
    });
}

#[test]
fn every_address_of_a_login_can_be_loaded_again() {
    run(async {
        let _shows = shows!(accepting "BP-14");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let twice = |url: String| {
            let browser = &browser;
            async move {
                let first = browser.get(&url).await;
                let second = browser.get(&url).await;
                assert_eq!((first.status, second.status), (200, 200), "{url}");
                assert_eq!(first.screen(), second.screen(), "{url}");
                second
            }
        };
        let choice = twice(app.authorize_url(&[])).await;
        // An answer to a form is loaded again by sending the form again.
        whim(&app, "auth", json!({"error": "maintenance"}), 2).await;
        for _ in 0..2 {
            assert_eq!(browser.press(&choice, "this").await.status, 503);
        }
        let login = browser.choose(&choice, "this").await;
        let same = browser.choose(&choice, "this").await;
        assert_eq!(same.url, login.url);
        twice(login.url.clone()).await;
        let claimed = app.phone.open(&login.launch_link(), TOLVAN).await;
        twice(login.url.clone()).await;
        claimed.approve().await;
        let returned = browser
            .get(&claimed.return_url.clone().expect("an address"))
            .await;
        let tab = browser.follow(&returned).await;
        browser.until(&tab, "finish").await;
        twice(tab.url.clone()).await;
        twice(login.url.clone()).await;
        let window = browser.copy();
        Answer::of(&browser.until_departure(&tab).await).code();
        let late = window.get(&format!("{}/finish", login.login_url())).await;
        assert!(
            late.body.contains("Inloggningen är avslutad"),
            "{}",
            late.body
        );
        let anew = [("prompt", Some("login")), ("state", Some("anew"))];
        let choice = browser.get(&app.authorize_url(&anew)).await;
        let login = browser.choose(&choice, "other").await;
        browser.press_on(&login, "cancel", "").await;
        let left = twice(format!("{}/left", login.login_url())).await;
        assert!(left.body.contains("error=access_denied"));
    });
}
