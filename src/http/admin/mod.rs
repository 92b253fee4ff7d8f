//! The administration: its own listener, its own address, every door on one page. A door names what its
//! caller must be allowed to, and one layer in front of all of them asks: who is it, is this their own
//! form, may they do this, and to this client. What is not in the table is not there, and an entry cannot be
//! made without saying what it needs.

mod administrators;
pub mod api;
mod client_edit;
mod client_look;
mod client_page;
mod clients;
mod console;
mod entitlements;
mod failures;
mod form;
mod inside;
mod keys;
mod log;
mod overview;
pub mod page;
mod sessions;

use std::future::Future;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use tokio::runtime::Handle;

use super::answer::{self, Answer, Face, cookie_name};
use super::input::{self, BODY_LIMIT, PICTURES_LIMIT, Request, Unreadable};
use super::to_the_end::to_the_end;
use super::{SHUTDOWN_SECONDS, Served, assets, logo, tls, upload};
use crate::admin::role::Permission;
use crate::admin::{Desk, Unmet};
use crate::audit::{Actor, Door, Who};
use crate::clock::Seconds;
use crate::config::admin::Admin;
use crate::error::{Error, Fault};
use crate::id::{ClientId, Id, kind};
use crate::provider::Provider;
use crate::secret::kind as secret;
use crate::storage::AdminSession;
use crate::telemetry::metrics::Came;
use crate::telemetry::usage::Day;
use page::{Frame, Told};

/// What a door's caller must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nobody in particular.
    Nobody,
    /// Somebody who administers, whatever their role.
    Anybody,
    /// Somebody who may do this.
    May(Permission),
    /// The same, who showed their BankID a moment ago.
    MayFreshly(Permission),
}

/// How long ago "a moment ago" may be.
const MOMENT: Seconds = Seconds(10 * 60);

type Answered = Pin<Box<dyn Future<Output = Result<Answer, Unmet>> + Send>>;
type Behind = Arc<dyn Fn(Provider, Request, Option<Caller>) -> Answered + Send + Sync>;

/// One door.
#[derive(Clone)]
pub struct Entry {
    /// The method.
    pub method: Method,
    /// The path, with its parts in braces.
    pub path: &'static str,
    /// What the caller must be.
    pub needs: Needs,
    /// Whether its form may hold pictures.
    takes_pictures: bool,
    behind: Behind,
}

