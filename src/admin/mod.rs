//! What an operator can do, besides serving.

pub mod client;
pub mod evidence;
pub mod failure;
pub mod key;

use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::random::Random;
use crate::storage::Store;

/// The database, and what time it is.
async fn open(config: &Config) -> anyhow::Result<(Store, Timestamp)> {
    let (random, now) = (Random::system(), Clock::system().now());
    let (store, _) = Store::open(&config.database_url, &config.master_key, &random, now).await?;
    Ok((store, now))
}

/// A time in the form of RFC 3339.
fn written(at: Timestamp) -> anyhow::Result<String> {
    use time::format_description::well_known::Rfc3339;
    Ok(time::OffsetDateTime::from_unix_timestamp(at.0)?.format(&Rfc3339)?)
}
