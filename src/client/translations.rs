//! What a client says in several languages: its name, and why it asks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Name, Sentence};
use crate::language::{Language, Tag};

/// The most languages of one text.
pub const MOST_LANGUAGES: usize = 20;

/// Texts by the tags of their languages, none of which stands twice in different letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<String, T>",
    bound(deserialize = "T: Deserialize<'de>")
)]
pub struct ByTag<T>(BTreeMap<Tag, T>);

impl<T> ByTag<T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, language: Language) -> Option<&T> {
        self.0.get(language.tag())
    }

    /// Each with its tag.
    pub fn iter(&self) -> impl Iterator<Item = (&Tag, &T)> {
        self.0.iter()
    }
}

impl<T> Default for ByTag<T> {
    fn default() -> ByTag<T> {
        ByTag(BTreeMap::new())
    }
}

impl<T> TryFrom<BTreeMap<String, T>> for ByTag<T> {
    type Error = String;

    fn try_from(written: BTreeMap<String, T>) -> Result<ByTag<T>, String> {
        if written.len() > MOST_LANGUAGES {
            return Err(format!("must have at most {MOST_LANGUAGES} languages"));
        }
        let mut texts = BTreeMap::new();
        for (tag, text) in written {
            let tag = Tag::parse(&tag)
                .ok_or_else(|| "must have language tags as sv or pt-BR".to_owned())?;
            if texts.insert(tag.clone(), text).is_some() {
                return Err(format!("must have one text for {tag}"));
            }
        }
        Ok(ByTag(texts))
    }
}

/// Names in languages that have one of their own (OpenID Connect Dynamic Client Registration §2.1).
pub type Names = ByTag<Name>;

impl Names {
    /// Whether a client is called the same in every language.
    pub fn are_one(&self) -> bool {
        self.is_empty()
    }

    /// The name in a language: its own; that of a kind of it, as `en-GB` is of `en`; that of what it is a
    /// kind of (RFC 4647 §3.4).
    pub fn name(&self, language: Language) -> Option<&Name> {
        let narrower = || {
            let is_kind = |tag: &Tag| tag.and_wider().any(|wider| wider == *language.tag());
            let mut names = self.iter();
            names.find_map(|(tag, name)| is_kind(tag).then_some(name))
        };
        let wider = || language.tag().and_wider().find_map(|tag| self.0.get(&tag));
        self.of(language).or_else(narrower).or_else(wider)
    }
}

/// Why a client asks people to log in, in each language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purpose {
    /// In Swedish.
    pub sv: Sentence,
    /// In English.
    pub en: Sentence,
    /// In other languages.
    #[serde(default, skip_serializing_if = "Others::is_empty")]
    pub others: Others,
}

impl Purpose {
    /// The text in one language. English, where it has none in that.
    pub fn text(&self, language: Language) -> &str {
        let text = match language {
            language if language == Language::SWEDISH => &self.sv,
            language => self.others.0.of(language).unwrap_or(&self.en),
        };
        text.as_str()
    }
}

/// A text in languages besides Swedish and English.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ByTag<Sentence>")]
pub struct Others(ByTag<Sentence>);

impl Others {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<ByTag<Sentence>> for Others {
    type Error = String;

    fn try_from(texts: ByTag<Sentence>) -> Result<Others, String> {
        let mut built_in = Language::BUILT_IN.into_iter();
        match built_in.find(|language| texts.of(*language).is_some()) {
            Some(language) => Err(format!("{} has a place of its own", language.tag())),
            None => Ok(Others(texts)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_found_by_what_a_language_is_a_kind_of() {
        let _shows = crate::shows!(accepting "PV-LANG-6");
        let read = |names| serde_json::from_value::<Names>(names).expect("names");
        let name =
            |names: &Names, language| names.name(language).map(|name| name.as_str().to_owned());
        let both =
            read(json!({"sv": "Bygglov", "en-GB": "Planning permission", "en-US": "Permits"}));
        assert_eq!(name(&both, Language::SWEDISH).as_deref(), Some("Bygglov"));
        let english = name(&both, Language::ENGLISH);
        assert_eq!(english.as_deref(), Some("Planning permission"));
        let own = read(json!({"en": "Permits", "en-GB": "Planning permission"}));
        assert_eq!(name(&own, Language::ENGLISH).as_deref(), Some("Permits"));
        assert_eq!(name(&own, Language::SWEDISH), None);
        // A language whose tag begins with the same letters is another one.
        assert_eq!(name(&read(json!({"enm": "Lof"})), Language::ENGLISH), None);
    }

    #[test]
    fn one_text_for_each_language() {
        let _shows = crate::shows!(refusing "PV-LANG-6");
        let refused = |names| {
            let read = serde_json::from_value::<Names>(names);
            read.expect_err("refused").to_string()
        };
        for tag in ["", "s", "sv-", "sv\"", "*"] {
            assert_eq!(
                refused(json!({ tag: "A" })),
                "must have language tags as sv or pt-BR",
                "{tag}"
            );
        }
        let twice = refused(json!({"sv-se": "A", "sv-SE": "B"}));
        assert_eq!(twice, "must have one text for sv-SE");
        let letters = ('a'..='z').map(|c| (format!("x{c}"), json!("A")));
        let many: serde_json::Map<_, _> = letters.take(MOST_LANGUAGES + 1).collect();
        assert_eq!(refused(json!(many)), "must have at most 20 languages");
        assert!(refused(json!({"sv": "a\u{202e}b"})).contains("visible"));
        assert!(refused(json!({"sv": "x".repeat(81)})).contains("1 to 80"));
    }
}
