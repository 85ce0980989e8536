//! A file in, a file out, and what is said of a bad one.

use std::io;

use score::{ScoreError, Summary, score_csv};

fn scored(text: &str) -> Result<(String, Summary), ScoreError> {
    let mut out = Vec::new();
    let summary = score_csv(text.as_bytes(), &mut out)?;
    Ok((String::from_utf8(out).unwrap(), summary))
}

fn refused(text: &str, message: &str) {
    assert_eq!(scored(text).unwrap_err().to_string(), message);
}

#[test]
fn times_and_values_are_echoed_as_they_stood() {
    let (out, summary) = scored(
        "\u{feff}timestamp,value\r\n2014-04-01 00:00:00.000000,1.50\r\n\r\n\"2014-04-01T00:05:00Z\",-2e3\r\n1396310700,007\r\n",
    )
    .unwrap();
    let expected = "timestamp,value,anomaly_score\n2014-04-01 00:00:00.000000,1.50,0.000000\n\
                    2014-04-01T00:05:00Z,-2e3,0.000000\n1396310700,007,0.000000\n";
    assert_eq!(out, expected);
    assert_eq!(summary, Summary { rows: 3, alarms: 0, out_of_order: 0 });
}

#[test]
fn other_columns_and_orders_are_passed_over() {
    let (out, _) = scored("host,value,Timestamp\na,3,2014-04-01 00:00:00\n").unwrap();
    assert!(out.ends_with("\n2014-04-01 00:00:00,3,0.000000\n"), "{out}");
}

#[test]
fn a_row_out_of_order_is_scored_and_counted() {
    let (_, summary) = scored("timestamp,value\n2014-04-02,1\n2014-04-01,2\n2014-04-03,2\n").unwrap();
    assert_eq!((summary.rows, summary.out_of_order), (3, 1));
}

#[test]
fn a_missing_header_is_named_with_its_cure() {
    let message =
        "line 1: the first line names no columns timestamp and value; begin the file with `timestamp,value`";
    refused("", message);
    refused("2014-04-01 00:00:00,3\n", message);
    refused("time,count\n", message);
}

#[test]
fn a_bad_line_is_named_with_its_cure() {
    let number = "is not a finite number; write it like 12.5, or leave the row out";
    for bad in ["abc", "", "NaN", "inf", "-inf", "1e999"] {
        refused(
            &format!("timestamp,value\n2014-04-01 00:00:00,1\n2014-04-01 00:05:00,{bad}\n"),
            &format!("line 3: {bad:?} {number}"),
        );
    }
    refused(
        "timestamp,value\nyesterday,1\n",
        "line 2: \"yesterday\" is not a time; write it like 2014-04-01 00:05:00, 2014-04-01T00:05:00Z or 1396310700",
    );
    refused("timestamp,value\n2014-04-01\n", "line 2: it has no value; a row is a timestamp and a value");
}

#[test]
fn a_line_without_end_is_refused_before_it_fills_memory() {
    let endless = io::Read::chain(&b"timestamp,value\n"[..], io::repeat(b'7'));
    let error = score_csv(endless, io::sink()).unwrap_err().to_string();
    assert_eq!(error, "line 2: it is longer than 64 KiB; a row is a timestamp and a value");
}

#[test]
fn a_reader_or_writer_that_fails_is_said_apart() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    assert!(matches!(score_csv(Broken, io::sink()), Err(ScoreError::Read(_))));
    let full: &mut [u8] = &mut [];
    assert!(matches!(score_csv(&b"timestamp,value\n"[..], full), Err(ScoreError::Write(_))));
}
