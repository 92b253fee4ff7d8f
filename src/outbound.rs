//! ⚡ Our calls to clients: https alone, no redirects, nothing that takes long, and no way to what is
//! only reachable from where we stand (server-side request forgery).
//!
//! A name's addresses are looked at after it was resolved, and those that pass are the ones that are
//! connected to: a name that changes its answer gains nothing.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use tower_layer::Layer;
use tower_service::Service;
use url::{Host, Url};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a call may take in all, the lookup of its name included.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// What the operator lets us call beyond the public network.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// Networks.
    pub networks: Vec<IpNet>,
    /// Hosts, whatever private address they have.
    pub hosts: Vec<Host>,
    /// Roots that are trusted besides the system's.
    pub roots: Vec<CertificateDer<'static>>,
}

/// Why a call came to nothing. Neither says where it went: an address may hold what is nobody's
/// business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// It leads where we do not go.
    #[error("the address leads to a network that is not called")]
    Forbidden,
    /// Nobody answered, or not in time.
    #[error("no answer ({0})")]
    Unreachable(&'static str),
}

/// Why what stands at an address was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unread {
    /// The call came to nothing.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// It was answered by another status than 200; a redirect is one.
    #[error("HTTP {0}")]
    Status(u16),
    /// More came than is read.
    #[error("the answer is too large")]
    TooLarge,
}

/// Makes the calls.
#[derive(Clone, Debug)]
pub struct Outbound {
    http: reqwest::Client,
    guard: Guard,
}

type Lookup = fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

impl Outbound {
    /// A caller that goes to the public network, and where the operator allows it.
    pub fn new(allowed: &Allowed) -> Result<Outbound, reqwest::Error> {
        Outbound::with_lookup(allowed, |name| Box::pin(look_up(name)))
    }

    fn with_lookup(allowed: &Allowed, lookup: Lookup) -> Result<Outbound, reqwest::Error> {
        let guard = Guard::new(allowed);
        let http = client(allowed, &guard, lookup, |builder| builder)?;
        Ok(Outbound { http, guard })
    }

    /// Sends a form, and says which status came back. What else comes back is not read.
    pub async fn post_form(&self, url: &str, form: &[(&str, &str)]) -> Result<u16, Failure> {
        let url = self.guard.admitted(url)?;
        let answer = self.http.post(url).form(form).send().await;
        answer.map(|a| a.status().as_u16()).map_err(|e| failure(&e))
    }

    /// Reads what stands at an address, if that is at most so many bytes.
    pub async fn fetch(&self, url: &str, most: usize) -> Result<Vec<u8>, Unread> {
        let answer = self.http.get(self.guard.admitted(url)?).send().await;
        let mut answer = answer.map_err(|e| failure(&e))?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(Unread::Status(answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|e| failure(&e))? {
            body.extend_from_slice(&part);
            if body.len() > most {
                return Err(Unread::TooLarge);
            }
        }
        Ok(body)
    }
}

/// Goes as far as calls go, and asks for nothing: a connection is made, with TLS, and ended.
#[derive(Clone, Debug)]
pub struct Reach {
    http: reqwest::Client,
    guard: Guard,
}

impl Reach {
    /// Goes where [`Outbound`] would.
    pub fn new(allowed: &Allowed) -> Result<Reach, reqwest::Error> {
        let guard = Guard::new(allowed);
        let lookup: Lookup = |name| Box::pin(look_up(name));
        let http = client(allowed, &guard, lookup, |builder| {
            builder.connector_layer(Halting)
        })?;
        Ok(Reach { http, guard })
    }

