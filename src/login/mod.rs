//! The person (step 2): one interaction, from the choice of a device to its end.
//!
//! A [`Login`] moves only forward, by [`Login::on`]; the database repeats each step as a
//! conditional update, so that of any number of callers one moves it.

pub mod address;
pub mod binding;
pub mod collector;
pub mod device;
pub mod followed;
pub mod limit;
pub mod ordering;
pub mod progress;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::authorize::request::Parameters;
use crate::bankid::collect::{CompletionData, Hint};
use crate::bankid::launch::Manner;
use crate::bankid::message::Device;
use crate::bankid::order::{OrderTokens, Ordered, Requirement};
use crate::bankid::personal_number::PersonalNumber;
use crate::bankid::risk::{StepUp, Verdict};
use crate::client::bankid::{Demands, ReturnPolicy};
use crate::clock::{Moment, Seconds, Timestamp};
use crate::id::{ClientId, Id, kind};
use crate::language::Tag;
use crate::secret::{Digest, kind as secret};

/// How long a login may take in all.
pub const LIFETIME: Seconds = Seconds(13 * 60);
/// How many orders one login may make, silent renewals of the code included.
pub const ORDER_BUDGET: i64 = 6;

/// How often an order's silent renewal is tried when BankID makes none.
pub const RENEWAL_TRIES: i64 = 4;
/// How long after one try another may follow. A try may take as long as BankID's answer may.
pub const RENEWAL_PAUSE: Seconds = Seconds(12);

/// One interaction.
#[derive(Clone, Debug)]
pub struct Login {
    /// Its name; it stands in addresses and is no credential.
    pub id: Id<kind::Login>,
    /// The cookie of the browser that began.
    pub browser: Digest<secret::LoginCookie>,
    /// Who asks.
    pub client_id: ClientId,
    /// What was asked, from where, and how to talk to the person.
    pub asked: Asked,
    /// After this it is over.
    pub expires_at: Timestamp,
    /// Orders made so far.
    pub orders_made: i64,
    /// Where it stands.
    pub state: State,
    /// The one order that counts.
    pub order: Order,
    /// What was tried to renew it in silence.
    pub renewal: Renewal,
    /// Grows with every change, so that other nodes see that there was one.
    pub version: i64,
}

/// What was tried to renew a code in silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    /// How often, for the present order.
    pub tried: i64,
    /// When last; long ago when never.
    pub tried_at: Timestamp,
}

/// What a login remembers of its request. Sealed where it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asked {
    /// The parameters as they came.
    pub parameters: Parameters,
    /// When they first came; nothing where that was before it was kept.
    #[serde(default)]
    pub asked_at: Option<Timestamp>,
    /// The address of the person's browser when they chose.
    pub ip: IpAddr,
    /// The language of the pages and of the text in the app.
    pub language: Tag,
    /// How the app is started from this browser, and comes back.
    #[serde(default)]
    pub manner: Manner,
    /// What the client demands of BankID.
    #[serde(default)]
    pub demands: Demands,
    /// The people of whom one must log in; anyone may, when there are none.
    #[serde(default)]
    pub expected_people: Vec<PersonalNumber>,
    /// Whether the page said that its scripts run.
    pub scripts: bool,
    /// The browser, by its own word.
    pub user_agent: String,
    /// The browser, by a cookie that lasts.
    pub browser_name: String,
}

/// Where a login stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum State {
    /// Not over yet.
    Open,
    /// A code was issued.
    Finished,
    /// The person, or a rule of ours, ended it.
    Cancelled,
}

/// One order at BankID.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its name here.
    pub id: Id<kind::Order>,
    /// Which device the person chose.
    pub device: Device,
    /// What BankID gave for it.
    pub tokens: OrderTokens,
    /// What was ordered.
    pub ordered: Ordered,
    /// When BankID's answer was received: time zero of the animated code.
    pub received_at: Moment,
    /// What BankID says of it.
    pub progress: Progress,
    /// When a person approved it: the time of their authentication.
    pub answered_at: Option<Timestamp>,
    /// Whether the app has come back to us.
    pub comeback: Comeback,
}

