//! What every command that changes or shows something has in common: the configuration, the database, and
//! who sits at the shell.

use serde::Serialize;

use super::ConfigFile;
use crate::admin::Desk;
use crate::admin::role::Reach;
use crate::audit::{Actor, Door, Who};
use crate::clock::Clock;
use crate::config::Config;
use crate::random::Random;
use crate::storage::{Keys, Store};

/// A database that is opened for one command.
pub struct Shell {
    pub config: Config,
    pub store: Store,
    pub keys: Keys,
    random: Random,
    clock: Clock,
}

impl Shell {
    /// On a database that is as this version needs it.
    pub async fn open(file: &ConfigFile) -> anyhow::Result<Shell> {
        let config = Config::read(&file.config)?;
        let (random, clock) = (Random::system(), Clock::system());
        let (url, master) = (&config.database_url, &config.master_key);
        let (store, keys) = Store::open_unchanged(url, master, &random, clock.now()).await?;
        Ok(Shell {
            config,
            store,
            keys,
            random,
            clock,
        })
    }

    /// The operator at work, by the command line or by a file.
    pub fn desk(&self, door: Door) -> Desk<'_> {
        Desk {
            config: &self.config,
            store: &self.store,
            random: &self.random,
            clock: &self.clock,
            actor: at_the_shell(door),
            reach: Reach::All,
            gives_administration: true,
        }
    }

    /// Says what came of a command, and then seals what was done: a secret that is shown once is shown,
    /// whatever becomes of the seal.
    pub async fn end(self, said: anyhow::Result<String>) -> anyhow::Result<()> {
        let said = said.map(|said| print!("{said}"));
        let sealed = self.store.seal_audit(self.clock.now()).await;
        self.store.close().await;
        said?;
        sealed?;
        Ok(())
    }

    /// The same for a command that changes nothing.
    pub async fn end_unsealed(self, said: anyhow::Result<String>) -> anyhow::Result<()> {
        self.store.close().await;
        print!("{}", said?);
        Ok(())
    }
}

/// Whoever sits at the shell, by the command line or by a file.
pub fn at_the_shell(door: Door) -> Actor {
    Actor {
        who: Who::Operator(operator()),
        door,
        address: None,
    }
}

/// Whoever sits at the shell, as the machine knows them.
fn operator() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| {
            let name = std::env::var(name).ok()?;
            let sound =
                (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
            sound.then_some(name)
        });
    named.unwrap_or_else(|| "unknown".to_owned())
}

/// A value for another program.
pub fn json(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Rows as columns, each as wide as its widest cell.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    let all = || std::iter::once(&header).chain(rows);
    let width = |column: usize| {
        all()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    all().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["a".into(), "åäö".into()],
            vec!["bbb".into(), String::new()],
        ];
        assert_eq!(table(&["id", "x"], &rows), "id   x\na    åäö\nbbb\n");
    }
}
