use std::path::Path;

use super::*;
use crate::config::{Config, environment, reference};

const EXAMPLE: &str = include_str!("../../../examples/portvakt.toml");

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&schema()).expect("a schema")
}

fn example() -> toml::Table {
    toml::from_str(EXAMPLE).expect("TOML")
}

/// A file with one value more, or another one.
fn with(mut file: toml::Table, key: &str, value: toml::Value) -> toml::Table {
    let mut table = &mut file;
    let mut names = key.split('.').peekable();
    while let Some(name) = names.next() {
        if names.peek().is_none() {
            table.insert(name.to_owned(), value);
            break;
        }
        let below = table
            .entry(name)
            .or_insert_with(|| toml::Table::new().into());
        table = below.as_table_mut().expect("a table");
    }
    file
}

fn is_described(file: &toml::Table) -> bool {
    validator().is_valid(&serde_json::to_value(file).expect("JSON"))
}

fn is_read(file: &toml::Table) -> bool {
    environment::read(&file.to_string(), &[]).is_ok()
}

#[test]
fn the_documents_are_those_of_this_program() {
    let _shows = crate::shows!(accepting "PV-CONFIG-10");
    for (name, made) in [
        ("docs/portvakt.schema.json", text()),
        ("docs/configuration.md", reference::reference()),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        if std::env::var_os("PORTVAKT_WRITE_DOCUMENTS").is_some() {
            std::fs::write(&path, &made).expect("written");
        }
        let kept = std::fs::read_to_string(&path).expect(name);
        assert!(
            kept == made,
            "{name} is of another program: run this test with PORTVAKT_WRITE_DOCUMENTS=1"
        );
    }
}

#[test]
fn what_is_described_is_what_is_read() {
    let _shows = crate::shows!(accepting "PV-CONFIG-11", refusing "PV-CONFIG-11");
    assert!(is_described(&example()) && is_read(&example()));
    let (text, number) = (toml::Value::from("text"), toml::Value::from(1));
    let mut seen = 0;
    for key in keys() {
        let name = key.name.replace("NAME", "tax");
        let within = name.rsplit_once('.').map_or("", |(section, _)| section);
        // What a section of its own needs.
        let base = match within {
            "mtls" => with(example(), "mtls.url", "https://mtls.example.se".into()),
            "traces" => with(
                example(),
                "traces.endpoint",
                "https://traces.example.se/v1/traces".into(),
            ),
            "bankid.profile.tax" => with(
                example(),
                "bankid.profile.tax.certificate_file",
                "tax.pem".into(),
            ),
            _ => example(),
        };
        assert!(is_described(&base) && is_read(&base), "{name}");
        let wrong = match key.kind {
            Kind::Text => &number,
            Kind::Choice(_) | Kind::Number { .. } | Kind::Share | Kind::Switch | Kind::List => {
                &text
            }
        };
        let changed = with(base.clone(), &name, wrong.clone());
        assert!(!is_described(&changed), "{name} = {wrong}");
        assert!(!is_read(&changed), "{name} = {wrong}");
        if let Some(default) = &key.default {
            let default: toml::Value = serde_json::from_value(default.clone()).expect("TOML");
            let changed = with(base.clone(), &name, default);
            assert!(is_described(&changed) && is_read(&changed), "{name}");
        }
        let misspelt = with(base.clone(), &format!("{name}_x"), text.clone());
        assert!(!is_described(&misspelt) && !is_read(&misspelt), "{name}_x");
        seen += 1;
    }
    assert!(seen > 60, "{seen}");
    // A client, too.
    let with_client = |key: &str, value: toml::Value| {
        let mut file = example();
        let client = file["client"][0].as_table().expect("a table").clone();
        file["client"][0] = with(client, key, value).into();
        file
    };
    for (key, value, is_good) in [
        ("client_secret", text.clone(), true),
        ("client_secret", number.clone(), false),
        ("theme.logo_file", text.clone(), true),
        ("theme.logo_file", number.clone(), false),
        ("logo_file", text.clone(), false),
        ("pkce", "accepted".into(), true),
        ("pkce", "perhaps".into(), false),
        ("bankid.risk.high", "deny".into(), true),
        ("bankid.risk.hihg", "deny".into(), false),
        ("refresh_tokens.lifetime_days", number.clone(), true),
        ("refresh_tokens.lifetime_days", 400.into(), false),
    ] {
        let month = toml::Table::from_iter([("lifetime_days".to_owned(), 30.into())]);
        let mut file = with_client("refresh_tokens", month.into());
        let client = file["client"][0].as_table().expect("a table").clone();
        file["client"][0] = with(client, key, value.clone()).into();
        assert_eq!(is_described(&file), is_good, "{key} = {value}");
        if key != "refresh_tokens.lifetime_days" || is_good {
            assert_eq!(is_read(&file), is_good, "{key} = {value}");
        }
    }
    let mut nameless = example();
    let client = nameless["client"][0].as_table_mut().expect("a table");
    client.remove("client_id");
    assert!(!is_described(&nameless) && !is_read(&nameless));
}

#[test]
fn numbers_have_the_limits_that_are_described() {
    let _shows = crate::shows!(accepting "PV-CONFIG-11", refusing "PV-CONFIG-11");
    let refuses = |file: &toml::Table, key: &str| {
        let read = Config::parse(&file.to_string(), Path::new("."));
        let problems = read.expect_err("it lacks files").0;
        problems.iter().any(|p| p.key == key || p.key == "file")
    };
    for key in keys() {
        let Kind::Number { least, most } = key.kind else {
            continue;
        };
        for (number, is_good) in [
            (least, true),
            (most, true),
            (least.map(|least| least - 1), false),
            (most.map(|most| most + 1), false),
        ] {
            let Some(number) = number else {
                continue;
            };
            let mut file = with(example(), &key.name, number.into());
            if key.name == "keys.announce_days" {
                file = with(file, "keys.rotate_days", 3650.into());
            }
            if key.name == "keys.rotate_days" {
                file = with(file, "keys.announce_days", 2.into());
            }
            // As many as days can be is more than a key may be announced before the next one.
            let is_special = key.name == "keys.announce_days" && number == 3650;
            assert_eq!(is_described(&file), is_good, "{} = {number}", key.name);
            assert_eq!(
                !refuses(&file, &key.name),
                is_good || is_special,
                "{} = {number}",
                key.name
            );
        }
    }
}
