//! The guides: every `portvakt client …` in them is run as it stands there, and what they show to paste is what
//! the program prints.

use std::path::{Path, PathBuf};
use std::process::Command;

use portvakt::shows;
use serde_json::{Value, json};

use crate::client_shell::show;
use crate::support::doors::ran;
use crate::support::phone::TOLVAN;
use crate::support::{Answer, App, Browser, Database, run};

/// The provider of the guides.
const ISSUER: &str = "https://login.example.se";

/// Somebody who reads a guide, with a provider that nobody has used yet.
struct Reader {
    directory: PathBuf,
}

impl Reader {
    fn of(app: &App, guide: &str) -> Reader {
        let directory = app.directory.path().join(guide);
        std::fs::create_dir(&directory).expect("made");
        let (config, _) = app.config.split_once("[[client]]").expect("clients");
        let database = app.database.url(app.directory.path());
        let (before, admin) = config.split_once("[admin]").expect("a section");
        let (_, after) = admin.split_once("[database]").expect("a section");
        let config = format!("{before}[database]{after}")
            .replace(&app.issuer, ISSUER)
            .replace(&database, "sqlite:portvakt.db")
            .replace("_file = \"", "_file = \"../");
        std::fs::write(directory.join("portvakt.toml"), config).expect("written");
        let reader = Reader { directory };
        reader.run("portvakt migrate");
        reader
    }

    fn run(&self, command: &str) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_portvakt"));
        let path = std::env::var("PATH").expect("a path");
        let here = program.parent().expect("a folder").display();
        let ran = Command::new("sh")
            .args(["-c", command])
            .current_dir(&self.directory)
            .env("PATH", format!("{here}:{path}"))
            .output()
            .expect("it runs");
        let complaint = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{command}: {complaint}");
        String::from_utf8(ran.stdout).expect("text")
    }
}

/// What stands in a guide to be typed, of ours. A line that goes on in the next one ends with a backslash.
fn commands(guide: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in guide.lines() {
        let Some(line) = line.strip_prefix("    ") else {
            continue;
        };
        if goes_on {
            let command = commands.last_mut().expect("one that goes on");
            *command += line;
        } else if line.starts_with("portvakt client ") {
            commands.push(line.to_owned());
        } else {
            continue;
        }
        goes_on = line.ends_with('\\');
        if let Some(command) = commands.last_mut()
            && goes_on
        {
            command.pop();
        }
    }
    commands
}

