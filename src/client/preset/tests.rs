//! Each application is registered with its own addresses, and what is pasted there says the same.

mod format;
mod numbers;

use serde_json::{Value, json};

use self::format::Read;
use super::*;
use crate::client::Pkce;
use crate::id::ClientId;

type Change = fn(&mut Metadata);

const ISSUER: &str = "https://login.example.se";
/// Whatever this is made of, it must stand in nothing that is pasted.
const NAME: &str = "Evil \"'`${x}#{y}</script>\\ name";

fn answers(preset: &Preset) -> Vec<(String, String)> {
    let answer = |ask: &Ask| {
        let text = match ask.name {
            "client_name" => NAME,
            // Another word than the client's id.
            "realm" => "staden",
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
    let sso = "https://app.example.se/realms/staden";
    let broker = &format!("{sso}/broker/bankid/endpoint");
    let at = |path: &str| format!("https://app.example.se{path}");
    let expected = json!([
        {
            "id": "keycloak",
            "redirect_uris": [broker],
            "post_logout_redirect_uris": [format!("{broker}/logout_response")],
            "backchannel_logout_uri":
                format!("{sso}/protocol/openid-connect/logout/backchannel-logout"),
            "token_endpoint_auth": "client_secret_post",
            "claims": {"preset": "keycloak"},
        },
        {
            "id": "spring",
            "redirect_uris": [at("/login/oauth2/code/bankid")],
            "post_logout_redirect_uris": [at("")],
            "backchannel_logout_uri": at("/logout/connect/back-channel/bankid"),
            "token_endpoint_auth": "client_secret_basic",
        },
        {
            "id": "aspnetcore",
            "redirect_uris": [at("/signin-oidc")],
            "post_logout_redirect_uris": [at("/signout-callback-oidc")],
            "token_endpoint_auth": "client_secret_post",
        },
        {
            "id": "authjs",
            "redirect_uris": [at("/api/auth/callback/bankid")],
            "token_endpoint_auth": "client_secret_basic",
        },
        {
            "id": "oauth2-proxy",
            "redirect_uris": [at("/oauth2/callback")],
            "token_endpoint_auth": "client_secret",
        },
        {
            "id": "mod_auth_openidc",
            "redirect_uris": [at("/oidc/redirect_uri")],
            "post_logout_redirect_uris": [at("/")],
            "backchannel_logout_uri": at("/oidc/redirect_uri?logout=backchannel"),
            "token_endpoint_auth": "client_secret_basic",
        },
        {
            "id": "grafana",
            "redirect_uris": [at("/login/generic_oauth")],
            "post_logout_redirect_uris": [at("/login")],
            "token_endpoint_auth": "client_secret_basic",
        },
        {
            "id": "gitlab",
            "redirect_uris": [at("/users/auth/openid_connect/callback")],
            "token_endpoint_auth": "client_secret_basic",
        },
        {
            "id": "nextcloud",
            "redirect_uris":
                [at("/apps/user_oidc/code"), at("/index.php/apps/user_oidc/code")],
            "post_logout_redirect_uris": [at("/")],
            "backchannel_logout_uri":
                at("/index.php/apps/user_oidc/backchannel-logout/bankid"),
            "token_endpoint_auth": "client_secret_post",
        },
        {
            "id": "single-page",
            "redirect_uris": [at("/callback")],
            "post_logout_redirect_uris": [at("/")],
            "token_endpoint_auth": "none",
            "web_origins": ["https://app.example.se"],
        },
        {
            "id": "native",
            "redirect_uris": ["se.example.app:/oauth2redirect"],
            "post_logout_redirect_uris": ["se.example.app:/logout"],
            "token_endpoint_auth": "none",
        },
        {
            "id": "machine",
            "redirect_uris": [],
            "token_endpoint_auth": "client_secret_basic",
            "client_credentials": {"scopes": ["orders:read", "orders:write"]},
            "resources": ["https://api.example.se"],
        },
        {
            "id": "other",
            "redirect_uris": ["https://app.example.se/callback"],
            "post_logout_redirect_uris": ["https://app.example.se/"],
            "token_endpoint_auth": "client_secret",
        },
    ]);
    let expected = expected.as_array().expect("a list");
    assert_eq!(expected.len(), PRESETS.len());
    for (preset, expected) in PRESETS.iter().zip(expected) {
        let registered = metadata(preset, &answers(preset)).expect(preset.id);
        assert_eq!(registered.conflicts(), []);
        let mut written = serde_json::to_value(&registered).expect("JSON");
        // The rest is as it would be anyway, PKCE above all.
        let anyway = json!({"client_name": NAME});
        let anyway: Metadata = serde_json::from_value(anyway).expect("metadata");
        assert_eq!(anyway.pkce, Pkce::Required);
        let anyway = serde_json::to_value(&anyway).expect("JSON");
        let told = registered.backchannel_logout_uri.is_some();
        assert_eq!(registered.backchannel_logout_session_required, told);
        for (name, value) in anyway.as_object().expect("an object") {
            let is_expected = expected.get(name).is_some();
            if !is_expected && name != "backchannel_logout_session_required" {
                assert_eq!(written[name], *value, "{} {name}", preset.id);
            }
        }
        let members = written.as_object_mut().expect("an object");
        members.retain(|name, _| expected.get(name).is_some() || anyway.get(name).is_none());
        members.insert("id".to_owned(), json!(preset.id));
        assert_eq!(written, *expected);
    }
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
        "http://localhost:8080/auth/realms/staden/broker/bankid/endpoint"
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
        // What is typed in a shell asks for it: it would stay in the shell's history.
        let is_typed = all.iter().any(|one| one.language == Language::Shell);
        assert_eq!(
            text.contains(SECRET_HERE),
            preset.authentication.has_secret() && !is_typed,
            "{}",
            preset.id
        );
        let strings: Vec<String> = all.iter().flat_map(|one| Read::of(one).strings).collect();
        let holds = |wanted: &str| strings.iter().any(|string| string == wanted);
        assert!(holds("kommunen"));
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

/// A login is for everybody who has a BankID: no application may take it for a permission.
#[test]
fn everybody_is_told_that_everybody_can_log_in() {
    for preset in PRESETS {
        let is_said = |note: &&str| note.contains("has a BankID") || note.contains("with a BankID");
        let is_said = preset.notes.iter().any(is_said);
        let people = preset.application != Application::Machine;
        assert_eq!(is_said, people, "{}", preset.id);
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
    let document = crate::discovery::document(ISSUER, "acr", None, &Default::default());
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
        ("passMaxAge", "true"),
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
                    .map(|string| match string.as_str() {
                        "kommunen" if preset.application == Application::Machine => encoded(id),
                        "kommunen" => id.to_owned(),
                        _ => string
                            .replace(
                                "?client_id=kommunen",
                                &format!("?client_id={}", encoded(id)),
                            )
                            .replace("client_id=kommunen", &format!("client_id={id}")),
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
    // What another application does, nobody here knows; but somebody must log in to it.
    let other = preset("other");
    assert!(told(other, &|m| m.dpop_bound_access_tokens = true).is_ok());
    refused("other", &|m| m.redirect_uris.clear(), "redirect_uris");
    for preset in PRESETS.iter().filter(|preset| preset.id != "other") {
        let id = preset.id;
        let other = match preset.authentication.is_proof() {
            true => Authentication::None,
            false => Authentication::ClientSecret,
        };
        for method in [other, Authentication::PrivateKeyJwt] {
            refused(
                id,
                &|m| m.token_endpoint_auth = method,
                "token_endpoint_auth",
            );
        }
        refused(
            id,
            &|m| m.dpop_bound_access_tokens = true,
            "dpop_bound_access_tokens",
        );
        let pushed = "require_pushed_authorization_requests";
        let asks_with_more: [(Change, &str); 4] = [
            (|m| m.redirect_uris.clear(), "redirect_uris"),
            (
                |m| m.require_signed_request_object = true,
                "require_signed_request_object",
            ),
            (|m| m.require_pushed_authorization_requests = true, pushed),
            (
                |m| m.response_modes = vec![ResponseMode::QueryJwt],
                "response_modes",
            ),
        ];
        for (change, setting) in asks_with_more {
            match preset.application {
                Application::Machine => assert!(told(preset, &change).is_ok(), "{setting}"),
                Application::AspNetCore if setting == pushed => {
                    assert!(told(preset, &change).is_ok());
                }
                _ => refused(id, &change, setting),
            }
        }
        for algorithm in Algorithm::ALL {
            let told = told(preset, &|m| {
                m.id_token_signed_response_alg = Some(algorithm)
            });
            match preset.algorithms.contains(&algorithm) {
                true => assert!(told.is_ok(), "{id} {algorithm}"),
                false => assert_eq!(told, Err("id_token_signed_response_alg".to_owned())),
            }
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

#[test]
fn the_document_names_the_addresses_that_are_registered() {
    let document = include_str!("../../../docs/applications.md");
    let own = ["single-page", "native", "machine", "other"];
    for preset in PRESETS.iter().filter(|preset| !own.contains(&preset.id)) {
        let row = format!("| {} | `{}` |", preset.name, preset.addresses.callbacks[0]);
        let row = document.lines().find(|line| line.starts_with(&row));
        let row = row.expect(preset.name);
        let told_at = preset.addresses.back_channel;
        let is_written = |address: &str| row.contains(address) || address.contains("{path}");
        assert!(told_at.is_none_or(is_written), "{row}");
    }
}
