//! Clients in a file: compared with what is registered, applied in one commit, and written out.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use serde::Deserialize;
use serde_json::Value;

use super::client::{CONSOLE, judged};
use super::{Desk, Done, Unmet};
use crate::audit::{Action, difference};
use crate::client::Client;
use crate::client::authentication::ClientSecret;
use crate::client::registered::{ManagedBy, Registered, said};
use crate::config::client::{RegisteredClient, SecretDigest, check_all};
use crate::config::{Findings, Problems, written};
use crate::secret::Digest;
use crate::storage::{ClientFilter, Decided, SecretChange, object, same_secrets};

/// The clients that a file names. TOML is the tables `[[client]]` of the configuration; YAML is the same
/// under `client`.
pub fn read(file: &Path) -> anyhow::Result<Vec<RegisteredClient>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Clients {
        client: Vec<toml::Table>,
    }
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let extension = file.extension().and_then(|extension| extension.to_str());
    let clients: Clients = match extension {
        Some("yaml" | "yml") => serde_saphyr::from_str(&text).map_err(|e| anyhow!("{e}"))?,
        Some("toml") => toml::from_str(&text).map_err(|e| anyhow!("{}", e.message()))?,
        _ => bail!(
            "{}: the name must end in .toml, .yaml or .yml",
            file.display()
        ),
    };
    let mut found = Findings::default();
    let mut read = Vec::new();
    for (at, table) in clients.client.into_iter().enumerate() {
        let name = table.get("client_id").and_then(toml::Value::as_str);
        let key = name.map_or(format!("client {}", at + 1), |name| {
            format!("client.{name}")
        });
        let client = written::Client::try_from(table).map_err(|e| e.message().to_owned());
        read.extend(found.take(&key, client));
    }
    let base = file.parent().unwrap_or(Path::new("."));
    let clients = check_all(read, base, &mut found);
    match found.is_empty() {
        true => Ok(clients),
        false => Err(Problems::from(found).into()),
    }
}

/// How a file is applied.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What the file's clients are told from those of other files by.
    pub source: String,
    /// Whether clients of the same source that the file does not name are removed.
    pub prune: bool,
    /// Whether it takes clients over that are managed elsewhere.
    pub take_over: bool,
}

/// What a file would change.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Each client that would change.
    pub steps: Vec<Step>,
    /// How many would not.
    pub unchanged: usize,
    terms: Terms,
}

/// What would become of one client.
#[derive(Clone, Debug)]
pub struct Step {
    /// What.
    pub action: Action,
    /// Which client, as it would be.
    pub client: Client,
    /// What of it would not be any more.
    pub before: Value,
    /// What would be instead.
    pub after: Value,
    /// Whether its secrets would change.
    pub new_secrets: bool,
    /// Who manages it now, where that would be somebody else.
    pub taken_from: Option<ManagedBy>,
    read: Option<Registered>,
    secrets: Vec<Digest<ClientSecret>>,
}

/// What a file would change, without changing it.
pub async fn plan(desk: &Desk<'_>, wanted: &[RegisteredClient], terms: Terms) -> Done<Plan> {
    let mut plan = Plan {
        steps: Vec::new(),
        unchanged: 0,
        terms,
    };
    for client in wanted {
        let id = &client.client.client_id;
        let read = desk.store.registered(id).await?;
        match step(desk, client, read, &plan.terms)? {
            Some(step) => plan.steps.push(step),
            None => plan.unchanged += 1,
        }
    }
    if plan.terms.prune {
        let named: BTreeSet<&str> = wanted.iter().map(|c| c.client.client_id.as_str()).collect();
        let filter = ClientFilter {
            managed_by: Some(ManagedBy::File),
            source: Some(plan.terms.source.clone()),
            ..ClientFilter::default()
        };
        for read in desk.store.clients(&filter, u16::MAX).await? {
            if !named.contains(read.client.client_id.as_str()) {
                plan.steps.push(removal(read));
            }
        }
    }
    Ok(plan)
}

