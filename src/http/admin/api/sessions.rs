//! People's sessions, without whose they are.

use super::super::super::answer::Answer;
use super::{Answered, Call, shown};
use crate::admin::session;
use crate::id::ClientId;
use crate::session::delivery;

pub async fn list(call: Call) -> Answered {
    let client_id = call.query.first("client_id").and_then(ClientId::parse);
    let seen = session::list(&call.desk(), client_id.as_ref(), call.limit()).await?;
    let items = seen.iter().map(shown::session).collect();
    Ok(Answer::json(&shown::part(items, None)))
}

pub async fn end(call: Call) -> Answered {
    let provider = &call.provider;
    let id = call.part("session_id");
    let notices = session::end(&call.desk(), id, &provider.keys.subject).await?;
    delivery::tell(provider, notices).await;
    Ok(Answer::nothing())
}
