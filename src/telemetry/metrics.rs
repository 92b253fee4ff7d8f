//! What can be counted and measured, for Prometheus. docs/monitoring.md is a table of all of it; names are a
//! promise to whoever watches, and change only with a word in the list of changes.
//!
//! What happens often costs an addition to a number that was made beforehand. What stands in the
//! database, or is known elsewhere in the program, is asked for when somebody wants to know ([`super::state`]).

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use super::clients::Logins;
use super::labels::{
    Answer, Class, ERRORS, End, FAILED, FAULTS, Hint, ISSUED, Issued, Kind, LIMITS, NOTICES,
    OPERATIONS, OTHER, OUTCOMES, Operation, Outcome, PENDING, Profile, Purpose, REUSED, Refusal,
    Request, Routed, STATUSES, Signs, State, fault, known, outcome,
};
use super::process::Process;
use crate::bankid::client::Failure;
use crate::bankid::collect;
use crate::client::mistake::Endpoint;
use crate::error::{Code, Fault};
use crate::id::ClientId;
use crate::login::Progress;
use crate::token::GrantType;
use crate::token::grant::Tokens;

pub use super::labels::Route;

type Timed<L> = Family<L, Histogram>;
/// A number that there may be none of.
type Perhaps = Family<Vec<(String, String)>, Gauge>;

/// All that is measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    logins: Logins,
    answers: Family<Answer, Counter>,
    answer_seconds: Vec<(&'static str, Histogram)>,
    hints: Family<Hint, Counter>,
    orders_ended: Family<End, Counter>,
    tokens_issued: Family<Issued, Counter>,
    refusals: Family<Refusal, Counter>,
    refusals_dropped: Counter,
    faults: Family<Kind, Counter>,
    limited: Family<Kind, Counter>,
    reuses: Family<Kind, Counter>,
    logout_notices: Family<Outcome, Counter>,
    resealed: Counter,
    key_generations: Family<Purpose, Gauge>,
    collector_lag: Histogram,
    requests: Vec<[Counter; STATUSES.len()]>,
    request_seconds: Vec<Histogram>,
    event_streams: Gauge,
    pub(super) orders_live: Gauge,
    pub(super) certificate_ends: Family<Profile, Gauge>,
    pub(super) signing_key_changes: Family<Signs, Gauge>,
    pub(super) jobs_waiting: Gauge,
    pub(super) job_age: Gauge,
    pub(super) connections: Family<State, Gauge>,
    pub(super) connections_limit: Gauge,
    pub(super) under_way: Family<Class, Gauge>,
    pub(super) disk_free: Perhaps,
    pub(super) clock_skew: Gauge,
    pub(super) ready: Gauge,
}

/// What the database's own part measures: how often it gave up in favour of others, and how long it lets
/// wait for a connection.
#[derive(Clone, Debug)]
pub struct Database {
    /// Statements and transactions that were done again.
    pub given_up: Counter,
    /// Seconds until a connection was had.
    pub waits: Histogram,
}

impl Default for Database {
    fn default() -> Database {
        Database {
            given_up: Counter::default(),
            waits: waits(),
        }
    }
}

/// Seconds until a connection was had.
pub fn waits() -> Histogram {
    Histogram::new(WAIT_SECONDS)
}

/// How long BankID takes, in seconds: usually a tenth, at most ten.
const SECONDS: [f64; 9] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// How long requests take.
const REQUEST_SECONDS: [f64; 10] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];
/// How long a connection is waited for: three seconds on PostgreSQL, thirteen on SQLite at the most.
const WAIT_SECONDS: [f64; 8] = [0.0005, 0.002, 0.01, 0.05, 0.25, 1.0, 3.0, 10.0];
/// How late a question to BankID is.
const LAG_SECONDS: [f64; 8] = [0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0];

/// Where everything is described once.
struct Described(Registry);

