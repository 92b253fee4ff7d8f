//! ⚡ Who we are at BankID: relying-party certificates side by side, because the name in a certificate
//! is what the person sees in the app. A certificate that was replaced stays known while its orders
//! run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::breaker::Breaker;
use super::client::Client;
use crate::clock::{Seconds, Timestamp};

/// The profile of clients that name none.
pub const DEFAULT: &str = "default";

/// A certificate with its connection.
#[derive(Debug)]
pub struct Party {
    /// What clients call it.
    pub profile: String,
    /// The connection that is made with it.
    pub bankid: Client,
    /// Whether orders are asked for by it: one certificate's trouble is not another's. A std mutex: it is
    /// never held across an await.
    pub breaker: Mutex<Breaker>,
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// What orders remember it by: SHA-256 of the certificate, in hexadecimal.
    pub fingerprint: String,
    /// The name that people see in the app.
    pub display_name: String,
    /// From when on it can be used.
    pub not_before: Timestamp,
    /// When it can no longer be used.
    pub not_after: Timestamp,
}

impl Party {
    /// A certificate that is going to be used. `None`: it is no certificate.
    pub fn new(
        profile: &str,
        bankid: Client,
        certificate: CertificateDer<'static>,
    ) -> Option<Party> {
        let (_, parsed) = X509Certificate::from_der(&certificate).ok()?;
        let display_name = parsed
            .subject()
            .iter_attributes()
            .find(|attribute| attribute.attr_type().to_id_string() == NAME)
            .and_then(|attribute| attribute.as_str().ok())
            .unwrap_or_default()
            .to_owned();
        let not_before = Timestamp(parsed.validity().not_before.timestamp());
        let not_after = Timestamp(parsed.validity().not_after.timestamp());
        Some(Party {
            profile: profile.to_owned(),
            bankid,
            breaker: Mutex::default(),
            fingerprint: fingerprint(&certificate),
            certificate,
            display_name,
            not_before,
            not_after,
        })
    }

    /// Whether it can be used now.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// Whole days until it can no longer be used; negative when that is past.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        (self.not_after - now).0.div_euclid(DAY.0)
    }
}

/// The attribute `name` (X.520).
const NAME: &str = "2.5.4.41";
const DAY: Seconds = Seconds(24 * 60 * 60);

/// SHA-256 of a certificate, in hexadecimal.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    hex::encode(Sha256::digest(certificate))
}

/// The days before the end on which somebody should be told. Ordering a new certificate takes a bank
/// some time.
const WARN_AT: [i64; 5] = [3, 7, 14, 30, 60];

/// The mark that a certificate has passed with so many days left: the fewer, the more urgent. `None`:
/// there is time.
pub fn warning(days_left: i64) -> Option<i64> {
    WARN_AT.into_iter().find(|mark| days_left <= *mark)
}

/// All that are known. Clones share them.
#[derive(Clone, Debug)]
pub struct Parties(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    current: HashMap<String, Arc<Party>>,
    /// Those that were replaced, with the time when their last order is over.
    former: Vec<(Arc<Party>, Timestamp)>,
}

impl Parties {
    /// These are in use from now on; of several with one profile the last.
    pub fn new(parties: impl IntoIterator<Item = Party>) -> Parties {
        let current = parties
            .into_iter()
            .map(|party| (party.profile.clone(), Arc::new(party)))
            .collect();
        Parties(Arc::new(RwLock::new(Known {
            current,
            former: Vec::new(),
        })))
    }

    fn known<T>(&self, read: impl FnOnce(&Known) -> T) -> T {
        read(&self.0.read().expect("nothing panics under this lock"))
    }

    /// The certificate for new orders of a profile.
    pub fn current(&self, profile: &str) -> Option<Arc<Party>> {
        self.known(|known| known.current.get(profile).cloned())
    }

