//! TLS where it ends here: the server's certificate, and those that clients show.

use std::any::Any;
use std::sync::Arc;

use actix_web::dev::Extensions;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoClientAuth, ServerConfig};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

use crate::client::certificate::Presented;
use crate::config::TlsFiles;

/// Whether a listener asks for certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// Browsers may come.
    Unasked,
    /// Those that have one show it, and then prove that they hold its key. Whose it is, is decided
    /// when the client is known (RFC 8705 §2).
    MayShowCertificates,
}

/// How a listener speaks TLS. `section` names the files in what is said of them.
pub fn server(
    section: &str,
    files: &TlsFiles,
    clients: Clients,
) -> Result<Arc<ServerConfig>, String> {
    let told = |name: &str, file: &std::path::Path, what: rustls_pki_types::pem::Error| {
        format!("{section}.{name} {}: {what}", file.display())
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| told("tls_certificate_file", &files.certificate_file, e))?;
    let key = PrivateKeyDer::from_pem_file(&files.key_file)
        .map_err(|e| told("tls_key_file", &files.key_file, e))?;
    let builder = ServerConfig::builder();
    let provider = builder.crypto_provider().clone();
    let verifier: Arc<dyn ClientCertVerifier> = match clients {
        Clients::Unasked => Arc::new(NoClientAuth),
        Clients::MayShowCertificates => Arc::new(Holder(provider)),
    };
    let mut config = builder
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|_| format!("{section}: certificate and key do not fit together"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Takes any certificate from whoever holds its key.
#[derive(Debug)]
struct Holder(Arc<CryptoProvider>);

impl ClientCertVerifier for Holder {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: a client shows the one that it has.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Remembers the certificates of a connection, for the requests that come over it.
pub fn remember_certificates(connection: &dyn Any, extensions: &mut Extensions) {
    if let Some(presented) = peer_certificates(connection).and_then(Presented::of_handshake) {
        extensions.insert(presented);
    }
}

/// The certificates that the other end of a connection showed, its own first.
pub fn peer_certificates(connection: &dyn Any) -> Option<&[CertificateDer<'static>]> {
    type Tls = actix_tls::accept::rustls_0_23::TlsStream<actix_web::rt::net::TcpStream>;
    connection
        .downcast_ref::<Tls>()?
        .get_ref()
        .1
        .peer_certificates()
}
