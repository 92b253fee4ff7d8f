//! The files and commands to paste, one template each. What goes into them is
//! [quoted](super::quote) for its format first, or written by a library that knows the format.

mod framework;
mod own;
mod product;

use askama::Template;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::Serialize;
use serde_json::Value;

pub(super) use self::own::machine;
use super::{Application, Parts, Preset};
use crate::authorize::redirect_uri::RedirectUri;
use crate::client::Client;
use crate::client::method::Method;

/// What stands where the secret belongs. Nobody but the client has it.
pub const SECRET_HERE: &str = "PASTE-THE-CLIENT-SECRET-HERE";

/// Something to paste.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Copyable {
    /// What it is.
    pub title: &'static str,
    /// Where it goes: a file, or the way to a form.
    pub place: &'static str,
    /// What it is written in.
    pub language: Language,
    /// The text.
    pub text: String,
}

/// What a text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "&'static str")]
pub enum Language {
    /// JSON.
    Json,
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
    /// Sections with keys and values.
    Ini,
    /// Names and values of environment variables.
    Env,
    /// Directives of Apache.
    Apache,
    /// Ruby.
    Ruby,
    /// A POSIX shell.
    Shell,
    /// Java.
    Java,
    /// C#.
    CSharp,
    /// TypeScript.
    TypeScript,
    /// A property list.
    Xml,
    /// Gradle's Groovy.
    Gradle,
}

impl Language {
    /// The name by which highlighters know it.
    pub fn as_str(self) -> &'static str {
        match self {
            Language::Json => "json",
            Language::Toml => "toml",
            Language::Yaml => "yaml",
            Language::Ini => "ini",
            Language::Env => "dotenv",
            Language::Apache => "apache",
            Language::Ruby => "ruby",
            Language::Shell => "shell",
            Language::Java => "java",
            Language::CSharp => "csharp",
            Language::TypeScript => "typescript",
            Language::Xml => "xml",
            Language::Gradle => "gradle",
        }
    }
}

impl From<Language> for &'static str {
    fn from(language: Language) -> &'static str {
        language.as_str()
    }
}

/// What is told to an application.
pub(super) struct Told<'a> {
    pub preset: &'a Preset,
    pub client: &'a Client,
    pub issuer: &'a str,
    pub method: Method,
    pub parts: &'a Parts,
    pub redirect_uri: &'a str,
}

impl Told<'_> {
    fn client_id(&self) -> &str {
        self.client.client_id.as_str()
    }

    fn endpoint(&self, name: &str) -> String {
        format!("{}/{name}", self.issuer.trim_end_matches('/'))
    }

    fn discovery(&self) -> String {
        self.endpoint(".well-known/openid-configuration")
    }

    /// What the application asks for: what it may, and no more.
    fn scope(&self) -> &'static str {
        match self.client.metadata.personal_number.is_some() {
            true => "openid profile personal_number",
            false => "openid profile",
        }
    }

    fn scopes(&self) -> Vec<&'static str> {
        self.scope().split(' ').collect()
    }

    fn after_logout(&self) -> Option<&str> {
        let registered = self.client.metadata.post_logout_redirect_uris.first();
        registered.map(RedirectUri::as_str)
    }

    fn part(&self, name: &str) -> &str {
        self.parts.get(name).map_or("", String::as_str)
    }
}

/// The settings of an application that people log in to.
pub(super) fn settings(told: &Told<'_>) -> Vec<Copyable> {
    match told.preset.application {
        Application::Keycloak => product::keycloak(told),
        Application::Spring => framework::spring(told),
        Application::AspNetCore => framework::aspnetcore(told),
        Application::AuthJs => framework::authjs(told),
        Application::OAuth2Proxy => product::oauth2_proxy(told),
        Application::ModAuthOpenidc => product::mod_auth_openidc(told),
        Application::Grafana => product::grafana(told),
        Application::GitLab => product::gitlab(told),
        Application::Nextcloud => product::nextcloud(told),
        Application::SinglePage => own::single_page(told),
        Application::Native => own::native(told),
        Application::Other => own::other(told),
        // It has no redirect URI that could fit.
        Application::Machine => Vec::new(),
    }
}

fn one(title: &'static str, place: &'static str, language: Language, text: String) -> Copyable {
    Copyable {
        title,
        place,
        language,
        text: text.trim_end().to_owned() + "\n",
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// The templates hold strings alone, which nothing can fail to print.
fn rendered(template: &impl Template) -> String {
    template.render().expect("strings are printed")
}

/// What may stand in a form or a query as it is (RFC 3986 §2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
