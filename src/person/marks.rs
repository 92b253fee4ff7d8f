//! By what a person is recognised in what others wrote: their number in any form, and the names that clients
//! know them by, also inside a token that is itself a part of a request.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::authorize::request::Parameters;
use crate::bankid::personal_number::PersonalNumber;

/// How deep tokens are looked into that are in tokens: a hint in a request that is signed.
const DEPTH: u8 = 3;

/// By what one person is recognised.
pub struct Marks {
    number: PersonalNumber,
    forms: [String; 3],
    subjects: BTreeSet<String>,
}

impl Marks {
    /// The marks of a person with this number, whom clients know by these names.
    pub fn new(number: &PersonalNumber, subjects: BTreeSet<String>) -> Marks {
        // The long forms end with the short ones.
        let (day, last) = number.expose()[2..].split_at(6);
        Marks {
            number: number.clone(),
            forms: ["", "-", "+"].map(|between| format!("{day}{between}{last}")),
            subjects,
        }
    }

    /// Whether a number is this person's.
    pub fn are_of(&self, number: &PersonalNumber) -> bool {
        *number == self.number
    }

    /// Whether a client knows this person by this name.
    pub fn hold(&self, subject: &str) -> bool {
        self.subjects.contains(subject)
    }

    /// Whether a request names this person.
    pub fn are_in(&self, parameters: &Parameters) -> bool {
        let mut values = parameters.pairs().map(|(_, value)| value);
        values.any(|value| self.are_within(value, DEPTH))
    }

    fn are_within(&self, text: &str, depth: u8) -> bool {
        let is_mark = |word: &str| self.hold(word);
        if self.forms.iter().any(|form| text.contains(form)) || words(text, "-_").any(is_mark) {
            return true;
        }
        let Some(depth) = depth.checked_sub(1) else {
            return false;
        };
        words(text, "-_.").any(|word| {
            let payload = word.split('.').nth(1);
            let bytes = payload.and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
            let inside = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            inside.is_some_and(|inside| self.are_within(&inside, depth))
        })
    }
}

/// Whether the digits of a text hold a number, whatever stands between them: a reason must not.
pub fn tells(text: &str, number: &PersonalNumber) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.contains(&number.expose()[2..])
}

/// The longest parts of a text of letters, digits, and these.
fn words<'t>(text: &'t str, more: &'static str) -> impl Iterator<Item = &'t str> {
    text.split(move |c: char| !(c.is_ascii_alphanumeric() || more.contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: &str = "iXPFMhneaKZMax0lXOI6tSQ6A6782qxv8bD7mzLmvMY";

    fn number(text: &str) -> PersonalNumber {
        PersonalNumber::parse(text).expect("a number")
    }

    fn token(payload: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part("{}"), part(payload), part("signature"))
    }

    #[test]
    fn a_person_is_recognised_in_a_request_in_whatever_form() {
        let _shows = crate::shows!(accepting "D6", refusing "D6");
        let marks = Marks::new(&number("191212121212"), [SUBJECT.to_owned()].into());
        let are_in = |value: &str| {
            let pairs = [("state", "x"), ("a", value)];
            let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
            marks.are_in(&Parameters::from_pairs(pairs))
        };
        let hint = token(&format!("{{\"sub\":\"{SUBJECT}\"}}"));
        for named in [
            "191212121212",
            "19121212-1212",
            "1212121212",
            "121212-1212",
            "121212+1212",
            r#"{"id_token":{"personal_number":{"value":"191212121212"}}}"#,
            SUBJECT,
            &format!("{{\"sub\":{{\"value\":\"{SUBJECT}\"}}}}"),
            &hint,
            // A request that is signed, and has a hint.
            &token(&format!("{{\"id_token_hint\":\"{hint}\"}}")),
        ] {
            assert!(are_in(named), "{named}");
        }
        for other in [
            "",
            "191212121220",
            "12121212",
            "openid profile",
            &SUBJECT[1..],
            &token("{\"sub\":\"somebody else\"}"),
            "a.b.c",
            "..",
        ] {
            assert!(!are_in(other), "{other}");
        }
    }

    #[test]
    fn a_reason_that_tells_the_number_is_known() {
        let _shows = crate::shows!(refusing "PV-PERSON-2");
        let number = number("191212121212");
        for told in ["för 19121212-1212", "12 12 12 12 12", "121212+1212."] {
            assert!(tells(told, &number), "{told}");
        }
        for sound in ["ärende 2026/1212", "191212121220", ""] {
            assert!(!tells(sound, &number), "{sound}");
        }
    }
}
