//! The audit log.

use serde_json::{Value, json};

use super::super::super::answer::Answer;
use super::{Answered, Call, cursor, shown};
use crate::admin::audit;
use crate::clock::Moment;
use crate::id::{Id, kind};
use crate::storage::EventFilter;

pub async fn list(call: Call) -> Answered {
    let before = call.place("events", |[at, id]: [String; 2]| {
        let id: Id<kind::Event> = Id::parse(&id)?;
        Some((Moment(at.parse().ok()?), id.to_string()))
    })?;
    let asked = |name: &str| call.query.first(name).map(str::to_owned);
    let filter = EventFilter {
        object: asked("object"),
        actor: asked("actor"),
        action: asked("action"),
        before,
    };
    let limit = call.limit();
    let mut events = audit::list(&call.desk(), &filter, limit + 1).await?;
    let has_more = events.len() > usize::from(limit);
    events.truncate(usize::from(limit));
    let last = events.last().filter(|_| has_more);
    let next = last.map(|event| cursor::write("events", &[&event.moment.0.to_string(), &event.id]));
    let items = events.iter().map(|event| json!(event));
    Ok(Answer::json(&shown::part(
        items.collect::<Vec<Value>>(),
        next,
    )))
}

pub async fn head(call: Call) -> Answered {
    let head = call.provider.store.audit_head().await?;
    let head = head.map(|head| head.to_string());
    Ok(Answer::json(&json!({ "head": head })))
}
