//! The evidence of an approval: the person's signature and the OCSP response that goes with it, and
//! whether they prove what we say they prove (BankID's signature profile).
//!
//! BankID verifies both before it answers, so a login does not need this. It is for evidence that
//! left the system that received it, and for whoever will not take BankID's word over TLS alone.
//! [`verify`] asks nothing of the network: everything is in the evidence, in what was expected, and
//! in the root.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::{CertificateDer, UnixTime};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use thiserror::Error;
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::personal_number::PersonalNumber;
use crate::clock::Timestamp;
use document::Document;

pub mod document;
pub mod name;
pub mod ocsp;
pub mod record;

/// The most that a signature's XML may hold besides the text of a `/sign`; that of an identification
/// is about 10 KiB.
const DOCUMENT_LIMIT: usize = 128 * 1024;
/// The most that an OCSP response may hold; BankID's are about 2 KiB.
const OCSP_LIMIT: usize = 32 * 1024;

/// The attribute `serialNumber` (X.520): in a person's certificate, the personal number.
const SERIAL_NUMBER: &str = "2.5.4.5";
/// `id-kp-OCSPSigning` (RFC 6960 §4.2.2.2), as DER writes it.
const OCSP_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09];

/// What BankID delivers with a completed order, both in base64, as delivered (BankID relying-party
/// API v6.0, "collect"). It holds personal data: it is stored sealed and never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The XML signature.
    pub signature: String,
    /// The OCSP response in DER.
    pub ocsp_response: String,
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[evidence]")
    }
}

/// What the evidence must be evidence of.
#[derive(Clone)]
pub struct Expected {
    /// The relying-party certificate that the order was made with.
    pub relying_party: CertificateDer<'static>,
    /// What was ordered.
    pub function: Function,
    /// The text that was ordered to be shown, before base64.
    pub visible: Option<Vec<u8>>,
    /// How the text was to be read.
    pub format: Format,
    /// What was ordered to be signed without being shown, before base64.
    pub non_visible: Option<Vec<u8>>,
    /// The person that BankID named.
    pub personal_number: PersonalNumber,
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[expected evidence]")
    }
}

/// What a person did (`funcId` in BankID's signature profile).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// They said who they are (`/auth`).
    Identification,
    /// They signed a text (`/sign`).
    Signing,
}

impl Function {
    /// The name that stands in a signature.
    pub fn id(self) -> &'static str {
        match self {
            Function::Identification => "Identification",
            Function::Signing => "Signing",
        }
    }
}

/// How a visible text is read (`userVisibleDataFormat` of BankID relying-party API v6.0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// As it stands; also when no format was ordered.
    #[default]
    Plain,
    /// `simpleMarkdownV1`
    SimpleMarkdown,
}

/// Whom to believe. What belongs to one of BankID's environments never goes with another.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The root of the banks' certificates, which is not the root of BankID's servers.
    pub root: CertificateDer<'static>,
    /// The certificate policies to take, as dotted object identifiers: each is a kind of BankID in
    /// an environment.
    pub policies: Vec<String>,
}

/// What the evidence proved. Everything here was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// When the person signed, by the OCSP responder's clock.
    pub signed_at: Timestamp,
    /// The relying party's name that the person saw.
    pub display_name: String,
    /// The certificate policy of the person's BankID: its kind.
    pub policy: String,
}

/// What is wrong with evidence. Nothing of its content is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Flaw {
    /// A part does not have the one shape that BankID gives it.
    #[error("the evidence does not have the shape that BankID gives it: {0}")]
    Shape(&'static str),
    /// `bankIdSignedData` is not what was signed.
    #[error("the digest of the signed data is another")]
    SignedDataDigest,
    /// `KeyInfo` is not what was signed.
    #[error("the digest of the key info is another")]
    KeyInfoDigest,
    /// The person's key did not make the signature.
    #[error("the signature value is not one of the certificate's key")]
    SignatureValue,
    /// The person's certificate does not come from the root, or did not when it was used.
    #[error("the certificates do not lead to the root at the time of the signature")]
    Chain,
    /// The person's certificate is not for signatures.
    #[error("the person's certificate is not for signatures")]
    KeyUsage,
    /// The person's certificate is no BankID of this environment.
    #[error("the person's certificate has none of the accepted policies")]
    Policy,
    /// The OCSP response is about another certificate.
    #[error("the OCSP response is about another certificate")]
    OcspCertificate,
    /// The responder does not say that the certificate was good then.
    #[error("the OCSP response does not say that the certificate was good")]
    OcspStatus,
    /// The response is not signed by a responder of the person's CA.
    #[error("the OCSP response is not signed by a responder of the issuing authority")]
    OcspSigner,
    /// The response was made for another signature.
    #[error("the OCSP response was made for another signature")]
    OcspNonce,
    /// Another relying party ordered.
    #[error("the signature was made for another relying party")]
    RelyingParty,
    /// Something else was ordered.
    #[error("the signature was made with another function")]
    Function,
    /// Another text was shown, or none.
    #[error("another text was shown than the one ordered")]
    VisibleData,
    /// The text was to be read in another way.
    #[error("the text was shown in another format than the one ordered")]
    Format,
    /// It is bound to something else, or to nothing.
    #[error("the data that was not shown is another than the one ordered")]
    NonVisibleData,
    /// Somebody else signed.
    #[error("another person signed")]
    Person,
}

