//! How a login goes on, told to its page: by server-sent events, or, where those do not pass, by
//! asking every second.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;

use super::answer::{self, Answer};
use super::input::Request;
use super::login::is_own;
use super::screen::look;
use crate::error::Error;
use crate::language::Words;
use crate::login::Login;
use crate::login::progress::{Screen, Tab, screen};
use crate::provider::Provider;
use crate::telemetry::metrics::OpenStream;

/// One state after the other, and while a code is shown its frame of each second.
pub async fn events(provider: Provider, request: Request) -> Result<Answer, Error> {
    let Some((page, following)) = followed(&provider, &request).await? else {
        return Ok(answer::forbidden_json());
    };
    let open = provider.metrics.stream_opened();
    let first = Following {
        provider,
        page,
        login: following,
        is_first: true,
        is_over: false,
        _open: open,
    };
    let stream = stream::unfold(first, Following::next).map(Ok).boxed();
    Ok(Answer::events(stream))
}

/// The state of now.
pub async fn status(provider: Provider, request: Request) -> Result<Answer, Error> {
    let Some((page, following)) = followed(&provider, &request).await? else {
        return Ok(answer::forbidden_json());
    };
    let login = following.borrow().clone();
    Ok(Answer::json(&json!(State::of(&provider, &login, page))))
}

/// Who is told.
#[derive(Clone, Copy)]
struct Page {
    tab: Tab,
    /// Whether it draws the code's modules by itself. One that was loaded from an earlier version does not.
    draws: bool,
}

type Followed = (Page, watch::Receiver<Arc<Login>>);

async fn followed(provider: &Provider, request: &Request) -> Result<Option<Followed>, Error> {
    let Some(id) = request.id() else {
        return Ok(None);
    };
    // First whose it is: a stranger must not keep a code alive by looking at it.
    let login = provider.followed.known(id).await?;
    if !login.is_some_and(|login| is_own(provider, request, &login)) {
        return Ok(None);
    }
    let Some(following) = provider.followed.follow(id).await? else {
        return Ok(None);
    };
    let query = request.query(64).unwrap_or_default();
    let page = Page {
        tab: match query.first("tab") {
            Some("returned") => Tab::Returned,
            _ => Tab::First,
        },
        draws: query.first("code") == Some("modules"),
    };
    Ok(Some((page, following)))
}

struct Following {
    provider: Provider,
    page: Page,
    login: watch::Receiver<Arc<Login>>,
    is_first: bool,
    is_over: bool,
    _open: OpenStream,
}

impl Following {
    async fn next(mut self) -> Option<(Bytes, Following)> {
        if self.is_over {
            return None;
        }
        if !self.is_first {
            self.wait().await?;
            // Codes are drawn by a clock that is wrong: the page comes back by way of whoever sends people to
            // nodes, and that is to another one.
            if self.provider.collector.is_askew() {
                return None;
            }
        }
        self.is_first = false;
        let login = self.login.borrow_and_update().clone();
        let state = State::of(&self.provider, &login, self.page);
        self.is_over = state.rests();
        Some((state.event(), self))
    }

    /// Until something changed, or the code needs its next frame. `None` when there will be
    /// nothing more.
    async fn wait(&mut self) -> Option<()> {
        let until_next_second = {
            let login = self.login.borrow();
            let age = self.provider.clock.moment().0 - login.order.received_at.0;
            Duration::from_millis(u64::try_from(1000 - age.rem_euclid(1000)).unwrap_or(1000))
        };
        let mut stopping = self.provider.stopping.subscribe();
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => None,
            changed = self.login.changed() => changed.ok(),
            () = tokio::time::sleep(until_next_second) => Some(()),
        }
    }
}

/// What a page is told.
#[derive(Serialize)]
struct State {
    screen: &'static str,
    heading: &'static str,
    /// The how many-th order it is: with another one begins another page.
    order: i64,
    /// The code's modules ([`Picture::modules`](crate::bankid::qr::Picture::modules)).
    #[serde(skip_serializing_if = "Option::is_none")]
    modules: Option<String>,
    /// The `d` of the code's path.
    #[serde(skip_serializing_if = "Option::is_none")]
    qr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
}

impl State {
    fn of(provider: &Provider, login: &Login, page: Page) -> State {
        let (links, now) = (&provider.config.bankid.links, provider.clock.moment());
        let screen = screen(login, page.tab, links, now);
        let words = Words::of(provider.language_of(login));
        let mut state = State {
            screen: screen.name(),
            heading: look(&screen, words).heading,
            order: login.orders_made,
            modules: None,
            qr: None,
            message: None,
        };
        match screen {
            Screen::Scan { picture } if page.draws => state.modules = Some(picture.modules()),
            Screen::Scan { picture } => state.qr = Some(picture.path()),
            Screen::Working { message } | Screen::Failed { message, .. } => {
                state.message = Some(words.message(&message));
            }
            _ => {}
        }
        state
    }

    /// Whether it is told once, and the browser comes back when the person does something.
    fn rests(&self) -> bool {
        ["finish", "failed", "step-up", "over"].contains(&self.screen)
    }

    /// HTML, "Server-sent events".
    fn event(&self) -> Bytes {
        let mut event = Vec::with_capacity(1024);
        event.extend_from_slice(b"data: ");
        serde_json::to_writer(&mut event, self).expect("words and numbers are always valid JSON");
        event.extend_from_slice(b"\n\n");
        Bytes::from(event)
    }
}
