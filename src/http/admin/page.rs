//! The administration's pages: one struct for each template.

use askama::Template;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;

use super::super::assets::url;
use super::super::page::Logo;
use super::Caller;
use super::form::{Control, Part};
use crate::admin::role::{Administrator, Permission, Role};
use crate::admin::written;
use crate::bankid::environment::Worth;
use crate::client::setting::{Mistake, Setting};
use crate::clock::Timestamp;
use crate::language::{Language, Words};
use crate::provider::Provider;

/// What every page has.
#[derive(Clone)]
pub struct Frame {
    pub title: String,
    /// The entry of the menu that it is under, where that is not its title.
    pub section: Option<&'static str>,
    pub styles: [String; 2],
    pub script: String,
    pub banner: Option<&'static str>,
    /// Who looks at it; nobody yet, while one logs in.
    pub who: Option<Who>,
    pub menu: Vec<Entry>,
}

/// Who looks at a page.
#[derive(Clone)]
pub struct Who {
    pub name: String,
    pub role: &'static str,
    pub csrf: String,
}

/// An entry of the menu.
#[derive(Clone)]
pub struct Entry {
    pub path: &'static str,
    pub label: &'static str,
}

const MENU: [(&str, &str, Option<Permission>); 9] = [
    ("/", "Overview", None),
    ("/clients", "Clients", Some(Permission::ReadClients)),
    (
        "/entitlements",
        "Personal numbers",
        Some(Permission::ReadClients),
    ),
    (
        "/failures",
        "Refused requests",
        Some(Permission::ReadClients),
    ),
    ("/sessions", "Sessions", Some(Permission::ReadSessions)),
    ("/keys", "Keys", Some(Permission::ReadKeys)),
    (
        "/administrators",
        "Administrators",
        Some(Permission::ReadAdministrators),
    ),
    ("/audit", "Audit log", Some(Permission::ReadAudit)),
    ("/api", "API", Some(Permission::ReadClients)),
];

impl Frame {
    /// For somebody who is logged in.
    pub fn new(provider: &Provider, caller: &Caller, title: &str) -> Frame {
        let administrator = &caller.session.administrator;
        let seen = |(_, _, needed): &(&str, &str, Option<Permission>)| {
            needed.is_none_or(|permission| caller.may(permission))
        };
        let entry = |(path, label, _): (&'static str, &'static str, _)| Entry { path, label };
        Frame {
            who: Some(Who {
                name: administrator.name.as_str().to_owned(),
                role: administrator.role.label(),
                csrf: caller.csrf.clone(),
            }),
            menu: MENU.into_iter().filter(seen).map(entry).collect(),
            banner: banner(provider.config.bankid.worth),
            ..Frame::plain(title)
        }
    }

    /// For nobody.
    pub fn plain(title: &str) -> Frame {
        Frame {
            title: title.to_owned(),
            section: None,
            styles: [url("base.css"), url("admin.css")],
            script: url("admin.js"),
            banner: None,
            who: None,
            menu: Vec::new(),
        }
    }

    /// What forms carry.
    pub fn csrf(&self) -> &str {
        self.who.as_ref().map_or("", |who| &who.csrf)
    }

    /// The same under an entry of the menu that is not its title.
    pub fn under(self, section: &'static str) -> Frame {
        Frame {
            section: Some(section),
            ..self
        }
    }

    /// Whether an entry of the menu is the one that the page is under.
    pub fn is_at(&self, entry: &Entry) -> bool {
        self.section.unwrap_or(&self.title) == entry.label
    }
}

fn banner(worth: Worth) -> Option<&'static str> {
    let words = Words::of(Language::ENGLISH);
    match worth {
        Worth::Real => None,
        Worth::Test => Some(words.test_environment),
        Worth::Simulated => Some(words.simulated),
    }
}

/// Where a client's page is.
pub fn client_path(client_id: &str) -> String {
    format!(
        "/client/{}",
        utf8_percent_encode(client_id, NON_ALPHANUMERIC)
    )
}

/// A day and a time, as people read it.
pub fn shown(at: Timestamp) -> String {
    written(at)
        .replace('T', " ")
        .trim_end_matches('Z')
        .to_owned()
}

/// Why something was not done.
#[derive(Template)]
#[template(path = "admin/told.html")]
pub struct Told {
    pub frame: Frame,
    pub heading: &'static str,
    pub text: String,
}

impl Told {
    pub fn new(frame: Option<Frame>, heading: &'static str, text: String) -> Told {
        Told {
            frame: frame.unwrap_or_else(|| Frame::plain(heading)),
            heading,
            text,
        }
    }
}

