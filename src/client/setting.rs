//! Everything that a client can be set to: one table, from which the form, the API's schema and the
//! documents are made, so that none of them forgets what another one knows.
//!
//! The entitlement to personal numbers is not on the form: it has a page of its own
//! ([`ENTITLEMENT`]).

mod choice;
mod form;
mod json;
mod schema;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::choice::Choice;
pub use self::form::{ON, from_form, to_form};
pub use self::json::{Change, changes, from_json};
pub use self::schema::schema;
pub use self::table::{ENTITLEMENT, SETTINGS};

/// Something that a client can be set to.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Where it stands in the metadata, as a path: `bankid.risk.moderate`.
    pub name: &'static str,
    /// Where it stands on a form.
    pub group: Group,
    /// What it can be.
    pub kind: Kind,
    /// Whether what it is a part of cannot be without it: `purpose.en` where there is a `purpose`.
    pub needed: bool,
    /// What it is called on a form.
    pub label: &'static str,
    /// For an administrator: what it does, when to change it, and what is safe.
    pub explanation: &'static str,
}

impl Setting {
    /// The setting of a name, those of the entitlement among them.
    pub fn named(name: &str) -> Option<&'static Setting> {
        all().find(|setting| setting.name == name)
    }
}

/// The form's settings and the entitlement's.
fn all() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().chain(ENTITLEMENT)
}

/// The parts of a form, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// What people see.
    Basics,
    /// Where browsers may go.
    Addresses,
    /// How it proves who it is.
    Authentication,
    /// What its requests must be.
    Requests,
    /// What it is given.
    Tokens,
    /// What it is told of people.
    Claims,
    /// How logouts reach it.
    Logout,
    /// What is asked of BankID.
    BankId,
    /// What it does without people.
    Machine,
    /// The right to personal numbers.
    PersonalNumber,
}

impl Group {
    /// All that a form has. The right to personal numbers is given elsewhere.
    pub const FORM: [Group; 9] = [
        Group::Basics,
        Group::Addresses,
        Group::Authentication,
        Group::Requests,
        Group::Tokens,
        Group::Claims,
        Group::Logout,
        Group::BankId,
        Group::Machine,
    ];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Group::Basics => "Basics",
            Group::Addresses => "Addresses",
            Group::Authentication => "How it proves who it is",
            Group::Requests => "Requests",
            Group::Tokens => "Tokens",
            Group::Claims => "Claims",
            Group::Logout => "Logout",
            Group::BankId => "BankID",
            Group::Machine => "Machine and resource server",
            Group::PersonalNumber => "Personal number",
        }
    }

    /// Its settings, in their order.
    pub fn settings(self) -> impl Iterator<Item = &'static Setting> {
        all().filter(move |setting| setting.group == self)
    }
}

/// What a setting can be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// One line of text, or nothing.
    Line(Text),
    /// A whole number, or nothing.
    Number {
        /// The least.
        least: u32,
        /// The most.
        most: u32,
        /// Of what.
        unit: &'static str,
    },
    /// On or off.
    Switch {
        /// What holds where nothing is said.
        default: bool,
        /// What is said besides, where it is on.
        details: Details,
    },
    /// One of several values.
    Choice {
        /// The values.
        values: &'static [Choice],
        /// What holds where nothing is said.
        default: Fallback,
    },
    /// Any of several values.
    Choices {
        /// The values.
        values: &'static [Choice],
        /// What it means to choose none.
        none: &'static str,
    },
    /// A list, each entry on a line of its own.
    Lines {
        /// What an entry is.
        item: Text,
        /// How many there may be.
        most: usize,
    },
    /// A text in each of several languages.
    Translations(Text),
    /// JSON: a key set.
    Json,
}

/// What an open choice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// This value.
    Value(&'static str),
    /// No value, which has a meaning of its own.
    Unset(&'static str),
}

/// What belongs to a switch that is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Details {
    /// Nothing.
    None,
    /// Settings below it, which may be left open. It is then `true`, else an object.
    Optional,
    /// Settings below it. It is an object, which is there or not.
    Object,
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// The most characters.
    pub most: usize,
    /// What it says.
    pub format: Format,
}

/// What a text says. How exactly it must be written is known where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Words.
    Words,
    /// An address that browsers are sent to.
    RedirectUri,
    /// An address that we call.
    CalledUri,
    /// A site, as browsers name it.
    Origin,
    /// The name of a service.
    Resource,
    /// A colour.
    Color,
    /// A picture.
    Logo,
    /// A scope value.
    Scope,
    /// The name of a claim.
    ClaimName,
    /// A distinguished name.
    DistinguishedName,
    /// A host name.
    HostName,
    /// Any URI.
    Uri,
    /// An IP address.
    IpAddress,
    /// An e-mail address.
    Email,
}

impl Format {
    /// How one looks.
    pub fn example(self) -> &'static str {
        match self {
            Format::Words => "",
            Format::RedirectUri => "https://app.example.se/callback",
            Format::CalledUri => "https://app.example.se/oidc",
            Format::Origin => "https://app.example.se",
            Format::Resource => "https://api.example.se",
            Format::Color => "#12436d",
            Format::Logo => "data:image/png;base64,iVBORw0KGgo=",
            Format::ClaimName => "ssn",
            Format::Scope => "orders:read",
            Format::DistinguishedName => "CN=app,O=Kommunen,C=SE",
            Format::HostName => "app.example.se",
            Format::Uri => "https://app.example.se",
            Format::IpAddress => "192.0.2.1",
            Format::Email => "app@example.se",
        }
    }
}

/// What is wrong with what somebody set, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The setting, as a path; what was sent in its place, where it is no setting. Nothing, where it is
    /// about the whole.
    pub setting: String,
    /// What is wrong.
    pub reason: String,
}

impl Mistake {
    /// A mistake at a setting.
    pub fn new(setting: impl Into<String>, reason: impl Into<String>) -> Mistake {
        Mistake {
            setting: setting.into(),
            reason: reason.into(),
        }
    }

    /// Something that is no setting. Whoever sent it need not read it all again.
    fn unknown(name: &str) -> Mistake {
        Mistake::new(
            name.chars().take(80).collect::<String>(),
            "is no setting of a client",
        )
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.setting.is_empty() {
            true => f.write_str(&self.reason),
            false => write!(f, "{}: {}", self.setting, self.reason),
        }
    }
}