impl Described {
    fn add<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }

    /// The same with numbers that are there before anything happened.
    fn family<L, M>(&mut self, name: &str, help: &str, sets: Vec<L>) -> Family<L, M>
    where
        L: EncodeLabelSet + Clone + std::fmt::Debug + Eq + std::hash::Hash + Send + Sync + 'static,
        M: Default + Clone + Send + Sync + std::fmt::Debug + 'static,
        Family<L, M>: Metric,
    {
        let family = self.add(name, help, Family::<L, M>::default());
        for set in &sets {
            drop(family.get_or_create(set));
        }
        family
    }

    fn kinds(&mut self, name: &str, help: &str, kinds: &[&'static str]) -> Family<Kind, Counter> {
        let sets = kinds.iter().map(|kind| Kind { kind }).collect();
        self.family(name, help, sets)
    }
}

impl Metrics {
    /// Nothing is counted yet, but what the database measures by itself.
    pub fn new(database: Database) -> Metrics {
        let mut all = Described(Registry::default());
        let logins = Logins::default();
        logins.register(&mut all.0);
        let outcomes = || OUTCOMES.iter().chain(ERRORS).chain([&OTHER]).copied();
        let answers = OPERATIONS
            .iter()
            .flat_map(|operation| outcomes().map(|outcome| Answer { operation, outcome }));
        let answers = all.family(
            "portvakt_bankid_answers",
            "Questions to BankID, by operation and by what came of them: ok, unreachable, unreadable, not_asked, or BankID's error",
            answers.collect(),
        );
        let seconds: Timed<Operation> = all.add(
            "portvakt_bankid_answer_seconds",
            "Seconds until BankID answered, or was given up",
            Family::new_with_constructor(|| Histogram::new(SECONDS)),
        );
        let answer_seconds = OPERATIONS.map(|operation| {
            let labels = Operation { operation };
            (operation, seconds.get_or_create_owned(&labels))
        });
        let hints = PENDING.iter().chain([&OTHER]).map(|hint| Hint { hint });
        let failed = FAILED.iter().chain([&OTHER]).map(|hint| ("failed", *hint));
        let ends = [("complete", ""), ("cancelled", ""), ("lost", "")];
        let ends = ends.into_iter().chain(failed);
        let issued = ISSUED.iter().flat_map(|(grant, kinds)| {
            let grant_type = grant.as_str();
            kinds.iter().map(move |kind| Issued { grant_type, kind })
        });
        let refusals = Endpoint::ALL.map(|endpoint| Refusal {
            endpoint: endpoint.as_str(),
            error: Code::InvalidRequest.as_str(),
        });
        let requests: Family<Request, Counter> = all.add(
            "portvakt_http_requests",
            "Requests of people, applications and administrators, by what they are for and the first digit of their status",
            Family::default(),
        );
        let request_seconds: Timed<Routed> = all.add(
            "portvakt_http_request_duration_seconds",
            "Seconds until the answer to a request began",
            Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
        );
        all.add(
            "portvakt_database_given_up",
            "Statements and transactions that the database gave up in favour of others, and that were done again",
            database.given_up,
        );
        all.add(
            "portvakt_database_wait_seconds",
            "Seconds that the node's heartbeat, once a second, and whoever looks how it is waited for a connection to the database",
            database.waits,
        );
        let mut metrics = Metrics {
            logins,
            answers,
            answer_seconds: answer_seconds.to_vec(),
            hints: all.family(
                "portvakt_bankid_hints",
                "Orders that came to a point on their way, by BankID's hint code",
                hints.collect(),
            ),
            orders_ended: all.family(
                "portvakt_bankid_orders_ended",
                "Orders that came to an end, by status, and failed ones by BankID's hint code",
                ends.map(|(status, hint)| End { status, hint }).collect(),
            ),
            tokens_issued: all.family(
                "portvakt_tokens_issued",
                "Tokens that clients received, by what they came with and by kind",
                issued.collect(),
            ),
            refusals: all.family(
                "portvakt_refusals",
                "Requests of clients that were refused, by endpoint and error",
                refusals.to_vec(),
            ),
            refusals_dropped: all.add(
                "portvakt_refusals_dropped",
                "Refused requests that are not in the log of refusals because too many came",
                Counter::default(),
            ),
            faults: all.kinds(
                "portvakt_faults",
                "Requests that failed on our side: no_connection (none free in time), database_away, database, data, bankid, panic, other",
                &FAULTS,
            ),
            limited: all.kinds(
                "portvakt_requests_limited",
                "Requests that were not looked at because too many came",
                &LIMITS,
            ),
            reuses: all.kinds(
                "portvakt_grants_ended_by_reuse",
                "Grants that ended because a code or a refresh token was in two hands",
                &REUSED,
            ),
            logout_notices: all.family(
                "portvakt_logout_notices",
                "Tries to tell a client of a logout, by what came of them: heard, postponed, given_up",
                NOTICES.map(|outcome| Outcome { outcome }).to_vec(),
            ),
            resealed: all.add(
                "portvakt_values_resealed",
                "Values that this node sealed anew with the newest key",
                Counter::default(),
            ),
            key_generations: all.add(
                "portvakt_data_key_generations",
                "Generations of a key of the database; more than one while it is being replaced",
                Family::default(),
            ),
            collector_lag: all.add(
                "portvakt_collector_lag_seconds",
                "Seconds by which BankID was asked about an order later than it should have been",
                Histogram::new(LAG_SECONDS),
            ),
            requests: Vec::new(),
            request_seconds: Vec::new(),
            event_streams: all.add(
                "portvakt_event_streams_open",
                "Pages that follow a login by events",
                Gauge::default(),
            ),
            orders_live: all.add(
                "portvakt_bankid_orders_live",
                "Orders that this node asks BankID about",
                Gauge::default(),
            ),
            certificate_ends: all.add(
                "portvakt_bankid_certificate_expiry_timestamp_seconds",
                "When a relying-party certificate can no longer be used, in seconds since 1970",
                Family::default(),
            ),
            signing_key_changes: all.add(
                "portvakt_signing_key_change_timestamp_seconds",
                "When another key of this algorithm takes over, in seconds since 1970",
                Family::default(),
            ),
            jobs_waiting: all.add(
                "portvakt_jobs_waiting",
                "Jobs in the database that are not done: notices of logouts; the same on every node",
                Gauge::default(),
            ),
            job_age: all.add(
                "portvakt_jobs_oldest_age_seconds",
                "How long the oldest job has waited; 0 where none waits",
                Gauge::default(),
            ),
            connections: all.family(
                "portvakt_database_connections",
                "Connections to the database, by state: in_use, idle",
                ["in_use", "idle"].map(|state| State { state }).to_vec(),
            ),
            connections_limit: all.add(
                "portvakt_database_connections_limit",
                "How many connections to the database this node may have",
                Gauge::default(),
            ),
            under_way: all.family(
                "portvakt_http_requests_under_way",
                "Requests that are worked at: login, token, page",
                ["login", "token", "page"].map(|class| Class { class }).to_vec(),
            ),
            disk_free: all.add(
                "portvakt_database_disk_free_bytes",
                "Room on the disk of SQLite's file; nothing with PostgreSQL",
                Family::default(),
            ),
            clock_skew: all.add(
                "portvakt_clock_skew_seconds",
                "How far this node's clock is off the database's; 0 with SQLite",
                Gauge::default(),
            ),
            ready: all.add(
                "portvakt_ready",
                "1 when people may be sent to this node, as /readyz says, 0 when not",
                Gauge::default(),
            ),
            registry: Registry::default(),
        };
        for route in Route::ALL {
            let route = route.word();
            let of = |status| requests.get_or_create_owned(&Request { route, status });
            metrics.requests.push(STATUSES.map(of));
            let seconds = request_seconds.get_or_create_owned(&Routed { route });
            metrics.request_seconds.push(seconds);
        }
        let mut registry = all.0;
        registry.register_collector(Box::new(Process));
        Metrics {
            registry,
            ..metrics
        }
    }

