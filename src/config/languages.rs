//! `[languages]`: what people are spoken to in.

use std::path::Path;

use super::{Findings, written};
use crate::language::{Languages, Tag, file};

pub(super) fn check(
    written: &written::Languages,
    base: &Path,
    found: &mut Findings,
) -> Option<Languages> {
    let mut added = Vec::new();
    for path in &written.files {
        let name = path.display();
        match std::fs::read_to_string(base.join(path)) {
            Err(error) => found.add("languages.files", format!("{name}: {error}")),
            Ok(text) => match file::read(&text) {
                Ok(language) => added.push(language),
                Err(refused) => refused
                    .mistakes
                    .iter()
                    .for_each(|mistake| found.add("languages.files", format!("{name}: {mistake}"))),
            },
        }
    }
    let default = Tag::parse(&written.default).ok_or("must be a language tag as sv".to_owned());
    let default = found.take("languages.default", default)?;
    // What is wrong in a file must not be told again as a language that is missing.
    if added.len() < written.files.len() {
        return None;
    }
    found.take("languages", Languages::new(&default, &added))
}
