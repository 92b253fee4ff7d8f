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
    /// a client that takes no BankID on phones has none. `reads_document` is whether a passport must be read that the
    /// client itself does not demand.
    pub fn of(
        demands: &Demands,
        reads_document: bool,
        manner: &Manner,
        links: &AppLinks,
    ) -> Offers {
        let scannable = demands.kinds.is_empty() || demands.kinds.contains(&Kind::Mobile);
        let other = demands.devices == Devices::Both && scannable;
        // A passport is read by a phone.
        let can_read = !(demands.mrtd || reads_document) || manner.is_hand_held();
        // And no computer has a BankID of a phone.
        let is_of_phones = demands.kinds == [Kind::Mobile];
        let fits = !is_of_phones || manner.is_hand_held() || links.lead_to_a_phone();
        Offers {
            // Nobody is left without any way: a link may still work where we know of no app.
            this: (links.offer(manner) && can_read && fits) || !other,
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
        let phones = Demands {
            kinds: vec![Kind::Mobile],
            ..Demands::default()
        };
        for (demands, browser, this, other) in [
            (&phones, "Windows", false, true),
            (&phones, "Macintosh Safari", false, true),
            (&phones, "Android Mobile", true, true),
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
            let manner = matrix.manner(browser, false);
            let offers = Offers::of(demands, false, &manner, &AppLinks::bankid());
            assert_eq!(offers, Offers { this, other }, "{browser}");
        }
        // What a client's policy asks for beyond that.
        for (browser, this) in [("Windows", false), ("Android Mobile", true)] {
            let manner = matrix.manner(browser, false);
            let offers = Offers::of(&any, true, &manner, &AppLinks::bankid());
            assert_eq!(offers, Offers { this, other: true }, "{browser}");
        }
    }
}
