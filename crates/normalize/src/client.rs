//! Whose address the client's is. Behind proxies a line names the last of them; who asked stands in
//! `X-Forwarded-For`, `Forwarded` (RFC 7239) or a PROXY line, where anybody can write anything. So it
//! is believed as far back as trusted hops vouch for it, from the right, and no further.

use std::borrow::Cow;
use std::net::IpAddr;

use event::ObservationKind;
use ipnet::IpNet;

use crate::address;
use crate::fields::Value;
use crate::mapping::{Draft, text_of};
use crate::observe::Observe;
use crate::schema::Source;

/// How many stations of a way are looked at, from its end.
const STATIONS_MAX: usize = 32;

/// The flag of an event whose address is a proxy's, because nobody knows whose else it is.
pub(crate) const EDGE_ADDRESS: &str = "edge_address";

/// Networks, e.g. those of trusted proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Reads networks as `10.0.0.0/8`; an address alone is a network of one. The error is what is none.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, String> {
        let network = |text: &'t str| {
            let alone = || text.parse::<IpAddr>().ok().map(IpNet::from);
            text.parse().ok().or_else(alone).ok_or_else(|| text.to_owned())
        };
        texts.into_iter().map(network).collect::<Result<_, _>>().map(Self)
    }

    /// Whether one of them holds an address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Who asked.
#[derive(Debug, PartialEq, Eq)]
enum Client {
    /// Whoever is connected.
    Connected,
    /// Somebody behind trusted hops.
    Behind(IpAddr),
    /// Nobody knows: what is connected is one of our own.
    Unknown,
}

/// Walks back from who is connected. A station that is no address ends it: what stands before it
/// was told by nobody that is trusted.
fn client(connected: IpAddr, way: &[Option<IpAddr>], trusted: Option<&Networks>) -> Client {
    let Some(trusted) = trusted else {
        return if is_private(connected) && !way.is_empty() { Client::Unknown } else { Client::Connected };
    };
    if !trusted.contains(connected) {
        return Client::Connected;
    }
    for station in way.iter().rev() {
        match station {
            Some(address) if trusted.contains(*address) => {}
            Some(address) => return Client::Behind(*address),
            None => return Client::Unknown,
        }
    }
    Client::Unknown
}

/// Whether an address is of a network that the Internet does not route.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let carrier_grade = a == 100 && (64..128).contains(&b);
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || carrier_grade
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// The stations of a way, the one farthest from us first; none for one that is no address.
fn stations(text: &str) -> Vec<Option<IpAddr>> {
    if let Some(proxy) = text.strip_prefix("PROXY ") {
        // `PROXY TCP4 198.51.100.22 203.0.113.7 35646 80`: from where, to where.
        return proxy.split_whitespace().nth(1).map(address::parse).into_iter().collect();
    }
    let is_standard = text.to_ascii_lowercase().contains("for=");
    let station = |text: &str| {
        if is_standard { forwarded_for(text).and_then(address::parse) } else { address::parse(text) }
    };
    let mut stations: Vec<_> = text.rsplit(',').take(STATIONS_MAX).map(station).collect();
    stations.reverse();
    stations
}

/// What one element of a `Forwarded` header says under `for`.
fn forwarded_for(element: &str) -> Option<&str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    Some(value.trim().trim_matches('"'))
}

/// What a line tells of the way that its request took.
pub(crate) struct Way(Vec<Option<IpAddr>>);

