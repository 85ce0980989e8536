//! Couriers against receivers that are slow, rude, away, or gone.

mod faults;
mod life;
mod secrets;
mod telling;

use serde_json::Value;

use crate::testing::receiver::{Got, Receiver};
use crate::{Control, NoticeEntry};

/// `event_action severity` of PagerDuty events, in order.
fn actions(got: &[Got]) -> Vec<String> {
    got.iter().map(|got| action(&got.json())).collect()
}

fn action(event: &Value) -> String {
    let severity = event["payload"]["severity"].as_str().unwrap_or("-");
    format!("{} {severity}", event["event_action"].as_str().unwrap())
}

/// `type count` of webhook messages, in order.
fn types(receiver: &Receiver) -> Vec<String> {
    let describe =
        |message: Value| format!("{} {}", message["type"].as_str().unwrap(), message["data"]["count"]);
    receiver.accepted().iter().map(|got| describe(got.json())).collect()
}

async fn undelivered(control: &Control) -> Vec<NoticeEntry> {
    control.undelivered(&event::Scope::All, 100).await.unwrap()
}
