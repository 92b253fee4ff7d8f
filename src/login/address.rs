//! How near two addresses are: one signal among others, logged and never decided by. Honest people
//! change networks between a page and an app, and their providers share addresses (BankID
//! relying-party API v6.0, "device.ipAddress").

use std::net::IpAddr;

/// How near the device that approved is to the browser that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nearness {
    /// The same address.
    Same,
    /// The same network: 24 bits of IPv4, 48 of IPv6.
    SameNetwork,
    /// One IPv4, one IPv6: that says nothing.
    OtherFamily,
    /// Another network.
    Far,
}

impl Nearness {
    /// How near they are.
    pub fn of(one: IpAddr, other: IpAddr) -> Nearness {
        match (plain(one), plain(other)) {
            (one, other) if one == other => Nearness::Same,
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                let differs = u32::from(one) ^ u32::from(other);
                near(differs >> (32 - 24) == 0)
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => {
                let differs = u128::from(one) ^ u128::from(other);
                near(differs >> (128 - 48) == 0)
            }
            _ => Nearness::OtherFamily,
        }
    }
}

fn near(is_near: bool) -> Nearness {
    match is_near {
        true => Nearness::SameNetwork,
        false => Nearness::Far,
    }
}

fn plain(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_the_same_near_or_far() {
        let _shows = crate::shows!(accepting "B7", refusing "B7");
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        for (one, other, expected) in [
            ("192.0.2.1", "192.0.2.1", Nearness::Same),
            ("::ffff:192.0.2.1", "192.0.2.1", Nearness::Same),
            ("192.0.2.1", "192.0.2.200", Nearness::SameNetwork),
            ("192.0.2.1", "192.0.3.1", Nearness::Far),
            // Behind one carrier's translation, and a private relay.
            ("100.64.1.2", "100.64.1.9", Nearness::SameNetwork),
            ("172.225.10.1", "81.229.40.2", Nearness::Far),
            ("2001:db8:1:2::1", "2001:db8:1:9::1", Nearness::SameNetwork),
            ("2001:db8:1::1", "2001:db8:2::1", Nearness::Far),
            ("192.0.2.1", "2001:db8::1", Nearness::OtherFamily),
        ] {
            assert_eq!(Nearness::of(ip(one), ip(other)), expected, "{one} {other}");
            assert_eq!(Nearness::of(ip(other), ip(one)), expected, "{other} {one}");
        }
    }
}
