//! What the table, the form, JSON and the schema say of one another, and of what means ill.

mod document;
mod hostile;
mod schema;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::json::{at, put, value_of, written};
use super::*;
use crate::authorize::request::ResponseMode;
use crate::bankid::order::{CardReader, Kind as BankIdKind};
use crate::bankid::risk::{OnRisk, RiskPolicy};
use crate::client::bankid::{Demands, KeepEvidence, ReturnPolicy};
use crate::client::machine::Machine;
use crate::client::refresh::RefreshTokens;
use crate::client::{
    AccessTokens, Authentication, Entitlement, Metadata, Pkce, Profile, Purpose, SubjectType,
};
use crate::clock::Timestamp;
use crate::jose::algorithm::Algorithm;
use crate::jose::jwks::ClientAlgorithm;
use crate::login::device::Devices;
use crate::testing::Signer;

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("sound")
}

fn minimal() -> Metadata {
    read(json!({"client_name": "A"}))
}

/// Everything is said, and nothing as it would be anyway. A new field does not compile here before it
/// is added.
fn maximal() -> Metadata {
    Metadata {
        client_name: read(json!("Kommunen")),
        client_names: read(json!({"en": "The municipality", "zh-Hant": "市政府: 南"})),
        redirect_uris: read(json!(["https://a.example/cb", "se.kommunen.app:/cb"])),
        web_origins: read(json!(["https://a.example", "http://localhost:3000"])),
        post_logout_redirect_uris: read(json!(["https://a.example/out"])),
        backchannel_logout_uri: Some(read(json!("https://a.example/ended"))),
        backchannel_logout_session_required: true,
        frontchannel_logout_uri: Some(read(json!("https://a.example/frame"))),
        frontchannel_logout_session_required: true,
        profile: Profile::Fapi2,
        token_endpoint_auth: Authentication::PrivateKeyJwt,
        token_endpoint_auth_signing_alg: Some(ClientAlgorithm::PS256),
        tls_client_auth: None,
        pkce: Pkce::Accepted,
        require_pushed_authorization_requests: true,
        jwks: Some(read(
            json!({"keys": [Signer::new().jwks()["keys"][0].clone()], "note": "a \"b\"\n"}),
        )),
        jwks_uri: None,
        request_object_signing_alg: Some(ClientAlgorithm::PS256),
        require_signed_request_object: true,
        purpose: Some(Purpose {
            sv: read(json!("Så att vi vet vem du är")),
            en: read(json!("So that we know who you are")),
            others: read(json!({"fi": "Jotta tied\u{e4}mme kuka olet", "pt-BR": "Para: saber"})),
        }),
        personal_number: Some(Entitlement {
            purpose: read(json!("Journalföring enligt lag")),
            expires_at: Some(Timestamp(2_000_000_000)),
        }),
        subject_type: SubjectType::Public,
        profile_in_id_token: false,
        theme: read(json!({
            "accent": "#7a0019",
            "accent_dark": "#ffb3c1",
            "logo": "1".repeat(64),
            "logo_dark": "2".repeat(64),
            "note": {"sv": "Öppet dygnet runt.", "en": "Always open.", "others": {"fi": "Aina auki."}},
            "help_uri": "https://a.example/help",
            "home_uri": "https://a.example/",
        })),
        claims: read(json!({
            "preset": "signicat",
            "names": {"name": "display_name", "given_name": "first", "family_name": "last",
                "birthdate": "born", "personal_number": "pnr"},
            "preferred_username": "name",
            "email_domain": "login.example",
        })),
        refresh_tokens: RefreshTokens::Days(30),
        dpop_bound_access_tokens: true,
        tls_client_certificate_bound_access_tokens: false,
        access_token: AccessTokens::Jwt,
        resources: read(json!(["https://api.example", "urn:b"])),
        client_credentials: Some(Machine {
            scopes: read(json!(["orders:read", "orders:write"])),
        }),
        introspects: true,
        serves: read(json!(["urn:a"])),
        default_max_age: Some(3600),
        id_token_signed_response_alg: Some(Algorithm::ES256),
        userinfo_signed_response_alg: Some(Algorithm::EdDSA),
        response_modes: vec![ResponseMode::QueryJwt, ResponseMode::FormPostJwt],
        authorization_signed_response_alg: Some(Algorithm::PS256),
        introspection_signed_response_alg: Some(Algorithm::PS256),
        bankid: Demands {
            profile: Some("Region Skåne".to_owned()),
            pin_code: true,
            mrtd: false,
            kinds: vec![BankIdKind::Card],
            card_reader: Some(CardReader::Class2),
            risk: RiskPolicy {
                moderate: OnRisk::RequirePin,
                high: OnRisk::RequirePin,
                unknown: OnRisk::Deny,
            },
            returning: ReturnPolicy::CookieOrSameAddress,
            devices: Devices::ThisOnly,
            evidence: Some(KeepEvidence { keep_days: 90 }),
        },
    }
}

