//! A question that a node answers with what it saw of the request: by it `portvakt check` finds out what proxies
//! between make of one. Whoever asks proves to have the master key, and so does whoever answers; a question is
//! good for a minute. To anybody else there is nothing at the address.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::clock::{Seconds, Timestamp};
use crate::random::Random;
use crate::secret::{Key, MasterKeys};

/// Where it is asked.
pub const PATH: &str = "/check";
/// The parameter of the question.
pub const PARAMETER: &str = "question";
/// How far a question's time may be from the node's.
const FRESH: Seconds = Seconds(60);

/// What a node saw of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Who was at the other end of the connection.
    pub peer: IpAddr,
    /// Whether that is one of `listen.trusted_proxies`.
    pub is_trusted: bool,
    /// The addresses in `X-Forwarded-For`, as they came.
    pub forwarded: Vec<String>,
    /// The address that the person would be told to BankID by.
    pub caller: IpAddr,
    /// The header `Host`.
    pub host: Option<String>,
}

/// A question that was asked.
#[derive(Clone, Debug)]
pub struct Question {
    nonce: String,
    text: String,
}

impl Question {
    /// A new one.
    pub fn ask(master: &MasterKeys, random: &Random, now: Timestamp) -> Question {
        let nonce = hex::encode(random.bytes::<16>());
        let mac = proof(&of_checks(master), now.0, &nonce);
        Question {
            text: format!("{}.{nonce}.{mac}", now.0),
            nonce,
        }
    }

    /// As it is sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the answer says, if it is one to this question by a node with the same master key.
    pub fn read(&self, master: &MasterKeys, answer: &str) -> Option<Seen> {
        let answer: Answer = serde_json::from_str(answer).ok()?;
        let expected = seal(&of_checks(master), &self.nonce, &answer.seen);
        let is_ours: bool = expected.as_bytes().ct_eq(answer.mac.as_bytes()).into();
        is_ours.then(|| serde_json::from_str(&answer.seen).ok())?
    }
}

#[derive(Serialize, Deserialize)]
struct Answer {
    /// [`Seen`] as text, so that it is what was sealed.
    seen: String,
    mac: String,
}

/// What a node answers; `None`: this is no question of ours, or an old one.
pub fn answer(master: &MasterKeys, question: &str, seen: &Seen, now: Timestamp) -> Option<String> {
    let mut parts = question.split('.');
    let (at, nonce, mac) = (parts.next()?, parts.next()?, parts.next()?);
    let at: i64 = at.parse().ok()?;
    let key = of_checks(master);
    let expected = proof(&key, at, nonce);
    let is_ours: bool = expected.as_bytes().ct_eq(mac.as_bytes()).into();
    if parts.next().is_some() || !is_ours || now.distance(Timestamp(at)) > FRESH {
        return None;
    }
    let seen = serde_json::to_string(seen).expect("our own types are valid JSON");
    let mac = seal(&key, nonce, &seen);
    let answer = Answer { seen, mac };
    Some(serde_json::to_string(&answer).expect("our own types are valid JSON"))
}

/// The master key wraps keys, and is used for nothing else.
fn of_checks(master: &MasterKeys) -> Key {
    master.current.derived(b"portvakt check")
}

fn proof(key: &Key, at: i64, nonce: &str) -> String {
    hex::encode(key.mac(&[b"question", &at.to_be_bytes(), nonce.as_bytes()]))
}

fn seal(key: &Key, nonce: &str, seen: &str) -> String {
    hex::encode(key.mac(&[b"answer", nonce.as_bytes(), seen.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn master(byte: u8) -> MasterKeys {
        Key::from_bytes(&[byte; 32]).expect("a key").into()
    }

    #[test]
    fn only_holders_of_the_master_key_ask_and_answer() {
        let _shows = crate::shows!(accepting "PV-CHECK-3", refusing "PV-CHECK-3");
        let (ours, others) = (master(1), master(2));
        let random = Random::system();
        let seen = Seen {
            peer: [10, 0, 0, 1].into(),
            is_trusted: true,
            forwarded: vec!["192.0.2.1".to_owned()],
            caller: [192, 0, 2, 1].into(),
            host: Some("login.example.se".to_owned()),
        };
        let question = Question::ask(&ours, &random, NOW);
        let told = answer(&ours, question.text(), &seen, NOW).expect("an answer");
        assert_eq!(question.read(&ours, &told), Some(seen.clone()));
        // Another key, another question, another answer.
        assert_eq!(answer(&others, question.text(), &seen, NOW), None);
        assert_eq!(question.read(&others, &told), None);
        let other = Question::ask(&ours, &random, NOW);
        assert_eq!(other.read(&ours, &told), None);
        let forged = told.replace("192.0.2.1", "192.0.2.2");
        assert_ne!(forged, told);
        assert_eq!(question.read(&ours, &forged), None);
        // What is sent is no MAC by the master key itself.
        let (_, mac) = question.text().rsplit_once('.').expect("a MAC");
        assert_eq!(mac, proof(&of_checks(&ours), NOW.0, &question.nonce));
        assert_ne!(mac, proof(&ours.current, NOW.0, &question.nonce));
        // A minute, and no longer.
        for (later, is_answered) in [(60, true), (61, false), (-60, true), (-61, false)] {
            let answered = answer(&ours, question.text(), &seen, NOW + Seconds(later));
            assert_eq!(answered.is_some(), is_answered, "{later}");
        }
        for odd in ["", ".", "..", "x.y.z", &format!("{}.x", question.text())] {
            assert_eq!(answer(&ours, odd, &seen, NOW), None, "{odd}");
        }
        let later = question.text().replacen("1800000000", "1800000001", 1);
        assert_eq!(answer(&ours, &later, &seen, NOW), None);
    }
}
