//! What a run left, held against what was sent and against a replay.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use super::fleet::Fleet;
use super::harm::{Harm, pause};

/// So long a system may take to come to rest before it is looked at all the same.
const PATIENCE: Duration = Duration::from_secs(240);

#[derive(Debug)]
pub(super) struct Verdict {
    lines: u64,
    lost: u64,
    doubled: u64,
    alerts: usize,
    missing: BTreeSet<String>,
    other: BTreeSet<String>,
    changes_doubled: u64,
    /// Of the lines, how many were stored when the last one was sent.
    kept_up: f64,
    caught_up: Duration,
}

impl Verdict {
    /// Waits until all is stored, and until the alerts are those of a replay or patience ends.
    pub(super) fn reach(fleet: &mut Fleet, lines: u64) -> anyhow::Result<Self> {
        let began = Instant::now();
        let kept_up = rows(fleet)?.1 as f64 / lines as f64;
        while rows(fleet)?.1 < lines && began.elapsed() < PATIENCE {
            pause(Duration::from_millis(200));
        }
        let caught_up = began.elapsed();
        let expected = names(&fleet.replay()?);
        // The last windows close when their sources have been silent for a while.
        let mut found = alerts(fleet)?;
        while found != expected && began.elapsed() < PATIENCE {
            pause(Duration::from_secs(1));
            found = alerts(fleet)?;
        }
        let (total, distinct) = rows(fleet)?;
        Ok(Self {
            lines,
            lost: lines.saturating_sub(distinct),
            doubled: total - distinct,
            alerts: found.len(),
            missing: expected.difference(&found).cloned().collect(),
            other: found.difference(&expected).cloned().collect(),
            changes_doubled: changes_doubled(fleet)?,
            kept_up,
            caught_up,
        })
    }

    /// Cells of a row of the table.
    pub(super) fn row(&self) -> String {
        let Self { lines, lost, doubled, alerts, missing, other, changes_doubled, kept_up, caught_up } = self;
        let (missing, other) = (missing.len(), other.len());
        format!(
            "| {lines} | {lost} | {doubled} | {alerts} | {missing} | {other} | {changes_doubled} | {:.0} % | {:.1} s |",
            kept_up * 100.0,
            caught_up.as_secs_f64()
        )
    }

    pub(super) fn is_well(&self, harm: Harm) -> bool {
        let named = self.missing.iter().chain(&self.other);
        named.for_each(|alert| eprintln!("differs from the replay: {alert}"));
        self.lost + self.doubled + self.changes_doubled == 0
            && self.missing.is_empty()
            && self.other.is_empty()
            && self.kept_up >= harm.kept_up_min()
    }
}

/// Rows of events and rejects: all, and different ones.
fn rows(fleet: &Fleet) -> anyhow::Result<(u64, u64)> {
    let mut sums = (0, 0);
    for (table, id) in [("events", "event_id"), ("rejects", "reject_id")] {
        let found = fleet.query(&format!("SELECT count(*) AS a, count(DISTINCT {id}) AS b FROM {table}"))?;
        sums.0 += number(&found, "a")?;
        sums.1 += number(&found, "b")?;
    }
    Ok(sums)
}

fn alerts(fleet: &Fleet) -> anyhow::Result<BTreeSet<String>> {
    Ok(names(&fleet.query("SELECT DISTINCT alert_id, class, entity FROM alert_changes")?))
}

fn changes_doubled(fleet: &Fleet) -> anyhow::Result<u64> {
    let sql = "SELECT count(*) AS n FROM (SELECT alert_id, revision FROM alert_changes GROUP BY 1, 2 HAVING count(*) > 1)";
    number(&fleet.query(sql)?, "n")
}

/// Of each alert its id, and what it is about, which belongs to the id.
fn names(rows: &[Value]) -> BTreeSet<String> {
    let name =
        |row: &Value| Some(format!("{} {} {}", row["alert_id"].as_str()?, row["class"], row["entity"]));
    rows.iter().filter_map(name).collect()
}

fn number(rows: &[Value], name: &str) -> anyhow::Result<u64> {
    match rows.first() {
        Some(row) => row[name].as_u64().with_context(|| format!("{name} in {row}")),
        None => bail!("no row was answered"),
    }
}
