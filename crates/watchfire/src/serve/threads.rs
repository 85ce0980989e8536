//! The stage threads: each builds its source, stage and sink afresh whenever it starts.

use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use detect::{Engine, Risk, Rules};
use kafka::{AtLeastOnceSink, Budget, KafkaSource, SourceOptions, TransactionSink};
use keep::alerting::{self, AlertingStage, ControlSink};
use keep::store::{self, StoreStage, TableSink};
use normalize::Normalizer;
use pipeline::metrics::StageLabel;
use pipeline::{Failure, OutRecord, Shutdown, Sink, StageState, StageStatus, StartAt, run, supervise};
use stages::detect::{JudgeStage, Starts};
use stages::judge::Judge;
use stages::normalize::NormalizeStage;
use stages::topics::{self, Topics};
use tokio::sync::watch;

use super::parts::Parts;
use crate::config::{self, Config, Delivery, Role};
use crate::knowledge::Knowledge;

/// A stage's name and its thread.
type Running = (&'static str, JoinHandle<Result<(), Failure>>);

/// Where a stage's records go.
type RecordSink = Box<dyn Sink<Vec<OutRecord>>>;

/// The running stages.
pub(crate) struct Threads {
    shutdown: Shutdown,
    running: Mutex<Vec<Running>>,
    statuses: Vec<(&'static str, StageStatus)>,
    ended: watch::Receiver<Option<String>>,
    ended_sender: watch::Sender<Option<String>>,
}

/// What a stage thread needs to build its parts again and again.
struct Builder {
    connection: kafka::Connection,
    prefix: String,
    topics: Topics,
    instance: String,
    discovery: Duration,
    delivery: Delivery,
    clock: pipeline::Clock,
    metrics: pipeline::Metrics,
}

impl Builder {
    fn source(
        &self,
        stage: &'static str,
        topics: &[&str],
        start_at: StartAt,
        budget: Budget,
    ) -> Result<KafkaSource, Failure> {
        let options = SourceOptions {
            name: stage,
            group: format!("{}-{stage}", self.prefix),
            topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
            start_at,
            budget,
            discovery: self.discovery,
            announce: stage == "normalize",
        };
        let gauge = self.metrics.lag.get_or_create_owned(&StageLabel { stage: stage.to_owned() });
        let told = Box::new(move |lag: i64| {
            gauge.set(lag);
        });
        Ok(KafkaSource::subscribe(&self.connection, options, told)?)
    }

    fn sink(&self, stage: &'static str, source: &KafkaSource) -> Result<RecordSink, Failure> {
        if self.delivery == Delivery::AtLeastOnce {
            return Ok(Box::new(AtLeastOnceSink::new(&self.connection, stage, source)?));
        }
        let id = format!("{}-{stage}-{}", self.prefix, self.instance);
        Ok(Box::new(TransactionSink::new(&self.connection, stage, &id, source, self.metrics.clone())?))
    }
}

fn budget(commit_interval_ms: u64) -> Budget {
    let interval = Duration::from_millis(commit_interval_ms.max(1));
    Budget { wait: Duration::from_millis(100), linger: interval, records_max: 20_000, bytes_max: 4 << 20 }
}

impl Threads {
    /// Starts the stages of the configured roles.
    pub(crate) fn start(
        parts: &Parts,
        config: &Config,
        knowledge: &watch::Receiver<Knowledge>,
        rules: &watch::Receiver<Rules>,
    ) -> anyhow::Result<Self> {
        let (ended_sender, ended) = watch::channel(None);
        let mut threads = Self {
            shutdown: Shutdown::default(),
            running: Mutex::default(),
            statuses: Vec::new(),
            ended,
            ended_sender,
        };
        for role in &config.server.roles {
            match role {
                Role::Normalize => threads.normalize(parts, config, knowledge.clone())?,
                Role::Detect => threads.detect(parts, config, rules.clone())?,
                Role::Store => threads.store(parts, config)?,
                Role::Alerting => threads.alerting(parts, config)?,
                Role::Api => {}
            }
        }
        Ok(threads)
    }

    fn normalize(
        &mut self,
        parts: &Parts,
        config: &Config,
        knowledge: watch::Receiver<Knowledge>,
    ) -> anyhow::Result<()> {
        let builder = builder(parts, config);
        let fingerprinter = config::kept_fingerprinter(config)?;
        let options = config.normalize.options(observation_partitions(parts, config)?)?;
        let (interval, drift_max_ms) = (config.normalize.commit_interval_ms, config.normalize.drift_max_ms);
        let event_partitions = config.kafka.event_partitions;
        self.spawn("normalize", parts, move |shutdown, status| {
            let source =
                builder.source("normalize", &[topics::LOGS], StartAt::Committed, budget(interval))?;
            let sink = builder.sink("normalize", &source)?;
            let mut news = knowledge.clone();
            let known = news.borrow_and_update().clone();
            let mut normalizer =
                Normalizer::new(Arc::clone(&known.schemas), fingerprinter.clone(), options.clone());
            normalizer.learn(known.schemas, known.enrichment);
            let (topics, metrics) = (builder.topics.clone(), builder.metrics.clone());
            let stage = NormalizeStage::new(normalizer, topics, event_partitions, drift_max_ms, metrics)
                .with_news(move || {
                    // Whoever sends is gone when the process stops.
                    news.has_changed().unwrap_or(false).then(|| {
                        let known = news.borrow_and_update().clone();
                        (known.schemas, known.enrichment)
                    })
                });
            let mut parts = pipeline::Parts { source, stage, sink };
            run(&mut parts, shutdown, status, &builder.metrics.stage("normalize"))
        })
    }

    /// DETECT, and RISK, which reads what DETECT tells: one more consumer and producer, idle but for alerts.
    fn detect(
        &mut self,
        parts: &Parts,
        config: &Config,
        rules: watch::Receiver<Rules>,
    ) -> anyhow::Result<()> {
        self.judge::<Engine>(parts, config, rules.clone())?;
        self.judge::<Risk>(parts, config, rules)
    }

    fn judge<J: Judge>(
        &mut self,
        parts: &Parts,
        config: &Config,
        rules: watch::Receiver<Rules>,
    ) -> anyhow::Result<()> {
        let builder = builder(parts, config);
        let snapshots = parts.snapshots.clone();
        let every = Duration::from_secs(config.detect.snapshot_interval_seconds.max(1));
        let interval = config.detect.commit_interval_ms;
        // What begins again after a failure reads again by the rules by which it was read.
        let in_force = Arc::new(Mutex::new(rules.borrow().clone()));
        self.spawn(J::NAME, parts, move |shutdown, status| {
            let starts = Starts::<J>::default();
            let now = lock(&in_force).clone();
            let start_at = starts.start_at(snapshots.clone(), &now);
            let source = builder.source(J::NAME, &[J::reads(&builder.topics)], start_at, budget(interval))?;
            let sink = builder.sink(J::NAME, &source)?;
            let (mut news, in_force) = (rules.clone(), Arc::clone(&in_force));
            let stage = JudgeStage::new(
                now,
                starts,
                snapshots.clone(),
                every,
                &builder.topics,
                builder.clock.clone(),
                builder.metrics.clone(),
            )
            .with_news(move || {
                let is_news = news.has_changed().unwrap_or(false);
                is_news.then(|| {
                    let fresh = news.borrow_and_update().clone();
                    lock(&in_force).clone_from(&fresh);
                    fresh
                })
            });
            let mut parts = pipeline::Parts { source, stage, sink };
            run(&mut parts, shutdown, status, &builder.metrics.stage(J::NAME))?;
            Ok(parts.stage.save()?)
        })
    }

    fn store(&mut self, parts: &Parts, config: &Config) -> anyhow::Result<()> {
        let builder = builder(parts, config);
        let (tables, runtime) = (parts.tables.clone(), parts.runtime.clone());
        let interval = config.store.commit_interval_ms;
        self.spawn("store", parts, move |shutdown, status| {
            let start_at = store::start_at(builder.topics.clone(), tables.clone(), runtime.clone());
            let budget = Budget { bytes_max: 48 << 20, ..budget(interval) };
            let topics = &builder.topics;
            let read: [&str; 3] = [&topics.events, &topics.rejects, &topics.alerts];
            let source = builder.source("store", &read, start_at, budget)?;
            let sink = TableSink {
                tables: tables.clone(),
                runtime: runtime.clone(),
                metrics: builder.metrics.clone(),
            };
            let mut parts = pipeline::Parts {
                source,
                stage: StoreStage::new(topics.clone(), builder.metrics.clone()),
                sink,
            };
            run(&mut parts, shutdown, status, &builder.metrics.stage("store"))
        })
    }

    fn alerting(&mut self, parts: &Parts, config: &Config) -> anyhow::Result<()> {
        let builder = builder(parts, config);
        let (control, runtime, clock) = (parts.control.clone(), parts.runtime.clone(), parts.clock.clone());
        let interval = config.alerting.commit_interval_ms;
        self.spawn("alerting", parts, move |shutdown, status| {
            let start_at = alerting::start_at(control.clone(), runtime.clone());
            let source = builder.source("alerting", &[&builder.topics.alerts], start_at, budget(interval))?;
            let sink = ControlSink {
                control: control.clone(),
                runtime: runtime.clone(),
                clock: clock.clone(),
                metrics: builder.metrics.clone(),
            };
            let mut parts = pipeline::Parts {
                source,
                stage: AlertingStage::new(&builder.topics.alerts, builder.metrics.clone()),
                sink,
            };
            run(&mut parts, shutdown, status, &builder.metrics.stage("alerting"))
        })
    }

    fn spawn(
        &mut self,
        name: &'static str,
        parts: &Parts,
        attempt: impl Fn(&Shutdown, &StageStatus) -> Result<(), Failure> + Send + 'static,
    ) -> anyhow::Result<()> {
        let (shutdown, status, ended) =
            (self.shutdown.clone(), StageStatus::default(), self.ended_sender.clone());
        let runtime = parts.runtime.clone();
        self.statuses.push((name, status.clone()));
        let thread =
            std::thread::Builder::new().name(name.to_owned()).stack_size(8 << 20).spawn(move || {
                let _entered = runtime.enter();
                let outcome = supervise(name, &shutdown, &status, || attempt(&shutdown, &status));
                if let Err(Failure::GiveUp(why) | Failure::TryAgain(why)) = &outcome {
                    ended.send_replace(Some(format!("{name}: {why}")));
                }
                outcome
            })?;
        lock(&self.running).push((name, thread));
        Ok(())
    }

    /// How every stage is.
    pub(crate) fn statuses(&self) -> Vec<(&'static str, StageStatus)> {
        self.statuses.clone()
    }

    /// Waits until a stage gives up, and says why.
    pub(crate) async fn failed(&self) -> String {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits until every stage has read everything there is, twice in a row: what one stage
    /// delivered last has then reached the others.
    pub(crate) async fn idle(&self) {
        let mut calm: Option<Vec<u64>> = None;
        loop {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            let reports: Vec<_> = self.statuses.iter().map(|(_, status)| status.report()).collect();
            let caught_up =
                reports.iter().all(|report| report.caught_up || report.state == StageState::Stopped);
            // Ticks reach the detectors for as long as the process runs.
            let counted = self.statuses.iter().zip(&reports).filter(|((name, _), _)| *name != "detect");
            let read: Vec<u64> = counted.map(|(_, report)| report.records).collect();
            if caught_up && read.iter().any(|&records| records > 0) && calm.as_ref() == Some(&read) {
                return;
            }
            calm = caught_up.then_some(read);
        }
    }

    /// Asks every stage to stop, waits for them, and says which failed.
    pub(crate) async fn stop(&self) -> Vec<String> {
        self.shutdown.request();
        let running = std::mem::take(&mut *lock(&self.running));
        let joined = tokio::task::spawn_blocking(move || {
            let mut failures = Vec::new();
            for (name, thread) in running {
                match thread.join() {
                    Ok(Ok(())) => {}
                    Ok(Err(Failure::GiveUp(why) | Failure::TryAgain(why))) => {
                        failures.push(format!("{name}: {why}"))
                    }
                    Err(_) => failures.push(format!("{name} panicked")),
                }
            }
            failures
        });
        joined.await.unwrap_or_else(|error| vec![error.to_string()])
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().expect("no holder of this lock panics")
}

fn builder(parts: &Parts, config: &Config) -> Builder {
    Builder {
        connection: parts.connection.clone(),
        prefix: config.kafka.prefix.clone(),
        topics: config.kafka.topics(),
        instance: parts.instance.clone(),
        discovery: Duration::from_millis(config.kafka.discovery_ms),
        delivery: config.kafka.delivery,
        clock: parts.clock.clone(),
        metrics: parts.metrics.clone(),
    }
}

/// As many as the topic has: whoever made it decided.
fn observation_partitions(parts: &Parts, config: &Config) -> anyhow::Result<i32> {
    let found = kafka::topics::partitions(&parts.connection, &config.kafka.topics().observations)?;
    Ok(found.unwrap_or(config.kafka.observation_partitions))
}
