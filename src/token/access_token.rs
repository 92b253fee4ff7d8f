//! Access tokens: random bits, or for clients that are registered so JWTs (RFC 9068). Both have a row,
//! by the digest of their text: a JWT can be verified by whoever it is for without asking us, but at our
//! own doors it ends with its grant, and when it is revoked, as any other.

use serde_json::{Map, Value, json};

use super::binding::Binding;
use super::grant::{Grant, Tokens};
use crate::authorize::resource::Resources;
use crate::clock::Timestamp;
use crate::id::{ClientId, Id, kind};
use crate::secret::{Digest, Secret, kind as secret};

/// The `typ` of an access token that is a JWT (RFC 9068 §2.1). It passes for no other token of ours.
pub const TYP: &str = "at+jwt";

/// An access token that is alive, with what it stands for.
#[derive(Debug)]
pub struct AccessRecord {
    /// Its end.
    pub expires_at: Timestamp,
    /// What it is worth nothing without.
    pub binding: Option<Binding>,
    /// Its scope.
    pub scope: String,
    /// What it is for.
    pub resources: Resources,
    /// Whom it was issued to.
    pub client_id: ClientId,
    /// What it stands for, as far as its own scope goes; nothing, when its client got it for itself.
    pub grant: Option<Grant>,
}

/// RFC 9068 §2.2, RFC 7662 §2.2: of whom a token speaks: a person, by the name that its client has for
/// them, or the client itself.
pub fn subject<'a>(client_id: &'a ClientId, grant: Option<&'a Grant>) -> &'a str {
    grant.map_or(client_id.as_str(), |grant| &grant.subject)
}

/// What every access token says that is a JWT, whomever it was issued to.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// Who makes it.
    pub issuer: &'a str,
    /// What a login here is worth.
    pub acr: &'a str,
    /// Its name.
    pub jti: Id<kind::AccessToken>,
    /// When.
    pub at: Timestamp,
}

/// RFC 9068 §2.2. Of a person it says nothing but the subject: whoever it is sent to need not know more,
/// and what must be known is told at userinfo, to the client.
pub fn claims(
    tokens: &Tokens,
    client_id: &ClientId,
    grant: Option<&Grant>,
    made: Made<'_>,
) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("iss", made.issuer.into());
    set("sub", subject(client_id, grant).into());
    set("aud", tokens.resources.audience(made.issuer));
    set("client_id", client_id.as_str().into());
    set("iat", made.at.0.into());
    set("exp", tokens.access_expires_at.0.into());
    set("jti", made.jti.to_string().into());
    if !tokens.scope.is_empty() {
        set("scope", tokens.scope.as_str().into());
    }
    if let Some(grant) = grant {
        set("auth_time", grant.auth_time.0.into());
        set("acr", made.acr.into());
    }
    if let Some(binding) = &tokens.access_binding {
        set("cnf", json!(binding));
    }
    claims
}

/// Reads an access token of either kind, without believing it: what it is worth, its row says.
pub fn read(text: &str) -> Option<Digest<secret::AccessToken>> {
    if let Some(token) = Secret::<secret::AccessToken>::parse(text) {
        return Some(token.digest());
    }
    let header = jsonwebtoken::decode_header(text).ok()?;
    (header.typ.as_deref() == Some(TYP)).then(|| Digest::of(text))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::clock::Seconds;
    use crate::jose::jwks::Thumbprint;
    use crate::random::Random;
    use crate::token::client_credentials;
    use crate::token::grant::tests::{client, grant};

    const NOW: Timestamp = Timestamp(1000);

    #[test]
    fn a_signed_one_says_for_whom_and_for_what_it_is_and_nothing_of_the_person() {
        let _shows = crate::shows!(accepting "TK-30", refusing "TK-30", accepting "TK-29");
        let random = Random::seeded(1);
        let made = Made {
            issuer: "https://i",
            acr: "x",
            jti: Id::fresh(&random),
            at: NOW,
        };
        let (owner, grant) = (client("a", json!({})), grant("openid profile"));
        let mut tokens = grant.issue(&owner, None, Resources::default(), &random, NOW);
        let told =
            |tokens: &Tokens, grant| Value::Object(claims(tokens, &owner.client_id, grant, made));
        let expected = json!({
            "iss": "https://i", "sub": "s", "aud": "https://i", "client_id": "a", "iat": 1000,
            "exp": 1300, "jti": made.jti.to_string(), "scope": "openid profile",
            "auth_time": 1000, "acr": "x"
        });
        assert_eq!(told(&tokens, Some(&grant)), expected);
        let text = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        tokens.access_binding = Thumbprint::parse(text).map(Binding::Key);
        assert_eq!(told(&tokens, Some(&grant))["cnf"], json!({"jkt": text}));

        let (scope, resources) = (String::new(), Resources::default());
        let tokens = client_credentials::issue(None, scope, resources, &random, NOW);
        let expected = json!({
            "iss": "https://i", "sub": "a", "aud": "https://i", "client_id": "a", "iat": 1000,
            "exp": 1300, "jti": made.jti.to_string()
        });
        assert_eq!(told(&tokens, None), expected);
        assert_eq!(tokens.access_expires_at, NOW + Seconds(300));
    }

    #[test]
    fn a_token_is_told_by_its_type_from_every_other_one() {
        let _shows =
            crate::shows!(accepting "TK-30", refusing "TK-30", accepting "O8", refusing "O8");
        let of = |header: Value| format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header.to_string()));
        let opaque = Secret::<secret::AccessToken>::fresh(&Random::seeded(1));
        assert_eq!(read(opaque.expose()), Some(opaque.digest()));
        let signed = of(json!({"alg": "ES256", "typ": "at+jwt"}));
        assert_eq!(read(&signed), Some(Digest::of(&signed)));
        for other in [
            of(json!({"alg": "ES256", "typ": "JWT"})),
            of(json!({"alg": "ES256", "typ": "logout+jwt"})),
            of(json!({"alg": "ES256"})),
            "e30.e30".into(),
            "nonsense".into(),
            String::new(),
        ] {
            assert_eq!(read(&other), None, "{other}");
        }
    }
}
