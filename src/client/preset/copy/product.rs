//! Applications that one installs.

use askama::Template;
use percent_encoding::utf8_percent_encode;
use serde::Serialize;
use serde_json::json;

use super::{Copyable, ENCODED, Language, SECRET_HERE, Told, one, pretty, rendered};
use crate::claims::release::Claim;
use crate::client::method::Method;
use crate::client::preset::matched;
use crate::client::preset::quote::{apache, ini, is_plain, ruby, shell};

/// What Keycloak is told to call us by the realm file that is shipped.
const ALIAS: &str = "bankid";

pub(super) fn keycloak(told: &Told<'_>) -> Vec<Copyable> {
    // All values of a provider's configuration are strings there, switches too.
    let provider = json!({
        "alias": told.part("alias"),
        "displayName": "BankID",
        "providerId": "oidc",
        "enabled": true,
        "trustEmail": false,
        "storeToken": false,
        "linkOnly": false,
        "firstBrokerLoginFlowAlias": "first broker login",
        "config": {
            "issuer": told.issuer,
            "authorizationUrl": told.endpoint("authorize"),
            "tokenUrl": told.endpoint("token"),
            "userInfoUrl": told.endpoint("userinfo"),
            "logoutUrl": told.endpoint("logout"),
            "useJwksUrl": "true",
            "jwksUrl": told.endpoint("jwks"),
            "validateSignature": "true",
            "clientId": told.client_id(),
            "clientSecret": SECRET_HERE,
            "clientAuthMethod": told.method.as_str(),
            // Who asks for a fresh login gets one from BankID, and is told when it was.
            "passMaxAge": "true",
            "pkceEnabled": "true",
            "pkceMethod": "S256",
            "defaultScope": told.scope(),
            "backchannelSupported": "false",
            "uiLocales": "true",
            // People change their names.
            "syncMode": "FORCE",
        },
    });
    let mut import = json!({"identityProviders": [&provider]});
    let metadata = &told.client.metadata;
    if metadata.personal_number.is_some() {
        // A dot would lead into an object there.
        let claim = metadata.claims.name(Claim::PersonalNumber);
        import["identityProviderMappers"] = json!([{
            "name": "personal_number",
            "identityProviderAlias": told.part("alias"),
            "identityProviderMapper": "oidc-user-attribute-idp-mapper",
            "config": {
                "syncMode": "INHERIT",
                "claim": claim.replace('.', "\\."),
                "user.attribute": "personal_number",
            },
        }]);
    }
    let mut all = vec![
        one(
            "Identity provider",
            "Admin console → Realm settings → Action → Partial import",
            Language::Json,
            pretty(&import),
        ),
        one(
            "The same for the admin API",
            "kcadm.sh create identity-provider/instances -r REALM -f FILE",
            Language::Json,
            pretty(&provider),
        ),
    ];
    // The realm file gives another alias to nothing, and an environment has no quotes that all understand.
    if told.part("alias") == ALIAS && told.client_id().chars().all(is_plain) {
        let environment = KeycloakEnvironment {
            realm: told.part("realm"),
            issuer: told.issuer,
            client_id: told.client_id(),
            secret: SECRET_HERE,
        };
        all.push(one(
            "A realm of its own, by deploy/keycloak/realm.json",
            "The environment of kc.sh start --import-realm",
            Language::Env,
            rendered(&environment),
        ));
    }
    all
}

#[derive(Template)]
#[template(path = "preset/keycloak.env", escape = "none")]
struct KeycloakEnvironment<'a> {
    realm: &'a str,
    issuer: &'a str,
    client_id: &'a str,
    secret: &'a str,
}

/// In the order in which one reads it.
#[derive(Serialize)]
struct OAuth2Proxy<'a> {
    provider: &'a str,
    provider_display_name: &'a str,
    oidc_issuer_url: &'a str,
    client_id: &'a str,
    client_secret: &'a str,
    redirect_url: &'a str,
    scope: &'a str,
    code_challenge_method: &'a str,
    oidc_email_claim: &'a str,
    email_domains: [&'a str; 1],
    cookie_secure: bool,
    cookie_secret: &'a str,
}

pub(super) fn oauth2_proxy(told: &Told<'_>) -> Vec<Copyable> {
    let settings = OAuth2Proxy {
        provider: "oidc",
        provider_display_name: "BankID",
        oidc_issuer_url: told.issuer,
        client_id: told.client_id(),
        client_secret: SECRET_HERE,
        redirect_url: told.redirect_uri,
        scope: told.scope(),
        code_challenge_method: "S256",
        oidc_email_claim: "sub",
        email_domains: ["*"],
        cookie_secure: told.redirect_uri.starts_with("https://"),
        cookie_secret: "PASTE-32-RANDOM-BYTES-IN-BASE64-HERE",
    };
    vec![one(
        "Settings, beside upstreams",
        "oauth2-proxy.cfg",
        Language::Toml,
        toml::to_string(&settings).expect("strings are written as TOML"),
    )]
}

