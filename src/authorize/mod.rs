//! What is asked, and may it be? Step 1 of a login (OpenID Connect Core §3.1.2, RFC 6749 §4.1)
//!
//! [`admit`] is the table of rules in order. It has two halves: before the redirect URI is proven
//! nothing may be sent to it, and a mistake is shown on a page of our own; after that, a mistake
//! is the client's to hear.

pub mod interaction;
pub mod pkce;
pub mod pushed;
pub mod redirect_uri;
pub mod request;
pub mod request_object;
pub mod resource;
pub mod response;

use crate::bankid::personal_number::PersonalNumber;
use crate::claims::release::Claim;
use crate::claims::request::ClaimsRequest;
use crate::client::Client;
use crate::client::mistake::Reason;
use crate::clock::Seconds;
use crate::error::{Code, Refusal};
use crate::jose::jwks::Thumbprint;
use pkce::Challenge;
use redirect_uri::ReturnAddress;
use request::{AuthorizationRequest, Parameters, Prompt, ResponseMode, Scope, parse_max_age};
use resource::Resources;

/// What the provider's configuration says of requests.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Our name, which stands for userinfo among resources.
    pub issuer: String,
    /// The authentication context class that a BankID login has here.
    pub acr: String,
}

/// A mistake that must not be sent anywhere: who asks or where to answer is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageMistake {
    /// No `client_id`.
    ClientMissing,
    /// `client_id` twice.
    ClientRepeated,
    /// Nobody's `client_id`.
    ClientUnknown,
    /// No `redirect_uri`.
    RedirectUriMissing,
    /// `redirect_uri` twice.
    RedirectUriRepeated,
    /// Not one of the client's.
    RedirectUriUnregistered,
    /// A `response_mode` that we do not answer in, or not at this address (OpenID Connect Core
    /// §3.1.2.6: the answer would have to go by a way that was not asked for).
    ResponseMode,
    /// The name of a pushed request that is unknown, too old, answered or another client's.
    RequestUriUnknown,
    /// Two requests at once.
    RequestUriAmbiguous,
    /// A signed request that is not what it should be, and no other address to answer at.
    RequestObject,
    /// Not form-urlencoded UTF-8, too long, or with control characters.
    Unreadable,
}

/// A mistake that the client is told, one for each rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// RFC 6749 §3.1.
    Repeated,
    /// RFC 6749 §4.1.2.1.
    ResponseTypeMissing,
    /// RFC 6749 §4.1.2.1; RFC 9700 §2.1.2.
    ResponseType,
    /// OpenID Connect Core §3.1.2.6.
    RequestObject,
    /// OpenID Connect Core §3.1.2.6.
    RequestUri,
    /// OpenID Connect Core §3.1.2.6.
    Registration,
    /// OpenID Connect Core §3.1.2.2.
    ScopeWithoutOpenid,
    /// RFC 6749 §4.1.2.1.
    ScopePersonalNumber,
    /// RFC 8707 §2.
    Resource,
    /// RFC 7636 §4.4.1.
    ChallengeMissing,
    /// RFC 7636 §4.4.1.
    ChallengeMethod,
    /// RFC 7636 §4.2.
    ChallengeMalformed,
    /// OpenID Connect Core §3.1.2.1.
    PromptNoneAndMore,
    /// OpenID Connect Core §3.1.2.1.
    MaxAge,
    /// OpenID Connect Core §5.5.
    Claims,
    /// OpenID Connect Core §5.5.1.1; Unmet Authentication Requirements §3.
    Acr,
    /// OpenID Connect Core §3.1.2.1.
    IdTokenHint,
    /// A `nonce` that is longer than we carry.
    NonceTooLong,
    /// Not a thumbprint (RFC 9449 §10).
    DpopJkt,
    /// RFC 9126 §6.
    NotPushed,
    /// RFC 9101 §6.2, §6.3: a signed request that is not what it should be.
    RequestObjectBad,
    /// RFC 9101 §10.8: a signed request that was answered before.
    RequestObjectUsed,
    /// OpenID Connect Core §6.1.
    RequestObjectDiffers,
    /// RFC 9101 §5.
    RequestTwice,
    /// RFC 9101 §10.5.
    NotSigned,
    /// FAPI 2.0 Message Signing §5.4, where a client is registered for some ways alone.
    ResponseMode,
}

