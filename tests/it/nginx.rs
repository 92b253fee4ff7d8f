//! Nodes behind nginx, with the configuration that is shipped.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portvakt::shows;
use portvakt::testing::certificates::Made;
use reqwest::Certificate;
use serde_json::Value;

use crate::support::cluster::{Node, Place};
use crate::support::dying::{Death, Dying};
use crate::support::fronts::{Front, port_of};
use crate::support::phone::TOLVAN;
use crate::support::visitors::{Tally, Visitors};
use crate::support::{Answer, App, Browser, Database, Names, Options, Page, SECRET, run};
use crate::token::{Told, redeem, told};

pub const NAMES: Names = Names {
    provider: "login.portvakt.example",
    application: "application.example",
    phone: "phone.simulator.example",
};

/// What an app's configuration says of its own TLS.
pub const OWN_TLS: &str = "tls_certificate_file = \"pages.pem\"\ntls_key_file = \"pages.key\"";
/// And what a node's says behind a proxy on this machine.
pub const BEHIND: &str = "trusted_proxies = [\"127.0.0.1/32\"]";

/// An app whose provider is gone, so that nodes can take its place.
pub async fn app(database: Database, limits: &str) -> Arc<App> {
    let options = Options {
        names: Some(NAMES),
        sections: format!("[limits]\n{limits}"),
        ..Options::on(database)
    };
    let app = App::start(options).await;
    app.stop_provider().await;
    Arc::new(app)
}

/// How many people at once.
const PEOPLE: u64 = 10;

#[test]
fn three_nodes_behind_nginx_are_stopped_and_one_is_killed_while_people_log_in() {
    let Some(database) = Database::postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-FRONT-1");
        let app = app(database, "logins_per_address = 100000").await;
        let mut nodes = Vec::new();
        for name in ["first", "second", "third"] {
            nodes.push(Node::start_with(&app, name, &[(OWN_TLS, BEHIND)]).await);
        }
        let places = [0, 1, 2].map(|n: usize| nodes[n].place);
        let Some(nginx) = Front::nginx(&app, NAMES.provider, places).await else {
            return;
        };
        let visitors = Visitors::of(PEOPLE, &app);
        for (number, node) in nodes.iter_mut().enumerate() {
            visitors.until_more(5).await;
            let told_at = Instant::now();
            node.serving.tell_to_stop();
            assert!(node.serving.ends_well().await, "node {number}");
            println!("node {number} ended after {:?}", told_at.elapsed());
            visitors.until_more(5).await;
            node.start_again(&app).await;
            until_it_is_sent_more(&nginx, node.place).await;
        }
        let count = |pick: fn(&Tally) -> &AtomicUsize| pick(&visitors.tally).load(Ordering::SeqCst);
        println!("{:?}", visitors.tally);
        let log = nginx.log();
        let unanswered: Vec<&str> = log.lines().filter(|line| is_unanswered(line)).collect();
        assert!(unanswered.is_empty(), "somebody is there: {unanswered:#?}");
        assert_eq!(count(|it| &it.answers_lost), 0);
        assert_eq!(count(|it| &it.streams_broken), 0);
        visitors.tally.nothing_was_lost_but_at_bankid(&nodes);
        // Without a word: what it had not answered is asked again by nginx, or by whoever asked.
        visitors.tally.sent_again.store(true, Ordering::SeqCst);
        nodes[1].serving.kill();
        visitors.until_more(10).await;
        nodes[1].start_again(&app).await;
        until_it_is_sent_more(&nginx, nodes[1].place).await;
        let tally = visitors.leave().await;
        println!("{tally:?}");
        assert!(tally.logged_in.load(Ordering::SeqCst) > 40);
        let log = nginx.log();
        for hidden in ["?", "state=", "nonce="] {
            assert!(!log.contains(hidden), "a log without {hidden}");
        }
        assert_eq!(nginx.others_log(), "", "and no other log");
    });
}

/// Whether a line of its log is of a request that no node answered. A node itself may have too much to do.
fn is_unanswered(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    // What was tried stands three times in the end: where, with what status, and for how long.
    let tries = (words.len() - 7) / 3;
    words[4] == "503" && words[words.len() - 1 - tries] != "503"
}

#[test]
fn it_is_known_who_did_not_answer() {
    let begin = "127.0.0.1 2026-01-01T00:00:00+00:00 POST login.example/login";
    for (end, is) in [
        ("303 0 0.010 127.0.0.1:1 303 0.010", false),
        ("503 700 0.010 127.0.0.1:1 503 0.010", false),
        (
            "503 700 0.010 127.0.0.1:1, 127.0.0.1:2 502, 503 0.001, 0.009",
            false,
        ),
        (
            "503 700 0.010 127.0.0.1:1, 127.0.0.1:2 502, 502 0.001, 0.009",
            true,
        ),
        ("503 700 0.010 127.0.0.1:1 502 0.010", true),
    ] {
        assert_eq!(is_unanswered(&format!("{begin} {end}")), is, "{end}");
    }
}

