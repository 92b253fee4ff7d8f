//! What can be done to an installation, besides serving: by an administrator's pages, by the API, from a
//! shell and by a file. All of them call the functions here, so that the same act leaves the same rows and
//! the same event in the audit log, whichever way it came.

pub mod administrator;
pub mod audit;
pub mod client;
pub mod console;
pub mod database;
pub mod entitlement;
pub mod evidence;
pub mod failure;
pub mod file;
pub mod key;
mod logo;
pub mod person;
pub mod preview;
pub mod role;
pub mod scope;
pub mod session;
pub mod token;

use serde_json::Value;
use thiserror::Error;

use crate::audit::{Action, Actor, Event};
use crate::client::registered::{ManagedBy, Registered};
use crate::client::setting::Mistake;
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::error::Fault;
use crate::random::Random;
use crate::storage::Store;
use role::Reach;

/// Where an act is done: by whom, and with what.
#[derive(Clone, Debug)]
pub struct Desk<'a> {
    /// What the operator wrote.
    pub config: &'a Config,
    /// The database.
    pub store: &'a Store,
    /// The randomness.
    pub random: &'a Random,
    /// The time.
    pub clock: &'a Clock,
    /// Who acts.
    pub actor: Actor,
    /// On which clients. To one who may not see a client there is none.
    pub reach: Reach,
    /// Whether the actor may give clients what administers this installation.
    pub gives_administration: bool,
}

impl Desk<'_> {
    /// This second.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Something that this actor does now.
    pub fn event(
        &self,
        action: Action,
        object: String,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Event {
        Event {
            at: self.clock.moment(),
            actor: self.actor.clone(),
            action,
            object,
            before,
            after,
        }
    }
}

/// Why an act is not done. Nothing is changed then.
#[derive(Debug, Error)]
pub enum Unmet {
    /// There is no such thing, as far as the actor may know.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// Somebody else changed it since it was read. This is what it is now.
    #[error("somebody else has changed it since you read it: it is at version {} now", .0.version)]
    Changed(Box<Registered>),
    /// The same of something that is no client.
    #[error("somebody else has changed it since you read it")]
    Stale,
    /// It is managed elsewhere.
    #[error("{}", elsewhere(.0, .1))]
    Elsewhere(ManagedBy, String),
    /// A client of this id is there, or was removed and can be brought back.
    #[error("a client of this id is there already, or was removed and can be restored")]
    Taken,
    /// What is wanted does not hold together.
    #[error("{}", listed(.0))]
    Mistakes(Vec<Mistake>),
    /// The actor may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Ours, or the world's.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The result of an act.
pub type Done<T> = Result<T, Unmet>;

impl Unmet {
    /// One thing that is wrong.
    pub fn mistake(setting: &str, reason: impl Into<String>) -> Unmet {
        Unmet::Mistakes(vec![Mistake::new(setting, reason)])
    }
}

fn elsewhere(managed_by: &ManagedBy, source: &str) -> String {
    match (managed_by, source) {
        (ManagedBy::File, "") => {
            "this client is managed by the configuration file: change it there".to_owned()
        }
        (ManagedBy::File, source) => format!(
            "this client is managed by the client file \"{source}\": change it there and apply that"
        ),
        (ManagedBy::Registration, _) => {
            "this client registered itself, and manages its registration".to_owned()
        }
        (ManagedBy::Admin, _) => "this client is managed by administrators".to_owned(),
    }
}

fn listed(mistakes: &[Mistake]) -> String {
    let lines = mistakes
        .iter()
        .map(|mistake| match mistake.setting.as_str() {
            "" => mistake.reason.clone(),
            setting => format!("{setting}: {}", mistake.reason),
        });
    lines.collect::<Vec<_>>().join("\n")
}

/// A time in the form of RFC 3339.
pub fn written(at: Timestamp) -> String {
    use time::format_description::well_known::Rfc3339;
    let time = time::OffsetDateTime::from_unix_timestamp(at.0).ok();
    time.and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| at.0.to_string())
}
