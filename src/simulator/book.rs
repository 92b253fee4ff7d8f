//! All orders of the simulator, and what its two sides do with them: relying parties by their
//! `orderRef`, phones by what a phone can see. Neither ever learns the other's name for an order.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use super::frame::{self, Frame};
use super::order::{Collected, Operation, Order, Ordered, Risk, Start, Tokens, Typed, Unusable};
use super::people::Person;
use crate::clock::Moment;
use crate::random::Random;

/// The orders.
#[derive(Default)]
pub struct Book {
    orders: HashMap<String, Order>,
    /// A phone's own name for an order that it has taken up.
    handles: HashMap<String, String>,
    /// What relying parties called for, and what came of it; the latest last.
    calls: VecDeque<Call>,
    orders_made: u64,
}

/// A call of a relying party, for the page that lists them.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// When.
    pub at: Moment,
    /// For what.
    pub operation: String,
    /// Who called, by the name in their certificate.
    pub relying_party: String,
    /// What came of it: `200`, or BankID's error with the reason.
    pub outcome: String,
}

/// An order, for the page that lists them. By a number of its own: neither side's name for it is
/// told.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// In the order that they were made.
    pub number: u64,
    /// What is asked.
    pub operation: Operation,
    /// Who asks.
    pub relying_party: String,
    /// Where it stands.
    pub standing: String,
    /// How old it is, in seconds.
    pub age: u64,
    /// For how long its relying party has not asked about it, in seconds.
    pub unasked_for: u64,
}

/// There is an order for this person already; it has been ended, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyInProgress;

const CALLS_KEPT: usize = 200;

/// What a phone shows of an order that it has taken up.
#[derive(Clone)]
pub struct Request {
    /// The phone's name for it.
    pub handle: String,
    /// What is asked.
    pub operation: Operation,
    /// Whether the person must say first that they are in a call.
    pub is_call_open: bool,
    /// Whether a passport or identity card must be read.
    pub mrtd: bool,
    /// Who asks.
    pub relying_party: String,
    /// For what.
    pub text: String,
    /// Whether the code must be typed, whatever else the phone could use.
    pub pin_code: bool,
    /// Who is asked.
    pub person: &'static Person,
    /// How the app was started.
    pub start: Start,
    /// Where the app goes afterwards; only an app on the same device goes anywhere.
    pub return_url: Option<String>,
}

/// A code that is on some screen now.
#[derive(Clone)]
pub struct OnScreen {
    /// Which, by the token that stands in the code.
    pub qr_start_token: String,
    /// Who asks.
    pub relying_party: String,
}

/// What the app does after an approval on the same device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// Opens the return address in the browser that the phone page is in.
    Here,
    /// Opens it in another browser.
    Elsewhere,
    /// Opens nothing.
    Nothing,
    /// Is too old to know about return addresses, and fails.
    OldApp,
}

impl Book {
    /// A relying party orders.
    pub fn auth(
        &mut self,
        relying_party: &str,
        ordered: Ordered,
        random: &Random,
        now: Moment,
    ) -> Result<Tokens, AlreadyInProgress> {
        if let Some(number) = &ordered.personal_number {
            let clashes = |order: &mut &mut Order| {
                let claimed = order.claimed(now).map(|(by, _)| by.personal_number);
                let asked = order.ordered.personal_number.as_deref();
                [asked, claimed].contains(&Some(number.as_str())) && order.make_way(now)
            };
            // Every one of them, and not only the first.
            if self
                .orders
                .values_mut()
                .filter_map(|mut o| clashes(&mut o).then_some(()))
                .count()
                > 0
            {
                return Err(AlreadyInProgress);
            }
        }
        self.orders.retain(|_, order| !order.is_past(now));
        let orders = &self.orders;
        self.handles
            .retain(|_, order_ref| orders.contains_key(order_ref));
        let fresh = || random.uuid().to_string();
        let tokens = Tokens {
            order_ref: fresh(),
            auto_start_token: fresh(),
            qr_start_token: fresh(),
            qr_start_secret: fresh(),
        };
        self.orders_made += 1;
        let order = Order::new(
            self.orders_made,
            tokens.clone(),
            relying_party.to_owned(),
            ordered,
            now,
        );
        self.orders.insert(tokens.order_ref.clone(), order);
        Ok(tokens)
    }

