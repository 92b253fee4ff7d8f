//! A login's own pages and forms. Every one of them is for the browser that began, which is known
//! by the login's cookie.

use std::sync::Arc;

use super::answer::{self, Answer, SetCookie, View, cookie_name};
use super::assets::url;
use super::authorize::{self, Admitted, ELSEWHERE_COOKIE, FORM_COOKIE, FORM_LIMIT, NOTICE};
use super::ending::{denied, end, over, why};
use super::input::Request;
use super::language;
use super::logo;
use super::page::{self, Frame, Retry};
use super::screen::LoginPage;
use crate::authorize::pushed::When;
use crate::authorize::request::Parameters;
use crate::bankid::client::Failure;
use crate::bankid::launch::Start;
use crate::bankid::message::Device;
use crate::bankid::order::Requirement;
use crate::clock::Seconds;
use crate::error::{Error, Fault};
use crate::id::{Id, kind};
use crate::language::Language;
use crate::login::binding::{
    Age, Brought, ChoiceForm, RENEWABLE, Wanted, csrf_token, is_csrf_token,
};
use crate::login::device::Offers;
use crate::login::progress::{Screen, Tab, screen};
use crate::login::{Asked, Event, LIFETIME, Login, Progress, State, ordering};
use crate::provider::Provider;
use crate::secret::{Secret, kind as secret};

/// The person chose a device: the login begins with its first order.
pub async fn choose(provider: Provider, request: Request) -> Result<Answer, Error> {
    let view = request.view(&provider);
    let Some((brought, fields)) = choice_form(&provider, &request) else {
        return Ok(answer::stale_form(&view));
    };
    let renews = fields.first("device") == Some("renew");
    let switched = language::chosen(&provider, &fields);
    let form = match brought {
        Brought::Form(form) if renews => {
            return authorize::choose_again(&provider, &request, form.into(), false).await;
        }
        Brought::Form(form) => form,
        Brought::Stale(wanted, _) if gives_up(&fields).is_some() => {
            return give_up(&provider, &request, wanted, gives_up(&fields)).await;
        }
        Brought::Stale(..) if request.cookies().next().is_none() && !renews => {
            let form = fields.first("form").unwrap_or_default().to_owned();
            return Ok(answer::cookies_off(&view, form));
        }
        Brought::Stale(mut wanted, age) => {
            wanted.language = switched.map(|it| it.tag().clone()).or(wanted.language);
            let is_late = age == Age::Late && switched.is_none();
            let page = authorize::choose_again(&provider, &request, wanted, is_late).await?;
            return Ok(match switched {
                Some(language) => page.with_cookie(language::remembered(language)),
                None => page,
            });
        }
    };
    let Ok(admitted) = authorize::admit(&provider, &form.parameters, When::Underway).await? else {
        return Ok(answer::stale_form(&view));
    };
    if let Some(language) = switched {
        return in_language(&provider, &request, &admitted, form, language).await;
    }
    let chosen = form.language.as_ref();
    let language = authorize::language(&provider, &admitted.parameters, chosen, &request);
    let Some(device) = device(&fields) else {
        return Ok(match gives_up(&fields) {
            Some(reason) => {
                // The same request may have a login already, by a form that was sent before.
                if let Some(login) = provider.store.login(form.login).await? {
                    end(&provider, login).await?;
                }
                let departure = denied(&provider, &admitted, why(Some(reason))).await?;
                Answer::depart_by_page(&departure, language, &provider.config.pages)
            }
            _ => answer::stale_form(&view),
        });
    };
    let asked = asked(&provider, &request, &form, &fields, &admitted, language);
    if !offers(&provider, &asked, &Requirement::default()).include(device) {
        return Ok(answer::stale_form(&view));
    }
    let browser_name = asked.browser_name.clone();
    let now = provider.clock.now();
    let started = match provider.store.login(form.login).await? {
        // By another tab: nobody has to identify themselves for nothing.
        None if authorize::is_answered(&provider, &admitted).await? => {
            let refused = authorize::already_answered(&admitted.request);
            return authorize::leave_refused(&provider, refused, language, &view).await;
        }
        None => {
            let beyond = Requirement::default();
            begin(&provider, &form, asked, &admitted, device, beyond).await
        }
        // The back button led to the choice again, and now it is the other device, or another try.
        Some(login) if login.order.device != device || login.has_come_to_nothing(now) => {
            if !offers(&provider, &login.asked, &login.stepped_up(now)).include(device) {
                return Ok(answer::stale_form(&view));
            }
            match again(&provider, &request, &login, device, false).await {
                Ok(Again::Login(answer)) => return Ok(answer),
                other => other.map(|_| ()),
            }
        }
        Some(_) => Ok(()),
    };
    if let Err(error) = started {
        let field = |name| (name, fields.first(name).unwrap_or_default().to_owned());
        let retry = Retry {
            again_at: "/login".to_owned(),
            back_at: "/login".to_owned(),
            fields: vec![field("form"), field("scripts"), field("touch")],
            device: word(device),
        };
        return no_order(error, retry, &View { language, ..view });
    }
    Ok(with_login_cookie(&request, &form).with_cookie(SetCookie {
        name: BROWSER_COOKIE.to_owned(),
        value: Some(browser_name),
        lifetime: Some(BROWSER_REMEMBERED),
        sent: answer::Sent::WhenLedHere,
    }))
}

