//! The doors: every route on one page, in the order of a login.
//!
//! A door is load → decide → save → answer. It runs on the thread of the web server that its request came to, and
//! to its end by the provider's own when the browser hangs up, so that no commit is stopped half way.

pub mod admin;
pub mod answer;
mod assets;
mod authorize;
mod bounce;
mod cors;
mod discovery;
mod dpop;
mod ending;
pub mod input;
mod introspect;
mod language;
pub mod load;
mod login;
mod login_events;
mod logo;
mod logout;
mod mirror;
pub mod ops;
mod page;
mod par;
mod refused;
mod register;
mod resource;
mod returning;
mod revoke;
mod screen;
pub mod tls;
mod to_the_end;
mod token;
mod upload;
mod userinfo;

use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::dev::{ResponseHead, ServerHandle};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Resource, Route, web};
use tokio::runtime::Handle;
use tracing::Instrument;

use crate::checking::mirror::PATH;
use crate::error::{Error, Fault};
use crate::id::{Id, kind};
use crate::provider::Provider;
use crate::telemetry::metrics::{Came, Route as Way};
use crate::telemetry::traces::{self, Arrival, Flight};
use answer::{Answer, Face};
use input::{BODY_LIMIT, Request};
use to_the_end::to_the_end;

fn routes(config: &mut web::ServiceConfig) {
    // What there is to know before a login.
    for well_known in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        route(config, well_known, [get(Face::Json, discovery::document)]);
    }
    route(config, "/jwks", [get(Face::Json, discovery::jwks)]);
    route(config, "/static/{name}", [get(Face::Page, assets::asset)]);
    route(
        config,
        "/picture/{name}",
        [get(Face::Page, assets::picture)],
    );
    route(config, "/logo/{name}", [get(Face::Page, logo::get)]);
    // Clients that come by themselves.
    route(config, "/register", [post(Face::Json, register::post)]);
    route(
        config,
        "/register/{id}",
        [
            get(Face::Json, register::get),
            put(Face::Json, register::put),
            delete(Face::Json, register::delete),
        ],
    );
    // 1. What is asked.
    route(config, "/par", [post(Face::Json, par::post)]);
    route(
        config,
        "/authorize",
        [
            get(Face::Page, authorize::get),
            post(Face::Page, authorize::post),
        ],
    );
    route(
        config,
        "/authorize/continue",
        [post(Face::Page, authorize::resume)],
    );
    // 2–4. The person.
    route(config, "/login", [post(Face::Page, login::choose)]);
    route(config, "/login/{id}", [get(Face::Page, login::first_page)]);
    route(
        config,
        "/login/{id}/returned",
        [get(Face::Page, login::returned_page)],
    );
    route(
        config,
        "/login/{id}/events",
        [get(Face::Json, login_events::events)],
    );
    route(
        config,
        "/login/{id}/status",
        [get(Face::Json, login_events::status)],
    );
    route(
        config,
        "/login/{id}/language",
        [post(Face::Page, language::of_login)],
    );
    route(
        config,
        "/login/{id}/order",
        [post(Face::Page, login::order_again)],
    );
    route(
        config,
        "/login/{id}/confirm",
        [post(Face::Page, login::confirm)],
    );
    route(
        config,
        "/login/{id}/return",
        [post(Face::Json, returning::by_fragment)],
    );
    route(
        config,
        "/r/{nonce}",
        [get(Face::Page, returning::by_address)],
    );
    route(
        config,
        "/login/{id}/cancel",
        [post(Face::Page, ending::cancel)],
    );
    route(config, "/login/{id}/left", [get(Face::Page, ending::left)]);
    route(
        config,
        "/login/{id}/finish",
        [get(Face::Page, ending::finish)],
    );
    // 6. Tokens.
    shared(config, "/token", [post(Face::Json, token::post)]);
    shared(
        config,
        "/userinfo",
        [
            get(Face::Resource, userinfo::get),
            post(Face::Resource, userinfo::post),
        ],
    );
    route(config, "/introspect", [post(Face::Json, introspect::post)]);
    shared(config, "/revoke", [post(Face::Json, revoke::post)]);
    // The end of a session.
    route(
        config,
        "/logout",
        [get(Face::Page, logout::get), post(Face::Page, logout::post)],
    );
    route(
        config,
        "/logout/continue",
        [post(Face::Page, logout::resume)],
    );
    route(
        config,
        "/logout/confirm",
        [post(Face::Page, logout::confirm)],
    );
    // What `portvakt check` asks.
    config.route(PATH, web::get().to(mirror::get));
    config.default_service(web::route().to(no_such_page));
}

