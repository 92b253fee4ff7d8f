//! ⚡ Tells clients that sessions have ended. Whatever ended them has kept what must be told as a job;
//! what was not heard is told again by one node at a time.

use std::time::Duration;

use futures_util::future::join_all;

use super::notice::{self, Notice, Verdict};
use crate::client::Metadata;
use crate::error::Fault;
use crate::job::{Job, Task};
use crate::outbound::Failure;
use crate::provider::Provider;

/// How long the person's way on waits for clients to be told. Most answer sooner; for those that do not
/// it goes on without them.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often jobs that wait are looked for.
const INTERVAL: Duration = Duration::from_secs(2);
/// How many are tried at once.
const MOST: usize = 64;

/// The first try of notices that were just kept (RP-Initiated Logout §2: before the browser goes on).
pub async fn tell(provider: &Provider, jobs: Vec<Job>) {
    let calls = jobs.into_iter().map(|job| {
        let telling = provider.clone();
        let told = async move { deliver(&telling, &job).await };
        provider.runtime.spawn(told)
    });
    // What takes longer goes on by itself.
    let _ = tokio::time::timeout(PATIENCE, join_all(calls)).await;
}

/// Tries again what was not heard, as long as the provider runs.
pub async fn tell_again(provider: Provider) {
    let mut every = tokio::time::interval(INTERVAL);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        // Where that many wait, there may be more.
        while tell_some_again(&provider).await == MOST {}
    }
}

/// How many were tried.
async fn tell_some_again(provider: &Provider) -> usize {
    let now = provider.clock.now();
    match provider.store.claim_jobs(MOST as i64, now).await {
        Ok(jobs) => {
            join_all(jobs.iter().map(|job| deliver(provider, job))).await;
            jobs.len()
        }
        Err(fault) => {
            tracing::error!(%fault, "notices of logouts could not be read");
            0
        }
    }
}

async fn deliver(provider: &Provider, job: &Job) {
    let Task::LogoutNotice(notice) = &job.task;
    if let Err(fault) = try_to_deliver(provider, job, notice).await {
        tracing::error!(%fault, client = %notice.client_id, "a notice of a logout failed on our side");
    }
}

async fn try_to_deliver(provider: &Provider, job: &Job, notice: &Notice) -> Result<(), Fault> {
    let client = provider
        .store
        .client(notice.client_id.as_str(), provider.clock.now())
        .await?;
    let metadata = client.map(|client| client.metadata);
    let algorithm = metadata.as_ref().map(Metadata::id_token_algorithm);
    let uri = metadata.and_then(|metadata| metadata.backchannel_logout_uri);
    let (Some(uri), Some(algorithm)) = (uri, algorithm) else {
        // It is no longer registered, or no longer wants to be told.
        return provider.store.forget_job(job.id).await;
    };
    let issuer = &provider.config.issuer.url;
    let claims = notice::claims(notice, issuer, &provider.random, provider.clock.now());
    // Back-Channel Logout §2.4: in the way that its ID tokens are.
    let keys = provider.keyring.current().await?;
    let token = keys.sign(algorithm, notice::TYP, &claims)?;
    let form = [("logout_token", token.as_str())];
    let answer = provider.outbound.post_form(uri.as_str(), &form).await;
    let verdict = match &answer {
        Ok(status) => notice::verdict(Some(*status)),
        Err(Failure::Forbidden) => Verdict::Refused,
        Err(Failure::Unreachable(_)) => notice::verdict(None),
    };
    let said = match answer {
        Ok(status) => format!("HTTP {status}"),
        Err(failure) => failure.to_string(),
    };
    let (client, tries) = (&notice.client_id, job.tries);
    match (verdict, job.next_try(provider.clock.now())) {
        (Verdict::Heard, _) => {
            provider.metrics.logout_notice("heard");
            provider.store.forget_job(job.id).await
        }
        (Verdict::Down, Some(next)) => {
            provider.metrics.logout_notice("postponed");
            tracing::warn!(%client, tries, %said, "a client could not be told of a logout, and will be told again");
            provider.store.postpone_job(job.id, next).await
        }
        (Verdict::Refused | Verdict::Down, _) => {
            provider.metrics.logout_notice("given_up");
            tracing::warn!(%client, tries, %said, "a client was not told of a logout");
            provider.store.forget_job(job.id).await
        }
    }
}
