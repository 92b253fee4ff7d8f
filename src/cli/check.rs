//! `portvakt check`: what is wrong, and what to do about it.

use anyhow::bail;
use serde_json::json;

use super::{ConfigFile, shell};
use crate::checking::finding::{Finding, Level, worst};
use crate::checking::{self, Options};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub struct Check {
    #[command(flatten)]
    file: ConfigFile,
    /// Looks at nothing on other machines but the database.
    #[arg(long)]
    offline: bool,
    /// Fails by warnings too.
    #[arg(long)]
    strict: bool,
    /// For another program.
    #[arg(long)]
    json: bool,
}

pub async fn run(check: Check) -> anyhow::Result<()> {
    let found = match Config::read(&check.file.config) {
        Ok(config) => {
            let options = Options {
                offline: check.offline,
            };
            checking::run(&check.file.config, &config, options).await
        }
        Err(problems) if check.json => problems.0.iter().map(mistake).collect(),
        Err(problems) => return Err(problems.into()),
    };
    match check.json {
        true => {
            let all = json!({ "result": worst(&found), "findings": found });
            print!("{}", shell::json(&all)?);
        }
        false => found.iter().for_each(|finding| println!("{finding}")),
    }
    let fails = |finding: &&Finding| {
        finding.level == Level::Error || (check.strict && finding.level == Level::Warning)
    };
    match found.iter().filter(fails).count() {
        0 => Ok(()),
        failed => bail!("{failed} of {} checks failed", found.len()),
    }
}

fn mistake(problem: &crate::config::Problem) -> Finding {
    Finding::error(
        &problem.key,
        "configuration",
        &problem.reason,
        "docs/configuration.md has every key with what it means.",
    )
}
