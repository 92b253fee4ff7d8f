//! Administrators come and go: by an invitation, by their BankID through our own OpenID Connect, and out.

use openidconnect::core::{
    CoreAuthPrompt, CoreAuthenticationFlow, CoreClient, CoreProviderMetadata,
};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, TokenResponse,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::super::answer::{Answer, Sent, SetCookie, cookie_name};
use super::super::input::Request;
use super::page::{Frame, Invitation, LoggedIn, LoggedOut, NotHere, Onward};
use super::{COOKIE, Caller, inside};
use crate::admin::administrator::{begin_session, end_session, enrol};
use crate::admin::client::CONSOLE;
use crate::admin::role::Reach;
use crate::admin::{Desk, Unmet, console};
use crate::audit::{Actor, Door, Who};
use crate::clock::{Seconds, Timestamp};
use crate::config::admin::Admin;
use crate::error::Fault;
use crate::provider::Provider;
use crate::secret::{Digest, Place, Secret, kind as secret};
use crate::storage::AdminSession;

/// The cookie of a browser in which somebody is about to log in.
const LOGIN_COOKIE: &str = "admin-login";
/// How long a login may take.
const LOGIN_LIFETIME: Seconds = Seconds(15 * 60);
/// The most that a parameter of the answer may hold.
const PARAMETER_LIMIT: usize = 2048;

/// What is remembered of a login that is under way, sealed in its browser.
#[derive(Serialize, Deserialize)]
struct Underway {
    state: String,
    nonce: String,
    verifier: String,
    /// Where the administrator wanted to go.
    next: String,
    /// By which invitation they come.
    invitation: Option<String>,
    begun_at: Timestamp,
}

const UNDERWAY: Place<'static> = Place {
    table: "admin_login",
    column: "underway",
    row: "",
};

/// Where one who is not logged in is sent.
pub fn login_path(next: &str) -> String {
    format!(
        "/login?next={}",
        utf8_percent_encode(next, NON_ALPHANUMERIC)
    )
}

/// A path of ours to go to, and nothing else.
fn own_path(text: &str) -> Option<&str> {
    let sound = text.starts_with('/')
        && !text.starts_with("//")
        && text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    sound.then_some(text)
}

pub async fn log_in(provider: Provider, request: Request) -> Result<Answer, Unmet> {
    let query = request.query(PARAMETER_LIMIT).unwrap_or_default();
    let next = query.first("next").and_then(own_path).unwrap_or("/");
    begin(&provider, next, None).await
}

/// What somebody who is invited sees first.
pub async fn invitation(provider: Provider, request: Request) -> Result<Answer, Unmet> {
    let (shown, digest) = invited_by(&request)?;
    let invited = provider.store.invited(digest, provider.clock.now()).await?;
    let invited = invited.ok_or(Unmet::Unknown("page"))?;
    Ok(Answer::page(&Invitation::new(&provider, &invited, &shown)))
}

/// A link and no form: what a page of ours posts must not lead to another host.
pub async fn take(provider: Provider, request: Request) -> Result<Answer, Unmet> {
    let (_, digest) = invited_by(&request)?;
    let invited = provider.store.invited(digest, provider.clock.now()).await?;
    invited.ok_or(Unmet::Unknown("page"))?;
    begin(&provider, "/", Some(hex::encode(digest.as_bytes()))).await
}

fn invited_by(request: &Request) -> Result<(String, Digest<secret::Invitation>), Unmet> {
    let shown = request.path_part("secret").unwrap_or_default();
    let secret = Secret::<secret::Invitation>::parse(shown).ok_or(Unmet::Unknown("page"))?;
    Ok((shown.to_owned(), secret.digest()))
}

