//! The pages: one struct for each template, with plain values and no logic in the template beyond
//! `if`, `for` and `match`.

use std::collections::BTreeSet;

use askama::Template;

use super::answer::View;
use super::assets::url;
use super::words::Words;
use crate::authorize::response::{Location, PostedForm};
use crate::bankid::client::Cause;
use crate::bankid::environment::Worth;
use crate::bankid::message::{self, Language};
use crate::bankid::qr::MODULES;
use crate::claims::release::Claim;
use crate::client::theme::Theme;
use crate::login::device::Offers;
use crate::login::progress::Screen;

/// What every page has.
pub struct Frame {
    pub words: &'static Words,
    pub style: String,
    /// The style sheet of the client's colours.
    pub colors: Option<String>,
    /// The client's logo.
    pub logo: Option<Logo>,
    /// Whether it is only looked at: nothing in it can be pressed.
    pub is_inert: bool,
    /// What must be said of a login that is not worth what it looks like.
    pub banner: Option<&'static str>,
}

impl Frame {
    pub fn new(language: Language, worth: Worth) -> Frame {
        let words = Words::of(language);
        Frame {
            words,
            style: url("portvakt.css"),
            colors: None,
            logo: None,
            is_inert: false,
            banner: match worth {
                Worth::Real => None,
                Worth::Test => Some(words.test_environment),
                Worth::Simulated => Some(words.simulated),
            },
        }
    }
}

impl Frame {
    /// The same in a client's colours, with its logo.
    pub fn themed(self, theme: &Theme, logo: Option<Logo>) -> Frame {
        let colors = theme
            .palette()
            .map(|palette| format!("/theme/{}", palette.file()));
        Frame {
            colors,
            logo,
            ..self
        }
    }

    /// The same to be looked at.
    pub fn inert(self) -> Frame {
        Frame {
            is_inert: true,
            ..self
        }
    }
}

/// A client's logo. It says nothing that its name does not say beside it.
#[derive(Clone)]
pub struct Logo {
    /// On a light page, and on every other where there is no other one.
    pub light: Picture,
    /// On a dark page.
    pub dark: Option<Picture>,
}

/// A picture, in pixels of its own.
#[derive(Clone)]
pub struct Picture {
    pub address: String,
    pub width: u32,
    pub height: u32,
}

/// The choice of a device: who asks, why, and what they get.
#[derive(Template)]
#[template(path = "choice.html")]
pub struct Choice {
    pub frame: Frame,
    pub client_name: String,
    pub purpose: Option<String>,
    /// A sentence of the client's own.
    pub note: Option<String>,
    /// Where the client has help.
    pub help: Option<String>,
    pub claims: Vec<&'static str>,
    /// Whether the client may come back without the person.
    pub offline: bool,
    /// The sealed request.
    pub form: String,
    /// Whether this device comes first.
    pub this_first: bool,
    /// Which devices can be chosen.
    pub offers: Offers,
    /// Whether the page is shown inside another application.
    pub in_app: bool,
    /// Whether the app came back to another browser last time.
    pub elsewhere_before: bool,
    pub script: String,
}

impl Choice {
    pub fn claims_in_words(claims: &BTreeSet<Claim>, words: &Words) -> Vec<&'static str> {
        // Whoever learns the whole name learns its parts.
        let is_said = |claim: &Claim| {
            !(matches!(claim, Claim::GivenName | Claim::FamilyName)
                && claims.contains(&Claim::Name))
        };
        claims
            .iter()
            .filter(|claim| is_said(claim))
            .map(|claim| words.claim(*claim))
            .collect()
    }
}

/// A login under way, on any of its screens.
#[derive(Template)]
#[template(path = "login.html")]
pub struct LoginPage {
    pub frame: Frame,
    pub client_name: String,
    pub id: String,
    pub csrf: String,
    pub screen: Screen,
    /// Which devices can be chosen.
    pub offers: Offers,
    /// Whether a script may follow the launch link without a press.
    pub starts_by_itself: bool,
    /// `?tab=returned` in the tab that the app opened, else nothing.
    pub tab_query: &'static str,
    /// How soon a page without scripts comes back, in seconds; nothing for a page that rests.
    pub refresh: Option<u8>,
    pub script: String,
}

