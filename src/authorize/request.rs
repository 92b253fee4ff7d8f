//! From raw parameters to a request that can be decided on (OpenID Connect Core §3.1.2.1).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::pkce::Challenge;
use super::redirect_uri::ReturnAddress;
use super::resource::{self, Resources};
use super::{Answerable, Mistake, PageMistake, Refused};
use crate::bankid::personal_number::PersonalNumber;
use crate::claims::request::ClaimsRequest;
use crate::clock::Seconds;
use crate::id::ClientId;
use crate::jose::jwks::Thumbprint;
use crate::jose::jwt::Once;
use crate::secret::{Digest, kind as secret};

/// The parameters of a request in the order they came. Names may repeat here; who reads them
/// refuses that.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Takes decoded names and values.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Parameters {
        Parameters(pairs.into_iter().collect())
    }

    /// All names and values, as they came.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value of a parameter. One that was sent without a value counts as not sent
    /// (RFC 6749 §3.1).
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, v)| n == name && !v.is_empty())
            .map(|(_, v)| v.as_str())
    }

    /// Every value of a parameter that may come more than once.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self
            .0
            .iter()
            .filter(move |(n, v)| n == name && !v.is_empty());
        named.map(|(_, value)| value.as_str())
    }

    /// All but these.
    pub fn without(&self, names: &[&str]) -> Parameters {
        let rest = |(name, _): &&(String, String)| !names.contains(&name.as_str());
        Parameters(self.0.iter().filter(rest).cloned().collect())
    }

    /// These alone.
    pub fn only(&self, names: &[&str]) -> Parameters {
        let named = |(name, _): &&(String, String)| names.contains(&name.as_str());
        Parameters(self.0.iter().filter(named).cloned().collect())
    }

    /// These, and those of `others` whose names are not among them.
    pub fn before(self, others: &Parameters) -> Parameters {
        let names: Vec<String> = self.0.iter().map(|(name, _)| name.clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let rest = others.without(&names);
        Parameters(self.0.into_iter().chain(rest.0).collect())
    }

    /// How many bytes names and values have together.
    pub fn size(&self) -> usize {
        self.0.iter().map(|(n, v)| n.len() + v.len()).sum()
    }

    /// Whether a parameter came more than once.
    pub fn is_repeated(&self, name: &str) -> bool {
        self.0.iter().filter(|(n, _)| n == name).count() > 1
    }

    /// The names of parameters, each once.
    pub fn names(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.iter().map(|(name, _)| name).collect();
        names.into_iter().cloned().collect()
    }

    /// The names of those that came more than once and may not.
    pub fn repeated(&self) -> Vec<String> {
        let mut names = self.names();
        names.retain(|name| name != resource::PARAMETER && self.is_repeated(name));
        names
    }

    /// Whether any parameter came more than once (RFC 6749 §3.1) that may not: all may not but
    /// `resource` (RFC 8707 §2).
    pub fn has_repetition(&self) -> bool {
        let names = self.0.iter().map(|(name, _)| name.as_str());
        let mut seen = BTreeSet::new();
        names
            .filter(|name| *name != resource::PARAMETER)
            .any(|name| !seen.insert(name))
    }
}

impl std::fmt::Debug for Parameters {
    /// Values may hold personal data (`id_token_hint`, `claims`): only names are shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries(self.0.iter().map(|(n, _)| n))
            .finish()
    }
}

/// A request that obeys every rule, from a client that may make it.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client_id: ClientId,
    /// Where the answer goes.
    pub return_address: ReturnAddress,
    /// The scope values that we know and that were asked for.
    pub scope: BTreeSet<Scope>,
    /// The services that access tokens are asked for (RFC 8707 §2.1).
    pub resources: Resources,
    /// Echoed in the answer.
    pub state: Option<String>,
    /// Copied to the ID token.
    pub nonce: Option<String>,
    /// The PKCE challenge.
    pub challenge: Option<Challenge>,
    /// What may and must be shown to the person.
    pub prompt: BTreeSet<Prompt>,
    /// How old an authentication may be.
    pub max_age: Option<Seconds>,
    /// Single claims asked for.
    pub claims: ClaimsRequest,
    /// The subjects of which one must log in, from `id_token_hint` or a `sub` asked for by value. Anyone may, when
    /// there are none.
    pub expected_subjects: Vec<String>,
    /// The people of whom one must log in, by their numbers: from an essential `personal_number`
    /// with values. Anyone may, when there are none.
    pub expected_people: Vec<PersonalNumber>,
    /// The key that the code will be bound to (RFC 9449 §10).
    pub dpop_jkt: Option<Thumbprint>,
    /// The pushed request that this is. It is spent with the answer.
    pub pushed: Option<Digest<secret::PushedRequest>>,
    /// The name of the signed request that this is, spent in the same way.
    pub once: Option<Once>,
}

impl AuthorizationRequest {
    /// What is said of this request after all.
    pub fn refused(&self, mistake: Mistake) -> Refused {
        Refused::Client(Box::new(Answerable {
            return_address: self.return_address.clone(),
            state: self.state.clone(),
            mistake,
        }))
    }
}

/// How an answer is sent (OAuth 2.0 Multiple Response Types §2.1, OAuth 2.0 Form Post Response
/// Mode §1, JARM §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query, as a code is by default.
    Query,
    /// In the fragment, which no server sees: for applications that are scripts.
    Fragment,
    /// In a form.
    FormPost,
    /// Signed, by the way that the response type has by default: in the query (JARM §2.3.4).
    Jwt,
    /// Signed, in the query (JARM §2.3.1).
    QueryJwt,
    /// Signed, in the fragment (JARM §2.3.2).
    FragmentJwt,
    /// Signed, in a form (JARM §2.3.3).
    FormPostJwt,
}

