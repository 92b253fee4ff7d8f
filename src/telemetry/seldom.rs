//! A line of the log that there may be a reason for with every request. Whoever can make requests could fill
//! the disk with it: it is written once a second at the most, and says for how many it stands.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long nothing is written after a line.
const PAUSE: Duration = Duration::from_secs(1);

/// How often there was a reason since the last line, and when that was written.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<(u64, Option<Instant>)>);

impl Seldom {
    /// There is a reason now. For how many the line stands that is to be written, if one is.
    pub fn due(&self, now: Instant) -> Option<u64> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (times, written_at) = &mut *held;
        *times += 1;
        if written_at.is_some_and(|at| now.duration_since(at) < PAUSE) {
            return None;
        }
        *written_at = Some(now);
        Some(std::mem::take(times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_second_stands_for_all() {
        let (line, start) = (Seldom::default(), Instant::now());
        let at = |milliseconds| line.due(start + Duration::from_millis(milliseconds));
        assert_eq!(at(0), Some(1), "the first is told of at once");
        for n in 1..1000 {
            assert_eq!(at(n), None);
        }
        assert_eq!(at(1000), Some(1000));
        assert_eq!(at(1999), None);
        assert_eq!(at(60_000), Some(2));
    }
}
