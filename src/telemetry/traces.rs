//! ⚡ Traces (OpenTelemetry): what a request waited for, told to a receiver of the operator's by OTLP over HTTP. Off
//! unless it is configured, and then one look at an `Option`.
//!
//! A login is one trace, on whichever nodes it is served, and without anything being stored for it: the trace's
//! name is made of the login's. So its pages, its orders at BankID and each question about them are found together. What
//! comes after the code belongs to a trace that is named by `txn`, which the end of the login links to. Where a proxy that is
//! trusted says in which trace a request is (W3C Trace Context), the request belongs to that one, with a link.
//!
//! Only what is written here leaves the program: methods, patterns of addresses, statuses, and ids that we made up.
//! Nothing that was logged does.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor,
};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use rustls_pki_types::CertificateDer;
use tokio::runtime::Handle;
use url::Url;

use super::labels;
use crate::bankid::client::Failure;
use crate::config::traces;
use crate::id::{Id, kind};
use crate::random::Random;

/// How long the receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take with the last spans of a node that stops.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// Where spans go, if anywhere.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Sending>>);

struct Sending {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
    share: f64,
    random: Random,
}

/// A request under way.
pub struct Flight {
    method: &'static str,
    route: &'static str,
    reference: String,
    span: SpanId,
    own: TraceId,
    /// What a proxy said.
    outer: Option<SpanContext>,
    began: SystemTime,
    about: Mutex<About>,
}

/// What a request is about.
#[derive(Clone, Copy, Default)]
struct About {
    login: Option<Id<kind::Login>>,
    txn: Option<Id<kind::Order>>,
}

tokio::task_local! {
    static FLIGHT: Arc<Flight>;
}

/// A request that comes, as far as it may be told of.
pub struct Arrival<'a> {
    /// The method.
    pub method: &'static str,
    /// The pattern of its address.
    pub route: &'static str,
    /// By which name it is found in the log.
    pub reference: &'a str,
    /// The login that its address names.
    pub login: Option<Id<kind::Login>>,
    /// What a trusted proxy says of the trace (W3C Trace Context §3.2).
    pub traceparent: Option<&'a str>,
}

impl Traces {
    /// Begins to send, on the runtime that this is called on. `roots` are trusted besides the system's.
    pub fn start(
        config: Option<&traces::Traces>,
        roots: &[CertificateDer<'static>],
        random: &Random,
    ) -> Result<Traces, String> {
        let Some(config) = config else {
            return Ok(Traces::default());
        };
        let sender = Sender::new(config, roots).map_err(|e| e.to_string())?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(sender)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(config.endpoint.as_str())
            .with_timeout(PATIENCE)
            .build()
            .map_err(|e| e.to_string())?;
        // All of it is said here: what is not, the library takes from the environment (`OTEL_BSP_…`).
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(2048)
            .with_max_export_batch_size(512)
            .with_scheduled_delay(Duration::from_secs(5))
            .build();
        let mut processor = BatchSpanProcessor::builder(exporter)
            .with_batch_config(batches)
            .build();
        let resource = Resource::builder_empty()
            .with_service_name("portvakt")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        processor.set_resource(&resource);
        Ok(Traces(Some(Arc::new(Sending {
            processor,
            scope: InstrumentationScope::builder("portvakt").build(),
            share: config.share,
            random: random.clone(),
        }))))
    }

    /// A request that came now; nothing where nobody is told.
    pub fn came<'a>(&self, arrival: impl FnOnce() -> Arrival<'a>) -> Option<Arc<Flight>> {
        let sending = self.0.as_ref()?;
        let arrival = arrival();
        let outer = arrival.traceparent.map(|header| {
            let held = HashMap::from([("traceparent".to_owned(), header.to_owned())]);
            let extracted =
                TraceContextPropagator::new().extract_with_context(&Context::new(), &held);
            extracted.span().span_context().clone()
        });
        Some(Arc::new(Flight {
            method: arrival.method,
            route: arrival.route,
            reference: arrival.reference.to_owned(),
            span: sending.fresh_span(),
            own: TraceId::from_bytes(sending.random.bytes()),
            outer: outer.filter(SpanContext::is_valid),
            began: now(),
            about: Mutex::new(About {
                login: arrival.login,
                txn: None,
            }),
        }))
    }

