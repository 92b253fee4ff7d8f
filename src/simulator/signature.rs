//! What the simulator's people sign with: a hierarchy of certificates like BankID's, and signatures
//! and OCSP responses in its shape (BankID's signature profile). Keys are made when they are first
//! needed and kept in memory; they prove nothing to anyone who does not trust this one process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::asn1::{
    AnyRef, BitString, GeneralizedTime, Ia5String, Null, ObjectIdentifier, OctetString,
};
use der::{Decode, Encode};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize,
    SerialNumber, SigningKey,
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::certpolicy::PolicyInformation;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AccessDescription, AuthorityInfoAccessSyntax, CertificatePolicies};
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspGeneralizedTime, OcspResponse, ResponderId,
    ResponseData, SingleResponse, Version,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificates::{Failed, date, pem};
use super::people::{BankId, Person};
use crate::bankid::evidence::document::{
    KEY_INFO, KEY_INFO_END, SECOND_REFERENCE, SIGNATURE, SIGNED_DATA, SIGNED_DATA_END, SIGNED_INFO,
    SIGNED_INFO_END,
};
use crate::bankid::evidence::ocsp::NONCE;
use crate::bankid::evidence::{Evidence, Format, Function, name};
use crate::clock::{Seconds, Timestamp};
use crate::random::Random;

/// The kinds of BankID, each with a policy of its own.
pub const KINDS: [BankId; 3] = [BankId::Mobile, BankId::File, BankId::Card];

/// What banks call a kind of BankID in the certificate.
fn words(kind: BankId) -> &'static str {
    match kind {
        BankId::Mobile => "Mobilt BankID",
        BankId::File => "BankID på fil",
        BankId::Card => "BankID på kort",
    }
}

/// What a person signs.
pub struct SignedOrder<'a> {
    /// The certificate that the order was made with.
    pub relying_party: &'a CertificateDer<'a>,
    /// The relying party's name, as shown.
    pub display_name: &'a str,
    /// The text that was shown, in base64 as ordered.
    pub visible: Option<&'a str>,
    /// How it was to be read.
    pub format: Format,
    /// What was not shown, in base64 as ordered.
    pub non_visible: Option<&'a str>,
    /// What was ordered.
    pub function: Function,
}

/// Private keys by the name of their holder. Making one takes a second or more in a debug build, so
/// simulators in one process share theirs, while each issues its own certificates.
#[derive(Default)]
pub struct Keys {
    // PKCS #8. A std mutex: holders make keys, and never await.
    made: Mutex<HashMap<String, Vec<u8>>>,
}

/// Signs for the simulator's people.
pub struct Signer {
    random: Random,
    now: Timestamp,
    keys: Arc<Keys>,
    // A std mutex: holders make keys, and never await.
    made: Mutex<Made>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

/// What was made so far.
#[derive(Default)]
struct Made {
    banks: Option<Arc<Banks>>,
    people: HashMap<&'static str, Arc<Issued>>,
}

/// The authorities.
pub(crate) struct Banks {
    root: Authority,
    bank: Authority,
    customers: Authority,
    responder: Arc<Issued>,
}

/// A certificate with its key.
pub(crate) struct Issued {
    pub(crate) certificate: CertificateDer<'static>,
    key: KeyPair,
}

struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

const DAY: Seconds = Seconds(24 * 60 * 60);
/// How long authorities and people have their certificates: longer than a clock is ever turned.
const AUTHORITY: Seconds = Seconds(20 * 365 * DAY.0);
const PERSON: Seconds = Seconds(3 * 365 * DAY.0);

const SURNAME: [u64; 4] = [2, 5, 4, 4];
const SERIAL_NUMBER: [u64; 4] = [2, 5, 4, 5];
const NAME: [u64; 4] = [2, 5, 4, 41];
const GIVEN_NAME: [u64; 4] = [2, 5, 4, 42];
const AUTHORITY_INFO_ACCESS: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 1, 1];
const CERTIFICATE_POLICIES: [u64; 4] = [2, 5, 29, 32];
/// A responder's certificate is not itself asked for (RFC 6960 §4.2.2.2.1).
const OCSP_NO_CHECK: [u64; 10] = [1, 3, 6, 1, 5, 5, 7, 48, 1, 5];
const OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const RSA_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
/// Where a responder would be asked; nobody listens there.
const RESPONDER: &str = "http://ocsp.simulator.invalid";
const BANK: &str = "Testbank A AB (publ)";
/// The device that everyone has: 21 bytes in base64, as BankID's are.
const DEVICE: &str = "AZvYM9VvyiAmG7NA5jU5zqGcVppA";

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// The holder's key, made the first time.
    fn of(&self, holder: &str) -> Result<KeyPair, Failed> {
        let mut made = self.made.lock().expect("nothing panics under this lock");
        if let Some(key) = made.get(holder) {
            let key = PrivatePkcs8KeyDer::from(key.as_slice());
            return Ok(KeyPair::from_pkcs8_der_and_sign_algo(
                &key,
                &PKCS_RSA_SHA256,
            )?);
        }
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        made.insert(holder.to_owned(), key.serialize_der());
        Ok(key)
    }
}