    /// Says which program this is.
    pub fn about(mut self, database: &'static str, bankid: &'static str) -> Metrics {
        let build: Family<super::labels::Build, Gauge> = Family::default();
        let labels = super::labels::Build {
            version: env!("CARGO_PKG_VERSION"),
            database,
            bankid,
        };
        build.get_or_create(&labels).set(1);
        let help = "1, with the version of the program, its database and BankID's environment";
        self.registry.register("portvakt_build_info", help, build);
        self
    }

    /// A login began with an order.
    pub fn login_began(&self, client: &ClientId) {
        self.logins.began(client);
    }

    /// A login ended, in a word for how.
    pub fn login_ended(&self, client: &ClientId, outcome: &'static str) {
        self.logins.ended(client, outcome);
    }

    /// The clients that are told apart.
    pub(super) fn known_clients(&self) -> Vec<ClientId> {
        self.logins.known()
    }

    /// Of those who were asked about, these are there, and others besides.
    pub(super) fn keep_clients(&self, asked: &[ClientId], there: &[ClientId]) {
        self.logins.keep(asked, there);
    }

    /// BankID answered, or did not.
    pub fn bankid_answered<T>(
        &self,
        operation: &'static str,
        answer: &Result<T, Failure>,
        took: Duration,
    ) {
        let outcome = outcome(answer);
        self.answers
            .get_or_create(&Answer { operation, outcome })
            .inc();
        let seconds = self.answer_seconds.iter().find(|(of, _)| *of == operation);
        if let Some((_, seconds)) = seconds {
            seconds.observe(took.as_secs_f64());
        }
    }

