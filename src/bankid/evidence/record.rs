//! Evidence on its own: a file that holds all that a verifier needs beside the root, years later and
//! without us. Written in one form, so that a changed byte is a changed file.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Evidence, Expected, Flaw, Format, Function, Trust, Verified, verify};
use crate::bankid::order::{self, Ordered};
use crate::bankid::personal_number::PersonalNumber;
use crate::clock::Timestamp;
use crate::id::{ClientId, Id, kind};

/// The version of the form.
const VERSION: u32 = 1;

/// One identification, with what proves it. It holds personal data: it is stored sealed and never
/// printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    version: u32,
    /// The order, by our name for it; `txn` in ID tokens.
    pub txn: Id<kind::Order>,
    /// The login that it was made for, to which the person's signature is bound.
    pub login: Id<kind::Login>,
    /// Who was told.
    pub client_id: ClientId,
    /// When BankID's answer came.
    pub answered_at: Timestamp,
    /// The person that BankID named.
    pub personal_number: PersonalNumber,
    /// The relying-party certificate that the order was made with, in base64.
    pub relying_party: String,
    /// What was shown, in base64 as ordered.
    pub visible: String,
    /// What was signed beside it, in base64 as ordered.
    pub non_visible: String,
    /// What BankID delivered.
    pub evidence: Evidence,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[record of evidence]")
    }
}