/// A page that leads on by itself.
#[derive(Template)]
#[template(path = "admin/onward.html")]
pub struct Onward {
    pub frame: Frame,
    pub path: String,
}

impl Onward {
    pub fn new(path: String) -> Onward {
        Onward {
            frame: Frame::plain("Administration"),
            path,
        }
    }
}

/// Somebody who does not get in.
#[derive(Template)]
#[template(path = "admin/not_here.html")]
pub struct NotHere {
    pub frame: Frame,
    pub why: &'static str,
    pub help: &'static str,
}

impl NotHere {
    pub fn new(why: &'static str, help: &'static str) -> NotHere {
        NotHere {
            frame: Frame::plain("Administration"),
            why,
            help,
        }
    }
}

/// Logged out.
#[derive(Template)]
#[template(path = "admin/logged_out.html")]
pub struct LoggedOut {
    pub frame: Frame,
}

impl Default for LoggedOut {
    fn default() -> LoggedOut {
        LoggedOut {
            frame: Frame::plain("Logged out"),
        }
    }
}

/// The first page of somebody who is invited.
#[derive(Template)]
#[template(path = "admin/invitation.html")]
pub struct Invitation {
    pub frame: Frame,
    pub name: String,
    pub role: &'static str,
    pub meaning: &'static str,
    pub issuer: String,
    pub begin: String,
}

impl Invitation {
    pub fn new(provider: &Provider, invited: &Administrator, secret: &str) -> Invitation {
        Invitation {
            frame: Frame {
                banner: banner(provider.config.bankid.worth),
                ..Frame::plain("Invitation")
            },
            name: invited.name.as_str().to_owned(),
            role: invited.role.label(),
            meaning: invited.role.meaning(),
            issuer: provider.config.issuer.url.clone(),
            begin: format!("/invitation/{secret}/begin"),
        }
    }
}

/// Something that asks for a BankID of a moment ago. What was entered stays on the page, to be sent again.
#[derive(Template)]
#[template(path = "admin/again.html")]
pub struct Again {
    pub frame: Frame,
    pub log_in: String,
    pub action: String,
    pub fields: Vec<(String, String)>,
}

impl Again {
    pub fn new(frame: Frame, action: &str, fields: Vec<(String, String)>) -> Again {
        Again {
            frame,
            log_in: super::console::login_path("/logged-in"),
            action: action.to_owned(),
            fields,
        }
    }
}

/// Logged in, in a tab beside the one with what was entered.
#[derive(Template)]
#[template(path = "admin/logged_in.html")]
pub struct LoggedIn {
    pub frame: Frame,
}

/// A number with its name.
pub struct Figure {
    pub label: &'static str,
    pub value: String,
    /// Whether somebody should look at it.
    pub is_troubling: bool,
    pub path: &'static str,
}

/// What there is to know at a glance.
#[derive(Template)]
#[template(path = "admin/home.html")]
pub struct Home {
    pub frame: Frame,
    pub issuer: String,
    pub figures: Vec<Figure>,
    pub certificates: Vec<Certificate>,
    pub busiest: Vec<Used>,
}

/// A certificate of ours at BankID.
pub struct Certificate {
    pub profile: String,
    pub shown_name: String,
    pub days_left: i64,
    pub is_troubling: bool,
}

/// How much a client was used in a while.
pub struct Used {
    pub path: String,
    pub name: String,
    pub began: i64,
    pub finished: i64,
}

impl Used {
    /// How many of the logins that began did not end well.
    pub fn abandoned(&self) -> i64 {
        (self.began - self.finished).max(0)
    }
}

/// The list of clients.
#[derive(Template)]
#[template(path = "admin/clients.html")]
pub struct Clients {
    pub frame: Frame,
    pub search: String,
    pub managed_by: String,
    pub state: String,
    pub rows: Vec<Row>,
    /// Where the list goes on.
    pub next: Option<String>,
    pub may_write: bool,
}

/// A client in a list.
pub struct Row {
    pub path: String,
    pub client_id: String,
    pub name: String,
    pub managed_by: &'static str,
    pub began: i64,
    pub finished: i64,
    /// How many requests were refused in the last week.
    pub failed: i64,
    pub updated: String,
    pub removed: bool,
    pub is_entitled: bool,
}

/// The form of a new client.
#[derive(Template)]
#[template(path = "admin/new.html")]
pub struct New {
    pub frame: Frame,
    pub kinds: Vec<Kind>,
    /// What was chosen.
    pub chosen: Option<Chosen>,
    pub mistakes: Vec<Labelled>,
}

/// An application that a client can be made for.
pub struct Kind {
    pub id: &'static str,
    pub name: &'static str,
    pub what: &'static str,
}

