//! Everything that the documents tell somebody to do: every command is run, by a test or here, or it is said in
//! `commands.toml` why not. Names of settings and links are those that there are.

mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use clap::error::ErrorKind;
use portvakt::config::schema::{keys, schema, sections};
use portvakt::shows;
use serde::Deserialize;
use serde_json::Value;

use crate::support::{App, Database, run};
use reading::{
    Document, Line, anchors, blocks, calls, documents, lines, links, quoted, root, word,
};

/// The table of commands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Programs that are named in blocks, and why none of their calls is run here; nothing, where each is told
    /// of by itself.
    program: BTreeMap<String, String>,
    /// Run here, in this order.
    run: Vec<Run>,
    /// Run by another test.
    elsewhere: Vec<Elsewhere>,
    /// Not run.
    not: Vec<Not>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    command: String,
    /// What must be done before, in a shell.
    #[serde(default)]
    before: String,
    /// What is written in the place of something in it.
    #[serde(default)]
    with: BTreeMap<String, String>,
    /// What it says, among other things.
    #[serde(default)]
    says: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Elsewhere {
    command: String,
    /// A file of tests/it.
    test: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Not {
    command: String,
    why: String,
}

fn table() -> Table {
    toml::from_str(include_str!("commands.toml")).expect("commands.toml")
}

/// A list of what there is to call, and no call: `portvakt key list | rotate`.
fn is_synopsis(line: &Line) -> bool {
    !line.is_shell && line.text.starts_with("portvakt ") && line.command().contains(" | ")
}

/// Whether a line that is no command of a program that is known must yet be one.
fn looks_like_a_command(line: &str) -> bool {
    let Some(first) = line.split_whitespace().next() else {
        return false;
    };
    let is_word = first
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_./".contains(&b));
    let has_option = line.contains(" --")
        || line.split(' ').any(|word| {
            word.len() == 2 && word.starts_with('-') && word.as_bytes()[1].is_ascii_alphabetic()
        });
    is_word && first.starts_with(|c: char| c.is_ascii_lowercase() || c == '.') && has_option
}

/// All commands of all documents, with where they stand.
fn commands(table: &Table) -> (BTreeMap<String, String>, Vec<String>) {
    let (mut found, mut strange) = (BTreeMap::new(), Vec::new());
    for line in documents().iter().flat_map(lines) {
        let first = word(&line.text).unwrap_or_default();
        if line.text.starts_with('#') {
            continue;
        }
        if is_synopsis(&line) {
            continue;
        }
        if table.program.contains_key(first) {
            let command = line.command().to_owned();
            found.entry(command).or_insert(line.place);
        } else if line.is_shell || looks_like_a_command(&line.text) {
            strange.push(format!("{}: {}", line.place, line.text));
        }
    }
    (found, strange)
}

#[test]
fn every_command_is_run_or_said_why_not() {
    let _shows = shows!(accepting "PV-DOC-1", refusing "PV-DOC-1");
    let table = table();
    let (found, strange) = commands(&table);
    assert!(
        strange.is_empty(),
        "these look like commands of programs that are not in [program] of tests/it/documents/commands.toml:\n{}",
        strange.join("\n")
    );
    let mut known = BTreeSet::new();
    let listed = table.run.iter().map(|it| &it.command);
    let listed = listed.chain(table.elsewhere.iter().map(|it| &it.command));
    for command in listed.chain(table.not.iter().map(|it| &it.command)) {
        assert!(
            known.insert(command.clone()),
            "commands.toml has it twice: {command}"
        );
    }
    let is_of_a_program_that_is_not_run = |command: &str| {
        let reason = word(command).and_then(|first| table.program.get(first));
        reason.is_some_and(|reason| !reason.is_empty())
    };
    let new = found.iter().filter(|(command, _)| {
        !known.contains(*command) && !is_of_a_program_that_is_not_run(command)
    });
    let new: Vec<_> = new
        .map(|(command, place)| format!("{place}: {command}"))
        .collect();
    assert!(
        new.is_empty(),
        "these commands are new: put each into tests/it/documents/commands.toml, under [[run]] (it is run here), \
         [[elsewhere]] (another test runs it) or [[not]] (with the reason):\n{}",
        new.join("\n")
    );
    let old: Vec<_> = known
        .iter()
        .filter(|command| !found.contains_key(*command))
        .collect();
    assert!(
        old.is_empty(),
        "these commands of commands.toml are in no document any more: {old:#?}"
    );
    for Elsewhere { command, test } in &table.elsewhere {
        let file = root().join("tests/it").join(test);
        let text = std::fs::read_to_string(&file);
        let text = text.unwrap_or_else(|error| panic!("{command}: {}: {error}", file.display()));
        let words = calls(command, "portvakt");
        let words = words.first().expect("a call of portvakt");
        // By their names and options at least, or as a document that is read there; how they are run is theirs.
        let is_name = |word: &&String| {
            let is_plain = |b: u8| b.is_ascii_lowercase() || b == b'-';
            word.len() > 1 && word.bytes().all(is_plain) && *word != "--config"
        };
        let reads_it = test == "runbooks.rs";
        let lacks = words[1..]
            .iter()
            .filter(is_name)
            .find(|word| !text.contains(word.as_str()));
        assert!(
            reads_it || lacks.is_none(),
            "{command} is not in {test}: {lacks:?}"
        );
    }
    assert!(
        table.not.iter().all(|it| it.why.len() > 10),
        "a reason is a sentence"
    );
}

/// The calls of our own program, with placeholders filled in: whether they can be told from a whole call, and
/// their words.
fn our_calls(document: &Document) -> Vec<(String, bool, Vec<String>)> {
    let mut all = Vec::new();
    for line in lines(document) {
        let text = line.command().replace(['[', ']'], "");
        for (n, part) in alternatives(&text).iter().enumerate() {
            // A name by itself is an account's, or a folder's.
            for call in calls(part, "portvakt")
                .into_iter()
                .filter(|call| call.len() > 1)
            {
                let is_whole = n == 0 && !text.contains('…') && !text.contains(" | ");
                all.push((line.place.clone(), is_whole, call));
            }
        }
    }
    for (number, text) in quoted(&document.text) {
        for call in calls(&text, "portvakt") {
            all.push((format!("{}:{number}", document.name), false, call));
        }
    }
    all
}

/// `portvakt key list | rotate` as two.
fn alternatives(text: &str) -> Vec<String> {
    let mut parts = text.split(" | ");
    let first = parts.next().unwrap_or_default().to_owned();
    let Some((before, _)) = first
        .rsplit_once(' ')
        .filter(|_| first.starts_with("portvakt "))
    else {
        return vec![text.to_owned()];
    };
    let mut all = vec![first.clone()];
    // What the first alternative is given behind its name is not of the others.
    let before = match before.split(' ').next_back() {
        Some(word) if first.ends_with("FILE") => before.trim_end_matches(word).trim_end(),
        _ => before,
    };
    all.extend(parts.map(|part| format!("{before} {part}")));
    all
}

#[test]
fn every_call_of_the_program_is_one_that_it_takes() {
    let _shows = shows!(accepting "PV-DOC-2", refusing "PV-DOC-2");
    let (mut seen, mut strange) = (0, Vec::new());
    for document in documents() {
        for (place, is_whole, words) in our_calls(&document) {
            seen += 1;
            let words: Vec<_> = words.iter().map(|word| word.replace('…', "x")).collect();
            let parsed = portvakt::cli::parse(&words);
            let is_good = match parsed.as_ref().map_err(clap::Error::kind) {
                Ok(()) | Err(ErrorKind::DisplayVersion | ErrorKind::DisplayHelp) => true,
                Err(
                    ErrorKind::MissingRequiredArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::InvalidValue
                    | ErrorKind::ValueValidation
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
                ) => !is_whole,
                Err(_) => false,
            };
            if !is_good {
                let kind = parsed.as_ref().map_err(clap::Error::kind);
                strange.push(format!("{place}: {}: {kind:?}", words.join(" ")));
            }
        }
    }
    assert!(strange.is_empty(), "{}", strange.join("\n"));
    assert!(seen > 80, "{seen}");
    for wrong in [
        "portvakt chekc",
        "portvakt check --ofline",
        "portvakt key revoke",
        "portvakt backup a b",
    ] {
        let words: Vec<_> = wrong.split(' ').map(str::to_owned).collect();
        assert!(portvakt::cli::parse(&words).is_err(), "{wrong}");
    }
}

/// The schema at a path of keys; names that the operator chooses stand for any.
fn described<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(schema, |schema, name| {
        let either = schema["oneOf"].as_array().and_then(|either| either.last());
        let table = either.unwrap_or(schema);
        let table = if table["type"] == "array" {
            &table["items"]
        } else {
            table
        };
        let found = table["properties"].get(name);
        found.or_else(|| {
            table
                .get("additionalProperties")
                .filter(|more| more.is_object())
        })
    })
}