/// What takes an answer to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The query of an address.
    Query,
    /// The fragment of an address.
    Fragment,
    /// The fields of a form.
    Form,
}

impl Serialize for ResponseMode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ResponseMode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = ResponseMode::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text);
        known.ok_or_else(|| serde::de::Error::custom("no response mode that is known here"))
    }
}

impl ResponseMode {
    /// All of them, for discovery.
    pub const ALL: [ResponseMode; 7] = [
        ResponseMode::Query,
        ResponseMode::Fragment,
        ResponseMode::FormPost,
        ResponseMode::Jwt,
        ResponseMode::QueryJwt,
        ResponseMode::FragmentJwt,
        ResponseMode::FormPostJwt,
    ];

    /// The same by the name that says it all: for a code, `jwt` is `query.jwt` (JARM §2.3.4).
    pub fn named(self) -> ResponseMode {
        match self {
            ResponseMode::Jwt => ResponseMode::QueryJwt,
            named => named,
        }
    }

    /// The value as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            ResponseMode::Query => "query",
            ResponseMode::Fragment => "fragment",
            ResponseMode::FormPost => "form_post",
            ResponseMode::Jwt => "jwt",
            ResponseMode::QueryJwt => "query.jwt",
            ResponseMode::FragmentJwt => "fragment.jwt",
            ResponseMode::FormPostJwt => "form_post.jwt",
        }
    }

    /// One that we do not know is not answered at all: every answer would go by a way that was not
    /// asked for (OpenID Connect Core §3.1.2.6).
    pub fn read(raw: &Parameters) -> Result<ResponseMode, PageMistake> {
        let Some(asked) = raw.first("response_mode") else {
            return Ok(ResponseMode::Query);
        };
        ResponseMode::ALL
            .into_iter()
            .find(|mode| mode.as_str() == asked)
            .ok_or(PageMistake::ResponseMode)
    }

    /// What takes the answer there.
    pub fn carrier(self) -> Carrier {
        match self {
            ResponseMode::Query | ResponseMode::Jwt | ResponseMode::QueryJwt => Carrier::Query,
            ResponseMode::Fragment | ResponseMode::FragmentJwt => Carrier::Fragment,
            ResponseMode::FormPost | ResponseMode::FormPostJwt => Carrier::Form,
        }
    }

    /// Whether the answer is a signed one.
    pub fn is_signed(self) -> bool {
        match self {
            ResponseMode::Query | ResponseMode::Fragment | ResponseMode::FormPost => false,
            ResponseMode::Jwt
            | ResponseMode::QueryJwt
            | ResponseMode::FragmentJwt
            | ResponseMode::FormPostJwt => true,
        }
    }
}

/// A scope value that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The request is one of OpenID Connect.
    Openid,
    /// Name and date of birth (OpenID Connect Core §5.4).
    Profile,
    /// The personal number.
    PersonalNumber,
    /// Tokens that last without the person (OpenID Connect Core §11).
    OfflineAccess,
}

impl Scope {
    /// All of them, for discovery.
    pub const ALL: [Scope; 4] = [
        Scope::Openid,
        Scope::Profile,
        Scope::PersonalNumber,
        Scope::OfflineAccess,
    ];

    /// The value as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Openid => "openid",
            Scope::Profile => "profile",
            Scope::PersonalNumber => "personal_number",
            Scope::OfflineAccess => "offline_access",
        }
    }

    /// Unknown values are ignored (OpenID Connect Core §3.1.2.1).
    pub fn parse_list(text: &str) -> BTreeSet<Scope> {
        text.split(' ')
            .filter_map(|value| Scope::ALL.into_iter().find(|s| s.as_str() == value))
            .collect()
    }

    /// The list as it is answered.
    pub fn list(scope: &BTreeSet<Scope>) -> String {
        let values: Vec<&str> = scope.iter().map(|s| s.as_str()).collect();
        values.join(" ")
    }
}

/// OpenID Connect Core §3.1.2.1, `prompt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Prompt {
    /// Show nothing.
    None,
    /// Log in anew.
    Login,
    /// Show what is released.
    Consent,
    /// Let the person choose who they are: with BankID, log in anew.
    SelectAccount,
}

impl Prompt {
    /// Unknown values are ignored; `none` stands alone.
    pub fn parse_list(text: &str) -> Result<BTreeSet<Prompt>, Mistake> {
        let prompts: BTreeSet<Prompt> = text
            .split(' ')
            .filter_map(|value| match value {
                "none" => Some(Prompt::None),
                "login" => Some(Prompt::Login),
                "consent" => Some(Prompt::Consent),
                "select_account" => Some(Prompt::SelectAccount),
                _ => None,
            })
            .collect();
        let values = text.split(' ').filter(|v| !v.is_empty()).count();
        if prompts.contains(&Prompt::None) && values > 1 {
            return Err(Mistake::PromptNoneAndMore);
        }
        Ok(prompts)
    }
}

/// A non-negative whole number of seconds.
pub fn parse_max_age(text: &str) -> Result<Seconds, Mistake> {
    let digits = !text.is_empty() && text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(seconds) if digits => Ok(Seconds(seconds)),
        _ => Err(Mistake::MaxAge),
    }
}
