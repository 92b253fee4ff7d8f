//! What may be used once, sent many times at once to two nodes: one wins, nobody meets a fault.

use futures_util::future::join_all;
use portvakt::shows;
use portvakt::testing::{Signer, canary};
use serde_json::{Value, json};

use crate::client_auth::{Asserting, CALLBACK, CHALLENGE, TYPE, VERIFIER, by_key};
use crate::crash::Serving;
use crate::dpop::Prover;
use crate::support::phone::{ASA, TOLVAN, YUSUF};
use crate::support::{Answer, App, Browser, Database, Options, run};
use crate::token::{Told, exchange, told};

/// How many at once.
const WAYS: usize = 32;
/// How often, where nobody asks for more by `PORTVAKT_TEST_ROUNDS`.
const ROUNDS: usize = 5;

/// A client at two nodes, and a browser with a session.
struct Parallel<'a> {
    asserting: Asserting<'a>,
    key: Prover,
    browser: Browser,
    nodes: [String; 2],
}

impl Parallel<'_> {
    fn app(&self) -> &App {
        self.asserting.app
    }

    /// A form of the client's at one of the nodes, both of which are called by the issuer's name.
    async fn send(&self, node: usize, path: &str, form: &[(&str, &str)], assertion: &str) -> Told {
        let shown = [
            ("client_assertion_type", TYPE),
            ("client_assertion", assertion),
        ];
        let form: Vec<_> = form.iter().copied().chain(shown).collect();
        let proof = self.key.proof(self.app(), "POST", path, None);
        let request = self
            .app()
            .http
            .post(format!("{}{path}", self.nodes[node % 2]));
        let request = request.header("host", self.host()).header("DPoP", proof);
        let told = told(request.form(&form)).await;
        for name in ["access_token", "refresh_token", "request_uri"] {
            if let Some(secret) = told.body[name].as_str() {
                canary(secret);
            }
        }
        told
    }

    fn host(&self) -> &str {
        self.app().issuer.trim_start_matches("http://")
    }

    fn assertion(&self) -> String {
        self.asserting.assertion(&json!({}))
    }

    async fn push(&self, node: usize, prompt: &str, assertion: &str) -> Told {
        let form = [
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid offline_access"),
            ("prompt", prompt),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        self.send(node, "/par", &form, assertion).await
    }

    fn authorize_url(&self, node: usize, pushed: &Told) -> String {
        let name = text(&pushed.body, "request_uri");
        let parameters = [
            ("client_id", self.asserting.client_id),
            ("request_uri", name),
        ];
        let url = format!("{}/authorize", self.nodes[node % 2]);
        let url = url::Url::parse_with_params(&url, parameters);
        url.expect("an address").into()
    }

    /// A code from the session.
    async fn code(&self) -> String {
        let pushed = self.push(0, "none", &self.assertion()).await;
        let page = self.browser.get(&self.authorize_url(0, &pushed)).await;
        Answer::of(&page).code().to_owned()
    }

    async fn redeem(&self, node: usize, code: &str) -> Told {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.send(node, "/token", &form, &self.assertion()).await
    }

    async fn refresh(&self, node: usize, token: &str) -> Told {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.send(node, "/token", &form, &self.assertion()).await
    }

    async fn is_live(&self, token: &str) -> bool {
        let (form, assertion) = ([("token", token)], self.assertion());
        let told = self.send(0, "/introspect", &form, &assertion).await;
        told.body["active"] == true
    }
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {body}"))
}

/// Of those who came at once, the ones that got what they wanted; the others were refused so.
fn winners(all: Vec<Told>, won: u16, lost: (u16, &str)) -> Vec<Told> {
    let (winners, losers): (Vec<_>, Vec<_>) = all.into_iter().partition(|told| told.status == won);
    for told in losers {
        let error = told.body["error"].as_str().unwrap_or_default();
        assert_eq!((told.status, error), lost);
    }
    winners
}

#[test]
fn of_many_at_two_nodes_one_wins_every_time() {
    if let Some(database) = Database::postgres() {
        run(at_two_nodes(database));
    }
}

#[test]
fn what_the_database_gives_up_is_done_again_and_one_wins_all_the_same() {
    let Some(database) = Database::strict_postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-DB-2", refusing "PV-DB-2");
        let given_up = at_two_nodes(database).await;
        assert!(given_up > 0, "it gave nothing up");
    });
}

#[test]
fn logins_side_by_side_end_well_though_the_database_gives_some_of_their_work_up() {
    let Some(database) = Database::strict_postgres() else {
        return;
    };
    run(async {
        let _shows = shows!(accepting "PV-DB-2");
        let app = App::on(database).await;
        for _ in 0..3 {
            let logins = [TOLVAN, ASA, YUSUF].map(async |person| {
                let answer = app.log_in(&Browser::new(), person).await;
                exchange(&app, answer.code(), &[]).await.status
            });
            assert_eq!(join_all(logins).await, [200; 3]);
        }
    });
}