impl From<PageMistake> for Reason {
    fn from(mistake: PageMistake) -> Reason {
        match mistake {
            PageMistake::ClientMissing => Reason::ClientIdMissing,
            PageMistake::ClientRepeated => Reason::ClientIdRepeated,
            PageMistake::ClientUnknown => Reason::ClientIdUnknown,
            PageMistake::RedirectUriMissing => Reason::RedirectUriMissing,
            PageMistake::RedirectUriRepeated => Reason::RedirectUriRepeated,
            PageMistake::RedirectUriUnregistered => Reason::RedirectUriUnregistered,
            PageMistake::ResponseMode => Reason::ResponseModeUnsupported,
            PageMistake::RequestUriUnknown => Reason::PushedRequestUnknown,
            PageMistake::RequestUriAmbiguous => Reason::RequestsAmbiguous,
            PageMistake::RequestObject => Reason::RequestObjectInvalid,
            PageMistake::Unreadable => Reason::ParametersUnreadable,
        }
    }
}

impl From<Mistake> for Reason {
    fn from(mistake: Mistake) -> Reason {
        match mistake {
            Mistake::Repeated => Reason::ParameterRepeated,
            Mistake::ResponseTypeMissing => Reason::ResponseTypeMissing,
            Mistake::ResponseType => Reason::ResponseTypeUnsupported,
            Mistake::RequestObject => Reason::RequestObjectUnexpected,
            Mistake::RequestUri => Reason::RequestUriUnsupported,
            Mistake::Registration => Reason::RegistrationUnsupported,
            Mistake::ScopeWithoutOpenid => Reason::OpenidMissing,
            Mistake::ScopePersonalNumber => Reason::PersonalNumberNotEntitled,
            Mistake::Resource => Reason::ResourceNotAllowed,
            Mistake::ChallengeMissing => Reason::PkceMissing,
            Mistake::ChallengeMethod => Reason::PkceMethod,
            Mistake::ChallengeMalformed => Reason::ChallengeMalformed,
            Mistake::PromptNoneAndMore => Reason::PromptNoneAndMore,
            Mistake::MaxAge => Reason::MaxAgeMalformed,
            Mistake::Claims => Reason::ClaimsInvalid,
            Mistake::Acr => Reason::AcrUnmet,
            Mistake::IdTokenHint => Reason::IdTokenHintForeign,
            Mistake::NonceTooLong => Reason::NonceTooLong,
            Mistake::DpopJkt => Reason::DpopJktMalformed,
            Mistake::NotPushed => Reason::NotPushed,
            Mistake::RequestObjectBad => Reason::RequestObjectInvalid,
            Mistake::RequestObjectUsed => Reason::RequestObjectUsed,
            Mistake::RequestObjectDiffers => Reason::RequestObjectDiffers,
            Mistake::RequestTwice => Reason::RequestsAmbiguous,
            Mistake::NotSigned => Reason::NotSigned,
            Mistake::ResponseMode => Reason::ResponseModeUnregistered,
        }
    }
}

