//! What clients are told when they do not get what they ask for, as JSON and as challenges.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use serde_json::json;

use super::{Answer, Noted};
use crate::client::mistake::Reason;
use crate::client::registration::Refused;
use crate::error::{Code, Refusal};
use crate::jose::jwks::ClientAlgorithm;
use crate::token::dpop;

/// RFC 9126 §2.3: a request that is larger than we carry.
pub fn too_large() -> Answer {
    let refusal = Refusal::new(Code::InvalidRequest, "the request is too large");
    let answer = Answer {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        ..refused_json(refusal)
    };
    answer.noting(Noted::mistake(Reason::BodyTooLarge).with_code(refusal.code))
}

/// RFC 9126 §2.3: more requests than one caller may make.
pub fn too_many() -> Answer {
    refused_json(Refusal::new(
        Code::TemporarilyUnavailable,
        "too many requests",
    ))
}

/// RFC 7591 §3.2.2.
pub fn unregistered(refused: &Refused) -> Answer {
    let reason = match refused.code {
        Code::InvalidRedirectUri => Reason::RegistrationRedirectUri,
        _ => Reason::RegistrationMetadata,
    };
    error_json(refused.code, &refused.description).noting(Noted {
        said: Some(refused.description.clone()),
        ..Noted::mistake(reason).with_code(refused.code)
    })
}

fn error_json(code: Code, description: &str) -> Answer {
    let body = json!({ "error": code.as_str(), "error_description": description });
    Answer {
        status: StatusCode::BAD_REQUEST,
        ..Answer::json(&body)
    }
}

/// RFC 6749 §5.2. A client that failed to authenticate is told how it could.
pub(super) fn refused_json(refusal: Refusal) -> Answer {
    let mut answer = error_json(refusal.code, refusal.description);
    if refusal.code == Code::InvalidClient {
        answer.status = StatusCode::UNAUTHORIZED;
        return answer.with(header::WWW_AUTHENTICATE, "Basic realm=\"portvakt\"");
    }
    if refusal.code == Code::TemporarilyUnavailable {
        answer.status = StatusCode::TOO_MANY_REQUESTS;
        return answer.with(header::RETRY_AFTER, "5");
    }
    answer
}

/// RFC 6750 §3, RFC 9449 §7.1: the challenge, bare when no token was sent. Which way a token goes, its
/// client knows.
pub fn challenge(refusal: Option<Refusal>) -> Answer {
    let answer = unproven(refusal);
    challenges(refusal, "openid")
        .into_iter()
        .fold(answer, |answer, value| {
            answer.with_value(header::WWW_AUTHENTICATE, value)
        })
}

/// What such an answer says in its headers. `scope` is what the token would have to have.
pub fn challenges(refusal: Option<Refusal>, scope: &str) -> Vec<HeaderValue> {
    let algorithms = dpop::ALGORITHMS.map(ClientAlgorithm::as_str).join(" ");
    let said = refusal.map_or_else(String::new, |refusal| said(refusal, scope));
    let bearer = format!("Bearer realm=\"portvakt\"{said}");
    let proving = format!("DPoP realm=\"portvakt\", algs=\"{algorithms}\"{said}");
    let both = match refusal.map(|refusal| refusal.code) {
        Some(Code::InvalidDpopProof) => vec![proving],
        None | Some(Code::InvalidToken | Code::InsufficientScope) => vec![bearer, proving],
        Some(_) => vec![bearer],
    };
    both.iter().map(|said| header_value(said)).collect()
}

/// The same where tokens are bound to nothing.
pub fn bearer_challenge(refusal: Option<Refusal>) -> Answer {
    let said = refusal.map_or_else(String::new, |refusal| said(refusal, "openid"));
    let challenge = header_value(&format!("Bearer realm=\"portvakt\"{said}"));
    unproven(refusal).with_value(header::WWW_AUTHENTICATE, challenge)
}

fn header_value(challenge: &str) -> HeaderValue {
    HeaderValue::from_str(challenge).expect("codes and descriptions are ASCII")
}

fn said(refusal: Refusal, scope: &str) -> String {
    let mut said = format!(
        ", error=\"{}\", error_description=\"{}\"",
        refusal.code, refusal.description
    );
    if refusal.code == Code::InsufficientScope {
        said += &format!(", scope=\"{scope}\"");
    }
    said
}

/// An answer to whoever proves nothing.
fn unproven(refusal: Option<Refusal>) -> Answer {
    let Some(refusal) = refusal else {
        return Answer::new(StatusCode::UNAUTHORIZED, "application/json", "{}");
    };
    refused_json(refusal).as_status(unproven_status(refusal))
}

/// RFC 6750 §3.1.
pub fn unproven_status(refusal: Refusal) -> StatusCode {
    match refusal.code {
        Code::InvalidToken | Code::InvalidDpopProof => StatusCode::UNAUTHORIZED,
        Code::InsufficientScope => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// The same, for scripts.
pub fn forbidden_json() -> Answer {
    let mut answer = Answer::json(&json!({ "error": "forbidden" }));
    answer.status = StatusCode::FORBIDDEN;
    answer
}
