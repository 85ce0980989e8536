//! A real host's auth log: four days under attack.
//!
//! It is not part of this repository; the tests run where `WATCHFIRE_TEST_DATA` names the folder
//! that holds it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use event::EventTime;
use normalize::Normalized;

use crate::feed::{feed_at, normalizer, third_party};

fn read(file: PathBuf, broker_time: EventTime) -> (usize, Normalized) {
    let log = std::fs::read(file).unwrap();
    let mut normalizer = normalizer(1, &[]);
    feed_at(&mut normalizer, 0, &log, None, broker_time);
    let lines = log.iter().filter(|byte| **byte == b'\n').count();
    (lines, normalizer.finish())
}

#[test]
fn every_line_of_an_auth_log_is_an_event_and_logins_add_up_by_address() {
    let Some(data) = third_party() else { return };
    // 2017-03-31T00:00:00Z, the night after the last line.
    let (lines, read) = read(data.join("auth/elastic_auth_mar27-30.log"), EventTime(1_490_918_400_000));
    assert_eq!((read.events.len(), read.rejects.len()), (lines, 0));

    let counts = std::fs::read(data.join("auth/elastic_auth_mar27-30.counts.json")).unwrap();
    let counts: BTreeMap<String, BTreeMap<String, i64>> = serde_json::from_slice(&counts).unwrap();
    let mut found: BTreeMap<(String, &str), i64> = BTreeMap::new();
    for row in read.events.rows() {
        assert!(row.original_time.is_some() && row.message.is_some());
        let message = row.message.as_deref().unwrap_or_default();
        let what = [
            "Accepted password",
            "Accepted publickey",
            "Failed password",
            "Failed publickey",
            "Invalid user",
        ]
        .into_iter()
        .find(|what| message.starts_with(what));
        if let (Some(what), Some("login")) = (what, row.action.as_deref()) {
            let repeated = row.unmapped.as_deref().is_some_and(|rest| rest.contains("\"repeated\""));
            if !repeated {
                *found.entry((row.src_ip.unwrap().into_owned(), what)).or_default() += 1;
            }
        }
    }
    for (address, counts) in &counts {
        for what in ["Accepted password", "Accepted publickey", "Failed publickey", "Invalid user"] {
            let counted = found.get(&(address.clone(), what)).copied().unwrap_or(0);
            assert_eq!(counted, counts.get(what).copied().unwrap_or(0), "{what} from {address}");
        }
    }
    for (address, counts) in &counts {
        let failed = found.get(&(address.clone(), "Failed password")).copied().unwrap_or(0);
        assert_eq!(failed, counts.get("Failed password").copied().unwrap_or(0), "{address}");
    }
    let years: std::collections::BTreeSet<_> =
        read.events.rows().map(|row| row.time.unwrap().to_rfc3339()[..4].to_owned()).collect();
    assert_eq!(years, ["2017".to_owned()].into());
}

#[test]
fn every_line_of_a_real_access_log_is_an_event() {
    let Some(data) = third_party() else { return };
    let (lines, read) = read(data.join("traffic/apache_17-18may2015.log"), EventTime(1_432_080_000_000));
    assert_eq!((read.events.len(), read.rejects.len()), (lines, 0), "{:?}", read.rejects.rows().next());
    assert!(read.events.rows().all(|row| row.source_format.as_deref() == Some("nginx_combined")));
    let counted: i64 =
        read.observations[0].rows().filter(|row| row.kind == Some(4)).filter_map(|row| row.count).sum();
    let with_route = read.events.rows().filter(|row| row.route.is_some()).count();
    assert_eq!(counted as usize, with_route);
}
