//! How BankID's app is started from a browser and how it comes back (BankID relying-party API v6.0,
//! "autostart" and "return URL"): one table, because what browsers do differs and changes. An
//! operator may put rows of their own in front of it.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use url::Url;

use super::order::OrderTokens;
use crate::config::written::strictly;

/// Where the app is started: BankID's own addresses, or those of a simulated phone.
#[derive(Clone, Debug)]
pub struct AppLinks {
    /// For phones and tablets: a link that their system hands to the app.
    universal: Url,
    /// For computers, and where links are kept inside an application: a scheme that the program is
    /// registered for.
    scheme: Url,
    /// Whether any browser can follow it.
    works_everywhere: bool,
}

impl AppLinks {
    /// The addresses of the real app.
    pub fn bankid() -> AppLinks {
        AppLinks {
            universal: Url::parse("https://app.bankid.com/").expect("a constant address"),
            scheme: Url::parse("bankid:///").expect("a constant address"),
            works_everywhere: false,
        }
    }

    /// One address for both, where a simulated phone waits.
    pub fn simulated(phone: &Url) -> AppLinks {
        AppLinks {
            universal: phone.clone(),
            scheme: phone.clone(),
            works_everywhere: true,
        }
    }

    /// Whether a phone is at the other end of a link, on whatever device it is followed.
    pub fn lead_to_a_phone(&self) -> bool {
        self.works_everywhere
    }

    /// Whether the app can run on a device that starts it in this manner.
    pub fn offer(&self, manner: &Manner) -> bool {
        self.works_everywhere || manner.link != Link::None
    }

    /// The link that opens the app with this order.
    pub fn link(&self, manner: &Manner, tokens: &OrderTokens) -> Url {
        let mut link = match manner.link {
            Link::Universal => self.universal.clone(),
            Link::Scheme | Link::None => self.scheme.clone(),
        };
        link.query_pairs_mut()
            .append_pair("autostarttoken", &tokens.auto_start_token);
        link
    }
}

/// Which link starts the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// `https://app.bankid.com/`, which the system hands to the app.
    Universal,
    /// `bankid:///`.
    Scheme,
    /// There is no app for this system.
    None,
}

/// Whether the app may be started without a press on the link itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// The page's script may follow the link when the page has just come.
    ByItself,
    /// The browser wants to see a finger.
    ByPress,
}

/// The address that the app opens when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Return {
    /// `/r/{nonce}`: the system's browser opens it, in a new tab.
    Path,
    /// The page's own address with the nonce as its fragment: Safari reloads the page that it
    /// returns to unless only the fragment differs. It needs a script that reads it.
    Fragment,
    /// `/r/{nonce}` in a scheme that a certain browser listens to, because the system would open
    /// another one: `{url}` stands for the whole address, encoded, `{rest}` for all that follows
    /// `https://`.
    Scheme(String),
}

impl Return {
    /// The address for a login with this nonce. Schemes and fragments are for pages of production;
    /// without scripts there is nobody to read a fragment.
    pub fn address(&self, issuer: &str, login: &str, nonce: &str, scripts: bool) -> String {
        let path = format!("{issuer}/r/{nonce}");
        match self {
            Return::Fragment if scripts => format!("{issuer}/login/{login}#{nonce}"),
            Return::Scheme(template) if issuer.starts_with("https://") => {
                let rest = path.trim_start_matches("https://");
                let encoded: String =
                    url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
                template.replace("{rest}", rest).replace("{url}", &encoded)
            }
            Return::Path | Return::Fragment | Return::Scheme(_) => path,
        }
    }
}

impl From<Return> for String {
    fn from(value: Return) -> String {
        match value {
            Return::Path => "path".to_owned(),
            Return::Fragment => "fragment".to_owned(),
            Return::Scheme(template) => template,
        }
    }
}

impl TryFrom<String> for Return {
    type Error = String;

