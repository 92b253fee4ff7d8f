//! How the pages that people log in on look for a client: its colours, a word of its own, and where there is
//! help. A colour that people could not read is not one.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::logo::{Logo, LogoDigest};
use super::setting::Mistake;
use super::{CalledUri, Purpose};

/// How a client's login page looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Theme {
    /// The colour of buttons and links on a light page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accent: Option<Color>,
    /// The same on a dark page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accent_dark: Option<Color>,
    /// Its logo, which stands beside its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<Logo>,
    /// The same on a dark page, where the other could not be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_dark: Option<Logo>,
    /// A sentence of its own, below the purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Purpose>,
    /// Where people find help with the service (https).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help_uri: Option<CalledUri>,
    /// The service's own first page (https), for people whom a login can lead nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_uri: Option<CalledUri>,
}

impl Theme {
    /// Whether it is the one that every client begins with.
    pub fn is_usual(&self) -> bool {
        *self == Theme::default()
    }

    /// Its logos, by the names of their settings.
    pub fn logos(&self) -> impl Iterator<Item = (&'static str, &Logo)> {
        let named = [
            ("theme.logo", &self.logo),
            ("theme.logo_dark", &self.logo_dark),
        ];
        named
            .into_iter()
            .filter_map(|(name, logo)| Some((name, logo.as_ref()?)))
    }

    /// What its logos are kept under.
    pub fn digests(&self) -> Vec<LogoDigest> {
        self.logos().filter_map(|(_, logo)| logo.digest()).collect()
    }

    /// Makes pictures of what was given as logos. It takes a while: not on a thread that others wait for.
    pub fn drawn(self) -> Result<Theme, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut drawn = |name: &str, logo: Option<Logo>| {
            let drawn = logo?.drawn();
            drawn
                .map_err(|reason| mistakes.push(Mistake::new(name, reason)))
                .ok()
        };
        let theme = Theme {
            logo: drawn("theme.logo", self.logo),
            logo_dark: drawn("theme.logo_dark", self.logo_dark),
            ..self
        };
        match mistakes.is_empty() {
            true => Ok(theme),
            false => Err(mistakes),
        }
    }

    /// Its colours, if it has any.
    pub fn palette(&self) -> Option<Palette> {
        let palette = Palette {
            light: self.accent.unwrap_or(LIGHT_ACCENT),
            dark: self.accent_dark.unwrap_or(DARK_ACCENT),
        };
        (self.accent.is_some() || self.accent_dark.is_some()).then_some(palette)
    }

    /// Whether the colour for light pages can be read there (WCAG 2.2, 1.4.3 and 1.4.11).
    pub fn is_readable_on_light(&self) -> bool {
        self.accent.is_none_or(|accent| {
            LIGHT_GROUNDS
                .iter()
                .all(|ground| accent.contrast(*ground) >= READABLE)
        })
    }

    /// The same for dark pages.
    pub fn is_readable_on_dark(&self) -> bool {
        self.accent_dark.is_none_or(|accent| {
            DARK_GROUNDS
                .iter()
                .all(|ground| accent.contrast(*ground) >= READABLE)
        })
    }
}

/// What text must differ from what is behind it by.
const READABLE: f64 = 4.5;
/// What is behind text on our pages, which has these colours in the style sheet.
const LIGHT_GROUNDS: [Color; 2] = [Color([0xff, 0xff, 0xff]), Color([0xf4, 0xf3, 0xef])];
const DARK_GROUNDS: [Color; 2] = [Color([0x1e, 0x23, 0x28]), Color([0x14, 0x17, 0x1a])];
const LIGHT_ACCENT: Color = Color([0x12, 0x43, 0x6d]);
const DARK_ACCENT: Color = Color([0x8e, 0xc5, 0xf2]);
const WHITE: Color = Color([0xff; 3]);
const BLACK: Color = Color([0; 3]);

/// A colour in sRGB, written `#12436d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color([u8; 3]);

impl Color {
    /// Six hexadecimal digits in small letters, with `#` in front.
    pub fn parse(text: &str) -> Option<Color> {
        let digits = text.strip_prefix('#')?;
        let is_small = digits
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let bytes = hex::decode(digits).ok().filter(|_| is_small)?;
        Some(Color(bytes.try_into().ok()?))
    }

