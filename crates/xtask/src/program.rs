//! The program under test, and where cargo puts what it builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::command;

/// The program that is named, or one that is built now as users build it.
pub(crate) fn watchfire(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(binary) = named {
        return binary.canonicalize().with_context(|| format!("find {}", binary.display()));
    }
    command::run("cargo", &["build", "--release", "--package", "watchfire"])?;
    Ok(target_dir()?.join("release/watchfire"))
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> anyhow::Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(command::root())
        .output()
        .context("start cargo metadata")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("read cargo metadata")?;
    let folder = metadata["target_directory"].as_str().context("cargo metadata names the target folder")?;
    Ok(PathBuf::from(folder))
}
