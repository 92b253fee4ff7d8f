//! What can be counted and measured, for Prometheus. Labels are words of our own or of BankID's, from
//! lists that are known: nothing of a person, and nothing that a peer could fill memory with.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::bankid::client::Failure;
use crate::bankid::collect::Hint;
use crate::jose::algorithm::Algorithm;
use crate::login::Progress;

/// All that is measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    answers: Family<Answer, Counter>,
    answer_seconds: Family<Operation, Histogram>,
    orders_ended: Family<End, Counter>,
    logins_ended: Family<Outcome, Counter>,
    logout_notices: Family<Outcome, Counter>,
    reuses: Family<Kind, Counter>,
    limited: Family<Kind, Counter>,
    refusals_dropped: Counter,
    certificate_days_left: Family<Profile, Gauge>,
    signing_key_days_left: Family<Signs, Gauge>,
    key_generations: Family<Purpose, Gauge>,
    resealed: Counter,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answer {
    operation: &'static str,
    outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct End {
    status: &'static str,
    hint: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Profile {
    profile: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Signs {
    algorithm: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Purpose {
    purpose: &'static str,
}

/// How long BankID takes, in seconds: usually a tenth, at most ten.
const SECONDS: [f64; 9] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The reasons for an order's failure that are counted by name; others are `other`.
const HINTS: &[&str] = &[
    "expiredTransaction",
    "certificateErr",
    "userCancel",
    "cancelled",
    "startFailed",
    "userDeclinedCall",
    "notSupportedByUserApp",
    "mrtdVerificationFailed",
    "facialRecognitionFailed",
    "nfcNotSupportedByDevice",
    "multipleBankIdsOnDevice",
    "stepUpFailed",
    "transactionRiskBlocked",
];

/// The errors that are counted by name; others are `other`.
const ERRORS: &[&str] = &[
    "alreadyInProgress",
    "invalidParameters",
    "unauthorized",
    "notFound",
    "methodNotAllowed",
    "requestTimeout",
    "unsupportedMediaType",
    "tooManyRequests",
    "internalError",
    "maintenance",
];

impl Metrics {
    /// Nothing is counted yet, but what the database gave up (`Store::given_up`).
    pub fn new(given_up: Counter) -> Metrics {
        let mut registry = Registry::with_prefix("portvakt");
        let answers = Family::default();
        let answer_seconds: Family<Operation, Histogram> =
            Family::new_with_constructor(|| Histogram::new(SECONDS));
        let orders_ended = Family::default();
        let logins_ended = Family::default();
        let logout_notices = Family::default();
        let reuses = Family::default();
        let limited = Family::default();
        let refusals_dropped = Counter::default();
        let certificate_days_left = Family::default();
        let signing_key_days_left = Family::default();
        registry.register(
            "bankid_answers",
            "Answers of BankID, by operation and error",
            answers.clone(),
        );
        registry.register(
            "bankid_answer_seconds",
            "How long BankID takes to answer",
            answer_seconds.clone(),
        );
        registry.register(
            "bankid_orders_ended",
            "Orders that came to an end, by status and hint",
            orders_ended.clone(),
        );
        registry.register("logins_ended", "Logins that ended", logins_ended.clone());
        registry.register(
            "logout_notices",
            "Tries to tell a client of a logout",
            logout_notices.clone(),
        );
        registry.register(
            "grants_ended_by_reuse",
            "Grants that ended because a code or a refresh token was in two hands",
            reuses.clone(),
        );
        registry.register(
            "requests_limited",
            "Requests that were not looked at because too many came",
            limited.clone(),
        );
        registry.register(
            "refusals_dropped",
            "Refused requests that are not in the log of refusals because too many came",
            refusals_dropped.clone(),
        );
        registry.register(
            "bankid_certificate_days_left",
            "Days until a relying-party certificate can no longer be used",
            certificate_days_left.clone(),
        );
        registry.register(
            "signing_key_days_left",
            "Days until another key of this algorithm takes over",
            signing_key_days_left.clone(),
        );
        let key_generations = Family::default();
        registry.register(
            "data_key_generations",
            "Generations of a key of the database; more than one while it is being replaced",
            key_generations.clone(),
        );
        let resealed = Counter::default();
        registry.register(
            "values_resealed",
            "Values that this node sealed anew with the newest key",
            resealed.clone(),
        );
        registry.register(
            "database_given_up",
            "Statements and transactions that the database gave up in favour of others, and that were done again",
            given_up,
        );
        Metrics {
            key_generations,
            resealed,
            registry,
            answers,
            answer_seconds,
            orders_ended,
            logins_ended,
            logout_notices,
            reuses,
            limited,
            refusals_dropped,
            certificate_days_left,
            signing_key_days_left,
        }
    }

    /// BankID answered, or did not.
    pub fn bankid_answered<T>(
        &self,
        operation: &'static str,
        answer: &Result<T, Failure>,
        took: Duration,
    ) {
        let outcome = match answer {
            Ok(_) => "ok",
            Err(Failure::Unreachable(_)) => "unreachable",
            Err(Failure::Unreadable(_)) => "unreadable",
            Err(Failure::Resting | Failure::Crowded) => "not_asked",
            Err(Failure::Refused { code, .. }) => known(ERRORS, code),
        };
        let labels = Answer {
            operation,
            outcome: outcome.to_owned(),
        };
        self.answers.get_or_create(&labels).inc();
        self.answer_seconds
            .get_or_create(&Operation { operation })
            .observe(took.as_secs_f64());
    }

    /// An order came to an end.
    pub fn order_ended(&self, progress: &Progress) {
        let (status, hint) = match progress {
            Progress::Ordered(_) | Progress::Spent => return,
            Progress::Complete(_) => ("complete", ""),
            Progress::Failed(Hint(hint)) => ("failed", known(HINTS, hint)),
            Progress::Cancelled => ("cancelled", ""),
            Progress::Lost => ("lost", ""),
        };
        self.orders_ended.get_or_create(&End { status, hint }).inc();
    }

    /// A login ended, in a word for how.
    pub fn login_ended(&self, outcome: &'static str) {
        self.logins_ended.get_or_create(&Outcome { outcome }).inc();
    }

    /// A client was to be told of a logout, in a word for what came of it.
    pub fn logout_notice(&self, outcome: &'static str) {
        let labels = Outcome { outcome };
        self.logout_notices.get_or_create(&labels).inc();
    }

    /// A request was turned away by a limit.
    pub fn limited(&self, what: &'static str) {
        self.limited.get_or_create(&Kind { kind: what }).inc();
    }

    /// A refused request is not kept.
    pub fn refusal_dropped(&self) {
        self.refusals_dropped.inc();
    }

    /// What should be in one hand was shown again: somebody took it, or a client is broken.
    pub fn reused(&self, what: &'static str) {
        self.reuses.get_or_create(&Kind { kind: what }).inc();
    }

    /// How long a certificate is still good for.
    pub fn certificate(&self, profile: &str, days_left: i64) {
        let labels = Profile {
            profile: profile.to_owned(),
        };
        self.certificate_days_left
            .get_or_create(&labels)
            .set(days_left);
    }

    /// How long a key still signs.
    pub fn signing_key(&self, algorithm: Algorithm, days_left: i64) {
        let labels = Signs {
            algorithm: algorithm.as_str(),
        };
        self.signing_key_days_left
            .get_or_create(&labels)
            .set(days_left);
    }

    /// How many generations a key of the database has.
    pub fn key_generations(&self, purpose: &'static str, count: i64) {
        let labels = Purpose { purpose };
        self.key_generations.get_or_create(&labels).set(count);
    }

    /// Values were sealed anew.
    pub fn resealed(&self, count: u64) {
        self.resealed.inc_by(count);
    }

    /// All of it, in the OpenMetrics text format 1.0.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("text can always be added to");
        text
    }
}

fn known(list: &[&'static str], word: &str) -> &'static str {
    list.iter()
        .find(|known| **known == word)
        .unwrap_or(&"other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_says_makes_no_new_labels() {
        let _shows = crate::shows!(refusing "BC-12");
        let metrics = Metrics::new(Counter::default());
        for n in 0..100 {
            let failed = Progress::Failed(Hint(format!("brandNew{n}")));
            metrics.order_ended(&failed);
            let refused: Result<(), Failure> = Err(Failure::Refused {
                status: 400,
                code: format!("brandNew{n}"),
            });
            metrics.bankid_answered("collect", &refused, Duration::from_millis(30));
        }
        metrics.certificate("default", -1);
        metrics.refusal_dropped();
        let text = metrics.text();
        for line in [
            "portvakt_bankid_orders_ended_total{status=\"failed\",hint=\"other\"} 100",
            "portvakt_bankid_answers_total{operation=\"collect\",outcome=\"other\"} 100",
            "portvakt_bankid_answer_seconds_count{operation=\"collect\"} 100",
            "portvakt_bankid_certificate_days_left{profile=\"default\"} -1",
            "portvakt_refusals_dropped_total 1",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert!(!text.contains("brandNew"));
    }
}
