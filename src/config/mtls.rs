//! `[mtls]`: where clients show certificates (RFC 8705).

use std::net::SocketAddr;
use std::path::Path;

use actix_web::http::header::HeaderName;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::issuer::Issuer;
use super::{Findings, TlsFiles, tls_files, written};
use crate::client::certificate::HeaderFormat;

/// Where clients show certificates, and whose.
#[derive(Clone, Debug)]
pub struct Mtls {
    /// The address in front of the endpoints' aliases.
    pub address: Issuer,
    /// Where connections to it are taken, when TLS ends here.
    pub listener: Option<(SocketAddr, TlsFiles)>,
    /// Where a proxy writes the certificate of its connection.
    pub header: Option<CertificateHeader>,
    /// Who issues the certificates of `tls_client_auth`; nobody, when there are none.
    pub authorities: Vec<CertificateDer<'static>>,
}

/// A header that is believed from our own proxies.
#[derive(Clone, Debug)]
pub struct CertificateHeader {
    /// Its name.
    pub name: HeaderName,
    /// How the certificate stands in it.
    pub format: HeaderFormat,
}

pub(super) fn check(
    written: written::Mtls,
    issuer: &Issuer,
    listen: &written::Listen,
    base: &Path,
    found: &mut Findings,
) -> Option<Mtls> {
    let address = found.take("mtls.url", address(&written.url, issuer));
    let tls = tls_files(
        "mtls",
        written.tls_certificate_file.as_deref(),
        written.tls_key_file.as_deref(),
        base,
        found,
    );
    let listener = match (written.address, tls) {
        (Some(address), Some(tls)) => Some((address, tls)),
        (None, None) => None,
        _ => {
            found.add(
                "mtls.address",
                "address, tls_certificate_file and tls_key_file belong together",
            );
            None
        }
    };
    if written.address.is_none() && written.certificate_header.is_none() {
        found.add(
            "mtls",
            "certificates come by a listener of our own (address) or by a proxy (certificate_header)",
        );
    }
    if written.certificate_header.is_some() && listen.trusted_proxies.is_empty() {
        found.add(
            "mtls.certificate_header",
            "is believed from listen.trusted_proxies alone, and there are none",
        );
    }
    if written.certificate_format.is_some() && written.certificate_header.is_none() {
        found.add(
            "mtls.certificate_format",
            "is the format of certificate_header",
        );
    }
    let header = written.certificate_header.and_then(|name| {
        let name = HeaderName::try_from(name).map_err(|_| "is not a header's name".to_owned());
        Some(CertificateHeader {
            name: found.take("mtls.certificate_header", name)?,
            format: written.certificate_format.unwrap_or_default(),
        })
    });
    let authorities = match written.client_ca_file {
        None => Vec::new(),
        Some(file) => found
            .take("mtls.client_ca_file", authorities(&base.join(file)))
            .unwrap_or_default(),
    };
    Some(Mtls {
        address: address?,
        listener,
        header,
        authorities,
    })
}

fn address(url: &str, issuer: &Issuer) -> Result<Issuer, String> {
    let address = Issuer::parse(url)?;
    if !address.is_secure {
        return Err("must be https".to_owned());
    }
    match address.authority == issuer.authority {
        true => Err(
            "must be another address than the issuer's: browsers would be asked for certificates"
                .to_owned(),
        ),
        false => Ok(address),
    }
}

/// The certificates of a PEM file, each of which can vouch for others.
fn authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let told = |what: String| format!("{}: {what}", file.display());
    let read = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| told(e.to_string()))?;
    let sound = |one: &CertificateDer<'_>| webpki::anchor_from_trusted_cert(one).is_ok();
    match !read.is_empty() && read.iter().all(sound) {
        true => Ok(read),
        false => Err(told("does not hold certificates in PEM".to_owned())),
    }
}

#[cfg(all(test, feature = "simulator"))]
mod tests {
    use super::*;
    use crate::testing::certificates::{ClientAuthority, Made};

    #[test]
    fn certificates_come_by_a_listener_or_by_a_trusted_proxy() {
        let _shows = crate::shows!(accepting "GE-02", refusing "GE-02");
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text).expect("written");
        };
        write("ca.pem", &ClientAuthority::new().root_pem());
        let made = Made::self_signed().pem;
        let (_, key) = made.split_once("END CERTIFICATE-----").expect("a key");
        write("key.pem", key);
        let issuer = Issuer::parse("https://login.example.se").expect("an issuer");
        let checked = |lines: &str, proxies: &str| {
            let url = match lines.contains("url =") {
                true => "",
                false => "url = \"https://mtls.example.se\"\n",
            };
            let written: written::Mtls = toml::from_str(&format!("{url}{lines}")).expect("TOML");
            let listen = toml::from_str(proxies).expect("TOML");
            let mut found = Findings::default();
            let mtls = check(written, &issuer, &listen, directory.path(), &mut found);
            let problems = super::super::Problems::from(found).to_string();
            (mtls, problems)
        };
        let proxies = "trusted_proxies = [\"10.0.0.0/8\"]";
        let listener =
            "address = \"0.0.0.0:8443\"\ntls_certificate_file = \"a\"\ntls_key_file = \"b\"\n";
        let header = "certificate_header = \"Client-Cert\"\n";
        for (lines, proxies) in [
            (listener.to_owned(), ""),
            (header.to_owned(), proxies),
            (format!("{listener}{header}"), proxies),
            (format!("{listener}client_ca_file = \"ca.pem\""), ""),
            (
                format!("{header}certificate_format = \"escaped_pem\""),
                proxies,
            ),
        ] {
            let (mtls, problems) = checked(&lines, proxies);
            assert!(mtls.is_some() && problems.is_empty(), "{lines}: {problems}");
        }
        for (lines, proxies, told) in [
            (String::new(), proxies, "mtls: certificates come by"),
            (
                "address = \"0.0.0.0:8443\"".to_owned(),
                "",
                "mtls.address: address,",
            ),
            (
                "tls_certificate_file = \"a\"".to_owned(),
                "",
                "mtls: tls_certificate_file and",
            ),
            (
                header.to_owned(),
                "",
                "mtls.certificate_header: is believed",
            ),
            (
                "certificate_header = \"a b\"".to_owned(),
                proxies,
                "mtls.certificate_header: is not",
            ),
            (
                format!("{listener}certificate_format = \"rfc9440\""),
                "",
                "mtls.certificate_format: is",
            ),
            (
                format!("{listener}url = \"http://localhost\""),
                "",
                "mtls.url: must be https",
            ),
            (
                format!("{listener}url = \"https://login.example.se\""),
                "",
                "mtls.url: must be another",
            ),
            (
                format!("{listener}client_ca_file = \"none.pem\""),
                "",
                "mtls.client_ca_file: ",
            ),
            (
                format!("{listener}client_ca_file = \"key.pem\""),
                "",
                "mtls.client_ca_file: ",
            ),
        ] {
            let (_, problems) = checked(&lines, proxies);
            assert!(problems.contains(told), "{lines}: {problems}");
        }
    }
}
