//! Lists in parts.

use portvakt::shows;
use serde_json::Value;

use super::{Caller, NOTHING, app};
use crate::refresh::text;
use crate::support::{Browser, Database, on_both};

on_both!(a_list_goes_on_where_it_ended, async |database: Database| {
    let _shows = shows!(accepting "PV-API-6", refusing "PV-API-6");
    let app = app(database).await;
    let caller = Caller::full(&app).await;
    for n in 0..5 {
        caller.client(&format!("paged-{n}")).await;
    }
    let wrong = [("redirect_uri", Some("https://other.example/"))];
    for n in 0..3 {
        app.clock.advance(std::time::Duration::from_secs(61));
        let url = app
            .authorize_url(&wrong)
            .replace("client_id=web", "client_id=paged-0");
        assert_eq!(
            Browser::new().get(&format!("{url}&n={n}")).await.status,
            400
        );
    }
    app.provider.keep_waiting_refusals().await.expect("kept");
    let caller = Caller::full(&app).await;
    for (path, name, count) in [
        ("/clients?search=paged-", "client_id", 5),
        (
            "/audit/events?action=client.create&actor=client:robot",
            "object",
            5,
        ),
        ("/clients/paged-0/failures?", "at", 3),
    ] {
        let whole = caller.get(&format!("{path}&limit=200")).await.body;
        assert_eq!(whole.get("next"), None, "{whole}");
        let names = |told: &Value| -> Vec<String> {
            let items = told["items"].as_array().expect("a list").iter();
            items.map(|item| text(item, name).to_owned()).collect()
        };
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let told = caller.get(&format!("{path}&limit=2{cursor}")).await;
            assert_eq!(told.status, 200, "{}", told.body);
            let part = names(&told.body);
            assert!((1..=2).contains(&part.len()), "{path}: {part:?}");
            seen.extend(part);
            match told.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, names(&whole), "{path}");
        assert_eq!(seen.len(), count, "{path}: {seen:?}");
        // A cursor is one list's.
        let other = caller.get(&format!("/clients?limit=1{cursor}")).await;
        assert_eq!(
            other.status,
            if name == "client_id" { 200 } else { 400 },
            "{path}"
        );
    }
    for (filter, expected) in [
        ("managed_by=admin", 5),
        ("search=PAGED-3", 1),
        ("search=100%25", 0),
        ("state=removed", 0),
        ("state=entitled&managed_by=admin", 0),
    ] {
        let told = caller.get(&format!("/clients?{filter}")).await.body;
        assert_eq!(
            told["items"].as_array().map(Vec::len),
            Some(expected),
            "{filter}"
        );
    }
    caller
        .over("DELETE", "/clients/paged-1", "*", &NOTHING)
        .await;
    let removed = caller.get("/clients?state=removed").await.body;
    assert_eq!(removed["items"][0]["client_id"], "paged-1");
    assert!(removed["items"][0]["removed_at"].is_string());
});
