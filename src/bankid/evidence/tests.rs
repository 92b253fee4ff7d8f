//! The simulator's signatures are good, and nothing that differs from them in one thing is.

use std::sync::{Arc, LazyLock};

use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use x509_ocsp::{CertStatus, RevokedInfo};

use super::*;
use crate::clock::Seconds;
use crate::random::Random;
use crate::simulator::certificates::Authority;
use crate::simulator::people::{BankId, PEOPLE, Person};
use crate::simulator::signature::{Draft, Issued, KINDS, SignedOrder, Signer, cert_id};

const NOW: Timestamp = Timestamp(1_800_000_000);
const YEAR: Seconds = Seconds(365 * 24 * 60 * 60);
const TEXT: &str = "Logga in hos Åre kommun";
const BINDING: &str = "portvakt-login-v1 0123";

/// Keys take long to make, and all tests can use the same.
struct Fixture {
    random: Random,
    signer: Signer,
    relying_party: CertificateDer<'static>,
    another_party: CertificateDer<'static>,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let random = Random::seeded(1);
    let banks = Authority::new("Testbank A RP CA v1 for BankID Test", &random, NOW).expect("made");
    let party = |name| banks.relying_party(name).expect("made").certificate;
    Fixture {
        signer: Signer::new(Arc::default(), &random, NOW),
        relying_party: party("Åre, \"kommun\" + region"),
        another_party: party("Östersunds kommun"),
        random,
    }
});

fn expected() -> Expected {
    Expected {
        relying_party: FIXTURE.relying_party.clone(),
        function: Function::Identification,
        visible: Some(TEXT.into()),
        format: Format::Plain,
        non_visible: Some(BINDING.into()),
        personal_number: number(PEOPLE[0].personal_number),
    }
}

fn number(digits: &str) -> PersonalNumber {
    PersonalNumber::parse(digits).expect("12 digits")
}

fn trust() -> Trust {
    Trust {
        root: FIXTURE.signer.root().expect("made"),
        policies: KINDS.map(|kind| kind.policy().to_owned()).into(),
    }
}

/// A draft of what `expected` expects.
fn draft_of(expected: &Expected) -> Draft {
    let base64 = |data: &Option<Vec<u8>>| data.as_ref().map(|data| STANDARD.encode(data));
    let (visible, non_visible) = (base64(&expected.visible), base64(&expected.non_visible));
    let order = SignedOrder {
        relying_party: &expected.relying_party,
        display_name: "Åre kommun",
        visible: visible.as_deref(),
        format: expected.format,
        non_visible: non_visible.as_deref(),
        function: expected.function,
    };
    let person = Person::find(expected.personal_number.expose()).expect("one of ours");
    FIXTURE.signer.draft(person, &order, NOW).expect("a draft")
}

fn draft() -> Draft {
    draft_of(&expected())
}

fn finish(draft: &Draft) -> Evidence {
    draft.finish(&FIXTURE.random).expect("signed")
}

fn verified(evidence: &Evidence) -> Result<Verified, Flaw> {
    verify(evidence, &expected(), &trust())
}

/// Evidence with this XML, and an OCSP response that was made for it.
fn with_document(draft: &Draft, xml: &[u8]) -> Evidence {
    let signature = STANDARD.encode(xml);
    let response = draft.response(&signature, &FIXTURE.random);
    Evidence {
        signature,
        ocsp_response: STANDARD.encode(response.expect("signed")),
    }
}

#[test]
fn what_the_simulator_signs_is_good() {
    let of = |person: &Person| Expected {
        personal_number: number(person.personal_number),
        ..expected()
    };
    let with = |kind| PEOPLE.iter().find(|person| person.bankid == kind);
    let bare = Expected {
        visible: None,
        non_visible: None,
        personal_number: number(PEOPLE[1].personal_number),
        ..expected()
    };
    let signing = Expected {
        function: Function::Signing,
        format: Format::SimpleMarkdown,
        non_visible: None,
        ..expected()
    };
    let long = Expected {
        function: Function::Signing,
        visible: Some(vec![b'x'; 30_000]),
        non_visible: Some(vec![0; 150_000]),
        ..expected()
    };
    let file = with(BankId::File).expect("somebody");
    let card = with(BankId::Card).expect("somebody");
    for (expected, kind) in [
        (expected(), BankId::Mobile),
        (of(file), BankId::File),
        (of(card), BankId::Card),
        (bare, BankId::Mobile),
        (signing, BankId::Mobile),
        (long, BankId::Mobile),
    ] {
        let evidence = finish(&draft_of(&expected));
        let verified = verify(&evidence, &expected, &trust()).expect("good evidence");
        assert_eq!(
            verified,
            Verified {
                signed_at: NOW,
                display_name: "Åre kommun".to_owned(),
                policy: kind.policy().to_owned(),
            }
        );
    }
}