    /// It was answered.
    pub fn answered(&self, flight: Option<&Flight>, status: u16) {
        let (Some(sending), Some(flight)) = (&self.0, flight) else {
            return;
        };
        let about = flight.about();
        let trace = flight.trace();
        if !sending.keeps(trace, flight.outer.as_ref()) {
            return;
        }
        let parent = match &flight.outer {
            Some(outer) => outer.span_id(),
            None => root(trace, flight.own),
        };
        let mut attributes = vec![
            KeyValue::new("http.request.method", flight.method),
            KeyValue::new("http.route", flight.route),
            KeyValue::new("http.response.status_code", i64::from(status)),
            KeyValue::new("portvakt.reference", flight.reference.clone()),
        ];
        attributes.extend(
            about
                .login
                .map(|id| KeyValue::new("portvakt.login", id.to_string())),
        );
        attributes.extend(
            about
                .txn
                .map(|id| KeyValue::new("portvakt.txn", id.to_string())),
        );
        let others = [about.login.map(of_login), about.txn.map(of_txn)];
        let others = others.into_iter().flatten().filter(|other| *other != trace);
        sending.send(SpanData {
            status: match status {
                500.. => Status::error(""),
                _ => Status::Unset,
            },
            links: links(others),
            ..sending.span(
                (trace, flight.span, parent),
                format!("{} {}", flight.method, flight.route),
                SpanKind::Server,
                flight.began,
                attributes,
            )
        });
    }

    /// BankID was asked, for a login or for whichever the request is about.
    pub fn bankid_answered<T>(
        &self,
        operation: &'static str,
        login: Option<Id<kind::Login>>,
        answer: &Result<T, Failure>,
        took: Duration,
    ) {
        let Some(sending) = &self.0 else {
            return;
        };
        let flight = FLIGHT.try_with(Arc::clone).ok();
        let login = login.or_else(|| flight.as_ref()?.about().login);
        let (trace, parent) = match (&flight, login) {
            (Some(flight), _) => (flight.trace(), flight.span),
            (None, Some(login)) => (of_login(login), root(of_login(login), TraceId::INVALID)),
            (None, None) => return,
        };
        let outer = flight.as_ref().and_then(|flight| flight.outer.as_ref());
        if !sending.keeps(trace, outer) {
            return;
        }
        let mut attributes = vec![KeyValue::new("portvakt.outcome", labels::outcome(answer))];
        attributes.extend(login.map(|id| KeyValue::new("portvakt.login", id.to_string())));
        let others = login.map(of_login).filter(|other| *other != trace);
        sending.send(SpanData {
            status: match answer {
                Ok(_) => Status::Unset,
                Err(_) => Status::error(""),
            },
            links: links(others),
            ..sending.span(
                (trace, sending.fresh_span(), parent),
                format!("bankid {operation}"),
                SpanKind::Client,
                now() - took,
                attributes,
            )
        });
    }

    /// Sends what waits, if the receiver takes it soon, and no more.
    pub async fn stop(&self) {
        if let Some(sending) = self.0.clone() {
            let ended = tokio::task::spawn_blocking(move || {
                sending.processor.shutdown_with_timeout(LAST_PATIENCE)
            });
            if let Ok(Err(error)) = ended.await {
                tracing::warn!(%error, "the last spans could not be sent");
            }
        }
    }
}

impl Sending {
    /// Every node decides the same for a trace, unless whoever it came from decided.
    fn keeps(&self, trace: TraceId, outer: Option<&SpanContext>) -> bool {
        match outer {
            Some(outer) => outer.is_sampled(),
            None => is_in(trace, self.share),
        }
    }

    fn fresh_span(&self) -> SpanId {
        SpanId::from_bytes(self.random.bytes())
    }

    fn span(
        &self,
        (trace, span, parent): (TraceId, SpanId, SpanId),
        name: String,
        span_kind: SpanKind,
        began: SystemTime,
        attributes: Vec<KeyValue>,
    ) -> SpanData {
        SpanData {
            span_context: context(trace, span),
            parent_span_id: parent,
            parent_span_is_remote: span_kind == SpanKind::Server,
            span_kind,
            name: name.into(),
            start_time: began,
            end_time: now(),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        }
    }

    fn send(&self, span: SpanData) {
        self.processor.on_end(span);
    }
}

