//! The links that open BankID's app (BankID relying-party API v6.0, "autostart"), and how the app
//! comes back.

use serde::{Deserialize, Serialize};
use url::Url;

use super::order::OrderTokens;

/// Where the app is started: BankID's own addresses, or those of a simulated phone.
#[derive(Clone, Debug)]
pub struct AppLinks {
    /// For phones and tablets: a link that their system hands to the app.
    pub mobile: Url,
    /// For computers: a scheme that the program is registered for.
    pub desktop: Url,
}

impl AppLinks {
    /// The addresses of the real app.
    pub fn bankid() -> AppLinks {
        AppLinks {
            mobile: Url::parse("https://app.bankid.com/").expect("a constant address"),
            desktop: Url::parse("bankid:///").expect("a constant address"),
        }
    }

    /// One address for both, where a simulated phone waits.
    pub fn simulated(phone: &Url) -> AppLinks {
        AppLinks {
            mobile: phone.clone(),
            desktop: phone.clone(),
        }
    }

    /// The link that opens the app with this order.
    pub fn link(&self, platform: Platform, tokens: &OrderTokens) -> Url {
        let mut link = match platform {
            Platform::Computer => self.desktop.clone(),
            Platform::Phone | Platform::AppleSafari => self.mobile.clone(),
        };
        link.query_pairs_mut()
            .append_pair("autostarttoken", &tokens.auto_start_token);
        link
    }
}

/// What kind of device the browser runs on, as far as its `User-Agent` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// A phone or tablet.
    Phone,
    /// Safari itself on an iPhone or iPad: it reloads the page that the app returns to, unless
    /// the address differs only in its fragment.
    AppleSafari,
    /// Everything else.
    Computer,
}

impl Platform {
    /// Judges a `User-Agent` header.
    pub fn of(user_agent: &str) -> Platform {
        let has = |part: &str| user_agent.contains(part);
        let apple = has("iPhone") || has("iPad") || has("iPod");
        let other_browser = [
            "CriOS",
            "FxiOS",
            "EdgiOS",
            "OPT/",
            "OPiOS",
            "DuckDuckGo",
            "Ddg/",
        ]
        .iter()
        .any(|part| has(part));
        let in_app = ["FBAN", "FBAV", "Instagram"].iter().any(|part| has(part));
        if apple && has("Safari") && !other_browser && !in_app {
            Platform::AppleSafari
        } else if apple || has("Android") {
            Platform::Phone
        } else {
            Platform::Computer
        }
    }

    /// Whether the person most likely holds the device with their BankID in the hand.
    pub fn is_hand_held(self) -> bool {
        !matches!(self, Platform::Computer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_is_read_from_the_browser() {
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
        let chrome_ios = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/137.0 Mobile/15E148 Safari/604.1";
        let facebook = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/500]";
        let android = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36";
        let windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36";
        assert_eq!(Platform::of(safari), Platform::AppleSafari);
        assert_eq!(Platform::of(chrome_ios), Platform::Phone);
        assert_eq!(Platform::of(facebook), Platform::Phone);
        assert_eq!(Platform::of(android), Platform::Phone);
        assert_eq!(Platform::of(windows), Platform::Computer);
        assert_eq!(Platform::of(""), Platform::Computer);
    }

    #[test]
    fn phones_get_the_web_link_and_computers_the_scheme() {
        let tokens = OrderTokens {
            order_ref: "o".into(),
            auto_start_token: "7c40b5c9-fa74-49cf-b98c-bfe651f9a7c6".into(),
            qr_start_token: "q".into(),
            qr_start_secret: "s".into(),
        };
        let link = |platform| AppLinks::bankid().link(platform, &tokens).to_string();
        assert_eq!(
            link(Platform::Phone),
            "https://app.bankid.com/?autostarttoken=7c40b5c9-fa74-49cf-b98c-bfe651f9a7c6"
        );
        assert_eq!(
            link(Platform::Computer),
            "bankid:///?autostarttoken=7c40b5c9-fa74-49cf-b98c-bfe651f9a7c6"
        );
    }
}
