//! What is found of a person.

use std::collections::BTreeSet;

use sqlx::FromRow;
use sqlx::types::Json;

use crate::bankid::collect::CompletionData;
use crate::bankid::evidence::record::Record;
use crate::claims::release::{Claim, Identity};
use crate::clock::Timestamp;
use crate::id::{ClientId, Id, kind};
use crate::login::Asked;
use crate::session::notice::Notice;
use crate::token::grant::Grant;

/// A person's row.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// By which random name.
    pub id: Id<kind::Person>,
    /// Since when.
    pub created_at: Timestamp,
    /// When they were last here, to within a day.
    pub used_at: Option<Timestamp>,
}

/// A session.
#[derive(Debug)]
pub struct SessionTrace {
    /// Its name.
    pub id: String,
    /// With which client.
    pub client_id: ClientId,
    /// Who logged in.
    pub identity: Identity,
    /// When.
    pub auth_time: Timestamp,
    /// The order that they did it with.
    pub txn: String,
    /// Its end.
    pub expires_at: Timestamp,
    /// Whether it was ended before.
    pub ended_at: Option<Timestamp>,
}

/// What an application was given.
#[derive(Debug)]
pub struct GrantTrace {
    /// The grant.
    pub grant: Grant,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it was ended, if it was.
    pub ended_at: Option<Timestamp>,
    /// Its code and tokens.
    pub handles: Vec<Handle>,
}

/// A code or a token, by what says nothing about it.
#[derive(Debug, FromRow)]
pub struct Handle {
    /// What it is.
    pub kind: String,
    /// Its digest.
    pub digest: Vec<u8>,
    /// Its end.
    pub expires_at: Timestamp,
    /// When it was used, where that is kept.
    pub used_at: Option<Timestamp>,
}

/// What somebody approved.
#[derive(Debug, FromRow)]
pub struct ApprovalTrace {
    /// For which client.
    pub client_id: ClientId,
    /// What it may know.
    pub claims: Json<BTreeSet<Claim>>,
    /// When.
    pub approved_at: Timestamp,
    /// Whether it may come back without them.
    pub offline_access: bool,
}

/// An order of a login that is this person's, or names them.
#[derive(Debug)]
pub struct LoginTrace {
    /// The login.
    pub login: String,
    /// The order.
    pub order: String,
    /// Who asked.
    pub client_id: ClientId,
    /// When it began.
    pub created_at: Timestamp,
    /// Its end.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: String,
    /// On which device the app was to be.
    pub device: String,
    /// What was asked.
    pub asked: Asked,
    /// What BankID said, if it was of this person.
    pub answer: Option<CompletionData>,
    /// Whether this person approved it. Else it only names them.
    pub is_theirs: bool,
}

/// A pushed request that names this person.
#[derive(Debug)]
pub struct RequestTrace {
    /// Its digest.
    pub digest: Vec<u8>,
    /// Who left it.
    pub client_id: ClientId,
    /// Its end.
    pub expires_at: Timestamp,
}

/// What proves a login.
#[derive(Debug)]
pub struct EvidenceTrace {
    /// All of it.
    pub record: Record,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// What a client has yet to be told.
#[derive(Debug)]
pub struct NoticeTrace {
    /// What.
    pub notice: Notice,
    /// Until when that is tried.
    pub expires_at: Timestamp,
}

/// All that is kept of a person, but for the audit log.
#[derive(Debug, Default)]
pub struct Traces {
    /// Their row; several where a race of earlier versions left some.
    pub people: Vec<Known>,
    /// Their sessions.
    pub sessions: Vec<SessionTrace>,
    /// What applications were given.
    pub grants: Vec<GrantTrace>,
    /// What they approved.
    pub approvals: Vec<ApprovalTrace>,
    /// Logins.
    pub logins: Vec<LoginTrace>,
    /// Requests.
    pub requests: Vec<RequestTrace>,
    /// What proves their logins.
    pub evidence: Vec<EvidenceTrace>,
    /// What clients have yet to be told.
    pub notices: Vec<NoticeTrace>,
}

impl Traces {
    /// Whether nothing at all is kept.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
            && self.logins.is_empty()
            && self.requests.is_empty()
            && self.evidence.is_empty()
    }

    /// The sessions that are known of, also those that are gone and left a grant.
    pub fn session_ids(&self) -> BTreeSet<String> {
        let sessions = self.sessions.iter().map(|one| one.id.clone());
        let of_grants = self.grants.iter().map(|one| one.grant.session.to_string());
        sessions.chain(of_grants).collect()
    }

    /// The applications that were told something of this person, as far as that is still known.
    pub fn clients(&self) -> BTreeSet<&str> {
        let grants = self.grants.iter().map(|one| one.grant.client_id.as_str());
        let approvals = self.approvals.iter().map(|one| one.client_id.as_str());
        grants.chain(approvals).collect()
    }
}
