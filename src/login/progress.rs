//! What the person sees: from where a login stands to one screen with one way on.

use super::{Comeback, Login, Progress, State, Unfinished};
use crate::bankid::launch::AppLinks;
use crate::bankid::message::{self, Device, Message};
use crate::bankid::qr::{self, Picture};
use crate::clock::{Moment, Timestamp};

/// Which of a browser's tabs asks. The tab that the app opened ends the login; every other one
/// sends the person there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// The tab where the login began, or any tab opened at its address.
    First,
    /// The tab that the app's return opened.
    Returned,
}

/// One screen of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Screen {
    /// The animated code: the picture of this second.
    Scan {
        /// The frame of this second.
        picture: Picture,
    },
    /// The link that opens the app on this device.
    Launch {
        /// The link.
        link: String,
    },
    /// The code ran out and is being renewed.
    Renewing,
    /// The app has the order.
    Working {
        /// What to do there.
        message: Message,
    },
    /// The link may be too old by now: another order is one press away.
    LaunchAgain,
    /// Approved in the app, which has not come back to us yet.
    AwaitReturn,
    /// The app came back in another browser, close by: was that the person?
    Confirm,
    /// Another order must require more.
    StepUp {
        /// What.
        message: Message,
        /// Whether another order may be made.
        again: bool,
    },
    /// This tab is to go on to the end.
    Finish,
    /// Another tab of this browser ends it.
    OtherTab,
    /// The app came back in another browser.
    Elsewhere,
    /// It came to nothing.
    Failed {
        /// Why.
        message: Message,
        /// Whether another order may be made.
        again: bool,
    },
    /// It ended before.
    Over,
}

impl Screen {
    /// A word for scripts and tests, different for each screen.
    pub fn name(&self) -> &'static str {
        match self {
            Screen::Scan { .. } => "scan",
            Screen::Launch { .. } => "launch",
            Screen::Renewing => "renewing",
            Screen::Working { .. } => "working",
            Screen::LaunchAgain => "launch-again",
            Screen::AwaitReturn => "await-return",
            Screen::Confirm => "confirm",
            Screen::StepUp { .. } => "step-up",
            Screen::Finish => "finish",
            Screen::OtherTab => "other-tab",
            Screen::Elsewhere => "elsewhere",
            Screen::Failed { .. } => "failed",
            Screen::Over => "over",
        }
    }
}

/// The screen of a tab of the browser that began. A code is shown only while no app has taken the
/// order up, and never one that is no longer good.
pub fn screen(login: &Login, tab: Tab, links: &AppLinks, now: Moment) -> Screen {
    if !login.is_open(now.timestamp()) {
        return over(login, now.timestamp());
    }
    let order = &login.order;
    if order.comeback == Comeback::Elsewhere {
        return Screen::Elsewhere;
    }
    match &order.progress {
        Progress::Ordered(_) if order.comeback == Comeback::Here => waiting_for_the_end(tab),
        Progress::Ordered(hint) if hint.is_unclaimed() => unclaimed(login, links, now),
        Progress::Ordered(hint) => Screen::Working {
            message: message::pending(hint, order.device, login.asked.manner.is_hand_held()),
        },
        Progress::Complete(_) => complete(login, tab, now.timestamp()),
        Progress::Failed(_) if login.is_renewing(now.timestamp()) => Screen::Renewing,
        // Nobody failed to scan it: BankID gave no other one.
        Progress::Failed(_) if login.could_not_be_renewed() => {
            failed(login, Message::Rfa22, now.timestamp())
        }
        Progress::Failed(hint) => {
            failed(login, message::failed(hint, order.device), now.timestamp())
        }
        Progress::Cancelled | Progress::Lost | Progress::Spent => {
            failed(login, Message::Rfa22, now.timestamp())
        }
    }
}

fn over(login: &Login, now: Timestamp) -> Screen {
    match login.state {
        State::Open => Screen::Failed {
            message: Message::TooLong,
            again: login.may_begin_anew(now),
        },
        State::Finished | State::Cancelled => Screen::Over,
    }
}

/// How old the app lets a code or a launch token become.
const START_WINDOW: u64 = 30;
/// How old a launch token may be to be shown: whoever presses then still has the time that the app
/// takes to start.
const LAUNCH_WINDOW: u64 = 25;

