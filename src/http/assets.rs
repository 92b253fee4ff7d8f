//! Style and scripts, built into the program. A file's name holds the digest of what is in it, so
//! that caches may keep it for ever.

use std::collections::HashMap;
use std::sync::LazyLock;

use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::answer::{self, Answer};
use super::input::Request;
use crate::client::theme::Palette;
use crate::error::Error;
use crate::provider::Provider;

#[derive(RustEmbed)]
#[folder = "static/"]
#[include = "portvakt.css"]
#[include = "admin.css"]
#[include = "admin.js"]
#[include = "choice.js"]
#[include = "bounce.js"]
#[include = "login.js"]
#[include = "return.js"]
#[include = "queue.js"]
#[include = "logged_out.js"]
struct Files;

struct Asset {
    served_as: String,
    content_type: &'static str,
    body: &'static [u8],
}

impl Asset {
    /// Whether a name is that of this file with another digest.
    fn is_version_of(&self, name: &str) -> bool {
        let digest = |name: &str| {
            let (stem, rest) = name.rsplit_once('-')?;
            let (digest, ending) = rest.split_once('.')?;
            let sound = digest.len() == 16 && digest.bytes().all(|b| b.is_ascii_hexdigit());
            sound.then(|| format!("{stem}.{ending}"))
        };
        digest(name).is_some_and(|plain| Some(plain) == digest(&self.served_as))
    }
}

static ASSETS: LazyLock<HashMap<String, Asset>> = LazyLock::new(|| {
    Files::iter()
        .filter_map(|name| {
            let body: &'static [u8] = match Files::get(&name)?.data {
                std::borrow::Cow::Borrowed(body) => body,
                std::borrow::Cow::Owned(body) => Box::leak(body.into_boxed_slice()),
            };
            let digest = hex::encode(&Sha256::digest(body)[..8]);
            let (stem, ending) = name.split_once('.')?;
            let asset = Asset {
                served_as: format!("{stem}-{digest}.{ending}"),
                content_type: match ending {
                    "css" => "text/css; charset=utf-8",
                    _ => "text/javascript; charset=utf-8",
                },
                body,
            };
            Some((name.into_owned(), asset))
        })
        .collect()
});

/// Where a file is served.
pub fn url(name: &str) -> String {
    let asset = ASSETS.get(name).expect("a file that is built in");
    format!("/static/{}", asset.served_as)
}

pub async fn asset(provider: Provider, request: Request) -> Result<Answer, Error> {
    let name = request.path_part("name").unwrap_or_default();
    let found = ASSETS.values().find(|asset| asset.served_as == name);
    let of_another_version = || ASSETS.values().find(|asset| asset.is_version_of(name));
    Ok(match (found, of_another_version()) {
        (Some(asset), _) => Answer::asset(asset.content_type, asset.body),
        // While nodes are being upgraded, a page of the old version may ask the new one.
        (None, Some(asset)) => Answer::passing_asset(asset.content_type, asset.body),
        (None, None) => answer::not_found(&request.view(&provider)),
    })
}

/// The style sheet of a client's colours, which are all in its name.
pub async fn theme(provider: Provider, request: Request) -> Result<Answer, Error> {
    let palette = Palette::parse(request.path_part("name").unwrap_or_default());
    Ok(match palette {
        Some(palette) => Answer::made_asset("text/css; charset=utf-8", palette.style()),
        None => answer::not_found(&request.view(&provider)),
    })
}
