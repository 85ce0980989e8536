//! What a demanding user tries first, as raw lines: the cases in `tests/cases/`. The alerts are
//! the same, by id and content, however the lines are cut into batches, in which order they come
//! within the allowed lateness, how often each is delivered, and wherever the detectors stop and
//! go on from a snapshot.
//!
//! A case is a folder with `lines` (see `lines.rs`) and `alerts`, what must be found; `UPDATE_EXPECT=1
//! cargo test -p stages` writes the latter. Where there is a `config.toml` it is the detectors' own, and
//! what stands in `secrets` must be in no event and no alert.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may")]

mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use detect::{DetectConfig, Engine};
use event::{AlertChange, EventTime, ObservationBatchBuilder, RawLog, SourceProgress, ipc};
use expect_test::expect_file;
use normalize::{Fingerprinter, Normalizer, Options, Schemas};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use self::lines::{Arrival, arrivals};

fn cases() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases");
    let mut cases: Vec<_> = dir.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

/// A case as it is on disk.
struct Case {
    dir: PathBuf,
    arrivals: Vec<Arrival>,
    config: DetectConfig,
    secrets: Vec<String>,
}

impl Case {
    fn new(dir: PathBuf) -> Self {
        let text = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap_or_default();
        let config = toml::from_str(&text("config.toml")).unwrap();
        let secrets = text("secrets").lines().map(str::to_owned).collect();
        Self { arrivals: arrivals(&dir), config, secrets, dir }
    }

    fn told(&self, way: Way) -> String {
        told(&way.alerts(self))
    }
}

/// How the lines of a case come.
#[derive(Clone, Copy)]
struct Way {
    /// Lines in a batch.
    batch: usize,
    /// How often all of them are delivered, one delivery after the other.
    deliveries: usize,
    /// Each line comes up to a minute later than it did.
    shuffled_by: Option<u64>,
    /// After each batch the detectors go on from a snapshot.
    restarts: bool,
}

const STRAIGHT: Way = Way { batch: 1_000, deliveries: 1, shuffled_by: None, restarts: false };

impl Way {
    /// The lines by batches. Each delivery is cut like the one before: once requests are counted, a batch
    /// that comes again is known by what it holds.
    fn batches<'a>(&self, arrivals: &'a [Arrival]) -> Vec<Vec<&'a Arrival>> {
        let mut lines: Vec<_> = arrivals.iter().collect();
        if let Some(seed) = self.shuffled_by {
            let mut dice = StdRng::seed_from_u64(seed);
            lines.shuffle(&mut dice);
            lines.sort_by_cached_key(|one| one.broker_time + dice.random_range(0..60_000));
        }
        let batches: Vec<_> = lines.chunks(self.batch).map(<[_]>::to_vec).collect();
        (0..self.deliveries).flat_map(|_| batches.clone()).collect()
    }

    /// Every alert in its last state.
    fn alerts(&self, case: &Case) -> BTreeMap<String, AlertChange> {
        let fingerprinter = Fingerprinter::new("k1", b"a pepper for acceptance tests").unwrap();
        let options = Options { observation_partitions: 1, ..Options::default() };
        let mut normalizer = Normalizer::new(Arc::new(Schemas::built_in()), fingerprinter, options);
        let mut run = Run::new(&case.config);
        let (mut newest, mut offset) = (EventTime::MIN, 0);
        for batch in self.batches(&case.arrivals) {
            for one in batch {
                newest = newest.max(one.broker_time);
                normalizer.normalize(&RawLog {
                    source: &one.topic,
                    topic: &one.topic.name().into(),
                    partition: one.partition,
                    offset,
                    broker_time: newest,
                    payload: one.line.as_bytes(),
                    format: None,
                    shipper_id: None,
                    shipper_seq: None,
                    redriven_from: None,
                });
                offset += 1;
            }
            let normalized = normalizer.finish();
            assert!(normalized.rejects.is_empty(), "every line can be read");
            case.secrets.iter().for_each(|secret| {
                let events = normalized.events.rows().map(|row| format!("{row:?}"));
                assert!(events.into_iter().all(|event| !event.contains(secret.as_str())));
            });
            run.record(&ipc::encode_observations(&normalized.observations[0], &normalized.progress), newest);
            if self.restarts {
                run.restart();
            }
        }
        let alerts = run.end(newest);
        let text = serde_json::to_string(&alerts.values().collect::<Vec<_>>()).unwrap();
        case.secrets.iter().for_each(|secret| assert!(!text.contains(secret.as_str())));
        alerts
    }
}