    /// An order that waits came to another point.
    pub fn order_hinted(&self, hint: &collect::Hint) {
        let hint = known(PENDING, &hint.0);
        self.hints.get_or_create(&Hint { hint }).inc();
    }

    /// An order came to an end.
    pub fn order_ended(&self, progress: &Progress) {
        let (status, hint) = match progress {
            Progress::Ordered(_) | Progress::Spent => return,
            Progress::Complete(_) => ("complete", ""),
            Progress::Failed(hint) => ("failed", known(FAILED, &hint.0)),
            Progress::Cancelled => ("cancelled", ""),
            Progress::Lost => ("lost", ""),
        };
        self.orders_ended.get_or_create(&End { status, hint }).inc();
    }

    /// How much later than it should have been BankID was asked about an order.
    pub fn collector_lagged(&self, by: Duration) {
        self.collector_lag.observe(by.as_secs_f64());
    }

    /// A client received tokens.
    pub fn tokens_issued(&self, grant: GrantType, tokens: &Tokens) {
        let count = |kind| {
            let grant_type = grant.as_str();
            self.tokens_issued
                .get_or_create(&Issued { grant_type, kind })
                .inc();
        };
        count("access_token");
        if grant != GrantType::ClientCredentials {
            count("id_token");
        }
        if tokens.refresh.is_some() {
            count("refresh_token");
        }
    }

    /// A client's request was refused.
    pub fn refused(&self, endpoint: Endpoint, error: &'static str) {
        let endpoint = endpoint.as_str();
        self.refusals
            .get_or_create(&Refusal { endpoint, error })
            .inc();
    }

    /// A refused request is not kept.
    pub fn refusal_dropped(&self) {
        self.refusals_dropped.inc();
    }

    /// A request failed on our side.
    pub fn failed(&self, by: &Fault) {
        self.faults.get_or_create(&Kind { kind: fault(by) }).inc();
    }

    /// A request was turned away by a limit.
    pub fn limited(&self, what: &'static str) {
        self.limited.get_or_create(&Kind { kind: what }).inc();
    }

    /// What should be in one hand was shown again: somebody took it, or a client is broken.
    pub fn reused(&self, what: &'static str) {
        self.reuses.get_or_create(&Kind { kind: what }).inc();
    }

    /// A client was to be told of a logout, in a word for what came of it.
    pub fn logout_notice(&self, outcome: &'static str) {
        self.logout_notices
            .get_or_create(&Outcome { outcome })
            .inc();
    }