/// The application that was chosen, and what it is asked.
pub struct Chosen {
    pub id: &'static str,
    pub name: &'static str,
    pub what: &'static str,
    pub asks: Vec<Ask>,
    pub client_id: String,
}

/// A question about a new client.
pub struct Ask {
    pub name: &'static str,
    pub label: &'static str,
    pub help: &'static str,
    pub example: &'static str,
    pub value: String,
    pub required: bool,
    pub has_lines: bool,
    pub mistake: Option<String>,
}

/// All that concerns one client.
#[derive(Template)]
#[template(path = "admin/client.html")]
pub struct ClientPage {
    pub frame: Frame,
    pub path: String,
    pub client_id: String,
    pub name: String,
    pub version: i64,
    pub managed: String,
    pub removed: Option<String>,
    pub may_change: bool,
    pub may_entitle: bool,
    pub may_remove: bool,
    pub may_restore: bool,
    /// A secret that was just made.
    pub secret: Option<String>,
    pub secrets: Vec<SecretRow>,
    pub has_secret: bool,
    pub facts: Vec<(&'static str, String)>,
    pub used: Used,
    pub failures: Vec<Failure>,
    pub applications: Vec<Kind>,
    pub application: &'static str,
    pub copyables: Vec<Copyable>,
    /// What whoever sets it up should know.
    pub notes: &'static [&'static str],
    pub unfit: Option<String>,
    pub entitlement: Option<Right>,
    pub waiting: Option<Waiting>,
    pub second_approver: bool,
    pub events: Vec<Happened>,
    pub notice: Option<&'static str>,
}

/// A request that was refused.
#[derive(Serialize)]
pub struct Failure {
    pub at: String,
    pub endpoint: &'static str,
    pub code: String,
    pub times: i64,
    pub reference: String,
    pub what: &'static str,
    pub difference: Option<String>,
    pub remedy: &'static str,
}

impl From<crate::admin::failure::Failure> for Failure {
    fn from(failure: crate::admin::failure::Failure) -> Failure {
        Failure {
            at: shown(failure.at),
            endpoint: failure.endpoint,
            code: failure.code,
            times: failure.times,
            reference: failure.reference,
            what: failure.explanation.what,
            difference: failure.explanation.difference,
            remedy: failure.explanation.remedy,
        }
    }
}

/// Refused requests, found or of nobody.
#[derive(Template)]
#[template(path = "admin/failures.html")]
pub struct Failures {
    pub frame: Frame,
    pub reference: String,
    /// Whether those that named no client are shown.
    pub sees_all: bool,
    pub found: Vec<Found>,
}

/// A refused request with whose it was, or said to be.
pub struct Found {
    pub client: Option<String>,
    pub path: Option<String>,
    pub claimed: Option<String>,
    pub failure: Failure,
}

/// A secret, without the secret.
pub struct SecretRow {
    pub id: String,
    pub created: String,
    pub ends: Option<String>,
    pub is_over: bool,
}

/// Something to paste on the other side.
pub struct Copyable {
    pub title: String,
    pub place: String,
    pub text: String,
}

/// The right to personal numbers.
pub struct Right {
    pub purpose: String,
    pub until: Option<String>,
    pub is_over: bool,
}

/// The same, as it waits for somebody else.
pub struct Waiting {
    pub path: String,
    /// By what it is known to be this one, when it is answered.
    pub mark: String,
    pub name: String,
    pub purpose: String,
    pub until: Option<String>,
    pub asked_by: String,
    pub asked: String,
    /// Whether the one who looks may say yes.
    pub may_grant: bool,
}

/// An event.
pub struct Happened {
    pub at: String,
    pub who: String,
    pub door: String,
    pub from: String,
    pub action: String,
    pub object: String,
    /// What changed: the setting, what it was, and what it is.
    pub changes: Vec<(String, String, String)>,
}

/// Every setting of a client.
#[derive(Template)]
#[template(path = "admin/edit.html")]
pub struct Edit {
    pub frame: Frame,
    pub path: String,
    pub name: String,
    pub version: i64,
    pub sector: String,
    pub parts: Vec<Part>,
    pub mistakes: Vec<Labelled>,
    /// What somebody else saved meanwhile, where it differs from what is in the form.
    pub theirs: Vec<Difference>,
}

/// A mistake with the name that its setting has on the form.
pub struct Labelled {
    pub setting: String,
    pub label: String,
    pub reason: String,
}

impl Labelled {
    /// Where the setting is on the form.
    pub fn anchor(&self) -> String {
        super::form::anchor(&self.setting)
    }

