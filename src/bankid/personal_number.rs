//! Swedish personal numbers and coordination numbers, as BankID delivers them: 12 digits,
//! `YYYYMMDDNNNC`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// A personal number (personnummer) or coordination number (samordningsnummer), 12 digits. There
/// is no `Display`, and `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PersonalNumber(String);

impl PersonalNumber {
    /// Takes 12 digits. Check digit and calendar are not demanded: the value comes from BankID,
    /// whose word is final, and test identities can be odd.
    pub fn parse(text: &str) -> Option<PersonalNumber> {
        let sound = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        sound.then(|| PersonalNumber(text.to_owned()))
    }

    /// The digits, for the client that may have them.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is a coordination number: the day of birth is 60 too high.
    pub fn is_of_coordination(&self) -> bool {
        self.0[6..8].parse::<u8>().is_ok_and(|day| day > 60)
    }

    /// The date of birth that the number says, `YYYY-MM-DD` (OpenID Connect Core §5.1); in a
    /// coordination number the day is 60 too high. `None` when that is no date of the calendar.
    pub fn birthdate(&self) -> Option<String> {
        let (year, month, day) = (&self.0[0..4], &self.0[4..6], &self.0[6..8]);
        let day: u8 = day.parse().ok()?;
        let day = if day > 60 { day - 60 } else { day };
        let month = time::Month::try_from(month.parse::<u8>().ok()?).ok()?;
        let date = time::Date::from_calendar_date(year.parse().ok()?, month, day).ok()?;
        Some(format!(
            "{:04}-{:02}-{:02}",
            date.year(),
            u8::from(date.month()),
            date.day()
        ))
    }
}

impl fmt::Debug for PersonalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal number]")
    }
}

impl<'de> Deserialize<'de> for PersonalNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        PersonalNumber::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("a personal number is 12 digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_digits_and_nothing_else() {
        for sound in ["191212121212", "190000000000", "198202022386"] {
            assert!(PersonalNumber::parse(sound).is_some(), "{sound}");
        }
        for bad in [
            "1212121212",
            "19121212-1212",
            "19121212121２",
            "19121212121a",
            "",
        ] {
            assert!(PersonalNumber::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_birthdate_is_that_of_the_number() {
        let birthdate = |n| PersonalNumber::parse(n).and_then(|n| n.birthdate());
        assert_eq!(birthdate("191212121212").as_deref(), Some("1912-12-12"));
        assert_eq!(
            birthdate("199808703312").as_deref(),
            Some("1998-08-10"),
            "coordination number"
        );
        assert_eq!(birthdate("190000000000"), None);
        assert_eq!(birthdate("199902302386"), None);
    }

    #[test]
    fn it_is_never_printed() {
        let number = PersonalNumber::parse("191212121212");
        assert_eq!(format!("{number:?}"), "Some([personal number])");
    }
}
