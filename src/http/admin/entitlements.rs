//! The right to personal numbers: who has it and why, and the decisions on it.

use super::super::answer::Answer;
use super::super::input::Request;
use super::Caller;
use super::client_page::{back_to, named, right_row, waiting_row};
use super::page::{Entitled, Entitlements, Frame, client_path};
use crate::admin::entitlement::{self, Asked};
use crate::admin::{Unmet, client};
use crate::client::{Entitlement, Reason};
use crate::clock::Seconds;
use crate::provider::Provider;

pub async fn report(provider: Provider, _: Request, caller: Caller) -> Result<Answer, Unmet> {
    let desk = caller.desk(&provider);
    let now = desk.now();
    let mut rows = Vec::new();
    for read in entitlement::report(&desk).await? {
        let Some(right) = &read.client.metadata.personal_number else {
            continue;
        };
        rows.push(Entitled {
            path: client_path(read.client.client_id.as_str()),
            name: read.client.metadata.client_name.as_str().to_owned(),
            client_id: read.client.client_id.to_string(),
            right: right_row(right, now),
            managed_by: read.managed_by.as_str(),
        });
    }
    let mut waiting = Vec::new();
    for request in entitlement::waiting(&desk).await? {
        // A client that was removed meanwhile has nothing to wait for.
        if let Ok(read) = client::find(&desk, request.client_id.as_str()).await {
            waiting.push(waiting_row(&provider, &caller, &request, &read).await?);
        }
    }
    Ok(Answer::page(&Entitlements {
        frame: Frame::new(&provider, &caller, "Personal numbers"),
        rows,
        waiting,
    }))
}

pub async fn ask(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let id = named(&request)?;
    let desk = caller.desk(&provider);
    let purpose = Reason::parse(caller.field("purpose").unwrap_or_default());
    let purpose = purpose.ok_or_else(|| {
        Unmet::mistake(
            "purpose",
            "write why, in 1 to 500 characters without control characters",
        )
    })?;
    let days = match caller.field("days") {
        None => None,
        Some(days) => Some(
            days.parse::<u16>()
                .ok()
                .filter(|days| (1..=3660).contains(days))
                .ok_or_else(|| Unmet::mistake("days", "must be 1 to 3660, or empty for no end"))?,
        ),
    };
    let wanted = Entitlement {
        purpose,
        expires_at: days.map(|days| desk.now() + Seconds(i64::from(days) * 24 * 60 * 60)),
    };
    let asked = entitlement::ask(&desk, &id, caller.version()?, wanted).await?;
    Ok(back_to(
        &id,
        match asked {
            Asked::Granted => "granted",
            Asked::Waiting => "asked",
        },
    ))
}

pub async fn answer(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let id = named(&request)?;
    let grants = match caller.field("answer") {
        Some("grant") => true,
        Some("refuse") => false,
        _ => return Err(Unmet::mistake("answer", "must be grant or refuse")),
    };
    let seen = caller.field("request").unwrap_or_default();
    entitlement::answer(&caller.desk(&provider), &id, Some(seen), grants).await?;
    Ok(back_to(&id, "answered"))
}

pub async fn end(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let id = named(&request)?;
    entitlement::end(&caller.desk(&provider), &id, caller.version()?).await?;
    Ok(back_to(&id, "withdrawn"))
}