/// A served provider. Dropping it does not stop it.
pub struct Served {
    /// Stops taking requests; those under way are finished.
    pub handle: ServerHandle,
    /// Ends when the server has stopped.
    pub task: tokio::task::JoinHandle<std::io::Result<()>>,
}

const SHUTDOWN_SECONDS: u64 = 25;

/// Serves a provider on a bound listener. What is begun and given up ends on `runtime`.
pub fn serve(
    provider: Provider,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    runtime: Handle,
) -> std::io::Result<Served> {
    let data = web::Data::new(Handlers {
        provider,
        runtime: runtime.clone(),
    });
    let server = HttpServer::new(move || App::new().app_data(data.clone()).configure(routes))
        .on_connect(tls::remember_certificates)
        .disable_signals()
        .client_request_timeout(Duration::from_secs(5))
        .keep_alive(Duration::from_secs(15))
        .shutdown_timeout(SHUTDOWN_SECONDS);
    let server = match tls {
        None => server.listen(listener)?,
        Some(tls) => server.listen_rustls_0_23(listener, (*tls).clone())?,
    };
    let server = server.run();
    let handle = server.handle();
    Ok(Served {
        handle,
        task: runtime.spawn(server),
    })
}

/// What every handler holds.
struct Handlers {
    provider: Provider,
    runtime: Handle,
}

struct Door {
    method: Method,
    /// Made once for each thread that serves, when it is known where the door is.
    open: Box<dyn FnOnce(&'static str) -> Route>,
}

fn route<const N: usize>(config: &mut web::ServiceConfig, path: &'static str, doors: [Door; N]) {
    config.service(resource(path, doors));
}

/// The same for doors that scripts on clients' sites may knock at.
fn shared<const N: usize>(config: &mut web::ServiceConfig, path: &'static str, doors: [Door; N]) {
    let methods = methods(&doors);
    let preflight = move |data: web::Data<Handlers>| {
        let answer = cors::preflight(&methods);
        async move { answer.into_response(&data.provider.config.issuer) }
    };
    let options = web::route().method(Method::OPTIONS).to(preflight);
    config.service(
        resource(path, doors)
            .route(options)
            .wrap(from_fn(cors::share)),
    );
}

fn methods(doors: &[Door]) -> String {
    let methods: Vec<String> = doors.iter().map(|door| door.method.to_string()).collect();
    methods.join(", ")
}

fn resource<const N: usize>(path: &'static str, doors: [Door; N]) -> Resource {
    let allowed = methods(&doors);
    let mut resource = web::resource(path);
    for door in doors {
        resource = resource.route((door.open)(path).method(door.method));
    }
    let wrong_method = move |data: web::Data<Handlers>, request: HttpRequest| {
        let config = &data.provider.config;
        let came = Came::now(Some(path));
        let answer = match Request::read(&request, web::Bytes::new(), config).is_for(config) {
            true => answer::wrong_method(&allowed),
            false => answer::misdirected(),
        };
        async move { responded(&data.provider, came, None, answer) }
    };
    resource.default_service(web::route().to(wrong_method))
}

fn get<F, Fut>(face: Face, door: F) -> Door
where
    F: Fn(Provider, Request) -> Fut + Copy + Send + 'static,
    Fut: Future<Output = Result<Answer, Error>> + Send + 'static,
{
    knock(Method::GET, face, door)
}

fn post<F, Fut>(face: Face, door: F) -> Door
where
    F: Fn(Provider, Request) -> Fut + Copy + Send + 'static,
    Fut: Future<Output = Result<Answer, Error>> + Send + 'static,
{
    knock(Method::POST, face, door)
}

fn put<F, Fut>(face: Face, door: F) -> Door
where
    F: Fn(Provider, Request) -> Fut + Copy + Send + 'static,
    Fut: Future<Output = Result<Answer, Error>> + Send + 'static,
{
    knock(Method::PUT, face, door)
}

fn delete<F, Fut>(face: Face, door: F) -> Door
where
    F: Fn(Provider, Request) -> Fut + Copy + Send + 'static,
    Fut: Future<Output = Result<Answer, Error>> + Send + 'static,
{
    knock(Method::DELETE, face, door)
}

fn knock<F, Fut>(method: Method, face: Face, door: F) -> Door
where
    F: Fn(Provider, Request) -> Fut + Copy + Send + 'static,
    Fut: Future<Output = Result<Answer, Error>> + Send + 'static,
{
    let named = word(&method);
    let open = move |path: &'static str| {
        let place = Place {
            method: named,
            path,
            face,
            class: load::Class::of(Some(path)),
            way: Way::of(Some(path)),
        };
        web::route().to(move |data, request, payload| answered(place, door, data, request, payload))
    };
    Door {
        method,
        open: Box::new(open),
    }
}

