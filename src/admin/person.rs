//! A person's rights: all that is kept of them, told, or erased. Whoever asks for it names them by their number
//! and says why, and that is in the audit log before they are answered.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Desk, Done, Unmet, console, written};
use crate::audit::{Action, Who};
use crate::bankid::personal_number::PersonalNumber;
use crate::claims::release::{Claim, Identity};
use crate::claims::subject::{PUBLIC, in_sector};
use crate::clock::Timestamp;
use crate::job::Job;
use crate::person::holdings::Part;
use crate::person::marks::{Marks, tells};
use crate::person::{NOBODY, pseudonym};
use crate::storage::{
    Erased, Erasure, EventFilter, GrantTrace, Keys, Known, LoginTrace, NumberIndex, Traces, Wanted,
};

/// Of whom, and why.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The person.
    pub number: &'a PersonalNumber,
    /// Why, for the audit log.
    pub why: &'a str,
}

/// The fewest characters of a reason.
pub const LEAST_WHY: usize = 5;
/// The most.
pub const MOST_WHY: usize = 300;

/// What becomes of what proves a person's logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It stays as long as it was to be kept.
    Stays,
    /// It goes, too.
    Goes,
}

/// What came of an erasure.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// How much is gone.
    pub erased: Erased,
    /// Applications that were told something of the person, as far as that was known. They may have kept it.
    pub clients: Vec<String>,
    /// What stays here, why, and until when.
    pub stays: Vec<Staying>,
    /// What clients must be told, to be tried now.
    #[serde(skip)]
    pub notices: Vec<Job>,
}

/// Something that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Staying {
    /// A part of what is kept.
    pub part: &'static str,
    /// Which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whose: the client that has it kept, or must be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Why.
    pub why: &'static str,
    /// Until when.
    pub until: String,
}

/// A number as people write it: 12 digits, perhaps with a hyphen before the last four.
pub fn number(text: &str) -> Option<PersonalNumber> {
    let digits = match text.trim().split_once('-') {
        Some((day, last)) if day.len() == 8 => format!("{day}{last}"),
        Some(_) => return None,
        None => text.trim().to_owned(),
    };
    PersonalNumber::parse(&digits)
}

const NOTHING: Unmet = Unmet::Unknown("person: nothing is kept under this number");
const ADMINISTERS: Unmet = Unmet::Forbidden(
    "this person administers here, and the audit log names them by what would be erased: remove them as \
     administrator first",
);

/// All that is kept of a person.
pub async fn export(desk: &Desk<'_>, keys: &Keys, asked: Asked<'_>) -> Done<Value> {
    check(asked)?;
    let (_, people) = look_up(desk, keys, asked).await?;
    let name = name(keys, &people);
    let after = json!({ "why": asked.why });
    let event = desk.event(Action::PersonExport, name.clone(), None, Some(after));
    desk.store.tell_of(&event).await?;
    let found = find(desk, keys, asked.number, people).await?;
    let administration = administration(desk, keys, &found.people).await?;
    if found.is_empty() {
        return Err(NOTHING);
    }
    let mut events = Vec::new();
    let sessions = found.session_ids();
    let sessions = sessions.iter().map(|id| format!("session:{id}"));
    for object in sessions.chain([name]).filter(|object| object != NOBODY) {
        events.extend(events_of(desk, object).await?);
    }
    let parts = Part::ALL.map(|part| {
        let items = match part {
            Part::Audit => events.clone(),
            Part::Administration => administration.clone(),
            part => told(part, &found),
        };
        json!({
            "part": part.as_str(), "purpose": part.purpose(), "until": part.until(), "items": items,
        })
    });
    Ok(json!({
        "personal_number": asked.number.expose(),
        "issuer": desk.config.issuer.url,
        "at": written(desk.now()),
        "parts": parts,
    }))
}

/// Erases what is kept of a person.
pub async fn erase(
    desk: &Desk<'_>,
    keys: &Keys,
    asked: Asked<'_>,
    evidence: Evidence,
) -> Done<Outcome> {
    check(asked)?;
    let (index, people) = look_up(desk, keys, asked).await?;
    let name = name(keys, &people);
    let with_evidence = evidence == Evidence::Goes;
    let event = |outcome: Value| {
        let after = json!({
            "why": asked.why, "with_evidence": with_evidence, "outcome": outcome,
        });
        desk.event(Action::PersonErase, name.clone(), None, Some(after))
    };
    let found = find(desk, keys, asked.number, people).await?;
    if found.is_empty() {
        desk.store.tell_of(&event("nobody".into())).await?;
        return Err(NOTHING);
    }
    let wanted = Wanted {
        index: &index,
        found: &found,
        with_evidence,
        subject_key: &keys.subject,
        now: desk.now(),
    };
    let subject = |person| console::subject(&keys.subject, person);
    let erasure = desk
        .store
        .erase(&wanted, subject, |erased| event(json!(erased)));
    match erasure.await? {
        Erasure::Done(erased, notices) => Ok(Outcome {
            erased,
            clients: found.clients().iter().map(ToString::to_string).collect(),
            stays: staying(&found, evidence, &notices),
            notices,
        }),
        Erasure::Administers => {
            desk.store.tell_of(&event("refused".into())).await?;
            Err(ADMINISTERS)
        }
    }
}

