//! Reading alerts: filters, pages, walls.

use event::Severity;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use reqwest::Url;
use serde_json::{Value, json};

use crate::harness::{Server, alert, problem};

async fn server() -> Server {
    let server = Server::start().await;
    let mut alerts = Vec::new();
    for n in 0..7 {
        alerts.push(alert(&format!("alr_acme_{n}"), "acme", Severity::Low, n));
    }
    alerts.push(alert("alr_acme_bad", "acme", Severity::Critical, 100));
    alerts.push(alert("alr_globex", "globex", Severity::High, 200));
    server.raise(&alerts).await;
    server
}

fn ids(page: &Value) -> Vec<&str> {
    page["alerts"].as_array().unwrap().iter().map(|alert| alert["alert_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_hold_every_alert_once() {
    let server = server().await;
    let mut seen = Vec::new();
    let mut path = "/v1/alerts?limit=2".to_owned();
    loop {
        let page = server.json(&path, &server.tokens.analyst).await;
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/alerts?limit=2&cursor={cursor}");
    }
    assert_eq!(seen.len(), 9);
    assert_eq!(seen[0], "alr_globex", "the last opened comes first");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 9);
}

#[tokio::test]
async fn filters_narrow() {
    let server = server().await;
    for (filter, count) in [
        ("partner=globex", 1),
        ("partner=nobody", 0),
        ("severity=high", 2),
        ("severity=critical", 1),
        ("detector=token_reuse", 9),
        ("detector=other", 0),
        ("state=open", 9),
        ("state=closed", 0),
        ("since=1970-01-01T00:01:40Z", 2),
        ("until=1970-01-01T00:01:40Z", 7),
        ("partner=acme&severity=critical&since=1970-01-01T00:00:00%2B01:00", 1),
    ] {
        let page = server.json(&format!("/v1/alerts?{filter}"), &server.tokens.analyst).await;
        assert_eq!(ids(&page).len(), count, "{filter}");
    }
}

#[tokio::test]
async fn a_filter_that_means_nothing_is_refused() {
    let server = server().await;
    for filter in [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=many",
        "cursor=nonsense",
        "cursor=",
        "severity=awful",
        "state=gone",
        "since=yesterday",
        "partner=a/b",
        "partner=",
        "sevrity=high",
        "limit=1&limit=2",
    ] {
        let response =
            server.get(&format!("/v1/alerts?{filter}"), &server.tokens.analyst).send().await.unwrap();
        assert_eq!(problem(response, 400).await, "bad-request", "{filter}");
    }
}

#[tokio::test]
async fn times_are_rfc_3339_and_state_is_told() {
    let server = server().await;
    let alert = server.json("/v1/alerts/alr_acme_bad", &server.tokens.acme).await;
    assert_eq!(alert["last_seen"], "1970-01-01T00:01:40Z");
    assert_eq!((&alert["tenant"], &alert["severity"]), (&"acme".into(), &"critical".into()));
    assert_eq!((&alert["state"], &alert["closed_at"]), (&"open".into(), &Value::Null));
}

#[tokio::test]
async fn a_partner_sees_its_own_alerts_only() {
    let server = server().await;
    let page = server.json("/v1/alerts", &server.tokens.globex).await;
    assert_eq!(ids(&page), ["alr_globex"]);
    let page = server.json("/v1/alerts?partner=acme", &server.tokens.globex).await;
    assert!(ids(&page).is_empty());
    let partners = server.json("/v1/partners", &server.tokens.globex).await;
    assert_eq!(partners["partners"].as_array().unwrap().len(), 1, "{partners}");
    assert_eq!(partners["partners"][0]["alerts"]["open"], 1);
}

#[tokio::test]
async fn anothers_alert_is_answered_like_none() {
    let server = server().await;
    let mut answers = Vec::new();
    for id in ["alr_acme_bad", "alr_nonexistent"] {
        let response = server.get(&format!("/v1/alerts/{id}"), &server.tokens.globex).send().await.unwrap();
        assert_eq!(response.status(), 404);
        let mut headers: Vec<_> = response.headers().keys().map(ToString::to_string).collect();
        headers.sort();
        let mut body: Value = response.json().await.unwrap();
        body["instance"] = Value::Null;
        answers.push((headers, body));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn partners_are_counted() {
    let server = server().await;
    let partners = server.json("/v1/partners", &server.tokens.analyst).await;
    let acme = &partners["partners"][0];
    assert_eq!((&acme["tenant"], &acme["alerts"]["open"]), (&"acme".into(), &8.into()));
    assert_eq!(acme["severity_max"], "critical");
    assert_eq!((&acme["events"], &acme["last_event_at"]), (&7.into(), &"1970-01-01T00:00:00Z".into()));
}

#[tokio::test]
async fn a_calm_partner_is_listed_and_one_that_has_not_sent_yet() {
    let server = server().await;
    let partners = server.json("/v1/partners", &server.tokens.analyst).await;
    let partners = partners["partners"].as_array().unwrap();
    let names: Vec<_> = partners.iter().map(|partner| partner["tenant"].as_str().unwrap()).collect();
    assert_eq!(names, ["acme", "calm", "globex", "quiet"]);
    let calm = json!({
        "tenant": "calm", "contract": false, "contacts": [], "events": 9, "last_event_at": "1970-01-01T00:00:00Z",
        "alerts": {"open": 0, "acknowledged": 0, "closed": 0}, "severity_max": null, "last_seen": null,
    });
    assert_eq!(partners[1], calm);
    assert_eq!(partners[3]["contacts"], json!(["security@quiet.example"]));
    assert_eq!((&partners[3]["contract"], &partners[3]["last_event_at"]), (&true.into(), &Value::Null));
}

#[tokio::test]
async fn detectors_are_listed() {
    let server = Server::start().await;
    let detectors = server.json("/v1/detectors", &server.tokens.acme).await;
    assert_eq!(detectors[0]["name"], "token_reuse");
}

#[tokio::test]
async fn people_work_on_alerts_and_leave_a_trail() {
    let server = server().await;
    let actions = "/v1/alerts/alr_acme_bad/actions";
    let act = |deed: Value| server.post(actions, &server.tokens.analyst).json(&deed).send();
    let acknowledged: Value = act(json!({"action": "acknowledge"})).await.unwrap().json().await.unwrap();
    assert_eq!(acknowledged["state"], "acknowledged");
    let deed = json!({"action": "close", "verdict": "false_positive", "note": "a drill"});
    let closed: Value = act(deed).await.unwrap().json().await.unwrap();
    assert_eq!((&closed["state"], &closed["closed_by"]), (&"closed".into(), &"analyst".into()));
    let history = server.json("/v1/alerts/alr_acme_bad/history", &server.tokens.analyst).await;
    let actions: Vec<_> =
        history["changes"].as_array().unwrap().iter().map(|change| &change["action"]).collect();
    assert_eq!(actions, [&Value::Null, &"acknowledge".into(), &"close".into()]);
    assert_eq!(history["changes"][2]["note"], "a drill");
    assert_eq!(
        (&history["changes"][2]["state"], &history["changes"][2]["verdict"]),
        (&"closed".into(), &"false_positive".into())
    );
    let seen_by_partner = server.json("/v1/alerts/alr_acme_bad", &server.tokens.acme).await;
    assert_eq!(
        (&seen_by_partner["verdict"], &seen_by_partner["closed_by"]),
        (&"false_positive".into(), &Value::Null)
    );
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let server = server().await;
    let analyst = &server.tokens.analyst;
    let act = |id: &str, token: &str, deed: Value| {
        server.post(&format!("/v1/alerts/{id}/actions"), token).json(&deed).send()
    };
    for deed in [
        json!({"action": "explode"}),
        json!({"action": "close"}),
        json!({"action": "snooze", "until": "2001-01-01T00:00:00Z"}),
        json!({"action": "acknowledge", "verdict": "benign"}),
        json!({"action": "acknowledge", "nota": "x"}),
        json!([]),
    ] {
        problem(act("alr_globex", analyst, deed).await.unwrap(), 400).await;
    }
    let acknowledge = json!({"action": "acknowledge"});
    problem(act("alr_none", analyst, acknowledge.clone()).await.unwrap(), 404).await;
    problem(act("alr_globex", &server.tokens.globex, acknowledge).await.unwrap(), 403).await;
    problem(server.get("/v1/alerts/alr_globex/history", &server.tokens.acme).send().await.unwrap(), 404)
        .await;
    let text = server.post("/v1/alerts/alr_globex/actions", analyst).body("acknowledge");
    problem(text.send().await.unwrap(), 415).await;
}

/// Whatever stands in the query, the answer is a page or says what is wrong with it.
#[tokio::test(flavor = "multi_thread")]
async fn no_parameter_breaks_the_server() {
    let server = server().await;
    let values = prop_oneof![".{0,40}", "[0-9]{1,30}", "-?[0-9]{1,20}T?Z?", "[A-Za-z0-9_-]{0,60}=?"];
    let names = prop::sample::select(vec![
        "partner", "detector", "severity", "state", "since", "until", "limit", "cursor", "after", "x",
    ]);
    let strategy = (prop::collection::vec((names, values), 0..4), any::<bool>());
    let (handle, server) = (tokio::runtime::Handle::current(), &server);
    tokio::task::block_in_place(|| {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(300));
        runner
            .run(&strategy, |(query, stream)| {
                let path = if stream { "/v1/alerts/stream" } else { "/v1/alerts" };
                let url = Url::parse_with_params("http://x/", &query).unwrap();
                let path = format!("{path}?{}", url.query().unwrap_or_default());
                let status = handle.block_on(server.get(&path, &server.tokens.acme).send()).unwrap().status();
                prop_assert!(status == 200 || status == 400, "{status}");
                Ok(())
            })
            .unwrap();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_a_detection_finding_if_asked_for() {
    let server = server().await;
    let finding = server.json("/v1/alerts/alr_acme_bad?format=ocsf", &server.tokens.acme).await;
    assert_eq!((&finding["class_uid"], &finding["is_alert"]), (&json!(2004), &json!(true)));
    assert_eq!(finding["finding_info"]["uid"], "alr_acme_bad");
    assert_eq!(finding["metadata"]["tenant_uid"], "acme");
}
