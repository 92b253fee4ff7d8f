//! What goes back: the only place that picks a status, a header or a cookie's attributes.

mod noted;
mod refusal;

use std::sync::Arc;

use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;
use futures_util::stream::BoxStream;
use serde_json::{Value, json};

pub use self::noted::Noted;
use self::refusal::refused_json;
pub use self::refusal::{
    bearer_challenge, challenge, challenges, forbidden_json, too_large, too_many, unproven_status,
    unregistered,
};
use super::assets::{STYLE, source_of};
use super::page::{self, CookiesOff, ErrorPage, Frame, Retry};
use crate::authorize::PageMistake;
use crate::authorize::response::{Departure, PostedForm};
use crate::bankid::client::{Cause, Failure};
use crate::client::Client;
use crate::client::mistake::Reason;
use crate::client::theme::Theme;
use crate::clock::Seconds;
use crate::config::issuer::Issuer;
use crate::config::pages::{Pages, Picture};
use crate::error::{Code, Error, Refusal};
use crate::language::{Language, Words};
use crate::session::logout::Mistake;

/// How to talk to whoever is answered.
#[derive(Clone, Debug)]
pub struct View {
    /// In which language.
    pub language: Language,
    /// By which name a failure is found in the log.
    pub reference: String,
    /// What the pages say of the provider.
    pub pages: Arc<Pages>,
    /// Whether the same can simply be asked for again: it was a GET.
    pub is_repeatable: bool,
    /// The first page of the service that the person came from, where that is known.
    pub home: Option<String>,
}

impl View {
    /// The same for people who came from a client.
    pub fn from_client(self, client: Option<&Client>) -> View {
        let home = client.and_then(|client| client.metadata.theme.home_uri.as_ref());
        View {
            home: home.map(|uri| uri.as_str().to_owned()),
            ..self
        }
    }
}

/// Who reads a door's refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// A person.
    Page,
    /// A client (RFC 6749 §5.2).
    Json,
    /// A client with a token (RFC 6750 §3).
    Resource,
}

/// An answer, not yet on the wire.
pub struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    cookies: Vec<SetCookie>,
    body: Body,
    kind: Kind,
    /// What may be framed within.
    frames: Vec<String>,
    /// The style that it has besides that of all pages.
    styles: Option<String>,
    /// What it refuses, for whoever looks after the client.
    noted: Option<Box<Noted>>,
}

enum Body {
    Whole(Bytes),
    Stream(BoxStream<'static, Result<Bytes, std::io::Error>>),
}

enum Kind {
    /// A page, whose forms come to us.
    Page,
    /// The page whose form takes an answer to a client.
    FormToClient,
    Other,
}

/// A cookie to set or, without a value, to delete.
pub struct SetCookie {
    /// Its name without prefix.
    pub name: String,
    /// Its value.
    pub value: Option<String>,
    /// How long the browser keeps it; without, until it is closed.
    pub lifetime: Option<Seconds>,
    /// When the browser sends it.
    pub sent: Sent,
}

/// When a browser sends a cookie (RFC 6265bis §5.6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sent {
    /// Also when another site leads here: from the app, and back from a client.
    #[default]
    WhenLedHere,
    /// By our own pages alone.
    FromHere,
}

/// The name of a cookie on the wire. `__Host-` makes browsers refuse it without TLS, from another
/// path or for another host (RFC 6265bis §4.1.3.2).
pub fn cookie_name(issuer: &Issuer, name: &str) -> String {
    match issuer.is_secure {
        true => format!("__Host-{name}"),
        false => name.to_owned(),
    }
}

