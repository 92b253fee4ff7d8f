//! Distinguished names as text (RFC 4514): how BankID writes a relying party's subject into a
//! signature, and whether a text says the name of a certificate.

use x509_parser::asn1_rs::ToDer;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Attribute types by their names, in BankID's own spelling (RFC 4519). Names are compared without
/// regard to case (RFC 4514 §2.3).
const TYPES: &[(&str, &str)] = &[
    ("2.5.4.3", "cn"),
    ("2.5.4.4", "sn"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "c"),
    ("2.5.4.7", "l"),
    ("2.5.4.8", "st"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "o"),
    ("2.5.4.11", "ou"),
    ("2.5.4.12", "title"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "givenName"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "uid"),
    ("0.9.2342.19200300.100.1.25", "dc"),
];

/// Whether `text` is the RFC 4514 form of `name`: the same attributes in reverse order. Spelling
/// that means the same (case of types, ways to escape) is the same.
pub fn says(text: &str, name: &X509Name<'_>) -> bool {
    let Some(written) = parse(text) else {
        return false;
    };
    let mut real: Vec<Vec<&AttributeTypeAndValue<'_>>> =
        name.iter().map(|rdn| rdn.iter().collect()).collect();
    real.reverse();
    written.len() == real.len()
        && written.iter().zip(&real).all(|(written, real)| {
            // Within one relative name the order says nothing.
            written.len() == real.len()
                && written.iter().all(|a| real.iter().any(|b| a.is(b)))
                && real.iter().all(|b| written.iter().any(|a| a.is(b)))
        })
}

/// The RFC 4514 form of a name, as BankID spells it.
pub fn write(name: &X509Name<'_>) -> String {
    let mut relative: Vec<String> = name
        .iter()
        .map(|rdn| {
            let attributes: Vec<String> = rdn.iter().map(write_attribute).collect();
            attributes.join("+")
        })
        .collect();
    relative.reverse();
    relative.join(",")
}

fn write_attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let id = attribute.attr_type().to_id_string();
    let known = TYPES.iter().find(|(oid, _)| *oid == id);
    match (known, attribute.as_str()) {
        (Some((_, name)), Ok(text)) => format!("{name}={}", escape(text)),
        _ => format!("{id}=#{}", hex::encode(encoded(attribute))),
    }
}

/// The value in DER.
fn encoded(attribute: &AttributeTypeAndValue<'_>) -> Vec<u8> {
    attribute.attr_value().to_der_vec().unwrap_or_default()
}

/// RFC 4514 §2.4
fn escape(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        match c {
            '\0' => escaped.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => escaped.extend(['\\', c]),
            '#' if at == 0 => escaped.push_str("\\#"),
            ' ' if at == 0 || at == last => escaped.push_str("\\ "),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// An attribute, as written.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    oid: String,
    value: Value,
}

#[derive(Debug, PartialEq, Eq)]
enum Value {
    Text(String),
    Der(Vec<u8>),
}

impl Written {
    fn is(&self, real: &AttributeTypeAndValue<'_>) -> bool {
        self.oid == real.attr_type().to_id_string()
            && match &self.value {
                Value::Text(text) => real.as_str().is_ok_and(|real| real == text),
                Value::Der(der) => *der == encoded(real),
            }
    }
}

/// RFC 4514 §3. `None` when the text is no distinguished name.
fn parse(text: &str) -> Option<Vec<Vec<Written>>> {
    let mut names = vec![Vec::new()];
    let mut rest = text;
    loop {
        let (kind, after) = rest.split_once('=')?;
        let (raw, separator, after) = split_value(after)?;
        names.last_mut()?.push(Written {
            oid: oid(kind)?,
            value: value(raw)?,
        });
        match separator {
            None => return Some(names),
            Some(',') => names.push(Vec::new()),
            Some(_) => {}
        }
        rest = after;
    }
}

/// A value up to the separator that no backslash stands before.
fn split_value(text: &str) -> Option<(&str, Option<char>, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' | '+' => return Some((&text[..at], Some(c), &text[at + 1..])),
            '"' | ';' | '<' | '>' | '\0' => return None,
            _ => {}
        }
    }
    (!escaped).then_some((text, None, ""))
}

fn oid(kind: &str) -> Option<String> {
    let named = TYPES
        .iter()
        .find(|(_, name)| name.eq_ignore_ascii_case(kind))
        .map(|(oid, _)| (*oid).to_owned());
    let is_oid = kind.contains('.') && kind.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    named.or_else(|| is_oid.then(|| kind.to_owned()))
}

