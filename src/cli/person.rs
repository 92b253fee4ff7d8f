//! `portvakt person`: a person's rights. Their number never stands among the arguments, where others on the
//! machine could read it, and a shell would remember it.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;

use super::shell::{self, Shell};
use super::{ConfigFile, write_private};
use crate::admin::person::{self, Asked, Evidence, Outcome, Staying};
use crate::audit::Door;
use crate::bankid::personal_number::PersonalNumber;
use crate::storage::Erased;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Writes all that is kept of a person, as JSON. It holds personal data.
    Export {
        #[command(flatten)]
        of: Of,
        /// Where it is written; without, on standard output.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Erases what is kept of a person. Their sessions end, and their clients are told.
    Erase {
        #[command(flatten)]
        of: Of,
        /// Erases what proves their logins, too, which clients have kept for a time that is not over.
        #[arg(long)]
        with_evidence: bool,
        /// For another program.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub struct Of {
    #[command(flatten)]
    file: ConfigFile,
    /// A file that holds the personal number, 12 digits, and nothing else; - is standard input.
    #[arg(long)]
    number_file: PathBuf,
    /// Why, for the audit log: 5 to 300 characters, without the number.
    #[arg(long)]
    why: String,
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    let (Command::Export { of, .. } | Command::Erase { of, .. }) = &command;
    let number = number(&of.number_file)?;
    let shell = Shell::open(&of.file).await?;
    let said = said(&shell, &command, of, &number).await;
    shell.end(said).await
}

async fn said(
    shell: &Shell,
    command: &Command,
    of: &Of,
    number: &PersonalNumber,
) -> anyhow::Result<String> {
    let (desk, keys) = (shell.desk(Door::Cli), &shell.keys);
    let asked = Asked {
        number,
        why: &of.why,
    };
    match command {
        Command::Export { out, .. } => {
            let told = shell::json(&person::export(&desk, keys, asked).await?)?;
            match out {
                None => Ok(told),
                Some(out) => {
                    write_private(out, &told)?;
                    Ok(format!("It is in {}.\n", out.display()))
                }
            }
        }
        Command::Erase {
            with_evidence,
            json,
            ..
        } => {
            let evidence = match with_evidence {
                true => Evidence::Goes,
                false => Evidence::Stays,
            };
            // What clients must be told is kept, and a node that serves tells them.
            let outcome = person::erase(&desk, keys, asked, evidence).await?;
            match json {
                true => shell::json(&outcome),
                false => Ok(lines(&outcome)),
            }
        }
    }
}

/// The number that a file holds.
fn number(file: &Path) -> anyhow::Result<PersonalNumber> {
    /// More than anybody needs for a number and a line's end.
    const MOST: u64 = 64;
    let mut text = String::new();
    if file == Path::new("-") {
        if std::io::stdin().is_terminal() {
            eprintln!("The personal number, 12 digits, and Ctrl-D:");
        }
        std::io::stdin().take(MOST).read_to_string(&mut text)?;
    } else {
        let opened = std::fs::File::open(file);
        let opened = opened.with_context(|| format!("{} cannot be read", file.display()))?;
        opened.take(MOST).read_to_string(&mut text)?;
    }
    // What was there is not said: it may be a number in another form.
    match person::number(&text) {
        Some(number) => Ok(number),
        None => bail!("--number-file: must hold 12 digits, with the century, and nothing else"),
    }
}

/// In lines for a person.
fn lines(outcome: &Outcome) -> String {
    let Erased {
        person,
        sessions,
        grants,
        approvals,
        logins,
        requests,
        evidence,
    } = outcome.erased;
    let mut said = format!(
        "Erased: {person} person, {sessions} sessions, {grants} grants, {approvals} approvals, {logins} logins, \
         {requests} requests, {evidence} pieces of evidence.\n"
    );
    if !outcome.clients.is_empty() {
        let clients = outcome.clients.join(", ");
        said += &format!(
            "These clients were told something of them, and may have kept it: {clients}.\n"
        );
    }
    let staying = |one: &Staying| {
        let which = [&one.id, &one.client_id].into_iter().flatten();
        let which: String = which.map(|name| format!(" {name}")).collect();
        let Staying {
            part, why, until, ..
        } = one;
        format!("Stays: {part}{which}, until {until}: {why}.\n")
    };
    said.extend(outcome.stays.iter().map(staying));
    said
}