impl Answer {
    fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
        Answer {
            status,
            headers: vec![(header::CONTENT_TYPE, HeaderValue::from_static(content_type))],
            cookies: Vec::new(),
            body: Body::Whole(body.into()),
            kind: Kind::Other,
            frames: Vec::new(),
            styles: None,
            noted: None,
        }
    }

    /// A page.
    pub fn page(template: &impl Template) -> Answer {
        Answer::page_with(StatusCode::OK, template)
    }

    /// A page with a status of its own.
    pub fn page_with(status: StatusCode, template: &impl Template) -> Answer {
        let html = template
            .render()
            .expect("a template of plain values always renders");
        Answer {
            kind: Kind::Page,
            ..Answer::new(status, "text/html; charset=utf-8", html)
        }
    }

    /// A JSON document.
    pub fn json(value: &Value) -> Answer {
        Answer::new(StatusCode::OK, "application/json", value.to_string())
    }

    /// A JSON document about what was just made.
    pub fn created(value: &Value) -> Answer {
        Answer {
            status: StatusCode::CREATED,
            ..Answer::json(value)
        }
    }

    /// A JSON document about what waits.
    pub fn accepted(value: &Value) -> Answer {
        Answer::json(value).as_status(StatusCode::ACCEPTED)
    }

    /// What went wrong, in the form of RFC 9457.
    pub fn problem(status: StatusCode, problem: &Value) -> Answer {
        Answer::new(status, "application/problem+json", problem.to_string())
    }

    /// A JWT of some media type (RFC 7519 §10.3.1 has the general one).
    pub fn jwt(media_type: &'static str, token: String) -> Answer {
        Answer::new(StatusCode::OK, media_type, token)
    }

    /// Done, and nothing to say of it.
    pub fn done() -> Answer {
        Answer::new(StatusCode::OK, "text/plain; charset=utf-8", "")
    }

    /// A JSON document for scripts on any site (RFC 9700 §2.6 allows it for public metadata), kept
    /// by caches for five minutes.
    pub fn public_json(document: Bytes) -> Answer {
        Answer::new(StatusCode::OK, "application/json", document)
            .with(header::CACHE_CONTROL, "public, max-age=300")
            .with(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
    }

    /// A file that never changes under its name.
    pub fn asset(content_type: &'static str, body: &'static [u8]) -> Answer {
        Answer::new(StatusCode::OK, content_type, Bytes::from_static(body))
            .with(header::CACHE_CONTROL, "public, max-age=31536000, immutable")
    }

    /// The same, compressed (RFC 9110 §8.4).
    pub fn in_gzip(self) -> Answer {
        self.in_plain().with(header::CONTENT_ENCODING, "gzip")
    }

    /// The same, as it is for those who take nothing else.
    pub fn in_plain(self) -> Answer {
        self.with(header::VARY, "accept-encoding")
    }

    /// A picture of the operator's. One that holds a script runs none, wherever it is opened.
    pub fn supplied_picture(picture: &Picture) -> Answer {
        Answer::new(StatusCode::OK, picture.content_type, picture.body.to_vec())
            .with(header::CACHE_CONTROL, "public, max-age=31536000, immutable")
            .with(
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            )
    }

    /// A picture of ours (PNG) that never changes under its name. Should a browser take it for a page, that may
    /// do nothing.
    pub fn picture(png: Vec<u8>) -> Answer {
        Answer::new(StatusCode::OK, "image/png", png)
            .with(header::CACHE_CONTROL, "public, max-age=31536000, immutable")
            .with(header::CONTENT_SECURITY_POLICY, "default-src 'none'")
    }

    /// The same under a name that was never its own: nobody keeps it.
    pub fn passing_asset(content_type: &'static str, body: &'static [u8]) -> Answer {
        Answer::new(StatusCode::OK, content_type, Bytes::from_static(body))
    }

    /// Nothing but headers.
    pub fn nothing() -> Answer {
        Answer::new(StatusCode::NO_CONTENT, "text/plain; charset=utf-8", "")
    }

    /// Server-sent events.
    pub fn events(stream: BoxStream<'static, Result<Bytes, std::io::Error>>) -> Answer {
        let mut answer = Answer::new(StatusCode::OK, "text/event-stream", "");
        answer.body = Body::Stream(stream);
        // Proxies must not collect events.
        answer.with(HeaderName::from_static("x-accel-buffering"), "no")
    }

    /// On to another page of ours.
    pub fn see(path: &str) -> Answer {
        let location = HeaderValue::from_str(path).expect("our paths are ASCII");
        let mut answer = Answer::new(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
        answer.headers.push((header::LOCATION, location));
        answer
    }

    /// Off to a client, after a GET (RFC 9700 §4.12: 303, so that nothing is sent twice).
    pub fn depart(departure: &Departure, language: Language, pages: &Pages) -> Answer {
        match departure {
            Departure::Address(location) => Answer::see(location.expose()),
            Departure::FormPost(form) => Answer::post_form(form, language, pages),
        }
    }

    /// Off to a client, after a POST: by a page, because browsers apply the `form-action` of the
    /// page that was sent to every redirect that follows.
    pub fn depart_by_page(departure: &Departure, language: Language, pages: &Pages) -> Answer {
        match departure {
            Departure::Address(location) => {
                Answer::page(&page::Leaving::new(location, language, pages))
            }
            Departure::FormPost(form) => Answer::post_form(form, language, pages),
        }
    }

    /// OAuth 2.0 Form Post Response Mode §2: a page whose one form goes to the client.
    fn post_form(form: &PostedForm, language: Language, pages: &Pages) -> Answer {
        Answer {
            kind: Kind::FormToClient,
            ..Answer::page(&page::FormPost::new(form, language, pages))
        }
    }

    /// The same with another status.
    pub fn as_status(self, status: StatusCode) -> Answer {
        Answer { status, ..self }
    }

    /// What an answer says, for whoever asked inside this program.
    pub fn told(self) -> (StatusCode, Vec<(HeaderName, HeaderValue)>, Bytes) {
        match self.body {
            Body::Whole(bytes) => (self.status, self.headers, bytes),
            Body::Stream(_) => (self.status, self.headers, Bytes::new()),
        }
    }

    /// With a header.
    pub fn with(self, name: HeaderName, value: &'static str) -> Answer {
        self.with_value(name, HeaderValue::from_static(value))
    }

    /// With a header whose value was made.
    pub fn with_value(mut self, name: HeaderName, value: HeaderValue) -> Answer {
        self.headers.push((name, value));
        self
    }

    /// A page with a client's colours in it.
    pub fn in_colors(mut self, theme: &Theme) -> Answer {
        self.styles = theme.palette().map(|palette| source_of(&palette.style()));
        self
    }

    /// A page that may show these sources in frames (CSP 3 §6.1.7), and nothing else in them.
    pub fn framing(mut self, sources: Vec<String>) -> Answer {
        self.frames = sources;
        self
    }

    /// With a cookie.
    pub fn with_cookie(mut self, cookie: SetCookie) -> Answer {
        self.cookies.push(cookie);
        self
    }

    /// Puts the answer on the wire, with the headers that every answer has.
    pub fn into_response(self, issuer: &Issuer) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status);
        for (name, value) in self.headers {
            response.append_header((name, value));
        }
        for cookie in self.cookies {
            response.cookie(baked(cookie, issuer));
        }
        for (name, value) in COMMON_HEADERS {
            response.insert_header((*name, *value));
        }
        if issuer.is_secure {
            response.insert_header((
                header::STRICT_TRANSPORT_SECURITY,
                "max-age=63072000; includeSubDomains",
            ));
        }
        let more = match self.kind {
            Kind::Page if !self.frames.is_empty() => Some(format!(
                "{PAGE_POLICY}; frame-src {}",
                self.frames.join(" ")
            )),
            Kind::Page => Some(PAGE_POLICY.to_owned()),
            Kind::FormToClient => Some(FORM_TO_CLIENT_POLICY.to_owned()),
            Kind::Other => None,
        };
        if let Some(more) = more {
            let (all, own) = (&STYLE.source, self.styles.unwrap_or_default());
            let policy = format!("default-src 'none'; style-src 'self' {all} {own}; {more}");
            response.insert_header((header::CONTENT_SECURITY_POLICY, policy));
        }
        let mut response = match self.body {
            Body::Whole(bytes) => response.body(bytes),
            Body::Stream(stream) => response.streaming(stream),
        };
        // Nothing that is ours is kept by anyone, unless it says so itself.
        let headers = response.headers_mut();
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        response
    }
}

