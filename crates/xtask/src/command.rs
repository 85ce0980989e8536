//! Running other programs, from the root of the repository.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};

/// Runs a program to its end; fails if it does.
pub(crate) fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    run_with(program, arguments, &[])
}

/// The same with variables set.
pub(crate) fn run_with(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<()> {
    let shown = format!("{program} {}", arguments.join(" "));
    let mut command = Command::new(program);
    forget_package(&mut command);
    let status = command
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(root())
        .status()
        .with_context(|| format!("start {shown}"))?;
    ensure!(status.success(), "{shown}: {status}");
    Ok(())
}

/// What cargo tells a program about its package it must not tell another cargo: build scripts that
/// look at it (ring's) would run again, and whatever stands on them be built anew.
fn forget_package(command: &mut Command) {
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_BIN_NAME", "CARGO_CRATE_NAME"] {
        command.env_remove(name);
    }
    let told = ["NAME", "VERSION", "VERSION_MAJOR", "VERSION_MINOR", "VERSION_PATCH", "VERSION_PRE"];
    let more = ["AUTHORS", "DESCRIPTION", "HOMEPAGE", "LICENSE", "LICENSE_FILE", "README", "REPOSITORY"];
    for name in told.iter().chain(&more).chain(&["RUST_VERSION"]) {
        command.env_remove(format!("CARGO_PKG_{name}"));
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
