//! The developer commands: `cargo xtask check`, `up`, `bless`, `bench`.
//!
//! Start at `check.rs`. Each command is one file that says what it runs; none of them knows how
//! Watchfire works inside.

mod bench;
mod check;
mod command;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tests (the architecture's among them), format, lints, licences: what CI runs without Kafka.
    Check,
    /// Start Kafka, Watchfire, Prometheus and Grafana in containers.
    Up {
        /// Also what later stages will use: PostgreSQL and MinIO.
        #[arg(long)]
        later: bool,
    },
    /// Accept what the tests now produce as what they expect; then read the diff.
    Bless,
    /// Measure.
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Check => check::run(),
        Command::Up { later } => {
            let profile: &[&str] = if later { &["--profile", "later"] } else { &[] };
            command::run("docker", &[&["compose"], profile, &["up", "--build", "--wait"]].concat())
        }
        Command::Bless => {
            command::run_with("cargo", &["test", "--workspace"], &[("BLESS", "1"), ("UPDATE_EXPECT", "1")])
        }
        Command::Bench(bench) => bench::run(&bench),
    }
}
