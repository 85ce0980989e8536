//! Lines of every source, harmed: each stays one event or one reject, never a panic, and no secret
//! that stands in one comes out of it.

use normalize::Normalized;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

use crate::feed::{everything, normalizer, read, record};
use crate::pool::{Sample, holds_several, samples, sources};

/// Secrets that are known by what they look like, wherever they stand.
/// They stand in no sample: of what a sample holds, harm makes pieces that nobody could know for a secret.
const SECRETS: [&str; 2] =
    ["5d1e0c7b93fa4826b0e7d3419c58f2a6e4b7091d3c6f8a25e0b19d47c2f6a831", "sk_live_9Hq2vT7xWc4NbZ1pLm6RkYd3"];

/// What is done to a line.
#[derive(Clone, Debug)]
enum Harm {
    /// Its end is cut off.
    End(Index),
    /// Its beginning is cut off.
    Start(Index),
    /// A byte becomes another.
    Byte(Index, u8),
    /// A span comes again, so many times.
    Again(Index, Index, usize),
    /// A span is gone.
    Gone(Index, Index),
    /// Something stands in it that does not belong there.
    Poison(Index, usize),
    /// It goes on as another line does.
    Other(Index, Sample),
}

/// What breaks parsers: no text, half of an escape, depth, length, numbers, other formats' marks.
fn poisons() -> Vec<Vec<u8>> {
    let texts = [
        "\0",
        "\u{feff}",
        "\u{2028}",
        "\u{202e}",
        "\r",
        "\t",
        "\"",
        "\\",
        "\\u",
        "\\ud800",
        "\\udc00\\ud800",
        "\\x",
        "\\x8",
        "%",
        "%f",
        "%00",
        "{",
        "}",
        "[",
        "]",
        "[{",
        "}]",
        "|",
        "=",
        "cs1Label=",
        "<",
        "<999>1 ",
        "CEF:0|",
        "-",
        " stdout P ",
        "1e999",
        "-0",
        "NaN",
        "null",
        "9999-99-99T99:99:99Z",
        "\"a\":1,\"a\":2,",
        "{\"resourceLogs\":[",
        "１２",
        "é",
    ];
    let bytes: [&[u8]; 4] = [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"];
    let long = [
        "[".repeat(10_000),
        "{\"a\":".repeat(2_000),
        "\\".repeat(9_999),
        "\\\"".repeat(5_000),
        "\\u0000".repeat(500),
        "%25".repeat(3_000),
        "9".repeat(400),
        format!("1{}", "0".repeat(10_000)),
        format!("\"{}\":1,", "k".repeat(10_000)),
        "a=b ".repeat(2_000),
        "|".repeat(5_000),
        " ".repeat(10_000),
    ];
    let texts = texts.iter().map(|text| text.as_bytes().to_vec());
    texts.chain(bytes.map(<[u8]>::to_vec)).chain(long.map(String::into_bytes)).collect()
}

impl Harm {
    fn any() -> impl Strategy<Value = Harm> {
        let at = any::<Index>;
        prop_oneof![
            2 => at().prop_map(Harm::End),
            1 => at().prop_map(Harm::Start),
            3 => (at(), any::<u8>()).prop_map(|(at, byte)| Harm::Byte(at, byte)),
            1 => (at(), at(), 1..60_usize).prop_map(|(from, to, times)| Harm::Again(from, to, times)),
            2 => (at(), at()).prop_map(|(from, to)| Harm::Gone(from, to)),
            4 => (at(), 0..poisons().len()).prop_map(|(at, which)| Harm::Poison(at, which)),
            1 => (at(), prop::sample::select(samples())).prop_map(|(at, other)| Harm::Other(at, other)),
        ]
    }

    fn to(&self, line: &mut Vec<u8>) {
        let end = line.len() + 1;
        let span = |from: &Index, to: &Index| {
            let (from, to) = (from.index(end), to.index(end));
            from.min(to)..from.max(to)
        };
        match self {
            Harm::End(at) => line.truncate(at.index(end)),
            Harm::Start(at) => drop(line.drain(..at.index(end))),
            Harm::Byte(at, byte) if !line.is_empty() => line[at.index(end - 1)] = *byte,
            Harm::Byte(..) => {}
            Harm::Again(from, to, times) => {
                let span = span(from, to);
                let again = line[span.clone()].repeat(*times);
                line.splice(span.end..span.end, again);
            }
            Harm::Gone(from, to) => drop(line.drain(span(from, to))),
            Harm::Poison(at, which) => {
                let at = at.index(end);
                line.splice(at..at, poisons().swap_remove(*which));
            }
            Harm::Other(at, other) => {
                let half = other.line.as_bytes();
                line.truncate(at.index(end));
                line.extend(&half[half.len() / 2..]);
            }
        }
    }
}

/// A line of a source's sample that was harmed, and is still one line.
fn harmed(source: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let own: Vec<Sample> = samples().iter().filter(|sample| sample.source == source).cloned().collect();
    (prop::sample::select(own), prop::collection::vec(Harm::any(), 1..4)).prop_map(|(sample, harms)| {
        let mut line = sample.line.into_bytes();
        for harm in &harms {
            harm.to(&mut line);
        }
        line.retain(|byte| *byte != b'\n');
        line
    })
}

/// Whatever a record holds, it is read without a bug, and each of its lines is one event or one
/// reject that says why.
fn is_read(payload: &[u8], format: Option<&str>) -> Result<Normalized, TestCaseError> {
    let read = read(payload, format);
    let rows = read.events.len() + read.rejects.len();
    prop_assert_eq!(read.counts.lines, rows as u64);
    // A line that holds several may be anything between one reject and as many as there are.
    prop_assert!(rows == 1 || (rows > 1 && holds_several(payload)), "{rows} rows");
    for reject in read.rejects.rows() {
        prop_assert!(reject.reason.as_deref().is_some_and(|reason| reason != "internal_error"));
        prop_assert!(reject.detail.as_deref().is_some_and(|detail| !detail.is_empty()));
    }
    for event in read.events.rows() {
        prop_assert!(event.source_format.is_some() && event.time.is_some());
    }
    Ok(read)
}

fn keeps(read: &Normalized, secret: &str) -> Result<(), TestCaseError> {
    let text = everything(read);
    // Neither the whole nor a piece, nor in another case.
    let piece = &secret.to_lowercase()[..24];
    prop_assert!(!text.to_lowercase().contains(piece), "{secret} came out: {text}");
    Ok(())
}

/// Runs a check on so many harmed lines of every source, as the source and as nobody's.
fn on_harmed(
    cases: u32,
    check: impl Fn(&[u8], Option<&str>, &'static str, Index) -> Result<(), TestCaseError>,
) {
    for source in sources() {
        let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
        let strategy = (harmed(source), prop::sample::select(&SECRETS[..]), any::<Index>());
        let result = TestRunner::new(config).run(&strategy, |(line, secret, at)| {
            [Some(source), None].iter().try_for_each(|format| check(&line, *format, secret, at))
        });
        if let Err(error) = result {
            panic!("{source}: {error}");
        }
    }
}

#[test]
fn a_harmed_line_is_one_event_or_one_reject_and_never_a_panic() {
    on_harmed(60, |line, format, _, _| is_read(line, format).map(drop));
}

#[test]
fn the_way_of_a_harmed_line_is_told_without_a_panic() {
    on_harmed(20, |line, format, _, _| {
        let normalizer = normalizer(1, &[]);
        let traces = record(7, line, format, |raw| normalizer.trace(raw));
        prop_assert!(traces.iter().all(|trace| !trace.because.is_empty()));
        Ok(())
    });
}

#[test]
fn a_secret_in_a_harmed_line_comes_out_nowhere() {
    on_harmed(25, |line, format, secret, at| {
        let places = places(line);
        let planted = planted(line, places[at.index(places.len())], secret);
        keeps(&is_read(&planted, format)?, secret)
    });
}

#[test]
fn a_secret_anywhere_in_a_sample_comes_out_nowhere() {
    for sample in samples() {
        let line = sample.line.as_bytes();
        for (n, place) in places(line).into_iter().enumerate() {
            let secret = SECRETS[n % SECRETS.len()];
            let planted = planted(line, place, secret);
            let kept = is_read(&planted, Some(&sample.source)).and_then(|read| keeps(&read, secret));
            kept.unwrap_or_else(|error| panic!("{error} of {}", String::from_utf8_lossy(&planted)));
        }
    }
}

#[test]
fn a_line_under_another_sources_name_is_an_event_or_a_reject_without_its_secrets() {
    for (n, sample) in samples().iter().enumerate() {
        let line = sample.line.as_bytes();
        let places = places(line);
        for (m, other) in sources().into_iter().enumerate() {
            // Another place in each pair: all of them take too long.
            let secret = SECRETS[(n + m) % SECRETS.len()];
            let planted = planted(line, places[(n * 31 + m * 7) % places.len()], secret);
            let kept = is_read(&planted, Some(other)).and_then(|read| keeps(&read, secret));
            kept.unwrap_or_else(|error| {
                panic!("as {other}: {error} of {}", String::from_utf8_lossy(&planted))
            });
        }
    }
}

/// Where in a line a word may begin.
fn places(line: &[u8]) -> Vec<usize> {
    let begins =
        |at: &usize| at.checked_sub(1).is_none_or(|before| b" \"'=/|,([:;&?".contains(&line[before]));
    (0..=line.len()).filter(begins).collect()
}

/// A line with a secret in it.
fn planted(line: &[u8], at: usize, secret: &str) -> Vec<u8> {
    [&line[..at], secret.as_bytes(), &line[at..]].concat()
}
