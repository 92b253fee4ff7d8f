//! `portvakt client`: clients, one by one or by a file, and the tokens by which they register themselves.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::ConfigFile;
use super::failures;
use super::shell::{self, Shell, table};
use super::token::{self, TokenCommand};
use crate::admin::client::{self, LONGEST_OVERLAP, Made, New};
use crate::admin::entitlement::{self, Asked};
use crate::admin::file::{self, Plan, Step, Terms};
use crate::admin::{Desk, Unmet, written};
use crate::audit::{Action, Door};
use crate::client::logo::data_url;
use crate::client::preset::{self, Copyable, PRESETS, Preset};
use crate::client::registered::{ManagedBy, Registered};
use crate::client::setting::from_json;
use crate::client::{Entitlement, Metadata, Reason};
use crate::clock::Seconds;
use crate::id::ClientId;
use crate::storage::ClientFilter;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Says which clients there are.
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// Those whose id, name or addresses hold this.
        #[arg(long)]
        search: Option<String>,
        /// Those that are managed so: file, admin or registration.
        #[arg(long, value_parser = managed_by)]
        managed_by: Option<ManagedBy>,
        /// Those that are removed and can be restored.
        #[arg(long)]
        removed: bool,
        /// Those that may have personal numbers.
        #[arg(long)]
        entitled: bool,
        /// For another program.
        #[arg(long)]
        json: bool,
    },
    /// Shows all that is registered of one, as JSON.
    Show(One),
    /// Registers a client, and shows its secret this once.
    Create {
        #[command(flatten)]
        file: ConfigFile,
        /// Its id; without, a new one.
        #[arg(long, value_parser = client_id)]
        client_id: Option<ClientId>,
        /// Its sector for pairwise subjects; without, the host of its redirect URIs.
        #[arg(long)]
        sector: Option<String>,
        /// The application that it is for: then what is said is what that needs to be known of it, as
        /// `address=https://…`, and it is registered as that application needs it.
        #[arg(long, value_parser = application)]
        application: Option<&'static Preset>,
        /// What it is set to: `client_name="The app"`, `redirect_uris=["https://…"]`. What is no JSON is text.
        #[arg(required = true, value_parser = setting)]
        settings: Vec<Set>,
    },
    /// Shows what is pasted into an application, so that people can log in to it by this client.
    Paste {
        #[command(flatten)]
        one: One,
        /// The application; without, the one that the client's addresses are of.
        #[arg(long, value_parser = application)]
        application: Option<&'static Preset>,
        /// For another program.
        #[arg(long)]
        json: bool,
    },
    /// Changes some of a client's settings, and leaves the others.
    Set {
        #[command(flatten)]
        one: One,
        /// As for create; `name=null` has it as if it was never set.
        #[arg(required = true, value_parser = setting)]
        settings: Vec<Set>,
    },
    /// Removes a client with its sessions and tokens. It can be restored for 30 days, without those.
    Remove(One),
    /// Brings a removed client back.
    Restore(One),
    /// Gives a client another secret, and shows it this once. The old one lives on for a while.
    Secret {
        #[command(flatten)]
        one: One,
        /// For how many hours.
        #[arg(long, default_value_t = 168, value_parser = clap::value_parser!(u16).range(0..=2160))]
        overlap_hours: u16,
        /// Ends this secret instead, at once.
        #[arg(long)]
        end: Option<String>,
    },
    /// Lets a client have personal numbers, or ends that.
    Entitle {
        #[command(flatten)]
        one: One,
        /// Why it needs them (3 kap. 10 § lagen 2018:218).
        #[arg(long, value_parser = reason, required_unless_present = "end")]
        purpose: Option<Reason>,
        /// For how many days; without, until somebody ends it.
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=3660))]
        days: Option<u16>,
        /// Ends it at once.
        #[arg(long, conflicts_with_all = ["purpose", "days"])]
        end: bool,
    },
    /// Says what a file of clients would change.
    Plan(FromFile),
    /// Changes it, all or nothing.
    Apply {
        #[command(flatten)]
        from: FromFile,
        /// Says what it would change, and changes nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Writes clients as such a file, in TOML. Secrets are in it by their digests.
    Export {
        #[command(flatten)]
        file: ConfigFile,
        /// Those that are managed so: file, admin or registration.
        #[arg(long, value_parser = managed_by)]
        managed_by: Option<ManagedBy>,
        /// Those of this client file.
        #[arg(long)]
        source: Option<String>,
    },
    /// Says why a client's requests were refused in the last 7 days, newest first.
    Failures {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        wanted: failures::Wanted,
    },
    /// What lets clients register themselves.
    #[command(subcommand)]
    Token(TokenCommand),
}

