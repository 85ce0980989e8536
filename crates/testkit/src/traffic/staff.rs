//! A partner's staff, logging in over SSH: mostly with keys, sometimes with a password, and
//! sometimes with the wrong one first.

use event::EventTime;

use super::actor::Script;
use super::dice::Dice;
use super::fact::{Fact, Sshd, SshdSaid};
use super::people::workstation;
use super::stage::World;

/// Lines a millisecond that the staff causes.
pub(crate) const LINES_PER_MS: f64 = 3.06 / EVERY_MS;

const EVERY_MS: f64 = 30_000.0;

/// Who may log in.
pub(crate) const PEOPLE: [&str; 12] =
    ["deploy", "ana", "bjorn", "chen", "dmitri", "elif", "femi", "grace", "hiro", "ines", "jonas", "backup"];

/// A partner's staff.
#[derive(Debug)]
pub(crate) struct Staff {
    partner: usize,
}

impl Staff {
    pub(crate) fn new(partner: usize) -> Self {
        Self { partner }
    }

    pub(crate) fn act(&mut self, now: EventTime, world: &mut World) -> Option<EventTime> {
        let login = login(now, &mut world.dice);
        if let Some((first, actor)) = Script::actor(self.partner, login, None) {
            world.enter(first, actor);
        }
        Some(now + world.dice.gap(EVERY_MS) as i64)
    }
}

fn login(now: EventTime, dice: &mut Dice) -> Vec<(EventTime, Fact)> {
    let person = dice.below(PEOPLE.len() as u64);
    let user = PEOPLE[person as usize];
    let (pid, port, address) = (1_000 + dice.below(60_000), 40_000 + dice.below(20_000), workstation(person));
    let said = |said| Fact::Sshd(Sshd { pid, user, address, port, said });
    let mut steps = Vec::new();
    let mut time = now;
    let by_password = dice.chance(0.2);
    if by_password && dice.chance(0.3) {
        steps.push((time, said(SshdSaid::FailedPassword { unknown_user: false })));
        time = time + dice.between(2_000, 9_000);
    }
    steps.push((time, said(if by_password { SshdSaid::AcceptedPassword } else { SshdSaid::AcceptedKey })));
    steps.push((time + 12, said(SshdSaid::SessionOpened)));
    steps.push((time + dice.between(20_000, 1_800_000), said(SshdSaid::Disconnected)));
    steps
}
