//! The right to personal numbers.

use serde_json::{Map, Value, json};

use super::super::super::answer::Answer;
use super::clients::one;
use super::problem::Problem;
use super::read::text;
use super::{Answered, Call, shown, tagged};
use crate::admin::entitlement::{self, Asked};
use crate::admin::{Unmet, client};
use crate::client::Entitlement;
use crate::client::setting::from_json;

pub async fn report(call: Call) -> Answered {
    let (desk, now) = (call.desk(), call.provider.clock.now());
    let entitled = entitlement::report(&desk).await?;
    let entitled = entitled
        .iter()
        .filter_map(|read| shown::entitled(read, now));
    let waiting = entitlement::waiting(&desk).await?;
    Ok(Answer::json(&json!({
        "entitled": entitled.collect::<Vec<Value>>(),
        "waiting": waiting.iter().map(shown::request).collect::<Vec<Value>>(),
    })))
}

pub async fn ask(call: Call) -> Answered {
    let wanted = wanted(&call.body)?;
    let desk = call.desk();
    let read = client::find(&desk, &call.client_id()?).await?;
    let version = call.version(read.version)?;
    let id = read.client.client_id.as_str();
    let asked = entitlement::ask(&desk, id, version, wanted).await;
    match asked.map_err(|unmet| Problem::from(unmet).at(placed))? {
        Asked::Granted => Ok(one(&client::find(&desk, id).await?)),
        Asked::Waiting => {
            let mut waiting = entitlement::waiting(&desk).await?;
            waiting.retain(|request| request.client_id == read.client.client_id);
            let request = waiting.pop().ok_or(Unmet::Stale)?;
            Ok(Answer::accepted(&shown::request(&request)))
        }
    }
}

const NAME: &str = "personal_number";

/// Where a setting of the entitlement stands in what is sent.
fn placed(setting: &str) -> String {
    let own = setting.strip_prefix(NAME).unwrap_or(setting);
    own.trim_start_matches('.').to_owned()
}

/// What is sent is what stands among a client's settings, and is read as that.
fn wanted(body: &Map<String, Value>) -> Result<Entitlement, Problem> {
    let read = from_json(json!({"client_name": "-", NAME: body}));
    let read = read.map_err(|mistakes| Problem::mistakes(mistakes).at(placed))?;
    let wanted = read.personal_number;
    wanted.ok_or_else(|| Problem::mistake("purpose", "must be set"))
}

pub async fn end(call: Call) -> Answered {
    let desk = call.desk();
    let read = client::find(&desk, &call.client_id()?).await?;
    let version = call.version(read.version)?;
    let id = read.client.client_id.as_str();
    entitlement::end(&desk, id, version).await?;
    let version = client::find(&desk, id).await?.version;
    Ok(tagged(Answer::nothing(), version))
}

pub async fn answer(call: Call) -> Answered {
    let mut members = call.members();
    let grants = members.need(
        "answer",
        text("must be grant or refuse", |text| match text {
            "grant" => Some(true),
            "refuse" => Some(false),
            _ => None,
        }),
    );
    let grants = members.end(grants)?;
    let desk = call.desk();
    let read = client::find(&desk, &call.client_id()?).await?;
    call.version(read.version)?;
    let id = read.client.client_id.as_str();
    entitlement::answer(&desk, id, None, grants).await?;
    Ok(one(&client::find(&desk, id).await?))
}
