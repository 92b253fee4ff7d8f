//! What came back from the public address, judged: whether it is a node with this configuration that answers.

use std::time::Duration;

use serde_json::{Map, Value};

use super::finding::Finding;
use crate::clock::Timestamp;
use crate::outbound::tls_error;

/// What all of this is about.
pub(super) const ABOUT: &str = "issuer";
/// How long a node waits between the two events of its answer.
pub const PAUSE: Duration = Duration::from_millis(600);

/// What came back.
#[derive(Debug, Default)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
    /// When the certificate of the other side ends.
    pub(super) ends_at: Option<Timestamp>,
}

/// Why nothing came back.
pub(super) fn unanswered(error: &reqwest::Error) -> Finding {
    use rustls::{CertificateError as Wrong, Error as Tls};
    match tls_error(error) {
        Some(Tls::InvalidCertificate(wrong)) => {
            let said = match wrong {
                Wrong::Expired | Wrong::ExpiredContext { .. } => "its certificate has ended",
                Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
                    "its certificate is not good yet, or this machine's clock is wrong"
                }
                Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
                    "its certificate is for another name"
                }
                _ => {
                    "its certificate does not come from an authority that is trusted, or lacks those between"
                }
            };
            Finding::error(
                ABOUT,
                "issuer_certificate",
                said,
                "Browsers and applications refuse it, too: install one for this name with its whole chain. An authority of your own goes into outbound.ca_file.",
            )
        }
        Some(_) => Finding::error(
            ABOUT,
            "issuer_tls",
            "what answers does not speak TLS as browsers do",
            "See whether the port is the one of TLS, and whether TLS 1.2 or 1.3 is on.",
        ),
        None if error.is_connect() || error.is_timeout() => Finding::warning(
            ABOUT,
            "issuer_unreachable",
            "nobody answers at the public address",
            "Start a node, if none runs; otherwise look at the proxy, the firewall and where the name leads.",
        ),
        None => Finding::error(
            ABOUT,
            "issuer_answer",
            "the answer breaks off, or is no HTTP",
            "See what listens at the public address.",
        ),
    }
}

const DAY: i64 = 24 * 60 * 60;

/// Certificates that are renewed by themselves are so a month before their end.
pub(super) fn ends(ends_at: Timestamp, now: Timestamp) -> Finding {
    let days = (ends_at - now).0.div_euclid(DAY);
    let said = format!("its certificate is good for {days} more days");
    let remedy = "Renew it: nobody can log in after that.";
    match days {
        ..4 => Finding::error(ABOUT, "issuer_certificate", said, remedy),
        4..15 => Finding::warning(ABOUT, "issuer_certificate", said, remedy),
        _ => Finding::ok(ABOUT, "issuer_certificate", said),
    }
}

/// What came for the metadata document, and what a node with this configuration says.
pub(super) fn document(got: &Got, expected: &Value) -> Finding {
    let id = "issuer_document";
    let error = |said: String, remedy: &str| Finding::error(ABOUT, id, said, remedy);
    let object = serde_json::from_slice::<Map<String, Value>>(&got.body).ok();
    match (got.status, object) {
        (200, Some(object)) => {
            let named = object.get("issuer").and_then(Value::as_str);
            if named.is_none() {
                return error(
                    "something else than a node answers".to_owned(),
                    "Have the proxy hand on every path as it is.",
                );
            }
            if named != expected["issuer"].as_str() {
                return error(
                    "a provider with another issuer answers".to_owned(),
                    "See where the name and the proxy lead, and which configuration that node reads.",
                );
            }
            same_document(&object, expected)
        }
        (200, None) => error(
            "something else than a node answers".to_owned(),
            "Have the proxy hand on every path as it is.",
        ),
        (421, _) => error(
            "a node answers that it was called by another name".to_owned(),
            "Have the proxy hand on the header Host as it is (nginx: proxy_set_header Host $http_host).",
        ),
        (502..=504, _) => Finding::warning(
            ABOUT,
            id,
            format!(
                "a proxy answers that it reaches no node (HTTP {})",
                got.status
            ),
            "Start a node, if none runs; otherwise see where the proxy leads, and listen.address.",
        ),
        (300..=399, _) => error(
            format!("leads elsewhere (HTTP {})", got.status),
            "Applications follow no redirects here: have the proxy hand on every path as it is.",
        ),
        (status, _) => error(
            format!("something else than a node answers (HTTP {status})"),
            "See where the proxy leads, and whether it hands on every path.",
        ),
    }
}

