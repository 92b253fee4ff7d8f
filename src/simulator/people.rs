//! The people of the simulator. They are nobody.

/// Somebody with a BankID.
pub struct Person {
    /// 12 digits.
    pub personal_number: &'static str,
    /// Given names, as the bank has them.
    pub given_name: &'static str,
    /// Surname, as the bank has it.
    pub surname: &'static str,
    /// What is special about them.
    pub about: &'static str,
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
            .find(|person| person.personal_number == personal_number)
    }
}

/// All of them.
pub static PEOPLE: &[Person] = &[
    Person {
        personal_number: "191212121212",
        given_name: "Tolvan",
        surname: "Tolvansson",
        about: "everybody's example",
    },
    Person {
        personal_number: "199003152387",
        given_name: "Åsa Märta",
        surname: "Östergren-Lindström af Ekenstam",
        about: "a long name with å, ä and ö",
    },
    Person {
        personal_number: "198506722399",
        given_name: "Yusuf",
        surname: "Demir",
        about: "a coordination number",
    },
    Person {
        personal_number: "196408233234",
        given_name: "GUNILLA",
        surname: "KARLSSON",
        about: "a bank that writes in capitals",
    },
    Person {
        personal_number: "200701012387",
        given_name: "Elin",
        surname: "Berg",
        about: "a young adult",
    },
    Person {
        personal_number: "199908072391",
        given_name: "Karl",
        surname: "Karlsson",
        about: "the one who always confuses people",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_twelve_digits_and_the_right_check_digit() {
        for person in PEOPLE {
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
}