/// Whether a key stands in the file, or is a client's.
fn is_key(schema: &Value, path: &str) -> bool {
    described(schema, path).is_some() || described(schema, &format!("client.{path}")).is_some()
}

fn paths(table: &toml::Table, before: &str, all: &mut Vec<String>) {
    for (name, value) in table {
        let path = format!("{before}{name}");
        match value {
            toml::Value::Table(table) => paths(table, &format!("{path}."), all),
            toml::Value::Array(items) if items.iter().all(toml::Value::is_table) => {
                for table in items.iter().filter_map(toml::Value::as_table) {
                    paths(table, &format!("{path}."), all);
                }
            }
            _ => {}
        }
        all.push(path);
    }
}

#[test]
fn every_key_and_variable_is_one_that_there_is() {
    let _shows = shows!(accepting "PV-DOC-3", refusing "PV-DOC-3");
    let schema = schema();
    let sections: BTreeSet<String> = sections().into_iter().map(|(name, _)| name).collect();
    let variables: BTreeSet<String> = keys()
        .iter()
        .filter(|key| key.is_in_environment)
        .map(|key| format!("PORTVAKT_{}", key.name.replace('.', "__").to_uppercase()))
        .collect();
    let (mut keys_seen, mut in_blocks) = (0, 0);
    for document in documents() {
        let name = &document.name;
        for (number, text) in quoted(&document.text) {
            let is_path = text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.');
            let first = text.split('.').next().unwrap_or_default();
            if is_path && text.contains('.') && sections.contains(first) && !text.ends_with(".toml")
            {
                keys_seen += 1;
                assert!(
                    is_key(&schema, &text),
                    "{name}:{number}: there is no key {text}"
                );
            }
        }
        for word in document
            .text
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        {
            let is_ours = word.starts_with("PORTVAKT_") && word.contains("__");
            assert!(
                !is_ours || variables.contains(word),
                "{name}: there is no variable {word}"
            );
        }
        for block in blocks(&document.text) {
            let Ok(table) = toml::from_str::<toml::Table>(&block.text()) else {
                continue;
            };
            let is_file = table
                .keys()
                .any(|key| sections.contains(key) || key == "client");
            // Other programs' files have a client_id, too.
            let of_client = table
                .keys()
                .filter(|key| described(&schema, &format!("client.{key}")).is_some());
            let is_client = of_client.count() * 2 > table.len();
            if is_file || is_client {
                in_blocks += 1;
                let mut all = Vec::new();
                paths(&table, "", &mut all);
                for path in all {
                    let path = match path.split_once("others.") {
                        Some((before, _)) => format!("{before}others"),
                        None => path,
                    };
                    // What is JSON within has names of its own.
                    let path = path.split(".keys").next().unwrap_or_default();
                    let line = block.lines.first().map_or(0, |(number, _)| *number);
                    assert!(
                        is_key(&schema, path),
                        "{name}:{line}: there is no key {path}"
                    );
                }
            }
        }
    }
    assert!(keys_seen > 5 && in_blocks > 10, "{keys_seen} {in_blocks}");
    assert!(!is_key(&schema, "listen.adress") && !is_key(&schema, "bankid.risk.hihg"));
    assert!(is_key(&schema, "bankid.profile.tax.key_file") && is_key(&schema, "bankid.risk.high"));
}

