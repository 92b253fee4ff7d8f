//! Where client applications show certificates: a listener of the provider's own, or a proxy's header.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::ports;
use actix_web::dev::ServerHandle;
use portvakt::client::certificate::HeaderFormat;
use portvakt::clock::Clock;
use portvakt::http;
use portvakt::http::tls::{self, Clients};
use portvakt::provider::Provider;
use portvakt::random::Random;
use portvakt::simulator::certificates::Authority;
use portvakt::testing::certificates::{ClientAuthority, Made};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;

/// A listener that asks for certificates, before the provider that it belongs to runs.
pub struct Site {
    pub url: String,
    /// Who issues certificates to client applications.
    pub authority: ClientAuthority,
    address: SocketAddr,
    listener: Option<TcpListener>,
    root: CertificateDer<'static>,
    directory: TempDir,
}

impl Site {
    pub fn new() -> Site {
        let (listener, port) = ports::listener();
        let random = Random::system();
        let pages = Authority::new("Test mtls", &random, Clock::system().now()).expect("made");
        let server = pages.server(&["localhost"]).expect("made");
        let authority = ClientAuthority::new();
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in [
            ("mtls.pem", server.certificate_pem()),
            ("mtls.key", server.key_pem()),
            ("clients.pem", authority.root_pem()),
        ] {
            std::fs::write(directory.path().join(name), text).expect("written");
        }
        Site {
            url: format!("https://localhost:{port}"),
            authority,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            listener: Some(listener),
            root: pages.root(),
            directory,
        }
    }

    /// What the configuration says of it.
    pub fn section(&self) -> String {
        let at = self.directory.path().display();
        let (url, address) = (&self.url, self.address);
        format!(
            r#"
[mtls]
url = "{url}"
address = "{address}"
tls_certificate_file = "{at}/mtls.pem"
tls_key_file = "{at}/mtls.key"
client_ca_file = "{at}/clients.pem"
"#
        )
    }

    /// Takes connections for a provider.
    pub fn serve(&self, provider: &Provider) -> ServerHandle {
        let mtls = provider.config.mtls.as_ref().expect("a section");
        let (_, files) = mtls.listener.as_ref().expect("a listener");
        let tls = tls::server("mtls", files, Clients::MayShowCertificates).expect("good files");
        let listener = self.listener.as_ref().expect("ours still");
        let listener = listener.try_clone().expect("a listener");
        let runtime = tokio::runtime::Handle::current();
        http::serve(provider.clone(), listener, Some(tls), runtime)
            .expect("served")
            .handle
    }

    /// Leaves the address to another process.
    pub fn let_go(&mut self) {
        self.listener = None;
    }

    /// A client application's connections, with a certificate or without.
    pub fn client(&self, made: Option<&Made>) -> reqwest::Client {
        self.client_of(made, reqwest::tls::Version::TLS_1_3)
    }

    /// The same by one version of TLS.
    pub fn client_of(
        &self,
        made: Option<&Made>,
        version: reqwest::tls::Version,
    ) -> reqwest::Client {
        let root = reqwest::Certificate::from_der(&self.root).expect("a certificate");
        let builder = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([root])
            .min_tls_version(version)
            .max_tls_version(version);
        match made {
            None => builder,
            Some(made) => {
                let identity = reqwest::Identity::from_pem(made.pem.as_bytes());
                builder.identity(identity.expect("a certificate with its key"))
            }
        }
        .build()
        .expect("a client")
    }
}

/// What the configuration says where a proxy takes the connections.
pub fn behind_proxy(authority: &ClientAuthority, format: HeaderFormat) -> (String, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("clients.pem");
    std::fs::write(&file, authority.root_pem()).expect("written");
    let format = match format {
        HeaderFormat::Rfc9440 => "rfc9440",
        HeaderFormat::EscapedPem => "escaped_pem",
    };
    let section = format!(
        r#"
[mtls]
url = "https://mtls.portvakt.example"
client_ca_file = "{}"
certificate_header = "Client-Cert"
certificate_format = "{format}"
"#,
        file.display()
    );
    (section, directory)
}
