//! Binds tests to the requirements of `docs/requirements.md`. A test that passes writes down which
//! ids it showed; `./test` compares them with the list.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Says what a test shows: `let _shows = shows!(accepting "AU-13", refusing "AU-02");`. It is
/// written down when the test ends, unless it ends by a panic.
#[macro_export]
macro_rules! shows {
    ($($side:ident $id:literal),+ $(,)?) => {
        $crate::testing::Shows(&[$((stringify!($side), $id)),+])
    };
}

/// The guard that [`shows!`](crate::shows) makes.
#[must_use = "bind it: `let _shows = shows!(…)`"]
#[derive(Debug)]
pub struct Shows(
    /// Each side with its id.
    pub &'static [(&'static str, &'static str)],
);

impl Drop for Shows {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let lines: String = self
            .0
            .iter()
            .map(|(side, id)| format!("{side} {id}\n"))
            .collect();
        record("requirements", &lines);
    }
}

/// Notes a secret or a person's data that was seen, so that `./test` can look for it in the logs.
pub fn canary(text: &str) {
    if text.len() >= 6 {
        record("canaries", &format!("{text}\n"));
    }
}

/// Appends to this process's file in a folder of the record, when there is one.
fn record(folder: &str, lines: &str) {
    let Some(directory) = std::env::var_os("PORTVAKT_TEST_RECORD") else {
        return;
    };
    let folder = Path::new(&directory).join(folder);
    std::fs::create_dir_all(&folder).expect("the record can be written");
    let file = folder.join(std::process::id().to_string());
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .expect("the record can be written");
    file.write_all(lines.as_bytes())
        .expect("the record can be written");
}
