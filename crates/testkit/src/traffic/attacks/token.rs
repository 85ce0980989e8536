//! Attacks on session tokens. In each a user asks for a token as users do; then the token is
//! used as it must not be.

use event::EventTime;

use super::{Plan, spelled};
use crate::traffic::actor::Actor;
use crate::traffic::fact::{Agent, Client, Fact, Request, Target, Token};
use crate::traffic::label::Label;
use crate::traffic::people::Address;
use crate::traffic::visit::browser;

const DETECTOR: &str = "token_reuse";

/// The user redeems the token; then somebody elsewhere, with another browser, tries it and is refused.
pub(super) fn reuse_other_origin(plan: &mut Plan<'_>) -> Option<(EventTime, Actor)> {
    let (token, mut steps) = issue(plan);
    let redeemed = token.issued_at + plan.dice.between(1_000, 15_000);
    accept(token, redeemed, browser(token.user, token.user.address()), &mut steps);
    let thief = Client { address: plan.attacker(1), agent: Agent::Other(token.user.other_browser()) };
    let tries = plan.dice.between(1, 3);
    let mut time = redeemed;
    for _ in 0..tries {
        time = time + plan.dice.between(8_000, 40_000);
        refuse(token, time, thief, "already_used", &mut steps);
    }
    let mut label = label(plan, token, "token_reuse_other_origin", "token.reuse.other_origin", thief.address);
    label.lines = 2 * tries.unsigned_abs();
    plan.script(steps, label)
}

/// The token is accepted twice, from two networks: the issuer does not keep its promise.
pub(super) fn double_redeem(plan: &mut Plan<'_>) -> Option<(EventTime, Actor)> {
    let (token, mut steps) = issue(plan);
    let redeemed = token.issued_at + plan.dice.between(1_000, 15_000);
    accept(token, redeemed, browser(token.user, token.user.address()), &mut steps);
    let thief = Client { address: plan.attacker(1), agent: Agent::Other(token.user.other_browser()) };
    accept(token, redeemed + plan.dice.between(1_000, 60_000), thief, &mut steps);
    let mut label = label(plan, token, "token_double_redeem", "token.double_redeem", thief.address);
    label.lines = 2;
    plan.script(steps, label)
}

/// The token is accepted, for the first time, well after its end.
pub(super) fn expired_accepted(plan: &mut Plan<'_>) -> Option<(EventTime, Actor)> {
    let (token, mut steps) = issue(plan);
    let client = browser(token.user, token.user.address());
    accept(token, token.expires_at() + plan.dice.between(60_000, 400_000), client, &mut steps);
    let mut label =
        label(plan, token, "token_expired_accepted", "token.expired_use.accepted", client.address);
    label.lines = 2;
    plan.script(steps, label)
}

fn issue(plan: &mut Plan<'_>) -> (Token, Vec<(EventTime, Fact)>) {
    let user = plan.partner.user(plan.dice.roll());
    let token = Token { id: plan.dice.roll(), user, issued_at: plan.now };
    let backend = Client { address: plan.partner.backend(token.id), agent: Agent::Backend };
    let steps = vec![
        (
            plan.now,
            Fact::Request(Request { client: backend, target: Target::Sessions, status: 201, latency_ms: 40 }),
        ),
        (plan.now, Fact::TokenIssued(token)),
    ];
    (token, steps)
}

fn accept(token: Token, time: EventTime, client: Client, steps: &mut Vec<(EventTime, Fact)>) {
    let request = Request { client, target: Target::Embed(token), status: 200, latency_ms: 21 };
    steps.push((time, Fact::Request(request)));
    steps.push((time, Fact::TokenRedeemed { token, client }));
}

fn refuse(
    token: Token,
    time: EventTime,
    client: Client,
    reason: &'static str,
    steps: &mut Vec<(EventTime, Fact)>,
) {
    let request = Request { client, target: Target::Embed(token), status: 401, latency_ms: 9 };
    steps.push((time, Fact::Request(request)));
    steps.push((time, Fact::TokenRejected { token, client, reason }));
}

fn label(plan: &Plan<'_>, token: Token, attack: &str, class: &str, source: Address) -> Label {
    let user = format!("usr_{}", token.user.number);
    let entity = if plan.partner.logs_raw_tokens {
        ("user", user.clone())
    } else {
        ("token", spelled(|text| token.fingerprint(text)))
    };
    let mut label = plan.label(attack, DETECTOR, &[class], entity);
    label.user_ref = Some(user);
    label.source_ips = vec![source.to_string()];
    label
}
