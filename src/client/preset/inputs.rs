//! What a preset asks for, and what may be answered.

use super::{Parts, Preset};
use crate::authorize::redirect_uri::RedirectUri;
use crate::client::setting::Mistake;

/// Something that must be known of an application.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// What it is sent as.
    pub name: &'static str,
    /// What it is called on a form.
    pub label: &'static str,
    /// What to answer.
    pub explanation: &'static str,
    /// An answer.
    pub example: &'static str,
    /// What is taken where nothing is answered; nothing where there must be an answer.
    pub default: Option<&'static str>,
    /// What can be answered.
    pub shape: Shape,
}

/// What can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Words, which the metadata judge.
    Words,
    /// Lines, likewise.
    Lines,
    /// An address that others are made from: no query, no slash at its end.
    Address,
    /// A name that stands in an address.
    Segment,
    /// A path.
    Path,
    /// A scheme of an application's own (RFC 8252 §7.1).
    Scheme,
}

impl Shape {
    /// Whether an answer is one.
    pub(super) fn takes(self, answer: &str) -> bool {
        match self {
            Shape::Words | Shape::Lines => true,
            Shape::Address => {
                let is_web = answer.starts_with("https://") || answer.starts_with("http://");
                is_web && !answer.contains('?') && RedirectUri::parse(answer).is_some()
            }
            Shape::Segment => is_segment(answer),
            Shape::Path => {
                let segments = answer.strip_prefix('/').map(|rest| rest.split('/'));
                segments.is_some_and(|mut segments| segments.all(is_segment))
            }
            Shape::Scheme => {
                let is_known =
                    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
                answer.starts_with(|c: char| c.is_ascii_lowercase())
                    && answer.contains('.')
                    && answer.chars().all(is_known)
            }
        }
    }

    fn rule(self) -> &'static str {
        match self {
            Shape::Words | Shape::Lines => "must be text",
            Shape::Address => {
                "must be https (http on a loopback address) without query, fragment, user or wildcard"
            }
            Shape::Segment => "must be 1 to 64 letters, digits, hyphens, underscores and dots",
            Shape::Path => {
                "must begin with a slash and hold letters, digits, hyphens, underscores and dots"
            }
            Shape::Scheme => {
                "must be a domain name of yours turned around, in lower case: se.example.app"
            }
        }
    }
}

/// Letters and digits that mean nothing else in an address, in a file or to a shell.
fn is_segment(text: &str) -> bool {
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=64).contains(&text.len()) && text.chars().all(is_known) && text != "." && text != ".."
}

/// Reads answers. What is not asked for, or is answered twice, is a mistake.
pub(super) fn read(preset: &Preset, inputs: &[(String, String)]) -> Result<Parts, Vec<Mistake>> {
    let is_asked = |name: &str| preset.asks.iter().any(|ask| ask.name == name);
    let unknown = inputs.iter().filter(|(name, _)| !is_asked(name));
    let unknown = unknown.map(|(name, _)| {
        Mistake::new(
            name.chars().take(80).collect::<String>(),
            "is not asked for",
        )
    });
    let mut mistakes: Vec<Mistake> = unknown.collect();
    let mut parts = Parts::new();
    for ask in preset.asks {
        let mut sent = inputs.iter().filter(|(name, _)| name == ask.name);
        let answer = sent.next().map_or("", |(_, text)| text.trim());
        if sent.next().is_some() {
            mistakes.push(Mistake::new(ask.name, "must be sent once"));
            continue;
        }
        let answer = match (answer, ask.default) {
            ("", Some(default)) => default.to_owned(),
            ("", None) => {
                mistakes.push(Mistake::new(ask.name, "must be set"));
                continue;
            }
            (lines, _) if ask.shape == Shape::Lines => {
                let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
                lines.collect::<Vec<_>>().join("\n")
            }
            (address, _) if ask.shape == Shape::Address => address.trim_end_matches('/').to_owned(),
            (text, _) => text.to_owned(),
        };
        match ask.shape.takes(&answer) {
            true => {
                parts.insert(ask.name, answer);
            }
            false => mistakes.push(Mistake::new(ask.name, ask.shape.rule())),
        }
    }
    match mistakes.is_empty() {
        true => Ok(parts),
        false => Err(mistakes),
    }
}