    /// The certificate that an order was made with, or the one that took its place.
    pub fn of_order(&self, profile: &str, fingerprint: &str) -> Option<Arc<Party>> {
        self.known(|known| {
            let made_it = |party: &&Arc<Party>| party.fingerprint == fingerprint;
            let former = known.former.iter().map(|(party, _)| party);
            known
                .current
                .values()
                .chain(former)
                .find(made_it)
                .or_else(|| known.current.get(profile))
                .cloned()
        })
    }

    /// All that make new orders.
    pub fn all(&self) -> Vec<Arc<Party>> {
        self.known(|known| known.current.values().cloned().collect())
    }

    /// Makes new orders of its profile with this one. The one before stays known until `keep_until`.
    pub fn replace(&self, party: Party, now: Timestamp, keep_until: Timestamp) {
        let mut known = self.0.write().expect("nothing panics under this lock");
        known.former.retain(|(_, until)| now < *until);
        let former = known.current.insert(party.profile.clone(), Arc::new(party));
        known.former.extend(former.map(|party| (party, keep_until)));
    }
}

#[cfg(all(test, feature = "simulator"))]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::simulator::certificates::Authority;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn party(profile: &str, name: &str) -> Party {
        crate::cli::install_crypto();
        let random = Random::system();
        let banks = Authority::new("Banks", &random, NOW).expect("made");
        let identity = banks.relying_party(name).expect("made");
        let base = "https://localhost/rp/v6.0/".parse().expect("an address");
        let chain = vec![identity.certificate.clone()];
        let client = Client::new(base, banks.root(), chain, identity.key()).expect("a client");
        Party::new(profile, client, identity.certificate.clone()).expect("a certificate")
    }

    #[test]
    fn a_replaced_certificate_stays_known_to_its_orders() {
        let _shows = crate::shows!(accepting "PV-CERT-1", refusing "PV-CERT-1");
        let (old, new, other) = (
            party(DEFAULT, "Old"),
            party(DEFAULT, "New"),
            party("tax", "Tax"),
        );
        let prints = [&old, &new, &other].map(|party| party.fingerprint.clone());
        let parties = Parties::new([old, other]);
        let name = |party: Option<Arc<Party>>| party.map(|p| p.display_name.clone());
        assert_eq!(name(parties.current(DEFAULT)).as_deref(), Some("Old"));
        assert_eq!(name(parties.current("tax")).as_deref(), Some("Tax"));
        assert_eq!(name(parties.current("none")), None);
        parties.replace(new, NOW, NOW + Seconds(600));
        assert_eq!(name(parties.current(DEFAULT)).as_deref(), Some("New"));
        for (fingerprint, expected) in prints.iter().zip(["Old", "New", "Tax"]) {
            let found = parties.of_order(DEFAULT, fingerprint);
            assert_eq!(name(found).as_deref(), Some(expected));
        }
        assert_eq!(name(parties.of_order("tax", "")).as_deref(), Some("Tax"));
        // When its orders are over it is forgotten.
        let later = NOW + Seconds(600);
        parties.replace(party("tax", "Tax 2"), later, later);
        let gone = parties.of_order(DEFAULT, &prints[0]);
        assert_eq!(name(gone).as_deref(), Some("New"));
    }

    #[test]
    fn the_end_of_a_certificate_is_seen_coming() {
        let _shows = crate::shows!(accepting "BP-32");
        let party = party(DEFAULT, "Kommunen");
        assert_eq!(party.days_left(NOW), 365);
        assert_eq!(party.days_left(NOW + Seconds(365 * DAY.0 + 1)), -1);
        for (days, mark) in [
            (365, None),
            (61, None),
            (60, Some(60)),
            (31, Some(60)),
            (30, Some(30)),
            (14, Some(14)),
            (8, Some(14)),
            (7, Some(7)),
            (3, Some(3)),
            (0, Some(3)),
            (-1, Some(3)),
        ] {
            assert_eq!(warning(days), mark, "{days}");
        }
    }
}