/// What BankID says of an order.
#[derive(Clone, Debug)]
pub enum Progress {
    /// It waits, for what the hint says.
    Ordered(Hint),
    /// A person approved.
    Complete(Box<CompletionData>),
    /// It came to nothing.
    Failed(Hint),
    /// We ended it.
    Cancelled,
    /// Its answer was given to a node that died with it, or BankID forgot it.
    Lost,
    /// A code was issued for it, and its answer is gone.
    Spent,
}

/// Whether, and where, the app opened the order's return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Comeback {
    /// A code is scanned by another device: there is no return.
    NotExpected,
    /// Not yet.
    Awaited,
    /// In a browser that did not begin, but from the address where the login began: the person must
    /// say in the browser that began that it was them.
    Vouched,
    /// In the browser that began.
    Here,
    /// In a browser that did not: this order can no longer log anyone in.
    Elsewhere,
}

/// What happens to a login.
#[derive(Clone, Debug)]
pub enum Event {
    /// BankID's hint changed.
    Hinted(Hint),
    /// A person approved.
    Completed(Box<CompletionData>),
    /// BankID's order came to nothing.
    Failed(Hint),
    /// BankID no longer knows the order.
    Lost,
    /// The return address was opened.
    Returned(Opened),
    /// In the browser that began, the person said that they approved.
    Confirmed,
    /// A new order takes the place of the old one.
    Reordered(Box<Order>),
    /// The person gave up.
    Cancelled,
    /// The code was issued.
    Finished,
}

/// By which browser a return address was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The one that began.
    Here,
    /// Another one, from the address where the login began.
    SameAddress,
    /// Another one.
    Elsewhere,
}

/// An event that cannot happen where the login stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the login has moved on")]
pub struct OutOfOrder;

/// Why a login cannot end with a code now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// It ended before, one way or another, or its time is up.
    Over,
    /// Nobody has approved it yet.
    Pending,
    /// The app has not come back to this browser.
    NotReturned,
    /// The app came back to another browser, from the same address: the person must confirm it.
    Unconfirmed,
    /// The app came back to another browser.
    ReturnedElsewhere,
    /// Another person approved than the one who must.
    OtherPerson,
    /// The passport or identity card that was required was not read.
    DocumentMissing,
    /// By the client's policy for risks, an order that requires more must follow.
    StepUp(StepUp),
    /// By the client's policy for risks, nobody is logged in.
    Risk,
}

impl Login {
    /// Moves the login by one event, or says that it cannot happen any more.
    pub fn on(mut self, event: Event, now: Timestamp) -> Result<Login, OutOfOrder> {
        if self.state != State::Open {
            return Err(OutOfOrder);
        }
        let is_ordered = matches!(self.order.progress, Progress::Ordered(_));
        match event {
            Event::Hinted(hint) if is_ordered => self.order.progress = Progress::Ordered(hint),
            // One that was given up as lost may still be in the hands of whoever was given its answer.
            Event::Completed(data)
                if is_ordered || matches!(self.order.progress, Progress::Lost) =>
            {
                self.order.progress = Progress::Complete(data);
                self.order.answered_at = Some(now);
            }
            Event::Failed(hint) if is_ordered => self.order.progress = Progress::Failed(hint),
            Event::Lost if is_ordered => self.order.progress = Progress::Lost,
            Event::Returned(opened) if self.order.comeback == Comeback::Awaited => {
                self.order.comeback = self.comes_back(opened);
            }
            Event::Returned(Opened::Here) | Event::Confirmed
                if self.order.comeback == Comeback::Vouched =>
            {
                self.order.comeback = Comeback::Here;
            }
            Event::Reordered(order) if self.may_order_again(now) => {
                self.order = *order;
                self.orders_made += 1;
                self.renewal = Renewal::default();
            }
            Event::Cancelled => {
                if is_ordered || matches!(self.order.progress, Progress::Complete(_)) {
                    self.order.progress = Progress::Cancelled;
                }
                self.state = State::Cancelled;
            }
            Event::Finished if self.completion(now).is_ok() => {
                self.order.progress = Progress::Spent;
                self.state = State::Finished;
            }
            _ => return Err(OutOfOrder),
        }
        self.version += 1;
        Ok(self)
    }

    /// Whether another order may be made: in time, within the budget, and not when the present one
    /// is about to log the person in, or is refused because of its risk.
    pub fn may_order_again(&self, now: Timestamp) -> bool {
        let decides = matches!(self.completion(now), Ok(_) | Err(Unfinished::Risk));
        // Renewals of the code must not use up the order that a policy asks for beyond the last.
        let budget = ORDER_BUDGET + i64::from(self.is_unmet(now));
        self.is_open(now) && self.orders_made < budget && !decides
    }