/// Where a door is, and how it is counted.
#[derive(Clone, Copy)]
struct Place {
    method: &'static str,
    path: &'static str,
    face: Face,
    class: load::Class,
    way: Way,
}

/// What comes of a request to a door.
async fn answered<F, Fut>(
    place: Place,
    door: F,
    data: web::Data<Handlers>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse
where
    F: Fn(Provider, Request) -> Fut,
    Fut: Future<Output = Result<Answer, Error>> + Send + 'static,
{
    let (provider, came) = (data.provider.clone(), Came::by(place.way));
    // A body that could not be read says nothing; why is answered below.
    let (body, unreadable) = match input::body(payload, BODY_LIMIT).await {
        Ok(body) => (body, None),
        Err(status) => (web::Bytes::new(), Some(status)),
    };
    let request = Request::read(&request, body, &provider.config);
    // Made for those alone who are told something by it.
    let view = || request.view(&provider);
    let login: Option<Id<kind::Login>> = match came.is_in_a_login() {
        true => request.id(),
        false => None,
    };
    let flight = provider.traces.came(|| Arrival {
        method: place.method,
        route: place.path,
        reference: request.reference(&provider),
        login,
        traceparent: request.header("traceparent"),
    });
    let mut answer = match (request.is_for(&provider.config), unreadable) {
        (false, _) => answer::misdirected(),
        (true, Some(status)) => answer::unreadable(place.face, status, &view()),
        (true, None) => {
            // Not before all of it is here: whoever sends slowly takes nobody's place.
            let Some(admitted) = load::admit(&provider, place.class) else {
                let answer = answer::overloaded(place.face, &view());
                return responded(&provider, came, flight.as_deref(), answer);
            };
            let span = tracing::info_span!(
                "request",
                reference = %request.reference(&provider),
                login = login.map(tracing::field::display),
            );
            // In a box: it is many kilobytes, which would be moved at each step from here.
            let work = Box::pin(door(provider.clone(), request.clone())).instrument(span);
            let work = traces::carried(flight.clone(), work);
            let work = async move {
                let result = work.await;
                admitted.ended(&result);
                result
            };
            let result = to_the_end(work, &data.runtime).await;
            let result = result.unwrap_or(Err(Error::Fault(Fault::Panicked)));
            result.unwrap_or_else(|error| {
                if let Error::Fault(fault) = &error {
                    provider.metrics.failed(fault);
                }
                answer::of_error(place.face, error, &view())
            })
        }
    };
    if let Some(noted) = answer.take_noted() {
        let reference = request.reference(&provider);
        refused::note(&provider, &request, reference, noted);
    }
    responded(&provider, came, flight.as_deref(), answer)
}

fn word(method: &Method) -> &'static str {
    match *method {
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "GET",
    }
}

/// The answer as it goes out.
fn responded(
    provider: &Provider,
    came: Came,
    flight: Option<&Flight>,
    answer: Answer,
) -> HttpResponse {
    let mut response = answer.into_response(&provider.config.issuer);
    going_out(provider, came, response.head_mut());
    provider.traces.answered(flight, response.status().as_u16());
    response
}

/// What is done to every answer, whichever listener it goes out by. A node that leaves keeps no connection
/// open: whoever sends people here would send the next request over it just when it is closed, and could not
/// know whether that was taken.
fn going_out(provider: &Provider, came: Came, head: &mut ResponseHead) {
    if provider.is_leaving.load(Ordering::Relaxed) {
        head.set_connection_type(ConnectionType::Close);
    }
    provider.metrics.answered(came, head.status.as_u16());
}

async fn no_such_page(data: web::Data<Handlers>, request: HttpRequest) -> HttpResponse {
    let (config, came) = (&data.provider.config, Came::now(None));
    let request = Request::read(&request, web::Bytes::new(), config);
    let answer = match request.is_for(config) {
        true => answer::not_found(&request.view(&data.provider)),
        false => answer::misdirected(),
    };
    responded(&data.provider, came, None, answer)
}
