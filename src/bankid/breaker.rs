//! A breaker around the making of orders. When BankID fails again and again, people are told so at
//! once instead of waiting for it, and BankID is left in peace but for one question every few
//! seconds, which closes the breaker when it is answered. Orders that run are collected all the
//! same.

use crate::clock::Moment;

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it stays open before one order is tried, in milliseconds.
const REST_MS: i64 = 3_000;
/// How long a try may take before another one is let through, should its end never be reported.
const TRY_MS: i64 = 15_000;

/// Closed while few orders fail.
#[derive(Debug, Default)]
pub struct Breaker {
    failures: u32,
    /// When the next order may be tried, while it is open.
    next_try: Option<Moment>,
}

impl Breaker {
    /// Whether an order may be tried now.
    pub fn admits(&mut self, now: Moment) -> bool {
        match self.next_try {
            None => true,
            Some(at) if now >= at => {
                self.next_try = Some(Moment(now.0 + TRY_MS));
                true
            }
            Some(_) => false,
        }
    }

    /// How an order that was tried came out. `failed`: BankID could not, for reasons of its own.
    /// `true` when this opened the breaker.
    pub fn report(&mut self, failed: bool, now: Moment) -> bool {
        if !failed {
            *self = Breaker::default();
            return false;
        }
        let was_open = self.next_try.is_some();
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES {
            self.next_try = Some(Moment(now.0 + REST_MS));
        }
        !was_open && self.next_try.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_with_one_success() {
        let _shows = crate::shows!(accepting "PV-FAIL-2", refusing "PV-FAIL-2");
        let mut breaker = Breaker::default();
        let at = Moment;
        for n in 0..FAILURES - 1 {
            assert!(breaker.admits(at(0)), "{n}");
            assert!(!breaker.report(true, at(0)));
        }
        assert!(
            !breaker.report(false, at(0)),
            "a success starts the count anew"
        );
        for n in 0..FAILURES {
            assert!(breaker.admits(at(0)));
            assert_eq!(breaker.report(true, at(0)), n == FAILURES - 1);
        }
        assert!(!breaker.admits(at(REST_MS - 1)));
        assert!(breaker.admits(at(REST_MS)), "one is let through");
        assert!(!breaker.admits(at(REST_MS)), "and no other");
        assert!(!breaker.report(true, at(REST_MS)));
        assert!(!breaker.admits(at(2 * REST_MS - 1)));
        assert!(breaker.admits(at(2 * REST_MS)));
        assert!(!breaker.report(false, at(2 * REST_MS)));
        assert!(breaker.admits(at(2 * REST_MS)) && breaker.admits(at(2 * REST_MS)));
    }

    #[test]
    fn a_try_whose_end_is_never_told_does_not_keep_it_open_for_ever() {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.report(true, Moment(0));
        }
        assert!(breaker.admits(Moment(REST_MS)));
        assert!(!breaker.admits(Moment(REST_MS + TRY_MS - 1)));
        assert!(breaker.admits(Moment(REST_MS + TRY_MS)));
    }
}
