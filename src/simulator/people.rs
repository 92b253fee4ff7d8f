//! The people of the simulator. They are nobody: their numbers are of the kind that the tax agency keeps
//! for tests.

use std::sync::LazyLock;

/// Somebody with a BankID.
pub struct Person {
    /// 12 digits.
    pub personal_number: &'static str,
    /// Given names, as the bank has them.
    pub given_name: &'static str,
    /// Surname, as the bank has it.
    pub surname: &'static str,
    /// What their BankID is.
    pub bankid: BankId,
    /// When it was issued; today when that is not said.
    pub issued: Option<&'static str>,
    /// Whether it is blocked.
    pub is_blocked: bool,
    /// Whether there are several on the device.
    pub has_several: bool,
    /// What is special about them.
    pub about: &'static str,
}

/// What a BankID is, which its certificate says by a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BankId {
    /// On a phone.
    Mobile,
    /// On a computer.
    File,
    /// On a smart card, read by a computer.
    Card,
}

impl BankId {
    /// The policy of BankID's test environment for it.
    pub fn policy(self) -> &'static str {
        match self {
            BankId::File => "1.2.3.4.5",
            BankId::Card => "1.2.3.4.10",
            BankId::Mobile => "1.2.3.4.25",
        }
    }

    /// Whether it is one of those that are asked for; every kind is when none is named.
    pub fn is_one_of(self, policies: &[String]) -> bool {
        let fits = |asked: &String| match asked.strip_suffix(".*") {
            Some(arcs) => self
                .policy()
                .strip_prefix(arcs)
                .is_some_and(|rest| rest.starts_with('.')),
            None => asked == self.policy(),
        };
        policies.is_empty() || policies.iter().any(fits)
    }
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[person]")
    }
}

impl PartialEq for Person {
    fn eq(&self, other: &Self) -> bool {
        self.personal_number == other.personal_number
    }
}
impl Eq for Person {}

impl Person {
    /// The whole name.
    pub fn name(&self) -> String {
        format!("{} {}", self.given_name, self.surname)
    }

    /// The person with this number.
    pub fn find(personal_number: &str) -> Option<&'static Person> {
        PEOPLE
            .iter()
            .chain(CROWD.iter())
            .find(|person| person.personal_number == personal_number)
    }

    /// One of [`CROWD_SIZE`] people about whom nothing is special, for tests that need many at once.
    pub fn of_crowd(number: usize) -> &'static Person {
        &CROWD[number % CROWD_SIZE]
    }
}

/// How many there are beside those with a page of their own.
pub const CROWD_SIZE: usize = 28 * 12;

static CROWD: LazyLock<Vec<Person>> = LazyLock::new(|| {
    let born = (1..=12).flat_map(|month| (1..=28).map(move |day| (month, day)));
    born.map(|(month, day)| {
        let digits = format!("1901{month:02}{day:02}238");
        let personal_number = format!("{digits}{}", check_digit(&digits[2..]));
        Person {
            personal_number: personal_number.leak(),
            given_name: "Någon",
            surname: format!("Av Många {month}-{day}").leak(),
            about: "one of many",
            ..SOMEBODY
        }
    })
    .collect()
});

