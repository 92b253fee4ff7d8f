//! What a client would get of a login, without one: the same rules and the same code as for a real one, with
//! a person who is nobody.

use serde_json::{Map, Value, json};

use crate::authorize::request::{AuthorizationRequest, Parameters, Scope};
use crate::authorize::{self, Policy, Refused};
use crate::bankid::collect::CompletionData;
use crate::claims::release::Identity;
use crate::client::Client;
use crate::clock::{Seconds, Timestamp};
use crate::error::Refusal;
use crate::id::Id;
use crate::random::Random;
use crate::secret::Key;
use crate::session::{Session, notice};
use crate::token::grant::Grant;
use crate::token::{id_token, userinfo};

/// What a client would get.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The address that its login begins at.
    pub authorize_url: String,
    /// The claims of its ID token.
    pub id_token: Map<String, Value>,
    /// What userinfo would answer.
    pub userinfo: Map<String, Value>,
    /// The claims of the token that would tell it of a logout, where it is told.
    pub logout_token: Option<Map<String, Value>>,
}

/// What stands for what a client makes up for each request.
const FRESH: &str = "…";
/// A challenge as it could be (RFC 7636 Appendix B).
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What a client would get that asks for these scope values.
pub fn preview(
    client: &Client,
    scopes: &[Scope],
    policy: &Policy,
    random: &Random,
    now: Timestamp,
) -> Result<Preview, String> {
    let (asked, request) = asks(client, scopes, policy)?;
    let session = nobody(random, now);
    // A key of its own: the subject is none that anybody has.
    let grant = Grant::of(&request, client, &session, &Key::fresh(random), random, now);
    let told_by = &client.metadata.claims;
    let at_hash = "(made from the access token)".to_owned();
    let mut id_token = id_token::claims(&grant, told_by, &policy.issuer, &policy.acr, at_hash, now);
    id_token.insert("nonce".to_owned(), "(the nonce of the request)".into());
    let logout_token = client.metadata.backchannel_logout_uri.as_ref().map(|_| {
        let notice = notice::Notice {
            client_id: client.client_id.clone(),
            session: session.id,
            subject: grant.subject.clone(),
        };
        notice::claims(&notice, &policy.issuer, random, now)
    });
    Ok(Preview {
        authorize_url: authorize_url(&policy.issuer, &asked),
        id_token,
        userinfo: userinfo::claims(&grant, told_by),
        logout_token,
    })
}

/// A request as the client could send it, which asks for these scope values, and what is read in it.
pub fn asks(
    client: &Client,
    scopes: &[Scope],
    policy: &Policy,
) -> Result<(Parameters, AuthorizationRequest), String> {
    let asked = asked(client, scopes)?;
    let request = authorize::admit(&asked, client, policy, &|_| None).map_err(in_words)?;
    Ok((asked, request))
}

fn asked(client: &Client, scopes: &[Scope]) -> Result<Parameters, String> {
    let metadata = &client.metadata;
    let address = metadata.redirect_uris.first();
    let address = address.ok_or("Nobody logs in to this client: it has no redirect URI.")?;
    if metadata.require_signed_request_object {
        return Err("This client signs its requests: what it asks for is in them.".to_owned());
    }
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let mut asked = vec![
        ("client_id", client.client_id.as_str().to_owned()),
        ("response_type", "code".to_owned()),
        ("redirect_uri", address.as_str().to_owned()),
        ("scope", scopes.join(" ")),
        ("state", FRESH.to_owned()),
        ("nonce", FRESH.to_owned()),
        ("code_challenge", CHALLENGE.to_owned()),
        ("code_challenge_method", "S256".to_owned()),
    ];
    if scopes.contains(&Scope::OfflineAccess.as_str()) {
        asked.push(("prompt", "consent".to_owned()));
    }
    if let Some(mode) = metadata.response_modes.first() {
        let mode = serde_json::to_value(mode).unwrap_or_default();
        let mode = mode.as_str().unwrap_or_default().to_owned();
        asked.push(("response_mode", mode));
    }
    let pairs = asked
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    Ok(Parameters::from_pairs(pairs))
}

fn authorize_url(issuer: &str, asked: &Parameters) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in asked.pairs() {
        query.append_pair(name, value);
    }
    format!("{issuer}/authorize?{}", query.finish())
}

fn in_words(refused: Refused) -> String {
    match refused {
        Refused::Page(mistake) => format!("A page would say why not: {mistake:?}."),
        Refused::Client(told) => {
            let refusal = Refusal::from(told.mistake);
            format!("{}: {}", refusal.code, refusal.description)
        }
    }
}

/// Somebody whom BankID's own test environment knows by this number.
fn nobody(random: &Random, now: Timestamp) -> Session {
    let data: CompletionData = serde_json::from_value(json!({
        "user": {
            "personalNumber": "191212121212",
            "name": "Tolvan Tolvansson",
            "givenName": "Tolvan",
            "surname": "Tolvansson",
        }
    }))
    .expect("a person");
    Session {
        id: Id::fresh(random),
        person: Id::fresh(random),
        identity: Identity::of(&data),
        auth_time: now,
        txn: Id::fresh(random),
        expires_at: now + Seconds(60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ClientId;

    fn preview_of(more: &Value, scopes: &[Scope]) -> Result<Preview, String> {
        let mut metadata = json!({"client_name": "A", "redirect_uris": ["https://a.example/cb"]});
        for (name, value) in more.as_object().into_iter().flatten() {
            metadata[name] = value.clone();
        }
        let client = Client {
            client_id: ClientId::parse("a").expect("an id"),
            sector: "a.example".into(),
            metadata: serde_json::from_value(metadata).expect("metadata"),
        };
        let policy = Policy {
            issuer: "https://op.example".into(),
            acr: "x".into(),
        };
        preview(
            &client,
            scopes,
            &policy,
            &Random::seeded(3),
            Timestamp(1000),
        )
    }

    #[test]
    fn a_client_sees_what_it_would_get_and_why_not() {
        let _shows = crate::shows!(accepting "PV-PREVIEW-1", refusing "PV-PREVIEW-1");
        let all = [Scope::Openid, Scope::Profile, Scope::PersonalNumber];
        let refused = preview_of(&json!({}), &all).expect_err("no right");
        assert!(refused.contains("not entitled"), "{refused}");
        let right = json!({"personal_number": {"purpose": "x"},
            "backchannel_logout_uri": "https://a.example/out"});
        let seen = preview_of(&right, &all).expect("a preview");
        for claims in [&seen.id_token, &seen.userinfo] {
            assert_eq!(claims["personal_number"], "191212121212");
            assert_eq!(claims["name"], "Tolvan Tolvansson");
            assert_eq!(claims["sub"], seen.id_token["sub"]);
        }
        assert_eq!(
            seen.logout_token.expect("told")["sub"],
            seen.id_token["sub"]
        );
        assert!(
            seen.authorize_url
                .starts_with("https://op.example/authorize?client_id=a&")
        );
        let fewer = preview_of(&right, &[Scope::Openid]).expect("a preview");
        assert_eq!(fewer.id_token.get("personal_number"), None);
        assert_eq!(fewer.userinfo.len(), 1);
        assert!(preview_of(&json!({"redirect_uris": []}), &all).is_err());
    }
}
