//! Distinguished names as operators write them (RFC 4514) and as certificates hold them.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::Encode;
use x509_cert::der::asn1::{Ia5StringRef, ObjectIdentifier, PrintableStringRef, Utf8StringRef};
use x509_cert::name::RdnSequence;

use crate::bankid::order::rearranges;

/// A name to compare with (RFC 4517 §4.2.15). Values are compared character by character: that two
/// holders of one authority differ by more than upper and lower case is nothing that we could know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistinguishedName {
    written: String,
    parts: Vec<Part>,
}

/// What belongs together in a name: mostly one attribute, and in no order when it is several.
type Part = Vec<(ObjectIdentifier, Value)>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    /// In whichever of the string types of ASN.1 it is written.
    Text(String),
    Other(Vec<u8>),
}

impl DistinguishedName {
    /// The most characters of one.
    pub const LONGEST: usize = 1024;

    /// RFC 4514 §3: the last part first, without spaces around commas.
    pub fn parse(written: &str) -> Option<DistinguishedName> {
        let is_long = written.chars().count() > DistinguishedName::LONGEST;
        if is_long || written.chars().any(|c| c.is_control() || rearranges(c)) {
            return None;
        }
        let name = RdnSequence::from_str(written).ok()?;
        let parts = parts(&name).filter(|parts| !parts.is_empty())?;
        Some(DistinguishedName {
            written: written.to_owned(),
            parts,
        })
    }

    /// Whether a certificate holds this name.
    pub fn is(&self, shown: &RdnSequence) -> bool {
        parts(shown).is_some_and(|parts| parts == self.parts)
    }
}

fn parts(name: &RdnSequence) -> Option<Vec<Part>> {
    name.0
        .iter()
        .map(|set| {
            let mut part = set.0.iter().map(attribute).collect::<Option<Part>>()?;
            part.sort();
            Some(part)
        })
        .collect()
}

fn attribute(shown: &AttributeTypeAndValue) -> Option<(ObjectIdentifier, Value)> {
    let any = &shown.value;
    let text = Utf8StringRef::try_from(any)
        .map(|s| s.as_str().to_owned())
        .or_else(|_| PrintableStringRef::try_from(any).map(|s| s.as_str().to_owned()))
        .or_else(|_| Ia5StringRef::try_from(any).map(|s| s.as_str().to_owned()));
    let value = match text {
        Ok(text) => Value::Text(text),
        Err(_) => Value::Other(any.to_der().ok()?),
    };
    Some((shown.oid, value))
}

impl Serialize for DistinguishedName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for DistinguishedName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        DistinguishedName::parse(&written).ok_or_else(|| {
            serde::de::Error::custom(
                "a distinguished name is written as CN=app,O=Kommunen,C=SE (RFC 4514), without spaces after commas",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_compared_part_by_part() {
        let name = |text: &str| RdnSequence::from_str(text).expect("a name");
        let wanted = DistinguishedName::parse("CN=app\\, one,OU=IT+L=Malmö,O=Kommunen,C=SE");
        let wanted = wanted.expect("a name");
        for same in [
            "CN=app\\, one,OU=IT+L=Malmö,O=Kommunen,C=SE",
            "cn=app\\2c one,l=Malm\\c3\\b6+ou=IT,o=Kommunen,c=SE",
            "2.5.4.3=app\\, one,OU=IT+L=Malmö,O=Kommunen,2.5.4.6=SE",
            // PrintableString instead of UTF8String.
            "CN=app\\, one,OU=#13024954+L=Malmö,O=Kommunen,C=SE",
        ] {
            assert!(wanted.is(&name(same)), "{same}");
        }
        for other in [
            "CN=app,OU=IT+L=Malmö,O=Kommunen,C=SE",
            "CN=App\\, one,OU=IT+L=Malmö,O=Kommunen,C=SE",
            "CN=app\\, one,OU=IT,L=Malmö,O=Kommunen,C=SE",
            "C=SE,O=Kommunen,OU=IT+L=Malmö,CN=app\\, one",
            "CN=app\\, one,OU=IT+L=Malmö,O=Kommunen",
            "CN=app\\, one,CN=app\\, one,OU=IT+L=Malmö,O=Kommunen,C=SE",
            "CN=app\\, one,O=Kommunen,OU=IT+L=Malmö,C=SE",
        ] {
            assert!(!wanted.is(&name(other)), "{other}");
        }
        for wrong in ["", "app", "CN=app, O=Kommunen", "=x", "NN=x", "CN=a\\x"] {
            assert!(DistinguishedName::parse(wrong).is_none(), "{wrong}");
        }
    }
}
