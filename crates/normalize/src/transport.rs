//! Whether a call went over a wire that anybody can read, and what it gave away there.
//!
//! A version of TLS is what the edge itself has spoken. `http` may only be how the edge speaks with what is behind
//! it: it is believed where the client stands on the other end, which is nowhere a proxy is known of, nor an address
//! of a private network. A redirect to `https` without a credential is as it should be.

use std::borrow::Cow;
use std::net::IpAddr;

use event::{EventRow, Signal};

use crate::address;
use crate::client::EDGE_ADDRESS;

/// What a row tells, with the key that it is counted by.
pub(crate) fn transport<'r>(row: &'r EventRow<'_>) -> Option<(Signal, Cow<'r, str>)> {
    if row.tls_version.is_none() && row.scheme.is_none() || !is_plain(row) {
        return None;
    }
    let has = |flag: &str| row.flags.iter().any(|raised| raised == flag);
    let key = row.api_key_id.as_deref().or(row.api_key_fp.as_deref());
    let is_credential = key.is_some() || row.token_fp.is_some() && !has("malformed_token");
    // Whether one that was refused is anybody's is not known: strangers make them up.
    let is_accepted = match row.status {
        Some(status) => (200..300).contains(&status),
        None => row.outcome.as_deref() == Some("success"),
    };
    let feed = row.kafka_topic.as_deref();
    match () {
        () if is_credential && is_accepted => {
            key.or(feed).map(|by| (Signal::PlainCredential, Cow::Borrowed(by)))
        }
        () if is_credential || row.user_ref.is_some() => {
            feed.map(|feed| (Signal::PlainCall, Cow::Borrowed(feed)))
        }
        () => None,
    }
}

fn is_plain(row: &EventRow<'_>) -> bool {
    match row.tls_version.as_deref() {
        Some(version) => is_broken(version),
        None => {
            row.scheme.as_deref().is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")) && is_direct(row)
        }
    }
}

/// SSL, and TLS before 1.2, which RFC 8996 has ended.
fn is_broken(version: &str) -> bool {
    let version = version.trim().to_ascii_lowercase();
    let number = version.strip_prefix("tls").map(|rest| rest.trim_start_matches(['v', ' ', '-', '_']));
    match number {
        Some(number) => matches!(number, "1" | "1.0" | "1.1" | "10" | "11" | "1_0" | "1_1"),
        None => version.starts_with("ssl"),
    }
}

fn is_direct(row: &EventRow<'_>) -> bool {
    let is_edge = row.flags.iter().any(|flag| flag == EDGE_ADDRESS);
    let client = row.src_ip.as_deref().and_then(address::parse);
    !is_edge
        && row.peer_ip.is_none()
        && row.xff.is_empty()
        && client.is_some_and(|client| !is_private(client))
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // 100.64.0.0/10 is what carriers and clouds use inside (RFC 6598).
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(change: impl FnOnce(&mut EventRow<'static>)) -> Option<(Signal, String)> {
        let mut row = EventRow {
            kafka_topic: Some("logs.prt_acme.api".into()),
            src_ip: Some("203.0.113.9".into()),
            api_key_id: Some("key_1".into()),
            scheme: Some("http".into()),
            status: Some(200),
            ..EventRow::default()
        };
        change(&mut row);
        transport(&row).map(|(signal, by)| (signal, by.into_owned()))
    }

    #[test]
    fn a_key_over_http_is_given_away_and_one_over_tls_is_not() {
        let of_key = Some((Signal::PlainCredential, "key_1".to_owned()));
        assert_eq!(call(|_| {}), of_key);
        assert_eq!(call(|row| row.scheme = Some("https".into())), None);
        for (version, is_told) in [
            ("TLSv1.3", false),
            ("TLSv1.2", false),
            ("TLSv1.1", true),
            ("TLSv1", true),
            ("SSLv3", true),
            ("TLS 1.0", true),
            ("-", false),
        ] {
            assert_eq!(call(|row| row.tls_version = Some(version.into())).is_some(), is_told, "{version}");
        }
    }

    #[test]
    fn what_a_proxy_hands_on_over_http_was_encrypted_before() {
        assert_eq!(call(|row| row.peer_ip = Some("10.0.0.1".into())), None);
        assert_eq!(call(|row| row.src_ip = Some("10.0.0.1".into())), None);
        assert_eq!(call(|row| row.xff = vec!["203.0.113.9".into()]), None);
        assert_eq!(call(|row| row.flags = vec![EDGE_ADDRESS.into()]), None);
    }

    #[test]
    fn a_redirect_without_a_credential_is_as_it_should_be() {
        let redirect = |key: Option<&'static str>| {
            call(|row| (row.status, row.api_key_id) = (Some(301), key.map(Cow::Borrowed)))
        };
        assert_eq!(redirect(None), None);
        let of_feed = Some((Signal::PlainCall, "logs.prt_acme.api".to_owned()));
        assert_eq!(redirect(Some("key_1")), of_feed, "nobody has checked the key");
        assert_eq!(call(|row| (row.api_key_id, row.user_ref) = (None, Some("u1".into()))), of_feed);
    }
}
