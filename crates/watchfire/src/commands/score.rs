//! `watchfire score`: how anomalous each value of a series is.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use score::{ScoreError, Summary, THRESHOLD, score_csv};

/// Flags of `score`.
#[derive(clap::Args)]
pub(crate) struct ScoreArgs {
    /// CSV with a header and the columns timestamp and value; `-` is standard input, whose rows are
    /// answered as they come.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Where `timestamp,value,anomaly_score` goes [default: standard output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Do not say on standard error how many values and alarms there were.
    #[arg(long)]
    quiet: bool,
}

pub(crate) fn run(args: &ScoreArgs) -> anyhow::Result<()> {
    let name = args.file.display().to_string();
    match score(args) {
        // `watchfire score … | head` has seen enough.
        Err(ScoreError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error).context(if name == "-" { "standard input".to_owned() } else { name }),
        Ok(summary) => {
            if !args.quiet {
                eprintln!("{}", said(summary));
            }
            Ok(())
        }
    }
}

fn score(args: &ScoreArgs) -> Result<Summary, ScoreError> {
    let is_live = args.file == Path::new("-");
    let series: Box<dyn Read> = match is_live {
        true => {
            if std::io::stdin().is_terminal() {
                eprintln!("reading a series from the terminal; end with Ctrl-D");
            }
            Box::new(std::io::stdin().lock())
        }
        false => Box::new(File::open(&args.file).map_err(ScoreError::Read)?),
    };
    let out: Box<dyn Write> = match &args.out {
        Some(file) => Box::new(BufWriter::new(File::create(file).map_err(ScoreError::Write)?)),
        // Standard output is flushed at each line's end, so that who waits for a score gets it.
        None if is_live => Box::new(std::io::stdout().lock()),
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    score_csv(series, out)
}

fn said(summary: Summary) -> String {
    let Summary { rows, alarms, out_of_order } = summary;
    let disorder = match out_of_order {
        0 => String::new(),
        rows => format!("; {rows} rows stand behind a later one"),
    };
    format!("{rows} values, {alarms} of them alarms (a score of {THRESHOLD} or more){disorder}")
}
