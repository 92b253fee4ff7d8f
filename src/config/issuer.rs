//! Who we are: the issuer's address, from which every other address is made (OpenID Connect
//! Discovery §3). Nothing is ever made from a request's `Host`.

use url::Url;

/// The issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its address without a slash at the end, exactly as it stands in `iss`.
    pub url: String,
    /// Its origin (RFC 6454), as browsers write it.
    pub origin: String,
    /// Its host, with the port when it is not the scheme's own, as browsers write it in `Host`.
    pub authority: String,
    /// Whether it is served over TLS. Cookies are then `__Host-` and `Secure`.
    pub is_secure: bool,
    /// Whether it is http on this very machine.
    pub is_local: bool,
}

impl Issuer {
    /// Its host, without a port.
    pub fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    /// An https address without path, query, fragment and user; http on `localhost` or a loopback
    /// address.
    pub fn parse(text: &str) -> Result<Issuer, String> {
        let url = Url::parse(text).map_err(|_| "is not an address".to_owned())?;
        let host = url.host_str().ok_or("has no host")?;
        let loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let is_secure = url.scheme() == "https";
        if !(is_secure || (url.scheme() == "http" && loopback)) {
            return Err("must be https (http is for localhost alone)".to_owned());
        }
        let plain = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !plain {
            return Err("must not have a path, query, fragment or user".to_owned());
        }
        let origin = url.origin().ascii_serialization();
        if text.trim_end_matches('/') != origin {
            return Err(format!("must be written as browsers do: {origin}"));
        }
        Ok(Issuer {
            authority: origin
                .split_once("://")
                .map_or("", |(_, rest)| rest)
                .to_owned(),
            url: origin.clone(),
            origin,
            is_secure,
            is_local: !is_secure,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_an_https_origin_or_this_machine() {
        let issuer = Issuer::parse("https://login.example.se/").expect("sound");
        assert_eq!(issuer.url, "https://login.example.se");
        assert_eq!(issuer.authority, "login.example.se");
        assert!(issuer.is_secure && !issuer.is_local);
        assert_eq!(
            Issuer::parse("http://localhost:8080")
                .expect("sound")
                .authority,
            "localhost:8080"
        );
        for bad in [
            "http://login.example.se",
            "https://login.example.se/op",
            "https://login.example.se?x",
            "https://user@login.example.se",
            "https://login.example.se:443",
            "https://LOGIN.example.se",
            "ftp://localhost",
            "login.example.se",
        ] {
            assert!(Issuer::parse(bad).is_err(), "{bad}");
        }
    }
}