    /// Whether somebody listens at an address whose certificate is trusted.
    pub async fn try_to(&self, url: &str) -> Result<(), Failure> {
        let answer = self.http.get(self.guard.admitted(url)?).send().await;
        match answer {
            Err(error) if !has::<Halted>(&error) => Err(failure(&error)),
            _ => Ok(()),
        }
    }
}

fn client(
    allowed: &Allowed,
    guard: &Guard,
    lookup: Lookup,
    more: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, reqwest::Error> {
    let roots: Result<Vec<_>, _> = allowed
        .roots
        .iter()
        .map(|root| reqwest::Certificate::from_der(root))
        .collect();
    let roots = roots?;
    let builder = || {
        let resolver = GuardedResolver {
            guard: guard.clone(),
            lookup,
        };
        let builder = reqwest::Client::builder()
            .https_only(true)
            // A proxy would look names up by itself, past the guard.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .dns_resolver(resolver);
        more(builder)
    };
    let http = builder().tls_certs_merge(roots.clone()).build();
    http.or_else(|error| {
        tracing::warn!(%error, "the system's root certificates cannot be used: clients are called with those of outbound.ca_file alone");
        builder().tls_certs_only(roots).build()
    })
}

/// Ends every connection as soon as it is made.
#[derive(Clone, Debug)]
struct Halting;

/// A connection was made, and was wanted for nothing else.
#[derive(Debug, Error)]
#[error("it was reached")]
struct Halted;

impl<S> Layer<S> for Halting {
    type Service = HaltingService<S>;
    fn layer(&self, connecting: S) -> HaltingService<S> {
        HaltingService(connecting)
    }
}

#[derive(Clone)]
struct HaltingService<S>(S);

impl<S, R> Service<R> for HaltingService<S>
where
    S: Service<R, Error = BoxError>,
    S::Response: Send + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, to: R) -> Self::Future {
        let connecting = self.0.call(to);
        Box::pin(async move {
            connecting.await?;
            Err(Halted.into())
        })
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What was wrong with TLS, where that is why a call came to nothing.
pub fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = match error.downcast_ref::<io::Error>() {
            // What is behind it is what is behind the error that it wraps, and not that one itself.
            Some(wrapping) => wrapping.get_ref().map(|inner| inner as _),
            None => error.source(),
        };
    }
    None
}

/// Whether an error comes of one of a kind.
fn has<E: std::error::Error + 'static>(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<E>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn failure(error: &reqwest::Error) -> Failure {
    if has::<Forbidden>(error) {
        return Failure::Forbidden;
    }
    Failure::Unreachable(match error {
        e if e.is_timeout() => "timeout",
        e if e.is_connect() => "connection",
        _ => "broken off",
    })
}

/// Which addresses are called.
#[derive(Clone, Debug)]
struct Guard {
    networks: Arc<[IpNet]>,
    hosts: Arc<[String]>,
}

impl Guard {
    fn new(allowed: &Allowed) -> Guard {
        let hosts = allowed.hosts.iter().map(|host| plain(&host.to_string()));
        Guard {
            networks: allowed.networks.clone().into(),
            hosts: hosts.collect(),
        }
    }

    /// An address that may be called as far as that is seen before its name is looked up.
    fn admitted(&self, url: &str) -> Result<Url, Failure> {
        let url = Url::parse(url).map_err(|_| Failure::Forbidden)?;
        // An address that is written as one is never looked up.
        let literal = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) => None,
            None => return Err(Failure::Forbidden),
        };
        let host = url.host_str().unwrap_or_default();
        if url.scheme() != "https" || literal.is_some_and(|ip| !self.admits(host, ip)) {
            return Err(Failure::Forbidden);
        }
        Ok(url)
    }

    fn admits(&self, host: &str, ip: IpAddr) -> bool {
        let ip = inner(ip);
        let host = plain(host);
        let is_allowed = || {
            self.networks.iter().any(|network| network.contains(&ip)) || self.hosts.contains(&host)
        };
        !is_out_of_bounds(ip) && (is_public(ip) || is_allowed())
    }
}

