//! What an operator can do, besides serving.

pub mod evidence;
pub mod key;

use crate::clock::Timestamp;

/// A time in the form of RFC 3339.
fn written(at: Timestamp) -> anyhow::Result<String> {
    use time::format_description::well_known::Rfc3339;
    Ok(time::OffsetDateTime::from_unix_timestamp(at.0)?.format(&Rfc3339)?)
}
