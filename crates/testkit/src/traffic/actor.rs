//! Whoever does something in the traffic.

use event::EventTime;

use super::attacks::{Burst, Planner};
use super::fact::Fact;
use super::label::Label;
use super::partner::HEARTBEAT_EVERY_MS;
use super::staff::Staff;
use super::stage::World;
use super::visit::Visit;

/// Says something when it is its turn, and names the moment it will speak again.
#[derive(Debug)]
pub(crate) enum Actor {
    /// Users arriving at one partner.
    Arrivals(Arrivals),
    /// One user's visit, from token to last call.
    Visit(Visit),
    /// A partner's staff, logging in.
    Staff(Staff),
    /// A few lines that were thought out beforehand.
    Script(Script),
    /// Too many requests.
    Burst(Burst),
    /// Whoever decides when the next attack begins.
    Planner(Planner),
    /// A shipper that tells that it lives.
    Shipper { partner: usize, started: bool },
}

impl Actor {
    /// `None` when it will say nothing more.
    pub(crate) fn act(&mut self, now: EventTime, world: &mut World) -> Option<EventTime> {
        match self {
            Self::Arrivals(arrivals) => arrivals.act(now, world),
            Self::Visit(visit) => visit.act(now, world),
            Self::Staff(staff) => staff.act(now, world),
            Self::Script(script) => script.act(now, world),
            Self::Burst(burst) => burst.act(now, world),
            Self::Planner(planner) => planner.act(now, world),
            Self::Shipper { partner, started } => {
                world.say(*partner, now, Fact::shipper(*started));
                *started = true;
                Some(now + HEARTBEAT_EVERY_MS)
            }
        }
    }
}

impl Fact {
    fn shipper(started: bool) -> Self {
        if started { Self::ShipperHeartbeat } else { Self::ShipperStarted }
    }
}

/// Users arriving at one partner, at random, more by day than by night.
#[derive(Debug)]
pub(crate) struct Arrivals {
    partner: usize,
    /// When the next one comes, in fractions of a millisecond.
    next_ms: f64,
}

impl Arrivals {
    pub(crate) fn new(partner: usize, start: EventTime) -> Self {
        Self { partner, next_ms: start.millis() as f64 }
    }

    fn act(&mut self, now: EventTime, world: &mut World) -> Option<EventTime> {
        let partner = &mut world.partners[self.partner];
        let rate = partner.visits_per_ms(now);
        if rate <= 0.0 {
            return None;
        }
        let visit = Visit::new(partner, now, &mut world.dice);
        world.enter(now, Actor::Visit(visit));
        self.next_ms += world.dice.gap(1.0 / rate);
        Some(EventTime(self.next_ms as i64))
    }
}

/// A few lines of one partner that were thought out beforehand.
#[derive(Debug)]
pub(crate) struct Script {
    partner: usize,
    /// The last first.
    steps: Vec<(EventTime, Fact)>,
    label: Option<Label>,
}

impl Script {
    /// `None` if there is nothing to say.
    pub(crate) fn actor(
        partner: usize,
        mut steps: Vec<(EventTime, Fact)>,
        label: Option<Label>,
    ) -> Option<(EventTime, Actor)> {
        steps.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
        let first = steps.last()?.0;
        Some((first, Actor::Script(Self { partner, steps, label })))
    }

    fn act(&mut self, now: EventTime, world: &mut World) -> Option<EventTime> {
        let (_, fact) = self.steps.pop()?;
        match self.label {
            Some(_) => world.say_at_once(self.partner, now, fact),
            None => world.say(self.partner, now, fact),
        }
        let next = self.steps.last().map(|(time, _)| *time);
        if next.is_none() {
            world.labels.extend(self.label.take());
        }
        next
    }
}
