//! The authorization endpoint (OpenID Connect Core §3.1.2). Nothing is written here, but for a
//! code where a session answers at once.

use super::answer::{self, Answer, Noted, SetCookie, View, cookie_name};
use super::assets::url;
use super::bounce;
use super::input::{Request, Unreadable};
use super::login;
use super::logo;
use super::page::{Choice, Frame, Logo};
use crate::authorize::interaction::{self, Decision};
use crate::authorize::pushed::{self, When};
use crate::authorize::redirect_uri::ReturnAddress;
use crate::authorize::request::{AuthorizationRequest, Parameters, Scope};
use crate::authorize::request_object::{Audience, Unfolded, unfold};
use crate::authorize::response::{self, Departure, Responder};
use crate::authorize::{self, Mistake, PageMistake, Refused};
use crate::bankid::launch::{First, Manner};
use crate::claims::release::Release;
use crate::client::Client;
use crate::clock::Seconds;
use crate::config::Config;
use crate::error::{Error, Refusal};
use crate::jose::jwks::Jwks;
use crate::jose::keyring::KeySet;
use crate::language::{Language, Tag, Wishes};
use crate::login::binding::{ChoiceForm, FORM_LIFETIME, RENEWABLE, Wanted};
use crate::login::device::Offers;
use crate::provider::Provider;
use crate::secret::{Secret, kind as secret};
use crate::session::standing;
use crate::storage::{SessionRow, SignedKind, Unissued};
use crate::token::code::Issued;
use crate::token::grant::Grant;

/// The most that a parameter may hold.
pub const PARAMETER_LIMIT: usize = 8 * 1024;
/// The most that a request may hold in all. It must still fit into a form when it is sealed, where
/// JSON may double it and base64 adds a third.
pub const REQUEST_LIMIT: usize = 20 * 1024;
/// The most that a sealed form may hold: a whole request, in base64.
pub const FORM_LIMIT: usize = 60 * 1024;

pub async fn get(provider: Provider, request: Request) -> Result<Answer, Error> {
    match readable(request.query(PARAMETER_LIMIT)) {
        Some(raw) => answer_to(&provider, &request, raw, Way::Get).await,
        None => Ok(unreadable(&provider, &request)),
    }
}

pub fn readable(raw: Result<Parameters, Unreadable>) -> Option<Parameters> {
    raw.ok().filter(|raw| raw.size() <= REQUEST_LIMIT)
}

const CONTINUED: bounce::Door = bounce::Door {
    path: "/authorize/continue",
    heading: |words| words.heading,
};

/// OpenID Connect Core §3.1.2.1 allows POST.
pub async fn post(provider: Provider, request: Request) -> Result<Answer, Error> {
    let Some(parameters) = readable(request.form(PARAMETER_LIMIT)) else {
        return Ok(unreadable(&provider, &request));
    };
    let language = language(&provider, &parameters, None, &request);
    Ok(bounce::page(&provider, CONTINUED, parameters, language))
}

/// The second half of [`post`].
pub async fn resume(provider: Provider, request: Request) -> Result<Answer, Error> {
    match bounce::brought(&provider, CONTINUED, &request) {
        Some(parameters) => answer_to(&provider, &request, parameters, Way::Post).await,
        None => Ok(answer::stale_form(&request.view(&provider))),
    }
}

/// How the request came to us, which decides how the answer may leave.
#[derive(Clone, Copy)]
enum Way {
    Get,
    Post,
}

fn unreadable(provider: &Provider, request: &Request) -> Answer {
    answer::mistake_page(PageMistake::Unreadable, &request.view(provider))
}

/// A request that was admitted, with its client.
pub struct Admitted {
    /// Who asks.
    pub client: Client,
    /// What.
    pub request: AuthorizationRequest,
    /// The parameters that it was read from: those that came, or those that were pushed.
    pub parameters: Parameters,
}

