//! What stands in documents: commands, names of settings, links.

use std::path::{Path, PathBuf};

/// A document of ours.
pub struct Document {
    /// From the root of the repository.
    pub name: String,
    pub text: String,
}

/// A line of a block, or several that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub place: String,
    pub text: String,
    /// Whether the block says that it is for a shell.
    pub is_shell: bool,
}

impl Line {
    /// What is to be done, without what is said of it.
    pub fn command(&self) -> &str {
        bare(&self.text, self.is_shell)
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README, and everything in docs and deploy.
pub fn documents() -> Vec<Document> {
    let mut files = vec![root().join("README.md")];
    for folder in ["docs", "deploy"] {
        collect(&root().join(folder), &mut files);
    }
    files.sort();
    files
        .into_iter()
        .map(|file| Document {
            text: std::fs::read_to_string(&file).expect("text"),
            name: file
                .strip_prefix(root())
                .expect("ours")
                .display()
                .to_string(),
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
}

/// A block of code: its language, when it says one, and its lines with their numbers.
pub struct Block {
    pub language: Option<String>,
    pub lines: Vec<(usize, String)>,
}

impl Block {
    pub fn text(&self) -> String {
        let lines = self.lines.iter().map(|(_, line)| line.as_str());
        lines.collect::<Vec<_>>().join("\n")
    }

    fn is_shell(&self) -> bool {
        let language = self.language.as_deref();
        matches!(language, Some("sh" | "bash" | "shell" | "console"))
    }
}

/// Fenced blocks, and those that are indented after an empty line.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut fence: Option<usize> = None;
    let (mut is_indented, mut was_empty, mut in_list) = (false, true, false);
    for (number, line) in text.lines().enumerate() {
        let bare = line.trim_start();
        if let Some(language) = bare.strip_prefix("```") {
            match fence.take() {
                Some(_) => {}
                None => {
                    fence = Some(line.len() - bare.len());
                    let language = language.trim();
                    blocks.push(Block {
                        language: (!language.is_empty()).then(|| language.to_owned()),
                        lines: Vec::new(),
                    });
                }
            }
            is_indented = false;
            continue;
        }
        if let Some(indent) = fence {
            let cut = line.len().min(indent).min(line.len() - bare.len());
            let block = blocks.last_mut().expect("begun");
            block.lines.push((number + 1, line[cut..].to_owned()));
            continue;
        }
        let may_begin = is_indented || (was_empty && !in_list);
        let in_block = line.strip_prefix("    ").filter(|_| may_begin);
        match in_block {
            Some(line) => {
                if !is_indented {
                    blocks.push(Block {
                        language: None,
                        lines: Vec::new(),
                    });
                }
                is_indented = true;
                let block = blocks.last_mut().expect("begun");
                block.lines.push((number + 1, line.to_owned()));
            }
            None if bare.is_empty() => {}
            None => {
                is_indented = false;
                let starts_item = |line: &str| {
                    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
                    line.starts_with("- ")
                        || line.starts_with("* ")
                        || (digits.len() < line.len() && digits.starts_with(". "))
                };
                in_list = starts_item(bare) || (in_list && line.starts_with(' '));
            }
        }
        was_empty = bare.is_empty();
    }
    blocks
}

/// The lines of all blocks; those that a shell reads as one stand together.
pub fn lines(document: &Document) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for block in blocks(&document.text) {
        let (is_shell, mut goes_on) = (block.is_shell(), false);
        for (number, line) in &block.lines {
            let line = line.trim_end();
            let is_pipe = line.trim_start().starts_with("| ");
            if (goes_on || is_pipe) && !lines.is_empty() {
                let last = lines.last_mut().expect("one before");
                let before = last.text.trim_end_matches('\\').trim_end().to_owned();
                last.text = format!("{before} {}", line.trim_start());
            } else if !line.trim().is_empty() {
                lines.push(Line {
                    place: format!("{}:{number}", document.name),
                    text: line.trim_start_matches("$ ").to_owned(),
                    is_shell,
                });
            }
            let whole = lines.last().map_or("", |line| line.text.as_str());
            // What is no command has quotes of other kinds.
            let is_command = is_shell || word(whole).is_some_and(|word| word.len() > 1);
            goes_on = line.ends_with('\\') || (is_command && is_open(bare(whole, is_shell)));
        }
    }
    lines
}

/// A command without what is said of it behind it, where that is not a shell's own text.
pub fn bare(text: &str, is_shell: bool) -> &str {
    let text = text.trim();
    match text.find("  ") {
        Some(at) if !is_shell && !text[..at].contains('\'') => text[..at].trim(),
        _ => text,
    }
}

/// Whether a quote that began does not end.
fn is_open(line: &str) -> bool {
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    quote == Some('\'')
}

/// The program that a line begins with, behind what is set for it.
pub fn word(line: &str) -> Option<&str> {
    let line = line.trim_start().trim_start_matches('(');
    let first = line.split_whitespace().next()?;
    let first = first.trim_end_matches(';');
    match first.split_once('=') {
        // NAME=$(program …), NAME=value program …
        Some((name, value)) if name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') => {
            match value.strip_prefix("$(") {
                Some(inner) => Some(inner),
                None => word(line.split_once(' ')?.1),
            }
        }
        _ => Some(first),
    }
}

/// The words of each call of a program within a line, as a shell splits them.
pub fn calls(line: &str, program: &str) -> Vec<Vec<String>> {
    let mut calls = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut end = |words: &mut Vec<String>| {
        // An account may have its name, and a container: `runuser -u portvakt -- portvakt migrate`.
        let called = |at: &usize| {
            let next = words.get(at + 1);
            words[*at] == program && next.is_none_or(|next| next != "--" && next != program)
        };
        if let Some(at) = (0..words.len()).find(called) {
            calls.push(words.split_off(at));
        }
        words.clear();
    };
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '|' | ';' | '>' | '<' | '&' | '(' | ')') => {
                words.extend(word.take());
                end(&mut words);
            }
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word.take());
    end(&mut words);
    calls
}

