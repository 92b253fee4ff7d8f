//! The OpenAPI document, and the page for people.

use portvakt::admin::administrator::{Invited, begin_session, enrol, invite};
use portvakt::admin::role::{Reach, Role};
use portvakt::audit::{Actor, Door, Who};
use portvakt::client::Name;
use portvakt::clock::Seconds;
use portvakt::http::admin::api::{BASE, DOCUMENT, table};
use portvakt::shows;
use portvakt::storage::AdminSession;
use portvakt::testing::canary;
use serde_json::json;

use super::{ROBOT, app, is_problem, sent, token};
use crate::support::{App, Browser, Database, run};

#[test]
fn the_document_and_the_page_tell_of_every_operation() {
    let _shows = shows!(accepting "PV-API-1", refusing "PV-API-1");
    run(async {
        let app = app(Database::sqlite()).await;
        let document = app.http.get(format!("{}{DOCUMENT}", app.admin));
        let document = sent(document).await;
        assert_eq!(
            (document.status, &document.headers["content-type"]),
            (200, &"application/json".parse().expect("ASCII"))
        );
        let document = document.body;
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(
            document["servers"][0]["url"],
            format!("{}{BASE}", app.admin)
        );
        let scheme = &document["components"]["securitySchemes"]["clientCredentials"];
        let flow = &scheme["flows"]["clientCredentials"];
        assert_eq!(flow["tokenUrl"], format!("{}/token", app.issuer));
        let paths = document["paths"].as_object().expect("paths").values();
        let told: usize = paths
            .map(|path| path.as_object().map_or(0, |path| path.len()))
            .sum();
        assert_eq!(told, table().len());
        let page = async |cookie: Option<&str>| {
            let mut request = app.http.get(format!("{}/api", app.admin));
            if let Some(cookie) = cookie {
                request = request.header("Cookie", format!("admin={cookie}"));
            }
            Browser::new().send(request).await
        };
        let cookie = log_in(&app, Role::Auditor).await;
        let shown = page(Some(&cookie)).await;
        assert_eq!(shown.status, 200, "{}", shown.body);
        for operation in table() {
            let operation_of = &document["paths"][operation.path];
            let method = operation.method.as_str().to_lowercase();
            let security = &operation_of[method.as_str()]["security"];
            let expected = json!([{"clientCredentials": [operation.scope.as_str()]}]);
            assert_eq!(*security, expected, "{}", operation.id);
            let line = format!("{} {BASE}{}", operation.method, operation.path);
            for part in [operation.id, operation.scope.as_str(), &line] {
                assert!(shown.body.contains(part), "{part}");
            }
        }
        assert!(!shown.body.contains("{client_id}'"), "curl has an id");
        // It is for those who administer.
        let away = page(None).await;
        assert!(!away.body.contains("listClients"), "{}", away.body);
        // A cookie opens nothing of the API, and a token no page.
        let request = app.http.get(format!("{}{BASE}/clients", app.admin));
        let told = sent(request.header("Cookie", format!("admin={cookie}"))).await;
        assert_eq!(told.status, 401);
        is_problem(&told);
        let token = token(&app, ROBOT, &[]).await;
        let request = app
            .http
            .get(format!("{}/clients", app.admin))
            .bearer_auth(token);
        let away = Browser::new().send(request).await;
        assert!(away.body.contains("form method=\"post\" action=\"/login\""));
    });
}

/// The cookie of somebody who administers.
async fn log_in(app: &App, role: Role) -> String {
    let now = app.clock.now();
    let actor = Actor {
        who: Who::Operator("asa".to_owned()),
        door: Door::Cli,
        address: None,
    };
    let desk = app.provider.desk(actor, Reach::All, true);
    let invited = Invited {
        name: Name::parse("Åsa").expect("a name"),
        role,
        reach: Reach::All,
    };
    let (_, link) = invite(&desk, invited).await.expect("invited");
    let administrator = enrol(&desk, link.digest(), "åsa").await.expect("enrolled");
    let session = AdminSession {
        administrator,
        auth_time: now,
        expires_at: now + Seconds(600),
    };
    let cookie = begin_session(&desk, &session).await.expect("a session");
    canary(cookie.expose());
    cookie.expose().to_owned()
}
