//! What is shown once.

use portvakt::http::admin::api::BASE;
use portvakt::shows;
use serde_json::{Value, json};

use super::{Caller, NOTHING, app, etag, mistakes};
use crate::refresh::text;
use crate::support::{Database, on_both};

on_both!(a_secret_is_shown_once, async |database: Database| {
    let _shows = shows!(accepting "PV-API-7", refusing "PV-API-7");
    let app = app(database).await;
    let caller = Caller::full(&app).await;
    let wanted = json!({"client_id": "a/b%41", "metadata": {
            "client_name": "Maskinen", "client_credentials": {"scopes": ["orders"]}}, "sector": "orders.example"});
    let made = caller.post("/clients", &wanted).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let place = made.headers["location"].to_str().expect("ASCII").to_owned();
    assert_eq!(place, format!("{BASE}/clients/a%2Fb%2541"));
    let path = place.strip_prefix(BASE).expect("a path").to_owned();
    let first = text(&made.body, "client_secret").to_owned();
    let works = async |secret: &str| {
        let form = [("grant_type", "client_credentials")];
        let request = app.http.post(format!("{}/token", app.issuer)).form(&form);
        let encoded = "a%2Fb%2541";
        crate::token::told(request.basic_auth(encoded, Some(secret)))
            .await
            .status
            == 200
    };
    assert!(works(&first).await);
    let body = json!({"overlap_seconds": 3600});
    let told = caller
        .over("POST", &format!("{path}/secrets"), &etag(&made), &body)
        .await;
    assert_eq!(told.status, 201, "{}", told.body);
    let second = text(&told.body, "client_secret").to_owned();
    assert!(works(&first).await && works(&second).await && first != second);
    let secrets = told.body["secrets"].as_array().expect("a list").clone();
    assert_eq!(secrets.len(), 2);
    let ends = |secret: &&Value| !secret["expires_at"].is_null();
    let old = secrets.iter().find(ends).expect("the first ends");
    let old = format!("{path}/secrets/{}", text(old, "id"));
    let ended = caller.over("DELETE", &old, &etag(&told), &NOTHING).await;
    assert_eq!((ended.status, etag(&ended)), (204, "\"v3\"".to_owned()));
    assert!(!works(&first).await && works(&second).await);
    let public = json!({"metadata": {"token_endpoint_auth": "none", "client_credentials": null,
            "redirect_uris": ["https://orders.example/"]}});
    let told = caller.over("PATCH", &path, &etag(&ended), &public).await;
    assert_eq!(
        (told.status, told.body.get("client_secret")),
        (200, None),
        "{}",
        told.body
    );
    let told = caller
        .over("POST", &format!("{path}/secrets"), "*", &json!({}))
        .await;
    assert_eq!(mistakes(&told), ["metadata.token_endpoint_auth"]);
    let proving = json!({"metadata": {"token_endpoint_auth": null}});
    let told = caller.over("PATCH", &path, "*", &proving).await;
    let third = text(&told.body, "client_secret").to_owned();
    let token = caller
        .post("/registration-tokens", &json!({"note": "Prov"}))
        .await;
    let invited = json!({"name": "Åsa", "role": "reader"});
    let invited = caller.post("/administrators", &invited).await;
    let link = text(&invited.body, "invitation");
    assert!(
        link.starts_with(&format!("{}/invitation/", app.admin)),
        "{link}"
    );
    let link = link.rsplit('/').next().expect("a secret");
    let secrets = [&first, &second, &third, text(&token.body, "token"), link];
    for place in [
        &path,
        "/clients",
        "/audit/events?limit=200",
        "/registration-tokens",
        "/administrators",
    ] {
        let told = caller.get(place).await;
        assert_eq!(told.status, 200);
        let said = told.body.to_string();
        assert!(
            secrets.iter().all(|secret| !said.contains(*secret)),
            "{place}"
        );
        assert!(said.len() > 50, "{said}");
    }
});
