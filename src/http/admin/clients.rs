//! Clients: found and made.

use super::super::answer::Answer;
use super::super::input::Request;
use super::Caller;
use super::client_page::page;
use super::overview::MONTH;
use super::page::{Ask, Chosen, Clients, Frame, Kind, Labelled, New, Row, client_path, shown};
use crate::admin::Unmet;
use crate::admin::client::{self, Made};
use crate::admin::role::{Permission, Reach};
use crate::client::preset::{self, PRESETS, Preset};
use crate::client::registered::ManagedBy;
use crate::client::setting::Mistake;
use crate::clock::Seconds;
use crate::id::ClientId;
use crate::provider::Provider;
use crate::storage::{Activity, ClientFilter};

/// How many clients a page lists.
const PAGE: u16 = 50;
/// How long failures are looked at in a list.
const WEEK: Seconds = Seconds(7 * 24 * 60 * 60);
/// The most that a parameter of these pages may hold.
pub(super) const PARAMETER_LIMIT: usize = 1024;

pub async fn list(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let query = request.query(PARAMETER_LIMIT).unwrap_or_default();
    let said = |name: &str| query.first(name).unwrap_or_default().trim().to_owned();
    let (search, managed_by, state) = (said("search"), said("managed_by"), said("state"));
    let now = provider.clock.now();
    let desk = caller.desk(&provider);
    let filter = ClientFilter {
        search: Some(search.clone()).filter(|text| !text.is_empty()),
        managed_by: ManagedBy::parse(&managed_by),
        removed: state == "removed",
        entitled: state == "entitled",
        activity: match state.as_str() {
            "used" => Some(Activity::Used(now - MONTH)),
            "unused" => Some(Activity::Unused(now - MONTH)),
            "failing" => Some(Activity::Failing(now - WEEK)),
            _ => None,
        },
        after: query.first("after").map(str::to_owned),
        ..ClientFilter::default()
    };
    let mut found = client::list(&desk, &filter, PAGE + 1).await?;
    let mut next = None;
    if found.len() > usize::from(PAGE) {
        found.truncate(usize::from(PAGE));
        next = found.last().map(|read| read.client.client_id.to_string());
    }
    let ids: Vec<ClientId> = found.iter().map(|r| r.client.client_id.clone()).collect();
    let uses = provider.store.uses_of(&ids, now - MONTH).await?;
    let failed = provider.store.refusal_counts_of(&ids, now - WEEK).await?;
    let rows = found.into_iter().map(|read| {
        let id = read.client.client_id;
        let used = uses.get(&id).copied().unwrap_or_default();
        Row {
            path: client_path(id.as_str()),
            name: read.client.metadata.client_name.as_str().to_owned(),
            managed_by: read.managed_by.as_str(),
            began: used.began,
            finished: used.finished,
            failed: failed.get(&id).copied().unwrap_or_default(),
            updated: shown(read.updated_at),
            removed: read.removed_at.is_some(),
            is_entitled: read.client.metadata.personal_number.is_some(),
            client_id: id.to_string(),
        }
    });
    let next = next.map(|after: String| {
        let mut query = url::form_urlencoded::Serializer::new("/clients?".to_owned());
        for (name, value) in [
            ("search", &search),
            ("managed_by", &managed_by),
            ("state", &state),
            ("after", &after),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.finish()
    });
    Ok(Answer::page(&Clients {
        frame: Frame::new(&provider, &caller, "Clients"),
        rows: rows.collect(),
        next,
        may_write: caller.may(Permission::WriteClients),
        search,
        managed_by,
        state,
    }))
}

pub async fn new(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let query = request.query(PARAMETER_LIMIT).unwrap_or_default();
    let preset = query.first("application").and_then(Preset::named);
    Ok(new_page(&provider, &caller, preset, &[], Vec::new()))
}

fn new_page(
    provider: &Provider,
    caller: &Caller,
    preset: Option<&'static Preset>,
    values: &[(String, String)],
    mistakes: Vec<Mistake>,
) -> Answer {
    let value = |name: &str| {
        let mut sent = values.iter().filter(|(n, _)| n == name);
        sent.next().map(|(_, value)| value.clone())
    };
    let chosen = preset.map(|preset| Chosen {
        id: preset.id,
        name: preset.name,
        what: preset.what,
        client_id: value("client_id").unwrap_or_default(),
        asks: preset
            .asks
            .iter()
            .map(|ask| Ask {
                name: ask.name,
                label: ask.label,
                help: ask.explanation,
                example: ask.example,
                value: value(ask.name)
                    .or_else(|| ask.default.map(str::to_owned))
                    .unwrap_or_default(),
                required: ask.default.is_none(),
                has_lines: ask.shape == preset::Shape::Lines,
                mistake: mistakes
                    .iter()
                    .find(|mistake| mistake.setting == ask.name)
                    .map(|mistake| mistake.reason.clone()),
            })
            .collect(),
    });
    let page = New {
        frame: Frame::new(provider, caller, "New client").under("Clients"),
        kinds: kinds(),
        chosen,
        mistakes: Labelled::all(mistakes.clone()),
    };
    match mistakes.is_empty() {
        true => Answer::page(&page),
        false => Answer::page_with(actix_web::http::StatusCode::BAD_REQUEST, &page),
    }
}

pub(super) fn kinds() -> Vec<Kind> {
    let kind = |preset: &'static Preset| Kind {
        id: preset.id,
        name: preset.name,
        what: preset.what,
    };
    PRESETS.iter().map(kind).collect()
}

pub async fn create(provider: Provider, _: Request, mut caller: Caller) -> Result<Answer, Unmet> {
    let preset = caller.field("application").and_then(Preset::named);
    let preset = preset.ok_or(Unmet::Unknown("application"))?;
    let own = ["application", "client_id"];
    let inputs: Vec<(String, String)> = caller
        .fields
        .iter()
        .filter(|(name, value)| !own.contains(&name.as_str()) && !value.trim().is_empty())
        .map(|(name, value)| (name.clone(), value.replace("\r\n", "\n").trim().to_owned()))
        .collect();
    let made = made(&provider, &caller, preset, &inputs).await;
    match made {
        Ok(made) => {
            let id = made.registered.client.client_id.to_string();
            // What somebody makes is theirs from now on.
            if let Reach::Only(own) = &mut caller.session.administrator.reach {
                own.push(made.registered.client.client_id.clone());
            }
            let notice = Some("The client is registered.");
            page(&provider, &caller, &id, Some(preset), Some(made), notice).await
        }
        Err(Unmet::Mistakes(mistakes)) => Ok(new_page(
            &provider,
            &caller,
            Some(preset),
            &caller.fields,
            mistakes,
        )),
        Err(Unmet::Taken) => {
            let taken = Mistake::new("client_id", Unmet::Taken.to_string());
            Ok(new_page(
                &provider,
                &caller,
                Some(preset),
                &caller.fields,
                vec![taken],
            ))
        }
        Err(unmet) => Err(unmet),
    }
}

async fn made(
    provider: &Provider,
    caller: &Caller,
    preset: &Preset,
    inputs: &[(String, String)],
) -> Result<Made, Unmet> {
    let client_id = match caller.field("client_id") {
        None => None,
        Some(text) => Some(ClientId::parse(text).ok_or_else(|| {
            Unmet::mistake("client_id", "must be 1 to 255 visible ASCII characters")
        })?),
    };
    let new = client::New {
        client_id,
        sector: None,
        metadata: preset::metadata(preset, inputs).map_err(Unmet::Mistakes)?,
    };
    client::create(&caller.desk(provider), new).await
}
