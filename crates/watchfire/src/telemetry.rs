//! Our own log lines and the process's own metrics.

pub(crate) mod broker;

use std::io::IsTerminal;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Log lines go to standard error; standard output is for people.
pub(crate) fn start(log: &Log) -> anyhow::Result<()> {
    // At `info` these tell of every table commit; `log.filter` can still ask for them by name.
    let quiet = "buoyant_kernel=warn,buoyant_kernel_engine=warn,deltalake=warn,deltalake_core=warn";
    let filter = EnvFilter::try_new(format!("{quiet},{}", log.filter))
        .map_err(|why| anyhow::anyhow!("log.filter: {why}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Human => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    started.map_err(|why| anyhow::anyhow!("start logging: {why}"))?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        tracing::error!(place, thread, message = told(panic.payload()), "a bug: this should not happen");
    }));
    Ok(())
}

/// What a panic says, if it is the same whatever was read. What was put together may quote a log
/// line, and with it a secret.
fn told(payload: &(dyn std::any::Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("withheld, because it may quote a log line")
}

/// `process_cpu_seconds_total` and `process_resident_memory_bytes`, read from the kernel when asked.
#[derive(Debug)]
pub(crate) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let usage = Usage::now();
        let counter = ConstCounter::new(usage.cpu_seconds);
        let descriptor = encoder.encode_descriptor(
            "process_cpu_seconds",
            "CPU seconds used",
            None,
            MetricType::Counter,
        )?;
        counter.encode(descriptor)?;
        let gauge = ConstGauge::new(usage.resident_bytes as i64);
        let descriptor = encoder.encode_descriptor(
            "process_resident_memory_bytes",
            "Memory in use",
            None,
            MetricType::Gauge,
        )?;
        gauge.encode(descriptor)
    }
}

/// What the process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system CPU seconds.
    pub(crate) cpu_seconds: f64,
    /// Resident bytes now.
    pub(crate) resident_bytes: u64,
    /// The most resident bytes there have been.
    pub(crate) resident_bytes_max: u64,
}

impl Usage {
    /// Zeroes where the kernel does not say.
    pub(crate) fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // Fields after the command's closing bracket: utime and stime are the 12th and 13th.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |i: usize| fields.get(i).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kib = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        Self {
            // The kernel counts in hundredths of a second on every Linux that Rust's std supports.
            cpu_seconds: (ticks(11) + ticks(12)) as f64 / 100.0,
            resident_bytes: kib("VmRSS:").unwrap_or(0) * 1_024,
            resident_bytes_max: kib("VmHWM:").unwrap_or(0) * 1_024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn a_panic_that_quotes_a_line_is_logged_without_it() {
        let line = "token=5eC7e7";
        let quoting = std::panic::catch_unwind(|| panic!("cannot read {line}")).unwrap_err();
        assert!(!told(&*quoting).contains("5eC7e7"));
        let plain = std::panic::catch_unwind(|| panic!("no holder of this lock panics")).unwrap_err();
        assert_eq!(told(&*plain), "no holder of this lock panics");
    }
}
