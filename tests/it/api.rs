//! The administration's API: who comes in, what each operation does, and that nobody writes over what they
//! have not seen.

mod document;
mod foreign;
mod lists;
mod powers;
mod secrets;
mod strict;
mod tokens;
mod versions;

use portvakt::admin::scope::Scope;
use portvakt::audit::{Action, Actor, Door, Event, Who};
use portvakt::client::{Entitlement, Reason};
use portvakt::http::admin::api::{BASE, Operation, table};
use portvakt::id::ClientId;
use portvakt::shows;
use portvakt::storage::{EntitlementRequest, object};
use portvakt::testing::canary;
use reqwest::Method;
use serde_json::{Value, json};

use crate::dpop::asked;
use crate::refresh::text;
use crate::support::phone::TOLVAN;
use crate::support::{App, Browser, Database, on_both};
use crate::token::{Told, told};

/// A client that may do everything by the API, and one that may do nothing.
const ROBOT: &str = "robot";
/// No body.
const NOTHING: Value = Value::Null;

async fn app(database: Database) -> App {
    let app = App::on(database).await;
    give(
        &app,
        ROBOT,
        &Scope::ALL.iter().map(|s| s.as_str()).collect::<Vec<_>>(),
    )
    .await;
    app
}

/// Registers a client that may have these scopes for itself.
async fn give(app: &App, client: &str, scopes: &[&str]) {
    let metadata = json!({
        "client_name": "Roboten", "client_credentials": {"scopes": scopes},
        "resources": ["https://orders.example", format!("{}{BASE}", app.admin)],
    });
    app.register(client, metadata).await;
}

/// Somebody who calls the API.
struct Caller<'a> {
    app: &'a App,
    token: String,
}

