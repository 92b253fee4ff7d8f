//! ⚡ What has had its time goes, by one node at a time. Until when what is kept is told by
//! [`crate::person::holdings`].

use std::time::Duration;

use crate::admin::console;
use crate::clock::{Seconds, Timestamp};
use crate::error::Fault;
use crate::provider::Provider;

/// How often what BankID said of people whom nobody logged in is looked for.
const INTERVAL: Duration = Duration::from_secs(60);
/// How often all else is.
const ALL_INTERVAL: Seconds = Seconds(10 * 60);
/// How often people are who were not here for long.
const PEOPLE_INTERVAL: Seconds = Seconds(6 * 60 * 60);
/// The work that one node does at a time.
const LEASE: &str = "sweep";
/// How long it is a node's that is not heard of any more.
const LEASE_LENGTH: Seconds = Seconds(150);

/// When which part is due.
#[derive(Clone, Copy, Debug, Default)]
pub struct Due {
    all: Timestamp,
    people: Timestamp,
}

/// Removes what has had its time until the program ends.
pub async fn look_after(provider: Provider) {
    let mut every = tokio::time::interval(INTERVAL);
    let mut due = Due::default();
    loop {
        every.tick().await;
        if let Err(fault) = take_a_turn(&provider, &mut due).await {
            tracing::error!(%fault, "what has had its time could not be removed: it is tried again");
        }
    }
}

/// Removes what is due, unless another node does. Whether it was this one.
pub async fn take_a_turn(provider: &Provider, due: &mut Due) -> Result<bool, Fault> {
    let (store, now) = (&provider.patient, provider.clock.now());
    let holder = &provider.lease_holder;
    if !store
        .take_lease(LEASE, holder, now + LEASE_LENGTH, now)
        .await?
    {
        return Ok(false);
    }
    store.drop_answers(now).await?;
    if due.all <= now {
        store.sweep(now).await?;
        due.all = now + ALL_INTERVAL;
    }
    if due.people <= now {
        let subject = |person| console::subject(&provider.keys.subject, person);
        let before = now - provider.config.person_kept;
        let gone = store.sweep_people(before, now, subject).await?;
        if gone > 0 {
            tracing::info!(gone, "people were removed who were not here for long");
        }
        due.people = now + PEOPLE_INTERVAL;
    }
    Ok(true)
}
