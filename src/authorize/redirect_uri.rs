//! Where an answer may go, and how: the redirect URI, compared as a whole string (RFC 9700 §2.1,
//! §4.1.3), with the response mode, and [`ReturnAddress`], the proof that both may be.

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::PageMistake;
use super::request::{Carrier, Parameters, ResponseMode};
use crate::client::Client;
use crate::id::ClientId;
use crate::jose::algorithm::Algorithm;

/// A registered redirect URI: absolute, without fragment, https; or http on a loopback address
/// (RFC 8252 §7.3) or `localhost`; or a private-use scheme with a dot (RFC 8252 §7.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RedirectUri(String);

impl RedirectUri {
    /// The most bytes of one.
    pub const LONGEST: usize = 2048;

    /// RFC 6749 §3.1.2, RFC 9700 §2.6.
    pub fn parse(text: &str) -> Option<RedirectUri> {
        let url = Url::parse(text).ok()?;
        // RFC 3986 §2: what stands between quotes or backquotes somewhere cannot get out of them.
        let plain = !text.contains(['#', '*', '\\', '"', '<', '>', '^', '`', '{', '|', '}'])
            && text.bytes().all(|b| b.is_ascii_graphic())
            && text.len() <= RedirectUri::LONGEST;
        // What the library mends, others may read in another way: `https:a.example`, `https:///a.example`,
        // `https://@a.example`.
        let names_its_host = |scheme: &str| {
            let rest = text.strip_prefix(scheme);
            let authority = rest.and_then(|rest| rest.split(['/', '?']).next());
            authority.is_some_and(|authority| !authority.is_empty() && !authority.contains('@'))
        };
        let own = url.username().is_empty() && url.password().is_none();
        let scheme = match url.scheme() {
            "https" => names_its_host("https://"),
            "http" => names_its_host("http://") && is_loopback(&url),
            scheme => scheme.contains('.'),
        };
        (plain && own && scheme && !has_dot_segments(text)).then(|| RedirectUri(text.to_owned()))
    }

    /// The URI exactly as registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its host, or its scheme where there is none.
    pub fn host(&self) -> String {
        match Url::parse(&self.0) {
            Ok(url) => url.host_str().unwrap_or(url.scheme()).to_owned(),
            Err(_) => String::new(),
        }
    }

    /// Its origin (RFC 6454), where it is a web page.
    pub fn origin(&self) -> Option<String> {
        let url = Url::parse(&self.0).ok()?;
        matches!(url.scheme(), "https" | "http").then(|| url.origin().ascii_serialization())
    }

    /// Whether an asked-for URI is this one: equal as strings, but for the port of a loopback IP
    /// address (RFC 8252 §7.3).
    fn admits(&self, asked: &str) -> bool {
        self.0 == asked || self.is_loopback_with_other_port(asked)
    }

    fn is_loopback_with_other_port(&self, asked: &str) -> bool {
        let Some((before, after)) = self.around_port() else {
            return false;
        };
        let Some(rest) = asked.strip_prefix(before) else {
            return false;
        };
        let rest = match rest.strip_prefix(':') {
            Some(with_port) => {
                let digits = with_port.bytes().take_while(u8::is_ascii_digit).count();
                match with_port[..digits].parse::<u16>() {
                    Ok(1..) => &with_port[digits..],
                    _ => return false,
                }
            }
            None => rest,
        };
        rest == after
    }

    /// A loopback URI's text before and after its port.
    fn around_port(&self) -> Option<(&str, &str)> {
        for before in ["http://127.0.0.1", "http://[::1]"] {
            if let Some(rest) = self.0.strip_prefix(before) {
                let after = match rest.strip_prefix(':') {
                    Some(port) => port.trim_start_matches(|c: char| c.is_ascii_digit()),
                    // Digits without a colon are more of the host.
                    None => rest,
                };
                if after.is_empty() || after.starts_with(['/', '?']) {
                    return Some((before, after));
                }
            }
        }
        None
    }
}

/// RFC 3986 §5.2.4: a browser takes them out on the way, so what is compared is not where it goes.
fn has_dot_segments(text: &str) -> bool {
    let path = text.split('?').next().unwrap_or_default();
    path.split('/').any(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl<'de> Deserialize<'de> for RedirectUri {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        RedirectUri::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(
                "a redirect URI is https (or http on a loopback address) without fragment, user or wildcard",
            )
        })
    }
}

/// The proof that an answer may be sent to an address: the client that asks has registered it.
/// Only [`resolve`] makes one, and only a `ReturnAddress` can be left for. It holds how the answer
/// goes there, so that none goes by another way than was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnAddress {
    uri: String,
    carrier: Carrier,
    signing: Option<Signing>,
}

/// How an answer is signed (JARM §2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// By which algorithm.
    pub algorithm: Algorithm,
    /// For whom.
    pub audience: ClientId,
}

impl ReturnAddress {
    /// The URI exactly as asked for.
    pub fn as_str(&self) -> &str {
        &self.uri
    }

    /// What takes the answer there.
    pub fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// How the answer is signed, where that was asked for.
    pub fn signing(&self) -> Option<&Signing> {
        self.signing.as_ref()
    }
}

