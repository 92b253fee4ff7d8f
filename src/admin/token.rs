//! Initial access tokens: what lets clients register themselves (RFC 7591 §3).

use serde_json::json;

use super::{Desk, Done, Unmet};
use crate::audit::Action;
use crate::client::registration::{Allowance, InitialAccessToken, Note};
use crate::clock::Seconds;
use crate::id::{Id, kind};
use crate::secret::{Secret, kind as secret};

/// Which token is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What it is for.
    pub note: Note,
    /// How many clients may register by it.
    pub uses: u32,
    /// For how long.
    pub lifetime: Seconds,
    /// What it allows.
    pub allowance: Allowance,
}

/// All that were made, the latest first, without the tokens themselves.
pub async fn list(desk: &Desk<'_>) -> Done<Vec<InitialAccessToken>> {
    Ok(desk.store.initial_access_tokens().await?)
}

/// Makes a token. Nobody can say it a second time: only its digest is kept.
pub async fn issue(
    desk: &Desk<'_>,
    wanted: Wanted,
) -> Done<(InitialAccessToken, Secret<secret::InitialAccessToken>)> {
    let shown = Secret::fresh(desk.random);
    let token = InitialAccessToken {
        id: Id::fresh(desk.random),
        note: wanted.note,
        allowance: wanted.allowance,
        uses: wanted.uses,
        uses_left: wanted.uses,
        expires_at: desk.now() + wanted.lifetime,
        revoked_at: None,
    };
    let after = json!({
        "note": token.note, "uses": token.uses, "expires_at": token.expires_at,
        "allowance": token.allowance,
    });
    let event = desk.event(Action::TokenIssue, object(token.id), None, Some(after));
    desk.store
        .issue_initial_access_token(&token, shown.digest(), &event)
        .await?;
    Ok((token, shown))
}

/// Lets nobody register by a token any more. Clients that came by it stay.
pub async fn revoke(desk: &Desk<'_>, id: Id<kind::InitialAccessToken>) -> Done<()> {
    let event = desk.event(Action::TokenRevoke, object(id), None, None);
    match desk.store.revoke_initial_access_token(id, &event).await? {
        true => Ok(()),
        false => Err(Unmet::Unknown("token that is not revoked")),
    }
}

fn object(id: Id<kind::InitialAccessToken>) -> String {
    format!("token:{id}")
}
