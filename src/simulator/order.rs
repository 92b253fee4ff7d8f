//! One order at the simulator: a machine of plain values that is told what time it is.

use std::fmt;

use super::people::Person;
use crate::clock::Moment;

/// What was ordered.
#[derive(Clone, Default)]
pub struct Ordered {
    /// Shown in the app.
    pub text: String,
    /// Where the app goes afterwards.
    pub return_url: Option<String>,
    /// Whether a risk is asked for.
    pub return_risk: bool,
    /// Whether the code must be typed.
    pub pin_code: bool,
    /// Whether a passport or identity card must be read.
    pub mrtd: bool,
    /// The only person who can finish it.
    pub personal_number: Option<String>,
}

/// The four names of an order.
#[derive(Clone)]
pub struct Tokens {
    /// For the relying party.
    pub order_ref: String,
    /// In launch links.
    pub auto_start_token: String,
    /// In frames.
    pub qr_start_token: String,
    /// The key of the frames.
    pub qr_start_secret: String,
}

impl fmt::Debug for Ordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[ordered]")
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[tokens]")
    }
}

/// An order.
pub struct Order {
    /// Its names.
    pub tokens: Tokens,
    /// Who asks, by the name in their certificate.
    pub relying_party: String,
    /// What was ordered.
    pub ordered: Ordered,
    created_at: Moment,
    collected_at: Option<Moment>,
    state: State,
}

enum State {
    Waiting,
    Claimed {
        by: &'static Person,
        start: Start,
        wrong_codes: u8,
    },
    Failed {
        hint: &'static str,
        at: Moment,
    },
    Complete {
        by: &'static Person,
        at: Moment,
    },
    /// Its result was given, or it was cancelled: for the relying party it is no more.
    Gone,
}

/// How an app was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A code was scanned.
    Scanned,
    /// A link was opened on the same device.
    Opened,
}

/// What collect answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Collected {
    /// Not yet.
    Pending(&'static str),
    /// Not at all.
    Failed(&'static str),
    /// By whom.
    Complete(&'static Person),
    /// Asked too soon after the last time.
    TooSoon,
    /// There is none.
    NoSuchOrder,
}

/// Why a phone does not get an order, in the app's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Not a code of BankID's, or forged.
    NotACode,
    /// An old frame.
    TooOld,
    /// No order waits for it.
    NoOrder,
    /// Another phone has it.
    Taken,
    /// Somebody else must do this.
    WrongPerson,
}

impl Unusable {
    /// A sentence for the person.
    pub fn sentence(self) -> &'static str {
        match self {
            Unusable::NotACode => "This is not a valid BankID code.",
            Unusable::TooOld => "The QR code is not valid because it is too old.",
            Unusable::NoOrder => "There is nothing to approve. Start again on the page.",
            Unusable::Taken => "Another phone has taken this up already.",
            Unusable::WrongPerson => "This is meant for another person.",
        }
    }
}

/// What a typed code came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Approved.
    Approved,
    /// Wrong; another try is left.
    Wrong,
    /// Wrong once too often: the order failed.
    Blocked,
    /// The order is over.
    Over,
}

const START_WINDOW_MS: i64 = 30_000;
const LIFETIME_MS: i64 = 3 * 60_000;
const COMPLETE_KEPT_MS: i64 = 3 * 60_000;
const FAILED_KEPT_MS: i64 = 5 * 60_000;
const COLLECT_INTERVAL_MS: i64 = 1_000;
const TRIES: u8 = 3;
/// The security code that nobody has.
const WRONG_CODE: &str = "000000";

impl Order {
    /// An order that waits from now on.
    pub fn new(tokens: Tokens, relying_party: String, ordered: Ordered, now: Moment) -> Order {
        Order {
            tokens,
            relying_party,
            ordered,
            created_at: now,
            collected_at: None,
            state: State::Waiting,
        }
    }