/// OpenID Connect Core §3.1.2.1. The redirect URI must be there, once, and be registered; the
/// response mode must be one that can lead to it.
pub fn resolve(raw: &Parameters, client: &Client) -> Result<ReturnAddress, PageMistake> {
    if raw.is_repeated("redirect_uri") {
        return Err(PageMistake::RedirectUriRepeated);
    }
    let asked = raw
        .first("redirect_uri")
        .ok_or(PageMistake::RedirectUriMissing)?;
    client
        .metadata
        .redirect_uris
        .iter()
        .any(|registered| registered.admits(asked))
        .then_some(())
        .ok_or(PageMistake::RedirectUriUnregistered)?;
    let mode = ResponseMode::read(raw)?;
    if mode.carrier() == Carrier::Form && !takes_forms(asked) {
        return Err(PageMistake::ResponseMode);
    }
    let signing = || Signing {
        algorithm: client.metadata.authorization_algorithm(),
        audience: client.client_id.clone(),
    };
    Ok(ReturnAddress {
        uri: asked.to_owned(),
        carrier: mode.carrier(),
        signing: mode.is_signed().then(signing),
    })
}

/// A scheme of an application's own takes no forms.
fn takes_forms(uri: &str) -> bool {
    ["https://", "http://"]
        .iter()
        .any(|scheme| uri.starts_with(scheme))
}

/// The proof that a browser may be sent to an address after a logout: the client that asks has
/// registered it for that. Only [`after_logout`] makes one, and no code can be sent there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostLogoutAddress(String);

impl PostLogoutAddress {
    /// The URI exactly as asked for.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// OpenID Connect RP-Initiated Logout §3: equal as strings to one that is registered, without any
/// exception.
pub fn after_logout(asked: &str, client: &Client) -> Option<PostLogoutAddress> {
    client
        .metadata
        .post_logout_redirect_uris
        .iter()
        .any(|registered| registered.as_str() == asked)
        .then(|| PostLogoutAddress(asked.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_are_safe_to_answer_can_be_registered() {
        for sound in [
            "https://a.example/cb",
            "https://a.example/cb?x=1",
            "http://127.0.0.1:3000/cb",
            "http://[::1]/cb",
            "http://localhost:3000/cb",
            "se.kommunen.app:/cb",
        ] {
            assert!(RedirectUri::parse(sound).is_some(), "{sound}");
        }
        for bad in [
            "http://a.example/cb",
            "https://a.example/cb#x",
            "https://a.example/*",
            "https://user@a.example/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "/cb",
            "https://a.example/\ncb",
            "https://å.example/cb",
            "",
            "https:a.example/cb",
            "https:/a.example/cb",
            "https:///a.example/cb",
            "https://@a.example/cb",
            "HTTPS://a.example/cb",
            "https://a.example/x/../cb",
            "https://a.example/./cb",
            "https://a.example/x/%2E%2e/cb",
            "https://a.example/..",
            "https://a.example/\"cb",
            "https://a.example/${cb}",
            "https://a.example/<cb>",
            "https://a.example/`cb`",
            &format!("https://a.example/{}", "x".repeat(2048)),
        ] {
            assert!(RedirectUri::parse(bad).is_none(), "{bad}");
        }
    }

    fn admitted(registered: &str, asked: &str) -> bool {
        RedirectUri::parse(registered).is_some_and(|uri| uri.admits(asked))
    }

    #[test]
    fn an_address_is_admitted_exactly_as_registered() {
        let _shows = crate::shows!(accepting "O1", refusing "O1");
        let registered = "https://app.example/cb?a=1";
        assert!(admitted(registered, registered));
        let mut asked = vec![
            "https://app.example/cb".to_owned(),
            "https://app.example/cb?a=1&b=2".to_owned(),
            "https://app.example/cb?a=1#x".to_owned(),
            "https://app.example/cb/?a=1".to_owned(),
            "https://app.example/x/../cb?a=1".to_owned(),
            "https://app.example/cb%3Fa=1".to_owned(),
            "https://app.example:443/cb?a=1".to_owned(),
            "https://APP.example/cb?a=1".to_owned(),
            "HTTPS://app.example/cb?a=1".to_owned(),
            "http://app.example/cb?a=1".to_owned(),
            "https://app.example.evil.example/cb?a=1".to_owned(),
            "https://evil.example/https://app.example/cb?a=1".to_owned(),
            "https://app.example@evil.example/cb?a=1".to_owned(),
            "https://evil.example\\@app.example/cb?a=1".to_owned(),
            "//app.example/cb?a=1".to_owned(),
        ];
        for at in 0..registered.len() {
            asked.push(format!("{}{}", &registered[..at], &registered[at + 1..]));
            for inserted in ["%00", " ", ".", "/", "\t", "%2e"] {
                asked.push(format!(
                    "{}{inserted}{}",
                    &registered[..at],
                    &registered[at..]
                ));
            }
        }
        for asked in asked {
            assert!(!admitted(registered, &asked), "{asked}");
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_ip_address_may_differ() {
        let _shows = crate::shows!(accepting "AU-03", refusing "AU-03");
        for asked in [
            "http://127.0.0.1:5000/cb",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:1/cb",
        ] {
            assert!(admitted("http://127.0.0.1/cb", asked), "{asked}");
            assert!(admitted("http://127.0.0.1:80/cb", asked), "{asked}");
        }
        assert!(admitted("http://[::1]/cb", "http://[::1]:61000/cb"));
        for asked in [
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:5000/other",
            "http://127.0.0.1:5000@evil.example/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1.evil.example/cb",
            "https://127.0.0.1:5000/cb",
            "http://127.0.0.1:5000",
        ] {
            assert!(!admitted("http://127.0.0.1/cb", asked), "{asked}");
            // Whose host begins with the same digits.
            assert!(!admitted("http://127.0.0.12/cb", asked), "{asked}");
        }
        assert!(!admitted(
            "http://localhost:3000/cb",
            "http://localhost:3001/cb"
        ));
        assert!(!admitted(
            "https://a.example/cb",
            "https://a.example:444/cb"
        ));
    }
}