impl LoginPage {
    /// The side of the QR picture in modules, with the quiet zone of four that the standard asks
    /// for.
    pub fn view_box(&self) -> String {
        let side = MODULES + 8;
        format!("-4 -4 {side} {side}")
    }
}

/// On the way to the client.
#[derive(Template)]
#[template(path = "leaving.html")]
pub struct Leaving {
    pub frame: Frame,
    pub address: String,
}

impl Leaving {
    pub fn new(location: &Location, language: Language, worth: Worth) -> Leaving {
        Leaving {
            frame: Frame::new(language, worth),
            address: location.expose().to_owned(),
        }
    }
}

/// On the way to the client, with the answer in a form.
#[derive(Template)]
#[template(path = "form_post.html")]
pub struct FormPost {
    pub frame: Frame,
    pub action: String,
    pub members: Vec<(&'static str, String)>,
    pub script: String,
}

impl FormPost {
    pub fn new(form: &PostedForm, language: Language, worth: Worth) -> FormPost {
        FormPost {
            frame: Frame::new(language, worth),
            action: form.action().to_owned(),
            members: form.expose().to_vec(),
            script: url("bounce.js"),
        }
    }
}

/// A request on its way back to us by a form of ours.
#[derive(Template)]
#[template(path = "bounce.html")]
pub struct Bounce {
    pub frame: Frame,
    pub heading: &'static str,
    /// The door that takes it.
    pub action: &'static str,
    pub request: String,
    pub script: String,
}

/// The question whether the person wants to log out, and of what.
#[derive(Template)]
#[template(path = "log_out.html")]
pub struct LogOut {
    pub frame: Frame,
    /// Who asks for it, or says that it does.
    pub client_name: Option<String>,
    /// Where the person is logged in from here.
    pub services: Vec<String>,
    /// The sealed request.
    pub form: String,
    /// What the service's developers need to know.
    pub reason: Option<&'static str>,
}

/// The answer to it: logged out, or still logged in.
#[derive(Template)]
#[template(path = "logged_out.html")]
pub struct LoggedOut {
    pub frame: Frame,
    pub heading: &'static str,
    pub help: &'static str,
    /// Where the person may go.
    pub address: Option<String>,
    /// The clients' own pages that log out, and the script that goes on when they are done.
    pub frames: Vec<String>,
    /// Goes on to the address by itself, when it is known whose that is.
    pub goes_on: Option<String>,
    /// What the service's developers need to know.
    pub reason: Option<&'static str>,
}

impl LoggedOut {
    pub fn new(view: &View, home: Option<Location>) -> LoggedOut {
        let frame = Frame::new(view.language, view.worth);
        LoggedOut {
            heading: frame.words.logged_out_heading,
            help: frame.words.logged_out_help,
            frame,
            address: home.map(|home| home.expose().to_owned()),
            frames: Vec::new(),
            goes_on: None,
            reason: None,
        }
    }

    /// While clients log the person out in frames; then on to the address by itself, if there is one.
    pub fn framing(view: &View, frames: Vec<String>, home: Option<Location>) -> LoggedOut {
        let page = LoggedOut {
            frames,
            ..LoggedOut::new(view, home)
        };
        match page.address {
            Some(_) => LoggedOut {
                help: page.frame.words.logged_out_going,
                goes_on: Some(url("logged_out.js")),
                ..page
            },
            None => page,
        }
    }

