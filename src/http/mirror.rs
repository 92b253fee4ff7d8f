//! What a node saw of a request, told to `portvakt check` ([`crate::checking::mirror`]).

use std::net::IpAddr;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;

use super::input::Request;
use super::{Handlers, no_such_page};
use crate::checking::answers::PAUSE;
use crate::checking::mirror::{PARAMETER, Seen, answer};

/// Whatever name it was called by: to find out is what it is for. Two events with a pause between them, as
/// pages are told of their logins.
pub async fn get(data: Data<Handlers>, request: HttpRequest) -> HttpResponse {
    let provider = &data.provider;
    let read = Request::read(&request, Bytes::new(), &provider.config);
    let seen = seen(&data, &request, &read);
    let query = read.query(LONGEST).unwrap_or_default();
    let answer = query.first(PARAMETER).and_then(|question| {
        let (master, now) = (&provider.config.master_key, provider.clock.now());
        answer(master, question, &seen, now)
    });
    let Some(answer) = answer else {
        return no_such_page(data, request).await;
    };
    let events = stream::unfold(Some(answer), |next| async move {
        match next {
            Some(answer) if !answer.is_empty() => {
                let event = Bytes::from(format!("data: {answer}\n\n"));
                Some((Ok::<_, std::io::Error>(event), Some(String::new())))
            }
            Some(_) => {
                actix_web::rt::time::sleep(PAUSE).await;
                Some((Ok(Bytes::from_static(b"data: end\n\n")), None))
            }
            None => None,
        }
    });
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header(("cache-control", "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events)
}

/// The most that a question's parameters may hold.
const LONGEST: usize = 256;

fn seen(data: &Handlers, request: &HttpRequest, read: &Request) -> Seen {
    let config = &data.provider.config;
    let peer = request.peer_addr();
    let peer = peer.map_or(IpAddr::from([127, 0, 0, 1]), |peer| peer.ip());
    let peer = peer.to_canonical();
    let forwarded = request.headers().get_all("x-forwarded-for");
    let forwarded = forwarded.filter_map(|value| value.to_str().ok());
    let hops = forwarded.flat_map(|value| value.split(','));
    let mut trusted = config.trusted_proxies.iter();
    Seen {
        peer,
        is_trusted: trusted.any(|network| network.contains(&peer)),
        forwarded: hops.map(|hop| hop.trim().to_owned()).collect(),
        caller: read.ip,
        host: read.named().map(str::to_owned),
    }
}