    /// Lets time pass.
    fn advance(&mut self, now: Moment) {
        let age = now.0 - self.created_at.0;
        let ended = |after: i64| Moment(self.created_at.0 + after);
        match self.state {
            State::Waiting if age >= START_WINDOW_MS => {
                self.state = State::Failed {
                    hint: "startFailed",
                    at: ended(START_WINDOW_MS),
                };
            }
            State::Claimed { .. } if age >= LIFETIME_MS => {
                self.state = State::Failed {
                    hint: "expiredTransaction",
                    at: ended(LIFETIME_MS),
                };
            }
            _ => {}
        }
        match self.state {
            State::Complete { at, .. } if now.0 - at.0 >= COMPLETE_KEPT_MS => {
                self.state = State::Gone
            }
            State::Failed { at, .. } if now.0 - at.0 >= FAILED_KEPT_MS => self.state = State::Gone,
            _ => {}
        }
    }

    /// What the relying party is told. A result is told once.
    pub fn collect(&mut self, now: Moment) -> Collected {
        self.advance(now);
        if matches!(self.state, State::Gone) {
            return Collected::NoSuchOrder;
        }
        let last = self.collected_at;
        if last.is_some_and(|last| now.0 - last.0 < COLLECT_INTERVAL_MS) {
            return Collected::TooSoon;
        }
        self.collected_at = Some(now);
        let collected = match self.state {
            State::Waiting => Collected::Pending("outstandingTransaction"),
            State::Claimed { .. } => Collected::Pending("userSign"),
            State::Failed { hint, .. } => Collected::Failed(hint),
            State::Complete { by, .. } => Collected::Complete(by),
            State::Gone => Collected::NoSuchOrder,
        };
        if matches!(collected, Collected::Failed(_) | Collected::Complete(_)) {
            self.state = State::Gone;
        }
        collected
    }

    /// Ends an order that is still open.
    pub fn cancel(&mut self, now: Moment) -> bool {
        self.advance(now);
        let open = matches!(self.state, State::Waiting | State::Claimed { .. });
        if open {
            self.state = State::Gone;
        }
        open
    }

    /// Whether no app has it yet.
    pub fn is_waiting(&mut self, now: Moment) -> bool {
        self.advance(now);
        matches!(self.state, State::Waiting)
    }

    /// How old the order is, in whole seconds.
    pub fn age(&self, now: Moment) -> u64 {
        now.seconds_since(self.created_at)
    }

    /// An app takes the order up.
    pub fn claim(
        &mut self,
        by: &'static Person,
        start: Start,
        now: Moment,
    ) -> Result<(), Unusable> {
        self.advance(now);
        match self.state {
            State::Waiting => {}
            State::Claimed { .. } => return Err(Unusable::Taken),
            _ => return Err(Unusable::NoOrder),
        }
        if self
            .ordered
            .personal_number
            .as_deref()
            .is_some_and(|n| n != by.personal_number)
        {
            self.state = State::Failed {
                hint: "userCancel",
                at: now,
            };
            return Err(Unusable::WrongPerson);
        }
        self.state = State::Claimed {
            by,
            start,
            wrong_codes: 0,
        };
        Ok(())
    }

    /// Who has the order, and how their app was started.
    pub fn claimed(&mut self, now: Moment) -> Option<(&'static Person, Start)> {
        self.advance(now);
        match self.state {
            State::Claimed { by, start, .. } => Some((by, start)),
            _ => None,
        }
    }

    /// A code was typed.
    pub fn type_code(&mut self, code: &str, now: Moment) -> Typed {
        self.advance(now);
        let State::Claimed {
            by, wrong_codes, ..
        } = &mut self.state
        else {
            return Typed::Over;
        };
        let sound =
            code.len() >= 6 && code.bytes().all(|b| b.is_ascii_digit()) && code != WRONG_CODE;
        if sound {
            self.state = State::Complete { by, at: now };
            return Typed::Approved;
        }
        *wrong_codes += 1;
        if *wrong_codes < TRIES {
            return Typed::Wrong;
        }
        self.state = State::Failed {
            hint: "certificateErr",
            at: now,
        };
        Typed::Blocked
    }

    /// The app or the person ends it.
    pub fn fail(&mut self, hint: &'static str, now: Moment) -> bool {
        self.advance(now);
        let open = matches!(self.state, State::Claimed { .. });
        if open {
            self.state = State::Failed { hint, at: now };
        }
        open
    }

