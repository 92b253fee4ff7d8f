//! Clients in a shell, by the program itself.

use std::time::Duration;

use portvakt::admin::{Unmet, client, entitlement};
use portvakt::audit::Door;
use portvakt::client::Entitlement;
use portvakt::clock::Seconds;
use portvakt::id::ClientId;
use portvakt::shows;
use portvakt::storage::{Activity, ClientFilter};
use portvakt::telemetry::usage::{Day, Used};
use portvakt::testing::canary;
use serde_json::Value;

use crate::client_auth::{CHALLENGE, VERIFIER};
use crate::support::doors::{desk, ran};
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, on_both};
use crate::token::{Told, claims, told};

pub const CALLBACK: &str = "https://files.example/cb";
pub const MACHINE: &str = "client_credentials={\"scopes\":[\"orders:read\"]}";
/// The secret that a command showed.
pub fn secret(said: &str) -> String {
    let secret = said.lines().last().expect("a line").to_owned();
    assert!(secret.len() >= 43, "{said}");
    canary(&secret);
    secret
}

/// What the token endpoint says to a machine with a secret.
pub async fn status(app: &App, client_id: &str, secret: &str) -> u16 {
    let request = app.http.post(format!("{}/token", app.issuer));
    let request = request.basic_auth(client_id, Some(secret));
    told(request.form(&[("grant_type", "client_credentials")]))
        .await
        .status
}

pub fn show(app: &App, client_id: &str) -> Value {
    ran(app, &["client", "show", client_id]).json()
}

pub fn listed(app: &App, more: &[&str]) -> Vec<String> {
    let all = ran(app, &[&["client", "list", "--json"], more].concat()).json();
    let ids = all.as_array().expect("a list").iter();
    ids.map(|one| one["client_id"].as_str().expect("an id").to_owned())
        .collect()
}

/// A login by a client that was made here, and its answer.
pub async fn log_in(app: &App, client_id: &str, scope: &str) -> Answer {
    let changes = [
        ("client_id", Some(client_id)),
        ("redirect_uri", Some(CALLBACK)),
        ("scope", Some(scope)),
        ("code_challenge", Some(CHALLENGE)),
        ("code_challenge_method", Some("S256")),
    ];
    app.log_in_with(&Browser::new(), TOLVAN, &changes).await
}

pub async fn exchange(app: &App, client_id: &str, secret: &str, answer: &Answer) -> Told {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", answer.code()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let request = app.http.post(format!("{}/token", app.issuer));
    told(request.basic_auth(client_id, Some(secret)).form(&form)).await
}

async fn userinfo(app: &App, token: &Value) -> Value {
    let request = app.http.get(format!("{}/userinfo", app.issuer));
    told(request.bearer_auth(token.as_str().expect("a token")))
        .await
        .body
}

