//! Attacks on logins and keys: guessing, spraying, and the guess that is right.

use event::EventTime;

use super::{Plan, spelled};
use crate::traffic::actor::Actor;
use crate::traffic::fact::{Fact, Key, Sshd, SshdSaid};
use crate::traffic::people::Address;
use crate::traffic::staff;

const DETECTOR: &str = "failed_authentication";
const FAST: &str = "auth.bruteforce.fast";

/// What attackers try first.
const GUESSED_USERS: [&str; 20] = [
    "admin",
    "oracle",
    "postgres",
    "ubuntu",
    "test",
    "git",
    "jenkins",
    "mysql",
    "ftpuser",
    "guest",
    "pi",
    "user",
    "tomcat",
    "nagios",
    "hadoop",
    "www",
    "support",
    "minecraft",
    "ec2-user",
    "ansible",
];

/// Accounts that nobody logs in to: else their owners' next login would be a success after
/// failures too, and no label would say so.
const IDLE_USERS: [&str; 3] = ["root", "svc-mirror", "svc-report"];

/// Many wrong passwords for one user, from one address, in less than a minute.
pub(super) fn brute_force_user(plan: &mut Plan<'_>) -> Option<(EventTime, Actor)> {
    let from = plan.attacker(2);
    let fails = plan.dice.between(16, 28);
    let user = *plan.dice.pick(&IDLE_USERS);
    let mut time = plan.now;
    let mut steps = Vec::new();
    for _ in 0..fails {
        steps.push((time, ssh(plan, user, from, SshdSaid::FailedPassword { unknown_user: false })));
        time = time + plan.dice.between(900, 2_000);
    }
    let mut label = plan.label("brute_force_user", DETECTOR, &[FAST], ("user", user.to_owned()));
    label.user_ref = Some(user.to_owned());
    label.source_ips = vec![from.to_string()];
    label.lines = fails.unsigned_abs();
    plan.script(steps, label)
}

/// One API key, tried again and again with wrong secrets, from one address.
pub(super) fn brute_force_key(plan: &mut Plan<'_>) -> Option<(EventTime, Actor)> {
    let from = plan.attacker(3);
    let key = Key(plan.dice.roll());
    let fails = plan.dice.between(18, 28);
    let mut time = plan.now;
    let mut steps = Vec::new();
    for _ in 0..fails {
        steps.push((time, Fact::KeyFailed { key, from, reason: "unknown" }));
        time = time + plan.dice.between(300, 3_000);
    }
    let entity = ("api_key", spelled(|text| key.id(text)));
    let mut label = plan.label("brute_force_key", DETECTOR, &[FAST], entity);
    label.source_ips = vec![from.to_string()];
    label.lines = fails.unsigned_abs();
    plan.script(steps, label)
}

/// One address tries many users, a few times each.
pub(super) fn sshd_spray(plan: &mut Plan<'_>) -> Option<(EventTime, Actor)> {
    let from = plan.attacker(4);
    let mut time = plan.now;
    let mut steps = Vec::new();
    for round in 0..3 {
        for user in GUESSED_USERS {
            if round == 0 || plan.dice.chance(0.8) {
                steps.push((time, ssh(plan, user, from, SshdSaid::FailedPassword { unknown_user: true })));
                time = time + plan.dice.between(1_000, 4_000);
            }
        }
    }
    let classes = ["auth.spray", "auth.stuffing", "auth.bruteforce.address"];
    let mut label = plan.label("sshd_brute_force", DETECTOR, &classes, ("address", from.to_string()));
    label.source_ips = vec![from.to_string()];
    label.lines = steps.len() as u64;
    plan.script(steps, label)
}

/// A few wrong passwords for one user, and then the right one.
pub(super) fn success_after_failures(plan: &mut Plan<'_>) -> Option<(EventTime, Actor)> {
    let from = plan.attacker(5);
    let fails = plan.dice.between(6, 9);
    let user = *plan.dice.pick(&staff::PEOPLE);
    let mut time = plan.now;
    let mut steps = Vec::new();
    for _ in 0..fails {
        steps.push((time, ssh(plan, user, from, SshdSaid::FailedPassword { unknown_user: false })));
        time = time + plan.dice.between(4_000, 20_000);
    }
    steps.push((time, ssh(plan, user, from, SshdSaid::AcceptedPassword)));
    let classes = ["auth.success_after_failures"];
    let mut label = plan.label("success_after_failures", DETECTOR, &classes, ("user", user.to_owned()));
    label.user_ref = Some(user.to_owned());
    label.source_ips = vec![from.to_string()];
    label.lines = fails.unsigned_abs() + 1;
    plan.script(steps, label)
}

fn ssh(plan: &mut Plan<'_>, user: &'static str, address: Address, said: SshdSaid) -> Fact {
    let (pid, port) = (1_000 + plan.dice.below(60_000), 30_000 + plan.dice.below(30_000));
    Fact::Sshd(Sshd { pid, user, address, port, said })
}