/// Why the person goes back without a login: they would rather not, or could not.
fn gives_up(fields: &Parameters) -> Option<&str> {
    let reason = fields.first("device");
    reason.filter(|reason| ["none", page::UNAVAILABLE, page::FAILED].contains(reason))
}

/// Cancels what a form asks for that can begin nothing any more: no login of it is known here.
async fn give_up(
    provider: &Provider,
    request: &Request,
    wanted: Wanted,
    reason: Option<&str>,
) -> Result<Answer, Error> {
    let Ok(admitted) = authorize::admit(provider, &wanted.parameters, When::Underway).await? else {
        return Ok(answer::stale_form(&request.view(provider)));
    };
    let chosen = wanted.language.as_ref();
    let language = authorize::language(provider, &admitted.parameters, chosen, request);
    let departure = denied(provider, &admitted, why(reason)).await?;
    let pages = &provider.config.pages;
    Ok(Answer::depart_by_page(&departure, language, pages))
}

/// The choice in another language.
async fn in_language(
    provider: &Provider,
    request: &Request,
    admitted: &Admitted,
    form: ChoiceForm,
    language: Language,
) -> Result<Answer, Error> {
    // The back button may have led to the choice: the login goes on in the same language.
    if let Some(login) = provider.store.login(form.login).await? {
        provider.store.speak(&login, language.tag()).await?;
        provider.followed.tell(login.id).await;
    }
    let form = ChoiceForm {
        language: Some(language.tag().clone()),
        ..form
    };
    let page = authorize::choice(provider, request, admitted, &form, false).await?;
    Ok(page.with_cookie(language::remembered(language)))
}

/// The login of a form, with its first order.
async fn begin(
    provider: &Provider,
    form: &ChoiceForm,
    asked: Asked,
    admitted: &Admitted,
    device: Device,
    beyond: Requirement,
) -> Result<(), Error> {
    if !provider.limits.admit_login(asked.ip) {
        provider.metrics.limited("logins_per_address");
        return Err(Failure::Crowded.into());
    }
    let (id, browser) = (form.login, form.cookie.digest());
    let client = &admitted.client;
    ordering::begin(provider, id, browser, asked, client, device, beyond).await
}

fn asked(
    provider: &Provider,
    request: &Request,
    form: &ChoiceForm,
    fields: &Parameters,
    admitted: &Admitted,
    language: Language,
) -> Asked {
    let user_agent = request.header("user-agent").unwrap_or_default();
    let touch = fields.first("touch") == Some("yes");
    Asked {
        language: language.tag().clone(),
        ip: request.ip,
        manner: provider.config.bankid.matrix.manner(user_agent, touch),
        demands: admitted.client.metadata.bankid.clone(),
        expected_people: admitted.request.expected_people.clone(),
        scripts: fields.first("scripts") == Some("on"),
        user_agent: user_agent.to_owned(),
        browser_name: browser_name(provider, request),
        parameters: form.parameters.clone(),
        asked_at: Some(form.asked_at),
    }
}

