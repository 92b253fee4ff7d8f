//! People's sessions: seen without saying whose they are, ended, and looked into where that is needed.

use serde_json::json;

use super::client::CONSOLE;
use super::role::Reach;
use super::{Desk, Done, Unmet};
use crate::audit::{Action, Who};
use crate::clock::Timestamp;
use crate::id::{ClientId, Id, kind};
use crate::job::Job;
use crate::secret::Key;

/// A session, without its person.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its name, the `sid` of its ID tokens.
    pub id: Id<kind::Session>,
    /// The client that it is with.
    pub client_id: ClientId,
    /// When the person identified themselves.
    pub auth_time: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Whose a session is.
pub struct Person {
    /// The name, as the bank wrote it.
    pub name: String,
    /// The personal number.
    pub number: String,
}

/// The latest sessions that are alive, of one client or of all that the actor may see.
pub async fn list(desk: &Desk<'_>, client_id: Option<&ClientId>, most: u16) -> Done<Vec<Seen>> {
    let of = match (&desk.reach, &desk.actor.who) {
        (Reach::All, _) => None,
        (Reach::Only(_), Who::Administrator(id)) => Some(*id),
        (Reach::Only(_), _) => return Ok(Vec::new()),
    };
    let mut found = desk
        .store
        .live_sessions(client_id, of, desk.now(), most)
        .await?;
    found.retain(|seen| is_theirs(desk, seen));
    Ok(found)
}

async fn find(desk: &Desk<'_>, id: &str) -> Done<Seen> {
    let unknown = || Unmet::Unknown("session");
    let id = Id::parse(id).ok_or_else(unknown)?;
    let found = desk.store.live_session(id, desk.now()).await?;
    found
        .filter(|seen| is_theirs(desk, seen))
        .ok_or_else(unknown)
}

/// Administrators' own are nobody's here.
fn is_theirs(desk: &Desk<'_>, seen: &Seen) -> bool {
    desk.reach.holds(&seen.client_id) && seen.client_id.as_str() != CONSOLE
}

/// Ends a session, with what its client was given from it. What that client must be told.
pub async fn end(desk: &Desk<'_>, id: &str, subject_key: &Key) -> Done<Vec<Job>> {
    let seen = find(desk, id).await?;
    let before = json!({ "client_id": seen.client_id });
    let event = desk.event(Action::SessionEnd, object(seen.id), Some(before), None);
    let ended = desk.store.end_session(seen.id, subject_key, &event).await?;
    ended
        .map(|ended| ended.notices)
        .ok_or(Unmet::Unknown("session"))
}

/// Whose a session is. That somebody asked is told before they are answered.
pub async fn reveal(desk: &Desk<'_>, id: &str, why: &str) -> Done<Person> {
    let seen = find(desk, id).await?;
    let identity = desk.store.session_identity(seen.id).await?;
    let identity = identity.ok_or(Unmet::Unknown("session"))?;
    super::person::check_why(why, identity.personal_number())?;
    let after = json!({ "client_id": seen.client_id, "why": why });
    let event = desk.event(Action::PersonReveal, object(seen.id), None, Some(after));
    desk.store.tell_of(&event).await?;
    let claims = identity.claims(&[crate::claims::release::Claim::Name].into());
    Ok(Person {
        name: claims
            .get("name")
            .and_then(|name| name.as_str())
            .unwrap_or_default()
            .to_owned(),
        number: identity.personal_number().expose().to_owned(),
    })
}

fn object(id: Id<kind::Session>) -> String {
    format!("session:{id}")
}
