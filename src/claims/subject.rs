//! The name that a client knows a person by (OpenID Connect Core §8).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::client::{Client, SubjectType};
use crate::id::{Id, kind};
use crate::secret::Key;

/// OpenID Connect Core §8.1. HMAC over the client's sector and the person's random id: stable,
/// different in each sector, and, because nothing of the number goes into it, impossible to turn
/// back into one.
pub fn subject(key: &Key, client: &Client, person: Id<kind::Person>) -> String {
    let sector = match client.metadata.subject_type {
        SubjectType::Pairwise => client.sector.as_str(),
        SubjectType::Public => PUBLIC,
    };
    in_sector(key, sector, person)
}

/// The sector of clients that are told the same as others.
pub const PUBLIC: &str = "";

/// The same for a sector.
pub fn in_sector(key: &Key, sector: &str, person: Id<kind::Person>) -> String {
    let person = person.to_string();
    let mac = key.mac(&[b"subject", sector.as_bytes(), person.as_bytes()]);
    URL_SAFE_NO_PAD.encode(mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ClientId;
    use crate::random::Random;

    fn client(sector: &str, subject_type: &str) -> Client {
        let metadata = serde_json::json!({
            "client_name": "A", "redirect_uris": ["https://a.example/cb"], "subject_type": subject_type
        });
        Client {
            client_id: ClientId::parse("a").expect("an id"),
            sector: sector.into(),
            metadata: serde_json::from_value(metadata).expect("metadata"),
        }
    }

    #[test]
    fn sectors_know_a_person_by_different_names_and_one_sector_by_one() {
        let _shows = crate::shows!(accepting "ID-04", refusing "ID-04");
        let random = Random::seeded(1);
        let (key, person) = (Key::fresh(&random), Id::fresh(&random));
        let of = |sector, kind| subject(&key, &client(sector, kind), person);
        assert_eq!(of("a.example", "pairwise"), of("a.example", "pairwise"));
        assert_ne!(of("a.example", "pairwise"), of("b.example", "pairwise"));
        assert_eq!(of("a.example", "public"), of("b.example", "public"));
        assert_ne!(of("a.example", "public"), of("a.example", "pairwise"));
        assert_eq!(of("a.example", "pairwise").len(), 43);
        assert_ne!(
            of("a.example", "pairwise"),
            subject(
                &Key::fresh(&random),
                &client("a.example", "pairwise"),
                person
            )
        );
    }
}
