//! What proxies make of a request: judged by what a node saw of one that `portvakt check` sent with an address
//! in `X-Forwarded-For` that is not its own.

use std::net::{IpAddr, Ipv4Addr};

use super::finding::Finding;
use super::mirror::Seen;

/// What is claimed to be the caller's address: one of documentation (RFC 5737), which is nobody's.
pub const CLAIMED: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77));

const ABOUT: &str = "proxy";

/// The address that a request left this machine by.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    /// It.
    pub address: IpAddr,
    /// Whether it is one of `listen.trusted_proxies`.
    pub is_trusted: bool,
}

/// What a proxy does that is right.
const WRITE: &str = "Have the proxy that people reach first write the address that it is called from in the place of what came (nginx: proxy_set_header X-Forwarded-For $remote_addr), and those behind it add to that ($proxy_add_x_forwarded_for).";

/// What a request looked like. `own` is known, or not; `authority` is the issuer's host with its port.
pub fn judge(seen: &Seen, own: Option<Own>, authority: &str) -> Vec<Finding> {
    let mut found = vec![host(seen, authority)];
    found.push(caller(seen, own));
    found
}

fn host(seen: &Seen, authority: &str) -> Finding {
    match seen.host.as_deref() {
        Some(host) if host == authority => {
            Finding::ok(ABOUT, "proxy_host", "hands on the header Host as it is")
        }
        host => Finding::error(
            ABOUT,
            "proxy_host",
            format!(
                "changes the header Host into {}: every request is answered 421",
                host.unwrap_or("nothing")
            ),
            "Have it hand on what the browser sent (nginx: proxy_set_header Host $http_host).",
        ),
    }
}

fn caller(seen: &Seen, own: Option<Own>) -> Finding {
    let id = "proxy_address";
    let claimed = CLAIMED.to_string();
    let first_is_claimed = seen.forwarded.first() == Some(&claimed);
    let added = seen.forwarded.len() - usize::from(first_is_claimed);
    let is_direct =
        own.is_some_and(|own| own.address == seen.peer) && added == 0 && first_is_claimed;
    match (seen.is_trusted, is_direct) {
        (false, true) => Finding::ok(
            ABOUT,
            id,
            format!(
                "there is none between; people are known by their address ({})",
                seen.caller
            ),
        ),
        (true, true) => Finding::warning(
            ABOUT,
            id,
            "there is none between, and this machine is one of listen.trusted_proxies: what proxies do to addresses cannot be seen from here",
            "Run portvakt check from a machine that is none of them, or name single addresses there and no network that people come from.",
        ),
        (false, false) => Finding::error(
            ABOUT,
            id,
            format!(
                "{} is not one of listen.trusted_proxies: everybody seems to come from it, and is limited together",
                seen.peer
            ),
            "Add its address, or its network, to listen.trusted_proxies.",
        ),
        (true, false) if added == 0 && !first_is_claimed => Finding::error(
            ABOUT,
            id,
            format!(
                "{} sends no X-Forwarded-For: everybody seems to come from it, and is limited together",
                seen.peer
            ),
            WRITE,
        ),
        (true, false) if added == 0 => Finding::error(
            ABOUT,
            id,
            format!(
                "{} hands on X-Forwarded-For as it comes: anybody can say which address they come from",
                seen.peer
            ),
            WRITE,
        ),
        // Had the first proxy added where we come from, everybody would be known by that.
        (true, false) if seen.caller == CLAIMED && own.is_some_and(|own| !own.is_trusted) => {
            Finding::error(
                ABOUT,
                id,
                format!(
                    "{} keeps what callers say in X-Forwarded-For, and only addresses of listen.trusted_proxies are added: anybody can say which address they come from",
                    seen.peer
                ),
                format!(
                    "{WRITE} Where this machine reaches the proxy by an address of listen.trusted_proxies (NAT), run portvakt check from elsewhere."
                ),
            )
        }
        (true, false) if seen.caller == CLAIMED => Finding::warning(
            ABOUT,
            id,
            "every address that proxies added is one of listen.trusted_proxies, this machine's too: whether they are right cannot be seen from here",
            "Run portvakt check from a machine that is none of them, or name single addresses there and no network that people come from.",
        ),
        (true, false) => Finding::ok(
            ABOUT,
            id,
            format!(
                "people are known by their address (this machine's is {})",
                seen.caller
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checking::finding::Level;

    #[test]
    fn what_a_proxy_does_to_addresses_is_seen() {
        let _shows = crate::shows!(accepting "PV-CHECK-4", refusing "PV-CHECK-4");
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let claimed = "192.0.2.77";
        // Whether this machine's own address is one of those that are trusted, and whether the peer's is.
        let (neither, peers, both) = ((false, false), (false, true), (true, true));
        for (peer, (own_is_trusted, is_trusted), forwarded, caller, level, told) in [
            (
                "198.51.100.9",
                neither,
                &[claimed][..],
                "198.51.100.9",
                Level::Ok,
                "none between",
            ),
            (
                "198.51.100.9",
                both,
                &[claimed],
                claimed,
                Level::Warning,
                "cannot be seen",
            ),
            (
                "10.0.0.1",
                neither,
                &[claimed, "198.51.100.9"],
                "10.0.0.1",
                Level::Error,
                "10.0.0.1 is not one of",
            ),
            (
                "10.0.0.1",
                neither,
                &[],
                "10.0.0.1",
                Level::Error,
                "is not one of",
            ),
            (
                "10.0.0.1",
                peers,
                &[],
                "10.0.0.1",
                Level::Error,
                "sends no X-Forwarded-For",
            ),
            (
                "10.0.0.1",
                peers,
                &[claimed],
                claimed,
                Level::Error,
                "hands on X-Forwarded-For",
            ),
            (
                "10.0.0.1",
                both,
                &[claimed, "10.0.0.7"],
                claimed,
                Level::Warning,
                "this machine's too",
            ),
            (
                "10.0.0.1",
                peers,
                &[claimed, "10.0.0.7"],
                claimed,
                Level::Error,
                "anybody can say",
            ),
            (
                "10.0.0.1",
                peers,
                &[claimed, "198.51.100.9"],
                "198.51.100.9",
                Level::Ok,
                "198.51.100.9",
            ),
            (
                "10.0.0.1",
                peers,
                &["198.51.100.9"],
                "198.51.100.9",
                Level::Ok,
                "known by their address",
            ),
        ] {
            let seen = Seen {
                peer: ip(peer),
                is_trusted,
                forwarded: forwarded.iter().map(|hop| (*hop).to_owned()).collect(),
                caller: ip(caller),
                host: Some("login.example.se".to_owned()),
            };
            let own = Own {
                address: ip("198.51.100.9"),
                is_trusted: own_is_trusted,
            };
            let found = judge(&seen, Some(own), "login.example.se");
            assert_eq!(found[0].level, Level::Ok);
            assert_eq!(found[1].level, level, "{found:?}");
            assert!(found[1].said.contains(told), "{found:?}");
            if found[1].said.contains("X-Forwarded-For") {
                let remedy = found[1].remedy.as_deref().expect("a remedy");
                assert!(remedy.contains("X-Forwarded-For $remote_addr"), "{remedy}");
            }
            let found = judge(&seen, None, "other.example.se");
            assert_eq!(found[0].level, Level::Error);
            assert!(
                found[0].said.contains("Host into login.example.se"),
                "{found:?}"
            );
        }
    }
}