    pub fn stayed(view: &View) -> LoggedOut {
        let words = Words::of(view.language);
        LoggedOut {
            heading: words.stayed_heading,
            help: words.stayed_help,
            ..LoggedOut::new(view, None)
        }
    }
}

/// A login in a browser that did not begin it.
#[derive(Template)]
#[template(path = "wrong_browser.html")]
pub struct WrongBrowser {
    pub frame: Frame,
    pub script: String,
}

impl WrongBrowser {
    pub fn new(view: &View) -> WrongBrowser {
        WrongBrowser {
            frame: Frame::new(view.language, view.worth),
            script: url("return.js"),
        }
    }
}

/// An order that was not made, and a way on.
#[derive(Template)]
#[template(path = "trouble.html")]
pub struct Trouble {
    pub frame: Frame,
    pub heading: &'static str,
    pub help: &'static str,
    pub reference: String,
    pub again_at: String,
    pub back_at: String,
    pub fields: Vec<(&'static str, String)>,
    pub device: &'static str,
    pub reason: &'static str,
    /// Tries again by itself, where that helps.
    pub script: Option<String>,
}

/// What is sent when the person tries again, or goes back.
pub struct Retry {
    /// Where another try is sent to.
    pub again_at: String,
    /// Where going back is.
    pub back_at: String,
    /// What the forms carry.
    pub fields: Vec<(&'static str, String)>,
    /// The device that was chosen.
    pub device: &'static str,
}

/// What a person who goes back has the client told: that BankID could not.
pub const UNAVAILABLE: &str = "unavailable";
/// That we could not.
pub const FAILED: &str = "failed";

impl Trouble {
    pub fn new(cause: Cause, retry: Retry, view: &View) -> Trouble {
        let words = Words::of(view.language);
        let (heading, help, reason) = match cause {
            Cause::BankId => (
                words.bankid_down_heading,
                words.bankid_down_help,
                UNAVAILABLE,
            ),
            Cause::Person => (
                words.failed_heading,
                message::already_in_progress(view.language),
                UNAVAILABLE,
            ),
            Cause::Ours => (words.fault_heading, words.fault_retry_help, FAILED),
            Cause::Crowd => (words.queue_heading, words.queue_help, UNAVAILABLE),
        };
        Trouble {
            frame: Frame::new(view.language, view.worth),
            heading,
            help,
            reference: view.reference.clone(),
            again_at: retry.again_at,
            back_at: retry.back_at,
            fields: retry.fields,
            device: retry.device,
            reason,
            script: (cause == Cause::Crowd).then(|| url("queue.js")),
        }
    }
}

/// Everything that ends badly.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    pub frame: Frame,
    pub heading: &'static str,
    pub help: &'static str,
    /// What the service's developers need to know.
    pub reason: Option<&'static str>,
    pub reference: String,
}

impl ErrorPage {
    fn new(view: &View, heading: &'static str, help: &'static str) -> ErrorPage {
        ErrorPage {
            frame: Frame::new(view.language, view.worth),
            heading,
            help,
            reason: None,
            reference: view.reference.clone(),
        }
    }

    pub fn mistake(reason: &'static str, view: &View) -> ErrorPage {
        let words = Words::of(view.language);
        ErrorPage {
            reason: Some(reason),
            ..ErrorPage::new(view, words.error_heading, words.mistake_help)
        }
    }

    pub fn failed(view: &View) -> ErrorPage {
        let words = Words::of(view.language);
        ErrorPage::new(view, words.fault_heading, words.fault_help)
    }

    pub fn refused(view: &View) -> ErrorPage {
        let words = Words::of(view.language);
        ErrorPage::new(view, words.error_heading, words.refused_help)
    }

    pub fn stale(view: &View) -> ErrorPage {
        let words = Words::of(view.language);
        ErrorPage::new(view, words.stale_heading, words.stale_help)
    }

    pub fn over(view: &View) -> ErrorPage {
        let words = Words::of(view.language);
        ErrorPage::new(view, words.over_heading, words.over_help)
    }