#[test]
fn not_one_byte_of_the_signature_can_be_another() {
    let draft = draft();
    let xml = draft.document().expect("signed").into_bytes();
    assert!(verified(&with_document(&draft, &xml)).is_ok());
    // Whoever changes the signature gets a fitting OCSP response here, so that the nonce does not
    // hide what the other checks miss.
    for at in (0..xml.len()).step_by(3) {
        let mut changed = xml.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(verified(&with_document(&draft, &changed)).is_err(), "{at}");
    }
    for end in [0, 1, xml.len() / 2, xml.len() - 1] {
        let cut = &xml[..end];
        assert!(verified(&with_document(&draft, cut)).is_err(), "{end}");
    }
}

#[test]
fn not_one_byte_of_the_ocsp_response_can_be_another() {
    let evidence = finish(&draft());
    let der = STANDARD.decode(&evidence.ocsp_response).expect("base64");
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 1 << (at % 8);
        let changed = Evidence {
            ocsp_response: STANDARD.encode(changed),
            ..evidence.clone()
        };
        assert!(verified(&changed).is_err(), "{at}");
    }
}

#[test]
fn what_is_delivered_is_strict_base64_within_limits() {
    let good = finish(&draft());
    let change = |from: &str, change: fn(&str) -> String| {
        let mut evidence = good.clone();
        match from {
            "signature" => evidence.signature = change(&good.signature),
            _ => evidence.ocsp_response = change(&good.ocsp_response),
        }
        verified(&evidence).err()
    };
    for part in ["signature", "ocspResponse"] {
        let flaw = Some(Flaw::Shape(part));
        assert_eq!(change(part, |text| format!("{text}\n")), flaw);
        assert_eq!(change(part, |text| format!("{text}====")), flaw);
        assert_eq!(change(part, |text| format!(" {text}")), flaw);
        let long = change(part, |text| text.repeat(100));
        assert_eq!(long, Some(Flaw::Shape("size")));
        assert!(change(part, |_| String::new()).is_some());
    }
    let latin1 = with_document(&draft(), b"<Signature>\xe5</Signature>");
    assert_eq!(verified(&latin1).err(), Some(Flaw::Shape("UTF-8")));
}

#[test]
fn what_was_changed_after_it_was_signed_is_found() {
    let draft = draft();
    let another = draft_of(&Expected {
        personal_number: number(PEOPLE[1].personal_number),
        ..expected()
    });
    let xml = draft.document().expect("signed");
    let part = |xml: &str, name: &str| {
        let from = xml.find(&format!("<{name}>")).expect("it is there");
        let to = xml.find(&format!("</{name}>")).expect("it is there");
        xml[from..to].to_owned()
    };
    let swapped = |name: &str| {
        let other = another.document().expect("signed");
        xml.replacen(&part(&xml, name), &part(&other, name), 1)
    };
    for (changed, flaw) in [
        (xml.replace("<utb>cs1", "<utb>cs2"), Flaw::SignedDataDigest),
        (swapped("nonce"), Flaw::SignedDataDigest),
        (swapped("SignatureValue"), Flaw::SignatureValue),
        (swapped("X509Certificate"), Flaw::KeyInfoDigest),
        (swapped("DigestValue"), Flaw::SignedDataDigest),
    ] {
        assert!(changed != xml);
        let evidence = with_document(&draft, changed.as_bytes());
        assert_eq!(verified(&evidence).err(), Some(flaw));
    }
}

