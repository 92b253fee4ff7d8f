//! What has no meaning: told at its place, with a problem for every error.

use portvakt::http::admin::api::BASE;
use portvakt::shows;
use serde_json::json;

use super::{Caller, app, etag, metadata, mistakes, sent};
use crate::support::{Database, on_both};
use crate::token::Told;

on_both!(
    what_has_no_meaning_is_told_at_its_place,
    async |database: Database| {
        let _shows = shows!(accepting "PV-API-3", refusing "PV-API-3", accepting "PV-API-5", refusing "PV-API-5");
        let app = app(database).await;
        let caller = Caller::full(&app).await;
        let version = caller.client("app").await;
        let wrong = json!({
            "client_id": "å", "secctor": "x",
            "metadata": {"client_name": "", "redirect_uris": ["http://app.example/"], "nonsense": 1,
                "bankid": {"kinds": "x", "more": true}},
        });
        let told = caller.post("/clients", &wrong).await;
        let mut places = mistakes(&told);
        places.sort_unstable();
        let expected = [
            "client_id",
            "metadata.bankid.kinds",
            "metadata.bankid.more",
            "metadata.client_name",
            "metadata.nonsense",
            "metadata.redirect_uris",
            "secctor",
        ];
        assert_eq!(places, expected, "{}", told.body);
        for (method, body, place) in [
            (
                "PUT",
                json!({"metadata": metadata("app"), "version": 1}),
                "version",
            ),
            ("PUT", json!({"sector": "app.example"}), "metadata"),
            ("PUT", json!({"metadata": []}), "metadata"),
            (
                "PUT",
                json!({"sector": null, "metadata": metadata("app")}),
                "sector",
            ),
            ("PATCH", json!({"client_id": "other"}), "client_id"),
            (
                "PATCH",
                json!({"metadata": {"nonsense": null}}),
                "metadata.nonsense",
            ),
            (
                "PATCH",
                json!({"metadata": {"bankid": {"nonsense": null}}}),
                "metadata.bankid.nonsense",
            ),
            ("PATCH", json!({"nonsense": null}), "nonsense"),
            ("PATCH", json!({"sector": null}), "sector"),
            ("PATCH", json!({"metadata": null}), "metadata"),
            (
                "PATCH",
                json!({"metadata": {"client_name": null}}),
                "metadata.client_name",
            ),
            (
                "PATCH",
                json!({"metadata": {"token_endpoint_auth": "private_key_jwt"}}),
                "metadata.token_endpoint_auth",
            ),
            (
                "PATCH",
                json!({"metadata": {"personal_number": {"purpose": "x"}}}),
                "metadata.personal_number",
            ),
        ] {
            let told = caller.over(method, "/clients/app", &version, &body).await;
            assert!(mistakes(&told).contains(&place), "{body}: {}", told.body);
        }
        // Some of it is changed, some taken away, and the rest stays.
        let patch = json!({"metadata": {"purpose": {"sv": "För att.", "en": "Because."}, "default_max_age": 60}});
        let told = caller.over("PATCH", "/clients/app", &version, &patch).await;
        assert_eq!(told.status, 200, "{}", told.body);
        let patch = json!({"metadata": {"purpose": {"en": "So there."}, "default_max_age": null}});
        let told = caller
            .over("PATCH", "/clients/app", &etag(&told), &patch)
            .await;
        let now = &told.body["metadata"];
        assert_eq!(now["purpose"], json!({"sv": "För att.", "en": "So there."}));
        assert_eq!(now.get("default_max_age"), None);
        assert_eq!(now["client_name"], "En app");
        for (path, body, place) in [
            (
                "/clients/app/preview",
                json!({"scopes": ["openid", "email"]}),
                "scopes",
            ),
            (
                "/clients/app/preview",
                json!({"scopes": ["openid", "personal_number"]}),
                "scopes",
            ),
            ("/keys", json!({"algorithm": "HS256"}), "algorithm"),
            (
                "/registration-tokens",
                json!({"note": "x", "uses": 0}),
                "uses",
            ),
            (
                "/administrators",
                json!({"name": "Åsa", "role": "boss"}),
                "role",
            ),
            (
                "/administrators",
                json!({"name": "Åsa", "role": "owner", "clients": ["app"]}),
                "clients",
            ),
        ] {
            assert_eq!(
                mistakes(&caller.post(path, &body).await),
                [place],
                "{path} {body}"
            );
        }
        let long = json!({"overlap_seconds": 7_776_001});
        let told = caller
            .over("POST", "/clients/app/secrets", "*", &long)
            .await;
        assert_eq!(mistakes(&told), ["overlap_seconds"]);
        let past = json!({"purpose": "Prov.", "expires_at": 1, "more": 1});
        let told = caller
            .over("PUT", "/clients/app/entitlement", "*", &past)
            .await;
        assert_eq!(mistakes(&told), ["more"]);
        let past = json!({"purpose": "Prov.", "expires_at": 1});
        let told = caller
            .over("PUT", "/clients/app/entitlement", "*", &past)
            .await;
        assert_eq!(mistakes(&told), ["expires_at"]);
        for (query, place) in [
            ("/clients?limit=201", "limit"),
            ("/clients?limit=", "limit"),
            ("/clients?state=gone", "state"),
            ("/clients?q=x", "q"),
            ("/clients?search=a&search=b", "search"),
            ("/clients?access_token=x", "access_token"),
            ("/clients?cursor=x", "cursor"),
            ("/failures", "reference"),
        ] {
            assert!(
                mistakes(&caller.get(query).await).contains(&place),
                "{query}"
            );
        }
        bodies_and_methods(&caller).await;
    }
);

