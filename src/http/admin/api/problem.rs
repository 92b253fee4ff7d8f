//! Why something was not done, for a program (RFC 9457): a type that stays, a title for each type, what is
//! wrong this time, and every mistake at its place in what was sent.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::super::super::answer::{self, Answer};
use super::condition;
use crate::admin::Unmet;
use crate::admin::scope::Scope;
use crate::client::setting::Mistake;
use crate::error::{Error, Fault, Refusal};

macro_rules! kinds {
    ($($name:ident $status:literal $text:literal: $title:literal;)+) => {
        /// What can go wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $(#[doc = $title] $name),+ }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Kind] = &[$(Kind::$name),+];

            /// The status that it is answered with.
            pub fn status(self) -> StatusCode {
                let number: u16 = match self { $(Kind::$name => $status),+ };
                StatusCode::from_u16(number).expect("these are statuses")
            }

            /// Its type, a URN.
            pub fn urn(self) -> String {
                let text = match self { $(Kind::$name => $text),+ };
                format!("urn:portvakt:problem:{text}")
            }

            /// What it is, in a line that stays the same.
            pub fn title(self) -> &'static str {
                match self { $(Kind::$name => $title),+ }
            }
        }
    };
}

kinds! {
    Mistakes 400 "mistakes": "What was sent does not hold together";
    Unreadable 400 "unreadable": "What was sent cannot be read";
    Unproven 401 "unproven": "An access token is needed";
    Scope 403 "scope": "The access token does not allow this";
    Forbidden 403 "forbidden": "This is not allowed";
    Unknown 404 "unknown": "There is no such thing";
    Method 405 "method": "This takes another method";
    Slow 408 "slow": "The request did not arrive in time";
    Taken 409 "taken": "It is there already";
    Elsewhere 409 "managed-elsewhere": "This is managed elsewhere";
    Stale 409 "stale": "Somebody else was faster";
    Changed 412 "changed": "It is not the version that was seen";
    TooLarge 413 "too-large": "The body is too large";
    MediaType 415 "media-type": "The body is of another media type";
    Misdirected 421 "misdirected": "This is another address";
    Unconditional 428 "unconditional": "If-Match is needed";
    Failed 500 "failed": "Something went wrong here";
    Unavailable 503 "unavailable": "Something that this needs cannot be reached";
}

/// Something that was not done.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    mistakes: Vec<Mistake>,
    headers: Vec<(HeaderName, HeaderValue)>,
    fault: Option<Box<Fault>>,
}

impl Problem {
    /// A problem and what is wrong this time.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        Problem {
            kind,
            detail: detail.into(),
            mistakes: Vec::new(),
            headers: Vec::new(),
            fault: None,
        }
    }

    /// What is wrong in what was sent, each at its place.
    pub fn mistakes(mistakes: Vec<Mistake>) -> Problem {
        Problem::from(Unmet::Mistakes(mistakes))
    }

    /// One thing that is wrong.
    pub fn mistake(place: &str, reason: impl Into<String>) -> Problem {
        Problem::mistakes(vec![Mistake::new(place, reason)])
    }

    /// A version that is there no more, and the one that is.
    pub fn changed(version: i64) -> Problem {
        let detail = format!(
            "somebody else has changed it since you read it: it is at version {version} now"
        );
        Problem::new(Kind::Changed, detail).with(header::ETAG, condition::tag(version))
    }

    /// RFC 6750 §3, RFC 9449 §7.1: a token that does not open this.
    pub fn unproven(refusal: Option<Refusal>, scope: Scope) -> Problem {
        let status = refusal.map(answer::unproven_status);
        let kind = match status {
            None | Some(StatusCode::UNAUTHORIZED) => Kind::Unproven,
            Some(StatusCode::FORBIDDEN) => Kind::Scope,
            Some(_) => Kind::Unreadable,
        };
        let detail = match (kind, refusal) {
            (Kind::Scope, _) => format!("this takes the scope {}", scope.as_str()),
            (_, Some(refusal)) => refusal.description.to_owned(),
            (_, None) => "send an access token in the header Authorization".to_owned(),
        };
        let challenges = answer::challenges(refusal, scope.as_str()).into_iter();
        challenges.fold(Problem::new(kind, detail), |problem, challenge| {
            problem.with(header::WWW_AUTHENTICATE, challenge)
        })
    }

    /// The same where it may also be our doing.
    pub fn of_token(error: Error, scope: Scope) -> Problem {
        match error {
            Error::Refused(refusal) => Problem::unproven(Some(refusal), scope),
            Error::Fault(fault) => fault.into(),
        }
    }

    /// A body that did not arrive.
    pub fn of_body(status: StatusCode) -> Problem {
        let kind = match status {
            StatusCode::PAYLOAD_TOO_LARGE => Kind::TooLarge,
            StatusCode::REQUEST_TIMEOUT => Kind::Slow,
            _ => Kind::Unreadable,
        };
        Problem::new(kind, "the body is too large, too slow or incomplete")
    }

    /// What is wrong in what was sent.
    pub fn told_mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// With a header.
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.headers.push((name, value));
        self
    }

    /// With its mistakes at other places: what the settings of a client are called is not where they were
    /// sent.
    pub fn at(mut self, place: impl Fn(&str) -> String) -> Problem {
        for mistake in &mut self.mistakes {
            mistake.setting = place(&mistake.setting);
        }
        match self.kind {
            Kind::Mistakes => Problem::mistakes(self.mistakes),
            _ => self,
        }
    }

    /// The answer. A fault is logged here and nowhere else, by the reference that the answer has, too.
    pub fn answer(self, reference: &str) -> Answer {
        if let Some(fault) = &self.fault {
            tracing::error!(%fault, %reference, "a request to the administration's API failed");
        }
        let body = self.body(reference);
        let answer = Answer::problem(self.kind.status(), &body);
        let headers = self.headers.into_iter();
        headers.fold(answer, |answer, (name, value)| {
            answer.with_value(name, value)
        })
    }

    fn body(&self, reference: &str) -> Value {
        let mut body = json!({
            "type": self.kind.urn(),
            "title": self.kind.title(),
            "status": self.kind.status().as_u16(),
            "detail": self.detail,
        });
        if !self.mistakes.is_empty() {
            let mistake = |one: &Mistake| json!({"setting": one.setting, "reason": one.reason});
            body["mistakes"] = self.mistakes.iter().map(mistake).collect();
        }
        if self.fault.is_some() {
            body["reference"] = reference.into();
        }
        body
    }
}

