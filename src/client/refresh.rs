//! Whether a client is given refresh tokens, and for how long (OpenID Connect Core §11).

use serde::{Deserialize, Serialize};

use crate::clock::Seconds;

/// `refresh_tokens`: `true` for a working day, or a table with a longer time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum RefreshTokens {
    /// The client has none.
    #[default]
    Off,
    /// What came of a login ends after eight hours.
    WorkingDay,
    /// It ends after so many days.
    Days(u16),
}

const WORKING_DAY: Seconds = Seconds(8 * 60 * 60);
const DAY: i64 = 24 * 60 * 60;
/// The most days that a login may be lived on.
pub const MOST_DAYS: u16 = 365;

impl RefreshTokens {
    /// How long after a login the last token ends, however often it is refreshed.
    pub fn lifetime(self) -> Option<Seconds> {
        match self {
            RefreshTokens::Off => None,
            RefreshTokens::WorkingDay => Some(WORKING_DAY),
            RefreshTokens::Days(days) => Some(Seconds(i64::from(days) * DAY)),
        }
    }

    /// Whether there are none.
    pub fn is_off(&self) -> bool {
        *self == RefreshTokens::Off
    }
}

#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "refresh_tokens is true, false or { lifetime_days = … }"
)]
enum Written {
    Switch(bool),
    Lasting(Lasting),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lasting {
    lifetime_days: u16,
}

impl TryFrom<Written> for RefreshTokens {
    type Error = String;

    fn try_from(written: Written) -> Result<RefreshTokens, String> {
        match written {
            Written::Switch(false) => Ok(RefreshTokens::Off),
            Written::Switch(true) => Ok(RefreshTokens::WorkingDay),
            Written::Lasting(Lasting { lifetime_days })
                if (1..=MOST_DAYS).contains(&lifetime_days) =>
            {
                Ok(RefreshTokens::Days(lifetime_days))
            }
            Written::Lasting(_) => Err(format!(
                "refresh_tokens.lifetime_days must be 1 to {MOST_DAYS}"
            )),
        }
    }
}

impl From<RefreshTokens> for Written {
    fn from(tokens: RefreshTokens) -> Written {
        match tokens {
            RefreshTokens::Off => Written::Switch(false),
            RefreshTokens::WorkingDay => Written::Switch(true),
            RefreshTokens::Days(lifetime_days) => Written::Lasting(Lasting { lifetime_days }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_written_as_a_switch_or_with_their_days() {
        for (text, expected) in [
            ("false", Some(RefreshTokens::Off)),
            ("true", Some(RefreshTokens::WorkingDay)),
            (r#"{"lifetime_days":30}"#, Some(RefreshTokens::Days(30))),
            (r#"{"lifetime_days":0}"#, None),
            (r#"{"lifetime_days":366}"#, None),
            (r#"{"lifetime_days":-1}"#, None),
            (r#"{"lifetime_days":30,"extra":1}"#, None),
            ("{}", None),
            ("30", None),
        ] {
            let read: Option<RefreshTokens> = serde_json::from_str(text).ok();
            assert_eq!(read, expected, "{text}");
            if let Some(read) = read {
                assert_eq!(serde_json::to_string(&read).expect("JSON"), text);
            }
        }
    }
}