/// What can be chosen for a login that is not yet, or with more than its client demands.
fn offers(provider: &Provider, asked: &Asked, beyond: &Requirement) -> Offers {
    let (demands, links) = (&asked.demands, &provider.config.bankid.links);
    Offers::of(demands, beyond.mrtd, &asked.manner, links)
}

/// What the browser is called for years, so that BankID can tell a known one from a new one. It is no
/// credential here, and names nobody. A value that is not one of ours is as good as none.
fn browser_name(provider: &Provider, request: &Request) -> String {
    let name = cookie_name(&provider.config.issuer, BROWSER_COOKIE);
    let held = request.cookies().find(|(n, _)| *n == name);
    held.and_then(|(_, value)| uuid::Uuid::try_parse(value).ok())
        .unwrap_or_else(|| provider.random.uuid())
        .to_string()
}

const BROWSER_COOKIE: &str = "browser";
/// 399 days, the longest that browsers keep a cookie.
const BROWSER_REMEMBERED: Seconds = Seconds(399 * 24 * 60 * 60);

/// BankID made no order: a page with a way on. Anything else that failed is none of its business.
fn no_order(error: Error, retry: Retry, view: &View) -> Result<Answer, Error> {
    match error {
        Error::Fault(Fault::BankId(failure)) => Ok(answer::no_order(&failure, retry, view)),
        other => Err(other),
    }
}

/// A login that this browser has begun for the very same request and that is still open.
pub async fn resumable(
    provider: &Provider,
    request: &Request,
    parameters: &Parameters,
) -> Result<Option<(Login, Secret<secret::LoginCookie>)>, Error> {
    let prefix = cookie_name(&provider.config.issuer, LOGIN_COOKIE);
    let cookies: Vec<Secret<secret::LoginCookie>> = request
        .cookies()
        .filter(|(name, _)| name.starts_with(&prefix))
        .filter_map(|(_, value)| Secret::parse(value))
        .collect();
    let now = provider.clock.now();
    // The newest come last.
    for cookie in cookies.into_iter().rev().take(COOKIES) {
        let login = provider.store.login_of_browser(cookie.digest()).await?;
        if let Some(login) = login
            && login.is_open(now)
            && login.asked.parameters == *parameters
        {
            return Ok(Some((login, cookie)));
        }
    }
    Ok(None)
}

fn choice_form(provider: &Provider, request: &Request) -> Option<(Brought, Parameters)> {
    let issuer = &provider.config.issuer;
    if !request.is_from_our_pages(issuer) {
        return None;
    }
    let fields = request.form(FORM_LIMIT).ok()?;
    let sealed = fields.first("form")?;
    let now = provider.clock.now();
    let prefix = cookie_name(issuer, FORM_COOKIE);
    let cookies = request
        .cookies()
        .filter(|(name, _)| name.starts_with(&prefix))
        .filter_map(|(_, value)| Secret::parse(value));
    let brought = ChoiceForm::open(sealed, cookies, &provider.keys.forms, now)?;
    Some((brought, fields))
}

fn device(fields: &Parameters) -> Option<Device> {
    match fields.first("device") {
        Some("this") => Some(Device::This),
        Some("other") => Some(Device::Other),
        _ => None,
    }
}

fn word(device: Device) -> &'static str {
    match device {
        Device::This => "this",
        Device::Other => "other",
    }
}

/// How many logins, and how many choices, a browser may have side by side.
const COOKIES: usize = 5;

fn with_login_cookie(request: &Request, form: &ChoiceForm) -> Answer {
    let cookie = SetCookie {
        name: login_cookie(form.login),
        value: Some(form.cookie.expose().to_owned()),
        lifetime: Some(COOKIE_LIFETIME),
        sent: answer::Sent::WhenLedHere,
    };
    let answer = Answer::see(&format!("/login/{}", form.login));
    with_one_of_few(answer, request, LOGIN_COOKIE, cookie)
}

