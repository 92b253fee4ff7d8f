//! Whose subjects a client that registers itself shares (OpenID Connect Core §8.1). The sector is settled
//! when the client is made; a later change of its addresses must not lead out of it, nor into another.

use super::request::Asked;
use super::{Allowance, Refused, Registration};
use crate::authorize::redirect_uri::RedirectUri;
use crate::client::{CalledUri, SubjectType};
use crate::config::client::not_a_sector;
use crate::id::ClientId;
use crate::json;

/// OpenID Connect Core §8.1. The sector is the host that all answers come to. A client on no host is a
/// sector of its own: anyone may write a name into an address that leads to a program of theirs.
pub fn settle(
    asked: &Asked,
    client_id: &ClientId,
    allowance: &Allowance,
) -> Result<String, Refused> {
    let sector = settled(asked, client_id, allowance)?;
    match not_a_sector(&sector) {
        Some(_) => Err(Refused::metadata("this sector is the provider's own")),
        None => Ok(sector),
    }
}

fn settled(asked: &Asked, client_id: &ClientId, allowance: &Allowance) -> Result<String, Refused> {
    match (&allowance.sector, &asked.details.sector_identifier_uri) {
        (Some(_), Some(_)) => {
            return Err(Refused::metadata(
                "sector_identifier_uri: the sector is fixed by the initial access token",
            ));
        }
        (Some(sector), None) => return Ok(sector.clone()),
        (None, Some(uri)) => return Ok(host(uri)),
        (None, None) => {}
    }
    let redirect_uris = &asked.metadata.redirect_uris;
    let is_elsewhere = redirect_uris.iter().any(|uri| !is_on_a_host(uri));
    let on_hosts = redirect_uris.iter().filter(|uri| is_on_a_host(uri));
    let mut hosts: Vec<String> = on_hosts.map(RedirectUri::host).collect();
    hosts.sort();
    hosts.dedup();
    match (hosts.as_slice(), is_elsewhere) {
        ([], _) => Ok(client_id.as_str().to_owned()),
        ([host], false) => Ok(host.clone()),
        // Its subjects are the same everywhere, and it cannot become pairwise later.
        _ if asked.metadata.subject_type == SubjectType::Public => {
            Ok(client_id.as_str().to_owned())
        }
        _ => Err(Refused::metadata(
            "redirect_uris are on several hosts, or on one and elsewhere: subject_type pairwise needs sector_identifier_uri",
        )),
    }
}

/// Whether a client that says this of itself from now on stays in the sector that it was made in.
pub fn keep(asked: &Asked, registration: &Registration) -> Result<(), Refused> {
    let client = &registration.client;
    let settled = settle(asked, &client.client_id, &registration.allowance)?;
    let is_told_apart = asked.metadata.subject_type == SubjectType::Pairwise;
    match is_told_apart && settled != client.sector {
        true => Err(Refused::metadata(
            "redirect_uris and sector_identifier_uri lead to another sector than before: register another client",
        )),
        false => Ok(()),
    }
}

/// The most that a list of addresses may hold, in bytes.
pub const LARGEST_LIST: usize = 64 * 1024;

/// OpenID Connect Dynamic Client Registration §5: what is published at `sector_identifier_uri` must list
/// every redirect URI.
pub fn listed(published: Option<&[u8]>, redirect_uris: &[RedirectUri]) -> Result<(), Refused> {
    let published = published.and_then(json::list).ok_or(Refused::metadata(
        "sector_identifier_uri could not be read, or holds no JSON array",
    ))?;
    let is_listed = |uri: &RedirectUri| published.iter().any(|listed| listed == uri.as_str());
    match redirect_uris.iter().all(is_listed) {
        true => Ok(()),
        false => Err(Refused::metadata(
            "sector_identifier_uri does not list all of redirect_uris",
        )),
    }
}

fn host(uri: &CalledUri) -> String {
    RedirectUri::parse(uri.as_str()).map_or_else(String::new, |uri| uri.host())
}