/// Every door of the pages, in the order of the menu.
pub fn table() -> Vec<Entry> {
    use Needs::{Anybody, May, MayFreshly};
    use Permission::*;
    let (get, post) = (Method::GET, Method::POST);
    vec![
        open(&get, "/static/{name}", async |provider, request| {
            of_the_pages(assets::asset(provider, request).await)
        }),
        open(&get, "/picture/{name}", async |provider, request| {
            of_the_pages(assets::picture(provider, request).await)
        }),
        open(&get, "/logo/{name}", async |provider, request| {
            of_the_pages(logo::get(provider, request).await)
        }),
        open(&get, "/login", console::log_in),
        open(&get, "/callback", console::callback),
        open(&get, "/invitation/{secret}", console::invitation),
        open(&get, "/invitation/{secret}/begin", console::take),
        closed(&post, "/logout", Anybody, console::log_out),
        closed(&get, "/logged-in", Anybody, console::logged_in),
        closed(&get, "/", Anybody, overview::home),
        closed(&get, "/clients", May(ReadClients), clients::list),
        closed(&get, "/clients/new", May(WriteClients), clients::new),
        closed(&post, "/clients/new", May(WriteClients), clients::create),
        closed(
            &get,
            "/client/{client_id}",
            May(ReadClients),
            client_page::show,
        ),
        closed(
            &get,
            "/client/{client_id}/edit",
            May(WriteClients),
            client_edit::edit,
        ),
        closed(
            &post,
            "/client/{client_id}/edit",
            MayFreshly(WriteClients),
            client_edit::save,
        ),
        closed(
            &get,
            "/client/{client_id}/look",
            May(ReadClients),
            client_look::show,
        ),
        closed(
            &post,
            "/client/{client_id}/look",
            May(WriteClients),
            client_look::show_typed,
        ),
        closed(
            &post,
            "/client/{client_id}/logo",
            MayFreshly(WriteClients),
            client_look::save_logo,
        )
        .with_pictures(),
        closed(
            &get,
            "/client/{client_id}/preview",
            May(ReadClients),
            client_edit::preview,
        ),
        closed(
            &get,
            "/client/{client_id}/failures",
            May(ReadClients),
            client_page::failures,
        ),
        closed(
            &post,
            "/client/{client_id}/secrets",
            MayFreshly(WriteClients),
            client_page::add_secret,
        ),
        closed(
            &post,
            "/client/{client_id}/secrets/end",
            MayFreshly(WriteClients),
            client_page::end_secret,
        ),
        closed(
            &post,
            "/client/{client_id}/remove",
            MayFreshly(WriteClients),
            client_page::remove,
        ),
        closed(
            &post,
            "/client/{client_id}/restore",
            MayFreshly(WriteClients),
            client_page::restore,
        ),
        closed(
            &post,
            "/client/{client_id}/entitlement",
            MayFreshly(Entitle),
            entitlements::ask,
        ),
        closed(
            &post,
            "/client/{client_id}/entitlement/answer",
            MayFreshly(Entitle),
            entitlements::answer,
        ),
        closed(
            &post,
            "/client/{client_id}/entitlement/end",
            MayFreshly(Entitle),
            entitlements::end,
        ),
        closed(
            &get,
            "/entitlements",
            May(ReadClients),
            entitlements::report,
        ),
        closed(&get, "/failures", May(ReadClients), failures::list),
        closed(&get, "/sessions", May(ReadSessions), sessions::list),
        closed(&post, "/session/{id}/end", May(EndSessions), sessions::end),
        closed(
            &post,
            "/session/{id}/reveal",
            MayFreshly(RevealPersons),
            sessions::reveal,
        ),
        closed(&get, "/keys", May(ReadKeys), keys::list),
        closed(
            &post,
            "/keys/announce",
            MayFreshly(WriteKeys),
            keys::announce,
        ),
        closed(&post, "/keys/revoke", MayFreshly(WriteKeys), keys::revoke),
        closed(
            &get,
            "/administrators",
            May(ReadAdministrators),
            administrators::list,
        ),
        closed(
            &post,
            "/administrators",
            MayFreshly(WriteAdministrators),
            administrators::invite,
        ),
        closed(
            &post,
            "/administrator/{id}/change",
            MayFreshly(WriteAdministrators),
            administrators::change,
        ),
        closed(
            &post,
            "/administrator/{id}/remove",
            MayFreshly(WriteAdministrators),
            administrators::remove,
        ),
        closed(&get, "/audit", May(ReadAudit), log::list),
        closed(&get, "/api", Anybody, api::page::show),
    ]
}

