//! `[keys]`: the master keys, which come from outside.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Findings, text_or_file, written};
use crate::secret::{Key, MasterKeys};

/// Where the current key may stand instead of the file.
pub const MASTER_KEY: &str = "PORTVAKT_MASTER_KEY";
/// Where those before it may stand, with commas between them.
pub const FORMER_MASTER_KEYS: &str = "PORTVAKT_FORMER_MASTER_KEYS";

/// Takes what the environment says into what is written. A key that is said twice is told of as if it were
/// written twice.
pub(super) fn add_from_environment(
    keys: &mut written::Keys,
    variable: impl Fn(&str) -> Option<String>,
    found: &mut Findings,
) {
    if let Some(key) = variable(MASTER_KEY) {
        match keys.master_key.is_some() || keys.master_key_file.is_some() {
            true => found.add(
                "keys",
                format!(
                    "{MASTER_KEY} is set, and the file names a master key too: keep one of them"
                ),
            ),
            false => keys.master_key = Some(key),
        }
    }
    if let Some(former) = variable(FORMER_MASTER_KEYS) {
        let former = former.split(',').map(str::trim).map(str::to_owned);
        keys.former_master_keys
            .extend(former.filter(|key| !key.is_empty()));
    }
}

pub(super) fn master_keys(
    keys: &written::Keys,
    base: &Path,
    found: &mut Findings,
) -> Option<MasterKeys> {
    let current = text_or_file(
        keys.master_key.as_deref(),
        keys.master_key_file.as_deref(),
        base,
        "master_key",
    );
    let current = current.and_then(|text| key(&text, "master_key"));
    let written = keys.former_master_keys.iter().map(|text| {
        let name = "former_master_keys";
        key(text, name).map(|key| (name.to_owned(), key))
    });
    let files = keys.former_master_key_files.iter().map(|file| {
        let name = format!("former_master_key_files {}", file.display());
        let text = std::fs::read_to_string(base.join(file)).map_err(|e| format!("{name}: {e}"));
        text.and_then(|text| key(&text, &name))
            .map(|key| (name, key))
    });
    let former: Vec<_> = written
        .chain(files)
        .filter_map(|former| found.take("keys", former))
        .collect();
    let current = found.take("keys", current)?;
    for (n, (name, key)) in former.iter().enumerate() {
        if *key == current {
            found.add("keys", format!("{name} is the same key as master_key"));
        } else if former[..n].iter().any(|(_, other)| other == key) {
            found.add(
                "keys",
                format!("{name} is the same key as another former one"),
            );
        }
    }
    Some(MasterKeys {
        current,
        former: former.into_iter().map(|(_, key)| key).collect(),
    })
}

/// 32 random bytes in base64.
fn key(text: &str, name: &str) -> Result<Key, String> {
    let bytes = STANDARD
        .decode(text.trim())
        .map_err(|_| format!("{name} is not base64"))?;
    let key = Key::from_bytes(&bytes)
        .ok_or_else(|| format!("{name} must be 32 bytes in base64 (openssl rand -base64 32)"))?;
    let is_text = bytes.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
    match is_text || bytes.iter().all(|b| *b == 0) {
        true => Err(format!(
            "{name} is no random key: make one with openssl rand -base64 32"
        )),
        false => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(
        lines: &str,
        environment: &[(&str, &str)],
        base: &Path,
    ) -> (Option<MasterKeys>, String) {
        let mut written: written::Keys = toml::from_str(lines).expect("TOML");
        let mut found = Findings::default();
        let variable = |name: &str| {
            let set = environment.iter().find(|(set, _)| *set == name);
            set.map(|(_, value)| (*value).to_owned())
        };
        add_from_environment(&mut written, variable, &mut found);
        let keys = master_keys(&written, base, &mut found);
        (keys, super::super::Problems::from(found).to_string())
    }

    #[test]
    fn master_keys_come_from_files_or_from_the_environment() {
        let _shows = crate::shows!(accepting "PV-KEY-7", refusing "PV-KEY-7");
        let directory = tempfile::tempdir().expect("a directory");
        let base = directory.path();
        let key = |byte: u8| Key::from_bytes(&[byte; 32]).expect("a key");
        let text = |byte: u8| STANDARD.encode([byte; 32]);
        let (one, two, three) = (text(1), text(2), text(3));
        std::fs::write(base.join("now.key"), format!("{one}\n")).expect("written");
        std::fs::write(base.join("then.key"), format!("{two}\n")).expect("written");
        let both = format!("{two}, {three}");
        let file = "master_key_file = \"now.key\"";
        let former = "former_master_key_files = [\"then.key\"]";
        for (lines, environment, expected) in [
            (file.to_owned(), &[][..], &[][..]),
            (format!("{file}\n{former}"), &[], &[2]),
            (String::new(), &[(MASTER_KEY, one.as_str())], &[]),
            (
                file.to_owned(),
                &[(FORMER_MASTER_KEYS, both.as_str())],
                &[2, 3],
            ),
            (
                former.to_owned(),
                &[
                    (MASTER_KEY, one.as_str()),
                    (FORMER_MASTER_KEYS, three.as_str()),
                ],
                &[3, 2],
            ),
        ] {
            let (keys, problems) = keys(&lines, environment, base);
            assert_eq!(problems, "", "{lines}");
            let keys = keys.expect("keys");
            assert!(keys.current == key(1), "{lines}");
            let expected: Vec<Key> = expected.iter().map(|byte| key(*byte)).collect();
            assert!(keys.former == expected, "{lines}");
        }
        let passphrase = STANDARD.encode("correct horse battery staple 123");
        let zero = text(0);
        for (lines, environment, told) in [
            (
                String::new(),
                &[][..],
                "keys: master_key or master_key_file is needed",
            ),
            (
                file.to_owned(),
                &[(MASTER_KEY, two.as_str())],
                "is set, and the file names",
            ),
            (
                file.to_owned(),
                &[(FORMER_MASTER_KEYS, one.as_str())],
                "the same key as master_key",
            ),
            (
                format!("{file}\n{former}"),
                &[(FORMER_MASTER_KEYS, two.as_str())],
                "the same key as another former one",
            ),
            (
                file.to_owned(),
                &[(FORMER_MASTER_KEYS, "x")],
                "former_master_keys is not base64",
            ),
            (
                format!("{file}\nformer_master_key_files = [\"none.key\"]"),
                &[],
                "former_master_key_files none.key: ",
            ),
            (String::new(), &[(MASTER_KEY, "AAAA")], "must be 32 bytes"),
            (
                String::new(),
                &[(MASTER_KEY, passphrase.as_str())],
                "no random key",
            ),
            (
                String::new(),
                &[(MASTER_KEY, zero.as_str())],
                "no random key",
            ),
        ] {
            let (_, problems) = keys(&lines, environment, base);
            assert!(problems.contains(told), "{lines} {problems}");
            assert_eq!(problems.lines().count(), 1, "{problems}");
            assert!(
                !problems.contains(&one) && !problems.contains(&two),
                "{problems}"
            );
        }
    }
}