impl From<Mistake> for Refusal {
    fn from(mistake: Mistake) -> Refusal {
        let (code, description) = match mistake {
            Mistake::Repeated => (Code::InvalidRequest, "a parameter was sent more than once"),
            Mistake::ResponseTypeMissing => (Code::InvalidRequest, "response_type is missing"),
            Mistake::ResponseType => (
                Code::UnsupportedResponseType,
                "only response_type=code is supported",
            ),
            Mistake::RequestObject => (
                Code::RequestNotSupported,
                "the request parameter is not supported: this client has no keys",
            ),
            Mistake::RequestUri => (
                Code::RequestUriNotSupported,
                "the request_uri parameter is not supported",
            ),
            Mistake::Registration => (
                Code::RegistrationNotSupported,
                "the registration parameter is not supported",
            ),
            Mistake::ScopeWithoutOpenid => (Code::InvalidScope, "the scope must contain openid"),
            Mistake::ScopePersonalNumber => (
                Code::InvalidScope,
                "this client is not entitled to the scope personal_number",
            ),
            Mistake::Resource => return resource::INVALID_TARGET,
            Mistake::ChallengeMissing => (
                Code::InvalidRequest,
                "code_challenge is missing: this client must use PKCE",
            ),
            Mistake::ChallengeMethod => {
                (Code::InvalidRequest, "code_challenge_method must be S256")
            }
            Mistake::ChallengeMalformed => (
                Code::InvalidRequest,
                "code_challenge must be 43 characters of base64url",
            ),
            Mistake::PromptNoneAndMore => (
                Code::InvalidRequest,
                "prompt=none cannot be combined with other values",
            ),
            Mistake::MaxAge => (
                Code::InvalidRequest,
                "max_age must be a non-negative whole number of seconds",
            ),
            Mistake::Claims => (
                Code::InvalidRequest,
                "the claims parameter is not a valid claims request",
            ),
            Mistake::Acr => (
                Code::UnmetAuthenticationRequirements,
                "the essential acr cannot be met by a BankID login here",
            ),
            Mistake::IdTokenHint => (
                Code::InvalidRequest,
                "id_token_hint is not an ID token of this provider for this client",
            ),
            Mistake::NonceTooLong => (Code::InvalidRequest, "nonce is longer than 512 characters"),
            Mistake::DpopJkt => (
                Code::InvalidRequest,
                "dpop_jkt is not a SHA-256 thumbprint in base64url",
            ),
            Mistake::NotPushed => (
                Code::InvalidRequest,
                "this client must push its requests beforehand",
            ),
            // Which of the two it was, the log of refusals knows.
            Mistake::RequestObjectBad | Mistake::RequestObjectUsed => (
                Code::InvalidRequestObject,
                "the request object is not good: signature, alg, typ, iss, aud, exp, nbf, jti or a member",
            ),
            Mistake::RequestObjectDiffers => (
                Code::InvalidRequest,
                "client_id or response_type differ within and beside the request object",
            ),
            Mistake::RequestTwice => (
                Code::InvalidRequest,
                "request and request_uri cannot be combined",
            ),
            Mistake::NotSigned => (Code::InvalidRequest, "this client must sign its requests"),
            Mistake::ResponseMode => (
                Code::InvalidRequest,
                "this client is not registered for this response_mode",
            ),
        };
        Refusal::new(code, description).because(mistake.into())
    }
}

/// A request that is not admitted.
#[derive(Clone, Debug)]
pub enum Refused {
    /// Told on a page of ours.
    Page(PageMistake),
    /// Told to the client.
    Client(Box<Answerable>),
}

/// A mistake with the address where it may be told.
#[derive(Clone, Debug)]
pub struct Answerable {
    /// Where.
    pub return_address: ReturnAddress,
    /// Echoed.
    pub state: Option<String>,
    /// What.
    pub mistake: Mistake,
}

impl Answerable {
    fn told(raw: &Parameters, return_address: ReturnAddress, mistake: Mistake) -> Refused {
        let state = (!raw.is_repeated("state"))
            .then(|| raw.first("state").map(str::to_owned))
            .flatten();
        Refused::Client(Box::new(Answerable {
            return_address,
            state,
            mistake,
        }))
    }
}

/// Reads who a hint speaks of: `id_token_hint` → its subject, when it is an ID token of ours for
/// this client (its end may have passed). Pure, but in need of keys, so it is handed in.
pub type HintReader<'a> = &'a dyn Fn(&str) -> Option<String>;

