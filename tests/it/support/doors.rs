//! The doors by which clients are changed, and what a change leaves behind. Whichever door it came by, it
//! must be the same: [`walk`] makes one change after the other and says what each left.

use portvakt::admin::Desk;
use portvakt::admin::role::Reach;
use portvakt::audit::{Actor, Door, Who};
use portvakt::id::ClientId;
use portvakt::storage::{EventFilter, object};
use serde_json::{Value, json};

use super::App;

/// What the program answered.
#[derive(Debug)]
pub struct Ran {
    pub is_good: bool,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// What it said, when all went well.
    pub fn good(self) -> String {
        assert!(self.is_good, "{self:?}");
        self.out
    }

    /// What it complained of.
    pub fn bad(self) -> String {
        assert!(!self.is_good, "{self:?}");
        self.err
    }

    /// The same for what is JSON.
    pub fn json(self) -> Value {
        serde_json::from_str(&self.good()).expect("JSON")
    }
}

/// Runs the program itself, with a configuration.
pub fn ran_with(app: &App, config: &str, arguments: &[&str]) -> Ran {
    let file = tempfile::NamedTempFile::new_in(app.directory.path()).expect("a file");
    std::fs::write(file.path(), config).expect("written");
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_portvakt"))
        .args(arguments)
        .arg("--config")
        .arg(file.path())
        .env("USER", "tester")
        .env_remove("SUDO_USER")
        .output()
        .expect("it runs");
    if arguments.first() == Some(&"client") && run.status.success() {
        // What this process changed, the provider may not know for as long.
        std::thread::sleep(portvakt::storage::KNOWN_FOR);
    }
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ran {
        is_good: run.status.success(),
        out: text(run.stdout),
        err: text(run.stderr),
    }
}

/// The same with the app's own configuration.
pub fn ran(app: &App, arguments: &[&str]) -> Ran {
    ran_with(app, &app.config, arguments)
}

/// Somebody at the app's own clock and database, in this process.
pub fn desk(app: &App, door: Door) -> Desk<'_> {
    Desk {
        config: &app.provider.config,
        store: &app.provider.store,
        random: &app.provider.random,
        clock: &app.clock,
        actor: Actor {
            who: Who::Operator("tester".into()),
            door,
            address: None,
        },
        reach: Reach::All,
        gives_administration: true,
    }
}

/// A change that every door can make.
#[derive(Clone, Debug)]
pub enum Change {
    /// The client is registered with this metadata.
    Create(Value),
    /// It becomes this.
    Set(Value),
    /// It may have personal numbers for this purpose.
    Entitle(&'static str),
    /// It may not any more.
    EndEntitlement,
    /// Its secret is replaced at once.
    NewSecret,
    /// It is removed.
    Remove,
    /// It is brought back.
    Restore,
}

/// The changes, in an order in which each can be made.
pub fn changes() -> Vec<Change> {
    let first = json!({
        "client_name": "Kommunens app",
        "redirect_uris": ["https://kommunen.example/cb"],
    });
    let second = json!({
        "client_name": "Kommunens nya app",
        "redirect_uris": ["https://kommunen.example/cb", "https://kommunen.example/cb2"],
        "web_origins": ["https://kommunen.example"],
        "pkce": "accepted",
        "bankid": {"pin_code": true},
    });
    vec![
        Change::Create(first),
        Change::Set(second),
        Change::Entitle("Ärendet registreras på personnummer."),
        Change::NewSecret,
        Change::EndEntitlement,
        Change::Remove,
        Change::Restore,
    ]
}

/// What is in the database of a client and its events, but for who did it, where and when, and which
/// secrets there are.
#[derive(Debug, PartialEq)]
pub struct Left {
    pub row: Value,
    pub events: Vec<Value>,
}

/// Reads that.
pub async fn left(app: &App, client_id: &str) -> Left {
    let id = ClientId::parse(client_id).expect("an id");
    let store = &app.provider.store;
    let read = store.registered(&id).await.expect("asked").expect("there");
    let mut origins = Vec::new();
    // Of one that is removed another client may have the same ones.
    let is_there = |_: &&_| read.removed_at.is_none();
    for origin in read.client.metadata.web_origins.iter().filter(is_there) {
        origins.push(store.is_web_origin(origin).await.expect("asked"));
    }
    let secrets = read.secrets.iter().map(|s| s.expires_at.is_some());
    let row = json!({
        "said": read.said(),
        "version": read.version,
        "is_removed": read.removed_at.is_some(),
        "have_ends": secrets.collect::<Vec<_>>(),
        "origins": origins,
    });
    let filter = EventFilter {
        object: Some(object(&id)),
        ..EventFilter::default()
    };
    let events = store.events(&filter, 1000).await.expect("asked");
    let events = events.into_iter().rev().map(|event| {
        let detail: Value = serde_json::from_str(&event.detail).expect("JSON");
        let mut what = json!({
            "action": event.action, "before": detail["before"], "after": detail["after"],
        });
        for side in ["before", "after"] {
            if let Some(secret) = what[side].get_mut("secret") {
                assert_eq!(secret.as_str().map(str::len), Some(8), "a name");
                *secret = json!("its name");
            }
        }
        what
    });
    Left {
        row,
        events: events.collect(),
    }
}

/// Makes all changes of a client by a door, and says what each left.
pub async fn walk(app: &App, client_id: &str, mut make: impl AsyncFnMut(&Change)) -> Vec<Left> {
    let mut all = Vec::new();
    for change in changes() {
        make(&change).await;
        all.push(left(app, client_id).await);
    }
    all
}