on_both!(
    a_client_lives_its_life_in_a_shell,
    async |database: Database| {
        let _shows =
            shows!(accepting "PV-DOOR-2", refusing "PV-DOOR-2", accepting "M10", refusing "M10");
        let app = App::on(database).await;
        let create = [
            "client",
            "create",
            "--client-id",
            "orders",
            "client_name=Beställningar",
            MACHINE,
        ];
        let first = secret(&ran(&app, &create).good());
        assert_eq!(status(&app, "orders", &first).await, 200);
        assert!(ran(&app, &create).bad().contains("is there already"));
        let shown = show(&app, "orders");
        assert_eq!(shown["managed_by"], "admin");
        assert_eq!(shown["version"], 1);
        assert_eq!(shown["secrets"].as_array().map(Vec::len), Some(1));
        assert!(!shown.to_string().contains(&first));
        // Changed, and not changed.
        let set = [
            "client",
            "set",
            "orders",
            "client_name=Nya beställningar",
            "bankid.pin_code=true",
        ];
        assert!(ran(&app, &set).good().contains("is changed"));
        assert!(ran(&app, &set).good().contains("is like that already"));
        let shown = show(&app, "orders");
        assert_eq!(shown["version"], 2);
        assert_eq!(shown["metadata"]["client_name"], "Nya beställningar");
        assert_eq!(shown["metadata"]["bankid"]["pin_code"], true);
        // Every mistake at once, and nothing of it is done.
        let bad = ran(
            &app,
            &[
                "client",
                "set",
                "orders",
                "colour=red",
                "pkce=7",
                "client_name=X",
            ],
        )
        .bad();
        for part in ["colour: ", "pkce: "] {
            assert!(bad.contains(part), "{bad}");
        }
        let bad = ran(
            &app,
            &[
                "client",
                "set",
                "orders",
                "personal_number={\"purpose\":\"x\"}",
            ],
        )
        .bad();
        assert!(bad.contains("is given and ended by itself"), "{bad}");
        assert!(
            ran(&app, &["client", "set", "nobody", "pkce=accepted"])
                .bad()
                .contains("no such client")
        );
        assert_eq!(show(&app, "orders"), shown);
        // Found by a part of its name, in any case, and by nothing that LIKE would take for a pattern.
        assert_eq!(listed(&app, &["--search", "A BESTÄLL"]), ["orders"]);
        assert_eq!(listed(&app, &["--search", "%"]), Vec::<String>::new());
        assert_eq!(listed(&app, &["--search", "_"]), Vec::<String>::new());
        assert_eq!(listed(&app, &["--managed-by", "admin"]), ["orders"]);
        assert!(listed(&app, &["--managed-by", "file"]).contains(&"web".to_owned()));
        assert!(
            ran(&app, &["client", "list"])
                .good()
                .contains("Nya beställningar")
        );
        // Removed and brought back, with its secret.
        assert!(
            ran(&app, &["client", "restore", "orders"])
                .bad()
                .contains("no such removed client")
        );
        assert!(
            ran(&app, &["client", "remove", "orders"])
                .good()
                .contains("client restore orders")
        );
        assert_eq!(status(&app, "orders", &first).await, 401);
        assert!(
            ran(&app, &["client", "remove", "orders"])
                .bad()
                .contains("no such client")
        );
        assert!(
            ran(&app, &create)
                .bad()
                .contains("was removed and can be restored")
        );
        assert_eq!(listed(&app, &["--removed"]), ["orders"]);
        assert!(!listed(&app, &[]).contains(&"orders".to_owned()));
        ran(&app, &["client", "restore", "orders"]).good();
        assert_eq!(status(&app, "orders", &first).await, 200);
        // A month later it cannot be brought back, swept or not.
        ran(&app, &["client", "remove", "orders"]).good();
        app.clock
            .advance(Duration::from_secs(30 * 24 * 60 * 60 + 5));
        let late = client::restore(&desk(&app, Door::Cli), "orders").await;
        assert!(matches!(late, Err(Unmet::Unknown(_))), "{late:?}");
        app.provider
            .store
            .sweep(app.clock.now())
            .await
            .expect("swept");
        assert!(
            ran(&app, &["client", "show", "orders"])
                .bad()
                .contains("no such client")
        );
        assert!(ran(&app, &create).is_good, "the id is free");
    }
);

