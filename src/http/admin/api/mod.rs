//! The administration for programs: the same acts as the pages, by access tokens that clients get for
//! themselves. One table ([`table`]) says what there is; routing, the OpenAPI document and the page that shows
//! it are made from it. An operation cannot be written without the scope that it takes, and what is not in
//! the table is not there.

mod administrators;
mod audit;
mod clients;
mod condition;
mod cursor;
mod entitlements;
mod failures;
mod keys;
mod merge;
mod openapi;
mod operation;
pub mod page;
mod persons;
mod problem;
mod read;
mod registration_tokens;
mod schema;
mod sessions;
mod shown;
mod table;

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Route, web};
use serde_json::{Map, Value};

use super::super::answer::Answer;
use super::super::input::{self, BODY_LIMIT, Request};
use super::super::resource::{INVALID_TOKEN, proven, shown};
use super::super::to_the_end::to_the_end;
use super::{State, reference};
use crate::admin::role::Reach;
use crate::admin::scope::Scope;
use crate::admin::{Desk, Unmet};
use crate::audit::{Actor, Door, Who};
use crate::authorize::request::Parameters;
use crate::authorize::resource::Resource;
use crate::client::Client;
use crate::client::mistake::Reason;
use crate::config::admin::Admin;
use crate::error::{Code, Fault, Refusal};
use crate::provider::Provider;
use crate::token::access_token::AccessRecord;
use condition::Seen;
use problem::{Kind, Problem};
use read::Members;

pub use operation::Operation;
pub use table::table;

