//! A file of times and values in, the same with a score out, line by line.

use std::io::{self, BufRead, BufReader, Read, Write};

use csv_core::{ReadRecordResult, Reader};

use crate::stamp;
use crate::{Scorer, THRESHOLD};

/// A longer line is no line of a series; it is refused before it fills memory.
const LINE_BYTES_MAX: usize = 64 * 1024;
const COLUMNS_MAX: usize = 1024;

/// What was read, for a last word to the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Values scored.
    pub rows: u64,
    /// Scores at or above [`THRESHOLD`].
    pub alarms: u64,
    /// Rows whose time lies before that of the row above; they were scored where they stand.
    pub out_of_order: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// The user mends this line.
    #[error("line {line}: {problem}")]
    Line { line: u64, problem: String },
    #[error("read the series")]
    Read(#[source] io::Error),
    #[error("write the scores")]
    Write(#[source] io::Error),
}

/// Reads CSV with the columns `timestamp` and `value` (others are passed over) and writes
/// `timestamp,value,anomaly_score`, both as they stood.
///
/// A row is written before the next is read, and all is flushed at the end. Values must be finite
/// numbers. Times are those of NAB (`2014-04-01 00:05:00`, as UTC), RFC 3339 or numbers since 1970,
/// and may go back.
///
/// # Errors
///
/// When reading or writing fails, or at the first line that cannot be understood; what was scored
/// before it has been written.
pub fn score_csv(read: impl Read, mut write: impl Write) -> Result<Summary, ScoreError> {
    let mut lines = Lines::new(read);
    let header = lines.next_row()?.ok_or_else(|| lines.wrong(NO_HEADER))?;
    let column = |name: &str| header.iter().position(|field| field.trim().eq_ignore_ascii_case(name));
    let (Some(time_at), Some(value_at)) = (column("timestamp"), column("value")) else {
        return Err(lines.wrong(NO_HEADER));
    };
    writeln!(write, "timestamp,value,anomaly_score").map_err(ScoreError::Write)?;
    let (mut scorer, mut summary, mut before) = (Scorer::new(), Summary::default(), None);
    while let Some(row) = lines.next_row()? {
        let field = |place: usize, name: &str| {
            let missing = || lines.wrong(&format!("it has no {name}; a row is a timestamp and a value"));
            row.get(place).map(|field| field.trim()).ok_or_else(missing)
        };
        let (time, value) = (field(time_at, "timestamp")?, field(value_at, "value")?);
        let at = stamp::parse(time).ok_or_else(|| lines.wrong(&bad_time(time)))?;
        let number = number(value).ok_or_else(|| lines.wrong(&bad_value(value)))?;
        let score = scorer.score(at, number);
        summary.rows += 1;
        summary.alarms += u64::from(score >= THRESHOLD);
        summary.out_of_order += u64::from(before.replace(at).is_some_and(|before| at < before));
        writeln!(write, "{time},{value},{score:.6}").map_err(ScoreError::Write)?;
    }
    write.flush().map_err(ScoreError::Write)?;
    Ok(summary)
}

const NO_HEADER: &str =
    "the first line names no columns timestamp and value; begin the file with `timestamp,value`";

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn bad_time(text: &str) -> String {
    let text = shortened(text);
    format!("{text} is not a time; write it like 2014-04-01 00:05:00, 2014-04-01T00:05:00Z or 1396310700")
}

fn bad_value(text: &str) -> String {
    format!("{} is not a finite number; write it like 12.5, or leave the row out", shortened(text))
}

/// The text for a message, so that a stray file does not fill the terminal.
fn shortened(text: &str) -> String {
    let few: String = text.chars().take(40).collect();
    if few.len() < text.len() { format!("{few:?}…") } else { format!("{few:?}") }
}

/// The rows of a CSV file, one to a line, with the number of the line they stand on.
struct Lines<R> {
    read: BufReader<R>,
    line: u64,
    bytes: Vec<u8>,
    splitter: Reader,
}

impl<R: Read> Lines<R> {
    fn new(read: R) -> Self {
        Self { read: BufReader::new(read), line: 0, bytes: Vec::new(), splitter: Reader::new() }
    }

    fn wrong(&self, problem: &str) -> ScoreError {
        ScoreError::Line { line: self.line.max(1), problem: problem.to_owned() }
    }

    /// The next row that is not blank.
    fn next_row(&mut self) -> Result<Option<Vec<String>>, ScoreError> {
        loop {
            self.bytes.clear();
            let mut limited = (&mut self.read).take(LINE_BYTES_MAX as u64 + 1);
            let length = limited.read_until(b'\n', &mut self.bytes).map_err(ScoreError::Read)?;
            if length == 0 {
                return Ok(None);
            }
            self.line += 1;
            if length > LINE_BYTES_MAX {
                return Err(self.wrong("it is longer than 64 KiB; a row is a timestamp and a value"));
            }
            let text = std::str::from_utf8(&self.bytes).map_err(|_| self.wrong("it is not UTF-8 text"))?;
            let text = if self.line == 1 { text.trim_start_matches('\u{feff}') } else { text };
            if !text.trim().is_empty() {
                let fields = split(&mut self.splitter, text.trim());
                return fields
                    .map(Some)
                    .ok_or_else(|| self.wrong("it cannot be split into columns; look for a stray quote"));
            }
        }
    }
}

/// The fields of one line, quotes undone; nothing where they are too many.
fn split(splitter: &mut Reader, text: &str) -> Option<Vec<String>> {
    let (mut output, mut ends) = (vec![0; text.len() + 1], [0; COLUMNS_MAX]);
    splitter.reset();
    let (_, _, written, mut count) = splitter.read_record(text.as_bytes(), &mut output, &mut ends);
    // The line has no end of its own: one more call, with nothing, says that it is over.
    let (last, _, _, more) = splitter.read_record(&[], &mut output[written..], &mut ends[count..]);
    if last != ReadRecordResult::Record {
        return None;
    }
    count += more;
    let mut start = 0;
    let fields = ends[..count].iter().map(|end| {
        let field = &output[start..*end];
        start = *end;
        String::from_utf8_lossy(field).into_owned()
    });
    Some(fields.collect())
}
