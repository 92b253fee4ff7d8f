//! Clients.

use actix_web::http::header::{self, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::super::super::answer::Answer;
use super::merge::merge;
use super::problem::Problem;
use super::read::{Members, Reading, number, text, texts};
use super::{Answered, BASE, Call, cursor, shown, tagged};
use crate::admin::client::{self, LONGEST_OVERLAP, Made, New, OVERLAP, is_sector};
use crate::admin::preview::preview as previewed;
use crate::authorize::request::Scope;
use crate::client::registered::{ManagedBy, Registered};
use crate::client::setting::{ENTITLEMENT, Mistake, SETTINGS, from_json};
use crate::client::{Client, Metadata};
use crate::clock::Seconds;
use crate::id::ClientId;
use crate::storage::ClientFilter;

pub async fn list(call: Call) -> Answered {
    let after = call.place("clients", |[id]: [String; 1]| ClientId::parse(&id))?;
    let state = call.query.first("state");
    let filter = ClientFilter {
        search: call.query.first("search").map(str::to_owned),
        managed_by: call.query.first("managed_by").and_then(ManagedBy::parse),
        removed: state == Some("removed"),
        entitled: state == Some("entitled"),
        after: after.map(|id| id.to_string()),
        ..ClientFilter::default()
    };
    let limit = call.limit();
    // One more than is wanted says whether there are more.
    let mut found = client::list(&call.desk(), &filter, limit + 1).await?;
    let has_more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let last = found.last().filter(|_| has_more);
    let next = last.map(|read| cursor::write("clients", &[read.client.client_id.as_str()]));
    let items = found.iter().map(shown::listed).collect();
    Ok(Answer::json(&shown::part(items, next)))
}

pub async fn create(call: Call) -> Answered {
    let mut members = call.members();
    let client_id = members.may("client_id", text(ID, ClientId::parse));
    let sector = members.may("sector", sector);
    let metadata = metadata(&mut members);
    let new = metadata.map(|metadata| New {
        client_id,
        sector,
        metadata,
    });
    let new = members.end(new)?;
    let made = client::create(&call.desk(), new).await;
    let made = made.map_err(|unmet| Problem::from(unmet).at(placed))?;
    let place = address(&made.registered);
    Ok(told(&made, Answer::created(&shown::made(&made))).with_value(header::LOCATION, place))
}

const ID: &str = "must be 1 to 255 visible ASCII characters";

pub async fn show(call: Call) -> Answered {
    let read = client::find(&call.desk(), &call.client_id()?).await?;
    Ok(one(&read))
}

/// A client as it is.
pub fn one(read: &Registered) -> Answer {
    tagged(Answer::json(&client::shown(read)), read.version)
}

pub async fn replace(call: Call) -> Answered {
    let wanted = wanted(call.body.clone())?;
    let read = client::find(&call.desk(), &call.client_id()?).await?;
    change(&call, &read, wanted).await
}

pub async fn patch(call: Call) -> Answered {
    let read = client::find(&call.desk(), &call.client_id()?).await?;
    // What is to be unset must be something: taken out of what is there, it would not be seen.
    let mut mistakes = Vec::new();
    find_unset(&call.body, "", &mut mistakes);
    if !mistakes.is_empty() {
        return Err(Problem::mistakes(mistakes));
    }
    let mut whole = json!({"sector": read.client.sector, "metadata": read.client.metadata});
    merge(&mut whole, Value::Object(call.body.clone()));
    let whole = whole.as_object().cloned().unwrap_or_default();
    // Over what it was merged with, whatever the caller saw: nothing else is undone.
    call.version(read.version)?;
    change_at(&call, &read, Some(read.version), wanted(whole)?).await
}

/// Finds what a patch sets to nothing and that cannot be without a value, or is no setting at all.
fn find_unset(patch: &Map<String, Value>, prefix: &str, mistakes: &mut Vec<Mistake>) {
    for (name, value) in patch {
        let path = format!("{prefix}{name}");
        match value {
            Value::Object(members) => find_unset(members, &format!("{path}."), mistakes),
            Value::Null if !may_be_unset(&path) => {
                let path: String = path.chars().take(80).collect();
                mistakes.push(Mistake::new(path, "is nothing that can be unset"));
            }
            _ => {}
        }
    }
}

fn may_be_unset(path: &str) -> bool {
    let Some(name) = path.strip_prefix("metadata.") else {
        return false;
    };
    let is_or_is_below = |setting: &str| {
        let rest = setting.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let mut settings = SETTINGS.iter().chain(ENTITLEMENT);
    settings.any(|setting| is_or_is_below(setting.name))
}

/// What a client is to be.
struct Wanted {
    sector: Option<String>,
    metadata: Metadata,
}

fn wanted(members: Map<String, Value>) -> Result<Wanted, Problem> {
    let mut members = Members::of(members);
    let sector = members.may("sector", sector);
    let metadata = metadata(&mut members);
    members.end(metadata.map(|metadata| Wanted { sector, metadata }))
}

fn sector(value: Value) -> Reading<String> {
    let parse = |text: &str| is_sector(text).then(|| text.to_owned());
    text(ID, parse)(value)
}

fn metadata(members: &mut Members) -> Option<Metadata> {
    let written = members.need("metadata", Ok)?;
    let placed = |mistake: Mistake| Mistake::new(placed(&mistake.setting), mistake.reason);
    let read = from_json(written);
    read.map_err(|mistakes| members.also(mistakes.into_iter().map(placed)))
        .ok()
}

/// Where a setting of a client stands in what is sent.
pub fn placed(setting: &str) -> String {
    match setting {
        "" => "metadata".to_owned(),
        "sector" => setting.to_owned(),
        setting => format!("metadata.{setting}"),
    }
}

async fn change(call: &Call, read: &Registered, wanted: Wanted) -> Answered {
    let version = call.version(read.version)?;
    change_at(call, read, version, wanted).await
}

async fn change_at(
    call: &Call,
    read: &Registered,
    version: Option<i64>,
    wanted: Wanted,
) -> Answered {
    let id = read.client.client_id.as_str();
    let sector = wanted.sector.as_deref();
    let made = client::change(&call.desk(), id, version, sector, wanted.metadata).await;
    let made = made.map_err(|unmet| Problem::from(unmet).at(placed))?;
    Ok(told(&made, Answer::json(&shown::made(&made))))
}

fn told(made: &Made, answer: Answer) -> Answer {
    tagged(answer, made.registered.version)
}

/// Everything that a part of a path may hold as it is (RFC 3986 §3.3), without what ends or climbs.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

fn address(read: &Registered) -> HeaderValue {
    let id = utf8_percent_encode(read.client.client_id.as_str(), PART);
    HeaderValue::from_str(&format!("{BASE}/clients/{id}")).expect("escapes are ASCII")
}

pub async fn remove(call: Call) -> Answered {
    let read = client::find(&call.desk(), &call.client_id()?).await?;
    let version = call.version(read.version)?;
    client::remove(&call.desk(), read.client.client_id.as_str(), version).await?;
    Ok(Answer::nothing())
}

pub async fn restore(call: Call) -> Answered {
    let restored = client::restore(&call.desk(), &call.client_id()?).await;
    let restored = restored.map_err(|unmet| Problem::from(unmet).at(placed))?;
    Ok(one(&restored))
}

pub async fn add_secret(call: Call) -> Answered {
    let mut members = call.members();
    let longest = u32::try_from(LONGEST_OVERLAP.0).unwrap_or(u32::MAX);
    let overlap = members.may("overlap_seconds", number(0, longest));
    members.end(Some(()))?;
    let overlap = overlap.map_or(OVERLAP, |seconds| Seconds(i64::from(seconds)));
    let read = client::find(&call.desk(), &call.client_id()?).await?;
    let version = call.version(read.version)?;
    let id = read.client.client_id.as_str();
    let made = client::add_secret(&call.desk(), id, version, overlap).await;
    let made = made.map_err(|unmet| Problem::from(unmet).at(placed))?;
    Ok(told(&made, Answer::created(&shown::made(&made))))
}

pub async fn end_secret(call: Call) -> Answered {
    let read = client::find(&call.desk(), &call.client_id()?).await?;
    let version = call.version(read.version)?;
    let id = read.client.client_id.as_str();
    let read = client::end_secret(&call.desk(), id, version, call.part("secret_id")).await?;
    Ok(tagged(Answer::nothing(), read.version))
}

pub async fn preview(call: Call) -> Answered {
    let mut members = call.members();
    let reason = "must be a list of openid, profile, personal_number and offline_access";
    let named = |text: &str| Scope::ALL.into_iter().find(|scope| scope.as_str() == text);
    let scopes = members.need("scopes", |value| {
        let scopes = texts(reason, Scope::ALL.len(), named)(value)?;
        let is_twice = |(at, one): (usize, &Scope)| scopes[..at].contains(one);
        match scopes.iter().enumerate().any(is_twice) {
            true => Err("must name nothing twice".to_owned()),
            false => Ok(scopes),
        }
    });
    let scopes = members.end(scopes)?;
    let read = client::find(&call.desk(), &call.client_id()?).await?;
    let (provider, now) = (&call.provider, call.provider.clock.now());
    let client = Client {
        metadata: read.client.metadata.clone().at(now),
        ..read.client
    };
    let seen = previewed(&client, &scopes, &provider.policy, &provider.random, now);
    let seen = seen.map_err(|reason| Problem::mistake("scopes", reason))?;
    let mut told = json!({
        "authorize_url": seen.authorize_url,
        "id_token": seen.id_token,
        "userinfo": seen.userinfo,
    });
    if let Some(claims) = seen.logout_token {
        told["logout_token"] = Value::Object(claims);
    }
    Ok(Answer::json(&told))
}