/// With a cookie of which there may be a few, told apart by what follows `prefix`: the oldest goes
/// when there are too many.
pub fn with_one_of_few(
    answer: Answer,
    request: &Request,
    prefix: &str,
    cookie: SetCookie,
) -> Answer {
    let others: Vec<String> = request
        .cookies()
        .map(|(other, _)| other.strip_prefix("__Host-").unwrap_or(other))
        .filter(|other| other.starts_with(prefix) && *other != cookie.name)
        .map(str::to_owned)
        .collect();
    // Browsers send older cookies first.
    let surplus = others.len().saturating_sub(COOKIES - 1);
    let expired = others.into_iter().take(surplus).map(|name| SetCookie {
        name,
        value: None,
        lifetime: None,
        sent: answer::Sent::WhenLedHere,
    });
    expired.fold(answer.with_cookie(cookie), Answer::with_cookie)
}

const LOGIN_COOKIE: &str = "l-";
/// For as long as a login can be begun anew, and a login longer: so that a browser whose login's time is up
/// is not taken for another one.
const COOKIE_LIFETIME: Seconds = Seconds(RENEWABLE.0 + LIFETIME.0);
/// For how long a browser is told that its login is over.
const ENDED_COOKIE_LIFETIME: Seconds = Seconds(5 * 60);

/// The cookie of a login that has led to the client: it leaves its place to others soon.
pub fn ended_cookie(request: &Request, provider: &Provider, login: &Login) -> Option<SetCookie> {
    let name = cookie_name(&provider.config.issuer, &login_cookie(login.id));
    let cookie = request.cookie::<secret::LoginCookie>(&name)?;
    Some(SetCookie {
        name: login_cookie(login.id),
        value: Some(cookie.expose().to_owned()),
        lifetime: Some(ENDED_COOKIE_LIFETIME),
        sent: answer::Sent::WhenLedHere,
    })
}

pub fn login_cookie(id: Id<kind::Login>) -> String {
    format!("{LOGIN_COOKIE}{}", id.short())
}

/// The login that a request is about, if it comes from the browser that began it.
pub async fn own_login(provider: &Provider, request: &Request) -> Result<Option<Login>, Error> {
    let Some(id) = request.id() else {
        return Ok(None);
    };
    let login = provider.store.login(id).await?;
    Ok(login.filter(|login| is_own(provider, request, login)))
}

/// The same for a page that only shows it, or whose decision is the database's.
pub async fn own_login_to_show(
    provider: &Provider,
    request: &Request,
) -> Result<Option<Arc<Login>>, Error> {
    let Some(id) = request.id() else {
        return Ok(None);
    };
    let login = provider.followed.current(id).await?;
    Ok(login.filter(|login| is_own(provider, request, login)))
}

/// Whether a request carries the login's cookie.
pub fn is_own(provider: &Provider, request: &Request, login: &Login) -> bool {
    let name = cookie_name(&provider.config.issuer, &login_cookie(login.id));
    request
        .cookie::<secret::LoginCookie>(&name)
        .is_some_and(|cookie| cookie.digest() == login.browser)
}

pub async fn first_page(provider: Provider, request: Request) -> Result<Answer, Error> {
    show(provider, request, Tab::First).await
}

/// The tab that the app opened.
pub async fn returned_page(provider: Provider, request: Request) -> Result<Answer, Error> {
    show(provider, request, Tab::Returned).await
}

