use super::*;
use crate::{DetectConfig, Rules, detectors};

const CONFIGURATION: &str = include_str!("../../../../../watchfire.example.toml");

/// What a configuration says under `[detect.detectors.DETECTOR]`, to the last comment.
fn section(detector: &str) -> Option<&'static str> {
    let (_, behind) = CONFIGURATION.split_once(&format!("[detect.detectors.{detector}]\n"))?;
    Some(behind.split_once("\n\n").map_or(behind, |(section, _)| section))
}

#[test]
fn each_detector_has_a_file_that_can_be_read() {
    assert_eq!(FILES.iter().map(|(detector, _)| *detector).collect::<Vec<_>>(), detectors::NAMES);
    assert!(examples().count() >= 2 * FILES.len());
}

#[test]
fn a_file_holds_every_parameter_with_its_default_and_says_what_the_configuration_says_of_it() {
    let default = Rules::from(&DetectConfig::default());
    assert_eq!(Rules::read(&DetectConfig::default(), &built_in()).unwrap().hash(), default.hash());
    for file in built_in() {
        let said: toml::Table = toml::from_str(&file.text).unwrap();
        for (name, value) in default.parameters(&file.detector) {
            let said = said.get(&name).map(|said| serde_json::to_value(said).unwrap());
            assert_eq!(said, Some(value), "{}: {name}", file.file);
        }
        match section(&file.detector) {
            Some(section) => assert!(file.text.contains(section), "{}: not {section}", file.file),
            None => assert_eq!(default.parameters(&file.detector).len(), 0, "{}", file.file),
        }
    }
}

#[test]
fn every_parameter_stands_below_a_comment() {
    for file in built_in() {
        let parameters = file.text.split("\n[[examples]]").next().unwrap_or_default();
        for block in parameters.split("\n\n") {
            assert!(block.starts_with("# "), "{}: say what this is: {block}", file.file);
        }
    }
}