impl Signer {
    /// A signer that has issued nothing yet; its certificates will be good from `now` on.
    pub fn new(keys: Arc<Keys>, random: &Random, now: Timestamp) -> Signer {
        Signer {
            random: random.clone(),
            now,
            keys,
            made: Mutex::default(),
        }
    }

    /// The root of the people's certificates, in DER. Errors: [`Failed`], when no key can be made.
    pub fn root(&self) -> Result<CertificateDer<'static>, Failed> {
        Ok(self.banks()?.root.certificate.clone())
    }

    /// The root in PEM. Errors: as [`Signer::root`].
    pub fn root_pem(&self) -> Result<String, Failed> {
        Ok(pem(&self.root()?))
    }

    /// A person's signature with its OCSP response. The first one takes the time to make keys.
    /// Errors: [`Failed`], when a certificate or key cannot be made or used.
    pub fn sign(
        &self,
        person: &Person,
        order: &SignedOrder<'_>,
        now: Timestamp,
    ) -> Result<Evidence, Failed> {
        self.draft(person, order, now)?.finish(&self.random)
    }

    /// All that goes into a signature. Tests spoil one thing of it.
    pub(crate) fn draft(
        &self,
        person: &Person,
        order: &SignedOrder<'_>,
        now: Timestamp,
    ) -> Result<Draft, Failed> {
        let banks = self.banks()?;
        let signer = self.person(&banks, person)?;
        Ok(Draft {
            signed_data: signed_data(person.bankid, order, &self.random)?,
            certificates: [
                signer.certificate.clone(),
                banks.customers.certificate.clone(),
                banks.bank.certificate.clone(),
            ],
            about: cert_id(&signer.certificate, &banks.customers.certificate)?,
            signer,
            responder: banks.responder.clone(),
            status: CertStatus::good(),
            produced_at: now,
            nonce: None,
        })
    }

    pub(crate) fn banks(&self) -> Result<Arc<Banks>, Failed> {
        let mut made = self.made.lock().expect("nothing panics under this lock");
        if let Some(banks) = &made.banks {
            return Ok(banks.clone());
        }
        let banks = Arc::new(Banks::new(&self.keys, &self.random, self.now)?);
        made.banks = Some(banks.clone());
        Ok(banks)
    }

    fn person(&self, banks: &Banks, person: &Person) -> Result<Arc<Issued>, Failed> {
        let mut made = self.made.lock().expect("nothing panics under this lock");
        let key = person.personal_number;
        if let Some(issued) = made.people.get(key) {
            return Ok(issued.clone());
        }
        let params = banks.person(person, &self.random, self.now)?;
        let issued = Arc::new(banks.customers.issue(&params, self.keys.of(key)?)?);
        made.people.insert(key, issued.clone());
        Ok(issued)
    }
}

