use event::EventTime;
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::Engine;
use crate::testing::{Bench, MONDAY, batch, cuts, script};

fn file(detector: &str, text: &str) -> RuleFile {
    RuleFile { file: format!("rules/{detector}.toml"), detector: detector.into(), text: text.into() }
}

fn read(detector: &str, text: &str) -> Result<Rules, RuleError> {
    Rules::read(&DetectConfig::default(), &[file(detector, text)])
}

fn rules(detector: &str, text: &str) -> Rules {
    read(detector, text).unwrap()
}

#[track_caller]
fn refused(detector: &str, text: &str, expected: Expect) {
    expected.assert_eq(&read(detector, text).unwrap_err().to_string());
}

const PROBING: &str = "version = 7\npaths = 40\n\n[partners.prt_acme]\npaths = 90\n";

#[test]
fn a_partners_own_value_lies_on_the_files_and_the_files_on_the_configurations() {
    let mut config = DetectConfig::default();
    (config.probing.paths, config.probing.burst_paths) = (20, 15);
    let rules = Rules::read(&config, &[file("probing", PROBING)]).unwrap();
    let of = |tenant| (rules.probing.of(tenant).paths, rules.probing.of(tenant).burst_paths);
    assert_eq!((of("prt_acme"), of("prt_other")), ((90, 15), (40, 15)));
    assert_eq!(rules.probing.of("prt_acme").paths_window_ms, config.probing.paths_window_ms, "the default");
    assert_eq!((rules.partners("probing"), rules.partners("key_use")), (vec!["prt_acme"], vec![]));
}

