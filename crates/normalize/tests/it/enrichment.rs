//! What is known of addresses and partners is put beside what a line says.

use std::collections::BTreeMap;
use std::sync::Arc;

use normalize::{Enrichment, Networks, Normalized, Normalizer, Options, PartnerFacts, Places, Schemas};

use crate::feed::{feed, fingerprinter, json_lines};
use crate::mmdb::{Value, database};

fn cities() -> Vec<u8> {
    let berlin = Value::Map(vec![
        (
            "country",
            Value::Map(vec![("iso_code", Value::Text("DE")), ("geoname_id", Value::Number(2_921_044))]),
        ),
        (
            "city",
            Value::Map(vec![(
                "names",
                Value::Map(vec![("en", Value::Text("Berlin")), ("de", Value::Text("Berlin"))]),
            )]),
        ),
        ("location", location(52.52, 13.405, 20)),
    ]);
    let somewhere = Value::Map(vec![
        ("country", Value::Map(vec![("iso_code", Value::Text("FR"))])),
        ("location", location(48.86, 2.34, 1_000)),
        ("traits", Value::Map(vec![("is_anonymous", Value::True)])),
    ]);
    database("GeoLite2-City", &[("203.0.113.0", 24, berlin), ("2001:db8::", 32, somewhere)])
}

fn location(latitude: f64, longitude: f64, accuracy_km: u16) -> Value {
    Value::Map(vec![
        ("latitude", Value::Degrees(latitude)),
        ("longitude", Value::Degrees(longitude)),
        ("accuracy_radius", Value::Short(accuracy_km)),
        ("time_zone", Value::Text("Europe/Berlin")),
    ])
}

fn networks() -> Vec<u8> {
    let network = Value::Map(vec![
        ("autonomous_system_number", Value::Number(64_500)),
        ("autonomous_system_organization", Value::Text("EXAMPLE-MOBILE")),
    ]);
    let flat = Value::Map(vec![
        ("asn", Value::Text("AS64501")),
        ("as_name", Value::Text("Example Hosting")),
        ("country_code", Value::Text("NL")),
        ("country", Value::Text("Netherlands")),
    ]);
    database("GeoLite2-ASN", &[("203.0.113.0", 24, network), ("198.51.100.0", 24, flat)])
}

fn places() -> Places {
    let dir = tempfile::tempdir().unwrap();
    let mut places = Places::default();
    for (name, bytes) in [("cities", cities()), ("networks", networks())] {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        places.load(&dir.path().join(name)).unwrap();
    }
    places
}

fn partner() -> PartnerFacts {
    PartnerFacts {
        environment: Some("production".into()),
        egress: Networks::parse(["203.0.113.0/24"]).unwrap(),
        countries: vec!["DE".into()],
    }
}

fn normalized(line: &str) -> Normalized {
    let enrichment =
        Enrichment { places: places(), partners: BTreeMap::from([("prt_acme".to_owned(), partner())]) };
    let schemas = Arc::new(Schemas::built_in());
    let mut normalizer = Normalizer::new(Arc::clone(&schemas), fingerprinter(), Options::default());
    normalizer.learn(schemas, Arc::new(enrichment));
    feed(&mut normalizer, 7, line.as_bytes(), None);
    normalizer.finish()
}

fn enriched(line: &str) -> serde_json::Value {
    serde_json::from_str(&json_lines(normalized(line).events.arrow())).unwrap()
}

#[test]
fn where_a_key_was_used_from_is_told_with_whether_its_partner_declared_it() {
    let used = |ip: &str| {
        let line = format!(
            r#"{{"v":1,"ts":"2026-03-14T09:30:00Z","event":"session_token.issued","partner_id":"prt_acme","api_key_id":"key_1","src_ip":"{ip}"}}"#
        );
        let read = normalized(&line);
        let rows: Vec<_> = read.observations[0].rows().filter_map(|row| row.key_use.map(|_| row)).collect();
        let [row] = &rows[..] else { panic!("{rows:?}") };
        (row.key_use, row.src_country.as_deref().map(str::to_owned), row.src_asn)
    };
    assert_eq!(used("203.0.113.9"), (Some(2), Some("DE".to_owned()), Some(64_500)));
    assert_eq!(used("198.51.100.9"), (Some(3), Some("NL".to_owned()), Some(64_501)));
}

