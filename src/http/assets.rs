//! Style and scripts, built into the program. A file's name holds the digest of what is in it, so
//! that caches may keep it for ever.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{LazyLock, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::answer::{self, Answer};
use super::input::Request;
use crate::error::Error;
use crate::provider::Provider;

#[derive(RustEmbed)]
#[folder = "static/"]
#[include = "base.css"]
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
    /// The same in gzip, made when it is first asked for.
    gzip: OnceLock<&'static [u8]>,
}

impl Asset {
    fn gzip(&self) -> &'static [u8] {
        self.gzip.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder
                .write_all(self.body)
                .expect("it is written into memory");
            encoder.finish().expect("it is written into memory").leak()
        })
    }

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
                gzip: OnceLock::new(),
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
        (Some(asset), _) if request.takes_gzip() => {
            Answer::asset(asset.content_type, asset.gzip()).in_gzip()
        }
        (Some(asset), _) => Answer::asset(asset.content_type, asset.body).in_plain(),
        // While nodes are being upgraded, a page of the old version may ask the new one.
        (None, Some(asset)) => Answer::passing_asset(asset.content_type, asset.body),
        (None, None) => answer::not_found(&request.view(&provider)),
    })
}

/// The pictures that the operator has supplied.
pub async fn picture(provider: Provider, request: Request) -> Result<Answer, Error> {
    let name = request.path_part("name").unwrap_or_default();
    Ok(match provider.config.pages.picture(name) {
        Some(picture) => Answer::supplied_picture(picture),
        None => answer::not_found(&request.view(&provider)),
    })
}

/// What stands in a page itself, and what a policy allows it by (CSP 3 §2.3.1, `hash-source`).
pub struct Inline {
    pub text: &'static str,
    pub source: String,
}

/// The style of the pages that people log in on. It stands in each of them, so that the first one
/// is seen after one round trip.
pub static STYLE: LazyLock<Inline> = LazyLock::new(|| {
    let text: String = [BASE, OWN].into_iter().flat_map(bare_lines).collect();
    Inline {
        source: source_of(&text),
        text: text.leak(),
    }
});

const BASE: &str = include_str!("../../static/base.css");
const OWN: &str = include_str!("../../static/portvakt.css");

/// A style sheet's lines without what is there for its readers alone.
fn bare_lines(sheet: &'static str) -> impl Iterator<Item = &'static str> {
    let mut in_comment = false;
    sheet.lines().map(str::trim).filter(move |line| {
        in_comment |= line.starts_with("/*");
        let is_comment = in_comment;
        in_comment &= !line.ends_with("*/");
        !is_comment
    })
}

/// CSP 3 §2.3.1: the digest by which a policy allows a style.
pub fn source_of(style: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(style)))
}
