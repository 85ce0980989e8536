//! A log file, or standard input, line by line; compressed ones as if they were not.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::Path;

use anyhow::Context;
use flate2::read::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};

/// What is longer is cut off: a file without newlines must not fill memory.
pub(crate) const LINE_BYTES_MAX: usize = 8 << 20;

/// The lines of one input.
pub(crate) struct Lines {
    input: Box<dyn BufRead>,
    /// For errors.
    name: String,
}

/// How much of a line was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Whole,
    /// The first [`LINE_BYTES_MAX`] bytes; the rest was passed over.
    Beginning,
}

impl Lines {
    /// Opens a file; `None` or `-` is standard input. `progress` counts the bytes of the file itself.
    pub(crate) fn open(file: Option<&Path>, progress: &ProgressBar) -> anyhow::Result<Self> {
        let name = file.map_or_else(|| "standard input".to_owned(), |path| path.display().to_string());
        let raw: Box<dyn Read> = match file {
            Some(path) if path != Path::new("-") => {
                Box::new(File::open(path).with_context(|| format!("open {}", path.display()))?)
            }
            _ => {
                if std::io::stdin().is_terminal() {
                    eprintln!("reading lines from the terminal; end with Ctrl-D");
                }
                Box::new(std::io::stdin())
            }
        };
        let mut input = BufReader::with_capacity(1 << 16, progress.wrap_read(raw));
        let begins = input.fill_buf().with_context(|| format!("read {name}"))?;
        let input: Box<dyn BufRead> = match begins {
            [0x1f, 0x8b, ..] => Box::new(BufReader::with_capacity(1 << 18, MultiGzDecoder::new(input))),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(BufReader::new(
                zstd::Decoder::with_buffer(input).with_context(|| format!("read {name}"))?,
            )),
            _ => Box::new(input),
        };
        Ok(Self { input, name })
    }

    /// The next line without its end, into `line`. `None` at the end of the input.
    pub(crate) fn next(&mut self, line: &mut Vec<u8>) -> anyhow::Result<Option<Kept>> {
        line.clear();
        // Two more, for what ends the longest line.
        let most = LINE_BYTES_MAX as u64 + 2;
        let read = (&mut self.input).take(most).read_until(b'\n', line);
        let read = read.with_context(|| format!("read {}", self.name))?;
        let ended = line.last() == Some(&b'\n');
        if ended {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        if line.len() <= LINE_BYTES_MAX {
            return Ok((read > 0).then_some(Kept::Whole));
        }
        line.truncate(LINE_BYTES_MAX);
        if !ended {
            self.input.skip_until(b'\n').with_context(|| format!("read {}", self.name))?;
        }
        Ok(Some(Kept::Beginning))
    }
}

/// A bar over so many bytes.
pub(crate) fn progress(bytes: Option<u64>) -> ProgressBar {
    let bar = match bytes {
        Some(bytes) => ProgressBar::new(bytes),
        None => ProgressBar::no_length(),
    };
    let style = ProgressStyle::with_template(
        "{elapsed_precise} {bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    );
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

/// The bytes of all files together, if all are files.
pub(crate) fn bytes_of<'a>(files: impl IntoIterator<Item = &'a Path>) -> Option<u64> {
    files
        .into_iter()
        .map(|file| std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file).map(|found| found.len()))
        .sum()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn all(bytes: &[u8]) -> Vec<(Vec<u8>, Kept)> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut lines = Lines::open(Some(file.path()), &ProgressBar::hidden()).unwrap();
        let (mut line, mut all) = (Vec::new(), Vec::new());
        while let Some(kept) = lines.next(&mut line).unwrap() {
            all.push((line.clone(), kept));
        }
        all
    }

    fn texts(bytes: &[u8]) -> Vec<String> {
        all(bytes).into_iter().map(|(line, _)| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_what_stands_between_two_ends() {
        assert_eq!(texts(b"a\r\n\nb\nc"), ["a", "", "b", "c"]);
        assert!(texts(b"").is_empty());
    }

    #[test]
    fn a_compressed_file_reads_as_what_was_compressed() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"a\nb\n").unwrap();
        let gzip = gzip.finish().unwrap();
        assert_eq!(texts(&gzip.repeat(2)), ["a", "b", "a", "b"], "a rotated log is often several in one");
        assert_eq!(texts(&zstd::encode_all(&b"a\nb\n"[..], 1).unwrap()), ["a", "b"]);
    }

    #[test]
    fn a_compressed_file_that_breaks_off_is_an_error_that_names_it() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&b"line\n".repeat(1_000)).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let whole = gzip.finish().unwrap();
        file.write_all(&whole[..whole.len() - 6]).unwrap();
        let mut lines = Lines::open(Some(file.path()), &ProgressBar::hidden()).unwrap();
        let mut line = Vec::new();
        let error = loop {
            if let Err(error) = lines.next(&mut line) {
                break format!("{error:#}");
            }
            assert_eq!(line, b"line");
        };
        assert!(error.contains(&file.path().display().to_string()), "{error}");
    }

    #[test]
    fn a_line_without_an_end_in_sight_is_cut_off_and_the_next_is_read() {
        let mut bytes = vec![b'x'; LINE_BYTES_MAX];
        bytes.extend_from_slice(b"\r\n");
        bytes.extend(vec![b'y'; LINE_BYTES_MAX + 1]);
        bytes.extend_from_slice(b"\n");
        bytes.extend(vec![b'z'; LINE_BYTES_MAX + 9]);
        bytes.extend_from_slice(b"\nlast");
        let kept: Vec<_> = all(&bytes).into_iter().map(|(line, kept)| (line.len(), kept)).collect();
        let most = LINE_BYTES_MAX;
        let cut = (most, Kept::Beginning);
        assert_eq!(kept, [(most, Kept::Whole), cut, cut, (4, Kept::Whole)]);
    }
}
