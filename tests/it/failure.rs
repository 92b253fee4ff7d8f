//! BankID on its bad days: nobody is told a wrong reason, nobody is left without a way on, and no login
//! whose answer was stored is lost.

use std::time::Duration;

use portvakt::shows;
use serde_json::{Value, json};

use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, Page, run};

/// How often BankID was asked for orders.
async fn orders_asked_for(app: &App) -> usize {
    let listed = app.phone.listed().await;
    let calls = listed["calls"].as_array().expect("a list");
    calls
        .iter()
        .filter(|call| call["operation"] == "auth")
        .count()
}

async fn no_orders(app: &App, what: Value, times: u32) {
    let whim = json!({"operation": "auth", "what": what, "times": times});
    app.phone.whim(whim).await;
}

/// Presses a button of a page that says why there is no order.
async fn press(browser: &Browser, trouble: &Page, id: &str, fields: &[&str]) -> Page {
    let (before, button) = trouble
        .body
        .split_once(&format!("id=\"{id}\""))
        .expect("a button");
    let (_, form) = before.rsplit_once("action=\"").expect("a form");
    let action = form.split('"').next().expect("an address");
    let device = button
        .split("value=\"")
        .nth(1)
        .and_then(|v| v.split('"').next());
    let mut form = vec![("device", device.expect("a value").to_owned())];
    form.extend(fields.iter().map(|name| (*name, trouble.value(name))));
    let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (*n, v.as_str())).collect();
    browser.post(&trouble.absolute(action), &form).await
}

const DOWN: &str = "BankID svarar inte";
const OURS: &str = "Något gick fel hos oss";
const BUSY: &str = "pågår redan för ditt personnummer";

#[test]
fn every_error_is_told_as_what_it_is_with_a_way_on() {
    run(async {
        let _shows = shows!(accepting "BP-28", accepting "PV-FAIL-1", refusing "PV-FAIL-1");
        let app = App::on(Database::sqlite()).await;
        for (what, status, says, told) in [
            (
                json!({"error": "alreadyInProgress"}),
                409,
                BUSY,
                "temporarily_unavailable",
            ),
            (
                json!({"error": "invalidParameters"}),
                500,
                OURS,
                "server_error",
            ),
            (json!({"error": "unauthorized"}), 500, OURS, "server_error"),
            (json!({"error": "notFound"}), 500, OURS, "server_error"),
            (
                json!({"error": "methodNotAllowed"}),
                500,
                OURS,
                "server_error",
            ),
            (
                json!({"error": "requestTimeout"}),
                503,
                DOWN,
                "temporarily_unavailable",
            ),
            (
                json!({"error": "unsupportedMediaType"}),
                500,
                OURS,
                "server_error",
            ),
            (
                json!({"error": "tooManyRequests"}),
                503,
                DOWN,
                "temporarily_unavailable",
            ),
            (
                json!({"error": "internalError"}),
                503,
                DOWN,
                "temporarily_unavailable",
            ),
            (
                json!({"error": "maintenance"}),
                503,
                DOWN,
                "temporarily_unavailable",
            ),
            (json!("garbage"), 503, DOWN, "temporarily_unavailable"),
            (
                json!({"patch": {"orderRef": null}}),
                503,
                DOWN,
                "temporarily_unavailable",
            ),
        ] {
            let browser = Browser::new();
            let choice = browser.get(&app.authorize_url(&[])).await;
            // Before there is a login.
            no_orders(&app, what.clone(), 1).await;
            let trouble = browser.press(&choice, "other").await;
            assert_eq!(trouble.status, status, "{what}");
            assert!(trouble.body.contains(says), "{what}: {}", trouble.body);
            let back = press(&browser, &trouble, "cancel", &["form", "scripts"]).await;
            let left = Answer::at(&back.after("content=\"0;url=").expect("a refresh"));
            assert_eq!(
                (left.get("error"), left.get("state")),
                (Some(told), Some("the-state"))
            );
            let again = press(&browser, &trouble, "try-again", &["form", "scripts"]).await;
            let login = browser.follow(&again).await;
            assert_eq!(login.screen().as_deref(), Some("scan"), "{what}");
            // And with one.
            no_orders(&app, what.clone(), 1).await;
            let trouble = browser.press_on(&login, "order", "this").await;
            assert_eq!(trouble.status, status, "{what}");
            assert!(trouble.body.contains(says), "{what}: {}", trouble.body);
            let again = press(&browser, &trouble, "try-again", &["csrf"]).await;
            let login = browser.follow(&again).await;
            assert_eq!(login.screen().as_deref(), Some("launch"), "{what}");
            let back = press(&browser, &trouble, "cancel", &["csrf"]).await;
            let left = browser.follow(&back).await;
            let left = Answer::at(&left.after("content=\"0;url=").expect("a refresh"));
            assert_eq!(left.get("error"), Some(told), "{what}");
        }
    });
}

