//! The lines of every source's sample, to be mixed, cut and harmed.

use std::path::Path;
use std::sync::LazyLock;

/// A line of a sample, and the source whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) source: String,
    pub(crate) line: String,
}

/// Every line of every sample, in order of the sources' names.
pub(crate) fn samples() -> &'static [Sample] {
    static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| {
        let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
        let folders = std::fs::read_dir(schemas).unwrap().map(|entry| entry.unwrap().path());
        let mut samples: Vec<Sample> =
            folders.filter(|folder| folder.join("sample.log").exists()).flat_map(|it| lines(&it)).collect();
        samples.sort_by(|a, b| a.source.cmp(&b.source));
        samples
    });
    &SAMPLES
}

/// Every source that has a sample.
pub(crate) fn sources() -> Vec<&'static str> {
    let mut sources: Vec<&str> = samples().iter().map(|sample| &*sample.source).collect();
    sources.dedup();
    sources
}

fn lines(folder: &Path) -> Vec<Sample> {
    let source = folder.file_name().unwrap().to_str().unwrap();
    let text = std::fs::read_to_string(folder.join("sample.log")).unwrap();
    let sample = |line: &str| Sample { source: source.to_owned(), line: line.to_owned() };
    text.lines().map(sample).collect()
}

/// Whether a line may hold several: an array of objects, or a request of OTLP.
pub(crate) fn holds_several(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    text.trim_start_matches('\u{feff}').trim_start().starts_with('[')
        || text.contains("resourceLogs")
        || text.contains("resource_logs")
}
