//! What was told of something that goes on for a day, and whether there is news of it.

use event::{Alert, EventTime, Severity};
use serde::{Deserialize, Serialize};

use crate::detector::AlertChanges;
use crate::episode::{Announced, announce, update_is_due};

/// The state of one alert of a detector whose episodes are days.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Telling {
    announced: Option<Announced>,
    untold: bool,
}

impl Telling {
    /// Something happened that an alert would say.
    pub(crate) fn has_news(&mut self) {
        self.untold = true;
    }

    /// Whether anything was told.
    pub(crate) fn is_told(&self) -> bool {
        self.announced.is_some()
    }

    /// Tells what there is to tell, which is the alert's end where the day is over. Says when more may be told:
    /// what is not more severe is held back for the rest of its minute.
    pub(crate) fn tell(
        &mut self,
        severity: Severity,
        alert: impl FnOnce() -> Option<Alert>,
        now: EventTime,
        is_open: bool,
        alerts: &mut AlertChanges,
    ) -> Option<EventTime> {
        let is_due = update_is_due(self.announced.as_ref(), now);
        let is_worse = self.announced.is_none_or(|announced| announced.is_below(severity));
        // An alert takes far longer to write than what it is about, and there may be thousands in a minute.
        if (self.untold && (is_due || is_worse) || !is_open)
            && let Some(alert) = alert()
        {
            alerts.extend(announce(&mut self.announced, alert, now));
            self.untold = false;
        }
        self.announced.filter(|_| self.untold).map(|announced| announced.next_minute())
    }
}
