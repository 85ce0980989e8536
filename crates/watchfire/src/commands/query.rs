//! `watchfire query`: SQL to a running server, a table back.
//!
//! An answer that the row limit cut off is printed as far as it goes, and the exit code is 2.

use std::io::{Read, Write};

use anyhow::Context;
use arrow::ipc::reader::StreamReader;
use arrow::util::pretty::pretty_format_batches;
use clap::ValueEnum;

use super::server::ServerArgs;

/// The exit code for an answer that misses rows.
const EXIT_CUT_OFF: i32 = 2;

/// How an answer is printed.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
    Ndjson,
}

/// Flags of `query`.
#[derive(clap::Args)]
pub(crate) struct QueryArgs {
    /// The query; standard input if left out.
    sql: Option<String>,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(args: &QueryArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = std::io::stdout().lock();
    let missing = runtime.block_on(ask(args, &mut out))?;
    out.flush()?;
    if let Some(missing) = missing {
        eprintln!("watchfire: {missing}");
        std::process::exit(EXIT_CUT_OFF);
    }
    Ok(())
}

/// Prints the answer. Says what is missing, if rows are.
async fn ask(args: &QueryArgs, out: &mut impl Write) -> anyhow::Result<Option<String>> {
    let sql = match &args.sql {
        Some(sql) => sql.clone(),
        None => {
            let mut sql = String::new();
            std::io::stdin().read_to_string(&mut sql).context("read the query from standard input")?;
            sql
        }
    };
    let accept = match args.format {
        Format::Table => "application/vnd.apache.arrow.stream",
        Format::Csv => "text/csv",
        Format::Json => "application/json",
        Format::Ndjson => "application/x-ndjson",
    };
    let mut response = args.server.ask(sql, accept).await?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let cut_off = header("wf-truncated") == Some("true");
    let rows_max = header("wf-rows-max").unwrap_or("as many as it may have").to_owned();
    let mut answer = Answer::default();
    let broken = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => answer.take(args.format, &chunk, out)?,
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    if matches!(args.format, Format::Table) {
        answer.print_table(out, broken.is_some())?;
    }
    let missing = format!(
        "cut off at {rows_max} rows (query.rows_max); ask for fewer with WHERE or LIMIT, or a part at a time"
    );
    match broken {
        Some(_) if answer.rows(args.format).is_some_and(|rows| rows.to_string() == rows_max) => Ok(Some(missing)),
        Some(error) => Err(anyhow::Error::new(error).context(format!(
            "the answer is incomplete: it failed on the way, or has more than {rows_max} rows (query.rows_max)"
        ))),
        None if cut_off || answer.says_truncated(args.format) => Ok(Some(missing)),
        None => Ok(None),
    }
}

/// What has come of an answer.
#[derive(Default)]
struct Answer {
    /// All of it, for a table.
    bytes: Vec<u8>,
    /// The last few bytes of a text.
    tail: Vec<u8>,
    lines: usize,
    table_rows: usize,
}

impl Answer {
    fn take(&mut self, format: Format, chunk: &[u8], out: &mut impl Write) -> anyhow::Result<()> {
        if matches!(format, Format::Table) {
            self.bytes.extend_from_slice(chunk);
            return Ok(());
        }
        self.lines += chunk.iter().filter(|byte| **byte == b'\n').count();
        self.tail.extend_from_slice(&chunk[chunk.len().saturating_sub(TRUNCATED_END.len())..]);
        self.tail.drain(..self.tail.len().saturating_sub(TRUNCATED_END.len()));
        Ok(out.write_all(chunk)?)
    }

    /// How many rows have come, in formats that can be counted as they come.
    fn rows(&self, format: Format) -> Option<usize> {
        match format {
            Format::Table => Some(self.table_rows),
            Format::Ndjson => Some(self.lines),
            Format::Csv | Format::Json => None,
        }
    }

    /// Whether a JSON document says at its end that rows are missing.
    fn says_truncated(&self, format: Format) -> bool {
        matches!(format, Format::Json) && self.tail == TRUNCATED_END
    }

