//! Each application is registered with its own addresses, and what is pasted there says the same.

mod format;

use serde_json::{Value, json};

use self::format::Read;
use super::*;
use crate::client::Pkce;
use crate::id::ClientId;

const ISSUER: &str = "https://login.example.se";
/// Whatever this is made of, it must stand in nothing that is pasted.
const NAME: &str = "Evil \"'`${x}#{y}</script>\\ name";

fn answers(preset: &Preset) -> Vec<(String, String)> {
    let answer = |ask: &Ask| {
        let text = match ask.name {
            "client_name" => NAME,
            "address" => "https://app.example.se/",
            "client_credentials.scopes" => "orders:read\r\n\r\norders:write",
            "resources" => "https://api.example.se",
            _ => ask.example,
        };
        (ask.name.to_owned(), text.to_owned())
    };
    preset.asks.iter().map(answer).collect()
}

fn with(preset: &Preset, name: &str, text: &str) -> Vec<(String, String)> {
    let mut inputs = answers(preset);
    inputs.retain(|(asked, _)| asked != name);
    inputs.push((name.to_owned(), text.to_owned()));
    inputs
}

fn client(id: &str, metadata: Metadata) -> Client {
    Client {
        client_id: ClientId::parse(id).expect("an id"),
        sector: "app.example.se".to_owned(),
        metadata,
    }
}

fn usual(preset: &Preset) -> Client {
    let metadata = metadata(preset, &answers(preset)).expect(preset.id);
    client("kommunen", metadata)
}

fn preset(id: &str) -> &'static Preset {
    Preset::named(id).expect(id)
}

#[test]
fn each_application_is_registered_with_its_own_addresses() {
    let _shows = crate::shows!(accepting "PV-PRESET-1");
    let sso = "https://app.example.se/realms/kommunen";
    let broker = &format!("{sso}/broker/bankid/endpoint");
    let at = |path: &str| format!("https://app.example.se{path}");
    let (post, basic) = ("client_secret_post", "client_secret_basic");
    let expected: Vec<(&str, Vec<String>, Vec<String>, Option<String>, &str)> = vec![
        (
            "keycloak",
            vec![broker.clone()],
            vec![format!("{broker}/logout_response")],
            Some(format!(
                "{sso}/protocol/openid-connect/logout/backchannel-logout"
            )),
            post,
        ),
        (
            "spring",
            vec![at("/login/oauth2/code/bankid")],
            vec![at("")],
            Some(at("/logout/connect/back-channel/bankid")),
            basic,
        ),
        (
            "aspnetcore",
            vec![at("/signin-oidc")],
            vec![at("/signout-callback-oidc")],
            None,
            post,
        ),
        (
            "authjs",
            vec![at("/api/auth/callback/bankid")],
            vec![],
            None,
            basic,
        ),
        (
            "oauth2-proxy",
            vec![at("/oauth2/callback")],
            vec![],
            None,
            "client_secret",
        ),
        (
            "mod_auth_openidc",
            vec![at("/oidc/redirect_uri")],
            vec![at("/")],
            Some(at("/oidc/redirect_uri?logout=backchannel")),
            basic,
        ),
        (
            "grafana",
            vec![at("/login/generic_oauth")],
            vec![at("/login")],
            None,
            basic,
        ),
        (
            "gitlab",
            vec![at("/users/auth/openid_connect/callback")],
            vec![],
            None,
            basic,
        ),
        (
            "nextcloud",
            vec![
                at("/apps/user_oidc/code"),
                at("/index.php/apps/user_oidc/code"),
            ],
            vec![at("/")],
            Some(at("/index.php/apps/user_oidc/backchannel-logout/bankid")),
            post,
        ),
        (
            "single-page",
            vec![at("/callback")],
            vec![at("/")],
            None,
            "none",
        ),
        (
            "native",
            vec!["se.example.app:/oauth2redirect".to_owned()],
            vec!["se.example.app:/logout".to_owned()],
            None,
            "none",
        ),
        ("machine", vec![], vec![], None, basic),
    ];
    let ids: Vec<&str> = PRESETS.iter().map(|preset| preset.id).collect();
    let known: Vec<&str> = expected.iter().map(|(id, ..)| *id).collect();
    assert_eq!(ids, known);
    for (id, callbacks, after_logout, back_channel, method) in expected {
        let registered = metadata(preset(id), &answers(preset(id))).expect(id);
        assert_eq!(
            (registered.conflicts(), registered.pkce),
            (vec![], Pkce::Required)
        );
        let written = serde_json::to_value(&registered).expect("JSON");
        assert_eq!(written["redirect_uris"], json!(callbacks), "{id}");
        let or_none = |name: &str| written.get(name).cloned().unwrap_or(Value::Null);
        let after_logout = match after_logout.is_empty() {
            true => Value::Null,
            false => json!(after_logout),
        };
        assert_eq!(or_none("post_logout_redirect_uris"), after_logout, "{id}");
        assert_eq!(
            or_none("backchannel_logout_uri"),
            json!(back_channel),
            "{id}"
        );
        assert_eq!(written["token_endpoint_auth"], json!(method), "{id}");
        assert_eq!(written["client_name"], json!(NAME));
        let may_call = or_none("web_origins");
        assert_eq!(
            may_call == json!(["https://app.example.se"]),
            id == "single-page"
        );
    }
    let machine = usual(preset("machine"));
    let scopes = machine
        .metadata
        .own_tokens()
        .expect("for itself")
        .scopes
        .len();
    assert_eq!((scopes, machine.metadata.resources.len()), (2, 1));
}

