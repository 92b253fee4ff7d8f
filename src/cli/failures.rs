//! `portvakt client failures`: why requests were refused, for a person or for a program.

use anyhow::{Context, bail};

use super::shell;
use crate::admin::failure::{Failure, Failures, find, list};
use crate::admin::written;
use crate::client::mistake::Explanation;
use crate::id::ClientId;
use crate::storage::Store;

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
pub async fn tell(store: &Store, wanted: &Wanted) -> anyhow::Result<String> {
    let Of {
        client_id,
        reference,
        ..
    } = &wanted.of;
    let failures = match reference {
        Some(reference) => with_reference(store, reference).await,
        None => of_client(store, client_id.as_deref()).await,
    };
    let failures = failures?;
    match wanted.json {
        true => shell::json(&failures),
        false => {
            let lines: Vec<String> = failures.failures.iter().map(line).collect();
            Ok(lines.join("\n"))
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

fn line(failure: &Failure) -> String {
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
    format!(
        "{}  {}  {client}  {} {}  {}{times}\n  {what}\n{}  {remedy}\n",
        written(failure.at),
        failure.reference,
        failure.endpoint,
        failure.code,
        failure.kind,
        difference.map_or(String::new(), |text| format!("  {text}\n")),
    )
}
