mod callers;
mod requests;

use std::collections::HashSet;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::diagnosis::{Known, Owner, Scene, diagnose};
use super::received::Token;
use super::*;
use crate::authorize::request::Parameters;
use crate::client::Client;

const ISSUER: &str = "https://op.example";
const AT: Timestamp = Timestamp(100_000);

/// A client with these things registered besides its address.
fn client(more: &Value) -> Client {
    let mut metadata = json!({"client_name": "A", "redirect_uris": ["https://a.example/cb"]});
    for (name, value) in more.as_object().into_iter().flatten() {
        metadata[name] = value.clone();
    }
    Client {
        client_id: ClientId::parse("a").expect("an id"),
        sector: "a.example".into(),
        metadata: serde_json::from_value(metadata).expect("metadata"),
    }
}

fn sent(pairs: &[(&str, &str)]) -> Received {
    let length = |name| {
        let found = pairs.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| (name, value.len()))
    };
    let owned = pairs
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    Received {
        client_id: Some("a".to_owned()),
        parameters: Parameters::from_pairs(owned),
        lengths: Received::LENGTHS.into_iter().filter_map(length).collect(),
        ..Received::default()
    }
}

fn authenticating(ways: &[&'static str]) -> Received {
    Received {
        ways: ways.to_vec(),
        ..sent(&[])
    }
}

fn token(header: &Value, claims: &Value) -> Option<Token> {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    Token::read(&format!("{}.{}.c2ln", part(header), part(claims)))
}

fn asserting(header: Value, claims: Value) -> Received {
    Received {
        assertion: token(&header, &claims),
        ..sent(&[])
    }
}

fn requesting(header: Value, claims: Value) -> Received {
    Received {
        request_object: token(&header, &claims),
        ..sent(&[])
    }
}

fn proving(header: Value, claims: Value) -> Received {
    Received {
        proof: token(&header, &claims),
        endpoint: format!("{ISSUER}/token"),
        ..sent(&[])
    }
}

fn owned(client_id: &str, expires_at: i64) -> Known {
    Known {
        owner: Some(Owner {
            client_id: ClientId::parse(client_id).expect("an id"),
            expires_at: Timestamp(expires_at),
            has_ended: false,
        }),
        ..Known::default()
    }
}

/// What is found at an endpoint, and what is said of the difference.
fn found_at(
    endpoint: Endpoint,
    reason: Reason,
    received: &Received,
    client: Option<&Client>,
    known: &Known,
) -> (Reason, Option<String>) {
    let scene = Scene {
        received,
        client,
        known,
        endpoint,
        issuer: ISSUER,
        at: AT,
    };
    let (reason, detail) = diagnose(reason, scene);
    (reason, reason.explain(&detail).difference)
}

/// A case of the table: what the rule says, what came, what is registered, what else is known, what is
/// found, and the words.
type Case = (Reason, Received, Value, Known, Reason, Option<&'static str>);

fn check(cases: Vec<Case>) -> Vec<Reason> {
    let mut seen = Vec::new();
    for (rule, received, registered, known, expected, words) in cases {
        let client = client(&registered);
        let (reason, difference) =
            found_at(Endpoint::Token, rule, &received, Some(&client), &known);
        assert_eq!(reason, expected, "{rule:?} {registered} {difference:?}");
        assert_eq!(difference.as_deref(), words, "{expected:?}");
        seen.push(reason);
    }
    seen
}

#[test]
fn the_difference_is_told_in_words() {
    let _shows = crate::shows!(accepting "PV-WHY-1", refusing "PV-WHY-4");
    let mut seen: HashSet<Reason> = HashSet::new();
    for cases in [
        requests::addresses(),
        requests::parameters(),
        callers::methods(),
        callers::signed(),
        callers::kept(),
    ] {
        seen.extend(check(cases));
    }
    let unknown = |known: &Known| {
        let received = Received {
            client_id: Some("komunen".to_owned()),
            ..sent(&[])
        };
        found_at(
            Endpoint::Authorize,
            Reason::ClientIdUnknown,
            &received,
            None,
            known,
        )
    };
    let near = Known {
        near: ClientId::parse("kommunen"),
        ..Known::default()
    };
    let secret = Known {
        is_secret: true,
        ..near.clone()
    };
    for (known, expected, words) in [
        (
            Known::default(),
            Reason::ClientIdUnknown,
            Some("received komunen"),
        ),
        (
            near,
            Reason::ClientIdMisspelt,
            Some("registered kommunen, received komunen"),
        ),
        (secret, Reason::ClientIdIsSecret, None),
    ] {
        let (reason, difference) = unknown(&known);
        assert_eq!((reason, difference.as_deref()), (expected, words));
        seen.insert(reason);
    }
    // Whoever adds a difference adds its words here.
    for reason in Reason::ALL {
        let has_difference = !reason.words().difference.is_empty();
        assert!(
            !has_difference || seen.contains(reason),
            "{reason:?} has no case"
        );
    }
    assert!(seen.len() > 70, "{}", seen.len());
}

#[test]
fn a_pushed_request_object_is_measured_by_its_own_rule() {
    let times = |nbf: Option<i64>, exp: i64| {
        let claims = json!({"iss": "a", "aud": ISSUER, "nbf": nbf, "exp": exp});
        requesting(json!({"alg": "ES256", "kid": "ec"}), claims)
    };
    let keys = crate::testing::Signer::new().jwks();
    let client = client(&json!({"jwks": keys}));
    let reason = |received: &Received| {
        let (rule, known) = (Reason::RequestObjectInvalid, Known::default());
        found_at(Endpoint::Par, rule, received, Some(&client), &known).0
    };
    let good = times(Some(AT.0), AT.0 + 60);
    assert_eq!(
        reason(&good),
        Reason::RequestObjectInvalid,
        "something else is wrong"
    );
    for wrong in [times(None, AT.0 + 60), times(Some(AT.0), AT.0 + 4000)] {
        assert_eq!(reason(&wrong), Reason::RequestObjectTimes);
    }
}

#[test]
fn every_mistake_has_a_name_of_its_own_and_plain_words() {
    let _shows = crate::shows!(accepting "PV-WHY-1");
    let mut names = HashSet::new();
    for reason in Reason::ALL {
        let name = reason.as_str();
        let sound = name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        assert!(sound && names.insert(name), "{name}");
        assert_eq!(Reason::parse(name), Some(*reason));
        let explained = reason.explain(&Detail::default());
        for text in [explained.what, explained.remedy] {
            assert!(text.len() > 10 && text.ends_with('.'), "{name}: {text}");
        }
        let whole = Detail {
            registered: Some("{R}".into()),
            received: Some("{X}".into()),
            names: vec!["{N}".into()],
            seconds: Some(5),
        };
        let template = reason.words().difference;
        let said = reason.explain(&whole).difference;
        assert_eq!(said.is_none(), template.is_empty(), "{name}: {template}");
    }
    assert!(names.len() >= 40);
    assert_eq!(Reason::parse("of_another_version"), None);
}

/// What no rule and no diagnosis says can never be explained to anybody.
#[test]
fn every_mistake_is_named_by_a_rule_or_found_by_the_diagnosis() {
    let _shows = crate::shows!(accepting "PV-WHY-1");
    let mut text = String::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    read(&source, &mut text);
    for reason in Reason::ALL {
        let named = format!("Reason::{reason:?}");
        let is_named = text.split(&named).skip(1).any(|rest| {
            let next = rest.chars().next();
            next.is_none_or(|c| !c.is_alphanumeric())
        });
        assert!(is_named, "{named} is said nowhere");
    }
}

/// A refusal whose exact mistake nobody knows is one that nobody can explain.
#[test]
fn every_refusal_of_a_rule_names_its_mistake() {
    let _shows = crate::shows!(accepting "PV-WHY-1");
    let mut text = String::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut text,
    );
    let unnamed: Vec<&str> = text
        .split("Refusal::new(")
        .skip(1)
        .map(|rest| rest.split_once(';').map_or(rest, |(one, _)| one))
        .filter(|one| !one.contains(".because("))
        .filter(|one| !BLAMELESS.iter().any(|known| one.contains(known)))
        .collect();
    assert!(text.matches(".because(").count() > 40);
    assert!(unnamed.is_empty(), "{unnamed:#?}");
}

/// What is nobody's mistake, and what gets its name elsewhere.
const BLAMELESS: [&str; 12] = [
    "code: Code, description",
    // A person's no, and what BankID did.
    "the person cancelled the login",
    "BankID could not be used",
    "no BankID order could be made",
    "the login could not be proven",
    "another person logged in",
    // Limits and the network.
    "too many requests",
    "the body is too large, too slow or incomplete",
    // Named where they are answered.
    "the request is too large",
    "client authentication failed: ",
    // The administration's own API, which tells whoever calls it all there is to know.
    "the access token is of a person: get one by",
    "the access token has another scope, or its client",
];

/// All sources but this test and the table itself, each up to its tests.
fn read(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("sources") {
        let path = entry.expect("a file").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() {
            read(&path, text);
        } else if name != "tests.rs" && name != "reasons.rs" {
            let source = std::fs::read_to_string(&path).expect("a source");
            let code = source.split("#[cfg(test)]\nmod tests {").next();
            text.push_str(code.unwrap_or_default());
        }
    }
}
