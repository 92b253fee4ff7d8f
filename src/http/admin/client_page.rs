//! All that concerns one client: looked at, given secrets, removed and brought back.

use serde_json::json;

use super::super::answer::Answer;
use super::super::input::Request;
use super::Caller;
use super::clients::{PARAMETER_LIMIT, kinds};
use super::overview::MONTH;
use super::page::{
    ClientPage, Copyable, Failure, Frame, Right, SecretRow, Used, Waiting, client_path, shown,
};
use crate::admin::client::{self, Made, OVERLAP};
use crate::admin::role::Permission;
use crate::admin::{Unmet, audit, entitlement, failure};
use crate::client::Entitlement;
use crate::client::preset::{self, Preset};
use crate::client::registered::{ManagedBy, Registered};
use crate::client::setting::{self, to_form};
use crate::clock::{Seconds, Timestamp};
use crate::provider::Provider;
use crate::storage::{EntitlementRequest, EventFilter, object};
use crate::telemetry::usage;

/// How many events and failures a client's page shows.
const LATEST: u16 = 20;

pub async fn show(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let query = request.query(PARAMETER_LIMIT).unwrap_or_default();
    let preset = query.first("application").and_then(Preset::named);
    let id = named(&request)?;
    let notice = match query.first("done") {
        Some("saved") => Some("The settings are saved."),
        Some("unchanged") => Some("Nothing was changed: the settings were like that already."),
        Some("restored") => Some("The client is back, with its secrets."),
        Some("ended") => Some("The secret has ended."),
        Some("granted") => Some("The client may have personal numbers."),
        Some("asked") => Some("Another administrator must say yes."),
        Some("answered") => Some("The request is answered."),
        Some("withdrawn") => Some("The client may not have personal numbers any more."),
        _ => None,
    };
    page(&provider, &caller, &id, preset, None, notice).await
}

pub(super) fn named(request: &Request) -> Result<String, Unmet> {
    request.client_id().ok_or(Unmet::Unknown("client"))
}

/// Back to a client's page, with word of what was done.
pub(super) fn back_to(client_id: &str, done: &str) -> Answer {
    Answer::see(&format!("{}?done={done}", client_path(client_id)))
}

pub(super) async fn page(
    provider: &Provider,
    caller: &Caller,
    client_id: &str,
    preset: Option<&'static Preset>,
    made: Option<Made>,
    notice: Option<&'static str>,
) -> Result<Answer, Unmet> {
    let desk = caller.desk(provider);
    let now = desk.now();
    let read = client::find(&desk, client_id).await?;
    let id = read.client.client_id.clone();
    let of = std::slice::from_ref(&id);
    let used = provider.store.uses_of(of, now - MONTH).await?.remove(&id);
    let used: usage::Used = used.unwrap_or_default();
    let failures = failure::list(&provider.store, Some(&id), None, u32::from(LATEST)).await?;
    let filter = EventFilter {
        object: Some(object(&id)),
        ..EventFilter::default()
    };
    let events = match caller.may(Permission::ReadAudit) || caller.may(Permission::WriteClients) {
        true => super::log::told(provider, audit::list(&desk, &filter, LATEST).await?).await?,
        false => Vec::new(),
    };
    let mut waiting = entitlement::waiting(&desk).await?.into_iter();
    let waiting = waiting.find(|request| request.client_id == id);
    let waiting = match waiting {
        Some(request) => Some(waiting_row(provider, caller, &request, &read).await?),
        None => None,
    };
    let preset =
        preset.unwrap_or_else(|| preset::likely(&read.client, &provider.config.issuer.url));
    let copied = preset::settings_to_copy(preset, &read.client, &provider.config.issuer.url);
    let (copyables, unfit) = match copied {
        Ok(copyables) => (copyables.into_iter().map(copyable).collect(), None),
        Err(mistake) => (
            Vec::new(),
            Some(format!("{}: {}", mistake.setting, mistake.reason)),
        ),
    };
    let here = read.removed_at.is_none();
    let is_ours = read.managed_by == ManagedBy::Admin && here;
    let metadata = &read.client.metadata;
    let may_write = caller.may(Permission::WriteClients);
    Ok(Answer::page(&ClientPage {
        frame: Frame::new(provider, caller, metadata.client_name.as_str()).under("Clients"),
        path: client_path(id.as_str()),
        client_id: id.to_string(),
        name: metadata.client_name.as_str().to_owned(),
        version: read.version,
        managed: managed(&read),
        removed: read.removed_at.map(shown),
        may_change: may_write && is_ours,
        may_entitle: caller.may(Permission::Entitle) && is_ours,
        may_remove: may_write && here && read.managed_by != ManagedBy::File,
        may_restore: may_write && !here && read.managed_by != ManagedBy::File,
        secret: made
            .and_then(|made| made.secret)
            .map(|secret| secret.expose().to_owned()),
        secrets: read
            .secrets
            .iter()
            .map(|secret| SecretRow {
                id: secret.id.clone(),
                created: shown(secret.created_at),
                ends: secret.expires_at.map(shown),
                is_over: secret.expires_at.is_some_and(|end| end <= now),
            })
            .collect(),
        has_secret: metadata.token_endpoint_auth.has_secret(),
        facts: facts(&read),
        used: Used {
            path: String::new(),
            name: String::new(),
            began: used.began,
            finished: used.finished,
        },
        failures: failures.failures.into_iter().map(Failure::from).collect(),
        applications: kinds(),
        application: preset.id,
        copyables,
        notes: if unfit.is_none() { preset.notes } else { &[] },
        unfit,
        entitlement: metadata
            .personal_number
            .as_ref()
            .map(|right| right_row(right, now)),
        waiting,
        second_approver: provider.config.second_approver,
        events,
        notice,
    }))
}

