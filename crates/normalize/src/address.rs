//! Network addresses: one spelling for each, and the network that a detector counts by.

use std::net::{IpAddr, Ipv6Addr};

/// Reads an address as logs write it: alone, with a port, in brackets, v4 mapped into v6.
pub(crate) fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().ok().or_else(|| with_port(text))?;
    Some(address.to_canonical())
}

fn with_port(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']')?.0.parse().ok();
    }
    let (address, port) = text.split_once(':')?;
    port.parse::<u16>().ok()?;
    address.parse().ok()
}

/// `203.0.113.0/24` for v4, `2001:db8:1::/48` for v6.
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let mut text = String::with_capacity("255.255.255.0/24".len());
            for octet in [a, b, c] {
                push_octet(octet, &mut text);
                text.push('.');
            }
            text.push_str("0/24");
            text
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

/// Appends a number's digits. `write!` costs several times as much, and this is done for every event.
fn push_octet(octet: u8, text: &mut String) {
    let digit = |value: u8| char::from(b'0' + value % 10);
    if octet >= 100 {
        text.push(digit(octet / 100));
    }
    if octet >= 10 {
        text.push(digit(octet / 10));
    }
    text.push(digit(octet));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, address: &str, net: &str) {
        let read = parse(text).expect("an address");
        assert_eq!((read.to_string().as_str(), network(read).as_str()), (address, net));
    }

    #[test]
    fn an_address_has_one_spelling_and_one_network() {
        check("203.0.113.24", "203.0.113.24", "203.0.113.0/24");
        check("203.0.113.24:59292", "203.0.113.24", "203.0.113.0/24");
        check("2001:DB8:0001:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1::/48");
        check("[2001:db8::1]:443", "2001:db8::1", "2001:db8::/48");
        check("::ffff:198.51.100.7", "198.51.100.7", "198.51.100.0/24");
    }

    #[test]
    fn every_octet_has_its_digits() {
        for octet in 0..=u8::MAX {
            assert_eq!(network([octet, 7, octet, 1].into()), format!("{octet}.7.{octet}.0/24"));
        }
    }

    #[test]
    fn what_is_no_address_is_none() {
        for text in ["", "-", "unix:", "300.1.1.1", "0177.0.0.1", "1.2.3", "example.com", "1.2.3.4:x"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
