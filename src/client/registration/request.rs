//! What a client says of itself (RFC 7591 §2, OpenID Connect Dynamic Client Registration §2): members by
//! their registered names. Others say nothing here; those that we know and do not do are refused.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::response::SUBJECTS;
use super::{Allowance, ApplicationType, Details, Refused};
use crate::authorize::redirect_uri::RedirectUri;
use crate::client::authentication::ClientSecret;
use crate::client::certificate::CertificateSubject;
use crate::client::metadata::LONGEST_LIST;
use crate::client::method::Method;
use crate::client::refresh::RefreshTokens;
use crate::client::{Authentication, Metadata, Name, Names};
use crate::error::Code;
use crate::id::ClientId;
use crate::language::{Language, Tag};
use crate::secret::Digest;

/// What a client asks to be registered as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What is kept of any client.
    pub metadata: Metadata,
    /// What is kept of one that registers itself.
    pub details: Details,
}

/// What there is to be had.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// By the token that the client came with.
    pub allowance: &'a Allowance,
    /// At this provider: the ways to authenticate.
    pub methods: &'a [Method],
}

/// The most people who answer for a client.
const CONTACTS: usize = 10;

/// The members that our own registration has by the same name, and what each must be.
pub(super) const SAME: [(&str, &str); 21] = [
    ("backchannel_logout_uri", HTTPS),
    ("backchannel_logout_session_required", SWITCH),
    (
        "frontchannel_logout_uri",
        "an address on scheme, host and port of a redirect URI",
    ),
    ("frontchannel_logout_session_required", SWITCH),
    ("token_endpoint_auth_signing_alg", VERIFIED),
    ("require_pushed_authorization_requests", SWITCH),
    (
        "jwks",
        "1 to 10 public keys: RSA of 2048 to 8192 bits, EC on P-256 or P-384, or Ed25519",
    ),
    ("jwks_uri", HTTPS),
    ("request_object_signing_alg", VERIFIED),
    ("require_signed_request_object", SWITCH),
    ("subject_type", "pairwise or public"),
    ("dpop_bound_access_tokens", SWITCH),
    ("tls_client_certificate_bound_access_tokens", SWITCH),
    ("id_token_signed_response_alg", SIGNED),
    ("default_max_age", "a whole number of seconds"),
    ("userinfo_signed_response_alg", SIGNED),
    ("authorization_signed_response_alg", SIGNED),
    (
        "response_modes",
        "a list of response modes that the metadata list",
    ),
    ("introspection_signed_response_alg", SIGNED),
    ("post_logout_redirect_uris", "a list of addresses"),
    ("redirect_uris", "a list of addresses"),
];
const SWITCH: &str = "true or false";
const HTTPS: &str = "https without fragment, user or wildcard";
const SIGNED: &str = "RS256, PS256, ES256 or EdDSA";
const VERIFIED: &str = "RS256, PS256, ES256, ES384 or EdDSA";

/// What would be encrypted, if we did that.
pub(super) const ENCRYPTION: [&str; 10] = [
    "id_token_encrypted_response_alg",
    "id_token_encrypted_response_enc",
    "userinfo_encrypted_response_alg",
    "userinfo_encrypted_response_enc",
    "authorization_encrypted_response_alg",
    "authorization_encrypted_response_enc",
    "introspection_encrypted_response_alg",
    "introspection_encrypted_response_enc",
    "request_object_encryption_alg",
    "request_object_encryption_enc",
];

