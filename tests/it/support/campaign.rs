//! What campaigns of faults share: chance that can be repeated, and an application that is asked for much.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portvakt::random::Random;
use portvakt::testing::canary;
use serde_json::Value;

use super::{App, Backend, Options, SECRET};
use crate::races::rows;

/// Chance, repeated by `PORTVAKT_TEST_SEED`.
pub struct Chance(Random);

impl Chance {
    /// Says by which seed it can be repeated: to standard error itself, because the test runner keeps what
    /// passing tests print.
    pub fn of(campaign: &str) -> Chance {
        use std::io::Write;
        let seed = match std::env::var("PORTVAKT_TEST_SEED") {
            Ok(text) => text.parse().expect("a seed is a number"),
            Err(_) => u64::from(u32::from_be_bytes(Random::system().bytes())),
        };
        let _ = writeln!(
            std::io::stderr(),
            "{campaign}: PORTVAKT_TEST_SEED={seed} repeats it"
        );
        Chance(Random::seeded(seed))
    }

    /// A number below this one.
    pub fn below(&self, end: usize) -> usize {
        let number = u64::from_be_bytes(self.0.bytes());
        let end = u64::try_from(end).expect("64 bits");
        usize::try_from(number % end).expect("it is below")
    }

    pub fn shuffle<T>(&self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            all.swap(last, self.below(last + 1));
        }
    }
}

/// Whether everything is tried, and not a sample: `./test --long`.
pub fn is_long() -> bool {
    std::env::var_os("PORTVAKT_TEST_ROUNDS").is_some()
}

pub const CLIENT_ID: &str = "kept";
const CALLBACK: &str = "https://kept.example/callback";

/// An app with a client that gets personal numbers and refresh tokens, and is told of logouts.
pub async fn app(options: Options, backend: &Backend) -> App {
    let told = &backend.told;
    let client = format!(
        r#"
[[client]]
client_id = "{CLIENT_ID}"
client_secret = "{SECRET}"
client_name = "Det som består"
redirect_uris = ["{CALLBACK}"]
backchannel_logout_uri = "{}/kept"
pkce = "accepted"
personal_number = {{ purpose = "Tests." }}
refresh_tokens = true
"#,
        told.url
    );
    App::start(Options {
        told: Some(told.clone()),
        sections: client,
        ..options
    })
    .await
}

/// What it asks for.
pub fn authorize_url(app: &App, more: &[(&str, Option<&str>)]) -> String {
    let mut changes = vec![
        ("client_id", Some(CLIENT_ID)),
        ("redirect_uri", Some(CALLBACK)),
        ("scope", Some("openid personal_number offline_access")),
    ];
    changes.extend(more);
    app.authorize_url(&changes)
}

/// What a node told the application.
#[derive(Debug)]
pub struct Told {
    pub status: u16,
    pub body: Value,
}

impl Told {
    pub fn text(&self, name: &str) -> String {
        let text = self.body[name].as_str();
        text.unwrap_or_else(|| panic!("no {name}: {} {}", self.status, self.body))
            .to_owned()
    }

    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }
}

/// The application, whose calls go to whichever node a balancer sends them to.
pub struct Application<'a> {
    pub app: &'a App,
}

impl Application<'_> {
    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Told, reqwest::Error> {
        let host = self.app.issuer.trim_start_matches("http://");
        let answer = request.header("host", host).send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        for name in ["access_token", "id_token", "refresh_token"] {
            if let Some(token) = body[name].as_str() {
                canary(token);
            }
        }
        Ok(Told { status, body })
    }

    async fn tokens(&self, port: u16, form: &[(&str, &str)]) -> Result<Told, reqwest::Error> {
        let request = self.app.http.post(format!("http://127.0.0.1:{port}/token"));
        let request = request.basic_auth(
            CLIENT_ID,
            Some(SECRET.replace('%', "%25").replace('+', "%2B")),
        );
        self.ask(request.form(form)).await
    }

    pub async fn exchange(&self, port: u16, code: &str) -> Result<Told, reqwest::Error> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
        ];
        self.tokens(port, &form).await
    }

    pub async fn refresh(&self, port: u16, token: &str) -> Result<Told, reqwest::Error> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.tokens(port, &form).await
    }

    pub async fn userinfo(&self, port: u16, token: &str) -> Result<Told, reqwest::Error> {
        let url = format!("http://127.0.0.1:{port}/userinfo");
        self.ask(self.app.http.get(url).bearer_auth(token)).await
    }
}

