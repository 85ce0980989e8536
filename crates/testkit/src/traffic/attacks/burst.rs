//! Far too many requests for one endpoint: a spike that lasts, and a flood that comes at once.

use event::EventTime;

use super::Plan;
use crate::traffic::actor::Actor;
use crate::traffic::dice::Dice;
use crate::traffic::fact::{Agent, Client, ENDPOINTS, Endpoint, Fact, Request, Target, endpoint_share};
use crate::traffic::label::Label;
use crate::traffic::people::{Address, User, attacker};
use crate::traffic::stage::World;
use crate::traffic::visit::MEAN_REQUESTS_TO_ENDPOINTS;

const DETECTOR: &str = "request_spike";
const AGENT: Agent = Agent::Other("python-requests/2.31.0");

/// Requests without end, until they end.
#[derive(Debug)]
pub(crate) struct Burst {
    partner: usize,
    number: u64,
    hosts: u64,
    endpoint: &'static Endpoint,
    /// Of a hundred requests so many are told that they are too many.
    refused_percent: u64,
    mean_gap_ms: f64,
    next_ms: f64,
    end: EventTime,
    label: Option<Label>,
}

/// Twelve times the endpoint's usual rate, and well over what the contract allows, for six to
/// nine minutes, from many addresses.
pub(super) fn spike(plan: &mut Plan<'_>) -> (EventTime, Actor) {
    let n = plan.dice.below(3) as usize + 1;
    let per_minute = (12.0 * usual_rpm(plan, n)).max(4.0 * plan.partner.contract_rpm()).max(240.0);
    let length_ms = plan.dice.between(370_000, 540_000);
    burst(plan, "request_spike", n, Shape { per_minute, length_ms, hosts: 120, refused_percent: 0 })
}

/// Thirteen times what the contract allows, at once, from a handful of addresses.
pub(super) fn flood(plan: &mut Plan<'_>) -> (EventTime, Actor) {
    let n = plan.dice.below(3) as usize + 4;
    let per_minute = (20.0 * usual_rpm(plan, n)).max(13.0 * plan.partner.contract_rpm()).max(1_500.0);
    let length_ms = plan.dice.between(130_000, 170_000);
    burst(plan, "request_flood", n, Shape { per_minute, length_ms, hosts: 4, refused_percent: 60 })
}

struct Shape {
    per_minute: f64,
    length_ms: i64,
    hosts: u64,
    refused_percent: u64,
}

/// What the `n`-th endpoint of this partner has at this time of day, as its access log tells it.
fn usual_rpm(plan: &mut Plan<'_>, n: usize) -> f64 {
    plan.partner.visits_per_ms(plan.now) * 60_000.0 * MEAN_REQUESTS_TO_ENDPOINTS * endpoint_share(n)
}

fn burst(plan: &mut Plan<'_>, attack: &str, n: usize, shape: Shape) -> (EventTime, Actor) {
    let endpoint = &ENDPOINTS[n];
    let classes = ["traffic.spike", "traffic.flood"];
    let mut label = plan.label(attack, DETECTOR, &classes, ("endpoint", endpoint.route()));
    label.source_ips = (0..shape.hosts).map(|host| attacker(plan.number, host).to_string()).collect();
    let burst = Burst {
        partner: plan.partner.index,
        number: plan.number,
        hosts: shape.hosts,
        endpoint,
        refused_percent: shape.refused_percent,
        mean_gap_ms: 60_000.0 / shape.per_minute,
        next_ms: plan.now.millis() as f64,
        end: plan.now + shape.length_ms,
        label: Some(label),
    };
    (plan.now, Actor::Burst(burst))
}

impl Burst {
    pub(crate) fn act(&mut self, now: EventTime, world: &mut World) -> Option<EventTime> {
        let request = self.request(&mut world.dice);
        world.say_at_once(self.partner, now, Fact::Request(request));
        if let Some(label) = &mut self.label {
            label.lines += 1;
            label.end = now;
        }
        self.next_ms += world.dice.gap(self.mean_gap_ms);
        let next = EventTime(self.next_ms as i64);
        if next < self.end {
            return Some(next);
        }
        world.labels.extend(self.label.take());
        None
    }

    fn request(&self, dice: &mut Dice) -> Request {
        let refused = dice.below(100) < self.refused_percent;
        let address: Address = attacker(self.number, dice.below(self.hosts));
        let user = User::new(self.partner, 10_000 + dice.below(200));
        Request {
            client: Client { address, agent: AGENT },
            target: Target::Endpoint { endpoint: self.endpoint, user, item: dice.roll() },
            status: if refused { 429 } else { self.endpoint.fine },
            latency_ms: 12,
        }
    }
}
