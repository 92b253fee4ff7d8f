//! `[outbound]`: where we may call clients.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use url::Host;

use super::{Findings, written};
use crate::outbound::Allowed;

pub(super) fn check(written: written::Outbound, base: &Path, found: &mut Findings) -> Allowed {
    let roots = written.ca_file.map(|file| {
        let read: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(base.join(&file)).and_then(Iterator::collect);
        let read = read.map_err(|e| format!("{}: {e}", file.display()));
        read.and_then(|roots| match roots.is_empty() {
            true => Err(format!("{} holds no certificate", file.display())),
            false => Ok(roots),
        })
    });
    let roots = roots.and_then(|roots| found.take("outbound.ca_file", roots));
    let hosts: Result<Vec<Host>, String> = written
        .allow_hosts
        .iter()
        .map(|host| {
            Host::parse(host)
                .map_err(|_| format!("{host} is no host name: no scheme, port or path"))
        })
        .collect();
    Allowed {
        networks: written.allow_networks,
        hosts: found
            .take("outbound.allow_hosts", hosts)
            .unwrap_or_default(),
        roots: roots.unwrap_or_default(),
    }
}
