//! The frames of the animated code, as the app judges them: made with the order's secret, and fresh.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::order::{Tokens, Unusable};

/// The oldest frame that the app takes, and how far one may be ahead, in seconds.
const OLDEST: u64 = 5;
const AHEAD: u64 = 1;

/// The frame that is on a relying party's screen when its order is this old.
pub fn on_screen(tokens: &Tokens, age: u64) -> String {
    let code = hex::encode(mac(&tokens.qr_start_secret, &age.to_string()));
    format!("bankid.{}.{age}.{code}", tokens.qr_start_token)
}

/// The text of a frame, taken apart.
pub struct Frame<'a> {
    /// Which order.
    pub qr_start_token: &'a str,
    time: &'a str,
    code: &'a str,
}

impl<'a> Frame<'a> {
    /// `bankid.<token>.<time>.<code>`; `None` for anything else.
    pub fn parse(text: &'a str) -> Option<Frame<'a>> {
        let mut parts = text.trim().split('.');
        let frame = match (parts.next()?, parts.next()?, parts.next()?, parts.next()?) {
            ("bankid", qr_start_token, time, code) => Frame {
                qr_start_token,
                time,
                code,
            },
            _ => return None,
        };
        let plain = frame.time == "0" || !frame.time.starts_with('0');
        let digits = !frame.time.is_empty() && frame.time.bytes().all(|b| b.is_ascii_digit());
        (parts.next().is_none() && plain && digits).then_some(frame)
    }

    /// Whether this is a frame of the order with these tokens, which is `age` seconds old.
    pub fn check(&self, tokens: &Tokens, age: u64) -> Result<(), Unusable> {
        let expected = hex::encode(mac(&tokens.qr_start_secret, self.time));
        if !bool::from(expected.as_bytes().ct_eq(self.code.as_bytes())) {
            return Err(Unusable::NotACode);
        }
        let time: u64 = self.time.parse().map_err(|_| Unusable::NotACode)?;
        if time > age + AHEAD {
            return Err(Unusable::NotACode);
        }
        match age > time + OLDEST {
            true => Err(Unusable::TooOld),
            false => Ok(()),
        }
    }
}

fn mac(secret: &str, time: &str) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(time.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(secret: &str) -> Tokens {
        Tokens {
            order_ref: "131daac9-16c6-4618-beb0-365768f37288".into(),
            auto_start_token: "7c40b5c9-fa74-49cf-b98c-bfe651f9a7c6".into(),
            qr_start_token: "67df3917-fa0d-44e5-b327-edcc928297f8".into(),
            qr_start_secret: secret.into(),
        }
    }

    const SECRET: &str = "d28db9a7-4cde-429e-a983-359be676944c";

    fn scanned(text: &str, age: u64) -> Result<(), Unusable> {
        Frame::parse(text)
            .ok_or(Unusable::NotACode)?
            .check(&tokens(SECRET), age)
    }

    #[test]
    fn a_frame_is_taken_when_it_is_right_and_fresh() {
        let _shows = crate::shows!(accepting "PV-SIM-4", refusing "PV-SIM-4");
        let prefix = "bankid.67df3917-fa0d-44e5-b327-edcc928297f8";
        for (time, code) in [
            (
                0,
                "dc69358e712458a66a7525beef148ae8526b1c71610eff2c16cdffb4cdac9bf8",
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
        ] {
            let documented = format!("{prefix}.{time}.{code}");
            assert_eq!(on_screen(&tokens(SECRET), time), documented);
            assert_eq!(scanned(&documented, time), Ok(()));
            assert_eq!(scanned(&documented, time + 5), Ok(()));
            assert_eq!(scanned(&documented, time + 6), Err(Unusable::TooOld));
        }
        let now = tokens(SECRET);
        assert_eq!(
            scanned(&on_screen(&now, 1), 0),
            Ok(()),
            "clocks may be a second apart"
        );
        assert_eq!(
            scanned(&on_screen(&now, 2), 0),
            Err(Unusable::NotACode),
            "of the future"
        );
        let foreign = on_screen(&tokens("00000000-0000-4000-8000-000000000000"), 0);
        assert_eq!(
            scanned(&foreign, 0),
            Err(Unusable::NotACode),
            "another order's secret"
        );
        for (code, why) in [
            (
                "4a3dd0ef244ef421665310b92069c1caca631e3dcc08549d823629e6e8ec17f6",
                "the key as bytes",
            ),
            (
                "89efba5ed323278df6bf0c146c58bb512d989d75a8ceaebad60d6d3b32bdb92b",
                "key and message swapped",
            ),
            (
                "DC69358E712458A66A7525BEEF148AE8526B1C71610EFF2C16CDFFB4CDAC9BF8",
                "capitals",
            ),
            ("", "nothing"),
        ] {
            assert_eq!(
                scanned(&format!("{prefix}.0.{code}"), 0),
                Err(Unusable::NotACode),
                "{why}"
            );
        }
        let good = on_screen(&now, 0);
        for text in [
            "",
            "bankid",
            &now.order_ref,
            &format!("{good}.x"),
            &good.replace(".0.", ".00."),
        ] {
            assert_eq!(scanned(text, 0), Err(Unusable::NotACode), "{text}");
        }
    }
}