#[test]
fn every_link_leads_somewhere() {
    let _shows = shows!(accepting "PV-DOC-4", refusing "PV-DOC-4");
    let leads = |from: &Path, target: &str| {
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let at = match file {
            "" => from.to_owned(),
            file => from.parent().expect("a folder").join(file),
        };
        let is_there = at.exists();
        is_there
            && (anchor.is_empty() || {
                let text = std::fs::read_to_string(&at).unwrap_or_default();
                anchors(&text).iter().any(|known| known == anchor)
            })
    };
    let mut seen = 0;
    for document in documents() {
        let from = root().join(&document.name);
        for (number, target) in links(&document.text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            assert!(
                leads(&from, &target),
                "{}:{number}: nothing is at {target}",
                document.name
            );
        }
    }
    assert!(seen > 20, "{seen}");
    let readme = root().join("README.md");
    assert!(leads(&readme, "docs/keys.md") && leads(&readme, "#run-it"));
    assert!(!leads(&readme, "docs/none.md") && !leads(&readme, "#none"));
}

#[test]
fn commands_do_what_they_are_told_to_do() {
    run(async {
        let _shows = shows!(accepting "PV-DOC-1");
        let app = App::on(Database::sqlite()).await;
        let directory = app.directory.path();
        std::fs::write(directory.join("portvakt.toml"), &app.config).expect("written");
        let program = Path::new(env!("CARGO_BIN_EXE_portvakt"));
        let here = program.parent().expect("a folder").display();
        let path = format!("{here}:{}", std::env::var("PATH").expect("a path"));
        for Run {
            command,
            before,
            with,
            says,
        } in table().run
        {
            let mut told = command.clone();
            for (from, to) in &with {
                assert!(told.contains(from), "{command}: {from}");
                told = told.replace(from, to);
            }
            let mut shell = Command::new("bash");
            shell
                .args(["-c", &format!("set -euo pipefail\n{before}\n{told}")])
                .current_dir(directory)
                .env("PATH", &path)
                .env("PORTVAKT_CONFIG", "portvakt.toml")
                .env("ROOT", root())
                .env("ISSUER", &app.issuer);
            let ran = tokio::task::spawn_blocking(move || shell.output());
            let ran = ran.await.expect("it ended").expect("it runs");
            let said = [ran.stdout, ran.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(ran.status.success(), "{told}: {said}");
            assert!(said.contains(&says), "{told}: {said}");
        }
    });
}
