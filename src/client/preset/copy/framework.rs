//! Frameworks that applications are made with.

use askama::Template;
use serde_json::json;

use super::{Copyable, Language, SECRET_HERE, Told, one, pretty, rendered};
use crate::client::preset::quote::json;

#[derive(Template)]
#[template(path = "preset/spring.yaml", escape = "none")]
struct SpringProperties<'a> {
    registration: String,
    client_id: String,
    secret: String,
    method: &'a str,
    redirect_uri: String,
    scopes: String,
    issuer: String,
}

#[derive(Template)]
#[template(path = "preset/spring.java", escape = "none")]
struct SpringConfiguration {
    after_logout: Option<String>,
}

pub(super) fn spring(told: &Told<'_>) -> Vec<Copyable> {
    // Spring takes other keys as they are written only between brackets.
    let id = told.part("registration");
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let key = match id.chars().all(is_plain) {
        true => json(id),
        false => json(&format!("[{id}]")),
    };
    let properties = SpringProperties {
        registration: key,
        client_id: json(told.client_id()),
        secret: json(SECRET_HERE),
        method: told.method.as_str(),
        redirect_uri: json(told.redirect_uri),
        scopes: told.scopes().join(", "),
        issuer: json(told.issuer),
    };
    let configuration = SpringConfiguration {
        after_logout: told.after_logout().map(json),
    };
    vec![
        one(
            "Properties",
            "src/main/resources/application.yaml",
            Language::Yaml,
            rendered(&properties),
        ),
        one(
            "PKCE and logout",
            "SecurityConfiguration.java",
            Language::Java,
            rendered(&configuration),
        ),
    ]
}

#[derive(Template)]
#[template(path = "preset/aspnetcore.cs", escape = "none")]
struct AspNetCore;

pub(super) fn aspnetcore(told: &Told<'_>) -> Vec<Copyable> {
    let settings = json!({
        "Authentication": {"Schemes": {"OpenIdConnect": {
            "Authority": told.issuer,
            "ClientId": told.client_id(),
            "ClientSecret": SECRET_HERE,
            "ResponseType": "code",
            "ResponseMode": "query",
            "UsePkce": true,
            "MapInboundClaims": false,
            "SaveTokens": true,
            "Scope": told.scopes(),
            // Below wherever the application is.
            "CallbackPath": "/signin-oidc",
            "SignedOutCallbackPath": "/signout-callback-oidc",
        }}},
    });
    vec![
        one(
            "Settings",
            "appsettings.json",
            Language::Json,
            pretty(&settings),
        ),
        one(
            "Handler",
            "Program.cs",
            Language::CSharp,
            rendered(&AspNetCore),
        ),
    ]
}

#[derive(Template)]
#[template(path = "preset/authjs.ts", escape = "none")]
struct AuthJsProvider<'a> {
    provider: String,
    variable: &'a str,
    method: String,
    scope: String,
}

#[derive(Template)]
#[template(path = "preset/authjs.env", escape = "none")]
struct AuthJsEnvironment<'a> {
    address: &'a str,
    variable: &'a str,
    client_id: &'a str,
    secret: &'a str,
    issuer: &'a str,
}

pub(super) fn authjs(told: &Told<'_>) -> Vec<Copyable> {
    let id = told.part("provider");
    let variable = id.to_ascii_uppercase().replace(['-', '.'], "_");
    let variable = &format!("AUTH_{variable}");
    let provider = AuthJsProvider {
        provider: json(id),
        variable,
        method: json(told.method.as_str()),
        scope: json(told.scope()),
    };
    let environment = AuthJsEnvironment {
        address: told.part("address"),
        variable,
        client_id: told.client_id(),
        secret: SECRET_HERE,
        issuer: told.issuer,
    };
    vec![
        one(
            "Provider",
            "auth.ts",
            Language::TypeScript,
            rendered(&provider),
        ),
        one(
            "Environment, beside AUTH_SECRET",
            ".env.local",
            Language::Env,
            rendered(&environment),
        ),
    ]
}