/// The last digit of a number, by the nine before it.
fn check_digit(nine: &str) -> u32 {
    let digits = nine.chars().filter_map(|c| c.to_digit(10));
    let sum: u32 = digits
        .zip([2, 1].into_iter().cycle())
        .map(|(digit, weight)| digit * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    (10 - sum % 10) % 10
}

const SOMEBODY: Person = Person {
    personal_number: "",
    given_name: "",
    surname: "",
    bankid: BankId::Mobile,
    issued: Some("2023-11-29Z"),
    is_blocked: false,
    has_several: false,
    about: "",
};

/// All of them.
pub static PEOPLE: &[Person] = &[
    Person {
        personal_number: "191212121212",
        given_name: "Tolvan",
        surname: "Tolvansson",
        about: "everybody's example",
        ..SOMEBODY
    },
    Person {
        personal_number: "199003152387",
        given_name: "Åsa Märta",
        surname: "Östergren-Lindström af Ekenstam",
        about: "a long name with å, ä and ö",
        ..SOMEBODY
    },
    Person {
        personal_number: "198506722399",
        given_name: "Yusuf",
        surname: "Demir",
        about: "a coordination number",
        ..SOMEBODY
    },
    Person {
        personal_number: "196408233234",
        given_name: "GUNILLA",
        surname: "KARLSSON",
        about: "a bank that writes in capitals",
        ..SOMEBODY
    },
    Person {
        personal_number: "200701012387",
        given_name: "Elin",
        surname: "Berg",
        about: "a young adult",
        ..SOMEBODY
    },
    Person {
        personal_number: "199908072391",
        given_name: "Karl",
        surname: "Karlsson",
        about: "the one who always confuses people",
        ..SOMEBODY
    },
    Person {
        personal_number: "201406152387",
        given_name: "Nova",
        surname: "Lund",
        about: "a minor",
        ..SOMEBODY
    },
    Person {
        personal_number: "197102202392",
        given_name: "Skyddad",
        surname: "Identitet",
        about: "protected identity",
        ..SOMEBODY
    },
    Person {
        personal_number: "198209112385",
        given_name: "Zoë Ağça Þórdís Maria Magdalena Aleksandra Ingeborg",
        surname: "Wójcik-Nuñez von Österåker och Ähtäri-Ýmisdóttir",
        about: "a name that hardly fits",
        ..SOMEBODY
    },
    Person {
        personal_number: "199903012384",
        given_name: "Nils",
        surname: "Ny",
        about: "a BankID issued today",
        issued: None,
        ..SOMEBODY
    },
    Person {
        personal_number: "195504302380",
        given_name: "Fia",
        surname: "Fil",
        about: "a BankID on a computer",
        bankid: BankId::File,
        ..SOMEBODY
    },
    Person {
        personal_number: "196607182398",
        given_name: "Kurt",
        surname: "Kort",
        about: "a BankID on a smart card",
        bankid: BankId::Card,
        ..SOMEBODY
    },
    Person {
        personal_number: "197409222390",
        given_name: "Berit",
        surname: "Block",
        about: "a BankID that is blocked",
        is_blocked: true,
        ..SOMEBODY
    },
    Person {
        personal_number: "198811052383",
        given_name: "Flora",
        surname: "Flera",
        about: "several BankIDs on one device",
        has_several: true,
        ..SOMEBODY
    },
    Person {
        personal_number: "191801022383",
        given_name: "Hulda",
        surname: "Hundraåring",
        about: "more than a hundred years old",
        ..SOMEBODY
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_twelve_digits_and_the_right_check_digit() {
        for person in PEOPLE.iter().chain(CROWD.iter()) {
            let digits: Vec<u32> = person
                .personal_number
                .chars()
                .filter_map(|c| c.to_digit(10))
                .collect();
            assert_eq!(digits.len(), 12);
            let sum: u32 = digits[2..]
                .iter()
                .enumerate()
                .map(|(at, d)| {
                    if at % 2 == 0 {
                        d * 2 / 10 + d * 2 % 10
                    } else {
                        *d
                    }
                })
                .sum();
            assert_eq!(sum % 10, 0, "{}", person.personal_number);
        }
    }

    #[test]
    fn the_crowd_are_different_people_and_can_be_found() {
        let numbers: std::collections::HashSet<_> = PEOPLE
            .iter()
            .chain(CROWD.iter())
            .map(|person| person.personal_number)
            .collect();
        assert_eq!(numbers.len(), PEOPLE.len() + CROWD_SIZE);
        let last = Person::of_crowd(CROWD_SIZE - 1);
        assert_eq!(Person::find(last.personal_number), Some(last));
        assert_eq!(Person::of_crowd(CROWD_SIZE), Person::of_crowd(0));
    }
}
