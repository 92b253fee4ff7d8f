//! Who administers: invited by a link, enrolled by their BankID, and let go.

use serde_json::{Value, json};

use super::role::{Administrator, Reach, Role};
use super::{Desk, Done, Unmet};
use crate::audit::{Action, Actor, Event, Who};
use crate::client::Name;
use crate::clock::Seconds;
use crate::id::{Id, kind};
use crate::secret::{Digest, Secret, kind as secret};
use crate::storage::{AdminSession, Enrolment};

/// How long an invitation can be taken.
pub const INVITED_FOR: Seconds = Seconds(15 * 60);

/// Somebody to be invited.
#[derive(Clone, Debug)]
pub struct Invited {
    /// What they are called.
    pub name: Name,
    /// What they may do.
    pub role: Role,
    /// To which clients.
    pub reach: Reach,
}

/// Invites somebody. Whoever opens the link and shows a BankID first is the one.
pub async fn invite(
    desk: &Desk<'_>,
    invited: Invited,
) -> Done<(Administrator, Secret<secret::Invitation>)> {
    check(invited.role, &invited.reach)?;
    let link = Secret::fresh(desk.random);
    let administrator = Administrator {
        id: Id::fresh(desk.random),
        name: invited.name,
        role: invited.role,
        reach: invited.reach,
        is_enrolled: false,
        version: 1,
        created_at: desk.now(),
    };
    let after = said(administrator.role, &administrator.reach);
    let event = desk.event(
        Action::AdministratorInvite,
        object(administrator.id),
        None,
        Some(after),
    );
    let end = desk.now() + INVITED_FOR;
    desk.store
        .invite(&administrator, link.digest(), end, &event)
        .await?;
    Ok((administrator, link))
}

/// Everybody.
pub async fn list(desk: &Desk<'_>) -> Done<Vec<Administrator>> {
    Ok(desk.store.administrators().await?)
}

/// Somebody.
pub async fn find(desk: &Desk<'_>, id: &str) -> Done<Administrator> {
    let unknown = || Unmet::Unknown("administrator");
    let id = Id::parse(id).ok_or_else(unknown)?;
    desk.store.administrator(id).await?.ok_or_else(unknown)
}

/// Changes what somebody may do. An installation keeps an owner.
pub async fn change(
    desk: &Desk<'_>,
    id: &str,
    version: Option<i64>,
    role: Role,
    reach: Reach,
) -> Done<Administrator> {
    check(role, &reach)?;
    let read = at_version(find(desk, id).await?, version)?;
    let others = others(desk, &read).await?;
    if role != Role::Owner && read.role == Role::Owner && !others {
        return Err(LAST_OWNER);
    }
    let event = desk.event(
        Action::AdministratorChange,
        object(read.id),
        Some(said(read.role, &read.reach)),
        Some(said(role, &reach)),
    );
    match desk
        .store
        .change_administrator(&read, role, &reach, &event)
        .await?
    {
        true => find(desk, id).await,
        false => Err(Unmet::Stale),
    }
}

/// Lets somebody administer no more, at once.
pub async fn remove(desk: &Desk<'_>, id: &str, version: Option<i64>) -> Done<()> {
    let read = at_version(find(desk, id).await?, version)?;
    if read.role == Role::Owner && read.is_enrolled && !others(desk, &read).await? {
        return Err(LAST_OWNER);
    }
    let before = said(read.role, &read.reach);
    let event = desk.event(
        Action::AdministratorRemove,
        object(read.id),
        Some(before),
        None,
    );
    match desk.store.remove_administrator(&read, &event).await? {
        true => Ok(()),
        false => Err(Unmet::Stale),
    }
}

const LAST_OWNER: Unmet =
    Unmet::Forbidden("an installation keeps an owner, and this is the last one");

/// Whether there is another owner.
async fn others(desk: &Desk<'_>, than: &Administrator) -> Done<bool> {
    let all = desk.store.administrators().await?;
    let mut owners = all
        .iter()
        .filter(|one| one.role == Role::Owner && one.is_enrolled);
    Ok(owners.any(|one| one.id != than.id))
}

fn at_version(read: Administrator, version: Option<i64>) -> Done<Administrator> {
    match version.is_none_or(|version| version == read.version) {
        true => Ok(read),
        false => Err(Unmet::Stale),
    }
}

fn check(role: Role, reach: &Reach) -> Done<()> {
    match reach {
        Reach::Only(_) if role != Role::ClientAdministrator => Err(Unmet::mistake(
            "clients",
            "only a client administrator is for some clients alone",
        )),
        _ => Ok(()),
    }
}

/// Has whoever showed their BankID take an invitation.
pub async fn enrol(
    desk: &Desk<'_>,
    digest: Digest<secret::Invitation>,
    subject: &str,
) -> Done<Administrator> {
    let invited = desk.store.invited(digest, desk.now()).await?;
    let invited = invited.ok_or(SPENT)?;
    let event = Event {
        actor: Actor {
            who: Who::Administrator(invited.id),
            ..desk.actor.clone()
        },
        ..desk.event(Action::AdministratorEnrol, object(invited.id), None, None)
    };
    match desk.store.enrol(&invited, digest, subject, &event).await? {
        Enrolment::Done(administrator) => Ok(*administrator),
        Enrolment::Spent => Err(SPENT),
        Enrolment::Known => Err(Unmet::Forbidden(
            "you administer already: an invitation is for somebody new",
        )),
    }
}

const SPENT: Unmet = Unmet::Unknown("invitation: it was used, or is older than 15 minutes");

/// Logs somebody in who showed their BankID at `auth_time`.
pub async fn begin_session(
    desk: &Desk<'_>,
    session: &AdminSession,
) -> Done<Secret<secret::AdminCookie>> {
    let cookie = Secret::fresh(desk.random);
    let id = session.administrator.id;
    let event = Event {
        actor: Actor {
            who: Who::Administrator(id),
            ..desk.actor.clone()
        },
        ..desk.event(Action::AdministratorLogin, object(id), None, None)
    };
    desk.store
        .begin_admin_session(cookie.digest(), session, &event)
        .await?;
    Ok(cookie)
}

/// Logs somebody out.
pub async fn end_session(
    desk: &Desk<'_>,
    id: Id<kind::Administrator>,
    cookie: Digest<secret::AdminCookie>,
) -> Done<()> {
    let event = desk.event(Action::AdministratorLogout, object(id), None, None);
    Ok(desk.store.end_admin_session(cookie, &event).await?)
}

fn object(id: Id<kind::Administrator>) -> String {
    format!("administrator:{id}")
}

fn said(role: Role, reach: &Reach) -> Value {
    match reach {
        Reach::All => json!({ "role": role }),
        Reach::Only(clients) => json!({ "role": role, "clients": clients }),
    }
}