impl Flight {
    fn about(&self) -> About {
        *self.about.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The trace that it belongs to, by what is known of it until now.
    fn trace(&self) -> TraceId {
        let about = self.about();
        match (&self.outer, about.login, about.txn) {
            (Some(outer), _, _) => outer.trace_id(),
            (None, Some(login), _) => of_login(login),
            (None, None, Some(txn)) => of_txn(txn),
            (None, None, None) => self.own,
        }
    }
}

/// Work for a request that is told of.
pub async fn carried<F: Future>(flight: Option<Arc<Flight>>, work: F) -> F::Output {
    match flight {
        Some(flight) => FLIGHT.scope(flight, work).await,
        None => work.await,
    }
}

/// The request under way is about this login.
pub fn about_login(login: Id<kind::Login>) {
    about(|about| about.login = Some(login));
}

/// The request under way is about what came of this login.
pub fn about_txn(txn: Id<kind::Order>) {
    about(|about| about.txn = Some(txn));
}

fn about(change: impl FnOnce(&mut About)) {
    // Nobody is told, or nobody asked for it: nothing to do.
    let _ = FLIGHT.try_with(|flight| {
        change(&mut flight.about.lock().unwrap_or_else(PoisonError::into_inner));
    });
}

fn of_login(login: Id<kind::Login>) -> TraceId {
    named(login.as_u128())
}

fn of_txn(txn: Id<kind::Order>) -> TraceId {
    named(txn.as_u128())
}

/// The halves change places: the lower one decides whether a trace is kept, and in the lower half of a UUID some bits
/// are always the same.
fn named(id: u128) -> TraceId {
    TraceId::from(id.rotate_left(64))
}

/// What all spans of a named trace are beneath; a request that is a trace of its own is beneath nothing.
fn root(trace: TraceId, own: TraceId) -> SpanId {
    match trace == own {
        true => SpanId::INVALID,
        false => {
            let [a, b, c, d, e, f, g, h, ..] = trace.to_bytes();
            SpanId::from_bytes([a, b, c, d, e, f, g, h])
        }
    }
}

/// As OpenTelemetry's own sampler decides it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of all numbers need not be exact"
)]
fn is_in(trace: TraceId, share: f64) -> bool {
    let [.., a, b, c, d, e, f, g, h] = trace.to_bytes();
    let lower = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
    share >= 1.0 || lower < (share * (1u64 << 63) as f64) as u64
}

#[expect(
    clippy::disallowed_methods,
    reason = "a span tells when something was, to whoever compares it with others' spans, and decides nothing"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

fn context(trace: TraceId, span: SpanId) -> SpanContext {
    SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::NONE)
}

fn links(others: impl IntoIterator<Item = TraceId>) -> SpanLinks {
    let mut links = SpanLinks::default();
    let to = |trace| Link::with_context(context(trace, root(trace, TraceId::INVALID)));
    links.links = others.into_iter().map(to).collect();
    links
}

/// Sends by our own client, on our own runtime: the library's thread has none. Where it sends to and with which
/// headers is what the configuration says; the library would have others added by `OTEL_EXPORTER_OTLP_HEADERS`, and
/// other programs on the machine, or whatever starts containers, may set that for all of them.
struct Sender {
    http: reqwest::Client,
    runtime: Handle,
    endpoint: Url,
    headers: HeaderMap,
}

impl Sender {
    fn new(
        config: &traces::Traces,
        roots: &[CertificateDer<'static>],
    ) -> Result<Sender, reqwest::Error> {
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers.0 {
            // They were looked at when the file was read.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), value.parse()) {
                headers.insert(name, value);
            }
        }
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        );
        let roots: Result<Vec<_>, _> = roots
            .iter()
            .map(|root| reqwest::Certificate::from_der(root))
            .collect();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("portvakt/", env!("CARGO_PKG_VERSION")))
            .tls_certs_merge(roots?)
            .build()?;
        Ok(Sender {
            http,
            runtime: Handle::current(),
            endpoint: config.endpoint.clone(),
            headers,
        })
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

#[async_trait::async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sending = self
            .http
            .post(self.endpoint.clone())
            .headers(self.headers.clone())
            .body(request.into_body());
        let sent = self.runtime.spawn(async move {
            let answer = sending.send().await?;
            Ok::<_, reqwest::Error>(answer.status())
        });
        // What the receiver says besides is not read.
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = sent.await??;
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_logins_a_share_is_kept_and_every_node_keeps_the_same() {
        let _shows = crate::shows!(accepting "PV-SPAN-3", refusing "PV-SPAN-3");
        let random = Random::seeded(7);
        let ids: Vec<Id<kind::Login>> = (0..4000).map(|_| Id::fresh(&random)).collect();
        for (share, range) in [
            (0.0, 0..=0),
            (0.1, 300..=500),
            (0.5, 1800..=2200),
            (0.9, 3500..=3700),
            (1.0, 4000..=4000),
        ] {
            let kept = |id: &&Id<kind::Login>| is_in(of_login(**id), share);
            let count = ids.iter().filter(kept).count();
            assert!(range.contains(&count), "{count} of {share}");
        }
        let names: std::collections::HashSet<_> = ids.iter().map(|id| of_login(*id)).collect();
        assert_eq!(names.len(), ids.len());
    }
}