/// What a token that came straight from the token endpoint says.
pub fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).expect("three parts");
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64url");
    serde_json::from_slice(&claims).expect("JSON")
}

/// Waits until the application was told of the end of all these sessions. What a node had taken on when it
/// died is told by another one half a minute later.
pub async fn until_told(backend: &Backend, mut missing: HashSet<String>) {
    for _ in 0..120 {
        for heard in backend.heard() {
            if let Some(sid) = claims(&heard.token)["sid"].as_str() {
                missing.remove(sid);
            }
        }
        if missing.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("of {} logouts nobody was told", missing.len());
}

/// How the orders at BankID stand, and for how long nobody has asked about each.
async fn orders(app: &App) -> Vec<(String, u64)> {
    let listed = app.phone.listed().await;
    let orders = listed["orders"].as_array().expect("a list").iter();
    let told = orders.map(|order| {
        let standing = order["standing"].as_str().expect("a text").to_owned();
        (standing, order["unaskedFor"].as_u64().expect("a number"))
    });
    told.collect()
}

/// The orders that live at BankID: for how long nobody has asked about each.
pub async fn waiting(app: &App) -> Vec<u64> {
    let lives = |standing: &str| {
        ["waits", "pending", "complete"]
            .iter()
            .any(|word| standing.starts_with(word))
    };
    let orders = orders(app).await.into_iter();
    let waiting = orders.filter(|(standing, _)| lives(standing));
    waiting.map(|(_, unasked_for)| unasked_for).collect()
}

/// How many orders BankID had to end by itself: nobody cancelled them, and nobody asked what became of them.
pub async fn left_alone(app: &App) -> usize {
    let orders = orders(app).await.into_iter();
    let left = orders.filter(|(standing, _)| standing == "failed: startFailed");
    left.count()
}

/// Waits until no order lives at BankID.
pub async fn until_none_waits(app: &App, patience: Duration) {
    let begun = tokio::time::Instant::now();
    loop {
        let waiting = waiting(app).await;
        if waiting.is_empty() {
            return;
        }
        assert!(begun.elapsed() < patience, "they wait: {waiting:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// What holds whatever was done: each of these questions counts what must not be.
pub async fn holds(app: &App) {
    for (question, means) in [
        (
            "SELECT count(*) FROM (SELECT txn FROM client_grant GROUP BY txn HAVING count(*) > 1) twice",
            "an identification led to two grants",
        ),
        (
            "SELECT count(*) FROM (SELECT grant_id FROM code GROUP BY grant_id HAVING count(*) > 1) twice",
            "a grant has two codes",
        ),
        (
            "SELECT count(*) FROM login WHERE state = 'finished'
                AND NOT EXISTS (SELECT 1 FROM client_grant WHERE txn = order_id)",
            "a login ended without a grant",
        ),
        (
            "SELECT count(*) FROM client_grant WHERE NOT EXISTS
                (SELECT 1 FROM login WHERE order_id = txn AND state = 'finished')",
            "a grant without the end of a login",
        ),
        (
            "SELECT count(*) FROM client_grant g JOIN session s ON s.id = g.session_id
              WHERE s.txn <> g.txn",
            "a grant from another one's session",
        ),
        (
            "SELECT count(*) FROM code WHERE used_at IS NOT NULL AND NOT EXISTS
                (SELECT 1 FROM access_token a WHERE a.grant_id = code.grant_id)",
            "a code was spent for nothing",
        ),
        (
            "SELECT count(*) FROM access_token a WHERE EXISTS
                (SELECT 1 FROM code WHERE code.grant_id = a.grant_id AND used_at IS NULL)",
            "tokens without a spent code",
        ),
        (
            "SELECT count(*) FROM (SELECT grant_id FROM refresh_token
                WHERE used_at IS NULL AND replaced_at IS NULL
                GROUP BY grant_id HAVING count(*) > 1) twice",
            "a grant with two live refresh tokens",
        ),
        (
            "SELECT count(*) FROM bankid_order WHERE progress = 'spent' AND answer IS NOT NULL",
            "an answer outlived its login",
        ),
    ] {
        assert_eq!(rows(app, question).await, 0, "{means}");
    }
}
