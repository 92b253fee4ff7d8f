//! What a request says, read strictly: forms without surprises, cookies, and the caller's address.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::http::{Method, StatusCode};
use actix_web::rt::time::timeout;
use actix_web::web::{Bytes, Payload};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::answer::{View, cookie_name};
use super::language;
use crate::authorize::request::Parameters;
use crate::client::certificate::Presented;
use crate::client::mistake::Reason;
use crate::config::Config;
use crate::config::issuer::Issuer;
use crate::discovery::is_aliased;
use crate::error::{Code, Refusal};
use crate::id::Id;
use crate::json;
use crate::language::{Language, Wishes};
use crate::provider::Provider;
use crate::secret::{Kind, Secret};

/// A request as plain values, which can be sent to another thread. Cheap to clone.
#[derive(Clone)]
pub struct Request(Arc<Parts>);

/// The parts of a [`Request`].
pub struct Parts {
    target: String,
    is_get: bool,
    path: Vec<(String, String)>,
    query: String,
    body: Bytes,
    headers: Vec<(&'static str, String)>,
    host: Option<String>,
    /// The certificate that the client showed where certificates are shown, if it did.
    pub certificate: Option<Presented>,
    /// The address that the request came from, by way of the proxies that we trust.
    pub ip: IpAddr,
    /// By which name it is found in the log.
    reference: OnceLock<String>,
}

/// The most that a request's body may hold.
pub const BODY_LIMIT: usize = 64 * 1024;
/// The same where it may hold pictures: two of the largest, in base64 with its escapes, and the rest.
pub const PICTURES_LIMIT: usize = 2 * 1024 * 1024;
/// The most fields of a form.
pub const MOST_FIELDS: usize = 400;
/// How long a body may take to arrive: whoever sends it byte by byte must not keep a place for long.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The body of a request, of at most `most` bytes, or what is answered instead.
pub async fn body(payload: Payload, most: usize) -> Result<Bytes, StatusCode> {
    match timeout(BODY_TIMEOUT, payload.to_bytes_limited(most)).await {
        Ok(Ok(Ok(body))) => Ok(body),
        Ok(Ok(Err(_))) => Err(StatusCode::BAD_REQUEST),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// A form that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(
    /// What is wrong with it.
    pub &'static str,
    /// The same, by its name.
    pub Reason,
);

impl From<Unreadable> for Refusal {
    fn from(Unreadable(why, reason): Unreadable) -> Refusal {
        Refusal::new(Code::InvalidRequest, why).because(reason)
    }
}

/// The headers that a door may read. Everything else is never looked at.
const HEADERS: [&str; 14] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "content-type",
    "cookie",
    "dpop",
    "if-match",
    "if-none-match",
    "origin",
    "sec-fetch-site",
    "traceparent",
    "user-agent",
    "x-fapi-interaction-id",
];

impl std::ops::Deref for Request {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Request {
    /// Reads everything that a door may need.
    pub fn read(request: &HttpRequest, body: Bytes, config: &Config) -> Request {
        let peer = request
            .peer_addr()
            .map_or(IpAddr::from([127, 0, 0, 1]), |peer| peer.ip());
        let (mut headers, mut forwarded) = (Vec::new(), Vec::new());
        // What came several times comes here in its order.
        for (name, value) in request.headers() {
            if name == header::X_FORWARDED_FOR {
                forwarded.extend(value.to_str());
            }
            let Some(name) = HEADERS.iter().find(|known| **known == name.as_str()) else {
                continue;
            };
            // Anybody could hang their requests into any trace, or have all of theirs kept.
            if *name == "traceparent" && !is_one_of(plain(peer), &config.trusted_proxies) {
                continue;
            }
            // Another application's cookie may hold any bytes, and must not hide ours.
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            headers.push((*name, value));
        }
        Request(Arc::new(Parts {
            target: request.path().to_owned(),
            is_get: *request.method() == Method::GET,
            path: request
                .match_info()
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            query: request.query_string().to_owned(),
            body,
            headers,
            certificate: certificate(request, peer, config),
            host: host(request),
            ip: caller(peer, &forwarded.join(","), &config.trusted_proxies),
            reference: OnceLock::new(),
        }))
    }

    /// The path, as it came.
    pub fn path(&self) -> &str {
        &self.target
    }

    /// A header, as often as it came.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(n, _)| *n == name);
        named.map(|(_, value)| value.as_str())
    }