/// Waits until nginx sends requests to a node again.
async fn until_it_is_sent_more(nginx: &Front, place: Place) {
    let sent = |log: &str| {
        log.matches(&format!(" 127.0.0.1:{} ", place.public))
            .count()
    };
    let before = sent(&nginx.log());
    for _ in 0..300 {
        if sent(&nginx.log()) > before + 3 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it is sent nothing any more");
}

#[test]
fn nginx_says_who_calls_and_holds_nothing_back() {
    run(async {
        let _shows = shows!(accepting "PV-FRONT-2", refusing "PV-FRONT-2", accepting "PV-FRONT-3", refusing "PV-FRONT-3", accepting "PV-FRONT-4");
        let app = app(Database::sqlite(), "logins_per_address = 6").await;
        let (certified, port) = (Made::self_signed(), port_of(&app));
        let client = certified_client(&certified);
        let mtls = format!(
            "[mtls]\nurl = \"https://mtls.{}:{port}\"\ncertificate_header = \"Client-Cert\"\n\
             certificate_format = \"escaped_pem\"\n[database]",
            NAMES.provider
        );
        let changes = [
            (OWN_TLS, BEHIND),
            ("[database]", mtls.as_str()),
            (
                "[[client]]\nclient_id = \"sample\"",
                &format!("{client}\n[[client]]\nclient_id = \"sample\""),
            ),
        ];
        let mut node = Node::start_with(&app, "only", &changes).await;
        // Two that are away: whoever is sent there does not notice.
        let places = [node.place, Place::of_nobody(), Place::of_nobody()];
        let Some(nginx) = Front::nginx(&app, NAMES.provider, places).await else {
            return;
        };
        frames_come_each_second(&app).await;
        the_browsers_address_counts(&app).await;
        certificates_are_those_of_connections(&app, &certified).await;
        other_names_are_not_served(&app).await;
        assert!(nginx.log().contains("127.0.0.66"), "whoever came");
        node.serving.kill();
        whoever_waits_is_told(&app).await;
    });
}

#[test]
fn nginx_asks_another_node_for_the_end_of_a_login() {
    run(async {
        let _shows = shows!(accepting "PV-FRONT-5", refusing "PV-FRONT-5");
        let app = app(Database::sqlite(), "").await;
        let node = Node::start_with(&app, "only", &[(OWN_TLS, BEHIND)]).await;
        let dying = Dying::before(node.place).await;
        let Some(_nginx) = Front::nginx(&app, NAMES.provider, dying.places).await else {
            return;
        };
        a_node_dies_at_the_end_of_a_login(&app, &dying).await;
    });
}

/// Whatever the node had done, there is one code at the most, and nobody is left with an error.
pub async fn a_node_dies_at_the_end_of_a_login(app: &App, dying: &Dying) {
    let at_the_end = async || {
        let browser = app.browser();
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let scan = browser.until(&login, "scan").await;
        let claimed = app.phone.scan(&scan.qr_text(), TOLVAN).await;
        claimed.approve().await;
        browser.until(&login, "finish").await;
        (browser, format!("{}/finish", login.login_url()))
    };
    let (browser, finish) = at_the_end().await;
    dying.at_the_next_end(Death::Before);
    let answer = Answer::of(&browser.get(&finish).await);
    assert!(dying.has_died());
    redeem(app, &answer).await;
    let (browser, finish) = at_the_end().await;
    dying.at_the_next_end(Death::After);
    let page = browser.get(&finish).await;
    assert!(dying.has_died());
    assert_eq!(page.status, 410, "it is over, and says so: {}", page.body);
    assert!(!page.body.contains("code="), "and has no other code");
}

/// A machine that stands still for a moment looks once like a proxy that holds them back.
pub async fn frames_come_each_second(app: &App) {
    let mut found = Vec::new();
    for address in [5, 4, 3] {
        match as_they_are_made(app, [127, 0, 0, address]).await {
            Ok(()) => return,
            Err(how) => found.push(how),
        }
    }
    panic!("they are held back: {found:?}");
}

async fn as_they_are_made(app: &App, address: [u8; 4]) -> Result<(), String> {
    let browser = app.browser_at(address);
    let choice = browser.get(&app.authorize_url(&[])).await;
    let login = browser.choose(&choice, "other").await;
    let mut events = browser.events(&login).await;
    let mut frames = HashSet::new();
    let mut before = None;
    for _ in 0..5 {
        // A proxy may hand it over in parts.
        let mut event = Vec::new();
        while !event.ends_with(b"\n\n") {
            let chunk = events.chunk().await.expect("it is told");
            event.extend(chunk.expect("something"));
        }
        let event = String::from_utf8(event).expect("text");
        if event.matches("data: ").count() != 1 {
            return Err("several at a time".to_owned());
        }
        let state: Value =
            serde_json::from_str(event.trim().trim_start_matches("data: ")).expect("JSON");
        frames.insert(state["modules"].as_str().expect("a code").to_owned());
        // The first comes at once, and the second when the login's second is over.
        if let Some(before) = before.replace(Instant::now())
            && frames.len() > 2
        {
            let pause = before.elapsed().as_millis();
            if !(500..1500).contains(&pause) {
                return Err(format!("{pause} ms"));
            }
        }
    }
    assert_eq!(frames.len(), 5, "another code each second");
    Ok(())
}

async fn begin(app: &App, browser: &Browser, n: usize) -> Page {
    let state = format!("s{n}");
    let url = app.authorize_url(&[("state", Some(&state))]);
    let choice = browser.get(&url).await;
    browser.press(&choice, "other").await
}

/// Whether one of several tries to begin a login is asked to wait.
async fn must_wait(app: &App, browser: &Browser, tries: std::ops::Range<usize>) -> bool {
    for n in tries {
        let pressed = begin(app, browser, n).await;
        assert!([303, 429].contains(&pressed.status), "{}", pressed.status);
        if pressed.status == 429 {
            return true;
        }
    }
    false
}

pub async fn the_browsers_address_counts(app: &App) {
    let many = app.browser_at([127, 0, 0, 66]).claiming("192.0.2.1");
    assert!(
        must_wait(app, &many, 0..20).await,
        "six a minute are enough"
    );
    // To be called something else is no help,
    let renamed = app.browser_at([127, 0, 0, 66]);
    let renamed = renamed.claiming("192.0.2.99, 198.51.100.1");
    assert!(must_wait(app, &renamed, 20..23).await);
    // and to be called the same no harm.
    let other = app.browser_at([127, 0, 0, 7]).claiming("192.0.2.1");
    assert!(!must_wait(app, &other, 23..25).await);
}

fn certified_client(made: &Made) -> String {
    let jwk = made.jwk();
    let part = |name: &str| jwk[name].as_str().expect("text").to_owned();
    format!(
        "[[client]]\nclient_id = \"certified\"\nclient_name = \"Certified\"\n\
         redirect_uris = [\"https://certified.example/callback\"]\n\
         token_endpoint_auth = \"self_signed_tls_client_auth\"\n\
         jwks = {{ keys = [{{ kty = \"EC\", crv = \"P-256\", x = \"{}\", y = \"{}\" }}] }}\n",
        part("x"),
        part("y")
    )
}

/// Asks for tokens with a code that is none: `invalid_grant` comes after authentication.
async fn knock(app: &App, host: &str, made: Option<&Made>, header: Option<&str>) -> Told {
    let root = Certificate::from_der(&app.pages.root()).expect("a certificate");
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([root]);
    let loopback = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let http = http.resolve(host, loopback);
    let http = match made {
        None => http,
        Some(made) => {
            let identity = reqwest::Identity::from_pem(made.pem.as_bytes());
            http.identity(identity.expect("a certificate with its key"))
        }
    };
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "certified"),
        ("code", "ac_none"),
        ("redirect_uri", "https://certified.example/callback"),
        (
            "code_verifier",
            "0123456789012345678901234567890123456789012",
        ),
    ];
    let url = format!("https://{host}:{}/token", port_of(app));
    let request = http.build().expect("a client").post(url).form(&form);
    told(match header {
        None => request,
        Some(header) => request.header("client-cert", header),
    })
    .await
}

