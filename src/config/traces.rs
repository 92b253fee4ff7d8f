//! `[traces]`: where spans are sent to.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use url::{Host, Url};

use super::{Findings, written};

/// Where spans are sent to, and how many.
#[derive(Clone, Debug)]
pub struct Traces {
    /// Where the receiver takes them: OTLP over HTTP.
    pub endpoint: Url,
    /// Which share of all traces is sent, from 0 to 1.
    pub share: f64,
    /// What is sent with them, so that the receiver knows us.
    pub headers: Headers,
}

/// Headers, which may hold a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(pub HashMap<String, String>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

pub(super) fn check(
    written: Option<&written::Traces>,
    base: &Path,
    found: &mut Findings,
) -> Option<Traces> {
    let written = written?;
    let endpoint = found.take("traces.endpoint", endpoint(&written.endpoint));
    if !(0.0..=1.0).contains(&written.share) {
        found.add("traces.share", "must be 0 to 1");
    }
    let headers = match &written.headers_file {
        None => Some(Headers::default()),
        Some(file) => {
            let read = std::fs::read_to_string(base.join(file)).map_err(|e| e.to_string());
            let read = read.and_then(|text| headers(&text));
            let read = read.map_err(|reason| format!("{}: {reason}", file.display()));
            found.take("traces.headers_file", read)
        }
    };
    Some(Traces {
        endpoint: endpoint?,
        share: written.share,
        headers: headers?,
    })
}

fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("is no address: {e}"))?;
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => {}
        "http" if is_here => {}
        "http" => {
            return Err("must be https: anybody between could read who logs in when".to_owned());
        }
        scheme => return Err(format!("must be https, and not {scheme}")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a name or a password: put them into headers_file".to_owned());
    }
    Ok(url)
}

/// Lines of `Name: value`.
fn headers(text: &str) -> Result<Headers, String> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let headers = lines.map(|(n, line)| {
        let read = line.split_once(':').and_then(|(name, value)| {
            let name = reqwest::header::HeaderName::try_from(name.trim()).ok()?;
            let value = value.trim();
            reqwest::header::HeaderValue::try_from(value).ok()?;
            Some((name.to_string(), value.to_owned()))
        });
        // What stands there may be a secret.
        read.ok_or_else(|| format!("line {} is not `Name: value`", n + 1))
    });
    headers.collect::<Result<_, _>>().map(Headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_nowhere_in_the_clear_but_to_this_machine() {
        let _shows = crate::shows!(accepting "PV-SPAN-2", refusing "PV-SPAN-2");
        for (address, is_well) in [
            ("https://otlp.example.se/v1/traces", true),
            ("http://127.0.0.1:4318/v1/traces", true),
            ("http://localhost:4318/v1/traces", true),
            ("http://[::1]:4318/v1/traces", true),
            ("http://10.0.0.5:4318/v1/traces", false),
            ("http://localhost.example.se/v1/traces", false),
            ("https://name:password@otlp.example.se/v1/traces", false),
            ("grpc://127.0.0.1:4317", false),
            ("127.0.0.1:4318", false),
        ] {
            assert_eq!(endpoint(address).is_ok(), is_well, "{address}");
        }
    }

    #[test]
    fn headers_are_read_and_never_shown() {
        let read = headers("Authorization: Bearer abc:def\n\nx-team: a\n").expect("headers");
        assert_eq!(read.0["authorization"], "Bearer abc:def");
        assert_eq!(read.0["x-team"], "a");
        assert_eq!(format!("{read:?}"), "[secret]");
        for wrong in ["Bearer abc", "a b: c", "a: \u{7f}"] {
            let refused = headers(wrong).expect_err(wrong);
            assert!(!refused.contains("abc"), "{refused}");
        }
    }
}