fn open<F, Fut>(method: &Method, path: &'static str, door: F) -> Entry
where
    F: Fn(Provider, Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Answer, Unmet>> + Send + 'static,
{
    Entry {
        method: method.clone(),
        path,
        needs: Needs::Nobody,
        takes_pictures: false,
        behind: Arc::new(move |provider, request, _| Box::pin(door(provider, request))),
    }
}

fn closed<F, Fut>(method: &Method, path: &'static str, needs: Needs, door: F) -> Entry
where
    F: Fn(Provider, Request, Caller) -> Fut + Send + Sync + Copy + 'static,
    Fut: Future<Output = Result<Answer, Unmet>> + Send + 'static,
{
    Entry {
        method: method.clone(),
        path,
        needs,
        takes_pictures: false,
        behind: Arc::new(move |provider, request, caller| {
            Box::pin(async move {
                match caller {
                    Some(caller) => door(provider, request, caller).await,
                    None => Err(Unmet::Forbidden("nobody is logged in")),
                }
            })
        }),
    }
}

impl Entry {
    fn with_pictures(self) -> Entry {
        Entry {
            takes_pictures: true,
            ..self
        }
    }

    /// The fields of the form that was sent.
    async fn fields(&self, request: &Request) -> Result<Vec<(String, String)>, Unreadable> {
        match (self.method == Method::GET, self.takes_pictures) {
            (true, _) => Ok(Vec::new()),
            (false, true) => upload::fields(request).await,
            (false, false) => request.fields(),
        }
    }
}

/// Somebody who administers, with what they sent.
pub struct Caller {
    /// Who, and since when.
    pub session: AdminSession,
    /// What their forms carry.
    pub csrf: String,
    /// The fields of the form that they sent, without that.
    pub fields: Vec<(String, String)>,
    actor: Actor,
}

impl Caller {
    /// The caller at work.
    pub fn desk<'a>(&self, provider: &'a Provider) -> Desk<'a> {
        let administrator = &self.session.administrator;
        let gives = administrator.role.may(Permission::WriteAdministrators);
        provider.desk(self.actor.clone(), administrator.reach.clone(), gives)
    }

    /// Whether the caller may do something.
    pub fn may(&self, permission: Permission) -> bool {
        self.session.administrator.role.may(permission)
    }

    /// A field that was sent once, without what stands around it; nothing for an empty one.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut sent = self.fields.iter().filter(|(n, _)| n == name);
        match (sent.next(), sent.next()) {
            (Some((_, value)), None) => Some(value.trim()).filter(|value| !value.is_empty()),
            _ => None,
        }
    }

    /// The version that the caller saw.
    pub fn version(&self) -> Result<Option<i64>, Unmet> {
        let version = self.field("version").and_then(|text| text.parse().ok());
        match version {
            Some(version) => Ok(Some(version)),
            None => Err(Unmet::mistake("version", "is missing from the form")),
        }
    }
}

