//! `bench normalize`: what an event of each format costs. The lines and the clock are in
//! `throughput`, an example of crate `normalize`, so that xtask need not be built with it.

use crate::command;

/// Flags of `bench normalize`.
#[derive(clap::Args)]
pub(crate) struct NormalizeBench {
    /// Only formats whose name holds this.
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// Lines of each format in a round.
    #[arg(long, default_value_t = 8_000)]
    lines: usize,
    /// How often; the table shows medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// JSON lines instead of a table.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &NormalizeBench) -> anyhow::Result<()> {
    let (lines, rounds) = (options.lines.to_string(), options.rounds.to_string());
    let mut arguments = vec!["run", "--quiet", "--release", "--package", "normalize"];
    arguments.extend(["--example", "throughput", "--", "--lines", &lines, "--rounds", &rounds]);
    if let Some(format) = &options.format {
        arguments.extend(["--format", format]);
    }
    if options.json {
        arguments.push("--json");
    }
    command::run("cargo", &arguments)
}
