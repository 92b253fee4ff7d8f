//! The pages: one struct for each template, with plain values and no logic in the template beyond
//! `if`, `for` and `match`.

use std::collections::BTreeSet;

use askama::Template;
use url::Url;

use super::answer::View;
use super::assets::{STYLE, url};
use super::language::Switch;
use crate::authorize::response::{Location, PostedForm};
use crate::bankid::client::Cause;
use crate::bankid::environment::Worth;
use crate::claims::release::Claim;
use crate::client::theme::{Palette, Theme};
use crate::config::pages::{self, Pages};
use crate::language::{Language, Languages, Words};
use crate::login::device::Offers;

/// What every page has.
pub struct Frame {
    pub language: Language,
    pub words: &'static Words,
    /// The style of all pages, which stands in each of them: the first one is seen at once.
    pub style: &'static str,
    /// The client's colours.
    pub colors: Option<String>,
    /// The client's logo.
    pub logo: Option<Logo>,
    /// Whether it is only looked at: nothing in it can be pressed.
    pub is_inert: bool,
    /// What must be said of a login that is not worth what it looks like.
    pub banner: Option<&'static str>,
    /// What the provider is called.
    pub provider: String,
    /// Where its logo is.
    pub provider_logo: Option<String>,
    /// Where the logo is that BankID hands out.
    pub bankid_logo: Option<String>,
    /// Whether people are warned of those who call and ask them to log in.
    pub care_notice: bool,
    /// Where the provider answers for itself.
    pub links: Vec<(&'static str, String)>,
    /// The languages that it can be changed to.
    pub switch: Option<Switch>,
}

impl Frame {
    pub fn new(language: Language, pages: &Pages) -> Frame {
        let words = Words::of(language);
        let address =
            |picture: &Option<pages::Picture>| picture.as_ref().map(pages::Picture::address);
        let links = [
            (words.provider_help, &pages.help_uri),
            (words.privacy, &pages.privacy_uri),
            (words.accessibility, &pages.accessibility_uri),
        ];
        let link =
            |(label, uri): (&'static str, &Option<Url>)| Some((label, uri.as_ref()?.to_string()));
        Frame {
            language,
            words,
            style: STYLE.text,
            colors: None,
            provider: pages.name.clone(),
            provider_logo: address(&pages.logo),
            bankid_logo: address(&pages.bankid_logo),
            care_notice: pages.care_notice,
            links: links.into_iter().filter_map(link).collect(),
            logo: None,
            switch: None,
            is_inert: false,
            banner: match pages.worth {
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
        Frame {
            colors: theme.palette().map(Palette::style),
            logo,
            ..self
        }
    }

    /// The same with a switch to other languages, which is sent with the form of this id.
    pub fn switching(self, form: &'static str, languages: &Languages) -> Frame {
        let switch = Switch::new(form, self.language, languages);
        Frame { switch, ..self }
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
    /// Whether this one can be, if its screen turns out to take several fingers.
    pub this_by_touch: bool,
    /// Whether the page is shown inside another application.
    pub in_app: bool,
    /// Whether the app came back to another browser last time.
    pub elsewhere_before: bool,
    /// Whether the page takes the place of one that had become too old.
    pub renewed: bool,
    /// After how many seconds the person is told that the page will be too old.
    pub warns_after: i64,
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

/// On the way to the client.
#[derive(Template)]
#[template(path = "leaving.html")]
pub struct Leaving {
    pub frame: Frame,
    pub address: String,
}

impl Leaving {
    pub fn new(location: &Location, language: Language, pages: &Pages) -> Leaving {
        Leaving {
            frame: Frame::new(language, pages),
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
    pub fn new(form: &PostedForm, language: Language, pages: &Pages) -> FormPost {
        FormPost {
            frame: Frame::new(language, pages),
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
        let frame = Frame::new(view.language, &view.pages);
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
            frame: Frame::new(view.language, &view.pages),
            script: url("return.js"),
        }
    }
}

/// A choice that was sent by a browser which keeps no cookies.
#[derive(Template)]
#[template(path = "cookies_off.html")]
pub struct CookiesOff {
    pub frame: Frame,
    /// The choice's own sealed request.
    pub form: String,
}

/// An order that was not made, and a way on.
#[derive(Template)]
#[template(path = "trouble.html")]
pub struct Trouble {
    pub frame: Frame,
    pub sign: &'static str,
    pub tone: &'static str,
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
            Cause::Person => (words.in_progress_heading, words.rfa4, UNAVAILABLE),
            Cause::Ours => (words.fault_heading, words.fault_retry_help, FAILED),
            Cause::Crowd => (words.queue_heading, words.queue_help, UNAVAILABLE),
        };
        let (sign, tone) = match cause {
            Cause::Crowd => ("time", ""),
            _ => ("stop", "bad"),
        };
        Trouble {
            sign,
            tone,
            frame: Frame::new(view.language, &view.pages),
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
    /// By which name it is found in the log, where it is told of there.
    pub reference: Option<String>,
    /// The first page of the service.
    pub home: Option<String>,
    /// Whether the same may be asked for again.
    pub again: bool,
}

impl ErrorPage {
    fn new(view: &View, heading: &'static str, help: &'static str) -> ErrorPage {
        ErrorPage {
            frame: Frame::new(view.language, &view.pages),
            heading,
            help,
            reason: None,
            reference: Some(view.reference.clone()),
            home: view.home.clone(),
            again: false,
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
        ErrorPage {
            again: view.is_repeatable,
            ..ErrorPage::new(view, words.fault_heading, words.fault_help)
        }
    }

    /// Said to so many that not each of them is in the log.
    pub fn overloaded(view: &View) -> ErrorPage {
        ErrorPage {
            reference: None,
            ..ErrorPage::failed(view)
        }
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
        ErrorPage {
            reference: None,
            ..ErrorPage::new(view, words.not_found_heading, words.not_found_help)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::screen::LoginPage;
    use super::*;
    use crate::bankid::message::Message;
    use crate::bankid::qr::Picture;
    use crate::login::progress::Screen;

    const OFFERS: Offers = Offers {
        this: true,
        other: true,
    };

    fn screens() -> Vec<Screen> {
        vec![
            Screen::Scan {
                picture: Picture::of("bankid").expect("it fits"),
            },
            Screen::Launch {
                link: "bankid:///?autostarttoken=x".into(),
            },
            Screen::Renewing,
            Screen::Working {
                message: Message::Rfa9,
            },
            Screen::AwaitReturn,
            Screen::LaunchAgain,
            Screen::Confirm,
            Screen::StepUp {
                message: Message::Rfa22,
                again: true,
            },
            Screen::StepUp {
                message: Message::Rfa22,
                again: false,
            },
            Screen::Finish,
            Screen::OtherTab,
            Screen::Elsewhere,
            Screen::Failed {
                message: Message::Rfa22,
                again: true,
            },
            Screen::Failed {
                message: Message::Rfa22,
                again: false,
            },
            Screen::Over,
        ]
    }

    fn pages(language: Language) -> Vec<String> {
        let pages = Arc::new(Pages::usual("login.example.se", Worth::Simulated));
        let frame = || Frame::new(language, &pages).switching("choice", &Languages::default());
        let view = View {
            language,
            reference: "r".into(),
            pages: pages.clone(),
            is_repeatable: true,
            home: Some("https://a.example/?a=\"<script>".into()),
        };
        let mut pages = vec![
            Choice {
                this_by_touch: false,
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
                renewed: true,
                warns_after: 480,
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
            CookiesOff {
                frame: frame(),
                form: "\"><script>".into(),
            }
            .render(),
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
                in_app: false,
                frame: frame(),
                client_name: "<script>".into(),
                id: "i".into(),
                reference: "<i>".into(),
                csrf: "c".into(),
                screen,
                offers: OFFERS,
                starts_by_itself: true,
                tab_query: "",
                refresh: Some(1),
                warns_after: 660,
                device: "other",
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
        for language in Language::BUILT_IN {
            for page in pages(language) {
                assert!(
                    page.contains(&format!("<html lang=\"{}\" dir=\"ltr\"", language.tag())),
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