const COMMON_HEADERS: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// No inline script, no style but our own, nothing from elsewhere, no frames around or within; forms
/// come to us.
const PAGE_POLICY: &str = "script-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'";

/// The same without `form-action`. Chromium applies that to every redirect which follows the form, and
/// many applications redirect at once, to wherever they like: with the client's origin named there,
/// their person would be left on our page with a code that is spent. In its place stands that the page
/// has one form, made from a `ReturnAddress` by a template that escapes, and nothing that is loaded or
/// asked for from anywhere else.
const FORM_TO_CLIENT_POLICY: &str = "script-src 'self'; img-src 'self' data:; \
     base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

fn baked(cookie: SetCookie, issuer: &Issuer) -> Cookie<'static> {
    let mut baked = Cookie::build(
        cookie_name(issuer, &cookie.name),
        cookie.value.clone().unwrap_or_default(),
    )
    .path("/")
    .http_only(true)
    .secure(issuer.is_secure)
    .same_site(match cookie.sent {
        Sent::WhenLedHere => SameSite::Lax,
        Sent::FromHere => SameSite::Strict,
    });
    let lifetime = match cookie.value {
        Some(_) => cookie.lifetime,
        None => Some(Seconds(0)),
    };
    if let Some(Seconds(seconds)) = lifetime {
        baked = baked.max_age(CookieDuration::seconds(seconds));
    }
    baked.finish()
}

