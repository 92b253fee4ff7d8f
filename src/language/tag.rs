//! Language tags (BCP 47, RFC 5646), as far as languages are told apart by them.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// The name of a language: `sv`, `nb`, `zh-Hant`. Written as RFC 5646 §2.1.1 recommends, so that two names
/// of one language are the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Tag(Cow<'static, str>);

impl Tag {
    pub(super) const fn built_in(tag: &'static str) -> Tag {
        Tag(Cow::Borrowed(tag))
    }

    /// RFC 5646 §2.1: subtags of one to eight letters and digits, the first of letters alone. Many programs
    /// write `_` for `-`.
    pub fn parse(text: &str) -> Option<Tag> {
        let text = text.replace('_', "-");
        let sound = text.split('-').enumerate().all(|(at, subtag)| {
            let longest = (1..=MOST).contains(&subtag.len());
            let is_fit = |b: u8| b.is_ascii_alphabetic() || (at > 0 && b.is_ascii_digit());
            longest && (at > 0 || subtag.len() > 1) && subtag.bytes().all(is_fit)
        });
        if !sound || text.len() > LONGEST {
            return None;
        }
        let written: Vec<String> = text
            .split('-')
            .enumerate()
            .map(|(at, subtag)| match (at, subtag.len()) {
                // A script has four letters, a region two.
                (1.., 4) => subtag[..1].to_ascii_uppercase() + &subtag[1..].to_ascii_lowercase(),
                (1.., 2) => subtag.to_ascii_uppercase(),
                _ => subtag.to_ascii_lowercase(),
            })
            .collect();
        Some(Tag(written.join("-").into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// RFC 4647 §3.4: this language, and then every one that it is a kind of: `zh-Hant-TW`, `zh-Hant`, `zh`.
    pub fn and_wider(&self) -> impl Iterator<Item = Tag> {
        std::iter::successors(Some(self.clone()), |tag| {
            let (wider, _) = tag.0.rsplit_once('-')?;
            // A subtag of one letter only begins what was cut off.
            let wider = match wider.rsplit_once('-') {
                Some((before, single)) if single.len() == 1 => before,
                _ => wider,
            };
            Some(Tag(wider.to_owned().into()))
        })
    }
}

/// The most characters of a subtag.
const MOST: usize = 8;
/// The most characters of a tag (RFC 5646 §4.4.1 asks for 35 at least).
const LONGEST: usize = 35;

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Tag::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("must be a language tag as sv or pt-BR"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_written_in_one_way() {
        for (text, expected) in [
            ("sv", Some("sv")),
            ("SV", Some("sv")),
            ("sv_fi", Some("sv-FI")),
            ("zh-hant-tw", Some("zh-Hant-TW")),
            ("de-CH-1996", Some("de-CH-1996")),
            ("", None),
            ("s", None),
            ("*", None),
            ("sv-", None),
            ("-sv", None),
            ("5v", None),
            ("sv-\u{e5}", None),
            ("swedishes", None),
            ("\"><script>", None),
            ("aa-aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaaaaaa", None),
        ] {
            let found = Tag::parse(text);
            assert_eq!(found.as_ref().map(Tag::as_str), expected, "{text}");
        }
    }

    #[test]
    fn a_language_is_looked_up_by_what_it_is_a_kind_of() {
        let wider = |text| -> Vec<String> {
            let tag = Tag::parse(text).expect(text);
            tag.and_wider().map(|tag| tag.to_string()).collect()
        };
        assert_eq!(wider("zh-Hant-TW"), ["zh-Hant-TW", "zh-Hant", "zh"]);
        // RFC 4647 §3.4: the example of the specification.
        assert_eq!(
            wider("zh-Hant-CN-x-private1"),
            ["zh-Hant-CN-x-private1", "zh-Hant-CN", "zh-Hant", "zh"]
        );
    }
}
