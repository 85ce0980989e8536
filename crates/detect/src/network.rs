//! Addresses of a network, as SQL finds them: the table holds them as text in canonical spelling.

use std::net::Ipv6Addr;

use crate::text;

/// A condition on `src_ip` for what normalization calls a network: a /24 of IPv4 or a /48 of IPv6.
pub(crate) fn in_network_sql(net: &str) -> String {
    let any: Vec<_> =
        beginnings(net).map(|beginning| format!("starts_with(src_ip, {})", text::sql(&beginning))).collect();
    match any.as_slice() {
        [] => format!("src_ip = {}", text::sql(net)),
        [one] => one.clone(),
        _ => format!("({})", any.join(" OR ")),
    }
}

/// With what the addresses of a network begin. Zeros are left out of an IPv6 address, so those of
/// one network may begin in two ways: `2001:db8::/48` holds `2001:db8::1` and `2001:db8:0:1:1:1:1:1`,
/// and not `2001:db8:5::1`.
fn beginnings(net: &str) -> impl Iterator<Item = String> {
    let v4 = net.strip_suffix(".0/24").map(|start| format!("{start}."));
    let v6 = net.strip_suffix("/48").and_then(|start| start.parse::<Ipv6Addr>().ok());
    let v6 = v6.map(|address| {
        let [a, b, c, ..] = address.segments();
        let short = match (b, c) {
            (0, 0) => Some(format!("{a:x}::")),
            (_, 0) => Some(format!("{a:x}:{b:x}::")),
            _ => None,
        };
        [Some(format!("{a:x}:{b:x}:{c:x}:")), short]
    });
    v4.into_iter().chain(v6.into_iter().flatten().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_finds_its_addresses_in_every_spelling_and_no_others() {
        let holds = |net: &str, ip: &str| {
            let ip = ip.parse::<std::net::IpAddr>().unwrap().to_string();
            beginnings(net).any(|beginning| ip.starts_with(&beginning))
        };
        for (net, ip) in [
            ("203.0.113.0/24", "203.0.113.77"),
            ("2001:db8:1::/48", "2001:db8:1::5"),
            ("2001:db8:1::/48", "2001:db8:1:2:3:4:5:6"),
            ("2001:db8::/48", "2001:db8::1"),
            ("2001:db8::/48", "2001:db8:0:1:2:3:4:5"),
            ("2001::/48", "2001::1"),
            ("2001::/48", "2001:0:0:1:0:0:0:1"),
            ("2001:0:5::/48", "2001:0:5::1"),
        ] {
            assert!(holds(net, ip), "{ip} is in {net}");
        }
        for (net, ip) in [
            ("203.0.113.0/24", "203.0.11.3"),
            ("2001:db8::/48", "2001:db8:5::1"),
            ("2001:db8:1::/48", "2001:db8:11::1"),
            ("2001::/48", "2001:0:5::1"),
            ("2001:0:5::/48", "2001:0:55::1"),
        ] {
            assert!(!holds(net, ip), "{ip} is not in {net}");
        }
        assert_eq!(in_network_sql("203.0.113.0/24"), "starts_with(src_ip, '203.0.113.')");
        assert_eq!(in_network_sql("2001:db8::1"), "src_ip = '2001:db8::1'");
    }
}