impl From<Unmet> for Problem {
    fn from(unmet: Unmet) -> Problem {
        let detail = unmet.to_string();
        match unmet {
            Unmet::Unknown(_) => Problem::new(Kind::Unknown, detail),
            Unmet::Changed(read) => Problem::changed(read.version),
            Unmet::Stale => Problem::new(Kind::Stale, detail),
            Unmet::Elsewhere(..) => Problem::new(Kind::Elsewhere, detail),
            Unmet::Taken => Problem::new(Kind::Taken, detail),
            Unmet::Forbidden(_) => Problem::new(Kind::Forbidden, detail),
            Unmet::Mistakes(mistakes) => Problem {
                mistakes,
                ..Problem::new(Kind::Mistakes, detail)
            },
            Unmet::Fault(fault) => fault.into(),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        let kind = match fault {
            Fault::Database(sqlx::Error::PoolTimedOut | sqlx::Error::Io(_)) => Kind::Unavailable,
            _ => Kind::Failed,
        };
        Problem {
            fault: Some(Box::new(fault)),
            ..Problem::new(kind, "the program's log says more, under the reference")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::registered::ManagedBy;
    use crate::error::Code;

    #[test]
    fn every_reason_has_a_status_and_a_type_of_its_own() {
        let _shows = crate::shows!(accepting "PV-API-3", refusing "PV-API-3");
        let mistakes = vec![Mistake::new("a.b", "is wrong"), Mistake::new("", "too")];
        for (unmet, status, urn) in [
            (Unmet::Unknown("client"), 404, "unknown"),
            (Unmet::Stale, 409, "stale"),
            (Unmet::Taken, 409, "taken"),
            (
                Unmet::Elsewhere(ManagedBy::File, "x".into()),
                409,
                "managed-elsewhere",
            ),
            (Unmet::Forbidden("no"), 403, "forbidden"),
            (Unmet::Mistakes(mistakes), 400, "mistakes"),
            (Unmet::Fault(Fault::Panicked), 500, "failed"),
            (
                Unmet::Fault(sqlx::Error::PoolTimedOut.into()),
                503,
                "unavailable",
            ),
        ] {
            let body = Problem::from(unmet).body("0a1b");
            assert_eq!(body["status"], status, "{body}");
            assert_eq!(body["type"], format!("urn:portvakt:problem:{urn}"));
            assert_eq!(
                body["title"].as_str().is_some(),
                body["detail"].as_str().is_some()
            );
            assert_eq!(body.get("reference").is_some(), status >= 500, "{body}");
            assert!(
                !body.to_string().contains("panic"),
                "a fault is for the log"
            );
        }
        let placed = Problem::mistake("scopes", "is wrong").at(|place| format!("metadata.{place}"));
        let body = placed.body("");
        assert_eq!(
            body["mistakes"],
            json!([{"setting": "metadata.scopes", "reason": "is wrong"}])
        );
        assert_eq!(body["detail"], "metadata.scopes: is wrong");
        let changed = Problem::changed(4);
        assert_eq!(
            changed.headers,
            [(header::ETAG, HeaderValue::from_static("\"v4\""))]
        );
        assert_eq!(changed.body("")["status"], 412);
    }

    #[test]
    fn whoever_proves_too_little_is_told_what_would_do() {
        let _shows = crate::shows!(refusing "PV-API-2");
        let scope = Scope::KeysRead;
        let told = |refusal| {
            let problem = Problem::unproven(refusal, scope);
            let challenges = problem.headers.iter().map(|(name, value)| {
                assert_eq!(name, header::WWW_AUTHENTICATE);
                value.to_str().expect("ASCII").to_owned()
            });
            (problem.kind, challenges.collect::<Vec<_>>().join("\n"))
        };
        let refused = |code| Some(Refusal::new(code, "no"));
        let (kind, said) = told(None);
        assert!(kind == Kind::Unproven && !said.contains("error"), "{said}");
        let (kind, said) = told(refused(Code::InvalidToken));
        assert!(
            kind == Kind::Unproven && said.contains("error=\"invalid_token\""),
            "{said}"
        );
        let (kind, said) = told(refused(Code::InsufficientScope));
        assert_eq!(kind, Kind::Scope);
        assert!(said.contains("scope=\"portvakt:keys:read\""), "{said}");
        assert_eq!(told(refused(Code::InvalidRequest)).0, Kind::Unreadable);
    }
}