    fn try_from(text: String) -> Result<Return, String> {
        match text.as_str() {
            "path" => Ok(Return::Path),
            "fragment" => Ok(Return::Fragment),
            template if template.contains("{rest}") || template.contains("{url}") => {
                Ok(Return::Scheme(text))
            }
            _ => Err("return is path, fragment, or an address with {url} or {rest}".to_owned()),
        }
    }
}

/// Which choice comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum First {
    /// This device: a phone is in the hand.
    This,
    /// Another device: most people have their BankID on a phone.
    Other,
    /// A tablet may be either.
    Either,
}

/// How the app is started from one kind of browser, and how it comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manner {
    /// What the kind of browser is called here.
    pub name: String,
    /// Which link starts the app.
    pub link: Link,
    /// Whether it may be followed without a press.
    pub start: Start,
    /// Where the app goes afterwards.
    #[serde(rename = "return")]
    pub returning: Return,
    /// Which choice comes first.
    pub first: First,
    /// Whether this is an application's own browser, in which little works: the person is told how
    /// to get out of it.
    #[serde(default)]
    pub in_app: bool,
}

impl Default for Manner {
    /// A browser that nothing is known of.
    fn default() -> Manner {
        built_in().manner("", false)
    }
}

impl Manner {
    /// Whether the person most likely holds the device in the hand.
    pub fn is_hand_held(&self) -> bool {
        self.first != First::Other
    }
}

/// One row: which browsers, and their manner.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct Row {
    /// Each of these is in the `User-Agent`; `|` separates words of which one will do.
    pub contains: Vec<String>,
    /// None of these is.
    pub lacks: Vec<String>,
    /// Whether the screen takes several fingers, where the page's script could tell.
    pub touch: Option<bool>,
    /// What holds for them.
    pub manner: Manner,
}

impl TryFrom<toml::Table> for Row {
    type Error = toml::de::Error;

    /// By hand, because serde's `flatten` would let unknown keys pass.
    fn try_from(mut table: toml::Table) -> Result<Row, toml::de::Error> {
        let contains = table.remove("contains").map(toml::Value::try_into);
        let lacks = table.remove("lacks").map(toml::Value::try_into);
        let touch = table.remove("touch").map(toml::Value::try_into);
        Ok(Row {
            contains: contains.transpose()?.unwrap_or_default(),
            lacks: lacks.transpose()?.unwrap_or_default(),
            touch: touch.transpose()?,
            manner: strictly(table)?,
        })
    }
}

impl Row {
    fn fits(&self, user_agent: &str, touch: bool) -> bool {
        let has = |words: &String| words.split('|').any(|word| user_agent.contains(word));
        self.contains.iter().all(has)
            && !self.lacks.iter().any(has)
            && self.touch.is_none_or(|wanted| wanted == touch)
    }
}

/// The table. The first row that fits decides.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    rows: Vec<Row>,
}

impl Matrix {
    /// The built-in table, with an operator's rows in front of it.
    pub fn new(own: Vec<Row>) -> Matrix {
        let mut rows = own;
        rows.extend(built_in().rows.iter().cloned());
        Matrix { rows }
    }

    /// The manner of a browser, by its `User-Agent` and by whether its page found a screen that
    /// takes several fingers: an iPad calls itself a Macintosh.
    pub fn manner(&self, user_agent: &str, touch: bool) -> Manner {
        self.rows
            .iter()
            .find(|row| row.fits(user_agent, touch))
            .map(|row| row.manner.clone())
            .expect("the last built-in row fits everything")
    }
}

fn built_in() -> &'static Matrix {
    static BUILT_IN: LazyLock<Matrix> = LazyLock::new(|| Matrix {
        rows: table().collect(),
    });
    &BUILT_IN
}

const APPLE: &str = "iPhone|iPad|iPod";

/// Name, contains, lacks, touch, link, start, return, first, in an application.
type Line = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    Option<bool>,
    Link,
    Start,
    &'static str,
    First,
    bool,
);