/// Where the documents of one issuer differ. Addresses come of the issuer alone, and cannot.
fn same_document(object: &Map<String, Value>, expected: &Value) -> Finding {
    let id = "issuer_document";
    let members = expected.as_object().into_iter().flatten();
    let differs: Vec<_> = members
        .filter(|(name, value)| object.get(*name) != Some(value))
        .collect();
    let is_address = |value: &Value| value.as_str().is_some_and(|text| text.starts_with("http"));
    let moved = differs.iter().filter(|(_, value)| is_address(value));
    let moved: Vec<&str> = moved.map(|(name, _)| name.as_str()).collect();
    if !moved.is_empty() {
        return Finding::error(
            ABOUT,
            id,
            format!("what answers has other addresses of {}", listed(&moved)),
            "Have the proxy hand on what a node says as it is: applications call what stands there.",
        );
    }
    let mut names: Vec<&str> = differs.iter().map(|(name, _)| name.as_str()).collect();
    let more = object.keys().filter(|name| expected.get(name).is_none());
    names.extend(more.map(String::as_str));
    match names.is_empty() {
        true => Finding::ok(ABOUT, id, "answers as this configuration says"),
        false => Finding::warning(
            ABOUT,
            id,
            format!("what answers says other things of {}", listed(&names)),
            "That node is of another version, or reads another configuration: restart it with this one.",
        ),
    }
}

/// How many names of what somebody else wrote are said, and how much of each.
const NAMED: (usize, usize) = (10, 60);

fn listed(names: &[&str]) -> String {
    let (most, longest) = NAMED;
    let said = names.iter().take(most).map(|name| {
        let cut = name.char_indices().nth(longest);
        cut.map_or((*name).to_owned(), |(at, _)| format!("{}…", &name[..at]))
    });
    let said = said.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => said,
        more => format!("{said} and {more} more"),
    }
}

/// What answers without TLS, if anything does.
pub(super) fn in_clear(got: Option<&Got>, authority: &str) -> Finding {
    let id = "issuer_http";
    let secure = format!("https://{authority}/");
    match got {
        None => Finding::ok(ABOUT, id, "nobody answers without TLS"),
        Some(got)
            if (300..=399).contains(&got.status)
                && got
                    .location
                    .as_ref()
                    .is_some_and(|to| to.starts_with(&secure)) =>
        {
            Finding::ok(ABOUT, id, "whoever comes without TLS is sent to it")
        }
        Some(got) => Finding::warning(
            ABOUT,
            id,
            format!(
                "answers without TLS (HTTP {}), and does not send people to it",
                got.status
            ),
            format!("Have the proxy redirect every request on port 80 to {secure}."),
        ),
    }
}

/// The keys that are published are those of the database.
pub(super) fn published(got: &Got, kids: &[String]) -> Finding {
    let id = "issuer_keys";
    let set = serde_json::from_slice::<Value>(&got.body).unwrap_or_default();
    let known = |key: &Value| {
        let kid = key["kid"].as_str();
        kid.is_some_and(|kid| kids.iter().any(|known| known == kid))
    };
    let published = set["keys"].as_array().cloned().unwrap_or_default();
    match published.iter().filter(|key| known(key)).count() {
        0 => Finding::error(
            ABOUT,
            id,
            "publishes none of the signing keys that are in the database",
            "That node uses another database: compare database.url with the one here.",
        ),
        some => Finding::ok(
            ABOUT,
            id,
            format!("publishes {some} of the signing keys in the database"),
        ),
    }
}

pub(super) fn unseen() -> Finding {
    Finding::warning(
        "proxy",
        "proxy_unseen",
        "no node said what it saw of a request: whether proxies hand on Host and addresses is not known",
        "See that the nodes are of this version, have this master key and clocks that are right, and that the proxy hands on every path.",
    )
}