/// The same with what one client cannot have at once.
fn all_that_can_be() -> Vec<Metadata> {
    let certificate = |subject: Value| {
        let mut metadata = maximal();
        metadata.token_endpoint_auth = Authentication::TlsClientAuth;
        metadata.token_endpoint_auth_signing_alg = None;
        metadata.tls_client_auth = Some(read(subject));
        metadata.dpop_bound_access_tokens = false;
        metadata.tls_client_certificate_bound_access_tokens = true;
        metadata
    };
    let mut published = maximal();
    published.jwks = None;
    published.jwks_uri = Some(read(json!("https://a.example/jwks")));
    let mut reading = maximal();
    reading.bankid.kinds = vec![BankIdKind::Mobile, BankIdKind::File];
    reading.bankid.card_reader = None;
    reading.bankid.mrtd = true;
    let mut bare = minimal();
    bare.refresh_tokens = RefreshTokens::WorkingDay;
    bare.client_credentials = Some(Machine::default());
    vec![
        maximal(),
        published,
        reading,
        bare,
        minimal(),
        certificate(json!({"subject_dn": "CN=app\\, one,O=a\\ "})),
        certificate(json!({"san_dns": "app.example"})),
        certificate(json!({"san_uri": "urn:app"})),
        certificate(json!({"san_ip": "192.0.2.1"})),
        certificate(json!({"san_ip": "2001:db8::1"})),
        certificate(json!({"san_email": "app@example.se"})),
    ]
}

fn has_members_of_its_own(path: &str) -> bool {
    let kind = Setting::named(path).map(|setting| setting.kind);
    matches!(kind, Some(Kind::Translations(_) | Kind::Json))
}

fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        // Whose members are no settings.
        Value::Object(_) if has_members_of_its_own(path) => {
            found.insert(path.to_owned());
        }
        Value::Object(members) => {
            if Setting::named(path).is_some() {
                found.insert(path.to_owned());
            }
            for (name, value) in members {
                let path = match path {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                paths(value, &path, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

fn sent(fields: &[(&'static str, String)]) -> Vec<(String, String)> {
    let own = |(name, text): &(&'static str, String)| ((*name).to_owned(), text.clone());
    fields.iter().map(own).collect()
}

fn form_with(name: &str, text: &str) -> Vec<(String, String)> {
    let mut fields = sent(&to_form(&minimal()));
    fields.retain(|(field, _)| field != name);
    fields.push((name.to_owned(), text.to_owned()));
    fields
}

#[test]
fn every_field_has_a_setting_and_every_setting_a_field() {
    let _shows = crate::shows!(accepting "PV-SETTING-1", refusing "PV-SETTING-1");
    let mut fields = BTreeSet::new();
    for metadata in all_that_can_be() {
        assert_eq!(metadata.conflicts(), [], "{metadata:?}");
        assert_eq!(metadata.bankid.conflicts(), []);
        paths(&written(&metadata), "", &mut fields);
    }
    let settings: BTreeSet<String> = all().map(|setting| setting.name.to_owned()).collect();
    assert_eq!(fields, settings);
    assert_eq!(settings.len(), all().count(), "a name stands twice");
    let in_groups: Vec<&str> = Group::FORM
        .into_iter()
        .flat_map(Group::settings)
        .map(|setting| setting.name)
        .collect();
    let in_table: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    assert_eq!(in_groups, in_table, "the table is in the order of the form");
    for setting in all() {
        assert!(!setting.label.is_empty() && setting.explanation.ends_with('.'));
    }
}

#[test]
fn every_default_is_that_of_the_metadata() {
    let plain = written(&minimal());
    for setting in SETTINGS {
        let default = setting.kind.default();
        match at(&plain, setting.name) {
            Some(_) if setting.name == "client_name" => {}
            Some(found) => assert_eq!(*found, default, "{}", setting.name),
            None if default.is_null() || default == false => {}
            None => {
                let mut said = plain.clone();
                let path = setting.name.strip_prefix("client_credentials.");
                if path.is_none() {
                    put(&mut said, setting.name, default.clone());
                }
                assert_eq!(read::<Metadata>(said), minimal(), "{}", setting.name);
            }
        }
        assert_eq!(value_of(setting, &json!({})), default);
    }
    assert!(minimal().refresh_tokens.is_off() && minimal().client_credentials.is_none());
}

#[test]
fn a_choice_offers_all_that_can_be_read() {
    let algorithms: Vec<&str> = Algorithm::ALL.map(Algorithm::as_str).to_vec();
    let modes: Vec<&str> = ResponseMode::ALL.map(ResponseMode::as_str).to_vec();
    for setting in SETTINGS {
        let (values, is_list) = match setting.kind {
            Kind::Choice { values, .. } => (values, false),
            Kind::Choices { values, .. } => (values, true),
            _ => continue,
        };
        let offered: Vec<&str> = values.iter().map(|choice| choice.value).collect();
        for value in &offered {
            let one = match is_list {
                true => json!([value]),
                false => json!(value),
            };
            let mut metadata = json!({"client_name": "A"});
            put(&mut metadata, setting.name, one.clone());
            let metadata = written(&read::<Metadata>(metadata));
            assert_eq!(value_of(setting, &metadata), one, "{}", setting.name);
        }
        let wrong = match is_list {
            true => json!(["?"]),
            false => json!("?"),
        };
        let mut metadata = json!({"client_name": "A"});
        put(&mut metadata, setting.name, wrong);
        let error = serde_json::from_value::<Metadata>(metadata).expect_err("no such value");
        // "unknown variant `?`, expected one of `a`, `b`"
        let error = error.to_string();
        let known: Vec<&str> = match error.split_once("expected") {
            Some((_, known)) => known.split('`').skip(1).step_by(2).collect(),
            None if setting.name == "response_modes" => modes.clone(),
            None => algorithms.clone(),
        };
        assert_eq!(offered, known, "{}: {error}", setting.name);
    }
}

#[test]
fn what_comes_back_unchanged_changes_nothing() {
    let _shows = crate::shows!(accepting "PV-SETTING-2", refusing "PV-SETTING-2");
    for metadata in all_that_can_be() {
        let fields = sent(&to_form(&metadata));
        assert_eq!(from_form(&fields, &metadata), Ok(metadata.clone()));
        assert_eq!(from_json(written(&metadata)), Ok(metadata.clone()));
        assert_eq!(changes(&metadata, &metadata), []);
        // Every field that is left out is missed, or is a switch that is off now, or a list of which
        // nothing is chosen.
        for (name, _) in &fields {
            let fewer: Vec<_> = fields.iter().filter(|(n, _)| n != name).cloned().collect();
            match (
                Setting::named(name).expect("a setting").kind,
                from_form(&fewer, &metadata),
            ) {
                (Kind::Switch { .. } | Kind::Choices { .. }, Ok(read)) => {
                    assert_eq!(changes(&metadata, &read).len(), 1, "{name}");
                }
                (Kind::Switch { .. } | Kind::Choices { .. }, Err(_)) => {}
                (_, read) => {
                    let mistakes = read.expect_err(name);
                    assert!(mistakes.contains(&Mistake::new(name, "must be sent")));
                }
            }
        }
    }
    let [before, after] = [minimal(), maximal()];
    let changed = changes(&before, &after);
    let of = |name: &str| changed.iter().find(|change| change.setting.name == name);
    let renamed = of("client_name").expect("changed");
    assert_eq!(
        (&renamed.before, &renamed.after),
        (&json!("A"), &json!("Kommunen"))
    );
    let entitled = of("personal_number.purpose").expect("changed");
    assert_eq!(entitled.before, Value::Null);
    let refreshed = of("refresh_tokens").expect("changed");
    assert_eq!(
        (&refreshed.before, &refreshed.after),
        (&json!(false), &json!(true))
    );
    assert_eq!(
        of("bankid.risk.high").expect("changed").before,
        json!("deny")
    );
    assert!(of("bankid.mrtd").is_none());
}

#[test]
fn what_the_form_does_not_show_is_kept() {
    let mut kept = minimal();
    kept.personal_number = maximal().personal_number;
    let read = from_form(&sent(&to_form(&minimal())), &kept).expect("in order");
    assert_eq!(read, kept);
    let smuggled = form_with("personal_number.purpose", "Because");
    let mistakes = from_form(&smuggled, &minimal()).expect_err("has its own page");
    assert_eq!(mistakes[0].setting, "personal_number.purpose");
}

#[test]
fn one_mistake_is_told_as_one_whatever_else_is_set() {
    let _shows = crate::shows!(refusing "PV-SETTING-3");
    let mut all = written(&maximal());
    all["redirect_uris"] = json!(["http://a.example/cb"]);
    let mistakes = from_json(all).expect_err("not https");
    let settings: Vec<&str> = mistakes.iter().map(|m| m.setting.as_str()).collect();
    assert_eq!(settings, ["redirect_uris"], "{mistakes:?}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let _shows = crate::shows!(refusing "PV-SETTING-3");
    let mut fields = sent(&to_form(&minimal()));
    for (name, text) in &mut fields {
        match name.as_str() {
            "client_name" => text.clear(),
            "redirect_uris" => *text = "https://a.example/cb\nhttps://a.example/*".to_owned(),
            "purpose.sv" => *text = "Bara på svenska".to_owned(),
            "default_max_age" => *text = "-1".to_owned(),
            "refresh_tokens.lifetime_days" => *text = "30".to_owned(),
            "pkce" => *text = "never".to_owned(),
            "jwks" => *text = "{\"keys\": [], \"keys\": []}".to_owned(),
            "bankid.evidence.keep_days" => *text = "3661".to_owned(),
            _ => {}
        }
    }
    fields.push(("extra".to_owned(), "1".to_owned()));
    fields.push(("profile".to_owned(), "standard".to_owned()));
    fields.push(("introspects".to_owned(), "yes".to_owned()));
    fields.push(("bankid.kinds".to_owned(), "card".to_owned()));
    fields.push(("bankid.kinds".to_owned(), "card".to_owned()));
    let mistakes = from_form(&fields, &minimal()).expect_err("much is wrong");
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    for expected in [
        "client_name: must be set",
        "redirect_uris: number 2: a redirect URI is https",
        "purpose.en: must be set",
        "default_max_age: must be a whole number",
        "refresh_tokens.lifetime_days: is set, but Refresh tokens is off",
        "pkce: must be one of required, accepted",
        "jwks: must be a JSON object in which no member stands twice",
        "bankid.evidence.keep_days: must be a whole number, 1 to 3660",
        "extra: is no setting of a client",
        "profile: must be sent once",
        "introspects: must be sent as on",
        "bankid.kinds: must name nothing twice",
    ] {
        assert!(
            told.iter().any(|one| one.starts_with(expected)),
            "{expected}: {told:#?}"
        );
    }
    assert_eq!(told.len(), 12, "{told:#?}");
}

#[test]
fn json_is_read_strictly_and_every_mistake_has_its_path() {
    let _shows = crate::shows!(refusing "PV-SETTING-3");
    let told = |value: Value| {
        let mistakes = from_json(value).expect_err("refused");
        mistakes.into_iter().map(|m| m.setting).collect::<Vec<_>>()
    };
    let with = |more: Value| {
        let mut metadata = json!({"client_name": "A"});
        for (name, value) in more.as_object().into_iter().flatten() {
            metadata[name] = value.clone();
        }
        metadata
    };
    for (wrong, settings) in [
        (json!([]), vec![""]),
        (json!({}), vec!["client_name"]),
        (with(json!({"extra": 1})), vec!["extra"]),
        (with(json!({"bankid.mrtd": true})), vec!["bankid.mrtd"]),
        (
            with(json!({"bankid": {"pin": true, "risk": {"low": "deny"}}})),
            vec!["bankid.pin", "bankid.risk.low"],
        ),
        (with(json!({"bankid": true})), vec!["bankid"]),
        (
            with(json!({"purpose": {"sv": "A", "fi": "B"}})),
            vec!["purpose.fi", "purpose.en"],
        ),
        (
            with(json!({"personal_number": {}})),
            vec!["personal_number.purpose"],
        ),
        (
            with(json!({"personal_number": {"purpose": "  "}})),
            vec!["personal_number.purpose"],
        ),
        (
            with(json!({"personal_number": {"purpose": "a\u{202e}b"}})),
            vec!["personal_number.purpose"],
        ),
        (
            with(json!({"pkce": null, "introspects": "true"})),
            vec!["pkce", "introspects"],
        ),
        (
            with(json!({"refresh_tokens": {}})),
            vec!["refresh_tokens.lifetime_days"],
        ),
        (
            with(json!({"refresh_tokens": {"lifetime_days": 366}})),
            vec!["refresh_tokens.lifetime_days"],
        ),
        (with(json!({"refresh_tokens": 1})), vec!["refresh_tokens"]),
        (
            with(json!({"client_credentials": true})),
            vec!["client_credentials"],
        ),
        (
            with(json!({"tls_client_auth": {"san_ip": "192.0.2.1", "san_dns": "a"}})),
            vec!["tls_client_auth"],
        ),
        (
            with(json!({"jwks": {"keys": []}, "jwks_uri": "http://a.example"})),
            vec!["jwks", "jwks_uri"],
        ),
        (
            with(json!({"serves": ["urn:a"], "token_endpoint_auth": "private_key_jwt"})),
            vec!["token_endpoint_auth", "serves"],
        ),
        (
            with(json!({"bankid": {"card_reader": "class1"}})),
            vec!["bankid.card_reader"],
        ),
        (
            with(json!({"bankid": {"kinds": ["file"], "mrtd": true}})),
            vec!["bankid.kinds"],
        ),
    ] {
        let mut found = told(wrong.clone());
        let mut settings: Vec<String> = settings.into_iter().map(str::to_owned).collect();
        found.sort();
        settings.sort();
        assert_eq!(found, settings, "{wrong}");
    }
}
