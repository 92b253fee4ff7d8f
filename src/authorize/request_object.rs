//! Requests that a client signs (OpenID Connect Core §6, RFC 9101), given by value.

use serde_json::{Map, Value};

use super::pushed::When;
use super::request::Parameters;
use super::{Answerable, Mistake, PageMistake, Refused, redirect_uri, resource};
use crate::client::Client;
use crate::clock::{Seconds, Timestamp};
use crate::jose::jwks;
use crate::jose::jwt::{Once, Signed, Times};

/// Where a signed request may say that it is meant for.
#[derive(Clone, Copy, Debug)]
pub struct Audience<'a> {
    /// This provider.
    pub issuer: &'a str,
    /// Its authorization endpoint.
    pub endpoint: &'a str,
}

/// What a request asks for, wherever it stood.
#[derive(Debug)]
pub struct Unfolded {
    /// Its parameters.
    pub parameters: Parameters,
    /// The name of the signed request, if it has one.
    pub once: Option<Once>,
}

/// How long a request may be good.
pub const LONGEST: Seconds = Seconds(24 * 60 * 60);
/// How long a pushed one may, and how old it may be.
pub const LONGEST_PUSHED: Seconds = Seconds(60 * 60);

/// OpenID Connect Core §6.1, RFC 9101 §5, §6: the parameters at the authorization endpoint, those of
/// a signed request among them. A client without keys has no such requests.
pub fn unfold(
    raw: &Parameters,
    client: &Client,
    audience: Audience<'_>,
    when: When,
    now: Timestamp,
) -> Result<Unfolded, Refused> {
    let whole = || Unfolded {
        parameters: raw.clone(),
        once: None,
    };
    // The rules refuse that by its own name.
    if raw.has_repetition() {
        return Ok(whole());
    }
    let outside = raw.without(&["request"]);
    // What stands in a request that is not the client's is worth nothing.
    let unread = |mistake| objection(raw, &outside, client, mistake);
    // A login that it led to goes on, by whatever keys the client has by then.
    let signed = match when {
        When::Brought => read(raw, client).map_err(unread)?,
        When::Underway => kept(raw, client).map_err(unread)?,
    };
    let Some(signed) = signed else {
        return Ok(whole());
    };
    let inside = parameters(&signed.claims).ok_or_else(|| unread(Mistake::RequestObjectBad))?;
    let differs = ["client_id", "response_type"].iter().any(|name| {
        let both = inside.first(name).zip(outside.first(name));
        both.is_some_and(|(inside, outside)| inside != outside)
    });
    let asked = match client.metadata.require_signed_request_object {
        true => inside,
        false => inside.before(&outside),
    };
    let objection = |mistake| objection(raw, &asked, client, mistake);
    let bad = || objection(Mistake::RequestObjectBad);
    let times = Times::read(&signed.claims).ok_or_else(bad)?;
    let meant = [audience.issuer, audience.endpoint];
    let in_time = when == When::Underway || in_time(&times, LONGEST, now);
    if !is_meant_for(&signed, client, &meant) || !in_time {
        return Err(bad());
    }
    if differs {
        return Err(objection(Mistake::RequestObjectDiffers));
    }
    Ok(Unfolded {
        once: times.once(&signed.claims, LONGEST),
        parameters: asked,
    })
}

/// A mistake is told at the address that `asked` names, and shown where that is none of the client's.
fn objection(raw: &Parameters, asked: &Parameters, client: &Client, mistake: Mistake) -> Refused {
    match redirect_uri::resolve(asked, client) {
        Ok(address) => Answerable::told(asked, address, mistake),
        Err(PageMistake::RedirectUriMissing) if raw.first("request").is_some() => {
            Refused::Page(PageMistake::RequestObject)
        }
        Err(mistake) => Refused::Page(mistake),
    }
}

