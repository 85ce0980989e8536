//! Starting a stage again after a failure, from what is durable.

use std::time::{Duration, Instant};

use tracing::{error, warn};

use crate::{Shutdown, StageState, StageStatus};

/// Why a stage ended early.
#[derive(Debug)]
pub enum Failure {
    /// Start it again; the text says what went wrong.
    TryAgain(String),
    /// Only an operator can help; the text says how.
    GiveUp(String),
}

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// A stage that ran this long before it failed is not failing in a loop.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// Runs `attempt` until it ends by itself, an operator is needed, or shutdown is asked for.
/// `attempt` must build everything afresh: consumers, producers, state.
pub fn supervise(
    name: &'static str,
    shutdown: &Shutdown,
    status: &StageStatus,
    mut attempt: impl FnMut() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut wait = FIRST_WAIT;
    loop {
        status.set(StageState::Starting, "");
        let began = Instant::now();
        match guarded(&mut attempt) {
            Ok(()) => {
                status.set(StageState::Stopped, "");
                return Ok(());
            }
            Err(Failure::GiveUp(why)) => {
                error!(stage = name, %why, "stage ended; an operator is needed");
                status.set(StageState::Failed, why.clone());
                return Err(Failure::GiveUp(why));
            }
            Err(Failure::TryAgain(why)) => {
                if began.elapsed() >= HEALTHY_AFTER {
                    wait = FIRST_WAIT;
                }
                warn!(stage = name, %why, again_in_ms = wait.as_millis() as u64, "stage starts again");
                status.set(StageState::Waiting, why);
            }
        }
        if shutdown.wait(wait) {
            status.set(StageState::Stopped, "");
            return Ok(());
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// A panic is our bug, but it must not leave a stage dead and silent: the stage starts again from
/// what is durable, and the log and the restart counter say so.
fn guarded(attempt: &mut impl FnMut() -> Result<(), Failure>) -> Result<(), Failure> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt)).unwrap_or_else(|panic| {
        // A message that was put together may quote a log line, and with it a secret.
        let text = panic.downcast_ref::<&str>().copied().unwrap_or("see the log for where");
        Err(Failure::TryAgain(format!("panicked: {text}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_fails_is_started_again_and_says_how_often() {
        let (shutdown, status) = (Shutdown::default(), StageStatus::default());
        let mut attempts = 0;
        let ended = supervise("test", &shutdown, &status, || {
            attempts += 1;
            if attempts < 3 { Err(Failure::TryAgain("broker is away".into())) } else { Ok(()) }
        });
        assert!(ended.is_ok());
        let report = status.report();
        assert_eq!((attempts, report.restarts, report.state), (3, 2, StageState::Stopped));
    }

    #[test]
    fn a_stage_that_panics_is_started_again() {
        let (shutdown, status) = (Shutdown::default(), StageStatus::default());
        let mut attempts = 0;
        let ended = supervise("test", &shutdown, &status, || {
            attempts += 1;
            assert!(attempts > 1, "first attempt");
            Ok(())
        });
        assert!(ended.is_ok());
        assert_eq!(status.report().restarts, 1);
    }

    #[test]
    fn what_a_panic_quotes_is_not_repeated() {
        let (shutdown, status) = (Shutdown::default(), StageStatus::default());
        shutdown.request();
        let line = "token=5eC7e7".to_owned();
        let ended = supervise("test", &shutdown, &status, || panic!("cannot read {line}"));
        assert!(ended.is_ok());
        assert!(!format!("{:?}", status.report()).contains("5eC7e7"));
    }

    #[test]
    fn a_misconfigured_stage_is_not_started_again() {
        let (shutdown, status) = (Shutdown::default(), StageStatus::default());
        let ended = supervise("test", &shutdown, &status, || Err(Failure::GiveUp("no such topic".into())));
        assert!(matches!(ended, Err(Failure::GiveUp(_))));
        assert_eq!(status.report().detail, "no such topic");
    }
}