/// Looks the client up, and its pushed request where the parameters name one, and applies every
/// rule.
pub async fn admit(
    provider: &Provider,
    raw: &Parameters,
    when: When,
) -> Result<Result<Admitted, Refused>, Error> {
    let client_id = match authorize::client_id(raw) {
        Ok(client_id) => client_id,
        Err(mistake) => return Ok(Err(Refused::Page(mistake))),
    };
    let Some(mut client) = provider
        .store
        .client(client_id, provider.clock.now())
        .await?
    else {
        return Ok(Err(Refused::Page(PageMistake::ClientUnknown)));
    };
    if let (Some(token), When::Brought) = (raw.first("request"), when) {
        let fit = |keys: &Jwks| keys.verify(token, None).is_some();
        provider.give_published_keys(&mut client, &fit).await;
    }
    let digest = match pushed::brought(raw) {
        Ok(digest) => digest,
        Err(mistake) => return Ok(Err(Refused::Page(mistake))),
    };
    let now = provider.clock.now();
    let unfolded = match digest {
        Some(digest) => {
            let kept = provider.store.pushed_request(digest, &client.client_id);
            let parameters = pushed::read(kept.await?, when, now).map_err(Refused::Page);
            parameters.map(|parameters| Unfolded {
                parameters,
                once: None,
            })
        }
        None => {
            let audience = Audience {
                issuer: &provider.config.issuer.url,
                endpoint: &format!("{}/authorize", provider.config.issuer.url),
            };
            pushed::may_ask_openly(raw, &client)
                .and_then(|()| unfold(raw, &client, audience, when, now))
        }
    };
    let Unfolded { parameters, once } = match unfolded {
        Ok(unfolded) => unfolded,
        Err(refused) => return Ok(Err(refused)),
    };
    let issuer = &provider.config.issuer.url;
    let keys = provider.keys_to_read(&parameters).await?;
    let hint = |token: &str| keys.hinted_subject(token, issuer, &client.client_id);
    let request = match authorize::admit(&parameters, &client, &provider.policy, &hint) {
        Ok(request) => AuthorizationRequest {
            pushed: digest,
            once,
            ..request
        },
        Err(refused) => return Ok(Err(refused)),
    };
    let admitted = Admitted {
        client,
        request,
        parameters,
    };
    match when == When::Brought && is_answered(provider, &admitted).await? {
        true => Ok(Err(already_answered(&admitted.request))),
        false => Ok(Ok(admitted)),
    }
}

/// Whether a signed request that is good once has led to a code.
pub async fn is_answered(provider: &Provider, admitted: &Admitted) -> Result<bool, Error> {
    let Some(once) = &admitted.request.once else {
        return Ok(false);
    };
    let client_id = admitted.client.client_id.as_str();
    let kind = SignedKind::RequestObject;
    Ok(provider.store.is_spent(kind, client_id, once).await?)
}

