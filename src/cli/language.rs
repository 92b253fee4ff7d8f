//! `portvakt language`: languages besides those that are built in.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::language::{Tag, file};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prints a file to translate, with every text in Swedish and in English.
    Template {
        /// The tag of the language: fi, nb, pt-BR.
        #[arg(long, value_parser = tag)]
        tag: Option<Tag>,
    },
    /// Says what a file lacks, and what is wrong in it.
    Check {
        /// The file.
        file: PathBuf,
    },
}

fn tag(text: &str) -> Result<Tag, String> {
    Tag::parse(text).ok_or_else(|| "must be a language tag as fi or pt-BR".to_owned())
}

pub fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Template { tag } => {
            print!("{}", file::template(tag.as_ref()));
            Ok(())
        }
        Command::Check { file } => check(&file),
    }
}

fn check(path: &Path) -> anyhow::Result<()> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let (mistakes, missing) = match file::read(&text) {
        Ok(language) => (Vec::new(), language.missing().to_vec()),
        Err(refused) => (refused.mistakes, refused.missing),
    };
    for mistake in &mistakes {
        println!("{mistake}");
    }
    for key in &missing {
        println!("words.{key}: is missing, and shown in English");
    }
    match (mistakes.len(), missing.len()) {
        (0, 0) => println!("{name}: complete"),
        (wrong, missing) => bail!("{name}: {wrong} wrong, {missing} missing"),
    }
    Ok(())
}