/// What stands between single backticks outside of blocks, with the numbers of the lines.
pub fn quoted(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_fence = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        } else if !in_fence && !line.starts_with("    ") {
            let pieces = line.split('`').skip(1).step_by(2);
            found.extend(pieces.map(|piece| (number + 1, piece.to_owned())));
        }
    }
    found
}

/// Where links lead to, with the numbers of the lines.
pub fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, after)) = after.split_once(')') else {
                break;
            };
            found.push((number + 1, target.to_owned()));
            rest = after;
        }
    }
    found
}

/// The names that headings can be linked by, as GitHub makes them.
pub fn anchors(text: &str) -> Vec<String> {
    let mut in_fence = false;
    let headings = text.lines().filter(move |line| {
        if line.starts_with("```") {
            in_fence = !in_fence;
        }
        !in_fence && line.starts_with('#')
    });
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn documents_are_read_as_people_read_them() {
    let text = "Text.\n\n    portvakt a \\\n      --b 'c\n    d'\n    HTTP/1.1 200\n\n- item\n\n    more of it\n\n```sh\numask 077\nx | y\n```\n";
    let document = Document {
        name: "x.md".to_owned(),
        text: text.to_owned(),
    };
    let seen: Vec<_> = lines(&document).into_iter().map(|line| line.text).collect();
    assert_eq!(
        seen,
        ["portvakt a --b 'c d'", "HTTP/1.1 200", "umask 077", "x | y"]
    );
    assert_eq!(word("(umask 077; x)"), Some("umask"));
    assert_eq!(word("TOKEN=$(curl -s x)"), Some("curl"));
    assert_eq!(word("A=b portvakt serve"), Some("portvakt"));
    let of = |line| calls(line, "portvakt");
    assert_eq!(
        of("(umask 077; portvakt a --b 'c d' > e)"),
        [["portvakt", "a", "--b", "c d"]]
    );
    assert_eq!(of("echo portvakt-x").len(), 0);
    assert_eq!(
        quoted("a `b` c `d`"),
        [(1, "b".to_owned()), (1, "d".to_owned())]
    );
    assert_eq!(
        links("[a](b.md#c) [d](e)"),
        [(1, "b.md#c".to_owned()), (1, "e".to_owned())]
    );
    assert_eq!(anchors("## `[[client]]` it's, all"), ["client-its-all"]);
}
