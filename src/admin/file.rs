//! Clients in a file: compared with what is registered, applied in one commit, and written out.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use serde::Deserialize;
use serde_json::Value;

use super::client::judged;
use super::logo::are_kept;
use super::{Desk, Done, Unmet};
use crate::audit::client::{Act, acts};
use crate::audit::{Action, difference};
use crate::client::Client;
use crate::client::authentication::ClientSecret;
use crate::client::logo::{LogoDigest, data_url};
use crate::client::registered::{ManagedBy, Registered, said};
use crate::client::setting::Mistake;
use crate::config::client::{RegisteredClient, SecretDigest, check_all, not_an_id};
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
        match written::Client::examine(table) {
            Ok(client) => read.push(client),
            Err(mistakes) => {
                for mistake in mistakes {
                    found.add(&below(&key, &mistake.setting), mistake.reason);
                }
            }
        }
    }
    let base = file.parent().unwrap_or(Path::new("."));
    let clients = check_all(read, base, &mut found);
    match found.is_empty() {
        true => Ok(clients),
        false => Err(Problems::from(found).into()),
    }
}

/// The key of a setting of a client, as the file has it.
fn below(client: &str, setting: &str) -> String {
    match setting {
        "" => client.to_owned(),
        setting => format!("{client}.{setting}"),
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
    acts: Vec<Act>,
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
    let mut mistakes = Vec::new();
    for client in wanted {
        let id = &client.client.client_id;
        let read = desk.store.registered(id).await?;
        let kept = are_kept(desk, &client.client.metadata).await;
        match kept.and_then(|()| step(desk, client, read, &plan.terms)) {
            Ok(Some(step)) => plan.steps.push(step),
            Ok(None) => plan.unchanged += 1,
            Err(Unmet::Mistakes(all)) => mistakes.extend(all.into_iter().map(|mistake| Mistake {
                setting: below(&format!("client.{id}"), &mistake.setting),
                ..mistake
            })),
            Err(other) => return Err(other),
        }
    }
    if !mistakes.is_empty() {
        return Err(Unmet::Mistakes(mistakes));
    }
    if plan.terms.prune {
        let named: BTreeSet<&str> = wanted.iter().map(|c| c.client.client_id.as_str()).collect();
        let filter = ClientFilter {
            managed_by: Some(ManagedBy::File),
            source: Some(plan.terms.source.clone()),
            ..ClientFilter::default()
        };
        for read in all(desk, &filter).await? {
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
    if let Some(reason) = not_an_id(id) {
        return Err(Unmet::mistake("client_id", reason));
    }
    // A sector stays: people would be strangers to the client otherwise.
    let kept = read.as_ref().map(|read| read.client.sector.as_str());
    let sector = match (&wanted.named_sector, kept) {
        (Some(named), Some(kept)) if named != kept => {
            let why = format!("the sector is {kept} and cannot be changed by a file");
            return Err(Unmet::mistake("sector", why));
        }
        (Some(named), _) => named,
        (None, Some(kept)) => kept,
        (None, None) => &wanted.client.sector,
    };
    let metadata = wanted.client.metadata.clone();
    let client = judged(desk, read.as_ref(), id.clone(), Some(sector), metadata)?;
    let ours = (ManagedBy::File, terms.source.as_str());
    let taken_from = match &read {
        Some(read) if (read.managed_by, read.source.as_str()) != ours => {
            may_be_taken(read, terms)?;
            Some(read.managed_by)
        }
        _ => None,
    };
    let new_secrets = match &read {
        Some(read) => !same_secrets(&read.secrets, &wanted.secrets),
        None => !wanted.secrets.is_empty(),
    };
    let before = read.as_ref().map(Registered::said).unwrap_or_default();
    let (before, after) = difference(&before, &said(&client));
    let acts = acts(read.as_ref(), &client, ours, &wanted.secrets);
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
        acts,
        secrets: wanted.secrets.clone(),
        client,
        read,
    }))
}

/// Whether a file may have a client that somebody else manages, also when it is removed.
fn may_be_taken(read: &Registered, terms: &Terms) -> Done<()> {
    let is_of_a_file = read.managed_by == ManagedBy::File;
    let state = match read.removed_at {
        Some(_) => "is removed, and was managed",
        None => "is managed",
    };
    let manager = match read.source.as_str() {
        "" if is_of_a_file && read.removed_at.is_none() => {
            return Err(Unmet::mistake(
                "",
                "is in the configuration, which would have it back at the next start",
            ));
        }
        "" if is_of_a_file => "the configuration".to_owned(),
        "" => read.managed_by.as_str().to_owned(),
        source => format!("the client file {source:?}"),
    };
    match terms.take_over {
        true => Ok(()),
        false => Err(Unmet::mistake(
            "",
            format!("{state} by {manager}: --take-over lets this file have it"),
        )),
    }
}

fn removal(read: Registered) -> Step {
    Step {
        action: Action::ClientRemove,
        client: read.client.clone(),
        before: read.said(),
        after: Value::Null,
        acts: vec![Act {
            action: Action::ClientRemove,
            before: Some(read.said()),
            after: None,
        }],
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
        let id = object(&step.client.client_id);
        let events = step.acts.iter().cloned();
        let events = events.map(|act| desk.event(act.action, id.clone(), act.before, act.after));
        all.push((step.read.as_ref(), decided, events.collect()));
    }
    match desk.store.save_clients(&all, now).await? {
        true => Ok(()),
        false => Err(Unmet::Stale),
    }
}

/// Every client of a kind, however many there are.
async fn all(desk: &Desk<'_>, filter: &ClientFilter) -> Done<Vec<Registered>> {
    const PART: u16 = 1000;
    let mut filter = filter.clone();
    let mut all = Vec::new();
    loop {
        let part = super::client::list(desk, &filter, PART).await?;
        let last = part.last().map(|read| read.client.client_id.to_string());
        let is_over = part.len() < usize::from(PART);
        all.extend(part);
        if is_over {
            return Ok(all);
        }
        filter.after = last;
    }
}

/// Logos as what they are, so that another installation can have them.
async fn write_logos(
    desk: &Desk<'_>,
    client: &Client,
    table: &mut toml::Table,
) -> anyhow::Result<()> {
    let theme = table.get_mut("theme").and_then(toml::Value::as_table_mut);
    for (name, digest) in theme.into_iter().flatten() {
        if !["logo", "logo_dark"].contains(&name.as_str()) {
            continue;
        }
        let kept = digest.as_str().and_then(LogoDigest::parse);
        let kept = kept.with_context(|| format!("client {}: {name}", client.client_id))?;
        let png = desk.store.logo(kept).await?;
        let png =
            png.with_context(|| format!("client {}: {name} is not kept", client.client_id))?;
        *digest = data_url(&png).into();
    }
    Ok(())
}

/// Clients as a file that can be applied: their secrets by what they are recognised by, so that whoever has
/// one need not be given another.
pub async fn export(desk: &Desk<'_>, filter: &ClientFilter) -> anyhow::Result<String> {
    let mut tables = Vec::new();
    for read in all(desk, filter).await? {
        let id = &read.client.client_id;
        let mut table =
            toml::Table::try_from(&read.client.metadata).with_context(|| format!("client {id}"))?;
        write_logos(desk, &read.client, &mut table).await?;
        table.insert("client_id".to_owned(), id.as_str().into());
        table.insert("sector".to_owned(), read.client.sector.clone().into());
        // One that has an end is written as the one before, and is taken until the file leaves it out.
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