#[test]
fn nothing_but_the_shape_is_read() {
    let draft = draft();
    let xml = draft.document().expect("signed");
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>";
    let root = "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\">";
    for (from, to, what) in [
        (root, "<!DOCTYPE a><Signature>", "document type"),
        ("<Object>", "<!-- --><Object>", "comment"),
        ("<Object>", "<Object><![CDATA[]]>", "CDATA section"),
        ("<Object>", "<!ENTITY a><Object>", "markup declaration"),
        ("<Object>", "<?a b?><Object>", "processing instruction"),
        ("<Object>", "<Object>&#32;", "entity"),
        (
            "<Object>",
            "<Object>\n",
            "white space or a control character",
        ),
        (
            "<Object>",
            "<Object><a Id=\"bidSignedData\"></a></Object><Object>",
            "duplicate Id",
        ),
        ("<Object>", "<Object Id=\"bidKeyInfo\">", "duplicate Id"),
        (
            "<Object>",
            "<Object><bankIdSignedData></bankIdSignedData></Object><Object>",
            "second bankIdSignedData",
        ),
        (head, "<?xml version=\"1.1\"?>", "processing instruction"),
        (root, "<Signature>", "Signature"),
        (
            root,
            "<a:Signature xmlns:a=\"http://www.w3.org/2000/09/xmldsig#\">",
            "Signature",
        ),
        ("rsa-sha256", "rsa-sha1", "SignedInfo"),
        ("xmlenc#sha256", "xmlenc#sha512", "SignedInfo"),
        (
            "REC-xml-c14n-20010315",
            "REC-xml-c14n-20010315#WithComments",
            "SignedInfo",
        ),
        ("#bidSignedData", "#other", "SignedInfo"),
        ("#bidKeyInfo", "", "SignedInfo"),
        (
            "</Reference></SignedInfo>",
            "</Reference><Reference></Reference></SignedInfo>",
            "SignedInfo",
        ),
        (
            "</Transforms>",
            "<Transform></Transform></Transforms>",
            "SignedInfo",
        ),
        ("</SignatureValue>", " </SignatureValue>", "SignatureValue"),
        ("</X509Data>", "<X509CRL></X509CRL></X509Data>", "KeyInfo"),
        ("</KeyInfo>", "<KeyName>a</KeyName></KeyInfo>", "KeyInfo"),
        ("</Object>", "</Object><Object></Object>", "Object"),
        ("</Signature>", "</Signature>a", "after the Signature"),
    ] {
        let changed = xml.replacen(from, to, 1);
        assert_ne!(changed, xml, "{from}");
        let flaw = verified(&with_document(&draft, changed.as_bytes())).err();
        assert_eq!(flaw, Some(Flaw::Shape(what)), "{to}");
    }
    for same in [xml.replace(head, ""), xml.replace(" standalone=\"no\"", "")] {
        assert!(verified(&with_document(&draft, same.as_bytes())).is_ok());
    }
}