impl Banks {
    fn new(keys: &Keys, random: &Random, now: Timestamp) -> Result<Banks, Failed> {
        let make = |key: &str, name: DistinguishedName, by: Option<&Authority>| {
            let mut params = params(name, random, now, AUTHORITY);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            if by.is_some() {
                params.custom_extensions = vec![policies(&KINDS)];
            }
            Authority::new(params, keys.of(key)?, by)
        };
        let mut root_name = DistinguishedName::new();
        root_name.push(DnType::OrganizationName, "Finansiell ID-Teknik BID AB");
        root_name.push(DnType::OrganizationalUnitName, "BankID Member Banks CA");
        root_name.push(DnType::CommonName, "Test BankID Root CA");
        let root = make("root", root_name, None)?;
        let bank = make(
            "bank",
            bank_name("Testbank A CA for BankID Test"),
            Some(&root),
        )?;
        let customers = make(
            "customers",
            bank_name("Testbank A Customer CA for BankID Test"),
            Some(&bank),
        )?;
        let responder = customers.issue(&responder(random, now), keys.of("responder")?)?;
        Ok(Banks {
            root,
            bank,
            customers,
            responder: Arc::new(responder),
        })
    }

    /// What a person's certificate says (subject and extensions as in BankID's own).
    fn person(
        &self,
        person: &Person,
        random: &Random,
        now: Timestamp,
    ) -> Result<CertificateParams, Failed> {
        let mut name = DistinguishedName::new();
        name.push(DnType::CountryName, printable("SE")?);
        name.push(DnType::OrganizationName, BANK);
        name.push(DnType::CustomDnType(SURNAME.to_vec()), person.surname);
        name.push(DnType::CustomDnType(GIVEN_NAME.to_vec()), person.given_name);
        name.push(
            DnType::CustomDnType(SERIAL_NUMBER.to_vec()),
            printable(person.personal_number)?,
        );
        name.push(DnType::CustomDnType(NAME.to_vec()), name_of(person, now));
        name.push(DnType::CommonName, person.name());
        let mut params = params(name, random, now, PERSON);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.custom_extensions = vec![policies(&[person.bankid]), authority_info_access()];
        Ok(params)
    }
}

#[cfg(test)]
impl Banks {
    /// A person's certificate that was changed before it was issued.
    pub(crate) fn odd_person(
        &self,
        person: &Person,
        random: &Random,
        now: Timestamp,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Arc<Issued> {
        let mut params = self.person(person, random, now).expect("a person");
        change(&mut params);
        Arc::new(self.customers.issue(&params, odd_key()).expect("issued"))
    }

    /// A responder's certificate that was changed before it was issued, perhaps by the bank CA.
    pub(crate) fn odd_responder(
        &self,
        by_bank: bool,
        random: &Random,
        now: Timestamp,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Arc<Issued> {
        let mut params = responder(random, now);
        change(&mut params);
        let by = if by_bank { &self.bank } else { &self.customers };
        Arc::new(by.issue(&params, odd_key()).expect("issued"))
    }

    /// The certificate of the customer CA.
    pub(crate) fn customers(&self) -> &CertificateDer<'static> {
        &self.customers.certificate
    }
}

impl Authority {
    fn new(
        params: CertificateParams,
        key: KeyPair,
        by: Option<&Authority>,
    ) -> Result<Authority, Failed> {
        let certificate = match by {
            None => params.self_signed(&key)?,
            Some(by) => params.signed_by(&key, &by.issuer)?,
        };
        Ok(Authority {
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        })
    }

    fn issue(&self, params: &CertificateParams, key: KeyPair) -> Result<Issued, Failed> {
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued {
            certificate: certificate.der().clone(),
            key,
        })
    }
}