/// A text as it stands in a guide.
fn indented(text: &str) -> String {
    let line = |line: &str| match line {
        "" => "\n".to_owned(),
        line => format!("    {line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn what_a_guide_shows_is_what_the_program_prints() {
    run(async {
        let _shows = shows!(accepting "PV-GUIDE-1", refusing "PV-GUIDE-1");
        let app = App::on(Database::sqlite()).await;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides");
        let mut applications = 0;
        for entry in std::fs::read_dir(folder).expect("guides").flatten() {
            let name = entry.file_name().into_string().expect("a name");
            let guide = std::fs::read_to_string(entry.path()).expect("text");
            assert!(!guide.contains("@@"), "{name}");
            let commands = commands(&guide);
            if commands.is_empty() {
                continue;
            }
            // Who reads how an application is set up reads that a login is no permission.
            let pastes = commands
                .iter()
                .any(|it| it.starts_with("portvakt client paste "));
            let is_said = ["has a BankID", "with a BankID"]
                .iter()
                .any(|word| guide.contains(word));
            assert!(is_said || !pastes || name == "first-hour.md", "{name}");
            let reader = Reader::of(&app, &name);
            for command in commands {
                let said = reader.run(&command);
                if !command.starts_with("portvakt client paste ") {
                    continue;
                }
                applications += 1;
                let pasted = reader.run(&format!("{command} --json"));
                let pasted: Value = serde_json::from_str(&pasted).expect("JSON");
                for one in pasted.as_array().expect("a list") {
                    let text = one["text"].as_str().expect("a text");
                    let place = one["place"].as_str().expect("a place");
                    assert!(said.contains(text) && said.contains(place), "{said}");
                    // The first hour says where the others are.
                    if name != "first-hour.md" {
                        assert!(
                            guide.contains(&indented(text)),
                            "{name} lacks:\n{}",
                            indented(text)
                        );
                    }
                }
            }
        }
        assert_eq!(applications, 11);
    });
}

/// The requests that a guide makes to the simulator's doors with curl: each with its door, and what it posts.
fn requests(guide: &str) -> Vec<(String, Option<String>)> {
    let joined = guide.replace("\\\n", " ");
    let curls = joined
        .lines()
        .filter_map(|line| line.strip_prefix("    curl -s http://localhost:3001/api/"));
    let parts = curls.map(|line| {
        let (door, rest) = line.split_once(' ').unwrap_or((line, ""));
        let posted = rest.split_once("-d '").map(|(_, posted)| posted);
        let posted = posted.and_then(|it| it.strip_suffix('\''));
        (door.to_owned(), posted.map(str::to_owned))
    });
    parts.collect()
}

#[test]
fn a_test_without_eyes_logs_in_as_the_guide_has_it() {
    run(async {
        let _shows = shows!(accepting "PV-GUIDE-2", refusing "PV-GUIDE-2");
        let guide = "docs/guides/testing-with-the-simulator.md";
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join(guide);
        let requests = requests(&std::fs::read_to_string(guide).expect("a guide"));
        let doors: Vec<&str> = requests.iter().map(|(door, _)| door.as_str()).collect();
        assert_eq!(doors, ["screens", "scan", "approve"]);
        let body = |number: usize, placeholder: &str, value: &Value| -> Value {
            let posted = requests[number].1.as_ref().expect("it posts something");
            let filled = posted.replace(placeholder, value.as_str().expect("text"));
            serde_json::from_str(&filled).expect("JSON")
        };

        let app = App::on(Database::sqlite()).await;
        let browser = Browser::new();
        assert_eq!(app.phone.told("screens").await, json!([]));
        let choice = browser.get(&app.authorize_url(&[])).await;
        let login = browser.choose(&choice, "other").await;
        let screens = app.phone.told("screens").await;
        let Some([screen]) = screens.as_array().map(Vec::as_slice) else {
            panic!("{screens}");
        };
        assert!(screen["relyingParty"].is_string(), "{screen}");
        let scan = body(1, "THE SCREEN", &screen["screen"]);
        let scanned = app.phone.raw("scan", scan).await.expect("scanned");
        let approve = body(2, "THE HANDLE THAT SCAN ANSWERED", &scanned["handle"]);
        app.phone.raw("approve", approve).await.expect("approved");
        let finished = browser.until_departure(&login).await;
        assert!(!Answer::of(&finished).code().is_empty());

        // A screen that there is not, and a scan that says both or neither.
        for (body, complaint) in [
            (
                json!({ "person": TOLVAN, "screen": "none" }),
                "nothing to approve",
            ),
            (json!({ "person": TOLVAN }), "(qr) or by its screen"),
            (
                json!({ "person": TOLVAN, "screen": "a", "qr": "b" }),
                "(qr) or by its screen",
            ),
        ] {
            let refused = app.phone.raw("scan", body).await.expect_err("refused");
            assert!(refused.contains(complaint), "{refused}");
        }
    });
}

#[test]
fn every_guide_is_in_the_list() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides");
    let list = std::fs::read_to_string(folder.join("README.md")).expect("the list");
    for entry in std::fs::read_dir(folder).expect("guides").flatten() {
        let name = entry.file_name().into_string().expect("a name");
        assert!(
            name == "README.md" || list.contains(&format!("]({name})")),
            "{name}"
        );
    }
}

#[test]
fn a_client_is_registered_for_an_application_in_a_shell() {
    run(async {
        let _shows = shows!(accepting "PV-PRESET-4", refusing "PV-PRESET-4");
        let app = App::on(Database::sqlite()).await;
        let create = |more: &[&str]| {
            let create = ["client", "create", "--client-id", "sso", "--application"];
            ran(&app, &[&create[..], more].concat())
        };
        let address = "address=https://sso.example.se";
        let name = "client_name=Inloggningen";
        assert!(
            create(&["nothing", name])
                .bad()
                .contains("keycloak, spring")
        );
        for (answers, mistake) in [
            (&["keycloak", name, address][..], "realm: must be set"),
            (
                &["keycloak", name, address, "realm=a b"],
                "realm: must be 1 to 64",
            ),
            (
                &["keycloak", name, address, "realm=a", "pkce=accepted"],
                "pkce: is not asked for",
            ),
        ] {
            let said = create(answers).bad();
            assert!(said.contains(mistake), "{said}");
        }
        // A number, to JSON, is text here.
        create(&["keycloak", name, address, "realm=2026"]).good();
        let redirect = &show(&app, "sso")["metadata"]["redirect_uris"][0];
        assert_eq!(
            redirect,
            "https://sso.example.se/realms/2026/broker/bankid/endpoint"
        );
        let pasted = ran(&app, &["client", "paste", "sso"]).good();
        assert!(pasted.contains("KEYCLOAK_REALM=2026\n"), "{pasted}");
        let said = ran(
            &app,
            &["client", "paste", "sso", "--application", "grafana"],
        )
        .bad();
        assert!(
            said.contains("redirect_uris: none is an address of Grafana"),
            "{said}"
        );
        assert!(
            ran(&app, &["client", "paste", "nobody"])
                .bad()
                .contains("client")
        );
    });
}
