use super::*;
use crate::stamp::StampFormat;

const MINIMAL: &str = "
about: For the tests.
format: json
recognise: {keys: [a]}
time: {from: ts, formats: [rfc3339]}
columns: {action: a}
";

#[track_caller]
fn complaint(yaml: &str, expected: [&str; 3]) {
    let error = Source::read("mine", "mine/schema.yaml", yaml).expect_err("wrong");
    assert_eq!(error.file, "mine/schema.yaml");
    let found = [&error.key, &error.problem, &error.cure];
    for (found, expected) in found.into_iter().zip(expected) {
        assert!(found.contains(expected), "{error}");
    }
}

#[test]
fn the_built_in_sources_are_fit_to_use() {
    assert_eq!(Schemas::built_in().names().len(), BUILT_IN.len());
    assert!(Source::read("mine", "mine/schema.yaml", MINIMAL).is_ok());
}

#[test]
fn what_asks_for_more_is_tried_first() {
    let schemas = Schemas::built_in();
    let order: Vec<&str> = schemas.in_order().map(|source| source.name.as_str()).collect();
    let place = |name| order.iter().position(|known| *known == name).expect("built in");
    assert!(place("okta") < place("partner"), "four keys and three");
    assert!(place("nginx_combined") < place("apache_common"), "the same fields and more");
}

#[test]
fn a_complaint_names_file_key_and_cure() {
    complaint("a: [", ["file", "", "valid YAML"]);
    complaint("- x", ["file", "not a mapping", "key: value"]);
    complaint(&format!("{MINIMAL}\ncolour: red"), ["colour", "unknown key", "columns"]);
    complaint("about: x", ["format", "missing key", "json"]);
    complaint("about: x\nformat: xml", ["format", "no format is named `xml`", "json, template"]);
    complaint(&MINIMAL.replace("action: a", "acton: a"), ["columns.acton", "no such column", "action"]);
    complaint(
        &MINIMAL.replace("action: a", "action: {from: a, as: up}"),
        ["columns.action.as", "`up`", "ip"],
    );
    complaint(
        &MINIMAL.replace("action: a", "status: {from: a, as: ip}"),
        ["columns.status.as", "status", "text"],
    );
    complaint(
        &MINIMAL.replace("action: a", "action: {form: a}"),
        ["columns.action.from", "missing", "name the field"],
    );
    complaint(&MINIMAL.replace("rfc3339", "iso"), ["time.formats[0]", "`iso`", "rfc3339"]);
    complaint(&format!("{MINIMAL}\nset: {{status: many}}"), ["set.status", "whole number", "without quotes"]);
    complaint(&format!("{MINIMAL}\nset: {{observe: [tokens]}}"), ["set.observe[0]", "`tokens`", "token"]);
    complaint(
        &format!("{MINIMAL}\nby: [{{on: action, cases: {{x: {{sev: 1}}}}}}]"),
        ["by[0].cases.x.sev", "no such column", "flags, observe"],
    );
    complaint(&MINIMAL.replace("columns: {action: a}", ""), ["columns", "missing key", "fill a column"]);
    complaint(
        &format!("{MINIMAL}\npersonal: {{forget: [a]}}"),
        ["personal.forget", "unknown key", "drop, fingerprint"],
    );
    complaint(
        &MINIMAL.replace("action: a", "action: a, reason: a.b"),
        ["a.b", "inside another", "whole object"],
    );
}

#[test]
fn a_complaint_names_the_line() {
    let read = |yaml: &str| Source::read("mine", "mine/schema.yaml", yaml).expect_err("wrong").to_string();
    let wrong = read(&MINIMAL.replace("action: a", "acton: a"));
    assert!(wrong.starts_with("mine/schema.yaml:6: columns.acton: no such column"), "{wrong}");
    let wrong = read(&MINIMAL.replace("recognise: {", "recognise: [{"));
    assert!(wrong.starts_with("mine/schema.yaml:5: file: "), "{wrong}");
}

#[test]
fn a_text_source_complains_of_fields_that_it_does_not_have() {
    let yaml = "
about: For the tests.
format: template
template: '$time $message'
time: {from: time, formats: [rfc3339]}
columns: {message: mesage}
";
    complaint(yaml, ["template", "`mesage`", "time, message"]);
    complaint(
        &yaml.replace("mesage", "message").replace("$time $", "$time$"),
        ["template", "between", "nginx"],
    );
    let regex = yaml.replace("template: '$time $message'", "patterns: [{match: '^(?<time>'}]");
    complaint(&regex.replace("format: template", "format: regex"), ["patterns[0].match", "", "regex crate"]);
}

