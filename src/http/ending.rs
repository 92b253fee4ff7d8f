//! How a login ends, in the browser that began it: with a code for the client, or with the news that
//! there will be none.

use super::answer::{self, Answer, SetCookie, View, cookie_name};
use super::authorize::{self, Admitted, SESSION_COOKIE};
use super::input::Request;
use super::login::{ended_cookie, own_form, own_login, own_login_to_show};
use super::page;
use crate::authorize::Refused;
use crate::authorize::pushed::When;
use crate::authorize::request::Scope;
use crate::authorize::response::Departure;
use crate::bankid::evidence::record::{Record, Spoiled, Subject};
use crate::bankid::message::Device;
use crate::claims::release::{Identity, Release};
use crate::claims::subject::subject;
use crate::error::{Code, Error, Refusal};
use crate::id::Id;
use crate::login::address::Nearness;
use crate::login::{Event, Login, Progress, State, Unfinished, ordering};
use crate::provider::Provider;
use crate::secret::{Secret, kind as secret};
use crate::session::{Session, delivery};
use crate::storage::{Finish, Kept, NumberIndex};
use crate::telemetry::traces;
use crate::token::code::Issued;
use crate::token::grant::Grant;

/// The person gives up.
pub async fn cancel(provider: Provider, request: Request) -> Result<Answer, Error> {
    let Some((login, fields)) = own_form(&provider, &request).await? else {
        return Ok(answer::stale_form(&request.view(&provider)));
    };
    let id = login.id;
    end(&provider, login).await?;
    let reason = match fields.first("device") {
        Some(reason @ (page::UNAVAILABLE | page::FAILED)) => format!("?reason={reason}"),
        _ => String::new(),
    };
    Ok(Answer::see(&format!("/login/{id}/left{reason}")))
}

/// Ends a login that is still open, and its order here and at BankID.
pub async fn end(provider: &Provider, mut login: Login) -> Result<(), Error> {
    // A renewal at the same moment gives the login another order: then that one is ended.
    while login
        .clone()
        .on(Event::Cancelled, provider.clock.now())
        .is_ok()
    {
        if provider.store.cancel_login(&login).await? {
            if let Progress::Ordered(_) = login.order.progress {
                ordering::cancel_at_bankid(provider, &login.asked, &login.order).await;
            }
            provider.metrics.login_ended(&login.client_id, "cancelled");
            provider.followed.tell(login.id).await;
            break;
        }
        match provider.store.login(login.id).await? {
            Some(now) => login = now,
            None => break,
        }
    }
    Ok(())
}

const CANCELLED: Refusal = Refusal::new(Code::AccessDenied, "the person cancelled the login");
const UNAVAILABLE: Refusal = Refusal::new(
    Code::TemporarilyUnavailable,
    "BankID could not be used, and the person went back",
);
const FAILED: Refusal = Refusal::new(
    Code::ServerError,
    "no BankID order could be made, and the person went back",
);

/// Why a person leaves without a login.
pub fn why(reason: Option<&str>) -> Refusal {
    match reason {
        Some(page::UNAVAILABLE) => UNAVAILABLE,
        Some(page::FAILED) => FAILED,
        _ => CANCELLED,
    }
}

const UNPROVEN: Refusal = Refusal::new(
    Code::AccessDenied,
    "the login could not be proven by what BankID delivered",
);
const OTHER_PERSON: Refusal = Refusal::new(
    Code::AccessDenied,
    "another person logged in than the request asked for",
);

/// Off to the client, with the news that there will be no code.
pub async fn left(provider: Provider, request: Request) -> Result<Answer, Error> {
    let view = request.view(&provider);
    let Some(login) = own_login(&provider, &request).await? else {
        return Ok(answer::wrong_browser(&view));
    };
    if login.state != State::Cancelled {
        return Ok(Answer::see(&format!("/login/{}", login.id)));
    }
    let Ok(admitted) = authorize::admit(&provider, &login.asked.parameters, When::Underway).await?
    else {
        return over(&provider, &login, view).await;
    };
    let query = request.query(64).unwrap_or_default();
    let departure = denied(&provider, &admitted, why(query.first("reason"))).await?;
    // The cookie stays until its time is up: this page may be asked for twice, by the form and by
    // the page that it was on.
    Ok(Answer::depart_by_page(
        &departure,
        provider.language_of(&login),
        &provider.config.pages,
    ))
}