/// RFC 7591 §2, §3.2.2.
pub fn read(members: &Map<String, Value>, offer: Offer<'_>) -> Result<Asked, Refused> {
    let members = Members(members);
    statement(&members)?;
    unsupported(&members)?;
    let details = details(&members)?;
    let redirect_uris = redirect_uris(&members, details.application_type)?;
    let client_names = client_names(&members)?;
    let client_name = client_name(&members, &client_names, &redirect_uris)?;
    let same = same(&members, client_name)?;
    let after_logout = &same.post_logout_redirect_uris;
    let is_fit = |uri: &RedirectUri| fits(uri, details.application_type);
    if after_logout.len() > LONGEST_LIST || !after_logout.iter().all(is_fit) {
        return Err(Refused::metadata(format!(
            "post_logout_redirect_uris: at most 50, {}",
            rule(details.application_type)
        )));
    }
    let method = method(&members, offer.methods)?;
    let metadata = Metadata {
        client_names,
        token_endpoint_auth: method,
        tls_client_auth: certificate_subject(&members, method)?,
        refresh_tokens: grants(&members, offer.allowance)?,
        pkce: offer.allowance.pkce,
        // RFC 7591 §3.2.1: what holds where nothing was said is told, too.
        id_token_signed_response_alg: Some(same.id_token_algorithm()),
        authorization_signed_response_alg: Some(same.authorization_algorithm()),
        introspection_signed_response_alg: Some(same.introspection_algorithm()),
        ..same
    };
    let takes_certificates = offer.methods.contains(&Method::SelfSignedTlsClientAuth);
    if metadata.tls_client_certificate_bound_access_tokens && !takes_certificates {
        return Err(Refused::metadata(
            "tls_client_certificate_bound_access_tokens: no certificates are taken here",
        ));
    }
    metadata.check().map_err(Refused::metadata)?;
    Ok(Asked { metadata, details })
}

/// RFC 7592 §2.2: who replaces a registration says whose it is, and does not set what we set.
pub fn admit_replacement(
    members: &Map<String, Value>,
    client_id: &ClientId,
    secrets: &[Digest<ClientSecret>],
) -> Result<(), Refused> {
    for name in [
        "registration_access_token",
        "registration_client_uri",
        "client_secret_expires_at",
        "client_id_issued_at",
    ] {
        if members.contains_key(name) {
            return Err(Refused::metadata(format!("{name} must not be sent")));
        }
    }
    let sent = |name: &str| members.get(name).filter(|value| !value.is_null());
    if sent("client_id").and_then(Value::as_str) != Some(client_id.as_str()) {
        return Err(Refused::metadata("client_id must be the client's own"));
    }
    let is_own = |secret: &Value| {
        let shown = secret.as_str().map(Digest::of);
        secrets.iter().any(|own| shown.as_ref() == Some(own))
    };
    match sent("client_secret") {
        Some(secret) if !is_own(secret) => Err(Refused::metadata(
            "client_secret must be the client's own, or be left out",
        )),
        _ => Ok(()),
    }
}

struct Members<'a>(&'a Map<String, Value>);

impl Members<'_> {
    /// RFC 7592 §2.2: null says the same as silence.
    fn sent(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn read<T: DeserializeOwned>(&self, name: &str, what: &str) -> Result<Option<T>, Refused> {
        let read = |value| T::deserialize(value).map_err(|_| must_be(name, what));
        self.sent(name).map(read).transpose()
    }
}

fn must_be(name: &str, what: &str) -> Refused {
    Refused::metadata(format!("{name} must be {what}"))
}

/// RFC 7591 §2.3. Whose word we would take in place of a client's own, nobody has told us.
fn statement(members: &Members<'_>) -> Result<(), Refused> {
    let refused = |code, description: &str| Refused {
        code,
        description: description.to_owned(),
    };
    let parts = |text: &str| text.split('.').count();
    match members.sent("software_statement") {
        None => Ok(()),
        Some(Value::String(text)) if parts(text) == 3 => Err(refused(
            Code::UnapprovedSoftwareStatement,
            "software_statement: none is approved here",
        )),
        Some(_) => Err(refused(
            Code::InvalidSoftwareStatement,
            "software_statement is no signed JWT",
        )),
    }
}

