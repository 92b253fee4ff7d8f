//! This device or another one: which of the two can be offered.

use serde::{Deserialize, Serialize};

use crate::bankid::launch::{AppLinks, Manner};
use crate::bankid::message::Device;
use crate::bankid::order::Kind;
use crate::client::bankid::Demands;

/// Which devices a client lets people use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Devices {
    /// Either.
    #[default]
    Both,
    /// This one alone: a code can be shown to somebody else, and a link that comes back cannot.
    ThisOnly,
}

/// What a person can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offers {
    /// The app on this device.
    pub this: bool,
    /// The app on another device, which scans a code.
    pub other: bool,
}

impl Offers {
    /// What a client's demands and the browser's system leave. A code is scanned by a phone, so
    /// a client that takes no BankID on phones has none.
    pub fn of(demands: &Demands, manner: &Manner, links: &AppLinks) -> Offers {
        let scannable = demands.kinds.is_empty() || demands.kinds.contains(&Kind::Mobile);
        let other = demands.devices == Devices::Both && scannable;
        // A passport is read by a phone.
        let can_read = !demands.mrtd || manner.is_hand_held();
        Offers {
            // Nobody is left without any way: a link may still work where we know of no app.
            this: (links.offer(manner) && can_read) || !other,
            other,
        }
    }

    /// Whether this one can be chosen.
    pub fn include(self, device: Device) -> bool {
        match device {
            Device::This => self.this,
            Device::Other => self.other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bankid::launch::Matrix;

    #[test]
    fn what_cannot_work_or_must_not_be_is_not_offered() {
        let _shows = crate::shows!(accepting "PV-DEVICE-1", refusing "PV-DEVICE-1");
        let matrix = Matrix::new(Vec::new());
        let any = Demands::default();
        let this_only = Demands {
            devices: Devices::ThisOnly,
            ..Demands::default()
        };
        let cards = Demands {
            kinds: vec![Kind::Card],
            ..Demands::default()
        };
        let documents = Demands {
            mrtd: true,
            ..Demands::default()
        };
        for (demands, browser, this, other) in [
            (&documents, "Windows", false, true),
            (&documents, "Android Mobile", true, true),
            (&any, "Windows", true, true),
            (&any, "Android Mobile", true, true),
            (&any, "X11; Linux", false, true),
            (&any, "X11; CrOS", false, true),
            (&this_only, "Windows", true, false),
            (&this_only, "X11; Linux", true, false),
            (&cards, "Windows", true, false),
        ] {
            let offers = Offers::of(demands, &matrix.manner(browser, false), &AppLinks::bankid());
            assert_eq!(offers, Offers { this, other }, "{browser}");
        }
    }
}