fn step(
    desk: &Desk<'_>,
    wanted: &RegisteredClient,
    read: Option<Registered>,
    terms: &Terms,
) -> Done<Option<Step>> {
    let id = &wanted.client.client_id;
    let at = |setting: &str| format!("client.{id}{setting}");
    if id.as_str() == CONSOLE {
        return Err(Unmet::mistake(
            &at(""),
            "this id is the administration's own",
        ));
    }
    // A sector stays: people would be strangers to the client otherwise.
    let kept = read.as_ref().map(|read| read.client.sector.as_str());
    let sector = match (&wanted.named_sector, kept) {
        (Some(named), Some(kept)) if named != kept => {
            let why = format!("the sector is {kept} and cannot be changed by a file");
            return Err(Unmet::mistake(&at(".sector"), why));
        }
        (Some(named), _) => named,
        (None, Some(kept)) => kept,
        (None, None) => &wanted.client.sector,
    };
    let metadata = wanted.client.metadata.clone();
    let client = judged(desk, read.as_ref(), id.clone(), Some(sector), metadata)?;
    let ours = (ManagedBy::File, terms.source.as_str());
    let taken_from = match &read {
        Some(read) if (read.managed_by, read.source.as_str()) == ours => None,
        Some(read) if read.removed_at.is_some() => None,
        Some(read) if read.managed_by == ManagedBy::File && read.source.is_empty() => {
            return Err(Unmet::mistake(
                &at(""),
                "is in the configuration, which would have it back at the next start",
            ));
        }
        Some(read) if !terms.take_over => {
            return Err(Unmet::mistake(
                &at(""),
                format!(
                    "is managed by {} now: --take-over lets the file have it",
                    read.managed_by.as_str()
                ),
            ));
        }
        Some(read) => Some(read.managed_by),
        None => None,
    };
    let new_secrets = match &read {
        Some(read) => !same_secrets(&read.secrets, &wanted.secrets),
        None => !wanted.secrets.is_empty(),
    };
    let before = read.as_ref().map(Registered::said).unwrap_or_default();
    let (before, after) = difference(&before, &said(&client));
    let action = match &read {
        None => Action::ClientCreate,
        Some(read) if read.removed_at.is_some() => Action::ClientRestore,
        Some(read) => {
            let same = read.client == client && !new_secrets && taken_from.is_none();
            if same {
                return Ok(None);
            }
            Action::ClientChange
        }
    };
    Ok(Some(Step {
        action,
        before,
        after,
        new_secrets,
        taken_from,
        secrets: wanted.secrets.clone(),
        client,
        read,
    }))
}

fn removal(read: Registered) -> Step {
    Step {
        action: Action::ClientRemove,
        client: read.client.clone(),
        before: read.said(),
        after: Value::Null,
        new_secrets: false,
        taken_from: None,
        secrets: Vec::new(),
        read: Some(read),
    }
}

/// Does what was planned, all of it or nothing.
pub async fn apply(desk: &Desk<'_>, plan: &Plan) -> Done<()> {
    let now = desk.now();
    let mut all = Vec::new();
    for step in &plan.steps {
        let is_removed = step.action == Action::ClientRemove;
        let decided = Decided {
            client: &step.client,
            managed_by: ManagedBy::File,
            source: &plan.terms.source,
            secrets: match is_removed {
                true => SecretChange::Kept,
                false => SecretChange::Exactly(step.secrets.clone()),
            },
            removed_at: is_removed.then_some(now),
            looked_after_by: None,
        };
        let told = |value: &Value| Some(value.clone()).filter(|value| !value.is_null());
        let before = told(&step.before).filter(|_| step.read.is_some());
        let id = object(&step.client.client_id);
        let event = desk.event(step.action, id, before, told(&step.after));
        all.push((step.read.as_ref(), decided, event));
    }
    match desk.store.save_clients(&all, now).await? {
        true => Ok(()),
        false => Err(Unmet::Stale),
    }
}

/// Clients as a file that can be applied: their secrets by what they are recognised by, so that whoever has
/// one need not be given another.
pub async fn export(desk: &Desk<'_>, filter: &ClientFilter) -> anyhow::Result<String> {
    let mut tables = Vec::new();
    for read in super::client::list(desk, filter, u16::MAX - 1).await? {
        let id = &read.client.client_id;
        let mut table =
            toml::Table::try_from(&read.client.metadata).with_context(|| format!("client {id}"))?;
        table.insert("client_id".to_owned(), id.as_str().into());
        table.insert("sector".to_owned(), read.client.sector.clone().into());
        let digests = desk.store.client_secrets(id, desk.now()).await?;
        let keys = ["client_secret_digest", "previous_client_secret_digest"];
        for (key, digest) in keys.into_iter().zip(digests) {
            table.insert(key.to_owned(), SecretDigest::of(digest).to_string().into());
        }
        tables.push(toml::Value::Table(table));
    }
    let mut file = toml::Table::new();
    file.insert("client".to_owned(), toml::Value::Array(tables));
    Ok(toml::to_string_pretty(&file)?)
}
