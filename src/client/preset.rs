//! Applications that people set up: what is registered here for each, and what is pasted there.
//!
//! The facts are those of the applications' own documentation and source: where they want to be
//! answered, how they prove who they are, and what they do without an e-mail address, which BankID does
//! not know.

mod copy;
mod inputs;
mod quote;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use self::copy::{Copyable, Language, SECRET_HERE};
pub use self::inputs::{Ask, Shape};
pub use self::table::PRESETS;
use super::method::Method;
use super::setting::{Mistake, from_json};
use super::{Authentication, Client, Metadata};
use crate::authorize::redirect_uri::RedirectUri;
use crate::authorize::request::ResponseMode;
use crate::jose::algorithm::Algorithm;

/// An application, as one sets it up.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Which one.
    pub application: Application,
    /// What it is called in addresses and on the command line.
    pub id: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// What must be known of it.
    pub asks: &'static [Ask],
    /// What whoever sets it up should know.
    pub notes: &'static [&'static str],
    /// Its addresses.
    pub addresses: Addresses,
    /// How it is registered to prove who it is.
    pub authentication: Authentication,
    /// How it can do so, what it does by itself first.
    pub methods: &'static [Method],
    /// By what it takes ID tokens to be signed, with these settings.
    pub algorithms: &'static [Algorithm],
    /// Whether it pushes its requests where it finds that it can.
    pub pushes: bool,
}

/// The applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Application {
    /// Keycloak, which brokers our logins to its own clients.
    Keycloak,
    /// Spring Boot with Spring Security.
    Spring,
    /// ASP.NET Core.
    AspNetCore,
    /// Auth.js in Next.js.
    AuthJs,
    /// oauth2-proxy.
    OAuth2Proxy,
    /// Apache with `mod_auth_openidc`.
    ModAuthOpenidc,
    /// Grafana.
    Grafana,
    /// GitLab, self-managed.
    GitLab,
    /// Nextcloud with `user_oidc`.
    Nextcloud,
    /// Scripts in a browser.
    SinglePage,
    /// A phone's or a computer's own application.
    Native,
    /// A program without people.
    Machine,
    /// Anything else.
    Other,
}

/// Addresses with the names of what is asked for in braces: `{address}/signin-oidc`.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Where answers go. The first is the usual one.
    pub callbacks: &'static [&'static str],
    /// Where people go after a logout.
    pub after_logout: &'static [&'static str],
    /// Where it is told of logouts.
    pub back_channel: Option<&'static str>,
}

/// What was asked for, by its name.
type Parts = BTreeMap<&'static str, String>;

impl Preset {
    /// The one of this id.
    pub fn named(id: &str) -> Option<&'static Preset> {
        PRESETS.iter().find(|preset| preset.id == id)
    }

    /// What the addresses of a client that is registered already say. The redirect URI is the first
    /// that is one of this application's.
    fn parts_of(&self, client: &Client) -> Option<(Parts, RedirectUri)> {
        client.metadata.redirect_uris.iter().find_map(|uri| {
            let mut callbacks = self.addresses.callbacks.iter();
            let parts = match self.application {
                Application::Other => Parts::new(),
                // Any: a scheme of its own with whatever comes after it, a loopback address, or https.
                Application::Native if uri.origin().is_some() => Parts::new(),
                Application::Native => {
                    let (scheme, _) = uri.as_str().split_once(':')?;
                    Parts::from([("scheme", scheme.to_owned())])
                }
                _ => callbacks.find_map(|callback| matched(callback, uri.as_str()))?,
            };
            let is_fit = |ask: &Ask| {
                let part = parts.get(ask.name);
                part.is_none_or(|part| ask.shape.takes(part))
            };
            self.asks.iter().all(is_fit).then(|| (parts, uri.clone()))
        })
    }
}

/// What is registered of an application. `inputs` are answers to what its preset asks; what has a
/// default may be left out.
pub fn metadata(preset: &Preset, inputs: &[(String, String)]) -> Result<Metadata, Vec<Mistake>> {
    let parts = inputs::read(preset, inputs)?;
    from_json(registered(preset, &parts)).map_err(|mistakes| {
        let asked = |mistake: Mistake| {
            let is_asked = preset.asks.iter().any(|ask| ask.name == mistake.setting);
            // Each address is made of what was asked for first, after the name.
            let setting = match is_asked {
                true => mistake.setting,
                false => preset.asks[preset.asks.len().min(2) - 1].name.to_owned(),
            };
            Mistake::new(setting, mistake.reason)
        };
        mistakes.into_iter().map(asked).collect()
    })
}

fn registered(preset: &Preset, parts: &Parts) -> Value {
    let all = |patterns: &[&str]| -> Vec<String> {
        patterns
            .iter()
            .map(|pattern| filled(pattern, parts))
            .collect()
    };
    let mut metadata = json!({
        "client_name": parts["client_name"],
        "redirect_uris": all(preset.addresses.callbacks),
        "post_logout_redirect_uris": all(preset.addresses.after_logout),
        "token_endpoint_auth": preset.authentication,
    });
    let back_channel = preset.addresses.back_channel;
    let back_channel = back_channel.map(|pattern| filled(pattern, parts));
    // We call nobody without TLS: an application under development is not told.
    if let Some(uri) = back_channel.filter(|uri| uri.starts_with("https://")) {
        metadata["backchannel_logout_uri"] = json!(uri);
        metadata["backchannel_logout_session_required"] = json!(true);
    }
    let lines = |name: &str| parts[name].lines().collect::<Vec<_>>();
    match preset.application {
        Application::Keycloak => metadata["claims"] = json!({"preset": "keycloak"}),
        Application::SinglePage => {
            let page = RedirectUri::parse(&parts["address"]);
            let site = page.and_then(|page| page.origin());
            metadata["web_origins"] = json!(site.into_iter().collect::<Vec<_>>());
        }
        Application::Machine => {
            metadata["client_credentials"] = json!({"scopes": lines("client_credentials.scopes")});
            metadata["resources"] = json!(lines("resources"));
        }
        Application::Other => {
            for list in ["redirect_uris", "post_logout_redirect_uris"] {
                metadata[list] = json!(lines(list));
            }
        }
        _ => {}
    }
    metadata
}

