//! The developer commands: `cargo xtask check`, `up`, `bless`, `simulate`, `faults`,
//! `bench`.
//!
//! Start at `check.rs`. Each command is one file that says what it runs; none of them knows how
//! Watchfire works inside.

mod bench;
mod check;
mod command;
mod faults;
mod program;

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
    /// Run the stages through crashes, zombies, moves and full disks, and compare with calm. Flags of
    /// the simulation come after --keep.
    Simulate {
        /// Let STORE and ALERTING take part, and look at what they keep: seconds a seed instead of tenths.
        #[arg(long)]
        keep: bool,
        /// Flags of the simulation: --seeds N, --first SEED, --lines N, --story.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<String>,
    },
    /// Kill, stop and starve the processes of a running system, and hold what is left against a
    /// replay of the same log.
    Faults(faults::Faults),
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
        Command::Simulate { keep, flags } => simulate(keep, &flags),
        Command::Faults(options) => faults::run(&options),
        Command::Bench(bench) => bench::run(&bench),
    }
}

/// With what is kept the simulation is built as the tests are, so that the query engine under the
/// tables is not built anew: with optimisation that alone takes longer than thousands of seeds.
fn simulate(keep: bool, flags: &[String]) -> anyhow::Result<()> {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    if keep {
        // A test's build makes the crate's program too.
        command::run("cargo", &["test", "--quiet", "--workspace", "--test", "seeds", "--no-run"])?;
        let program = program::target_dir()?.join("debug/simulate-keep");
        return command::run(&program.to_string_lossy(), &flags);
    }
    let build = ["run", "--quiet", "--release", "--package", "simulate", "--"];
    command::run("cargo", &[&build[..], &flags].concat())
}
