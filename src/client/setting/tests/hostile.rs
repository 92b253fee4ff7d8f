//! What means ill is refused by every door.

use serde_json::json;

use super::{Mistake, form_with, minimal, read};
use crate::client::setting::json::put;
use crate::client::setting::{Kind, ON, Setting, from_form, from_json};

#[test]
fn what_means_ill_is_refused_with_its_setting_named() {
    let _shows =
        crate::shows!(accepting "PV-SETTING-4", refusing "PV-SETTING-4", refusing "PV-LANG-5");
    let words = [
        "a\u{202e}b",
        "a\u{2066}b",
        "a\u{200f}b",
        "a\u{1b}[2Jb",
        "a\u{0}b",
        "a\u{200b}b",
        "\u{3164}",
    ];
    let long = format!("https://a.example/{}", "x".repeat(2048));
    let addresses = [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "https://user@a.example/cb",
        "https://user:word@a.example/cb",
        "https://@a.example/cb",
        "https://a.example/cb#x",
        "https://*.a.example/cb",
        "https://a.example/x/../cb",
        "https://a.example/%2e%2E/cb",
        "https:a.example/cb",
        "https:\\\\a.example/cb",
        "https://a.example/c b",
        "http://a.example/cb",
        "//a.example/cb",
        &long,
    ];
    let mut cases: Vec<(&str, &str)> = Vec::new();
    for setting in ["client_name", "purpose.sv", "purpose.en", "bankid.profile"] {
        cases.extend(words.map(|text| (setting, text)));
    }
    for setting in [
        "redirect_uris",
        "post_logout_redirect_uris",
        "frontchannel_logout_uri",
        "backchannel_logout_uri",
        "jwks_uri",
        "web_origins",
    ] {
        cases.extend(addresses.map(|text| (setting, text)));
    }
    for setting in ["resources", "serves"] {
        cases.extend(addresses[..7].iter().map(|text| (setting, *text)));
        cases.push((setting, &long));
    }
    let many = |text: &str| vec![text; 51].join("\n");
    let lists = [
        ("redirect_uris", many("https://a.example/cb")),
        ("post_logout_redirect_uris", many("https://a.example/cb")),
        ("web_origins", many("https://a.example")),
        ("resources", many("urn:a")),
        ("serves", many("urn:a")),
        ("client_credentials.scopes", many("a")),
    ];
    cases.extend(
        lists
            .iter()
            .map(|(setting, text)| (*setting, text.as_str())),
    );
    cases.extend([
        ("client_credentials.scopes", "openid"),
        ("client_credentials.scopes", "a\"b"),
        ("tls_client_auth.subject_dn", "CN=a\u{202e}b"),
        ("tls_client_auth.san_dns", "a\u{202e}b"),
    ]);
    cases.extend([
        ("client_names", "Permits"),
        ("client_names", "*: Permits"),
        ("client_names", "en: a\u{202e}b"),
        ("purpose.others", "Hae lupaa."),
        ("purpose.others", "*: Hae lupaa."),
        ("purpose.others", "sv: Sök lov."),
        ("purpose.others", "fi: "),
        ("theme.note.others", "fi: a\u{202e}b"),
    ]);
    let name = "x".repeat(81);
    cases.push(("client_name", &name));
    for (setting, text) in cases {
        let mut fields = form_with(setting, text);
        if setting == "client_credentials.scopes" {
            fields.push(("client_credentials".to_owned(), ON.to_owned()));
        }
        let mistakes = from_form(&fields, &minimal()).expect_err(text);
        let is_named = |mistakes: &[Mistake]| mistakes.iter().any(|m| m.setting == setting);
        assert!(is_named(&mistakes), "{setting} {text:?}: {mistakes:?}");
        let value = match Setting::named(setting).expect("a setting").kind {
            Kind::Lines { .. } => json!(text.lines().collect::<Vec<_>>()),
            Kind::Translations(_) => match text.split_once(": ") {
                Some((tag, text)) => json!({tag: text}),
                None => json!(text),
            },
            _ => json!(text),
        };
        let mut metadata = json!({"client_name": "A"});
        put(&mut metadata, setting, value);
        let mistakes = from_json(metadata).expect_err(text);
        assert!(is_named(&mistakes), "{setting} {text:?}: {mistakes:?}");
    }
    // What looks odd and is not.
    for (setting, text) in [
        (
            "client_name",
            "Kommunen & Söner <AB> \u{1f468}\u{200d}\u{1f469}",
        ),
        (
            "redirect_uris",
            "https://xn--rksmrgs-5wao1o.example/a..b/.well-known/cb?next=/../x",
        ),
        ("resources", "urn:a:b"),
    ] {
        assert!(
            from_form(&form_with(setting, text), &minimal()).is_ok(),
            "{text}"
        );
    }
}

#[test]
fn what_bounds_a_form_bounds_a_file() {
    let mut metadata = minimal();
    metadata.redirect_uris = vec![read(json!("https://a.example/cb")); 51];
    let error = metadata.check().expect_err("too many");
    assert!(error.contains("at most 50"), "{error}");
    metadata.redirect_uris.pop();
    assert_eq!(metadata.check(), Ok(()));
}