#[test]
fn what_was_signed_must_be_what_was_ordered() {
    let text = STANDARD.encode(TEXT);
    let visible =
        format!("<usrVisibleData charset=\"UTF-8\" visible=\"wysiwys\">{text}</usrVisibleData>");
    let non_visible = format!(
        "<usrNonVisibleData>{}</usrNonVisibleData>",
        STANDARD.encode(BINDING)
    );
    let markdown = "charset=\"UTF-8\" format=\"simpleMarkdownV1\"";
    let plaintext = "charset=\"UTF-8\" format=\"plaintext\"";
    let dn = STANDARD.encode("cn=A,c=SE");
    let good = draft();
    let between = |from: &str, to: &str| {
        let from = good.signed_data.find(from).expect("it is there") + from.len();
        let length = good.signed_data[from..].find(to).expect("it is there");
        good.signed_data[from..from + length].to_owned()
    };
    let name = between("<srvInfo><name>", "</name>");
    let nonce = between("<nonce>", "</nonce>");
    let another = STANDARD.encode("another");
    let case = |from: &str, to: &str, flaw| (from.to_owned(), to.to_owned(), flaw);
    let shape = |what| Some(Flaw::Shape(what));
    for (from, to, flaw) in [
        // What may be there besides.
        case(
            "</srvInfo>",
            "<new kind=\"1\"><a>1</a></new></srvInfo>",
            None,
        ),
        case("<version>", "<rpRef>1</rpRef><version>", None),
        case("</ai>", "<token>1</token></ai>", None),
        case("charset=\"UTF-8\"", plaintext, None),
        // What was ordered.
        case(&name, &dn, Some(Flaw::RelyingParty)),
        case("Identification", "Signing", Some(Flaw::Function)),
        case(&text, &another, Some(Flaw::VisibleData)),
        case(&visible, "", Some(Flaw::VisibleData)),
        case("charset=\"UTF-8\"", markdown, Some(Flaw::Format)),
        case(
            &STANDARD.encode(BINDING),
            &another,
            Some(Flaw::NonVisibleData),
        ),
        case(&non_visible, "", Some(Flaw::NonVisibleData)),
        // The shape, of what the person's key has signed.
        case(&visible, &visible.repeat(2), shape("srvInfo")),
        case(&non_visible, &non_visible.repeat(2), shape("srvInfo")),
        case(
            &visible,
            &format!("{non_visible}{visible}"),
            shape("srvInfo"),
        ),
        case(
            "charset=\"UTF-8\"",
            "charset=\"ISO-8859-1\"",
            shape("usrVisibleData"),
        ),
        case("wysiwys", "wysiwyg", shape("usrVisibleData")),
        case(&text, "", shape("usrVisibleData")),
        case(&text, "a b", shape("usrVisibleData")),
        case(
            "<clientInfo>",
            "<new></new><clientInfo>",
            shape("clientInfo"),
        ),
        case(
            "</clientInfo>",
            "</clientInfo><new></new>",
            shape("bankIdSignedData"),
        ),
        case("</ai>", "<a Id=\"other\"></a></ai>", shape("clientInfo")),
        case("</ai>", "<a xmlns=\"urn:a\"></a></ai>", shape("clientInfo")),
        case("<ai>", "<ai/><ai>", shape("clientInfo")),
        case("Identification", "Login", shape("clientInfo/funcId")),
        case(
            "<version>",
            "<funcId>Identification</funcId><version>",
            shape("clientInfo/funcId"),
        ),
        case(
            "<funcId>Identification</funcId>",
            "",
            shape("clientInfo/funcId"),
        ),
        case("<version>", "<version>#", shape("clientInfo/version")),
        case(&nonce, &another, shape("srvInfo/nonce")),
        case("<nonce>", "<name>YQ==</name><nonce>", shape("srvInfo/name")),
        case(&name, "/w==", shape("srvInfo/name")),
        case(
            "<displayName>",
            "<displayname></displayname><displayName>-",
            shape("srvInfo/displayName"),
        ),
    ] {
        let mut draft = draft();
        // Each draft has a nonce of its own.
        draft.signed_data = good.signed_data.replacen(&from, &to, 1);
        assert_ne!(draft.signed_data, good.signed_data, "{from}");
        assert_eq!(verified(&finish(&draft)).err(), flaw, "{to}");
    }
}

#[test]
fn what_was_expected_is_asked_for() {
    let evidence = finish(&draft());
    for (flaw, change) in [
        (
            Flaw::RelyingParty,
            (|e| e.relying_party = FIXTURE.another_party.clone()) as fn(&mut Expected),
        ),
        (Flaw::RelyingParty, |e| {
            e.relying_party = vec![0x30, 0x00].into()
        }),
        (Flaw::Function, |e| e.function = Function::Signing),
        (Flaw::VisibleData, |e| e.visible = None),
        (Flaw::VisibleData, |e| {
            e.visible = Some(b"Logga in hos ".to_vec())
        }),
        (Flaw::Format, |e| e.format = Format::SimpleMarkdown),
        (Flaw::NonVisibleData, |e| e.non_visible = None),
        (Flaw::NonVisibleData, |e| e.non_visible = Some(Vec::new())),
        (Flaw::Person, |e| {
            e.personal_number = number(PEOPLE[1].personal_number)
        }),
    ] {
        let mut expected = expected();
        change(&mut expected);
        assert_eq!(verify(&evidence, &expected, &trust()).err(), Some(flaw));
    }
    let stranger = Signer::new(Arc::default(), &FIXTURE.random, NOW)
        .root()
        .expect("made");
    for (flaw, change) in [
        (
            Flaw::Policy,
            (&|t: &mut Trust| t.policies.clear()) as &dyn Fn(&mut Trust),
        ),
        (Flaw::Policy, &|t| {
            t.policies = vec![BankId::File.policy().to_owned()]
        }),
        (Flaw::Policy, &|t| t.policies = vec!["1.2.3.4".to_owned()]),
        (Flaw::Chain, &|t| t.root = stranger.clone()),
        (Flaw::Chain, &|t| t.root = vec![0x30, 0x00].into()),
    ] {
        let mut trust = trust();
        change(&mut trust);
        assert_eq!(verify(&evidence, &expected(), &trust).err(), Some(flaw));
    }
}

