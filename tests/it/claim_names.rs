//! By which names clients are told of people.

use portvakt::shows;
use serde_json::{Value, json};

use crate::support::phone::TOLVAN;
use crate::support::{App, Browser, CALLBACK, Database, SECRET, run};

/// What a client of this policy is told by its ID token, and at userinfo.
async fn told(app: &App, id: &str, policy: Value, more: &[(&str, Option<&str>)]) -> (Value, Value) {
    app.register(
        id,
        json!({"client_name": "Appen", "redirect_uris": [CALLBACK], "pkce": "accepted",
            "personal_number": {"purpose": "Journalföring"}, "claims": &policy}),
    )
    .await;
    let mut changes = vec![("client_id", Some(id))];
    changes.extend(more);
    let answer = app.log_in_with(&Browser::new(), TOLVAN, &changes).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", answer.code()),
        ("redirect_uri", CALLBACK),
    ];
    let tokens = app
        .http
        .post(format!("{}/token", app.issuer))
        .basic_auth(id, Some(form_encoded(SECRET)));
    let tokens = tokens.form(&form).send().await.expect("an answer");
    let tokens: Value = tokens.json().await.expect("JSON");
    let access = tokens["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{tokens}"));
    let token = crate::registration::claims_of(app, &tokens, id).await;
    // Keycloak alone asks for the session beside the tokens.
    let session = (policy["preset"] == "keycloak").then_some(&token["sid"]);
    assert_eq!(tokens.get("session_state"), session);
    (token, crate::userinfo::ask(app, access).await.body)
}

fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[test]
fn a_client_is_told_by_the_names_that_it_knows() {
    run(async {
        let _shows = shows!(accepting "PV-CLAIMS-1", refusing "PV-CLAIMS-1");
        let app = App::on(Database::sqlite()).await;
        let (token, userinfo) = told(&app, "signicat", json!({"preset": "signicat"}), &[]).await;
        for told in [&token, &userinfo] {
            assert_eq!(told["nin"], TOLVAN);
            assert_eq!(told["nin_issuing_country"], "SE");
            assert_eq!(told.get("personal_number"), None);
        }
        assert_eq!(token["sub"], userinfo["sub"]);
        let (token, _) = told(&app, "keycloak", json!({"preset": "keycloak"}), &[]).await;
        assert_eq!(token["preferred_username"], token["sub"]);
        // One claim, by the name that this client has for it.
        let one = r#"{"id_token":{"pnr":{"essential":true,"value":"191212121212"}}}"#;
        let names = json!({"names": {"personal_number": "pnr"}, "preferred_username": "subject"});
        let asked = [("scope", Some("openid")), ("claims", Some(one))];
        let (token, userinfo) = told(&app, "own", names, &asked).await;
        assert_eq!(token["pnr"], TOLVAN);
        assert_eq!(token["preferred_username"], token["sub"]);
        assert_eq!(userinfo.get("pnr"), None);
        // The ID token of one that wants little of it names nobody.
        let (token, userinfo) = told(&app, "minimal", json!({"preset": "minimal"}), &[]).await;
        assert_eq!(userinfo["personal_number"], TOLVAN);
        for name in ["name", "birthdate", "personal_number"] {
            assert_eq!(token.get(name), None, "{name}");
        }
    });
}