/// BankID's advice is the https link on every phone and tablet, and the scheme on computers. The
/// system opens https return addresses in its default browser; browsers beside it on iOS have schemes
/// of their own. Android browsers want a press after an answer was waited for, but for two.
#[rustfmt::skip]
const TABLE: &[Line] = {
    use First::{Either, Other, This};
    use Link::{None as NoApp, Scheme, Universal};
    use Start::{ByItself, ByPress};
    &[
    // Inside applications on iOS: universal links stay inside.
    ("ios-facebook",    &[APPLE, "FBAN|FBAV|FB_IAB"],     &[],         None, Scheme,    ByPress,  "path", This, true),
    ("ios-instagram",   &[APPLE, "Instagram"],            &[],         None, Scheme,    ByPress,  "path", This, true),
    ("ios-webview",     &[APPLE],                         &["Safari"], None, Scheme,    ByPress,  "path", This, true),
    ("ios-google-app",  &[APPLE, "GSA/"],                 &[],         None, Universal, ByPress,  "path", This, true),
    // Browsers beside Safari, each with a scheme that leads back to it.
    ("ios-chrome",      &["CriOS"],                       &[],         None, Universal, ByItself, "googlechromes://{rest}", This, false),
    ("ios-firefox",     &["FxiOS"],                       &[],         None, Universal, ByItself, "firefox://open-url?url={url}", This, false),
    ("ios-edge",        &["EdgiOS"],                      &[],         None, Universal, ByItself, "microsoft-edge-https://{rest}", This, false),
    ("ios-opera",       &["OPT/|OPiOS"],                  &[],         None, Universal, ByItself, "touch-https://{rest}", This, false),
    ("ios-duckduckgo",  &[APPLE, "DuckDuckGo|Ddg/"],      &[],         None, Universal, ByItself, "ddgQuickLink://{rest}", This, false),
    ("ios-brave",       &[APPLE, "Brave"],                &[],         None, Universal, ByItself, "brave://open-url?url={url}", This, false),
    // Safari, and what looks like it: the system's own login windows.
    ("ios-safari",      &["iPhone|iPod", "Safari"],       &[],         None, Universal, ByItself, "fragment", This, false),
    ("ipad-safari",     &["iPad", "Safari"],              &[],         None, Universal, ByItself, "fragment", Either, false),
    ("ipad-as-desktop", &["Macintosh", "Safari"],         &["Chrome|Firefox|Edg/"], Some(true), Universal, ByItself, "fragment", Either, false),
    // Inside applications on Android: app links are not handed on.
    ("android-facebook",  &["Android", "FBAN|FBAV|FB_IAB"], &[],       None, Scheme,    ByPress,  "path", This, true),
    ("android-instagram", &["Android", "Instagram"],      &[],         None, Scheme,    ByPress,  "path", This, true),
    ("android-webview", &["Android", "; wv)"],            &[],         None, Scheme,    ByPress,  "path", This, true),
    ("android-firefox", &["Android", "Firefox"],          &[],         None, Universal, ByItself, "path", This, false),
    ("android-opera",   &["Android", "OPR/"],             &[],         None, Universal, ByItself, "path", This, false),
    ("android-edge",    &["Android", "EdgA"],             &[],         None, Universal, ByPress,  "path", This, false),
    ("android-samsung", &["Android", "SamsungBrowser", "Mobile"], &[], None, Universal, ByPress,  "path", This, false),
    ("android-duckduckgo", &["Android", "DuckDuckGo|Ddg/"], &[],       None, Universal, ByPress,  "path", This, false),
    ("android-tablet",  &["Android"],                     &["Mobile"], None, Universal, ByPress,  "path", Either, false),
    ("android",         &["Android"],                     &[],         None, Universal, ByPress,  "path", This, false),
    // Computers.
    ("chromeos",        &["CrOS"],                        &[],         None, NoApp,     ByPress,  "path", Other, false),
    ("windows",         &["Windows"],                     &[],         None, Scheme,    ByItself, "path", Other, false),
    ("mac",             &["Macintosh"],                   &[],         None, Scheme,    ByItself, "path", Other, false),
    // A large tablet with Android whose browser asks for pages of computers, as Chrome's does unless told otherwise.
    ("android-as-desktop", &["X11; Linux"],               &["CrOS"],   Some(true), Universal, ByPress, "path", Either, false),
    ("linux",           &["Linux|X11"],                   &[],         None, NoApp,     ByPress,  "path", Other, false),
    ("unknown",         &[],                              &[],         None, Scheme,    ByPress,  "path", Other, false),
    ]
};