#[test]
fn a_bankid_that_is_down_is_left_in_peace_and_back_within_ten_seconds() {
    run(async {
        let _shows = shows!(accepting "PV-FAIL-2", refusing "PV-FAIL-2");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let running = browser.choose(&choice, "other").await;
        let anew = browser
            .get(&app.authorize_url(&[("state", Some("b"))]))
            .await;
        no_orders(&app, json!({"error": "maintenance"}), 0).await;
        for _ in 0..12 {
            assert_eq!(browser.press(&anew, "other").await.status, 503);
        }
        // Five, then it is left in peace; a slow machine may have come to the next try.
        let asked = orders_asked_for(&app).await;
        assert!((1 + 5..=1 + 6).contains(&asked), "{asked}");
        // What runs goes on.
        let scan = browser.get(&running.url).await;
        app.phone
            .scan(&scan.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        Answer::of(&browser.until_departure(&running).await).code();
        app.phone.no_whims().await;
        app.clock.advance(Duration::from_secs(4));
        assert_eq!(browser.press(&anew, "other").await.status, 303);
    });
}

#[test]
fn a_stranger_in_bankids_place_gets_nothing() {
    run(async {
        let _shows = shows!(refusing "B15");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        app.phone.whim(json!({"what": "tls"})).await;
        let choice = browser.get(&app.authorize_url(&[])).await;
        assert_eq!(browser.press(&choice, "other").await.status, 503);
        assert_eq!(orders_asked_for(&app).await, 0);
        app.phone.no_whims().await;
        assert_eq!(browser.press(&choice, "other").await.status, 303);
    });
}

#[test]
fn an_answer_that_never_comes_is_waited_for_once() {
    run(async {
        let _shows = shows!(refusing "PV-FAIL-1");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        no_orders(&app, json!("hang"), 1).await;
        let trouble = browser.press(&choice, "other").await;
        assert_eq!(trouble.status, 503);
        assert_eq!(orders_asked_for(&app).await, 1, "an order may cost money");
    });
}

#[test]
fn a_lost_answer_ends_its_order_and_another_one_can_be_made() {
    run(async {
        let _shows = shows!(accepting "BP-03", accepting "PV-FAIL-3", refusing "PV-FAIL-3", accepting "B11", refusing "B11");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let claimed = app.phone.scan(&login.qr_text(), TOLVAN).await;
        let lose = json!({"operation": "collect", "what": "lose", "times": 0});
        app.phone.whim(lose).await;
        let lost = |many: usize| {
            let app = &app;
            async move {
                for _ in 0..200 {
                    let listed = app.phone.listed().await.to_string();
                    if listed.matches("whim: lose").count() >= many {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                panic!("nothing was lost");
            }
        };
        // One that waits is lost first, so that the next one surely holds the approval.
        lost(1).await;
        claimed.approve().await;
        lost(2).await;
        app.phone.no_whims().await;
        let failed = browser.until(&login, "failed").await;
        assert!(failed.body.contains("Något gick fel."), "{}", failed.body);
        let finish = browser.get(&format!("{}/finish", login.login_url())).await;
        assert!(finish.location().is_some_and(|l| !l.contains("code=")));
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
fn a_renewal_is_tried_a_few_times_and_then_left_to_the_person() {
    run(async {
        let _shows = shows!(accepting "PV-RENEW-2", refusing "PV-RENEW-2");
        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        no_orders(&app, json!({"error": "internalError"}), 0).await;
        app.clock.advance(Duration::from_secs(31));
        let asked = |many: usize| {
            let (app, browser, login) = (&app, &browser, &login);
            async move {
                for _ in 0..100 {
                    let screen = browser.status(login).await.1["screen"].clone();
                    if orders_asked_for(app).await >= many {
                        return screen;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                panic!("it was not tried");
            }
        };
        for tried in 1..=4 {
            asked(1 + tried).await;
            tokio::time::sleep(Duration::from_millis(1500)).await;
            let (_, status) = browser.status(&login).await;
            assert_eq!(status["screen"], "renewing");
            assert_eq!(
                orders_asked_for(&app).await,
                1 + tried,
                "not without a pause"
            );
            app.clock.advance(Duration::from_secs(12));
        }
        let failed = browser.until(&login, "failed").await;
        assert!(!failed.body.contains("Koden skannades inte"));
        assert!(
            failed.body.contains("name=\"device\" value=\"other\""),
            "{}",
            failed.body
        );
        app.phone.no_whims().await;
        let again = browser.press_on(&failed, "order", "other").await;
        assert_eq!(
            browser.follow(&again).await.screen().as_deref(),
            Some("scan")
        );
    });
}

#[test]
fn a_flood_from_one_address_waits_and_others_log_in() {
    run(async {
        let _shows = shows!(accepting "B13", refusing "B13", accepting "LI-11", refusing "LI-11");
        let app = App::on(Database::sqlite()).await;
        app.stop_provider().await;
        let limited = "[limits]\nlogins_per_address = 20\n[bankid]";
        let proxies = "[listen]\ntrusted_proxies = [\"127.0.0.0/8\"]";
        let changes = [("[bankid]", limited), ("[listen]", proxies)];
        let _serving = crate::crash::Serving::start(&app, "limited", &changes).await;
        let flood = Browser::from_address("192.0.2.66");
        let press = async |browser: &Browser, n: usize| {
            let state = format!("s{n}");
            let choice = browser
                .get(&app.authorize_url(&[("state", Some(&state))]))
                .await;
            browser.press(&choice, "other").await
        };
        let mut waiting = None;
        for n in 0..60 {
            let pressed = press(&flood, n).await;
            assert!([303, 429].contains(&pressed.status), "{}", pressed.status);
            if pressed.status == 429 {
                waiting = Some(pressed);
            }
        }
        let waiting = waiting.expect("somebody waits");
        assert!(waiting.body.contains("Du står i kö"), "{}", waiting.body);
        let made = orders_asked_for(&app).await;
        assert!((20..=30).contains(&made), "{made} orders");
        // Somebody else does not notice.
        let other = Browser::from_address("192.0.2.7");
        let pressed = press(&other, 100).await;
        let login = other.follow(&pressed).await;
        app.phone
            .scan(&login.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        Answer::of(&other.until_departure(&login).await).code();
        // And whoever waits gets their turn.
        for _ in 0..60 {
            let again = press_again(&flood, &waiting).await;
            if again.status == 303 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("the line does not move");
    });
}

async fn press_again(browser: &Browser, waiting: &Page) -> Page {
    press(browser, waiting, "try-again", &["form", "scripts"]).await
}
