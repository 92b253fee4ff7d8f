//! What clients sign says of itself (RFC 7519 §4.1, RFC 8725 §3): its kind, its times and its name.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::jwks::ClientAlgorithm;
use crate::clock::{Seconds, Timestamp};
use crate::json;
use crate::secret::Digest;

/// How far a client's clock may be ahead of ours.
pub const AHEAD: Seconds = Seconds(10);

/// A token that was verified.
#[derive(Debug)]
pub struct Signed {
    /// What it was signed by.
    pub algorithm: ClientAlgorithm,
    /// What kind of token it says that it is.
    pub typ: Option<Value>,
    /// What it says.
    pub claims: Map<String, Value>,
}

impl Signed {
    /// RFC 8725 §3.11: whether it is of this kind, or says of none.
    pub fn is_of_kind(&self, kind: &str) -> bool {
        match &self.typ {
            None => true,
            Some(typ) => typ.as_str().is_some_and(|typ| {
                let typ = typ.to_ascii_lowercase();
                let typ = typ.strip_prefix("application/").unwrap_or(&typ);
                typ == "jwt" || typ == kind
            }),
        }
    }
}

/// When a token is good.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// RFC 7519 §4.1.6.
    pub issued_at: Option<Timestamp>,
    /// RFC 7519 §4.1.5.
    pub not_before: Option<Timestamp>,
    /// RFC 7519 §4.1.4. One without an end would be good for ever.
    pub expires_at: Timestamp,
}

impl Times {
    /// RFC 7519 §4.1.4–6: nothing, where the end is missing or one of them is no time.
    pub fn read(claims: &Map<String, Value>) -> Option<Times> {
        let time = |value: &Value| numeric_date(value).map(|at| at.0);
        let optional = |name: &str| match claims.get(name) {
            Some(value) => Some(Some(Timestamp(time(value)?))),
            None => Some(None),
        };
        Some(Times {
            issued_at: optional("iat")?,
            not_before: optional("nbf")?,
            expires_at: Timestamp(time(claims.get("exp")?)?),
        })
    }

    /// Whether it has begun, by a clock that may be a little ahead, and has not ended.
    pub fn hold(&self, now: Timestamp) -> bool {
        let begins = self.issued_at.max(self.not_before);
        now < self.expires_at && begins.is_none_or(|begins| begins <= now + AHEAD)
    }

    /// RFC 7519 §4.1.7: the name that the token may be used by once, if it has one. `longest` is for how
    /// long one that does not say when it begins may be good.
    pub fn once(&self, claims: &Map<String, Value>, longest: Seconds) -> Option<Once> {
        let jti = claims.get("jti")?.as_str().filter(|jti| !jti.is_empty())?;
        let begins = self.issued_at.max(self.not_before);
        Some(Once {
            jti: Digest::of(jti),
            expires_at: self.expires_at,
            unused_before: begins.unwrap_or(self.expires_at - longest) - AHEAD,
        })
    }
}

/// RFC 7519 §2: seconds, perhaps with a fraction, which is cut off: it is less than clocks may differ by.
pub fn numeric_date(value: &Value) -> Option<Timestamp> {
    let whole = || {
        let exact = value.as_f64()?.trunc();
        // A float of this size holds every second.
        (0.0..1e12).contains(&exact).then_some(exact as i64)
    };
    let at = value.as_i64().or_else(whole);
    at.filter(|at| (0..1 << 40).contains(at)).map(Timestamp)
}

/// The kind of the name of a token (RFC 7519 §4.1.7).
#[derive(Debug, PartialEq, Eq)]
pub enum Jti {}

/// A name that may be used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once {
    /// The name.
    pub jti: Digest<Jti>,
    /// After this the token is too old anyway.
    pub expires_at: Timestamp,
    /// Nobody can have used it before: it would not have been taken then.
    pub unused_before: Timestamp,
}

/// What a token says, true or not: to find whose keys it would be verified with.
pub fn unverified_claims(token: &str) -> Option<Map<String, Value>> {
    object(token.split('.').nth(1)?)
}

/// What a token says of how it was signed, true or not.
pub fn unverified_header(token: &str) -> Option<Map<String, Value>> {
    object(token.split('.').next()?)
}

/// A part of a token (RFC 7515 §3.1).
pub(super) fn object(part: &str) -> Option<Map<String, Value>> {
    json::object(&URL_SAFE_NO_PAD.decode(part).ok()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_may_have_a_fraction() {
        let _shows = crate::shows!(accepting "TK-07", refusing "TK-07");
        for (written, expected) in [
            (json!(1_800_000_000), Some(1_800_000_000)),
            (json!(1_800_000_000.75), Some(1_800_000_000)),
            (json!(0), Some(0)),
            (json!(-1), None),
            (json!(1e300), None),
            (json!(u64::MAX), None),
            (json!("1800000000"), None),
            (json!(null), None),
        ] {
            let read = numeric_date(&written).map(|at| at.0);
            assert_eq!(read, expected, "{written}");
        }
    }
}
