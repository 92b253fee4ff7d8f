//! One of two nodes has a clock that is half a minute off, and later has it set.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::join_all;
use portvakt::shows;
use portvakt::testing::canary;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::balancer::Balancer;
use crate::support::cluster::Node;
use crate::support::phone::TOLVAN;
use crate::support::visitors::Visitors;
use crate::support::{Answer, App, Browser, CALLBACK, Database, Options, SECRET, left_out, run};
use crate::token::{Told, claims, told};

static SAID: OnceLock<()> = OnceLock::new();

/// Debian's library that lies about the time.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    folders
        .filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketimeMT.so.1")))
        .find(|file| file.exists())
}

/// A clock that a test sets, for a node. What counts seconds and does not tell the time goes on as it does.
struct Lying {
    file: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Lying {
    fn clock(app: &App) -> Option<Lying> {
        let Some(library) = library() else {
            left_out("faketime", &SAID);
            return None;
        };
        let file = app.directory.path().join("clock");
        let text = |path: &PathBuf| path.display().to_string();
        let lying = Lying {
            environment: vec![
                ("LD_PRELOAD", text(&library)),
                ("FAKETIME_TIMESTAMP_FILE", text(&file)),
                ("FAKETIME_CACHE_DURATION", "1".to_owned()),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ],
            file,
        };
        lying.set(0);
        Some(lying)
    }

    /// So many seconds off the right time.
    fn set(&self, off: i64) {
        // In one go: a file that is read half is a time of its own.
        let beside = self.file.with_extension("new");
        std::fs::write(&beside, format!("{off:+}\n")).expect("written");
        std::fs::rename(beside, &self.file).expect("renamed");
    }
}

/// A client's request to one of the nodes.
async fn ask(app: &App, node: &Node, path: &str, form: &[(&str, &str)]) -> Told {
    let url = format!("http://127.0.0.1:{}{path}", node.place.public);
    let request = app.http.post(url).form(form);
    let request = request.header("host", app.issuer.trim_start_matches("http://"));
    told(request.basic_auth("web", Some(SECRET))).await
}

async fn exchange(app: &App, node: &Node, code: &str) -> Told {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
    ];
    ask(app, node, "/token", &form).await
}

/// A login that begins at one node and ends at another one; the browser is left at that.
async fn log_in(app: &App, browser: &Browser, state: &str, begins: &Node, ends: &Node) -> Answer {
    browser.connect_to(begins.place.public);
    let url = app.authorize_url(&[("state", Some(state)), ("prompt", Some("login"))]);
    let choice = browser.get(&url).await;
    let login = begins.place.choose(app, browser, &choice, "other").await;
    let scanned = app.phone.scan(&login.qr_text(), TOLVAN).await;
    browser.connect_to(ends.place.public);
    scanned.approve().await;
    Answer::of(&browser.until_departure(&login).await)
}

/// Whether a stream of events ends by itself within a few seconds.
async fn is_let_go(mut events: reqwest::Response) -> bool {
    let ends = async { while let Ok(Some(_)) = events.chunk().await {} };
    tokio::time::timeout(Duration::from_secs(5), ends)
        .await
        .is_ok()
}

/// Whether an order of each node is still that node's after two looks at who lives: of two nodes, then.
async fn keep_their_orders(app: &App, right: &Node, askew: &Node) -> bool {
    let mut logins = Vec::new();
    for node in [right, askew] {
        let browser = Browser::new();
        browser.connect_to(node.place.public);
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = node.place.choose(app, &browser, &choice, "other").await;
        logins.push(format!("'{}'", login.login_id()));
    }
    let collectors = format!(
        "SELECT DISTINCT node_id FROM bankid_order WHERE login_id IN ({})",
        logins.join(", ")
    );
    tokio::time::sleep(Duration::from_millis(2500)).await;
    app.database.texts(app.directory.path(), collectors).len() == 2
}

