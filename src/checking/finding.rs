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
            about: about.into(),
            id,
            level: Level::Ok,
            said: said.into(),
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
            remedy: Some(remedy.into()),
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

/// The worst of them.
pub fn worst(findings: &[Finding]) -> Level {
    let levels = findings.iter().map(|finding| finding.level);
    levels.max().unwrap_or(Level::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

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