    /// A header that came exactly once.
    pub fn header<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut values = self.headers(name);
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// The header `Authorization`. Of two, nobody could say which one counts (RFC 6749 §2.3, RFC 6750 §2).
    pub fn authorization(&self) -> Result<Option<&str>, Refusal> {
        let mut values = self.headers("authorization");
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Refusal::new(
                Code::InvalidRequest,
                "the Authorization header was sent more than once",
            )
            .because(Reason::AuthorizationRepeated)),
            (first, None) => Ok(first),
        }
    }

    /// Whether the caller's address is its own, as far as we know: one of our proxies' is everyone's.
    pub fn ip_is_a_callers(&self, trusted: &[IpNet]) -> bool {
        !is_one_of(self.ip, trusted)
    }

    /// Whether the request was meant for this issuer, or for an endpoint that is also where clients
    /// show certificates. A door behind another name would make cookies and addresses that belong to
    /// nobody.
    pub fn is_for(&self, config: &Config) -> bool {
        let is_alias = self.alias(config).is_some() && is_aliased(&self.target);
        self.is_at(&config.issuer) || is_alias
    }

    /// The address of ours that the request was sent to, as the configuration writes it.
    pub fn called_at<'a>(&self, config: &'a Config) -> &'a str {
        &self.alias(config).unwrap_or(&config.issuer).url
    }

    /// The address where clients show certificates, if the request was sent there.
    fn alias<'a>(&self, config: &'a Config) -> Option<&'a Issuer> {
        let mtls = config.mtls.as_ref().map(|mtls| &mtls.address);
        mtls.filter(|address| self.is_at(address) && !self.is_at(&config.issuer))
    }

    /// The name that the request was sent to, where it says one.
    pub fn named(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Whether the request was sent to an address.
    pub fn is_at(&self, address: &Issuer) -> bool {
        self.host.as_deref() == Some(address.authority.as_str())
    }

    /// A part of the path that is an id.
    pub fn id<K>(&self) -> Option<Id<K>> {
        Id::parse(self.path_part("id")?)
    }

    /// A part of the path.
    pub fn path_part(&self, name: &str) -> Option<&str> {
        self.path
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The parameters of the query (RFC 6749 §3.1), each of at most `limit` bytes.
    pub fn query(&self, limit: usize) -> Result<Parameters, Unreadable> {
        decode(&self.query, limit)
    }

    /// Whether there is a query at all.
    pub fn has_query(&self) -> bool {
        !self.query.is_empty()
    }

    /// The parameters of a form, which must say that it is one.
    pub fn form(&self, limit: usize) -> Result<Parameters, Unreadable> {
        let form = "application/x-www-form-urlencoded";
        if !self.media_type().eq_ignore_ascii_case(form) {
            return Err(Unreadable(
                "the body must be application/x-www-form-urlencoded",
                Reason::BodyNoForm,
            ));
        }
        let text = std::str::from_utf8(&self.body)
            .map_err(|_| Unreadable("the body is not UTF-8", Reason::BodyUnreadable))?;
        decode(text, limit)
    }

    /// The fields of a form in their order, as often as they were sent. Texts may have several lines.
    pub fn fields(&self) -> Result<Vec<(String, String)>, Unreadable> {
        let form = "application/x-www-form-urlencoded";
        if !self.media_type().eq_ignore_ascii_case(form) {
            return Err(Unreadable(
                "the body must be application/x-www-form-urlencoded",
                Reason::BodyUnreadable,
            ));
        }
        let mut fields = Vec::new();
        for (name, value) in url::form_urlencoded::parse(&self.body) {
            if !is_sound(&name) || !is_sound(&value) || fields.len() == MOST_FIELDS {
                return Err(Unreadable(
                    "the form is not UTF-8, has control characters or too many fields",
                    Reason::BodyUnreadable,
                ));
            }
            fields.push((name.into_owned(), value.into_owned()));
        }
        Ok(fields)
    }

    /// A request of our own, to one of our doors.
    pub fn inside(
        path: &str,
        headers: Vec<(&'static str, String)>,
        body: Bytes,
        issuer: &Issuer,
    ) -> Request {
        Request(Arc::new(Parts {
            target: path.to_owned(),
            is_get: false,
            path: Vec::new(),
            query: String::new(),
            body,
            headers,
            host: Some(issuer.authority.clone()),
            certificate: None,
            // Nobody's: who guesses from this machine must not hold us up.
            ip: IpAddr::from([0, 0, 0, 0]),
            reference: OnceLock::new(),
        }))
    }

    /// The path with its query, to come back to.
    pub fn address(&self) -> String {
        match self.query.is_empty() {
            true => self.target.clone(),
            false => format!("{}?{}", self.target, self.query),
        }
    }

    /// A client that the path names, however its id is written.
    pub fn client_id(&self) -> Option<String> {
        let part = self.path_part("client_id")?;
        let text = percent_decode_str(part).decode_utf8().ok()?;
        Some(text.into_owned())
    }

    /// The members of a JSON object, which must say that it is one.
    pub fn json(&self) -> Result<Map<String, Value>, Unreadable> {
        match self.is_of("application/json") {
            false => Err(Unreadable(
                "the body must be application/json",
                Reason::BodyNoJson,
            )),
            true => self.object().ok_or(Unreadable(
                "the body is no JSON object, or has a member twice",
                Reason::BodyNoJson,
            )),
        }
    }

    /// The members of a JSON object, whatever it says that it is; `None` for anything else.
    pub fn object(&self) -> Option<Map<String, Value>> {
        json::object(&self.body)
    }

    /// Whether the body says that it is of a media type.
    pub fn is_of(&self, media_type: &str) -> bool {
        self.media_type().eq_ignore_ascii_case(media_type)
    }

    fn media_type(&self) -> &str {
        let media_type = self.header("content-type").unwrap_or_default();
        media_type.split(';').next().unwrap_or_default().trim()
    }

    /// The body as it came.
    pub fn bytes(&self) -> Bytes {
        self.body.clone()
    }

    /// Whether the body is empty.
    pub fn has_body(&self) -> bool {
        !self.body.is_empty()
    }

    /// The cookies, in the order that the browser sent them: older ones first (RFC 6265 §5.4).
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .filter(|(name, _)| *name == "cookie")
            .flat_map(|(_, value)| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
    }

    /// A cookie of ours that holds a secret of this kind.
    pub fn cookie<K: Kind>(&self, name: &str) -> Option<Secret<K>> {
        self.cookies()
            .find(|(n, _)| *n == name)
            .and_then(|(_, value)| Secret::parse(value))
    }

    /// Whether a state-changing request comes from a page of ours, as far as the browser tells.
    /// Pages without referrer send `Origin: null` even to themselves, so the newer
    /// `Sec-Fetch-Site` is asked first; where neither says anything, the form's own token decides.
    pub fn is_from_our_pages(&self, issuer: &Issuer) -> bool {
        match (self.header("sec-fetch-site"), self.header("origin")) {
            (Some(site), _) => site == "same-origin",
            (None, Some("null") | None) => true,
            (None, Some(origin)) => origin == issuer.origin,
        }
    }

    /// RFC 9110 §12.5.3: whether an answer may come in gzip.
    pub fn takes_gzip(&self) -> bool {
        let accepted = self.header("accept-encoding").unwrap_or_default();
        accepted.split(',').any(|coding| {
            let (coding, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
            coding.trim().eq_ignore_ascii_case("gzip") && weight.parse().unwrap_or(0.0_f32) > 0.0
        })
    }

    /// In which language to talk to whoever sent this, with what is wished for besides what the browser says.
    pub fn language(&self, provider: &Provider, wishes: &Wishes<'_>) -> Language {
        let name = cookie_name(&provider.config.issuer, language::COOKIE);
        let remembered = self.cookies().find(|(other, _)| *other == name);
        provider.config.languages.choose(&Wishes {
            remembered: remembered.map(|(_, value)| value),
            accept_language: self.header("accept-language"),
            ..*wishes
        })
    }

    /// By which name it is found in the log: the same for all that is said of it.
    pub fn reference(&self, provider: &Provider) -> &str {
        let fresh = || hex::encode(provider.random.bytes::<5>());
        self.reference.get_or_init(fresh)
    }

    /// How to talk to whoever sent this.
    pub fn view(&self, provider: &Provider) -> View {
        View {
            language: self.language(provider, &Wishes::default()),
            reference: self.reference(provider).to_owned(),
            pages: provider.config.pages.clone(),
            is_repeatable: self.is_get,
            home: None,
        }
    }
}

/// Whether a field of a form is a text, of one or several lines.
pub fn is_sound(text: &str) -> bool {
    let lines = |c: char| matches!(c, '\r' | '\n' | '\t');
    !text.contains('\u{fffd}') && !text.chars().any(|c| c.is_control() && !lines(c))
}

/// RFC 9440 §4: the certificate of the connection that came to us, or of the one that came to a proxy
/// of ours. From anyone else the header says nothing.
fn certificate(request: &HttpRequest, peer: IpAddr, config: &Config) -> Option<Presented> {
    let mtls = config.mtls.as_ref()?;
    if host(request)? != mtls.address.authority {
        return None;
    }
    if let Some(presented) = request.conn_data::<Presented>() {
        return Some(presented.clone());
    }
    let header = mtls.header.as_ref()?;
    let mut values = request.headers().get_all(&header.name);
    match (values.next(), values.next()) {
        (Some(value), None) if is_one_of(plain(peer), &config.trusted_proxies) => {
            Presented::of_header(value.to_str().ok()?, header.format)
        }
        _ => None,
    }
}

/// The authority of the request: HTTP/2 has it in the target, HTTP/1.1 in `Host`, which must be
/// there once.
fn host(request: &HttpRequest) -> Option<String> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str().to_ascii_lowercase());
    }
    let mut hosts = request.headers().get_all(header::HOST);
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host.to_str().ok()?.to_ascii_lowercase()),
        _ => None,
    }
}