/// A login that has led somewhere, or can lead nowhere any more.
pub async fn over(provider: &Provider, login: &Login, view: View) -> Result<Answer, Error> {
    let now = provider.clock.now();
    let client = provider.store.client(login.client_id.as_str(), now).await?;
    let view = View {
        language: provider.language_of(login),
        ..view.from_client(client.as_ref())
    };
    Ok(answer::over(&view))
}

pub async fn denied(
    provider: &Provider,
    admitted: &Admitted,
    refusal: Refusal,
) -> Result<Departure, Error> {
    let request = &admitted.request;
    let (address, state) = (&request.return_address, request.state.as_deref());
    authorize::denied(provider, address, state, refusal).await
}

/// The end of a login, in the browser that began it: session, grant and code in one commit.
pub async fn finish(provider: Provider, request: Request) -> Result<Answer, Error> {
    let view = request.view(&provider);
    let Some(login) = own_login_to_show(&provider, &request).await? else {
        return Ok(answer::wrong_browser(&view));
    };
    let data = match login.completion(provider.clock.now()) {
        Ok(data) => data,
        Err(Unfinished::Over) => return over(&provider, &login, view).await,
        Err(_) => return Ok(Answer::see(&format!("/login/{}", login.id))),
    };
    let admitted = authorize::admit(&provider, &login.asked.parameters, When::Underway).await?;
    let admitted = match admitted {
        Ok(admitted) => admitted,
        // What the client may ask for has changed since: it is told, and not the person alone.
        Err(told @ Refused::Client(_)) if refuse(&provider, &login, "not_allowed").await? => {
            let language = provider.language_of(&login);
            return authorize::leave_refused(&provider, told, language, &view).await;
        }
        Err(_) => return over(&provider, &login, view).await,
    };
    if login.order.device == Device::This
        && let Some(address) = data.device.address()
    {
        let nearness = Nearness::of(login.asked.ip, address);
        tracing::info!(login = %login.id, ?nearness, "where the app ran, seen from the browser");
    }
    traces::about_txn(login.order.id);
    let identity = Identity::of(data);
    match conclude(&provider, &request, &login, &admitted, identity).await? {
        // The login's cookie stays for a while: who comes back is told that it is over, and is not taken for
        // another browser.
        Some(answer) => Ok(match ended_cookie(&request, &provider, &login) {
            Some(cookie) => answer.with_cookie(cookie),
            None => answer,
        }),
        None => over(&provider, &login, view).await,
    }
}

