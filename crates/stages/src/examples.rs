//! The examples of the detectors' rules, run by what runs in production: NORMALIZE and DETECT, in one thread.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use detect::{Example, Rules};
use event::{EventTime, LogTopic, RawLog};
use normalize::{Fingerprinter, Normalizer, Options, Schemas};

use crate::replay::Replay;

/// The feed that an example's lines come from.
const FEED: &str = "example";
/// As many rows make a batch, so that event time goes on between them.
const ROWS_PER_BATCH: usize = 256;

/// What became of an example.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The example.
    pub example: Example,
    /// The classes that its detector raised.
    pub raised: BTreeSet<String>,
    /// What cannot be as the example says, e.g. the name of its source.
    pub problem: Option<String>,
}

impl Shown {
    /// Whether it showed what it shall.
    pub fn holds(&self) -> bool {
        self.problem.is_none() && self.raised == self.example.raises
    }
}

/// What was expected and what came, for who wrote the example.
impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Example { at, name, raises, .. } = &self.example;
        write!(f, "{at}: example \"{name}\": ")?;
        match &self.problem {
            Some(problem) => f.write_str(problem),
            None => write!(f, "must raise {}, raised {}", said(raises), said(&self.raised)),
        }
    }
}

fn said(classes: &BTreeSet<String>) -> String {
    match classes.is_empty() {
        true => "nothing".to_owned(),
        false => classes.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    }
}

/// Runs every example under these rules.
pub fn run(rules: &Rules, schemas: &Arc<Schemas>) -> Vec<Shown> {
    rules.examples().into_iter().map(|example| show(rules, schemas, example)).collect()
}

/// Runs the examples that files bring; says what is wrong with the first that does not hold.
pub fn check(rules: &Rules, schemas: &Arc<Schemas>) -> Result<(), String> {
    let own = rules.examples().into_iter().filter(|example| rules.has(example));
    match own.map(|example| show(rules, schemas, example)).find(|shown| !shown.holds()) {
        None => Ok(()),
        Some(shown) => Err(format!("{shown}; change the parameters, or what the example says")),
    }
}

fn show(rules: &Rules, schemas: &Arc<Schemas>, example: Example) -> Shown {
    let names = schemas.names();
    if !names.contains(&example.source.as_str()) {
        let problem = format!("there is no source {}; there are {}", example.source, names.join(", "));
        return Shown { example, raised: BTreeSet::new(), problem: Some(problem) };
    }
    let (raised, unread) = replay(rules, schemas, &example);
    let problem = (unread > 0).then(|| {
        format!("{unread} of its lines cannot be read as {}; `watchfire explain` says why", example.source)
    });
    Shown { example, raised, problem }
}

/// The classes that an example's detector raises, and how many lines could not be read.
fn replay(rules: &Rules, schemas: &Arc<Schemas>, example: &Example) -> (BTreeSet<String>, usize) {
    let fingerprinter = Fingerprinter::new("example", b"a pepper for examples").expect("it is long enough");
    let options = Options { observation_partitions: 1, ..Options::default() };
    let normalizer = Normalizer::new(Arc::clone(schemas), fingerprinter, options);
    let source = LogTopic::new(example.partner.as_str(), FEED).expect("a partner and a feed");
    let topic: Arc<str> = source.name().into();
    let lines = example.lines();
    let read_at = lines.last().map_or(EventTime(0), |(at, _)| *at);
    let mut replay = Replay::new(normalizer, rules, [format!("{topic}/0")], read_at);
    let (mut changes, mut unread) = (Vec::new(), 0);
    for (offset, (broker_time, line)) in (0..).zip(&lines) {
        replay.read(&RawLog {
            source: &source,
            topic: &topic,
            partition: 0,
            offset,
            broker_time: *broker_time,
            payload: line.as_bytes(),
            format: Some(&example.source),
            shipper_id: None,
            shipper_seq: None,
            redriven_from: None,
        });
        if replay.rows() >= ROWS_PER_BATCH {
            let replayed = replay.batch();
            unread += replayed.rejects.len();
            changes.extend(replayed.changes);
        }
    }
    let replayed = replay.batch();
    unread += replayed.rejects.len();
    changes.extend(replayed.changes);
    changes.extend(replay.finish());
    let own = changes.into_iter().filter(|change| change.alert.detector == example.detector);
    (own.map(|change| change.alert.class).collect(), unread)
}
