//! ⚡ The provider as the world finds it: by its public address, over the name's lookup, TLS and whatever
//! proxies there are. What answers must be a node with this configuration.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use reqwest::header::LOCATION;
use reqwest::tls::TlsInfo;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use url::Url;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::answers::{
    ABOUT, Got, buffered, document, ends, in_clear, published, unanswered, unseen,
};
use super::finding::{Finding, Level};
use super::mirror::{PARAMETER, PATH, Question};
use super::proxy;
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::discovery;
use crate::provider::acr;
use crate::random::Random;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a proxy must have kept events back to be said to: a machine that stood still for a moment looks the
/// same, once.
const TRIES: usize = 3;
/// The most that is read of an answer.
const LARGEST: usize = 256 * 1024;

/// Everything that can be seen from outside. `kids` are the keys that the database has.
pub async fn check(
    config: &Config,
    clock: &Clock,
    random: &Random,
    kids: Option<&[String]>,
) -> Vec<Finding> {
    let issuer = &config.issuer;
    let Ok(url) = Url::parse(&issuer.url) else {
        return Vec::new();
    };
    let outside = match Outside::new(config) {
        Ok(outside) => outside,
        Err(error) => {
            return vec![Finding::error(
                ABOUT,
                "issuer_tls",
                format!("TLS cannot be begun here: {error}"),
                "See that the system's root certificates are installed (ca-certificates).",
            )];
        }
    };
    if let Some(unknown) = look_up(&url).await {
        return vec![unknown];
    }
    let discovered = outside
        .get(&format!("{}/.well-known/openid-configuration", issuer.url))
        .await;
    let discovered = match discovered {
        Ok(discovered) => discovered,
        Err(error) => return vec![unanswered(&error)],
    };
    let mut found = Vec::new();
    found.extend(discovered.ends_at.map(|ends_at| ends(ends_at, clock.now())));
    let expected = discovery::document(
        &issuer.url,
        &acr(config),
        config.mtls.as_ref(),
        &config.languages,
    );
    let judged = document(&discovered, &expected);
    let is_ours = judged.level != Level::Error && discovered.status == 200;
    found.push(judged);
    if issuer.is_secure && url.port().is_none() {
        let clear = format!("http://{}/", issuer.authority);
        found.push(in_clear(
            outside.get(&clear).await.ok().as_ref(),
            &issuer.authority,
        ));
    }
    if !is_ours {
        return found;
    }
    if let Some(kids) = kids {
        let jwks = outside.get(&format!("{}/jwks", issuer.url)).await;
        found.extend(jwks.ok().map(|jwks| published(&jwks, kids)));
    }
    found.extend(through(&outside, config, &url, random, clock.now()).await);
    found
}

/// Calls as anybody would.
struct Outside(reqwest::Client);

impl Outside {
    fn new(config: &Config) -> Result<Outside, reqwest::Error> {
        let roots = config.outbound.roots.iter();
        let roots: Result<Vec<_>, _> = roots
            .map(|root| reqwest::Certificate::from_der(root))
            .collect();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .tls_info(true)
            .tls_certs_merge(roots?)
            .build()?;
        Ok(Outside(http))
    }

    async fn get(&self, url: &str) -> Result<Got, reqwest::Error> {
        let mut answer = self.0.get(url).send().await?;
        let tls = answer.extensions().get::<TlsInfo>();
        let certificate = tls.and_then(TlsInfo::peer_certificate);
        let parsed = certificate.and_then(|der| X509Certificate::from_der(der).ok());
        let ends_at = parsed.map(|(_, it)| Timestamp(it.validity().not_after.timestamp()));
        let header = |name| {
            let value = answer.headers().get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        let mut got = Got {
            status: answer.status().as_u16(),
            location: header(LOCATION),
            ends_at,
            body: Vec::new(),
        };
        while let Some(part) = answer.chunk().await? {
            got.body.extend_from_slice(&part);
            if got.body.len() > LARGEST {
                break;
            }
        }
        Ok(got)
    }
}

/// A name that leads nowhere.
async fn look_up(url: &Url) -> Option<Finding> {
    let (host, port) = place(url)?;
    (!resolves(&host, port).await).then(|| {
        Finding::error(
            ABOUT,
            "issuer_name",
            format!("the name {host} does not resolve from here"),
            "Have a record made for it in the DNS (A, AAAA or CNAME), or look at this machine's resolver.",
        )
    })
}

/// Whether a name leads anywhere.
pub(super) async fn resolves(host: &str, port: u16) -> bool {
    match timeout(CONNECT_TIMEOUT, lookup_host((host, port))).await {
        Ok(Ok(mut addresses)) => addresses.next().is_some(),
        _ => false,
    }
}

fn place(url: &Url) -> Option<(String, u16)> {
    let host = url.host_str()?.trim_matches(['[', ']']);
    Some((host.to_owned(), url.port_or_known_default()?))
}

/// Asks a node what it saw of the question.
async fn through(
    outside: &Outside,
    config: &Config,
    url: &Url,
    random: &Random,
    now: Timestamp,
) -> Vec<Finding> {
    let question = Question::ask(&config.master_key, random, now);
    let own = own_address(url).await.map(|address| {
        let mut trusted = config.trusted_proxies.iter();
        proxy::Own {
            address,
            is_trusted: trusted.any(|network| network.contains(&address)),
        }
    });
    let mut asked = url.clone();
    asked.set_path(PATH);
    asked
        .query_pairs_mut()
        .append_pair(PARAMETER, question.text());
    let mut last = None;
    for _ in 0..TRIES {
        let Some((event, waited)) = events(outside, &asked).await else {
            break;
        };
        let Some(seen) = question.read(&config.master_key, &event) else {
            break;
        };
        let buffering = buffered(waited);
        let is_certain = buffering.level == Level::Ok;
        last = Some((seen, buffering));
        if is_certain {
            break;
        }
    }
    let Some((seen, buffering)) = last else {
        return vec![unseen()];
    };
    let mut found = proxy::judge(&seen, own, &config.issuer.authority);
    found.push(buffering);
    found
}

/// What a node says in its first event, and how long the rest took after that.
async fn events(outside: &Outside, asked: &Url) -> Option<(String, Duration)> {
    let request = outside.0.get(asked.clone());
    let request = request.header("x-forwarded-for", proxy::CLAIMED.to_string());
    let mut answer = request.send().await.ok()?;
    let mut text = String::new();
    let mut first = None;
    while let Ok(Some(part)) = answer.chunk().await {
        text += &String::from_utf8_lossy(&part);
        first.get_or_insert_with(Instant::now);
        if text.len() > LARGEST {
            break;
        }
    }
    let event = text.lines().find_map(|line| line.strip_prefix("data: "))?;
    Some((event.to_owned(), first?.elapsed()))
}

/// By which address this machine comes there.
async fn own_address(url: &Url) -> Option<IpAddr> {
    let connection = TcpStream::connect(place(url)?);
    let connection = timeout(CONNECT_TIMEOUT, connection).await.ok()?.ok()?;
    Some(connection.local_addr().ok()?.ip().to_canonical())
}
