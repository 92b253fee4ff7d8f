//! Where a list goes on. What stands in a cursor is ours to read and to change; a caller sends back what it
//! was given.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The most characters of one.
pub const LONGEST: usize = 1024;

/// Whether a text can be one, of whichever list.
pub fn is_one(text: &str) -> bool {
    let is_sound = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(is_sound)
}

/// A place in a list, by the list's name and what its order goes by.
pub fn write(list: &str, place: &[&str]) -> String {
    let parts: Vec<&str> = [list].into_iter().chain(place.iter().copied()).collect();
    let text = serde_json::to_vec(&parts).expect("texts are valid JSON");
    URL_SAFE_NO_PAD.encode(text)
}

/// The place that a cursor of this list names.
pub fn read<const N: usize>(list: &str, cursor: &str) -> Option<[String; N]> {
    let text = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let parts: Vec<String> = serde_json::from_slice(&text).ok()?;
    let (of, place) = parts.split_first()?;
    let place: [String; N] = place.to_vec().try_into().ok()?;
    (of == list).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_by_its_own_list_alone() {
        let _shows = crate::shows!(accepting "PV-API-6", refusing "PV-API-6");
        let cursor = write("clients", &["a\"b,å"]);
        assert_eq!(read::<1>("clients", &cursor), Some(["a\"b,å".to_owned()]));
        assert_eq!(read::<1>("events", &cursor), None);
        assert_eq!(read::<2>("clients", &cursor), None);
        for bad in [
            "",
            "x",
            "bm9uc2Vuc2U",
            &URL_SAFE_NO_PAD.encode("[1]"),
            &format!("{cursor}="),
        ] {
            assert_eq!(read::<1>("clients", bad), None, "{bad}");
        }
    }
}