on_both!(
    two_secrets_live_while_an_application_changes_over,
    async |database: Database| {
        let _shows = shows!(accepting "M5", refusing "M5");
        let app = App::on(database.clone()).await;
        let create = [
            "client",
            "create",
            "--client-id",
            "orders",
            "client_name=O",
            MACHINE,
        ];
        let first = secret(&ran(&app, &create).good());
        let rotate = ["client", "secret", "orders", "--overlap-hours", "24"];
        let second = secret(&ran(&app, &rotate).good());
        for alive in [&first, &second] {
            assert_eq!(status(&app, "orders", alive).await, 200);
        }
        let kept = show(&app, "orders")["secrets"].clone();
        assert!(
            kept[0]["expires_at"].is_null() && kept[1]["expires_at"].is_string(),
            "{kept}"
        );
        // A third one: the first has no more time.
        let third = secret(&ran(&app, &rotate).good());
        assert_eq!(status(&app, "orders", &first).await, 401);
        for alive in [&second, &third] {
            assert_eq!(status(&app, "orders", alive).await, 200);
        }
        app.clock.advance(Duration::from_secs(24 * 60 * 60 + 5));
        assert_eq!(status(&app, "orders", &second).await, 401);
        assert_eq!(status(&app, "orders", &third).await, 200);
        app.provider
            .store
            .sweep(app.clock.now())
            .await
            .expect("swept");
        assert_eq!(
            show(&app, "orders")["secrets"].as_array().map(Vec::len),
            Some(1)
        );
        // At once, and one by its name.
        let fourth = secret(
            &ran(
                &app,
                &["client", "secret", "orders", "--overlap-hours", "0"],
            )
            .good(),
        );
        assert_eq!(status(&app, "orders", &third).await, 401);
        let fifth = secret(&ran(&app, &rotate).good());
        let ended = show(&app, "orders")["secrets"][1]["id"]
            .as_str()
            .expect("a name")
            .to_owned();
        assert!(
            ran(&app, &["client", "secret", "orders", "--end", "00000000"])
                .bad()
                .contains("no such secret")
        );
        ran(&app, &["client", "secret", "orders", "--end", &ended]).good();
        assert_eq!(status(&app, "orders", &fourth).await, 401);
        assert_eq!(status(&app, "orders", &fifth).await, 200);
        let public = ["client", "secret", "public"];
        assert!(
            ran(&app, &public)
                .bad()
                .contains("managed by the configuration file")
        );
        // None of them is anywhere but in the answer to its maker.
        let all = [
            ran(&app, &["client", "show", "orders"]).good(),
            ran(&app, &["client", "export"]).good(),
            ran(&app, &["audit", "list", "--json"]).good(),
        ];
        for secret in [&first, &second, &third, &fourth, &fifth] {
            assert!(all.iter().all(|text| !text.contains(secret.as_str())));
        }
    }
);