    pub fn not_found(view: &View) -> ErrorPage {
        let words = Words::of(view.language);
        ErrorPage::new(view, words.not_found_heading, words.not_found_help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERS: Offers = Offers {
        this: true,
        other: true,
    };

    fn screens() -> Vec<Screen> {
        vec![
            Screen::Scan {
                path: "M0 0h7v1h-7z".into(),
            },
            Screen::Launch {
                link: "bankid:///?autostarttoken=x".into(),
            },
            Screen::Renewing,
            Screen::Working { message: "<b>" },
            Screen::AwaitReturn,
            Screen::LaunchAgain,
            Screen::Confirm,
            Screen::StepUp {
                message: "x",
                again: true,
            },
            Screen::StepUp {
                message: "x",
                again: false,
            },
            Screen::Finish,
            Screen::OtherTab,
            Screen::Elsewhere,
            Screen::Failed {
                message: "x",
                again: true,
            },
            Screen::Failed {
                message: "x",
                again: false,
            },
            Screen::Over,
        ]
    }

    fn pages(language: Language) -> Vec<String> {
        let frame = || Frame::new(language, Worth::Simulated);
        let view = View {
            language,
            reference: "r".into(),
            worth: Worth::Simulated,
        };
        let mut pages = vec![
            Choice {
                frame: frame(),
                client_name: "<script>".into(),
                purpose: Some("<i>".into()),
                note: Some("<b>".into()),
                help: Some("https://a.example/?a=\"<script>".into()),
                claims: Choice::claims_in_words(&Claim::ALL.into(), Words::of(language)),
                offline: true,
                form: "f".into(),
                this_first: true,
                offers: OFFERS,
                in_app: true,
                elsewhere_before: true,
                script: url("choice.js"),
            }
            .render(),
            Bounce {
                frame: frame(),
                heading: "h",
                action: "/a",
                request: "r".into(),
                script: url("bounce.js"),
            }
            .render(),
            Leaving {
                frame: frame(),
                address: "https://a.example/?a=1&b=\"".into(),
            }
            .render(),
            FormPost {
                frame: frame(),
                action: "https://a.example/?a=1&b=\"".into(),
                members: vec![("state", "\"><script>".into())],
                script: url("bounce.js"),
            }
            .render(),
            WrongBrowser::new(&view).render(),
            LogOut {
                frame: frame(),
                client_name: Some("<script>".into()),
                services: vec!["<i>".into(), "B".into()],
                form: "f".into(),
                reason: Some("<b>"),
            }
            .render(),
            LoggedOut {
                address: Some("https://a.example/?a=\"<script>".into()),
                frames: vec!["https://a.example/?a=\"<script>".into()],
                goes_on: Some(url("logged_out.js")),
                reason: Some("<b>"),
                ..LoggedOut::new(&view, None)
            }
            .render(),
            LoggedOut::stayed(&view).render(),
            ErrorPage::mistake("x", &view).render(),
            ErrorPage::failed(&view).render(),
            ErrorPage::refused(&view).render(),
            ErrorPage::stale(&view).render(),
            ErrorPage::over(&view).render(),
            ErrorPage::not_found(&view).render(),
        ];
        for cause in [Cause::BankId, Cause::Person, Cause::Ours, Cause::Crowd] {
            let retry = Retry {
                again_at: "/login".into(),
                back_at: "/login".into(),
                fields: vec![("form", "<script>".into())],
                device: "this",
            };
            pages.push(Trouble::new(cause, retry, &view).render());
        }
        pages.extend(screens().into_iter().map(|screen| {
            LoginPage {
                frame: frame(),
                client_name: "<script>".into(),
                id: "i".into(),
                csrf: "c".into(),
                screen,
                offers: OFFERS,
                starts_by_itself: true,
                tab_query: "",
                refresh: Some(1),
                script: url("login.js"),
            }
            .render()
        }));
        pages
            .into_iter()
            .map(|page| page.expect("it renders"))
            .collect()
    }

    #[test]
    fn every_page_renders_in_every_language_and_escapes_what_it_is_given() {
        for language in Language::ALL {
            for page in pages(language) {
                assert!(
                    page.contains(&format!("<html lang=\"{}\"", language.tag())),
                    "{page}"
                );
                assert!(page.contains("<h1"), "{page}");
                for raw in ["<script>", "<i>", "<b>", " style=", " onclick="] {
                    assert!(!page.contains(raw), "{raw} in {page}");
                }
            }
        }
    }
}
