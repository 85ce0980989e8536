//! One visit: a backend gets a token, a browser redeems it, calls follow.

use event::EventTime;

use super::dice::Dice;
use super::fact::{Agent, Client, ENDPOINTS, Endpoint, Fact, Request, Target, Token, endpoint_share};
use super::partner::Partner;
use super::people::{Address, User};
use super::stage::World;

/// Lines of a visit in the mean, all logs together; a test holds it against what comes out.
pub(crate) const MEAN_LINES: f64 = 8.85;

/// Calls of a visit in the mean that the access log tells.
pub(crate) const MEAN_REQUESTS_TO_ENDPOINTS: f64 = MEAN_CALLS * (1.0 - CALLS_BY_BACKEND);

const MEAN_CALLS: f64 = 5.0;
/// The share of calls that the partner's backend makes, which the handshake log tells.
const CALLS_BY_BACKEND: f64 = 0.2;
const NEVER_REDEEMED: f64 = 0.02;
const FIRST_TRY_FAILS: f64 = 0.01;
const CLICKED_TWICE: f64 = 0.004;
const SLOW_OR_BACK_BUTTON: f64 = 0.02;
/// At most one user of a partner is that slow in so much time: many at once would be an incident.
const ODD_EVERY_MS: i64 = 240_000;

/// One user's visit.
#[derive(Debug)]
pub(crate) struct Visit {
    partner: usize,
    user: User,
    token: Token,
    next: Next,
    /// The visit ends with the back button, long after the token's end.
    goes_back: bool,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    Ask { failed_before: bool },
    Redeem,
    RedeemAgain,
    RedeemTooLate,
    Call,
    GoBack,
}

impl Visit {
    pub(crate) fn new(partner: &mut Partner, now: EventTime, dice: &mut Dice) -> Self {
        // The smaller of two throws: some users come far more often than others.
        let user = partner.user(dice.roll().min(dice.roll()));
        let odd = now >= partner.odd_again_from && dice.chance(SLOW_OR_BACK_BUTTON);
        if odd {
            partner.odd_again_from = now + ODD_EVERY_MS;
        }
        let token = Token { id: dice.roll(), user, issued_at: now };
        Self { partner: partner.index, user, token, next: Next::Ask { failed_before: false }, goes_back: odd }
    }

    pub(crate) fn act(&mut self, now: EventTime, world: &mut World) -> Option<EventTime> {
        match self.next {
            Next::Ask { failed_before } => self.ask(failed_before, now, world),
            Next::Redeem => self.redeem(now, world),
            Next::RedeemAgain => self.redeem_again(now, world),
            Next::RedeemTooLate => self.reject("expired", now, world),
            Next::Call => self.call(now, world),
            Next::GoBack => self.reject("expired", now, world),
        }
    }

    fn ask(&mut self, failed_before: bool, now: EventTime, world: &mut World) -> Option<EventTime> {
        let address = world.partners[self.partner].backend(self.token.id);
        let backend = Client { address, agent: Agent::Backend };
        if !failed_before && world.dice.chance(FIRST_TRY_FAILS) {
            self.request(backend, Target::Sessions, 503, now, world);
            self.next = Next::Ask { failed_before: true };
            return Some(now + world.dice.between(200, 2_000));
        }
        self.token.issued_at = now;
        self.request(backend, Target::Sessions, 201, now, world);
        world.say(self.partner, now, Fact::TokenIssued(self.token));
        if world.dice.chance(NEVER_REDEEMED) {
            return None;
        }
        if self.goes_back && world.dice.chance(0.5) {
            self.next = Next::RedeemTooLate;
            return Some(now + world.dice.between(310_000, 900_000));
        }
        self.next = Next::Redeem;
        Some(now + 300 + world.dice.gap(4_000.0).min(120_000.0) as i64)
    }

    fn redeem(&mut self, now: EventTime, world: &mut World) -> Option<EventTime> {
        self.request(self.browser(), Target::Embed(self.token), 200, now, world);
        world.say(self.partner, now, Fact::TokenRedeemed { token: self.token, client: self.browser() });
        if world.dice.chance(CLICKED_TWICE) {
            self.next = Next::RedeemAgain;
            return Some(now + world.dice.between(80, 900));
        }
        self.think(now, world)
    }

    fn redeem_again(&mut self, now: EventTime, world: &mut World) -> Option<EventTime> {
        self.reject("already_used", now, world);
        self.think(now, world)
    }

    fn reject(&mut self, reason: &'static str, now: EventTime, world: &mut World) -> Option<EventTime> {
        self.request(self.browser(), Target::Embed(self.token), 401, now, world);
        world.say(
            self.partner,
            now,
            Fact::TokenRejected { token: self.token, client: self.browser(), reason },
        );
        None
    }

    fn call(&mut self, now: EventTime, world: &mut World) -> Option<EventTime> {
        let endpoint = any_endpoint(&mut world.dice);
        let status = status(endpoint, &mut world.dice);
        if world.dice.chance(CALLS_BY_BACKEND) {
            world.say(self.partner, now, Fact::ApiCall { user: self.user, endpoint, status });
        } else {
            let target = Target::Endpoint { endpoint, user: self.user, item: world.dice.roll() };
            self.request(self.browser(), target, status, now, world);
        }
        self.think(now, world)
    }

    /// What the user does next, and when.
    fn think(&mut self, now: EventTime, world: &mut World) -> Option<EventTime> {
        if world.dice.chance(MEAN_CALLS / (MEAN_CALLS + 1.0)) {
            self.next = Next::Call;
            return Some(now + 200 + world.dice.gap(7_000.0).min(90_000.0) as i64);
        }
        if self.goes_back {
            self.next = Next::GoBack;
            return Some(now.max(self.token.expires_at()) + world.dice.between(35_000, 600_000));
        }
        None
    }

    fn request(&self, client: Client, target: Target, status: u16, now: EventTime, world: &mut World) {
        let latency_ms = 3 + (world.dice.gap(28.0) as u16).min(900);
        world.say(self.partner, now, Fact::Request(Request { client, target, status, latency_ms }));
    }

    fn browser(&self) -> Client {
        browser(self.user, self.user.address())
    }
}

/// This user's browser, at that address.
pub(crate) fn browser(user: User, address: Address) -> Client {
    Client { address, agent: Agent::Other(user.browser()) }
}

fn any_endpoint(dice: &mut Dice) -> &'static Endpoint {
    let mut left = dice.below(1_000_000) as f64 / 1e6;
    for (n, endpoint) in ENDPOINTS.iter().enumerate() {
        left -= endpoint_share(n);
        if left < 0.0 {
            return endpoint;
        }
    }
    &ENDPOINTS[0]
}

fn status(endpoint: &Endpoint, dice: &mut Dice) -> u16 {
    match dice.below(1_000) {
        0..12 => 404,
        12..14 => 429,
        14..16 => 500,
        16..46 if endpoint.method == "GET" => 304,
        _ => endpoint.fine,
    }
}
