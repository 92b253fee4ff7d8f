//! `portvakt key`: the keys that tokens are signed with, and those of the database.

use anyhow::bail;
use clap::Subcommand;
use serde_json::{Value, json};

use super::ConfigFile;
use super::shell::{self, Shell};
use crate::admin::key::{Use, announce, fate, list, revoke, roll, uses};
use crate::admin::{Desk, written};
use crate::audit::Door;
use crate::checking::keys;
use crate::clock::SKEW;
use crate::config::Config;
use crate::jose::algorithm::Algorithm;
use crate::jose::rotation::{KeyRecord, Rotation};
use crate::storage::{Purpose, Revoked, Rolled, SETTLING, Store};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Says which keys there are, and what becomes of them.
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// For another program.
        #[arg(long)]
        json: bool,
    },
    /// Announces the next key before it is time.
    Rotate {
        #[command(flatten)]
        file: ConfigFile,
        /// RS256, PS256, ES256 or EdDSA; without, each of them.
        #[arg(long, value_parser = algorithm)]
        algorithm: Option<Algorithm>,
    },
    /// Removes a key at once, as when somebody else may have it. Another one takes its place.
    Revoke {
        #[command(flatten)]
        file: ConfigFile,
        /// Its `kid`, which may begin with a hyphen.
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
    /// Says what the keys of the database are: what wraps them, what they seal, and whether an old one is
    /// still needed.
    Status {
        #[command(flatten)]
        file: ConfigFile,
        /// For another program.
        #[arg(long)]
        json: bool,
    },
    /// Makes another key to seal the database's values with. Nodes seal them anew while they run.
    RollSealing {
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Makes another key to find people by their number. Each moves to it at their next login.
    RollIndex {
        #[command(flatten)]
        file: ConfigFile,
    },
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::parse(text).ok_or_else(|| Algorithm::ALL.map(Algorithm::as_str).join(", "))
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    let file = match &command {
        Command::List { file, .. }
        | Command::Rotate { file, .. }
        | Command::Revoke { file, .. }
        | Command::Status { file, .. }
        | Command::RollSealing { file }
        | Command::RollIndex { file } => file,
    };
    let shell = Shell::open(file).await?;
    let said = said(&shell, &command).await;
    shell.end(said).await
}

async fn said(shell: &Shell, command: &Command) -> anyhow::Result<String> {
    let desk = shell.desk(Door::Cli);
    let mut said = String::new();
    match command {
        Command::List { json: true, .. } => {
            let keys = list(&desk).await?;
            let shown = keys
                .iter()
                .map(|key| shown(key, &keys, &shell.config.rotation));
            said += &shell::json(&shown.collect::<Vec<_>>())?;
        }
        Command::List { json: false, .. } => {
            let keys = list(&desk).await?;
            for key in &keys {
                let (kid, algorithm, state) = (&key.kid, key.algorithm, key.state.as_str());
                let then = fate(key, &keys, &shell.config.rotation);
                said += &format!("{kid}  {algorithm}  {state:9}  {then}\n");
            }
        }
        Command::Rotate {
            algorithm: only, ..
        } => {
            for algorithm in Algorithm::ALL {
                if only.is_none_or(|only| only == algorithm) {
                    let announced = announce(&desk, algorithm).await?;
                    let (kid, from) = (&announced.key.kid, written(announced.key.active_at));
                    let word = if announced.is_new {
                        "is"
                    } else {
                        "was already"
                    };
                    said +=
                        &format!("{algorithm}: {kid} {word} announced, and signs from {from}\n");
                }
            }
        }
        Command::Revoke { kid, .. } => {
            said += &match revoke(&desk, kid).await? {
                (_, Revoked::Unknown | Revoked::Gone) => {
                    format!("{kid} is revoked. It did not sign.\n")
                }
                (algorithm, Revoked::Announced(next)) => format!(
                    "{kid} is revoked. {next}, which was announced before, signs {algorithm} in its place.\n"
                ),
                (algorithm, Revoked::Fresh(next)) => format!(
                    "{kid} is revoked. {next} signs {algorithm} in its place. No application has seen it yet: until\n\
                     they fetch our keys again, logins fail in those that do not do so for a kid they do not know.\n"
                ),
            };
        }
        Command::Status { json, .. } => {
            let uses = uses(&desk).await?;
            said += &match json {
                true => shell::json(&json!({
                    "former_master_keys": shell.config.master_key.former.len(), "former_master_keys_needed": shell.store.needs_former_master_key(),
                    "keys": uses.iter().map(shown_use).collect::<Vec<_>>(),
                }))?,
                false => master(&shell.config, &shell.store) + &status(&uses),
            };
        }
        Command::RollSealing { .. } => said += &rolled(&desk, Purpose::Seal).await?,
        Command::RollIndex { .. } => said += &rolled(&desk, Purpose::Index).await?,
    }
    Ok(said)
}

/// Which master key wraps.
fn master(config: &Config, store: &Store) -> String {
    let former = config.master_key.former.len();
    let finding = keys::master(store.needs_former_master_key(), former);
    format!("{}: {}\n", finding.about, finding.said)
}

fn status(uses: &[Use]) -> String {
    let mut said = String::new();
    for one in uses {
        let (number, count) = (one.generation.number, one.count);
        let (what, fate) = match one.purpose {
            Purpose::Index => (
                "index",
                format!("{count} people are found by it; it {}", one.fate),
            ),
            _ => (
                "sealing",
                format!("{count} values are sealed with it; it {}", one.fate),
            ),
        };
        said += &format!("{what} key {number}: {fate}\n");
    }
    said
}

fn shown_use(one: &Use) -> Value {
    json!({
        "purpose": one.purpose.word(), "generation": one.generation.number,
        "created_at": written(one.generation.created_at), "count": one.count, "fate": one.fate,
    })
}

async fn rolled(desk: &Desk<'_>, purpose: Purpose) -> anyhow::Result<String> {
    // When nodes use a new key is told by when it was made, and that is told by this machine.
    if let Some(theirs) = desk.store.clock().await?
        && let skew = desk.clock.now().distance(theirs)
        && skew > SKEW
    {
        bail!(
            "this machine's clock is {} s off the database's, so that nodes would use the key too early or too late: set it first",
            skew.0
        );
    }
    let what = match purpose {
        Purpose::Index => "index",
        _ => "sealing",
    };
    Ok(match roll(desk, purpose).await? {
        Rolled::New(key) => {
            let from = written(key.created_at + SETTLING);
            format!("{what} key {} is made, and used from {from}\n", key.number)
        }
        Rolled::Already(key) => {
            let from = written(key.created_at + SETTLING);
            format!(
                "{what} key {} was made before, and is used from {from}\n",
                key.number
            )
        }
        Rolled::Exhausted => bail!("there have been 255 generations, and there can be no more"),
    })
}

fn shown(key: &KeyRecord, keys: &[KeyRecord], rotation: &Rotation) -> Value {
    json!({
        "kid": key.kid, "algorithm": key.algorithm, "state": key.state.as_str(),
        "created_at": written(key.created_at), "active_at": written(key.active_at),
        "retained_until": key.retained_until.map(written), "revoked_at": key.revoked_at.map(written),
        "fate": fate(key, keys, rotation),
    })
}
