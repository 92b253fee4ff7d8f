//! A language that an operator adds: one TOML file with its tag, its name and its words. Words that are
//! missing are shown in English; whatever else is not as it should be makes the file one that is not taken.

use std::collections::HashMap;
use std::fmt;

use toml::{Table, Value};

use super::words::{ENGLISH, SWEDISH};
use super::{Direction, Language, Spoken, Tag, Words};

/// Something that is wrong in a file, with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key: `words.heading`.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.reason)
    }
}

/// Why a file is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Everything that is wrong in it.
    pub mistakes: Vec<Mistake>,
    /// What it lacks besides, which alone would be no mistake.
    pub missing: Vec<&'static str>,
}

/// Reads a file, and finds everything that is wrong in it.
pub fn read(text: &str) -> Result<Language, Refused> {
    let table: Table = text.parse().map_err(|error| no_toml(text, &error))?;
    let mut reading = Reading::default();
    let tag = reading.tag(table.get("tag"));
    let name = reading.name(table.get("name"));
    let direction = reading.direction(table.get("direction"));
    let also = reading.also(table.get("also"));
    let words = reading.words(table.get("words"));
    for key in table.keys().filter(|key| !MEMBERS.contains(&key.as_str())) {
        reading.add(key, "unknown key");
    }
    let missing = missing(&table);
    match (tag, name) {
        (Some(tag), Some(name)) if reading.0.is_empty() => Ok(Language::new(Spoken {
            tag,
            name: name.leak(),
            direction,
            also,
            missing,
            words: Words::made_of(words),
        })),
        _ => Err(Refused {
            mistakes: reading.0,
            missing,
        }),
    }
}

fn no_toml(text: &str, error: &toml::de::Error) -> Refused {
    let at = error.span().map_or(0, |span| span.start);
    let line = text.get(..at).unwrap_or_default().split('\n').count();
    Refused {
        mistakes: vec![Mistake {
            key: format!("line {line}"),
            reason: error.message().to_owned(),
        }],
        missing: Vec::new(),
    }
}

/// The keys that a file does not have.
fn missing(file: &Table) -> Vec<&'static str> {
    let words = file.get("words").and_then(Value::as_table);
    let is_missing = |key: &&str| words.is_none_or(|words| !words.contains_key(*key));
    let keys = ENGLISH.texts().into_iter().map(|(key, _)| key);
    keys.filter(is_missing).collect()
}

const MEMBERS: [&str; 5] = ["tag", "name", "direction", "also", "words"];
/// The most characters of a language's name.
const LONGEST_NAME: usize = 40;

/// What was found wrong so far.
#[derive(Default)]
struct Reading(Vec<Mistake>);

impl Reading {
    fn add(&mut self, key: &str, reason: impl Into<String>) {
        self.0.push(Mistake {
            key: key.to_owned(),
            reason: reason.into(),
        });
    }

    fn tag(&mut self, value: Option<&Value>) -> Option<Tag> {
        let tag = value.and_then(Value::as_str).and_then(Tag::parse);
        match &tag {
            None => self.add("tag", "must be a language tag as fi or pt-BR"),
            Some(tag) if Language::BUILT_IN.iter().any(|known| known.tag() == tag) => {
                self.add("tag", format!("{tag} is built in"));
            }
            Some(_) => {}
        }
        tag
    }

    fn name(&mut self, value: Option<&Value>) -> Option<String> {
        let name = value.and_then(Value::as_str).map(str::trim);
        let is_fit = |name: &&str| {
            (1..=LONGEST_NAME).contains(&name.chars().count())
                && !name.chars().any(char::is_control)
        };
        let name = name.filter(is_fit).map(str::to_owned);
        if name.is_none() {
            let reason = format!(
                "must be what the language calls itself, in 1 to {LONGEST_NAME} characters"
            );
            self.add("name", reason);
        }
        name
    }

    fn direction(&mut self, value: Option<&Value>) -> Direction {
        match value.map(Value::as_str) {
            None | Some(Some("ltr")) => {}
            Some(Some("rtl")) => return Direction::RightToLeft,
            Some(_) => self.add("direction", "must be ltr or rtl"),
        }
        Direction::LeftToRight
    }

    fn also(&mut self, value: Option<&Value>) -> Vec<Tag> {
        let tags: Option<Vec<Tag>> = match value {
            None => Some(Vec::new()),
            Some(value) => value
                .as_array()
                .and_then(|tags| tags.iter().map(|tag| Tag::parse(tag.as_str()?)).collect()),
        };
        if tags.is_none() {
            self.add(
                "also",
                "must be a list of language tags as [\"no\", \"nn\"]",
            );
        }
        tags.unwrap_or_default()
    }

