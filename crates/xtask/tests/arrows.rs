//! The architecture, checked: which crate may lean on which, and what none of them may reach.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Which of our crates each may depend on. What is not here may depend on none of ours.
const ARROWS: &[(&str, &[&str])] = &[
    ("normalize", &["event"]),
    ("detect", &["event"]),
    ("pipeline", &["event"]),
    ("stages", &["event", "normalize", "detect", "pipeline"]),
    ("kafka", &["event", "pipeline"]),
    ("store", &["event", "pipeline"]),
    ("query", &["event", "store"]),
    ("alerting", &["event"]),
    ("api", &["event", "query", "alerting"]),
    ("postgres", &["event", "query", "alerting", "listener"]),
    ("flight", &["event", "query", "alerting", "listener"]),
    ("testkit", &["event"]),
    ("keep", &["event", "pipeline", "stages", "store", "alerting"]),
    ("simulate", &["event", "normalize", "detect", "pipeline", "stages", "testkit"]),
    ("simulate-keep", &["event", "normalize", "pipeline", "stages", "store", "alerting", "keep", "simulate"]),
    ("xtask", &["testkit", "event"]),
    (
        "watchfire",
        &[
            "event",
            "normalize",
            "detect",
            "pipeline",
            "stages",
            "kafka",
            "broker",
            "score",
            "store",
            "query",
            "alerting",
            "keep",
            "api",
            "postgres",
            "flight",
            "testkit",
        ],
    ),
];

/// What a crate's tests may lean on beyond that.
const ARROWS_IN_TESTS: &[(&str, &[&str])] =
    &[("kafka", &["broker"]), ("api", &["store"]), ("postgres", &["store"]), ("flight", &["store"])];

/// Who may name a crate that must not spread: normally, and in tests only.
const OWNED: &[(&str, &[&str], &[&str])] =
    &[("rdkafka", &["kafka"], &["broker"]), ("axum", &["api"], ANYBODY)];
const ANYBODY: &[&str] = &["*"];

/// Crates that decide and do no I/O.
const PURE: &[&str] = &["event", "normalize", "detect"];

/// One version of each in the lock file, or types of one cannot be given to the other.
const ONE_VERSION: &[&str] =
    &["arrow", "parquet", "datafusion", "object_store", "tokio", "rustls", "axum", "tonic"];

#[test]
fn our_crates_lean_on_each_other_only_as_drawn() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(name).collect();
    let mut crossed = Vec::new();
    for package in &packages {
        let from = name(package);
        let may = allowed.get(from).copied().unwrap_or_default();
        for (to, kind) in dependencies(package) {
            let drawn_in_tests =
                ARROWS_IN_TESTS.iter().any(|(tests_of, may)| *tests_of == from && may.contains(&to))
                    || to == "testkit";
            if ours.contains(to) && !may.contains(&to) && !(kind == "dev" && drawn_in_tests) {
                crossed.push(format!("{from} -> {to} ({kind})"));
            }
        }
    }
    assert!(crossed.is_empty(), "not drawn in ARROWS: {crossed:#?}");
}

#[test]
fn every_crate_is_drawn_and_every_drawn_crate_is_there() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(name).collect();
    let mut drawn: BTreeSet<&str> = ["event", "broker"].into();
    for (from, to) in ARROWS {
        drawn.insert(from);
        drawn.extend(*to);
    }
    assert_eq!(ours, drawn);
}

#[test]
fn what_must_not_spread_stays_with_its_owner() {
    let mut spread = Vec::new();
    for package in &packages() {
        for (to, kind) in dependencies(package) {
            let Some((_, normally, in_tests)) = OWNED.iter().find(|(owned, ..)| *owned == to) else {
                continue;
            };
            let from = name(package);
            let allowed = normally.contains(&from)
                || kind == "dev" && (in_tests.contains(&from) || *in_tests == ANYBODY);
            if !allowed {
                spread.push(format!("{from} -> {to} ({kind})"));
            }
        }
    }
    assert!(spread.is_empty(), "{spread:#?}");
}

#[test]
fn the_pure_crates_cannot_reach_a_runtime_or_a_broker() {
    for pure in PURE {
        let reached =
            cargo(&["tree", "--package", pure, "--edges", "no-dev", "--prefix", "none", "--format", "{p}"]);
        let reached: BTreeSet<&str> = reached.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(reached.contains("event"), "{pure}: cargo tree shows nothing");
        for forbidden in ["tokio", "rdkafka", "hyper", "axum", "sqlx", "object_store"] {
            assert!(!reached.contains(forbidden), "{pure} reaches {forbidden}");
        }
    }
}

#[test]
fn the_lock_file_holds_one_version_of_what_is_shared() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("the workspace has a lock file");
    let lock: toml::Table = lock.parse().expect("cargo writes TOML");
    let packages = lock["package"].as_array().expect("a lock file lists packages");
    for wanted in ONE_VERSION {
        let of_name = packages.iter().filter(|package| package["name"].as_str() == Some(wanted));
        let versions: Vec<&str> = of_name.filter_map(|package| package["version"].as_str()).collect();
        assert_eq!(versions.len(), 1, "{wanted}: {versions:?}");
    }
}

/// Our own packages as `cargo metadata` describes them.
fn packages() -> Vec<Value> {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    let mut metadata: Value = serde_json::from_str(&metadata).expect("cargo metadata prints JSON");
    match metadata["packages"].take() {
        Value::Array(packages) => packages,
        other => panic!("no packages in the metadata: {other}"),
    }
}

fn name(package: &Value) -> &str {
    package["name"].as_str().expect("a package has a name")
}

/// What a package names in its manifest, and whether normally, in tests or in its build script.
fn dependencies(package: &Value) -> impl Iterator<Item = (&str, &str)> {
    let dependencies = package["dependencies"].as_array().expect("a package has a list of dependencies");
    dependencies.iter().map(|dependency| {
        let name = dependency["name"].as_str().expect("a dependency has a name");
        (name, dependency["kind"].as_str().unwrap_or("normal"))
    })
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs this test, so there is one");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