fn is_one_of(ip: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&ip))
}

/// The right-most hop that is not one of our proxies; an address that does not parse ends the
/// search at the hop that named it.
fn caller(peer: IpAddr, forwarded: &str, trusted: &[IpNet]) -> IpAddr {
    let mut caller = plain(peer);
    for hop in forwarded.rsplit(',') {
        if !is_one_of(caller, trusted) {
            break;
        }
        match address(hop.trim()) {
            Some(ip) => caller = plain(ip),
            None => break,
        }
    }
    caller
}

/// An address as proxies write them: some add a port.
fn address(hop: &str) -> Option<IpAddr> {
    let bracketed = hop.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    if let Some((ip, _)) = bracketed {
        return ip.parse().ok();
    }
    let with_port = || hop.parse::<std::net::SocketAddr>().ok();
    hop.parse().ok().or_else(|| with_port().map(|a| a.ip()))
}

fn plain(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// The most parameters that a request may have.
const PARAMETERS: usize = 100;

/// Decodes a form strictly: UTF-8, no control characters, no half escapes.
fn decode(text: &str, limit: usize) -> Result<Parameters, Unreadable> {
    let mut pairs = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        pairs.push((decode_part(name, limit)?, decode_part(value, limit)?));
        if pairs.len() > PARAMETERS {
            return Err(Unreadable("too many parameters", Reason::BodyUnreadable));
        }
    }
    Ok(Parameters::from_pairs(pairs))
}

