//! The right to personal numbers: its own decision, with a reason that is written down, an end where it
//! has one, and a second administrator where the operator wants that.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::client::{changed, find, open};
use super::{Desk, Done, Unmet};
use crate::audit::{Action, Who};
use crate::client::registered::Registered;
use crate::client::{Client, Entitlement};
use crate::storage::{ClientFilter, Decided, EntitlementRequest, SecretChange, object};

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The client has the right.
    Granted,
    /// It waits for somebody else.
    Waiting,
}

/// Asks that a client may have personal numbers, or may have them longer or for another reason. Where one
/// administrator is enough, it may at once.
pub async fn ask(
    desk: &Desk<'_>,
    client_id: &str,
    version: Option<i64>,
    wanted: Entitlement,
) -> Done<Asked> {
    let read = open(desk, client_id, version).await?;
    by_people(desk)?;
    let now = desk.now();
    if !wanted.holds(now) {
        return Err(Unmet::mistake(
            "personal_number.expires_at",
            "must lie in the future",
        ));
    }
    if desk.config.second_approver {
        let request = EntitlementRequest {
            client_id: read.client.client_id.clone(),
            asked_by: desk.actor.who.to_string(),
            asked_at: now,
            wanted,
        };
        let after = Some(json!({ "personal_number": request.wanted }));
        let event = desk.event(
            Action::EntitlementAsk,
            object(&request.client_id),
            None,
            after,
        );
        desk.store.ask_entitlement(&request, &event).await?;
        return Ok(Asked::Waiting);
    }
    save(desk, &read, Some(wanted), Action::EntitlementGrant).await?;
    Ok(Asked::Granted)
}

/// What waits for somebody else, as far as the actor may know of it.
pub async fn waiting(desk: &Desk<'_>) -> Done<Vec<EntitlementRequest>> {
    let mut requests = desk.store.entitlement_requests().await?;
    requests.retain(|request| desk.reach.holds(&request.client_id));
    Ok(requests)
}

/// By what a request is known to be the one that somebody saw, for the client that they saw.
pub fn mark(request: &EntitlementRequest, client: &Registered) -> String {
    let seen = json!([
        request.client_id,
        client.version,
        request.wanted,
        request.asked_by,
        request.asked_at,
    ]);
    hex::encode(Sha256::digest(seen.to_string()))
}

/// Says yes or no to what somebody else asked for; where `seen` is said, to that alone.
pub async fn answer(
    desk: &Desk<'_>,
    client_id: &str,
    seen: Option<&str>,
    grants: bool,
) -> Done<()> {
    by_people(desk)?;
    let read = find(desk, client_id).await?;
    let mut waiting = waiting(desk).await?;
    waiting.retain(|request| request.client_id == read.client.client_id);
    let request = waiting.pop().ok_or(Unmet::Unknown("request"))?;
    if grants && request.asked_by == desk.actor.who.to_string() {
        return Err(Unmet::Forbidden(
            "somebody else than the one who asked must grant it",
        ));
    }
    let read = open(desk, client_id, None).await?;
    // What was asked may have been asked anew, or the client be another one, since they looked.
    if seen.is_some_and(|seen| seen != mark(&request, &read)) {
        return Err(Unmet::Stale);
    }
    let client = with(&read, Some(request.wanted.clone()));
    let decided = decided(&read, &client);
    let (action, granted) = match grants {
        true => (Action::EntitlementGrant, Some((&read, &decided))),
        false => (Action::EntitlementRefuse, None),
    };
    let before = json!({ "personal_number": read.client.metadata.personal_number });
    let after = json!({ "personal_number": request.wanted, "asked_by": request.asked_by });
    let event = desk.event(
        action,
        object(&request.client_id),
        Some(before),
        Some(after),
    );
    match desk
        .store
        .answer_entitlement(&request, granted, &event)
        .await?
    {
        true => Ok(()),
        false => Err(Unmet::Stale),
    }
}

/// Where two people must decide, a program is neither of them: one person could have one.
fn by_people(desk: &Desk<'_>) -> Done<()> {
    match (&desk.actor.who, desk.config.second_approver) {
        (Who::Client(_), true) => Err(Unmet::Forbidden(
            "two administrators decide this here, on the pages, and no program",
        )),
        _ => Ok(()),
    }
}

/// Ends a client's right at once. One administrator is always enough for that.
pub async fn end(desk: &Desk<'_>, client_id: &str, version: Option<i64>) -> Done<()> {
    let read = open(desk, client_id, version).await?;
    if read.client.metadata.personal_number.is_none() {
        return Err(Unmet::Unknown("entitlement"));
    }
    save(desk, &read, None, Action::EntitlementEnd).await
}

/// Every client that may have personal numbers, or might until a while ago, with why and until when.
pub async fn report(desk: &Desk<'_>) -> Done<Vec<Registered>> {
    let filter = ClientFilter {
        entitled: true,
        ..ClientFilter::default()
    };
    super::client::list(desk, &filter, u16::MAX - 1).await
}

fn with(read: &Registered, entitlement: Option<Entitlement>) -> Client {
    let mut client = read.client.clone();
    client.metadata.personal_number = entitlement;
    client
}

fn decided<'a>(read: &'a Registered, client: &'a Client) -> Decided<'a> {
    Decided {
        client,
        managed_by: read.managed_by,
        source: &read.source,
        secrets: SecretChange::Kept,
        removed_at: None,
        looked_after_by: None,
    }
}

async fn save(
    desk: &Desk<'_>,
    read: &Registered,
    entitlement: Option<Entitlement>,
    action: Action,
) -> Done<()> {
    let client = with(read, entitlement);
    let id = &client.client_id;
    let told = |of: &Client| Some(json!({ "personal_number": of.metadata.personal_number }));
    let event = desk.event(action, object(id), told(&read.client), told(&client));
    let decided = decided(read, &client);
    match desk
        .store
        .save_client(Some(read), &decided, &event, desk.now())
        .await?
    {
        true => Ok(()),
        false => Err(changed(desk, id.as_str()).await?),
    }
}
