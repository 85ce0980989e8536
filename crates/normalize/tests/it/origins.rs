//! Whose address an event has, behind proxies.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use event::ObservationKind;
use normalize::{Networks, Normalized, Normalizer, Options, Schemas};

use crate::feed::{feed, fingerprinter};

/// Reads a line of a feed whose trusted hops these are.
fn read(line: &str, hops: &[&str]) -> Normalized {
    static SCHEMAS: LazyLock<Arc<Schemas>> = LazyLock::new(|| Arc::new(Schemas::built_in()));
    let trusted = Networks::parse(hops.iter().copied()).unwrap();
    let trusted_hops = BTreeMap::from([("edge".to_owned(), trusted)]);
    let trusted_hops = if hops.is_empty() { BTreeMap::new() } else { trusted_hops };
    let options = Options { trusted_hops, ..Options::default() };
    let mut normalizer = Normalizer::new(Arc::clone(&SCHEMAS), fingerprinter(), options);
    feed(&mut normalizer, 7, line.as_bytes(), None);
    normalizer.finish()
}

fn nginx(remote_addr: &str, forwarded: &str) -> String {
    format!(
        r#"{{"msec":"1773480413.589","remote_addr":"{remote_addr}","remote_port":"4711","request_method":"POST","request_uri":"/v1/sessions","status":"401","http_x_forwarded_for":{forwarded}}}"#
    )
}

/// Address, peer, flags, and the networks that something is counted by.
#[track_caller]
fn check(read: &Normalized, src_ip: &str, peer_ip: Option<&str>, flags: &[&str], nets: &[&str]) {
    let row = read.events.rows().next().expect("an event");
    assert_eq!((row.src_ip.as_deref(), row.peer_ip.as_deref()), (Some(src_ip), peer_ip));
    assert_eq!(row.flags, flags);
    let observations = read.observations.iter().flat_map(|batch| batch.rows());
    let by_address = observations.filter(|row| row.kind == Some(ObservationKind::AuthByAddress.code()));
    let found: Vec<_> = by_address.filter_map(|row| row.src_net.map(|net| net.into_owned())).collect();
    assert_eq!(found, nets);
}

#[test]
fn the_client_stands_behind_the_hops_that_are_trusted() {
    let line = nginx("10.0.0.7", r#""1.1.1.1, 203.0.113.9, 10.2.2.2""#);
    let read = read(&line, &["10.0.0.0/8"]);
    check(&read, "203.0.113.9", Some("10.0.0.7"), &[], &["203.0.113.0/24"]);
    let row = read.events.row(0);
    assert_eq!(row.xff, ["1.1.1.1", "203.0.113.9", "10.2.2.2"]);
    assert_eq!(row.src_port, None, "the port is the proxy's");
}

#[test]
fn who_connects_directly_cannot_hide_behind_a_header() {
    let line = nginx("198.51.100.1", r#""203.0.113.9""#);
    for hops in [&["10.0.0.0/8"][..], &[]] {
        check(&read(&line, hops), "198.51.100.1", None, &[], &["198.51.100.0/24"]);
    }
}

#[test]
fn an_address_that_is_a_proxys_is_marked_and_nothing_is_counted_by_it() {
    for (forwarded, hops) in [
        (r#""203.0.113.9""#, &[][..]),
        ("null", &["10.0.0.0/8"]),
        (r#""203.0.113.9, unknown""#, &["10.0.0.0/8"]),
    ] {
        check(&read(&nginx("10.0.0.7", forwarded), hops), "10.0.0.7", None, &["edge_address"], &[]);
    }
}

#[test]
fn what_a_header_holds_besides_addresses_is_kept_without_its_secrets() {
    let secret = "sk_live_0123456789abcdef";
    let read = read(&nginx("10.0.0.7", &format!(r#""{secret}, 203.0.113.9""#)), &["10.0.0.0/8"]);
    let row = read.events.row(0);
    assert_eq!(row.src_ip.as_deref(), Some("203.0.113.9"));
    let unmapped = row.unmapped.as_deref().unwrap_or_default();
    assert!(unmapped.contains("http_x_forwarded_for") && !unmapped.contains(secret), "{unmapped}");
}

#[test]
fn a_standard_header_and_a_list_of_addresses_say_the_same() {
    let ocsf = |way: &str| {
        format!(
            r#"{{"class_uid":4002,"activity_id":3,"category_uid":4,"type_uid":400203,"time":1773480414000,"severity_id":1,"http_request":{{"http_method":"GET","x_forwarded_for":{way}}},"http_response":{{"code":200}},"src_endpoint":{{"ip":"10.0.0.7"}},"metadata":{{"version":"1.8.0"}}}}"#
        )
    };
    for way in [r#"["1.1.1.1","203.0.113.9"]"#, r#""for=1.1.1.1;proto=https, for=203.0.113.9""#] {
        let read = read(&ocsf(way), &["10.0.0.0/8"]);
        assert_eq!(read.events.row(0).src_ip.as_deref(), Some("203.0.113.9"), "{way}");
    }
}
