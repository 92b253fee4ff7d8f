//! What no client can give itself.

use portvakt::admin::client::{New, create};
use portvakt::admin::role::Reach;
use portvakt::audit::{Actor, Door, Who};
use portvakt::id::ClientId;
use portvakt::shows;
use portvakt::testing::canary;
use serde_json::json;

use super::{Caller, NOTHING, app, give, metadata, token, wait};
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
        // Where two people decide, a program is neither of them.
        let options = Options {
            admin: "second_approver = true",
            ..Options::on(Database::sqlite())
        };
        let careful = App::start(options).await;
        let scopes = [
            "portvakt:clients:write",
            "portvakt:entitlements:write",
            "portvakt:clients:read",
        ];
        give(&careful, "one", &scopes).await;
        let one = Caller {
            app: &careful,
            token: token(&careful, "one", &[]).await,
        };
        one.client("app").await;
        let entitlement = "/clients/app/entitlement";
        assert_eq!(
            one.over("PUT", entitlement, "*", &purpose).await.status,
            403
        );
        wait(&careful, "app").await;
        let waiting = one.get("/entitlements").await.body["waiting"].clone();
        assert_eq!(waiting.as_array().map(Vec::len), Some(1), "{waiting}");
        for answer in ["grant", "refuse"] {
            let path = format!("{entitlement}/request");
            let told = one
                .over("POST", &path, "*", &json!({"answer": answer}))
                .await;
            assert_eq!(told.status, 403, "{answer}: {}", told.body);
        }
        // To end a right needs nobody else.
        assert_eq!(
            one.over("DELETE", entitlement, "*", &json!({}))
                .await
                .status,
            404
        );
    }
);
