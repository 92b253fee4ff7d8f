//! The configuration as a document. It is made of the same types that a file is read into.

use std::fmt::Write;

use serde_json::Value;

use super::environment::variable;
use super::schema::{Key, Kind, keys, keys_of_clients, sections};

/// Every key with what it means, in Markdown.
pub fn reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    let keys = keys();
    for key in keys.iter().filter(|key| !key.name.contains('.')) {
        text += &entry(key);
    }
    for (section, _) in sections() {
        write!(text, "\n## `[{section}]`\n").expect("text");
        let within = format!("{section}.");
        for key in keys.iter().filter(|key| key.name.starts_with(&within)) {
            text += &entry(key);
        }
    }
    text += CLIENTS;
    for key in keys_of_clients() {
        text += &entry(&key);
    }
    text
}

const INTRODUCTION: &str = "# Configuration

One file in TOML: `portvakt.toml` in the folder where the program is started, or what `--config` or
`PORTVAKT_CONFIG` names. Paths in it are relative to it. Unknown keys are refused. [examples/portvakt.toml](../examples/portvakt.toml) has every key
in a file that works; [portvakt.schema.json](portvakt.schema.json) (`portvakt config schema`) describes them to
editors. This list is made from the program's own (`portvakt config reference`), defaults too.

**Changes.** A node reads the file when it starts: a change is taken by restarting one node after the other
([operators.md](operators.md)). `portvakt check` says beforehand what is wrong. A file whose key is marked *read again* is
taken within seconds after it changes.

**Environment.** A variable stands in the place of a key: `PORTVAKT_` and the key in capitals, with two
underscores for each dot. It wins over the file. Lists have commas between their entries. An empty variable says
nothing. Tables with names of their own (`[bankid.profile.NAME]`) and clients are written in the file alone. A
variable with two underscores that is no key's is refused, so that none is misspelt; so is one that lacks the
second underscore, and one that is not UTF-8.

    PORTVAKT_ISSUER=https://login.example.se
    PORTVAKT_LISTEN__TRUSTED_PROXIES=10.0.0.0/8,fd00::/8
    PORTVAKT_KEYS__MASTER_KEY_FILE=/run/secrets/master.key

Three more variables are no key's: `PORTVAKT_CONFIG` (the file), `PORTVAKT_MASTER_KEY` (as
`keys.master_key`) and `PORTVAKT_FORMER_MASTER_KEYS` (added to `keys.former_master_keys`).

**Secrets.** Each can be written in a file of its own: `master_key_file` for `master_key`, and so with
`passphrase`, `client_secret` and `database.url`. Both at once are refused. A file that everybody on the machine
can read is refused, where people log in with their own BankID.

Keys that begin with `danger_` are for tests, or for places that nobody else reaches.

## At the top
";

const CLIENTS: &str = "
## `[[client]]`

One table for each application. Beside the keys here it holds any of [client-settings.md](client-settings.md).
";

fn entry(key: &Key) -> String {
    let mut text = format!("\n### `{}`\n\n{}\n\n", key.name, key.meaning);
    writeln!(text, "- {}", kind(&key.kind)).expect("text");
    if let Kind::Choice(words) = &key.kind {
        for (word, meaning) in words {
            writeln!(text, "  - `{word}`: {meaning}").expect("text");
        }
    }
    let without = match (&key.default, key.is_needed) {
        (_, true) => "It must be there.".to_owned(),
        (None, false) => "Without it nothing is set.".to_owned(),
        (Some(default), false) => format!("Without it: `{}`.", in_toml(default)),
    };
    writeln!(text, "- {without}").expect("text");
    if key.is_in_environment {
        writeln!(text, "- `{}`", variable(&key.name)).expect("text");
    }
    if key.is_read_again {
        text += "- Read again.\n";
    }
    text
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Text => "A text.".to_owned(),
        Kind::Share => "A number from 0 to 1.".to_owned(),
        Kind::Switch => "`true` or `false`.".to_owned(),
        Kind::List => "A list of texts.".to_owned(),
        Kind::Choice(_) => "One of these words:".to_owned(),
        Kind::Number { least, most } => match (least, most) {
            (Some(least), Some(most)) => format!("A whole number, {least} to {most}."),
            (Some(least), None) => format!("A whole number, at least {least}."),
            _ => "A whole number.".to_owned(),
        },
    }
}

/// Texts, numbers, switches and lists of texts are written in TOML as in JSON.
fn in_toml(value: &Value) -> String {
    value.to_string()
}
