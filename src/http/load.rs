//! How much is done at once. Who comes when there is no room is told so at once and asked to come again,
//! instead of waiting with all the others for a database that has no time for them. People who log in and
//! applications that exchange tokens are counted apart: neither crowd takes the other one's places. What they
//! share is the database.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Fault};
use crate::provider::Provider;
use crate::storage::is_of_no_answer;
use crate::telemetry::seldom::Seldom;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A person who logs in or out.
    Login,
    /// An application.
    Token,
    /// A page that looks how its login goes on.
    Follow,
    /// What is the same for everybody and asks no database.
    Fixed,
}

impl Class {
    /// By the route.
    pub fn of(route: Option<&str>) -> Class {
        match route {
            Some("/token" | "/userinfo" | "/introspect" | "/revoke" | "/par") => Class::Token,
            Some("/register" | "/register/{id}") => Class::Token,
            Some("/login/{id}/events" | "/login/{id}/status") => Class::Follow,
            Some("/jwks" | "/static/{name}" | "/picture/{name}") => Class::Fixed,
            Some(route) if route.starts_with("/.well-known/") => Class::Fixed,
            _ => Class::Login,
        }
    }

    /// The word for it in the metrics.
    fn word(self) -> &'static str {
        match self {
            Class::Login => "logins_at_once",
            Class::Token => "tokens_at_once",
            Class::Follow => "pages_at_once",
            Class::Fixed => "others_at_once",
        }
    }
}

/// How many requests of each class a node works at, at the most.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// People.
    pub logins: u32,
    /// Applications.
    pub tokens: u32,
    /// Pages that follow a login: only the moments in which they ask, not their streams.
    pub pages: u32,
}

/// How long nothing may come back from the database while all connections are in use, before whoever comes
/// is not let in any more.
const STUCK: Duration = Duration::from_secs(1);

/// What is under way on this node.
#[derive(Debug)]
pub struct Load {
    room: Option<Room>,
    logins: AtomicU32,
    tokens: AtomicU32,
    pages: AtomicU32,
    /// When something last came back that the database had a part in, or was first waited for.
    moved: Mutex<Instant>,
    /// What is said of those there was no room for.
    turned_away: Seldom,
}

impl Load {
    /// Nothing is under way. Without room said, there is room for all.
    pub fn new(room: Option<Room>) -> Load {
        Load {
            room,
            logins: AtomicU32::new(0),
            tokens: AtomicU32::new(0),
            pages: AtomicU32::new(0),
            moved: Mutex::new(Instant::now()),
            turned_away: Seldom::default(),
        }
    }

    fn count(&self, class: Class) -> Option<(&AtomicU32, u32)> {
        let room = self.room?;
        match class {
            Class::Login => Some((&self.logins, room.logins)),
            Class::Token => Some((&self.tokens, room.tokens)),
            Class::Follow => Some((&self.pages, room.pages)),
            Class::Fixed => None,
        }
    }

    /// How many requests of a class are worked at, where there is a limit to them.
    pub fn count_of(&self, class: Class) -> u32 {
        self.count(class)
            .map_or(0, |(count, _)| count.load(Ordering::Relaxed))
    }

    fn under_way(&self) -> u32 {
        let counts = [&self.logins, &self.tokens];
        counts
            .map(|count| count.load(Ordering::Relaxed))
            .iter()
            .sum()
    }

    fn moved(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.moved
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn is_stuck(&self, is_full: bool) -> bool {
        // Nobody waits for the database while a connection is free, however long ago the last one came back.
        if !is_full || self.under_way() == 0 {
            *self.moved() = Instant::now();
        }
        is_full && self.moved().elapsed() > STUCK
    }
}

/// A request that was let in, until it is done.
pub struct Admitted {
    provider: Provider,
    class: Class,
}

/// Lets a request in, when there is room for it.
pub fn admit(provider: &Provider, class: Class) -> Option<Admitted> {
    let load = &provider.load;
    let admitted = Admitted {
        provider: provider.clone(),
        class,
    };
    let Some((count, most)) = load.count(class) else {
        return Some(admitted);
    };
    let is_stuck = load.is_stuck(provider.store.is_full());
    // From here on it is counted, and leaves by being dropped.
    let before = count.fetch_add(1, Ordering::Relaxed);
    if is_stuck || before >= most {
        provider.metrics.limited(class.word());
        if let Some(requests) = load.turned_away.due(Instant::now()) {
            let latest = class.word();
            tracing::warn!(
                requests,
                latest,
                "requests were turned away: there is no room for them"
            );
        }
        return None;
    }
    Some(admitted)
}

impl Admitted {
    /// What came of it: whether the database does anything is seen by that.
    pub fn ended<T>(&self, result: &Result<T, Error>) {
        let waited_in_vain = match result {
            Err(Error::Fault(Fault::Database(error))) => is_of_no_answer(error),
            _ => false,
        };
        if !waited_in_vain && matches!(self.class, Class::Login | Class::Token) {
            *self.provider.load.moved() = Instant::now();
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some((count, _)) = self.provider.load.count(self.class) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_a_class() {
        for (route, class) in [
            (Some("/token"), Class::Token),
            (Some("/register/{id}"), Class::Token),
            (Some("/authorize"), Class::Login),
            (Some("/login/{id}/finish"), Class::Login),
            (Some("/login/{id}/status"), Class::Follow),
            (Some("/.well-known/openid-configuration"), Class::Fixed),
            (None, Class::Login),
        ] {
            assert_eq!(Class::of(route), class, "{route:?}");
        }
    }
}