fn unclaimed(login: &Login, links: &AppLinks, now: Moment) -> Screen {
    let order = &login.order;
    let age = now.seconds_since(order.received_at);
    match order.device {
        Device::Other if age >= START_WINDOW => Screen::Renewing,
        // Its order still waits: who has just pressed is not disturbed.
        Device::This if age >= LAUNCH_WINDOW => Screen::LaunchAgain,
        Device::Other => match Picture::of(&qr::frame(&order.tokens, age)) {
            Some(picture) => Screen::Scan { picture },
            None => Screen::Renewing,
        },
        Device::This => Screen::Launch {
            link: links.link(&login.asked.manner, &order.tokens).into(),
        },
    }
}

fn waiting_for_the_end(tab: Tab) -> Screen {
    match tab {
        Tab::First => Screen::OtherTab,
        Tab::Returned => Screen::Working {
            message: message::pending(
                &crate::bankid::collect::Hint::new("processing"),
                Device::This,
                true,
            ),
        },
    }
}

fn complete(login: &Login, tab: Tab, now: Timestamp) -> Screen {
    match login.completion(now) {
        Ok(_) => match (login.order.comeback, tab) {
            (Comeback::Here, Tab::First) => Screen::OtherTab,
            _ => Screen::Finish,
        },
        Err(Unfinished::NotReturned) => Screen::AwaitReturn,
        Err(Unfinished::Unconfirmed) => Screen::Confirm,
        Err(Unfinished::ReturnedElsewhere) => Screen::Elsewhere,
        Err(Unfinished::StepUp(step_up)) => Screen::StepUp {
            message: message::step_up(step_up),
            again: login.may_begin_anew(now),
        },
        Err(Unfinished::OtherPerson) => failed(login, Message::OtherPerson, now),
        Err(Unfinished::Risk) => Screen::Failed {
            message: Message::Denied,
            again: false,
        },
        Err(Unfinished::DocumentMissing | Unfinished::Over | Unfinished::Pending) => {
            failed(login, Message::Rfa22, now)
        }
    }
}

