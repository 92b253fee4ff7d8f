//! What the operating system says of the process, under the names that Prometheus' own libraries give it.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The process, asked whenever it is told of. Where there is no `/proc` there is nothing to tell.
#[derive(Debug)]
pub(super) struct Process;

/// What there is to tell.
#[derive(Debug)]
struct Seen {
    cpu_seconds: f64,
    started_at: f64,
    resident: f64,
    address_space: f64,
    threads: f64,
    open_files: f64,
    most_files: f64,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let Some(seen) = look() else {
            return Ok(());
        };
        let cpu = ConstCounter::new(seen.cpu_seconds);
        cpu.encode(encoder.encode_descriptor(
            "process_cpu_seconds",
            "Seconds of a core that the process has used.",
            None,
            prometheus_client::metrics::MetricType::Counter,
        )?)?;
        for (name, help, value) in [
            (
                "process_start_time_seconds",
                "When the process started, in seconds since 1970.",
                seen.started_at,
            ),
            (
                "process_resident_memory_bytes",
                "Memory of the machine that the process holds.",
                seen.resident,
            ),
            (
                "process_virtual_memory_bytes",
                "Addresses that the process holds.",
                seen.address_space,
            ),
            ("process_threads", "Threads of the process.", seen.threads),
            (
                "process_open_fds",
                "Files and connections that are open.",
                seen.open_files,
            ),
            (
                "process_max_fds",
                "Files and connections that may be open.",
                seen.most_files,
            ),
        ] {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(
                name,
                help,
                None,
                prometheus_client::metrics::MetricType::Gauge,
            )?)?;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in f64")]
fn look() -> Option<Seen> {
    use procfs::process::{LimitValue, Process};
    let process = Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    let most_files = match process.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Unlimited => f64::INFINITY,
        LimitValue::Value(most) => most as f64,
    };
    Some(Seen {
        cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
        started_at: procfs::boot_time_secs().ok()? as f64 + stat.starttime as f64 / ticks,
        resident: (stat.rss * procfs::page_size()) as f64,
        address_space: stat.vsize as f64,
        threads: stat.num_threads as f64,
        open_files: process.fd_count().ok()? as f64,
        most_files,
    })
}

#[cfg(not(target_os = "linux"))]
fn look() -> Option<Seen> {
    None
}