/// Whether its answers come to nobody but whoever has the host. What comes to a loopback address or a
/// private-use scheme (RFC 8252 §7.1, §7.3) comes to any program of the person's, whatever name of a host
/// is written there.
fn is_on_a_host(uri: &RedirectUri) -> bool {
    uri.as_str().starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::registration::tests::{asked, registration};
    use crate::error::Code;
    use serde_json::{Value, json};

    const ID: &str = "5f3c";

    fn settled(members: &Value, sector: Option<&str>) -> Result<String, Code> {
        let allowance = Allowance {
            sector: sector.map(str::to_owned),
            ..Allowance::default()
        };
        let id = ClientId::parse(ID).expect("an id");
        settle(&asked(members), &id, &allowance).map_err(|refused| refused.code)
    }

    #[test]
    fn nobody_registers_into_the_sector_of_the_administration() {
        let _shows = crate::shows!(accepting "RG-06", refusing "RG-06");
        let at = |host: &str| json!({"redirect_uris": [format!("https://{host}/cb")]});
        assert_eq!(settled(&at("portvakt"), None), Ok("portvakt".to_owned()));
        let refused = Err(Code::InvalidClientMetadata);
        assert_eq!(settled(&at("portvakt-admin"), None), refused);
        assert_eq!(settled(&at("a.example"), Some("portvakt-admin")), refused);
    }

    #[test]
    fn several_hosts_are_one_sector_where_that_is_published() {
        let _shows = crate::shows!(accepting "RG-06", refusing "RG-06");
        let one = json!(["https://a.example/cb", "https://a.example:8443/cb"]);
        let two = json!(["https://a.example/cb", "https://b.example/cb"]);
        let list = "https://s.example/list";
        let bad = Err(Code::InvalidClientMetadata);
        for (members, sector, expected) in [
            (json!({"redirect_uris": one}), None, Ok("a.example")),
            (json!({"redirect_uris": two}), None, bad),
            (
                json!({"redirect_uris": two, "sector_identifier_uri": list}),
                None,
                Ok("s.example"),
            ),
            (
                json!({"redirect_uris": two, "subject_type": "public"}),
                None,
                Ok(ID),
            ),
            (json!({"redirect_uris": two}), Some("given"), Ok("given")),
            (
                json!({"redirect_uris": one, "sector_identifier_uri": list}),
                Some("given"),
                bad,
            ),
            (
                json!({"redirect_uris": ["http://127.0.0.1/cb", "http://localhost/cb"],
                    "application_type": "native"}),
                None,
                Ok(ID),
            ),
            (
                json!({"redirect_uris": ["http://127.0.0.1/cb", "se.app:/cb"],
                    "application_type": "native"}),
                None,
                Ok(ID),
            ),
            (
                json!({"redirect_uris": ["com.attacker.app://a.example/cb"],
                    "application_type": "native"}),
                None,
                Ok(ID),
            ),
            (
                json!({"redirect_uris": ["a.example:/cb"], "application_type": "native"}),
                None,
                Ok(ID),
            ),
            (
                json!({"redirect_uris": ["https://a.example/cb", "http://127.0.0.1/cb"],
                    "application_type": "native"}),
                None,
                bad,
            ),
            (
                json!({"redirect_uris": ["https://a.example/cb", "se.app:/cb"],
                    "application_type": "native"}),
                None,
                bad,
            ),
        ] {
            assert_eq!(
                settled(&members, sector),
                expected.map(str::to_owned),
                "{members}"
            );
        }
    }

    #[test]
    fn every_address_is_listed_to_the_letter() {
        let _shows = crate::shows!(accepting "RG-06", refusing "RG-06");
        let uris = ["https://a.example/cb", "https://b.example/cb"];
        let redirect_uris = uris.map(|uri| RedirectUri::parse(uri).expect("an address"));
        let is_listed =
            |published: Option<&str>| listed(published.map(str::as_bytes), &redirect_uris).is_ok();
        assert!(is_listed(Some(
            r#"["https://c.example/","https://b.example/cb","https://a.example/cb"]"#
        )));
        for bad in [
            None,
            Some(""),
            Some("[]"),
            Some("<html>"),
            Some(r#"{"redirect_uris":["https://a.example/cb","https://b.example/cb"]}"#),
            Some(r#"["https://a.example/cb"]"#),
            Some(r#"["https://a.example/cb","https://b.example/cb/"]"#),
            Some(r#"["https://a.example/cb https://b.example/cb"]"#),
        ] {
            assert!(!is_listed(bad), "{bad:?}");
        }
    }

    #[test]
    fn nobody_moves_into_another_sector() {
        let _shows = crate::shows!(accepting "RG-06", refusing "RG-06");
        let members = json!({"redirect_uris": ["https://a.example/cb"]});
        let before = registration(&members);
        let kept = |members: Value| keep(&asked(&members), &before).is_ok();
        assert!(kept(json!({"redirect_uris": ["https://a.example/other"]})));
        assert!(kept(
            json!({"redirect_uris": ["https://b.example/cb"], "subject_type": "public"})
        ));
        for elsewhere in [
            json!({"redirect_uris": ["https://b.example/cb"]}),
            json!({"redirect_uris": ["https://a.example/cb", "https://b.example/cb"]}),
            json!({"redirect_uris": ["https://a.example/cb"],
                "sector_identifier_uri": "https://b.example/list"}),
        ] {
            assert!(!kept(elsewhere.clone()), "{elsewhere}");
        }
        // By way of public subjects neither.
        let mut public = before.clone();
        public.client.metadata.subject_type = SubjectType::Public;
        let back = asked(&json!({"redirect_uris": ["https://b.example/cb"]}));
        assert!(keep(&back, &public).is_err());
    }
}
