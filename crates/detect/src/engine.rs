//! Runs every detector over one partition of observations and keeps event time for them.

use event::{AlertChange, EventTime, ObservationBatch, SourceProgress};
use serde::{Deserialize, Serialize};

use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::detectors;
use crate::rules::Rules;
use crate::snapshot;
use crate::watermark::Watermarks;

/// The detectors of one observation partition, with their state. It has no thread of its own.
pub struct Engine {
    rules: Rules,
    watermarks: Watermarks,
    detectors: Vec<Box<dyn Detector>>,
}

/// An engine's figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EngineStats {
    /// How far event time has come for the slowest tenant that is not idle.
    pub watermark: Option<EventTime>,
    /// The newest event time that a source has reached.
    pub event_time_max: Option<EventTime>,
    /// Each detector's figures.
    pub detectors: Vec<DetectorStats>,
}

#[derive(Serialize, Deserialize)]
struct EngineState {
    watermarks: Watermarks,
    detectors: Vec<DetectorState>,
}

impl Engine {
    /// An engine that remembers nothing yet. A configuration that stands for rules must be valid.
    pub fn new(rules: impl Into<Rules>) -> Self {
        let rules = rules.into();
        Self { watermarks: Watermarks::default(), detectors: detectors::all(&rules), rules }
    }

    /// Goes by these rules from the next record on. What was seen, and what was told of it, stays.
    pub fn learn(&mut self, rules: &Rules) {
        self.rules = rules.clone();
        self.detectors.iter_mut().for_each(|detector| detector.learn(rules));
    }

    /// Takes in one record of the observations topic, in the order of its offset. `broker_time`
    /// is when the broker appended that record. A record without observations still moves
    /// event time.
    pub fn on_record(
        &mut self,
        observations: &ObservationBatch,
        progress: &[SourceProgress],
        broker_time: EventTime,
    ) -> Vec<AlertChange> {
        let mut changes = AlertChanges::default();
        if !observations.is_empty() {
            for detector in &mut self.detectors {
                detector.on_batch(observations, &self.watermarks, &mut changes);
            }
        }
        for tenant in self.watermarks.advance(progress, broker_time, &self.rules.config.watermark) {
            let Some(up_to) = self.watermarks.of(tenant.as_str()) else { continue };
            for detector in &mut self.detectors {
                detector.on_watermark(&tenant, up_to, &mut changes);
            }
        }
        for detector in &mut self.detectors {
            detector.on_progress(progress, &self.watermarks, &mut changes);
        }
        let mut changes = changes.into_sorted();
        changes.iter_mut().for_each(|change| self.rules.sign(&mut change.alert));
        changes
    }

    /// The whole state as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let detectors = self.detectors.iter().map(|detector| detector.snapshot()).collect();
        let state = EngineState { watermarks: self.watermarks.clone(), detectors };
        snapshot::seal(&snapshot::encode(&state))
    }

    /// Goes on from a snapshot. On an error the engine is what it was before.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), BadState> {
        let state: EngineState = snapshot::decode(snapshot::open(bytes)?)?;
        let mut detectors = detectors::all(&self.rules);
        for saved in state.detectors {
            let detector = detectors.iter_mut().find(|detector| detector.name() == saved.name);
            // A detector that this version no longer has, or has newly, begins with nothing.
            if let Some(detector) = detector {
                detector.restore(saved)?;
            }
        }
        self.detectors = detectors;
        self.watermarks = state.watermarks;
        Ok(())
    }

    /// Figures for metrics.
    pub fn stats(&self) -> EngineStats {
        EngineStats {
            watermark: self.watermarks.slowest(&self.rules.config.watermark),
            event_time_max: self.watermarks.event_time_max(),
            detectors: self.detectors.iter().map(|detector| detector.stats()).collect(),
        }
    }
}