/// A host name as it is compared.
fn plain(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// IPv4 inside IPv6 is judged as the IPv4 address that it is (RFC 4291 §2.5.5, RFC 6052 §2.1).
fn inner(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => match v6.segments() {
            [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => last(v6).into(),
            _ => ip,
        },
        IpAddr::V4(_) => ip,
    }
}

fn last(v6: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = v6.octets();
    Ipv4Addr::new(a, b, c, d)
}

/// The IPv4 address that a private network may lead to by an IPv6 one: translated (RFC 8215, RFC 2765),
/// compatible (RFC 4291 §2.5.5.1) or in a tunnel (RFC 3056).
fn beyond(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    match v6.segments() {
        [0x64, 0xff9b, 1, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => Some(last(v6)),
        [0, 0, 0, 0, 0, 0, 0, 1] => None,
        [0, 0, 0, 0, 0, 0, ..] => Some(last(v6)),
        [0x2002, high, low, ..] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => None,
    }
}

/// What no operator can allow: link-local addresses, among them those where clouds hand out credentials,
/// and what is no address of anyone's.
fn is_out_of_bounds(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            v4.is_link_local()
                || v4.octets()[0] == 0
                || v4.octets()[0] >= 224
                || CLOUDS.contains(&ip)
        }
        IpAddr::V6(v6) => {
            v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
                || CLOUDS.contains(&ip)
                || beyond(v6).is_some_and(|v4| is_out_of_bounds(v4.into()))
        }
    }
}

/// Where clouds hand out credentials, besides link-local addresses: Alibaba, Azure, Oracle; Amazon,
/// Google.
const CLOUDS: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Whether an address is one of the public network (the IANA special-purpose registries, RFC 6890).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_documentation()
                || (a == 100 && b & 0xc0 == 64)
                || (a == 192 && b == 0 && c == 0)
                || (a == 192 && b == 88 && c == 99)
                || (a == 198 && b & 0xfe == 18))
        }
        // Of what is global unicast (RFC 4291 §2.4), without protocol assignments, documentation and
        // ways into IPv4.
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            a & 0xe000 == 0x2000
                && !(a == 0x2001 && b < 0x200)
                && !(a == 0x2001 && b == 0xdb8)
                && a != 0x2002
                && !(a == 0x3fff && b < 0x1000)
        }
    }
}

/// Looks names up, and tells of no address that is not called.
struct GuardedResolver {
    guard: Guard,
    lookup: Lookup,
}

/// A name without an address that is called.
#[derive(Debug, Error)]
#[error("no address that is called")]
struct Forbidden;

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, lookup) = (self.guard.clone(), self.lookup);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = lookup(host.clone()).await?;
            let admitted: Vec<SocketAddr> = found
                .into_iter()
                .filter(|ip| guard.admits(&host, *ip))
                // The port is the one that the address names.
                .map(|ip| SocketAddr::new(ip, 0))
                .collect();
            match admitted.is_empty() {
                true => Err(Forbidden.into()),
                false => Ok(Box::new(admitted.into_iter()) as Addrs),
            }
        })
    }
}

