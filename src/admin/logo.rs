//! Logos that are given with other settings: drawn where nobody waits for it, and looked for where they are
//! only named.

use tokio::sync::Semaphore;

use super::{Desk, Done, Unmet};
use crate::client::Metadata;
use crate::client::logo::Logo;
use crate::client::setting::Mistake;
use crate::error::Fault;

/// How many are drawn at once: each may need as much memory as a thousand logins.
static DRAWING: Semaphore = Semaphore::const_new(2);

/// A client's settings with logos that are drawn or kept.
pub(super) async fn with_logos(desk: &Desk<'_>, mut metadata: Metadata) -> Done<Metadata> {
    let is_given = |logo: &Logo| matches!(logo, Logo::Given(_));
    if metadata.theme.logos().any(|(_, logo)| is_given(logo)) {
        let _turn = DRAWING.acquire().await;
        let theme = std::mem::take(&mut metadata.theme);
        let drawn = tokio::task::spawn_blocking(|| theme.drawn()).await;
        metadata.theme = drawn
            .map_err(|_| Fault::Panicked)?
            .map_err(Unmet::Mistakes)?;
    }
    are_kept(desk, &metadata).await?;
    Ok(metadata)
}

/// Whether logos that are only named are there.
pub(super) async fn are_kept(desk: &Desk<'_>, metadata: &Metadata) -> Done<()> {
    let mut mistakes = Vec::new();
    for (name, logo) in metadata.theme.logos() {
        if let Logo::Kept(digest) = logo
            && desk.store.logo_size(*digest).await?.is_none()
        {
            mistakes.push(Mistake::new(
                name,
                "is the digest of no picture that is kept here",
            ));
        }
    }
    match mistakes.is_empty() {
        true => Ok(()),
        false => Err(Unmet::Mistakes(mistakes)),
    }
}
