//! Secrets are in requests and nowhere else.

use chrono::TimeDelta;

use super::undelivered;
use crate::testing::receiver::Receiver;
use crate::testing::receiver::Reply::Status;
use crate::testing::{Bench, HandClock, ROUTING_KEY, SIGNING_SECRET, alert, created, pagerduty, webhook};
use crate::{Control, Destination, DestinationConfig};

#[tokio::test]
async fn a_receiver_that_quotes_the_secret_does_not_get_it_into_the_database() {
    let receiver =
        Receiver::start([Status(400, "bad key 0123456789abcdef0123456789abcdef at /v2/enqueue")]).await;
    let dir = tempfile::tempdir().unwrap();
    let control = Control::open(&dir.path().join("control.db")).await.unwrap();
    let mut bench = Bench::on(control, pagerduty(&receiver.url), HandClock::new()).await;
    bench.apply(&[created(&alert("prt_acme", "usr_1"))]).await;
    bench.run_for(TimeDelta::minutes(1)).await;
    let reason = undelivered(&bench.control).await.remove(0).last_error.unwrap();
    assert!(reason.contains("bad key [routing key] at [url]"), "{reason}");
    bench.control.close().await;
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(ROUTING_KEY));
    }
}

#[tokio::test]
async fn a_destinations_url_is_not_in_what_is_said_of_its_failures() {
    let mut bench = Bench::new(webhook("http://127.0.0.1:9/services/T000/B000/XXXX")).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert)]).await;
    bench.run_for(TimeDelta::seconds(1)).await;
    let notices = bench.control.notices(&event::Scope::All, &alert.alert_id).await.unwrap();
    let reason = notices[0].last_error.as_deref().unwrap();
    assert!(reason.contains("onnect") && !reason.contains("XXXX"), "{reason}");
}

#[tokio::test]
async fn a_key_in_a_urls_query_is_not_in_what_a_receiver_quotes() {
    // Jitter may be no time at all: as many as come are answered alike.
    let quoting = Status(500, "bad code s3cr+t/key for /hook?code=s3cr%2Bt%2Fkey&v=2");
    let receiver = Receiver::start(std::iter::repeat_n(quoting, 16)).await;
    let mut bench = Bench::new(webhook(&format!("{}/hook?code=s3cr%2Bt%2Fkey&v=2", receiver.url))).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert)]).await;
    bench.run_for(TimeDelta::milliseconds(0)).await;
    let notices = bench.control.notices(&event::Scope::All, &alert.alert_id).await.unwrap();
    let reason = notices[0].last_error.as_deref().unwrap();
    assert!(reason.contains("bad code") && !reason.contains("s3cr"), "{reason}");
}

#[test]
fn debug_output_holds_no_secret() {
    let shown = format!("{:?} {:?}", pagerduty("http://127.0.0.1:9"), webhook("http://127.0.0.1:9/XXXX"));
    assert!(!shown.contains(ROUTING_KEY) && !shown.contains(&SIGNING_SECRET[6..]) && !shown.contains("XXXX"));
}

#[test]
fn a_wrong_secret_is_refused_without_being_repeated() {
    let config = r#"{"name": "pd", "kind": "pagerduty", "routing_key_env": "PD_KEY"}"#;
    let config: DestinationConfig = serde_json::from_str(config).unwrap();
    let error = Destination::new(&config, "not-a-key".to_owned().into()).unwrap_err().to_string();
    assert_eq!(error, "destination pd: routing_key: must be 32 letters and digits");
}
