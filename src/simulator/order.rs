//! One order at the simulator: a machine of plain values that is told what time it is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::people::{BankId, Person};
use crate::bankid::evidence::Format;
use crate::clock::Moment;

/// What is asked of the person, and how they are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// To identify themselves, by a code or a link.
    #[default]
    Auth,
    /// To sign, by a code or a link.
    Sign,
    /// To identify themselves in a phone call.
    PhoneAuth,
    /// To sign in a phone call.
    PhoneSign,
}

impl Operation {
    /// Whether the person is in a call, and named by their number.
    pub fn is_call(self) -> bool {
        matches!(self, Operation::PhoneAuth | Operation::PhoneSign)
    }

    /// Whether something is signed.
    pub fn is_signature(self) -> bool {
        matches!(self, Operation::Sign | Operation::PhoneSign)
    }
}

/// What was ordered.
#[derive(Clone, Default)]
pub struct Ordered {
    /// What is asked.
    pub operation: Operation,
    /// Shown in the app.
    pub text: String,
    /// The same in base64, as ordered.
    pub visible: Option<String>,
    /// How it is read.
    pub format: Format,
    /// Signed without being shown, in base64 as ordered.
    pub non_visible: Option<String>,
    /// Where the app goes afterwards.
    pub return_url: Option<String>,
    /// Whether a risk is asked for.
    pub return_risk: bool,
    /// Whether the code must be typed.
    pub pin_code: bool,
    /// Whether a passport or identity card must be read.
    pub mrtd: bool,
    /// The kinds of BankID that will do, by their policies; every kind when there are none.
    pub policies: Vec<String>,
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
    /// Which one it is, of all that were made.
    pub number: u64,
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
        hint: String,
    },
    Failed {
        hint: String,
        at: Moment,
    },
    Complete {
        by: &'static Person,
        risk: Risk,
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
    /// A call was answered.
    Called,
}

/// What BankID thinks of an approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Nothing, or little.
    #[default]
    Low,
    /// Something.
    Moderate,
    /// A lot.
    High,
    /// It could not be told.
    Unknown,
}

