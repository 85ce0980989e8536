//! What must hold before a change lands. `.ci/run` runs these and then the system on real Kafka;
//! a test compares the two lists.

use std::time::Instant;

use crate::command;

/// Program and arguments, in the order in which they are likeliest to say something new.
pub(crate) const CHECKS: &[&[&str]] = &[
    // The arrows between crates are among the tests: crates/xtask/tests/arrows.rs.
    &["cargo", "test", "--workspace"],
    &["cargo", "fmt", "--all", "--check"],
    &["cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
    &["cargo", "deny", "check", "bans", "licenses", "sources"],
];

pub(crate) fn run() -> anyhow::Result<()> {
    let began = Instant::now();
    for check in CHECKS {
        println!("\n=== [{:4} s] {}", began.elapsed().as_secs(), check.join(" "));
        if let [program, arguments @ ..] = check {
            command::run(program, arguments)?;
        }
    }
    println!("\n=== [{:4} s] everything holds", began.elapsed().as_secs());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_runs_every_check_in_this_order() {
        let script = std::fs::read_to_string(command::root().join(".ci/run")).unwrap();
        let mut rest = script.as_str();
        for check in CHECKS {
            let line = format!("\n{}\n", check.join(" "));
            let at = rest.find(&line).unwrap_or_else(|| panic!("missing or out of order in .ci/run: {line}"));
            rest = &rest[at + line.len() - 1..];
        }
    }
}
