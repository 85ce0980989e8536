//! The examples of the detectors' rules hold, and files of one's own are held against theirs.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use detect::{DetectConfig, RuleFile, Rules, catalogue};
use normalize::Schemas;
use stages::examples::{check, run};

static SCHEMAS: LazyLock<Arc<Schemas>> = LazyLock::new(|| Arc::new(Schemas::built_in()));

fn rules(detector: &str, text: &str) -> Rules {
    let file = format!("rules/{detector}.toml");
    let file = RuleFile { file, detector: detector.to_owned(), text: text.to_owned() };
    Rules::read(&DetectConfig::default(), &[file]).unwrap()
}

#[test]
fn every_example_that_the_binary_brings_holds_by_default() {
    let shown = run(&Rules::from(&DetectConfig::default()), &SCHEMAS);
    let failed: Vec<_> = shown.iter().filter(|shown| !shown.holds()).map(ToString::to_string).collect();
    assert_eq!(failed, Vec::<String>::new());
}

#[test]
fn every_detector_has_an_example_that_raises_something_and_one_that_raises_nothing() {
    let rules = Rules::from(&DetectConfig::default());
    let of = |raises: bool| -> BTreeSet<&str> {
        let examples = rules.examples().into_iter().filter(|example| example.raises.is_empty() != raises);
        examples.map(|example| example.detector).collect()
    };
    let all: BTreeSet<&str> = catalogue(&rules).iter().map(|detector| detector.name).collect();
    assert_eq!((of(true), of(false)), (all.clone(), all));
}

#[test]
fn an_example_that_no_longer_holds_says_where_it_stands_and_what_came() {
    let shown = run(&rules("threshold", "webhook_signature_count = 6"), &SCHEMAS);
    let failed: Vec<_> = shown.iter().filter(|shown| !shown.holds()).collect();
    assert_eq!(failed.len(), 1);
    let said = failed[0].to_string();
    assert!(said.starts_with("detectors/threshold.toml:"), "{said}");
    assert!(said.ends_with("must raise webhook.signature_failed, raised nothing"), "{said}");
}

const OWN: &str = r#"
[partners.prt_acme]
webhook_signature_count = 3

[[examples]]
name = "three are enough for Acme"
source = "partner"
partner = "prt_acme"
lines = [{ times = 3, every = "1m", line = '{"ts":"{+0s}","event":"webhook.signature_failed","partner_id":"prt_acme"}' }]
raises = ["webhook.signature_failed"]

[[examples]]
name = "for others they are not"
source = "partner"
lines = [{ times = 3, every = "1m", line = '{"ts":"{+0s}","event":"webhook.signature_failed","partner_id":"prt_example"}' }]
raises = []
"#;

#[test]
fn a_files_own_examples_run_under_the_parameters_of_their_partner() {
    let rules = rules("threshold", OWN);
    let own = run(&rules, &SCHEMAS).into_iter().filter(|shown| rules.has(&shown.example));
    assert_eq!(
        own.map(|shown| (shown.example.name.clone(), shown.holds())).collect::<Vec<_>>(),
        [("three are enough for Acme".to_owned(), true), ("for others they are not".to_owned(), true),]
    );
    assert_eq!(check(&rules, &SCHEMAS), Ok(()));
}

#[test]
fn a_file_whose_own_example_does_not_hold_is_refused() {
    let text = OWN.replace("webhook_signature_count = 3", "webhook_signature_count = 4");
    let error = check(&rules("threshold", &text), &SCHEMAS).unwrap_err();
    assert!(error.starts_with("rules/threshold.toml:5: example \"three are enough for Acme\""), "{error}");
    assert!(error.contains("must raise webhook.signature_failed, raised nothing"), "{error}");
}

#[test]
fn an_example_of_no_source_or_of_lines_that_cannot_be_read_does_not_hold() {
    let error =
        check(&rules("threshold", &OWN.replace("\"partner\"", "\"partners\"")), &SCHEMAS).unwrap_err();
    assert!(error.contains("there is no source partners; there are "), "{error}");
    let error = check(&rules("threshold", &OWN.replace("\"ts\"", "\"tz\"")), &SCHEMAS).unwrap_err();
    assert!(error.contains("3 of its lines cannot be read as partner"), "{error}");
}