async fn show(provider: Provider, request: Request, tab: Tab) -> Result<Answer, Error> {
    let view = request.view(&provider);
    let Some(login) = own_login_to_show(&provider, &request).await? else {
        return Ok(answer::wrong_browser(&view));
    };
    provider.followed.look_at(&login);
    let screen = screen(
        &login,
        tab,
        &provider.config.bankid.links,
        provider.clock.moment(),
    );
    match screen {
        // Whoever cancelled is on the way back to the client, by whichever page comes first.
        Screen::Over if login.state == State::Cancelled => {
            return Ok(Answer::see(&format!("/login/{}/left", login.id)));
        }
        Screen::Over => return over(&provider, &login, view).await,
        _ => {}
    }
    let client = provider
        .store
        .client(login.client_id.as_str(), provider.clock.now())
        .await?;
    if let Screen::Failed { message, .. } = &screen {
        // The reference on the page leads here, and from here to the login.
        tracing::info!(?message, reference = %view.reference, login = %login.id, "a person reads that the order failed");
    }
    let is_elsewhere = screen == Screen::Elsewhere;
    let language = provider.language_of(&login);
    let frame = Frame::new(language, &provider.config.pages);
    let frame = match screen {
        // It is gone before anyone can read it.
        Screen::Finish => frame,
        _ => frame.switching("in-language", &provider.config.languages),
    };
    let theme = client.as_ref().map(|client| client.metadata.theme.clone());
    let now = provider.clock.now();
    let page = LoginPage {
        frame: match &client {
            Some(client) => {
                let theme = &client.metadata.theme;
                frame.themed(theme, logo::shown(&provider, theme).await?)
            }
            None => frame,
        },
        client_name: client.map_or(String::new(), |c| c.metadata.name(language).to_owned()),
        id: login.id.to_string(),
        reference: view.reference,
        csrf: csrf_token(&provider.keys.csrf, login.id, login.browser),
        refresh: refresh(&screen),
        offers: offers(&provider, &login.asked, &login.stepped_up(now)),
        in_app: login.asked.manner.in_app,
        starts_by_itself: login.asked.manner.start == Start::ByItself,
        screen,
        tab_query: match tab {
            Tab::First => "",
            Tab::Returned => "?tab=returned",
        },
        warns_after: (login.expires_at - NOTICE).0 - now.0,
        device: word(login.order.device),
        script: url("login.js"),
    };
    let answer = Answer::page(&page).in_colors(&theme.unwrap_or_default());
    Ok(match is_elsewhere {
        true => answer.with_cookie(SetCookie {
            name: ELSEWHERE_COOKIE.to_owned(),
            value: Some("1".to_owned()),
            lifetime: Some(ELSEWHERE_REMEMBERED),
            sent: answer::Sent::WhenLedHere,
        }),
        false => answer,
    })
}

/// Half a year.
const ELSEWHERE_REMEMBERED: Seconds = Seconds(180 * 24 * 60 * 60);

/// A page without scripts comes back every second while a code is shown, because a frame is good
/// for about that long.
fn refresh(screen: &Screen) -> Option<u8> {
    match screen {
        Screen::Scan { .. } | Screen::Renewing => Some(1),
        Screen::Launch { .. } | Screen::Working { .. } | Screen::AwaitReturn => Some(2),
        Screen::OtherTab => Some(5),
        Screen::Finish
        | Screen::LaunchAgain
        | Screen::Confirm
        | Screen::StepUp { .. }
        | Screen::Elsewhere
        | Screen::Failed { .. }
        | Screen::Over => None,
    }
}

/// A state-changing form of a login's own page, or nothing.
pub async fn own_form(
    provider: &Provider,
    request: &Request,
) -> Result<Option<(Login, Parameters)>, Error> {
    if !request.is_from_our_pages(&provider.config.issuer) {
        return Ok(None);
    }
    let Some(login) = own_login(provider, request).await? else {
        return Ok(None);
    };
    let fields = request.form(FORM_LIMIT).unwrap_or_default();
    let token = fields.first("csrf").unwrap_or_default();
    let sound = is_csrf_token(&provider.keys.csrf, login.id, login.browser, token);
    Ok(sound.then_some((login, fields)))
}

/// Another order: a new try, or the other device. A login that may make none, because it has made
/// too many or its time is up, or soon will be, is begun anew.
pub async fn order_again(provider: Provider, request: Request) -> Result<Answer, Error> {
    let view = request.view(&provider);
    let Some((login, fields)) = own_form(&provider, &request).await? else {
        return Ok(answer::stale_form(&view));
    };
    let beyond = login.stepped_up(provider.clock.now());
    let offered = |device: &Device| offers(&provider, &login.asked, &beyond).include(*device);
    let Some(device) = device(&fields).filter(offered) else {
        return Ok(answer::stale_form(&view));
    };
    let is_asked = fields.first("anew") == Some("yes");
    match again(&provider, &request, &login, device, is_asked).await {
        Ok(Again::Login(answer)) => Ok(answer),
        // Whoever was first, the page shows how it is now.
        Ok(Again::Order) => Ok(Answer::see(&format!("/login/{}", login.id))),
        Err(error) => {
            let retry = Retry {
                again_at: format!("/login/{}/order", login.id),
                back_at: format!("/login/{}/cancel", login.id),
                fields: ["csrf", "anew"]
                    .into_iter()
                    .filter_map(|name| Some((name, fields.first(name)?.to_owned())))
                    .collect(),
                device: word(device),
            };
            let language = provider.language_of(&login);
            no_order(error, retry, &View { language, ..view })
        }
    }
}

