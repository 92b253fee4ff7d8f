//! Who administers.

use actix_web::http::header::{self, HeaderValue};

use super::super::super::answer::Answer;
use super::problem::Problem;
use super::read::{Members, text, texts};
use super::{Answered, BASE, Call, shown, tagged};
use crate::admin::administrator::{self, INVITED_FOR, Invited};
use crate::admin::role::{Administrator, Reach, Role};
use crate::admin::{Unmet, written};
use crate::client::Name;
use crate::id::ClientId;

/// The most clients that somebody may be limited to.
pub const MOST_CLIENTS: usize = 200;

pub async fn list(call: Call) -> Answered {
    let all = administrator::list(&call.desk()).await?;
    let items = all.iter().map(shown::administrator).collect();
    Ok(Answer::json(&shown::part(items, None)))
}

pub async fn show(call: Call) -> Answered {
    let found = administrator::find(&call.desk(), call.part("administrator_id")).await?;
    Ok(one(&found))
}

fn one(found: &Administrator) -> Answer {
    tagged(Answer::json(&shown::administrator(found)), found.version)
}

pub async fn invite(call: Call) -> Answered {
    let mut members = call.members();
    let reason = "must be 1 to 80 characters without control characters";
    let name = members.need("name", text(reason, Name::parse));
    let may = may(&mut members);
    let invited = name
        .zip(may)
        .map(|(name, (role, reach))| Invited { name, role, reach });
    let invited = members.end(invited)?;
    let (invited, link) = administrator::invite(&call.desk(), invited).await?;
    let admin = call.provider.config.admin.as_ref();
    let address = admin.map_or("", |admin| &admin.address.url);
    let mut told = shown::administrator(&invited);
    told["invitation"] = format!("{address}/invitation/{}", link.expose()).into();
    told["invitation_expires_at"] = written(invited.created_at + INVITED_FOR).into();
    let place = format!("{BASE}/administrators/{}", invited.id);
    let place = HeaderValue::from_str(&place).expect("ids are ASCII");
    let answer = tagged(Answer::created(&told), invited.version);
    Ok(answer.with_value(header::LOCATION, place))
}

/// What somebody may do, and to which clients; to all, where none are named.
fn may(members: &mut Members) -> Option<(Role, Reach)> {
    let reason = "must be owner, client_administrator, key_administrator, auditor or reader";
    let role = members.need("role", text(reason, Role::parse));
    let reason = "must be a list of clients' ids";
    let clients = members.may("clients", texts(reason, MOST_CLIENTS, ClientId::parse));
    role.map(|role| (role, clients.map_or(Reach::All, Reach::Only)))
}

pub async fn change(call: Call) -> Answered {
    let mut members = call.members();
    let may = may(&mut members);
    let (role, reach) = members.end(may)?;
    let (desk, id) = (call.desk(), call.part("administrator_id"));
    let read = administrator::find(&desk, id).await?;
    let version = call.version(read.version)?;
    match administrator::change(&desk, id, version, role, reach).await {
        Err(Unmet::Stale) => Err(stale(&call).await),
        changed => Ok(one(&changed?)),
    }
}

pub async fn remove(call: Call) -> Answered {
    let (desk, id) = (call.desk(), call.part("administrator_id"));
    let read = administrator::find(&desk, id).await?;
    let version = call.version(read.version)?;
    match administrator::remove(&desk, id, version).await {
        Err(Unmet::Stale) => Err(stale(&call).await),
        removed => {
            removed?;
            Ok(Answer::nothing())
        }
    }
}

/// What somebody else made of it in the meantime.
async fn stale(call: &Call) -> Problem {
    match administrator::find(&call.desk(), call.part("administrator_id")).await {
        Ok(read) => Problem::changed(read.version),
        Err(unmet) => unmet.into(),
    }
}