    /// Prints the batches that have come; if the answer was broken off, the last may be half a one.
    fn print_table(&mut self, out: &mut impl Write, broken_off: bool) -> anyhow::Result<()> {
        let mut batches = Vec::new();
        for batch in StreamReader::try_new(self.bytes.as_slice(), None)? {
            match batch {
                Ok(batch) => batches.push(batch),
                Err(_) if broken_off => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.table_rows = batches.iter().map(arrow::record_batch::RecordBatch::num_rows).sum();
        Ok(writeln!(out, "{}\n{} rows", pretty_format_batches(&batches)?, self.table_rows)?)
    }
}

/// How a JSON document ends that misses rows.
const TRUNCATED_END: &[u8] = b"],\"truncated\":true}\n";

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use arrow::array::{ArrayRef, Int64Array};
    use arrow::ipc::writer::StreamWriter;
    use arrow::record_batch::RecordBatch;

    use super::*;

    /// Asks a server that answers this, and then closes the connection.
    fn ask_of(format: Format, headers: &str, body: &[u8]) -> (anyhow::Result<Option<String>>, String) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let answer = [format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n").as_bytes(), body].concat();
        let answering = std::thread::spawn(move || {
            let (mut connection, _) = server.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"SELECT 1") {
                let mut bytes = [0; 1_024];
                let count = connection.read(&mut bytes).unwrap();
                request.extend_from_slice(&bytes[..count]);
            }
            connection.write_all(&answer).unwrap();
        });
        let token = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(token.path(), "a token").unwrap();
        let (sql, token_file) = (Some("SELECT 1".to_owned()), Some(token.path().to_owned()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut out = Vec::new();
        let answer = runtime
            .block_on(ask(&QueryArgs { sql, server: ServerArgs { url, token_file }, format }, &mut out));
        answering.join().unwrap();
        (answer, String::from_utf8(out).unwrap())
    }

    fn chunk(bytes: &[u8]) -> Vec<u8> {
        [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
    }

    const CHUNKED: &str = "transfer-encoding: chunked\r\nwf-rows-max: 2";

    #[test]
    fn a_whole_answer_misses_nothing() {
        let headers = "content-length: 4\r\nwf-truncated: false\r\nwf-rows-max: 2";
        let (answer, printed) = ask_of(Format::Csv, headers, b"n\r\n1");
        assert!(answer.unwrap().is_none());
        assert_eq!(printed, "n\r\n1");
    }

    #[test]
    fn an_answer_that_was_cut_off_is_printed_and_said_to_be() {
        let headers = "content-length: 4\r\nwf-truncated: true\r\nwf-rows-max: 2";
        let (answer, _) = ask_of(Format::Csv, headers, b"1\n2\n");
        assert!(answer.unwrap().unwrap().starts_with("cut off at 2 rows (query.rows_max)"));
        let (answer, printed) = ask_of(Format::Ndjson, CHUNKED, &chunk(b"{\"n\":1}\n{\"n\":2}\n"));
        assert!(answer.unwrap().is_some());
        assert_eq!(printed.lines().count(), 2);
        let json =
            [chunk(b"{\"rows\":[1,2"), chunk(b"],\"truncated\":true}\n"), b"0\r\n\r\n".to_vec()].concat();
        assert!(ask_of(Format::Json, CHUNKED, &json).0.unwrap().is_some());
    }

    #[test]
    fn a_table_that_was_cut_off_shows_the_rows_that_came() {
        let numbers: ArrayRef = std::sync::Arc::new(Int64Array::from(vec![7, 8]));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        let (answer, printed) = ask_of(Format::Table, CHUNKED, &chunk(writer.get_ref()));
        assert!(answer.unwrap().is_some());
        assert!(printed.contains("| 8 |") && printed.ends_with("2 rows\n"), "{printed}");
    }

    #[test]
    fn an_answer_that_failed_is_an_error() {
        let (answer, _) = ask_of(Format::Ndjson, CHUNKED, &chunk(b"{\"n\":1}\n"));
        assert!(answer.unwrap_err().to_string().starts_with("the answer is incomplete"));
    }
}