#[cfg(test)]
fn odd_key() -> KeyPair {
    Keys::default().of("odd").expect("made")
}

fn params(
    name: DistinguishedName,
    random: &Random,
    now: Timestamp,
    length: Seconds,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.not_before = date(now - DAY);
    params.not_after = date(now + length);
    params.use_authority_key_identifier_extension = true;
    let mut serial = random.bytes::<8>();
    // A positive number that needs all eight bytes.
    serial[0] = serial[0] & 0x3f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params
}

fn responder(random: &Random, now: Timestamp) -> CertificateParams {
    let name = bank_name("Testbank A OCSP for BankID Test");
    let mut params = params(name, random, now, AUTHORITY);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
    let null = encoded(&Null);
    params.custom_extensions = vec![CustomExtension::from_oid_content(&OCSP_NO_CHECK, null)];
    params
}

fn bank_name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "SE");
    name.push(DnType::OrganizationName, BANK);
    name.push(DnType::CommonName, common_name);
    name
}

/// The name of a person's BankID: when it was issued, whose it is, and its kind.
fn name_of(person: &Person, now: Timestamp) -> String {
    let issued = person
        .issued
        .map_or_else(|| date(now).date().to_string(), str::to_owned);
    let day: String = issued
        .chars()
        .filter(char::is_ascii_digit)
        .skip(2)
        .collect();
    format!("({day} 08.33) {} - {}", person.name(), words(person.bankid))
}

fn printable(text: &str) -> Result<DnValue, Failed> {
    Ok(DnValue::PrintableString(text.try_into()?))
}

fn policies(kinds: &[BankId]) -> CustomExtension {
    let policies = kinds.iter().map(|kind| PolicyInformation {
        policy_identifier: ObjectIdentifier::new_unwrap(kind.policy()),
        policy_qualifiers: None,
    });
    let content = encoded(&CertificatePolicies(policies.collect()));
    CustomExtension::from_oid_content(&CERTIFICATE_POLICIES, content)
}

fn authority_info_access() -> CustomExtension {
    let address = Ia5String::new(RESPONDER).expect("the address is ASCII");
    let content = encoded(&AuthorityInfoAccessSyntax(vec![AccessDescription {
        access_method: OCSP,
        access_location: GeneralName::UniformResourceIdentifier(address),
    }]));
    CustomExtension::from_oid_content(&AUTHORITY_INFO_ACCESS, content)
}

/// DER of a value that is far below any limit of length.
fn encoded(value: &impl Encode) -> Vec<u8> {
    value.to_der().expect("a small value has a DER encoding")
}

fn octets(bytes: impl Into<Vec<u8>>) -> OctetString {
    OctetString::new(bytes).expect("a few bytes fit in an OCTET STRING")
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Failed> {
    let parsed = X509Certificate::from_der(certificate);
    parsed.map(|(_, parsed)| parsed).map_err(|_| Failed::Parsed)
}

/// Which certificate a response is about (RFC 6960 §4.1.1).
pub(crate) fn cert_id(
    certificate: &CertificateDer<'_>,
    issuer: &CertificateDer<'_>,
) -> Result<CertId, Failed> {
    let (certificate, issuer) = (parse(certificate)?, parse(issuer)?);
    let hash = |of: &[u8]| octets(digest(&SHA1_FOR_LEGACY_USE_ONLY, of).as_ref());
    let serial = x509_cert::serial_number::SerialNumber::new(certificate.raw_serial());
    Ok(CertId {
        hash_algorithm: algorithm(SHA_1),
        issuer_name_hash: hash(issuer.subject().as_raw()),
        issuer_key_hash: hash(&issuer.public_key().subject_public_key.data),
        serial_number: serial.map_err(|_| Failed::Parsed)?,
    })
}

fn algorithm(oid: ObjectIdentifier) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned {
        oid,
        parameters: Some(AnyRef::NULL.into()),
    }
}

