//! The switch to another language: it is on every page where a person decides something, changes nothing but
//! the words, and is remembered.

use super::answer::{self, Answer, Sent, SetCookie};
use super::input::Request;
use super::login::own_form;
use crate::authorize::request::Parameters;
use crate::clock::Seconds;
use crate::error::Error;
use crate::language::{Language, Languages, Tag};
use crate::provider::Provider;

/// The languages that a page can be changed to.
pub struct Switch {
    /// The id of the form on the page that is sent with the choice, so that nothing is lost.
    pub form: &'static str,
    /// The languages.
    pub languages: Vec<Language>,
}

impl Switch {
    /// To every language but the present one; nothing where there is no other.
    pub fn new(form: &'static str, now: Language, languages: &Languages) -> Option<Switch> {
        let others = languages.all().filter(|language| *language != now);
        let languages: Vec<Language> = others.collect();
        (!languages.is_empty()).then_some(Switch { form, languages })
    }
}

/// The field that a switch sends.
pub const FIELD: &str = "language";
/// The cookie that remembers what a person chose.
pub const COOKIE: &str = "language";
const REMEMBERED: Seconds = Seconds(365 * 24 * 60 * 60);

/// Whether a form changes the language, and to which. One that is not spoken changes nothing.
pub fn chosen(provider: &Provider, fields: &Parameters) -> Option<Language> {
    let tag = Tag::parse(fields.first(FIELD)?)?;
    provider.config.languages.named(&tag)
}

/// What remembers a language that a person chose.
pub fn remembered(language: Language) -> SetCookie {
    SetCookie {
        name: COOKIE.to_owned(),
        value: Some(language.tag().to_string()),
        lifetime: Some(REMEMBERED),
        sent: Sent::WhenLedHere,
    }
}

/// The switch on a login's own pages.
pub async fn of_login(provider: Provider, request: Request) -> Result<Answer, Error> {
    let Some((login, fields)) = own_form(&provider, &request).await? else {
        return Ok(answer::stale_form(&request.view(&provider)));
    };
    let Some(language) = chosen(&provider, &fields) else {
        return Ok(answer::stale_form(&request.view(&provider)));
    };
    provider.store.speak(&login, language.tag()).await?;
    provider.followed.tell(login.id).await;
    let tab = match fields.first("tab") {
        Some("returned") => "/returned",
        _ => "",
    };
    Ok(Answer::see(&format!("/login/{}{tab}", login.id)).with_cookie(remembered(language)))
}
