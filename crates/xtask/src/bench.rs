//! Measurements. Each prints a Markdown table that can go into the README as it is.

mod broker;
mod detect;
mod end_to_end;
mod figures;
mod latency;
mod normalize;
mod process;
mod recall;
mod report;
mod score;

use clap::Subcommand;

pub(crate) use self::process::{Background, cpu_seconds_of};

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Normalize, detect, store and alerting together, from a full topic to lag 0: CPU, memory,
    /// speed, stored bytes, and which of the labelled attacks were found.
    EndToEnd(end_to_end::EndToEnd),
    /// How long after a line was appended an alert about it is heard of, at fixed rates.
    Latency(latency::LatencyBench),
    /// The embedded broker beside Apache Kafka: speed, latency, CPU and memory, with the same load.
    Broker(broker::BrokerBench),
    /// Reading lines of each format: CPU, speed and memory, beside parsing them and nothing else.
    Normalize(normalize::NormalizeBench),
    /// How good the detectors are: labelled attacks, and what only looks like one, by class. Fails if an
    /// attack is missed or anything else is told.
    Detect(detect::DetectBench),
    /// How often weeks of ordinary load are told as spikes, and how many surges are found.
    Spikes(detect::SpikesBench),
    /// The scorer of series on Numenta's benchmark, or another of its form.
    Score(score::ScoreBench),
}

pub(crate) fn run(bench: &Bench) -> anyhow::Result<()> {
    match bench {
        Bench::EndToEnd(options) => end_to_end::run(options),
        Bench::Latency(options) => latency::run(options),
        Bench::Broker(options) => broker::run(options),
        Bench::Normalize(options) => normalize::run(options),
        Bench::Detect(options) => detect::run(options),
        Bench::Spikes(options) => detect::run_spikes(options),
        Bench::Score(options) => score::run(options),
    }
}
