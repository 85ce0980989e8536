//! The lines that are read: each source's sample, varied, and generated ones of the commonest sources.

mod generated;

use std::path::Path;

use regex::{Captures, Regex};

/// Lines of one kind, and the source that they are of.
pub(crate) struct Format {
    pub(crate) name: String,
    pub(crate) source: String,
    line: Box<dyn Fn(usize) -> String>,
}

impl Format {
    /// Line `n`: the same at every call.
    pub(crate) fn line(&self, n: usize) -> String {
        (self.line)(n)
    }
}

/// Every format: the generated ones, then each source's sample.
pub(crate) fn formats(sources: &[&str]) -> Vec<Format> {
    let generated = generated::ALL.iter().map(|(name, source, line)| Format {
        name: (*name).to_owned(),
        source: (*source).to_owned(),
        line: Box::new(line),
    });
    generated.chain(sources.iter().map(|source| of_sample(source))).collect()
}

fn of_sample(source: &str) -> Format {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas").join(source).join("sample.log");
    let sample = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let lines: Vec<String> = sample.lines().map(str::to_owned).collect();
    let varied = Varied::new();
    let line = move |n: usize| varied.line(&lines[n % lines.len()], n);
    Format { name: source.to_owned(), source: source.to_owned(), line: Box::new(line) }
}

/// Other addresses, times and ids in a line, where it stays a line of its source.
struct Varied {
    address: Regex,
    time: Regex,
    epoch: Regex,
    hex: Regex,
    user: Regex,
    sequence: Regex,
}

impl Varied {
    fn new() -> Self {
        let regex = |pattern| Regex::new(pattern).expect("the patterns below are valid");
        Self {
            address: regex(r"\b(203\.0\.113|198\.51\.100|192\.0\.2)\.\d+"),
            time: regex(r"\b09:2\d:\d\d"),
            // Seconds, or what is finer: 2026-03-14T09:26:40Z and the 99 seconds from there.
            epoch: regex(r"\b17734804\d\d"),
            // Fingerprints, tokens, ids of requests and traces.
            hex: regex(r"\b([0-9a-f]{24,})[0-9a-f]{8}\b"),
            user: regex(r"\busr_\d+"),
            sequence: regex(r#""seq":\d+"#),
        }
    }

    fn line(&self, line: &str, n: usize) -> String {
        let line = self.address.replace_all(line, |at: &Captures<'_>| format!("{}.{}", &at[1], n % 250));
        let time = format!("09:{:02}:{:02}", n / 60 % 4 + 26, n % 60);
        let line = self.time.replace_all(&line, &*time);
        let line = self.epoch.replace_all(&line, format!("17734804{:02}", n % 100));
        let line = self.hex.replace_all(&line, |at: &Captures<'_>| format!("{}{n:08x}", &at[1]));
        let line = self.user.replace_all(&line, format!("usr_{}", n % 5_000));
        self.sequence.replace_all(&line, format!("\"seq\":{n}")).into_owned()
    }
}
