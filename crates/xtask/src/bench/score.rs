//! `bench score`: the univariate scorer on a folder in the form of Numenta's Anomaly Benchmark. The series
//! and their labels are not part of this repository, and neither is what scores the results.

use std::path::PathBuf;

use crate::command;
use crate::program::target_dir;

/// Flags of `bench score`.
#[derive(clap::Args)]
pub(crate) struct ScoreBench {
    /// The benchmark's folder: `data/<category>/<series>.csv` and `labels/`.
    #[arg(long, value_name = "DIR")]
    nab: PathBuf,
    /// A program that scores a folder of results, called as `python3 FILE RESULTS --nab DIR`, once with
    /// the threshold that fits best and once with ours.
    #[arg(long, value_name = "FILE")]
    scorer: Option<PathBuf>,
}

/// `score::THRESHOLD`; crate `score` need not be built for xtask.
const THRESHOLD: &str = "0.5";

pub(crate) fn run(options: &ScoreBench) -> anyhow::Result<()> {
    let results = target_dir()?.join("score-results");
    if results.exists() {
        std::fs::remove_dir_all(&results)?;
    }
    let (nab, results) = (options.nab.to_string_lossy(), results.to_string_lossy());
    let example = ["run", "--quiet", "--release", "--package", "score", "--example", "nab", "--"];
    command::run("cargo", &[&example[..], &[&nab, &results]].concat())?;
    let Some(scorer) = &options.scorer else {
        println!("scores are in {results}; name a --scorer to have them judged");
        return Ok(());
    };
    let scorer = scorer.to_string_lossy();
    let judge = [&*scorer, &results, "--nab", &nab, "--by-category"];
    for (said, more) in [("best threshold", &[][..]), ("fixed threshold", &["--threshold", THRESHOLD][..])] {
        println!("\n{said}");
        command::run("python3", &[&judge[..], more].concat())?;
    }
    Ok(())
}