#[test]
fn what_is_not_asked_for_or_is_no_address_is_a_mistake() {
    let _shows = crate::shows!(refusing "PV-PRESET-1");
    let mistakes = |preset: &Preset, inputs: &[(String, String)]| {
        let mistakes = metadata(preset, inputs).expect_err("refused").into_iter();
        mistakes.map(|m| m.setting).collect::<Vec<_>>()
    };
    let keycloak = preset("keycloak");
    for wrong in [
        "",
        "sso.example.se",
        "http://sso.example.se",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://user@sso.example.se",
        "https://sso.example.se/?a=b",
        "https://sso.example.se/#a",
        "https://*.example.se",
        "https://sso.example.se/../a",
        "https://sso.example.se/{realm}",
        "https://sso.example.se/\u{202e}",
        &format!("https://sso.example.se/{}", "x".repeat(2030)),
    ] {
        let found = mistakes(keycloak, &with(keycloak, "address", wrong));
        assert!(
            !found.is_empty() && found.iter().all(|one| one == "address"),
            "{wrong}"
        );
    }
    for wrong in ["a b", "a/b", "..", "{alias}", "a\"b", "å", &"a".repeat(65)] {
        assert_eq!(
            mistakes(keycloak, &with(keycloak, "realm", wrong)),
            ["realm"],
            "{wrong}"
        );
    }
    assert_eq!(
        mistakes(keycloak, &with(keycloak, "realm", " ")),
        ["realm"],
        "it has no default"
    );
    assert_eq!(
        mistakes(keycloak, &with(keycloak, "client_name", "a\u{202e}b")),
        ["client_name"]
    );
    assert_eq!(mistakes(keycloak, &[]), ["client_name", "address", "realm"]);
    assert_eq!(
        mistakes(keycloak, &with(keycloak, "pkce", "accepted")),
        ["pkce"]
    );
    let mut twice = answers(keycloak);
    twice.push(twice[0].clone());
    assert_eq!(mistakes(keycloak, &twice), ["client_name"]);
    let native = preset("native");
    for wrong in [
        "app",
        "https",
        "javascript",
        "SE.example",
        "se.example:",
        "1.se",
    ] {
        assert_eq!(
            mistakes(native, &with(native, "scheme", wrong)),
            ["scheme"],
            "{wrong}"
        );
    }
    let machine = preset("machine");
    let scopes = "client_credentials.scopes";
    assert_eq!(
        mistakes(machine, &with(machine, scopes, "openid")),
        [scopes]
    );
    assert_eq!(
        mistakes(machine, &with(machine, "resources", "data:,x")),
        ["resources"]
    );
    let site = preset("mod_auth_openidc");
    for wrong in ["oidc", "/", "/a//b", "/a?b", "/a/../b"] {
        assert_eq!(
            mistakes(site, &with(site, "path", wrong)),
            ["path"],
            "{wrong}"
        );
    }
    // Nobody is called without TLS.
    let developed = with(keycloak, "address", "http://localhost:8080/auth");
    let developed = metadata(keycloak, &developed).expect("in order");
    assert_eq!(developed.backchannel_logout_uri, None);
    assert_eq!(
        developed.redirect_uris[0].as_str(),
        "http://localhost:8080/auth/realms/kommunen/broker/bankid/endpoint"
    );
}

