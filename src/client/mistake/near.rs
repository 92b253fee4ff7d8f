//! Names that are nearly the same.

use crate::id::ClientId;

/// How many characters a slip of the hand may cost.
const SLIPS: usize = 2;

/// The one name among these that was meant, if one is near enough.
pub fn nearest(name: &str, names: Vec<ClientId>) -> Option<ClientId> {
    // In a short name two slips make any other one.
    let most = SLIPS.min(name.len() / 4);
    let distance = |other: &ClientId| match other.as_str().eq_ignore_ascii_case(name) {
        true => 0,
        false => distance(name.as_bytes(), other.as_str().as_bytes()),
    };
    let measured = names.into_iter().map(|other| (distance(&other), other));
    let nearest = measured.min_by_key(|(distance, _)| *distance)?;
    Some(nearest)
        .filter(|(d, _)| *d <= most)
        .map(|(_, other)| other)
}

/// How many characters must be put in, left out or changed (Levenshtein).
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (row, a) in one.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, b) in other.iter().enumerate() {
            let changed = above[column] + usize::from(a != b);
            line.push(changed.min(above[column + 1] + 1).min(line[column] + 1));
        }
        above = line;
    }
    above[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_from_another_name() {
        let names =
            || ["kommunen-portal", "ab", "Grafana"].map(|n| ClientId::parse(n).expect("an id"));
        let found = |name: &str| nearest(name, names().into());
        for (typed, meant) in [
            ("komunen-portal", Some("kommunen-portal")),
            ("kommunen_portal", Some("kommunen-portal")),
            ("KOMMUNEN-PORTAL", Some("kommunen-portal")),
            ("grafana", Some("Grafana")),
            ("AB", Some("ab")),
            ("ac", None),
            ("kommunens-portaler", None),
            ("", None),
        ] {
            let found = found(typed);
            assert_eq!(found.as_ref().map(ClientId::as_str), meant, "{typed}");
        }
    }
}
