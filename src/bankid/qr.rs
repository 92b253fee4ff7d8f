//! The animated QR code (BankID relying-party API v6.0, "QR code"): a new frame each second,
//! computed here and nowhere else. The browser is given the frame of this second and never the
//! key or a frame to come.

use std::sync::LazyLock;

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

/// A frame as the `d` of an SVG path in a square of [`MODULES`] units: one subpath for each
/// horizontal run of dark modules. Version, error correction and mask are pinned (7, M, 0), so
/// that the picture keeps its size when the seconds grow a digit, and no other mask is tried, which would be nine
/// tenths of the work. `None` when the text does not fit, which no frame of BankID's tokens is long enough for.
pub fn path(frame: &str) -> Option<String> {
    let code = code(frame)?;
    let size = code.size();
    let mut d = String::with_capacity(8 * 1024);
    for y in 0..size {
        let mut x = 0;
        while x < size {
            let dark = (x..size).take_while(|x| code.get_module(*x, y)).count();
            let width = i32::try_from(dark).unwrap_or(size);
            if width > 0 {
                let (x, y, width) = (number(x), number(y), number(width));
                for part in ["M", x, " ", y, "h", width, "v1h-", width, "z"] {
                    d.push_str(part);
                }
            }
            x += width.max(1);
        }
    }
    Some(d)
}

fn code(frame: &str) -> Option<QrCode> {
    let (version, mask) = (Version::new(7), Mask::new(0));
    let segments = [QrSegment::make_bytes(frame.as_bytes())];
    let level = QrCodeEcc::Medium;
    QrCode::encode_segments_advanced(&segments, level, version, version, Some(mask), false).ok()
}

/// A number that can stand in a path, in decimal. They are few, and written thousands of times a second.
fn number(n: i32) -> &'static str {
    static NUMBERS: LazyLock<Vec<String>> =
        LazyLock::new(|| (0..=MODULES).map(|n| n.to_string()).collect());
    let index = usize::try_from(n).unwrap_or_default();
    NUMBERS.get(index).map_or("0", String::as_str)
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
            assert!(
                path(&frame(&documented(), seconds)).is_some_and(|d| d.starts_with("M0 0h7v1h-7z"))
            );
        }
    }
}
