//! What came with a refused request, read once more when all is over: nothing here is asked before a
//! request was refused, and nothing of it decides anything.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::answer::Noted;
use super::authorize::PARAMETER_LIMIT;
use super::input::Request;
use crate::authorize::pushed;
use crate::authorize::request::Parameters;
use crate::client::authentication::form_decoded;
use crate::client::method::Method;
use crate::client::mistake::received::Token;
use crate::client::mistake::{Endpoint, Received};
use crate::id::ClientId;
use crate::jose::jwt::unverified_claims;
use crate::provider::Provider;
use crate::refusals::Refused;
use crate::secret::{Digest, Secret};
use crate::token::access_token;

/// Leaves word of a refused request, where a client made it.
pub fn note(provider: &Provider, request: &Request, reference: &str, noted: Noted) {
    let Some(endpoint) = Endpoint::at(request.path()) else {
        return;
    };
    provider.metrics.refused(endpoint, noted.code);
    if !provider.refusals.have_room() {
        provider.metrics.refusal_dropped();
        return;
    }
    let refused = Refused {
        endpoint,
        reason: noted.reason,
        code: noted.code,
        reference: noted.reference.unwrap_or_else(|| reference.to_owned()),
        at: provider.clock.now(),
        received: Received {
            said: noted.said,
            ..received(provider, request, endpoint, noted.asked)
        },
    };
    if !provider.refusals.note(refused) {
        provider.metrics.refusal_dropped();
    }
}

fn received(
    provider: &Provider,
    request: &Request,
    endpoint: Endpoint,
    asked: Option<Parameters>,
) -> Received {
    let query = request.query(PARAMETER_LIMIT).unwrap_or_default();
    let parameters = match (asked, endpoint) {
        (Some(asked), _) => asked,
        (None, Endpoint::Authorize | Endpoint::Logout) => query.clone(),
        (None, _) => request.form(PARAMETER_LIMIT).unwrap_or_default(),
    };
    let token = |name: &str| parameters.first(name).and_then(Token::read);
    let (ways, header_id, readings) = ways(request, &parameters);
    let assertion = token("client_assertion");
    let shown = shown(request, &parameters, endpoint);
    let bearer = shown.as_deref().and_then(Token::read);
    let client_id = header_id
        .or_else(|| parameters.first("client_id").map(str::to_owned))
        .or_else(|| query.first("client_id").map(str::to_owned))
        .or_else(|| of_token(assertion.as_ref(), "sub"))
        .or_else(|| of_token(bearer.as_ref(), "client_id"))
        .or_else(|| Some(bearer.as_ref()?.audience().first()?.to_string()))
        .or_else(|| request.path_part("id").map(str::to_owned));
    let asked = with_signed(&parameters);
    let length = |name: &'static str| {
        let value = asked.first(name)?;
        Some((name, value.chars().count()))
    };
    Received {
        client_id,
        repeated: parameters.repeated(),
        in_query: query.names(),
        ways,
        secrets: readings.iter().map(|text| Digest::of(text)).collect(),
        trimmed: readings
            .iter()
            .map(|text| Digest::of(text.trim()))
            .collect(),
        content_type: request.header("content-type").map(str::to_owned),
        assertion,
        request_object: token("request"),
        proof: request.header("dpop").and_then(Token::read),
        endpoint: format!("{}{}", request.called_at(&provider.config), request.path()),
        token: bearer,
        access_token: shown.as_deref().and_then(access_token::read),
        refresh_token: parameters
            .first("refresh_token")
            .and_then(Secret::parse)
            .map(|token| token.digest()),
        code: parameters
            .first("code")
            .and_then(Secret::parse)
            .map(|code| code.digest()),
        pushed: pushed::brought(&parameters).ok().flatten(),
        lengths: Received::LENGTHS.into_iter().filter_map(length).collect(),
        has_certificate: request.certificate.is_some(),
        said: None,
        parameters: asked.only(&Received::PARAMETERS),
    }
}

/// With what a signed request says instead (RFC 9101 §6.3), which was looked at where it holds.
fn with_signed(parameters: &Parameters) -> Parameters {
    let signed = parameters.first("request");
    let inside = signed.and_then(unverified_claims).unwrap_or_default();
    let texts = inside.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, text)),
        _ => None,
    });
    Parameters::from_pairs(texts).before(parameters)
}

fn of_token(token: Option<&Token>, claim: &str) -> Option<String> {
    token?.claim(claim).map(str::to_owned)
}

/// An access token at userinfo, an ID token at a logout.
fn shown(request: &Request, form: &Parameters, endpoint: Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::Userinfo => {
            let header = request.header("authorization").unwrap_or_default();
            let in_header = header.split_once(' ').map(|(_, token)| token.trim());
            in_header.or(form.first("access_token")).map(str::to_owned)
        }
        Endpoint::Logout => form.first("id_token_hint").map(str::to_owned),
        _ => None,
    }
}

/// In which ways a client authenticates, all of them; its name in the header, and the secret that it showed
/// in each reading.
fn ways(request: &Request, form: &Parameters) -> (Vec<&'static str>, Option<String>, Vec<String>) {
    let header = request.header("authorization");
    let basic = header.and_then(|header| {
        let (scheme, value) = header.split_once(' ')?;
        let is_basic = scheme.eq_ignore_ascii_case("basic");
        let decoded = STANDARD.decode(value.trim()).ok().filter(|_| is_basic)?;
        let (id, secret) = String::from_utf8(decoded)
            .ok()?
            .split_once(':')
            .map(|(id, secret)| (id.to_owned(), secret.to_owned()))?;
        // As the rule reads it.
        let id = form_decoded(&id)
            .filter(|id| ClientId::parse(id).is_some())
            .unwrap_or(id);
        let decoded = form_decoded(&secret);
        Some((id, [Some(secret), decoded].into_iter().flatten().collect()))
    });
    let in_form = form.first("client_secret");
    let mut ways = Vec::new();
    for (is_sent, method) in [
        (basic.is_some(), Method::ClientSecretBasic),
        (in_form.is_some(), Method::ClientSecretPost),
        (
            form.first("client_assertion").is_some(),
            Method::PrivateKeyJwt,
        ),
    ] {
        if is_sent {
            ways.push(method.as_str());
        }
    }
    if ways.is_empty() {
        ways.push(Method::None.as_str());
    }
    match basic {
        Some((id, readings)) => (ways, Some(id), readings),
        None => (ways, None, in_form.map(str::to_owned).into_iter().collect()),
    }
}
