//! The same change by each door.

use portvakt::shows;
use serde_json::{Value, json};

use crate::client_files::File;
use crate::client_shell::show;
use crate::support::doors::{Change, changes, ran, walk};
use crate::support::{App, Database, SECRET, on_both};

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
            Change::Set(metadata) => {
                let right = now
                    .take()
                    .and_then(|now| now.get("personal_number").cloned());
                let mut metadata = metadata.clone();
                if let Some(right) = right {
                    metadata["personal_number"] = right;
                }
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
        Change::Set(metadata) => {
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