fn decode_part(part: &str, limit: usize) -> Result<String, Unreadable> {
    if !escapes_are_whole(part) {
        return Err(Unreadable(
            "a percent sign is not followed by two hexadecimal digits",
            Reason::BodyUnreadable,
        ));
    }
    let spaced = part.replace('+', " ");
    let decoded = percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| Unreadable("a parameter is not UTF-8", Reason::BodyUnreadable))?;
    if decoded.len() > limit {
        return Err(Unreadable(
            "a parameter is too long",
            Reason::BodyUnreadable,
        ));
    }
    // JSON, as `claims` is, may be written over several lines.
    let is_json = decoded.starts_with('{');
    if decoded
        .chars()
        .any(|c| c.is_control() && !(is_json && c.is_ascii_whitespace()))
    {
        return Err(Unreadable(
            "a parameter holds control characters",
            Reason::BodyUnreadable,
        ));
    }
    Ok(decoded.into_owned())
}

fn escapes_are_whole(part: &str) -> bool {
    let bytes = part.as_bytes();
    bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'%')
        .all(|(at, _)| {
            let digits = bytes.get(at + 1..at + 3);
            digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_strictly() {
        let _shows = crate::shows!(accepting "O23", refusing "O23");
        let read = decode("a=1&b=%C3%A5+%2B&c=&d", 8).expect("readable");
        assert_eq!(read.first("a"), Some("1"));
        assert_eq!(read.first("b"), Some("å +"));
        assert_eq!(read.first("c"), None);
        assert!(decode("a=1&a=2", 8).expect("readable").is_repeated("a"));
        for bad in [
            "a=%00",
            "a=%0d%0aSet-Cookie:x",
            "a=%ff",
            "a=%",
            "a=%2",
            "a=%zz",
            "a=123456789",
            "%00=1",
            "a=%7f",
            "a=%c2%85",
        ] {
            assert!(decode(bad, 8).is_err(), "{bad}");
        }
        assert!(decode(&"a=1&".repeat(101), 8).is_err());
        assert!(decode("claims=%7B%0A%7D", 8).is_ok(), "JSON may have lines");
    }

    #[test]
    fn the_caller_is_the_last_hop_that_is_not_ours() {
        let _shows = crate::shows!(accepting "BP-24", accepting "B8", refusing "B8", accepting "PV-IP-1", refusing "PV-IP-1");
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let ours: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a network")];
        for (peer, forwarded, expected) in [
            ("192.0.2.1", "", "192.0.2.1"),
            ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
            ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
            ("10.0.0.1", "nonsense, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
            ("10.0.0.1", "[2001:db8::7]:443", "2001:db8::7"),
            ("10.0.0.1", "[2001:db8::7]", "2001:db8::7"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("::ffff:10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
        ] {
            assert_eq!(
                caller(ip(peer), forwarded, &ours),
                ip(expected),
                "{peer} {forwarded}"
            );
        }
    }
}