    /// Whether the person may make the same request once more, as a login of its own: because this
    /// one has made all its orders, or its time is or will soon be up. What was denied for its risk
    /// stays denied.
    pub fn may_begin_anew(&self, now: Timestamp) -> bool {
        let before_its_end = now.min(self.expires_at - Seconds(1));
        let decides = matches!(
            self.completion(before_its_end),
            Ok(_) | Err(Unfinished::Risk)
        );
        // A request may be asked for anew for so long, by whatever many logins.
        let is_in_time = self
            .asked
            .asked_at
            .is_some_and(|asked_at| now < asked_at + binding::RENEWABLE);
        self.state == State::Open && is_in_time && !decides
    }

    /// Whether the present order is complete and yet not good enough, wherever the app comes back.
    pub fn is_unmet(&self, now: Timestamp) -> bool {
        let unmet = self.completion(now).err();
        matches!(
            unmet,
            Some(Unfinished::OtherPerson | Unfinished::DocumentMissing | Unfinished::StepUp(_))
        )
    }

    fn comes_back(&self, opened: Opened) -> Comeback {
        let policy = self.asked.demands.returning;
        match opened {
            Opened::Here => Comeback::Here,
            Opened::SameAddress if policy == ReturnPolicy::CookieOrSameAddress => Comeback::Vouched,
            Opened::SameAddress | Opened::Elsewhere => Comeback::Elsewhere,
        }
    }

    /// What the next order must require, beyond what the client always demands: what the last one
    /// did, and what its risk asks for.
    pub fn stepped_up(&self, now: Timestamp) -> Requirement {
        let last = &self.order.ordered.requirement;
        let wanted = self.completion(now).err();
        Requirement {
            pin_code: last.pin_code || wanted == Some(Unfinished::StepUp(StepUp::Pin)),
            mrtd: last.mrtd || wanted == Some(Unfinished::StepUp(StepUp::Mrtd)),
            ..Requirement::default()
        }
    }

    /// Whether all tries to renew a code came to nothing.
    pub fn could_not_be_renewed(&self) -> bool {
        self.renewal.tried >= RENEWAL_TRIES
    }

    /// Whether a code that nobody scanned in time is being renewed without asking: until it has been
    /// tried often enough.
    pub fn is_renewing(&self, now: Timestamp) -> bool {
        let unscanned =
            matches!(&self.order.progress, Progress::Failed(hint) if hint.is_start_failed());
        let hopeful =
            self.renewal.tried < RENEWAL_TRIES || now < self.renewal.tried_at + RENEWAL_PAUSE;
        unscanned && hopeful && self.order.device == Device::Other && self.may_order_again(now)
    }

    /// Whether its order has ended without an answer, and nothing goes on by itself.
    pub fn has_come_to_nothing(&self, now: Timestamp) -> bool {
        match self.order.progress {
            Progress::Ordered(_) | Progress::Complete(_) => false,
            _ => !self.is_renewing(now),
        }
    }

    /// Whether somebody should set out to renew it now.
    pub fn wants_renewal(&self, now: Timestamp) -> bool {
        self.is_renewing(now)
            && self.renewal.tried < RENEWAL_TRIES
            && now >= self.renewal.tried_at + RENEWAL_PAUSE
    }

