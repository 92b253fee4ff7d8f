//! The browser that began is the browser that ends. Two cookies hold it: one that the choice form
//! is bound to, before there is a login, and one for each login. Neither address nor id nor form
//! is worth anything without them.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::Login;
use crate::authorize::request::Parameters;
use crate::clock::{Seconds, Timestamp};
use crate::id::{Id, kind};
use crate::language::Tag;
use crate::random::Random;
use crate::secret::{Digest, Key, Place, Sealer, Secret, kind as secret};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// How long a choice page can be left open, and then begin a login.
pub const FORM_LIFETIME: Seconds = Seconds(10 * 60);
/// How long a request can be asked for anew, by another choice page or another login, from when it came:
/// people who need time have it (WCAG 2.2, 2.2.1), and a request that is good once is not good for ever.
pub const RENEWABLE: Seconds = Seconds(60 * 60);

/// What a choice form carries, sealed: everything that the login will need, chosen before it
/// exists, so that sending the form twice begins one login.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChoiceForm {
    /// The login's id, should the form be sent.
    pub login: Id<kind::Login>,
    /// The login's cookie.
    pub cookie: Secret<secret::LoginCookie>,
    /// The request, which is admitted again when the form is sent.
    pub parameters: Parameters,
    /// When the page was made.
    pub issued_at: Timestamp,
    /// When the request came, by this page or by one before it.
    pub asked_at: Timestamp,
    /// The language that the person chose, which counts more than what the request asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Tag>,
}

impl ChoiceForm {
    /// A form for a request, for a login that nobody has begun.
    pub fn new(parameters: Parameters, random: &Random, now: Timestamp) -> ChoiceForm {
        ChoiceForm {
            login: Id::fresh(random),
            cookie: Secret::fresh(random),
            parameters,
            issued_at: now,
            asked_at: now,
            language: None,
        }
    }

    /// A form that asks once more for what another one did.
    pub fn renewing(wanted: Wanted, random: &Random, now: Timestamp) -> ChoiceForm {
        ChoiceForm {
            asked_at: wanted.asked_at,
            language: wanted.language,
            ..ChoiceForm::new(wanted.parameters, random, now)
        }
    }

    /// The form of the login that takes another one's place. It is the same whenever it is asked for, so
    /// that pressing twice begins one, and both presses lead there.
    pub fn succeeding(login: &Login, asked_at: Timestamp, key: &Key, now: Timestamp) -> ChoiceForm {
        let id = login.id.to_string();
        let derive = |what: &[u8]| key.mac(&[what, id.as_bytes(), login.browser.as_bytes()]);
        ChoiceForm {
            login: Id::derived(&derive(b"successor")),
            cookie: Secret::derived(derive(b"successor's cookie")),
            parameters: login.asked.parameters.clone(),
            issued_at: now,
            asked_at,
            language: Some(login.asked.language.clone()),
        }
    }

    /// A form that leads back to a login which this browser has begun for the same request: by the
    /// back button, or in a second tab. It goes on in the login's language.
    pub fn resuming(
        login: Login,
        cookie: Secret<secret::LoginCookie>,
        parameters: Parameters,
        now: Timestamp,
    ) -> ChoiceForm {
        ChoiceForm {
            login: login.id,
            cookie,
            parameters,
            issued_at: now,
            asked_at: login.asked.asked_at.unwrap_or(now),
            language: Some(login.asked.language),
        }
    }

    /// Seals the form for the browser that holds `cookie`.
    pub fn seal(
        &self,
        cookie: &Secret<secret::FormCookie>,
        sealer: &Sealer,
        random: &Random,
    ) -> String {
        let browser = cookie.digest();
        let bound = (self, browser.as_bytes());
        URL_SAFE_NO_PAD.encode(sealer.seal_json(CHOICE, &bound, random))
    }

    /// Opens a form that a browser sent which holds these cookies.
    pub fn open(
        text: &str,
        mut cookies: impl Iterator<Item = Secret<secret::FormCookie>>,
        sealer: &Sealer,
        now: Timestamp,
    ) -> Option<Brought> {
        let (form, browser): (ChoiceForm, [u8; 32]) = open(text, CHOICE, sealer)?;
        let is_own = cookies.any(|held| held.digest().as_bytes().ct_eq(&browser).into());
        let is_in_time = now < form.issued_at + FORM_LIFETIME;
        match now < form.asked_at + RENEWABLE {
            true if is_own && is_in_time => Some(Brought::Form(form)),
            true => {
                let age = if is_in_time { Age::InTime } else { Age::Late };
                Some(Brought::Stale(form.into(), age))
            }
            false => None,
        }
    }
}

/// A choice form that was sent.
#[derive(Debug)]
pub enum Brought {
    /// By the browser that was given it, in time: it may begin a login.
    Form(ChoiceForm),
    /// Too late, or by a browser that keeps no cookies, or no longer has this one. What it asks for
    /// can be asked again, by a new form.
    Stale(Wanted, Age),
}

/// Why a form begins nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// It is not this browser's, as far as its cookies tell.
    InTime,
    /// It came too late.
    Late,
}

/// What a choice form asks for, without the login that it could begin.
#[derive(Debug)]
pub struct Wanted {
    /// The request.
    pub parameters: Parameters,
    /// The language that the person chose.
    pub language: Option<Tag>,
    /// When it was first asked for.
    pub asked_at: Timestamp,
}

