//! Clients' logos, served under their digests.

use super::answer::{self, Answer};
use super::input::Request;
use super::page;
use crate::client::logo::{Logo, LogoDigest, data_url};
use crate::client::theme::Theme;
use crate::error::{Error, Fault};
use crate::provider::Provider;

pub async fn get(provider: Provider, request: Request) -> Result<Answer, Error> {
    let named = LogoDigest::of_file(request.path_part("name").unwrap_or_default());
    let png = match named {
        Some(digest) => provider.store.logo(digest).await?,
        None => None,
    };
    Ok(match png {
        Some(png) => Answer::picture(png),
        None => answer::not_found(&request.view(&provider)),
    })
}

/// A theme's logo as a page shows it.
pub async fn shown(provider: &Provider, theme: &Theme) -> Result<Option<page::Logo>, Fault> {
    let light = picture(provider, theme.logo.as_ref()).await?;
    let dark = picture(provider, theme.logo_dark.as_ref()).await?;
    Ok(light.map(|light| page::Logo { light, dark }))
}

async fn picture(provider: &Provider, logo: Option<&Logo>) -> Result<Option<page::Picture>, Fault> {
    let (address, size) = match logo {
        Some(Logo::Kept(digest)) => (digest.path(), provider.store.logo_size(*digest).await?),
        // One that is looked at before it is kept is in the page itself.
        Some(Logo::Drawn(drawn)) => (data_url(&drawn.png), Some(drawn.size)),
        Some(Logo::Given(_)) | None => return Ok(None),
    };
    Ok(size.map(|size| page::Picture {
        address,
        width: size.width,
        height: size.height,
    }))
}
