//! People in front of a code that nobody scans: a new frame each second, BankID asked every two.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::Options;
use crate::measure::{MIB, Measured, at, milliseconds};
use crate::person::Visit;
use crate::provider::World;

/// How many come at the same time.
const ARRIVING: usize = 50;

/// What they cost while they wait.
pub async fn measure(world: &Arc<World>, options: &Options) -> anyhow::Result<Measured> {
    let empty = world.provider.used()?;
    let (is_over, frames) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let is_measured = Arc::new(AtomicBool::new(false));
    let doors = Arc::new(Semaphore::new(ARRIVING));
    let arrived = Arc::new(Semaphore::new(0));
    let mut people = Vec::new();
    for _ in 0..options.people {
        let (world, doors, arrived) = (world.clone(), doors.clone(), arrived.clone());
        let (is_over, is_measured, frames) = (is_over.clone(), is_measured.clone(), frames.clone());
        people.push(tokio::spawn(async move {
            let door = doors.acquire_owned().await?;
            let mut visit = Visit::new(&world);
            let stream = visit.wait_for_scan().await;
            drop(door);
            arrived.add_permits(1);
            watch(stream?, &is_over, &is_measured, &frames).await
        }));
    }
    let _ = arrived.acquire_many(options.people as u32).await?;
    // Not what their arrival cost.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = world.provider.used()?;
    let asked = world.counted(COLLECTS).await?;
    frames.store(0, Ordering::Relaxed);
    is_measured.store(true, Ordering::Relaxed);
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    let used = world.provider.used()?;
    let took = began.elapsed();
    let asked = world.counted(COLLECTS).await? - asked;
    let frames = frames.load(Ordering::Relaxed) as f64;
    is_over.store(true, Ordering::Relaxed);
    let (mut late, mut failures) = (Vec::new(), Vec::new());
    for person in people {
        match person.await? {
            Ok(lateness) => late.extend(lateness),
            Err(error) => failures.push(error),
        }
    }
    late.sort();
    let person_seconds = options.people as f64 * took.as_secs_f64();
    let cpu = milliseconds(used.cpu - before.cpu);
    let grown = used.memory.saturating_sub(empty.memory) as f64;
    Ok(Measured::new(
        json!({
            "people": options.people,
            "seconds": took.as_secs_f64(),
            "provider_cpu_microseconds_per_person_and_second": cpu * 1000.0 / person_seconds,
            "provider_memory_kib_each": grown / 1024.0 / options.people.max(1) as f64,
            "provider_memory_mib": used.memory as f64 / MIB,
            "frames_per_person_and_second": frames / person_seconds,
            "collects_per_person_and_second": asked / person_seconds,
            "frame_late_milliseconds_p50": milliseconds(at(&late, 0.5)),
            "frame_late_milliseconds_p99": milliseconds(at(&late, 0.99)),
            "frame_late_milliseconds_most": milliseconds(at(&late, 1.0)),
        }),
        failures,
    ))
}

const COLLECTS: &str = "portvakt_bankid_answers_total{operation=\"collect\",outcome=\"ok\"}";

/// Reads frames until it is over. How late each came: a code's frames are due a second apart, so the most punctual
/// one tells when the others were due.
async fn watch(
    mut stream: reqwest::Response,
    is_over: &AtomicBool,
    is_measured: &AtomicBool,
    frames: &AtomicU64,
) -> anyhow::Result<Vec<Duration>> {
    let began = Instant::now();
    let (mut orders, mut order, mut arrivals) = (Vec::new(), String::new(), Vec::new());
    loop {
        let chunk = tokio::time::timeout(Duration::from_secs(30), stream.chunk()).await??;
        let Some(chunk) = chunk else {
            bail!("the events ended");
        };
        let arrived = began.elapsed();
        let text = String::from_utf8_lossy(&chunk);
        if !text.contains("\"modules\":") {
            continue;
        }
        frames.fetch_add(1, Ordering::Relaxed);
        let (_, rest) = text.split_once("\"order\":").unwrap_or_default();
        let of: String = rest.chars().take_while(char::is_ascii_digit).collect();
        // Another order's frames are due at another moment of the second.
        if of != order {
            orders.push(std::mem::take(&mut arrivals));
            order = of;
        }
        if is_measured.load(Ordering::Relaxed) {
            arrivals.push(arrived);
        }
        if is_over.load(Ordering::Relaxed) {
            break;
        }
    }
    orders.push(arrivals);
    Ok(orders.iter().flat_map(|arrivals| late(arrivals)).collect())
}

fn late(arrivals: &[Duration]) -> Vec<Duration> {
    let phase = |at: &Duration| Duration::from_nanos(u64::from(at.subsec_nanos()));
    let Some(any) = arrivals.first().map(phase) else {
        return Vec::new();
    };
    // Counted from half a second before any one of them, so that no phase is split by the turn of a second.
    let turned =
        |at: &Duration| (phase(at) + Duration::from_millis(1500) - any).as_nanos() % 1_000_000_000;
    let first = arrivals.iter().map(turned).min().unwrap_or_default();
    let late = arrivals.iter().map(|at| turned(at) - first);
    late.map(|nanos| Duration::from_nanos(nanos as u64))
        .collect()
}