    /// Remembers a call, for a while.
    pub fn remember(&mut self, call: Call) {
        self.calls.push_back(call);
        if self.calls.len() > CALLS_KEPT {
            self.calls.pop_front();
        }
    }

    /// The latest calls, latest first.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.iter().rev().cloned().collect()
    }

    /// The orders, latest first.
    pub fn list(&mut self, now: Moment) -> Vec<Listed> {
        let mut listed: Vec<Listed> = self
            .orders
            .values_mut()
            .map(|order| Listed {
                number: order.number,
                operation: order.ordered.operation,
                relying_party: order.relying_party.clone(),
                standing: order.standing(now),
                age: order.age(now),
                unasked_for: order.unasked_for(now),
            })
            .collect();
        listed.sort_by_key(|order| std::cmp::Reverse(order.number));
        listed
    }

    /// A relying party asks about its order, and is told with it what it ordered; another's order is
    /// as good as none.
    pub fn collect(
        &mut self,
        relying_party: &str,
        order_ref: &str,
        now: Moment,
    ) -> (Collected, Ordered) {
        match self.own(relying_party, order_ref) {
            Some(order) => (order.collect(now), order.ordered.clone()),
            None => (Collected::NoSuchOrder, Ordered::default()),
        }
    }

    /// A relying party ends its order.
    pub fn cancel(&mut self, relying_party: &str, order_ref: &str, now: Moment) -> bool {
        self.own(relying_party, order_ref)
            .is_some_and(|order| order.cancel(now))
    }

    fn own(&mut self, relying_party: &str, order_ref: &str) -> Option<&mut Order> {
        self.orders
            .get_mut(order_ref)
            .filter(|order| order.relying_party == relying_party)
    }

    /// A phone scans a code.
    pub fn scan(
        &mut self,
        text: &str,
        by: &'static Person,
        random: &Random,
        now: Moment,
    ) -> Result<Request, Unusable> {
        let frame = Frame::parse(text).ok_or(Unusable::NotACode)?;
        let order = self
            .orders
            .values_mut()
            .find(|order| order.tokens.qr_start_token == frame.qr_start_token)
            .filter(|order| !order.ordered.operation.is_call())
            .ok_or(Unusable::NoOrder)?;
        frame.check(&order.tokens, order.age(now))?;
        let order_ref = order.tokens.order_ref.clone();
        self.claim(&order_ref, by, Start::Scanned, random, now)
    }

    /// A phone is started by a launch link.
    pub fn open(
        &mut self,
        auto_start_token: &str,
        by: &'static Person,
        random: &Random,
        now: Moment,
    ) -> Result<Request, Unusable> {
        let order_ref = self
            .orders
            .values()
            .find(|order| order.tokens.auto_start_token == auto_start_token)
            .filter(|order| !order.ordered.operation.is_call())
            .map(|order| order.tokens.order_ref.clone())
            .ok_or(Unusable::NoOrder)?;
        self.claim(&order_ref, by, Start::Opened, random, now)
    }

    /// A phone answers what was ordered for its person in a call.
    pub fn answer_call(
        &mut self,
        by: &'static Person,
        random: &Random,
        now: Moment,
    ) -> Result<Request, Unusable> {
        let order_ref = self.call_for(by, now).ok_or(Unusable::NoOrder)?;
        self.claim(&order_ref, by, Start::Called, random, now)
    }

    /// Who wants something of this person in a call.
    pub fn caller(&mut self, person: &Person, now: Moment) -> Option<String> {
        let order_ref = self.call_for(person, now)?;
        let order = self.orders.get(&order_ref)?;
        Some(order.relying_party.clone())
    }

    fn call_for(&mut self, person: &Person, now: Moment) -> Option<String> {
        let number = Some(person.personal_number);
        self.orders.values_mut().find_map(|order| {
            let is_meant = order.ordered.operation.is_call()
                && order.ordered.personal_number.as_deref() == number
                && order.is_waiting(now);
            is_meant.then(|| order.tokens.order_ref.clone())
        })
    }

    /// The person says whether they are in that call.
    pub fn confirm_call(&mut self, handle: &str, is_in_call: bool, now: Moment) -> bool {
        self.by_handle(handle)
            .is_some_and(|order| order.confirm_call(is_in_call, now))
    }

    /// Something happens in the app, by the name that BankID has for it; with `fails` that is the
    /// end.
    pub fn hint(&mut self, handle: &str, hint: &str, fails: bool, now: Moment) -> bool {
        self.by_handle(handle).is_some_and(|order| match fails {
            true => order.fail(hint, now),
            false => order.hint(hint, now),
        })
    }

    fn claim(
        &mut self,
        order_ref: &str,
        by: &'static Person,
        start: Start,
        random: &Random,
        now: Moment,
    ) -> Result<Request, Unusable> {
        let order = self.orders.get_mut(order_ref).ok_or(Unusable::NoOrder)?;
        order.claim(by, start, now)?;
        // One order at a time for each person: a newer one puts an end to the older.
        for (other, order) in &mut self.orders {
            if other != order_ref && order.claimed(now).is_some_and(|(p, _)| p == by) {
                order.fail("cancelled", now);
            }
        }
        let handle = hex::encode(random.bytes::<16>());
        self.handles.insert(handle.clone(), order_ref.to_owned());
        self.request(&handle, now).ok_or(Unusable::NoOrder)
    }

    fn by_handle(&mut self, handle: &str) -> Option<&mut Order> {
        self.orders.get_mut(self.handles.get(handle)?)
    }

    /// What a phone shows, while there is something to approve.
    pub fn request(&mut self, handle: &str, now: Moment) -> Option<Request> {
        let order = self.by_handle(handle)?;
        let (person, start) = order.claimed(now)?;
        Some(Request {
            handle: handle.to_owned(),
            operation: order.ordered.operation,
            is_call_open: order.standing(now) == "pending: userCallConfirm",
            mrtd: order.ordered.mrtd,
            relying_party: order.relying_party.clone(),
            text: order.ordered.text.clone(),
            pin_code: order.ordered.pin_code,
            person,
            start,
            return_url: match start {
                Start::Opened => order.ordered.return_url.clone(),
                Start::Scanned | Start::Called => None,
            },
        })
    }

    /// The person types their code.
    pub fn approve(
        &mut self,
        handle: &str,
        code: &str,
        risk: Risk,
        afterwards: Afterwards,
        now: Moment,
    ) -> Typed {
        let Some(order) = self.by_handle(handle) else {
            return Typed::Over;
        };
        let needs_return = order.ordered.return_url.is_some()
            && order
                .claimed(now)
                .is_some_and(|(_, start)| start == Start::Opened);
        if needs_return && afterwards == Afterwards::OldApp {
            order.fail("notSupportedByUserApp", now);
            return Typed::Over;
        }
        order.type_code(code, risk, now)
    }

    /// The person says no.
    pub fn decline(&mut self, handle: &str, now: Moment) -> bool {
        self.by_handle(handle)
            .is_some_and(|order| order.fail("userCancel", now))
    }

    /// The codes that are on screens now, always in the same order.
    pub fn on_screen(&mut self, now: Moment) -> Vec<OnScreen> {
        let on_screen = self.orders.values_mut().filter_map(|order| {
            is_on_screen(order, now).then(|| OnScreen {
                qr_start_token: order.tokens.qr_start_token.clone(),
                relying_party: order.relying_party.clone(),
            })
        });
        let mut shown: Vec<OnScreen> = on_screen.collect();
        shown.sort_by(|one, other| one.qr_start_token.cmp(&other.qr_start_token));
        shown
    }

    /// What a camera would read from a screen now.
    pub fn frame_on_screen(&mut self, qr_start_token: &str, now: Moment) -> Option<String> {
        let mut orders = self.orders.values_mut();
        let order = orders.find(|order| order.tokens.qr_start_token == qr_start_token)?;
        is_on_screen(order, now).then(|| frame::on_screen(&order.tokens, order.age(now)))
    }
}

/// Whether an order's code is on a screen. Whoever asks for a return wants a link to be opened, and shows none.
fn is_on_screen(order: &mut Order, now: Moment) -> bool {
    order.is_waiting(now)
        && order.ordered.return_url.is_none()
        && !order.ordered.operation.is_call()
}