/// What another try came to.
enum Again {
    /// Another order of the same login, by this request or by one at the same moment.
    Order,
    /// A login of its own, and the way there.
    Login(Answer),
}

/// Another order, or another login where this one may make none, or `anew` asks for it.
async fn again(
    provider: &Provider,
    request: &Request,
    login: &Login,
    device: Device,
    anew: bool,
) -> Result<Again, Error> {
    let now = provider.clock.now();
    if let Some(answer) = answered_elsewhere(provider, request, login).await? {
        return Ok(Again::Login(answer));
    }
    if login.may_begin_anew(now) && (anew || !login.may_order_again(now)) {
        let answer = begin_anew(provider, request, login, device).await?;
        return Ok(Again::Login(answer));
    }
    ordering::again(provider, login, device, request.ip).await?;
    Ok(Again::Order)
}

/// Where another login has answered a signed request that is good once, the client is told, and nobody identifies
/// themselves for nothing.
async fn answered_elsewhere(
    provider: &Provider,
    request: &Request,
    login: &Login,
) -> Result<Option<Answer>, Error> {
    let asked = &login.asked.parameters;
    if login.state != State::Open || asked.first("request").is_none() {
        return Ok(None);
    }
    let Ok(admitted) = authorize::admit(provider, asked, When::Underway).await? else {
        return Ok(None);
    };
    if !authorize::is_answered(provider, &admitted).await? {
        return Ok(None);
    }
    let refused = authorize::already_answered(&admitted.request);
    let (language, view) = (provider.language_of(login), request.view(provider));
    let left = authorize::leave_refused(provider, refused, language, &view).await?;
    Ok(Some(left))
}

/// The same request once more, as a login of its own. The former one stays open: a tab that still shows
/// it must not lead to the application, which would take the login for cancelled.
async fn begin_anew(
    provider: &Provider,
    request: &Request,
    login: &Login,
    device: Device,
) -> Result<Answer, Error> {
    let asked = &login.asked.parameters;
    let Ok(admitted) = authorize::admit(provider, asked, When::Underway).await? else {
        return Ok(answer::stale_form(&request.view(provider)));
    };
    if let Progress::Ordered(_) = login.order.progress
        && !ordering::end_order(provider, login).await?
        && let Some(ended) = provider.store.login(login.id).await?
        && ended.completion(provider.clock.now()).is_ok()
    {
        // It was approved at the same moment: nobody has to do that twice.
        return Ok(Answer::see(&format!("/login/{}", login.id)));
    }
    let now = provider.clock.now();
    let asked_at = login.asked.asked_at.unwrap_or(now);
    let form = ChoiceForm::succeeding(login, asked_at, &provider.keys.csrf, now);
    let asked = Asked {
        ip: request.ip,
        demands: admitted.client.metadata.bankid.clone(),
        expected_people: admitted.request.expected_people.clone(),
        ..login.asked.clone()
    };
    let beyond = login.stepped_up(now);
    if provider.store.login(form.login).await?.is_none() {
        begin(provider, &form, asked, &admitted, device, beyond).await?;
    }
    Ok(with_login_cookie(request, &form))
}

/// The app came back in another browser from the same address, and the person says that it was them.
pub async fn confirm(provider: Provider, request: Request) -> Result<Answer, Error> {
    let Some((login, _)) = own_form(&provider, &request).await? else {
        return Ok(answer::stale_form(&request.view(&provider)));
    };
    let id = login.id;
    if let Ok(moved) = login.on(Event::Confirmed, provider.clock.now())
        && provider.store.keep_return(&moved).await?.is_some()
    {
        provider.followed.tell(id).await;
    }
    Ok(Answer::see(&format!("/login/{id}/returned")))
}
