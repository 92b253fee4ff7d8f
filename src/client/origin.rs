//! The sites of a client whose scripts call us from browsers (Fetch standard §3.2).

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// An origin as browsers write it: scheme, host and a port that is not the scheme's own. https, or
/// http on the machine of whoever develops.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct WebOrigin(String);

impl WebOrigin {
    /// The most bytes of one: a host name has 253 at most.
    pub const LONGEST: usize = 300;

    /// Takes what a browser would send, to the letter.
    pub fn parse(text: &str) -> Option<WebOrigin> {
        if text.len() > WebOrigin::LONGEST {
            return None;
        }
        let url = Url::parse(text).ok()?;
        let is_at_home = match url.host()? {
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.is_loopback(),
            Host::Domain(name) => name == "localhost",
        };
        let is_trusted = url.scheme() == "https" || (url.scheme() == "http" && is_at_home);
        (is_trusted && !text.contains('*') && url.origin().ascii_serialization() == text)
            .then(|| WebOrigin(text.to_owned()))
    }

    /// As it stands in the header `Origin`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for WebOrigin {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        WebOrigin::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(
                "an origin is https://host or https://host:port in lower case (http on a loopback address), with nothing after it",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_send_and_nothing_wider() {
        let _shows = crate::shows!(accepting "GE-07", refusing "GE-07");
        for good in [
            "https://app.example",
            "https://app.example:8443",
            "https://xn--rksmrgs-5wao1o.example",
            "http://localhost:3000",
            "http://127.0.0.1:3000",
            "http://[::1]",
        ] {
            assert_eq!(WebOrigin::parse(good).map(|o| o.0).as_deref(), Some(good));
        }
        for bad in [
            "",
            "null",
            "*",
            "https://*.app.example",
            "https://app.example/",
            "https://app.example/path",
            "https://app.example:443",
            "https://App.example",
            "https://user@app.example",
            "https://app.example?",
            "https://app.example#",
            "http://app.example",
            "http://localhost.app.example",
            "ftp://app.example",
            "app.example",
            " https://app.example",
        ] {
            assert_eq!(WebOrigin::parse(bad), None, "{bad}");
        }
    }
}