#[test]
fn what_is_pasted_says_what_is_registered() {
    let _shows = crate::shows!(accepting "PV-PRESET-2");
    for preset in PRESETS {
        let client = usual(preset);
        let all = settings_to_copy(preset, &client, ISSUER).expect(preset.id);
        assert!(!all.is_empty() && all.iter().all(|one| one.text.ends_with('\n')));
        let text: String = all.iter().map(|one| one.text.as_str()).collect();
        assert!(!text.contains("Evil") && !text.contains("{{"), "{text}");
        let holds_secret = text.contains(SECRET_HERE);
        assert_eq!(
            holds_secret,
            preset.authentication.has_secret(),
            "{}",
            preset.id
        );
        let strings: Vec<String> = all.iter().flat_map(|one| Read::of(one).strings).collect();
        let holds = |wanted: &str| strings.iter().any(|string| string == wanted);
        let is_machine = preset.application == Application::Machine;
        assert!(holds("kommunen") || is_machine && holds(&format!("kommunen:{SECRET_HERE}")));
        let from_us = strings.iter().any(|string| string.starts_with(ISSUER));
        assert!(from_us, "{}: {text}", preset.id);
        // These make the address themselves: of their own, and of a name that we were told.
        let parts: &[&str] = match preset.application {
            Application::Keycloak => &["bankid"],
            Application::AspNetCore => &["/signin-oidc", "/signout-callback-oidc"],
            Application::AuthJs => &["https://app.example.se", "bankid"],
            Application::Grafana => &["https://app.example.se/"],
            Application::Nextcloud => &["bankid", "https://app.example.se/"],
            Application::Machine => &[
                "scope=orders:read orders:write",
                "resource=https://api.example.se",
            ],
            _ => &[client.metadata.redirect_uris[0].as_str()],
        };
        assert!(
            parts.iter().all(|part| holds(part)),
            "{}: {strings:#?}",
            preset.id
        );
    }
}

#[test]
fn every_endpoint_is_the_one_that_discovery_names() {
    let keycloak = preset("keycloak");
    let all = settings_to_copy(keycloak, &usual(keycloak), ISSUER).expect("settings");
    let import: Value = serde_json::from_str(&all[0].text).expect("JSON");
    let provider: Value = serde_json::from_str(&all[1].text).expect("JSON");
    assert_eq!(import["identityProviders"], json!([provider]));
    assert_eq!(
        (&provider["alias"], &provider["providerId"]),
        (&json!("bankid"), &json!("oidc"))
    );
    let told = &provider["config"];
    assert!(
        told.as_object()
            .expect("an object")
            .values()
            .all(Value::is_string)
    );
    let document = crate::discovery::document(ISSUER, "acr", None);
    for (theirs, ours) in [
        ("issuer", "issuer"),
        ("authorizationUrl", "authorization_endpoint"),
        ("tokenUrl", "token_endpoint"),
        ("userInfoUrl", "userinfo_endpoint"),
        ("logoutUrl", "end_session_endpoint"),
        ("jwksUrl", "jwks_uri"),
    ] {
        assert_eq!(told[theirs], document[ours], "{theirs}");
    }
    for (name, value) in [
        ("pkceEnabled", "true"),
        ("pkceMethod", "S256"),
        ("validateSignature", "true"),
        ("useJwksUrl", "true"),
        ("clientAuthMethod", "client_secret_post"),
        ("clientSecret", SECRET_HERE),
    ] {
        assert_eq!(told[name], json!(value));
    }
}

#[test]
fn no_id_breaks_out_of_a_format() {
    let _shows = crate::shows!(refusing "PV-PRESET-2");
    let hostile = [
        "a\"b", "a'b", "a\\", "a\\'b", "a\\\"b", "${HOME}", "$HOME", "$(id)", "#{1+1}", "`id`",
        "%(a)s", "a;b", "#a", "a#b", "</key>", "{{x}}", "a=b", "a:", "!a", "&a", "*a", "[a]",
        "%41", "\"\"\"", "a&b=c", "--x", "@a", "a,b", "<%=a%>",
    ];
    for preset in PRESETS {
        let usual = usual(preset);
        let plain = settings_to_copy(preset, &usual, ISSUER).expect(preset.id);
        let mut written = 0;
        for id in hostile {
            let client = client(id, usual.metadata.clone());
            let all = match settings_to_copy(preset, &client, ISSUER) {
                Ok(all) => all,
                Err(mistake) => {
                    assert_eq!(mistake.setting, "client_id", "{id}");
                    continue;
                }
            };
            written += 1;
            for (one, plain) in all.iter().zip(&plain) {
                let (one, plain) = (Read::of(one), Read::of(plain));
                assert_eq!(one.skeleton, plain.skeleton, "{}: {id}", preset.id);
                // The id stands where the plain one did, and everything else as before.
                let expected: Vec<String> = plain
                    .strings
                    .iter()
                    .map(|string| match string.split_once(':') {
                        Some(("kommunen", secret)) => format!("{}:{secret}", encoded(id)),
                        _ if string == "kommunen" => id.to_owned(),
                        _ => string.replace("client_id=kommunen", &format!("client_id={id}")),
                    })
                    .collect();
                assert_eq!(one.strings, expected, "{}: {id}", preset.id);
            }
        }
        let least = match preset.application {
            Application::AuthJs => 5,
            _ => 15,
        };
        assert!(written > least, "{}: {written}", preset.id);
    }
}

