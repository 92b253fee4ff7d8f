//! BankID, by each of our certificates: whether it answers, and for how long the certificate is good. It is
//! asked for something that it refuses to everybody, so that no order is made.

use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::{Instant, timeout_at};

use super::finding::Finding;
use crate::bankid::client::Failure;
use crate::bankid::party::{self, Party, warning};
use crate::clock::{Clock, SKEW, Timestamp};
use crate::config::bankid::BankId;
use x509_parser::prelude::{FromDer, X509Certificate};

/// How many are asked by at the same moment.
const AT_ONCE: usize = 4;

/// All certificates. BankID is asked by each until a time.
pub async fn check(bankid: &BankId, clock: &Clock, offline: bool, until: Instant) -> Vec<Finding> {
    let now = clock.now();
    let mut found = vec![root(bankid, now)];
    let parties = match bankid.parties() {
        Ok(parties) => parties,
        Err(error) => {
            found.push(Finding::error(
                "bankid",
                "bankid_certificate",
                error.to_string(),
                "See that certificate and key are those that the bank handed out together.",
            ));
            return found;
        }
    };
    let about = |party: &Party| match party.profile.as_str() {
        party::DEFAULT => "bankid".to_owned(),
        profile => format!("bankid.profile.{profile}"),
    };
    let asked = parties.iter().filter(|_| !offline).map(|party| async move {
        match timeout_at(until, party.bankid.clock()).await {
            Err(_) => vec![untried(&about(party))],
            Ok(Err(failure)) => vec![unanswered(&about(party), &failure)],
            Ok(Ok(theirs)) => {
                let good = Finding::ok(about(party), "bankid", "good");
                let skew = theirs.map(|theirs| skew(clock.now(), theirs));
                [Some(good), skew].into_iter().flatten().collect()
            }
        }
    });
    let answers: Vec<Vec<Finding>> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let mut answers = answers.into_iter();
    for party in &parties {
        found.push(certificate(&about(party), party, now));
        found.extend(answers.next().unwrap_or_default());
    }
    // The clock is told of once.
    let mut is_told = false;
    found.retain(|finding| finding.id != CLOCK || !std::mem::replace(&mut is_told, true));
    found
}

fn untried(about: &str) -> Finding {
    Finding::warning(
        about,
        "bankid_unfinished",
        "there was no time to ask BankID",
        "See what else here takes so long, and run portvakt check again.",
    )
}

const CLOCK: &str = "clock_bankid";

/// The root that BankID's servers are trusted by.
fn root(bankid: &BankId, now: Timestamp) -> Finding {
    let (about, id) = ("bankid", "bankid_root");
    let Ok((_, root)) = X509Certificate::from_der(&bankid.root) else {
        return Finding::error(
            about,
            id,
            "the root is no certificate",
            "Write the file anew from what BankID, or the simulator, hands out.",
        );
    };
    let days = (root.validity().not_after.timestamp() - now.0).div_euclid(24 * 60 * 60);
    let said = format!("its servers are trusted by a root that is good for {days} more days");
    match days {
        ..0 => Finding::error(
            about,
            id,
            "the root that its servers are trusted by has ended",
            "Install a newer version of portvakt, or name another root (bankid.root_file).",
        ),
        0..=180 => Finding::warning(
            about,
            id,
            said,
            "Look for a newer version of portvakt, or for another root (bankid.root_file).",
        ),
        _ => Finding::ok(about, id, said),
    }
}

fn certificate(about: &str, party: &Party, now: Timestamp) -> Finding {
    let id = "bankid_certificate";
    let (shown, days) = (&party.display_name, party.days_left(now));
    let said = format!("people see \"{shown}\"; {days} days left");
    let remedy = "Order a new one from the bank, and put it in the place of this one: it is taken within seconds (docs/runbooks.md).";
    match (party.is_valid(now), warning(days)) {
        (false, _) => Finding::error(about, id, format!("{said}: it cannot be used now"), remedy),
        (true, Some(_)) => Finding::warning(about, id, said, remedy),
        (true, None) => Finding::ok(about, id, said),
    }
}

fn unanswered(about: &str, failure: &Failure) -> Finding {
    let remedy = match failure {
        Failure::Unreachable(_) => {
            "See whether this machine may call BankID's host on port 443 without a proxy, and whether certificate, root and environment belong together."
        }
        Failure::Refused {
            status: 401 | 403, ..
        }
        | Failure::Unreadable(401 | 403) => {
            "See whether the certificate is for this environment, and ask the bank whether it is in force."
        }
        _ => "See what BankID says of its operations, and try again.",
    };
    Finding::error(about, "bankid", failure.to_string(), remedy)
}

/// This machine's clock against BankID's.
fn skew(now: Timestamp, theirs: Timestamp) -> Finding {
    // What was said may be a second or two old.
    let skew = now.distance(theirs);
    match skew.0 > SKEW.0 + 2 {
        true => Finding::error(
            "clock",
            CLOCK,
            format!(
                "is {} s off BankID's: codes are shown too early or too late",
                skew.0
            ),
            "Have this machine set its clock by the network (chrony, systemd-timesyncd).",
        ),
        false => Finding::ok("clock", CLOCK, "goes with BankID's"),
    }
}

#[cfg(all(test, feature = "simulator"))]
mod tests {
    use super::*;
    use crate::bankid::client::Client;
    use crate::checking::finding::Level;
    use crate::clock::Seconds;
    use crate::random::Random;
    use crate::simulator::certificates::Authority;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    #[test]
    fn certificates_and_clocks_are_judged() {
        let _shows = crate::shows!(accepting "PV-CHECK-5", refusing "PV-CHECK-5");
        crate::cli::install_crypto();
        let banks = Authority::new("Banks", &Random::system(), NOW).expect("made");
        let identity = banks.relying_party("Kommunen").expect("made");
        let base = "https://localhost/rp/v6.0/".parse().expect("an address");
        let chain = vec![identity.certificate.clone()];
        let client = Client::new(base, banks.root(), chain, identity.key()).expect("a client");
        let party = Party::new("default", client, identity.certificate.clone()).expect("a party");
        for (days, level) in [
            (0, Level::Ok),
            (304, Level::Ok),
            (305, Level::Warning),
            (364, Level::Warning),
            (366, Level::Error),
            (-2, Level::Error),
        ] {
            let found = certificate("bankid", &party, NOW + Seconds(days * 24 * 60 * 60));
            assert_eq!(found.level, level, "{days}: {found:?}");
            assert!(found.said.contains("people see \"Kommunen\""), "{found:?}");
        }
        for (seconds, level) in [
            (0, Level::Ok),
            (7, Level::Ok),
            (8, Level::Error),
            (-8, Level::Error),
        ] {
            assert_eq!(skew(NOW, NOW + Seconds(seconds)).level, level, "{seconds}");
        }
        for (failure, told) in [
            (Failure::Unreachable("no connection"), "port 443"),
            (Failure::Unreadable(403), "in force"),
            (Failure::Unreadable(503), "operations"),
        ] {
            let found = unanswered("bankid", &failure);
            assert!(
                found.remedy.is_some_and(|remedy| remedy.contains(told)),
                "{failure}"
            );
        }
    }
}
