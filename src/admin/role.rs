//! Who may administer what: roles, and what each may do. Doors name the one permission that they need;
//! everything that is not said here is denied.

use serde::{Deserialize, Serialize};

use crate::client::Name;
use crate::clock::Timestamp;
use crate::id::{ClientId, Id, kind};

/// What somebody who administers is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, administrators too.
    Owner,
    /// Clients: all, or those that are named.
    ClientAdministrator,
    /// Signing keys.
    KeyAdministrator,
    /// Reads everything, the audit log too, and may see who a session is of.
    Auditor,
    /// Reads clients and keys.
    Reader,
}

/// What a door may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// To see clients, and why their requests fail.
    ReadClients,
    /// To register, change and remove them.
    WriteClients,
    /// To let them have personal numbers.
    Entitle,
    /// To see keys and certificates.
    ReadKeys,
    /// To announce and revoke keys.
    WriteKeys,
    /// To see people's sessions, without saying whose they are.
    ReadSessions,
    /// To end them.
    EndSessions,
    /// To see whose they are.
    RevealPersons,
    /// To be told all that is kept of a person.
    ExportPersons,
    /// To erase it.
    ErasePersons,
    /// To read the audit log.
    ReadAudit,
    /// To see who administers.
    ReadAdministrators,
    /// To invite, change and remove them.
    WriteAdministrators,
}

impl Permission {
    /// All of them.
    pub const ALL: [Permission; 13] = [
        Permission::ReadClients,
        Permission::WriteClients,
        Permission::Entitle,
        Permission::ReadKeys,
        Permission::WriteKeys,
        Permission::ReadSessions,
        Permission::EndSessions,
        Permission::RevealPersons,
        Permission::ExportPersons,
        Permission::ErasePersons,
        Permission::ReadAudit,
        Permission::ReadAdministrators,
        Permission::WriteAdministrators,
    ];
}

impl Role {
    /// All of them, the one that may most first.
    pub const ALL: [Role; 5] = [
        Role::Owner,
        Role::ClientAdministrator,
        Role::KeyAdministrator,
        Role::Auditor,
        Role::Reader,
    ];

    /// Its name in the database, in the API and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::ClientAdministrator => "client_administrator",
            Role::KeyAdministrator => "key_administrator",
            Role::Auditor => "auditor",
            Role::Reader => "reader",
        }
    }

    /// Its name for people.
    pub fn label(self) -> &'static str {
        match self {
            Role::Owner => "Owner",
            Role::ClientAdministrator => "Client administrator",
            Role::KeyAdministrator => "Key administrator",
            Role::Auditor => "Auditor",
            Role::Reader => "Reader",
        }
    }

    /// What it is, in one line.
    pub fn meaning(self) -> &'static str {
        match self {
            Role::Owner => {
                "everything, and who else administers; tells and erases what is kept of people"
            }
            Role::ClientAdministrator => {
                "registers and changes clients: all of them, or those that are named"
            }
            Role::KeyAdministrator => "announces and revokes signing keys",
            Role::Auditor => {
                "reads everything, the audit log and whose a session is too, but not all that is kept of people"
            }
            Role::Reader => "reads clients, keys and certificates",
        }
    }

    /// Reads what [`Role::as_str`] writes.
    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether it may do something.
    pub fn may(self, permission: Permission) -> bool {
        use Permission::*;
        match self {
            Role::Owner => true,
            Role::ClientAdministrator => matches!(
                permission,
                ReadClients | WriteClients | Entitle | ReadKeys | ReadSessions | EndSessions
            ),
            Role::KeyAdministrator => matches!(permission, ReadClients | ReadKeys | WriteKeys),
            Role::Auditor => matches!(
                permission,
                ReadClients
                    | ReadKeys
                    | ReadSessions
                    | RevealPersons
                    | ReadAudit
                    | ReadAdministrators
            ),
            Role::Reader => matches!(permission, ReadClients | ReadKeys),
        }
    }
}

/// Which clients somebody may look at and change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Reach {
    /// All of them. Written as nothing.
    All,
    /// These.
    Only(Vec<ClientId>),
}

impl Reach {
    /// Whether a client is among them.
    pub fn holds(&self, client_id: &ClientId) -> bool {
        match self {
            Reach::All => true,
            Reach::Only(clients) => clients.contains(client_id),
        }
    }
}

/// Somebody who may administer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Administrator {
    /// By what the audit log names them.
    pub id: Id<kind::Administrator>,
    /// What the one who invited them calls them.
    pub name: Name,
    /// What they may do.
    pub role: Role,
    /// To which clients.
    pub reach: Reach,
    /// Whether they have taken their invitation.
    pub is_enrolled: bool,
    /// Counts its changes.
    pub version: i64,
    /// Since when.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_but_an_owner_makes_administrators() {
        let _shows = crate::shows!(accepting "M3", refusing "M3");
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
            for permission in [
                Permission::WriteAdministrators,
                Permission::ExportPersons,
                Permission::ErasePersons,
            ] {
                assert_eq!(role.may(permission), role == Role::Owner);
            }
            // Whoever may change something may look at it.
            for (write, read) in [
                (Permission::WriteClients, Permission::ReadClients),
                (Permission::Entitle, Permission::ReadClients),
                (Permission::WriteKeys, Permission::ReadKeys),
                (Permission::EndSessions, Permission::ReadSessions),
                (Permission::RevealPersons, Permission::ReadSessions),
                (Permission::ErasePersons, Permission::ExportPersons),
            ] {
                assert!(!role.may(write) || role.may(read), "{role:?} {write:?}");
            }
        }
        for (role, count) in [
            (Role::Owner, 13),
            (Role::ClientAdministrator, 6),
            (Role::KeyAdministrator, 3),
            (Role::Auditor, 6),
            (Role::Reader, 2),
        ] {
            let may = Permission::ALL.into_iter().filter(|p| role.may(*p)).count();
            assert_eq!(may, count, "{role:?}");
        }
    }
}