async fn begin(
    provider: &Provider,
    next: &str,
    invitation: Option<String>,
) -> Result<Answer, Unmet> {
    let fresh = || hex::encode(provider.random.bytes::<32>());
    let underway = Underway {
        state: fresh(),
        nonce: fresh(),
        verifier: fresh(),
        next: next.to_owned(),
        invitation,
        begun_at: provider.clock.now(),
    };
    let verifier = PkceCodeVerifier::new(underway.verifier.clone());
    let (state, nonce) = (underway.state.clone(), underway.nonce.clone());
    let (address, ..) = relying_party(provider)
        .await?
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            || CsrfToken::new(state),
            || Nonce::new(nonce),
        )
        // Whoever sits at a browser that is logged in somewhere is not by that an administrator.
        .add_prompt(CoreAuthPrompt::Login)
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        .url();
    let plain =
        Zeroizing::new(serde_json::to_vec(&underway).expect("our own types are valid JSON"));
    let sealed = provider.keys.forms.seal(UNDERWAY, &plain, &provider.random);
    Ok(Answer::see(address.as_str()).with_cookie(SetCookie {
        name: LOGIN_COOKIE.to_owned(),
        value: Some(hex::encode(sealed)),
        lifetime: Some(LOGIN_LIFETIME),
        sent: Sent::WhenLedHere,
    }))
}

fn underway(provider: &Provider, admin: &Admin, request: &Request) -> Option<Underway> {
    let name = cookie_name(&admin.address, LOGIN_COOKIE);
    let (_, value) = request.cookies().find(|(n, _)| *n == name)?;
    let plain = provider
        .keys
        .forms
        .open(UNDERWAY, &hex::decode(value).ok()?)?;
    let underway: Underway = serde_json::from_slice(&plain).ok()?;
    let is_fresh = underway.begun_at + LOGIN_LIFETIME > provider.clock.now();
    is_fresh.then_some(underway)
}

/// RFC 6749 §4.1.2, RFC 9207 §2.4, OpenID Connect Core §3.1.3.7.
pub async fn callback(provider: Provider, request: Request) -> Result<Answer, Unmet> {
    let admin = configured(&provider)?;
    let query = request.query(PARAMETER_LIMIT).unwrap_or_default();
    let said = |name: &str| query.first(name).unwrap_or_default();
    let Some(underway) = underway(&provider, admin, &request) else {
        return Ok(gone(
            "This login was begun in another browser, or too long ago.",
        ));
    };
    if said("state") != underway.state || said("iss") != provider.config.issuer.url {
        return Ok(gone("This answer belongs to another login."));
    }
    if query.first("error").is_some() {
        return Ok(gone("You are not logged in."));
    }
    let (subject, auth_time) = match identified(&provider, &underway, said("code")).await? {
        Some(identified) => identified,
        None => return Ok(gone("The login could not be completed.")),
    };
    let desk = nobody(&provider, &request);
    let administrator = match &underway.invitation {
        Some(digest) => {
            let digest = hex::decode(digest).ok().and_then(|bytes| Digest::from_bytes(&bytes));
            let digest = digest.ok_or(Unmet::Unknown("invitation"))?;
            enrol(&desk, digest, &subject).await?
        }
        None => match provider.store.administrator_of(&subject).await? {
            Some(administrator) => administrator,
            None => return Ok(Answer::page(&NotHere::new(
                "You do not administer this installation.",
                "An owner can invite you, or whoever has a shell on its machine: portvakt admin invite.",
            )).as_status(actix_web::http::StatusCode::FORBIDDEN)),
        },
    };
    let session = AdminSession {
        administrator,
        auth_time,
        expires_at: provider.clock.now() + admin.session_lifetime,
    };
    let cookie = begin_session(&desk, &session).await?;
    // The browser sends the cookie to what our own page leads to, and not to a redirect that began
    // elsewhere.
    Ok(Answer::page(&Onward::new(underway.next))
        .with_cookie(SetCookie {
            name: LOGIN_COOKIE.to_owned(),
            value: None,
            lifetime: None,
            sent: Sent::WhenLedHere,
        })
        .with_cookie(SetCookie {
            name: COOKIE.to_owned(),
            value: Some(cookie.expose().to_owned()),
            lifetime: Some(admin.session_lifetime),
            sent: Sent::FromHere,
        }))
}