#[derive(Template)]
#[template(path = "preset/mod_auth_openidc.conf", escape = "none")]
struct ModAuthOpenidc<'a> {
    discovery: String,
    client_id: String,
    secret: String,
    method: &'a str,
    redirect_uri: String,
    scope: String,
}

pub(super) fn mod_auth_openidc(told: &Told<'_>) -> Vec<Copyable> {
    let settings = ModAuthOpenidc {
        discovery: apache(&told.discovery()),
        client_id: apache(told.client_id()),
        secret: apache(SECRET_HERE),
        method: told.method.as_str(),
        redirect_uri: apache(told.redirect_uri),
        scope: apache(told.scope()),
    };
    vec![one(
        "Directives",
        "the site's configuration in Apache",
        Language::Apache,
        rendered(&settings),
    )]
}

#[derive(Template)]
#[template(path = "preset/grafana.ini", escape = "none")]
struct Grafana<'a> {
    root_url: String,
    client_id: String,
    secret: &'a str,
    style: &'a str,
    scope: &'a str,
    auth_url: String,
    token_url: String,
    api_url: String,
    sign_out: Option<String>,
}

pub(super) fn grafana(told: &Told<'_>) -> Vec<Copyable> {
    let sign_out = told.after_logout().map(|address| {
        let address = utf8_percent_encode(address, ENCODED);
        // Grafana shows an ID token only while its access token lives.
        let client = utf8_percent_encode(told.client_id(), ENCODED);
        let query = format!("logout?client_id={client}&post_logout_redirect_uri={address}");
        ini(&told.endpoint(&query))
    });
    let settings = Grafana {
        root_url: ini(&format!("{}/", told.part("address"))),
        client_id: ini(told.client_id()),
        secret: SECRET_HERE,
        style: match told.method {
            Method::ClientSecretPost => "InParams",
            _ => "InHeader",
        },
        scope: told.scope(),
        auth_url: ini(&told.endpoint("authorize")),
        token_url: ini(&told.endpoint("token")),
        api_url: ini(&told.endpoint("userinfo")),
        sign_out,
    };
    vec![one(
        "Settings",
        "grafana.ini",
        Language::Ini,
        rendered(&settings),
    )]
}

#[derive(Template)]
#[template(path = "preset/gitlab.rb", escape = "none")]
struct GitLab {
    issuer: String,
    method: String,
    client_id: String,
    secret: String,
    redirect_uri: String,
    scopes: String,
}

pub(super) fn gitlab(told: &Told<'_>) -> Vec<Copyable> {
    let settings = GitLab {
        issuer: ruby(told.issuer),
        // Whatever it does not know as a method it sends in the form, by the name of query.
        method: ruby(match told.method {
            Method::ClientSecretPost => "query",
            _ => "basic",
        }),
        client_id: ruby(told.client_id()),
        secret: ruby(SECRET_HERE),
        redirect_uri: ruby(told.redirect_uri),
        scopes: told
            .scopes()
            .into_iter()
            .map(ruby)
            .collect::<Vec<_>>()
            .join(", "),
    };
    vec![one(
        "Settings, then gitlab-ctl reconfigure",
        "/etc/gitlab/gitlab.rb",
        Language::Ruby,
        rendered(&settings),
    )]
}

#[derive(Template)]
#[template(path = "preset/nextcloud.sh", escape = "none")]
struct Nextcloud {
    provider: String,
    client_id: String,
    discovery: String,
    after_logout: Option<String>,
    scope: String,
}

pub(super) fn nextcloud(told: &Told<'_>) -> Vec<Copyable> {
    // It is no part of the address that people come back to, but of the one that we call.
    let pattern = told.preset.addresses.back_channel.unwrap_or_default();
    let called = told.client.metadata.backchannel_logout_uri.as_ref();
    let called = called.and_then(|uri| matched(pattern, uri.as_str()));
    let provider = called.and_then(|mut parts| parts.remove("provider"));
    let command = Nextcloud {
        provider: shell(provider.as_deref().unwrap_or("bankid")),
        client_id: shell(told.client_id()),
        discovery: shell(&told.discovery()),
        after_logout: told.after_logout().map(shell),
        scope: shell(told.scope()),
    };
    vec![one(
        "Command",
        "a shell in Nextcloud's folder",
        Language::Shell,
        rendered(&command),
    )]
}