fn from(ip: &str) -> serde_json::Value {
    enriched(&format!(r#"{ip} - - [14/Mar/2026:09:26:53 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8.5""#))
}

#[test]
fn an_address_has_its_country_city_and_network() {
    let event = from("203.0.113.9");
    assert_eq!((&event["src_country"], &event["src_city"]), (&"DE".into(), &"Berlin".into()));
    assert_eq!((&event["src_asn"], &event["src_as_name"]), (&64_500.into(), &"EXAMPLE-MOBILE".into()));
    assert_eq!(event["enriched_by"], "GeoLite2-City 2026-03-01, GeoLite2-ASN 2026-03-01");
    let event = from("2001:db8::7");
    assert_eq!(
        (&event["src_country"], event.get("src_city"), event.get("src_asn")),
        (&"FR".into(), None, None)
    );
    let event = from("198.51.100.7");
    assert_eq!((&event["src_asn"], &event["src_country"]), (&64_501.into(), &"NL".into()));
}

#[test]
fn an_address_is_where_a_database_says_unless_it_only_knows_the_middle_of_a_country() {
    let event = from("203.0.113.9");
    assert_eq!((&event["src_lat"], &event["src_lon"]), (&52.52.into(), &13.405.into()));
    assert_eq!(event.get("flags"), None);
    let event = from("2001:db8::7");
    assert_eq!((event.get("src_lat"), event.get("src_lon")), (None, None));
    assert_eq!(event["flags"], serde_json::json!(["veiled_address", "unexpected_country"]));
}

#[test]
fn a_line_that_names_another_country_than_the_database_is_not_where_the_database_says() {
    let line = |country: &str, place: &str| {
        format!(
            r#"{{"ClientCountry":"{country}","ClientIP":"203.0.113.9","ClientRequestHost":"a.example","ClientRequestMethod":"GET","ClientRequestURI":"/","EdgeResponseStatus":200,"EdgeStartTimestamp":"2026-03-14T09:27:11Z","RayID":"86409c3f5e2d0a1b"{place}}}"#
        )
    };
    let place = |country, place| {
        let event = enriched(&line(country, place));
        (event.get("src_lat").cloned(), event.get("src_lon").cloned())
    };
    assert_eq!(place("de", ""), (Some(52.52.into()), Some(13.405.into())));
    assert_eq!(place("us", ""), (None, None));
    let said = r#","ClientLatitude":"40.7","ClientLongitude":"-74.01""#;
    assert_eq!(place("us", said), (Some(40.7.into()), Some((-74.01).into())));
}

#[test]
fn what_no_database_knows_stays_unknown() {
    let event = from("192.0.2.1");
    for column in ["src_country", "src_city", "src_lat", "src_lon", "src_asn", "src_as_name", "enriched_by"] {
        assert_eq!(event.get(column), None, "{column}");
    }
}

#[test]
fn what_the_line_says_of_its_address_stands() {
    let event = enriched(
        r#"{"ClientASN":64999,"ClientCountry":"us","ClientIP":"203.0.113.9","ClientRequestHost":"a.example","ClientRequestMethod":"GET","ClientRequestURI":"/","EdgeResponseStatus":200,"EdgeStartTimestamp":"2026-03-14T09:27:11Z","RayID":"86409c3f5e2d0a1b"}"#,
    );
    assert_eq!((&event["src_country"], &event["src_asn"]), (&"US".into(), &64_999.into()));
    assert_eq!(event["src_city"], "Berlin");
    assert_eq!(event["flags"], serde_json::json!(["unexpected_country"]));
}

#[test]
fn a_key_from_outside_of_what_its_partner_declared_is_flagged() {
    let line = |ip: &str| {
        format!(
            r#"{{"v":1,"ts":"2026-03-14T09:26:53.589Z","seq":1,"event":"api.request","partner_id":"prt_acme","api_key_id":"key_1","src_ip":"{ip}"}}"#
        )
    };
    let inside = enriched(&line("203.0.113.9"));
    assert_eq!(
        (&inside["env"], &inside["flags"]),
        (&"production".into(), &serde_json::json!(["missing_env"]))
    );
    let outside = enriched(&line("198.51.100.9"));
    assert_eq!(outside["flags"], serde_json::json!(["missing_env", "outside_egress", "unexpected_country"]));
}

#[test]
fn what_is_no_database_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("torn.mmdb");
    let whole = cities();
    for bytes in [&b""[..], b"no database", &whole[..whole.len() / 2]] {
        std::fs::write(&file, bytes).unwrap();
        let error = Places::default().load(&file).unwrap_err().to_string();
        assert!(error.contains("torn.mmdb"), "{error}");
    }
    assert!(Places::default().load(&dir.path().join("nowhere.mmdb")).is_err());
}

#[test]
fn a_database_with_any_byte_flipped_is_refused_or_answers() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("flipped.mmdb");
    let whole = cities();
    let schemas = Arc::new(Schemas::built_in());
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&file, &bytes).unwrap();
        let mut places = Places::default();
        if places.load(&file).is_ok() {
            let mut normalizer = Normalizer::new(Arc::clone(&schemas), fingerprinter(), Options::default());
            normalizer.learn(Arc::clone(&schemas), Arc::new(Enrichment { places, ..Enrichment::default() }));
            feed(
                &mut normalizer,
                7,
                br#"203.0.113.9 - - [14/Mar/2026:09:26:53 +0000] "GET / HTTP/1.1" 200 5 "-" "-""#,
                None,
            );
            assert_eq!(normalizer.finish().events.len(), 1);
        }
    }
}