    /// WCAG 2.2, relative luminance.
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            match part <= 0.04045 {
                true => part / 12.92,
                false => ((part + 0.055) / 1.055).powf(2.4),
            }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// WCAG 2.2, contrast ratio: 1 to 21.
    pub fn contrast(self, other: Color) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// Black or white, whichever can be read on this.
    fn ink(self) -> Color {
        match self.contrast(WHITE) >= self.contrast(BLACK) {
            true => WHITE,
            false => BLACK,
        }
    }

    /// A little farther from its ink, for what a finger is over.
    fn over(self) -> Color {
        let toward = match self.ink() {
            WHITE => 0,
            _ => 255,
        };
        Color(self.0.map(|part| {
            let moved = u16::from(part) * 4 + toward;
            u8::try_from(moved / 5).unwrap_or(u8::MAX)
        }))
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", hex::encode(self.0))
    }
}

impl Serialize for Color {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Color {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Color::parse(&text).ok_or_else(|| serde::de::Error::custom("must be a colour as #12436d"))
    }
}

/// The colours of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    light: Color,
    dark: Color,
}

impl Palette {
    /// Its style sheet.
    pub fn style(self) -> String {
        let rules = |color: Color| {
            format!(
                "--accent:{color};--accent-ink:{};--accent-over:{}",
                color.ink(),
                color.over()
            )
        };
        format!(
            ":root{{{}}}@media (prefers-color-scheme:dark){{:root{{{}}}}}",
            rules(self.light),
            rules(self.dark)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(text: &str) -> Color {
        Color::parse(text).expect(text)
    }

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        for (one, two, expected) in [
            ("#000000", "#ffffff", 21.0),
            ("#ffffff", "#ffffff", 1.0),
            // The grey that is known for passing by a hair.
            ("#767676", "#ffffff", 4.54),
            ("#777777", "#ffffff", 4.48),
        ] {
            let found = color(one).contrast(color(two));
            assert!((found - expected).abs() < 0.01, "{one} {two}: {found}");
        }
        for bad in [
            "",
            "#fff",
            "12436d",
            "#12436D",
            "#12436g",
            "red",
            "#12436d;}",
        ] {
            assert_eq!(Color::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_nobody_could_read_is_no_theme() {
        let _shows = crate::shows!(accepting "PV-THEME-1", refusing "PV-THEME-1");
        let of = |accent: Option<&str>, dark: Option<&str>| Theme {
            accent: accent.map(color),
            accent_dark: dark.map(color),
            ..Theme::default()
        };
        for (theme, light, dark) in [
            (of(None, None), true, true),
            (of(Some("#12436d"), Some("#8ec5f2")), true, true),
            (of(Some("#ffd500"), None), false, true),
            (of(None, Some("#12436d")), true, false),
        ] {
            let found = (theme.is_readable_on_light(), theme.is_readable_on_dark());
            assert_eq!(found, (light, dark), "{theme:?}");
        }
        assert_eq!(Theme::default().palette(), None);
        let own = Theme {
            accent: Some(LIGHT_ACCENT),
            accent_dark: Some(DARK_ACCENT),
            ..Theme::default()
        };
        assert!(own.is_readable_on_light() && own.is_readable_on_dark());
    }

    #[test]
    fn what_is_written_on_a_colour_can_be_read() {
        let _shows = crate::shows!(accepting "PV-THEME-1", refusing "PV-THEME-1");
        let palette = Palette {
            light: color("#7a0019"),
            dark: color("#ffb3c1"),
        };
        let style = palette.style();
        assert!(
            style.contains("--accent:#7a0019;--accent-ink:#ffffff"),
            "{style}"
        );
        assert!(
            style.contains("--accent:#ffb3c1;--accent-ink:#000000"),
            "{style}"
        );
        // What a finger is over can still be read.
        for text in ["#000000", "#12436d", "#767676", "#8ec5f2", "#ffffff"] {
            let over = color(text).over();
            assert!(
                over.contrast(color(text).ink()) >= color(text).contrast(color(text).ink()) - 0.01,
                "{text}"
            );
        }
        // The grounds are those of the style sheet.
        let sheet = include_str!("../../static/base.css");
        for ground in LIGHT_GROUNDS
            .into_iter()
            .chain(DARK_GROUNDS)
            .chain([LIGHT_ACCENT, DARK_ACCENT])
        {
            assert!(sheet.contains(&ground.to_string()), "{ground}");
        }
    }
}