fn sign_with(draft: &mut Draft, signer: Arc<Issued>) {
    draft.certificates[0] = signer.certificate.clone();
    draft.about = cert_id(&signer.certificate, &draft.certificates[1]).expect("a certificate");
    draft.signer = signer;
}

#[test]
fn the_certificates_must_lead_to_the_root() {
    let banks = FIXTURE.signer.banks().expect("made");
    let odd = |change: fn(&mut rcgen::CertificateParams)| {
        banks.odd_person(&PEOPLE[0], &FIXTURE.random, NOW, change)
    };
    let stranger = Signer::new(Arc::default(), &FIXTURE.random, NOW);
    let stranger = stranger.banks().expect("made");
    let stranger = stranger.odd_person(&PEOPLE[0], &FIXTURE.random, NOW, |_| {});
    for (what, flaw, change) in [
        (
            "as issued",
            None,
            (&|d: &mut Draft| sign_with(d, odd(|_| {}))) as &dyn Fn(&mut Draft),
        ),
        ("another order", Some(Flaw::Chain), &|d| {
            d.certificates.swap(1, 2)
        }),
        ("one twice", Some(Flaw::Chain), &|d| {
            d.certificates[2] = d.certificates[1].clone()
        }),
        ("a CA", Some(Flaw::Chain), &|d| {
            sign_with(
                d,
                odd(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            );
        }),
        ("a responder", Some(Flaw::Chain), &|d| {
            sign_with(
                d,
                odd(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning]),
            );
        }),
        ("of another bank", Some(Flaw::Chain), &|d| {
            sign_with(d, stranger.clone())
        }),
        ("used later", Some(Flaw::Chain), &|d| {
            d.produced_at = NOW + Seconds(4 * YEAR.0)
        }),
        ("used before", Some(Flaw::Chain), &|d| {
            d.produced_at = NOW - YEAR
        }),
        ("for encryption", Some(Flaw::KeyUsage), &|d| {
            sign_with(
                d,
                odd(|p| p.key_usages = vec![KeyUsagePurpose::KeyEncipherment]),
            );
        }),
        ("for anything", Some(Flaw::KeyUsage), &|d| {
            sign_with(d, odd(|p| p.key_usages.clear()));
        }),
        ("without policy", Some(Flaw::Policy), &|d| {
            sign_with(d, odd(|p| p.custom_extensions.clear()));
        }),
        ("without number", Some(Flaw::Person), &|d| {
            let number = rcgen::DnType::CustomDnType(vec![2, 5, 4, 5]);
            let issued = banks.odd_person(&PEOPLE[0], &FIXTURE.random, NOW, |p| {
                p.distinguished_name.remove(number);
            });
            sign_with(d, issued);
        }),
    ] {
        let mut draft = draft();
        change(&mut draft);
        assert_eq!(verified(&finish(&draft)).err(), flaw, "{what}");
    }
}