#[derive(Debug, clap::Args)]
pub struct One {
    #[command(flatten)]
    file: ConfigFile,
    /// Its `client_id`.
    client_id: String,
}

#[derive(Debug, clap::Args)]
pub struct FromFile {
    #[command(flatten)]
    file: ConfigFile,
    /// The clients: the tables [[client]] of the configuration, in TOML or YAML.
    clients: PathBuf,
    /// What the clients of this file are told from those of other files by.
    #[arg(long, default_value = "clients")]
    source: String,
    /// Removes clients of the same source that the file does not name.
    #[arg(long)]
    prune: bool,
    /// Takes clients over that are managed elsewhere.
    #[arg(long)]
    take_over: bool,
}

/// A setting and its value.
#[derive(Clone, Debug)]
pub struct Set {
    name: String,
    value: Value,
    /// The value as it was written.
    text: String,
}

fn setting(text: &str) -> Result<Set, String> {
    let (name, value) = text.split_once('=').ok_or("a setting is NAME=VALUE")?;
    Ok(Set {
        name: name.to_owned(),
        value: serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)),
        text: value.to_owned(),
    })
}

fn application(text: &str) -> Result<&'static Preset, String> {
    let known = || PRESETS.iter().map(|preset| preset.id).collect::<Vec<_>>();
    Preset::named(text).ok_or_else(|| known().join(", "))
}

fn managed_by(text: &str) -> Result<ManagedBy, String> {
    ManagedBy::parse(text).ok_or_else(|| ManagedBy::ALL.map(ManagedBy::as_str).join(", "))
}

fn client_id(text: &str) -> Result<ClientId, String> {
    ClientId::parse(text).ok_or_else(|| "1 to 255 visible ASCII characters".to_owned())
}

fn reason(text: &str) -> Result<Reason, String> {
    Reason::parse(text).ok_or_else(|| "1 to 500 characters without control characters".to_owned())
}

impl Command {
    fn file(&self) -> &ConfigFile {
        match self {
            Command::List { file, .. }
            | Command::Create { file, .. }
            | Command::Failures { file, .. }
            | Command::Export { file, .. } => file,
            Command::Show(one)
            | Command::Set { one, .. }
            | Command::Paste { one, .. }
            | Command::Remove(one)
            | Command::Restore(one)
            | Command::Secret { one, .. }
            | Command::Entitle { one, .. } => &one.file,
            Command::Plan(from) | Command::Apply { from, .. } => &from.file,
            Command::Token(command) => command.file(),
        }
    }
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    let shell = Shell::open(command.file()).await?;
    let said = said(&shell, command).await;
    shell.end(said).await
}

