//! The end of a session (OpenID Connect RP-Initiated Logout 1.0). A request changes nothing unless it
//! shows that it means the session of this browser; otherwise the person is asked.

use super::answer::{self, Answer, SetCookie, View, cookie_name};
use super::authorize::{FORM_LIMIT, PARAMETER_LIMIT, SESSION_COOKIE, language, readable};
use super::bounce;
use super::input::Request;
use super::language::{chosen, remembered};
use super::page::{Frame, LogOut, LoggedOut};
use crate::authorize::request::Parameters;
use crate::authorize::response::{self, Departure, Location};
use crate::error::Error;
use crate::job::{Job, Task};
use crate::language::Language;
use crate::provider::Provider;
use crate::secret::{Secret, kind as secret};
use crate::session::delivery;
use crate::session::logout::{self, Asked, Decision, Held, Mistake, Question};

pub async fn get(provider: Provider, request: Request) -> Result<Answer, Error> {
    let raw = readable(request.query(PARAMETER_LIMIT));
    answer_to(&provider, &request, raw, Way::Get).await
}

const CONTINUED: bounce::Door = bounce::Door {
    path: "/logout/continue",
    heading: |words| words.log_out,
};

/// RP-Initiated Logout §2 allows POST.
pub async fn post(provider: Provider, request: Request) -> Result<Answer, Error> {
    let Some(parameters) = readable(request.form(PARAMETER_LIMIT)) else {
        return answer_to(&provider, &request, None, Way::Post).await;
    };
    let language = language(&provider, &parameters, None, &request);
    Ok(bounce::page(&provider, CONTINUED, parameters, language))
}

/// The second half of [`post`].
pub async fn resume(provider: Provider, request: Request) -> Result<Answer, Error> {
    match bounce::brought(&provider, CONTINUED, &request) {
        Some(parameters) => answer_to(&provider, &request, Some(parameters), Way::Post).await,
        None => Ok(answer::stale_form(&request.view(&provider))),
    }
}

/// The person's answer to the question.
pub async fn confirm(provider: Provider, request: Request) -> Result<Answer, Error> {
    let view = request.view(&provider);
    if !request.is_from_our_pages(&provider.config.issuer) {
        return Ok(answer::stale_form(&view));
    }
    let Some(cookie) = cookie(&provider, &request) else {
        // Pressed twice: there is nothing left to end.
        return Ok(Answer::page(&LoggedOut::new(&view, None)));
    };
    let form = request.form(FORM_LIMIT).unwrap_or_default();
    let sealed = form.first("form").unwrap_or_default();
    let (sealer, now) = (&provider.keys.forms, provider.clock.now());
    let Some(question) = Question::open(sealed, &cookie, sealer, now) else {
        return Ok(answer::stale_form(&view));
    };
    if let Some(language) = chosen(&provider, &form) {
        let page = ask_in(&provider, &cookie, question, language, view).await?;
        return Ok(page.with_cookie(remembered(language)));
    }
    let own = question.language.as_ref();
    let view = View {
        language: language(&provider, &question.parameters, own, &request),
        ..view
    };
    if form.first("answer") != Some("yes") {
        return Ok(Answer::page(&LoggedOut::stayed(&view)));
    }
    let asked = admit(&provider, Some(&question.parameters)).await?;
    let asked = asked.unwrap_or_default();
    log_out(&provider, &cookie, &asked, &view, Way::Post).await
}

/// The same question in another language.
async fn ask_in(
    provider: &Provider,
    cookie: &Secret<secret::SessionCookie>,
    question: Question,
    language: Language,
    view: View,
) -> Result<Answer, Error> {
    let asked = admit(provider, Some(&question.parameters)).await?;
    let sessions = provider.store.sessions_of_browser(cookie.digest()).await?;
    let question = Question {
        language: Some(language.tag().clone()),
        ..question
    };
    let asks = asked.unwrap_or_default();
    Ok(ask(
        provider,
        &asks,
        &sessions,
        (cookie, &question),
        &View { language, ..view },
    ))
}

/// How the request came to us, which decides how the answer may leave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Get,
    Post,
}

async fn admit(
    provider: &Provider,
    raw: Option<&Parameters>,
) -> Result<Result<Asked, Mistake>, Error> {
    let Some(raw) = raw else {
        return Ok(Err(Mistake::Unreadable));
    };
    let issuer = &provider.config.issuer.url;
    let token = raw.first("id_token_hint");
    let keys = provider.keys_to_read(raw).await?;
    let hint = token.and_then(|token| keys.hint(token, issuer));
    let client = match logout::client_id(raw, hint.as_ref()) {
        Ok(Some(client_id)) => {
            provider
                .store
                .client(client_id, provider.clock.now())
                .await?
        }
        Ok(None) => None,
        Err(mistake) => return Ok(Err(mistake)),
    };
    Ok(logout::admit(raw, hint, client))
}

fn cookie(provider: &Provider, request: &Request) -> Option<Secret<secret::SessionCookie>> {
    request.cookie(&cookie_name(&provider.config.issuer, SESSION_COOKIE))
}