/// What is pasted into the application, for a client as it is registered now. Where these settings could
/// not work, it is said why, at the client's setting.
pub fn settings_to_copy(
    preset: &Preset,
    client: &Client,
    issuer: &str,
) -> Result<Vec<Copyable>, Mistake> {
    let metadata = &client.metadata;
    let cannot = |setting: &str, reason: String| Err(Mistake::new(setting, reason));
    let mut methods = preset.methods.iter();
    let Some(method) = methods.find(|method| metadata.token_endpoint_auth.takes(**method)) else {
        let can: Vec<&str> = preset
            .methods
            .iter()
            .map(|method| method.as_str())
            .collect();
        let can = can.join(" or ");
        return cannot(
            "token_endpoint_auth",
            format!("these settings of {} are for {can}", preset.name),
        );
    };
    let asks = preset.application != Application::Machine;
    let modes = &metadata.response_modes;
    let needs = [
        (
            metadata.dpop_bound_access_tokens,
            "dpop_bound_access_tokens",
        ),
        (
            metadata.tls_client_certificate_bound_access_tokens,
            "tls_client_certificate_bound_access_tokens",
        ),
        (
            asks && metadata.require_signed_request_object,
            "require_signed_request_object",
        ),
        (
            asks && metadata.requires_pushed_requests() && !preset.pushes,
            "require_pushed_authorization_requests",
        ),
        (
            asks && !modes.is_empty() && !modes.contains(&ResponseMode::Query),
            "response_modes",
        ),
        (
            asks && !preset.algorithms.contains(&metadata.id_token_algorithm()),
            "id_token_signed_response_alg",
        ),
    ];
    // What another application does, nobody here knows.
    let is_known = preset.application != Application::Other;
    let mut needs = needs.into_iter().filter(|_| is_known);
    if let Some((_, setting)) = needs.find(|(is_needed, _)| *is_needed) {
        let reason = format!(
            "is something that these settings of {} do not do",
            preset.name
        );
        return cannot(setting, reason);
    }
    if let Some(reason) = quote::unfit(preset.application, client.client_id.as_str()) {
        return cannot("client_id", reason);
    }
    if preset.application == Application::Machine {
        return match metadata.own_tokens() {
            Some(own) => Ok(copy::machine(client, own, issuer)),
            None => cannot(
                "client_credentials",
                "is off: this client gets no tokens for itself".to_owned(),
            ),
        };
    }
    let Some((parts, redirect_uri)) = preset.parts_of(client) else {
        let why = match preset.addresses.callbacks.first() {
            Some(usual) => format!("none is an address of {}: {usual}", preset.name),
            None => "there are none: nobody logs in to this client".to_owned(),
        };
        return cannot("redirect_uris", why);
    };
    Ok(copy::settings(&copy::Told {
        preset,
        client,
        issuer,
        method: *method,
        parts: &parts,
        redirect_uri: redirect_uri.as_str(),
    }))
}

/// The application that a client's addresses are most likely of.
pub fn likely(client: &Client, issuer: &str) -> &'static Preset {
    let fits = |preset: &&Preset| settings_to_copy(preset, client, issuer).is_ok();
    // Those whose addresses are any come last.
    let any = ["mod_auth_openidc", "single-page", "native", "other"];
    let is_any = |preset: &&Preset| any.contains(&preset.id);
    let mut named = PRESETS.iter().filter(|preset| !is_any(preset));
    let mut others = PRESETS.iter().rev().filter(is_any);
    let found = named.find(fits).or_else(|| others.find(fits));
    found.unwrap_or(&PRESETS[0])
}

/// A pattern with what was asked for in the place of its names. What is put in holds no braces.
fn filled(pattern: &str, parts: &Parts) -> String {
    let fill =
        |text: String, (name, part): (&&str, &String)| text.replace(&format!("{{{name}}}"), part);
    parts.iter().fold(pattern.to_owned(), fill)
}

/// What stands in an address in the place of a pattern's names.
fn matched(pattern: &'static str, address: &str) -> Option<Parts> {
    // `{address}{path}`: the path is all that comes after the host.
    if let Some(before) = pattern.strip_suffix("{path}") {
        let origin = RedirectUri::parse(address)?.origin()?;
        let path = address.strip_prefix(&origin)?;
        let mut parts = matched(before, &origin)?;
        parts.insert("path", path.to_owned());
        return Some(parts);
    }
    // `{address}/realms/{realm}/broker/{alias}/endpoint`: names, each with the text after it.
    let pieces = pattern.strip_prefix('{')?.split('{');
    let pieces: Vec<(&str, &str)> = pieces.filter_map(|piece| piece.split_once('}')).collect();
    let (_, last) = pieces.last()?;
    let mut rest = address.strip_suffix(last)?;
    let mut parts = Parts::new();
    for pair in pieces.windows(2).rev() {
        let [(_, between), (name, _)] = pair else {
            return None;
        };
        let (before, part) = rest.rsplit_once(between)?;
        parts.insert(name, part.to_owned());
        rest = before;
    }
    parts.insert(pieces[0].0, rest.to_owned());
    Some(parts)
}