on_both!(
    personal_numbers_are_a_right_with_a_reason_and_an_end,
    async |database: Database| {
        let _shows = shows!(accepting "M7", refusing "M7");
        let app = App::on(database).await;
        let redirects = format!("redirect_uris=[\"{CALLBACK}\"]");
        let create = [
            "client",
            "create",
            "--client-id",
            "care",
            "client_name=Vården",
            &redirects,
        ];
        let key = secret(&ran(&app, &create).good());
        assert!(
            ran(&app, &["client", "entitle", "care"])
                .bad()
                .contains("--purpose")
        );
        assert!(!ran(&app, &["client", "entitle", "care", "--purpose", ""]).is_good);
        let entitle = [
            "client",
            "entitle",
            "care",
            "--purpose",
            "Journal.",
            "--days",
            "1",
        ];
        assert!(
            ran(&app, &entitle)
                .good()
                .contains("may have personal numbers")
        );
        let right = show(&app, "care")["metadata"]["personal_number"].clone();
        assert_eq!(right["purpose"], "Journal.");
        let end = right["expires_at"].as_i64().expect("an end");
        assert!((end - app.clock.now().0 - 24 * 60 * 60).abs() < 60);
        assert_eq!(
            listed(&app, &["--entitled", "--managed-by", "admin"]),
            ["care"]
        );
        let answer = log_in(&app, "care", "openid personal_number").await;
        let tokens = exchange(&app, "care", &key, &answer).await.body;
        let token = &tokens["access_token"];
        assert_eq!(claims(&app, &tokens).await["personal_number"], TOLVAN);
        assert_eq!(userinfo(&app, token).await["personal_number"], TOLVAN);
        // A code from just before its end, and a token of then.
        app.clock.advance(Duration::from_secs(24 * 60 * 60 - 30));
        let answer = log_in(&app, "care", "openid personal_number").await;
        let early = log_in(&app, "care", "openid personal_number").await;
        let token = exchange(&app, "care", &key, &early).await.body["access_token"].clone();
        app.clock.advance(Duration::from_secs(40));
        let tokens = exchange(&app, "care", &key, &answer).await.body;
        assert!(claims(&app, &tokens).await.get("personal_number").is_none());
        let told = userinfo(&app, &token).await;
        assert!(
            told["sub"].is_string() && told.get("personal_number").is_none(),
            "{told}"
        );
        // And nothing new.
        let url = app.authorize_url(&[
            ("client_id", Some("care")),
            ("redirect_uri", Some(CALLBACK)),
            ("scope", Some("openid personal_number")),
            ("code_challenge", Some(CHALLENGE)),
            ("code_challenge_method", Some("S256")),
        ]);
        let refused = Answer::of(&Browser::new().get(&url).await);
        assert_eq!(refused.get("error"), Some("invalid_scope"));
        // What has ended is not given anew with an end that has passed.
        let wanted = Entitlement {
            purpose: portvakt::client::Reason::parse("Journal.").expect("a reason"),
            expires_at: Some(app.clock.now()),
        };
        let late = entitlement::ask(&desk(&app, Door::Cli), "care", None, wanted).await;
        assert!(matches!(late, Err(Unmet::Mistakes(_))), "{late:?}");
        ran(&app, &["client", "entitle", "care", "--end"]).good();
        assert!(
            ran(&app, &["client", "entitle", "care", "--end"])
                .bad()
                .contains("no such entitlement")
        );
        assert!(show(&app, "care")["metadata"]["personal_number"].is_null());
    }
);

on_both!(
    clients_are_found_by_what_they_did_lately,
    async |database: Database| {
        let _shows = shows!(accepting "PV-DOOR-2");
        let app = App::on(database).await;
        let store = &app.provider.store;
        let (web, now) = (ClientId::parse("web").expect("an id"), app.clock.now());
        let used = Used {
            began: 3,
            finished: 2,
        };
        let old = Day::of(now - Seconds(40 * 24 * 60 * 60));
        let strict = ClientId::parse("strict").expect("an id");
        let counted = [
            (web.clone(), Day::of(now), used),
            (strict.clone(), old, used),
        ];
        store.add_use(&counted).await.expect("kept");
        let bad = [("redirect_uri", Some("https://app.example/callback/"))];
        Browser::new().get(&app.authorize_url(&bad)).await;
        app.provider.keep_waiting_refusals().await.expect("kept");
        let since = now - Seconds(30 * 24 * 60 * 60);
        let found = async |activity: Option<Activity>| {
            let filter = ClientFilter {
                activity,
                ..ClientFilter::default()
            };
            let found = client::list(&desk(&app, Door::Cli), &filter, 1000).await;
            let found = found.expect("listed").into_iter();
            found.map(|read| read.client.client_id).collect::<Vec<_>>()
        };
        let alone = [web.clone()];
        assert_eq!(found(Some(Activity::Used(since))).await, alone);
        assert_eq!(found(Some(Activity::Failing(since))).await, alone);
        assert_eq!(found(Some(Activity::Failing(now + Seconds(60)))).await, []);
        let (all, unused) = (
            found(None).await,
            found(Some(Activity::Unused(since))).await,
        );
        assert!(unused.contains(&strict) && !unused.contains(&web));
        assert_eq!(unused.len() + 1, all.len());
        let uses = store.uses_of(&all, since).await.expect("asked");
        assert_eq!(uses, [(web.clone(), used)].into());
        let refused = store.refusal_counts_of(&all, since).await.expect("asked");
        assert_eq!(refused, [(web, 1)].into());
        assert!(store.uses_of(&[], since).await.expect("asked").is_empty());
    }
);
