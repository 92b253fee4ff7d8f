//! Every operation, on one page.

use actix_web::http::Method;

use super::operation::Operation;
use super::problem::Kind::{Elsewhere, Stale, Taken, Unknown};
use super::read::{Parameter, ParameterKind};
use super::{
    administrators, audit, clients, entitlements, failures, keys, persons, registration_tokens,
    sessions,
};
use crate::admin::scope::Scope::{
    AdministratorsRead, AdministratorsWrite, AuditRead, ClientsRead, ClientsWrite,
    EntitlementsWrite, KeysRead, KeysWrite, PersonsErase, PersonsExport, SessionsRead,
    SessionsWrite,
};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// The header of answers that tell of a version.
const ETAG: &[&str] = &["ETag"];
/// Those of answers that tell of something new.
const NEW: &[&str] = &["ETag", "Location"];

/// A client's settings as examples have them.
const CLIENT: &str = r#"{"metadata": {"client_name": "The app", "redirect_uris": ["https://app.example.se/callback"]}}"#;

/// Every operation, area by area.
pub fn table() -> Vec<Operation> {
    let areas = [
        ("Clients", clients()),
        ("Personal numbers", entitlements()),
        ("Refused requests", failures()),
        ("Registration tokens", registration_tokens()),
        ("Keys", keys()),
        ("Sessions", sessions()),
        ("A person's rights", persons()),
        ("Administrators", administrators()),
        ("Audit log", audit()),
    ];
    let of = |(area, operations): (&'static str, Vec<Operation>)| {
        let of_area = move |operation: Operation| operation.of(area);
        operations.into_iter().map(of_area)
    };
    areas.into_iter().flat_map(of).collect()
}

