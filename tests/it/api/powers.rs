//! What no client can give itself.

use portvakt::admin::client::{New, create};
use portvakt::admin::role::Reach;
use portvakt::audit::{Actor, Door, Who};
use portvakt::id::ClientId;
use portvakt::shows;
use portvakt::testing::canary;
use serde_json::json;

use super::{Caller, NOTHING, app, give, metadata, token, wait};
use crate::refresh::text;
use crate::support::{App, Database, Options, on_both};

on_both!(
    no_client_gives_itself_more_than_it_has,
    async |database: Database| {
        let _shows = shows!(accepting "PV-API-8", refusing "PV-API-8");
        let app = app(database).await;
        let owners = |gives| {
            let actor = Actor {
                who: Who::Operator("asa".to_owned()),
                door: Door::Cli,
                address: None,
            };
            app.provider.desk(actor, Reach::All, gives)
        };
        let mighty = |id: &str| New {
            client_id: ClientId::parse(id),
            sector: None,
            metadata: serde_json::from_value(json!({
                "client_name": "Mäktig", "redirect_uris": ["https://mighty.example/"],
                "client_credentials": {"scopes": ["portvakt:administrators:write"]},
            }))
            .expect("metadata"),
        };
        create(&owners(false), mighty("mighty"))
            .await
            .expect_err("no owner");
        let made = create(&owners(true), mighty("mighty"))
            .await
            .expect("an owner");
        canary(made.secret.expect("a secret").expose());
        let write = Caller::with(&app, "portvakt:clients:write").await;
        let entitle = Caller::with(&app, "portvakt:entitlements:write").await;
        write.client("app").await;
        let scopes = json!({"client_credentials": {"scopes": ["portvakt:clients:read"]}});
        let mut more = metadata("more");
        more["client_credentials"] = scopes["client_credentials"].clone();
        let patch = json!({ "metadata": scopes });
        let name = json!({"metadata": {"client_name": "Annan"}});
        let purpose = json!({"purpose": "Prov."});
        for (caller, method, path, body, status) in [
            (&write, "POST", "/clients", json!({"metadata": more}), 403),
            (&write, "PATCH", "/clients/app", patch.clone(), 403),
            (
                &write,
                "PUT",
                "/clients/app",
                json!({"metadata": more}),
                403,
            ),
            // It may not act as another one that may do more than it may.
            (&write, "PATCH", "/clients/mighty", name.clone(), 403),
            (&write, "POST", "/clients/mighty/secrets", json!({}), 403),
            (&write, "DELETE", "/clients/mighty", NOTHING, 403),
            (
                &entitle,
                "PUT",
                "/clients/mighty/entitlement",
                purpose.clone(),
                403,
            ),
            // What the configuration has is changed there.
            (&write, "PATCH", "/clients/web", name.clone(), 409),
            (&write, "POST", "/clients/web/secrets", json!({}), 409),
            (
                &entitle,
                "PUT",
                "/clients/web/entitlement",
                purpose.clone(),
                409,
            ),
        ] {
            let told = caller.over(method, path, "*", &body).await;
            assert_eq!(told.status, status, "{method} {path}: {}", told.body);
        }
        let mut own = metadata("app");
        own["client_credentials"] = json!({"scopes": ["orders"]});
        let told = write
            .over("PUT", "/clients/app", "*", &json!({"metadata": own}))
            .await;
        assert_eq!(
            told.status, 200,
            "its own services' scopes are no matter: {}",
            told.body
        );
        // Who asked does not grant.
        let options = Options {
            sections: "second_approver = true\n".to_owned(),
            ..Options::on(Database::sqlite())
        };
        let careful = App::start(options).await;
        give(
            &careful,
            "one",
            &[
                "portvakt:clients:write",
                "portvakt:entitlements:write",
                "portvakt:clients:read",
            ],
        )
        .await;
        give(&careful, "two", &["portvakt:entitlements:write"]).await;
        let one = Caller {
            app: &careful,
            token: token(&careful, "one", &[]).await,
        };
        let two = Caller {
            app: &careful,
            token: token(&careful, "two", &[]).await,
        };
        one.client("app").await;
        let asked = one
            .over("PUT", "/clients/app/entitlement", "*", &purpose)
            .await;
        assert_eq!(
            (asked.status, &asked.body["asked_by"]),
            (202, &json!("client:one"))
        );
        let report = one.get("/entitlements").await.body;
        assert_eq!(report["waiting"][0], asked.body);
        let yes = json!({"answer": "grant"});
        let path = "/clients/app/entitlement/request";
        assert_eq!(one.over("POST", path, "*", &yes).await.status, 403);
        let told = two.over("POST", path, "\"v1\"", &yes).await;
        assert_eq!(
            told.body["metadata"]["personal_number"], purpose,
            "{}",
            told.body
        );
        assert_eq!(two.over("POST", path, "*", &yes).await.status, 404);
        let report = one.get("/entitlements").await.body;
        let names = report["entitled"].as_array().expect("a list").iter();
        let names: Vec<_> = names.map(|one| text(one, "client_id")).collect();
        assert!(names.contains(&"app"), "{report}");
        wait(&careful, "app").await;
        let no = json!({"answer": "refuse"});
        let told = one.over("POST", path, "*", &no).await;
        assert_eq!(told.status, 200, "anybody may say no: {}", told.body);
    }
);
