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
    config
        .route("/api/people", web::get().to(people))
        .route("/api/scan", web::post().to(scan))
        .route("/api/open", web::post().to(open))
        .route("/api/approve", web::post().to(approve))
        .route("/api/decline", web::post().to(decline));
}

async fn people() -> HttpResponse {
    let people: Vec<Value> = PEOPLE
        .iter()
        .map(|p| json!({ "personalNumber": p.personal_number, "name": p.name(), "about": p.about }))
        .collect();
    HttpResponse::Ok().json(people)
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, HttpResponse> {
    serde_json::from_slice(body).map_err(|_| refused("The body is not what this door takes."))
}

fn refused(sentence: &str) -> HttpResponse {
    HttpResponse::BadRequest().json(json!({ "error": sentence }))
}

fn person(number: &str) -> Result<&'static Person, HttpResponse> {
    Person::find(number).ok_or_else(|| refused("There is no such person."))
}

fn claimed(result: Result<Request, Unusable>) -> HttpResponse {
    match result {
        Ok(request) => HttpResponse::Ok().json(json!({
            "handle": request.handle,
            "relyingParty": request.relying_party,
            "text": request.text,
            "returnUrl": request.return_url,
        })),
        Err(trouble) => refused(trouble.sentence()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    qr: String,
    person: String,
}

async fn scan(shared: Data<Shared>, body: Bytes) -> Result<HttpResponse, actix_web::Error> {
    Ok(scanned(&shared, &body).unwrap_or_else(|refused| refused))
}

fn scanned(shared: &Shared, body: &Bytes) -> Result<HttpResponse, HttpResponse> {
    let asked: Scan = read(body)?;
    let person = person(&asked.person)?;
    let now = shared.clock.moment();
    Ok(claimed(shared.book(|book| {
        book.scan(&asked.qr, person, &shared.random, now)
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    link: String,
    person: String,
}

async fn open(shared: Data<Shared>, body: Bytes) -> Result<HttpResponse, actix_web::Error> {
    Ok(opened(&shared, &body).unwrap_or_else(|refused| refused))
}

fn opened(shared: &Shared, body: &Bytes) -> Result<HttpResponse, HttpResponse> {
    let asked: Open = read(body)?;
    let person = person(&asked.person)?;
    let (token, now) = (token_of_link(&asked.link), shared.clock.moment());
    Ok(claimed(shared.book(|book| {
        book.open(&token, person, &shared.random, now)
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    handle: String,
    code: String,
}

async fn approve(shared: Data<Shared>, body: Bytes) -> Result<HttpResponse, actix_web::Error> {
    Ok(approved(&shared, &body).unwrap_or_else(|refused| refused))
}

fn approved(shared: &Shared, body: &Bytes) -> Result<HttpResponse, HttpResponse> {
    let asked: Approve = read(body)?;
    let now = shared.clock.moment();
    let request = shared.book(|book| book.request(&asked.handle, now));
    let typed =
        shared.book(|book| book.approve(&asked.handle, &asked.code, Afterwards::Nothing, now));
    match typed {
        Typed::Approved => {
            let return_url = request.and_then(|request| request.return_url);
            Ok(HttpResponse::Ok().json(json!({ "returnUrl": return_url })))
        }
        Typed::Wrong => Err(refused("The code is wrong.")),
        Typed::Blocked => Err(refused("The code was wrong too many times.")),
        Typed::Over => Err(refused(Unusable::NoOrder.sentence())),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decline {
    handle: String,
}

async fn decline(shared: Data<Shared>, body: Bytes) -> Result<HttpResponse, actix_web::Error> {
    let asked: Decline = match read(&body) {
        Ok(asked) => asked,
        Err(refused) => return Ok(refused),
    };
    let now = shared.clock.moment();
    Ok(match shared.book(|book| book.decline(&asked.handle, now)) {
        true => HttpResponse::Ok().json(json!({})),
        false => refused(Unusable::NoOrder.sentence()),
    })
}
