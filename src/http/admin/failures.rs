//! Refused requests: found by the reference that a person reads on the page of an error, and those that named no
//! client that there is.

use super::super::answer::Answer;
use super::super::input::Request;
use super::Caller;
use super::page::{Failures, Found, Frame, client_path};
use crate::admin::role::Reach;
use crate::admin::{Unmet, failure};
use crate::provider::Provider;

const MOST: u32 = 50;
const PARAMETER_LIMIT: usize = 128;

pub async fn list(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let query = request.query(PARAMETER_LIMIT).unwrap_or_default();
    let reference = query
        .first("reference")
        .unwrap_or_default()
        .trim()
        .to_owned();
    let reach = &caller.session.administrator.reach;
    let sees_all = *reach == Reach::All;
    let found = match reference.is_empty() {
        true if sees_all => {
            failure::list(&provider.store, None, None, MOST)
                .await?
                .failures
        }
        true => Vec::new(),
        false => {
            let found = failure::find(&provider.store, &reference).await?;
            let is_theirs = |found: &failure::Failure| match &found.client_id {
                Some(client_id) => reach.holds(client_id),
                None => sees_all,
            };
            found.into_iter().filter(is_theirs).collect()
        }
    };
    let found = found.into_iter().map(|failure| Found {
        client: failure.client_id.as_ref().map(ToString::to_string),
        path: failure
            .client_id
            .as_ref()
            .map(|id| client_path(id.as_str())),
        claimed: failure.claimed_client_id.clone(),
        failure: failure.into(),
    });
    Ok(Answer::page(&Failures {
        frame: Frame::new(&provider, &caller, "Refused requests"),
        reference,
        sees_all,
        found: found.collect(),
    }))
}