/// Why a client's requests were refused, for the script that keeps its page current.
pub async fn failures(
    provider: Provider,
    request: Request,
    caller: Caller,
) -> Result<Answer, Unmet> {
    let read = client::find(&caller.desk(&provider), &named(&request)?).await?;
    let id = &read.client.client_id;
    let found = failure::list(&provider.store, Some(id), None, u32::from(LATEST)).await?;
    let shown: Vec<Failure> = found.failures.into_iter().map(Failure::from).collect();
    Ok(Answer::json(&json!(shown)))
}

fn copyable(copyable: preset::Copyable) -> Copyable {
    Copyable {
        title: copyable.title.to_owned(),
        place: copyable.place.to_owned(),
        text: copyable.text,
    }
}

fn managed(read: &Registered) -> String {
    match (read.managed_by, read.source.as_str()) {
        (ManagedBy::Admin, _) => "managed here".to_owned(),
        (ManagedBy::File, "") => "managed by the configuration file, and changed there".to_owned(),
        (ManagedBy::File, source) => {
            format!("managed by the client file “{source}”, and changed there")
        }
        (ManagedBy::Registration, _) => "registered itself, and manages that".to_owned(),
    }
}

/// The settings that are not as they are by themselves, in words.
fn facts(read: &Registered) -> Vec<(&'static str, String)> {
    let set = to_form(&read.client.metadata).into_iter();
    let usual = usual();
    let mut facts: Vec<(&'static str, String)> = set
        .filter(|(name, value)| !value.is_empty() && !usual.contains(&(*name, value.clone())))
        .filter(|(name, _)| !["jwks", "theme.logo", "theme.logo_dark"].contains(name))
        .filter_map(|(name, value)| {
            let setting = setting::Setting::named(name)?;
            Some((setting.label, value))
        })
        .collect();
    facts.insert(0, ("Sector", read.client.sector.clone()));
    facts
}

fn usual() -> Vec<(&'static str, String)> {
    let bare = serde_json::json!({ "client_name": "-", "redirect_uris": [] });
    serde_json::from_value(bare)
        .map(|bare| to_form(&bare))
        .unwrap_or_default()
}

pub(super) fn right_row(right: &Entitlement, now: Timestamp) -> Right {
    Right {
        purpose: right.purpose.as_str().to_owned(),
        until: right.expires_at.map(shown),
        is_over: !right.holds(now),
    }
}

pub(super) async fn waiting_row(
    provider: &Provider,
    caller: &Caller,
    request: &EntitlementRequest,
    read: &Registered,
) -> Result<Waiting, Unmet> {
    let own = caller.desk(provider).actor.who.to_string();
    Ok(Waiting {
        path: client_path(request.client_id.as_str()),
        mark: entitlement::mark(request, read),
        name: read.client.metadata.client_name.as_str().to_owned(),
        purpose: request.wanted.purpose.as_str().to_owned(),
        until: request.wanted.expires_at.map(shown),
        asked_by: super::log::name_of(provider, &request.asked_by).await?,
        asked: shown(request.asked_at),
        may_grant: caller.may(Permission::Entitle) && request.asked_by != own,
    })
}

pub async fn add_secret(
    provider: Provider,
    request: Request,
    caller: Caller,
) -> Result<Answer, Unmet> {
    let id = named(&request)?;
    let overlap = match caller.field("overlap_hours") {
        None => OVERLAP,
        Some(hours) => hours
            .parse::<u16>()
            .map(|hours| Seconds(i64::from(hours) * 60 * 60))
            .map_err(|_| Unmet::mistake("overlap_hours", "must be a whole number of hours"))?,
    };
    let desk = caller.desk(&provider);
    let made = client::add_secret(&desk, &id, caller.version()?, overlap).await?;
    let notice = Some("The client has another secret.");
    page(&provider, &caller, &id, None, Some(made), notice).await
}

pub async fn end_secret(
    provider: Provider,
    request: Request,
    caller: Caller,
) -> Result<Answer, Unmet> {
    let id = named(&request)?;
    let secret = caller.field("secret").unwrap_or_default();
    let desk = caller.desk(&provider);
    client::end_secret(&desk, &id, caller.version()?, secret).await?;
    Ok(back_to(&id, "ended"))
}

pub async fn remove(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let id = named(&request)?;
    if caller.field("confirm") != Some(id.as_str()) {
        return Err(Unmet::mistake(
            "confirm",
            "write the client's id, so that it is this one",
        ));
    }
    client::remove(&caller.desk(&provider), &id, caller.version()?).await?;
    Ok(Answer::see("/clients?state=removed"))
}

pub async fn restore(
    provider: Provider,
    request: Request,
    caller: Caller,
) -> Result<Answer, Unmet> {
    let id = named(&request)?;
    client::restore(&caller.desk(&provider), &id).await?;
    Ok(back_to(&id, "restored"))
}