async fn answer_to(
    provider: &Provider,
    request: &Request,
    raw: Option<Parameters>,
    way: Way,
) -> Result<Answer, Error> {
    let (asked, mistake) = match admit(provider, raw.as_ref()).await? {
        Ok(asked) => (asked, None),
        Err(mistake) => (Asked::default(), Some(mistake)),
    };
    let raw = raw.unwrap_or_default();
    let refused = mistake.map(|_| raw.clone());
    let parameters = match mistake {
        None => raw,
        // Nothing that it says counts, but for the language to say so in.
        Some(_) => {
            let locales = raw.first("ui_locales").map(str::to_owned);
            Parameters::from_pairs(locales.map(|locales| ("ui_locales".to_owned(), locales)))
        }
    };
    let view = View {
        language: language(provider, &parameters, None, request),
        ..request.view(provider)
    };
    let cookie = cookie(provider, request);
    let sessions = match &cookie {
        Some(cookie) => provider.store.sessions_of_browser(cookie.digest()).await?,
        None => Vec::new(),
    };
    let answer = match (logout::decide(&asked, &sessions), cookie) {
        (Decision::LogOut, Some(cookie)) => {
            return log_out(provider, &cookie, &asked, &view, way).await;
        }
        (Decision::Ask, Some(cookie)) => {
            let question = Question {
                parameters,
                issued_at: provider.clock.now(),
                mistake,
                language: None,
            };
            ask(provider, &asked, &sessions, (&cookie, &question), &view)
        }
        (Decision::GoOn, _) if let Some(home) = home(&asked) => leave(home, &view, way),
        _ => {
            let mut page = LoggedOut::new(&view, home(&asked));
            page.reason = mistake.map(|mistake| answer::in_words(mistake, view.language));
            Answer::page(&page)
        }
    };
    Ok(match mistake.zip(refused) {
        Some((mistake, asked)) => answer::of_logout_mistake(answer, mistake, &view).about(&asked),
        None => answer,
    })
}

/// The question, sealed for the browser with the cookie.
fn ask(
    provider: &Provider,
    asked: &Asked,
    sessions: &[Held],
    (cookie, question): (&Secret<secret::SessionCookie>, &Question),
    view: &View,
) -> Answer {
    let name = |client: &crate::client::Client| client.metadata.name(view.language).to_owned();
    let mut services: Vec<String> = sessions.iter().map(|held| name(&held.client)).collect();
    services.sort();
    services.dedup();
    Answer::page(&LogOut {
        frame: Frame::new(view.language, &view.pages)
            .switching("question", &provider.config.languages),
        client_name: asked.client.as_ref().map(name),
        services,
        form: question.seal(cookie, &provider.keys.forms, &provider.random),
        reason: question
            .mistake
            .map(|mistake| answer::in_words(mistake, view.language)),
    })
}

/// Where the browser goes afterwards, if it is sent anywhere.
fn home(asked: &Asked) -> Option<Location> {
    let address = asked.address.as_ref()?;
    Some(response::after_logout(address, asked.state.as_deref()))
}

fn leave(home: Location, view: &View, way: Way) -> Answer {
    let departure = Departure::Address(home);
    match way {
        Way::Get => Answer::depart(&departure, view.language, &view.pages),
        Way::Post => Answer::depart_by_page(&departure, view.language, &view.pages),
    }
}

/// Whether a client is told when its first try is taken to be lost, and not now. A Keycloak that sent the
/// browser here is in the middle of a logout of its own, which it ends when the browser comes back, and could
/// not without the session that it would end for the notice.
fn waits(job: &Job, asked: &Asked) -> bool {
    let Task::LogoutNotice(notice) = &job.task;
    let comes_back = asked.client.as_ref().filter(|_| asked.address.is_some());
    comes_back.is_some_and(|client| {
        client.client_id == notice.client_id
            && client.metadata.claims.knows_sessions_by_session_state()
    })
}

/// Ends the browser's sessions, and goes where the client asked for.
async fn log_out(
    provider: &Provider,
    cookie: &Secret<secret::SessionCookie>,
    asked: &Asked,
    view: &View,
    way: Way,
) -> Result<Answer, Error> {
    let now = provider.clock.now();
    let key = &provider.keys.subject;
    let ended = provider.store.log_out(cookie.digest(), key, now).await?;
    tracing::info!(
        sessions = ended.sessions.len(),
        notices = ended.notices.len(),
        "a browser was logged out"
    );
    let told_now = ended.notices.into_iter().filter(|job| !waits(job, asked));
    delivery::tell(provider, told_now.collect()).await;
    let frames = logout::frames(&ended.sessions, &provider.config.issuer.url);
    let answer = match home(asked) {
        Some(home) if frames.is_empty() => leave(home, view, way),
        home => {
            let (addresses, sources) = frames
                .into_iter()
                .map(|frame| (frame.address, frame.source))
                .unzip();
            Answer::page(&LoggedOut::framing(view, addresses, home)).framing(sources)
        }
    };
    Ok(answer.with_cookie(SetCookie {
        name: SESSION_COOKIE.to_owned(),
        value: None,
        lifetime: None,
        sent: answer::Sent::WhenLedHere,
    }))
}
