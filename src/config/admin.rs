//! `[admin]`: where administrators work.

use std::net::SocketAddr;
use std::path::Path;

use super::issuer::Issuer;
use super::{Findings, TlsFiles, tls_files, written};
use crate::clock::Seconds;

/// Where administrators work.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The address of pages and API.
    pub address: Issuer,
    /// Where connections to it are taken.
    pub listen: SocketAddr,
    /// The certificate that is shown there, when no proxy does.
    pub tls: Option<TlsFiles>,
    /// How long an administrator is logged in.
    pub session_lifetime: Seconds,
    /// Whether a second one must say yes before a client may have personal numbers.
    pub second_approver: bool,
}

pub(super) fn check(
    written: written::Admin,
    issuer: &Issuer,
    base: &Path,
    found: &mut Findings,
) -> Option<Admin> {
    let address = Issuer::parse(&written.url).and_then(|address| {
        match address.authority == issuer.authority {
            true => Err("must have another host or port than the issuer".to_owned()),
            false => Ok(address),
        }
    });
    let tls = tls_files(
        "admin",
        written.tls_certificate_file.as_deref(),
        written.tls_key_file.as_deref(),
        base,
        found,
    );
    if !(300..=43_200).contains(&written.session_lifetime) {
        found.add("admin.session_lifetime", "must be 300 to 43200 seconds");
    }
    Some(Admin {
        address: found.take("admin.url", address)?,
        listen: written.address,
        tls,
        session_lifetime: Seconds(written.session_lifetime),
        second_approver: written.second_approver,
    })
}
