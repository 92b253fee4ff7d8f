//! `portvakt check`: what an operator would find out one after the other, looked for all at once. Each thing is
//! looked at as it is from here and judged by a plain function; what is wrong comes with what to do about it.
//!
//! Nothing is changed: no order is made at BankID, no row written, no client told of anything.

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

use crate::clock::Clock;
use crate::config::Config;
use crate::random::Random;
use crate::storage::Store;
use finding::Finding;

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
    let opened = Store::open_unchanged(url, master, &random, clock.now()).await;
    let store = match opened {
        Ok((store, _)) => Some(store),
        Err(error) => {
            found.push(database::unopened(&error));
            None
        }
    };
    let mut kids = None;
    if let Some(store) = &store {
        found.extend(database::check(store, clock.now()).await);
        let (of_keys, published) = keys::check(config, store, clock.now()).await;
        found.extend(of_keys);
        kids = published;
    }
    found.extend(bankid::check(&config.bankid, &clock, options.offline).await);
    if !options.offline {
        found.extend(outside::check(config, &clock, &random, kids.as_deref()).await);
    }
    found.extend(clients::check(config, store.as_ref(), options.offline).await);
    if let Some(store) = store {
        store.close().await;
    }
    found
}
