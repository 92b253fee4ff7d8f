//! Who may write over what (RFC 9110 §13.1.1): whoever says which version they saw. A version is a strong
//! entity tag, `"v3"`.

use actix_web::http::header::HeaderValue;

/// The entity tag of a version (RFC 9110 §8.8.3).
pub fn tag(version: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"v{version}\"")).expect("digits are ASCII")
}

/// What somebody says that they saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Whatever there is: they write over it all the same.
    Any,
    /// One of these versions.
    Versions(Vec<i64>),
}

/// A field that is no list of entity tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Seen {
    /// The field `If-Match`, however often it came; `None` where it did not. A weak tag is none that
    /// anybody may write by (RFC 9110 §8.8.3.2), and another one is of no version.
    pub fn parse<'a>(fields: impl Iterator<Item = &'a str>) -> Result<Option<Seen>, Malformed> {
        let fields: Vec<&str> = fields.collect();
        if fields.is_empty() {
            return Ok(None);
        }
        let list = fields.join(",");
        if list.trim() == "*" {
            return Ok(Some(Seen::Any));
        }
        let (mut rest, mut versions, mut count) = (list.as_str(), Vec::new(), 0);
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return match count {
                    0 => Err(Malformed),
                    _ => Ok(Some(Seen::Versions(versions))),
                };
            }
            let (is_weak, quoted) = match rest.strip_prefix("W/") {
                Some(quoted) => (true, quoted),
                None => (false, rest),
            };
            let quoted = quoted.strip_prefix('"').ok_or(Malformed)?;
            let (opaque, after) = quoted.split_once('"').ok_or(Malformed)?;
            rest = after.trim_start_matches([' ', '\t']);
            if opaque.chars().any(|c| c == ' ' || c.is_control())
                || !(rest.is_empty() || rest.starts_with(','))
            {
                return Err(Malformed);
            }
            versions.extend(version(opaque).filter(|_| !is_weak));
            count += 1;
        }
    }

    /// Whether what is there is what they saw.
    pub fn holds(&self, version: i64) -> bool {
        match self {
            Seen::Any => true,
            Seen::Versions(versions) => versions.contains(&version),
        }
    }
}

fn version(opaque: &str) -> Option<i64> {
    let digits = opaque.strip_prefix('v')?;
    let version: i64 = digits.parse().ok()?;
    (version.to_string() == digits).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(fields: &[&str]) -> Result<Option<Seen>, Malformed> {
        Seen::parse(fields.iter().copied())
    }

    #[test]
    fn a_version_is_named_by_a_strong_tag() {
        let _shows = crate::shows!(accepting "PV-API-4", refusing "PV-API-4");
        assert_eq!(tag(3), "\"v3\"");
        assert_eq!(parse(&[]), Ok(None));
        assert_eq!(parse(&[" * "]), Ok(Some(Seen::Any)));
        for (fields, versions) in [
            (&["\"v3\""][..], &[3][..]),
            (&["\"v3\", \"v4\"", "\"v5\""], &[3, 4, 5]),
            (&[",\"v3\" ,, "], &[3]),
            (&["W/\"v3\""], &[]),
            (
                &[
                    "\"3\"",
                    "\"v03\"",
                    "\"v+3\"",
                    "\"\"",
                    "\"v\"",
                    "\"v99999999999999999999\"",
                ],
                &[],
            ),
        ] {
            assert_eq!(
                parse(fields),
                Ok(Some(Seen::Versions(versions.into()))),
                "{fields:?}"
            );
        }
        for bad in [
            "",
            " , ",
            "v3",
            "\"v3",
            "\"v3\"\"v4\"",
            "\"v3\" x",
            "w/\"v3\"",
            "*, \"v3\"",
            "\"v 3\"",
        ] {
            assert_eq!(parse(&[bad]), Err(Malformed), "{bad}");
        }
        assert!(Seen::Any.holds(7) && Seen::Versions(vec![3, 7]).holds(7));
        assert!(!Seen::Versions(vec![3]).holds(7) && !Seen::Versions(Vec::new()).holds(0));
    }
}
