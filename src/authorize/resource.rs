//! Resource indicators (RFC 8707): which services an access token is for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::request::Parameters;
use crate::client::Client;
use crate::client::mistake::Reason;
use crate::error::{Code, Refusal};

/// RFC 8707 §2: the only parameter that a request may hold more than once.
pub const PARAMETER: &str = "resource";

/// For a resource that is not given here.
pub const INVALID_TARGET: Refusal = Refusal::new(
    Code::InvalidTarget,
    "a resource is none that this client may ask for, or was not granted",
)
.because(Reason::ResourceNotAllowed);

/// The name of a service that takes access tokens: an absolute URI without fragment (RFC 8707 §2),
/// compared as a whole string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Resource(String);

impl Resource {
    /// The most bytes of one.
    pub const LONGEST: usize = 2048;
    /// Schemes that name no service, but something that a browser would do or open.
    const NO_SERVICES: [&str; 5] = ["javascript", "data", "vbscript", "blob", "file"];

    /// RFC 8707 §2, RFC 3986 §4.3.
    pub fn parse(text: &str) -> Option<Resource> {
        let is_plain = text.bytes().all(|b| b.is_ascii_graphic())
            && !text.contains(['#', '"', '<', '>', '\\', '^', '`', '{', '|', '}'])
            && text.len() <= Resource::LONGEST;
        let url = Url::parse(text).ok()?;
        let is_of_nobody = url.username().is_empty() && url.password().is_none();
        let is_service = !Resource::NO_SERVICES.contains(&url.scheme());
        (is_plain && is_of_nobody && is_service).then(|| Resource(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a client as it is registered now may ask for it. This provider, whose userinfo is a
    /// resource too, every client may.
    fn is_open_to(&self, client: &Client, issuer: &str) -> bool {
        self.0 == issuer || client.metadata.resources.contains(self)
    }
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Resource::parse(&text).ok_or_else(|| {
            serde::de::Error::custom("a resource is an absolute URI without fragment")
        })
    }
}

/// The services that an access token is for, or may be. When there are none, it is for this provider,
/// whose userinfo is what OpenID Connect gives access tokens for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resources(BTreeSet<Resource>);

impl Resources {
    /// RFC 8707 §2: those that a request names. Each must be one that its client may ask for.
    pub fn read(raw: &Parameters, client: &Client, issuer: &str) -> Result<Resources, Refusal> {
        let open = |text: &str| {
            let resource = Resource::parse(text)?;
            resource.is_open_to(client, issuer).then_some(resource)
        };
        let asked: Option<BTreeSet<Resource>> = raw.all(PARAMETER).map(open).collect();
        asked.map(Resources).ok_or(INVALID_TARGET)
    }

    /// RFC 8707 §2.2: what a token is for that comes of these, which were granted: those of them that
    /// the token request names, or all when it names none. What its client may not ask for any more
    /// is as good as never granted.
    pub fn narrowed(
        &self,
        raw: &Parameters,
        client: &Client,
        issuer: &str,
    ) -> Result<Resources, Refusal> {
        let asked = Resources::read(raw, client, issuer)?;
        if self.0.is_empty() {
            let is_granted = asked.0.iter().all(|resource| resource.0 == issuer);
            return is_granted.then_some(asked).ok_or(INVALID_TARGET);
        }
        let open = |resource: &&Resource| resource.is_open_to(client, issuer);
        let granted: BTreeSet<Resource> = self.0.iter().filter(open).cloned().collect();
        match asked.0.is_empty() {
            true if granted.is_empty() => Err(INVALID_TARGET),
            true => Ok(Resources(granted)),
            false if asked.0.is_subset(&granted) => Ok(asked),
            false => Err(INVALID_TARGET),
        }
    }

    /// Whether one of these names is among them.
    pub fn meet(&self, names: &[Resource]) -> bool {
        names.iter().any(|name| self.0.contains(name))
    }

    /// Whether this provider is among them.
    pub fn hold_provider(&self, issuer: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|resource| resource.0 == issuer)
    }

    /// RFC 9068 §3, RFC 7519 §4.1.3: the same as `aud`.
    pub fn audience(&self, issuer: &str) -> Value {
        let mut names = self.0.iter().map(Resource::as_str);
        match (names.next(), names.next()) {
            (None, _) => issuer.into(),
            (Some(one), None) => one.into(),
            _ => self.0.iter().map(Resource::as_str).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::token::grant::tests::client;

    const ISSUER: &str = "https://op.example";

    fn raw(resources: &[&str]) -> Parameters {
        let pairs = resources.iter();
        Parameters::from_pairs(pairs.map(|text| (PARAMETER.to_owned(), (*text).to_owned())))
    }

    fn audience(resources: Result<Resources, Refusal>) -> Result<Value, Code> {
        resources
            .map(|resources| resources.audience(ISSUER))
            .map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_resource_is_an_absolute_uri_without_fragment() {
        let _shows = crate::shows!(accepting "PV-RESOURCE-1", refusing "PV-RESOURCE-1");
        for good in [
            "https://api.example",
            "https://api.example/a?b=c",
            "urn:example:api",
            "api://a",
        ] {
            let parsed = Resource::parse(good).expect(good);
            assert_eq!(parsed.as_str(), good);
        }
        for bad in [
            "",
            "api",
            "/api",
            "//api.example",
            "https://api.example/#a",
            "https://api.example#",
            "https://api.example/ a",
            "https://api.example/å",
            "https:\\\\api.example",
            "https://",
            "urn:a\u{0}",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://user@api.example",
            &format!("urn:{}", "a".repeat(2048)),
        ] {
            assert_eq!(Resource::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_client_asks_for_resources_that_it_is_registered_for() {
        let _shows = crate::shows!(accepting "PV-RESOURCE-1", refusing "PV-RESOURCE-1");
        let client = client("a", json!({"resources": ["urn:a", "urn:b"]}));
        let read = |asked: &[&str]| audience(Resources::read(&raw(asked), &client, ISSUER));
        assert_eq!(read(&[]), Ok(json!(ISSUER)));
        assert_eq!(
            read(&[""]),
            Ok(json!(ISSUER)),
            "a parameter without a value is none"
        );
        assert_eq!(read(&["urn:a"]), Ok(json!("urn:a")));
        assert_eq!(
            read(&["urn:b", "urn:a", "urn:b"]),
            Ok(json!(["urn:a", "urn:b"]))
        );
        assert_eq!(read(&[ISSUER, "urn:a"]), Ok(json!([ISSUER, "urn:a"])));
        for wrong in [
            &["urn:c"][..],
            &["urn:a", "urn:c"],
            &["urn:a#"],
            &["urn:A"],
            &["https://op.example/"],
        ] {
            assert_eq!(read(wrong), Err(Code::InvalidTarget), "{wrong:?}");
        }
    }

    #[test]
    fn a_token_is_for_no_more_than_what_was_granted() {
        let _shows = crate::shows!(accepting "PV-RESOURCE-2", refusing "PV-RESOURCE-2");
        let all = client("a", json!({"resources": ["urn:a", "urn:b", "urn:c"]}));
        let granted = |asked: &[&str]| Resources::read(&raw(asked), &all, ISSUER).expect("open");
        let told = |granted: &Resources, asked: &[&str], client: &Client| {
            audience(granted.narrowed(&raw(asked), client, ISSUER))
        };
        let two = granted(&["urn:a", "urn:b"]);
        assert_eq!(told(&two, &[], &all), Ok(json!(["urn:a", "urn:b"])));
        assert_eq!(told(&two, &["urn:b"], &all), Ok(json!("urn:b")));
        for wide in [&["urn:c"][..], &["urn:a", "urn:c"], &[ISSUER], &["urn:d"]] {
            assert_eq!(told(&two, wide, &all), Err(Code::InvalidTarget), "{wide:?}");
        }
        let none = granted(&[]);
        assert_eq!(told(&none, &[], &all), Ok(json!(ISSUER)));
        assert_eq!(told(&none, &[ISSUER], &all), Ok(json!(ISSUER)));
        assert_eq!(told(&none, &["urn:a"], &all), Err(Code::InvalidTarget));
        // What it may not ask for any more.
        let less = client("a", json!({"resources": ["urn:b"]}));
        assert_eq!(told(&two, &[], &less), Ok(json!("urn:b")));
        assert_eq!(told(&two, &["urn:a"], &less), Err(Code::InvalidTarget));
        let nothing = client("a", json!({}));
        assert_eq!(told(&two, &[], &nothing), Err(Code::InvalidTarget));
    }
}
