//! `portvakt check`: what an operator would find out one after the other, looked for all at once. Each thing is
//! looked at as it is from here and judged by a plain function; what is wrong comes with what to do about it.
//!
//! Nothing is changed: no order is made at BankID, no client told of anything, and no row written but those of the keys
//! that opening a database makes or wraps anew.

pub mod answers;
pub mod bankid;
pub mod clients;
pub mod database;
pub mod files;
pub mod finding;
pub mod keys;
pub mod mirror;
pub mod outside;
pub mod proxy;

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::clock::Clock;
use crate::config::Config;
use crate::random::Random;
use crate::storage::Store;
use finding::Finding;

/// How long all of it may take, but for the database's last word. What there was no time for is said.
const DEADLINE: Duration = Duration::from_secs(120);

/// How much is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Nothing that is on another machine, but for the database.
    pub offline: bool,
}

/// Looks at everything that a configuration leads to.
pub async fn run(file: &Path, config: &Config, options: Options) -> Vec<Finding> {
    let (clock, random) = (Clock::system(), Random::system());
    let mut found = vec![Finding::ok("configuration", "configuration", "good")];
    for language in config.languages.all() {
        let (missing, tag) = (language.missing(), language.tag());
        let said = match missing {
            [] => "complete".to_owned(),
            missing => format!(
                "in English, for want of a translation: {}",
                missing.join(", ")
            ),
        };
        found.push(Finding::ok(format!("language {tag}"), "language", said));
    }
    found.extend(files::check(file, config));
    let (url, master) = (&config.database_url, &config.master_key);
    let until = Instant::now() + DEADLINE;
    let mut within = Within {
        until,
        unfinished: Vec::new(),
    };
    let opened = Store::open_unchanged(url, master, &random, clock.now());
    let store = match within.done("database", opened).await {
        Some(Ok((store, _))) => Some(store),
        Some(Err(error)) => {
            found.push(database::unopened(&error));
            None
        }
        None => None,
    };
    let mut kids = None;
    if let Some(store) = &store {
        let looked = within.done("database", database::check(store, clock.now()));
        found.extend(looked.await.unwrap_or_default());
        let looked = within.done("signing keys", keys::check(config, store, clock.now()));
        let (of_keys, published) = looked.await.unwrap_or_default();
        found.extend(of_keys);
        kids = published;
    }
    let offline = options.offline;
    found.extend(bankid::check(&config.bankid, &clock, offline, until).await);
    if !offline {
        let looked = outside::check(config, &clock, &random, kids.as_deref());
        let looked = within.done(answers::ABOUT, looked);
        found.extend(looked.await.unwrap_or_default());
    }
    let looked = clients::check(config, store.as_ref(), offline, until);
    // It minds the time itself where it calls others; the database may take longer than that.
    let looked = within.done("clients", looked);
    found.extend(looked.await.unwrap_or_default());
    found.extend(within.unfinished);
    if let Some(store) = store {
        store.close().await;
    }
    found
}

/// Work that is given up when time is up.
struct Within {
    until: Instant,
    /// What was given up.
    unfinished: Vec<Finding>,
}

impl Within {
    async fn done<F: Future>(&mut self, about: &str, work: F) -> Option<F::Output> {
        let done = timeout_at(self.until, work).await.ok();
        if done.is_none() {
            self.unfinished.push(Finding::warning(
                about,
                "unfinished",
                format!("there was no time to look at all of it: everything may take {} s", DEADLINE.as_secs()),
                "See what answers nothing for so long, the database or the public address, and run portvakt check again.",
            ));
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use finding::Level;

    #[tokio::test]
    async fn what_takes_too_long_is_given_up_and_said() {
        let _shows = crate::shows!(refusing "PV-CHECK-1");
        let mut within = Within {
            until: Instant::now() + Duration::from_millis(50),
            unfinished: Vec::new(),
        };
        assert_eq!(within.done("database", async { 1 }).await, Some(1));
        assert!(within.unfinished.is_empty());
        let never = within.done("issuer", std::future::pending::<()>());
        assert_eq!(never.await, None);
        let [told] = within.unfinished.as_slice() else {
            panic!("{:?}", within.unfinished);
        };
        assert_eq!(
            (told.about.as_str(), told.level),
            ("issuer", Level::Warning)
        );
    }
}
