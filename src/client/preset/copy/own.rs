//! Applications of one's own that are no web applications.

use askama::Template;
use percent_encoding::utf8_percent_encode;
use serde_json::json;

use super::{Copyable, ENCODED, Language, SECRET_HERE, Told, one, pretty, rendered};
use crate::client::Client;
use crate::client::machine::Machine;
use crate::client::method::Method;
use crate::client::preset::quote::{json, shell};

#[derive(Template)]
#[template(path = "preset/single_page.ts", escape = "none")]
struct SinglePage {
    issuer: String,
    client_id: String,
    redirect_uri: String,
    after_logout: Option<String>,
    scope: String,
}

pub(super) fn single_page(told: &Told<'_>) -> Vec<Copyable> {
    let settings = SinglePage {
        issuer: json(told.issuer),
        client_id: json(told.client_id()),
        redirect_uri: json(told.redirect_uri),
        after_logout: told.after_logout().map(json),
        scope: json(told.scope()),
    };
    vec![one(
        "Settings of oidc-client-ts",
        "users.ts",
        Language::TypeScript,
        rendered(&settings),
    )]
}

/// What any library asks for, by the names of the specifications.
pub(super) fn other(told: &Told<'_>) -> Vec<Copyable> {
    let mut settings = json!({
        "issuer": told.issuer,
        "discovery": told.discovery(),
        "authorization_endpoint": told.endpoint("authorize"),
        "token_endpoint": told.endpoint("token"),
        "userinfo_endpoint": told.endpoint("userinfo"),
        "jwks_uri": told.endpoint("jwks"),
        "end_session_endpoint": told.endpoint("logout"),
        "client_id": told.client_id(),
        "redirect_uri": told.redirect_uri,
        "response_type": "code",
        "scope": told.scope(),
        "code_challenge_method": "S256",
        "token_endpoint_auth_method": told.method.as_str(),
        "id_token_signed_response_alg": told.client.metadata.id_token_algorithm(),
    });
    if told.client.metadata.token_endpoint_auth.has_secret() {
        settings["client_secret"] = SECRET_HERE.into();
    }
    if let Some(address) = told.after_logout() {
        settings["post_logout_redirect_uri"] = address.into();
    }
    vec![one(
        "What the application asks for",
        "By these names or similar ones",
        Language::Json,
        pretty(&settings),
    )]
}

#[derive(Template)]
#[template(path = "preset/native.gradle", escape = "none")]
struct Android<'a> {
    scheme: &'a str,
}

#[derive(Template)]
#[template(path = "preset/native.plist", escape = "html", ext = "html")]
struct Ios<'a> {
    scheme: &'a str,
}

pub(super) fn native(told: &Told<'_>) -> Vec<Copyable> {
    let settings = json!({
        "discovery_uri": told.discovery(),
        "client_id": told.client_id(),
        "redirect_uri": told.redirect_uri,
        "end_session_redirect_uri": told.after_logout().unwrap_or_default(),
        "authorization_scope": told.scope(),
        "https_required": true,
    });
    let mut all = vec![one(
        "Settings of AppAuth",
        "res/raw/auth_config.json",
        Language::Json,
        pretty(&settings),
    )];
    if let Some(scheme) = told.parts.get("scheme") {
        all.push(one(
            "Scheme, on Android",
            "app/build.gradle",
            Language::Gradle,
            rendered(&Android { scheme }),
        ));
        all.push(one(
            "Scheme, on iOS",
            "Info.plist",
            Language::Xml,
            rendered(&Ios { scheme }),
        ));
    }
    all
}

#[derive(Template)]
#[template(path = "preset/machine.sh", escape = "none")]
struct Token {
    token_url: String,
    is_basic: bool,
    user: String,
    client_id: String,
    secret: String,
    scope: Option<String>,
    resources: Vec<String>,
}

/// The settings of a program that nobody logs in to.
pub(in crate::client::preset) fn machine(
    client: &Client,
    own: &Machine,
    issuer: &str,
) -> Vec<Copyable> {
    let metadata = &client.metadata;
    let id = client.client_id.as_str();
    let scopes: Vec<&str> = own.scopes.iter().map(|scope| scope.as_str()).collect();
    let command = Token {
        token_url: shell(&format!("{}/token", issuer.trim_end_matches('/'))),
        is_basic: metadata
            .token_endpoint_auth
            .takes(Method::ClientSecretBasic),
        // RFC 6749 §2.3.1: each is encoded as in a form before they are joined. In a secret of ours nothing
        // would be.
        user: shell(&utf8_percent_encode(id, ENCODED).to_string()),
        client_id: shell(id),
        secret: shell(SECRET_HERE),
        scope: (!scopes.is_empty()).then(|| shell(&scopes.join(" "))),
        resources: metadata
            .resources
            .iter()
            .map(|resource| shell(resource.as_str()))
            .collect(),
    };
    vec![one(
        "A token, to try it",
        "a shell",
        Language::Shell,
        rendered(&command),
    )]
}
