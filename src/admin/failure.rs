//! Why requests of clients were refused, newest first, for whoever looks after the client. Pages, the API
//! and the shell say the same.

use serde::Serialize;

use crate::client::mistake::{Explanation, Record};
use crate::clock::Timestamp;
use crate::id::ClientId;
use crate::storage::{self, Place, Store};

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What the page of the error calls it.
    pub reference: String,
    /// When it came first.
    pub at: Timestamp,
    /// Whose it was, where it named a registered client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// What it called its client otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_client_id: Option<String>,
    /// Where it came.
    pub endpoint: &'static str,
    /// The error code that the client was told, or a word for what a page said.
    pub code: String,
    /// The exact mistake, by a name that stays.
    pub kind: &'static str,
    /// How often the same came in that minute.
    pub times: i64,
    /// In plain words.
    pub explanation: Explanation,
}

impl From<Record> for Failure {
    fn from(record: Record) -> Failure {
        Failure {
            explanation: record.reason.explain(&record.detail),
            reference: record.reference,
            at: record.at,
            client_id: record.client_id,
            claimed_client_id: record.claimed,
            endpoint: record.endpoint.as_str(),
            code: record.code,
            kind: record.reason.as_str(),
            times: record.times,
        }
    }
}

/// A part of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Failures {
    /// Newest first.
    pub failures: Vec<Failure>,
    /// Where the next part begins; `None` at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Place>,
}

/// A client's refused requests, or those that named no registered client, from a place on.
pub async fn list(
    store: &Store,
    client_id: Option<&ClientId>,
    after: Option<Place>,
    limit: u32,
) -> storage::Result<Failures> {
    let listed = store.refusals(client_id, after, limit).await?;
    Ok(Failures {
        failures: listed.records.into_iter().map(Failure::from).collect(),
        next: listed.next,
    })
}

/// What the page of an error calls by this reference.
pub async fn find(store: &Store, reference: &str) -> storage::Result<Option<Failure>> {
    Ok(store.refusal(reference).await?.map(Failure::from))
}
