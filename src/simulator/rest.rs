//! ⚡ The phone's REST door, for tests and load. It takes what a phone sees, a code's text, a screen that
//! shows one or a launch link, and never an `orderRef`.

use std::sync::atomic::Ordering;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Shared;
use super::book::{Afterwards, OnScreen, Request};
use super::order::{Risk, Typed, Unusable};
use super::people::{PEOPLE, Person};
use super::phone::token_of_link;

pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/api/people", web::get().to(people))
        .route("/api/orders", web::get().to(orders))
        .route("/api/screens", web::get().to(screens))
        .route("/api/whims", web::get().to(whims))
        .route("/api/whims", web::delete().to(no_whims));
    for (path, door) in [
        ("/api/scan", scan as Door),
        ("/api/open", open),
        ("/api/answer", answer_call),
        ("/api/confirm", confirm),
        ("/api/hint", hint),
        ("/api/whims", whim),
        ("/api/approve", approve),
        ("/api/decline", decline),
    ] {
        let handler = move |shared: Data<Shared>, body: Bytes| async move {
            match door(&shared, &body) {
                Ok(value) => HttpResponse::Ok().json(value),
                Err(Refused(sentence)) => {
                    HttpResponse::BadRequest().json(json!({ "error": sentence }))
                }
            }
        };
        config.route(path, web::post().to(handler));
    }
}

type Door = fn(&Shared, &Bytes) -> Result<Value, Refused>;

/// Why nothing was done, in a sentence.
struct Refused(&'static str);

impl From<Unusable> for Refused {
    fn from(unusable: Unusable) -> Refused {
        Refused(unusable.sentence())
    }
}

async fn people() -> HttpResponse {
    let people: Vec<Value> = PEOPLE
        .iter()
        .map(|p| json!({ "personalNumber": p.personal_number, "name": p.name(), "about": p.about }))
        .collect();
    HttpResponse::Ok().json(people)
}

/// What relying parties ordered and called for, without anyone's name for an order.
async fn orders(shared: Data<Shared>) -> HttpResponse {
    let now = shared.clock.moment();
    let (orders, calls) = shared.book(|book| (book.list(now), book.calls()));
    let connections = shared.connections.load(Ordering::Relaxed);
    HttpResponse::Ok().json(json!({ "orders": orders, "calls": calls, "connections": connections }))
}

/// The codes that are on screens now, for whoever cannot read pictures.
async fn screens(shared: Data<Shared>) -> HttpResponse {
    let now = shared.clock.moment();
    let told = |code: OnScreen| json!({ "screen": code.qr_start_token, "relyingParty": code.relying_party });
    let codes = shared.book(|book| book.on_screen(now));
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(codes.into_iter().map(told).collect::<Vec<_>>())
}

async fn whims(shared: Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json(shared.whims(|whims| whims.all()))
}

async fn no_whims(shared: Data<Shared>) -> HttpResponse {
    shared.whims(|whims| whims.clear());
    HttpResponse::Ok().json(json!({}))
}

fn whim(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let whim = read(body)?;
    shared.whims(|whims| whims.add(whim));
    Ok(json!({}))
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|_| Refused("The body is not what this door takes."))
}

fn person(number: &str) -> Result<&'static Person, Refused> {
    Person::find(number).ok_or(Refused("There is no such person."))
}

fn told(request: &Request) -> Value {
    json!({
        "handle": request.handle,
        "operation": request.operation,
        "relyingParty": request.relying_party,
        "text": request.text,
        "pinCode": request.pin_code,
        "mrtd": request.mrtd,
        "returnUrl": request.return_url,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    /// The text of a code.
    qr: Option<String>,
    /// Which of the codes that are on screens now.
    screen: Option<String>,
    person: String,
}

fn scan(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let asked: Scan = read(body)?;
    let person = person(&asked.person)?;
    let now = shared.clock.moment();
    let request = shared.book(|book| {
        let text = match (asked.qr, asked.screen) {
            (Some(text), None) => text,
            (None, Some(screen)) => book
                .frame_on_screen(&screen, now)
                .ok_or(Unusable::NoOrder)?,
            _ => {
                return Err(Refused(
                    "A code is scanned by its text (qr) or by its screen.",
                ));
            }
        };
        Ok(book.scan(&text, person, &shared.random, now)?)
    })?;
    Ok(told(&request))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    link: String,
    person: String,
}

fn open(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let asked: Open = read(body)?;
    let person = person(&asked.person)?;
    let (token, now) = (token_of_link(&asked.link), shared.clock.moment());
    let request = shared.book(|book| book.open(&token, person, &shared.random, now))?;
    Ok(told(&request))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    person: String,
}

fn answer_call(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let asked: Answer = read(body)?;
    let person = person(&asked.person)?;
    let now = shared.clock.moment();
    let request = shared.book(|book| book.answer_call(person, &shared.random, now))?;
    Ok(told(&request))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Confirm {
    handle: String,
    in_call: bool,
}

fn confirm(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let asked: Confirm = read(body)?;
    let now = shared.clock.moment();
    done(shared.book(|book| book.confirm_call(&asked.handle, asked.in_call, now)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Hinted {
    handle: String,
    hint_code: String,
    #[serde(default)]
    fails: bool,
}

fn hint(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let asked: Hinted = read(body)?;
    let now = shared.clock.moment();
    done(shared.book(|book| book.hint(&asked.handle, &asked.hint_code, asked.fails, now)))
}

fn done(done: bool) -> Result<Value, Refused> {
    match done {
        true => Ok(json!({})),
        false => Err(Unusable::NoOrder.into()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    handle: String,
    code: String,
    #[serde(default)]
    risk: Risk,
}

fn approve(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let asked: Approve = read(body)?;
    let now = shared.clock.moment();
    let (request, typed) = shared.book(|book| {
        let request = book.request(&asked.handle, now);
        let afterwards = Afterwards::Nothing;
        (
            request,
            book.approve(&asked.handle, &asked.code, asked.risk, afterwards, now),
        )
    });
    match typed {
        Typed::Approved => {
            Ok(json!({ "returnUrl": request.and_then(|request| request.return_url) }))
        }
        Typed::Wrong => Err(Refused("The code is wrong.")),
        Typed::Blocked => Err(Refused("The code was wrong too many times.")),
        Typed::TooSoon => Err(Refused("Something else comes first.")),
        Typed::Over => Err(Unusable::NoOrder.into()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decline {
    handle: String,
}

fn decline(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let asked: Decline = read(body)?;
    let now = shared.clock.moment();
    done(shared.book(|book| book.decline(&asked.handle, now)))
}
