//! The addresses of clients: where answers go, where keys are published, where logouts are told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::{Instant, sleep_until};
use url::{Host, Url};

use super::finding::Finding;
use super::outside::resolves;
use crate::authorize::redirect_uri::RedirectUri;
use crate::client::Client;
use crate::client::keys::LARGEST;
use crate::config::Config;
use crate::jose::jwks::Jwks;
use crate::json;
use crate::outbound::{Allowed, Failure, Outbound, Reach, Unread};
use crate::storage::{ClientFilter, Store};

/// How many clients are looked at.
const MOST: u16 = 500;
/// How much sooner than everything else this ends, so that what was found until then is said.
const MARGIN: Duration = Duration::from_secs(1);
/// How many are called at the same moment.
const AT_ONCE: usize = 8;

/// All clients of the database, or those of the file where there is none. What is on other machines is looked at
/// until a time.
pub async fn check(
    config: &Config,
    store: Option<&Store>,
    offline: bool,
    until: Instant,
) -> Vec<Finding> {
    let clients = clients(config, store).await;
    let mut found = Vec::new();
    for client in &clients {
        found.extend(addresses(client, config.issuer.is_secure));
    }
    if !offline {
        found.extend(elsewhere(&clients, &config.outbound, until).await);
    }
    let said = match clients.len() {
        all if all == usize::from(MOST) => format!("the first {all} were looked at"),
        all => format!("{all} were looked at"),
    };
    found.push(Finding::ok("clients", "clients", said));
    found
}

/// What is on other machines: names, and what answers there.
async fn elsewhere(clients: &[Client], allowed: &Allowed, until: Instant) -> Vec<Finding> {
    let mut found = Vec::new();
    let names: BTreeSet<String> = clients.iter().flat_map(names).collect();
    let asked = names.iter();
    let asked = asked.map(|name| async move { (name.clone(), resolves(name, 443).await) });
    let answers = in_time(asked, until).await;
    let names_left = names.len() - answers.len();
    let answers = answers.into_iter();
    let unknown = answers.filter_map(|(name, resolves)| (!resolves).then_some(name));
    let unknown: BTreeSet<String> = unknown.collect();
    for client in clients {
        found.extend(unresolved(client, &unknown));
    }
    let mut calls_left = 0;
    match Outbound::new(allowed).and_then(|outbound| Ok((outbound, Reach::new(allowed)?))) {
        Ok((outbound, reach)) => {
            let all: Vec<_> = clients.iter().filter(|client| is_called(client)).collect();
            let (outbound, reach) = (&outbound, &reach);
            let calls = all.iter().enumerate();
            let calls =
                calls.map(|(n, client)| async move { (n, called(client, outbound, reach).await) });
            let mut answers = in_time(calls, until).await;
            calls_left = all.len() - answers.len();
            answers.sort_by_key(|(n, _)| *n);
            found.extend(answers.into_iter().flat_map(|(_, found)| found));
        }
        Err(error) => found.push(Finding::error(
            "clients",
            "clients_tls",
            format!("cannot be called: {error}"),
            "See that the system's root certificates are installed, and outbound.ca_file.",
        )),
    }
    if names_left + calls_left > 0 {
        found.push(Finding::warning(
            "clients",
            "clients_unfinished",
            format!(
                "there was no time to look up {names_left} host names, and to call {calls_left} clients"
            ),
            "See why names, or calls, take so long from here (this machine's resolver, a firewall that answers nothing), and run portvakt check again.",
        ));
    }
    found
}

/// What comes of all that ends in time. So many are under way at once, and what is not yet begun then never is.
async fn in_time<F: Future>(work: impl IntoIterator<Item = F>, until: Instant) -> Vec<F::Output> {
    stream::iter(work)
        .buffer_unordered(AT_ONCE)
        .take_until(sleep_until(until - MARGIN))
        .collect()
        .await
}

async fn clients(config: &Config, store: Option<&Store>) -> Vec<Client> {
    let in_file = config
        .clients
        .iter()
        .map(|registered| registered.client.clone());
    let in_file: Vec<Client> = in_file.collect();
    let Some(store) = store else {
        return in_file;
    };
    let kept = store.clients(&ClientFilter::default(), MOST).await;
    let kept = kept.unwrap_or_default().into_iter().map(|kept| kept.client);
    // What the file says is what the next start makes of a client.
    let mut all: BTreeMap<String, Client> = BTreeMap::new();
    for client in kept.chain(in_file) {
        all.insert(client.client_id.as_str().to_owned(), client);
    }
    all.into_values().collect()
}

