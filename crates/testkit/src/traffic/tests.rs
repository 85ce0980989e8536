//! What must hold of every traffic, whatever the seed.

use std::collections::{HashMap, HashSet};

use event::EventTime;
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Attacks, Label, Line, Traffic, TrafficConfig, file_line, parse_file_line};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn with_attacks(seed: u64, partners: usize, minutes: i64) -> TrafficConfig {
    TrafficConfig {
        seed,
        partners,
        events_per_second: 20.0,
        duration_ms: Some(minutes * MINUTE),
        attacks: Attacks::Some { every_ms: 90_000, warmup_ms: 30_000 },
        ..TrafficConfig::default()
    }
}

fn json(line: &Line) -> Value {
    serde_json::from_slice(&line.bytes).unwrap_or_else(|error| panic!("{error}: {}", text(line)))
}

fn text(line: &Line) -> &str {
    std::str::from_utf8(&line.bytes).expect("lines are UTF-8")
}

fn of_feed<'a>(lines: &'a [Line], feed: &str) -> impl Iterator<Item = &'a Line> {
    lines.iter().filter(move |line| &*line.topic.feed == feed)
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let hash = |seed| {
        let mut sha = Sha256::new();
        let config = TrafficConfig { seed, attacks: Attacks::default_some(), ..TrafficConfig::default() };
        for line in Traffic::new(config).take(50_000) {
            sha.update(&line.bytes);
            sha.update(b"\n");
        }
        hex::encode(sha.finalize())
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
    // Changes when the traffic does; figures measured on other traffic are then not comparable.
    assert_eq!(hash(1), "8e5e5cc566c8c85a2337ff167563bd8380a77bf87681c5631e20efdc434b2244");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn lines_are_whole_and_nearly_in_order(seed: u64, partners in 1_usize..12) {
        let mut newest = EventTime::MIN;
        let mut seqs: HashMap<String, Vec<u64>> = HashMap::new();
        for line in Traffic::new(with_attacks(seed, partners, 12)) {
            newest = newest.max(line.time);
            prop_assert!(newest - line.time <= 5_000);
            prop_assert!(!line.bytes.contains(&b'\n'));
            prop_assert_eq!(&parse_file_line(&file_line(&line)).unwrap(), &line);
            if &*line.topic.feed == "handshake" {
                let said = json(&line);
                for field in ["v", "ts", "seq", "event", "env", "partner_id", "shipper_id", "boot_id"] {
                    prop_assert!(!said[field].is_null(), "{field} is missing: {said}");
                }
                prop_assert_eq!(said["partner_id"].as_str(), Some(line.topic.tenant.as_str()));
                prop_assert_eq!(said["ts"].as_str().unwrap(), line.time.to_rfc3339());
                seqs.entry(line.topic.tenant.to_string()).or_default().push(said["seq"].as_u64().unwrap());
            }
        }
        for (tenant, mut seqs) in seqs {
            seqs.sort_unstable();
            prop_assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{tenant} skips a seq");
        }
    }

    #[test]
    fn a_token_is_accepted_once_and_in_time_unless_a_label_says_otherwise(seed: u64) {
        let mut traffic = Traffic::new(with_attacks(seed, 5, 30));
        let lines: Vec<Line> = traffic.by_ref().collect();
        let abused: HashSet<String> = traffic
            .labels()
            .iter()
            .filter(|label| label.attack != "token_reuse_other_origin")
            .filter_map(|label| Some(format!("{} {}", label.tenant, label.user_ref.clone()?)))
            .collect();
        // An attack that the end cut off has no label.
        let cut = EventTime(lines.iter().map(|line| line.time.millis()).max().unwrap_or(0) - 15 * MINUTE);
        let mut issued = HashMap::new();
        let mut accepted = HashSet::new();
        for line in of_feed(&lines, "handshake").filter(|line| line.time < cut) {
            let said = json(line);
            let token = said["token_fp"].as_str().or(said["token"].as_str()).map(str::to_owned);
            let Some(token) = token else { continue };
            let whose = format!("{} {}", line.topic.tenant, said["user_ref"].as_str().unwrap());
            match said["event"].as_str().unwrap() {
                "session_token.issued" => drop(issued.insert(token, line.time)),
                "session_token.redeemed" if !abused.contains(&whose) => {
                    let age = issued.get(&token).map_or(0, |at| line.time - *at);
                    prop_assert!(age <= 300_000, "accepted after its end: {said}");
                    prop_assert!(accepted.insert(token), "accepted twice: {said}");
                }
                _ => {}
            }
        }
        prop_assert!(accepted.len() > 100);
    }

    #[test]
    fn a_label_tells_what_is_there(seed: u64, partners in 1_usize..9) {
        let mut traffic = Traffic::new(with_attacks(seed, partners, 45));
        let lines: Vec<Line> = traffic.by_ref().collect();
        prop_assert!(traffic.labels().len() >= 10, "{} labels", traffic.labels().len());
        for label in traffic.labels() {
            prop_assert!(label.lines > 0 && !label.source_ips.is_empty() && label.start <= label.end);
            let found = lines_of(label, &lines);
            prop_assert!(found >= label.lines, "{found} lines of {label:?}");
        }
    }
}

