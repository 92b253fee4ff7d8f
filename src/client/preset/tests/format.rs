//! Reads what is pasted as its format is read: into strings, and what is around them.

use serde_json::Value;

use crate::client::preset::{Copyable, Language};

/// A text, read.
#[derive(Debug)]
pub struct Read {
    /// The values, without the quotation marks of their format.
    pub strings: Vec<String>,
    /// All but the values.
    pub skeleton: String,
}

impl Read {
    /// Reads a text in its language. What cannot be read fails the test.
    pub fn of(one: &Copyable) -> Read {
        let text = one.text.as_str();
        match one.language {
            Language::Json => Read::of_value(&serde_json::from_str(text).expect("JSON")),
            Language::Toml => {
                let table: toml::Table = text.parse().expect("TOML");
                Read::of_value(&serde_json::to_value(table).expect("JSON"))
            }
            Language::Yaml => Read::of_yaml(text),
            Language::Ini => Read::of_lines(text, " = ", |value| {
                let raw = value.strip_prefix('`');
                let raw = raw.map(|raw| raw.strip_suffix('`').expect("an end"));
                let value = raw.unwrap_or(value);
                let is_read_again = value.contains(['`', '$']) || value.contains("%(");
                assert!(!is_read_again, "{value}");
                value.to_owned()
            }),
            Language::Env => Read::of_lines(text, "=", str::to_owned),
            Language::Shell => Read::quoted(text, '\'', Escape::Closing),
            Language::Ruby => Read::quoted(text, '\'', Escape::Backslash),
            Language::Apache
            | Language::Java
            | Language::CSharp
            | Language::TypeScript
            | Language::Gradle => Read::quoted(text, '"', Escape::Backslash),
            Language::Xml => {
                assert!(text.matches('<').count() == text.matches('>').count());
                Read {
                    strings: Vec::new(),
                    skeleton: text.to_owned(),
                }
            }
        }
    }

    fn of_value(value: &Value) -> Read {
        let mut read = Read {
            strings: Vec::new(),
            skeleton: String::new(),
        };
        read.take(value);
        read
    }

    fn take(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                self.strings.push(text.clone());
                self.skeleton.push('?');
            }
            Value::Array(list) => list.iter().for_each(|value| self.take(value)),
            Value::Object(members) => {
                for (name, value) in members {
                    self.skeleton += &format!("{name}:");
                    self.take(value);
                }
            }
            other => self.skeleton += &other.to_string(),
        }
    }

    /// Keys with their depth, each with a plain word, a list of them, or a string as JSON has it.
    fn of_yaml(text: &str) -> Read {
        let (mut strings, mut skeleton) = (Vec::new(), String::new());
        for line in text.lines() {
            let rest = line.trim_start();
            let depth = line.len() - rest.len();
            assert_eq!(depth % 2, 0, "{line}");
            let mut keys = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let (key, value) = match keys.next() {
                Some(Ok(key)) if rest.starts_with('"') => (key, &rest[keys.byte_offset()..]),
                _ => {
                    let end = rest.find(':').expect("a key");
                    (rest[..end].to_owned(), &rest[end..])
                }
            };
            skeleton += &format!("{depth} {key}\n");
            let value = value.strip_prefix(':').expect("a colon").trim();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "[], _".contains(c);
            match value.starts_with('"') {
                true => strings.push(serde_json::from_str(value).expect("a string")),
                false => assert!(value.chars().all(is_plain), "{line}"),
            }
        }
        Read { strings, skeleton }
    }

    fn of_lines(text: &str, between: &str, value: impl Fn(&str) -> String) -> Read {
        let (mut strings, mut skeleton) = (Vec::new(), String::new());
        for line in text.lines() {
            match line.split_once(between) {
                Some((name, written)) => {
                    skeleton += &format!("{name}\n");
                    let is_raw = written.starts_with('`');
                    assert!(
                        is_raw || !written.contains(['#', ';', '`', '"', '\'', '$']),
                        "{line}"
                    );
                    strings.push(value(written));
                }
                None => skeleton += line,
            }
        }
        Read { strings, skeleton }
    }

    fn quoted(text: &str, mark: char, escape: Escape) -> Read {
        let (mut strings, mut skeleton) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(mark) {
            // `--user='x'` and `--user 'x'` are one word each.
            let word = before.rsplit([' ', '\n']).next().unwrap_or_default();
            let is_word = matches!(escape, Escape::Closing) && word.ends_with('=');
            skeleton += before;
            let (mut string, end) = escape.unquoted(after, mark);
            if is_word && !word.starts_with("--") {
                string.insert_str(0, word);
            }
            strings.push(string);
            skeleton.push('?');
            rest = &after[end..];
        }
        skeleton += rest;
        Read { strings, skeleton }
    }
}

/// How a mark stands within a string.
#[derive(Clone, Copy)]
enum Escape {
    /// After a backslash, as a backslash does itself.
    Backslash,
    /// Not at all: the string is closed, and goes on after an escaped one.
    Closing,
}

impl Escape {
    /// The string that begins, and where what comes after it does.
    fn unquoted(self, text: &str, mark: char) -> (String, usize) {
        let mut string = String::new();
        let mut characters = text.char_indices();
        while let Some((at, c)) = characters.next() {
            match (self, c) {
                (Escape::Backslash, '\\') => {
                    let (_, escaped) = characters.next().expect("something after a backslash");
                    assert!(escaped == mark || escaped == '\\', "\\{escaped}");
                    string.push(escaped);
                }
                (Escape::Closing, c) if c == mark && text[at..].starts_with("'\\''") => {
                    string.push(mark);
                    characters.nth(2);
                }
                (_, c) if c == mark => return (string, at + 1),
                (_, c) => {
                    assert_ne!(c, '\n', "a string ends on its line");
                    string.push(c);
                }
            }
        }
        panic!("a string has no end: {text}");
    }
}
