//! Clients in a shell and in files, by the program itself.

use std::time::Duration;

use portvakt::admin::file::{self, Plan, Terms};
use portvakt::admin::role::Role;
use portvakt::admin::{Unmet, client, entitlement};
use portvakt::audit::Door;
use portvakt::client::Entitlement;
use portvakt::id::ClientId;
use portvakt::shows;
use portvakt::storage::EventFilter;
use portvakt::testing::{Signer, canary};
use serde_json::{Value, json};

use crate::client_auth::{CHALLENGE, VERIFIER};
use crate::support::doors::{Change, Ran, changes, desk, left, ran, ran_with, walk};
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, SECRET, on_both};
use crate::token::{Told, claims, told};

const CALLBACK: &str = "https://files.example/cb";

/// The secret that a command showed.
fn secret(said: &str) -> String {
    let secret = said.lines().last().expect("a line").to_owned();
    assert!(secret.len() >= 43, "{said}");
    canary(&secret);
    secret
}

/// What the token endpoint says to a machine with a secret.
async fn status(app: &App, client_id: &str, secret: &str) -> u16 {
    let request = app.http.post(format!("{}/token", app.issuer));
    let request = request.basic_auth(client_id, Some(secret));
    told(request.form(&[("grant_type", "client_credentials")]))
        .await
        .status
}

/// How many events there are.
async fn events(app: &App) -> usize {
    let all = EventFilter::default();
    let events = app.provider.store.events(&all, u16::MAX).await;
    events.expect("asked").len()
}

fn show(app: &App, client_id: &str) -> Value {
    ran(app, &["client", "show", client_id]).json()
}

fn listed(app: &App, more: &[&str]) -> Vec<String> {
    let all = ran(app, &[&["client", "list", "--json"], more].concat()).json();
    let ids = all.as_array().expect("a list").iter();
    ids.map(|one| one["client_id"].as_str().expect("an id").to_owned())
        .collect()
}

const MACHINE: &str = "client_credentials={\"scopes\":[\"orders:read\"]}";

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

/// A login by a client that was made here, and its answer.
async fn log_in(app: &App, client_id: &str, scope: &str) -> Answer {
    let changes = [
        ("client_id", Some(client_id)),
        ("redirect_uri", Some(CALLBACK)),
        ("scope", Some(scope)),
        ("code_challenge", Some(CHALLENGE)),
        ("code_challenge_method", Some("S256")),
    ];
    app.log_in_with(&Browser::new(), TOLVAN, &changes).await
}

async fn exchange(app: &App, client_id: &str, secret: &str, answer: &Answer) -> Told {
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

/// A file of clients, and what the program is told to do with it.
struct File<'a> {
    app: &'a App,
    path: String,
}

impl File<'_> {
    fn new<'a>(app: &'a App, name: &str, text: &str) -> File<'a> {
        let path = app.directory.path().join(name);
        std::fs::write(&path, text).expect("written");
        File {
            app,
            path: path.display().to_string(),
        }
    }

    fn run(&self, what: &str, more: &[&str]) -> Ran {
        ran(
            self.app,
            &[&["client", what, self.path.as_str()], more].concat(),
        )
    }

    /// What is planned, which is what is done.
    fn apply(&self, more: &[&str]) -> String {
        let planned = self.run("plan", more).good();
        assert_eq!(
            self.run("apply", &[&["--dry-run"], more].concat()).good(),
            planned
        );
        assert_eq!(self.run("apply", more).good(), planned);
        planned
    }
}

const TWO: &str = r#"
[[client]]
client_id = "one"
client_name = "Ettan"
client_secret_file = "one.secret"
redirect_uris = ["https://one.example/cb"]

[[client]]
client_id = "two"
client_name = "Tvåan"
token_endpoint_auth = "none"
redirect_uris = ["https://two.example/cb"]
web_origins = ["https://two.example"]
personal_number = { purpose = "Tests." }
"#;