async fn look_up(name: String) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn allowed(networks: &[&str], hosts: &[&str]) -> Allowed {
        Allowed {
            networks: networks
                .iter()
                .map(|n| n.parse().expect("a network"))
                .collect(),
            hosts: hosts
                .iter()
                .map(|host| Host::parse(host).expect("a host"))
                .collect(),
            roots: Vec::new(),
        }
    }

    fn guard(networks: &[&str], hosts: &[&str]) -> Guard {
        Guard::new(&allowed(networks, hosts))
    }

    #[test]
    fn the_public_network_is_called_and_what_the_operator_lists() {
        let _shows =
            crate::shows!(accepting "O12", refusing "O12", accepting "LO-10", refusing "LO-10");
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let (nothing, networks) = (guard(&[], &[]), guard(&["0.0.0.0/0", "::/0"], &[]));
        let named = guard(&[], &["App.Internal."]);
        for public in [
            "8.8.8.8",
            "193.10.1.1",
            "2a00:1450::1",
            "2001:470::1",
            "64:ff9b::808:808",
        ] {
            assert!(nothing.admits("a.example", ip(public)), "{public}");
        }
        for private in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "192.0.0.8",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "::ffff:0:a00:1",
            "fc00::1",
            "fd12::1",
            "fec0::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::",
        ] {
            assert!(!nothing.admits("a.example", ip(private)), "{private}");
            assert!(networks.admits("a.example", ip(private)), "{private}");
            assert!(named.admits("app.internal", ip(private)), "{private}");
            assert!(
                !named.admits("app.internal.evil.example", ip(private)),
                "{private}"
            );
        }
        for never in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "::ffff:0:169.254.169.254",
            "::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "192.0.0.192",
            "168.63.129.16",
            "100.100.100.200",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
        ] {
            for guard in [&nothing, &networks, &named] {
                assert!(!guard.admits("app.internal", ip(never)), "{never}");
            }
        }
    }

    #[tokio::test]
    async fn no_way_of_writing_this_machine_reaches_it() {
        let _shows = crate::shows!(refusing "O12", refusing "LO-10");
        crate::cli::install_crypto();
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        // A name that leads to an allowed address when it is looked at, and to another one later.
        let lookup: Lookup = |name| {
            Box::pin(async move {
                match name.as_str() {
                    "rebind.example" if ASKED.fetch_add(1, Ordering::SeqCst) == 0 => {
                        Ok(vec![IpAddr::from([127, 0, 0, 2])])
                    }
                    "mapped.example" => Ok(vec!["::ffff:127.0.0.1".parse().expect("an address")]),
                    _ => Ok(vec![
                        IpAddr::from([127, 0, 0, 1]),
                        Ipv6Addr::LOCALHOST.into(),
                    ]),
                }
            })
        };
        let outbound = Outbound::with_lookup(&allowed(&["127.0.0.2/32"], &[]), lookup);
        let outbound = outbound.expect("made");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("bound");
        let port = listener.local_addr().expect("bound").port();
        let rebinding = format!("https://rebind.example:{port}/");
        let first = outbound.post_form(&rebinding, &[]).await;
        assert_eq!(first, Err(Failure::Unreachable("connection")));
        for form in [
            "https://rebind.example:P/",
            "https://mapped.example:P/",
            "https://localhost:P/",
            "https://localhost.:P/",
            "https://LOCALHOST:P/",
            "https://app.localhost:P/",
            "https://127.0.0.1:P/",
            "https://127.0.0.1.:P/",
            "https://127.1:P/",
            "https://127.0.1:P/",
            "https://2130706433:P/",
            "https://0x7f000001:P/",
            "https://0x7f.0.0.1:P/",
            "https://0177.0.0.1:P/",
            "https://017700000001:P/",
            "https://0:P/",
            "https://0.0.0.0:P/",
            "https://[::1]:P/",
            "https://[::]:P/",
            "https://[::ffff:127.0.0.1]:P/",
            "https://[::ffff:7f00:1]:P/",
            "https://[0:0:0:0:0:0:0:1]:P/",
            "https://user@127.0.0.1:P/",
            "https://８.8.8.8@127.0.0.1:P/",
            "https://１２７.0.0.1:P/",
            "https://①②⑦.0.0.1:P/",
            "http://8.8.8.8:P/",
            "http://127.0.0.1:P/",
            "file:///etc/hostname",
            "gopher://127.0.0.1:P/",
            "127.0.0.1:P",
            "",
        ] {
            let url = form.replace('P', &port.to_string());
            let told = outbound.post_form(&url, &[("a", "b")]).await;
            assert_eq!(told, Err(Failure::Forbidden), "{form}");
            let fetched = outbound.fetch(&url, 1).await;
            assert_eq!(fetched, Err(Failure::Forbidden.into()), "{form}");
        }
        let heard = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
        assert!(heard.is_err(), "somebody connected");
    }
}
