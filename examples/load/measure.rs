//! What was measured, and how it is told.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use crate::What;
use crate::provider::{Process, Used, World};

/// What one kind of thing took.
pub struct Measured {
    figures: Map<String, Value>,
    /// What did not work.
    pub failures: Vec<anyhow::Error>,
}

impl Measured {
    /// So many, with these figures.
    pub fn new(figures: Value, failures: Vec<anyhow::Error>) -> Measured {
        let figures = figures.as_object().cloned().unwrap_or_default();
        Measured { figures, failures }
    }

    /// With one more figure for each of those that were counted.
    pub fn with_each(mut self, name: &str, sum: f64) -> Measured {
        let count = self.figures["count"].as_f64().unwrap_or_default().max(1.0);
        self.figures.insert(name.to_owned(), (sum / count).into());
        self
    }

    /// Tells it.
    pub fn print(&self, what: What, on: &str, as_json: bool) {
        if as_json {
            let mut all = Map::new();
            all.insert("what".to_owned(), format!("{what:?}").to_lowercase().into());
            all.insert("on".to_owned(), on.into());
            all.extend(self.figures.clone());
            all.insert("failures".to_owned(), self.failures.len().into());
            println!("{}", Value::Object(all));
        } else {
            println!("{what:?} ({on})");
            for (name, value) in &self.figures {
                let value = value.as_f64().unwrap_or_default();
                println!("  {name:36} {value:>12.3}");
            }
            println!("  {:36} {:>12}", "failures", self.failures.len());
        }
        for failure in self.failures.iter().take(3) {
            eprintln!("failed: {failure:#}");
        }
    }
}

/// Does something `count` times, `parallel` at the same time, and measures how long each took and what it
/// took of a process.
pub async fn repeat<F, Fut>(
    world: &Arc<World>,
    process: &Process,
    count: usize,
    parallel: usize,
    work: F,
) -> anyhow::Result<Measured>
where
    F: Fn(Arc<World>, usize) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let before = process.used()?;
    let began = Instant::now();
    let turns = Arc::new(Semaphore::new(parallel));
    let mut running = Vec::with_capacity(count);
    for n in 0..count {
        let turn = turns.clone().acquire_owned().await?;
        let work = work(world.clone(), n);
        running.push(tokio::spawn(async move {
            let began = Instant::now();
            let outcome = work.await;
            drop(turn);
            outcome.map(|()| began.elapsed())
        }));
    }
    let (mut took, mut failures) = (Vec::with_capacity(count), Vec::new());
    for one in running {
        match one.await? {
            Ok(length) => took.push(length),
            Err(error) => failures.push(error),
        }
    }
    let wall = began.elapsed();
    let used = process.used()?;
    Ok(Measured::new(
        figures(&mut took, wall, before, used),
        failures,
    ))
}

fn figures(took: &mut [Duration], wall: Duration, before: Used, used: Used) -> Value {
    took.sort();
    let cpu = used.cpu - before.cpu;
    json!({
        "count": took.len(),
        "seconds": wall.as_secs_f64(),
        "per_second": took.len() as f64 / wall.as_secs_f64(),
        "milliseconds_p50": milliseconds(at(took, 0.5)),
        "milliseconds_p95": milliseconds(at(took, 0.95)),
        "milliseconds_p99": milliseconds(at(took, 0.99)),
        "provider_cpu_milliseconds_each": milliseconds(cpu) / took.len().max(1) as f64,
        "provider_memory_mib": used.memory as f64 / MIB,
        "provider_peak_memory_mib": used.peak as f64 / MIB,
    })
}

/// A share of what was sorted lies below this.
pub fn at<T: Copy + Default>(sorted: &[T], share: f64) -> T {
    let index = ((sorted.len() as f64 - 1.0) * share).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

/// In milliseconds.
pub fn milliseconds(length: Duration) -> f64 {
    length.as_secs_f64() * 1000.0
}

pub const MIB: f64 = 1024.0 * 1024.0;