/// What collect answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Collected {
    /// Not yet.
    Pending(String),
    /// Not at all.
    Failed(String),
    /// By whom, and what is thought of it.
    Complete(&'static Person, Risk),
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
    /// The person's BankID is not of a kind that will do.
    NoBankId,
    /// The person's BankID is on a computer, which has no camera to scan with.
    CannotScan,
    /// The person's BankID is blocked.
    Blocked,
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
            Unusable::NoBankId => "There is no BankID here that will do for this.",
            Unusable::CannotScan => "A BankID on a computer cannot scan codes.",
            Unusable::Blocked => "This BankID is blocked.",
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
    /// Something else comes first: the call must be confirmed.
    TooSoon,
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
    pub fn new(
        number: u64,
        tokens: Tokens,
        relying_party: String,
        ordered: Ordered,
        now: Moment,
    ) -> Order {
        Order {
            number,
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
                    hint: "startFailed".to_owned(),
                    at: ended(START_WINDOW_MS),
                };
            }
            State::Claimed { .. } if age >= LIFETIME_MS => {
                self.state = State::Failed {
                    hint: "expiredTransaction".to_owned(),
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
        let collected = match &self.state {
            State::Waiting => Collected::Pending("outstandingTransaction".to_owned()),
            State::Claimed { hint, .. } => Collected::Pending(hint.clone()),
            State::Failed { hint, .. } => Collected::Failed(hint.clone()),
            State::Complete { by, risk, .. } => Collected::Complete(by, *risk),
            State::Gone => Collected::NoSuchOrder,
        };
        if matches!(collected, Collected::Failed(_) | Collected::Complete(..)) {
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

    /// How long ago its relying party last asked about it, in whole seconds; since it was made where it
    /// never did.
    pub fn unasked_for(&self, now: Moment) -> u64 {
        now.seconds_since(self.collected_at.unwrap_or(self.created_at))
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
        if start == Start::Scanned && by.bankid == BankId::File {
            return Err(Unusable::CannotScan);
        }
        let required = self.ordered.personal_number.as_deref();
        let unusable = if required.is_some_and(|number| number != by.personal_number) {
            self.end("userCancel", now);
            Some(Unusable::WrongPerson)
        } else if by.is_blocked {
            self.end("certificateErr", now);
            Some(Unusable::Blocked)
        } else if !by.bankid.is_one_of(&self.ordered.policies) {
            Some(Unusable::NoBankId)
        } else {
            None
        };
        match unusable {
            Some(Unusable::NoBankId) | None => {
                let hint = match (unusable, start) {
                    // The app searches for a BankID that will do, and finds none.
                    (Some(_), _) => "started",
                    (None, Start::Called) => "userCallConfirm",
                    (None, _) => self.first_hint(),
                };
                self.state = State::Claimed {
                    by,
                    start,
                    wrong_codes: 0,
                    hint: hint.to_owned(),
                };
            }
            Some(_) => {}
        }
        unusable.map_or(Ok(()), Err)
    }

    fn first_hint(&self) -> &'static str {
        match self.ordered.mrtd {
            true => "userMrtd",
            false => "userSign",
        }
    }

    fn end(&mut self, hint: &str, now: Moment) {
        self.state = State::Failed {
            hint: hint.to_owned(),
            at: now,
        };
    }

    /// The person says whether they are in the call that the order was made for.
    pub fn confirm_call(&mut self, is_in_call: bool, now: Moment) -> bool {
        self.advance(now);
        let first = self.first_hint();
        match &mut self.state {
            State::Claimed { hint, .. } if hint == "userCallConfirm" => {
                match is_in_call {
                    true => *hint = first.to_owned(),
                    false => self.end("userDeclinedCall", now),
                }
                true
            }
            _ => false,
        }
    }

    /// Something happens in the app, by the name that BankID has for it.
    pub fn hint(&mut self, told: &str, now: Moment) -> bool {
        self.advance(now);
        match &mut self.state {
            State::Claimed { hint, .. } => {
                *hint = told.to_owned();
                true
            }
            _ => false,
        }
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
    pub fn type_code(&mut self, code: &str, risk: Risk, now: Moment) -> Typed {
        self.advance(now);
        let State::Claimed {
            by,
            wrong_codes,
            hint,
            ..
        } = &mut self.state
        else {
            return Typed::Over;
        };
        if hint == "userCallConfirm" || hint == "started" {
            return Typed::TooSoon;
        }
        if self.ordered.mrtd && by.has_several {
            self.end("multipleBankIdsOnDevice", now);
            return Typed::Over;
        }
        let sound =
            code.len() >= 6 && code.bytes().all(|b| b.is_ascii_digit()) && code != WRONG_CODE;
        if sound {
            self.state = State::Complete { by, risk, at: now };
            return Typed::Approved;
        }
        *wrong_codes += 1;
        if *wrong_codes < TRIES {
            return Typed::Wrong;
        }
        self.end("certificateErr", now);
        Typed::Blocked
    }

    /// The app or the person ends it.
    pub fn fail(&mut self, hint: &str, now: Moment) -> bool {
        self.advance(now);
        let open = matches!(self.state, State::Claimed { .. });
        if open {
            self.end(hint, now);
        }
        open
    }

    /// A newer order for the same person puts an end to this one.
    pub fn make_way(&mut self, now: Moment) -> bool {
        self.advance(now);
        let open = matches!(self.state, State::Waiting | State::Claimed { .. });
        if open {
            self.end("cancelled", now);
        }
        open
    }

    /// Where it stands, in a word for the page that lists the orders.
    pub fn standing(&mut self, now: Moment) -> String {
        self.advance(now);
        match &self.state {
            State::Waiting => "waits".to_owned(),
            State::Claimed { hint, .. } => format!("pending: {hint}"),
            State::Failed { hint, .. } => format!("failed: {hint}"),
            State::Complete { .. } => "complete, not collected".to_owned(),
            State::Gone => "collected or cancelled".to_owned(),
        }
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
        Order::new(1, tokens, "Kommunen".into(), ordered, Moment(START))
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
            Collected::Pending("outstandingTransaction".to_owned())
        );
        assert_eq!(order.collect(Moment(START + 999)), Collected::TooSoon);
        assert_eq!(
            order.collect(after(29)),
            Collected::Pending("outstandingTransaction".to_owned())
        );
        assert_eq!(
            order.collect(after(31)),
            Collected::Failed("startFailed".to_owned())
        );
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
        assert_eq!(
            one.collect(after(2)),
            Collected::Pending("userSign".to_owned())
        );
        assert_eq!(
            one.type_code("123456", Risk::Low, after(40)),
            Typed::Approved
        );
        assert_eq!(one.type_code("123456", Risk::Low, after(40)), Typed::Over);
        assert_eq!(
            one.collect(after(41)),
            Collected::Complete(tolvan, Risk::Low)
        );
        assert_eq!(one.collect(after(43)), Collected::NoSuchOrder);
        let mut late = order(Ordered::default());
        late.claim(tolvan, Start::Opened, after(1))
            .expect("it waits");
        assert_eq!(
            late.collect(after(181)),
            Collected::Failed("expiredTransaction".to_owned())
        );
        let mut kept = order(Ordered::default());
        kept.claim(tolvan, Start::Opened, after(1))
            .expect("it waits");
        kept.type_code("123456", Risk::Low, after(2));
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
        assert_eq!(one.type_code("000000", Risk::Low, after(2)), Typed::Wrong);
        assert_eq!(one.type_code("12345", Risk::Low, after(2)), Typed::Wrong);
        assert_eq!(one.type_code("abcdef", Risk::Low, after(2)), Typed::Blocked);
        assert_eq!(
            one.collect(after(3)),
            Collected::Failed("certificateErr".to_owned())
        );
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