async fn a_clock_goes_wrong(database: Database, off: i64) {
    let _shows =
        shows!(accepting "P2", refusing "P2", accepting "PV-CLOCK-1", refusing "PV-CLOCK-1");
    let app = Arc::new(App::start(Options::on(database)).await);
    let Some(lying) = Lying::clock(&app) else {
        return;
    };
    app.stop_provider().await;
    let right = Node::start(&app, "right").await;
    let mut askew = Node::start_in(&app, "askew", lying.environment.clone()).await;
    let balancer = Balancer::before(&app, &[right.place, askew.place]).await;
    let visitors = Visitors::of(6, &app);
    visitors.until_more(3).await;
    // While logins are under way at both.
    lying.set(off);
    askew.until_it_says(&app, 503, "s off the database's").await;
    assert!(right.readiness(&app).await.0 == 200);
    balancer.until(1, false).await;
    askew
        .serving
        .until_it_says("the clock is off the database's")
        .await;
    let (sent, unready) = (balancer.sent(1), balancer.sent_unready());

    let browser = Browser::new();
    let at = || app.clock.now().0;
    // Whichever way a login goes, it ends with one good token, and its code is good once.
    for (state, begins, ends) in [
        ("a", &right, &askew),
        ("b", &askew, &right),
        ("c", &askew, &askew),
    ] {
        let answer = log_in(&app, &browser, state, begins, ends).await;
        let asked_at = at();
        let told = exchange(&app, &right, answer.code()).await;
        assert_eq!(told.status, 200, "{state}: {}", told.body);
        let claims = claims(&app, &told.body).await;
        assert_eq!(claims["personal_number"], TOLVAN);
        let issued_at = claims["iat"].as_i64().expect("a time");
        assert!(
            (asked_at - 5..=at() + 5).contains(&issued_at),
            "{issued_at}"
        );
        for node in [&askew, &right] {
            let again = exchange(&app, node, answer.code()).await;
            assert_eq!(
                (again.status, &again.body["error"]),
                (400, &Value::from("invalid_grant"))
            );
        }
    }
    // At the node itself, a token is no further off than its clock: within the minute that is allowed for.
    let answer = log_in(&app, &browser, "d", &right, &askew).await;
    let asked_at = at();
    let tokens = exchange(&app, &askew, answer.code()).await;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    let read = claims(&app, &tokens.body).await;
    let issued_at = read["iat"].as_i64().expect("a time");
    let by_its_clock = asked_at + off - 5..=at() + off + 5;
    assert!(by_its_clock.contains(&issued_at), "{issued_at}");
    // What it gave is good at the other one.
    let token = tokens.body["access_token"].as_str().expect("a token");
    let url = format!("http://127.0.0.1:{}/userinfo", right.place.public);
    let request = app.http.get(url).bearer_auth(token);
    let request = request.header("host", app.issuer.trim_start_matches("http://"));
    let person = told(request).await;
    assert_eq!(person.status, 200, "{}", person.body);
    assert_eq!(person.body["sub"], read["sub"]);
    let hint = tokens.body["id_token"].as_str().expect("a token");
    browser.connect_to(right.place.public);
    let silently = [("prompt", Some("none")), ("id_token_hint", Some(hint))];
    let page = browser.get(&app.authorize_url(&silently)).await;
    let answer = Answer::of(&page);
    assert!(answer.get("code").is_some(), "{:?}", answer.get("error"));

    // Many at once, at both: one.
    let code = log_in(&app, &browser, "e", &askew, &right).await;
    let nodes = [&right, &askew];
    let all = (0..16).map(|n| exchange(&app, nodes[n % 2], code.code()));
    let all = join_all(all).await;
    let won = all.iter().filter(|told| told.status == 200).count();
    assert_eq!(won, 1);
    assert!(all.iter().all(|told| [200, 400].contains(&told.status)));

    // A code that is older than its life and the skew together is worth nothing anywhere.
    for node in nodes {
        let late = log_in(&app, &browser, "f", &right, &askew).await;
        let past = at() - 35;
        let digest = hex::encode(Sha256::digest(late.code()));
        let aged =
            format!("UPDATE code SET expires_at = {past} WHERE digest = decode('{digest}', 'hex')");
        assert_eq!(app.database.meddle(app.directory.path(), aged), Ok(1));
        let told = exchange(&app, node, late.code()).await;
        assert_eq!(
            (told.status, &told.body["error"]),
            (400, &Value::from("invalid_grant"))
        );
    }

    // A page that follows at the wrong one is let go, to come back at another.
    browser.connect_to(askew.place.public);
    let url = app.authorize_url(&[("state", Some("g")), ("prompt", Some("login"))]);
    let choice = browser.get(&url).await;
    let login = askew.place.choose(&app, &browser, &choice, "other").await;
    assert!(is_let_go(askew.place.events(&app, &browser, &login).await).await);
    assert!(!is_let_go(right.place.events(&app, &browser, &login).await).await);

    // Neither takes the other for dead. On a machine that stands still one might, but not every time.
    let mut is_left = false;
    for _ in 0..3 {
        is_left |= keep_their_orders(&app, &right, &askew).await;
    }
    assert!(is_left, "orders go from node to node");

    // Others are sent to the right one, and notice nothing.
    visitors.until_more(4).await;
    let out_of_need = balancer.sent_unready() - unready;
    assert!(balancer.sent(1) - sent <= out_of_need);
    lying.set(0);
    askew.until_it_says(&app, 200, "ready").await;
    askew
        .serving
        .until_it_says("the clock is right again")
        .await;
    balancer.until(1, true).await;
    visitors.until_more(3).await;
    assert!(balancer.sent(1) > sent);
    let tally = visitors.leave().await;
    tally.nothing_was_lost_but_at_bankid([&right, &askew]);
    for node in [&right, &askew] {
        assert!(!node.log().contains("a request ended by a panic"));
    }
    canary(hint);
    assert!(askew.serving.is_running());
}

#[test]
fn a_clock_that_is_half_a_minute_ahead() {
    if let Some(database) = Database::postgres() {
        run(a_clock_goes_wrong(database, 30));
    }
}

#[test]
fn a_clock_that_is_half_a_minute_behind() {
    if let Some(database) = Database::postgres() {
        run(a_clock_goes_wrong(database, -30));
    }
}