/// An answer to what went wrong behind a door. The only place where a fault is logged.
pub fn of_error(face: Face, error: Error, view: &View) -> Answer {
    match error {
        Error::Refused(refusal) => {
            let answer = match face {
                Face::Page => refusal_page(StatusCode::BAD_REQUEST, refusal, view),
                Face::Json => refused_json(refusal),
                Face::Resource => challenge(Some(refusal)),
            };
            answer.noting(Noted::refusal(refusal))
        }
        Error::Fault(fault) => {
            tracing::error!(%fault, reference = %view.reference, "a request failed");
            let status = match fault.passes() {
                true => StatusCode::SERVICE_UNAVAILABLE,
                false => StatusCode::INTERNAL_SERVER_ERROR,
            };
            let answer = match face {
                Face::Page => Answer::page_with(status, &ErrorPage::failed(view)),
                Face::Json | Face::Resource => {
                    let body = json!({
                        "error": Code::ServerError.as_str(),
                        "error_description": format!("the request failed, reference {}", view.reference),
                    });
                    let mut answer = Answer::json(&body);
                    answer.status = status;
                    answer
                }
            };
            match status {
                StatusCode::SERVICE_UNAVAILABLE => answer.with(header::RETRY_AFTER, "5"),
                _ => answer,
            }
        }
    }
}

/// There is no room for more at this moment. It is counted, and said of many in one line, where it is found out.
pub fn overloaded(face: Face, view: &View) -> Answer {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let answer = match face {
        Face::Page => Answer::page_with(status, &ErrorPage::overloaded(view)),
        Face::Json | Face::Resource => {
            let code = Code::TemporarilyUnavailable.as_str();
            let body =
                json!({ "error": code, "error_description": "too much at once: come again" });
            let mut answer = Answer::json(&body);
            answer.status = status;
            answer
        }
    };
    answer.with(header::RETRY_AFTER, "5")
}

/// A body that is too large, too slow, or that broke off.
pub fn unreadable(face: Face, status: StatusCode, view: &View) -> Answer {
    let refusal = Refusal::new(
        Code::InvalidRequest,
        "the body is too large, too slow or incomplete",
    );
    // What is slow or broken is the network's doing.
    let noted = (status == StatusCode::PAYLOAD_TOO_LARGE)
        .then(|| Noted::mistake(Reason::BodyTooLarge).with_code(refusal.code));
    let answer = match face {
        Face::Page => refusal_page(status, refusal, view),
        Face::Json | Face::Resource => {
            let mut answer = refused_json(refusal);
            answer.status = status;
            answer
        }
    };
    answer.noting(noted)
}

/// A mistake that is shown and not sent.
pub fn mistake_page(mistake: PageMistake, view: &View) -> Answer {
    let words = Words::of(view.language);
    let reason = match mistake {
        PageMistake::ClientMissing => words.client_missing,
        PageMistake::ClientRepeated => words.client_repeated,
        PageMistake::ClientUnknown => words.client_unknown,
        PageMistake::RedirectUriMissing => words.redirect_uri_missing,
        PageMistake::RedirectUriRepeated => words.redirect_uri_repeated,
        PageMistake::RedirectUriUnregistered => words.redirect_uri_unregistered,
        PageMistake::ResponseMode => words.response_mode,
        PageMistake::RequestUriUnknown => words.request_uri_unknown,
        PageMistake::RequestUriAmbiguous => words.request_uri_ambiguous,
        PageMistake::RequestObject => words.request_object,
        PageMistake::Unreadable => words.unreadable,
    };
    tracing::info!(?mistake, reference = %view.reference, "an authorization request was refused");
    Answer::page_with(StatusCode::BAD_REQUEST, &ErrorPage::mistake(reason, view))
        .noting(Noted::mistake(mistake.into()).called(view))
}