    /// Whether nothing more can come of it, so that it may be forgotten.
    pub fn is_past(&self, now: Moment) -> bool {
        now.0 - self.created_at.0 > LIFETIME_MS + FAILED_KEPT_MS + COMPLETE_KEPT_MS
    }
}

#[cfg(test)]
mod tests {
    use super::super::people::PEOPLE;
    use super::*;

    const START: i64 = 1_000_000;

    fn order(ordered: Ordered) -> Order {
        let tokens = Tokens {
            order_ref: "131daac9-16c6-4618-beb0-365768f37288".into(),
            auto_start_token: "7c40b5c9-fa74-49cf-b98c-bfe651f9a7c6".into(),
            qr_start_token: "67df3917-fa0d-44e5-b327-edcc928297f8".into(),
            qr_start_secret: "d28db9a7-4cde-429e-a983-359be676944c".into(),
        };
        Order::new(tokens, "Kommunen".into(), ordered, Moment(START))
    }

    fn after(seconds: i64) -> Moment {
        Moment(START + seconds * 1000)
    }

    #[test]
    fn an_order_must_be_started_in_time_and_its_result_is_given_once() {
        let _shows = crate::shows!(accepting "PV-SIM-3", refusing "PV-SIM-3");
        let mut order = order(Ordered::default());
        assert_eq!(
            order.collect(after(0)),
            Collected::Pending("outstandingTransaction")
        );
        assert_eq!(order.collect(Moment(START + 999)), Collected::TooSoon);
        assert_eq!(
            order.collect(after(29)),
            Collected::Pending("outstandingTransaction")
        );
        assert_eq!(order.collect(after(31)), Collected::Failed("startFailed"));
        assert_eq!(order.collect(after(33)), Collected::NoSuchOrder);
    }

    #[test]
    fn a_person_approves_once_and_in_time() {
        let tolvan = &PEOPLE[0];
        let mut one = order(Ordered::default());
        one.claim(tolvan, Start::Scanned, after(1))
            .expect("it waits");
        assert_eq!(
            one.claim(&PEOPLE[1], Start::Scanned, after(1)),
            Err(Unusable::Taken)
        );
        assert_eq!(one.collect(after(2)), Collected::Pending("userSign"));
        assert_eq!(one.type_code("123456", after(40)), Typed::Approved);
        assert_eq!(one.type_code("123456", after(40)), Typed::Over);
        assert_eq!(one.collect(after(41)), Collected::Complete(tolvan));
        assert_eq!(one.collect(after(43)), Collected::NoSuchOrder);
        let mut late = order(Ordered::default());
        late.claim(tolvan, Start::Opened, after(1))
            .expect("it waits");
        assert_eq!(
            late.collect(after(181)),
            Collected::Failed("expiredTransaction")
        );
        let mut kept = order(Ordered::default());
        kept.claim(tolvan, Start::Opened, after(1))
            .expect("it waits");
        kept.type_code("123456", after(2));
        assert_eq!(
            kept.collect(after(182)),
            Collected::NoSuchOrder,
            "a result is kept for three minutes"
        );
    }

    #[test]
    fn wrong_codes_block_and_only_the_required_person_may() {
        let mut one = order(Ordered::default());
        one.claim(&PEOPLE[0], Start::Scanned, after(1))
            .expect("it waits");
        assert_eq!(one.type_code("000000", after(2)), Typed::Wrong);
        assert_eq!(one.type_code("12345", after(2)), Typed::Wrong);
        assert_eq!(one.type_code("abcdef", after(2)), Typed::Blocked);
        assert_eq!(one.collect(after(3)), Collected::Failed("certificateErr"));
        let mut other = order(Ordered {
            personal_number: Some(PEOPLE[1].personal_number.into()),
            ..Ordered::default()
        });
        assert_eq!(
            other.claim(&PEOPLE[0], Start::Scanned, after(1)),
            Err(Unusable::WrongPerson)
        );
    }

    #[test]
    fn an_order_is_cancelled_once() {
        let mut one = order(Ordered::default());
        assert!(one.cancel(after(1)));
        assert!(!one.cancel(after(1)));
        assert_eq!(
            one.claim(&PEOPLE[0], Start::Scanned, after(2)),
            Err(Unusable::NoOrder)
        );
    }
}