async fn said(shell: &Shell, command: Command) -> anyhow::Result<String> {
    let desk = shell.desk(Door::Cli);
    match command {
        Command::List {
            search,
            managed_by,
            removed,
            entitled,
            json,
            ..
        } => {
            let filter = ClientFilter {
                search,
                managed_by,
                removed,
                entitled,
                ..ClientFilter::default()
            };
            let clients = client::list(&desk, &filter, u16::MAX - 1).await?;
            match json {
                true => shell::json(&clients.iter().map(client::shown).collect::<Vec<_>>()),
                false => Ok(listed(&clients)),
            }
        }
        Command::Show(one) => {
            let read = client::find(&desk, &one.client_id).await?;
            let mut all = client::shown(&read);
            let details = shell
                .store
                .registration_details(&read.client.client_id)
                .await?;
            if let Some(details) = details {
                all["registration"] = json!(details);
            }
            shell::json(&all)
        }
        Command::Create {
            client_id,
            sector,
            application,
            settings,
            ..
        } => {
            let metadata = match application {
                None => with(Map::new(), settings)?,
                Some(preset) => answering(preset, settings)?,
            };
            let new = New {
                client_id,
                sector,
                metadata,
            };
            Ok(told(&client::create(&desk, new).await?, "is registered"))
        }
        Command::Paste {
            one,
            application,
            json,
        } => {
            let read = client::find(&desk, &one.client_id).await?;
            let issuer = &shell.config.issuer.url;
            let preset = application.unwrap_or_else(|| preset::likely(&read.client, issuer));
            let all = preset::settings_to_copy(preset, &read.client, issuer)
                .map_err(|mistake| Unmet::Mistakes(vec![mistake]))?;
            match json {
                true => shell::json(&all),
                false => Ok(all.iter().map(pasted).collect::<Vec<_>>().join("\n")),
            }
        }
        Command::Set { one, settings } => {
            let read = client::find(&desk, &one.client_id).await?;
            let Value::Object(members) = serde_json::to_value(&read.client.metadata)? else {
                bail!("the registration is no object");
            };
            let metadata = with(members, settings)?;
            let version = Some(read.version);
            let made = client::change(&desk, &one.client_id, version, None, metadata).await?;
            Ok(match made.registered.version == read.version {
                true => format!("{} is like that already.\n", one.client_id),
                false => told(&made, "is changed"),
            })
        }
        Command::Remove(one) => {
            client::remove(&desk, &one.client_id, None).await?;
            let id = one.client_id;
            Ok(format!(
                "{id} is removed, with its sessions and tokens. `portvakt client restore {id}` brings it back within 30 days.\n"
            ))
        }
        Command::Restore(one) => {
            client::restore(&desk, &one.client_id).await?;
            Ok(format!("{} is back, with its secrets.\n", one.client_id))
        }
        Command::Secret {
            one, end: Some(id), ..
        } => {
            client::end_secret(&desk, &one.client_id, None, &id).await?;
            Ok(format!("The secret {id} of {} has ended.\n", one.client_id))
        }
        Command::Secret {
            one, overlap_hours, ..
        } => {
            let overlap = Seconds(i64::from(overlap_hours) * 60 * 60).min(LONGEST_OVERLAP);
            let made = client::add_secret(&desk, &one.client_id, None, overlap).await?;
            Ok(told(&made, "has another secret"))
        }
        Command::Entitle {
            one,
            purpose: Some(purpose),
            days,
            ..
        } => {
            let wanted = Entitlement {
                purpose,
                expires_at: days.map(|days| desk.now() + Seconds(i64::from(days) * 24 * 60 * 60)),
            };
            let id = one.client_id;
            Ok(match entitlement::ask(&desk, &id, None, wanted).await? {
                Asked::Granted => format!("{id} may have personal numbers.\n"),
                Asked::Waiting => format!(
                    "An administrator must say yes before {id} may have personal numbers.\n"
                ),
            })
        }
        Command::Entitle { one, .. } => {
            entitlement::end(&desk, &one.client_id, None).await?;
            Ok(format!(
                "{} may not have personal numbers any more.\n",
                one.client_id
            ))
        }
        Command::Plan(from) => Ok(planned(&plan(shell, &from).await?)),
        Command::Apply { from, dry_run } => {
            let plan = plan(shell, &from).await?;
            if !dry_run {
                file::apply(&shell.desk(Door::File), &plan).await?;
            }
            Ok(planned(&plan))
        }
        Command::Export {
            managed_by, source, ..
        } => {
            let filter = ClientFilter {
                managed_by,
                source,
                ..ClientFilter::default()
            };
            file::export(&desk, &filter).await
        }
        Command::Failures { wanted, .. } => failures::tell(&shell.store, &wanted).await,
        Command::Token(command) => token::said(&desk, &shell.config.issuer.url, command).await,
    }
}

/// Settings on top of others. A path may lead into an object.
fn with(mut members: Map<String, Value>, settings: Vec<Set>) -> anyhow::Result<Metadata> {
    for set in settings {
        let Set { name, value, .. } = with_file(set)?;
        put(&mut members, &name, value)
            .with_context(|| format!("{name}: what it is a part of is no object"))?;
    }
    from_json(Value::Object(members)).map_err(|mistakes| Unmet::Mistakes(mistakes).into())
}

