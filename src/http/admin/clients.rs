//! Clients: found, made, looked at and changed.

use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::input::Request;
use super::Caller;
use super::form;
use super::overview::MONTH;
use super::page::{
    Ask, Chosen, ClientPage, Clients, Copyable, Difference, Edit, Failure, Frame, Kind, Labelled,
    New, Preview, Right, Row, SecretRow, Used, Waiting, client_path, in_words, shown,
};
use crate::admin::client::{self, Made, OVERLAP};
use crate::admin::preview::preview as previewed;
use crate::admin::role::{Permission, Reach};
use crate::admin::{Unmet, audit, entitlement, failure};
use crate::authorize::request::Scope;
use crate::client::preset::{self, PRESETS, Preset};
use crate::client::registered::{ManagedBy, Registered};
use crate::client::setting::{self, Mistake, changes, from_form, to_form};
use crate::client::{Client, Entitlement};
use crate::clock::{Seconds, Timestamp};
use crate::id::ClientId;
use crate::provider::Provider;
use crate::storage::{Activity, ClientFilter, EntitlementRequest, EventFilter, object};
use crate::telemetry::usage;

/// How many clients a page lists.
const PAGE: u16 = 50;
/// How long failures are looked at in a list.
const WEEK: Seconds = Seconds(7 * 24 * 60 * 60);
/// How many events and failures a client's page shows.
const LATEST: u16 = 20;
/// The most that a parameter of these pages may hold.
const PARAMETER_LIMIT: usize = 1024;

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