/// A client that believes in what we do not do would be less safe than it thinks.
fn unsupported(members: &Members<'_>) -> Result<(), Refused> {
    let mut encrypting = ENCRYPTION.into_iter();
    match encrypting.find(|name| members.sent(name).is_some()) {
        Some(name) => Err(Refused::metadata(format!("{name}: nothing is encrypted"))),
        None => Ok(()),
    }
}

fn details(members: &Members<'_>) -> Result<Details, Refused> {
    let details = Details {
        application_type: members
            .read("application_type", "web or native")?
            .unwrap_or_default(),
        sector_identifier_uri: members.read("sector_identifier_uri", HTTPS)?,
        use_mtls_endpoint_aliases: members
            .read("use_mtls_endpoint_aliases", SWITCH)?
            .unwrap_or_default(),
        contacts: members
            .read("contacts", "a list of addresses of people")?
            .unwrap_or_default(),
    };
    match details.contacts.len() > CONTACTS {
        true => Err(must_be("contacts", "at most 10")),
        false => Ok(details),
    }
}

/// RFC 6749 §3.1.2, RFC 9700 §2.6, OpenID Connect Dynamic Client Registration §2 (`application_type`).
fn redirect_uris(
    members: &Members<'_>,
    application_type: ApplicationType,
) -> Result<Vec<RedirectUri>, Refused> {
    let refused = |description: String| Refused {
        code: Code::InvalidRedirectUri,
        description,
    };
    let sent = members.sent("redirect_uris").and_then(Value::as_array);
    let sent = sent
        .filter(|uris| (1..=LONGEST_LIST).contains(&uris.len()))
        .ok_or_else(|| refused("redirect_uris must be a list of 1 to 50 addresses".to_owned()))?;
    let read = |uri: &Value| {
        let uri = uri.as_str().and_then(RedirectUri::parse);
        uri.filter(|uri| fits(uri, application_type))
            .ok_or_else(|| refused(format!("redirect_uris: {}", rule(application_type))))
    };
    sent.iter().map(read).collect()
}

fn fits(uri: &RedirectUri, application_type: ApplicationType) -> bool {
    match application_type {
        ApplicationType::Web => uri.as_str().starts_with("https://"),
        ApplicationType::Native => true,
    }
}

fn rule(application_type: ApplicationType) -> &'static str {
    match application_type {
        ApplicationType::Web => {
            "each is https without fragment, user or wildcard, where application_type is web"
        }
        ApplicationType::Native => {
            "each is https, http on a loopback address, or a scheme with a dot, without fragment, user or wildcard"
        }
    }
}

/// OpenID Connect Dynamic Client Registration §2.1: a name in each language that a member names.
fn client_names(members: &Members<'_>) -> Result<Names, Refused> {
    let tagged = members
        .0
        .keys()
        .filter(|name| name.starts_with(IN_LANGUAGE));
    let mut names = Map::new();
    for member in tagged {
        let tag = &member[IN_LANGUAGE.len()..];
        // What is no tag is not told back: it may be anything.
        let told =
            Tag::parse(tag).map_or(IN_LANGUAGE.to_owned(), |tag| format!("{IN_LANGUAGE}{tag}"));
        let name = members.sent(member).map(Name::deserialize).transpose();
        if let Some(name) = name.map_err(|_| must_be(&told, NAME))? {
            names.insert(tag.to_owned(), json!(name));
        }
    }
    Names::deserialize(Value::Object(names))
        .map_err(|error| Refused::metadata(format!("{IN_LANGUAGE}: {error}")))
}

/// How members begin that have a name in a language.
pub(super) const IN_LANGUAGE: &str = "client_name#";
const NAME: &str = "1 to 80 characters without control characters";

