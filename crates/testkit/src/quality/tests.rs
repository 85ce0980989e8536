use std::sync::LazyLock;

use event::Tenant;

use super::*;
use crate::trials::{Trials, TrialsConfig};

static PLAYED: LazyLock<Trials> = LazyLock::new(|| {
    let tenants = vec!["prt_acme".to_owned()];
    Trials::new(&TrialsConfig { seed: 1, rounds: 1, day: EventTime(1_773_014_400_000), tenants })
});

fn trial(name: &str) -> Trial {
    PLAYED.trials.iter().find(|trial| trial.name == name).unwrap().clone()
}

/// An alert about what a trial's user did, a minute after it began.
fn told(trial: &Trial, class: &str, severity: Severity) -> Told {
    let user = PLAYED.lines.iter().find_map(|line| {
        let text = String::from_utf8_lossy(&line.bytes).into_owned();
        let said: serde_json::Value = serde_json::from_str(&text).ok()?;
        let user = said["user_ref"].as_str()?.to_owned();
        (line.time == trial.start && line.topic.tenant.as_str() == trial.tenant).then_some(user)
    });
    let text = serde_json::json!({
        "alert_id": "alr_1", "dedup_key": "", "detector": "", "class": class, "rule_version": "", "title": "",
        "description": "", "tenant": Tenant::parse(&trial.tenant).unwrap(), "entity_type": "user",
        "entity": user.unwrap(), "severity": severity, "page": false, "confidence": 0,
        "triggered_at": trial.start, "ingested_at": trial.start, "first_seen": trial.start,
        "last_seen": trial.start, "count": 1, "observed": 1.0, "threshold": 1.0, "parameters": {},
        "techniques": [], "evidence": [], "query_sql": "", "episode_open": false,
    });
    Told { alert: serde_json::from_value(text).unwrap(), told_at: trial.start + 60_000 }
}

fn judged(trial: &Trial, told: &[Told]) -> Quality {
    judge(std::slice::from_ref(trial), told, trial.end + 3_600_000)
}

#[test]
fn an_attack_that_is_told_is_found_after_a_delay() {
    let trial = trial("token_stolen");
    let class = "token.reuse.other_origin";
    let quality = judged(&trial, &[told(&trial, class, Severity::High)]);
    assert!(quality.is_flawless(), "{quality}");
    assert_eq!(quality.classes[class].delays_ms, [60_000]);
}

#[test]
fn an_attack_that_is_told_by_another_class_is_missed_and_a_false_alarm() {
    let trial = trial("token_stolen");
    let quality = judged(&trial, &[told(&trial, "token.double_redeem", Severity::Critical)]);
    assert_eq!((quality.missed.len(), quality.false_alarms.len()), (1, 1), "{quality}");
}

#[test]
fn what_is_told_of_a_near_miss_is_a_false_alarm_unless_it_is_for_the_record() {
    let trial = trial("token_clicked_twice");
    let class = "token.reuse.benign_double";
    assert!(judged(&trial, &[told(&trial, class, Severity::Info)]).is_flawless());
    let quality = judged(&trial, &[told(&trial, class, Severity::Low)]);
    assert_eq!(quality.near_misses["token_clicked_twice"], (1, 1));
    assert!(quality.to_string().contains("token_clicked_twice: token.reuse.benign_double low"), "{quality}");
}

#[test]
fn what_is_told_of_nobody_that_played_is_a_false_alarm_of_ordinary_traffic() {
    let (trial, other) = (trial("token_stolen"), trial("token_clicked_twice"));
    let told = [told(&other, "token.reuse.same_origin", Severity::Low)];
    // Played at the same partner, and not known to the judge.
    let quality = judge(std::slice::from_ref(&trial), &told, other.end);
    assert!(quality.false_alarms[0].starts_with("ordinary traffic: "), "{quality}");
}

#[test]
fn that_alerts_add_up_is_right_where_one_of_them_is() {
    let trial = trial("token_stolen");
    let stolen = told(&trial, "token.reuse.other_origin", Severity::High);
    let mut risk = told(&trial, "risk.entity", Severity::High);
    risk.alert.alert_id = "alr_2".to_owned();
    let led_by = |id: &str| serde_json::json!([{"alert_id": id}]);
    risk.alert.details.insert("alerts".to_owned(), led_by("alr_1"));
    assert!(judged(&trial, &[stolen.clone(), risk.clone()]).is_flawless());
    risk.alert.details.insert("alerts".to_owned(), led_by("alr_9"));
    assert_eq!(judged(&trial, &[stolen, risk]).false_alarms.len(), 1);
}