#[test]
fn a_version_names_the_file_and_a_hash_of_the_resolved_parameters() {
    let rules = rules("probing", PROBING);
    let (everyone, acme) = (rules.probing.version(None), rules.probing.version(Some("prt_acme")));
    let hash = everyone.strip_prefix("1.0.0+7.").unwrap();
    assert!(hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    assert_ne!(everyone, acme);
    assert_eq!(rules.probing.version(Some("prt_other")), everyone);
}

#[test]
fn the_same_parameters_have_the_same_hash_whoever_says_them() {
    let mut config = DetectConfig::default();
    config.probing.paths = 40;
    let (configured, of_file) = (Rules::from(&config), rules("probing", "# told\npaths = 40"));
    assert_eq!(configured.version("probing"), of_file.version("probing"));
    assert_eq!(configured.hash(), of_file.hash());
    assert_ne!(of_file.hash(), Rules::from(&DetectConfig::default()).hash());
    assert_ne!(rules("probing", PROBING).hash(), rules("probing", "version = 7\npaths = 40").hash());
    let whole = |text: &str| rules("request_spike", text).version("request_spike").map(str::to_owned);
    assert_eq!(whole("ratio = 4"), whole("ratio = 4.0"));
}

#[test]
fn an_alert_says_which_rule_has_made_it_and_keeps_its_id() {
    let text = "09:00:00 probe src_ip=203.0.113.9 sought=/x{n} x95 every 1s\n\
                09:00:00 probe tenant=prt_other src_ip=203.0.113.9 sought=/x{n} x95 every 1s";
    let alerts = |rules: &Rules| {
        let mut engine = Engine::new(rules);
        let changes = engine.on_record(&batch(&script(text)), &[], MONDAY);
        changes
            .into_iter()
            .map(|change| (change.alert.tenant.to_string(), change.alert))
            .collect::<BTreeMap<_, _>>()
    };
    let (own, default) = (rules("probing", PROBING), Rules::from(&DetectConfig::default()));
    let (with, without) = (alerts(&own), alerts(&default));
    assert_eq!(with["prt_acme"].rule_version, own.probing.version(Some("prt_acme")));
    assert_eq!(with["prt_other"].rule_version, own.version("probing").unwrap());
    assert_ne!(with["prt_acme"].rule_version, with["prt_other"].rule_version);
    for tenant in ["prt_acme", "prt_other"] {
        assert_eq!(with[tenant].alert_id, without[tenant].alert_id);
    }
}

#[test]
fn a_wrong_file_names_the_line_and_the_cure() {
    refused(
        "proving",
        "",
        expect![
            "rules/proving.toml: file: no detector is named proving; did you mean probing? there are token_reuse, failed_authentication, request_spike, source_health, secret_exposure, key_use, object_access, threshold, probing, token_ledger, admin_change, impossible_travel, risk"
        ],
    );
    refused(
        "probing",
        "paths = 30\npaths =",
        expect![[r#"
        rules/probing.toml:2: file: string values must be quoted, expected literal string; write valid TOML: `name = number` lines"#]],
    );
    refused(
        "key_use",
        "\nhistory_mss = 1",
        expect![
            "rules/key_use.toml:2: history_mss: key_use has no parameter of this name; did you mean history_ms? there are browser_uses_min, history_ms, history_uses, memory_ms, revoked_grace_ms, revoked_uses_min, rotation_overlap_ms, uses_min"
        ],
    );
    refused(
        "key_use",
        "uses_min = \"3\"",
        expect![[
            r#"rules/key_use.toml:1: uses_min: invalid type: string "3", expected u64; write it like the default: uses_min = 3"#
        ]],
    );
    refused(
        "key_use",
        "uses_min = -3",
        expect![
            "rules/key_use.toml:1: uses_min: invalid value: integer `-3`, expected u64; write it like the default: uses_min = 3"
        ],
    );
    refused(
        "key_use",
        "version = 2\n[partners.prt_acme]\nuses_min = 0",
        expect![
            "rules/key_use.toml:3: partners.prt_acme.uses_min: 0 is out of range; must be between 1 and 100000"
        ],
    );
    refused(
        "key_use",
        "[partners.\"no tenant\"]",
        expect![
            "rules/key_use.toml:1: partners.no tenant: a partner name has 1 to 64 of a-z A-Z 0-9 _ - ; name a partner by its id"
        ],
    );
    refused(
        "key_use",
        "partners = 3",
        expect![
            "rules/key_use.toml:1: partners: is no section; write a section such as [partners.prt_acme] with parameters below it"
        ],
    );
    refused(
        "key_use",
        "version = -1",
        expect!["rules/key_use.toml:1: version: is no whole number from 0; write one such as version = 2"],
    );
    refused(
        "request_spike",
        "refusals_share = 7.5",
        expect![
            "rules/request_spike.toml:1: refusals_share: 7.5 is out of range; must be between 0.01 and 1"
        ],
    );
    refused(
        "object_access",
        "missing_min = 5",
        expect!["rules/object_access.toml:1: missing_min: 5 is out of range; must be between 10 and 1000"],
    );
    refused(
        "object_access",
        "\nforbidden_min = 50",
        expect![
            "rules/object_access.toml:2: forbidden_min: missing_min makes no sense with it; missing_min must be between 50 and 1000, is 30"
        ],
    );
    refused(
        "secret_exposure",
        "kinds = 1",
        expect![
            "rules/secret_exposure.toml:1: kinds: secret_exposure has no parameter of this name; there are none"
        ],
    );
}

#[test]
fn two_files_of_one_detector_are_one_too_many() {
    let files = [file("probing", ""), file("probing", "")];
    let error = Rules::read(&DetectConfig::default(), &files).unwrap_err();
    assert_eq!(error.problem, "another file tells of probing, too");
}

#[test]
fn no_parameter_has_a_name_that_means_something_else_in_a_file() {
    let rules = Rules::from(&DetectConfig::default());
    for detector in detectors::NAMES {
        let parameters = rules.parameters(detector);
        assert!(file::NO_PARAMETERS.iter().all(|name| !parameters.contains_key(*name)), "{detector}");
    }
}

#[test]
fn each_detector_is_named_once_and_in_the_same_order_everywhere() {
    let rules = Rules::from(&DetectConfig::default());
    assert_eq!(rules.each().map(AnyRules::detector), detectors::NAMES);
    let all: Vec<_> = detectors::all(&rules).iter().map(|detector| detector.name()).collect();
    assert_eq!(
        detectors::NAMES.split_last(),
        Some((&crate::risk::NAME, &all[..])),
        "and what reads their alerts"
    );
}

#[test]
fn what_is_learnt_holds_from_the_next_record_on_and_what_was_seen_stays() {
    let config = DetectConfig::default();
    let script = script("09:00:00 probe src_ip=203.0.113.9 sought=/x{n} x25 every 10s");
    let (before, after) = script.split_at(20);
    let mut bench = Bench::new(&config);
    bench.record(before);
    assert!(bench.changes.is_empty());
    bench.engine.learn(&rules("probing", "paths = 22"));
    assert!(bench.changes.is_empty(), "nothing is told before there is another record");
    bench.record(after);
    let told: Vec<_> = bench.changes.iter().map(|change| change.alert.threshold).collect();
    assert_eq!(told, [22.0], "with the twenty that were seen under the old rule");
}

proptest! {
    #[test]
    fn no_text_brings_a_reader_down(text in "\\PC{0,200}", detector in proptest::sample::select(&detectors::NAMES[..])) {
        let _any = read(detector, &text);
    }

    #[test]
    fn no_keys_and_values_bring_a_reader_down(
        text in "(\\[{0,2}(partners(\\.[a-z_]{1,4})?|version|paths|examples)\\]{0,2}( = (-?[0-9]{1,20}|[0-9]\\.[0-9]|nan|\"x\"|\\[1\\]|\\{ a = 1 \\}))?\n){0,5}"
    ) {
        let _any = read("probing", &text);
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever rules follow on each other while traffic goes on, every detector goes on.
    #[test]
    fn rules_may_change_at_any_time((seed, size, _) in cuts(), scale in 1..40_i64) {
        let mut facts = script(TRAFFIC);
        facts.sort_by_key(|fact| fact.time);
        let (low, high) = (scaled(-scale), scaled(scale));
        let mut bench = Bench::new(&DetectConfig::default());
        for (n, chunk) in facts.chunks(size).enumerate() {
            bench.engine.learn(if (seed >> (n % 64)) & 1 == 0 { &low } else { &high });
            bench.record(chunk);
        }
        bench.finish().final_alerts();
    }
}

const TRAFFIC: &str = "
    08:00:00 requests route=/v1/sessions count=20 x90 every 60s
    09:30:00 requests route=/v1/sessions count=900 x6 every 60s
    09:00:00 login_failed src_ip=203.0.113.9 user_ref=root x14 every 5s
    09:05:00 login_failed src_ip=203.0.113.8 user_ref=u{n} x30 every 2s
    09:00:00 probe src_ip=203.0.113.7 sought=/x{n} x60 every 3s
    09:00:00 signal reason=token_issued entity=u1 x40 every 9s
    09:00:00 called user_ref=u2 object=o{n} status=403 outcome=failure x20 every 11s
    09:00:00 used api_key=k1 src_ip=198.51.100.{n} x70 every 20s
    09:00:00 issued token=t1 src_ip=192.0.2.1
    09:00:05 redeemed token=t1 src_ip=192.0.2.1 ua=mac
    09:01:05 rejected token=t1 src_ip=203.0.113.90 ua=win reason=token_already_used
    08:00:00 lines x80 every 60s
";

/// Every threshold that can be so many percent lower or higher is.
fn scaled(percent: i64) -> Rules {
    let config = DetectConfig::default();
    let default = Rules::from(&config);
    let mut files: Vec<RuleFile> = Vec::new();
    for detector in detectors::NAMES {
        let mut text = String::new();
        for (name, value) in default.parameters(detector) {
            let line = match (value.as_i64(), value.as_f64()) {
                (Some(whole), _) => format!("{name} = {}\n", whole + whole * percent / 100),
                (None, Some(number)) => format!("{name} = {:?}\n", number * (100 + percent) as f64 / 100.0),
                (None, None) => continue,
            };
            if read(detector, &format!("{text}{line}")).is_ok() {
                text += &line;
            }
        }
        files.push(file(detector, &text));
    }
    Rules::read(&config, &files).unwrap()
}

#[test]
fn a_restart_goes_on_with_the_rules_that_are_in_force_then() {
    let observations = script("09:00:00 probe src_ip=203.0.113.9 sought=/x{n} x20 every 10s");
    let mut first = Engine::new(&DetectConfig::default());
    first.on_record(&batch(&observations), &[], MONDAY);
    let rules = rules("probing", "paths = 21");
    let mut second = Engine::new(&rules);
    second.restore(&first.snapshot()).unwrap();
    let one_more = script("09:03:30 probe src_ip=203.0.113.9 sought=/y id=more");
    let changes = second.on_record(&batch(&one_more), &[], EventTime(MONDAY.millis() + 1));
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].alert.rule_version, rules.version("probing").unwrap());
}