/// `None` when somebody else ended the login at the same moment.
async fn conclude(
    provider: &Provider,
    request: &Request,
    login: &Login,
    admitted: &Admitted,
    identity: Identity,
) -> Result<Option<Answer>, Error> {
    let now = provider.clock.now();
    let (language, pages) = (provider.language_of(login), &provider.config.pages);
    let leave = |departure: &Departure| Answer::depart(departure, language, pages);
    let number = identity.personal_number().expose().as_bytes();
    let index = provider.keys.index.of(number);
    if !is_expected(provider, admitted, &index).await? {
        if !refuse(provider, login, "other_person").await? {
            return Ok(None);
        }
        let departure = denied(provider, admitted, OTHER_PERSON).await?;
        return Ok(Some(leave(&departure)));
    }
    let evidence = match evidence(provider, login) {
        Ok(evidence) => evidence,
        Err(spoiled) => {
            // Nobody is logged in by what does not prove what it says.
            tracing::error!(login = %login.id, %spoiled, "the evidence of a login does not hold");
            if !refuse(provider, login, "unproven").await? {
                return Ok(None);
            }
            let departure = denied(provider, admitted, UNPROVEN).await?;
            return Ok(Some(leave(&departure)));
        }
    };
    let cookie = Secret::<secret::SessionCookie>::fresh(&provider.random);
    let old_cookie = request
        .cookie::<secret::SessionCookie>(&cookie_name(&provider.config.issuer, SESSION_COOKIE));
    let finish = Finish {
        login: login.id,
        order: login.order.id,
        index,
        old_browser: old_cookie.map(|old| old.digest()),
        new_browser: cookie.digest(),
        client_id: &admitted.client.client_id,
        subject_key: &provider.keys.subject,
        approved: Release::decide(&admitted.request, &admitted.client).all(),
        approved_offline: admitted.request.scope.contains(&Scope::OfflineAccess),
        evidence,
    };
    if login.clone().on(Event::Finished, now).is_err() {
        return Ok(None);
    }
    let lifetime = provider.config.login.session_lifetime;
    let fresh = Id::fresh(&provider.random);
    let finished = provider
        .store
        .finish_login(&finish, fresh, now, |person, kept| {
            let session = Session {
                id: kept.unwrap_or_else(|| Id::fresh(&provider.random)),
                person,
                identity: identity.clone(),
                auth_time: login.order.answered_at.unwrap_or(now),
                txn: login.order.id,
                expires_at: now + lifetime,
            };
            let (asked, client) = (&admitted.request, &admitted.client);
            let key = &provider.keys.subject;
            let grant = Grant::of(asked, client, &session, key, &provider.random, now);
            let issued = Issued::new(grant, asked, &provider.random, now);
            let fresh = (issued.code.clone(), issued.record());
            (session, issued, fresh)
        })
        .await?;
    let Some(finished) = finished else {
        provider.followed.tell(login.id).await;
        return Ok(None);
    };
    let change = |login: &mut Login| {
        login.state = State::Finished;
        login.order.progress = Progress::Spent;
    };
    let (followed, version) = (&provider.followed, finished.version);
    followed.moved(login.id, version, change).await;
    provider.metrics.login_ended(&login.client_id, "finished");
    provider.usage.finished(&login.client_id, now);
    // Applications forget whoever was here before they see who is here now.
    delivery::tell(provider, finished.ended.notices).await;
    let (code, record) = finished.outcome;
    provider.keep_fresh(code.digest(), record);
    let departure = authorize::granted(provider, &admitted.request, &code).await?;
    let cookie = SetCookie {
        name: SESSION_COOKIE.to_owned(),
        value: Some(cookie.expose().to_owned()),
        lifetime: Some(lifetime),
        sent: answer::Sent::WhenLedHere,
    };
    Ok(Some(leave(&departure).with_cookie(cookie)))
}

/// Ends a login that logs nobody in. `false`: somebody else ended it at the same moment.
async fn refuse(provider: &Provider, login: &Login, outcome: &'static str) -> Result<bool, Error> {
    let is_refused = provider.store.cancel_login(login).await?;
    provider.followed.tell(login.id).await;
    if is_refused {
        provider.metrics.login_ended(&login.client_id, outcome);
    }
    Ok(is_refused)
}

/// What proves a login, verified, where its client has it kept.
fn evidence(provider: &Provider, login: &Login) -> Result<Option<Kept>, Spoiled> {
    let (Some(keep), Progress::Complete(data)) =
        (login.asked.demands.evidence, &login.order.progress)
    else {
        return Ok(None);
    };
    let trust = provider.config.bankid.trust.as_ref();
    let trust = trust.ok_or(Spoiled::Form("no root to verify it by"))?;
    let ordered = &login.order.ordered;
    let answered_at = login.order.answered_at.unwrap_or(provider.clock.now());
    let subject = Subject {
        txn: login.order.id,
        login: login.id,
        client_id: login.client_id.clone(),
        answered_at,
        personal_number: data.user.personal_number.clone(),
    };
    let delivered = data.evidence().ok_or(Spoiled::Form("BankID sent none"))?;
    let record = Record::new(subject, ordered, delivered);
    record.verify(trust)?;
    Ok(Some(Kept {
        record,
        until: answered_at + keep.lifetime(),
    }))
}

/// OpenID Connect Core §3.1.2.2: where a request names the person, nobody else may log in.
async fn is_expected(
    provider: &Provider,
    admitted: &Admitted,
    index: &NumberIndex,
) -> Result<bool, Error> {
    let expected = &admitted.request.expected_subjects;
    if expected.is_empty() {
        return Ok(true);
    }
    let person = provider.store.person(index).await?;
    Ok(person.is_some_and(|person| {
        expected.contains(&subject(&provider.keys.subject, &admitted.client, person))
    }))
}
