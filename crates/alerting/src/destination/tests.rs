use super::*;

fn check(config: &str) -> Result<Destination, String> {
    let config: DestinationConfig = serde_json::from_str(config).map_err(|e| e.to_string())?;
    let secret = match config.kind {
        DestinationKind::Pagerduty => crate::testing::ROUTING_KEY,
        DestinationKind::Webhook => crate::testing::SIGNING_SECRET,
    };
    Destination::new(&config, SecretString::from(secret)).map_err(|e| e.to_string())
}

#[test]
fn little_need_be_written() {
    let pagerduty =
        check(r#"{"name": "on-call", "kind": "pagerduty", "routing_key_env": "PD_KEY"}"#).unwrap();
    assert_eq!(pagerduty.endpoint.as_str(), "https://events.pagerduty.com/v2/enqueue");
    assert_eq!((pagerduty.route.min_severity, pagerduty.rate_per_minute), (Severity::High, 60));
    let webhook = check(
        r#"{"name": "siem", "kind": "webhook", "url": "https://hooks.example/x", "secret_file": "/run/s"}"#,
    )
    .unwrap();
    assert_eq!((webhook.route.min_severity, webhook.route.updates), (Severity::Low, true));
}

#[test]
fn what_is_wrong_is_named() {
    let pagerduty = r#""name": "a", "kind": "pagerduty", "routing_key_env": "K""#;
    let webhook = r#""name": "a", "kind": "webhook", "secret_env": "K""#;
    let cases = [
        (format!("{{{pagerduty}, \"base_url\": \"https://10.0.0.1\"}}"), "base_url: the address is loopback"),
        (format!("{{{pagerduty}, \"url\": \"https://x.example\"}}"), "url: pagerduty has a base_url"),
        (format!("{{{pagerduty}, \"min_severity\": \"low\"}}"), "min_severity: must be high or worse"),
        (format!("{{{pagerduty}, \"timeout_seconds\": 0}}"), "timeout_seconds: must be 1 to 30"),
        (format!("{{{pagerduty}, \"rate_per_minute\": 0}}"), "rate_per_minute: must be 1 to 6000"),
        (format!("{{{pagerduty}, \"tenants\": []}}"), "tenants: name at least one"),
        (format!("{{{pagerduty}, \"tenants\": [\"../x\"]}}"), "tenants: a partner name has"),
        (format!("{{{pagerduty}, \"detectors\": []}}"), "detectors: name at least one"),
        (format!("{{{pagerduty}, \"routing_key_file\": \"f\"}}"), "routing_key_env: give either"),
        (format!("{{{pagerduty}, \"secret_env\": \"f\"}}"), "routing_key_env: the other kind's secret"),
        (format!("{{{pagerduty}, \"routing_key\": \"x\"}}"), "unknown field `routing_key`"),
        (format!("{{{webhook}}}"), "url: a webhook has a url"),
        (format!("{{{webhook}, \"url\": \"http://x.example/\"}}"), "url: must be https"),
        (format!("{{{webhook}, \"url\": \"not a url\"}}"), "url: relative URL without a base"),
        (format!("{{{webhook}, \"url\": \"https://0x7f.1/\"}}"), "url: the address is loopback"),
        (
            r#"{"name": "a b", "kind": "webhook", "url": "https://x.example", "secret_env": "K"}"#.into(),
            "name: has 1 to 64",
        ),
    ];
    for (config, expected) in cases {
        let error = check(&config).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
}
