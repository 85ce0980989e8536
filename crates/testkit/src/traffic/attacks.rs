//! Attacks: when which one is made, at whom, and by whom.

mod burst;
mod login;
mod token;

pub(crate) use burst::Burst;

use event::EventTime;

use super::actor::{Actor, Script};
use super::dice::Dice;
use super::fact::Fact;
use super::label::Label;
use super::partner::{Partner, staff_partner};
use super::people::{Address, attacker};
use super::stage::World;
use super::text::Text;
use super::{Attacks, TrafficConfig};

/// A kind of attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    TokenReuseOtherOrigin,
    TokenDoubleRedeem,
    TokenExpiredAccepted,
    BruteForceUser,
    BruteForceKey,
    SshdSpray,
    SuccessAfterFailures,
    RequestSpike,
    RequestFlood,
}

/// One round: every kind once, those that need few lines once more. The first round is played in
/// this order, so that even a short recording holds several kinds.
const ROUND: [Kind; 12] = [
    Kind::TokenReuseOtherOrigin,
    Kind::BruteForceUser,
    Kind::SuccessAfterFailures,
    Kind::TokenDoubleRedeem,
    Kind::RequestSpike,
    Kind::TokenExpiredAccepted,
    Kind::SshdSpray,
    Kind::BruteForceKey,
    Kind::RequestFlood,
    Kind::TokenReuseOtherOrigin,
    Kind::TokenDoubleRedeem,
    Kind::TokenExpiredAccepted,
];

/// Two bursts at one partner lie at least so far apart, or they would be one episode.
const BURST_REST_MS: i64 = 2_700_000;

/// Decides when the next attack begins.
#[derive(Debug)]
pub(crate) struct Planner {
    every_ms: i64,
    round: Vec<Kind>,
    count: u64,
    staff: usize,
    /// By partner: no burst before then.
    rested_at: Vec<EventTime>,
}

/// What every attack needs to know.
pub(crate) struct Plan<'a> {
    /// Counts attacks from 0.
    number: u64,
    now: EventTime,
    partner: &'a mut Partner,
    dice: &'a mut Dice,
}

impl Plan<'_> {
    fn attacker(&self, host: u64) -> Address {
        attacker(self.number, host)
    }

    /// A label without times, sources and lines.
    fn label(&self, attack: &str, detector: &str, classes: &[&str], entity: (&str, String)) -> Label {
        Label {
            attack: attack.to_owned(),
            tenant: self.partner.tenant.to_string(),
            detector: detector.to_owned(),
            classes: classes.iter().map(|class| (*class).to_owned()).collect(),
            entity_type: entity.0.to_owned(),
            entity: entity.1,
            user_ref: None,
            start: self.now,
            end: self.now,
            source_ips: Vec::new(),
            lines: 0,
        }
    }

    /// An actor that says exactly this and then hands in the label, with its times filled in.
    fn script(&self, steps: Vec<(EventTime, Fact)>, mut label: Label) -> Option<(EventTime, Actor)> {
        label.start = steps.iter().map(|(time, _)| *time).min()?;
        label.end = steps.iter().map(|(time, _)| *time).max()?;
        Script::actor(self.partner.index, steps, Some(label))
    }
}

fn spelled(write: impl FnOnce(&mut Text)) -> String {
    let mut text = Text::new();
    write(&mut text);
    String::from_utf8(text.into_bytes()).expect("a text is made of strings and digits")
}

impl Planner {
    /// The planner and its first turn; `None` where nobody attacks.
    pub(crate) fn new(config: &TrafficConfig) -> Option<(EventTime, Self)> {
        let Attacks::Some { every_ms, warmup_ms } = config.attacks else { return None };
        let partners = config.partners.max(1);
        let planner = Self {
            every_ms: every_ms.max(1_000),
            round: ROUND.iter().rev().copied().collect(),
            count: 0,
            staff: staff_partner(config),
            rested_at: vec![EventTime::MIN; partners],
        };
        Some((config.start + warmup_ms.max(0), planner))
    }

    pub(crate) fn act(&mut self, now: EventTime, world: &mut World) -> Option<EventTime> {
        let kind = self.draw(&mut world.dice);
        if let Some(victim) = self.victim(kind, now, &mut world.dice) {
            let partner = &mut world.partners[victim];
            let plan = Plan { number: self.count, now, partner, dice: &mut world.dice };
            if let Some((first, actor)) = plan.make(kind) {
                world.enter(first, actor);
                self.count += 1;
            }
        }
        Some(now + self.every_ms / 2 + world.dice.between(0, self.every_ms))
    }

    fn draw(&mut self, dice: &mut Dice) -> Kind {
        if self.round.is_empty() {
            self.round.extend(ROUND);
            for last in (1..self.round.len()).rev() {
                self.round.swap(last, dice.below(last as u64 + 1) as usize);
            }
        }
        self.round.pop().unwrap_or(Kind::TokenReuseOtherOrigin)
    }

    /// Staff logs in at one partner only; bursts hit the smaller half, where they do not drown
    /// everything else, and none of those twice in a short time.
    fn victim(&mut self, kind: Kind, now: EventTime, dice: &mut Dice) -> Option<usize> {
        let partners = self.rested_at.len();
        match kind {
            Kind::BruteForceUser | Kind::SshdSpray | Kind::SuccessAfterFailures => Some(self.staff),
            Kind::RequestSpike | Kind::RequestFlood => {
                let rested: Vec<usize> =
                    (partners / 2..partners).filter(|p| self.rested_at[*p] <= now).collect();
                if rested.is_empty() {
                    return None;
                }
                let victim = *dice.pick(&rested);
                self.rested_at[victim] = now + BURST_REST_MS;
                Some(victim)
            }
            _ => Some(dice.below(partners as u64) as usize),
        }
    }
}

impl Plan<'_> {
    fn make(mut self, kind: Kind) -> Option<(EventTime, Actor)> {
        match kind {
            Kind::TokenReuseOtherOrigin => token::reuse_other_origin(&mut self),
            Kind::TokenDoubleRedeem => token::double_redeem(&mut self),
            Kind::TokenExpiredAccepted => token::expired_accepted(&mut self),
            Kind::BruteForceUser => login::brute_force_user(&mut self),
            Kind::BruteForceKey => login::brute_force_key(&mut self),
            Kind::SshdSpray => login::sshd_spray(&mut self),
            Kind::SuccessAfterFailures => login::success_after_failures(&mut self),
            Kind::RequestSpike => Some(burst::spike(&mut self)),
            Kind::RequestFlood => Some(burst::flood(&mut self)),
        }
    }
}
