//! The reference of detectors, printed from their own declarations: `docs/detectors.md`.
//! `BLESS=1 cargo test -p detect reference` renews it.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fmt::Write;
use std::path::Path;

use detect::{DetectConfig, DetectorInfo, catalogue};
use serde_json::{Value, json};

const HEAD: &str = "\
# Detectors

What Watchfire looks for. Printed from where the detectors are declared, in
[`crates/detect/src`](../crates/detect/src); `BLESS=1 cargo test -p detect reference` prints it anew.
`GET /v1/detectors` answers the same of a running installation, with the parameters in force. What of it can
see anything of which partner, `GET /v1/coverage` tells.

Windows run on event time, and the same events give the same alerts in whatever order they come. An alert's
severity is the one it begins with; what makes it another is said with the class. High and critical alerts
wake somebody. Parameters are set under `[detect.detectors.NAME]`, or by file, for single partners too, and while
the server runs ([rules.md](rules.md)); milliseconds where they end in `_ms`.
ATT&CK techniques have their names of v18, and of v19 where that has another; OWASP's are those of the API
Security Top 10 of 2023, and of the logging vocabulary.
";

fn print(detectors: &[DetectorInfo]) -> String {
    let mut page = HEAD.to_owned();
    for detector in detectors {
        write!(page, "\n## {}\n\n{} Reads {}.\n\n", detector.name, detector.description, detector.reads)
            .unwrap();
        page.push_str("| class | severity | ATT&CK | OWASP | meaning |\n|---|---|---|---|---|\n");
        for class in &detector.classes {
            let class = serde_json::to_value(class).unwrap();
            let owasp: Vec<&str> =
                ["owasp_api", "owasp_event"].into_iter().filter_map(|name| class[name].as_str()).collect();
            writeln!(
                page,
                "| `{}` | {} | {} | {} | {} |",
                class["class"].as_str().unwrap(),
                class["severity"].as_str().unwrap(),
                techniques(&class["techniques"]),
                owasp.join(", "),
                class["description"].as_str().unwrap(),
            )
            .unwrap();
        }
        let of_numbers = detector.parameters.iter().filter(|(_, value)| !value.is_object());
        let parameters: Vec<String> = of_numbers.map(|(name, value)| format!("`{name} = {value}`")).collect();
        if !parameters.is_empty() {
            write!(page, "\nParameters: {}.\n", parameters.join(", ")).unwrap();
        }
    }
    page
}

fn techniques(of: &Value) -> String {
    let said = |technique: &Value| {
        let (v18, v19) = (technique["v18"].as_str().unwrap(), technique["v19"].as_str().unwrap());
        let id = if v18 == v19 { v18.to_owned() } else { format!("{v18} (v19: {v19})") };
        format!("{id} {}", technique["name"].as_str().unwrap())
    };
    of.as_array().unwrap().iter().map(said).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_printed_reference_is_what_the_detectors_declare() {
    let detectors = catalogue(&DetectConfig::default());
    assert_ne!(json!(detectors), json!([]));
    let printed = print(&detectors);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/detectors.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &printed).unwrap();
    }
    let stands = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(stands, printed, "BLESS=1 cargo test -p detect reference renews docs/detectors.md");
}