impl Caller<'_> {
    /// The robot, with a scope.
    async fn with<'a>(app: &'a App, scope: &str) -> Caller<'a> {
        Caller {
            app,
            token: token(app, ROBOT, &[("scope", scope)]).await,
        }
    }

    /// The robot, with all of them.
    async fn full(app: &App) -> Caller<'_> {
        let scopes: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        Caller::with(app, &scopes.join(" ")).await
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method: Method = method.parse().expect("a method");
        let request = self
            .app
            .http
            .request(method, format!("{}{BASE}{path}", self.app.admin));
        request.bearer_auth(&self.token)
    }

    async fn get(&self, path: &str) -> Told {
        sent(self.request("GET", path)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Told {
        sent(self.request("POST", path).json(body)).await
    }

    /// A change of what is at a version.
    async fn over(&self, method: &str, path: &str, version: &str, body: &Value) -> Told {
        let request = self.request(method, path).header("If-Match", version);
        sent(with_body(request, method, body)).await
    }

    /// Registers a client. Its id, and its ETag.
    async fn client(&self, id: &str) -> String {
        let body = json!({"client_id": id, "metadata": metadata(id)});
        let told = self.post("/clients", &body).await;
        assert_eq!(told.status, 201, "{}", told.body);
        etag(&told)
    }

    /// How many events there are of a client.
    async fn events(&self, id: &str) -> Vec<Value> {
        let told = self
            .get(&format!("/audit/events?object=client:{id}&limit=200"))
            .await;
        assert_eq!(told.status, 200, "{}", told.body);
        told.body["items"].as_array().cloned().expect("a list")
    }
}

fn with_body(
    request: reqwest::RequestBuilder,
    method: &str,
    body: &Value,
) -> reqwest::RequestBuilder {
    let media_type = match method {
        "PATCH" => "application/merge-patch+json",
        _ => "application/json",
    };
    match body.is_null() {
        true => request,
        false => request
            .header("Content-Type", media_type)
            .body(body.to_string()),
    }
}

fn metadata(id: &str) -> Value {
    json!({"client_name": "En app", "redirect_uris": [format!("https://{id}.example/callback")]})
}

fn etag(told: &Told) -> String {
    told.headers["etag"].to_str().expect("ASCII").to_owned()
}

async fn token(app: &App, client: &str, more: &[(&str, &str)]) -> String {
    let form = [("grant_type", "client_credentials")];
    let form: Vec<_> = form.iter().chain(more).copied().collect();
    let told = asked(app, client, &form, None).await;
    assert_eq!(told.status, 200, "{}", told.body);
    text(&told.body, "access_token").to_owned()
}

/// Sends a request. Whatever comes back is kept by nobody, and an error is a problem.
async fn sent(request: reqwest::RequestBuilder) -> Told {
    let told = told(request).await;
    assert_eq!(told.headers["cache-control"], "no-store");
    assert!(!told.headers.contains_key("access-control-allow-origin"));
    for name in ["token", "invitation"] {
        if let Some(secret) = told.body[name].as_str() {
            canary(secret.rsplit('/').next().unwrap_or(secret));
        }
    }
    if told.status >= 400 {
        is_problem(&told);
    }
    told
}

fn is_problem(told: &Told) {
    assert_eq!(
        told.headers["content-type"], "application/problem+json",
        "{}",
        told.body
    );
    assert_eq!(told.body["status"], told.status, "{}", told.body);
    let kind = text(&told.body, "type");
    assert!(kind.starts_with("urn:portvakt:problem:"), "{kind}");
    for name in ["title", "detail"] {
        assert!(!text(&told.body, name).is_empty(), "{}", told.body);
    }
}

/// What is wrong, by where it is.
fn mistakes(told: &Told) -> Vec<&str> {
    assert_eq!(told.status, 400, "{}", told.body);
    let mistakes = told.body["mistakes"].as_array().expect("mistakes");
    mistakes
        .iter()
        .map(|mistake| text(mistake, "setting"))
        .collect()
}

/// A request that an operation can answer: what it needs is there.
struct Ready {
    path: String,
    version: Option<String>,
    body: Value,
}

/// Makes what an operation needs. One that is not here cannot be left out: it fails.
async fn ready(caller: &Caller<'_>, operation: &Operation, n: usize) -> Ready {
    let id = format!("ready-{n}");
    let mut body = operation.takes.map_or(Value::Null, |takes| {
        serde_json::from_str(takes.example).expect("JSON")
    });
    let mut version = None;
    let mut fill = vec![("{client_id}", id.clone())];
    if operation.path.contains("{client_id}") {
        version = Some(caller.client(&id).await);
    }
    let client = format!("/clients/{id}");
    match operation.id {
        "listClients"
        | "createClient"
        | "showClient"
        | "replaceClient"
        | "changeClient"
        | "removeClient"
        | "addSecret"
        | "previewClient"
        | "listEntitlements"
        | "entitleClient"
        | "listFailures"
        | "listRegistrationTokens"
        | "issueRegistrationToken"
        | "listKeys"
        | "announceKey"
        | "listSessions"
        | "listAdministrators"
        | "inviteAdministrator"
        | "listEvents"
        | "showAuditHead" => {}
        "restoreClient" => {
            let removed = caller.over("DELETE", &client, "*", &Value::Null).await;
            assert_eq!(removed.status, 204, "{}", removed.body);
        }
        "endSecret" => {
            let told = caller.get(&client).await;
            fill.push((
                "{secret_id}",
                text(&told.body["secrets"][0], "id").to_owned(),
            ));
        }
        "endEntitlement" => {
            let purpose = json!({"purpose": "Prov."});
            let told = caller
                .over("PUT", &format!("{client}/entitlement"), "*", &purpose)
                .await;
            version = Some(etag(&told));
        }
        "answerEntitlementRequest" => wait(caller.app, &id).await,
        "findFailure" => {
            let wrong = [("redirect_uri", Some("https://other.example/"))];
            let page = Browser::new().get(&caller.app.authorize_url(&wrong)).await;
            caller
                .app
                .provider
                .keep_waiting_refusals()
                .await
                .expect("kept");
            let (_, rest) = page.body.split_once("<code>").expect("a reference");
            let (reference, _) = rest.split_once('<').expect("its end");
            return Ready {
                path: format!("/failures?reference={reference}"),
                version: None,
                body,
            };
        }
        "revokeRegistrationToken" => {
            let told = caller
                .post("/registration-tokens", &json!({"note": "Prov"}))
                .await;
            fill.push(("{token_id}", text(&told.body, "id").to_owned()));
        }
        "revokeKey" => {
            let told = caller.post("/keys", &json!({"algorithm": "EdDSA"})).await;
            fill.push(("{kid}", text(&told.body, "kid").to_owned()));
        }
        "endSession" => {
            caller.app.log_in(&Browser::new(), TOLVAN).await;
            let told = caller.get("/sessions?client_id=web").await;
            fill.push((
                "{session_id}",
                text(&told.body["items"][0], "id").to_owned(),
            ));
        }
        "exportPerson" | "erasePerson" => drop(caller.app.log_in(&Browser::new(), TOLVAN).await),
        "showAdministrator" | "changeAdministrator" | "removeAdministrator" => {
            let invited = json!({"name": "Åsa", "role": "reader"});
            let told = caller.post("/administrators", &invited).await;
            fill.push(("{administrator_id}", text(&told.body, "id").to_owned()));
            version = Some(etag(&told));
        }
        other => panic!("{other} is not shown to work"),
    }
    if operation.id == "createClient" {
        body["client_id"] = id.clone().into();
    }
    let path = fill
        .iter()
        .fold(operation.path.to_owned(), |path, (name, value)| {
            path.replace(name, value)
        });
    Ready {
        path,
        version: version.filter(|_| operation.is_conditional),
        body,
    }
}

/// Somebody else asks that a client may have personal numbers.
async fn wait(app: &App, client: &str) {
    let client_id = ClientId::parse(client).expect("an id");
    let event = Event {
        at: app.clock.moment(),
        actor: Actor {
            who: Who::Operator("asa".to_owned()),
            door: Door::Cli,
            address: None,
        },
        action: Action::EntitlementAsk,
        object: object(&client_id),
        before: None,
        after: None,
    };
    let request = EntitlementRequest {
        client_id,
        wanted: Entitlement {
            purpose: Reason::parse("Prov.").expect("a reason"),
            expires_at: None,
        },
        asked_by: event.actor.who.to_string(),
        asked_at: app.clock.now(),
    };
    let asked = app.provider.store.ask_entitlement(&request, &event).await;
    asked.expect("asked");
}

on_both!(
    every_operation_works_by_its_scope_and_by_no_other,
    async |database: Database| {
        let _shows = shows!(accepting "PV-API-1", refusing "PV-API-1", accepting "PV-API-2", refusing "PV-API-2",
            accepting "M3", refusing "M3");
        let app = app(database).await;
        let full = Caller::full(&app).await;
        let mut callers = Vec::new();
        for scope in Scope::ALL {
            callers.push((*scope, Caller::with(&app, scope.as_str()).await));
        }
        for (n, operation) in table().iter().enumerate() {
            let ready = ready(&full, operation, n).await;
            let method = operation.method.as_str();
            let asked = |caller: &Caller<'_>| {
                let mut request = caller.request(method, &ready.path);
                if let Some(version) = &ready.version {
                    request = request.header("If-Match", version);
                }
                with_body(request, method, &ready.body)
            };
            let before = full.get("/audit/events?limit=1").await.body;
            let url = format!("{}{BASE}{}", app.admin, ready.path);
            let bare = app.http.request(method.parse().expect("a method"), url);
            let bare = sent(with_body(bare, method, &ready.body)).await;
            assert_eq!(bare.status, 401, "{}", operation.id);
            let challenges = bare.headers.get_all("www-authenticate").iter();
            let challenges: Vec<_> = challenges
                .map(|value| value.to_str().expect("ASCII"))
                .collect();
            assert!(challenges[0].starts_with("Bearer ") && challenges[1].starts_with("DPoP "));
            for (scope, caller) in callers
                .iter()
                .filter(|(scope, _)| *scope != operation.scope)
            {
                let told = sent(asked(caller)).await;
                let challenge = told.headers["www-authenticate"].to_str().expect("ASCII");
                assert_eq!(told.status, 403, "{} by {scope:?}", operation.id);
                let named = format!("scope=\"{}\"", operation.scope.as_str());
                assert!(
                    challenge.contains("error=\"insufficient_scope\"")
                        && challenge.contains(&named),
                    "{challenge}"
                );
            }
            let after = full.get("/audit/events?limit=1").await.body;
            assert_eq!(
                before, after,
                "{}: what is refused does nothing",
                operation.id
            );
            let (_, right) = callers
                .iter()
                .find(|(scope, _)| *scope == operation.scope)
                .expect("a caller");
            let told = sent(asked(right)).await;
            let given = operation
                .gives
                .iter()
                .find(|gives| gives.status == told.status);
            let given =
                given.unwrap_or_else(|| panic!("{}: {} {}", operation.id, told.status, told.body));
            for header in given.headers {
                assert!(
                    told.headers.contains_key(*header),
                    "{}: {header}",
                    operation.id
                );
            }
            // What was done was done by this client, by this door.
            let latest = full.get("/audit/events?limit=1").await.body["items"][0].clone();
            if method != "GET" && operation.id != "previewClient" {
                assert_eq!(latest["door"], "api", "{}: {latest}", operation.id);
                assert_eq!(
                    latest["actor"],
                    format!("client:{ROBOT}"),
                    "{}",
                    operation.id
                );
                assert_eq!(latest["address"], "127.0.0.1");
                assert_ne!(before["items"][0], latest, "{}", operation.id);
            } else {
                assert_eq!(
                    before["items"][0], latest,
                    "{} changes nothing",
                    operation.id
                );
            }
        }
    }
);
