//! ⚡ The phone's REST door, for tests and load. It takes what a phone sees, a code's text or a
//! launch link, and never an `orderRef`.

use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Shared;
use super::book::{Afterwards, Request};
use super::order::{Typed, Unusable};
use super::people::{PEOPLE, Person};
use super::phone::token_of_link;

pub fn routes(config: &mut ServiceConfig) {
    config.route("/api/people", web::get().to(people));
    for (path, door) in [
        ("/api/scan", scan as Door),
        ("/api/open", open),
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

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|_| Refused("The body is not what this door takes."))
}

fn person(number: &str) -> Result<&'static Person, Refused> {
    Person::find(number).ok_or(Refused("There is no such person."))
}

fn told(request: &Request) -> Value {
    json!({
        "handle": request.handle,
        "relyingParty": request.relying_party,
        "text": request.text,
        "returnUrl": request.return_url,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    qr: String,
    person: String,
}

fn scan(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let asked: Scan = read(body)?;
    let person = person(&asked.person)?;
    let now = shared.clock.moment();
    let request = shared.book(|book| book.scan(&asked.qr, person, &shared.random, now))?;
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
struct Approve {
    handle: String,
    code: String,
}

fn approve(shared: &Shared, body: &Bytes) -> Result<Value, Refused> {
    let asked: Approve = read(body)?;
    let now = shared.clock.moment();
    let (request, typed) = shared.book(|book| {
        let request = book.request(&asked.handle, now);
        let afterwards = Afterwards::Nothing;
        (
            request,
            book.approve(&asked.handle, &asked.code, afterwards, now),
        )
    });
    match typed {
        Typed::Approved => {
            Ok(json!({ "returnUrl": request.and_then(|request| request.return_url) }))
        }
        Typed::Wrong => Err(Refused("The code is wrong.")),
        Typed::Blocked => Err(Refused("The code was wrong too many times.")),
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
    match shared.book(|book| book.decline(&asked.handle, now)) {
        true => Ok(json!({})),
        false => Err(Unusable::NoOrder.into()),
    }
}