fn clients() -> Vec<Operation> {
    use Operation as Op;
    vec![
        Op::new(ClientsRead, GET, "/clients", "listClients", "Lists clients in the order of their ids.", clients::list)
            .asks(&[SEARCH, MANAGED_BY, STATE, CURSOR, LIMIT])
            .gives(200, "ClientList", "A part of the list.", &[]),
        Op::new(ClientsWrite, POST, "/clients", "createClient", "Registers a client. Its secret is shown this once.", clients::create)
            .takes("ClientCreate", CLIENT)
            .with_pictures()
            .gives(201, "ClientWithSecret", "The client, with its secret where it has one.", NEW)
            .fails(&[Taken]),
        Op::new(ClientsRead, GET, "/clients/{client_id}", "showClient", "Shows all that is registered of a client, also of one that is removed and can be restored.", clients::show)
            .gives(200, "Client", "The client.", ETAG),
        Op::new(ClientsWrite, PUT, "/clients/{client_id}", "replaceClient", "Makes a client what it is wanted to be. Nothing is written where it is that already.", clients::replace)
            .takes("ClientReplace", CLIENT)
            .with_pictures()
            .of_version()
            .gives(200, "ClientWithSecret", "The client, with a secret where it got its first.", ETAG)
            .fails(&[Elsewhere]),
        Op::new(ClientsWrite, PATCH, "/clients/{client_id}", "changeClient", "Changes some of a client's settings (RFC 7396); null has one as if it was never set.", clients::patch)
            .takes_as("application/merge-patch+json", "ClientPatch", r#"{"metadata": {"client_name": "Another name", "purpose": null}}"#)
            .with_pictures()
            .of_version()
            .gives(200, "ClientWithSecret", "The client, with a secret where it got its first.", ETAG)
            .fails(&[Elsewhere]),
        Op::new(ClientsWrite, DELETE, "/clients/{client_id}", "removeClient", "Removes a client with its sessions and tokens. It can be restored for 30 days, without those.", clients::remove)
            .of_version()
            .gives_nothing("It is removed.", &[])
            .fails(&[Elsewhere]),
        Op::new(ClientsWrite, POST, "/clients/{client_id}/restore", "restoreClient", "Brings a removed client back, with its secrets.", clients::restore)
            .gives(200, "Client", "The client.", ETAG)
            .fails(&[Elsewhere]),
        Op::new(ClientsWrite, POST, "/clients/{client_id}/secrets", "addSecret", "Gives a client another secret, and shows it this once. The old one lives on for a while.", clients::add_secret)
            .takes("SecretCreate", r#"{"overlap_seconds": 86400}"#)
            .of_version()
            .gives(201, "ClientWithSecret", "The client, with the new secret.", ETAG)
            .fails(&[Elsewhere]),
        Op::new(ClientsWrite, DELETE, "/clients/{client_id}/secrets/{secret_id}", "endSecret", "Ends a secret at once.", clients::end_secret)
            .of_version()
            .gives_nothing("It has ended.", ETAG)
            .fails(&[Elsewhere]),
        Op::new(ClientsRead, POST, "/clients/{client_id}/preview", "previewClient", "Says what a client would get of a login, without one.", clients::preview)
            .takes("PreviewRequest", r#"{"scopes": ["openid", "profile"]}"#)
            .gives(200, "Preview", "What it would get.", &[]),
    ]
}

fn entitlements() -> Vec<Operation> {
    use Operation as Op;
    vec![
        Op::new(ClientsRead, GET, "/entitlements", "listEntitlements", "Lists every client that may have personal numbers, with why and until when, and what waits for somebody else.", entitlements::report)
            .gives(200, "EntitlementReport", "Who may, and what waits.", &[]),
        Op::new(EntitlementsWrite, PUT, "/clients/{client_id}/entitlement", "entitleClient", "Lets a client have personal numbers. Where a second one must say yes, it asks for that.", entitlements::ask)
            .takes("Entitlement", r#"{"purpose": "Building permits are matched with the register of property."}"#)
            .of_version()
            .gives(200, "Client", "The client has the right.", ETAG)
            .gives(202, "EntitlementRequest", "It waits for somebody else.", &[])
            .fails(&[Elsewhere]),
        Op::new(EntitlementsWrite, DELETE, "/clients/{client_id}/entitlement", "endEntitlement", "Ends a client's right to personal numbers at once.", entitlements::end)
            .of_version()
            .gives_nothing("It has ended.", ETAG)
            .fails(&[Elsewhere]),
        Op::new(EntitlementsWrite, POST, "/clients/{client_id}/entitlement/request", "answerEntitlementRequest", "Says yes or no to what somebody else asked for.", entitlements::answer)
            .takes("EntitlementAnswer", r#"{"answer": "grant"}"#)
            .of_version()
            .gives(200, "Client", "The client.", ETAG)
            .fails(&[Elsewhere, Stale]),
    ]
}

fn failures() -> Vec<Operation> {
    use Operation as Op;
    vec![
        Op::new(
            ClientsRead,
            GET,
            "/clients/{client_id}/failures",
            "listFailures",
            "Lists why a client's requests were refused in the last 7 days, newest first.",
            failures::list,
        )
        .asks(&[CURSOR, LIMIT])
        .gives(200, "FailureList", "A part of the list.", &[]),
        Op::new(
            ClientsRead,
            GET,
            "/failures",
            "findFailure",
            "Finds what the page of an error calls by a reference.",
            failures::find,
        )
        .asks(&[REFERENCE])
        .gives(200, "Failure", "What was refused, and why.", &[])
        .fails(&[Unknown]),
    ]
}

fn registration_tokens() -> Vec<Operation> {
    use Operation as Op;
    vec![
        Op::new(
            ClientsRead,
            GET,
            "/registration-tokens",
            "listRegistrationTokens",
            "Lists the tokens by which clients register themselves, without the tokens.",
            registration_tokens::list,
        )
        .gives(
            200,
            "RegistrationTokenList",
            "All of them, the latest first.",
            &[],
        ),
        Op::new(
            ClientsWrite,
            POST,
            "/registration-tokens",
            "issueRegistrationToken",
            "Makes a token by which clients register themselves, and shows it this once.",
            registration_tokens::issue,
        )
        .takes(
            "RegistrationTokenCreate",
            r#"{"note": "The test suite", "uses": 3, "lifetime_seconds": 86400}"#,
        )
        .gives(201, "RegistrationTokenWithSecret", "The token.", &[]),
        Op::new(
            ClientsWrite,
            DELETE,
            "/registration-tokens/{token_id}",
            "revokeRegistrationToken",
            "Lets nobody register by a token any more. Clients that came by it stay.",
            registration_tokens::revoke,
        )
        .gives_nothing("It is revoked.", &[]),
    ]
}

fn keys() -> Vec<Operation> {
    use Operation as Op;
    vec![
        Op::new(
            KeysRead,
            GET,
            "/keys",
            "listKeys",
            "Lists the signing keys: those that sign first, those that are gone last.",
            keys::list,
        )
        .gives(200, "KeyList", "All of them.", &[]),
        Op::new(
            KeysWrite,
            POST,
            "/keys",
            "announceKey",
            "Announces the next key of an algorithm before it is time.",
            keys::announce,
        )
        .takes("KeyAnnounce", r#"{"algorithm": "ES256"}"#)
        .gives(201, "Key", "The key that was made.", &[])
        .gives(200, "Key", "The key that was announced already.", &[])
        .fails(&[Stale]),
        Op::new(
            KeysWrite,
            DELETE,
            "/keys/{kid}",
            "revokeKey",
            "Revokes a key at once: what it signed is refused from then on.",
            keys::revoke,
        )
        .gives(
            200,
            "KeyRevoked",
            "Which key is gone, and which signs in its place.",
            &[],
        ),
    ]
}

fn sessions() -> Vec<Operation> {
    use Operation as Op;
    vec![
        Op::new(
            SessionsRead,
            GET,
            "/sessions",
            "listSessions",
            "Lists people's latest sessions, without whose they are.",
            sessions::list,
        )
        .asks(&[CLIENT_ID, LIMIT])
        .gives(200, "SessionList", "The latest first.", &[]),
        Op::new(
            SessionsWrite,
            DELETE,
            "/sessions/{session_id}",
            "endSession",
            "Ends a session, and tells its client.",
            sessions::end,
        )
        .gives_nothing("It has ended.", &[]),
    ]
}

fn persons() -> Vec<Operation> {
    use Operation as Op;
    vec![
        Op::new(PersonsExport, POST, "/persons/export", "exportPerson", "Tells all that is kept of a person, and why and until when. It is in the audit log, with why it was asked.", persons::export)
            .takes("PersonExportRequest", r#"{"personal_number": "191212121212", "why": "The person asked, matter 2026/17."}"#)
            .gives(200, "PersonExport", "All that is kept.", &[])
            .fails(&[Unknown]),
        Op::new(PersonsErase, POST, "/persons/erase", "erasePerson", "Erases what is kept of a person. Their sessions end, and their clients are told. What proves logins stays as long as a client has it kept, unless it is to go, too.", persons::erase)
            .takes("PersonEraseRequest", r#"{"personal_number": "191212121212", "why": "The person asked, matter 2026/18."}"#)
            .gives(200, "PersonErased", "What is gone, and what stays, why, and until when.", &[])
            .fails(&[Unknown]),
    ]
}

fn administrators() -> Vec<Operation> {
    use Operation as Op;
    vec![
        Op::new(AdministratorsRead, GET, "/administrators", "listAdministrators", "Lists who administers, and who is invited.", administrators::list)
            .gives(200, "AdministratorList", "All of them.", &[]),
        Op::new(AdministratorsWrite, POST, "/administrators", "inviteAdministrator", "Invites somebody. The link is shown this once, and whoever opens it and shows a BankID first is the one.", administrators::invite)
            .takes("AdministratorInvite", r#"{"name": "Åsa Åkesson", "role": "client_administrator", "clients": ["app"]}"#)
            .gives(201, "AdministratorInvited", "Who is invited, and by which link.", NEW),
        Op::new(AdministratorsRead, GET, "/administrators/{administrator_id}", "showAdministrator", "Shows somebody who administers.", administrators::show)
            .gives(200, "Administrator", "Who it is.", ETAG),
        Op::new(AdministratorsWrite, PUT, "/administrators/{administrator_id}", "changeAdministrator", "Changes what somebody may do. An installation keeps an owner.", administrators::change)
            .takes("AdministratorChange", r#"{"role": "reader"}"#)
            .of_version()
            .gives(200, "Administrator", "Who it is.", ETAG),
        Op::new(AdministratorsWrite, DELETE, "/administrators/{administrator_id}", "removeAdministrator", "Lets somebody administer no more, at once.", administrators::remove)
            .of_version()
            .gives_nothing("They administer no more.", &[]),
    ]
}

fn audit() -> Vec<Operation> {
    use Operation as Op;
    vec![
        Op::new(AuditRead, GET, "/audit/events", "listEvents", "Lists what was done, the latest first.", audit::list)
            .asks(&[OBJECT, ACTOR, ACTION, CURSOR, LIMIT])
            .gives(200, "EventList", "A part of the log.", &[]),
        Op::new(AuditRead, GET, "/audit/head", "showAuditHead", "Shows where the chain of seals ends, to be kept where nobody who administers can change it.", audit::head)
            .gives(200, "AuditHead", "The head; null before the first seal.", &[]),
    ]
}

const fn optional(name: &'static str, kind: ParameterKind, description: &'static str) -> Parameter {
    Parameter {
        name,
        kind,
        is_needed: false,
        description,
    }
}

const fn line(least: usize, most: usize) -> ParameterKind {
    ParameterKind::Text { least, most }
}

const LIMIT: Parameter = optional(
    "limit",
    ParameterKind::Number {
        least: 1,
        most: 200,
    },
    "The most entries of an answer; 50, where nothing is said.",
);
const CURSOR: Parameter = optional(
    "cursor",
    ParameterKind::Cursor,
    "Where the list goes on: the next of the answer before, as it is.",
);
const SEARCH: Parameter = optional(
    "search",
    line(0, 200),
    "Those whose id, name or redirect URIs hold this text.",
);
const MANAGED_BY: Parameter = optional(
    "managed_by",
    ParameterKind::OneOf(&["file", "admin", "registration"]),
    "Those that are managed so.",
);
const STATE: Parameter = optional(
    "state",
    ParameterKind::OneOf(&["registered", "entitled", "removed"]),
    "Those that are registered, where nothing is said; those of them that may have personal numbers; or those that were removed and can be restored.",
);
const CLIENT_ID: Parameter = optional(
    "client_id",
    ParameterKind::ClientId,
    "Those of this client.",
);
const OBJECT: Parameter = optional(
    "object",
    line(1, 300),
    "What was done to this: `client:app`.",
);
const ACTOR: Parameter = optional(
    "actor",
    line(1, 300),
    "What this one did: `client:provisioning`.",
);
const ACTION: Parameter = optional(
    "action",
    line(1, 100),
    "What was done of this kind: `client.change`.",
);
const REFERENCE: Parameter = Parameter {
    is_needed: true,
    ..optional(
        "reference",
        line(1, 100),
        "The reference, as the page of the error shows it.",
    )
};