/// Which identification a record is of.
pub struct Subject {
    /// The order.
    pub txn: Id<kind::Order>,
    /// The login.
    pub login: Id<kind::Login>,
    /// Who is told.
    pub client_id: ClientId,
    /// When BankID's answer came.
    pub answered_at: Timestamp,
    /// The person that BankID named.
    pub personal_number: PersonalNumber,
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Spoiled {
    /// It is not the form that is written here.
    #[error("the file is no evidence of ours, or not as it was written: {0}")]
    Form(&'static str),
    /// Its content is not what was written.
    #[error("the file's digest is another: something in it was changed")]
    Digest,
    /// The order was not made for the login that it names.
    #[error("the signature is bound to another login")]
    Login,
    /// The evidence itself.
    #[error("{0}")]
    Flaw(#[from] Flaw),
}

/// The file: the record, and a digest of it that tells of accidents. What tells of forgery is the
/// person's signature.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    record: Record,
    sha256: String,
}

impl Record {
    /// A record of an order that was answered with evidence.
    pub fn new(subject: Subject, ordered: &Ordered, evidence: Evidence) -> Record {
        Record {
            version: VERSION,
            txn: subject.txn,
            login: subject.login,
            client_id: subject.client_id,
            answered_at: subject.answered_at,
            personal_number: subject.personal_number,
            relying_party: ordered.certificate_der.clone().unwrap_or_default(),
            visible: ordered.visible.clone(),
            non_visible: ordered.non_visible.clone(),
            evidence,
        }
    }

    /// Verifies the record by itself. Errors: the first thing that is wrong.
    pub fn verify(&self, trust: &Trust) -> Result<Verified, Spoiled> {
        if self.version != VERSION {
            return Err(Spoiled::Form("version"));
        }
        let decoded = |text: &str, what| STANDARD.decode(text).map_err(|_| Spoiled::Form(what));
        let non_visible = decoded(&self.non_visible, "non_visible")?;
        if non_visible != order::binding(self.login).as_bytes() {
            return Err(Spoiled::Login);
        }
        let expected = Expected {
            relying_party: decoded(&self.relying_party, "relying_party")?.into(),
            function: Function::Identification,
            visible: Some(decoded(&self.visible, "visible")?),
            format: Format::Plain,
            non_visible: Some(non_visible),
            personal_number: self.personal_number.clone(),
        };
        Ok(verify(&self.evidence, &expected, trust)?)
    }

    /// The file.
    pub fn write(&self) -> String {
        let file = File {
            sha256: self.digest(),
            record: self.clone(),
        };
        let mut text = serde_json::to_string_pretty(&file).expect("our own types are valid JSON");
        text.push('\n');
        text
    }

    /// Reads a file that is as it was written. Errors: [`Spoiled::Form`], [`Spoiled::Digest`].
    pub fn read(text: &str) -> Result<Record, Spoiled> {
        let file: File = serde_json::from_str(text).map_err(|_| Spoiled::Form("JSON"))?;
        if file.sha256 != file.record.digest() {
            return Err(Spoiled::Digest);
        }
        if file.record.write() != text {
            return Err(Spoiled::Form("white space or order"));
        }
        Ok(file.record)
    }

    fn digest(&self) -> String {
        let plain = serde_json::to_vec(self).expect("our own types are valid JSON");
        hex::encode(Sha256::digest(plain))
    }
}

#[cfg(all(test, feature = "simulator"))]
mod tests {
    use super::*;
    use crate::bankid::environment::Worth;
    use crate::bankid::order::{AuthRequest, Kind, Requirement, Web};
    use crate::random::Random;
    use crate::simulator::certificates::Authority;
    use crate::simulator::people::PEOPLE;
    use crate::simulator::signature::{SignedOrder, Signer};

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn made() -> (Record, Trust) {
        crate::cli::install_crypto();
        let random = Random::system();
        let banks = Authority::new("Banks", &random, NOW).expect("made");
        let party = banks.relying_party("Kommunen").expect("made").certificate;
        let (login, txn) = (Id::fresh(&random), Id::fresh(&random));
        let web = Web::new("login.example", "Browser", "d");
        let ip = std::net::IpAddr::from([192, 0, 2, 1]);
        let request = AuthRequest::new(ip, "Logga in", login, None, Requirement::default(), web);
        let ordered = Ordered {
            certificate_der: Some(STANDARD.encode(&party)),
            ..request.ordered("")
        };
        let signer = Signer::new(Default::default(), &random, NOW);
        let order = SignedOrder {
            relying_party: &party,
            display_name: "Kommunen",
            visible: Some(&ordered.visible),
            format: Format::Plain,
            non_visible: Some(&ordered.non_visible),
            function: Function::Identification,
        };
        let evidence = signer.sign(&PEOPLE[0], &order, NOW).expect("signed");
        let number = PersonalNumber::parse(PEOPLE[0].personal_number).expect("a number");
        let subject = Subject {
            txn,
            login,
            client_id: ClientId::parse("web").expect("an id"),
            answered_at: NOW,
            personal_number: number,
        };
        let policies = Worth::Simulated.policies(Kind::Mobile);
        let trust = Trust {
            root: signer.root().expect("made"),
            policies: policies.iter().map(|p| (*p).to_owned()).collect(),
        };
        (Record::new(subject, &ordered, evidence), trust)
    }

    #[test]
    fn a_file_is_verified_by_itself_and_no_byte_of_it_may_change() {
        let _shows = crate::shows!(accepting "PV-EVIDENCE-1", refusing "PV-EVIDENCE-1");
        let (record, trust) = made();
        let text = record.write();
        let read = Record::read(&text).expect("as it was written");
        let verified = read.verify(&trust).expect("sound");
        assert_eq!(
            (verified.signed_at, verified.display_name.as_str()),
            (NOW, "Kommunen")
        );
        let bytes = text.as_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            let outcome = std::str::from_utf8(&changed)
                .map_err(|_| Spoiled::Form("UTF-8"))
                .and_then(Record::read)
                .and_then(|record| record.verify(&trust));
            assert!(outcome.is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_file_that_was_written_anew_is_caught_by_what_was_signed() {
        let (record, trust) = made();
        let anew = |change: &dyn Fn(&mut Record)| {
            let mut changed = record.clone();
            change(&mut changed);
            let read = Record::read(&changed.write()).expect("the digest fits again");
            read.verify(&trust).err()
        };
        let other = || Id::fresh(&Random::seeded(1));
        let number = PersonalNumber::parse("199003152387").expect("a number");
        type Change<'a> = &'a dyn Fn(&mut Record);
        let cases: [(Change<'_>, Spoiled); 5] = [
            (&|r| r.login = other(), Spoiled::Login),
            (
                &|r| r.personal_number = number.clone(),
                Spoiled::Flaw(Flaw::Person),
            ),
            (
                &|r| r.visible = STANDARD.encode("Annat"),
                Spoiled::Flaw(Flaw::VisibleData),
            ),
            (&|r| r.version = 2, Spoiled::Form("version")),
            (
                &|r| r.relying_party = STANDARD.encode(&trust.root),
                Spoiled::Flaw(Flaw::RelyingParty),
            ),
        ];
        for (change, expected) in cases {
            assert_eq!(anew(change), Some(expected));
        }
        let real = Trust {
            policies: vec!["1.2.752.78.1.5".into()],
            ..trust.clone()
        };
        assert_eq!(
            record.verify(&real).err(),
            Some(Spoiled::Flaw(Flaw::Policy))
        );
    }
}
