//! Workers that come and go.

use std::time::{Duration, Instant};

use super::fleet::Fleet;
use super::harm::{Dice, pause};

/// Shorter than the rebalance that each of them makes may take.
const EVERY: Duration = Duration::from_secs(5);

/// One comes and another goes, killed or asked to, for as long as lines are sent; a few times at
/// least.
pub(super) fn come_and_go(fleet: &mut Fleet, dice: &mut Dice, sending: Duration) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut oldest = 0;
    while oldest < 5 || began.elapsed() + EVERY < sending {
        fleet.add()?;
        pause(EVERY);
        if dice.below(2) == 0 {
            fleet.kill(oldest)
        } else {
            fleet.terminate(oldest)?
        }
        oldest += 1;
    }
    eprintln!("churn: {oldest} workers came and went in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}