on_both!(
    a_file_is_planned_and_applied_all_or_nothing,
    async |database: Database| {
        let _shows =
            shows!(accepting "PV-FILE-1", refusing "PV-FILE-1", accepting "M10", refusing "M10");
        let app = App::on(database).await;
        std::fs::write(app.directory.path().join("one.secret"), SECRET).expect("written");
        let file = File::new(&app, "clients.toml", TWO);
        let before = (events(&app).await, listed(&app, &[]));
        let planned = file.run("plan", &[]).good();
        assert!(
            planned.contains("+ one\n") && planned.contains("+ two\n"),
            "{planned}"
        );
        assert!(
            planned.ends_with("2 to change, 0 unchanged.\n"),
            "{planned}"
        );
        assert_eq!(
            (events(&app).await, listed(&app, &[])),
            before,
            "a plan changes nothing"
        );
        assert_eq!(file.apply(&[]), planned);
        assert_eq!(show(&app, "two")["source"], "clients");
        // Again: nothing at all.
        let before = (events(&app).await, show(&app, "one"), show(&app, "two"));
        assert_eq!(file.apply(&[]), "0 to change, 2 unchanged.\n");
        assert_eq!(
            (events(&app).await, show(&app, "one"), show(&app, "two")),
            before
        );
        // YAML says the same.
        let yaml = "client:
  - client_id: one
    client_name: Ettan
    client_secret_file: one.secret
    redirect_uris: ['https://one.example/cb']
  - client_id: two
    client_name: Tvåan
    token_endpoint_auth: none
    redirect_uris: ['https://two.example/cb']
    web_origins: ['https://two.example']
    personal_number: {purpose: Tests.}
";
        assert_eq!(
            File::new(&app, "clients.yaml", yaml).apply(&[]),
            "0 to change, 2 unchanged.\n"
        );
        // One that is bad spoils all, and every mistake is told at its client and key.
        let bad = TWO
            .replace("Ettan", "Nya ettan")
            .replace("\"https://two.example/cb\"", "\"http://two.example/cb\"")
            + "colour = \"red\"\n[[client]]\nclient_id = \"three\"\nclient_name = \"Trean\"\npkce = 7\n"
            + "[[client]]\nclient_name = \"Ingen\"\n"
            + "[[client]]\nclient_id = \"one\"\nclient_name = \"Ettan\"\nclient_secret = \"short\"\nredirect_uris = [\"https://one.example/cb\"]\n";
        let bad = File::new(&app, "bad.toml", &bad);
        for what in ["plan", "apply"] {
            let told = bad.run(what, &[]).bad();
            for part in [
                "client.two.redirect_uris: ",
                "client.two.colour: ",
                "client.three.pkce: ",
                "client 4: ",
                "client.one: is registered twice",
                "client_secret must have at least 32 characters",
            ] {
                assert!(told.contains(part), "{part} in {told}");
            }
        }
        // So do mistakes that only this installation can see.
        let unmet = TWO.replace("client_name = \"Tvåan\"", "client_name = \"Tvåan\"\nbankid = { profile = \"nobody\" }\nsector = \"other.example\"");
        let unmet = unmet
            + "[[client]]\nclient_id = \"four\"\nclient_name = \"F\"\ntoken_endpoint_auth = \"none\"\nredirect_uris = [\"https://f.example/cb\"]\nbankid = { profile = \"nobody\" }\n";
        let told = File::new(&app, "unmet.toml", &unmet)
            .run("apply", &[])
            .bad();
        for part in [
            "client.two.sector: the sector is two.example",
            "client.four.bankid.profile: ",
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
        assert_eq!(
            (events(&app).await, show(&app, "one"), show(&app, "two")),
            before
        );
        // What a file manages is read-only elsewhere.
        for door in [
            &["client", "set", "one", "pkce=accepted"][..],
            &["client", "remove", "one"],
            &["client", "secret", "one"],
            &["client", "entitle", "one", "--purpose", "Tests."],
        ] {
            let told = ran(&app, door).bad();
            assert!(
                told.contains(
                    "managed by the client file \"clients\": change it there and apply that"
                ),
                "{told}"
            );
        }
        // A client that is not in the file any more stays, but for --prune.
        let one = TWO
            .split("[[client]]")
            .take(2)
            .collect::<Vec<_>>()
            .join("[[client]]");
        let fewer = File::new(&app, "fewer.toml", &one);
        assert_eq!(fewer.apply(&[]), "0 to change, 1 unchanged.\n");
        let others = listed(&app, &[]);
        assert_eq!(
            fewer
                .apply(&["--prune", "--source", "other", "--take-over"])
                .lines()
                .next(),
            Some("~ one (managed by file now)")
        );
        assert_eq!(
            fewer.apply(&["--take-over"]).lines().next(),
            Some("~ one (managed by file now)")
        );
        assert_eq!(listed(&app, &[]), others);
        assert_eq!(
            fewer.apply(&["--prune"]),
            "- two\n1 to change, 1 unchanged.\n"
        );
        assert_eq!(listed(&app, &["--removed"]), ["two"]);
        assert!(
            ran(&app, &["client", "restore", "two"])
                .bad()
                .contains("client file \"clients\"")
        );
        // It comes back by the file.
        let back = file.apply(&[]);
        assert!(back.starts_with("~ two (removed now)\n"), "{back}");
        assert_eq!(listed(&app, &["--removed"]), Vec::<String>::new());
        assert_eq!(file.apply(&["--prune"]), "0 to change, 2 unchanged.\n");
    }
);

fn wanted(app: &App, text: &str) -> Vec<portvakt::config::client::RegisteredClient> {
    let path = app.directory.path().join("wanted.toml");
    std::fs::write(&path, text).expect("written");
    file::read(&path).expect("a good file")
}

async fn planned(app: &App, text: &str) -> Result<Plan, Unmet> {
    let terms = Terms {
        source: "clients".into(),
        prune: true,
        take_over: false,
    };
    file::plan(&desk(app, Door::File), &wanted(app, text), terms).await
}

on_both!(
    what_changes_between_plan_and_apply_stops_all_of_it,
    async |database: Database| {
        let _shows = shows!(accepting "PV-FILE-1", refusing "PV-FILE-1");
        let app = App::on(database).await;
        std::fs::write(app.directory.path().join("one.secret"), SECRET).expect("written");
        let store = &app.provider.store;
        let door = desk(&app, Door::File);
        let first = planned(&app, TWO).await.expect("planned");
        // Somebody else has one of the ids now.
        app.register(
            "two",
            json!({"client_name": "Före", "redirect_uris": ["https://x.example/cb"]}),
        )
        .await;
        let before = (events(&app).await, listed(&app, &[]));
        let late = file::apply(&door, &first).await;
        assert!(matches!(late, Err(Unmet::Stale)), "{late:?}");
        assert_eq!((events(&app).await, listed(&app, &[])), before);
        assert_eq!(show(&app, "two")["metadata"]["client_name"], "Före");
        // The configuration's own are refused, whatever is asked for.
        let told = File::new(&app, "own.toml", TWO)
            .run("apply", &["--take-over"])
            .bad();
        assert!(
            told.contains("client.two: is in the configuration"),
            "{told}"
        );
        // The same with a change and with a removal.
        let sound = TWO.replace("\"two\"", "\"deux\"");
        file::apply(&door, &planned(&app, &sound).await.expect("planned"))
            .await
            .expect("applied");
        let renamed = sound
            .replace("Ettan", "Ettan igen")
            .split("[[client]]")
            .take(2)
            .collect::<Vec<_>>()
            .join("[[client]]");
        let plan = planned(&app, &renamed).await.expect("planned");
        assert_eq!(plan.steps.len(), 2, "a change and a removal");
        let other = sound.replace("Tvåan", "Tvåan igen");
        file::apply(&door, &planned(&app, &other).await.expect("planned"))
            .await
            .expect("applied");
        let before = (events(&app).await, show(&app, "one"), show(&app, "deux"));
        let late = file::apply(&door, &plan).await;
        assert!(matches!(late, Err(Unmet::Stale)), "{late:?}");
        assert_eq!(
            (events(&app).await, show(&app, "one"), show(&app, "deux")),
            before
        );
        assert_eq!(
            store
                .verify_audit(None, app.clock.now())
                .await
                .expect("read"),
            []
        );
    }
);

on_both!(
    a_file_takes_what_is_anothers_only_when_it_is_told_to,
    async |database: Database| {
        let _shows = shows!(accepting "PV-FILE-2", refusing "PV-FILE-2");
        let app = App::on(database).await;
        std::fs::write(app.directory.path().join("one.secret"), SECRET).expect("written");
        let create = [
            "client",
            "create",
            "--client-id",
            "one",
            "client_name=Ettan",
            "redirect_uris=[\"https://one.example/cb\"]",
        ];
        secret(&ran(&app, &create).good());
        let file = File::new(&app, "clients.toml", TWO);
        let refused = file.run("apply", &[]).bad();
        assert!(
            refused.contains("client.one: is managed by admin: --take-over"),
            "{refused}"
        );
        assert!(
            !listed(&app, &[]).contains(&"two".to_owned()),
            "all or nothing"
        );
        // Also when it is removed: it would come back as somebody else's.
        ran(&app, &["client", "remove", "one"]).good();
        let refused = file.run("apply", &[]).bad();
        assert!(
            refused.contains("client.one: is removed, and was managed by admin: --take-over"),
            "{refused}"
        );
        ran(&app, &["client", "restore", "one"]).good();
        let said = file.apply(&["--take-over"]);
        assert!(
            said.starts_with("~ one (managed by admin now) (with other secrets)\n"),
            "{said}"
        );
        let told = left(&app, "one").await.events;
        assert_eq!(
            told.last().expect("an event")["action"],
            "client.secret.add"
        );
        let change = &told[told.len() - 2];
        assert_eq!(
            change["before"],
            json!({"managed_by": "admin", "source": ""})
        );
        assert_eq!(
            change["after"],
            json!({"managed_by": "file", "source": "clients"})
        );
        assert!(
            ran(&app, &["client", "remove", "one"])
                .bad()
                .contains("client file \"clients\"")
        );
        // Another file's.
        let refused = file.run("plan", &["--source", "other"]).bad();
        assert!(
            refused.contains("client.one: is managed by the client file \"clients\": --take-over"),
            "{refused}"
        );
        // What waits for an answer that nobody can give any more is gone.
        let create = [
            "client",
            "create",
            "--client-id",
            "asking",
            "client_name=A",
            "redirect_uris=[\"https://asking.example/cb\"]",
        ];
        ran(&app, &create).good();
        let mut config = app.provider.config.clone();
        config.second_approver = true;
        let mut door = desk(&app, Door::Page);
        door.config = &config;
        let wanted = Entitlement {
            purpose: portvakt::client::Reason::parse("Tests.").expect("a reason"),
            expires_at: None,
        };
        let asked = entitlement::ask(&door, "asking", None, wanted)
            .await
            .expect("asked");
        assert_eq!(asked, entitlement::Asked::Waiting);
        assert_eq!(entitlement::waiting(&door).await.expect("asked").len(), 1);
        ran(&app, &["client", "remove", "asking"]).good();
        assert_eq!(entitlement::waiting(&door).await.expect("asked"), []);
    }
);

on_both!(
    no_client_has_a_name_that_means_something_else,
    async |database: Database| {
        let _shows = shows!(accepting "PV-DOOR-3", refusing "PV-DOOR-3");
        let app = App::on(database).await;
        for (id, why) in [
            (".", "must not be . or .."),
            ("..", "must not be . or .."),
            ("portvakt-admin", "administration's own"),
        ] {
            let settings = ["client_name=A", "redirect_uris=[\"https://a.example/cb\"]"];
            let told = ran(
                &app,
                &[&["client", "create", "--client-id", id][..], &settings].concat(),
            )
            .bad();
            assert!(
                told.contains(why) || told.contains("is there already"),
                "{told}"
            );
            let table = format!(
                "[[client]]\nclient_id = \"{id}\"\nclient_name = \"A\"\nclient_secret = \"{SECRET}\"\nredirect_uris = [\"https://a.example/cb\"]\n"
            );
            let told = File::new(&app, "named.toml", &table)
                .run("apply", &["--take-over"])
                .bad();
            assert!(told.contains(why), "{told}");
            let config = format!("{}\n{table}", app.config);
            let told = ran_with(&app, &config, &["client", "list"]).bad();
            assert!(
                told.contains(&format!("client.{id}")) && told.contains(why),
                "{told}"
            );
            let parsed = ClientId::parse(id).expect("visible");
            let there = app.provider.store.registered(&parsed).await.expect("asked");
            // The administration's own is there, and is not this one.
            let own = there.map(|read| read.client.metadata.client_name.as_str().to_owned());
            assert!(own.is_none_or(|name| name == "Portvakt administration"));
        }
        // What only looks like it is a name.
        let fine = [
            "client",
            "create",
            "--client-id",
            "...",
            "client_name=A",
            "redirect_uris=[\"https://a.example/cb\"]",
        ];
        ran(&app, &fine).good();
    }
);

on_both!(each_door_leaves_the_same, async |database: Database| {
    let _shows = shows!(accepting "PV-DOOR-1", refusing "PV-DOOR-1");
    let app = App::on(database).await;
    let by_shell = walk(&app, "door", async |change| by_shell(&app, "door", change)).await;
    assert_eq!(by_shell.len(), changes().len());
    let mut now = None;
    let mut secret = 0;
    let by_file = walk(&app, "file", async |change| {
        match change {
            Change::Create(metadata) => now = Some(metadata.clone()),
            Change::Change(metadata) => {
                let right = now
                    .take()
                    .and_then(|now| now.get("personal_number").cloned());
                let mut metadata = metadata.clone();
                right.map(|right| metadata["personal_number"] = right);
                now = Some(metadata);
            }
            Change::Entitle(purpose) => {
                now.as_mut().expect("there")["personal_number"] = json!({"purpose": purpose});
            }
            Change::EndEntitlement => {
                let now = now.as_mut().and_then(Value::as_object_mut);
                now.expect("there").remove("personal_number");
            }
            Change::NewSecret => secret += 1,
            Change::Remove | Change::Restore => {}
        }
        let mut client = now.clone().expect("there");
        client["client_id"] = json!("file");
        client["client_secret"] = json!(format!("{SECRET}-{secret}"));
        let clients = match change {
            Change::Remove => json!({"client": []}),
            _ => json!({"client": [client]}),
        };
        // JSON is YAML.
        let file = File::new(&app, "door.yaml", &clients.to_string());
        let said = file.apply(&["--prune"]);
        assert!(said.contains("1 to change"), "{said}");
        assert_eq!(file.apply(&["--prune"]).lines().count(), 1);
    })
    .await;
    for ((change, shell), file) in changes().iter().zip(&by_shell).zip(&by_file) {
        assert_eq!(shell, file, "{change:?}");
    }
    // A difference would be seen.
    assert!(by_shell.windows(2).all(|two| two[0] != two[1]));
});

/// A change by the command line.
fn by_shell(app: &App, id: &str, change: &Change) {
    let settings = |metadata: &Value| -> Vec<String> {
        let members = metadata.as_object().expect("an object").iter();
        members
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    };
    let arguments: Vec<String> = match change {
        Change::Create(metadata) => {
            let begin = ["create", "--client-id", id].map(str::to_owned);
            begin.into_iter().chain(settings(metadata)).collect()
        }
        Change::Change(metadata) => {
            // What is not in it any more is as if it was never set.
            let now = show(app, id)["metadata"].clone();
            let gone = now.as_object().expect("an object").keys();
            let gone =
                gone.filter(|name| metadata.get(name).is_none() && *name != "personal_number");
            let gone = gone.map(|name| format!("{name}=null"));
            let begin = ["set", id].map(str::to_owned);
            begin
                .into_iter()
                .chain(gone)
                .chain(settings(metadata))
                .collect()
        }
        Change::Entitle(purpose) => ["entitle", id, "--purpose", purpose]
            .map(str::to_owned)
            .into(),
        Change::EndEntitlement => ["entitle", id, "--end"].map(str::to_owned).into(),
        Change::NewSecret => ["secret", id, "--overlap-hours", "0"]
            .map(str::to_owned)
            .into(),
        Change::Remove => ["remove", id].map(str::to_owned).into(),
        Change::Restore => ["restore", id].map(str::to_owned).into(),
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    ran(app, &[&["client"][..], &arguments].concat()).good();
}

/// Everything that a client can be set to at once, nothing as it would be anyway.
fn maximal(key: &Value) -> Value {
    json!({
        "client_name": "Kommunen \"ett\"\n".trim(),
        "redirect_uris": ["https://files.example/cb", "https://files.example/cb?a=1"],
        "web_origins": ["https://files.example"],
        "post_logout_redirect_uris": ["https://files.example/out"],
        "backchannel_logout_uri": "https://files.example/ended",
        "backchannel_logout_session_required": true,
        "frontchannel_logout_uri": "https://files.example/frame",
        "frontchannel_logout_session_required": true,
        "pkce": "accepted",
        "require_pushed_authorization_requests": true,
        "jwks": {"keys": [key], "note": "a \"b\"\n"},
        "request_object_signing_alg": "PS256",
        "purpose": {"sv": "Så att vi vet vem du är", "en": "So that we know who you are"},
        "personal_number": {"purpose": "Journalföring enligt lag", "expires_at": 2_000_000_000},
        "subject_type": "public",
        "profile_in_id_token": false,
        "refresh_tokens": {"lifetime_days": 30},
        "dpop_bound_access_tokens": true,
        "access_token": "jwt",
        "resources": ["https://api.example", "urn:b"],
        "client_credentials": {"scopes": ["orders:read", "orders:write"]},
        "introspects": true,
        "serves": ["urn:a"],
        "default_max_age": 3600,
        "id_token_signed_response_alg": "ES256",
        "userinfo_signed_response_alg": "EdDSA",
        "response_modes": ["query.jwt", "form_post.jwt"],
        "authorization_signed_response_alg": "PS256",
        "introspection_signed_response_alg": "PS256",
        "bankid": {
            "profile": "tax",
            "pin_code": true,
            "kinds": ["card"],
            "card_reader": "class2",
            "risk": {"moderate": "require_pin", "high": "require_pin", "unknown": "deny"},
            "return": "cookie_or_same_address",
            "devices": "this_only",
        },
    })
}

on_both!(
    what_is_written_out_is_what_is_registered,
    async |database: Database| {
        let _shows = shows!(accepting "M11", refusing "M11", accepting "PV-FILE-3");
        let app = App::on(database).await;
        let key = Signer::new().jwks()["keys"][0].clone();
        let mut full = maximal(&key);
        full["client_id"] = json!("full");
        full["sector"] = json!("a.sector.example");
        full["client_secret"] = json!(SECRET);
        full["previous_client_secret"] = json!(format!("{SECRET}-before"));
        let small = json!({
            "client_id": "small", "client_name": "S", "token_endpoint_auth": "none",
            "redirect_uris": ["https://small.example/cb"],
        });
        let clients = json!({"client": [full, small]});
        File::new(&app, "all.yaml", &clients.to_string()).apply(&[]);
        let written = ran(&app, &["client", "export", "--source", "clients"]).good();
        assert!(!written.contains(SECRET));
        // Every member is there as it was given.
        let read = show(&app, "full")["metadata"].clone();
        for (name, value) in maximal(&key).as_object().expect("an object") {
            let mut kept = read[name].clone();
            if name == "bankid" {
                let given = value.as_object().expect("an object");
                kept.as_object_mut()
                    .expect("an object")
                    .retain(|name, _| given.contains_key(name));
            }
            assert_eq!(&kept, value, "{name}");
        }
        let before = (show(&app, "full"), show(&app, "small"), events(&app).await);
        assert_eq!(
            File::new(&app, "again.toml", &written).apply(&["--prune"]),
            "0 to change, 2 unchanged.\n"
        );
        assert_eq!(
            (show(&app, "full"), show(&app, "small"), events(&app).await),
            before
        );
        // Read, changed and written: nothing but the change is changed.
        let renamed = written.replace("client_name = \"S\"", "client_name = \"Small\"");
        assert!(
            File::new(&app, "renamed.toml", &renamed)
                .apply(&[])
                .contains("1 to change, 1 unchanged")
        );
        let mut expected = before.1["metadata"].clone();
        expected["client_name"] = json!("Small");
        assert_eq!(show(&app, "small")["metadata"], expected);
        assert_eq!(show(&app, "full"), before.0);
    }
);

on_both!(
    a_client_that_moves_keeps_its_secret_and_its_sector,
    async |database: Database| {
        let _shows = shows!(accepting "PV-FILE-3", refusing "PV-FILE-3");
        let app = App::on(database).await;
        let redirects = format!("redirect_uris=[\"{CALLBACK}\"]");
        let create = [
            "client",
            "create",
            "--client-id",
            "moving",
            "--sector",
            "kommunen",
            "client_name=M",
            &redirects,
            MACHINE,
        ];
        let old = secret(&ran(&app, &create).good());
        let new = secret(&ran(&app, &["client", "secret", "moving"]).good());
        let answer = log_in(&app, "moving", "openid").await;
        let tokens = exchange(&app, "moving", &new, &answer).await.body;
        let subject = claims(&app, &tokens).await["sub"].clone();
        let written = ran(&app, &["client", "export", "--managed-by", "admin"]).good();
        assert!(![&old, &new].iter().any(|secret| written.contains(*secret)));
        // To another installation.
        let there = App::on(Database::sqlite()).await;
        File::new(&there, "moved.toml", &written).apply(&[]);
        for secret in [&old, &new] {
            assert_eq!(status(&there, "moving", secret).await, 200);
        }
        assert_eq!(status(&there, "moving", SECRET).await, 401);
        assert_eq!(show(&there, "moving")["sector"], "kommunen");
        // Subjects are made with a key of the installation: there they are others, for the same person.
        let answer = log_in(&there, "moving", "openid").await;
        let tokens = exchange(&there, "moving", &new, &answer).await.body;
        assert_ne!(claims(&there, &tokens).await["sub"], subject);
        // Within this installation a client that the file has now knows its people as before.
        File::new(&app, "taken.toml", &written).apply(&["--take-over"]);
        let answer = log_in(&app, "moving", "openid").await;
        let tokens = exchange(&app, "moving", &old, &answer).await.body;
        assert_eq!(claims(&app, &tokens).await["sub"], subject);
        // A digest is one, and not beside the secret.
        for (digest, why) in [
            ("sha256:00", "sha256: and 64 hexadecimal digits"),
            ("md5:00", "sha256: and 64 hexadecimal digits"),
        ] {
            let text = format!(
                "[[client]]\nclient_id = \"d\"\nclient_name = \"D\"\nclient_secret_digest = \"{digest}\"\nredirect_uris = [\"https://d.example/cb\"]\n"
            );
            let told = File::new(&app, "digest.toml", &text).run("plan", &[]).bad();
            assert!(told.contains(why), "{told}");
        }
        let both = written.replace(
            "client_secret_digest",
            &format!("client_secret = \"{SECRET}\"\nclient_secret_digest"),
        );
        let told = File::new(&app, "both.toml", &both)
            .run("plan", &["--take-over"])
            .bad();
        assert!(
            told.contains("exclude each other") || told.contains("uplicate"),
            "{told}"
        );
    }
);

#[test]
fn the_document_says_what_there_is() {
    let _shows = shows!(accepting "PV-FILE-1");
    let document = include_str!("../../docs/administration.md");
    for role in Role::ALL {
        assert!(
            document.contains(&format!("| `{}` |", role.as_str())),
            "{role:?}"
        );
    }
    let indented = document
        .lines()
        .skip_while(|line| *line != "    # clients.toml");
    let indented = indented.take_while(|line| line.is_empty() || line.starts_with("    "));
    let text: String = indented.map(|line| format!("{}\n", line.trim())).collect();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("clients.toml");
    std::fs::write(&path, text).expect("written");
    std::fs::write(directory.path().join("orders.secret"), SECRET).expect("written");
    let clients = file::read(&path).expect("a good example");
    let names = clients.iter().map(|c| c.client.client_id.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["orders", "journal"]);
}