fn failed(login: &Login, message: Message, now: Timestamp) -> Screen {
    Screen::Failed {
        message,
        again: login.may_begin_anew(now),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, completed, login};
    use super::super::{Event, LIFETIME, Opened};
    use super::*;
    use crate::bankid::collect::Hint;
    use crate::clock::Seconds;

    fn shown(device: Device, events: Vec<Event>, tab: Tab) -> &'static str {
        let login = events
            .into_iter()
            .try_fold(login(device), |l, e| l.on(e, NOW))
            .expect("in order");
        screen(&login, tab, &AppLinks::bankid(), Moment(1_003_500)).name()
    }

    #[test]
    fn each_state_has_its_screen() {
        let _shows = crate::shows!(accepting "PV-TAB-1", refusing "PV-TAB-1");
        let hinted = |h: &str| Event::Hinted(Hint::new(h));
        let failed = |h: &str| Event::Failed(Hint::new(h));
        let here = || Event::Returned(Opened::Here);
        let away = || Event::Returned(Opened::Elsewhere);
        use Device::{Other, This};
        for (device, events, first, returned) in [
            (Other, vec![], "scan", "scan"),
            (Other, vec![hinted("started")], "working", "working"),
            (Other, vec![hinted("userSign")], "working", "working"),
            (Other, vec![completed(None)], "finish", "finish"),
            (Other, vec![completed(Some("high"))], "failed", "failed"),
            (Other, vec![failed("startFailed")], "renewing", "renewing"),
            (Other, vec![failed("userCancel")], "failed", "failed"),
            (Other, vec![Event::Lost], "failed", "failed"),
            (Other, vec![Event::Cancelled], "over", "over"),
            (This, vec![], "launch", "launch"),
            (This, vec![failed("startFailed")], "failed", "failed"),
            (This, vec![completed(None)], "await-return", "await-return"),
            (This, vec![here()], "other-tab", "working"),
            (This, vec![completed(None), here()], "other-tab", "finish"),
            (This, vec![here(), completed(None)], "other-tab", "finish"),
            (This, vec![away()], "elsewhere", "elsewhere"),
            (
                This,
                vec![completed(None), away()],
                "elsewhere",
                "elsewhere",
            ),
        ] {
            let said = format!("{device:?} {events:?}");
            assert_eq!(shown(device, events.clone(), Tab::First), first, "{said}");
            assert_eq!(shown(device, events, Tab::Returned), returned, "{said}");
        }
    }

    #[test]
    fn a_code_is_never_shown_after_its_window() {
        let at = |ms| {
            screen(
                &login(Device::Other),
                Tab::First,
                &AppLinks::bankid(),
                Moment(ms),
            )
            .name()
        };
        assert_eq!(at(1_029_999), "scan");
        assert_eq!(at(1_030_000), "renewing");
        assert_eq!(at((NOW + LIFETIME).0 * 1000), "failed");
    }

    #[test]
    fn what_cannot_be_begun_anew_is_not_offered() {
        let _shows = crate::shows!(accepting "PV-TIME-3", refusing "PV-TIME-3");
        let mut login = login(Device::Other);
        login.asked.asked_at = Some(NOW);
        let again = |at| match screen(&login, Tab::First, &AppLinks::bankid(), at) {
            Screen::Failed { again, .. } => again,
            other => panic!("{other:?}"),
        };
        let after = |seconds| Moment((NOW + seconds).0 * 1000);
        let too_late = crate::login::binding::RENEWABLE;
        assert!(again(after(LIFETIME)));
        assert!(again(after(Seconds(too_late.0 - 1))));
        assert!(!again(after(too_late)));
    }

    #[test]
    fn who_did_not_fail_to_scan_is_not_said_to_have() {
        let _shows = crate::shows!(accepting "PV-DOWN-1", refusing "PV-DOWN-1");
        let mut login = login(Device::Other);
        let hint = Hint::new("startFailed");
        login.order.progress = Progress::Failed(hint);
        let mut told = |tried| {
            login.renewal.tried = tried;
            match screen(
                &login,
                Tab::First,
                &AppLinks::bankid(),
                Moment(NOW.0 * 1000),
            ) {
                Screen::Failed { message, .. } => Some(message),
                _ => None,
            }
        };
        assert_eq!(told(0), None, "it is renewed");
        assert_eq!(told(crate::login::RENEWAL_TRIES), Some(Message::Rfa22));
    }

    #[test]
    fn a_frame_is_that_of_the_whole_seconds_since_the_answer_came() {
        let _shows =
            crate::shows!(accepting "BP-08", refusing "BP-08", accepting "BC-05", refusing "BC-05");
        let login = login(Device::Other);
        let picture = |seconds| Picture::of(&qr::frame(&login.order.tokens, seconds));
        for (ms, seconds) in [
            (1_000_000, 0),
            // Rounded down: half a second ahead is a code that is not valid yet.
            (1_000_999, 0),
            (1_001_000, 1),
            (1_009_999, 9),
            (1_029_999, 29),
            // A clock that lags behind the one of the node that ordered.
            (999_500, 0),
        ] {
            let shown = screen(&login, Tab::First, &AppLinks::bankid(), Moment(ms));
            let picture = picture(seconds).expect("it fits");
            assert_eq!(shown, Screen::Scan { picture }, "{ms}");
        }
    }

    #[test]
    fn a_launch_link_is_withdrawn_before_its_token_is_too_old() {
        let _shows = crate::shows!(accepting "PV-LAUNCH-4", refusing "PV-LAUNCH-4");
        let links = AppLinks::bankid();
        let at = |ms| screen(&login(Device::This), Tab::First, &links, Moment(ms)).name();
        assert_eq!(at(1_024_999), "launch");
        assert_eq!(at(1_025_000), "launch-again");
        assert_eq!(at(1_035_000), "launch-again");
    }

    #[test]
    fn one_device_never_sees_the_other_ones_token() {
        let _shows = crate::shows!(accepting "B2", refusing "B2");
        let at = |device| {
            format!(
                "{:?}",
                screen(
                    &login(device),
                    Tab::First,
                    &AppLinks::bankid(),
                    Moment(1_000_000)
                )
            )
        };
        assert!(!at(Device::Other).contains("7c40b5c9"));
        assert!(at(Device::This).contains("7c40b5c9"));
        assert!(!at(Device::This).contains("67df3917"));
    }
}
