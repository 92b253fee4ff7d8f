//! Who did what: events that are kept in the transaction of what they tell of, and sealed so that a
//! change of the log shows ([`seal`]).
//!
//! An event holds no secret, no token and no personal number. Administrators stand in it by their ids.

pub mod client;
pub mod seal;

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Moment;
use crate::id::{ClientId, Id, kind};

/// Who acts, through which door, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub who: Who,
    /// Through which door.
    pub door: Door,
    /// From which address, where there is one.
    pub address: Option<IpAddr>,
}

impl Actor {
    /// The provider itself, which does what its configuration says.
    pub const CONFIGURATION: Actor = Actor {
        who: Who::Provider,
        door: Door::File,
        address: None,
    };
}

/// Somebody who can change something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A person with a role.
    Administrator(Id<kind::Administrator>),
    /// A client, by a token of its own.
    Client(ClientId),
    /// Whoever has a shell on the machine, by the name that the machine knows them by.
    Operator(String),
    /// Nobody but the program.
    Provider,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Administrator(id) => write!(f, "administrator:{id}"),
            Who::Client(id) => write!(f, "client:{id}"),
            Who::Operator(name) => write!(f, "operator:{name}"),
            Who::Provider => f.write_str("provider"),
        }
    }
}

/// A way to change something. All of them lead to the same functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// The administration's pages.
    Page,
    /// The administration's API.
    Api,
    /// The command line.
    Cli,
    /// A file, of clients or of the whole configuration.
    File,
    /// Dynamic registration (RFC 7591, RFC 7592).
    Registration,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What can be done that is worth telling.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action { $($(#[$doc])* $name),+ }
        impl Action {
            /// All of them.
            pub const ALL: &[Action] = &[$(Action::$name),+];
            /// Its name in the log.
            pub fn as_str(self) -> &'static str {
                match self { $(Action::$name => $text),+ }
            }
        }
    };
}

actions! {
    /// A client was registered.
    ClientCreate = "client.create",
    /// Its registration was changed.
    ClientChange = "client.change",
    /// It was removed, and can be brought back for a while.
    ClientRemove = "client.remove",
    /// It was brought back.
    ClientRestore = "client.restore",
    /// It was given a secret.
    SecretAdd = "client.secret.add",
    /// A secret of its was ended.
    SecretRemove = "client.secret.remove",
    /// Somebody asked that it may have personal numbers.
    EntitlementAsk = "client.entitlement.ask",
    /// It may have personal numbers.
    EntitlementGrant = "client.entitlement.grant",
    /// Somebody asked, and somebody else said no.
    EntitlementRefuse = "client.entitlement.refuse",
    /// It may not have them any more.
    EntitlementEnd = "client.entitlement.end",
    /// A token was made by which clients register themselves.
    TokenIssue = "token.issue",
    /// Such a token was revoked.
    TokenRevoke = "token.revoke",
    /// The next signing key was announced before its time.
    KeyAnnounce = "key.announce",
    /// A signing key was removed at once.
    KeyRevoke = "key.revoke",
    /// Another key that values in the database are sealed with was made.
    KeyRollSealing = "key.roll_sealing",
    /// Another key was made that numbers are indexed by.
    KeyRollIndex = "key.roll_index",
    /// Somebody was invited to administer.
    AdministratorInvite = "administrator.invite",
    /// They took the invitation.
    AdministratorEnrol = "administrator.enrol",
    /// Their role or their clients were changed.
    AdministratorChange = "administrator.change",
    /// They may not administer any more.
    AdministratorRemove = "administrator.remove",
    /// An administrator logged in.
    AdministratorLogin = "administrator.login",
    /// An administrator logged out.
    AdministratorLogout = "administrator.logout",
    /// Somebody's session was ended for them.
    SessionEnd = "session.end",
    /// Somebody's personal number was shown to an administrator.
    PersonReveal = "person.reveal",
    /// Somebody was told all that is kept of a person.
    PersonExport = "person.export",
    /// What is kept of a person was erased.
    PersonErase = "person.erase",
    /// Old events were removed from the log.
    AuditPrune = "audit.prune",
    /// A copy of the database was made.
    DatabaseBackUp = "database.back_up",
    /// The database was restored, or took over from another one: what lived in it has ended.
    DatabaseRestore = "database.restore",
    /// The database was moved to another server.
    DatabaseMove = "database.move",
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// Who, from where.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// To what: `client:kommunen`, `key:…`.
    pub object: String,
    /// What of it was before.
    pub before: Option<Value>,
    /// What of it is now.
    pub after: Option<Value>,
}

/// What stands in an event's row as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// The way.
    pub door: Door,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// What was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl Event {
    /// The part that has no column of its own.
    pub fn detail(&self) -> Detail {
        Detail {
            door: self.actor.door,
            address: self.actor.address,
            before: self.before.clone(),
            after: self.after.clone(),
        }
    }
}

/// What differs between two objects: the members of each that the other has not, or has with another
/// value.
pub fn difference(before: &Value, after: &Value) -> (Value, Value) {
    let only = |of: &Value, other: &Value| {
        let members = of.as_object().into_iter().flatten();
        let differing = members.filter(|(name, value)| other.get(name) != Some(value));
        let differing: Map<String, Value> = differing
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Value::Object(differing)
    };
    (only(before, after), only(after, before))
}

/// An event as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its name. A row that somebody else wrote may have any.
    pub id: String,
    /// When.
    pub at: Moment,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
    /// The rest, as it is kept.
    pub detail: String,
    /// What proves that one of our nodes wrote it.
    pub mac: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_told() {
        let before = json!({"a": 1, "b": [1, 2], "c": "x"});
        let after = json!({"a": 1, "b": [1], "d": null});
        assert_eq!(
            difference(&before, &after),
            (json!({"b": [1, 2], "c": "x"}), json!({"b": [1], "d": null}))
        );
        assert_eq!(difference(&before, &before), (json!({}), json!({})));
    }

    #[test]
    fn every_action_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Action::ALL.iter().map(|a| a.as_str()).collect();
        assert_eq!(names.len(), Action::ALL.len());
    }
}
