//! Logins, by client. A client's numbers come with its registration and go when it is removed, and there are only
//! so many: each is told apart for as long as the program runs and Prometheus keeps it.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::labels::{ByClient, LOGIN_OUTCOMES, Login};
use crate::id::ClientId;

/// How many clients are told apart. All others are counted under an empty name, which no client has.
pub const TOLD_APART: u16 = 200;
const REST: &str = "";

/// Logins, by client.
#[derive(Debug, Default)]
pub(super) struct Logins {
    begun: Family<ByClient, Counter>,
    ended: Family<Login, Counter>,
    known: Mutex<HashSet<ClientId>>,
}

impl Logins {
    /// Makes it a part of what is told.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "portvakt_logins_begun",
            "Logins that began with an order at BankID, by client; the empty name is that of clients that are too many to be told apart",
            self.begun.clone(),
        );
        registry.register(
            "portvakt_logins_ended",
            "Logins that ended, by client and by how: finished, session (answered without BankID from a session that was good enough), cancelled by the person, other_person (who was not asked for), unproven (whose evidence did not hold), not_allowed (whose client may not have what it asked for any more)",
            self.ended.clone(),
        );
        self.zero(REST);
    }

    fn zero(&self, client: &str) {
        drop(self.begun.get_or_create(&begun(client)));
        for outcome in LOGIN_OUTCOMES {
            drop(self.ended.get_or_create(&ended(client, outcome)));
        }
    }

    /// A login began.
    pub fn began(&self, client: &ClientId) {
        self.counting(client, |client| {
            self.begun.get_or_create(&begun(client)).inc();
        });
    }

    /// A login ended.
    pub fn ended(&self, client: &ClientId, outcome: &'static str) {
        self.counting(client, |client| {
            self.ended.get_or_create(&ended(client, outcome)).inc();
        });
    }

    /// Counts under a client's name, if it is told apart. Nobody is forgotten meanwhile.
    fn counting(&self, client: &ClientId, count: impl FnOnce(&str)) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(client) {
            if known.len() >= usize::from(TOLD_APART) {
                return count(REST);
            }
            known.insert(client.clone());
        }
        count(client.as_str());
    }

    /// Those who are told apart.
    pub fn known(&self) -> Vec<ClientId> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().cloned().collect()
    }

    /// Forgets clients that were asked about and are not there any more, and begins to count those that are new.
    /// Whoever came meanwhile was not asked about, and stays.
    pub fn keep(&self, asked: &[ClientId], there: &[ClientId]) {
        let gone: HashSet<&ClientId> = asked.iter().collect();
        let there: HashSet<&ClientId> = there.iter().collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|client| {
            let is_kept = there.contains(client) || !gone.contains(client);
            if !is_kept {
                self.begun.remove(&begun(client.as_str()));
                for outcome in LOGIN_OUTCOMES {
                    self.ended.remove(&ended(client.as_str(), outcome));
                }
            }
            is_kept
        });
        for client in there {
            if known.len() >= usize::from(TOLD_APART) {
                break;
            }
            if known.insert(client.clone()) {
                self.zero(client.as_str());
            }
        }
    }
}

fn begun(client: &str) -> ByClient {
    ByClient {
        client: client.to_owned(),
    }
}

fn ended(client: &str, outcome: &'static str) -> Login {
    Login {
        client: client.to_owned(),
        outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn clients_come_and_go_and_are_never_too_many() {
        let _shows = crate::shows!(accepting "PV-OPS-4", refusing "PV-OPS-4");
        let (logins, mut registry) = (Logins::default(), Registry::default());
        logins.register(&mut registry);
        let text = || {
            let mut text = String::new();
            encode(&mut text, &registry).expect("text");
            text
        };
        let client = |n: usize| ClientId::parse(&format!("c{n}")).expect("an id");
        logins.keep(&[], &[client(0), client(1)]);
        assert!(text().contains("portvakt_logins_begun_total{client=\"c1\"} 0\n"));
        logins.began(&client(0));
        logins.ended(&client(0), "finished");
        let finished = "portvakt_logins_ended_total{client=\"c0\",outcome=\"finished\"} 1\n";
        assert!(text().contains(finished));
        // Whoever came after it was asked who is there is not forgotten.
        let asked = logins.known();
        logins.began(&client(2));
        logins.keep(&asked, &[client(1)]);
        assert!(!text().contains("c0"));
        assert!(text().contains("portvakt_logins_begun_total{client=\"c2\"} 1\n"));
        // However many there are.
        let most = usize::from(TOLD_APART);
        for n in 0..3 * most {
            logins.began(&client(n));
        }
        let rest = 2 * most;
        assert!(text().contains(&format!(
            "portvakt_logins_begun_total{{client=\"\"}} {rest}\n"
        )));
        let many: Vec<_> = (0..3 * most).map(client).collect();
        logins.keep(&logins.known(), &many);
        assert_eq!(text().matches("logins_begun_total{").count(), most + 1);
        // Whoever goes leaves their place to another one.
        logins.keep(&logins.known(), &many[2 * most..]);
        assert_eq!(text().matches("logins_begun_total{").count(), most + 1);
    }
}