async fn answer_to(
    provider: &Provider,
    request: &Request,
    raw: Parameters,
    way: Way,
) -> Result<Answer, Error> {
    let raw = pushed::bare(raw);
    let begun = login::resumable(provider, request, &raw).await?;
    // A browser that comes back to its login may do so as long as that is open.
    let when = match begun {
        Some(_) => When::Underway,
        None => When::Brought,
    };
    let leave = |departure: &Departure, language: Language| {
        let pages = &provider.config.pages;
        match way {
            Way::Get => Answer::depart(departure, language, pages),
            Way::Post => Answer::depart_by_page(departure, language, pages),
        }
    };
    let refused = async |refused: Refused, asked: &Parameters| -> Result<Answer, Error> {
        let language = language(provider, asked, None, request);
        match refused {
            Refused::Page(mistake) => {
                let client = known(provider, asked).await?;
                let view = View {
                    language,
                    ..request.view(provider).from_client(client.as_ref())
                };
                Ok(answer::mistake_page(mistake, &view).about(asked))
            }
            Refused::Client(told) => {
                let (address, state) = (&told.return_address, told.state.as_deref());
                let refusal = told.mistake.into();
                let departure = denied(provider, address, state, refusal).await?;
                let answer = leave(&departure, language);
                Ok(answer.noting(Noted::refusal(refusal)).about(asked))
            }
        }
    };
    let admitted = match admit(provider, &raw, when).await? {
        Ok(admitted) => admitted,
        Err(mistake) => return refused(mistake, &raw).await,
    };
    let language = language(provider, &admitted.parameters, None, request);
    // What was pushed need not say whose it is.
    let said = raw.only(&["client_id"]).before(&admitted.parameters);
    let now = provider.clock.now();
    let session = session(provider, request, &admitted.client).await?;
    let standing = session
        .as_ref()
        .map(|row| standing(row, &admitted.client, &provider.keys.subject));
    let released = Release::decide(&admitted.request, &admitted.client).all();
    let asked = &admitted.request;
    let mut decision = interaction::decide(asked, standing.as_ref(), &released, now);
    if let (Decision::Answer, Some(row)) = (&decision, session) {
        match answer_from_session(provider, &admitted, &row).await? {
            Ok(departure) => {
                let client = &admitted.client.client_id;
                provider.metrics.login_ended(client, "session");
                return Ok(leave(&departure, language));
            }
            Err(Unissued::Repeated) => {
                return refused(already_answered(asked), &said).await;
            }
            // A logout was faster.
            Err(Unissued::SessionEnded) => {
                decision = interaction::decide(asked, None, &released, now);
            }
        }
    }
    match decision {
        Decision::Refuse(refusal) => {
            let (address, state) = (&asked.return_address, asked.state.as_deref());
            let departure = denied(provider, address, state, refusal).await?;
            let answer = leave(&departure, language);
            Ok(answer.noting(Noted::refusal(refusal)).about(&said))
        }
        _ => {
            let form = match begun {
                Some((login, cookie)) => ChoiceForm::resuming(login, cookie, raw, now),
                None => ChoiceForm::new(raw, &provider.random, now),
            };
            choice(provider, request, &admitted, &form, false).await
        }
    }
}

/// The client that a request names, if there is one.
async fn known(provider: &Provider, asked: &Parameters) -> Result<Option<Client>, Error> {
    let now = provider.clock.now();
    match authorize::client_id(asked) {
        Ok(client_id) => Ok(provider.store.client(client_id, now).await?),
        Err(_) => Ok(None),
    }
}

/// What is said of a request that may be answered once, and was answered.
pub fn already_answered(request: &AuthorizationRequest) -> Refused {
    match request.pushed {
        Some(_) => Refused::Page(PageMistake::RequestUriUnknown),
        None => request.refused(Mistake::RequestObjectUsed),
    }
}

/// Tells what is wrong with a request by now, from a page of ours: at the client's address, where that is proven.
pub async fn leave_refused(
    provider: &Provider,
    refused: Refused,
    language: Language,
    view: &View,
) -> Result<Answer, Error> {
    let told = match refused {
        Refused::Page(mistake) => return Ok(answer::mistake_page(mistake, view)),
        Refused::Client(told) => told,
    };
    let refusal = told.mistake.into();
    let (address, state) = (&told.return_address, told.state.as_deref());
    let departure = denied(provider, address, state, refusal).await?;
    let answer = Answer::depart_by_page(&departure, language, &provider.config.pages);
    Ok(answer.noting(Noted::refusal(refusal)))
}

/// Off to the client, with a code.
pub async fn granted(
    provider: &Provider,
    request: &AuthorizationRequest,
    code: &Secret<secret::Code>,
) -> Result<Departure, Error> {
    let (address, state) = (&request.return_address, request.state.as_deref());
    let keys = provider.keyring.current().await?;
    let by = responder(provider, &keys);
    Ok(response::success(address, state, by, code)?)
}

