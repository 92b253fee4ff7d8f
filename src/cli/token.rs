//! `portvakt client token`: what lets clients register themselves.

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{ConfigFile, shell};
use crate::admin::client::is_sector;
use crate::admin::token::{Wanted, issue, list, revoke};
use crate::admin::{Desk, written};
use crate::client::Pkce;
use crate::client::refresh::RefreshTokens;
use crate::client::registration::{Allowance, InitialAccessToken, Note};
use crate::clock::{Seconds, Timestamp};
use crate::id::Id;

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Makes an initial access token, and shows it this once.
    Issue {
        #[command(flatten)]
        file: ConfigFile,
        /// What it is for, to be told apart where tokens are listed.
        #[arg(long, value_parser = note)]
        note: Note,
        /// How many clients may register by it.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        uses: u32,
        /// For how many hours.
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=8_784))]
        hours: u16,
        /// Lets its clients have refresh tokens: what came of a login ends after so many days.
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=365))]
        refresh_days: Option<u16>,
        /// Lets its clients do without PKCE, where they authenticate: for test suites that know none.
        #[arg(long)]
        without_pkce: bool,
        /// The sector of its clients for pairwise subjects, wherever their addresses are; without, each
        /// client's is its host.
        #[arg(long, value_parser = sector)]
        sector: Option<String>,
    },
    /// Says which tokens there are, without the tokens themselves.
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// For another program.
        #[arg(long)]
        json: bool,
    },
    /// Lets nobody register by a token any more. Clients that came by it stay.
    Revoke {
        #[command(flatten)]
        file: ConfigFile,
        /// Its id, as it is listed.
        id: String,
    },
}

impl TokenCommand {
    pub fn file(&self) -> &ConfigFile {
        match self {
            TokenCommand::Issue { file, .. }
            | TokenCommand::List { file, .. }
            | TokenCommand::Revoke { file, .. } => file,
        }
    }
}

fn note(text: &str) -> Result<Note, String> {
    Note::parse(text).ok_or_else(|| "1 to 120 characters without control characters".to_owned())
}

fn sector(text: &str) -> Result<String, String> {
    let why = "1 to 255 visible ASCII characters";
    is_sector(text)
        .then(|| text.to_owned())
        .ok_or_else(|| why.to_owned())
}

pub async fn said(desk: &Desk<'_>, issuer: &str, command: TokenCommand) -> anyhow::Result<String> {
    match command {
        TokenCommand::Issue {
            note,
            uses,
            hours,
            refresh_days,
            without_pkce,
            sector,
            ..
        } => {
            let wanted = Wanted {
                note,
                uses,
                lifetime: Seconds(i64::from(hours) * 60 * 60),
                allowance: Allowance {
                    refresh_tokens: refresh_days.map_or(RefreshTokens::Off, RefreshTokens::Days),
                    pkce: match without_pkce {
                        true => Pkce::Accepted,
                        false => Pkce::Required,
                    },
                    sector,
                },
            };
            let (token, shown) = issue(desk, wanted).await?;
            Ok(format!(
                "{}\nIt is shown this once. Whoever has it can register clients at {}/register.\n{}",
                shown.expose(),
                issuer.trim_end_matches('/'),
                line(&token, desk.now()),
            ))
        }
        TokenCommand::List { json: true, .. } => {
            let tokens = list(desk).await?;
            shell::json(&tokens.iter().map(shown).collect::<Vec<_>>())
        }
        TokenCommand::List { json: false, .. } => {
            let tokens = list(desk).await?;
            Ok(tokens.iter().map(|token| line(token, desk.now())).collect())
        }
        TokenCommand::Revoke { id, .. } => {
            let parsed = Id::parse(&id);
            let parsed =
                parsed.context("that is no id of a token: see `portvakt client token list`")?;
            revoke(desk, parsed).await?;
            Ok(format!(
                "{id} is revoked. Clients that registered by it stay as they are.\n"
            ))
        }
    }
}

fn line(token: &InitialAccessToken, now: Timestamp) -> String {
    let InitialAccessToken {
        id,
        note,
        allowance,
        uses,
        uses_left,
        ..
    } = token;
    let state = match token.revoked_at {
        Some(at) => format!("was revoked {}", written(at)),
        None if *uses_left == 0 => "is used up".to_owned(),
        None if token.expires_at <= now => format!("ended {}", written(token.expires_at)),
        None => format!("until {}", written(token.expires_at)),
    };
    let refreshing = match allowance.refresh_tokens.lifetime() {
        Some(Seconds(seconds)) => {
            format!(", refresh tokens for {} days", seconds / (24 * 60 * 60))
        }
        None => String::new(),
    };
    let sector = allowance.sector.as_ref();
    let sector = sector.map_or(String::new(), |sector| format!(", sector {sector}"));
    format!(
        "{id}  {uses_left} of {uses} uses left, {state}{refreshing}{sector}  {}\n",
        note.as_str()
    )
}

fn shown(token: &InitialAccessToken) -> Value {
    json!({
        "id": token.id, "note": token.note, "allowance": token.allowance, "uses": token.uses,
        "uses_left": token.uses_left, "expires_at": written(token.expires_at),
        "revoked_at": token.revoked_at.map(written),
    })
}
