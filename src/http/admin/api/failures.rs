//! Why requests of clients were refused.

use super::super::super::answer::Answer;
use super::{Answered, Call, cursor, shown};
use crate::admin::{Unmet, client, failure};
use crate::clock::Timestamp;
use crate::id::Id;
use crate::storage::Place;

pub async fn list(call: Call) -> Answered {
    let read = client::find(&call.desk(), &call.client_id()?).await?;
    let after = call.place("failures", |[at, id]: [String; 2]| {
        Some(Place {
            at: Timestamp(at.parse().ok()?),
            id: Id::parse(&id)?,
        })
    })?;
    let (store, id) = (&call.provider.store, &read.client.client_id);
    let listed = failure::list(store, Some(id), after, u32::from(call.limit())).await?;
    let next = listed.next.map(|place| {
        let (at, id) = (place.at.0.to_string(), place.id.to_string());
        cursor::write("failures", &[&at, &id])
    });
    let items = listed.failures.iter().map(shown::failure).collect();
    Ok(Answer::json(&shown::part(items, next)))
}

pub async fn find(call: Call) -> Answered {
    let reference = call.query.first("reference").unwrap_or_default();
    let found = failure::find(&call.provider.store, reference).await?;
    let found = found.ok_or(Unmet::Unknown("reference"))?;
    Ok(Answer::json(&shown::failure(&found)))
}
