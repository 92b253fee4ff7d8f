//! The OCSP response beside a signature (RFC 6960, BankID's signature profile): that the person's
//! certificate was good, and when.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode, Sequence};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use subtle::ConstantTimeEq;
use x509_cert::spki::AlgorithmIdentifierRef;
use x509_ocsp::{
    BasicOcspResponse, CertStatus, OcspGeneralizedTime, OcspResponse, OcspResponseStatus,
    ResponderId, ResponseData, SingleResponse, Version,
};
use x509_parser::prelude::X509Certificate;

use super::Flaw;
use crate::clock::Timestamp;

const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const RSA_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
/// The nonce's extension (RFC 6960 §4.4.1).
pub const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");
/// How long BankID's nonce is.
const NONCE_LENGTH: usize = 32;
/// How much of it is computed from the signature; the rest is random.
const NONCE_BOUND: usize = 20;

const SHAPE: Flaw = Flaw::Shape("OCSP response");

/// `BasicOCSPResponse` (RFC 6960 §4.2.1), with what is signed kept in its own bytes.
#[derive(Sequence)]
struct Basic<'a> {
    data: AnyRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: BitStringRef<'a>,
    #[asn1(context_specific = "0", optional = "true", tag_mode = "EXPLICIT")]
    certificates: Option<Vec<AnyRef<'a>>>,
}

/// A response that says something of one certificate.
pub struct Response {
    /// When it was made: this is when the person signed, as there is no other time to trust.
    pub produced_at: Timestamp,
    data: ResponseData,
    single: SingleResponse,
    signed: Vec<u8>,
    algorithm: ObjectIdentifier,
    signature: Vec<u8>,
    certificates: Vec<CertificateDer<'static>>,
}

impl Response {
    /// Reads a response in DER. Errors: [`Flaw::Shape`] when it is no basic response about one
    /// certificate, [`Flaw::OcspStatus`] when the responder says that it has no answer
    /// (RFC 6960 §4.2.1).
    pub fn read(der: &[u8]) -> Result<Response, Flaw> {
        let outer = OcspResponse::from_der(der).map_err(|_| SHAPE)?;
        if outer.response_status != OcspResponseStatus::Successful {
            return Err(Flaw::OcspStatus);
        }
        let inner = outer.response_bytes.ok_or(SHAPE)?;
        if inner.response_type != <BasicOcspResponse as der::oid::AssociatedOid>::OID {
            return Err(SHAPE);
        }
        Response::basic(inner.response.as_bytes()).ok_or(SHAPE)
    }

    fn basic(der: &[u8]) -> Option<Response> {
        let basic = Basic::from_der(der).ok()?;
        // The decoder takes DER alone, in which each value has one encoding: these are the bytes
        // that were delivered.
        let signed = basic.data.to_der().ok()?;
        let data = ResponseData::from_der(&signed).ok()?;
        let single = match data.responses.as_slice() {
            [single] => single.clone(),
            _ => return None,
        };
        let certificates = basic.certificates.unwrap_or_default();
        let certificates = certificates
            .iter()
            .map(|certificate| certificate.to_der().ok().map(CertificateDer::from))
            .collect::<Option<Vec<_>>>()?;
        let sound = data.version == Version::V1
            && basic.algorithm.parameters == Some(AnyRef::NULL)
            && (1..=4).contains(&certificates.len());
        sound.then(|| Response {
            produced_at: timestamp(data.produced_at),
            single,
            signed,
            algorithm: basic.algorithm.oid,
            signature: basic.signature.as_bytes().unwrap_or_default().to_vec(),
            certificates,
            data,
        })
    }

    /// Whether the response says that `leaf`, which `issuer` issued, is good. Errors:
    /// [`Flaw::OcspCertificate`], [`Flaw::OcspStatus`] (RFC 6960 §3.2, 4.1.1).
    pub fn check_status(
        &self,
        leaf: &X509Certificate<'_>,
        issuer: &X509Certificate<'_>,
    ) -> Result<(), Flaw> {
        let id = &self.single.cert_id;
        let algorithm = match id.hash_algorithm.oid {
            SHA_1 => &SHA1_FOR_LEGACY_USE_ONLY,
            SHA_256 => &SHA256,
            _ => return Err(Flaw::OcspCertificate),
        };
        let is = |hash: &[u8], of: &[u8]| digest(algorithm, of).as_ref() == hash;
        if !is(id.issuer_name_hash.as_bytes(), issuer.subject().as_raw())
            || !is(id.issuer_key_hash.as_bytes(), public_key(issuer))
            || unpadded(id.serial_number.as_bytes()) != unpadded(leaf.raw_serial())
        {
            return Err(Flaw::OcspCertificate);
        }
        let is_current = timestamp(self.single.this_update) <= self.produced_at
            && self
                .single
                .next_update
                .is_none_or(|next| self.produced_at <= timestamp(next));
        match self.single.cert_status {
            CertStatus::Good(_) if is_current => Ok(()),
            _ => Err(Flaw::OcspStatus),
        }
    }

