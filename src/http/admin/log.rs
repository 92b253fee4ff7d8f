//! The audit log.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::answer::Answer;
use super::super::input::Request;
use super::Caller;
use super::page::{Frame, Happened, Log, in_words};
use crate::admin::{Unmet, audit};
use crate::audit::Action;
use crate::clock::Moment;
use crate::id::Id;
use crate::provider::Provider;
use crate::storage::EventFilter;

const PAGE: u16 = 50;
const PARAMETER_LIMIT: usize = 512;

pub async fn list(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let query = request.query(PARAMETER_LIMIT).unwrap_or_default();
    let said = |name: &str| query.first(name).unwrap_or_default().trim().to_owned();
    let (object, action) = (said("object"), said("action"));
    let wanted = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let before = query.first("before").and_then(|text| {
        let (at, id) = text.split_once('.')?;
        Some((Moment(at.parse().ok()?), id.to_owned()))
    });
    let filter = EventFilter {
        object: wanted(&object),
        action: wanted(&action),
        actor: None,
        before,
    };
    let events = audit::list(&caller.desk(&provider), &filter, PAGE).await?;
    let next = match (events.len() == usize::from(PAGE), events.last()) {
        (true, Some(last)) => {
            let mut query = url::form_urlencoded::Serializer::new("/audit?".to_owned());
            query.append_pair("object", &object);
            query.append_pair("action", &action);
            query.append_pair("before", &format!("{}.{}", last.moment.0, last.id));
            Some(query.finish())
        }
        _ => None,
    };
    let head = provider.store.audit_head().await?;
    Ok(Answer::page(&Log {
        frame: Frame::new(&provider, &caller, "Audit log"),
        object,
        action,
        actions: Action::ALL.iter().map(|action| action.as_str()).collect(),
        rows: told(&provider, events).await?,
        next,
        head: head.map(|head| head.to_string()),
    }))
}

/// Events with the names that administrators have now.
pub(super) async fn told(
    provider: &Provider,
    events: Vec<audit::Shown>,
) -> Result<Vec<Happened>, Unmet> {
    let mut names = BTreeMap::new();
    for event in &events {
        if !names.contains_key(&event.actor) {
            names.insert(event.actor.clone(), name_of(provider, &event.actor).await?);
        }
    }
    let happened = |event: audit::Shown| Happened {
        at: event.at.replace('T', " ").trim_end_matches('Z').to_owned(),
        who: names.get(&event.actor).cloned().unwrap_or_default(),
        door: event.door.as_str().unwrap_or_default().to_owned(),
        from: event.address.unwrap_or_default(),
        changes: changes(event.before.as_ref(), event.after.as_ref()),
        action: event.action,
        object: event.object,
    };
    Ok(events.into_iter().map(happened).collect())
}

/// What an actor is called, where they are somebody who administers now.
pub(super) async fn name_of(provider: &Provider, actor: &str) -> Result<String, Unmet> {
    let id = actor.strip_prefix("administrator:").and_then(Id::parse);
    let administrator = match id {
        Some(id) => provider.store.administrator(id).await?,
        None => None,
    };
    Ok(match administrator {
        Some(administrator) => administrator.name.as_str().to_owned(),
        None => actor.to_owned(),
    })
}

fn changes(before: Option<&Value>, after: Option<&Value>) -> Vec<(String, String, String)> {
    let members = |value: Option<&Value>| {
        let members = value.and_then(Value::as_object).into_iter().flatten();
        members
            .map(|(name, value)| (name.clone(), in_words(value)))
            .collect::<BTreeMap<String, String>>()
    };
    let (mut before, after) = (members(before), members(after));
    let mut changes: Vec<_> = after
        .into_iter()
        .map(|(name, now)| {
            let was = before.remove(&name).unwrap_or_default();
            (name, was, now)
        })
        .collect();
    changes.extend(
        before
            .into_iter()
            .map(|(name, was)| (name, was, String::new())),
    );
    changes
}