/// Verifies evidence, in the order of BankID's signature profile: shape, digests and signature,
/// chain and policy, OCSP response, and only then what it says. Errors: the first [`Flaw`].
pub fn verify(evidence: &Evidence, expected: &Expected, trust: &Trust) -> Result<Verified, Flaw> {
    let xml = decode(&evidence.signature, limit(expected), "signature")?;
    let xml = std::str::from_utf8(&xml).map_err(|_| Flaw::Shape("UTF-8"))?;
    let document = Document::read(xml)?;
    document.check_digests()?;
    let [leaf, customer_ca, bank_ca] = &document.certificates;
    check_signature(leaf, &document)?;

    let der = decode(&evidence.ocsp_response, OCSP_LIMIT, "ocspResponse")?;
    let response = ocsp::Response::read(&der)?;
    let signed_at = response.produced_at;
    let path = Path {
        root: &trust.root,
        authorities: [customer_ca.clone(), bank_ca.clone()],
        at: signed_at,
    };
    // A person's certificate has no extended key usage; a responder's must not pass for one.
    path.check(leaf, KeyUsage::client_auth())
        .ok_or(Flaw::Chain)?;
    let person = parse(leaf).ok_or(Flaw::Chain)?;
    let issuer = parse(customer_ca).ok_or(Flaw::Chain)?;
    check_key_usage(&person)?;
    let policy = policy(&person, &trust.policies)?;

    response.check_status(&person, &issuer)?;
    check_responder(&response, &path)?;
    response.check_nonce(&evidence.signature)?;

    check_content(&document, expected)?;
    check_person(&person, &expected.personal_number)?;
    Ok(Verified {
        signed_at,
        display_name: document.display_name,
        policy,
    })
}

/// What is signed comes back in base64 within the XML.
fn limit(expected: &Expected) -> usize {
    let ordered = [&expected.visible, &expected.non_visible];
    let length = |data: &&Option<Vec<u8>>| data.as_ref().map_or(0, Vec::len);
    DOCUMENT_LIMIT
        + match expected.function {
            Function::Identification => 0,
            Function::Signing => base64_length(ordered.iter().map(length).sum()),
        }
}

fn base64_length(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// Strict base64 within a limit.
fn decode(text: &str, limit: usize, what: &'static str) -> Result<Vec<u8>, Flaw> {
    if text.len() > base64_length(limit) {
        return Err(Flaw::Shape("size"));
    }
    STANDARD.decode(text).map_err(|_| Flaw::Shape(what))
}

/// A certificate with nothing after it.
fn parse<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    match X509Certificate::from_der(der) {
        Ok(([], parsed)) => Some(parsed),
        _ => None,
    }
}

/// RSA with PKCS #1 v1.5 and SHA-256, whatever the document says of algorithms.
fn check_signature(leaf: &CertificateDer<'_>, document: &Document<'_>) -> Result<(), Flaw> {
    let leaf = EndEntityCert::try_from(leaf).map_err(|_| Flaw::Shape("X509Certificate"))?;
    leaf.verify_signature(
        webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
        document.signed_info.as_bytes(),
        &document.signature,
    )
    .map_err(|_| Flaw::SignatureValue)
}

/// The authorities between a person's certificate, or a responder's, and the root.
struct Path<'a> {
    root: &'a CertificateDer<'static>,
    authorities: [CertificateDer<'static>; 2],
    at: Timestamp,
}