fn about(client: &Client) -> String {
    format!("client.{}", client.client_id.as_str())
}

/// What addresses say by themselves.
fn addresses(client: &Client, is_public: bool) -> Vec<Finding> {
    let metadata = &client.metadata;
    let is_confidential = metadata.token_endpoint_auth.has_secret();
    let loops = metadata.redirect_uris.iter().filter(|uri| is_loopback(uri));
    let loops = loops.count();
    let mut found = Vec::new();
    if loops > 0 && is_confidential && is_public {
        found.push(Finding::warning(
            about(client),
            "client_loopback",
            format!("{loops} of its redirect URIs lead to the person's own machine, and it has a secret"),
            "Right while it is developed. An application on people's machines keeps no secret: make it a public client.",
        ));
    }
    if let (Some(front), true) = (&metadata.frontchannel_logout_uri, is_public)
        && Url::parse(front.as_str()).is_ok_and(|url| url.scheme() == "http")
    {
        found.push(Finding::warning(
            about(client),
            "client_frontchannel",
            "its front-channel logout is http: browsers load no such frame within our page",
            "Have it served over https, or use back-channel logout.",
        ));
    }
    found
}

fn is_loopback(uri: &RedirectUri) -> bool {
    let Ok(url) = Url::parse(uri.as_str()) else {
        return false;
    };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The names that a client's people, and we, look up.
fn names(client: &Client) -> BTreeSet<String> {
    let metadata = &client.metadata;
    let uris = metadata.redirect_uris.iter().map(RedirectUri::as_str);
    let uris = uris.chain(
        metadata
            .post_logout_redirect_uris
            .iter()
            .map(RedirectUri::as_str),
    );
    let uris = uris.chain(
        metadata
            .frontchannel_logout_uri
            .iter()
            .map(RedirectUri::as_str),
    );
    let urls = uris.filter_map(|uri| Url::parse(uri).ok());
    let web = urls.filter(|url| matches!(url.scheme(), "http" | "https"));
    web.filter_map(|url| match url.host()? {
        Host::Domain(name) => Some(name.to_owned()),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    })
    .collect()
}

/// `unknown` lead nowhere.
fn unresolved(client: &Client, unknown: &BTreeSet<String>) -> Option<Finding> {
    let names = names(client);
    let unknown: Vec<&str> = names.intersection(unknown).map(String::as_str).collect();
    (!unknown.is_empty()).then(|| {
        Finding::warning(
            about(client),
            "client_name",
            format!("{} does not resolve from here", unknown.join(", ")),
            "See whether the address is misspelt, or the application gone; names within a network of yours may be unknown here and known to people.",
        )
    })
}

fn is_called(client: &Client) -> bool {
    let metadata = &client.metadata;
    metadata.jwks_uri.is_some() || metadata.backchannel_logout_uri.is_some()
}

/// What is called of a client. Keys are fetched. Where it is told of logouts nothing is sent: that takes logout
/// tokens by POST (Back-Channel Logout §2.5), and whatever else came would stand in its log as a mistake.
async fn called(client: &Client, outbound: &Outbound, reach: &Reach) -> Vec<Finding> {
    let metadata = &client.metadata;
    let mut found = Vec::new();
    if let Some(uri) = &metadata.jwks_uri {
        let fetched = outbound.fetch(uri.as_str(), LARGEST).await;
        found.extend(keys(client, fetched));
    }
    if let Some(uri) = &metadata.backchannel_logout_uri {
        let reached = reach.try_to(uri.as_str()).await;
        found.extend(logout(client, reached));
    }
    found
}

/// Its keys, which it logs nobody in without.
fn keys(client: &Client, fetched: Result<Vec<u8>, Unread>) -> Option<Finding> {
    let (said, remedy) = match fetched {
        Ok(body) if json::object(&body).and_then(Jwks::published).is_some() => return None,
        Ok(_) => (
            "there is no key at its jwks_uri that we know what to do with".to_owned(),
            "It must publish a JSON Web Key Set with RSA, EC (P-256, P-384) or Ed25519 keys.",
        ),
        Err(unread) => (
            format!("its jwks_uri cannot be read: {unread}"),
            remedy(
                unread,
                "See that it answers 200 over https with a certificate that is trusted.",
            ),
        ),
    };
    Some(Finding::error(about(client), "client_keys", said, remedy))
}

/// Where it is told of logouts.
fn logout(client: &Client, reached: Result<(), Failure>) -> Option<Finding> {
    let failure = reached.err()?;
    Some(Finding::error(
        about(client),
        "client_backchannel",
        format!("its backchannel_logout_uri cannot be reached: {failure}"),
        remedy(
            failure.into(),
            "See that it listens there, over https with a certificate that is trusted.",
        ),
    ))
}

fn remedy(unread: Unread, otherwise: &'static str) -> &'static str {
    match unread {
        Unread::Failed(Failure::Forbidden) => {
            "Allow its network or host, if it is yours (outbound.allow_networks, outbound.allow_hosts)."
        }
        _ => otherwise,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::checking::finding::Level;
    use crate::id::ClientId;

    fn client(changes: Value) -> Client {
        let mut metadata = json!({
            "client_name": "Kommunen",
            "redirect_uris": ["https://app.example/callback"],
        });
        for (name, value) in changes.as_object().into_iter().flatten() {
            metadata[name] = value.clone();
        }
        Client {
            client_id: ClientId::parse("kommunen").expect("an id"),
            sector: "app.example".to_owned(),
            metadata: serde_json::from_value(metadata).expect("metadata"),
        }
    }

    #[test]
    fn addresses_of_clients_are_judged() {
        let _shows = crate::shows!(accepting "PV-CHECK-8", refusing "PV-CHECK-8");
        let loopback = json!({"redirect_uris": ["http://127.0.0.1/callback"]});
        let public = json!({
            "redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth": "none",
        });
        let framed = json!({
            "redirect_uris": ["http://localhost/callback"], "token_endpoint_auth": "none",
            "frontchannel_logout_uri": "http://localhost/out",
        });
        for (changes, is_public, ids) in [
            (json!({}), true, &[][..]),
            (loopback.clone(), true, &["client_loopback"]),
            (loopback, false, &[]),
            (public, true, &[]),
            (framed.clone(), true, &["client_frontchannel"]),
            (framed, false, &[]),
        ] {
            let found = addresses(&client(changes), is_public);
            let told: Vec<_> = found.iter().map(|finding| finding.id).collect();
            assert_eq!(told, ids, "{found:?}");
        }
        let unknown = BTreeSet::from(["app.example".to_owned()]);
        let here = client(json!({}));
        assert_eq!(unresolved(&here, &BTreeSet::new()), None);
        let told = unresolved(&here, &unknown).expect("a finding");
        assert!(
            told.said.starts_with("app.example does not resolve"),
            "{told}"
        );
        let set = br#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        assert_eq!(keys(&here, Ok(set.to_vec())), None);
        for (fetched, told) in [
            (Ok(b"{}".to_vec()), "JSON Web Key Set"),
            (Err(Unread::Status(404)), "answers 200"),
            (
                Err(Unread::Failed(Failure::Forbidden)),
                "outbound.allow_networks",
            ),
        ] {
            let found = keys(&here, fetched).expect("a finding");
            assert_eq!(found.level, Level::Error);
            assert!(
                found.remedy.is_some_and(|remedy| remedy.contains(told)),
                "{told}"
            );
        }
        assert_eq!(logout(&here, Ok(())), None);
        let broken = logout(&here, Err(Failure::Unreachable("timeout")));
        assert!(broken.is_some_and(|finding| finding.said.contains("timeout")));
    }

    #[tokio::test]
    async fn what_there_was_no_time_for_is_said() {
        let _shows = crate::shows!(refusing "PV-CHECK-8");
        crate::cli::install_crypto();
        let called = client(json!({
            "redirect_uris": ["https://a.invalid/", "https://b.invalid/"],
            "backchannel_logout_uri": "https://c.invalid/",
        }));
        let clients = [called, client(json!({}))];
        let found = elsewhere(&clients, &Allowed::default(), Instant::now()).await;
        let [left] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(left.id, "clients_unfinished");
        assert!(
            left.said.contains("look up 3 host names") && left.said.contains("call 1 clients"),
            "{left}"
        );
    }
}