    /// The certificate that the response names as its signer's, with the algorithm and what the
    /// signature is over. Errors: [`Flaw::OcspSigner`] (RFC 6960 §4.2.2.2, 4.2.2.3).
    pub fn signer(&self) -> Result<Signer<'_>, Flaw> {
        let algorithm = match self.algorithm {
            RSA_SHA_256 => webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
            RSA_SHA_512 => webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA512,
            _ => return Err(Flaw::OcspSigner),
        };
        let certificate = self
            .certificates
            .iter()
            .find(|certificate| self.names(certificate))
            .ok_or(Flaw::OcspSigner)?;
        Ok(Signer {
            certificate,
            algorithm,
            signed: &self.signed,
            signature: &self.signature,
        })
    }

    fn names(&self, certificate: &CertificateDer<'_>) -> bool {
        let Some(parsed) = super::parse(certificate) else {
            return false;
        };
        match &self.data.responder_id {
            ResponderId::ByName(name) => name
                .to_der()
                .is_ok_and(|name| name == parsed.subject().as_raw()),
            ResponderId::ByKey(hash) => {
                digest(&SHA1_FOR_LEGACY_USE_ONLY, public_key(&parsed)).as_ref() == hash.as_bytes()
            }
        }
    }

    /// Whether the response was made for this signature: its nonce begins with the SHA-1 of the
    /// signature as delivered, in base64 (BankID's signature profile). Errors: [`Flaw::OcspNonce`].
    pub fn check_nonce(&self, signature: &str) -> Result<(), Flaw> {
        let extensions = self.data.response_extensions.as_deref().unwrap_or_default();
        let mut nonces = extensions.iter().filter(|e| e.extn_id == NONCE);
        let (Some(nonce), None) = (nonces.next(), nonces.next()) else {
            return Err(Flaw::OcspNonce);
        };
        // RFC 6960 leaves open whether the nonce is wrapped in a value of its own; RFC 8954 says
        // that it is. BankID's have been seen bare.
        let value = nonce.extn_value.as_bytes();
        let nonce = match OctetStringRef::from_der(value) {
            Ok(wrapped) if value.len() != NONCE_LENGTH => wrapped.as_bytes(),
            _ => value,
        };
        let bound = digest(&SHA1_FOR_LEGACY_USE_ONLY, signature.as_bytes());
        let is_bound =
            nonce.len() == NONCE_LENGTH && bool::from(nonce[..NONCE_BOUND].ct_eq(bound.as_ref()));
        is_bound.then_some(()).ok_or(Flaw::OcspNonce)
    }
}

/// Who signed a response.
pub struct Signer<'a> {
    /// The responder's certificate.
    pub certificate: &'a CertificateDer<'static>,
    /// How it signed.
    pub algorithm: &'static dyn SignatureVerificationAlgorithm,
    /// What it signed.
    pub signed: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

fn public_key<'a>(certificate: &'a X509Certificate<'_>) -> &'a [u8] {
    &certificate.public_key().subject_public_key.data
}

/// A whole number without the zeros that may stand before it.
fn unpadded(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|b| **b == 0).count();
    &number[zeros..]
}

fn timestamp(time: OcspGeneralizedTime) -> Timestamp {
    let seconds = time.0.to_unix_duration().as_secs();
    Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_response_is_none() {
        for (der, flaw) in [
            (&[][..], SHAPE),
            (&[0x30, 0x03, 0x0a, 0x01, 0x00], SHAPE),
            (&[0x30, 0x03, 0x0a, 0x01, 0x00, 0x00], SHAPE),
            (&[0x30, 0x03, 0x0a, 0x01, 0x06], Flaw::OcspStatus),
            (&[0x30, 0x03, 0x0a, 0x01, 0x03], Flaw::OcspStatus),
            (&[0x30, 0x80, 0x0a, 0x01, 0x00, 0x00, 0x00], SHAPE),
        ] {
            assert_eq!(Response::read(der).err(), Some(flaw), "{der:?}");
        }
    }

    #[test]
    fn a_serial_number_is_a_number() {
        assert_eq!(unpadded(&[0, 0x80]), &[0x80]);
        assert_eq!(unpadded(&[1, 0]), &[1, 0]);
        assert_eq!(unpadded(&[0]), &[] as &[u8]);
    }
}
