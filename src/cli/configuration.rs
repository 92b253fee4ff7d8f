//! `portvakt config`: what can be configured, for editors and for people.

use clap::Subcommand;

use crate::config::{reference, schema};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prints the JSON Schema of the configuration file, for editors.
    Schema,
    /// Prints every key with its meaning, its default and its variable, in Markdown.
    Reference,
}

pub fn run(command: &Command) {
    match command {
        Command::Schema => print!("{}", schema::text()),
        Command::Reference => print!("{}", reference::reference()),
    }
}