/// Off to the client, with the news that there will be no code.
pub async fn denied(
    provider: &Provider,
    address: &ReturnAddress,
    state: Option<&str>,
    refusal: Refusal,
) -> Result<Departure, Error> {
    let keys = provider.keyring.current().await?;
    let by = responder(provider, &keys);
    Ok(response::failure(address, state, by, refusal)?)
}

fn responder<'a>(provider: &'a Provider, keys: &'a KeySet) -> Responder<'a> {
    Responder {
        issuer: &provider.config.issuer.url,
        keys,
        now: provider.clock.now(),
    }
}

async fn session(
    provider: &Provider,
    request: &Request,
    client: &Client,
) -> Result<Option<SessionRow>, Error> {
    let name = cookie_name(&provider.config.issuer, SESSION_COOKIE);
    let Some(cookie) = request.cookie::<secret::SessionCookie>(&name) else {
        return Ok(None);
    };
    let now = provider.clock.now();
    Ok(provider
        .store
        .session(cookie.digest(), &client.client_id, now)
        .await?)
}

async fn answer_from_session(
    provider: &Provider,
    admitted: &Admitted,
    row: &SessionRow,
) -> Result<Result<Departure, Unissued>, Error> {
    let (request, now) = (&admitted.request, provider.clock.now());
    let key = &provider.keys.subject;
    let grant = Grant::of(
        request,
        &admitted.client,
        &row.session,
        key,
        &provider.random,
        now,
    );
    let issued = Issued::new(grant, request, &provider.random, now);
    if let Err(unissued) = provider.store.issue_code(&issued, now).await? {
        return Ok(Err(unissued));
    }
    provider.keep_fresh(issued.code.digest(), issued.record());
    granted(provider, request, &issued.code).await.map(Ok)
}

/// The choice again, for a request that led to one before; `renewed` when that one had become too old.
pub async fn choose_again(
    provider: &Provider,
    request: &Request,
    wanted: Wanted,
    renewed: bool,
) -> Result<Answer, Error> {
    let begun = login::resumable(provider, request, &wanted.parameters).await?;
    let Ok(admitted) = admit(provider, &wanted.parameters, When::Underway).await? else {
        return Ok(answer::stale_form(&request.view(provider)));
    };
    let now = provider.clock.now();
    let form = match begun {
        Some((login, cookie)) => {
            let form = ChoiceForm::resuming(login, cookie, wanted.parameters, now);
            ChoiceForm {
                language: wanted.language.or(form.language),
                ..form
            }
        }
        None => ChoiceForm::renewing(wanted, &provider.random, now),
    };
    choice(provider, request, &admitted, &form, renewed).await
}

/// The choice page, in the language that the person chose for it, if they did.
pub async fn choice(
    provider: &Provider,
    request: &Request,
    admitted: &Admitted,
    form: &ChoiceForm,
    renewed: bool,
) -> Result<Answer, Error> {
    let chosen = form.language.as_ref();
    let language = language(provider, &admitted.parameters, chosen, request);
    let issuer = &provider.config.issuer;
    let cookie_of_form = format!("{FORM_COOKIE}{}", form.login.short());
    let cookie = request
        .cookie::<secret::FormCookie>(&cookie_name(issuer, &cookie_of_form))
        .unwrap_or_else(|| Secret::fresh(&provider.random));
    let facts = Facts {
        language,
        user_agent: request.header("user-agent").unwrap_or_default(),
        elsewhere_before: request
            .cookies()
            .any(|(name, _)| name == cookie_name(issuer, ELSEWHERE_COOKIE)),
        renewed,
        warns_after: (form.issued_at + FORM_LIFETIME - NOTICE - provider.clock.now()).0,
        logo: logo::shown(provider, &admitted.client.metadata.theme).await?,
        form: form.seal(&cookie, &provider.keys.forms, &provider.random),
    };
    let page = choice_page(&provider.config, &admitted.client, &admitted.request, facts);
    let cookie = SetCookie {
        name: cookie_of_form,
        value: Some(cookie.expose().to_owned()),
        lifetime: Some(RENEWABLE),
        sent: answer::Sent::WhenLedHere,
    };
    let answer = Answer::page(&page).in_colors(&admitted.client.metadata.theme);
    Ok(login::with_one_of_few(answer, request, FORM_COOKIE, cookie))
}