/// Whether events arrive as they happen.
pub(super) fn buffered(waited: Duration) -> Finding {
    match waited < PAUSE / 2 {
        true => Finding::error(
            "proxy",
            "proxy_buffering",
            "keeps events back until there are more of them: codes stand still",
            "Have it hand on what it gets at once (nginx: proxy_buffering off, or let X-Accel-Buffering through).",
        ),
        false => Finding::ok("proxy", "proxy_buffering", "hands on events as they happen"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checking::finding::Level;

    fn got(status: u16, body: &str) -> Got {
        Got {
            status,
            body: body.as_bytes().to_vec(),
            ..Got::default()
        }
    }

    #[test]
    fn what_answers_in_our_place_is_told_from_a_node() {
        let _shows = crate::shows!(accepting "PV-CHECK-2", refusing "PV-CHECK-2");
        let expected =
            json!({"issuer": "https://a.example", "token_endpoint": "https://a.example/token"});
        let ours = expected.to_string();
        for (status, body, level, told) in [
            (200, ours.as_str(), Level::Ok, "as this configuration says"),
            (200, "<html>", Level::Error, "something else"),
            (200, "{}", Level::Error, "something else"),
            (
                200,
                r#"{"issuer": "https://b.example"}"#,
                Level::Error,
                "another issuer",
            ),
            (
                200,
                r#"{"issuer": "https://a.example"}"#,
                Level::Error,
                "other addresses of token_endpoint",
            ),
            (404, "", Level::Error, "HTTP 404"),
            (302, "", Level::Error, "leads elsewhere"),
            (421, "", Level::Error, "another name"),
            (502, "", Level::Warning, "reaches no node"),
        ] {
            let found = document(&got(status, body), &expected);
            assert_eq!(found.level, level, "{found:?}");
            assert!(found.said.contains(told), "{found:?}");
        }
        let longer = ours.replacen('{', r#"{"more": 1, "#, 1);
        let found = document(&got(200, &longer), &expected);
        assert_eq!(found.level, Level::Warning);
        assert!(found.said.ends_with("of more"), "{found:?}");
        // Whoever answers wrote it: it is cut, and does nothing to a terminal.
        let mut foreign = expected.clone();
        foreign[format!("\u{1b}[2J{}", "å".repeat(1000))] = json!(1);
        for n in 0..100 {
            foreign[format!("z{n}")] = json!(1);
        }
        let found = document(&got(200, &foreign.to_string()), &expected);
        assert!(found.said.contains("\\u{1b}[2Jå"), "{found:?}");
        assert!(found.said.ends_with(" and 91 more"), "{found:?}");
        assert!(found.said.chars().count() < 200, "{found:?}");
    }

    #[test]
    fn keys_certificates_and_clear_text_are_judged() {
        let _shows = crate::shows!(accepting "PV-CHECK-2", refusing "PV-CHECK-2");
        let kids = ["one".to_owned(), "two".to_owned()];
        let ours = r#"{"keys": [{"kid": "two"}, {"kid": "three"}]}"#;
        assert_eq!(published(&got(200, ours), &kids).level, Level::Ok);
        for other in [r#"{"keys": [{"kid": "three"}]}"#, "{}", "x"] {
            assert_eq!(
                published(&got(200, other), &kids).level,
                Level::Error,
                "{other}"
            );
        }
        let now = Timestamp(1_800_000_000);
        for (days, level) in [(15, Level::Ok), (14, Level::Warning), (3, Level::Error)] {
            let at = Timestamp(now.0 + days * DAY);
            assert_eq!(ends(at, now).level, level, "{days}");
        }
        let to = |status, location: &str| Got {
            location: Some(location.to_owned()),
            ..got(status, "")
        };
        for (answer, level) in [
            (None, Level::Ok),
            (Some(to(301, "https://a.example/")), Level::Ok),
            (
                Some(to(301, "https://a.example.evil.example/")),
                Level::Warning,
            ),
            (Some(to(301, "http://a.example/")), Level::Warning),
            (Some(got(200, "")), Level::Warning),
        ] {
            assert_eq!(
                in_clear(answer.as_ref(), "a.example").level,
                level,
                "{answer:?}"
            );
        }
        assert_eq!(buffered(PAUSE).level, Level::Ok);
        assert_eq!(buffered(Duration::from_millis(20)).level, Level::Error);
    }
}
