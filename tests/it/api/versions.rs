//! Who may write over what: whoever says which version they saw.

use futures_util::future::join_all;
use portvakt::shows;
use serde_json::json;

use super::{Caller, NOTHING, app, etag, metadata, sent, with_body};
use crate::refresh::text;
use crate::support::{Database, on_both};

on_both!(
    nobody_writes_over_what_they_have_not_seen,
    async |database: Database| {
        let _shows = shows!(accepting "PV-API-4", refusing "PV-API-4");
        let app = app(database).await;
        let caller = Caller::full(&app).await;
        let first = caller.client("app").await;
        assert_eq!(first, "\"v1\"");
        // What was read can be sent back, and changes nothing.
        let read = caller.get("/clients/app").await;
        assert_eq!(etag(&read), first);
        let whole = json!({"sector": read.body["sector"], "metadata": read.body["metadata"]});
        for (method, body) in [("PUT", &whole), ("PATCH", &json!({})), ("PATCH", &whole)] {
            let told = caller.over(method, "/clients/app", &first, body).await;
            assert_eq!(
                (told.status, etag(&told)),
                (200, first.clone()),
                "{}",
                told.body
            );
        }
        assert_eq!(caller.events("app").await.len(), 1, "it was registered");
        // Of many who saw the same, one goes on; the others are told what there is now.
        let renames = (0..8).map(|n| {
            let caller = &caller;
            let (first, patch) = (
                &first,
                json!({"metadata": {"client_name": format!("Namn {n}")}}),
            );
            async move { caller.over("PATCH", "/clients/app", first, &patch).await }
        });
        let told = join_all(renames).await;
        let of = |status| told.iter().filter(move |told| told.status == status);
        assert_eq!((of(200).count(), of(412).count()), (1, 7));
        assert!(told.iter().all(|told| etag(told) == "\"v2\""));
        assert_eq!(caller.events("app").await.len(), 2);
        let administrator = json!({"name": "Åsa", "role": "reader"});
        let invited = caller.post("/administrators", &administrator).await;
        let somebody = format!("/administrators/{}", text(&invited.body, "id"));
        let purpose = json!({"purpose": "Prov."});
        for (method, path, body) in [
            ("PUT", "/clients/app", &whole),
            ("PATCH", "/clients/app", &json!({})),
            ("DELETE", "/clients/app", &NOTHING),
            ("POST", "/clients/app/secrets", &json!({})),
            ("DELETE", "/clients/app/secrets/00000000", &NOTHING),
            ("PUT", "/clients/app/entitlement", &purpose),
            ("DELETE", "/clients/app/entitlement", &NOTHING),
            (
                "POST",
                "/clients/app/entitlement/request",
                &json!({"answer": "grant"}),
            ),
            ("PUT", &somebody, &json!({"role": "auditor"})),
            ("DELETE", &somebody, &NOTHING),
        ] {
            let bare = sent(with_body(caller.request(method, path), method, body)).await;
            assert_eq!(bare.status, 428, "{method} {path}");
            for (wrong, status) in [("\"v77\"", 412), ("W/\"v2\"", 412), ("v2", 400), ("", 400)] {
                let told = caller.over(method, path, wrong, body).await;
                assert_eq!(
                    told.status, status,
                    "{method} {path} {wrong}: {}",
                    told.body
                );
                assert_eq!(told.headers.contains_key("etag"), status == 412);
            }
        }
        let kept = caller.get("/clients/app").await;
        assert_eq!(etag(&kept), "\"v2\"");
        // One of several, and whatever there is.
        let patch = json!({"metadata": {"client_name": "Ett namn till"}});
        let told = caller
            .over("PATCH", "/clients/app", "\"v1\", \"v2\"", &patch)
            .await;
        assert_eq!((told.status, etag(&told)), (200, "\"v3\"".to_owned()));
        let told = caller.over("PUT", "/clients/app", "*", &whole).await;
        assert_eq!((told.status, etag(&told)), (200, "\"v4\"".to_owned()));
        let told = caller
            .over(
                "PUT",
                &somebody,
                &etag(&invited),
                &json!({"role": "auditor"}),
            )
            .await;
        assert_eq!((told.status, &told.body["role"]), (200, &json!("auditor")));
        assert_eq!(etag(&told), "\"v2\"");
    }
);

on_both!(
    what_is_patched_at_once_is_all_kept_or_told,
    async |database: Database| {
        let _shows = shows!(accepting "PV-API-4", refusing "PV-API-4");
        let app = app(database).await;
        let caller = Caller::full(&app).await;
        caller.client("app").await;
        // Whatever is there: but what somebody else patches at the same moment is not undone.
        let patches = [
            ("client_name", json!("Ett annat namn")),
            ("default_max_age", json!(600)),
            ("pkce", json!("accepted")),
            ("web_origins", json!(["https://app.example"])),
            ("profile_in_id_token", json!(true)),
            (
                "post_logout_redirect_uris",
                json!(["https://app.example/out"]),
            ),
        ];
        for round in 0..5 {
            let plain = json!({"metadata": metadata("app")});
            let told = caller.over("PUT", "/clients/app", "*", &plain).await;
            assert_eq!(told.status, 200, "{round}: {}", told.body);
            let caller = &caller;
            let sent = patches.iter().map(|(name, value)| async move {
                let patch = json!({"metadata": {*name: value}});
                caller.over("PATCH", "/clients/app", "*", &patch).await
            });
            let told = join_all(sent).await;
            let kept = caller.get("/clients/app").await.body;
            for ((name, value), told) in patches.iter().zip(told) {
                match told.status {
                    200 => assert_eq!(kept["metadata"][*name], *value, "{round}: {name}"),
                    status => assert_eq!(status, 412, "{}", told.body),
                }
            }
        }
    }
);
