//! `portvakt backup`, `restore` and `migrate-database`: the database as a whole.

use std::path::{Path, PathBuf};

use super::ConfigFile;
use super::shell::{self, Shell};
use crate::admin::database::{self, Bench};
use crate::audit::Door;
use crate::clock::Clock;
use crate::config::Config;
use crate::random::Random;
use crate::storage::{self, EndedByRestore};

#[derive(Debug, clap::Args)]
pub struct Backup {
    #[command(flatten)]
    file: ConfigFile,
    /// The file to be made. Nothing is overwritten.
    to: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct Restore {
    #[command(flatten)]
    file: ConfigFile,
    /// A file that `portvakt backup` made.
    #[arg(required_unless_present = "taken_over", conflicts_with = "taken_over")]
    from: Option<PathBuf>,
    /// The database is there already, put back or switched over to by tools of its own: only end what lived
    /// in it.
    #[arg(long)]
    taken_over: bool,
}

#[derive(Debug, clap::Args)]
pub struct Move {
    #[command(flatten)]
    file: ConfigFile,
    /// The new, empty database, as in database.url. A password stands better in PGPASSWORD or in a file that
    /// PGPASSFILE names than here, where others on the machine can read it.
    #[arg(long)]
    to: String,
}

struct Tools {
    config: Config,
    random: Random,
    clock: Clock,
}

impl Tools {
    fn of(file: &ConfigFile) -> anyhow::Result<Tools> {
        Ok(Tools {
            config: Config::read(&file.config)?,
            random: Random::system(),
            clock: Clock::system(),
        })
    }

    fn bench(&self) -> Bench<'_> {
        Bench {
            config: &self.config,
            random: &self.random,
            clock: &self.clock,
            actor: shell::at_the_shell(Door::Cli),
        }
    }
}

pub async fn back_up(command: Backup) -> anyhow::Result<()> {
    let tools = Tools::of(&command.file)?;
    let made = database::back_up(&tools.bench(), &command.to).await?;
    println!(
        "{} holds the database as it was a moment ago: {} rows in {} tables, read again and whole.\n\
         The master key is not in it. Without that key it opens nothing: keep both, and apart.",
        command.to.display(),
        made.rows,
        made.tables,
    );
    Ok(())
}

pub async fn restore(command: Restore) -> anyhow::Result<()> {
    match &command.from {
        Some(from) => put_back(&command.file, from).await,
        None => {
            let config = Config::read(&command.file.config)?;
            storage::update(&config.database_url).await?;
            let shell = Shell::open(&command.file).await?;
            let ended = database::end_what_lived(&shell.desk(Door::Cli)).await;
            let said = ended.map(told).map_err(anyhow::Error::from);
            shell.end(said).await
        }
    }
}

async fn put_back(file: &ConfigFile, from: &Path) -> anyhow::Result<()> {
    let tools = Tools::of(file)?;
    let restored = database::restore(&tools.bench(), from).await?;
    match restored.made_at {
        Some(at) => println!("The database is as it was at {at}."),
        None => println!("The database is as it was when the backup was made."),
    }
    if let Some(head) = restored.head {
        println!(
            "Its audit log ended at {head}. If a later head is known, what came after it is lost:\n\
             `portvakt audit verify --head` says so."
        );
    }
    print!("{}", told(restored.ended));
    Ok(())
}

fn told(ended: EndedByRestore) -> String {
    format!(
        "Ended, because it may have been used or ended since: {} logins under way, {} sessions, what clients had from\n\
         {} logins, and every code, token, pushed request and invitation. People log in again. What clients signed\n\
         before now is refused: for a minute that can be all that some of them send.\n\
         What administrators did since the backup is undone: see \"After a restore\" in docs/backup.md.\n",
        ended.logins, ended.sessions, ended.grants,
    )
}

pub async fn move_to(command: Move) -> anyhow::Result<()> {
    let tools = Tools::of(&command.file)?;
    let moved = database::move_to(&tools.bench(), &command.to).await?;
    let rows: Vec<Vec<String>> = moved
        .iter()
        .map(|one| {
            let digest = hex::encode(&one.digest[..8]);
            vec![one.table.clone(), one.rows.to_string(), digest]
        })
        .collect();
    print!("{}", shell::table(&["table", "rows", "digest"], &rows));
    println!(
        "Everything has arrived: each table has the same rows and the same digest in both databases. Set database.url to\n\
         the new one before you serve, and keep nobody serving the old file: codes that were used since would live in it."
    );
    Ok(())
}
