//! Who else on this machine can change what the program lives by. Files that hold secrets and can be read by
//! everybody are refused before, with the configuration.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::finding::Finding;
use crate::config::{Config, database};

/// The configuration, the folder that it is in, and the database.
pub fn check(file: &Path, config: &Config) -> Vec<Finding> {
    let folder = match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => Path::new("/"),
    };
    let mut found = Vec::new();
    if is_open(file, 0) {
        found.push(Finding::error(
            "configuration",
            "file_writable",
            format!(
                "{} can be changed by everybody on this machine",
                file.display()
            ),
            format!("chmod o-w {}", file.display()),
        ));
    }
    if is_open(folder, STICKY) {
        found.push(Finding::warning(
            "configuration",
            "folder_writable",
            format!(
                "everybody on this machine can put other files into {}",
                folder.display()
            ),
            format!("chmod o-w {}", folder.display()),
        ));
    }
    if let Some(file) = database::open_file(&config.database_url) {
        found.push(Finding::warning(
            "database",
            "database_readable",
            format!(
                "{} can be read by everybody on this machine",
                file.display()
            ),
            "chmod o= it, and what ends in -wal and -shm beside it.",
        ));
    }
    found
}

/// A folder in which nobody removes what is another's, like `/tmp`.
const STICKY: u32 = 0o1000;

/// Whether everybody may write there, and nothing in its mode keeps them from it.
fn is_open(path: &Path, unless: u32) -> bool {
    std::fs::metadata(path).is_ok_and(|about| {
        let mode = about.permissions().mode();
        mode & 0o002 != 0 && mode & unless == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_may_write_to_is_told_by_its_mode() {
        let _shows = crate::shows!(accepting "PV-CHECK-9", refusing "PV-CHECK-9");
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("portvakt.toml");
        std::fs::write(&file, "").expect("written");
        for (mode, unless, open) in [
            (0o644, 0, false),
            (0o646, 0, true),
            (0o660, 0, false),
            (0o1777, STICKY, false),
            (0o777, STICKY, true),
            (0o775, STICKY, false),
        ] {
            let path = if unless == 0 {
                file.as_path()
            } else {
                directory.path()
            };
            let mode_of = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path, mode_of).expect("set");
            assert_eq!(is_open(path, unless), open, "{mode:o}");
        }
        assert!(!is_open(&directory.path().join("none"), 0));
    }
}
