//! A sample application: a relying party on the `openidconnect` crate that logs in, shows the
//! verified claims and logs out, here and at its issuer. It knows nothing of Portvakt but its issuer.

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::ServerHandle;
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data, Query};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use askama::Template;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AuthorizationCode, Client, ClientId, ClientSecret,
    CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpRequest as OidcRequest, HttpResponse as OidcResponse, IdToken, IdTokenFields, IssuerUrl,
    LogoutRequest, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl, Scope, StandardErrorResponse,
    StandardTokenResponse, TokenResponse,
};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::random::Random;

/// What the application is made of.
pub struct Settings {
    /// Bound.
    pub listener: TcpListener,
    /// Its certificate; without, it is served in the clear.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Its address as browsers know it, without a slash at the end.
    pub url: String,
    /// Where people log in.
    pub issuer: String,
    /// Its name there.
    pub client_id: String,
    /// Its secret there.
    pub client_secret: String,
    /// The provider behind the issuer, where that is a broker: a logout leads there, too.
    pub behind: String,
    /// What it asks for besides `openid`.
    pub scopes: &'static [&'static str],
    /// The root that the issuer's certificate comes from, when it is one of our own.
    pub root: Option<CertificateDer<'static>>,
    /// Names that are not looked up.
    pub resolve: Vec<(String, SocketAddr)>,
    /// The randomness.
    pub random: Random,
}

/// Starts the application on the runtime that this is called on.
pub fn start(settings: Settings) -> std::io::Result<ServerHandle> {
    let http = http_client(&settings).map_err(std::io::Error::other)?;
    let application = Data::new(Application {
        is_secure: settings.tls.is_some(),
        url: settings.url,
        issuer: settings.issuer,
        client_id: settings.client_id,
        client_secret: settings.client_secret,
        behind: settings.behind,
        scopes: settings.scopes,
        http,
        visits: Mutex::default(),
        random: settings.random,
    });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(application.clone())
            .route("/", web::get().to(home))
            .route("/login", web::get().to(login))
            .route("/callback", web::get().to(callback))
            .route("/logout", web::post().to(logout))
            .route("/frontchannel-logout", web::get().to(frame))
            .route("/static/portvakt.css", web::get().to(style))
    })
    .workers(1)
    .disable_signals();
    let server = match settings.tls {
        None => server.listen(settings.listener)?,
        Some(tls) => server.listen_rustls_0_23(settings.listener, (*tls).clone())?,
    }
    .run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(handle)
}

fn http_client(settings: &Settings) -> reqwest::Result<reqwest::Client> {
    let mut roots = Vec::new();
    if let Some(root) = &settings.root {
        roots.push(reqwest::Certificate::from_der(root)?);
    }
    let mut builder = reqwest::Client::builder()
        .tls_certs_only(roots)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10));
    for (host, address) in &settings.resolve {
        builder = builder.resolve(host, *address);
    }
    builder.build()
}

struct Application {
    url: String,
    issuer: String,
    client_id: String,
    client_secret: String,
    behind: String,
    scopes: &'static [&'static str],
    is_secure: bool,
    http: reqwest::Client,
    /// What each browser is about, by its cookie.
    visits: Mutex<HashMap<String, Visit>>,
    random: Random,
}

#[derive(Clone)]
enum Visit {
    Underway(Arc<Underway>),
    LoggedIn(Arc<Person>),
}

struct Underway {
    state: CsrfToken,
    nonce: Nonce,
    verifier: String,
}

/// What is shown of a login.
struct Person {
    /// What shows the issuer whose logout is asked for.
    proof: Proof,
    id_token: BTreeMap<String, String>,
    userinfo: BTreeMap<String, String>,
}

/// Whatever else an ID token says.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct MoreClaims(BTreeMap<String, Value>);
impl AdditionalClaims for MoreClaims {}