    /// How many generations a key of the database has.
    pub fn key_generations(&self, purpose: &'static str, count: i64) {
        self.key_generations
            .get_or_create(&Purpose { purpose })
            .set(count);
    }

    /// Values were sealed anew.
    pub fn resealed(&self, count: u64) {
        self.resealed.inc_by(count);
    }

    /// A request was answered.
    pub fn answered(&self, came: Came, status: u16) {
        let place = came.route as usize;
        let class = usize::from(status / 100).clamp(1, STATUSES.len()) - 1;
        self.requests[place][class].inc();
        self.request_seconds[place].observe(came.at.elapsed().as_secs_f64());
    }

    /// A page follows its login, until what is given here goes.
    pub fn stream_opened(self: &Arc<Self>) -> OpenStream {
        self.event_streams.inc();
        OpenStream(self.clone())
    }

    /// All of it, in the OpenMetrics text format 1.0.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("text can always be added to");
        text
    }
}

/// A request that came.
#[derive(Clone, Copy, Debug)]
pub struct Came {
    route: Route,
    at: Instant,
}

impl Came {
    /// One that came now, by the pattern of its address.
    pub fn now(pattern: Option<&str>) -> Came {
        Came::by(Route::of(pattern))
    }

    /// One that came now by a route.
    pub fn by(route: Route) -> Came {
        Came {
            route,
            at: Instant::now(),
        }
    }

    /// One that came now to the administration: to its pages, or to its API.
    pub fn to_administration(is_api: bool) -> Came {
        Came {
            route: match is_api {
                true => Route::AdminApi,
                false => Route::Admin,
            },
            at: Instant::now(),
        }
    }

    /// Whether its address names a login.
    pub fn is_in_a_login(self) -> bool {
        matches!(
            self.route,
            Route::Page
                | Route::Events
                | Route::Order
                | Route::Return
                | Route::Cancel
                | Route::Finish
        )
    }
}

/// A page that follows its login.
#[derive(Debug)]
pub struct OpenStream(Arc<Metrics>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.event_streams.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(Database::default()).about("sqlite", "simulator")
    }

    #[test]
    fn what_a_peer_says_makes_no_new_labels() {
        let _shows = crate::shows!(refusing "BC-12");
        let metrics = metrics();
        for n in 0..100 {
            let hint = collect::Hint(format!("brandNew{n}"));
            metrics.order_hinted(&hint);
            metrics.order_ended(&Progress::Failed(hint));
            let refused: Result<(), Failure> = Err(Failure::Refused {
                status: 400,
                code: format!("brandNew{n}"),
            });
            metrics.bankid_answered("collect", &refused, Duration::from_millis(30));
        }
        metrics.refusal_dropped();
        let text = metrics.text();
        for line in [
            "portvakt_bankid_orders_ended_total{status=\"failed\",hint=\"other\"} 100",
            "portvakt_bankid_hints_total{hint=\"other\"} 100",
            "portvakt_bankid_answers_total{operation=\"collect\",outcome=\"other\"} 100",
            "portvakt_bankid_answer_seconds_count{operation=\"collect\"} 100",
            "portvakt_refusals_dropped_total 1",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert!(!text.contains("brandNew"));
    }

    #[test]
    fn requests_are_counted_by_what_they_are_for() {
        let metrics = metrics();
        for (pattern, status) in [
            (Some("/token"), 200),
            (Some("/token"), 400),
            (Some("/token"), 401),
            (Some("/r/{nonce}"), 303),
            (None, 999),
        ] {
            metrics.answered(Came::now(pattern), status);
        }
        let text = metrics.text();
        for line in [
            "portvakt_http_requests_total{route=\"token\",status=\"4xx\"} 2",
            "portvakt_http_requests_total{route=\"login_return\",status=\"3xx\"} 1",
            "portvakt_http_requests_total{route=\"other\",status=\"5xx\"} 1",
            "portvakt_http_request_duration_seconds_count{route=\"token\"} 3",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