async fn certificates_are_those_of_connections(app: &App, made: &Made) {
    let mtls = format!("mtls.{}", NAMES.provider);
    let (pem, _) = made
        .pem
        .split_once("-----BEGIN PRIVATE")
        .expect("certificate and key");
    let escaped = percent_encoding::utf8_percent_encode(pem, percent_encoding::NON_ALPHANUMERIC);
    let forged = escaped.to_string();
    let other = Made::self_signed();
    for (host, shown, header, error) in [
        (mtls.as_str(), Some(made), None, "invalid_grant"),
        (&mtls, Some(&other), None, "invalid_client"),
        (&mtls, None, None, "invalid_client"),
        // Who writes the header has not shown the certificate.
        (&mtls, None, Some(forged.as_str()), "invalid_client"),
        (&mtls, Some(&other), Some(&forged), "invalid_client"),
        (NAMES.provider, None, Some(&forged), "invalid_client"),
    ] {
        let told = knock(app, host, shown, header).await;
        assert_eq!(told.body["error"], error, "{host} {}", told.body);
    }
}

async fn other_names_are_not_served(app: &App) {
    let name = "other.portvakt.example";
    let http = reqwest::Client::builder()
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .resolve(name, std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    let http = http.build().expect("a client");
    let url = format!("https://{name}:{}/jwks", port_of(app));
    let refused = http.get(url).send().await.expect_err("nobody is there");
    assert!(refused.is_connect(), "{refused:?}");
}

/// People and programs are told to come again, each in their way.
pub async fn whoever_waits_is_told(app: &App) {
    let page = app.browser().get(&app.authorize_url(&[])).await;
    assert_eq!((page.status, page.header("retry-after")), (503, "5"));
    assert!(page.body.contains("<h1>Försök igen"), "{}", page.body);
    let form = [("grant_type", "authorization_code"), ("code", "ac_none")];
    let request = app.http.post(format!("{}/token", app.issuer)).form(&form);
    let told = told(request.basic_auth("web", Some(SECRET))).await;
    assert_eq!(told.status, 503);
    assert_eq!(told.headers["retry-after"], "5");
    assert_eq!(told.body["error"], "temporarily_unavailable");
}