fn check(asked: Asked<'_>) -> Done<()> {
    check_why(asked.why, asked.number)
}

/// Whether a reason is one, for looking a person up.
pub(super) fn check_why(why: &str, number: &PersonalNumber) -> Done<()> {
    if !(LEAST_WHY..=MOST_WHY).contains(&why.chars().count()) || why.chars().any(char::is_control) {
        return Err(Unmet::mistake("why", "write why, in 5 to 300 characters"));
    }
    // It stays in the audit log, which names nobody.
    if tells(why, number) {
        return Err(Unmet::mistake("why", "must not hold the personal number"));
    }
    Ok(())
}

async fn look_up(
    desk: &Desk<'_>,
    keys: &Keys,
    asked: Asked<'_>,
) -> Done<(NumberIndex, Vec<Known>)> {
    let index = keys.index.of(asked.number.expose().as_bytes());
    let people = desk.store.people(&index).await?;
    Ok((index, people))
}

fn name(keys: &Keys, people: &[Known]) -> String {
    let first = people.first();
    first.map_or(NOBODY.to_owned(), |known| pseudonym(&keys.audit, known.id))
}

async fn find(
    desk: &Desk<'_>,
    keys: &Keys,
    number: &PersonalNumber,
    people: Vec<Known>,
) -> Done<Traces> {
    let mut sectors = desk.store.sectors().await?;
    sectors.push(PUBLIC.to_owned());
    let of = |known: &Known| {
        let id = known.id;
        let of_sector = move |sector: &String| in_sector(&keys.subject, sector, id);
        sectors.iter().map(of_sector).collect::<Vec<_>>()
    };
    let subjects: BTreeSet<String> = people.iter().flat_map(of).collect();
    let marks = Marks::new(number, subjects);
    Ok(desk.store.traces(people, &marks).await?)
}

/// What stays when all else is gone.
fn staying(found: &Traces, evidence: Evidence, notices: &[Job]) -> Vec<Staying> {
    let kept = found
        .evidence
        .iter()
        .filter(|_| evidence == Evidence::Stays);
    let kept = kept.map(|one| Staying {
        part: Part::Evidence.as_str(),
        id: Some(one.record.txn.to_string()),
        client_id: Some(one.record.client_id.to_string()),
        why: "this client has what proves a login kept until then; it goes, too, where that is asked for",
        until: written(one.expires_at),
    });
    let old = found
        .notices
        .iter()
        .map(|one| (one.notice.client_id.to_string(), one.expires_at));
    let new = notices.iter().map(|job| {
        let crate::job::Task::LogoutNotice(notice) = &job.task;
        (notice.client_id.to_string(), job.expires_at)
    });
    let told = old.chain(new).map(|(client_id, until)| Staying {
        part: Part::Notices.as_str(),
        id: None,
        client_id: Some(client_id),
        why: "this client must be told that a session has ended; at the latest then nobody tries any more",
        until: written(until),
    });
    let log = Staying {
        part: Part::Audit.as_str(),
        id: None,
        client_id: None,
        why: "what was done must be known; its pseudonyms lead to nobody any more",
        until: Part::Audit.until().to_owned(),
    };
    kept.chain(told).chain([log]).collect()
}

async fn events_of(desk: &Desk<'_>, object: String) -> Done<Vec<Value>> {
    let filter = EventFilter {
        object: Some(object),
        ..EventFilter::default()
    };
    let events = super::audit::list(desk, &filter, u16::MAX).await?;
    let told = events.into_iter().map(|event| {
        // Which colleague it was is no matter of the person's, and neither is where they sat.
        let (by, _) = event.actor.split_once(':').unwrap_or((&event.actor, ""));
        let why = event.after.as_ref().and_then(|after| after.get("why"));
        json!({
            "at": event.at, "action": event.action, "object": event.object, "by": by,
            "why": why.cloned().unwrap_or_default(),
        })
    });
    Ok(told.collect())
}

/// That somebody administers, and what they did.
async fn administration(desk: &Desk<'_>, keys: &Keys, people: &[Known]) -> Done<Vec<Value>> {
    let mut items = Vec::new();
    for known in people {
        let subject = console::subject(&keys.subject, known.id);
        let Some(one) = desk.store.administrator_of(&subject).await? else {
            continue;
        };
        let sessions = desk.store.admin_sessions(one.id).await?;
        let sessions = sessions.iter().map(|(auth_time, expires_at)| {
            json!({"auth_time": written(*auth_time), "expires_at": written(*expires_at)})
        });
        let filter = EventFilter {
            actor: Some(Who::Administrator(one.id).to_string()),
            ..EventFilter::default()
        };
        let did = super::audit::list(desk, &filter, u16::MAX).await?;
        let did = did.iter().map(|event| {
            json!({
                "at": event.at, "action": event.action, "object": event.object,
                "address": event.address,
            })
        });
        items.push(json!({
            "id": one.id, "name": one.name, "role": one.role, "clients": one.reach,
            "created_at": written(one.created_at),
            "sessions": sessions.collect::<Vec<_>>(), "events": did.collect::<Vec<_>>(),
        }));
    }
    Ok(items)
}