type Proof = IdToken<
    MoreClaims,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type Tokens = StandardTokenResponse<
    IdTokenFields<
        MoreClaims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type Oidc = Client<
    MoreClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl Application {
    async fn call(&self, request: OidcRequest) -> Result<OidcResponse, reqwest::Error> {
        let answer = self.http.execute(request.try_into()?).await?;
        let mut response = OidcResponse::new(Vec::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        *response.body_mut() = answer.bytes().await?.to_vec();
        Ok(response)
    }

    /// Discovers the issuer.
    async fn metadata(&self) -> Result<ProviderMetadataWithLogout, String> {
        let issuer = IssuerUrl::new(self.issuer.clone()).map_err(|e| e.to_string())?;
        let call = |request| self.call(request);
        ProviderMetadataWithLogout::discover_async(issuer, &call)
            .await
            .map_err(|e| format!("the provider's metadata cannot be read: {e}"))
    }

    async fn oidc(&self) -> Result<Oidc, String> {
        let metadata = self.metadata().await?;
        let redirect =
            RedirectUrl::new(format!("{}/callback", self.url)).map_err(|e| e.to_string())?;
        let client = Client::from_provider_metadata(
            metadata,
            ClientId::new(self.client_id.clone()),
            Some(ClientSecret::new(self.client_secret.clone())),
        );
        Ok(client.set_redirect_uri(redirect))
    }

    /// The page that begins a login, and what must be remembered of it.
    async fn begin(&self) -> Result<(String, Underway), String> {
        let fresh = || hex::encode(self.random.bytes::<32>());
        let verifier = fresh();
        let challenge =
            PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.clone()));
        let (state, nonce) = (fresh(), fresh());
        let (address, state, nonce) = self
            .oidc()
            .await?
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .add_scopes(
                self.scopes
                    .iter()
                    .map(|scope| Scope::new((*scope).to_owned())),
            )
            .set_pkce_challenge(challenge)
            .url();
        Ok((
            address.into(),
            Underway {
                state,
                nonce,
                verifier,
            },
        ))
    }

    /// RFC 6749 §4.1.2, RFC 9207 §2.4, OpenID Connect Core §3.1.3.7.
    async fn end(&self, underway: &Underway, answer: &Answer) -> Result<Person, String> {
        if answer.state.as_deref() != Some(underway.state.secret()) {
            return Err("The state is not the one that was sent.".to_owned());
        }
        if answer.iss.as_deref() != Some(&self.issuer) {
            return Err("The answer is another issuer's.".to_owned());
        }
        if let Some(error) = &answer.error {
            let description = answer.error_description.as_deref().unwrap_or_default();
            return Err(format!("{error}: {description}"));
        }
        let code = answer
            .code
            .clone()
            .ok_or("There is neither code nor error.")?;
        let oidc = self.oidc().await?;
        let call = |request| self.call(request);
        let tokens = oidc
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|e| e.to_string())?
            .set_pkce_verifier(PkceCodeVerifier::new(underway.verifier.clone()))
            .request_async(&call)
            .await
            .map_err(|e| format!("The code was not exchanged: {e}"))?;
        let id_token = tokens.id_token().ok_or("There is no ID token.")?;
        let verifier = oidc.id_token_verifier();
        let claims = id_token
            .claims(&verifier, &underway.nonce)
            .map_err(|e| format!("The ID token is not good: {e}"))?;
        if let Some(expected) = claims.access_token_hash() {
            let actual = AccessTokenHash::from_token(
                tokens.access_token(),
                id_token.signing_alg().map_err(|e| e.to_string())?,
                id_token.signing_key(&verifier).map_err(|e| e.to_string())?,
            )
            .map_err(|e| e.to_string())?;
            if actual != *expected {
                return Err("The access token does not belong to the ID token.".to_owned());
            }
        }
        let userinfo = self.userinfo(tokens.access_token().secret()).await?;
        Ok(Person {
            proof: id_token.clone(),
            id_token: shown(&serde_json::to_value(claims).map_err(|e| e.to_string())?),
            userinfo: shown(&userinfo),
        })
    }

    /// OpenID Connect RP-Initiated Logout §2: where this person is logged out, if the issuer can.
    async fn end_session(&self, person: &Person) -> Result<Option<String>, String> {
        let metadata = self.metadata().await?;
        let Some(endpoint) = &metadata.additional_metadata().end_session_endpoint else {
            return Ok(None);
        };
        let home = PostLogoutRedirectUrl::new(format!("{}/", self.url));
        let request = LogoutRequest::from(endpoint.clone())
            .set_id_token_hint(&person.proof)
            .set_post_logout_redirect_uri(home.map_err(|e| e.to_string())?);
        Ok(Some(request.http_get_url().into()))
    }

    async fn userinfo(&self, access_token: &str) -> Result<Value, String> {
        let answer = self
            .http
            .get(format!("{}/userinfo", self.issuer))
            .bearer_auth(access_token)
            .send()
            .await
            .map_err(|e| e.without_url().to_string())?;
        answer.json().await.map_err(|e| e.without_url().to_string())
    }

    fn visit(&self, request: &HttpRequest, name: &str) -> Option<(String, Visit)> {
        let cookie = request.cookie(name)?.value().to_owned();
        let visit = self.visits.lock().ok()?.get(&cookie)?.clone();
        Some((cookie, visit))
    }

    /// Remembers a visit under a new cookie: what an attacker planted is never adopted.
    fn remember(&self, name: String, old: Option<String>, visit: Visit) -> Cookie<'static> {
        let fresh = hex::encode(self.random.bytes::<32>());
        if let Ok(mut visits) = self.visits.lock() {
            if let Some(old) = old {
                visits.remove(&old);
            }
            visits.insert(fresh.clone(), visit);
        }
        Cookie::build(name, fresh)
            .path("/")
            .http_only(true)
            .secure(self.is_secure)
            .same_site(SameSite::Lax)
            .finish()
    }
}

