//! The audit log: read, verified, and let go of when it is old.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Desk, Done, Unmet, written};
use crate::audit::seal::{Finding, Head};
use crate::audit::{Action, Detail, Record};
use crate::clock::{Moment, Seconds, Timestamp};
use crate::storage::EventFilter;

/// An event as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// Its name.
    pub id: String,
    /// When, in the form of RFC 3339.
    pub at: String,
    /// When, to go on from.
    #[serde(skip)]
    pub moment: Moment,
    /// Who.
    pub actor: String,
    /// Through which door.
    pub door: Value,
    /// From where.
    pub address: Option<String>,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
    /// What was before.
    pub before: Option<Value>,
    /// What is now.
    pub after: Option<Value>,
}

impl From<Record> for Shown {
    fn from(record: Record) -> Shown {
        // A row that somebody else wrote may hold anything. It is shown as it is.
        let detail: Option<Detail> = serde_json::from_str(&record.detail).ok();
        Shown {
            id: record.id,
            at: written(record.at.timestamp()),
            moment: record.at,
            actor: record.actor,
            door: detail
                .as_ref()
                .map_or(Value::Null, |detail| json!(detail.door)),
            address: detail
                .as_ref()
                .and_then(|detail| detail.address)
                .map(|address| address.to_string()),
            action: record.action,
            object: record.object,
            before: detail.as_ref().and_then(|detail| detail.before.clone()),
            after: detail.and_then(|detail| detail.after),
        }
    }
}

/// The latest events of a kind, the latest first.
pub async fn list(desk: &Desk<'_>, filter: &EventFilter, most: u16) -> Done<Vec<Shown>> {
    let events = desk.store.events(filter, most).await?;
    Ok(events.into_iter().map(Shown::from).collect())
}

/// What is wrong with the log, and where it ends. `head` is one that it is known to have had.
pub async fn verify(desk: &Desk<'_>, head: Option<Head>) -> Done<(Vec<Finding>, Option<Head>)> {
    let found = desk.store.verify_audit(head, desk.now()).await?;
    Ok((found, desk.store.audit_head().await?))
}

/// The fewest days that events are kept.
pub const FEWEST_DAYS: u16 = 90;

/// Lets go of events that were sealed so many days ago. How many seals those were in.
pub async fn prune(desk: &Desk<'_>, days: u16) -> Done<usize> {
    if days < FEWEST_DAYS {
        return Err(Unmet::mistake(
            "days",
            format!("must be at least {FEWEST_DAYS}"),
        ));
    }
    let before: Timestamp = desk.now() - Seconds(i64::from(days) * 24 * 60 * 60);
    let after = json!({ "sealed_before": written(before) });
    let event = desk.event(Action::AuditPrune, "audit".to_owned(), None, Some(after));
    Ok(desk.store.prune_audit(before, &event).await?)
}
