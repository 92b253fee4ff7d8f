//! Requests that another site sends by POST. They come without our cookies, so their parameters make
//! one more way, by a form of ours (script submits it, a button without).

use super::answer::Answer;
use super::assets::url;
use super::authorize::FORM_LIMIT;
use super::input::Request;
use super::page::{Bounce, Frame};
use crate::authorize::request::Parameters;
use crate::language::{Language, Words};
use crate::login::binding::Bounced;
use crate::provider::Provider;

/// Where the parameters go on. What was sealed for one door opens no other.
#[derive(Clone, Copy)]
pub struct Door {
    /// The path that takes our form.
    pub path: &'static str,
    /// What the page in between is called.
    pub heading: fn(&Words) -> &'static str,
}

/// The page whose form brings the parameters to a door.
pub fn page(provider: &Provider, door: Door, parameters: Parameters, language: Language) -> Answer {
    let bounced = Bounced {
        parameters,
        issued_at: provider.clock.now(),
    };
    let frame = Frame::new(language, &provider.config.pages);
    Answer::page(&Bounce {
        heading: (door.heading)(frame.words),
        action: door.path,
        frame,
        request: bounced.seal(door.path, &provider.keys.forms, &provider.random),
        script: url("bounce.js"),
    })
}

/// The parameters that our form brought to a door; `None` for a form that is not ours, or too old.
pub fn brought(provider: &Provider, door: Door, request: &Request) -> Option<Parameters> {
    if !request.is_from_our_pages(&provider.config.issuer) {
        return None;
    }
    let form = request.form(FORM_LIMIT).unwrap_or_default();
    let sealed = form.first("request").unwrap_or_default();
    let (sealer, now) = (&provider.keys.forms, provider.clock.now());
    Bounced::open(sealed, door.path, sealer, now).map(|bounced| bounced.parameters)
}