fn encoded(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes())
        .collect::<String>()
        .replace('*', "%2A")
}

#[test]
fn settings_that_could_not_work_are_not_given() {
    let _shows = crate::shows!(refusing "PV-PRESET-3", accepting "PV-PRESET-3");
    let told = |preset: &Preset, change: &dyn Fn(&mut Metadata)| {
        let mut client = usual(preset);
        change(&mut client.metadata);
        settings_to_copy(preset, &client, ISSUER).map_err(|mistake| mistake.setting)
    };
    let refused = |id: &str, change: &dyn Fn(&mut Metadata), setting: &str| {
        assert_eq!(told(preset(id), change), Err(setting.to_owned()), "{id}");
    };
    for preset in PRESETS {
        let id = preset.id;
        let is_public = !preset.authentication.is_proof();
        let other = match is_public {
            true => Authentication::ClientSecret,
            false => Authentication::None,
        };
        refused(
            id,
            &|m| m.token_endpoint_auth = other,
            "token_endpoint_auth",
        );
        refused(
            id,
            &|m| m.token_endpoint_auth = Authentication::PrivateKeyJwt,
            "token_endpoint_auth",
        );
        refused(
            id,
            &|m| m.dpop_bound_access_tokens = true,
            "dpop_bound_access_tokens",
        );
        refused(
            id,
            &|m| m.require_signed_request_object = true,
            "require_signed_request_object",
        );
        if preset.application != Application::AspNetCore {
            let pushed = "require_pushed_authorization_requests";
            refused(
                id,
                &|m| m.require_pushed_authorization_requests = true,
                pushed,
            );
        }
        if preset.application != Application::Machine {
            refused(id, &|m| m.redirect_uris.clear(), "redirect_uris");
        }
    }
    refused(
        "machine",
        &|m| m.client_credentials = None,
        "client_credentials",
    );
    let elsewhere = |uri: &'static str| {
        move |m: &mut Metadata| m.redirect_uris = vec![RedirectUri::parse(uri).expect(uri)]
    };
    for (id, uri) in [
        (
            "keycloak",
            "https://sso.example.se/realms/a/broker/b/c/endpoint",
        ),
        (
            "keycloak",
            "https://sso.example.se/realms/a%20b/broker/c/endpoint",
        ),
        ("keycloak", "https://sso.example.se/broker/b/endpoint"),
        ("spring", "https://app.example.se/login/oauth2/code/"),
        ("grafana", "https://app.example.se/login/generic_oauth/"),
        ("aspnetcore", "https://app.example.se/signin"),
        ("oauth2-proxy", "se.app:/oauth2/callback"),
        ("single-page", "se.app:/callback"),
        ("mod_auth_openidc", "https://app.example.se/a?b=c"),
    ] {
        refused(id, &elsewhere(uri), "redirect_uris");
    }
    // What was registered by hand, for an application that is found by its address.
    let old = "https://sso.example.se/auth/realms/r-1/broker/bank.id/endpoint";
    let found = told(preset("keycloak"), &|m| {
        m.redirect_uris = ["https://other.example/cb", old]
            .map(|uri| RedirectUri::parse(uri).expect(uri))
            .to_vec();
        m.token_endpoint_auth = Authentication::ClientSecretBasic;
    });
    let provider: Value = serde_json::from_str(&found.expect("fits")[1].text).expect("JSON");
    assert_eq!(provider["alias"], json!("bank.id"));
    assert_eq!(
        provider["config"]["clientAuthMethod"],
        json!("client_secret_basic")
    );
    let other = told(
        preset("spring"),
        &elsewhere("https://app.example.se/login/oauth2/code/Bank_ID"),
    );
    assert!(other.expect("fits")[0].text.contains("\"[Bank_ID]\":\n"));
    let loopback = told(preset("native"), &elsewhere("http://127.0.0.1/callback")).expect("fits");
    assert_eq!(loopback.len(), 1, "it has no scheme of its own");
    let without = told(preset("grafana"), &|m| m.post_logout_redirect_uris.clear()).expect("fits");
    assert!(!without[0].text.contains("signout_redirect_url"));
}
