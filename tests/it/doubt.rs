//! When nobody knows what became of a commit, or of who was about to make one.

use std::time::Duration;

use portvakt::shows;

use crate::crash::Serving;
use crate::support::between::{Between, Fate, When};
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, run};

/// Longer than it takes to look whether something was stored.
const LATE: Duration = Duration::from_millis(1500);

async fn node_behind(app: &App) -> (Between, Serving) {
    let between = Between::start(&app.database.url(app.directory.path())).await;
    let node = Serving::behind(app, "behind", &between).await;
    (between, node)
}

/// The commit of a transaction with a statement that begins so meets a fate.
fn at_commit_of(between: &Between, begins: &'static str, fate: Fate) {
    between.watch(move |statement, before| statement.commits(before, begins, "").then_some(fate));
}

#[test]
fn an_order_that_is_stored_late_is_collected_and_not_cancelled() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "P3");
        let app = App::on(database).await;
        app.stop_provider().await;
        let (between, node) = node_behind(&app).await;
        let browser = Browser::new();
        browser.connect_to(node.port);
        // The first order of a login.
        let choice = browser.get(&app.authorize_url(&[])).await;
        at_commit_of(&between, "INSERT INTO login (", Fate::Late(LATE));
        assert_eq!(browser.press(&choice, "other").await.status, 503);
        let login = browser.choose(&choice, "other").await;
        // The first one is ended when it is seen that another took its place.
        for _ in 0..50 {
            if app.phone.codes_on_screen().await == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(app.phone.codes_on_screen().await, 1, "one live order");
        // One in its place.
        at_commit_of(&between, "UPDATE login SET order_id", Fate::Late(LATE));
        assert_eq!(browser.press_on(&login, "order", "other").await.status, 503);
        let scan = browser.until(&login, "scan").await;
        assert_eq!(app.phone.codes_on_screen().await, 1, "one live order");
        app.phone
            .scan(&scan.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        Answer::of(&browser.until_departure(&login).await).code();
    });
}

#[test]
fn a_node_that_is_gone_without_a_word_holds_nobody_up() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "P4");
        let app = App::on(database).await;
        let (between, node) = node_behind(&app).await;
        let browser = Browser::new();
        browser.connect_to(node.port);
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        app.phone
            .scan(&login.qr_text(), TOLVAN)
            .await
            .approve()
            .await;
        browser.until(&login, "finish").await;
        // Its connection to the database stays, and nothing more is said over it.
        let held = Fate::Held(When::Unsent);
        at_commit_of(&between, "UPDATE login SET state = 'finished'", held);
        let finish = format!("{}/finish", login.login_url());
        let (gone, url) = (browser.copy(), finish.clone());
        gone.connect_to(node.port);
        let unanswered = tokio::spawn(async move { gone.try_get(&url).await.is_ok() });
        between.met().await;
        let port = app.issuer.rsplit_once(':').expect("a port").1;
        browser.connect_to(port.parse().expect("a port"));
        let finished = browser.get(&finish).await;
        crate::token::redeem(&app, &Answer::of(&finished)).await;
        assert!(!unanswered.is_finished(), "the other node never knew");
    });
}

#[test]
fn nothing_is_asked_over_a_connection_that_may_be_being_closed() {
    run(async {
        let _shows = shows!(accepting "PV-FAIL-4");
        let app = App::on(Database::sqlite()).await;
        let connections = async || app.phone.listed().await["connections"].as_u64();
        let ordered = async |state| {
            let url = app.authorize_url(&[("state", Some(state))]);
            let browser = Browser::new();
            let choice = browser.get(&url).await;
            let login = browser.choose(&choice, "other").await;
            (browser, login)
        };
        let (browser, login) = ordered("a").await;
        browser.press_on(&login, "cancel", "other").await;
        let before = connections().await.expect("a number");
        // The simulator closes what rests for five seconds.
        tokio::time::sleep(Duration::from_millis(4300)).await;
        ordered("b").await;
        assert!(connections().await > Some(before));
    });
}
