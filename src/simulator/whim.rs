//! Whims: what a real service does on a bad day, to be ordered by tests and from the phone's pages.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::StatusCode;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that the API does instead of what it should.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Whim {
    /// To which calls: `auth`, `collect`, `phone/sign`; to all when it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// What.
    pub what: What,
    /// How often; 0 is until it is taken back.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// What the API does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// Answers with one of BankID's errors.
    Error(ErrorCode),
    /// Answers with something that is no JSON, as a front end does that has lost its back end.
    Garbage,
    /// Never answers, and does nothing.
    Hang,
    /// Does what it was asked and never answers: a result that is given once is lost.
    Lose,
    /// Answers after this many milliseconds.
    Delay(u64),
    /// Does what it was asked at once, and answers after this many milliseconds: whoever does not live to
    /// hear it has lost a result that is given once.
    Late(u64),
    /// Answers with these members changed (RFC 7396): hints that nobody knows, another person,
    /// members that are missing.
    Patch(Value),
    /// Shows a certificate that BankID's root did not issue.
    Tls,
}

/// BankID's errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorCode {
    AlreadyInProgress,
    InvalidParameters,
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    UnsupportedMediaType,
    TooManyRequests,
    InternalError,
    Maintenance,
}

impl ErrorCode {
    /// The status that it comes with.
    pub fn status(self) -> StatusCode {
        match self {
            ErrorCode::AlreadyInProgress | ErrorCode::InvalidParameters => StatusCode::BAD_REQUEST,
            ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorCode::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::Maintenance => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The whims that are in force.
#[derive(Default)]
pub struct Whims {
    waiting: VecDeque<Whim>,
    /// Shared with what shows the certificate.
    pub is_tls_broken: Arc<AtomicBool>,
}

impl Whims {
    /// One more.
    pub fn add(&mut self, whim: Whim) {
        match whim.what {
            What::Tls => self.is_tls_broken.store(true, Ordering::Relaxed),
            _ => self.waiting.push_back(whim),
        }
    }

    /// None any more.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.is_tls_broken.store(false, Ordering::Relaxed);
    }

    /// All of them.
    pub fn all(&self) -> Vec<Whim> {
        let tls = self.is_tls_broken.load(Ordering::Relaxed).then_some(Whim {
            operation: None,
            what: What::Tls,
            times: 0,
        });
        self.waiting.iter().cloned().chain(tls).collect()
    }

    /// What happens to this call.
    pub fn take(&mut self, operation: &str) -> Option<What> {
        let meant = |whim: &Whim| whim.operation.as_deref().is_none_or(|o| o == operation);
        let at = self.waiting.iter().position(meant)?;
        let whim = &mut self.waiting[at];
        let what = whim.what.clone();
        match whim.times {
            0 => {}
            1 => drop(self.waiting.remove(at)),
            _ => whim.times -= 1,
        }
        Some(what)
    }
}

/// RFC 7396.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(members) = target.as_object_mut() else {
        return;
    };
    for (name, value) in patch {
        match value {
            Value::Null => drop(members.remove(name)),
            value => merge(members.entry(name.clone()).or_insert(Value::Null), value),
        }
    }
}

/// Shows the right certificate, or a stranger's while TLS is to fail.
#[derive(Debug)]
pub struct Certificates {
    /// The right one.
    pub right: Arc<dyn ResolvesServerCert>,
    /// One that no relying party trusts.
    pub wrong: Arc<CertifiedKey>,
    /// Which of them.
    pub is_broken: Arc<AtomicBool>,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        match self.is_broken.load(Ordering::Relaxed) {
            true => Some(self.wrong.clone()),
            false => self.right.resolve(hello),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn whim(text: &str) -> Whim {
        serde_json::from_str(text).expect("a whim")
    }

    #[test]
    fn a_whim_happens_to_the_calls_it_is_meant_for_and_as_often() {
        let mut whims = Whims::default();
        whims.add(whim(
            r#"{"operation": "auth", "what": {"error": "maintenance"}, "times": 2}"#,
        ));
        whims.add(whim(r#"{"what": "garbage"}"#));
        let maintenance = || Some(What::Error(ErrorCode::Maintenance));
        assert_eq!(whims.take("auth"), maintenance());
        assert_eq!(whims.take("collect"), Some(What::Garbage));
        assert_eq!(whims.take("collect"), None);
        assert_eq!(whims.take("auth"), maintenance());
        assert_eq!(whims.take("auth"), None);
        whims.add(whim(r#"{"what": {"delay": 20}, "times": 0}"#));
        whims.add(whim(r#"{"what": "tls"}"#));
        assert_eq!(whims.take("cancel"), whims.take("cancel"));
        assert_eq!(whims.all().len(), 2);
        whims.clear();
        assert_eq!((whims.take("cancel"), whims.all().len()), (None, 0));
        for wrong in [r#"{"what": "sing"}"#, r#"{"what": "hang", "extra": 1}"#] {
            assert!(serde_json::from_str::<Whim>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn answers_are_changed_as_rfc_7396_has_it() {
        for (target, patch, merged) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": "b", "b": "c"}),
                json!({"a": null}),
                json!({"b": "c"}),
            ),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
        ] {
            let mut changed = target.clone();
            merge(&mut changed, &patch);
            assert_eq!(changed, merged, "{target} {patch}");
        }
    }
}
