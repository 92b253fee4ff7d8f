//! What one client receives from one login. Everything that it gets ends with it.

use crate::authorize::request::{AuthorizationRequest, Scope};
use crate::claims::release::{Identity, Release};
use crate::claims::subject::subject;
use crate::client::Client;
use crate::clock::{Seconds, Timestamp};
use crate::id::{ClientId, Id, kind};
use crate::random::Random;
use crate::secret::Key;
use crate::session::Session;

/// How long an access token lives.
pub const ACCESS_TOKEN_LIFETIME: Seconds = Seconds(300);
/// How long an ID token lives.
pub const ID_TOKEN_LIFETIME: Seconds = Seconds(300);

/// A grant.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its name.
    pub id: Id<kind::Grant>,
    /// To whom.
    pub client_id: ClientId,
    /// The session that it comes from.
    pub session: Id<kind::Session>,
    /// How the client knows the person.
    pub subject: String,
    /// The scope that was granted.
    pub scope: String,
    /// What the client may know, and where it stands.
    pub released: Release,
    /// The person.
    pub identity: Identity,
    /// The request's `nonce`.
    pub nonce: Option<String>,
    /// When the person identified themselves.
    pub auth_time: Timestamp,
    /// The BankID order that they did it with, by our name for it.
    pub txn: Id<kind::Order>,
    /// When the last thing that comes of it has ended.
    pub expires_at: Timestamp,
    /// Whether it was ended before that.
    pub has_ended: bool,
}

impl Grant {
    /// What a client gets of a session for its request.
    pub fn of(
        request: &AuthorizationRequest,
        client: &Client,
        session: &Session,
        subject_key: &Key,
        random: &Random,
        now: Timestamp,
    ) -> Grant {
        Grant {
            id: Id::fresh(random),
            client_id: client.client_id.clone(),
            session: session.id,
            subject: subject(subject_key, client, session.person),
            scope: Scope::list(&request.scope),
            released: Release::decide(request, client),
            identity: session.identity.clone(),
            nonce: request.nonce.clone(),
            auth_time: session.auth_time,
            txn: session.txn,
            expires_at: now + super::code::LIFETIME + ACCESS_TOKEN_LIFETIME,
            has_ended: false,
        }
    }
}