/// What is wrong with a request for a logout, for the service's developers.
pub fn in_words(mistake: Mistake, language: Language) -> &'static str {
    let words = Words::of(language);
    match mistake {
        Mistake::Unreadable => words.unreadable,
        Mistake::Repeated => words.parameter_repeated,
        Mistake::Hint => words.hint_foreign,
        Mistake::OtherClient => words.hint_of_other_client,
        Mistake::ClientUnknown => words.client_unknown,
        Mistake::AddressOfNobody => words.post_logout_unproven,
        Mistake::AddressUnregistered => words.post_logout_unregistered,
    }
}

/// A page that says so, and lets the person log out all the same.
pub fn of_logout_mistake(mut page: Answer, mistake: Mistake, view: &View) -> Answer {
    tracing::info!(?mistake, reference = %view.reference, "a request for a logout was refused");
    page.status = StatusCode::BAD_REQUEST;
    page.noting(Noted::mistake(mistake.into()).called(view))
}

fn refusal_page(status: StatusCode, refusal: Refusal, view: &View) -> Answer {
    tracing::info!(code = %refusal.code, reference = %view.reference, "a request was refused");
    Answer::page_with(status, &ErrorPage::refused(view))
}

/// A request for a login from a browser that did not begin it.
pub fn wrong_browser(view: &View) -> Answer {
    Answer::page_with(StatusCode::FORBIDDEN, &page::WrongBrowser::new(view))
}

/// A form that is too old, was sent by another site, or belongs to another browser.
pub fn stale_form(view: &View) -> Answer {
    tracing::info!(reference = %view.reference, "a form was too old, another browser's or another site's");
    Answer::page_with(StatusCode::FORBIDDEN, &ErrorPage::stale(view))
}

/// A choice from a browser that keeps no cookies, with a way to send it once more.
pub fn cookies_off(view: &View, form: String) -> Answer {
    let frame = Frame::new(view.language, &view.pages);
    Answer::page_with(StatusCode::FORBIDDEN, &CookiesOff { frame, form })
}

/// A login that ended before: a second finish never gets another code.
pub fn over(view: &View) -> Answer {
    tracing::info!(reference = %view.reference, "a login was asked for that is over");
    Answer::page_with(StatusCode::GONE, &ErrorPage::over(view))
}

/// BankID made no order: what went wrong, in words that do not blame the wrong one, and a way on.
pub fn no_order(failure: &Failure, retry: Retry, view: &View) -> Answer {
    match failure.cause() {
        Cause::Crowd => {
            tracing::info!(reference = %view.reference, "no order was made: somebody has to wait");
        }
        _ => tracing::warn!(%failure, reference = %view.reference, "no order could be made"),
    }
    let status = match failure.cause() {
        Cause::BankId => StatusCode::SERVICE_UNAVAILABLE,
        Cause::Person => StatusCode::CONFLICT,
        Cause::Ours => StatusCode::INTERNAL_SERVER_ERROR,
        Cause::Crowd => StatusCode::TOO_MANY_REQUESTS,
    };
    let page = page::Trouble::new(failure.cause(), retry, view);
    let answer = Answer::page_with(status, &page);
    match failure.cause() {
        Cause::BankId | Cause::Crowd => answer.with(header::RETRY_AFTER, "5"),
        Cause::Person | Cause::Ours => answer,
    }
}

/// No such page. It is counted, and not logged: whatever looks for holes asks for thousands that there are not.
pub fn not_found(view: &View) -> Answer {
    Answer::page_with(StatusCode::NOT_FOUND, &ErrorPage::not_found(view))
}

/// A method that a door does not take (RFC 9110 §15.5.6).
pub fn wrong_method(allowed: &str) -> Answer {
    let mut answer = Answer::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "text/plain; charset=utf-8",
        "method not allowed\n",
    );
    let allowed = HeaderValue::from_str(allowed).expect("methods are ASCII");
    answer.headers.push((header::ALLOW, allowed));
    answer
}

/// A request for another host (RFC 9110 §15.5.20).
pub fn misdirected() -> Answer {
    Answer::new(
        StatusCode::MISDIRECTED_REQUEST,
        "text/plain; charset=utf-8",
        "misdirected request\n",
    )
}