fn kinds() -> Vec<Kind> {
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

async fn page(
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
    let preset = preset.unwrap_or_else(|| likely(&read.client, &provider.config.issuer.url));
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

/// The application that a client's addresses are most likely of.
fn likely(client: &Client, issuer: &str) -> &'static Preset {
    let fits = |preset: &&Preset| preset::settings_to_copy(preset, client, issuer).is_ok();
    // Those whose addresses are any come last.
    let any = ["mod_auth_openidc", "single-page", "native", "other"];
    let is_any = |preset: &&Preset| any.contains(&preset.id);
    let mut named = PRESETS.iter().filter(|preset| !is_any(preset));
    let mut others = PRESETS.iter().rev().filter(is_any);
    let found = named.find(fits).or_else(|| others.find(fits));
    found.unwrap_or(&PRESETS[0])
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
        .filter(|(name, _)| *name != "jwks")
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

pub async fn edit(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let desk = caller.desk(&provider);
    let read = client::open(&desk, &named(&request)?, None).await?;
    let values = values(&read);
    Ok(edit_page(
        &provider,
        &caller,
        &read,
        values,
        &read.client.sector,
        Vec::new(),
        Vec::new(),
    ))
}

fn values(read: &Registered) -> Vec<(String, String)> {
    let fields = to_form(&read.client.metadata).into_iter();
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn edit_page(
    provider: &Provider,
    caller: &Caller,
    read: &Registered,
    values: Vec<(String, String)>,
    sector: &str,
    mistakes: Vec<Mistake>,
    theirs: Vec<Difference>,
) -> Answer {
    let name = read.client.metadata.client_name.as_str();
    let status = match (mistakes.is_empty(), theirs.is_empty()) {
        (false, _) => actix_web::http::StatusCode::BAD_REQUEST,
        (_, false) => actix_web::http::StatusCode::CONFLICT,
        _ => actix_web::http::StatusCode::OK,
    };
    let page = Edit {
        frame: Frame::new(provider, caller, &format!("Edit {name}")).under("Clients"),
        path: client_path(read.client.client_id.as_str()),
        name: name.to_owned(),
        version: read.version,
        sector: sector.to_owned(),
        parts: form::parts(&values, &mistakes),
        mistakes: Labelled::all(mistakes),
        theirs,
    };
    Answer::page_with(status, &page)
}

pub async fn save(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let id = named(&request)?;
    let desk = caller.desk(&provider);
    let version = caller.version()?;
    let sector = caller.field("sector").unwrap_or_default().to_owned();
    let sent: Vec<(String, String)> = caller
        .fields
        .iter()
        .filter(|(name, _)| !["version", "sector"].contains(&name.as_str()))
        .cloned()
        .collect();
    let read = client::open(&desk, &id, None).await?;
    let metadata = match from_form(&sent, &read.client.metadata) {
        Ok(metadata) => metadata,
        Err(mistakes) => {
            let seen = Registered {
                version: version.unwrap_or(read.version),
                ..read
            };
            return Ok(edit_page(
                &provider,
                &caller,
                &seen,
                sent,
                &sector,
                mistakes,
                Vec::new(),
            ));
        }
    };
    let saved = client::change(&desk, &id, version, Some(&sector), metadata.clone()).await;
    match saved {
        Ok(made) if made.secret.is_some() => {
            let notice = Some("The settings are saved.");
            page(&provider, &caller, &id, None, Some(made), notice).await
        }
        Ok(made) if made.registered.version == read.version => Ok(back_to(&id, "unchanged")),
        Ok(_) => Ok(back_to(&id, "saved")),
        // What was entered stays in the form, beside what somebody else saved. It can be sent again.
        Err(Unmet::Changed(now)) => {
            let mut theirs = differences(&metadata, &now);
            if sector != now.client.sector {
                theirs.push(Difference {
                    label: "Sector".to_owned(),
                    theirs: now.client.sector.clone(),
                    yours: sector.clone(),
                });
            }
            Ok(match theirs.is_empty() {
                true => back_to(&id, "unchanged"),
                false => edit_page(&provider, &caller, &now, sent, &sector, Vec::new(), theirs),
            })
        }
        Err(Unmet::Mistakes(mistakes)) => {
            let seen = Registered {
                version: version.unwrap_or(read.version),
                ..read
            };
            Ok(edit_page(
                &provider,
                &caller,
                &seen,
                sent,
                &sector,
                mistakes,
                Vec::new(),
            ))
        }
        Err(unmet) => Err(unmet),
    }
}

fn differences(yours: &crate::client::Metadata, now: &Registered) -> Vec<Difference> {
    let differing = changes(&now.client.metadata, yours).into_iter();
    let difference = |change: setting::Change| Difference {
        label: change.setting.label.to_owned(),
        theirs: in_words(&change.before),
        yours: in_words(&change.after),
    };
    differing.map(difference).collect()
}

pub async fn preview(
    provider: Provider,
    request: Request,
    caller: Caller,
) -> Result<Answer, Unmet> {
    let desk = caller.desk(&provider);
    let read = client::find(&desk, &named(&request)?).await?;
    let query = request.query(PARAMETER_LIMIT).unwrap_or_default();
    let was_chosen = query.first("chosen").is_some();
    let is_asked = |scope: &Scope| match was_chosen {
        true => query.all("scope").any(|asked| asked == scope.as_str()),
        false => *scope == Scope::Openid || *scope == Scope::Profile,
    };
    let asked: Vec<Scope> = Scope::ALL.into_iter().filter(is_asked).collect();
    let now = desk.now();
    let client = Client {
        metadata: read.client.metadata.clone().at(now),
        ..read.client.clone()
    };
    let seen = previewed(&client, &asked, &provider.policy, &provider.random, now);
    let text = |value: Value| format!("{value:#}");
    let (parts, refused) = match seen {
        Err(refused) => (Vec::new(), Some(refused)),
        Ok(seen) => {
            let part = |title: &str, place: &str, text: String| Copyable {
                title: title.to_owned(),
                place: place.to_owned(),
                text,
            };
            let mut parts = vec![
                part("Where a login begins", "GET", seen.authorize_url),
                part(
                    "ID token",
                    "the claims of the JWT",
                    text(Value::Object(seen.id_token)),
                ),
                part(
                    "Userinfo",
                    "GET /userinfo",
                    text(Value::Object(seen.userinfo)),
                ),
            ];
            if let Some(claims) = seen.logout_token {
                let claims = text(Value::Object(claims));
                parts.push(part(
                    "Logout token",
                    "POST to the back-channel logout URI",
                    claims,
                ));
            }
            (parts, None)
        }
    };
    let name = client.metadata.client_name.as_str();
    Ok(Answer::page(&Preview {
        frame: Frame::new(&provider, &caller, &format!("What {name} gets")).under("Clients"),
        path: client_path(client.client_id.as_str()),
        name: name.to_owned(),
        scopes: Scope::ALL
            .into_iter()
            .map(|scope| (scope.as_str(), asked.contains(&scope)))
            .collect(),
        parts,
        refused,
    }))
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
