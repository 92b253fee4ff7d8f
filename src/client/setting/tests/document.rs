//! The document that lists all settings is the table.

use std::fmt::Write;

use crate::client::setting::{ENTITLEMENT, Fallback, Group, Kind, Setting};

const DOCUMENT: &str = "docs/client-settings.md";

fn document() -> String {
    let mut text = "# What a client can be set to\n\n\
        By these names in the configuration file, in JSON and on the pages. A name with dots stands in a table\n\
        within a table: `bankid.risk.high` is `bankid = { risk = { high = \"deny\" } }`. This list is made from the\n\
        program's own.\n"
        .to_owned();
    for group in Group::FORM.into_iter().chain([Group::PersonalNumber]) {
        write!(text, "\n## {}\n", group.title()).expect("text");
        for setting in group.settings() {
            text += &entry(setting);
        }
    }
    text
}

fn entry(setting: &Setting) -> String {
    let Setting {
        name,
        label,
        explanation,
        ..
    } = setting;
    let values = match setting.kind {
        Kind::Choice { values, default } => {
            let default = match default {
                Fallback::Value(value) => format!("Without it: `{value}`.\n"),
                Fallback::Unset(meaning) => format!("Without it: {meaning}.\n"),
            };
            (values, default)
        }
        Kind::Choices { values, none } => (values, format!("Without any: {none}.\n")),
        Kind::Switch { default, .. } => (&[][..], format!("Without it: `{default}`.\n")),
        _ => (&[][..], String::new()),
    };
    let (values, default) = values;
    let mut text = format!("\n**`{name}`** {label}. {explanation}\n");
    if !values.is_empty() {
        text.push('\n');
    }
    for choice in values {
        writeln!(
            text,
            "- `{}`: {}. {}",
            choice.value, choice.label, choice.meaning
        )
        .expect("text");
    }
    if !default.is_empty() {
        text += "\n";
    }
    text + &default
}

#[test]
fn the_document_says_what_the_table_says() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    if std::env::var_os("PORTVAKT_WRITE_DOCUMENTS").is_some() {
        std::fs::write(&path, document()).expect("written");
    }
    let written = std::fs::read_to_string(&path).expect(DOCUMENT);
    assert!(
        written == document(),
        "{DOCUMENT} is of another table: run this test with PORTVAKT_WRITE_DOCUMENTS=1"
    );
    assert!(
        ENTITLEMENT
            .iter()
            .all(|setting| written.contains(setting.name))
    );
}
