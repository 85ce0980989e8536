//! When looking around is an attack: pure functions of what was looked for.

use event::Severity;
use serde::{Deserialize, Serialize};

use super::NAME;
use super::window::{Fact, Window};
use crate::config::in_range;
use crate::rules::Parameters;

// --- config ------------------------------------------------------------------------------------

/// How much looking around is too much.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbingConfig {
    /// So many different things that are not there or not allowed within `paths_window_ms` are too many.
    pub paths: u32,
    /// See `paths`.
    pub paths_window_ms: i64,
    /// So many within `burst_window_ms` are too many already.
    pub burst_paths: u32,
    /// See `burst_paths`.
    pub burst_window_ms: i64,
    /// Points for what only attackers ask for, within `telling_window_ms`, from which it is on record. A
    /// known hole or an open proxy is 60 points, an attack tool or somebody's shell 30, a way out of the
    /// folder or a console 15, a file 12, code in a parameter 10; each counts once. So one, two, four,
    /// five or six of a kind are on record, as many as others take for enough.
    pub telling_points: u32,
    /// From so many points on it is low ...
    pub telling_points_low: u32,
    /// ... and from so many on medium.
    pub telling_points_medium: u32,
    /// See `telling_points`.
    pub telling_window_ms: i64,
}

impl Default for ProbingConfig {
    fn default() -> Self {
        Self {
            paths: 30,
            paths_window_ms: 300_000,
            burst_paths: 11,
            burst_window_ms: 10_000,
            telling_points: 60,
            telling_points_low: 120,
            telling_points_medium: 240,
            telling_window_ms: 300_000,
        }
    }
}

impl Parameters for ProbingConfig {
    const DETECTOR: &'static str = NAME;

    fn validate(&self) -> Result<(), String> {
        let key = |name: &str| format!("{NAME}.{name}");
        for (name, many) in [
            ("paths", self.paths),
            ("burst_paths", self.burst_paths),
            ("telling_points", self.telling_points),
            ("telling_points_low", self.telling_points_low),
            ("telling_points_medium", self.telling_points_medium),
        ] {
            in_range(&key(name), i64::from(many), 2, 10_000)?;
        }
        for (name, window_ms) in [
            ("paths_window_ms", self.paths_window_ms),
            ("burst_window_ms", self.burst_window_ms),
            ("telling_window_ms", self.telling_window_ms),
        ] {
            in_range(&key(name), window_ms, 1_000, 3_600_000)?;
        }
        Ok(())
    }
}

impl ProbingConfig {
    /// The longest window.
    pub(super) fn window_ms(&self) -> i64 {
        self.paths_window_ms.max(self.burst_window_ms).max(self.telling_window_ms)
    }
}

// --- logic -------------------------------------------------------------------------------------

/// Which rules were met. None of them can be taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Met {
    /// Too many different things within minutes, and within seconds.
    paths: bool,
    burst: bool,
    /// How far up the ladder of points it came.
    points: usize,
    /// A known hole was asked for, and something answered.
    answered: bool,
}

/// What a rule that was met says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) why: Why,
    pub(super) threshold: u32,
    pub(super) window_ms: i64,
}

/// Which kind of rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// How much was looked for.
    Paths,
    /// What was looked for.
    Points,
    /// What was answered.
    Answered,
}

/// The tell-tale of a known hole.
const EXPLOIT: &str = "exploit";

/// How much a tell-tale tells.
pub(super) fn weight(telltale: &str) -> u32 {
    match telltale {
        EXPLOIT | "open_proxy" => 60,
        "attack_tool" | "shell" => 30,
        "path_traversal" | "admin_console" => 15,
        "sensitive_file" => 12,
        _ => 10,
    }
}

impl ProbingConfig {
    /// From how many points on it is how bad.
    fn ladder(&self) -> [(u32, Severity); 3] {
        [
            (self.telling_points, Severity::Info),
            (self.telling_points_low, Severity::Low),
            (self.telling_points_medium, Severity::Medium),
        ]
    }
}

impl Met {
    /// Notes how a request was answered.
    pub(super) fn note_answer(&mut self, telltale: Option<&str>, status: i32) {
        self.answered |= telltale == Some(EXPLOIT) && (200..400).contains(&status);
    }

    /// Looks whether a fact that was just added to the window has made it meet a rule that it had not met.
    pub(super) fn look(&mut self, fact: &Fact, window: &Window, config: &ProbingConfig) {
        let refused = |fact: &Fact| u32::from(fact.refused);
        if fact.refused {
            let paths = |least, window_ms| window.comes_to(least, fact.time, window_ms, refused);
            self.paths = self.paths || paths(config.paths, config.paths_window_ms);
            self.burst = self.burst || paths(config.burst_paths, config.burst_window_ms);
        }
        while let Some((least, _)) = config.ladder().get(self.points).filter(|_| fact.weight > 0)
            && window.comes_to(*least, fact.time, config.telling_window_ms, |fact| fact.weight)
        {
            self.points += 1;
        }
    }

    /// The worst that it came to; what was looked for says more than how much.
    pub(super) fn finding(self, config: &ProbingConfig) -> Option<Finding> {
        let of_paths = |(threshold, window_ms)| Finding {
            severity: Severity::Medium,
            why: Why::Paths,
            threshold,
            window_ms,
        };
        let paths = self.paths.then_some((config.paths, config.paths_window_ms));
        let burst = self.burst.then_some((config.burst_paths, config.burst_window_ms));
        let paths = paths.or(burst).map(of_paths);
        let rung = self.points.checked_sub(1).and_then(|rung| config.ladder().get(rung).copied());
        let points = rung.map(|(threshold, severity)| Finding {
            severity,
            why: Why::Points,
            threshold,
            window_ms: config.telling_window_ms,
        });
        let answered = Finding { severity: Severity::Low, why: Why::Answered, threshold: 1, window_ms: 0 };
        let answered = self.answered.then_some(answered);
        [paths, answered, points].into_iter().flatten().max_by_key(|finding| finding.severity)
    }
}