#[test]
fn pairs_and_delimited_values_are_described_or_complained_of() {
    let pairs = MINIMAL.replace("format: json", "format: key_value");
    assert!(Source::read("mine", "mine/schema.yaml", &pairs).is_ok());
    complaint(&pairs.replace("{keys: [a]}", "by_format"), ["recognise", "nearly any line", "keys: [key"]);
    complaint(&format!("{pairs}\npairs: {{between: \"=\"}}"), ["pairs", "the same sign", "two signs"]);
    complaint(&format!("{pairs}\npairs: {{between: \", \"}}"), ["pairs.between", "not one sign", "\",\""]);
    let csv = MINIMAL
        .replace("format: json", "format: delimited\nfields: [ts, a]")
        .replace("{keys: [a]}", "by_format");
    assert!(Source::read("mine", "mine/schema.yaml", &csv).is_ok());
    complaint(&csv.replace("fields: [ts, a]", ""), ["fields", "missing key", "in their order"]);
    complaint(&csv.replace("fields: [ts, a]", "fields: [ts, b]"), ["fields", "`a`", "ts, b"]);
    complaint(&csv.replace("by_format", "{keys: [a]}"), ["recognise", "only JSON and pairs", "by_format"]);
}

#[test]
fn a_table_asks_a_field_that_no_column_takes() {
    let asks =
        |field| format!("{MINIMAL}\nby: [{{on: {{field: {field}}}, cases: {{x: {{outcome: failure}}}}}}]");
    assert!(Source::read("mine", "mine/schema.yaml", &asks("kind")).is_ok());
    complaint(&asks("a"), ["by[0].on", "a column takes its value", "name the column"]);
    complaint(&format!("{MINIMAL}\nparts: [http]"), ["parts[0]", "no part is named `http`", "http_status"]);
}

#[test]
fn a_part_of_a_value_is_what_one_group_finds() {
    let matching = |text| MINIMAL.replace("action: a", &format!("action: {{from: a, match: '{text}'}}"));
    assert!(Source::read("mine", "mine/schema.yaml", &matching("^([a-z]+):")).is_ok());
    complaint(&matching("^[a-z]+:"), ["columns.action.match", "it has 0 groups", "one group"]);
    complaint(&matching("("), ["columns.action.match", "", "regex crate"]);
}

#[test]
fn a_folder_adds_to_the_built_in_sources_and_overrides_them() {
    let dir = tempfile::tempdir().expect("a folder");
    for name in ["mine", "partner"] {
        std::fs::create_dir(dir.path().join(name)).expect("a folder");
        std::fs::write(dir.path().join(name).join("schema.yaml"), MINIMAL).expect("a file");
    }
    let schemas = Schemas::load(dir.path()).expect("well-formed");
    assert_eq!(schemas.names().len(), BUILT_IN.len() + 1);
    assert!(schemas.names().contains(&"mine"));
    assert!(schemas.get("partner").expect("there").required.is_empty());
    std::fs::write(dir.path().join("mine/schema.yaml"), "about: x").expect("a file");
    let error = Schemas::load(dir.path()).expect_err("incomplete");
    assert!(error.to_string().contains("mine/schema.yaml: format: missing key; say json"), "{error}");
    assert!(Schemas::load(&dir.path().join("nowhere")).is_err());
}

#[test]
fn every_key_and_conversion_is_in_the_documentation() {
    let text = include_str!("../../../../docs/sources.md");
    let stamps = StampFormat::NAMES.map(|(name, _)| name);
    let conversions = crate::mapping::Convert::NAMES.map(|(name, _)| name);
    for name in source::TOP.into_iter().chain(conversions).chain(stamps) {
        assert!(text.contains(&format!("`{name}`")), "docs/sources.md does not mention `{name}`");
    }
}

#[test]
fn what_is_looked_for_anywhere_is_described_or_complained_of() {
    const WORDS: &str = "
about: Words.
format: regex
recognise: as_last
time: {from: at, formats: [rfc3339]}
columns: {src_ip: ip}
find: ['(?<at>[0-9-]+)']
patterns:
  - {match: 'failed', find: ['(?<ip>[0-9.]+)'], needs: [ip]}
  - {match: '', telling: false}
";
    let source = Source::read("mine", "mine/schema.yaml", WORDS).expect("well-formed");
    assert!(source.is_last() && source.particular() == 0);
    let Format::Regex(patterns) = &source.format else { panic!("it was described as one") };
    let told = |line: &str| patterns.iter().any(|pattern| pattern.fits(line));
    assert!(told("2026-03-14 failed 192.0.2.1") && told("192.0.2.1 failed"));
    assert!(!told("failed") && !told("2026 192.0.2.1"));
    complaint(
        &WORDS.replace("needs: [ip]", "needs: [who]"),
        ["patterns[0].needs", "nothing finds `who`", "`find`"],
    );
    complaint(&WORDS.replace("(?<ip>[0-9.]+)", "("), ["patterns[0].find[0]", "", "regex crate"]);
    complaint(
        &WORDS.replace("{match: '', telling: false}", "{part: words}"),
        ["patterns[1].part", "`words`", "logins"],
    );
    complaint(&MINIMAL.replace("{keys: [a]}", "as_last"), ["recognise", "only expressions", "by_format"]);
}
