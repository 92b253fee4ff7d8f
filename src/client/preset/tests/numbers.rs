//! Personal numbers are asked for where a client is entitled to them, and kept by Keycloak.

use serde_json::{Value, json};

use super::*;
use crate::client::{Entitlement, Reason};

fn entitled(preset: &Preset) -> Client {
    let mut client = usual(preset);
    client.metadata.personal_number = Some(Entitlement {
        purpose: Reason::parse("Tests.").expect("a reason"),
        expires_at: None,
    });
    client
}

fn told(preset: &Preset, client: &Client) -> String {
    let all = settings_to_copy(preset, client, ISSUER).expect(preset.id);
    all.iter().map(|one| one.text.as_str()).collect()
}

#[test]
fn a_client_asks_for_what_it_may_have() {
    let _shows = crate::shows!(accepting "PV-PRESET-4", refusing "PV-PRESET-4");
    for preset in PRESETS {
        let is_machine = preset.application == Application::Machine;
        let without = told(preset, &usual(preset));
        assert!(!without.contains("personal_number"), "{}", preset.id);
        let with = told(preset, &entitled(preset));
        assert_eq!(
            with.contains("personal_number"),
            !is_machine,
            "{}",
            preset.id
        );
        assert!(with.contains("profile") || is_machine, "{}", preset.id);
    }
}

/// The realm file, filled from an environment as Keycloak does it.
fn realm(environment: &str) -> Value {
    let mut text = include_str!("../../../../deploy/keycloak/realm.json").to_owned();
    for line in environment.lines() {
        let (name, value) = line.split_once('=').expect("a variable");
        text = text.replace(&format!("${{{name}}}"), value);
    }
    assert!(!text.contains("${PORTVAKT_") && !text.contains("${KEYCLOAK_"));
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_realm_file_says_what_the_preset_says() {
    let _shows = crate::shows!(accepting "PV-PRESET-4");
    let keycloak = preset("keycloak");
    let all = settings_to_copy(keycloak, &entitled(keycloak), ISSUER).expect("settings");
    let import: Value = serde_json::from_str(&all[0].text).expect("JSON");
    let mut realm = realm(&all[2].text);
    assert_eq!(realm["realm"], json!("staden"));
    // It has a flow of its own, in which nobody is asked anything.
    let provider = &mut realm["identityProviders"][0];
    assert_eq!(
        provider["firstBrokerLoginFlowAlias"],
        json!("bankid first login")
    );
    provider["firstBrokerLoginFlowAlias"] = json!("first broker login");
    for name in ["identityProviders", "identityProviderMappers"] {
        assert_eq!(realm[name], import[name], "{name}");
    }
    let profile = &realm["components"]["org.keycloak.userprofile.UserProfileProvider"][0];
    let profile = profile["config"]["kc.user.profile.config"][0].as_str();
    let profile: Value = serde_json::from_str(profile.expect("a text")).expect("JSON");
    let attributes = profile["attributes"].as_array().expect("a list").iter();
    let names: Vec<&Value> = attributes
        .clone()
        .map(|attribute| &attribute["name"])
        .collect();
    assert!(names.contains(&&import["identityProviderMappers"][0]["config"]["user.attribute"]));
    for attribute in attributes {
        assert_eq!(attribute.get("required"), None, "{attribute}");
        // What nobody verified must not be what an application believes.
        assert_eq!(attribute["permissions"]["edit"], json!(["admin"]));
    }
    // Nobody is let in for longer than by our own session.
    let lifetime = &realm["ssoSessionMaxLifespan"];
    assert_eq!(*lifetime, json!(crate::session::LIFETIME.0));
    assert!(realm["ssoSessionIdleTimeout"].as_i64() < lifetime.as_i64());
    let clients = realm["clients"].as_array().expect("a list").iter();
    for client in clients.filter(|client| client["enabled"] == json!(true)) {
        let (answered, left) = (&client["redirectUris"], &client["attributes"]);
        assert_eq!(*answered, json!(["${APPLICATION_REDIRECT_URI}"]));
        let left = &left["post.logout.redirect.uris"];
        assert_eq!(*left, json!("${APPLICATION_ADDRESS}/"));
        assert_eq!(client["directAccessGrantsEnabled"], json!(false));
        assert_eq!(client["implicitFlowEnabled"], json!(false));
    }
}

#[test]
fn keycloak_takes_the_name_that_the_client_is_told() {
    let _shows = crate::shows!(accepting "PV-PRESET-4");
    let keycloak = preset("keycloak");
    let mut client = entitled(keycloak);
    client.metadata.claims = serde_json::from_value(json!({"preset": "swedish"})).expect("claims");
    let all = settings_to_copy(keycloak, &client, ISSUER).expect("settings");
    let import: Value = serde_json::from_str(&all[0].text).expect("JSON");
    assert_eq!(
        import["identityProviderMappers"][0]["config"]["claim"],
        json!("https://id\\.oidc\\.se/claim/personalIdentityNumber")
    );
    // The file is for one alias.
    let elsewhere = "https://sso.example.se/realms/kommunen/broker/se/endpoint";
    client.metadata.redirect_uris = vec![RedirectUri::parse(elsewhere).expect("an address")];
    let all = settings_to_copy(keycloak, &client, ISSUER).expect("settings");
    assert_eq!(all.len(), 2);
}