fn gone(why: &'static str) -> Answer {
    Answer::page(&NotHere::new(why, "")).as_status(actix_web::http::StatusCode::BAD_REQUEST)
}

/// Before it is known who it is.
fn nobody<'a>(provider: &'a Provider, request: &Request) -> Desk<'a> {
    let actor = Actor {
        who: Who::Provider,
        door: Door::Page,
        address: Some(request.ip),
    };
    provider.desk(actor, Reach::Only(Vec::new()), false)
}

/// Whose BankID it was, and when.
async fn identified(
    provider: &Provider,
    underway: &Underway,
    code: &str,
) -> Result<Option<(String, Timestamp)>, Unmet> {
    let relying_party = relying_party(provider).await?;
    let call = |request| inside::call(provider.clone(), request);
    let exchange = relying_party.exchange_code(AuthorizationCode::new(code.to_owned()));
    let Ok(exchange) = exchange else {
        return Ok(None);
    };
    let tokens = exchange
        .set_pkce_verifier(PkceCodeVerifier::new(underway.verifier.clone()))
        .request_async(&call)
        .await;
    let Ok(tokens) = tokens else {
        return Ok(None);
    };
    let verifier = relying_party.id_token_verifier();
    let nonce = Nonce::new(underway.nonce.clone());
    let claims = tokens
        .id_token()
        .and_then(|token| token.claims(&verifier, &nonce).ok());
    let claims = claims.and_then(|claims| {
        let auth_time = claims.auth_time().map(|at| Timestamp(at.timestamp()))?;
        // OpenID Connect Core §3.1.2.1 (`prompt=login`): this login, and none of before.
        let is_new = auth_time >= underway.begun_at - Seconds(5);
        is_new.then(|| (claims.subject().as_str().to_owned(), auth_time))
    });
    Ok(claims)
}

type RelyingParty = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

async fn relying_party(provider: &Provider) -> Result<RelyingParty, Unmet> {
    let admin = configured(provider)?;
    let ours = |_| Unmet::Fault(Fault::Console);
    let issuer = IssuerUrl::new(provider.config.issuer.url.clone()).map_err(ours)?;
    let redirect = RedirectUrl::new(console::callback(admin)).map_err(ours)?;
    let call = |request| inside::call(provider.clone(), request);
    let metadata = CoreProviderMetadata::discover_async(issuer, &call).await;
    let metadata = metadata.map_err(|_| Unmet::Fault(Fault::Console))?;
    let secret = ClientSecret::new(console::secret(&provider.keys));
    let client_id = ClientId::new(CONSOLE.to_owned());
    let client = CoreClient::from_provider_metadata(metadata, client_id, Some(secret));
    Ok(client.set_redirect_uri(redirect))
}

fn configured(provider: &Provider) -> Result<&Admin, Unmet> {
    provider.config.admin.as_ref().ok_or(Unmet::Unknown("page"))
}

pub async fn logged_in(provider: Provider, _: Request, caller: Caller) -> Result<Answer, Unmet> {
    Ok(Answer::page(&LoggedIn {
        frame: Frame::new(&provider, &caller, "Logged in"),
    }))
}

pub async fn log_out(
    provider: Provider,
    request: Request,
    caller: Caller,
) -> Result<Answer, Unmet> {
    let admin = configured(&provider)?;
    let cookie = request.cookie::<secret::AdminCookie>(&cookie_name(&admin.address, COOKIE));
    if let Some(cookie) = cookie {
        end_session(
            &caller.desk(&provider),
            caller.session.administrator.id,
            cookie.digest(),
        )
        .await?;
    }
    Ok(Answer::page(&LoggedOut::default()).with_cookie(SetCookie {
        name: COOKIE.to_owned(),
        value: None,
        lifetime: None,
        sent: Sent::FromHere,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_on_to_paths_of_ours_alone() {
        for good in ["/", "/clients?search=a", "/client/a%2Fb"] {
            assert_eq!(own_path(good), Some(good));
        }
        for bad in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a b",
            "/å",
        ] {
            assert_eq!(own_path(bad), None, "{bad}");
        }
    }
}