fn told(part: Part, found: &Traces) -> Vec<Value> {
    match part {
        Part::Person => {
            let told = found.people.iter().map(|known| {
                json!({
                    "first_here_at": written(known.created_at), "last_here_at": maybe(known.used_at),
                })
            });
            told.collect()
        }
        Part::Sessions => {
            let told = found.sessions.iter().map(|one| {
                json!({
                    "id": one.id, "client_id": one.client_id, "identity": all(&one.identity),
                    "auth_time": written(one.auth_time), "txn": one.txn,
                    "expires_at": written(one.expires_at), "ended_at": maybe(one.ended_at),
                })
            });
            told.collect()
        }
        Part::Grants => found.grants.iter().map(grant).collect(),
        Part::Approvals => {
            let told = found.approvals.iter().map(|one| {
                json!({
                    "client_id": one.client_id, "claims": one.claims.0,
                    "offline_access": one.offline_access, "approved_at": written(one.approved_at),
                })
            });
            told.collect()
        }
        Part::Logins => found.logins.iter().map(login).collect(),
        Part::Requests => {
            let told = found.requests.iter().map(
                |one| json!({"client_id": one.client_id, "expires_at": written(one.expires_at)}),
            );
            told.collect()
        }
        Part::Evidence => {
            let told = found.evidence.iter().map(|one| {
                let file: Option<Value> = serde_json::from_str(&one.record.write()).ok();
                json!({
                    "client_id": one.record.client_id, "created_at": written(one.created_at),
                    "expires_at": written(one.expires_at), "file": file,
                })
            });
            told.collect()
        }
        Part::Notices => {
            let told = found.notices.iter().map(|one| {
                json!({
                    "client_id": one.notice.client_id, "subject": one.notice.subject,
                    "session": one.notice.session, "expires_at": written(one.expires_at),
                })
            });
            told.collect()
        }
        Part::Audit | Part::Administration => Vec::new(),
    }
}

fn grant(one: &GrantTrace) -> Value {
    let handles = one.handles.iter().map(|handle| {
        json!({
            "kind": handle.kind, "name": &hex::encode(&handle.digest)[..8],
            "expires_at": written(handle.expires_at), "used_at": maybe(handle.used_at),
        })
    });
    let grant = &one.grant;
    json!({
        "id": grant.id, "client_id": grant.client_id, "session": grant.session,
        "subject": grant.subject, "scope": grant.scope, "resources": grant.resources,
        "released": grant.released, "identity": all(&grant.identity),
        "auth_time": written(grant.auth_time), "txn": grant.txn,
        "created_at": written(one.created_at), "expires_at": written(grant.expires_at),
        "ended_at": maybe(one.ended_at), "tokens": handles.collect::<Vec<_>>(),
    })
}

/// Where somebody else was asked to log in as this person, it is not told from where they did.
fn login(one: &LoginTrace) -> Value {
    let mut told = json!({
        "id": one.login, "order": one.order, "client_id": one.client_id, "state": one.state,
        "device": one.device, "created_at": written(one.created_at),
        "expires_at": written(one.expires_at), "approved_by_person": one.is_theirs,
    });
    if one.is_theirs {
        told["address"] = json!(one.asked.ip);
        told["user_agent"] = json!(one.asked.user_agent);
        told["browser"] = json!(one.asked.browser_name);
        told["language"] = json!(one.asked.language.to_string());
        told["parameters"] = json!(one.asked.parameters);
    }
    if let Some(answer) = &one.answer {
        told["identity"] = all(&Identity::of(answer)).into();
        told["device_address"] = json!(answer.device.ip_address);
        told["risk"] = json!(answer.risk);
    }
    told
}

fn all(identity: &Identity) -> Map<String, Value> {
    identity.claims(&Claim::ALL.into())
}

fn maybe(at: Option<Timestamp>) -> Option<String> {
    at.map(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_people_write_it() {
        let _shows = crate::shows!(accepting "PV-PERSON-2", refusing "PV-PERSON-2");
        for sound in ["191212121212", "19121212-1212", " 191212121212\n"] {
            assert!(number(sound).is_some(), "{sound}");
        }
        // Without the century there are two people.
        for bad in [
            "1212121212",
            "121212-1212",
            "121212+1212",
            "1912121-21212",
            "191212121212-",
            "",
            "19121212 1212",
        ] {
            assert!(number(bad).is_none(), "{bad}");
        }
    }
}