/// RFC 9126 §3: the same when it is pushed, where nothing but the signed request counts.
pub fn unfold_pushed(
    form: &Parameters,
    client: &Client,
    issuer: &str,
    now: Timestamp,
) -> Result<Unfolded, Mistake> {
    let Some(signed) = read(form, client)? else {
        return Ok(Unfolded {
            parameters: form.clone(),
            once: None,
        });
    };
    let bad = Mistake::RequestObjectBad;
    let times = Times::read(&signed.claims).ok_or(bad)?;
    let in_time = times
        .not_before
        .is_some_and(|from| now < from + LONGEST_PUSHED)
        && in_time(&times, LONGEST_PUSHED, now);
    if !is_meant_for(&signed, client, &[issuer]) || !in_time {
        return Err(bad);
    }
    let parameters = parameters(&signed.claims).ok_or(bad)?;
    match parameters.first("client_id") {
        Some(other) if other != client.client_id.as_str() => Err(bad),
        _ => Ok(Unfolded {
            parameters,
            once: times.once(&signed.claims, LONGEST_PUSHED),
        }),
    }
}

/// The signed request of a client that has keys, verified.
fn read(raw: &Parameters, client: &Client) -> Result<Option<Signed>, Mistake> {
    let metadata = &client.metadata;
    match (raw.first("request"), &metadata.jwks) {
        (None, _) if metadata.require_signed_request_object => Err(Mistake::NotSigned),
        (None, _) => Ok(None),
        // It has keys, but they could not be had.
        (Some(_), None) if metadata.jwks_uri.is_some() => Err(Mistake::RequestObjectBad),
        (Some(_), None) => Err(Mistake::RequestObject),
        (Some(_), Some(_)) if raw.first("request_uri").is_some() => Err(Mistake::RequestTwice),
        (Some(token), Some(jwks)) => {
            let signed = jwks
                .verify(token, metadata.request_object_signing_alg)
                .filter(|signed| metadata.profile.takes_algorithm(signed.algorithm))
                .ok_or(Mistake::RequestObjectBad)?;
            Ok(Some(signed))
        }
    }
}

/// The same once it has led to a choice or a login: what was verified then is believed. That a client must sign holds
/// for whatever it had not signed.
fn kept(raw: &Parameters, client: &Client) -> Result<Option<Signed>, Mistake> {
    match raw.first("request") {
        None if client.metadata.require_signed_request_object => Err(Mistake::NotSigned),
        None => Ok(None),
        Some(token) => jwks::verified_before(token)
            .map(Some)
            .ok_or(Mistake::RequestObjectBad),
    }
}

/// RFC 9101 §4, §10.8; RFC 8725 §3.11: it is a request, from this client and to us.
fn is_meant_for(signed: &Signed, client: &Client, audience: &[&str]) -> bool {
    let is_request = signed.is_of_kind("oauth-authz-req+jwt");
    let ours = |value: &Value| value.as_str().is_some_and(|aud| audience.contains(&aud));
    let to_us = match signed.claims.get("aud") {
        Some(Value::Array(several)) => several.iter().any(ours),
        Some(one) => ours(one),
        None => false,
    };
    let issuer = signed.claims.get("iss").and_then(Value::as_str);
    is_request && to_us && issuer == Some(client.client_id.as_str())
}

fn in_time(times: &Times, longest: Seconds, now: Timestamp) -> bool {
    let from = times.not_before.unwrap_or(now);
    times.hold(now) && times.expires_at <= from + longest
}

