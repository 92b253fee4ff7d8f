//! What was found, how bad it is, and what to do about it.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It is as it should be.
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    /// It does not work, or must not be so.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: `database`, `bankid.profile.tax`, `client.kommunen`.
    pub about: String,
    /// By what a program knows it.
    pub id: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What it is like.
    pub said: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(about: impl Into<String>, id: &'static str, said: impl Into<String>) -> Finding {
        Finding {
            about: printable(about.into()),
            id,
            level: Level::Ok,
            said: printable(said.into()),
            remedy: None,
        }
    }

    /// It works, and somebody should look at it.
    pub fn warning(
        about: impl Into<String>,
        id: &'static str,
        said: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            level: Level::Warning,
            remedy: Some(printable(remedy.into())),
            ..Finding::ok(about, id, said)
        }
    }

    /// It does not work, or must not be so.
    pub fn error(
        about: impl Into<String>,
        id: &'static str,
        said: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            level: Level::Error,
            ..Finding::warning(about, id, said, remedy)
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let level = match self.level {
            Level::Ok => "",
            Level::Warning => "warning: ",
            Level::Error => "error: ",
        };
        write!(f, "{}: {level}{}", self.about, self.said)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n    {remedy}"),
            None => Ok(()),
        }
    }
}

/// What others wrote is in what is said, and a terminal would do what control characters in it ask for. Those that
/// are not seen, or turn the direction of what follows, hide what there is.
fn printable(text: String) -> String {
    let is_odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
    };
    if !text.contains(is_odd) {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match is_odd(c) {
            true => plain.extend(c.escape_default()),
            false => plain.push(c),
        }
    }
    plain
}

/// The worst of them.
pub fn worst(findings: &[Finding]) -> Level {
    let levels = findings.iter().map(|finding| finding.level);
    levels.max().unwrap_or(Level::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_does_nothing_to_a_terminal() {
        let _shows = crate::shows!(refusing "PV-CHECK-1");
        let said = "a\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\n\u{200b}å";
        let finding = Finding::warning(said, "id", said, said);
        let plain = "a\\u{1b}]0;x\\u{7}\\u{9b}2J\\u{202e}\\n\\u{200b}å";
        assert_eq!(
            finding.to_string(),
            format!("{plain}: warning: {plain}\n    {plain}")
        );
        assert_eq!(Finding::ok("Å", "id", "ö – ü").to_string(), "Å: ö – ü");
    }

    #[test]
    fn what_is_wrong_comes_with_what_to_do() {
        let _shows = crate::shows!(accepting "PV-CHECK-1");
        let good = Finding::ok("database", "database", "good");
        let odd = Finding::warning("clock", "clock", "is off", "Set it.");
        let bad = Finding::error("bankid", "bankid", "no answer", "Look.");
        assert_eq!(good.to_string(), "database: good");
        assert_eq!(odd.to_string(), "clock: warning: is off\n    Set it.");
        assert_eq!(bad.to_string(), "bankid: error: no answer\n    Look.");
        assert_eq!(worst(&[]), Level::Ok);
        assert_eq!(worst(&[good.clone(), odd.clone()]), Level::Warning);
        assert_eq!(worst(&[odd, bad, good]), Level::Error);
    }
}