/// What every path of the API begins with.
pub const BASE: &str = "/api/v1";
/// Whether a path is the API's.
pub fn is_within(path: &str) -> bool {
    let rest = path.strip_prefix(BASE);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where the OpenAPI document is.
pub const DOCUMENT: &str = "/api/v1/openapi.json";
/// The most bytes of a parameter.
const PARAMETER_LIMIT: usize = 4096;

/// What an operation says.
type Answered = Result<Answer, Problem>;

/// What is behind an address.
#[derive(Clone)]
enum Behind {
    /// An operation.
    Operation(Arc<Operation>),
    /// The document, for everybody.
    Document,
    /// Other methods than this one.
    Others(String),
    /// Nothing.
    Nothing,
}

/// Adds all operations to the administration's listener.
pub fn mount(config: &mut web::ServiceConfig) {
    let any = |behind| leading(web::route(), behind);
    let get = leading(web::get(), Behind::Document);
    let document = web::resource(DOCUMENT).route(get);
    config.service(document.default_service(any(Behind::Others("GET".to_owned()))));
    for (path, operations) in by_path() {
        let methods = operations.iter().map(|operation| operation.method.as_str());
        let methods = methods.collect::<Vec<_>>().join(", ");
        let mut resource = web::resource(format!("{BASE}{path}"));
        for operation in operations {
            let route = web::route().method(operation.method.clone());
            resource = resource.route(leading(route, Behind::Operation(operation)));
        }
        config.service(resource.default_service(any(Behind::Others(methods))));
    }
    let rest = web::resource([BASE.to_owned(), format!("{BASE}/{{rest:.*}}")]);
    config.service(rest.default_service(any(Behind::Nothing)));
}

fn by_path() -> Vec<(&'static str, Vec<Arc<Operation>>)> {
    let mut paths: Vec<(&'static str, Vec<Arc<Operation>>)> = Vec::new();
    for operation in table().into_iter().map(Arc::new) {
        match paths.iter_mut().find(|(path, _)| *path == operation.path) {
            Some((_, operations)) => operations.push(operation),
            None => paths.push((operation.path, vec![operation])),
        }
    }
    paths
}

/// Puts what is behind an address behind a route.
fn leading(route: Route, behind: Behind) -> Route {
    route.to(
        move |state: web::Data<State>, request: HttpRequest, payload: web::Payload| {
            knock(behind.clone(), state, request, payload)
        },
    )
}

async fn knock(
    behind: Behind,
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let provider = state.provider.clone();
    let Some(admin) = provider.config.admin.clone() else {
        return HttpResponse::NotFound().finish();
    };
    let most = match &behind {
        Behind::Operation(operation) => operation.most_bytes,
        _ => BODY_LIMIT,
    };
    let body = input::body(payload, most).await;
    let unread = body.as_ref().err().copied();
    let request = Request::read(&request, body.unwrap_or_default(), &provider.config);
    let reference = reference(&provider);
    let answered = match (request.is_at(&admin.address), unread) {
        (false, _) => Err(Problem::new(
            Kind::Misdirected,
            "the API is at the administration's own address",
        )),
        (true, Some(status)) => Err(Problem::of_body(status)),
        (true, None) => {
            let work = answered(behind, provider, admin.clone(), request);
            let answered = to_the_end(work, &state.runtime).await;
            answered.unwrap_or(Err(Fault::Panicked.into()))
        }
    };
    let answer = answered.unwrap_or_else(|problem| problem.answer(&reference));
    answer.into_response(&admin.address)
}

async fn answered(behind: Behind, provider: Provider, admin: Admin, request: Request) -> Answered {
    match behind {
        Behind::Operation(operation) => {
            let call = admitted(&operation, provider, &admin, request).await?;
            operation.answered(call).await
        }
        Behind::Document => Ok(Answer::json(&openapi::document(&provider.config, &admin))),
        Behind::Others(allowed) => {
            let allow = HeaderValue::from_str(&allowed).expect("methods are ASCII");
            let problem = Problem::new(Kind::Method, format!("this takes {allowed}"));
            Err(problem.with(header::ALLOW, allow))
        }
        Behind::Nothing => Err(Unmet::Unknown("operation").into()),
    }
}

/// The one place that decides who comes to which operation: by a token of a client's own, whose scope is the
/// operation's, and with a request that the operation takes.
async fn admitted(
    operation: &Operation,
    provider: Provider,
    admin: &Admin,
    request: Request,
) -> Result<Call, Problem> {
    let scope = operation.scope;
    let unproven = |refusal| Problem::unproven(refusal, scope);
    let shown = shown(&request).map_err(|refusal| unproven(Some(refusal)))?;
    let shown = shown.ok_or_else(|| unproven(None))?;
    let endpoint = format!("{}{}", admin.address.url, request.path());
    let method = operation.method.as_str();
    let record = proven(&provider, &request, &shown, method, &endpoint).await;
    let record = record.map_err(|error| Problem::of_token(error, scope))?;
    let (client_id, now) = (record.client_id.as_str(), provider.clock.now());
    let client = provider.store.client(client_id, now).await?;
    let names = Names {
        issuer: &provider.config.issuer.url,
        api: &format!("{}{BASE}", admin.address.url),
    };
    let client = opens(&record, client.as_ref(), names, scope);
    let client = client.map_err(|refusal| unproven(Some(refusal)))?;
    let actor = Actor {
        who: Who::Client(client.client_id.clone()),
        door: Door::Api,
        address: Some(request.ip),
    };
    let query = request.query(PARAMETER_LIMIT);
    let query = query.map_err(|unreadable| Problem::new(Kind::Unreadable, unreadable.0))?;
    read::examine(&query, operation.parameters)?;
    let body = match operation.takes {
        None => Map::new(),
        Some(takes) if !request.is_of(takes.media_type) => {
            let detail = format!("the body must be {}", takes.media_type);
            let accept = HeaderValue::from_static(takes.media_type);
            let name = match operation.method {
                Method::PATCH => HeaderName::from_static("accept-patch"),
                _ => header::ACCEPT,
            };
            return Err(Problem::new(Kind::MediaType, detail).with(name, accept));
        }
        Some(_) => request.object().ok_or_else(|| {
            Problem::new(
                Kind::Unreadable,
                "the body is no JSON object, has a member twice, or is too deep",
            )
        })?,
    };
    let seen = match operation.is_conditional {
        false => Seen::Any,
        true => seen(&request)?,
    };
    Ok(Call {
        provider,
        request,
        actor,
        seen,
        query,
        body,
    })
}

fn seen(request: &Request) -> Result<Seen, Problem> {
    match Seen::parse(request.headers("if-match")) {
        Ok(Some(seen)) => Ok(seen),
        Ok(None) => Err(Problem::new(
            Kind::Unconditional,
            "send the ETag that you read in the header If-Match",
        )),
        Err(condition::Malformed) => Err(Problem::mistake(
            "If-Match",
            "must be an entity tag in quotation marks, or *",
        )),
    }
}

/// By what names this API may stand in a token.
#[derive(Clone, Copy)]
struct Names<'a> {
    issuer: &'a str,
    api: &'a str,
}

const NOT_FOR_US: Refusal = Refusal::new(
    Code::InvalidToken,
    "the access token is for other services than this",
)
.because(Reason::TokenForOthers);
const A_PERSONS: Refusal = Refusal::new(
    Code::InvalidToken,
    "the access token is of a person: get one by client_credentials",
);
const TOO_LITTLE: Refusal = Refusal::new(
    Code::InsufficientScope,
    "the access token has another scope, or its client may not have this one any more",
);

/// Whether a token opens an operation: it is a client's own, it is for this API, its scope is this one, and
/// its client is still registered for it.
fn opens<'c>(
    record: &AccessRecord,
    client: Option<&'c Client>,
    names: Names<'_>,
    scope: Scope,
) -> Result<&'c Client, Refusal> {
    if record.grant.is_some() {
        return Err(A_PERSONS);
    }
    let api: Vec<Resource> = Resource::parse(names.api).into_iter().collect();
    if !(record.resources.hold_provider(names.issuer) || record.resources.meet(&api)) {
        return Err(NOT_FOR_US);
    }
    let client = client.ok_or(INVALID_TOKEN)?;
    let registered = client.metadata.own_tokens().into_iter();
    let mut registered = registered.flat_map(|machine| &machine.scopes);
    let may_have_it = registered.any(|own| own.as_str() == scope.as_str());
    let has_it = record.scope.split(' ').any(|value| value == scope.as_str());
    (has_it && may_have_it).then_some(client).ok_or(TOO_LITTLE)
}

