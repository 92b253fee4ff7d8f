//! People's sessions.

use super::super::answer::Answer;
use super::super::input::Request;
use super::Caller;
use super::page::{Frame, Revealed, SessionRow, Sessions, client_path, shown};
use crate::admin::role::Permission;
use crate::admin::{Unmet, session};
use crate::id::ClientId;
use crate::provider::Provider;
use crate::session::delivery;

const MOST: u16 = 200;
const PARAMETER_LIMIT: usize = 512;

pub async fn list(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let query = request.query(PARAMETER_LIMIT).unwrap_or_default();
    let client = query.first("client").unwrap_or_default().trim().to_owned();
    page(&provider, &caller, &client, None).await
}

async fn page(
    provider: &Provider,
    caller: &Caller,
    client: &str,
    revealed: Option<Revealed>,
) -> Result<Answer, Unmet> {
    let desk = caller.desk(provider);
    let client_id = ClientId::parse(client);
    // What is no id is nobody's, and not everybody's.
    let rows = match client_id.is_none() && !client.is_empty() {
        true => Vec::new(),
        false => session::list(&desk, client_id.as_ref(), MOST).await?,
    };
    let row = |seen: session::Seen| SessionRow {
        id: seen.id.to_string(),
        path: client_path(seen.client_id.as_str()),
        client: seen.client_id.to_string(),
        began: shown(seen.auth_time),
        ends: shown(seen.expires_at),
    };
    Ok(Answer::page(&Sessions {
        frame: Frame::new(provider, caller, "Sessions"),
        client: client.to_owned(),
        rows: rows.into_iter().map(row).collect(),
        may_end: caller.may(Permission::EndSessions),
        may_reveal: caller.may(Permission::RevealPersons),
        revealed,
    }))
}

pub async fn end(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let id = request.path_part("id").unwrap_or_default();
    let notices = session::end(&caller.desk(&provider), id, &provider.keys.subject).await?;
    delivery::tell(&provider, notices).await;
    Ok(Answer::see("/sessions"))
}

pub async fn reveal(provider: Provider, request: Request, caller: Caller) -> Result<Answer, Unmet> {
    let id = request.path_part("id").unwrap_or_default();
    let why = caller.field("why").unwrap_or_default();
    let person = session::reveal(&caller.desk(&provider), id, why).await?;
    let revealed = Revealed {
        id: id.to_owned(),
        name: person.name,
        number: person.number,
    };
    page(&provider, &caller, "", Some(revealed)).await
}
