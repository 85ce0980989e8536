//! What became of the lines that were sent again.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::commands::server::ServerArgs;

/// How long it is waited for all of them to be stored.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked.
const PAUSE: Duration = Duration::from_millis(500);

/// What was sent again was received a moment ago: older days of the tables are not read. The broker's
/// clock may be another than ours, by this much.
const CLOCKS_APART_MS: i64 = 3_600_000;

/// How many lines that were sent again became what, of those received since.
fn counts(since_ms: i64) -> String {
    let since = format!("to_timestamp_millis({})", since_ms - CLOCKS_APART_MS);
    format!(
        "SELECT 'event' AS became, count(*) AS lines FROM events \
         WHERE redriven_from IS NOT NULL AND ingest_time >= {since} \
         UNION ALL SELECT reason AS became, count(*) AS lines FROM rejects \
         WHERE redriven_from IS NOT NULL AND time >= {since} GROUP BY reason"
    )
}

/// Lines by what they became: an event, or a reject for some reason.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    became: BTreeMap<String, u64>,
    sent: u64,
}

#[derive(Deserialize)]
struct Row {
    became: String,
    lines: u64,
}

impl Outcome {
    /// Of all that were sent again about since then.
    pub(super) async fn now(server: &ServerArgs, since_ms: i64) -> anyhow::Result<Self> {
        let rows: Vec<Row> = server.rows(counts(since_ms)).await?;
        Ok(Self { became: rows.into_iter().map(|row| (row.became, row.lines)).collect(), sent: 0 })
    }

    /// Of those that were sent since, once all are stored or it has taken too long.
    pub(super) async fn of(
        server: &ServerArgs,
        since_ms: i64,
        before: &Self,
        sent: u64,
    ) -> anyhow::Result<Self> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let mut outcome = Self { sent, ..Self::now(server, since_ms).await? };
            for (became, lines) in &mut outcome.became {
                *lines -= before.became.get(became).copied().unwrap_or(0).min(*lines);
            }
            if outcome.stored() >= sent || tokio::time::Instant::now() > deadline {
                return Ok(outcome);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn stored(&self) -> u64 {
        self.became.values().sum()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.became.get("event").copied().unwrap_or(0);
        write!(f, "{} lines sent again: {events} became events", self.sent)?;
        for (reason, lines) in self.became.iter().filter(|(became, lines)| *became != "event" && **lines > 0)
        {
            write!(f, ", {lines} were rejected again ({reason})")?;
        }
        match self.sent.saturating_sub(self.stored()) {
            0 => Ok(()),
            missing => {
                write!(f, "; {missing} are not stored yet, and would be sent twice if you began anew now")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_says_what_became_of_each_line() {
        let became = [("event", 3), ("too_deep", 1), ("empty", 0)];
        let became = became.map(|(became, lines)| (became.to_owned(), lines)).into();
        let outcome = Outcome { became, sent: 5 };
        assert_eq!(
            outcome.to_string(),
            "5 lines sent again: 3 became events, 1 were rejected again (too_deep); 1 are not stored yet, and would \
             be sent twice if you began anew now"
        );
    }
}