struct Run {
    config: DetectConfig,
    engine: Engine,
    sources: BTreeSet<String>,
    alerts: BTreeMap<String, AlertChange>,
}

impl Run {
    fn new(config: &DetectConfig) -> Self {
        Self {
            config: config.clone(),
            engine: Engine::new(config),
            sources: BTreeSet::new(),
            alerts: BTreeMap::new(),
        }
    }

    fn record(&mut self, bytes: &[u8], broker_time: EventTime) {
        let (observations, progress) = ipc::decode_observations(bytes).unwrap();
        for change in self.engine.on_record(&observations, &progress, broker_time) {
            let id = change.alert.alert_id.clone();
            let revision = self.alerts.get(&id).map_or(0, |known| known.revision + 1);
            assert_eq!(change.revision, revision, "each change follows the one before");
            self.alerts.insert(id, change);
        }
        self.sources.extend(progress.into_iter().map(|p| p.source));
    }

    fn restart(&mut self) {
        let state = self.engine.snapshot();
        self.engine = Engine::new(&self.config);
        self.engine.restore(&state).unwrap();
    }

    /// Half a day of silence.
    fn end(mut self, newest: EventTime) -> BTreeMap<String, AlertChange> {
        let silent: Vec<_> = self.sources.iter().cloned().map(SourceProgress::at_end).collect();
        let nothing = ipc::encode_observations(&ObservationBatchBuilder::default().finish(), &silent);
        (1..=72).for_each(|step| self.record(&nothing, newest + step * 600_000));
        // Which is no part of the case.
        self.alerts.retain(|_, change| change.alert.class != "source.silent");
        self.alerts
    }
}

fn told(alerts: &BTreeMap<String, AlertChange>) -> String {
    let mut text = String::new();
    let mut in_order: Vec<_> = alerts.values().map(|change| &change.alert).collect();
    in_order.sort_by_key(|alert| (alert.triggered_at, alert.alert_id.clone()));
    for alert in in_order {
        let addresses: BTreeSet<_> = alert.evidence.iter().filter_map(|one| one.src_ip.as_deref()).collect();
        let addresses = addresses.into_iter().collect::<Vec<_>>().join(" ");
        let (class, severity, id) = (alert.class.as_str(), alert.severity.as_str(), &alert.alert_id);
        writeln!(text, "{class} {severity} count={} from {addresses} {id}", alert.count).unwrap();
    }
    text
}

#[test]
fn each_case_gives_its_alerts_whatever_happens_to_its_lines() {
    let cases = std::sync::Mutex::new(cases().into_iter());
    let next = || cases.lock().unwrap().next().map(Case::new);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| std::iter::from_fn(next).for_each(|case| holds(&case)));
        }
    });
}

fn holds(case: &Case) {
    let expected = case.told(STRAIGHT);
    expect_file![case.dir.join("alerts")].assert_eq(&expected);
    // A long case is cut into single lines once, and else into about a hundred batches, fewer times.
    let batch = 1 + case.arrivals.len() / 100;
    let (deliveries, shuffles) = if batch == 1 { (3, 10) } else { (2, 1) };
    let ways = [
        ("cut into single lines", Way { batch: 1, ..STRAIGHT }),
        ("delivered again", Way { batch: 2 * batch, deliveries, ..STRAIGHT }),
        ("stopped and restored", Way { batch, restarts: true, ..STRAIGHT }),
    ];
    let shuffled = (0..shuffles).map(|seed| {
        let batch = batch + seed as usize % 3;
        ("shuffled", Way { batch, shuffled_by: Some(seed), ..STRAIGHT })
    });
    for (name, way) in ways.into_iter().chain(shuffled) {
        assert_eq!(case.told(way), expected, "{} {name}", case.dir.display());
    }
}

#[test]
fn the_order_in_which_facts_come_does_not_change_the_alerts_id() {
    let alerts = |number: usize| STRAIGHT.alerts(&Case::new(cases().swap_remove(number)));
    let (in_order, rejection_first) = (alerts(0), alerts(1));
    assert_eq!(in_order.keys().collect::<Vec<_>>(), rejection_first.keys().collect::<Vec<_>>());
}
