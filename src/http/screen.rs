//! The screens of a login: one template, and for each state of it a heading and a sign of its own.

use askama::Template;

use super::page::Frame;
use crate::bankid::message::Message;
use crate::bankid::qr::MODULES;
use crate::language::Words;
use crate::login::device::Offers;
use crate::login::progress::Screen;

/// A login under way, on any of its screens.
#[derive(Template)]
#[template(path = "login.html")]
pub struct LoginPage {
    pub frame: Frame,
    pub client_name: String,
    pub id: String,
    /// By which name support finds in the log what came of an order.
    pub reference: String,
    pub csrf: String,
    pub screen: Screen,
    /// Which devices can be chosen.
    pub offers: Offers,
    /// Whether the page is shown inside another application.
    pub in_app: bool,
    /// Whether a script may follow the launch link without a press.
    pub starts_by_itself: bool,
    /// `?tab=returned` in the tab that the app opened, else nothing.
    pub tab_query: &'static str,
    /// How soon a page without scripts comes back, in seconds; nothing for a page that rests.
    pub refresh: Option<u8>,
    /// After how many seconds the person is told that the login's time will be up.
    pub warns_after: i64,
    /// The device that was chosen last.
    pub device: &'static str,
    pub script: String,
}

impl LoginPage {
    /// The side of the QR picture in modules, with the quiet zone of four that the standard asks
    /// for.
    pub fn view_box(&self) -> String {
        let side = MODULES + 8;
        format!("-4 -4 {side} {side}")
    }

    /// Whether nothing was seen of an app, which the person may not have.
    pub fn lacks_app(&self) -> bool {
        matches!(
            self.screen,
            Screen::Failed {
                message: Message::Rfa17a,
                ..
            }
        )
    }

    /// What the screen says first, and by which sign.
    pub fn look(&self) -> Look {
        look(&self.screen, self.frame.words)
    }

    /// Whether the person may want more time here than there is.
    pub fn may_run_out(&self) -> bool {
        !matches!(
            self.screen,
            Screen::Finish | Screen::Over | Screen::OtherTab | Screen::Failed { .. }
        )
    }
}

/// What a screen says first, and by which sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// It stands above everything else, on the browser's tab, and is read out when the page comes.
    pub heading: &'static str,
    /// The name of its sign in templates/icons.html, or nothing.
    pub sign: &'static str,
    /// Whether that is good or bad.
    pub tone: &'static str,
}

/// How a screen looks.
pub fn look(screen: &Screen, words: &Words) -> Look {
    let (heading, sign, tone) = match screen {
        Screen::Scan { .. } | Screen::Renewing => (words.scan_heading, "", ""),
        Screen::Launch { .. } | Screen::LaunchAgain => (words.launch_heading, "", ""),
        Screen::Working { message } => return working(message, words),
        Screen::AwaitReturn => (words.await_heading, "done", "good"),
        Screen::Confirm => (words.confirm_heading, "care", ""),
        Screen::StepUp { .. } => (words.step_up_heading, "care", ""),
        Screen::Finish => (words.leaving_heading, "done", "good"),
        Screen::OtherTab => (words.other_tab_heading, "tabs", ""),
        Screen::Elsewhere => (words.elsewhere_heading, "tabs", "bad"),
        Screen::Failed { message, .. } => return failed(message, words),
        Screen::Over => (words.over_heading, "done", ""),
    };
    Look {
        heading,
        sign,
        tone,
    }
}

/// What the app wants of the person.
fn working(message: &Message, words: &Words) -> Look {
    let (heading, sign) = match message {
        Message::Rfa9 => (words.code_heading, "pin"),
        Message::Rfa15a | Message::Rfa15b => (words.started_heading, "phone"),
        Message::Rfa21 => (words.processing_heading, "time"),
        Message::Rfa23 => (words.document_heading, "document"),
        Message::Rfa24 => (words.face_heading, "face"),
        _ => (words.working_heading, "phone"),
    };
    Look {
        heading,
        sign,
        tone: "",
    }
}

/// What it came to.
fn failed(message: &Message, words: &Words) -> Look {
    let (heading, sign, tone) = match message {
        Message::Rfa3 | Message::Rfa6 => (words.declined_heading, "stop", ""),
        Message::Rfa8 | Message::TooLong => (words.timed_out_heading, "time", "bad"),
        Message::Rfa16 => (words.blocked_heading, "stop", "bad"),
        Message::Rfa17a => (words.no_app_heading, "phone", "bad"),
        Message::Rfa17b => (words.unscanned_heading, "code", "bad"),
        Message::OtherPerson => (words.other_person_heading, "stop", "bad"),
        Message::UpdateApp => (words.update_heading, "phone", "bad"),
        _ => (words.failed_heading, "stop", "bad"),
    };
    Look {
        heading,
        sign,
        tone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn what_people_must_do_or_know_differs_by_heading_and_sign() {
        let _shows = crate::shows!(accepting "PV-SCREEN-1");
        for language in Language::BUILT_IN {
            let words = Words::of(language);
            let working = |message| look(&Screen::Working { message }, words);
            let failed = |message| {
                let again = true;
                look(&Screen::Failed { message, again }, words)
            };
            let looks = [
                working(Message::Rfa9),
                working(Message::Rfa15a),
                working(Message::Rfa21),
                working(Message::Rfa23),
                working(Message::Rfa24),
                failed(Message::Rfa6),
                failed(Message::Rfa8),
                failed(Message::Rfa16),
                failed(Message::Rfa17a),
                failed(Message::Rfa17b),
                failed(Message::Rfa22),
                look(&Screen::AwaitReturn, words),
            ];
            for (n, one) in looks.iter().enumerate() {
                for other in &looks[n + 1..] {
                    assert_ne!(one.heading, other.heading);
                }
            }
            // No text leaves anyone without a heading.
            for message in Message::ALL {
                assert!(!working(message).heading.is_empty());
                assert!(!failed(message).heading.is_empty());
            }
        }
    }
}