/// All rules for an authorization request, in order.
pub fn admit(
    raw: &Parameters,
    client: &Client,
    policy: &Policy,
    hint: HintReader<'_>,
) -> Result<AuthorizationRequest, Refused> {
    let return_address = redirect_uri::resolve(raw, client).map_err(Refused::Page)?;
    rules(raw, client, policy, hint, &return_address)
        .map_err(|mistake| Answerable::told(raw, return_address, mistake))
}

/// Who asks, before anything is looked up (RFC 6749 §4.1.2.1).
pub fn client_id(raw: &Parameters) -> Result<&str, PageMistake> {
    if raw.is_repeated("client_id") {
        return Err(PageMistake::ClientRepeated);
    }
    raw.first("client_id").ok_or(PageMistake::ClientMissing)
}

fn rules(
    raw: &Parameters,
    client: &Client,
    policy: &Policy,
    hint: HintReader<'_>,
    return_address: &ReturnAddress,
) -> Result<AuthorizationRequest, Mistake> {
    if raw.has_repetition() {
        return Err(Mistake::Repeated);
    }
    response_type(raw)?;
    response_mode(raw, client)?;
    by_reference(raw)?;
    let scope = scope(raw, client)?;
    let resources = Resources::read(raw, client, &policy.issuer).map_err(|_| Mistake::Resource)?;
    let claims = claims(raw, policy)?;
    let expected_subjects = expected_subjects(raw, &claims, hint)?;
    Ok(AuthorizationRequest {
        client_id: client.client_id.clone(),
        return_address: return_address.clone(),
        scope,
        resources,
        state: raw.first("state").map(str::to_owned),
        nonce: nonce(raw)?,
        challenge: Challenge::read(raw, client.metadata.requires_pkce())?,
        prompt: Prompt::parse_list(raw.first("prompt").unwrap_or_default())?,
        max_age: max_age(raw, client)?,
        expected_people: expected_people(&claims, client)?,
        claims,
        expected_subjects,
        dpop_jkt: dpop_jkt(raw)?,
        pushed: None,
        once: None,
    })
}

/// OpenID Connect Core §3.1.2.1: as old as the request says, or as the client is registered with.
fn max_age(raw: &Parameters, client: &Client) -> Result<Option<Seconds>, Mistake> {
    let usual = client.metadata.default_max_age;
    match raw.first("max_age") {
        Some(text) => parse_max_age(text).map(Some),
        None => Ok(usual.map(|seconds| Seconds(seconds.into()))),
    }
}

/// RFC 9449 §10: the key that the code will be bound to.
fn dpop_jkt(raw: &Parameters) -> Result<Option<Thumbprint>, Mistake> {
    let parsed = |text| Thumbprint::parse(text).ok_or(Mistake::DpopJkt);
    raw.first("dpop_jkt").map(parsed).transpose()
}

fn response_type(raw: &Parameters) -> Result<(), Mistake> {
    match raw.first("response_type") {
        None => Err(Mistake::ResponseTypeMissing),
        Some("code") => Ok(()),
        Some(_) => Err(Mistake::ResponseType),
    }
}

/// An answer must not go by another way than the client looks at, as where it takes signed ones alone.
fn response_mode(raw: &Parameters, client: &Client) -> Result<(), Mistake> {
    let registered = &client.metadata.response_modes;
    let asked = ResponseMode::read(raw).map_err(|_| Mistake::ResponseMode)?;
    let is_asked = |mode: &ResponseMode| mode.named() == asked.named();
    match registered.is_empty() || registered.iter().any(is_asked) {
        true => Ok(()),
        false => Err(Mistake::ResponseMode),
    }
}

fn by_reference(raw: &Parameters) -> Result<(), Mistake> {
    if raw.first("request").is_some() {
        return Err(Mistake::RequestObject);
    }
    if raw.first("request_uri").is_some() {
        return Err(Mistake::RequestUri);
    }
    match raw.first("registration") {
        Some(_) => Err(Mistake::Registration),
        None => Ok(()),
    }
}

