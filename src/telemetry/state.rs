//! ⚡ What is not counted as it happens, but looked at when somebody wants to know: what stands in the database, and
//! what other parts of the program know of themselves.

use std::time::Duration;

use tokio::time::timeout;

use super::clients::TOLD_APART;
use super::labels::{Class, Profile, Signs, State};
use crate::http::load;
use crate::provider::Provider;
use crate::storage::Result;

/// How long the database may take. Whoever measures must not wait for what they measure: what was seen
/// last stays.
const PATIENCE: Duration = Duration::from_secs(1);

/// Everything that is measured, in OpenMetrics' text format.
pub async fn text(provider: &Provider, is_ready: bool) -> String {
    let metrics = &provider.metrics;
    metrics.ready.set(i64::from(is_ready));
    match timeout(PATIENCE, stored(provider)).await {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => tracing::warn!(%fault, "what is in the database could not be measured"),
        Err(_) => tracing::warn!("the database did not answer in time to be measured"),
    }
    known(provider);
    metrics.text()
}

/// What the database knows.
async fn stored(provider: &Provider) -> Result<()> {
    let (store, metrics) = (&provider.store, &provider.metrics);
    let (waiting, since) = store.waiting_jobs().await?;
    let age = since.map_or(0, |since| (provider.clock.now() - since).0.max(0));
    metrics.jobs_waiting.set(waiting);
    metrics.job_age.set(age);
    let known = metrics.known_clients();
    let there = store.client_ids(&known, TOLD_APART).await?;
    metrics.keep_clients(&known, &there);
    Ok(())
}

/// What the program knows.
fn known(provider: &Provider) {
    let metrics = &provider.metrics;
    metrics.orders_live.set(count(provider.collector.live()));
    for party in provider.parties.all() {
        let labels = Profile {
            profile: party.profile.clone(),
        };
        let ends = metrics.certificate_ends.get_or_create_owned(&labels);
        ends.set(party.not_after.0);
    }
    for (algorithm, at) in provider.keyring.changes() {
        let labels = Signs {
            algorithm: algorithm.as_str(),
        };
        let changes = metrics.signing_key_changes.get_or_create_owned(&labels);
        changes.set(at.0);
    }
    let pool = provider.store.connections();
    for (state, connections) in [("in_use", pool.in_use), ("idle", pool.idle)] {
        let connections_now = metrics.connections.get_or_create_owned(&State { state });
        connections_now.set(count(connections));
    }
    metrics.connections_limit.set(count(pool.limit));
    for (class, word) in [
        (load::Class::Login, "login"),
        (load::Class::Token, "token"),
        (load::Class::Follow, "page"),
    ] {
        let under_way = metrics
            .under_way
            .get_or_create_owned(&Class { class: word });
        under_way.set(i64::from(provider.load.count_of(class)));
    }
    if let Some(room) = provider.store.room() {
        let free = metrics.disk_free.get_or_create_owned(&Vec::new());
        free.set(i64::try_from(room).unwrap_or(i64::MAX));
    }
    metrics.clock_skew.set(provider.collector.skew().0);
}

fn count(many: usize) -> i64 {
    i64::try_from(many).unwrap_or(i64::MAX)
}
