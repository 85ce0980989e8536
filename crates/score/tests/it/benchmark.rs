//! The score on third-party data, which is not part of this repository: it runs where
//! `WATCHFIRE_TEST_DATA` names the folder that holds it, and says so when skipped.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use score::{THRESHOLD, score_csv};

#[test]
fn numenta_s_benchmark_is_scored_above_eighty_at_the_fixed_threshold() {
    check("nab", 80.0);
}

#[test]
fn request_rates_are_scored_above_thirty_five_at_the_fixed_threshold() {
    check("ms_cloud/nab_form", 35.0);
}

fn check(folder: &str, floor: f64) {
    let Some(data) = std::env::var_os("WATCHFIRE_TEST_DATA").map(PathBuf::from) else {
        eprintln!("skipped: WATCHFIRE_TEST_DATA is not set");
        return;
    };
    let results = tempfile::tempdir().unwrap();
    score_all(&data.join(folder).join("data"), results.path());
    let Some(score) = standard_score(&data, &data.join(folder), results.path()) else {
        eprintln!("skipped: python3 is not there");
        return;
    };
    assert!(score > floor, "{folder}: {score}");
}

fn score_all(series: &Path, results: &Path) {
    for category in fs::read_dir(series).unwrap() {
        let category = category.unwrap();
        let into = results.join(category.file_name());
        fs::create_dir(&into).unwrap();
        for file in fs::read_dir(category.path()).unwrap() {
            let file = file.unwrap();
            let scores = BufWriter::new(File::create(into.join(file.file_name())).unwrap());
            score_csv(File::open(file.path()).unwrap(), scores).unwrap();
        }
    }
}

/// The standard profile's score, or nothing where there is no Python to compute it.
fn standard_score(data: &Path, nab: &Path, results: &Path) -> Option<f64> {
    let threshold = THRESHOLD.to_string();
    let arguments: [OsString; 6] = [
        data.join("nab/score.py").into(),
        results.into(),
        "--nab".into(),
        nab.into(),
        "--threshold".into(),
        threshold.into(),
    ];
    let output = Command::new("python3").args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with("standard"));
    let line = line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    line.split_whitespace().nth(1)?.parse().ok()
}
