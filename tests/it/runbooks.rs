//! What operators are told to do when a key is lost or stolen, done: the commands of the document as they
//! stand there.

use std::process::Command;

use portvakt::shows;

use crate::support::phone::TOLVAN;
use crate::support::{App, Browser, Database, on_both};
use crate::token::{claims, redeem};

/// The commands of a chapter, by the paragraphs that they stand in.
fn commands(chapter: &str) -> Vec<Vec<&'static str>> {
    let document = include_str!("../../docs/runbooks.md");
    let heading = format!("## {chapter}\n");
    let (_, rest) = document.split_once(&heading).expect("a chapter");
    let text = rest.split("\n## ").next().expect("a text");
    let mut blocks = Vec::new();
    let mut block = Vec::new();
    for line in text.lines().chain([""]) {
        match line.strip_prefix("    ") {
            Some(command) => block.push(command),
            None if !block.is_empty() => blocks.push(std::mem::take(&mut block)),
            None => {}
        }
    }
    blocks
}

/// A place where an operator sits.
struct Operator<'a> {
    app: &'a App,
    config: String,
}

impl<'a> Operator<'a> {
    /// Whose master key stands in a file, as the document says.
    fn of(app: &'a App) -> Operator<'a> {
        let line = app
            .config
            .lines()
            .find(|line| line.starts_with("master_key = "));
        let line = line.expect("a master key");
        let key = line.split('"').nth(1).expect("a value");
        std::fs::write(app.directory.path().join("master.key"), key).expect("written");
        Operator {
            app,
            config: app.config.replace(line, "master_key_file = \"master.key\""),
        }
    }

    fn edit(&mut self, from: &str, to: &str) {
        assert!(self.config.contains(from), "{from}");
        self.config = self.config.replace(from, to);
    }

    fn try_one(&self, command: &str) -> (bool, String) {
        let directory = self.app.directory.path();
        std::fs::write(directory.join("operator.toml"), &self.config).expect("written");
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_portvakt"));
        let path = std::env::var("PATH").expect("a path");
        let here = program.parent().expect("a folder").display();
        let ran = Command::new("sh")
            .args(["-c", command])
            .current_dir(directory)
            .env("PATH", format!("{here}:{path}"))
            .env("PORTVAKT_CONFIG", "operator.toml")
            .output()
            .expect("it runs");
        let said = [ran.stdout, ran.stderr].concat();
        (ran.status.success(), String::from_utf8(said).expect("text"))
    }

    /// Runs a paragraph's commands, and says what they said.
    fn run(&self, commands: &[&str]) -> String {
        let mut all = String::new();
        for command in commands {
            let (is_good, said) = self.try_one(command);
            assert!(is_good, "{command}: {said}");
            all += &said;
        }
        all
    }
}

const FORMER: &str =
    "master_key_file = \"master-new.key\"\nformer_master_key_files = [\"master.key\"]";

on_both!(
    a_stolen_master_key_is_replaced,
    async |database: Database| {
        let _shows = shows!(accepting "PV-RUN-1", refusing "PV-RUN-1");
        let app = App::on(database).await;
        let browser = Browser::new();
        let before = claims(
            &app,
            &redeem(&app, &app.log_in(&browser, TOLVAN).await).await,
        )
        .await;
        let [make, see, roll] = &commands("The master key is stolen")[..] else {
            panic!("another chapter");
        };
        let mut operator = Operator::of(&app);
        operator.run(make);
        operator.edit("master_key_file = \"master.key\"", FORMER);
        let said = operator.run(see);
        assert!(said.contains("are not needed any more"), "{said}");
        operator.edit(FORMER, "master_key_file = \"master-new.key\"");
        let said = operator.run(roll);
        assert!(
            said.contains("sealing key 2") && said.contains("index key 2"),
            "{said}"
        );
        // The stolen key opens nothing any more, and everybody is who they were.
        let thief = Operator::of(&app);
        let (is_good, said) = thief.try_one("portvakt key list");
        assert!(!is_good && said.contains("another master key"), "{said}");
        let after = claims(
            &app,
            &redeem(&app, &app.log_in(&Browser::new(), TOLVAN).await).await,
        )
        .await;
        assert_eq!(before["sub"], after["sub"]);
        // A stolen signing key, and a stolen database, on the same installation.
        let [block] = &commands("A signing key is stolen")[..] else {
            panic!("another chapter");
        };
        let list = operator.run(&block[..1]);
        let signs = |line: &&str| line.contains("RS256") && line.contains("active");
        let kid = list
            .lines()
            .find(signs)
            .and_then(|line| line.split(' ').next());
        let kid = kid.expect("a key").to_owned();
        let revoke = block[1].replace("KID", &kid);
        let said = operator.run(&[&revoke, block[2]]);
        assert!(said.contains(&format!("{kid} is revoked")), "{said}");
        for chapter in ["The database is stolen", "The subject key is stolen"] {
            for block in commands(chapter) {
                operator.run(&block);
            }
        }
    }
);

on_both!(
    after_a_lost_master_key_the_clients_are_saved,
    async |database: Database| {
        let _shows = shows!(accepting "PV-RUN-2", refusing "PV-RUN-2");
        let app = App::on(database).await;
        let [check, export, anew] = &commands("The master key is lost")[..] else {
            panic!("another chapter");
        };
        let mut operator = Operator::of(&app);
        operator.run(&["portvakt client create --client-id saved client_name=Saved 'redirect_uris=[\"https://saved.example/cb\"]'"]);
        operator.run(export);
        std::fs::write(
            app.directory.path().join("other.key"),
            format!("{}\n", OTHER),
        )
        .expect("written");
        operator.edit("\"master.key\"", "\"other.key\"");
        let (is_good, said) = operator.try_one(check[0]);
        assert!(
            !is_good && said.contains("made with another master key"),
            "{said}"
        );
        operator.edit("\"other.key\"", "\"master-new.key\"");
        let fresh = Database::sqlite().url(&app.directory.path().join("fresh"));
        std::fs::create_dir(app.directory.path().join("fresh")).expect("a folder");
        let url = app.database.url(app.directory.path());
        operator.edit(&url, &fresh);
        let said = operator.run(anew);
        assert!(said.contains("saved"), "{said}");
        let shown = operator.run(&["portvakt client show saved"]);
        assert!(shown.contains("https://saved.example/cb"), "{shown}");
    }
);

const OTHER: &str = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";

on_both!(
    a_lost_certificate_is_replaced_under_logins,
    async |database: Database| {
        let _shows = shows!(accepting "PV-RUN-3");
        let app = App::on(database).await;
        let operator = Operator::of(&app);
        let new = app.banks.relying_party("Nya Testkommunen").expect("made");
        let write = |name: &str, text: String| {
            std::fs::write(app.directory.path().join(name), text).expect("written");
        };
        write("relying-party.key", new.key_pem());
        write("relying-party.pem", new.certificate_pem());
        let said = commands("A relying-party certificate is lost or stolen")
            .iter()
            .map(|block| operator.run(block))
            .collect::<String>();
        assert!(said.contains("people see \"Nya Testkommunen\""), "{said}");
        app.log_in(&Browser::new(), TOLVAN).await;
    }
);
