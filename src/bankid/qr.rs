//! The animated QR code (BankID relying-party API v6.0, "QR code"): a new frame each second,
//! computed here and nowhere else. The browser is given the frame of this second and never the
//! key or a frame to come.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version};
use sha2::Sha256;

use super::order::OrderTokens;

/// The text of the frame for the `seconds`-th whole second since BankID's answer was received.
pub fn frame(tokens: &OrderTokens, seconds: u64) -> String {
    let code = auth_code(&tokens.qr_start_secret, seconds);
    format!("bankid.{}.{seconds}.{code}", tokens.qr_start_token)
}

/// HMAC-SHA-256 under the secret *as text*, of the seconds in decimal.
fn auth_code(secret: &str, seconds: u64) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(seconds.to_string().as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// How many modules a code is wide, without the quiet zone.
pub const MODULES: usize = 45;

/// The picture of a frame. Version, error correction and mask are pinned (7, M, 0), so that it keeps its
/// size when the seconds grow a digit, and no other mask is tried, which would be nine tenths of the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// A bit for each module, set where it is dark: row by row, from the left, the highest of a byte first.
    modules: Vec<u8>,
}

impl Picture {
    /// `None` when the text does not fit, which no frame of BankID's tokens is long enough for.
    pub fn of(frame: &str) -> Option<Picture> {
        let code = code(frame)?;
        let mut modules = vec![0; (MODULES * MODULES).div_ceil(8)];
        let places = (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y)));
        for (n, (x, y)) in places.enumerate() {
            modules[n / 8] |= u8::from(code.get_module(x, y)) << (7 - n % 8);
        }
        Some(Picture { modules })
    }

    /// All modules in Base64: a twentieth of the path, for a page that draws by itself.
    pub fn modules(&self) -> String {
        STANDARD.encode(&self.modules)
    }

    /// The `d` of an SVG path in a square of [`MODULES`] units: one subpath for each horizontal run of dark
    /// modules.
    pub fn path(&self) -> String {
        let mut d = String::with_capacity(8 * 1024);
        for y in 0..MODULES {
            let mut x = 0;
            while x < MODULES {
                let run = (x..MODULES).take_while(|x| self.is_dark(*x, y)).count();
                if run > 0 {
                    let (x, y, run) = (number(x), number(y), number(run));
                    for part in ["M", x, " ", y, "h", run, "v1h-", run, "z"] {
                        d.push_str(part);
                    }
                }
                x += run.max(1);
            }
        }
        d
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        let n = y * MODULES + x;
        self.modules[n / 8] >> (7 - n % 8) & 1 == 1
    }
}

fn code(frame: &str) -> Option<QrCode> {
    let (version, mask) = (Version::new(7), Mask::new(0));
    let segments = [QrSegment::make_bytes(frame.as_bytes())];
    let level = QrCodeEcc::Medium;
    QrCode::encode_segments_advanced(&segments, level, version, version, Some(mask), false).ok()
}

/// A number that can stand in a path, in decimal. They are few, and each login's page has hundreds.
fn number(n: usize) -> &'static str {
    static NUMBERS: LazyLock<Vec<String>> =
        LazyLock::new(|| (0..=MODULES).map(|n| n.to_string()).collect());
    NUMBERS.get(n).map_or("0", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documented() -> OrderTokens {
        OrderTokens {
            order_ref: "131daac9-16c6-4618-beb0-365768f37288".into(),
            auto_start_token: "7c40b5c9-fa74-49cf-b98c-bfe651f9a7c6".into(),
            qr_start_token: "67df3917-fa0d-44e5-b327-edcc928297f8".into(),
            qr_start_secret: "d28db9a7-4cde-429e-a983-359be676944c".into(),
        }
    }

    #[test]
    fn the_frames_are_those_of_the_documentation() {
        let _shows = crate::shows!(accepting "BC-05", refusing "BC-05", accepting "PV-QR-1", refusing "PV-QR-1");
        for (seconds, code) in [
            (
                0,
                "dc69358e712458a66a7525beef148ae8526b1c71610eff2c16cdffb4cdac9bf8",
            ),
            (
                1,
                "949d559bf23403952a94d103e67743126381eda00f0b3cbddbf7c96b1adcbce2",
            ),
            (
                2,
                "a9e5ec59cb4eee4ef4117150abc58fad7a85439a6a96ccbecc3668b41795b3f3",
            ),
            (
                3,
                "96077d77699971790b46ee1f04ff1e44fe96b0602c9c51e4ca9c6d031c7c3bb7",
            ),
            (
                4,
                "1d9a7e5dd98d08cb393f73c63ce032df0c9433512153ab9fb040b96cd45b1b11",
            ),
            (
                10,
                "2822ca616ce1e64a1c171df69154ebc5adef4011244c867d6ad88a02db178962",
            ),
            (
                29,
                "26049f2bc12d5b43ebe8bf701e7725abf015d2d8347aa04c924b5793ee4a196c",
            ),
            (
                30,
                "814d7fd38e2276625b6815152e3554c663acca689260c092203b48ca4e5c09a3",
            ),
        ] {
            let expected = format!("bankid.67df3917-fa0d-44e5-b327-edcc928297f8.{seconds}.{code}");
            assert_eq!(frame(&documented(), seconds), expected);
            let not_raw_key = "4a3dd0ef244ef421665310b92069c1caca631e3dcc08549d823629e6e8ec17f6";
            let not_swapped = "89efba5ed323278df6bf0c146c58bb512d989d75a8ceaebad60d6d3b32bdb92b";
            assert!(
                ![not_raw_key, not_swapped]
                    .contains(&auth_code(&documented().qr_start_secret, seconds).as_str())
            );
        }
    }

    #[test]
    fn the_picture_keeps_its_size_when_the_seconds_grow_a_digit() {
        for seconds in [9, 10, 99, 100] {
            let code = code(&frame(&documented(), seconds)).expect("it fits");
            assert_eq!(usize::try_from(code.size()), Ok(MODULES));
            let picture = Picture::of(&frame(&documented(), seconds)).expect("it fits");
            assert!(picture.path().starts_with("M0 0h7v1h-7z"));
            // A page tells the side from the length: no other square fits between.
            let bits = picture.modules.len() * 8;
            assert_eq!(bits.isqrt(), MODULES);
        }
    }

    #[test]
    fn a_picture_is_the_code_of_its_frame() {
        let text = frame(&documented(), 7);
        let (picture, code) = (Picture::of(&text).expect("it fits"), code(&text));
        let code = code.expect("it fits");
        let side = i32::try_from(MODULES).expect("small");
        for (x, y) in (0..side).flat_map(|y| (0..side).map(move |x| (x, y))) {
            let place = |n: i32| usize::try_from(n).expect("not negative");
            let drawn = picture.is_dark(place(x), place(y));
            assert_eq!(drawn, code.get_module(x, y), "{x} {y}");
        }
        assert_eq!(Picture::of(&"x".repeat(200)), None);
    }
}