fn table() -> impl Iterator<Item = Row> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    TABLE.iter().map(
        move |&(name, contains, lacks, touch, link, start, returning, first, in_app)| Row {
            contains: owned(contains),
            lacks: owned(lacks),
            touch,
            manner: Manner {
                name: name.to_owned(),
                link,
                start,
                returning: returning
                    .to_owned()
                    .try_into()
                    .expect("the table holds addresses that can be read"),
                first,
                in_app,
            },
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME_ANDROID: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36";
    const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1";

    #[rustfmt::skip]
    const BROWSERS: &[(&str, &str)] = &[
        ("ios-safari", SAFARI),
        ("ios-safari", "Mozilla/5.0 (iPhone; CPU iPhone OS 15_8 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.6 Mobile/15E148 Safari/604.1"),
        ("ios-safari", "Mozilla/5.0 (iPod touch; CPU iPhone OS 12_5_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1"),
        ("ios-chrome", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.7444.77 Mobile/15E148 Safari/604.1"),
        ("ios-chrome", "Mozilla/5.0 (iPad; CPU OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.7444.77 Mobile/15E148 Safari/604.1"),
        ("ios-chrome", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142 Version/11.1.1 Safari/605.1.15"),
        ("ios-firefox", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/144.0 Mobile/15E148 Safari/605.1.15"),
        ("ios-edge", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 EdgiOS/141.0.3537.99 Mobile/15E148 Safari/605.1.15"),
        ("ios-opera", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.7 Mobile/15E148 Safari/604.1 OPT/6.1.2"),
        ("ios-opera", "Mozilla/5.0 (iPhone; CPU iPhone OS 16_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) OPiOS/16.0.15.124050 Mobile/15E148 Safari/9537.53"),
        ("ios-duckduckgo", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.7 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15"),
        ("ios-duckduckgo", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.7 Mobile/15E148 Safari/605.1.15 Ddg/18.7"),
        ("ios-brave", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.7 Brave/1 Mobile/15E148 Safari/604.1"),
        ("ios-google-app", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/395.0.8 Mobile/15E148 Safari/604.1"),
        ("ios-facebook", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22H20 [FBAN/FBIOS;FBAV/535.0.0.44.101;FBBV/800000000;FBDV/iPhone15,2;FBMD/iPhone;FBSN/iOS;FBSV/18.7;FBSS/3;FBID/phone;FBLC/sv_SE;FBOP/5;FBRV/0]"),
        ("ios-instagram", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22H20 Instagram 404.0.0.20.79 (iPhone15,2; iOS 18_7; sv_SE; sv; scale=3.00; 1179x2556; 800000000)"),
        ("ios-webview", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [LinkedInApp]/9.31"),
        ("ios-webview", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 musical_ly_42.1.0 BytedanceWebview/d8a21c6"),
        ("ios-webview", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Snapchat/13.62"),
        ("ipad-safari", "Mozilla/5.0 (iPad; CPU OS 15_8 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.6 Mobile/15E148 Safari/604.1"),
        ("android", CHROME_ANDROID),
        ("android", "Mozilla/5.0 (Linux; Android 11; SM-A125F) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0.4664.104 Mobile Safari/537.36"),
        ("android", "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"),
        ("android-edge", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36 EdgA/141.0.0.0"),
        ("android-samsung", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36"),
        ("android-firefox", "Mozilla/5.0 (Android 16; Mobile; rv:144.0) Gecko/144.0 Firefox/144.0"),
        ("android-firefox", "Mozilla/5.0 (Android 13; Tablet; rv:144.0) Gecko/144.0 Firefox/144.0"),
        ("android-opera", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36 OPR/92.0.0.0"),
        ("android-duckduckgo", "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/141.0.7390.122 Mobile DuckDuckGo/5 Safari/537.36"),
        ("android-facebook", "Mozilla/5.0 (Linux; Android 15; SM-S921B Build/AP3A.240905.015; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/141.0.7390.122 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/535.0.0.49.72;IABMV/1;]"),
        ("android-instagram", "Mozilla/5.0 (Linux; Android 15; SM-S921B Build/AP3A.240905.015; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/141.0.7390.122 Mobile Safari/537.36 Instagram 404.0.0.48.76 Android (35/15; 480dpi; 1080x2340; samsung; SM-S921B; e1s; s5e9945; sv_SE; 800000000)"),
        ("android-webview", "Mozilla/5.0 (Linux; Android 14; Pixel 7 Build/AP2A.240905.003; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/141.0.7390.122 Mobile Safari/537.36"),
        ("android-tablet", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"),
        ("android-tablet", "Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Safari/537.36"),
        ("windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"),
        ("windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0"),
        ("windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0"),
        ("windows", "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko"),
        ("mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15"),
        ("mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"),
        ("mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:144.0) Gecko/20100101 Firefox/144.0"),
        ("chromeos", "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"),
        ("linux", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"),
        ("linux", "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"),
        ("unknown", "curl/8.5.0"),
        ("unknown", ""),
    ];

    #[test]
    fn browsers_are_told_apart_as_far_as_they_say() {
        let _shows = crate::shows!(accepting "PV-LAUNCH-1", refusing "PV-LAUNCH-1");
        assert!(BROWSERS.len() >= 40);
        let matrix = Matrix::new(Vec::new());
        for (name, user_agent) in BROWSERS {
            assert_eq!(matrix.manner(user_agent, false).name, *name, "{user_agent}");
        }
        let named: std::collections::BTreeSet<_> = BROWSERS.iter().map(|(name, _)| *name).collect();
        for (name, ..) in TABLE {
            assert!(
                named.contains(name) || name.ends_with("-as-desktop"),
                "{name} is not tried"
            );
        }
        // An iPad that calls itself a Macintosh is known by its screen, a Macintosh with Chrome is not one.
        let mac = BROWSERS.iter().filter(|(name, _)| *name == "mac");
        let touched: Vec<String> = mac.map(|(_, ua)| matrix.manner(ua, true).name).collect();
        assert_eq!(touched, ["ipad-as-desktop", "mac", "mac"]);
        // And so a tablet that calls itself a computer with Linux.
        let linux = BROWSERS.iter().find(|(name, _)| *name == "linux");
        let (_, tablet) = linux.expect("there is one");
        let manner = matrix.manner(tablet, true);
        assert_eq!(
            (manner.name.as_str(), manner.link),
            ("android-as-desktop", Link::Universal)
        );
    }

    fn tokens() -> OrderTokens {
        OrderTokens {
            order_ref: "o".into(),
            auto_start_token: "7c40b5c9-fa74-49cf-b98c-bfe651f9a7c6".into(),
            qr_start_token: "q".into(),
            qr_start_secret: "s".into(),
        }
    }

    #[test]
    fn each_kind_of_browser_gets_its_link_and_its_way_back() {
        let _shows = crate::shows!(accepting "BC-06", accepting "BC-07", accepting "BP-12", accepting "BP-16", accepting "BP-18", accepting "BP-38", accepting "PV-LAUNCH-2", refusing "PV-LAUNCH-2");
        let matrix = Matrix::new(Vec::new());
        let links = AppLinks::bankid();
        const NONCE: &str = "rn_n";
        for (name, user_agent) in BROWSERS {
            let manner = matrix.manner(user_agent, false);
            let link = links.link(&manner, &tokens()).to_string();
            let token = "autostarttoken=7c40b5c9-fa74-49cf-b98c-bfe651f9a7c6";
            let (prefix, offered) = match manner.link {
                Link::Universal => ("https://app.bankid.com/?", true),
                Link::Scheme => ("bankid:///?", true),
                Link::None => ("bankid:///?", false),
            };
            assert_eq!(link, format!("{prefix}{token}"), "{name}");
            assert_eq!(links.offer(&manner), offered, "{name}");
            let phone = name.starts_with("ios") || name.starts_with("android");
            assert!(!phone || manner.is_hand_held(), "{name}");
            let back = manner
                .returning
                .address("https://login.example", "id", NONCE, true);
            assert!(
                (1..=512).contains(&back.len()) && back.contains(NONCE),
                "{back}"
            );
            assert!(Url::parse(&back).is_ok(), "{back}");
            let local = manner
                .returning
                .address("http://localhost:8080", "id", NONCE, false);
            assert_eq!(local, "http://localhost:8080/r/rn_n", "{name}");
        }
        for (name, back) in [
            ("ios-safari", "https://login.example/login/id#rn_n"),
            ("ios-chrome", "googlechromes://login.example/r/rn_n"),
            (
                "ios-firefox",
                "firefox://open-url?url=https%3A%2F%2Flogin.example%2Fr%2Frn_n",
            ),
            ("ios-edge", "microsoft-edge-https://login.example/r/rn_n"),
            ("android", "https://login.example/r/rn_n"),
        ] {
            let (_, user_agent) = BROWSERS
                .iter()
                .find(|(n, _)| *n == name)
                .expect("a browser");
            let returning = matrix.manner(user_agent, false).returning;
            assert_eq!(
                returning.address("https://login.example", "id", NONCE, true),
                back
            );
        }
        assert!(
            AppLinks::simulated(&Url::parse("http://localhost:3001/").expect("an address"))
                .offer(&matrix.manner("X11; Linux", false)),
            "a simulated phone runs everywhere"
        );
    }

    #[test]
    fn phones_get_the_https_link_and_computers_the_scheme() {
        let _shows = crate::shows!(accepting "BC-06", accepting "BC-07", accepting "BP-16", refusing "BP-16", accepting "BP-18", accepting "BP-39");
        let matrix = Matrix::new(Vec::new());
        for (name, user_agent) in BROWSERS {
            let manner = matrix.manner(user_agent, false);
            let link = AppLinks::bankid().link(&manner, &tokens());
            let is_phone = name.starts_with("ios") || name.starts_with("android");
            // An application's own browser keeps https links for itself. Google's hands them on.
            let is_inside = ["facebook", "instagram", "webview"]
                .iter()
                .any(|app| name.ends_with(app));
            let expected = match is_inside {
                false if is_phone || *name == "ipad-safari" => "https",
                _ => "bankid",
            };
            assert_eq!(link.scheme(), expected, "{user_agent}");
            assert!(!is_inside || manner.in_app, "{name}");
            let first = match *name {
                // It may lie on a table or be held in the hand.
                "ipad-safari" | "android-tablet" => First::Either,
                _ if is_phone => First::This,
                _ => First::Other,
            };
            assert_eq!(manner.first, first, "{user_agent}");
        }
    }

    #[test]
    fn an_operators_rows_come_first() {
        let _shows = crate::shows!(accepting "PV-LAUNCH-3", refusing "PV-LAUNCH-3");
        #[derive(Deserialize)]
        struct File {
            row: Vec<Row>,
        }
        let row = |change: &str| {
            let text = format!(
                "[[row]]\nname = \"own\"\ncontains = [\"Android\", \"Chrome/142|Chrome/143\"]\nlink = \"scheme\"\nstart = \"by_press\"\nreturn = \"path\"\nfirst = \"this\"\n{change}"
            );
            toml::from_str::<File>(&text)
        };
        let matrix = Matrix::new(row("").expect("a row").row);
        assert_eq!(matrix.manner(CHROME_ANDROID, false).name, "own");
        assert_eq!(matrix.manner(SAFARI, false).name, "ios-safari");
        for wrong in ["extra = 1", "in_app = \"yes\""] {
            assert!(row(wrong).is_err(), "{wrong}");
        }
        assert!(Return::try_from("nowhere".to_owned()).is_err());
    }
}