/// `bankIdSignedData`, in canonical form.
fn signed_data(kind: BankId, order: &SignedOrder<'_>, random: &Random) -> Result<String, Failed> {
    let relying_party = name::write(parse(order.relying_party)?.subject());
    let format = match order.format {
        Format::Plain => "",
        Format::SimpleMarkdown => r#" format="simpleMarkdownV1""#,
    };
    let visible = order.visible.map_or_else(String::new, |data| {
        format!(
            r#"<usrVisibleData charset="UTF-8"{format} visible="wysiwys">{data}</usrVisibleData>"#
        )
    });
    let non_visible = order.non_visible.map_or_else(String::new, |data| {
        format!("<usrNonVisibleData>{data}</usrNonVisibleData>")
    });
    let server = format!(
        "<srvInfo><name>{}</name><nonce>{}</nonce><displayName>{}</displayName></srvInfo>",
        STANDARD.encode(relying_party),
        STANDARD.encode(random.bytes::<20>()),
        STANDARD.encode(order.display_name),
    );
    let client = format!(
        "<clientInfo><funcId>{}</funcId><version>{}</version><env><ai><type>{}</type>\
         <deviceInfo>{}</deviceInfo><uhi>{DEVICE}</uhi><fsib>0</fsib><utb>cs1</utb><requirement>\
         <condition><type>CertificatePolicies</type><value>{}</value></condition></requirement>\
         <uauth>pw</uauth></ai></env></clientInfo>",
        order.function.id(),
        STANDARD.encode(format!("platform=simulator&uhi={DEVICE}&")),
        STANDARD.encode("SIMULATOR"),
        STANDARD.encode("1.0"),
        kind.policy(),
    );
    Ok([
        SIGNED_DATA,
        &visible,
        &non_visible,
        &server,
        &client,
        SIGNED_DATA_END,
    ]
    .concat())
}

/// All that goes into a signature and its OCSP response.
pub(crate) struct Draft {
    pub(crate) signed_data: String,
    pub(crate) certificates: [CertificateDer<'static>; 3],
    pub(crate) signer: Arc<Issued>,
    pub(crate) about: CertId,
    pub(crate) responder: Arc<Issued>,
    pub(crate) status: CertStatus,
    pub(crate) produced_at: Timestamp,
    /// Another value of the nonce's extension than the right one.
    pub(crate) nonce: Option<Vec<u8>>,
}

impl Draft {
    /// Signs both.
    pub(crate) fn finish(&self, random: &Random) -> Result<Evidence, Failed> {
        let signature = STANDARD.encode(self.document()?);
        let ocsp_response = STANDARD.encode(self.response(&signature, random)?);
        Ok(Evidence {
            signature,
            ocsp_response,
        })
    }

    /// The XML.
    pub(crate) fn document(&self) -> Result<String, Failed> {
        let certificates: String = self
            .certificates
            .iter()
            .map(|der| {
                format!(
                    "<X509Certificate>{}</X509Certificate>",
                    STANDARD.encode(der)
                )
            })
            .collect();
        let key_info = [KEY_INFO, &certificates, KEY_INFO_END].concat();
        let sha256 = |text: &str| STANDARD.encode(digest(&SHA256, text.as_bytes()));
        let signed_info = [
            SIGNED_INFO,
            &sha256(&self.signed_data),
            SECOND_REFERENCE,
            &sha256(&key_info),
            SIGNED_INFO_END,
        ]
        .concat();
        let value = STANDARD.encode(self.signer.key.sign(signed_info.as_bytes())?);
        Ok(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>{SIGNATURE}{signed_info}\
             <SignatureValue>{value}</SignatureValue>{key_info}<Object>{}</Object></Signature>",
            self.signed_data
        ))
    }