async fn bodies_and_methods(caller: &Caller<'_>) {
    let send = async |method: &str, path: &str, kind: &str, body: String| -> Told {
        let request = caller.request(method, path).header("If-Match", "*");
        sent(request.header("Content-Type", kind).body(body)).await
    };
    let sound = json!({"metadata": metadata("b")}).to_string();
    for (method, path, kind, header) in [
        ("POST", "/clients", "text/plain", "accept"),
        (
            "POST",
            "/clients",
            "application/x-www-form-urlencoded",
            "accept",
        ),
        ("PATCH", "/clients/app", "application/json", "accept-patch"),
    ] {
        let told = send(method, path, kind, sound.clone()).await;
        assert_eq!(told.status, 415, "{}", told.body);
        assert!(told.headers.contains_key(header));
    }
    for body in [
        "",
        "[]",
        "null",
        "{",
        "{\"metadata\": {}} x",
        "{\"sector\": \"a\", \"sector\": \"b\"}",
        "{\"sector\": \"\\u0000\"}",
        &format!("{}1{}", "{\"a\":".repeat(9), "}".repeat(9)),
    ] {
        let told = send("POST", "/clients", "application/json", body.to_owned()).await;
        assert_eq!(told.status, 400, "{body}: {}", told.body);
        assert_eq!(
            told.body["type"], "urn:portvakt:problem:unreadable",
            "{body}"
        );
    }
    // Where logos are sent there is more room.
    for (path, many) in [("/administrators", 70_000), ("/clients", 2_100_000)] {
        let large = json!({"sector": "x".repeat(many)}).to_string();
        let told = send("POST", path, "application/json", large).await;
        assert_eq!(told.status, 413, "{}", told.body);
    }
    for (method, path, allowed) in [
        ("DELETE", "/clients", "GET, POST"),
        ("HEAD", "/clients/app/secrets", "POST"),
        ("OPTIONS", "/keys", "GET, POST"),
        ("PUT", "/openapi.json", "GET"),
    ] {
        let answer = caller
            .request(method, path)
            .send()
            .await
            .expect("an answer");
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["allow"]),
            (405, &allowed.parse().expect("ASCII"))
        );
    }
    for path in [
        "",
        "/",
        "/nothing",
        "/clients/",
        "/clients/nobody",
        "/clients/a%2Fb",
        "/clients/%ff",
        "/clients/portvakt-admin",
        "/clients/app/secrets/../x",
        "/administrators/1",
        "/v2",
    ] {
        assert_eq!(caller.get(path).await.status, 404, "{path}");
    }
    let here = caller
        .request("GET", "/clients")
        .header("Host", "admin.example");
    assert_eq!(sent(here).await.status, 421);
    // It is at the administration's address alone.
    let url = format!("{}{BASE}/clients", caller.app.issuer);
    let elsewhere = caller.app.http.get(url).bearer_auth(&caller.token);
    let answer = elsewhere.send().await.expect("an answer");
    assert_eq!(answer.status(), 404);
}