/// How often the database gave something up at the first node.
async fn at_two_nodes(database: Database) -> u64 {
    let _shows = shows!(accepting "PV-RACE-6", refusing "PV-RACE-6", accepting "GE-06", refusing "GE-06",
            accepting "O3", refusing "O3", accepting "O13", refusing "O13", accepting "O29", refusing "O29");
    let rounds = std::env::var("PORTVAKT_TEST_ROUNDS");
    let rounds = rounds.map_or(ROUNDS, |text| text.parse().expect("a number of rounds"));
    let signer = Signer::new();
    let mut registered = by_key(&signer, "standard");
    registered["client_id"] = json!("signing");
    registered["refresh_tokens"] = json!(true);
    // In the file, so that every node knows it.
    let app = App::start(Options {
        sections: toml::to_string(&json!({"client": [registered]})).expect("TOML"),
        ..Options::on(database)
    })
    .await;
    let second = Serving::beside(&app, "second").await;
    let parallel = Parallel {
        asserting: Asserting {
            app: &app,
            signer: &signer,
            client_id: "signing",
        },
        key: Prover::new("ES256"),
        browser: Browser::new(),
        nodes: [
            app.issuer.clone(),
            format!("http://localhost:{}", second.port),
        ],
    };
    // The first time the person is asked.
    let pushed = parallel.push(0, "consent", &parallel.assertion()).await;
    let url = parallel.authorize_url(0, &pushed);
    app.log_in_at(&parallel.browser, TOLVAN, &url).await;
    for _ in 0..rounds {
        round(&parallel).await;
    }
    app.provider.store.measured().given_up.get()
}

async fn round(parallel: &Parallel<'_>) {
    let app = parallel.app();
    // One client assertion.
    let assertion = parallel.assertion();
    let all = (0..WAYS).map(|n| parallel.push(n, "none", &assertion));
    let won = winners(join_all(all).await, 201, (401, "invalid_client"));
    assert_eq!(won.len(), 1, "assertions");

    // One pushed request, by the browser in as many tabs.
    let tabs: Vec<Browser> = (0..WAYS).map(|_| parallel.browser.copy()).collect();
    for (n, tab) in tabs.iter().enumerate().filter(|(n, _)| n % 2 == 1) {
        let (_, port) = parallel.nodes[n % 2].rsplit_once(':').expect("a port");
        tab.connect_to(port.parse().expect("a port"));
    }
    let url = parallel.authorize_url(0, &won[0]);
    let pages = join_all(tabs.iter().map(|tab| tab.get(&url))).await;
    let (left, stayed): (Vec<_>, Vec<_>) = pages.iter().partition(|page| page.status == 303);
    assert_eq!(left.len(), 1, "pushed requests");
    assert!(stayed.iter().all(|page| page.status == 400));
    Answer::of(left[0]).code();

    // One code. What the winner got is worth nothing any more, because somebody else had the code.
    let code = parallel.code().await;
    let all = (0..WAYS).map(|n| parallel.redeem(n, &code));
    let won = winners(join_all(all).await, 200, (400, "invalid_grant"));
    assert_eq!(won.len(), 1, "codes");
    assert!(!parallel.is_live(text(&won[0].body, "access_token")).await);

    // One refresh token: the one more try is there, and one token lives.
    let first = parallel.redeem(0, &parallel.code().await).await;
    let shown = text(&first.body, "refresh_token");
    let all = (0..WAYS).map(|n| parallel.refresh(n, shown));
    let won = winners(join_all(all).await, 200, (400, "invalid_grant"));
    assert!((1..=2).contains(&won.len()), "{}", won.len());
    let mut live = Vec::new();
    for told in &won {
        let token = text(&told.body, "refresh_token");
        if parallel.is_live(token).await {
            live.push(told);
        }
    }
    assert_eq!(live.len(), 1, "refresh tokens");

    // One proof.
    let token = text(&live[0].body, "access_token");
    let proof = parallel.key.proof(app, "GET", "/userinfo", Some(token));
    let all = (0..WAYS).map(|n| {
        let request = app.http.get(format!("{}/userinfo", parallel.nodes[n % 2]));
        let request = request.header("host", parallel.host());
        told(
            request
                .header("authorization", format!("DPoP {token}"))
                .header("DPoP", &proof),
        )
    });
    let won = winners(join_all(all).await, 200, (401, "invalid_dpop_proof"));
    assert_eq!(won.len(), 1, "proofs");
}