impl From<ChoiceForm> for Wanted {
    fn from(form: ChoiceForm) -> Wanted {
        Wanted {
            parameters: form.parameters,
            language: form.language,
            asked_at: form.asked_at,
        }
    }
}

/// A request that came by a cross-site POST, on its way back to us with this browser's cookies.
#[derive(Debug, Serialize, Deserialize)]
pub struct Bounced {
    /// The request.
    pub parameters: Parameters,
    /// When it came.
    pub issued_at: Timestamp,
}

fn bounced(door: &str) -> Place<'_> {
    Place {
        table: "form",
        column: "bounced",
        row: door,
    }
}

impl Bounced {
    /// Seals the request for the door that it goes on to, so that nothing but what came can come back.
    pub fn seal(&self, door: &str, sealer: &Sealer, random: &Random) -> String {
        URL_SAFE_NO_PAD.encode(sealer.seal_json(bounced(door), self, random))
    }

    /// Opens a request that was on its way for no longer than a form may be.
    pub fn open(text: &str, door: &str, sealer: &Sealer, now: Timestamp) -> Option<Bounced> {
        let bounced: Bounced = open(text, bounced(door), sealer)?;
        (now < bounced.issued_at + FORM_LIFETIME).then_some(bounced)
    }
}

const CHOICE: Place<'static> = Place {
    table: "form",
    column: "choice",
    row: "",
};

fn open<T: serde::de::DeserializeOwned>(
    text: &str,
    place: Place<'_>,
    sealer: &Sealer,
) -> Option<T> {
    let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
    serde_json::from_slice(&sealer.open(place, &sealed)?).ok()
}

/// The token that a login's own forms carry against requests forged from other sites.
pub fn csrf_token(
    key: &Key,
    login: Id<kind::Login>,
    browser: Digest<secret::LoginCookie>,
) -> String {
    let mac = key.mac(&[b"csrf", login.to_string().as_bytes(), browser.as_bytes()]);
    URL_SAFE_NO_PAD.encode(mac)
}

/// Whether a form's token is the login's. In constant time.
pub fn is_csrf_token(
    key: &Key,
    login: Id<kind::Login>,
    browser: Digest<secret::LoginCookie>,
    shown: &str,
) -> bool {
    let expected = csrf_token(key, login, browser);
    expected.as_bytes().ct_eq(shown.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1000);

    #[test]
    fn a_form_opens_in_the_browser_that_got_it_and_in_time() {
        let _shows = crate::shows!(accepting "LI-01", refusing "LI-01");
        let random = Random::seeded(1);
        let sealer = Sealer::new(1, &Key::fresh(&random));
        let (mine, theirs) = (Secret::fresh(&random), Secret::fresh(&random));
        let form = ChoiceForm::new(Parameters::default(), &random, NOW);
        let sealed = form.seal(&mine, &sealer, &random);
        let open = |cookies: &[&Secret<_>], at| {
            let cookies = cookies.iter().map(|cookie| (*cookie).clone());
            match ChoiceForm::open(&sealed, cookies, &sealer, at) {
                Some(Brought::Form(form)) => Some(Some(form.login)),
                Some(Brought::Stale(_, age)) => {
                    assert_eq!(age == Age::Late, at >= NOW + FORM_LIFETIME);
                    Some(None)
                }
                None => None,
            }
        };
        assert_eq!(open(&[&mine], NOW), Some(Some(form.login)));
        assert_eq!(open(&[&theirs, &mine], NOW), Some(Some(form.login)));
        assert_eq!(open(&[&theirs], NOW), Some(None));
        assert_eq!(open(&[], NOW), Some(None));
        let just = NOW + FORM_LIFETIME - Seconds(1);
        assert_eq!(open(&[&mine], just), Some(Some(form.login)));
        assert_eq!(open(&[&mine], NOW + FORM_LIFETIME), Some(None));
        assert_eq!(open(&[&mine], NOW + RENEWABLE), None);
        assert!(
            Bounced::open(&sealed, "", &sealer, NOW).is_none(),
            "one form is not another"
        );
        assert!(ChoiceForm::open("", [mine].into_iter(), &sealer, NOW).is_none());
    }

    #[test]
    fn what_goes_on_to_one_door_opens_no_other() {
        let random = Random::seeded(1);
        let sealer = Sealer::new(1, &Key::fresh(&random));
        let sent = Bounced {
            parameters: Parameters::from_pairs([("a".to_owned(), "b".to_owned())]),
            issued_at: NOW,
        };
        let sealed = sent.seal("/a", &sealer, &random);
        let opened = |door: &str, now| Bounced::open(&sealed, door, &sealer, now).is_some();
        assert!(opened("/a", NOW));
        assert!(!opened("/b", NOW));
        assert!(!opened("/a", NOW + FORM_LIFETIME));
    }

    #[test]
    fn a_token_belongs_to_one_login_in_one_browser() {
        let random = Random::seeded(1);
        let key = Key::fresh(&random);
        let (login, browser) = (Id::fresh(&random), Secret::fresh(&random).digest());
        let token = csrf_token(&key, login, browser);
        assert!(is_csrf_token(&key, login, browser, &token));
        assert!(!is_csrf_token(&key, Id::fresh(&random), browser, &token));
        assert!(!is_csrf_token(
            &key,
            login,
            Secret::fresh(&random).digest(),
            &token
        ));
        assert!(!is_csrf_token(&key, login, browser, ""));
    }
}
