//! Time, as an argument: the core is told what time it is, the shell asks a [`Clock`].

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Whole seconds since 1970-01-01T00:00:00Z, as in a JWT (RFC 7519 §2, NumericDate).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    sqlx::Type,
)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Timestamp(pub i64);

/// A length of time in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub i64);

impl Add for Seconds {
    type Output = Seconds;
    fn add(self, other: Seconds) -> Seconds {
        Seconds(self.0.saturating_add(other.0))
    }
}

impl Add<Seconds> for Timestamp {
    type Output = Timestamp;
    fn add(self, length: Seconds) -> Timestamp {
        Timestamp(self.0.saturating_add(length.0))
    }
}

impl Sub<Seconds> for Timestamp {
    type Output = Timestamp;
    fn sub(self, length: Seconds) -> Timestamp {
        Timestamp(self.0.saturating_sub(length.0))
    }
}

impl Timestamp {
    /// How far it is from another one, whichever comes first.
    pub fn distance(self, other: Timestamp) -> Seconds {
        Seconds((self - other).0.saturating_abs())
    }
}

impl Sub for Timestamp {
    type Output = Seconds;
    fn sub(self, earlier: Timestamp) -> Seconds {
        Seconds(self.0.saturating_sub(earlier.0))
    }
}

/// How far a node's clock may be from the database's. Codes and tokens are judged by it.
pub const SKEW: Seconds = Seconds(5);

/// Milliseconds since 1970. The animated QR code needs them: its age is a number of *whole*
/// seconds since BankID's answer, and two values that were each cut to seconds would be up to one
/// second apart from it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type,
)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Moment(pub i64);

impl Moment {
    /// Whole seconds from `earlier` to here, rounded down; zero when `earlier` lies ahead.
    pub fn seconds_since(self, earlier: Moment) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0) / 1000).unwrap_or(0)
    }

    /// The second that this moment lies in.
    pub fn timestamp(self) -> Timestamp {
        Timestamp(self.0.div_euclid(1000))
    }
}

/// Where the time comes from. Clones share one adjustment, so that a test which turns its clock
/// turns it for everything that it started.
#[derive(Clone)]
pub struct Clock {
    ahead_by_ms: Arc<AtomicI64>,
}

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Clock {
        Clock {
            ahead_by_ms: Arc::new(AtomicI64::new(0)),
        }
    }

    /// Turns this clock, and every clone of it, forward.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.ahead_by_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// This second.
    pub fn now(&self) -> Timestamp {
        self.moment().timestamp()
    }

    /// This millisecond.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine"
    )]
    pub fn moment(&self) -> Moment {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        let ms = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
        Moment(ms.saturating_add(self.ahead_by_ms.load(Ordering::SeqCst)))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_cut_to_whole_seconds_once() {
        assert_eq!(Moment(11_000).seconds_since(Moment(10_900)), 0);
        assert_eq!(Moment(11_899).seconds_since(Moment(10_900)), 0);
        assert_eq!(Moment(11_900).seconds_since(Moment(10_900)), 1);
        assert_eq!(Moment(10_000).seconds_since(Moment(10_900)), 0);
    }

    #[test]
    fn clones_of_a_clock_are_turned_together() {
        let clock = Clock::system();
        let clone = clock.clone();
        let before = clone.now();
        clock.advance(Duration::from_secs(1000));
        assert!(clone.now() - before >= Seconds(1000));
    }
}