/// Serves the administration on a bound listener. What is begun and given up ends on `runtime`.
pub fn serve(
    provider: Provider,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    runtime: Handle,
) -> std::io::Result<Served> {
    let state = web::Data::new(State {
        provider,
        runtime: runtime.clone(),
    });
    let server = HttpServer::new(move || {
        let mut app = App::new()
            .app_data(state.clone())
            .wrap(from_fn(seen))
            .configure(api::mount);
        for (path, entries) in by_path() {
            let mut resource = web::resource(path);
            for entry in entries {
                let method = entry.method.clone();
                let door =
                    move |state: web::Data<State>, request: HttpRequest, payload: web::Payload| {
                        knock(entry.clone(), state, request, payload)
                    };
                resource = resource.route(web::route().method(method).to(door));
            }
            app = app.service(resource.default_service(web::route().to(no_such_door)));
        }
        app.default_service(web::route().to(no_such_door))
    })
    .workers(1)
    .on_connect(tls::remember_certificates)
    .disable_signals()
    .client_request_timeout(Duration::from_secs(5))
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

/// Around everything that is answered here: it is counted, and a node that leaves keeps no connection open, as
/// with people.
async fn seen(
    state: web::Data<State>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let came = Came::to_administration(api::is_within(request.path()));
    let mut answered = next.call(request).await?;
    super::going_out(&state.provider, came, answered.response_mut().head_mut());
    Ok(answered)
}

fn by_path() -> Vec<(&'static str, Vec<Entry>)> {
    let mut paths: Vec<(&'static str, Vec<Entry>)> = Vec::new();
    for entry in table() {
        match paths.iter_mut().find(|(path, _)| *path == entry.path) {
            Some((_, entries)) => entries.push(entry),
            None => paths.push((entry.path, vec![entry])),
        }
    }
    paths
}

struct State {
    provider: Provider,
    runtime: Handle,
}

async fn knock(
    entry: Entry,
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let provider = state.provider.clone();
    let Some(admin) = provider.config.admin.clone() else {
        return HttpResponse::NotFound().finish();
    };
    let most = match entry.takes_pictures {
        true => PICTURES_LIMIT,
        false => BODY_LIMIT,
    };
    let body = input::body(payload, most).await;
    let is_whole = body.is_ok();
    let request = Request::read(&request, body.unwrap_or_default(), &provider.config);
    let answer = match (request.is_at(&admin.address), is_whole) {
        (false, _) => answer::misdirected(),
        (true, false) => {
            let view = request.view(&provider);
            answer::unreadable(Face::Page, StatusCode::BAD_REQUEST, &view)
        }
        (true, true) => {
            let work = answered(entry, provider, admin.clone(), request);
            let panicked = |_| told(&Unmet::Fault(Fault::Panicked), None, "");
            let answer = to_the_end(work, &state.runtime).await;
            answer.unwrap_or_else(panicked)
        }
    };
    answer.into_response(&admin.address)
}

async fn no_such_door(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let provider = &state.provider;
    let Some(admin) = &provider.config.admin else {
        return HttpResponse::NotFound().finish();
    };
    let request = Request::read(&request, web::Bytes::new(), &provider.config);
    let answer = match request.is_at(&admin.address) {
        true => told(&Unmet::Unknown("page"), None, &reference(provider)),
        false => answer::misdirected(),
    };
    answer.into_response(&admin.address)
}

fn reference(provider: &Provider) -> String {
    hex::encode(provider.random.bytes::<5>())
}

async fn answered(entry: Entry, provider: Provider, admin: Admin, request: Request) -> Answer {
    let reference = reference(&provider);
    let caller = match admitted(&entry, &provider, &admin, &request).await {
        Ok(caller) => caller,
        Err(Turned::Away(answer)) => return *answer,
        Err(Turned::Down(unmet, caller)) => {
            let frame = caller
                .as_ref()
                .map(|caller| Frame::new(&provider, caller, "Refused"));
            return told(&unmet, frame, &reference);
        }
    };
    let frame = caller
        .as_ref()
        .map(|caller| Frame::new(&provider, caller, "Refused"));
    match (entry.behind)(provider, request, caller).await {
        Ok(answer) => answer,
        Err(unmet) => told(&unmet, frame, &reference),
    }
}

/// Somebody who does not come to the door.
enum Turned {
    /// They are sent elsewhere.
    Away(Box<Answer>),
    /// They are told why not.
    Down(Unmet, Option<Box<Caller>>),
}

impl From<Unmet> for Turned {
    fn from(unmet: Unmet) -> Turned {
        Turned::Down(unmet, None)
    }
}

impl From<Fault> for Turned {
    fn from(fault: Fault) -> Turned {
        Turned::Down(Unmet::Fault(fault), None)
    }
}

/// The one place that decides who comes to which door.
async fn admitted(
    entry: &Entry,
    provider: &Provider,
    admin: &Admin,
    request: &Request,
) -> Result<Option<Caller>, Turned> {
    if entry.needs == Needs::Nobody {
        return Ok(None);
    }
    let is_reading = entry.method == Method::GET;
    let sent = entry.fields(request).await;
    let once_more = |frame| {
        let again = page::Again::new(frame, request.path(), sent.clone().unwrap_or_default());
        Answer::page_with(StatusCode::FORBIDDEN, &again)
    };
    let cookie = request.cookie::<secret::AdminCookie>(&cookie_name(&admin.address, COOKIE));
    let digest = cookie.map(|cookie| cookie.digest());
    let now = provider.clock.now();
    let session = match digest {
        Some(digest) => provider.store.admin_session(digest, now).await?,
        None => None,
    };
    let Some(session) = session else {
        // A browser that another site led here sends no Strict cookie: it comes once more from here.
        let led_here = request.header("sec-fetch-site") == Some("cross-site");
        return Err(Turned::Away(Box::new(match is_reading {
            true if led_here => Answer::page(&page::Onward::new(request.address())),
            true => Answer::see(&console::login_path(&request.address())),
            // What was entered waits until they are logged in again.
            false if request.is_from_our_pages(&admin.address) => once_more(Frame::plain("Log in")),
            false => Answer::see("/login"),
        })));
    };
    let today = Day::of(now);
    let id = session.administrator.id;
    // Somebody may have had the page open at midnight.
    let days = [today, Day(today.0 - 1)];
    let tokens_of_theirs = days.map(|day| csrf(provider, id, day));
    let fields = sent.clone();
    let fields = fields.map_err(|unreadable| Unmet::mistake("", unreadable.0))?;
    let (tokens, fields): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(n, _)| n == "csrf");
    let is_ours = match tokens.as_slice() {
        [(_, token)] => {
            use subtle::ConstantTimeEq;
            let is = |own: &String| bool::from(token.as_bytes().ct_eq(own.as_bytes()));
            tokens_of_theirs.iter().any(is) && request.is_from_our_pages(&admin.address)
        }
        _ => false,
    };
    let caller = Caller {
        actor: Actor {
            who: Who::Administrator(session.administrator.id),
            door: Door::Page,
            address: Some(request.ip),
        },
        session,
        csrf: csrf(provider, id, today),
        fields,
    };
    let down = |unmet, caller| Err(Turned::Down(unmet, Some(Box::new(caller))));
    if !is_reading && !is_ours {
        return down(FOREIGN_FORM, caller);
    }
    let permission = match entry.needs {
        Needs::Nobody | Needs::Anybody => None,
        Needs::May(permission) | Needs::MayFreshly(permission) => Some(permission),
    };
    if permission.is_some_and(|permission| !caller.may(permission)) {
        return down(NOT_THEIR_ROLE, caller);
    }
    // To one who does not look after a client it is not there.
    if let Some(named) = request.client_id() {
        let client_id = ClientId::parse(&named);
        let reach = &caller.session.administrator.reach;
        if !client_id.is_some_and(|client_id| reach.holds(&client_id)) {
            return down(Unmet::Unknown("client"), caller);
        }
    }
    let is_fresh = caller.session.auth_time + MOMENT > now;
    if matches!(entry.needs, Needs::MayFreshly(_)) && !is_fresh {
        let frame = Frame::new(provider, &caller, "Show your BankID again");
        return Err(Turned::Away(Box::new(once_more(frame))));
    }
    Ok(Some(caller))
}

const FOREIGN_FORM: Unmet = Unmet::Forbidden(
    "this form is not of this login: go back, load the page again, and send it once more",
);
const NOT_THEIR_ROLE: Unmet = Unmet::Forbidden("your role does not allow this");

/// The cookie of an administrator's browser.
pub(super) const COOKIE: &str = "admin";

/// The token that an administrator's forms carry against requests forged from other sites. It is the
/// administrator's and not their session's: a form that is open while they log in once more counts.
fn csrf(provider: &Provider, id: Id<kind::Administrator>, day: Day) -> String {
    let (id, day) = (id.to_string(), day.0.to_be_bytes());
    hex::encode(
        provider
            .keys
            .csrf
            .mac(&[b"admin csrf", id.as_bytes(), &day]),
    )
}

/// Why something was not done.
fn told(unmet: &Unmet, frame: Option<Frame>, reference: &str) -> Answer {
    let (status, heading) = match unmet {
        Unmet::Unknown(_) => (StatusCode::NOT_FOUND, "There is nothing here"),
        Unmet::Changed(_) | Unmet::Stale | Unmet::Taken => {
            (StatusCode::CONFLICT, "Somebody else was faster")
        }
        Unmet::Elsewhere(..) => (StatusCode::CONFLICT, "This is managed elsewhere"),
        Unmet::Mistakes(_) => (StatusCode::BAD_REQUEST, "That does not hold together"),
        Unmet::Forbidden(_) => (StatusCode::FORBIDDEN, "You may not do this"),
        Unmet::Fault(fault) => {
            tracing::error!(%fault, %reference, "a request to the administration failed");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong here",
            )
        }
    };
    let text = match unmet {
        Unmet::Fault(_) => format!("It is in the program's log under the reference {reference}."),
        _ => sentence(&unmet.to_string()),
    };
    Answer::page_with(status, &Told::new(frame, heading, text))
}

/// Errors are said in the middle of other sentences; here they stand alone.
fn sentence(said: &str) -> String {
    let mut letters = said.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let end = (!said.ends_with('.')).then_some('.');
    first.chain(letters).chain(end).collect()
}

/// What the pages that people log in on are made of is here, too, for their previews.
fn of_the_pages(answered: Result<Answer, Error>) -> Result<Answer, Unmet> {
    match answered {
        Ok(answer) => Ok(answer),
        Err(Error::Fault(fault)) => Err(fault.into()),
        Err(Error::Refused(_)) => Err(Unmet::Unknown("file")),
    }
}