    /// The words that are as they should be, by their keys.
    fn words(&mut self, value: Option<&Value>) -> HashMap<&'static str, String> {
        let mut given = HashMap::new();
        let Some(table) = value.and_then(Value::as_table) else {
            self.add("words", "must be a table with a text for each key");
            return given;
        };
        let english = ENGLISH.texts();
        for (key, value) in table {
            let path = format!("words.{key}");
            let Some((key, model)) = english.iter().find(|(known, _)| known == key) else {
                self.add(&path, "unknown key");
                continue;
            };
            match value.as_str() {
                None => self.add(&path, "must be a text"),
                Some(text) => match fault(key, text, model) {
                    Some(reason) => self.add(&path, reason),
                    None => {
                        given.insert(*key, text.trim().to_owned());
                    }
                },
            }
        }
        given
    }
}

/// What is wrong with a text that stands in the place of `model`.
fn fault(key: &str, text: &str, model: &str) -> Option<String> {
    if text.trim().is_empty() {
        return Some("must not be empty".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Some("must be one line, without control characters".to_owned());
    }
    if placeholders(text) != placeholders(model) {
        let needed = placeholders(model).join(" ");
        return Some(match needed.is_empty() {
            true => "must have nothing in braces".to_owned(),
            false => format!("must have {needed} once, and nothing else in braces"),
        });
    }
    if SHOWN_IN_APP.contains(&key) && text.len() > MOST_IN_APP {
        return Some(format!(
            "must have at most {MOST_IN_APP} bytes, or it might not fit into the app"
        ));
    }
    None
}

/// What is shown in the app, around a client's name and purpose. All of it together must be no longer than
/// BankID takes.
const SHOWN_IN_APP: [&str; 2] = ["intention", "intention_care"];
/// The most bytes of each.
const MOST_IN_APP: usize = 110;

/// What stands in braces in a text, sorted. A single brace counts, too.
fn placeholders(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        rest = &rest[at..];
        let end = match (rest.starts_with('{'), rest.find('}')) {
            (true, Some(end)) => end + 1,
            _ => 1,
        };
        found.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
    found.sort();
    found
}

/// A whole file to be translated: every key, with what it is in Swedish and in English above it.
pub fn template(tag: Option<&Tag>) -> String {
    let tag = tag.map_or("", Tag::as_str);
    let mut file = format!(
        "# A language for Portvakt. Write each text between the quotation marks; what stands in braces, as\n\
         # {{name}}, must stay as it is. A key whose line is taken out is shown in English; one that is left\n\
         # empty is a mistake. `portvakt language check FILE` says what is still to be done.\n\n\
         # The tag of the language (BCP 47): fi, nb, pt-BR.\n\
         tag = \"{tag}\"\n\
         # What the language calls itself: Suomi.\n\
         name = \"\"\n\
         # ltr, or rtl for a language that is written from right to left.\n\
         direction = \"ltr\"\n\
         # Other tags that are answered in it: [\"no\", \"nn\"] in a file for nb.\n\
         also = []\n\n\
         [words]\n"
    );
    let (swedish, english) = (SWEDISH.texts(), ENGLISH.texts());
    for ((key, swedish), (_, english)) in swedish.into_iter().zip(english) {
        file.push_str(&format!("# {swedish}\n# {english}\n{key} = \"\"\n\n"));
    }
    file.truncate(file.trim_end().len());
    file.push('\n');
    file
}

#[cfg(test)]
mod tests {
    use super::super::{Languages, Wishes};
    use super::*;

    fn told(refused: &Refused) -> Vec<String> {
        refused.mistakes.iter().map(Mistake::to_string).collect()
    }

    /// The template with what must be said, and the English text for every key.
    fn complete() -> String {
        let english: std::collections::BTreeMap<_, _> = ENGLISH.texts().into_iter().collect();
        let tag = Tag::parse("fi");
        let lines = template(tag.as_ref()).replace("name = \"\"\n#", "name = \"Suomi\"\n#");
        let lines = lines
            .lines()
            .map(|line| match line.strip_suffix(" = \"\"") {
                Some(key) => format!("{key} = {:?}\n", english[key]),
                None => format!("{line}\n"),
            });
        lines.collect()
    }

    #[test]
    fn a_template_that_is_filled_in_is_a_language() {
        let _shows = crate::shows!(accepting "PV-LANG-2", refusing "PV-LANG-2");
        let language = read(&complete()).expect("a language");
        assert_eq!(language.tag().as_str(), "fi");
        assert_eq!(language.name(), "Suomi");
        assert_eq!(language.direction(), Direction::LeftToRight);
        assert_eq!(language.missing(), [] as [&str; 0]);
        assert_eq!(Words::of(language), &ENGLISH);
        // As it comes, everything is still to be done, and all of it is said.
        let refused = read(&template(None)).expect_err("nothing is filled in");
        assert_eq!(refused.mistakes.len(), ENGLISH.texts().len() + 2);
        assert_eq!(refused.missing, [] as [&str; 0]);
        assert!(told(&refused).contains(&"words.heading: must not be empty".to_owned()));
    }

    #[test]
    fn what_is_missing_is_english_and_known() {
        let _shows = crate::shows!(accepting "PV-LANG-3");
        let file = "tag = 'ar'\nname = 'العربية'\ndirection = 'rtl'\n[words]\ncancel = ' إلغاء '";
        let language = read(file).expect("a language");
        assert_eq!(language.direction(), Direction::RightToLeft);
        let words = Words::of(language);
        assert_eq!(words.cancel, "إلغاء");
        assert_eq!(words.try_again, "Try again");
        let missing = language.missing();
        assert!(missing.contains(&"try_again") && !missing.contains(&"cancel"));
        assert_eq!(missing.len(), words.texts().len() - 1);
    }

    #[test]
    fn every_mistake_is_told_at_once_with_its_key() {
        let _shows = crate::shows!(refusing "PV-LANG-2");
        let file = "tag = 'en'\nname = ' '\ndirection = 'up'\nalso = ['*']\ncolour = 'red'\n\
                    [words]\nheadin = 'a'\ncancel = ''\nhelp = 1\nasks = 'a {client}'\n\
                    intention = 'Kirjaudu {nimi}.'\nintention_care = '";
        let file = format!(
            "{file}{}'\nqueue_help = 'a\\u0007'",
            "x".repeat(MOST_IN_APP + 1)
        );
        let file = file.replace("'a\\u0007'", "\"a\\u0007\"");
        let mut found = told(&read(&file).expect_err("much is wrong"));
        found.sort();
        assert_eq!(
            found,
            [
                "also: must be a list of language tags as [\"no\", \"nn\"]",
                "colour: unknown key",
                "direction: must be ltr or rtl",
                "name: must be what the language calls itself, in 1 to 40 characters",
                "tag: en is built in",
                "words.asks: must have nothing in braces",
                "words.cancel: must not be empty",
                "words.headin: unknown key",
                "words.help: must be a text",
                "words.intention: must have {name} once, and nothing else in braces",
                "words.intention_care: must have at most 110 bytes, or it might not fit into the app",
                "words.queue_help: must be one line, without control characters",
            ]
        );
        // What is missing is no mistake, and said all the same.
        let refused = read(&file).expect_err("much is wrong");
        assert!(refused.missing.contains(&"heading") && !refused.missing.contains(&"cancel"));
        assert_eq!(
            told(&read("\n\ntag = 'fi").expect_err("no TOML"))[0]
                .split(':')
                .next(),
            Some("line 3")
        );
        assert_eq!(read("").expect_err("nothing").mistakes.len(), 3);
    }

    #[test]
    fn braces_are_counted() {
        for (text, expected) in [
            ("a", &[] as &[&str]),
            ("{name}", &["{name}"]),
            ("{b} {a} {a}", &["{a}", "{a}", "{b}"]),
            ("{name", &["{"]),
            ("name}", &["}"]),
            ("{}", &["{}"]),
        ] {
            assert_eq!(placeholders(text), expected, "{text}");
        }
    }

    #[test]
    fn a_language_answers_to_what_its_file_says() {
        let _shows = crate::shows!(accepting "PV-LANG-2", refusing "PV-LANG-2");
        let file = "tag = 'nb'\nname = 'Norsk'\nalso = ['no', 'nn']\n[words]";
        let norwegian = read(file).expect("a language");
        let languages = Languages::new(&Tag::built_in("nb"), &[norwegian]).expect("good");
        let chosen = |asked| {
            let wishes = Wishes {
                ui_locales: Some(asked),
                ..Wishes::default()
            };
            languages.choose(&wishes).tag().as_str()
        };
        for (asked, expected) in [
            ("nb-NO", "nb"),
            ("no", "nb"),
            ("nn-NO", "nb"),
            ("sv-FI", "sv"),
            ("en-GB", "en"),
            ("da", "nb"),
        ] {
            assert_eq!(chosen(asked), expected, "{asked}");
        }
    }
}