    /// The OCSP response for a signature in base64: its nonce begins with the signature's SHA-1.
    pub(crate) fn response(&self, signature: &str, random: &Random) -> Result<Vec<u8>, Failed> {
        let nonce = self.nonce.clone().unwrap_or_else(|| {
            let bound = digest(&SHA1_FOR_LEGACY_USE_ONLY, signature.as_bytes());
            let nonce = [bound.as_ref(), &random.bytes::<12>()].concat();
            encoded(&octets(nonce))
        });
        let at = self.produced_at.0.try_into().map_err(|_| Failed::Parsed)?;
        let at = GeneralizedTime::from_unix_duration(Duration::from_secs(at))
            .map(OcspGeneralizedTime)
            .map_err(|_| Failed::Parsed)?;
        let key = parse(&self.responder.certificate)?;
        let key = digest(
            &SHA1_FOR_LEGACY_USE_ONLY,
            &key.public_key().subject_public_key.data,
        );
        let data = ResponseData {
            version: Version::V1,
            responder_id: ResponderId::ByKey(octets(key.as_ref())),
            produced_at: at,
            responses: vec![SingleResponse {
                cert_id: self.about.clone(),
                cert_status: self.status,
                this_update: at,
                next_update: None,
                single_extensions: None,
            }],
            response_extensions: Some(vec![Extension {
                extn_id: NONCE,
                critical: false,
                extn_value: octets(nonce),
            }]),
        };
        let signature = self.responder.key.sign(&encoded(&data))?;
        let certificate = x509_cert::Certificate::from_der(&self.responder.certificate)
            .map_err(|_| Failed::Parsed)?;
        let basic = BasicOcspResponse {
            tbs_response_data: data,
            signature_algorithm: algorithm(RSA_SHA_256),
            signature: BitString::from_bytes(&signature).map_err(|_| Failed::Parsed)?,
            certs: Some(vec![certificate]),
        };
        OcspResponse::successful(basic)
            .and_then(|response| response.to_der())
            .map_err(|_| Failed::Parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::people::PEOPLE;
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    #[test]
    fn keys_are_made_once_for_each_person() {
        let signer = Signer::new(Arc::default(), &Random::seeded(1), NOW);
        let banks = signer.banks().expect("made");
        let certificate = |person| {
            let issued = signer.person(&banks, person).expect("made");
            issued.certificate.clone()
        };
        let tolvan = certificate(&PEOPLE[0]);
        assert_eq!(tolvan, certificate(&PEOPLE[0]));
        assert_ne!(tolvan, certificate(&PEOPLE[1]));
        assert_eq!(signer.root_pem().ok(), signer.root_pem().ok());
        let parsed = parse(&tolvan).expect("a certificate");
        assert_eq!(
            name::write(parsed.subject()),
            "cn=Tolvan Tolvansson,name=(231129 08.33) Tolvan Tolvansson - Mobilt BankID,\
             serialNumber=191212121212,givenName=Tolvan,sn=Tolvansson,o=Testbank A AB (publ),c=SE"
        );
    }

    #[test]
    fn what_is_signed_says_what_was_ordered() {
        let random = Random::seeded(1);
        let banks = super::super::certificates::Authority::new("Banks", &random, NOW);
        let party = banks.and_then(|banks| banks.relying_party("Kommunen"));
        let order = SignedOrder {
            relying_party: &party.expect("made").certificate,
            display_name: "Kommunen",
            visible: Some("aGVq"),
            format: Format::SimpleMarkdown,
            non_visible: None,
            function: Function::Signing,
        };
        let text = signed_data(BankId::File, &order, &random).expect("made");
        for part in [
            "<usrVisibleData charset=\"UTF-8\" format=\"simpleMarkdownV1\" visible=\"wysiwys\">aGVq<",
            "<displayName>S29tbXVuZW4=</displayName>",
            "<funcId>Signing</funcId>",
            "<value>1.2.3.4.5</value>",
        ] {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains("usrNonVisibleData"));
    }
}
