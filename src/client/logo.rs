//! A client's logo: what is given, what is made of it, and what is kept. Nothing that somebody gave is ever
//! shown as it came: it is decoded, made as small as a page needs it, and written anew ([`draw`]).

mod draw;

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

pub use self::draw::{MOST_BYTES, draw};

/// A logo in a client's theme. It is written as the digest of what is kept.
#[derive(Clone, Debug)]
pub enum Logo {
    /// As somebody gave it. Nothing keeps or shows it so.
    Given(Arc<[u8]>),
    /// Made from what was given, and not kept yet.
    Drawn(Arc<Drawn>),
    /// Kept under this digest.
    Kept(LogoDigest),
}

/// What was made from a picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The digest of the file.
    pub digest: LogoDigest,
    /// The file.
    pub png: Vec<u8>,
    /// How large the picture is.
    pub size: Size,
}

/// The size of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// From side to side.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

impl Logo {
    /// The most characters of a logo: a `data:` URL of the largest file, in base64.
    pub const LONGEST: usize = 880_000;

    /// A digest of what is kept, or a `data:` URL. What the URL says of its type is looked at here, what is in
    /// it where it is drawn.
    pub fn parse(text: &str) -> Result<Logo, &'static str> {
        if let Some(digest) = LogoDigest::parse(text) {
            return Ok(Logo::Kept(digest));
        }
        let rest = text.strip_prefix("data:image/").ok_or(NO_LOGO)?;
        let (kind, base64) = rest.split_once(";base64,").ok_or(NO_LOGO)?;
        if !["png", "jpeg", "webp"].contains(&kind) {
            return Err(
                "must be a PNG, JPEG or WebP picture: drawings (SVG) and others are not taken",
            );
        }
        let bytes = STANDARD.decode(base64).map_err(|_| NO_LOGO)?;
        Ok(Logo::Given(bytes.into()))
    }

    /// The digest, of all but what was just given.
    pub fn digest(&self) -> Option<LogoDigest> {
        match self {
            Logo::Given(_) => None,
            Logo::Drawn(drawn) => Some(drawn.digest),
            Logo::Kept(digest) => Some(*digest),
        }
    }

    /// Whether it only says what is kept.
    pub fn is_kept(&self) -> bool {
        matches!(self, Logo::Kept(_))
    }

    /// Makes a picture of what was given. It takes a while: not on a thread that others wait for.
    pub fn drawn(self) -> Result<Logo, &'static str> {
        match self {
            Logo::Given(bytes) => Ok(Logo::Drawn(Arc::new(draw(&bytes)?))),
            other => Ok(other),
        }
    }
}

const NO_LOGO: &str =
    "must be a picture as data:image/png;base64,…, or the digest of one that is kept here";

/// A PNG file as it can stand in an address.
pub fn data_url(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

/// The same file is the same logo, whether it is kept yet or not.
impl PartialEq for Logo {
    fn eq(&self, other: &Logo) -> bool {
        match (self, other) {
            (Logo::Given(one), Logo::Given(two)) => one == two,
            (one, two) => one.digest().is_some() && one.digest() == two.digest(),
        }
    }
}
impl Eq for Logo {}

impl Serialize for Logo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self, self.digest()) {
            (_, Some(digest)) => serializer.collect_str(&digest),
            (Logo::Given(bytes), None) => serializer.serialize_str(&data_url(bytes)),
            (_, None) => Err(serde::ser::Error::custom("a logo without a digest")),
        }
    }
}

impl<'de> Deserialize<'de> for Logo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Logo::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// SHA-256 of a logo's file, by which it is kept and served.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogoDigest([u8; 32]);

impl LogoDigest {
    /// Of a file.
    pub fn of(png: &[u8]) -> LogoDigest {
        LogoDigest(Sha256::digest(png).into())
    }

    /// 64 hexadecimal digits in small letters.
    pub fn parse(text: &str) -> Option<LogoDigest> {
        let is_small = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let bytes = hex::decode(text)
            .ok()
            .filter(|_| text.bytes().all(is_small))?;
        Some(LogoDigest(bytes.try_into().ok()?))
    }

    /// A digest read back from the database; `None` unless it has 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<LogoDigest> {
        Some(LogoDigest(bytes.try_into().ok()?))
    }

    /// The 32 bytes, for the database.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Where the file is served.
    pub fn path(self) -> String {
        format!("/logo/{self}.png")
    }

    /// Reads the last part of [`LogoDigest::path`].
    pub fn of_file(name: &str) -> Option<LogoDigest> {
        LogoDigest::parse(name.strip_suffix(".png")?)
    }
}

impl fmt::Display for LogoDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for LogoDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_a_picture_or_the_digest_of_one() {
        let _shows = crate::shows!(accepting "PV-LOGO-1", refusing "PV-LOGO-1");
        let digest = "ab".repeat(32);
        let kept = Logo::parse(&digest).expect("a digest");
        assert_eq!(kept.digest().map(|d| d.to_string()), Some(digest.clone()));
        let given = Logo::parse("data:image/png;base64,AAEC").expect("a picture");
        assert_eq!(given.digest(), None);
        assert_eq!(
            serde_json::to_value(&given).expect("JSON"),
            "data:image/png;base64,AAEC"
        );
        for bad in [
            "",
            "ab",
            &digest.to_uppercase(),
            &digest[1..],
            "data:image/png,abc",
            "data:image/png;base64,A",
            "data:image/png;base64,A A=",
            "data:text/html;base64,AAEC",
            "data:image/svg+xml;base64,AAEC",
            "data:image/gif;base64,AAEC",
            "https://a.example/logo.png",
        ] {
            assert!(Logo::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(LogoDigest::of_file("x.png"), None);
        let path = LogoDigest::of(b"x").path();
        let name = path.rsplit('/').next().unwrap_or_default();
        assert_eq!(LogoDigest::of_file(name), Some(LogoDigest::of(b"x")));
    }
}