/// What says something of the token and nothing of the request (RFC 7519 §4.1).
const OF_THE_TOKEN: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// RFC 9101 §4: parameters are members, those that are no strings by their JSON; none is a request
/// again, and none holds what no form could carry.
fn parameters(claims: &Map<String, Value>) -> Option<Parameters> {
    let pairs: Option<Vec<(String, String)>> = claims
        .iter()
        .filter(|(name, value)| !OF_THE_TOKEN.contains(&name.as_str()) && !value.is_null())
        .flat_map(|(name, value)| each(name, value).iter().map(move |value| (name, value)))
        .map(|(name, value)| {
            let text = match value {
                Value::String(text) if text.chars().any(char::is_control) => return None,
                Value::String(text) => text.clone(),
                _ => value.to_string(),
            };
            let is_request = matches!(name.as_str(), "request" | "request_uri");
            (!is_request).then(|| (name.clone(), text))
        })
        .collect();
    let has_jti = claims.get("jti").is_none_or(Value::is_string);
    Some(Parameters::from_pairs(pairs?)).filter(|_| has_jti)
}

/// RFC 8707 §2: the one parameter that may come more than once is a list here.
fn each<'v>(name: &str, value: &'v Value) -> &'v [Value] {
    match value {
        Value::Array(several) if name == resource::PARAMETER => several,
        one => std::slice::from_ref(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Profile;
    use crate::id::ClientId;
    use crate::secret::Digest;
    use crate::testing::Signer;
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_000_000);
    const AUDIENCE: Audience<'static> = Audience {
        issuer: "https://op.example",
        endpoint: "https://op.example/authorize",
    };

    fn client(signer: &Signer, must_sign: bool) -> Client {
        Client {
            client_id: ClientId::parse("a").expect("an id"),
            sector: "a.example".into(),
            metadata: serde_json::from_value(json!({
                "client_name": "A", "redirect_uris": ["https://a.example/cb"],
                "jwks": signer.jwks(), "require_signed_request_object": must_sign,
            }))
            .expect("metadata"),
        }
    }

    /// A request that is good everywhere, with changes: null leaves out.
    fn claims(changes: Value) -> Value {
        let mut claims = json!({
            "iss": "a", "aud": "https://op.example", "nbf": NOW.0, "exp": NOW.0 + 60, "jti": "j",
            "client_id": "a", "response_type": "code", "redirect_uri": "https://a.example/cb",
            "scope": "openid", "max_age": 5, "claims": {"id_token": {"name": null}},
        });
        let members = claims.as_object_mut().expect("an object");
        for (name, value) in changes.as_object().into_iter().flatten() {
            match value {
                Value::Null => members.remove(name),
                value => members.insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    fn raw(token: &str, more: &[(&str, &str)]) -> Parameters {
        let base = [
            ("client_id", "a"),
            ("redirect_uri", "https://a.example/cb"),
            ("state", "outside"),
            ("scope", "openid profile"),
            ("request", token),
        ];
        let pairs = base.iter().chain(more);
        Parameters::from_pairs(pairs.map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))
    }

    fn mistake(refused: Refused) -> Mistake {
        match refused {
            Refused::Client(told) => told.mistake,
            Refused::Page(mistake) => panic!("{mistake:?}"),
        }
    }

    #[test]
    fn what_is_signed_counts_before_what_is_not() {
        let _shows = crate::shows!(accepting "AU-31", accepting "AU-32", accepting "AU-33", refusing "AU-33", accepting "AU-38",
            refusing "AU-38", accepting "PA-09", refusing "PA-09", refusing "AU-36",
            refusing "AU-47");
        let signer = Signer::new();
        let token = signer.sign(&json!({"alg": "PS256"}), &claims(json!({})));
        let read = |raw: &Parameters, must_sign| {
            unfold(
                raw,
                &client(&signer, must_sign),
                AUDIENCE,
                When::Brought,
                NOW,
            )
        };
        let mixed = read(&raw(&token, &[]), false).expect("good");
        let first = |name| mixed.parameters.first(name);
        assert_eq!(
            (first("scope"), first("state")),
            (Some("openid"), Some("outside"))
        );
        assert_eq!((first("max_age"), first("request")), (Some("5"), None));
        assert_eq!(first("claims"), Some(r#"{"id_token":{"name":null}}"#));
        assert_eq!((first("iss"), first("exp")), (None, None));
        assert!(mixed.once.is_some_and(|once| once.jti == Digest::of("j")));
        let alone = read(&raw(&token, &[]), true).expect("good");
        assert_eq!(alone.parameters.first("state"), None);
        let pushed = |form: &Parameters, must_sign| {
            unfold_pushed(form, &client(&signer, must_sign), AUDIENCE.issuer, NOW)
        };
        let alone = pushed(&raw(&token, &[]), false).expect("good");
        assert_eq!(alone.parameters.first("state"), None);

        let unsigned = raw("", &[]);
        let refused = |raw: &Parameters, must_sign| match read(raw, must_sign) {
            Ok(_) => None,
            Err(refused) => Some(mistake(refused)),
        };
        assert_eq!(refused(&unsigned, true), Some(Mistake::NotSigned));
        assert_eq!(pushed(&unsigned, true).map(|_| ()), Err(Mistake::NotSigned));
        assert!(read(&unsigned, false).is_ok() && pushed(&unsigned, false).is_ok());
        let differs = raw(&token, &[("response_type", "token")]);
        assert_eq!(
            refused(&differs, false),
            Some(Mistake::RequestObjectDiffers)
        );
        let both = raw(&token, &[("request_uri", "https://a.example/r")]);
        assert_eq!(refused(&both, false), Some(Mistake::RequestTwice));
        let nowhere = raw("x.y.z", &[]).without(&["redirect_uri"]);
        assert!(matches!(
            read(&nowhere, false),
            Err(Refused::Page(PageMistake::RequestObject))
        ));
        // What is wrong with a request of the client's own is told at the address that it holds.
        let old = signer.sign(
            &json!({"alg": "ES256"}),
            &claims(json!({"exp": NOW.0, "state": "in"})),
        );
        let alone = raw(&old, &[]).only(&["client_id", "request"]);
        let told = |must_sign| match read(&alone, must_sign) {
            Err(Refused::Client(told)) => (told.mistake, told.state),
            other => panic!("{other:?}"),
        };
        for must_sign in [false, true] {
            let expected = (Mistake::RequestObjectBad, Some("in".to_owned()));
            assert_eq!(told(must_sign), expected);
        }
        let elsewhere = claims(json!({"exp": NOW.0, "redirect_uri": "https://b.example/"}));
        let elsewhere = signer.sign(&json!({"alg": "ES256"}), &elsewhere);
        assert!(matches!(
            read(&raw(&elsewhere, &[]), false),
            Err(Refused::Page(PageMistake::RedirectUriUnregistered))
        ));
    }

    #[test]
    fn a_signed_request_is_this_clients_to_us_and_in_time() {
        let _shows = crate::shows!(refusing "AU-31", refusing "AU-32", refusing "AU-36", refusing "AU-37", refusing "AU-38",
            accepting "PA-10", refusing "PA-10");
        let signer = Signer::new();
        let client = client(&signer, false);
        let tried = |header: Value, changes: Value, when, now| {
            let token = signer.sign(&header, &claims(changes));
            let by_browser = unfold(&raw(&token, &[]), &client, AUDIENCE, when, now);
            let pushed = unfold_pushed(&raw(&token, &[]), &client, AUDIENCE.issuer, now);
            (by_browser.is_ok(), pushed.is_ok())
        };
        let header = || json!({"alg": "ES256"});
        let asked = |changes| tried(header(), changes, When::Brought, NOW);
        let at = |seconds: i64| json!(NOW.0 + seconds);
        for (changes, expected) in [
            (json!({}), (true, true)),
            (json!({"aud": ["x", "https://op.example"]}), (true, true)),
            (
                json!({"aud": "https://op.example/authorize"}),
                (true, false),
            ),
            (json!({"aud": "https://op.example/token"}), (false, false)),
            (json!({"aud": null}), (false, false)),
            (json!({"aud": []}), (false, false)),
            (json!({"iss": "b"}), (false, false)),
            (json!({"iss": null}), (false, false)),
            (json!({"client_id": "b"}), (false, false)),
            (json!({"exp": at(0)}), (false, false)),
            (json!({"exp": at(1)}), (true, true)),
            (json!({"exp": null}), (false, false)),
            (json!({"exp": "soon"}), (false, false)),
            (json!({"exp": at(3601)}), (true, false)),
            (json!({"exp": at(25 * 3600)}), (false, false)),
            (json!({"nbf": null}), (true, false)),
            (json!({"nbf": at(8)}), (true, true)),
            (json!({"nbf": at(61), "exp": at(90)}), (false, false)),
            (json!({"nbf": at(-3601), "exp": at(1)}), (true, false)),
            (json!({"jti": null}), (true, true)),
            (json!({"jti": 7}), (false, false)),
            (json!({"request": "x"}), (false, false)),
            (json!({"request_uri": "x"}), (false, false)),
            (json!({"state": "a\u{0}"}), (false, false)),
            (json!({"x": ["y"], "z": true}), (true, true)),
            (json!({"resource": ["urn:a", "urn:b\u{0}"]}), (false, false)),
        ] {
            assert_eq!(asked(changes.clone()), expected, "{changes}");
        }
        for typ in [
            "JWT",
            "oauth-authz-req+jwt",
            "application/oauth-authz-req+jwt",
        ] {
            let header = json!({"alg": "ES256", "typ": typ});
            assert_eq!(tried(header, json!({}), When::Brought, NOW), (true, true));
        }
        for typ in [
            "at+jwt",
            "logout+jwt",
            "dpop+jwt",
            "client-authentication+jwt",
            "",
        ] {
            let header = json!({"alg": "ES256", "typ": typ});
            let refused = tried(header, json!({}), When::Brought, NOW);
            assert_eq!(refused, (false, false), "{typ}");
        }
        let later = NOW + Seconds(600);
        let underway = tried(header(), json!({}), When::Underway, later);
        assert!(underway.0, "a login goes on");
    }

    #[test]
    fn a_login_goes_on_when_its_client_has_other_keys() {
        let _shows = crate::shows!(accepting "AU-31", refusing "AU-31", refusing "AU-38");
        let token = Signer::new().sign(&json!({"alg": "ES256"}), &claims(json!({})));
        let client = client(&Signer::new(), true);
        let read = |when| unfold(&raw(&token, &[]), &client, AUDIENCE, when, NOW);
        let underway = read(When::Underway).expect("it was verified when it came");
        assert_eq!(underway.parameters.first("max_age"), Some("5"));
        // A client that must sign by now has no login by what it had not signed.
        let unsigned = raw("", &[]).without(&["request"]);
        let refused = unfold(&unsigned, &client, AUDIENCE, When::Underway, NOW);
        assert_eq!(mistake(refused.expect_err("refused")), Mistake::NotSigned);
        assert_eq!(
            mistake(read(When::Brought).expect_err("refused")),
            Mistake::RequestObjectBad
        );
    }

    #[test]
    fn a_fapi_client_signs_by_its_profiles_algorithms() {
        let _shows = crate::shows!(accepting "JK-07", refusing "JK-07");
        let signer = Signer::new();
        let mut client = client(&signer, true);
        for (profile, alg, taken) in [
            (Profile::Standard, "RS256", true),
            (Profile::Fapi2, "RS256", false),
            (Profile::Fapi2, "ES384", false),
            (Profile::Fapi2, "PS256", true),
            (Profile::Fapi2, "ES256", true),
            (Profile::Fapi2, "EdDSA", true),
        ] {
            client.metadata.profile = profile;
            let token = signer.sign(&json!({"alg": alg}), &claims(json!({})));
            let got = unfold_pushed(&raw(&token, &[]), &client, AUDIENCE.issuer, NOW);
            let expected = (!taken).then_some(Mistake::RequestObjectBad);
            assert_eq!(got.err(), expected, "{profile:?} {alg}");
        }
    }
}