impl Path<'_> {
    /// Whether a certificate was valid, issued by the customer CA, and that by the bank CA under
    /// the root (RFC 5280 §6). A path that goes another way is none.
    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        usage: impl ExtendedKeyUsageValidator,
    ) -> Option<()> {
        let anchors = [webpki::anchor_from_trusted_cert(self.root).ok()?];
        let at = Duration::from_secs(u64::try_from(self.at.0).ok()?);
        let leaf = EndEntityCert::try_from(leaf).ok()?;
        let found = leaf
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &anchors,
                &self.authorities,
                UnixTime::since_unix_epoch(at),
                usage,
                None,
                None,
            )
            .ok()?;
        let way: Vec<CertificateDer<'_>> = found
            .intermediate_certificates()
            .map(|certificate| certificate.der())
            .collect();
        (way == self.authorities).then_some(())
    }
}

fn check_key_usage(person: &X509Certificate<'_>) -> Result<(), Flaw> {
    let usage = person.key_usage().ok().flatten();
    let signs = usage.is_some_and(|usage| usage.value.digital_signature());
    signs.then_some(()).ok_or(Flaw::KeyUsage)
}

/// The first of the certificate's policies that is accepted. The policies of the authorities are
/// not asked: BankID's name fewer than the certificates that they issue.
fn policy(person: &X509Certificate<'_>, accepted: &[String]) -> Result<String, Flaw> {
    use x509_parser::extensions::ParsedExtension;
    person
        .extensions()
        .iter()
        .filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::CertificatePolicies(policies) => Some(policies),
            _ => None,
        })
        .flatten()
        .map(|policy| policy.policy_id.to_id_string())
        .find(|id| accepted.contains(id))
        .ok_or(Flaw::Policy)
}

/// The response must be signed by somebody whom the person's own CA appointed (RFC 6960 §4.2.2.2).
fn check_responder(response: &ocsp::Response, path: &Path<'_>) -> Result<(), Flaw> {
    let signer = response.signer()?;
    let certificate = parse(signer.certificate).ok_or(Flaw::OcspSigner)?;
    let usage = certificate.extended_key_usage().ok().flatten();
    let is_responder = usage.is_some_and(|usage| usage.value.ocsp_signing);
    // The path is only held to the usage where it names any, as authorities do not.
    let is_appointed = path.check(
        signer.certificate,
        KeyUsage::required_if_present(OCSP_SIGNING),
    );
    if !is_responder || is_appointed.is_none() {
        return Err(Flaw::OcspSigner);
    }
    let responder = EndEntityCert::try_from(signer.certificate).map_err(|_| Flaw::OcspSigner)?;
    responder
        .verify_signature(signer.algorithm, signer.signed, signer.signature)
        .map_err(|_| Flaw::OcspSigner)
}

/// Whether what was signed is what was ordered, by us.
fn check_content(document: &Document<'_>, expected: &Expected) -> Result<(), Flaw> {
    let ours = parse(&expected.relying_party).ok_or(Flaw::RelyingParty)?;
    if !name::says(&document.relying_party, ours.subject()) {
        return Err(Flaw::RelyingParty);
    }
    if document.function != expected.function {
        return Err(Flaw::Function);
    }
    let (visible, format) = document
        .visible
        .as_ref()
        .map_or((None, expected.format), |(data, format)| {
            (Some(data.as_slice()), *format)
        });
    if !same(visible, expected.visible.as_deref()) {
        return Err(Flaw::VisibleData);
    }
    if format != expected.format {
        return Err(Flaw::Format);
    }
    if !same(
        document.non_visible.as_deref(),
        expected.non_visible.as_deref(),
    ) {
        return Err(Flaw::NonVisibleData);
    }
    Ok(())
}

fn same(one: Option<&[u8]>, other: Option<&[u8]>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.ct_eq(other).into(),
        (None, None) => true,
        _ => false,
    }
}

/// Whether the certificate is that person's, who has one number in it.
fn check_person(person: &X509Certificate<'_>, expected: &PersonalNumber) -> Result<(), Flaw> {
    let mut numbers = person
        .subject()
        .iter_attributes()
        .filter(|attribute| attribute.attr_type().to_id_string() == SERIAL_NUMBER);
    match (numbers.next().map(|number| number.as_str()), numbers.next()) {
        (Some(Ok(number)), None)
            if number.as_bytes().ct_eq(expected.expose().as_bytes()).into() =>
        {
            Ok(())
        }
        _ => Err(Flaw::Person),
    }
}

#[cfg(all(test, feature = "simulator"))]
mod tests;
