//! A client's settings, changed by a form that loses nothing, and what the client would get by them.

use serde_json::Value;

use super::super::answer::Answer;
use super::super::input::Request;
use super::Caller;
use super::client_page::{back_to, named, page};
use super::clients::PARAMETER_LIMIT;
use super::form;
use super::page::{Copyable, Difference, Edit, Frame, Labelled, Preview, client_path, in_words};
use crate::admin::Unmet;
use crate::admin::client;
use crate::admin::preview::preview as previewed;
use crate::authorize::request::Scope;
use crate::client::Client;
use crate::client::registered::Registered;
use crate::client::setting::{self, Mistake, changes, from_form, to_form};
use crate::provider::Provider;

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
    let (sent, sector) = typed(&caller);
    let read = client::open(&desk, &id, None).await?;
    let entered = from_form(&sent, &read.client.metadata);
    let saved = match entered.clone() {
        Ok(metadata) => client::change(&desk, &id, version, Some(&sector), metadata).await,
        Err(mistakes) => Err(Unmet::Mistakes(mistakes)),
    };
    match saved {
        Ok(made) if made.secret.is_some() => {
            let notice = Some("The settings are saved.");
            page(&provider, &caller, &id, None, Some(made), notice).await
        }
        Ok(made) if made.registered.version == read.version => Ok(back_to(&id, "unchanged")),
        Ok(_) => Ok(back_to(&id, "saved")),
        // What was entered stays in the form, beside what somebody else saved. It can be sent again.
        Err(Unmet::Changed(now)) => {
            let entered = entered.map_err(Unmet::Mistakes)?;
            let mut theirs = differences(&entered, &now);
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

/// The settings of a form as they were sent, and the sector.
pub(super) fn typed(caller: &Caller) -> (Vec<(String, String)>, String) {
    let is_setting = |name: &str| !["version", "sector"].contains(&name);
    let sent = caller.fields.iter().filter(|(name, _)| is_setting(name));
    let sector = caller.field("sector").unwrap_or_default();
    (sent.cloned().collect(), sector.to_owned())
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
