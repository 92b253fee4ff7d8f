//! What every page that people see has of its provider: its name, its pictures, where it answers for
//! itself, and what it warns of.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use url::Url;

use super::Findings;
use super::issuer::Issuer;
use super::written;
use crate::bankid::environment::Worth;

/// What the pages say of the provider.
#[derive(Clone, Debug)]
pub struct Pages {
    /// What a login here is worth.
    pub worth: Worth,
    /// What the provider is called.
    pub name: String,
    /// Its logo.
    pub logo: Option<Picture>,
    /// The logo that BankID hands out, for pages that offer BankID.
    pub bankid_logo: Option<Picture>,
    /// Whether people are warned of those who call and ask them to log in.
    pub care_notice: bool,
    /// Where people find help with logging in.
    pub help_uri: Option<Url>,
    /// What is done with personal data.
    pub privacy_uri: Option<Url>,
    /// How far the pages can be used by everyone (the accessibility statement that the law asks
    /// public bodies for, lag 2018:1937 12 §).
    pub accessibility_uri: Option<Url>,
}

impl Pages {
    /// Those of a provider that says nothing of itself: it is called what its host is.
    pub fn usual(name: &str, worth: Worth) -> Pages {
        Pages {
            worth,
            name: name.to_owned(),
            logo: None,
            bankid_logo: None,
            care_notice: true,
            help_uri: None,
            privacy_uri: None,
            accessibility_uri: None,
        }
    }

    /// The picture that is served under a name.
    pub fn picture(&self, file: &str) -> Option<&Picture> {
        let pictures = [&self.logo, &self.bankid_logo];
        pictures.into_iter().flatten().find(|p| p.file == file)
    }
}

/// A picture that the operator has supplied, as it is: logos of others must not be altered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The name that it is served under, which holds the digest of what is in it.
    pub file: String,
    /// What it is.
    pub content_type: &'static str,
    /// What is in it.
    pub body: Arc<[u8]>,
}

impl Picture {
    /// Reads a picture: PNG (by its signature) or SVG.
    pub fn of(body: Vec<u8>) -> Result<Picture, String> {
        if body.len() > LARGEST {
            return Err(format!(
                "is larger than {} kB, which everyone would have to load",
                LARGEST / 1024
            ));
        }
        let is_svg = || std::str::from_utf8(&body).is_ok_and(|text| text.contains("<svg"));
        let (content_type, ending) = if body.starts_with(b"\x89PNG\r\n\x1a\n") {
            ("image/png", "png")
        } else if is_svg() {
            ("image/svg+xml", "svg")
        } else {
            return Err("is neither PNG nor SVG".to_owned());
        };
        let digest = hex::encode(&Sha256::digest(&body)[..8]);
        Ok(Picture {
            file: format!("{digest}.{ending}"),
            content_type,
            body: body.into(),
        })
    }

    /// Where it is served.
    pub fn address(&self) -> String {
        format!("/picture/{}", self.file)
    }
}

/// The most that a picture may hold, in bytes.
const LARGEST: usize = 64 * 1024;

pub(super) fn check(
    written: written::Pages,
    issuer: &Issuer,
    worth: Worth,
    base: &Path,
    found: &mut Findings,
) -> Pages {
    let mut picture = |key: &str, file: Option<&Path>| {
        let read = std::fs::read(base.join(file?)).map_err(|e| e.to_string());
        found.take(key, read.and_then(Picture::of))
    };
    let logo = picture("pages.logo_file", written.logo_file.as_deref());
    let bankid_logo = picture(
        "pages.bankid_logo_file",
        written.bankid_logo_file.as_deref(),
    );
    let mut link = |key: &str, url: Option<Url>| {
        let sound = |url: &Url| url.scheme() == "https" || url.scheme() == "mailto";
        if url.as_ref().is_some_and(|url| !sound(url)) {
            found.add(key, "must be an https or a mailto address");
        }
        url
    };
    let help_uri = link("pages.help_uri", written.help_uri);
    let privacy_uri = link("pages.privacy_uri", written.privacy_uri);
    let accessibility_uri = link("pages.accessibility_uri", written.accessibility_uri);
    let name = written.name.unwrap_or_else(|| issuer.host().to_owned());
    let length = name.trim().chars().count();
    if !(1..=LONGEST_NAME).contains(&length) || name.chars().any(char::is_control) {
        let reason = format!("must be one line of 1 to {LONGEST_NAME} characters");
        found.add("pages.name", reason);
    }
    Pages {
        worth,
        name: name.trim().to_owned(),
        logo,
        bankid_logo,
        care_notice: written.care_notice,
        help_uri,
        privacy_uri,
        accessibility_uri,
    }
}

/// The longest name that leaves room on a phone, in characters.
const LONGEST_NAME: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_what_its_content_says() {
        let png = Picture::of(b"\x89PNG\r\n\x1a\nrest".to_vec()).expect("a PNG");
        assert_eq!(png.content_type, "image/png");
        assert!(png.address().starts_with("/picture/") && png.file.ends_with(".png"));
        let svg = Picture::of(b"<?xml version='1.0'?><svg xmlns='x'/>".to_vec()).expect("an SVG");
        assert_eq!(svg.content_type, "image/svg+xml");
        for bad in [
            b"GIF89a".to_vec(),
            b"<html></html>".to_vec(),
            vec![0xff; 9],
            vec![b' '; LARGEST + 1],
        ] {
            assert!(Picture::of(bad).is_err());
        }
    }

    #[test]
    fn what_is_wrong_with_the_pages_is_told_by_key() {
        let issuer = Issuer::parse("https://login.example.se").expect("an issuer");
        let written: written::Pages = toml::from_str(
            "name = \"\"\nlogo_file = \"nowhere.png\"\nhelp_uri = \"http://a.example\"",
        )
        .expect("it can be read");
        let mut found = Findings::default();
        check(written, &issuer, Worth::Real, Path::new("."), &mut found);
        let keys: Vec<String> = found.0.into_iter().map(|problem| problem.key).collect();
        assert_eq!(
            keys,
            ["pages.logo_file", "pages.help_uri", "pages.name"].map(str::to_owned)
        );
        let mut found = Findings::default();
        let usual = check(
            written::Pages::default(),
            &issuer,
            Worth::Real,
            Path::new("."),
            &mut found,
        );
        assert!(found.is_empty() && usual.care_notice);
        assert_eq!(usual.name, "login.example.se");
    }
}
