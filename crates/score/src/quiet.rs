//! One alarm for one stretch of trouble, and fewer where a series keeps raising them.

/// How much evidence (mean `-log10` of probabilities) makes an alarm: a score of one half.
pub(crate) const ALARM: f64 = 2.9;
/// For how long an alarm silences what follows, as a share of the series so far.
const SILENCE: f64 = 0.03;
/// How many times stronger evidence must be to break the silence, and what is left of weaker.
const BREAKS_SILENCE: f64 = 1.3;
const MUTED: f64 = 0.3;
/// What each alarm adds to the evidence asked for, and how long it takes to fade, as a share of the
/// series so far.
const FATIGUE: f64 = 0.2;
const FATIGUE_FADES: f64 = 0.15;

#[derive(Default)]
pub(crate) struct Quiet {
    fatigue: f64,
    /// The last alarm: its evidence and its place.
    alarm: Option<(f64, usize)>,
}

impl Quiet {
    /// What is left of the evidence for the value that is the `count`-th.
    pub(crate) fn hear(&mut self, evidence: f64, count: usize) -> f64 {
        let length = count as f64;
        self.fatigue *= 1.0 - (1.0 / (FATIGUE_FADES * length)).min(1.0);
        let evidence = evidence - self.fatigue;
        self.alarm = self.alarm.filter(|(_, place)| ((count - place) as f64) < SILENCE * length);
        if self.alarm.is_some_and(|(alarm, _)| evidence < BREAKS_SILENCE * alarm) {
            return (MUTED * evidence).max(0.0);
        }
        if evidence >= ALARM {
            self.alarm = Some((evidence, count));
            self.fatigue += FATIGUE;
        }
        evidence.max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_followed_by_silence_unless_it_gets_worse() {
        let mut quiet = Quiet::default();
        assert_eq!(quiet.hear(4.0, 1000), 4.0);
        assert!(quiet.hear(4.5, 1001) < ALARM);
        assert!(quiet.hear(9.0, 1002) > 8.0);
        assert!(quiet.hear(4.0, 1100) > ALARM);
    }

    #[test]
    fn a_series_that_keeps_raising_alarms_is_asked_for_more() {
        let mut quiet = Quiet::default();
        let alarms = (1..100).filter(|turn| quiet.hear(3.2, 10_000 + turn * 400) >= ALARM).count();
        assert!(alarms < 60, "{alarms}");
    }
}
