//! What a client may be given to administer by: one scope for each area, as narrow as a permission. Whose a
//! session is no machine is told, so that permission has no scope.

use super::role::Permission;

macro_rules! scopes {
    ($($name:ident $text:literal $permission:ident: $meaning:literal;)+) => {
        /// A scope of the administration's API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Scope { $(#[doc = $meaning] $name),+ }

        impl Scope {
            /// All of them.
            pub const ALL: &'static [Scope] = &[$(Scope::$name),+];

            /// The value, as clients ask for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Scope::$name => $text),+ }
            }

            /// What it is, in one line.
            pub fn meaning(self) -> &'static str {
                match self { $(Scope::$name => $meaning),+ }
            }

            /// The permission that it is.
            pub fn permission(self) -> Permission {
                match self { $(Scope::$name => Permission::$permission),+ }
            }
        }
    };
}

scopes! {
    ClientsRead "portvakt:clients:read" ReadClients:
        "See clients, and why their requests fail.";
    ClientsWrite "portvakt:clients:write" WriteClients:
        "Register, change and remove clients, and give them secrets.";
    EntitlementsWrite "portvakt:entitlements:write" Entitle:
        "Let clients have personal numbers, and end that.";
    KeysRead "portvakt:keys:read" ReadKeys:
        "See the signing keys.";
    KeysWrite "portvakt:keys:write" WriteKeys:
        "Announce and revoke signing keys.";
    SessionsRead "portvakt:sessions:read" ReadSessions:
        "See people's sessions, without whose they are.";
    SessionsWrite "portvakt:sessions:write" EndSessions:
        "End people's sessions.";
    PersonsExport "portvakt:persons:export" ExportPersons:
        "Be told all that is kept of a person whose number is known.";
    PersonsErase "portvakt:persons:erase" ErasePersons:
        "Erase what is kept of a person whose number is known.";
    AuditRead "portvakt:audit:read" ReadAudit:
        "Read the audit log.";
    AdministratorsRead "portvakt:administrators:read" ReadAdministrators:
        "See who administers.";
    AdministratorsWrite "portvakt:administrators:write" WriteAdministrators:
        "Invite, change and remove administrators. Whoever may do that can become an owner.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::client::API_SCOPES;
    use crate::client::machine::OwnScope;

    #[test]
    fn every_permission_but_one_has_one_scope() {
        for permission in Permission::ALL {
            let of = |scope: &&Scope| scope.permission() == permission;
            let expected = usize::from(permission != Permission::RevealPersons);
            assert_eq!(
                Scope::ALL.iter().filter(of).count(),
                expected,
                "{permission:?}"
            );
        }
        for scope in Scope::ALL {
            // What nobody but an owner gives, and what a client can be registered with.
            assert!(scope.as_str().starts_with(API_SCOPES));
            assert!(OwnScope::parse(scope.as_str()).is_some());
        }
    }
}
