//! The same change by each door.

use portvakt::admin::role::{Reach, Role};
use portvakt::client::Metadata;
use portvakt::client::setting::to_form;
use portvakt::id::ClientId;
use portvakt::shows;
use serde_json::{Value, json};

use crate::client_files::File;
use crate::client_shell::show;
use crate::support::admin::{Console, borrowed};
use crate::support::doors::{Change, changes, ran, walk};
use crate::support::phone::TOLVAN;
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
    let owner = app.administrator(Role::Owner, Reach::All, TOLVAN).await;
    let by_page = walk(&app, "page", async |change| {
        by_page(&app, &owner, "page", change).await
    })
    .await;
    let scopes = ["clients:read", "clients:write", "entitlements:write"];
    let scopes = scopes.map(|scope| format!("portvakt:{scope}"));
    let robot = json!({"client_name": "Roboten", "client_credentials": {"scopes": scopes}});
    app.register("robot", robot).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "robot"),
        ("client_secret", SECRET),
    ];
    let token = app.http.post(format!("{}/token", app.issuer)).form(&form);
    let token: Value = token
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let token = token["access_token"].as_str().expect("a token");
    let by_api = walk(&app, "api", async |change| {
        by_api(&app, token, "api", change).await
    })
    .await;
    for (n, change) in changes().iter().enumerate() {
        for (door, others) in [("file", &by_file), ("page", &by_page), ("api", &by_api)] {
            assert_eq!(by_shell[n], others[n], "{door}: {change:?}");
        }
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

/// A change by the pages.
async fn by_page(app: &App, owner: &Console, id: &str, change: &Change) {
    let parsed = ClientId::parse(id).expect("an id");
    let read = app.provider.store.registered(&parsed).await.expect("asked");
    let version = read.map_or(0, |read| read.version).to_string();
    let sent = |fields: &[(&str, &str)]| {
        let fields = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        fields
            .chain([("version".to_owned(), version.clone())])
            .collect::<Vec<_>>()
    };
    let (path, fields) = match change {
        Change::Create(metadata) => {
            let name = metadata["client_name"].as_str().expect("a name");
            let uri = metadata["redirect_uris"][0].as_str().expect("an address");
            let fields = [
                ("application", "other"),
                ("client_id", id),
                ("client_name", name),
                ("redirect_uris", uri),
            ];
            let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
            ("/clients/new".to_owned(), fields.to_vec())
        }
        Change::Set(metadata) => {
            let metadata: Metadata = serde_json::from_value(metadata.clone()).expect("metadata");
            let form = to_form(&metadata);
            let mut fields: Vec<_> = form
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            fields.push(("sector", "kommunen.example"));
            (format!("/client/{id}/edit"), sent(&fields))
        }
        Change::Entitle(purpose) => (
            format!("/client/{id}/entitlement"),
            sent(&[("purpose", purpose), ("days", "")]),
        ),
        Change::EndEntitlement => (format!("/client/{id}/entitlement/end"), sent(&[])),
        Change::NewSecret => (
            format!("/client/{id}/secrets"),
            sent(&[("overlap_hours", "0")]),
        ),
        Change::Remove => (format!("/client/{id}/remove"), sent(&[("confirm", id)])),
        Change::Restore => (format!("/client/{id}/restore"), Vec::new()),
    };
    let page = owner.post(&path, &borrowed(&fields)).await;
    assert!(
        [200, 303].contains(&page.status),
        "{change:?}: {}",
        page.body
    );
}

/// A change by the API.
async fn by_api(app: &App, token: &str, id: &str, change: &Change) {
    let own = format!("/clients/{id}");
    let (method, path, body) = match change {
        Change::Create(metadata) => (
            "POST",
            "/clients".to_owned(),
            json!({"client_id": id, "metadata": metadata}),
        ),
        Change::Set(metadata) => ("PUT", own, json!({"metadata": metadata})),
        Change::Entitle(purpose) => (
            "PUT",
            format!("{own}/entitlement"),
            json!({"purpose": purpose}),
        ),
        Change::EndEntitlement => ("DELETE", format!("{own}/entitlement"), Value::Null),
        Change::NewSecret => (
            "POST",
            format!("{own}/secrets"),
            json!({"overlap_seconds": 0}),
        ),
        Change::Remove => ("DELETE", own, Value::Null),
        Change::Restore => ("POST", format!("{own}/restore"), Value::Null),
    };
    let url = format!("{}/api/v1{path}", app.admin);
    let method: reqwest::Method = method.parse().expect("a method");
    let mut request = app.http.request(method, url).bearer_auth(token);
    if !matches!(change, Change::Create(_) | Change::Restore) {
        request = request.header("If-Match", "*");
    }
    if !body.is_null() {
        request = request.json(&body);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    assert!(
        status.is_success(),
        "{change:?}: {status} {}",
        answer.text().await.expect("text")
    );
}
