//! Where the actors stand: whose turn it is, and in what order their lines arrive.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use event::EventTime;

use super::actor::{Actor, Arrivals};
use super::attacks::Planner;
use super::dice::Dice;
use super::fact::Fact;
use super::label::Label;
use super::partner::{Partner, staff_partner};
use super::staff::Staff;
use super::{Line, TrafficConfig};

/// Everybody, and what they have said.
pub(crate) struct Stage {
    world: World,
    actors: Vec<Option<Actor>>,
    free: Vec<usize>,
    /// When whose turn is; the number in the middle orders those of one moment.
    agenda: BinaryHeap<Reverse<(EventTime, u64, usize)>>,
    turns: u64,
    end: EventTime,
}

impl Stage {
    pub(crate) fn new(config: &TrafficConfig) -> Self {
        let partners = Partner::all(config);
        let count = partners.len();
        let mut world = World {
            partners,
            dice: Dice::new(config.seed),
            labels: Vec::new(),
            said: VecDeque::new(),
            late: BinaryHeap::new(),
            lates: 0,
            disorder_ms_max: config.disorder_ms_max.max(0),
            entering: Vec::new(),
        };
        for partner in 0..count {
            world.enter(config.start, Actor::Shipper { partner, started: false });
            world.enter(config.start, Actor::Arrivals(Arrivals::new(partner, config.start)));
        }
        world.enter(config.start, Actor::Staff(Staff::new(staff_partner(config))));
        if let Some((first, planner)) = Planner::new(config) {
            world.enter(first, Actor::Planner(planner));
        }
        let end = config.duration_ms.map_or(EventTime(i64::MAX), |duration| config.start + duration);
        Self { world, actors: Vec::new(), free: Vec::new(), agenda: BinaryHeap::new(), turns: 0, end }
    }

    pub(crate) fn labels(&self) -> &[Label] {
        &self.world.labels
    }

    pub(crate) fn partners(&self) -> &[Partner] {
        &self.world.partners
    }

    /// The line that arrives next.
    pub(crate) fn next_line(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.world.said.pop_front() {
                return Some(line);
            }
            self.let_enter();
            let next = self.agenda.peek().map(|Reverse((time, ..))| *time).filter(|time| *time < self.end);
            if let Some(line) = self.world.late_line(next) {
                return Some(line);
            }
            next?;
            self.take_turn();
        }
    }

    fn take_turn(&mut self) {
        let Some(Reverse((now, _, slot))) = self.agenda.pop() else { return };
        let next = self.actors[slot].as_mut().and_then(|actor| actor.act(now, &mut self.world));
        match next {
            Some(next) => self.put_on_agenda(next.max(now), slot),
            None => {
                self.actors[slot] = None;
                self.free.push(slot);
            }
        }
    }

    fn let_enter(&mut self) {
        while let Some((time, actor)) = self.world.entering.pop() {
            let slot = self.free.pop().unwrap_or(self.actors.len());
            if slot == self.actors.len() {
                self.actors.push(None);
            }
            self.actors[slot] = Some(actor);
            self.put_on_agenda(time, slot);
        }
    }

    fn put_on_agenda(&mut self, time: EventTime, slot: usize) {
        self.agenda.push(Reverse((time, self.turns, slot)));
        self.turns += 1;
    }
}

/// What an actor sees and can do.
pub(crate) struct World {
    pub(crate) partners: Vec<Partner>,
    pub(crate) dice: Dice,
    /// The attacks that are over.
    pub(crate) labels: Vec<Label>,
    said: VecDeque<Line>,
    late: BinaryHeap<Late>,
    lates: u64,
    disorder_ms_max: i64,
    entering: Vec<(EventTime, Actor)>,
}

/// One line in so many is held up on its way.
const LATE_ONE_IN: u64 = 300;

impl World {
    /// Writes a fact into the partner's log; now and then the line arrives a little late.
    pub(crate) fn say(&mut self, partner: usize, now: EventTime, fact: Fact) {
        let line = self.partners[partner].line(now, &fact);
        if self.disorder_ms_max > 0 && self.dice.below(LATE_ONE_IN) == 0 {
            let arrival = now + self.dice.between(1, self.disorder_ms_max);
            self.late.push(Late { arrival, order: self.lates, line });
            self.lates += 1;
        } else {
            self.said.push_back(line);
        }
    }

    /// The same, never late.
    pub(crate) fn say_at_once(&mut self, partner: usize, now: EventTime, fact: Fact) {
        self.said.push_back(self.partners[partner].line(now, &fact));
    }

    /// Somebody new, whose first turn is then.
    pub(crate) fn enter(&mut self, first: EventTime, actor: Actor) {
        self.entering.push((first, actor));
    }

    /// A late line that arrives before the next turn.
    fn late_line(&mut self, next: Option<EventTime>) -> Option<Line> {
        let arrival = self.late.peek()?.arrival;
        if next.is_some_and(|next| arrival > next) {
            return None;
        }
        self.late.pop().map(|late| late.line)
    }
}

/// A line that was held up. The heap gives the one that arrives first.
struct Late {
    arrival: EventTime,
    order: u64,
    line: Line,
}

impl Ord for Late {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.arrival, other.order).cmp(&(self.arrival, self.order))
    }
}

impl PartialOrd for Late {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Late {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Late {}