#[test]
fn the_response_must_say_good_for_this_certificate_and_signature() {
    let banks = FIXTURE.signer.banks().expect("made");
    let odd = |by_bank, change: fn(&mut rcgen::CertificateParams)| {
        banks.odd_responder(by_bank, &FIXTURE.random, NOW, change)
    };
    let revoked = |draft: &Draft| {
        let der = draft.response("", &FIXTURE.random).expect("signed");
        let data = ocsp::Response::read(&der).expect("a response");
        assert_eq!(data.produced_at, NOW);
        let at = std::time::Duration::from_secs(1_700_000_000);
        let at = der::asn1::GeneralizedTime::from_unix_duration(at).expect("a time");
        CertStatus::revoked(RevokedInfo {
            revocation_time: x509_ocsp::OcspGeneralizedTime(at),
            revocation_reason: None,
        })
    };
    let other = draft_of(&Expected {
        personal_number: number(PEOPLE[1].personal_number),
        ..expected()
    });
    for (what, flaw, change) in [
        (
            "another responder",
            None,
            (&|d: &mut Draft| d.responder = odd(false, |_| {})) as &dyn Fn(&mut Draft),
        ),
        ("revoked", Some(Flaw::OcspStatus), &|d| {
            d.status = revoked(d)
        }),
        ("unknown", Some(Flaw::OcspStatus), &|d| {
            d.status = CertStatus::unknown()
        }),
        ("another certificate", Some(Flaw::OcspCertificate), &|d| {
            d.about = other.about.clone()
        }),
        ("another issuer", Some(Flaw::OcspCertificate), &|d| {
            d.about.issuer_key_hash = other.about.issuer_name_hash.clone();
        }),
        ("another issuer's name", Some(Flaw::OcspCertificate), &|d| {
            d.about.issuer_name_hash = other.about.issuer_key_hash.clone();
        }),
        ("signed by the person", Some(Flaw::OcspSigner), &|d| {
            d.responder = d.signer.clone()
        }),
        ("appointed by another CA", Some(Flaw::OcspSigner), &|d| {
            d.responder = odd(true, |_| {})
        }),
        ("for servers", Some(Flaw::OcspSigner), &|d| {
            d.responder = odd(false, |p| {
                p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]
            });
        }),
        ("no longer", Some(Flaw::OcspSigner), &|d| {
            d.responder = odd(false, |p| {
                p.not_after = p.not_before + std::time::Duration::from_secs(60)
            });
        }),
        ("zeros", Some(Flaw::OcspNonce), &|d| {
            d.nonce = Some(vec![0; 32])
        }),
        ("no nonce", Some(Flaw::OcspNonce), &|d| {
            d.nonce = Some(Vec::new())
        }),
        ("a short one", Some(Flaw::OcspNonce), &|d| {
            d.nonce = Some(vec![0; 20])
        }),
    ] {
        let mut draft = draft();
        change(&mut draft);
        assert_eq!(verified(&finish(&draft)).err(), flaw, "{what}");
    }
    // Both ways to write the right nonce.
    let xml = draft().document().expect("signed");
    let signature = STANDARD.encode(xml);
    let sha1 = &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
    let bound = aws_lc_rs::digest::digest(sha1, signature.as_bytes());
    let nonce = [bound.as_ref(), &[7; 12]].concat();
    for (form, is_good) in [
        (nonce.clone(), true),
        ([&[4, 32], nonce.as_slice()].concat(), true),
        ([&[4, 33], nonce.as_slice(), &[0]].concat(), false),
        (nonce[..31].to_vec(), false),
        ([nonce.as_slice(), &[0]].concat(), false),
    ] {
        let mut draft = draft();
        draft.nonce = Some(form);
        let der = draft.response(&signature, &FIXTURE.random).expect("signed");
        let response = ocsp::Response::read(&der).expect("a response");
        assert_eq!(response.check_nonce(&signature).is_ok(), is_good);
    }
    assert_ne!(banks.customers(), &draft().certificates[2]);
    // A response that was made for another signature of the same person.
    let (one, two) = (finish(&draft()), finish(&draft()));
    let mixed = Evidence {
        ocsp_response: two.ocsp_response,
        ..one
    };
    assert_eq!(verified(&mixed).err(), Some(Flaw::OcspNonce));
}

#[test]
fn nothing_of_a_person_is_printed() {
    let evidence = finish(&draft());
    let printed = format!("{evidence:?} {:?} {:?}", expected(), FIXTURE.signer);
    assert_eq!(printed, "[evidence] [expected evidence] Signer");
    let json = serde_json::to_value(&evidence).expect("JSON");
    assert_eq!(json["ocspResponse"], evidence.ocsp_response);
}