/// The same for an application, of what its preset asks for.
fn answering(preset: &Preset, settings: Vec<Set>) -> anyhow::Result<Metadata> {
    let answers = settings.into_iter().map(|set| (set.name, set.text));
    preset::metadata(preset, &answers.collect::<Vec<_>>())
        .map_err(|mistakes| Unmet::Mistakes(mistakes).into())
}

/// What it is and where it goes, and then the text as it is.
fn pasted(one: &Copyable) -> String {
    format!("# {} · {}\n\n{}", one.title, one.place, one.text)
}

/// A logo that lies in a file: an argument can be shorter than many pictures.
fn with_file(set: Set) -> anyhow::Result<Set> {
    let path = match (set.name.as_str(), &set.value) {
        ("theme.logo_file" | "theme.logo_dark_file", Value::String(path)) => path,
        _ => return Ok(set),
    };
    let file = std::fs::read(path).with_context(|| format!("cannot read {path}"))?;
    Ok(Set {
        name: set.name.trim_end_matches("_file").to_owned(),
        value: Value::from(data_url(&file)),
        ..set
    })
}

fn put(members: &mut Map<String, Value>, name: &str, value: Value) -> Option<()> {
    match name.split_once('.') {
        None if value.is_null() => {
            members.remove(name);
            Some(())
        }
        None => {
            members.insert(name.to_owned(), value);
            Some(())
        }
        Some((first, rest)) => {
            let inner = members.entry(first).or_insert_with(|| json!({}));
            put(inner.as_object_mut()?, rest, value)
        }
    }
}

fn told(made: &Made, what: &str) -> String {
    let id = &made.registered.client.client_id;
    match &made.secret {
        Some(secret) => format!(
            "{id} {what}. Its secret is shown this once:\n{}\n",
            secret.expose()
        ),
        None => format!("{id} {what}.\n"),
    }
}

fn listed(clients: &[Registered]) -> String {
    let row = |read: &Registered| {
        let client = &read.client;
        let first = client.metadata.redirect_uris.first();
        vec![
            client.client_id.as_str().to_owned(),
            match read.source.as_str() {
                "" => read.managed_by.as_str().to_owned(),
                source => format!("{}:{source}", read.managed_by.as_str()),
            },
            written(read.updated_at),
            client.metadata.client_name.as_str().to_owned(),
            first.map_or_else(String::new, |uri| uri.as_str().to_owned()),
        ]
    };
    let rows: Vec<_> = clients.iter().map(row).collect();
    table(
        &["client_id", "managed by", "changed", "name", "redirect URI"],
        &rows,
    )
}

async fn plan(shell: &Shell, from: &FromFile) -> anyhow::Result<Plan> {
    if from.source.is_empty() {
        bail!("--source must not be empty");
    }
    let clients = file::read(&from.clients)?;
    let terms = Terms {
        source: from.source.clone(),
        prune: from.prune,
        take_over: from.take_over,
    };
    let desk: Desk<'_> = shell.desk(Door::File);
    Ok(file::plan(&desk, &clients, terms).await?)
}

fn planned(plan: &Plan) -> String {
    let mut said: String = plan.steps.iter().map(step).collect();
    let changes = plan.steps.len();
    said += &format!("{changes} to change, {} unchanged.\n", plan.unchanged);
    said
}

fn step(step: &Step) -> String {
    let sign = match step.action {
        Action::ClientCreate => '+',
        Action::ClientRemove => '-',
        _ => '~',
    };
    let mut said = format!("{sign} {}", step.client.client_id);
    if step.action == Action::ClientRestore {
        said += " (removed now)";
    }
    if let Some(from) = step.taken_from {
        said += &format!(" (managed by {} now)", from.as_str());
    }
    if step.new_secrets && step.action != Action::ClientCreate {
        said += " (with other secrets)";
    }
    said.push('\n');
    if step.action == Action::ClientRemove {
        return said;
    }
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    for (name, before) in members(&step.before) {
        said += &format!("    - {name} = {before}\n");
    }
    for (name, after) in members(&step.after) {
        said += &format!("    + {name} = {after}\n");
    }
    said
}
