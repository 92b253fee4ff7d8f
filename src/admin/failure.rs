//! Why requests of clients were refused, newest first, for whoever looks after the client. Pages, the API
//! and the shell say the same.

use anyhow::{Context, bail};
use serde::Serialize;

use super::{open, written};
use crate::client::mistake::{Explanation, Record};
use crate::clock::Timestamp;
use crate::config::Config;
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

/// Whose failures are wanted, or which one.
#[derive(Clone, Debug, clap::Args)]
pub struct Wanted {
    #[command(flatten)]
    of: Of,
    /// For programs.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Of {
    /// The client's `client_id`.
    client_id: Option<String>,
    /// What the page of an error calls it.
    #[arg(long)]
    reference: Option<String>,
    /// Those that named no client, or none that is registered.
    #[arg(long)]
    unknown: bool,
}

/// How many are told in a shell.
const TOLD: u32 = 100;

/// In lines for a person, or for a program.
pub async fn tell(config: &Config, wanted: &Wanted) -> anyhow::Result<String> {
    let Of {
        client_id,
        reference,
        ..
    } = &wanted.of;
    let (store, _) = open(config).await?;
    let failures = match reference {
        Some(reference) => with_reference(&store, reference).await,
        None => of_client(&store, client_id.as_deref()).await,
    };
    store.close().await;
    let failures = failures?;
    match wanted.json {
        true => Ok(serde_json::to_string_pretty(&failures)? + "\n"),
        false => {
            let lines: anyhow::Result<Vec<String>> = failures.failures.iter().map(line).collect();
            Ok(lines?.join("\n"))
        }
    }
}

async fn of_client(store: &Store, name: Option<&str>) -> anyhow::Result<Failures> {
    let parse = |name| ClientId::parse(name).context("that is no client id");
    let client_id = name.map(parse).transpose()?;
    let list = list(store, client_id.as_ref(), None, TOLD).await?;
    if list.failures.is_empty() {
        let whose = name.unwrap_or("unknown clients");
        bail!("no request of {whose} was refused in the last 7 days");
    }
    Ok(list)
}

async fn with_reference(store: &Store, reference: &str) -> anyhow::Result<Failures> {
    let failure = find(store, reference).await?.context(
        "nothing is kept under that reference: it is older than 7 days, no client's mistake, or came \
         with so many others that it was only counted",
    )?;
    Ok(Failures {
        failures: vec![failure],
        next: None,
    })
}

fn line(failure: &Failure) -> anyhow::Result<String> {
    let Explanation {
        what,
        difference,
        remedy,
    } = &failure.explanation;
    let client = match (&failure.client_id, &failure.claimed_client_id) {
        (Some(client), _) => client.to_string(),
        (None, Some(claimed)) => format!("unknown client {claimed}"),
        (None, None) => "no client".to_owned(),
    };
    let times = match failure.times {
        1 => String::new(),
        times => format!("  {times} times"),
    };
    let difference = difference.as_ref();
    Ok(format!(
        "{}  {}  {client}  {} {}  {}{times}\n  {what}\n{}  {remedy}\n",
        written(failure.at)?,
        failure.reference,
        failure.endpoint,
        failure.code,
        failure.kind,
        difference.map_or(String::new(), |text| format!("  {text}\n")),
    ))
}
