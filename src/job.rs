//! What must happen after an answer was given, and outlives the node that was to do it: a job is kept in
//! the commit of what it follows from, tried by one node at a time, and given up in the end.

use serde::{Deserialize, Serialize};

use crate::clock::{Seconds, Timestamp};
use crate::id::{Id, kind};
use crate::random::Random;
use crate::session::notice::Notice;

/// Something to do, with how often it was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub id: Id<kind::Job>,
    /// What is to be done.
    pub task: Task,
    /// How often it was tried, the try under way included.
    pub tries: i64,
    /// When nobody tries any more.
    pub expires_at: Timestamp,
}

/// What there is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// A client is told that a session has ended.
    LogoutNotice(Notice),
}

/// How long a job is tried.
pub const LIFETIME: Seconds = Seconds(60 * 60);
/// How long a try may take before another node makes the next one; longer than a call can last
/// ([`crate::outbound`]).
pub const LEASE: Seconds = Seconds(30);

impl Job {
    /// A job whose first try belongs to whoever keeps it.
    pub fn new(task: Task, random: &Random, now: Timestamp) -> Job {
        Job {
            id: Id::fresh(random),
            task,
            tries: 1,
            expires_at: now + LIFETIME,
        }
    }

    /// When a try that failed is made again: after ten seconds, and then after twice as long each time,
    /// up to ten minutes. `None` when the job's time is up by then.
    pub fn next_try(&self, now: Timestamp) -> Option<Timestamp> {
        let doublings = u32::try_from(self.tries - 1).unwrap_or(0).min(6);
        let next = now + Seconds((10 << doublings).min(600));
        (next < self.expires_at).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ClientId;

    const NOW: Timestamp = Timestamp(1000);

    #[test]
    fn a_job_is_tried_after_growing_pauses_for_an_hour() {
        let _shows = crate::shows!(accepting "PV-JOB-1", refusing "PV-JOB-1");
        let random = Random::seeded(1);
        let notice = Notice {
            client_id: ClientId::parse("a").expect("an id"),
            session: Id::fresh(&random),
            subject: "s".into(),
        };
        let mut job = Job::new(Task::LogoutNotice(notice), &random, NOW);
        let (mut now, mut pauses) = (NOW, Vec::new());
        while let Some(next) = job.next_try(now) {
            pauses.push((next - now).0);
            now = next;
            job.tries += 1;
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 600, 600, 600, 600]);
        assert!(now < job.expires_at && job.expires_at == NOW + LIFETIME);
    }
}