fn scope(raw: &Parameters, client: &Client) -> Result<std::collections::BTreeSet<Scope>, Mistake> {
    let mut scope = Scope::parse_list(raw.first("scope").unwrap_or_default());
    if !scope.contains(&Scope::Openid) {
        return Err(Mistake::ScopeWithoutOpenid);
    }
    if scope.contains(&Scope::PersonalNumber) && client.metadata.personal_number.is_none() {
        return Err(Mistake::ScopePersonalNumber);
    }
    // OpenID Connect Core §11: where it cannot be granted, it is ignored.
    if client.metadata.refresh_lifetime().is_none() {
        scope.remove(&Scope::OfflineAccess);
    }
    Ok(scope)
}

fn nonce(raw: &Parameters) -> Result<Option<String>, Mistake> {
    match raw.first("nonce") {
        Some(nonce) if nonce.len() > 512 => Err(Mistake::NonceTooLong),
        nonce => Ok(nonce.map(str::to_owned)),
    }
}

fn claims(raw: &Parameters, policy: &Policy) -> Result<ClaimsRequest, Mistake> {
    let claims = match raw.first("claims") {
        Some(text) => ClaimsRequest::parse(text).ok_or(Mistake::Claims)?,
        None => ClaimsRequest::default(),
    };
    match claims.essential_acrs() {
        Some(wanted) if !wanted.iter().any(|acr| acr == &policy.acr) => Err(Mistake::Acr),
        _ => Ok(claims),
    }
}

/// A client that may know personal numbers may also say whose it must be.
fn expected_people(
    claims: &ClaimsRequest,
    client: &Client,
) -> Result<Vec<PersonalNumber>, Mistake> {
    let names = client.metadata.claims.names(Claim::PersonalNumber);
    let people = claims.essential_people(&names).ok_or(Mistake::Claims)?;
    match (&client.metadata.personal_number, people.is_empty()) {
        // To let anyone in would be worse than to let nobody in.
        (None, false) => Err(Mistake::Claims),
        _ => Ok(people),
    }
}

/// OpenID Connect Core §3.1.2.2: a request may name the person who must log in, by a token that
/// they got before or by a `sub` asked for by value, or by several. Two that differ can never be met. Nothing: anybody
/// may.
fn expected_subjects(
    raw: &Parameters,
    claims: &ClaimsRequest,
    hint: HintReader<'_>,
) -> Result<Vec<String>, Mistake> {
    let asked = claims.subjects().ok_or(Mistake::Claims)?;
    let Some(token) = raw.first("id_token_hint") else {
        return Ok(asked.into_iter().map(str::to_owned).collect());
    };
    let hinted = hint(token).ok_or(Mistake::IdTokenHint)?;
    match asked.is_empty() || asked.contains(&hinted.as_str()) {
        true => Ok(vec![hinted]),
        false => Err(Mistake::Claims),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_says_how_old_a_login_may_be_before_the_registration_does() {
        let _shows = crate::shows!(accepting "RG-05");
        let asked = |default_max_age: Option<u32>, asked: &[&str]| {
            let client = Client {
                client_id: crate::id::ClientId::parse("a").expect("an id"),
                sector: "a.example".into(),
                metadata: serde_json::from_value(json!({
                    "client_name": "A", "redirect_uris": ["https://a.example/cb"],
                    "default_max_age": default_max_age,
                }))
                .expect("metadata"),
            };
            let pairs = asked
                .iter()
                .map(|age| ("max_age".to_owned(), (*age).to_owned()));
            max_age(&Parameters::from_pairs(pairs), &client)
        };
        assert_eq!(asked(None, &[]), Ok(None));
        assert_eq!(asked(None, &["5"]), Ok(Some(Seconds(5))));
        assert_eq!(asked(Some(60), &[]), Ok(Some(Seconds(60))));
        assert_eq!(asked(Some(60), &["5"]), Ok(Some(Seconds(5))));
        assert_eq!(asked(Some(60), &["500"]), Ok(Some(Seconds(500))));
        assert_eq!(asked(Some(60), &["x"]), Err(Mistake::MaxAge));
    }
}