/// What a choice page is made of, besides the client and its request.
pub struct Facts<'a> {
    /// In which language.
    pub language: Language,
    /// What the browser calls itself.
    pub user_agent: &'a str,
    /// Whether the app came back to another browser last time.
    pub elsewhere_before: bool,
    /// Whether it takes the place of a page that had become too old.
    pub renewed: bool,
    /// After how many seconds the person is told that it will be too old itself.
    pub warns_after: i64,
    /// The client's logo.
    pub logo: Option<Logo>,
    /// The sealed request.
    pub form: String,
}

/// The choice page of a request. It is made of nothing else, so that it can be looked at without a login.
pub fn choice_page(
    config: &Config,
    client: &Client,
    request: &AuthorizationRequest,
    facts: Facts<'_>,
) -> Choice {
    let bankid = &config.bankid;
    let metadata = &client.metadata;
    let theme = &metadata.theme;
    let language = facts.language;
    let frame = Frame::new(language, &config.pages)
        .themed(theme, facts.logo)
        .switching("choice", &config.languages);
    let released = Release::decide(request, client).all();
    let manner = bankid.matrix.manner(facts.user_agent, false);
    let offered = |manner: &Manner| Offers::of(&metadata.bankid, false, manner, &bankid.links);
    let offers = offered(&manner);
    // Only the page's script can tell whether the screen takes several fingers.
    let touched = bankid.matrix.manner(facts.user_agent, true);
    Choice {
        client_name: metadata.name(language).to_owned(),
        purpose: metadata
            .purpose
            .as_ref()
            .map(|p| p.text(language).to_owned()),
        note: theme
            .note
            .as_ref()
            .map(|note| note.text(language).to_owned()),
        help: theme.help_uri.as_ref().map(|uri| uri.as_str().to_owned()),
        claims: Choice::claims_in_words(&released, frame.words),
        offline: request.scope.contains(&Scope::OfflineAccess),
        form: facts.form,
        this_first: manner.first == First::This || !offers.other,
        offers,
        this_by_touch: !offers.this && offered(&touched).this,
        in_app: manner.in_app,
        // What helps then is the other device.
        elsewhere_before: facts.elsewhere_before && offers.other,
        renewed: facts.renewed,
        warns_after: facts.warns_after,
        script: url("choice.js"),
        frame,
    }
}

/// After how long a fresh choice page says that it will be too old.
pub const WARNS_AFTER: Seconds = Seconds(FORM_LIFETIME.0 - NOTICE.0);
/// How long before its time is up a page says so (WCAG 2.2, 2.2.1 asks for 20 seconds at least).
pub const NOTICE: Seconds = Seconds(2 * 60);

/// The cookies that choice forms are bound to, one for each, so that pages which are opened at the
/// same moment do not cost each other theirs.
pub const FORM_COOKIE: &str = "f-";
/// The cookie of a browser with a session.
pub const SESSION_COOKIE: &str = "session";
/// The cookie that remembers that the app came back to another browser.
pub const ELSEWHERE_COOKIE: &str = "elsewhere";

/// The language of a request's pages: what the person chose on one of them, what the client asks for, what
/// the browser does.
pub fn language(
    provider: &Provider,
    raw: &Parameters,
    chosen: Option<&Tag>,
    request: &Request,
) -> Language {
    let wishes = Wishes {
        chosen,
        ui_locales: raw.first("ui_locales"),
        ..Wishes::default()
    };
    request.language(provider, &wishes)
}