/// The cookie of a browser that somebody is logged in with.
const COOKIE: &str = "application";

/// The cookie of a login under way: each has its own, so that two tabs do not cost each other theirs.
fn cookie_of(state: &str) -> String {
    let name: String = state.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("login-{}", name.get(..12).unwrap_or_default())
}

fn shown(claims: &Value) -> BTreeMap<String, String> {
    let members = claims.as_object().into_iter().flatten();
    members
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        })
        .collect()
}

#[derive(Template)]
#[template(path = "sample/home.html")]
struct Home {
    person: Option<Arc<Person>>,
    trouble: Option<String>,
}

fn page(application: &Application, status: StatusCode, home: &Home) -> HttpResponse {
    // The form that logs out leads on to the issuer, and browsers hold redirects to `form-action`.
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self' {} {}; base-uri 'none'; frame-ancestors 'none'",
        application.issuer, application.behind
    );
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .body(
            home.render()
                .expect("a template of plain values always renders"),
        )
}

fn trouble(application: &Application, reason: String) -> HttpResponse {
    page(
        application,
        StatusCode::BAD_REQUEST,
        &Home {
            person: None,
            trouble: Some(reason),
        },
    )
}

async fn home(application: Data<Application>, request: HttpRequest) -> HttpResponse {
    let person = match application.visit(&request, COOKIE) {
        Some((_, Visit::LoggedIn(person))) => Some(person),
        _ => None,
    };
    page(
        &application,
        StatusCode::OK,
        &Home {
            person,
            trouble: None,
        },
    )
}

async fn login(application: Data<Application>) -> HttpResponse {
    match application.begin().await {
        Ok((address, underway)) => {
            let name = cookie_of(underway.state.secret());
            let visit = Visit::Underway(Arc::new(underway));
            HttpResponse::SeeOther()
                .insert_header((header::LOCATION, address))
                .cookie(application.remember(name, None, visit))
                .finish()
        }
        Err(reason) => trouble(&application, reason),
    }
}

#[derive(Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

async fn callback(
    application: Data<Application>,
    request: HttpRequest,
    answer: Query<Answer>,
) -> HttpResponse {
    let former = application.visit(&request, COOKIE);
    let name = cookie_of(answer.state.as_deref().unwrap_or_default());
    let Some((begun, Visit::Underway(underway))) = application.visit(&request, &name) else {
        return match former {
            // The back button led through the provider once more.
            Some(_) => see("/"),
            None => trouble(
                &application,
                "No login is under way in this browser.".to_owned(),
            ),
        };
    };
    // Whatever comes of it, its answer is taken once.
    if let Ok(mut visits) = application.visits.lock() {
        visits.remove(&begun);
    }
    let mut over = Cookie::build(name, "").path("/").finish();
    over.make_removal();
    match application.end(&underway, &answer).await {
        Ok(person) => {
            let old = former.map(|(cookie, _)| cookie);
            let visit = Visit::LoggedIn(Arc::new(person));
            HttpResponse::SeeOther()
                .insert_header((header::LOCATION, "/"))
                .cookie(application.remember(COOKIE.to_owned(), old, visit))
                .cookie(over)
                .finish()
        }
        Err(reason) => trouble(&application, reason),
    }
}

async fn logout(application: Data<Application>, request: HttpRequest) -> HttpResponse {
    let Some((cookie, visit)) = application.visit(&request, COOKIE) else {
        return see("/");
    };
    if let Ok(mut visits) = application.visits.lock() {
        visits.remove(&cookie);
    }
    let Visit::LoggedIn(person) = visit else {
        return see("/");
    };
    match application.end_session(&person).await {
        Ok(Some(address)) => see(&address),
        Ok(None) => see("/"),
        Err(reason) => trouble(&application, reason),
    }
}

#[derive(Deserialize)]
struct Ended {
    iss: String,
    sid: String,
}

/// OpenID Connect Front-Channel Logout §2: shown in a frame of the issuer's, to which browsers send no
/// cookie of ours. The session's name says who is meant.
async fn frame(application: Data<Application>, ended: Query<Ended>) -> HttpResponse {
    let is_other = |visit: &Visit| match visit {
        Visit::LoggedIn(person) => person.id_token.get("sid") != Some(&ended.sid),
        Visit::Underway(_) => true,
    };
    if ended.iss == application.issuer
        && let Ok(mut visits) = application.visits.lock()
    {
        visits.retain(|_, visit| is_other(visit));
    }
    let policy = format!("default-src 'none'; frame-ancestors {}", application.issuer);
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .finish()
}

fn see(address: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, address))
        .finish()
}

async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/css; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(concat!(
            include_str!("../../static/base.css"),
            include_str!("../../static/portvakt.css")
        ))
}