/// A request that may be answered.
pub struct Call {
    provider: Provider,
    request: Request,
    actor: Actor,
    seen: Seen,
    query: Parameters,
    body: Map<String, Value>,
}

impl Call {
    /// The client at work, on everything. It gives nobody what it has itself.
    fn desk(&self) -> Desk<'_> {
        self.provider.desk(self.actor.clone(), Reach::All, false)
    }

    /// The client that the path names.
    fn client_id(&self) -> Result<String, Problem> {
        let named = self.request.client_id();
        named.ok_or_else(|| Unmet::Unknown("client").into())
    }

    /// Another part of the path.
    fn part(&self, name: &str) -> &str {
        self.request.path_part(name).unwrap_or_default()
    }

    /// What was sent.
    fn members(&self) -> Members {
        Members::of(self.body.clone())
    }

    /// How much of a list is wanted.
    fn limit(&self) -> u16 {
        let limit = self.query.first("limit");
        limit.and_then(|text| text.parse().ok()).unwrap_or(50)
    }

    /// Where a list goes on, as `place` understands it.
    fn place<const N: usize, T>(
        &self,
        list: &str,
        place: impl FnOnce([String; N]) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(cursor) = self.query.first("cursor") else {
            return Ok(None);
        };
        match cursor::read(list, cursor).and_then(place) {
            Some(place) => Ok(Some(place)),
            None => Err(Problem::mistake("cursor", "must be a next of this list")),
        }
    }

    /// The version to write over, where that is what the caller saw.
    fn version(&self, current: i64) -> Result<Option<i64>, Problem> {
        match &self.seen {
            Seen::Any => Ok(None),
            seen if seen.holds(current) => Ok(Some(current)),
            Seen::Versions(_) => Err(Problem::changed(current)),
        }
    }
}

/// An answer with the version that it tells of.
fn tagged(answer: Answer, version: i64) -> Answer {
    answer.with_value(header::ETAG, condition::tag(version))
}

#[cfg(test)]
mod tests;