    /// Whether it is neither over nor out of time.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == State::Open && now < self.expires_at
    }

    /// The gate before a code, in the order that BankID asks for: the order is complete, it is the
    /// current one (there is no other here), the login is neither over nor out of time, the person
    /// is the one who must log in, what was required was done, the risk is acceptable, and the app
    /// came back where it had to.
    pub fn completion(&self, now: Timestamp) -> Result<&CompletionData, Unfinished> {
        if !self.is_open(now) {
            return Err(Unfinished::Over);
        }
        let Progress::Complete(data) = &self.order.progress else {
            return Err(Unfinished::Pending);
        };
        let required = &self.order.ordered.requirement;
        let expected = &self.asked.expected_people;
        let number = &data.user.personal_number;
        let is_other = |only: &PersonalNumber| only != number;
        if required.personal_number.as_ref().is_some_and(is_other)
            || !(expected.is_empty() || expected.contains(number))
        {
            return Err(Unfinished::OtherPerson);
        }
        if required.mrtd && !data.step_up.as_ref().is_some_and(|done| done.mrtd) {
            return Err(Unfinished::DocumentMissing);
        }
        match self.asked.demands.risk.judge(data, required) {
            Verdict::Accepted => {}
            Verdict::StepUp(step_up) => return Err(Unfinished::StepUp(step_up)),
            Verdict::Denied => return Err(Unfinished::Risk),
        }
        match self.order.comeback {
            Comeback::NotExpected | Comeback::Here => Ok(data),
            Comeback::Awaited => Err(Unfinished::NotReturned),
            Comeback::Vouched => Err(Unfinished::Unconfirmed),
            Comeback::Elsewhere => Err(Unfinished::ReturnedElsewhere),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::language::Language;
    use crate::random::Random;
    use crate::secret::Secret;

    pub(crate) const NOW: Timestamp = Timestamp(1000);

    pub(crate) fn order(device: Device) -> Order {
        let random = Random::system();
        Order {
            id: Id::fresh(&random),
            device,
            tokens: OrderTokens {
                order_ref: "131daac9-16c6-4618-beb0-365768f37288".into(),
                auto_start_token: "7c40b5c9-fa74-49cf-b98c-bfe651f9a7c6".into(),
                qr_start_token: "67df3917-fa0d-44e5-b327-edcc928297f8".into(),
                qr_start_secret: "d28db9a7-4cde-429e-a983-359be676944c".into(),
            },
            ordered: Ordered::default(),
            received_at: Moment(1_000_000),
            progress: Progress::Ordered(Hint::new("outstandingTransaction")),
            answered_at: None,
            comeback: match device {
                Device::This => Comeback::Awaited,
                Device::Other => Comeback::NotExpected,
            },
        }
    }

    pub(crate) fn login(device: Device) -> Login {
        let random = Random::system();
        Login {
            id: Id::fresh(&random),
            browser: Secret::fresh(&random).digest(),
            client_id: ClientId::parse("a").expect("an id"),
            asked: Asked {
                asked_at: Some(NOW),
                parameters: Parameters::default(),
                ip: IpAddr::from([192, 0, 2, 1]),
                language: Language::SWEDISH.tag().clone(),
                manner: Manner::default(),
                demands: Demands::default(),
                expected_people: Vec::new(),
                scripts: true,
                user_agent: "Browser".into(),
                browser_name: "d".into(),
            },
            expires_at: NOW + LIFETIME,
            orders_made: 1,
            state: State::Open,
            order: order(device),
            renewal: Renewal::default(),
            version: 1,
        }
    }

    pub(crate) fn completed(risk: Option<&str>) -> Event {
        let data = serde_json::json!({
            "user": {"personalNumber": "191212121212", "name": "T T", "givenName": "T", "surname": "T"},
            "risk": risk
        });
        Event::Completed(serde_json::from_value(data).expect("completion data"))
    }

    fn after(login: Login, events: impl IntoIterator<Item = Event>) -> Result<Login, OutOfOrder> {
        events
            .into_iter()
            .try_fold(login, |login, event| login.on(event, NOW))
    }

    fn gate(device: Device, events: impl IntoIterator<Item = Event>) -> Result<(), Unfinished> {
        let login = after(login(device), events).expect("events in order");
        login.completion(NOW).map(|_| ())
    }

    #[test]
    fn a_code_needs_an_approval_and_on_the_same_device_the_return() {
        let _shows =
            crate::shows!(accepting "BC-09", refusing "BC-09", accepting "B1", refusing "B1");
        let here = || Event::Returned(Opened::Here);
        let elsewhere = || Event::Returned(Opened::Elsewhere);
        assert_eq!(gate(Device::Other, []), Err(Unfinished::Pending));
        assert_eq!(gate(Device::Other, [completed(None)]), Ok(()));
        assert_eq!(
            gate(Device::This, [completed(None)]),
            Err(Unfinished::NotReturned)
        );
        assert_eq!(gate(Device::This, [here()]), Err(Unfinished::Pending));
        assert_eq!(gate(Device::This, [completed(None), here()]), Ok(()));
        assert_eq!(gate(Device::This, [here(), completed(None)]), Ok(()));
        assert_eq!(
            gate(Device::This, [elsewhere(), completed(None)]),
            Err(Unfinished::ReturnedElsewhere)
        );
        assert!(
            after(login(Device::This), [elsewhere(), here()]).is_err(),
            "the first return decides"
        );
        assert!(after(login(Device::Other), [here()]).is_err());
    }

    #[test]
    fn a_high_risk_ends_without_a_code_and_an_unknown_one_is_not_high() {
        assert_eq!(
            gate(Device::Other, [completed(Some("high"))]),
            Err(Unfinished::Risk)
        );
        let refused = after(login(Device::This), [completed(Some("high"))]).expect("in order");
        assert!(!refused.may_order_again(NOW), "another order would hide it");
        for risk in ["low", "moderate"] {
            assert_eq!(gate(Device::Other, [completed(Some(risk))]), Ok(()));
        }
    }

    #[test]
    fn success_never_turns_into_anything_else() {
        let _shows = crate::shows!(refusing "BP-01", accepting "B9", refusing "B9");
        let done = after(login(Device::Other), [completed(None)]).expect("in order");
        for late in [
            Event::Lost,
            Event::Failed(Hint::new("userCancel")),
            completed(None),
            Event::Reordered(Box::new(order(Device::Other))),
        ] {
            assert_eq!(done.clone().on(late, NOW).map(|_| ()), Err(OutOfOrder));
        }
        let finished = done.on(Event::Finished, NOW).expect("in order");
        for late in [Event::Finished, Event::Cancelled, completed(None)] {
            assert_eq!(finished.clone().on(late, NOW).map(|_| ()), Err(OutOfOrder));
        }
    }

    #[test]
    fn orders_are_replaced_within_the_budget_and_in_time() {
        let _shows = crate::shows!(accepting "B12", refusing "B12");
        let again = || Event::Reordered(Box::new(order(Device::Other)));
        let last = after(login(Device::Other), (1..ORDER_BUDGET).map(|_| again()))
            .expect("within the budget");
        assert_eq!(last.orders_made, ORDER_BUDGET);
        assert!(last.on(again(), NOW).is_err());
        assert!(login(Device::Other).on(again(), NOW + LIFETIME).is_err());
        let cancelled = after(login(Device::Other), [Event::Cancelled]).expect("in order");
        assert!(
            cancelled.on(completed(None), NOW).is_err(),
            "a late approval changes nothing"
        );
    }

    #[test]
    fn only_an_unscanned_code_is_renewed_in_silence() {
        let failed = |device, hint| {
            after(login(device), [Event::Failed(Hint::new(hint))]).expect("in order")
        };
        assert!(failed(Device::Other, "startFailed").wants_renewal(NOW));
        assert!(!failed(Device::This, "startFailed").wants_renewal(NOW));
        assert!(!failed(Device::Other, "userCancel").wants_renewal(NOW));
        assert!(!failed(Device::Other, "startFailed").wants_renewal(NOW + LIFETIME));
        assert!(!login(Device::Other).wants_renewal(NOW));
    }

    #[test]
    fn a_renewal_that_fails_is_tried_again_after_a_pause_and_not_for_ever() {
        let _shows = crate::shows!(refusing "PV-RENEW-2");
        let failed = |tried, tried_at| {
            let login = after(
                login(Device::Other),
                [Event::Failed(Hint::new("startFailed"))],
            );
            Login {
                renewal: Renewal { tried, tried_at },
                ..login.expect("in order")
            }
        };
        for (tried, since, renewing, wanted) in [
            (0, Seconds(1000), true, true),
            (1, Seconds(11), true, false),
            (1, RENEWAL_PAUSE, true, true),
            (RENEWAL_TRIES, Seconds(11), true, false),
            (RENEWAL_TRIES, RENEWAL_PAUSE, false, false),
        ] {
            let login = failed(tried, NOW - since);
            assert_eq!(
                (login.is_renewing(NOW), login.wants_renewal(NOW)),
                (renewing, wanted),
                "{tried} {since:?}"
            );
        }
        let anew =
            failed(RENEWAL_TRIES, NOW).on(Event::Reordered(Box::new(order(Device::Other))), NOW);
        assert_eq!(anew.expect("in order").renewal, Renewal::default());
    }

    fn demanding(device: Device, demands: Demands) -> Login {
        let mut login = login(device);
        login.asked.demands = demands;
        login
    }

    #[test]
    fn where_the_app_must_come_back_is_the_clients_policy() {
        let _shows = crate::shows!(accepting "PV-ELSE-2", refusing "PV-ELSE-2");
        let lenient = || Demands {
            returning: ReturnPolicy::CookieOrSameAddress,
            ..Demands::default()
        };
        let gate = |demands, events: Vec<Event>| {
            let login = after(demanding(Device::This, demands), events)?;
            Ok(login.completion(NOW).map(|_| ()))
        };
        let nearby = || Event::Returned(Opened::SameAddress);
        let strict = gate(Demands::default(), vec![nearby(), completed(None)]);
        assert_eq!(strict, Ok(Err(Unfinished::ReturnedElsewhere)));
        let vouched = gate(lenient(), vec![nearby(), completed(None)]);
        assert_eq!(
            vouched,
            Ok(Err(Unfinished::Unconfirmed)),
            "not without a word"
        );
        let confirmed = gate(lenient(), vec![nearby(), completed(None), Event::Confirmed]);
        assert_eq!(confirmed, Ok(Ok(())));
        let here_after_all = vec![nearby(), Event::Returned(Opened::Here), completed(None)];
        assert_eq!(gate(lenient(), here_after_all), Ok(Ok(())));
        let away = gate(
            lenient(),
            vec![Event::Returned(Opened::Elsewhere), completed(None)],
        );
        assert_eq!(away, Ok(Err(Unfinished::ReturnedElsewhere)));
        for too_soon in [
            vec![Event::Confirmed],
            vec![completed(None), Event::Confirmed],
        ] {
            assert_eq!(
                gate(lenient(), too_soon),
                Err(OutOfOrder),
                "nobody came back"
            );
        }
    }

    #[test]
    fn only_whom_the_request_names_is_logged_in() {
        let _shows = crate::shows!(accepting "B19", refusing "B19");
        let number = |text: &str| PersonalNumber::parse(text).expect("a number");
        let gate = |expected: &[&str], required: Option<&str>| {
            let mut login = login(Device::Other);
            login.asked.expected_people = expected.iter().map(|n| number(n)).collect();
            login.order.ordered.requirement.personal_number = required.map(number);
            let login = login.on(completed(None), NOW).expect("in order");
            (
                login.completion(NOW).map(|_| ()),
                login.may_order_again(NOW),
            )
        };
        let tolvan = "191212121212";
        assert_eq!(gate(&[], None).0, Ok(()));
        assert_eq!(gate(&[tolvan], Some(tolvan)).0, Ok(()));
        assert_eq!(gate(&["199003152387", tolvan], None).0, Ok(()));
        let other = (Err(Unfinished::OtherPerson), true);
        assert_eq!(gate(&["199003152387"], None), other);
        assert_eq!(gate(&[], Some("199003152387")), other);
    }

    #[test]
    fn a_risk_may_ask_for_more_and_then_more_is_required() {
        use crate::bankid::risk::{OnRisk, RiskPolicy};
        let careful = |moderate| Demands {
            risk: RiskPolicy {
                moderate,
                ..RiskPolicy::default()
            },
            ..Demands::default()
        };
        let pin = demanding(Device::Other, careful(OnRisk::RequirePin));
        let first = after(pin, [completed(Some("moderate"))]).expect("in order");
        assert_eq!(
            first.completion(NOW).err(),
            Some(Unfinished::StepUp(StepUp::Pin))
        );
        assert!(first.may_order_again(NOW) && first.is_unmet(NOW));
        let requirement = first.stepped_up(NOW);
        assert!(requirement.pin_code && !requirement.mrtd);
        let mut second = order(Device::Other);
        second.ordered.requirement = requirement;
        let again = [
            Event::Reordered(Box::new(second)),
            completed(Some("moderate")),
        ];
        let done = after(first, again).expect("in order");
        assert!(done.completion(NOW).is_ok() && !done.may_order_again(NOW));
        assert!(
            done.stepped_up(NOW).pin_code,
            "what was once required stays so"
        );

        let mut document = demanding(Device::Other, careful(OnRisk::RequireMrtd));
        document.order.ordered.requirement.mrtd = true;
        let unread = after(document, [completed(Some("low"))]).expect("in order");
        assert_eq!(
            unread.completion(NOW).err(),
            Some(Unfinished::DocumentMissing)
        );
    }
}
