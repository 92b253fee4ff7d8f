//! Clients that register themselves, from a shell: who may, who did, and an end to it.

use anyhow::{Context, bail};

use super::{open, written};
use crate::client::Pkce;
use crate::client::refresh::RefreshTokens;
use crate::client::registration::{Allowance, InitialAccessToken, Note};
use crate::clock::{Seconds, Timestamp};
use crate::config::Config;
use crate::id::{ClientId, Id};
use crate::random::Random;
use crate::secret::{Secret, kind as secret};

/// Which token is wanted.
#[derive(Clone, Debug, clap::Args)]
pub struct Wanted {
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
}

fn note(text: &str) -> Result<Note, String> {
    Note::parse(text).ok_or_else(|| "1 to 120 characters without control characters".to_owned())
}

fn sector(text: &str) -> Result<String, String> {
    let sound = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    let why = "1 to 255 visible ASCII characters";
    sound.then(|| text.to_owned()).ok_or_else(|| why.to_owned())
}

/// Makes a token. Nobody can say it a second time: only its digest is kept.
pub async fn issue_token(config: &Config, wanted: Wanted) -> anyhow::Result<String> {
    let random = Random::system();
    let (store, now) = open(config).await?;
    let shown = Secret::<secret::InitialAccessToken>::fresh(&random);
    let token = InitialAccessToken {
        id: Id::fresh(&random),
        note: wanted.note,
        allowance: Allowance {
            refresh_tokens: wanted
                .refresh_days
                .map_or(RefreshTokens::Off, RefreshTokens::Days),
            pkce: match wanted.without_pkce {
                true => Pkce::Accepted,
                false => Pkce::Required,
            },
            sector: wanted.sector,
        },
        uses: wanted.uses,
        uses_left: wanted.uses,
        expires_at: now + Seconds(i64::from(wanted.hours) * 60 * 60),
        revoked_at: None,
    };
    let issued = store
        .issue_initial_access_token(&token, shown.digest(), now)
        .await;
    store.close().await;
    issued?;
    let line = token_line(&token, now)?;
    Ok(format!(
        "{}\nIt is shown this once. Whoever has it can register clients at {}/register.\n{line}",
        shown.expose(),
        config.issuer.url.trim_end_matches('/'),
    ))
}

/// All tokens, a line for each. None of them shows the token itself.
pub async fn list_tokens(config: &Config) -> anyhow::Result<String> {
    let (store, now) = open(config).await?;
    let tokens = store.initial_access_tokens().await;
    store.close().await;
    tokens?.iter().map(|token| token_line(token, now)).collect()
}

fn token_line(token: &InitialAccessToken, now: Timestamp) -> anyhow::Result<String> {
    let InitialAccessToken {
        id,
        note,
        allowance,
        uses,
        uses_left,
        ..
    } = token;
    let state = match token.revoked_at {
        Some(at) => format!("was revoked {}", written(at)?),
        None if *uses_left == 0 => "is used up".to_owned(),
        None if token.expires_at <= now => format!("ended {}", written(token.expires_at)?),
        None => format!("until {}", written(token.expires_at)?),
    };
    let refreshing = match allowance.refresh_tokens.lifetime() {
        Some(Seconds(seconds)) => {
            format!(", refresh tokens for {} days", seconds / (24 * 60 * 60))
        }
        None => String::new(),
    };
    let sector = allowance.sector.as_ref();
    let sector = sector.map_or(String::new(), |sector| format!(", sector {sector}"));
    Ok(format!(
        "{id}  {uses_left} of {uses} uses left, {state}{refreshing}{sector}  {}\n",
        note.as_str()
    ))
}

/// Lets nobody register by a token any more. Clients that came by it stay.
pub async fn revoke_token(config: &Config, id: &str) -> anyhow::Result<String> {
    let id = Id::parse(id).context("that is no id of a token: see `portvakt client token list`")?;
    let (store, now) = open(config).await?;
    let revoked = store.revoke_initial_access_token(id, now).await;
    store.close().await;
    match revoked? {
        true => Ok(format!(
            "{id} is revoked. Clients that registered by it stay as they are.\n"
        )),
        false => bail!("there is no such token, or it was revoked before"),
    }
}

/// The clients that registered themselves, a line for each.
pub async fn list(config: &Config) -> anyhow::Result<String> {
    let (store, _) = open(config).await?;
    let registrations = store.registrations().await;
    store.close().await;
    let line = |registration: &crate::client::registration::Registration| {
        let client = &registration.client;
        let contacts = registration.details.contacts.iter();
        let contacts: Vec<&str> = contacts.map(|contact| contact.as_str()).collect();
        let first = client.metadata.redirect_uris.first();
        Ok(format!(
            "{}  since {}  {}  {}  {}\n",
            client.client_id,
            written(registration.issued_at)?,
            client.metadata.client_name.as_str(),
            first.map_or("", |uri| uri.as_str()),
            contacts.join(", "),
        ))
    };
    registrations?.iter().map(line).collect()
}

/// Removes a client that registered itself, as it could do itself.
pub async fn remove(config: &Config, client_id: &str) -> anyhow::Result<String> {
    let client_id = ClientId::parse(client_id).context("that is no client id")?;
    let (store, _) = open(config).await?;
    let removed = store.remove_registration(&client_id).await;
    store.close().await;
    match removed? {
        true => Ok(format!(
            "{client_id} is removed, with its sessions and tokens.\n"
        )),
        false => bail!("no client of that id has registered itself"),
    }
}
