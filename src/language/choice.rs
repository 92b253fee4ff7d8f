//! Which language a page is in: what the person chose, what the client asks for, what they chose before,
//! what their browser says.

use super::{Language, Languages, Tag};

/// What is known of the language that a person wants, in the order in which it counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes<'a> {
    /// What the person chose on a page of the same login.
    pub chosen: Option<&'a Tag>,
    /// What the client asks for (OpenID Connect Core §3.1.2.1): tags in order of preference, by spaces.
    pub ui_locales: Option<&'a str>,
    /// What the person chose on an earlier visit.
    pub remembered: Option<&'a str>,
    /// What the browser asks for (RFC 9110 §12.5.4).
    pub accept_language: Option<&'a str>,
}

impl Languages {
    /// The language of a page. One that is asked for and not spoken is passed over.
    pub fn choose(&self, wishes: &Wishes<'_>) -> Language {
        let chosen = wishes.chosen.and_then(|tag| self.named(tag));
        let asked = || {
            let tags = wishes.ui_locales.unwrap_or_default().split(' ');
            tags.filter_map(Tag::parse).find_map(|tag| self.find(&tag))
        };
        let remembered = || self.named(&Tag::parse(wishes.remembered?)?);
        let accepted = || self.accepted(wishes.accept_language?);
        chosen
            .or_else(asked)
            .or_else(remembered)
            .or_else(accepted)
            .unwrap_or_else(|| self.usual())
    }

    /// RFC 4647 §3.4: the language that a tag is a kind of.
    fn find(&self, tag: &Tag) -> Option<Language> {
        tag.and_wider().find_map(|tag| self.spoken_as(&tag))
    }

    /// RFC 9110 §12.5.4: the one of the greatest weight, and of equals the one that is written first. What
    /// has the weight 0 is not wanted.
    fn accepted(&self, header: &str) -> Option<Language> {
        let mut wanted: Vec<(Range, u16)> = header.split(',').filter_map(weighed).collect();
        let unwanted: Vec<Language> = wanted
            .iter()
            .filter(|(_, weight)| *weight == 0)
            .filter_map(|(range, _)| match range {
                Range::Tag(tag) => self.spoken_as(tag),
                Range::Any => None,
            })
            .collect();
        wanted.retain(|(_, weight)| *weight > 0);
        // A stable sort: equals keep their order.
        wanted.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        let is_wanted = |language: &Language| !unwanted.contains(language);
        wanted.iter().find_map(|(range, _)| match range {
            Range::Tag(tag) => self.find(tag).filter(is_wanted),
            Range::Any => [self.usual()].into_iter().chain(self.all()).find(is_wanted),
        })
    }
}

/// RFC 4647 §2.1.
enum Range {
    Tag(Tag),
    Any,
}

/// A range with its weight in thousandths. What is not written as it must be says nothing.
fn weighed(item: &str) -> Option<(Range, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let range = match parts.next()? {
        "*" => Range::Any,
        tag => Range::Tag(Tag::parse(tag)?),
    };
    let weight = match parts.next() {
        None => 1000,
        Some(parameter) => weight(parameter.strip_prefix(['q', 'Q'])?.strip_prefix('=')?)?,
    };
    Some((range, weight))
}

/// RFC 9110 §12.4.2: 0 to 1 with at most three decimals.
fn weight(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths = match decimals {
        "" => 0,
        digits => format!("{digits:0<3}").parse().ok()?,
    };
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(header: &str) -> Language {
        Languages::default().choose(&Wishes {
            accept_language: Some(header),
            ..Wishes::default()
        })
    }

    #[test]
    fn what_counts_more_is_asked_first() {
        let _shows = crate::shows!(accepting "PV-LANG-1", refusing "PV-LANG-1");
        let (sv, en, fi) = ("sv", "en", "fi");
        let languages = Languages::default();
        for (chosen, ui_locales, remembered, accept_language, expected) in [
            (None, None, None, None, sv),
            (None, None, None, Some(en), en),
            (None, None, Some(en), Some(sv), en),
            (None, Some(sv), Some(en), Some(en), sv),
            (Some(en), Some(sv), Some(sv), Some(sv), en),
            // What is not spoken is passed over.
            (Some(fi), Some(en), None, None, en),
            (None, Some("fi en"), None, Some(sv), en),
            (None, Some("fi"), Some(fi), Some("en-GB"), en),
            (None, Some("\u{0} * -"), Some("\""), Some("en"), en),
            (None, None, Some("fi"), Some("fi"), sv),
        ] {
            let chosen = chosen.and_then(Tag::parse);
            let wishes = Wishes {
                chosen: chosen.as_ref(),
                ui_locales,
                remembered,
                accept_language,
            };
            let found = languages.choose(&wishes);
            assert_eq!(found.tag().as_str(), expected, "{wishes:?}");
        }
    }

    #[test]
    fn a_browsers_weights_count() {
        let _shows = crate::shows!(accepting "PV-LANG-1", refusing "PV-LANG-1");
        for (header, expected) in [
            ("en-GB,en;q=0.9,sv;q=0.8", Language::ENGLISH),
            ("sv;q=0.8,en;q=0.9", Language::ENGLISH),
            ("en;q=0.5, sv", Language::SWEDISH),
            ("fr;q=0.9, sv-SE", Language::SWEDISH),
            ("en;q=0.9,sv;q=0.900", Language::ENGLISH),
            ("en ; q=1.000", Language::ENGLISH),
            ("en;Q=0.001, fi", Language::ENGLISH),
            // Turned down in so many words.
            ("sv;q=0, *", Language::ENGLISH),
            ("sv-FI, sv;q=0, en;q=0.1", Language::ENGLISH),
            ("en;q=0", Language::SWEDISH),
            ("*;q=0.5, en;q=0.4", Language::SWEDISH),
            // What cannot be read says nothing.
            ("en;q=2, sv;q=0.1", Language::SWEDISH),
            ("en;q=0.1234, sv;q=0.1", Language::SWEDISH),
            ("en;q=, sv;q=0.1", Language::SWEDISH),
            (",,;q=1, en", Language::ENGLISH),
            ("", Language::SWEDISH),
        ] {
            assert_eq!(accepted(header), expected, "{header}");
        }
    }
}
