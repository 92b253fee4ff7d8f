//! Clients in files, by the program itself.

use portvakt::admin::file::{self, Plan, Terms};
use portvakt::admin::role::Role;
use portvakt::admin::{Unmet, entitlement};
use portvakt::audit::Door;
use portvakt::client::Entitlement;
use portvakt::id::ClientId;
use portvakt::shows;
use portvakt::storage::EventFilter;
use serde_json::json;

use crate::client_shell::{listed, secret, show};
use crate::support::doors::{Ran, desk, left, ran, ran_with};
use crate::support::{App, Database, SECRET, on_both};

/// How many events there are.
pub async fn events(app: &App) -> usize {
    let all = EventFilter::default();
    let events = app.provider.store.events(&all, u16::MAX).await;
    events.expect("asked").len()
}

/// A file of clients, and what the program is told to do with it.
pub struct File<'a> {
    app: &'a App,
    path: String,
}

impl File<'_> {
    pub fn new<'a>(app: &'a App, name: &str, text: &str) -> File<'a> {
        let path = app.directory.path().join(name);
        std::fs::write(&path, text).expect("written");
        File {
            app,
            path: path.display().to_string(),
        }
    }

    pub fn run(&self, what: &str, more: &[&str]) -> Ran {
        ran(
            self.app,
            &[&["client", what, self.path.as_str()], more].concat(),
        )
    }

    /// What is planned, which is what is done.
    pub fn apply(&self, more: &[&str]) -> String {
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
            let there = app.provider.store.registered(&parsed).await;
            // The administration's own is there, and is not this one.
            let own = there.expect("asked").map(|read| read.client.sector);
            assert!(own.is_none_or(|sector| sector == "portvakt-admin"));
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