impl<'a> Draft<'_, 'a> {
    /// Reads the way off the first field of those that tell of it. What of it is no address is kept as
    /// a field that no column holds.
    pub(crate) fn way(&mut self, source: &'a Source) -> Way {
        for (slot, path) in &source.forwarded {
            let Some(value) = self.fields.slots[*slot].as_ref() else { continue };
            let stations: Vec<_> = match value {
                Value::List(items) => {
                    items.iter().filter_map(|item| Some(stations(&text_of(item)?))).flatten().collect()
                }
                value => text_of(value).map(|text| stations(text.trim())).unwrap_or_default(),
            };
            if stations.iter().any(Option::is_some) {
                if !stations.iter().all(Option::is_some) {
                    self.fields.rest.push((Cow::Borrowed(path), value.clone()));
                }
                self.row.xff = stations.iter().flatten().map(|ip| Cow::Owned(ip.to_string())).collect();
                return Way(stations);
            }
            let is_said = !crate::mapping::is_empty(value, &source.empty);
            self.fields.rest.extend(is_said.then(|| (Cow::Borrowed(path.as_str()), value.clone())));
        }
        Way(Vec::new())
    }

    /// Puts the client's address in the place of the proxy's. Where it cannot be known the event says
    /// so, and nothing is counted by the address.
    pub(crate) fn set_client(&mut self, way: &Way, trusted: Option<&Networks>, observe: &mut Observe) {
        if way.0.is_empty() && trusted.is_none() {
            return;
        }
        let Some(connected) = self.row.src_ip.as_deref().and_then(address::parse) else { return };
        match client(connected, &way.0, trusted) {
            Client::Connected => {}
            Client::Behind(address) => {
                let proxy = self.row.src_ip.replace(Cow::Owned(address.to_string()));
                self.row.peer_ip = self.row.peer_ip.take().or(proxy);
                // The port was the proxy's.
                self.row.src_port = None;
            }
            Client::Unknown => {
                self.flag(Some(EDGE_ADDRESS));
                observe.remove(ObservationKind::AuthByAddress);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn trusted() -> Networks {
        Networks::parse(["10.0.0.0/8", "192.0.2.7"]).expect("networks")
    }

    #[track_caller]
    fn check(connected: &str, way: &str, expected: &Client) {
        let way = if way.is_empty() { Vec::new() } else { stations(way) };
        assert_eq!(client(ip(connected), &way, Some(&trusted())), *expected);
    }

    #[test]
    fn trusted_hops_are_walked_back_from_the_right() {
        check("10.0.0.1", "203.0.113.9", &Client::Behind(ip("203.0.113.9")));
        check("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.2.3.4, 192.0.2.7", &Client::Behind(ip("203.0.113.9")));
        check(
            "10.0.0.1",
            r#"for=1.1.1.1, For="[2001:db8::1]:4711";proto=https"#,
            &Client::Behind(ip("2001:db8::1")),
        );
        check(
            "10.0.0.1",
            "PROXY TCP4 198.51.100.22 203.0.113.7 35646 80",
            &Client::Behind(ip("198.51.100.22")),
        );
    }

    #[test]
    fn who_is_not_trusted_cannot_speak_for_another() {
        check("198.51.100.1", "203.0.113.9", &Client::Connected);
        check("198.51.100.1", "10.0.0.1", &Client::Connected);
    }

    #[test]
    fn a_way_that_ends_among_our_own_tells_nobody() {
        for way in ["", "10.2.3.4", "203.0.113.9, unknown", "for=_hidden", "PROXY UNKNOWN", "for=", ","] {
            check("10.0.0.1", way, &Client::Unknown);
        }
    }

    #[test]
    fn without_trusted_hops_a_private_address_before_a_way_is_a_proxys() {
        let way = stations("203.0.113.9");
        assert_eq!(client(ip("10.0.0.1"), &way, None), Client::Unknown);
        assert_eq!(client(ip("100.64.0.1"), &way, None), Client::Unknown);
        assert_eq!(client(ip("10.0.0.1"), &[], None), Client::Connected);
        assert_eq!(client(ip("198.51.100.1"), &way, None), Client::Connected);
    }

    #[test]
    fn a_long_way_is_looked_at_from_its_end() {
        let long = format!("{}10.1.1.1", "203.0.113.9, ".repeat(10_000));
        assert_eq!(stations(&long).len(), STATIONS_MAX);
        check("10.0.0.1", &long, &Client::Behind(ip("203.0.113.9")));
    }

    #[test]
    fn what_is_no_network_is_named() {
        assert_eq!(Networks::parse(["10.0.0.0/8", "10.0.0.0/33"]), Err("10.0.0.0/33".to_owned()));
        assert!(trusted().contains(ip("::ffff:10.1.1.1")));
    }
}