fn value(raw: &str) -> Option<Value> {
    if let Some(digits) = raw.strip_prefix('#') {
        return hex::decode(digits).ok().map(Value::Der);
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match rest.chars().next()? {
            special @ (' ' | '"' | '#' | '+' | ',' | ';' | '<' | '=' | '>' | '\\') => {
                bytes.push(u8::try_from(special).ok()?);
                rest = &rest[1..];
            }
            _ => {
                bytes.push(*hex::decode(rest.get(..2)?).ok()?.first()?);
                rest = &rest[2..];
            }
        }
    }
    String::from_utf8(bytes).ok().map(Value::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Option<Vec<Vec<(String, String)>>> {
        let pair = |written: Written| match written.value {
            Value::Text(text) => (written.oid, text),
            Value::Der(der) => (written.oid, hex::encode(der)),
        };
        let names = parse(text)?;
        Some(
            names
                .into_iter()
                .map(|rdn| rdn.into_iter().map(pair).collect())
                .collect(),
        )
    }

    #[test]
    fn what_is_written_is_read() {
        for (text, read) in [
            ("cn=A", vec![vec![("2.5.4.3", "A")]]),
            (
                "CN=A,c=SE",
                vec![vec![("2.5.4.3", "A")], vec![("2.5.4.6", "SE")]],
            ),
            ("2.5.4.41=A", vec![vec![("2.5.4.41", "A")]]),
            ("cn=", vec![vec![("2.5.4.3", "")]]),
            ("cn=A=B", vec![vec![("2.5.4.3", "A=B")]]),
            (r"o=A\, B\+C", vec![vec![("2.5.4.10", "A, B+C")]]),
            (r"o=\C3\A5\ ", vec![vec![("2.5.4.10", "å ")]]),
            (r"o=\#1\\", vec![vec![("2.5.4.10", "#1\\")]]),
            ("2.5.4.5=#130131", vec![vec![("2.5.4.5", "130131")]]),
            (
                "cn=A+serialNumber=1",
                vec![vec![("2.5.4.3", "A"), ("2.5.4.5", "1")]],
            ),
        ] {
            let read: Vec<Vec<(String, String)>> = read
                .into_iter()
                .map(|rdn| {
                    rdn.into_iter()
                        .map(|(a, b)| (a.to_owned(), b.to_owned()))
                        .collect()
                })
                .collect();
            assert_eq!(texts(text), Some(read), "{text}");
        }
        for bad in [
            "",
            "cn",
            "=A",
            "cn=A,",
            "cn=A;c=SE",
            "shoe=A",
            "cn=\"A\"",
            r"cn=A\",
            r"cn=\x1",
            r"cn=\C3",
            "cn=#1",
            " cn=A",
            r"cn=\å",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_special_is_escaped() {
        for (plain, escaped) in [
            ("Testbank A AB (publ)", "Testbank A AB (publ)"),
            ("A, B", r"A\, B"),
            (" A ", r"\ A\ "),
            ("#1#", r"\#1#"),
            ("å\"+;<>\\=", r#"å\"\+\;\<\>\\="#),
        ] {
            assert_eq!(escape(plain), escaped);
            assert_eq!(value(escaped), Some(Value::Text(plain.to_owned())));
        }
    }

    #[cfg(feature = "simulator")]
    #[test]
    fn a_certificate_is_known_by_its_own_name_alone() {
        use crate::clock::Timestamp;
        use crate::random::Random;
        use crate::simulator::certificates::Authority;
        use x509_parser::prelude::{FromDer, X509Certificate};
        let banks =
            Authority::new("Banks", &Random::seeded(1), Timestamp(1_800_000_000)).expect("made");
        let party = banks.relying_party("Kök, bad + \"dusch\"").expect("made");
        let (_, parsed) = X509Certificate::from_der(&party.certificate).expect("a certificate");
        let name = parsed.subject();
        let right = r#"name=Kök\, bad \+ \"dusch\",cn=Relying party,o=Portvakt,c=SE"#;
        assert_eq!(write(name), right);
        let hex = format!(
            "name=#0c13{},CN=Relying party,O=Portvakt,C=SE",
            hex::encode("Kök, bad + \"dusch\"")
        );
        for same in [
            right,
            r"2.5.4.41=K\c3\b6k\2c bad \2b \22dusch\22,CN=Relying party,O=Portvakt,C=SE",
            &hex,
        ] {
            assert!(says(same, name), "{same}");
        }
        for other in [
            "",
            "c=SE,o=Portvakt,cn=Relying party",
            r#"c=SE,o=Portvakt,cn=Relying party,name=Kök\, bad \+ \"dusch\""#,
            r#"name=kök\, bad \+ \"dusch\",cn=Relying party,o=Portvakt,c=SE"#,
            r#"name=Kök\, bad \+ \"dusch\"+cn=Relying party,o=Portvakt,c=SE"#,
            r#"name=Kök\, bad \+ \"dusch\",cn=Relying party,o=Portvakt,c=SE,c=SE"#,
        ] {
            assert!(!says(other, name), "{other}");
        }
    }
}
