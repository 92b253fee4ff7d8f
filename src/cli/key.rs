//! `portvakt key`: the keys that tokens are signed with.

use clap::Subcommand;
use serde_json::{Value, json};

use super::ConfigFile;
use super::shell::{self, Shell};
use crate::admin::key::{announce, fate, list, revoke};
use crate::admin::written;
use crate::audit::Door;
use crate::jose::algorithm::Algorithm;
use crate::jose::rotation::{KeyRecord, Rotation};
use crate::storage::Revoked;

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
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::parse(text).ok_or_else(|| Algorithm::ALL.map(Algorithm::as_str).join(", "))
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    let file = match &command {
        Command::List { file, .. }
        | Command::Rotate { file, .. }
        | Command::Revoke { file, .. } => file,
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
    }
    Ok(said)
}

fn shown(key: &KeyRecord, keys: &[KeyRecord], rotation: &Rotation) -> Value {
    json!({
        "kid": key.kid, "algorithm": key.algorithm, "state": key.state.as_str(),
        "created_at": written(key.created_at), "active_at": written(key.active_at),
        "retained_until": key.retained_until.map(written), "revoked_at": key.revoked_at.map(written),
        "fate": fate(key, keys, rotation),
    })
}