fn lines_of(label: &Label, lines: &[Line]) -> u64 {
    let mine = lines.iter().filter(|line| line.topic.tenant.as_str() == label.tenant);
    let in_time = mine.filter(|line| label.start <= line.time && line.time <= label.end);
    // Each attacker has a /24 to itself.
    let source = match label.source_ips.as_slice() {
        [one] => one.as_str(),
        many => many[0].trim_end_matches(|c: char| c.is_ascii_digit()),
    };
    in_time.filter(|line| text(line).contains(source)).count() as u64
}

#[test]
fn every_kind_of_attack_comes_up_in_an_hour() {
    let config = TrafficConfig {
        duration_ms: Some(HOUR),
        attacks: Attacks::default_some(),
        ..TrafficConfig::default()
    };
    let mut traffic = Traffic::new(config);
    let lines = traffic.by_ref().count();
    let mut kinds: Vec<&str> = traffic.labels().iter().map(|label| label.attack.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 9, "{kinds:?} in {lines} lines");
}

#[test]
fn bursts_cross_the_thresholds_of_the_first_day() {
    let mut traffic = Traffic::new(with_attacks(5, 8, 75));
    let lines: Vec<Line> = traffic.by_ref().collect();
    let contracts: HashMap<String, f64> = traffic.contracts().into_iter().collect();
    let bursts: Vec<&Label> =
        traffic.labels().iter().filter(|label| label.detector == "request_spike").collect();
    assert!(
        bursts.iter().any(|l| l.attack == "request_spike")
            && bursts.iter().any(|l| l.attack == "request_flood")
    );
    for label in bursts {
        // Whole minutes between start and end.
        let (from, to) = ((label.start + MINUTE).floor(MINUTE), label.end.floor(MINUTE));
        let (before, after) = label.entity.split_once("{id}").unwrap_or((&label.entity, ""));
        let (times, at_least) = if label.attack == "request_flood" { (10.0, 1) } else { (3.0, 5) };
        let minutes = (to - from) / MINUTE;
        assert!(minutes >= at_least, "{label:?}");
        for minute in 0..minutes {
            let begin = from + minute * MINUTE;
            let rate = lines
                .iter()
                .filter(|line| line.topic.tenant.as_str() == label.tenant && line.time.floor(MINUTE) == begin)
                .filter(|line| is_call(text(line), before, after))
                .count() as f64;
            assert!(rate >= (times * contracts[&label.tenant]).max(60.0 * times), "{rate}/min in {label:?}");
        }
    }
}

/// Whether a line of either access log is a call of this endpoint.
fn is_call(line: &str, before: &str, after: &str) -> bool {
    let path = before.split(' ').nth(1).unwrap();
    line.find(path).is_some_and(|at| line[at + path.len()..].contains(after))
}

#[test]
fn traffic_is_as_dense_as_asked_for_and_follows_the_day() {
    let config = TrafficConfig {
        events_per_second: 2.0,
        duration_ms: Some(7 * 24 * HOUR),
        ..TrafficConfig::default()
    };
    let start = config.start;
    let mut by_hour = [0_u32; 24];
    let (mut lines, mut bytes) = (0_u64, 0);
    for line in Traffic::new(config) {
        lines += 1;
        bytes += line.bytes.len();
        if line.topic.tenant.as_str() == "prt_acme" {
            by_hour[((line.time - start) / HOUR % 24) as usize] += 1;
        }
    }
    let per_second = lines as f64 / (7.0 * 24.0 * 3600.0);
    assert!((per_second - 2.0).abs() < 0.06, "{per_second} lines a second");
    let mean = bytes as f64 / lines as f64;
    assert!((300.0..420.0).contains(&mean), "{mean} bytes a line");
    // Acme's clocks are an hour ahead: its two in the afternoon is 13:00 UTC.
    assert!(by_hour[13] > 4 * by_hour[1], "{by_hour:?}");
}

#[test]
fn only_partners_that_log_raw_tokens_show_any() {
    let is_token = |word: &str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let mut raw = HashSet::new();
    for line in Traffic::new(with_attacks(3, 6, 10)) {
        if text(&line).split(|c: char| !c.is_ascii_alphanumeric()).any(is_token) {
            raw.insert(line.topic.name());
        }
    }
    let mut raw: Vec<String> = raw.into_iter().collect();
    raw.sort_unstable();
    assert_eq!(raw, ["logs.prt_initech.access", "logs.prt_initech.handshake"]);
}

#[test]
fn a_line_of_each_log_looks_like_the_real_thing() {
    let lines: Vec<Line> = Traffic::new(with_attacks(1, 8, 30)).collect();
    let first = |feed: &str, tenant: &str| {
        let mut lines = of_feed(&lines, feed).filter(|line| line.topic.tenant.as_str() == tenant);
        text(lines.next().expect("every partner has these logs")).to_owned()
    };
    let nginx_json: Value = serde_json::from_str(&first("access", "prt_globex")).unwrap();
    assert_eq!(nginx_json["scheme"], "https");
    let combined = first("access", "prt_acme");
    assert!(combined.contains("+0100] \"") && combined.ends_with('"'), "{combined}");
    let auth = first("auth", "prt_globex");
    assert!(auth.starts_with("<38>Mar  2 00:") && auth.contains(" sshd["), "{auth}");
}
