//! Single sign-on (step 4): a person who logged in is known for a while, to the client that they
//! logged in to.

pub mod delivery;
pub mod logout;
pub mod notice;

use crate::authorize::interaction::Standing;
use crate::claims::release::Identity;
use crate::claims::subject::subject;
use crate::client::Client;
use crate::clock::{Seconds, Timestamp};
use crate::id::{Id, kind};
use crate::secret::Key;
use crate::storage::SessionRow;

/// How long a session lasts when the configuration does not say.
pub const LIFETIME: Seconds = Seconds(60 * 60);

/// A session of one person with one client, in one browser.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its name, the `sid` of its ID tokens.
    pub id: Id<kind::Session>,
    /// The person.
    pub person: Id<kind::Person>,
    /// The person as BankID described them then.
    pub identity: Identity,
    /// When they identified themselves.
    pub auth_time: Timestamp,
    /// The BankID order that they did it with, by our name for it.
    pub txn: Id<kind::Order>,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
}

/// A session, as far as the decision on a request needs it.
pub fn standing(row: &SessionRow, client: &Client, subject_key: &Key) -> Standing {
    Standing {
        auth_time: row.session.auth_time,
        subject: subject(subject_key, client, row.session.person),
        personal_number: row.session.identity.personal_number().clone(),
        approved: row.approved.clone(),
        approved_offline: row.approved_offline,
    }
}