/// OpenID Connect Dynamic Client Registration §2, §2.1: in no language before Swedish, in Swedish before
/// English, in English before others. Who does not say what it is called is called by where it is.
fn client_name(
    members: &Members<'_>,
    names: &Names,
    redirect_uris: &[RedirectUri],
) -> Result<Name, Refused> {
    if let Some(said) = members.read("client_name", NAME)? {
        return Ok(said);
    }
    let in_ours = Language::BUILT_IN.into_iter().find_map(|l| names.name(l));
    let any = || names.iter().map(|(_, name)| name).next();
    if let Some(name) = in_ours.or_else(any) {
        return Ok(name.clone());
    }
    let place = redirect_uris.first().map(RedirectUri::host);
    place
        .and_then(|place| Name::parse(&place))
        .ok_or_else(|| Refused::metadata("client_name is missing"))
}

/// What is read as our own registration is. Each member by itself first, so that the wrong one is named.
fn same(members: &Members<'_>, client_name: Name) -> Result<Metadata, Refused> {
    let bare = json!({"client_name": client_name, "redirect_uris": []});
    let mut all = bare.clone();
    for (name, what) in SAME {
        let Some(value) = members.sent(name) else {
            continue;
        };
        let mut alone = bare.clone();
        alone[name] = value.clone();
        serde_json::from_value::<Metadata>(alone).map_err(|_| must_be(name, what))?;
        all[name] = value.clone();
    }
    Ok(serde_json::from_value(all).expect("each member was read by itself"))
}

/// OpenID Connect Core §9. What is registered is pinned: no other way is taken.
fn method(members: &Members<'_>, methods: &[Method]) -> Result<Authentication, Refused> {
    let name = "token_endpoint_auth_method";
    let sent = members.read::<String>(name, "a text")?;
    let sent = sent.as_deref().unwrap_or("client_secret_basic");
    let offered = methods.iter().find(|method| method.as_str() == sent);
    offered.copied().map(Authentication::from).ok_or_else(|| {
        let offered: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
        must_be(name, &format!("one of {}", offered.join(", ")))
    })
}

/// RFC 8705 §2.1.2: one way to name the certificate.
fn certificate_subject(
    members: &Members<'_>,
    method: Authentication,
) -> Result<Option<CertificateSubject>, Refused> {
    let mut subjects: Vec<CertificateSubject> = Vec::new();
    for (name, ours) in SUBJECTS {
        if let Some(value) = members.sent(name) {
            let subject = serde_json::from_value(json!({ ours: value }));
            let what = "what the certificate says, as RFC 8705 writes it";
            subjects.push(subject.map_err(|_| must_be(name, what))?);
        }
    }
    let is_named = method == Authentication::TlsClientAuth;
    match (is_named, subjects.len()) {
        (true, 1) | (false, 0) => Ok(subjects.pop()),
        _ => Err(Refused::metadata(
            "token_endpoint_auth_method tls_client_auth, and no other, goes with exactly one of tls_client_auth_subject_dn, _san_dns, _san_uri, _san_ip and _san_email",
        )),
    }
}

/// RFC 7591 §2.1: code flow, and refresh tokens for whom an administrator allowed them.
fn grants(members: &Members<'_>, allowance: &Allowance) -> Result<RefreshTokens, Refused> {
    let response_types = members.read::<Vec<String>>("response_types", "[code]")?;
    if response_types.is_some_and(|types| types != ["code"]) {
        return Err(must_be("response_types", "[code]"));
    }
    let what = "authorization_code, with refresh_token where the initial access token allows it";
    let sent = members.read::<Vec<String>>("grant_types", what)?;
    let sent = sent.unwrap_or_else(|| vec!["authorization_code".to_owned()]);
    let has = |name: &str| sent.iter().any(|grant| grant == name);
    let is_known = |grant: &String| ["authorization_code", "refresh_token"].contains(&&**grant);
    if !has("authorization_code") || !sent.iter().all(is_known) {
        return Err(must_be("grant_types", what));
    }
    match (has("refresh_token"), allowance.refresh_tokens) {
        (false, _) => Ok(RefreshTokens::Off),
        (true, RefreshTokens::Off) => Err(must_be("grant_types", what)),
        (true, allowed) => Ok(allowed),
    }
}