    pub fn all(mistakes: Vec<Mistake>) -> Vec<Labelled> {
        let labelled = |mistake: Mistake| Labelled {
            label: Setting::named(&mistake.setting).map_or_else(
                || mistake.setting.clone(),
                |setting| setting.label.to_owned(),
            ),
            setting: mistake.setting,
            reason: mistake.reason,
        };
        mistakes.into_iter().map(labelled).collect()
    }
}

/// A setting that two administrators see differently.
pub struct Difference {
    pub label: String,
    pub theirs: String,
    pub yours: String,
}

/// A value in a sentence.
pub fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(in_words).collect::<Vec<_>>().join(", "),
        Value::Object(members) if members.values().all(Value::is_string) => {
            let one = |(name, value): (&String, &Value)| format!("{name}: {}", in_words(value));
            members.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// What a client would get.
#[derive(Template)]
#[template(path = "admin/preview.html")]
pub struct Preview {
    pub frame: Frame,
    pub path: String,
    pub name: String,
    /// The scope values, and whether each is asked for.
    pub scopes: Vec<(&'static str, bool)>,
    pub parts: Vec<Copyable>,
    pub refused: Option<String>,
}

/// How a client's login page looks.
#[derive(Template)]
#[template(path = "admin/look.html")]
pub struct Look {
    pub frame: Frame,
    pub path: String,
    pub name: String,
    pub version: i64,
    /// Whether the logo can be changed here.
    pub may_change: bool,
    /// Whether it is made of what is not saved.
    pub is_typed: bool,
    pub notice: Option<&'static str>,
    pub mistakes: Vec<Labelled>,
    /// Why there is nothing to look at.
    pub refused: Option<String>,
    pub logo: Option<Logo>,
    pub languages: Vec<Spoken>,
}

/// Pages in one language.
pub struct Spoken {
    pub tag: &'static str,
    pub is_open: bool,
    pub views: Vec<Viewed>,
}

/// A page as somebody sees it.
pub struct Viewed {
    pub label: String,
    pub class: String,
    /// The whole page.
    pub html: String,
}

/// Who may have personal numbers.
#[derive(Template)]
#[template(path = "admin/entitlements.html")]
pub struct Entitlements {
    pub frame: Frame,
    pub rows: Vec<Entitled>,
    pub waiting: Vec<Waiting>,
}

/// A client with the right to personal numbers.
pub struct Entitled {
    pub path: String,
    pub name: String,
    pub client_id: String,
    pub right: Right,
    pub managed_by: &'static str,
}

/// People's sessions.
#[derive(Template)]
#[template(path = "admin/sessions.html")]
pub struct Sessions {
    pub frame: Frame,
    pub client: String,
    pub rows: Vec<SessionRow>,
    pub may_end: bool,
    pub may_reveal: bool,
    /// Whose one is, where somebody asked.
    pub revealed: Option<Revealed>,
}

/// A session.
pub struct SessionRow {
    pub id: String,
    pub client: String,
    pub path: String,
    pub began: String,
    pub ends: String,
}

/// Whose session one is.
pub struct Revealed {
    pub id: String,
    pub name: String,
    pub number: String,
}

/// The signing keys.
#[derive(Template)]
#[template(path = "admin/keys.html")]
pub struct Keys {
    pub frame: Frame,
    pub rows: Vec<KeyRow>,
    pub algorithms: Vec<&'static str>,
    pub may_write: bool,
    pub notice: Option<String>,
}

/// A key.
pub struct KeyRow {
    pub kid: String,
    pub algorithm: &'static str,
    pub state: &'static str,
    pub fate: String,
    pub is_gone: bool,
}

/// Who administers.
#[derive(Template)]
#[template(path = "admin/administrators.html")]
pub struct Administrators {
    pub frame: Frame,
    pub rows: Vec<AdministratorRow>,
    pub roles: Vec<RoleRow>,
    pub may_write: bool,
    /// A link that was just made.
    pub link: Option<String>,
    pub mistakes: Vec<Mistake>,
}

/// Somebody who administers.
pub struct AdministratorRow {
    pub id: String,
    pub name: String,
    pub role: Role,
    /// Whether it is for the clients that follow alone, of which there may be none.
    pub is_limited: bool,
    pub clients: String,
    pub state: &'static str,
    pub since: String,
    pub version: i64,
}

/// A role.
pub struct RoleRow {
    pub role: Role,
}

/// The audit log.
#[derive(Template)]
#[template(path = "admin/audit.html")]
pub struct Log {
    pub frame: Frame,
    pub object: String,
    pub action: String,
    pub actions: Vec<&'static str>,
    pub rows: Vec<Happened>,
    pub next: Option<String>,
    pub head: Option<String>,
}
