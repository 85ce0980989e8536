//! Where requests may go: the guard between a configured URL and the inside of our network.
//!
//! A name is resolved and judged in the same step that hands addresses to the connector, so a name
//! that answers differently the second time (DNS rebinding) gains nothing. Redirects are not
//! followed, proxies from the environment are not used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;
use url::{Host, Url};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Which addresses a destination may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Egress {
    /// Only those of the public internet, by TLS only.
    Public,
    /// Also loopback and private networks, also without TLS. Never link-local addresses, where
    /// clouds keep their metadata service, nor multicast.
    Private,
}

/// An address that a destination may not have. It does not say which: the answer to "what does
/// this name resolve to in there" is not for whoever configures URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address is loopback, private or reserved; set allow_private if it is meant")]
pub(crate) struct Forbidden;

impl Egress {
    /// An HTTP client that can reach nothing else.
    pub(crate) fn client(self, timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
        reqwest::Client::builder()
            .dns_resolver(Arc::new(self))
            .https_only(self == Self::Public)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .user_agent(concat!("watchfire/", env!("CARGO_PKG_VERSION")))
            .build()
    }

    /// Judges a URL's scheme and, where its host is an address, that address: connectors do not
    /// ask a resolver about those. Octal, decimal and hexadecimal spellings were undone by `Url`.
    pub(crate) fn check(self, url: &Url) -> Result<(), String> {
        match (url.scheme(), self) {
            ("https", _) | ("http", Self::Private) => {}
            ("http", Self::Public) => return Err("must be https, or set allow_private".into()),
            _ => return Err("must be https".into()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must hold no user name or password".into());
        }
        let address = match url.host() {
            Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
            Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err("must name a host".into()),
        };
        self.admit(address).map_err(|e| e.to_string())
    }

    fn admit(self, address: IpAddr) -> Result<(), Forbidden> {
        match (reach(address), self) {
            (Reach::Public, _) | (Reach::Private, Self::Private) => Ok(()),
            _ => Err(Forbidden),
        }
    }
}

impl Resolve for Egress {
    fn resolve(&self, name: Name) -> Resolving {
        let egress = *self;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One bad address condemns the name: a receiver has no business being both out there and in here.
            for address in &found {
                egress.admit(address.ip())?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Public,
    Private,
    Never,
}

fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => embedded_v4(v6).map_or_else(|| reach_v6(v6), reach_v4),
    }
}

fn reach_v4(v4: Ipv4Addr) -> Reach {
    let [a, b, c, _] = v4.octets();
    match (a, b, c) {
        (0, ..) | (169, 254, _) | (224.., ..) => Reach::Never,
        (127, ..) | (10, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => Reach::Private,
        (192, 0, 0 | 2) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => Reach::Private,
        _ => Reach::Public,
    }
}

fn reach_v6(v6: Ipv6Addr) -> Reach {
    let [first, second, ..] = v6.segments();
    if v6 == Ipv6Addr::LOCALHOST {
        return Reach::Private;
    }
    match (first, second) {
        // The metadata service of EC2 is the one private address that nobody means.
        (0xfd00, 0x0ec2) => Reach::Never,
        (0xfc00..=0xfdff, _) => Reach::Private,
        (0x2001, 0x0db8 | 0) => Reach::Never,
        // Only 2000::/3 has been given out; link-local, multicast and the rest are elsewhere.
        (0x2000..=0x3fff, _) => Reach::Public,
        _ => Reach::Never,
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, NAT64 or 6to4.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0..=1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(v4(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(v4(high, low)),
        [0x64, 0xff9b, _, _, _, _, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(egress: Egress, url: &str) -> bool {
        egress.check(&Url::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn every_spelling_of_an_inside_address_is_refused() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0.0.0.0",
            "0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "255.255.255.255",
            "224.0.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[fe80::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[ff02::1]",
            "[fec0::1]",
            "[2001:db8::1]",
        ] {
            assert!(!verdict(Egress::Public, &format!("https://{host}/hook")), "{host}");
        }
    }

    #[test]
    fn the_outside_is_allowed() {
        for host in ["events.pagerduty.com", "8.8.8.8", "172.32.0.1", "[2606:4700::1111]"] {
            assert!(verdict(Egress::Public, &format!("https://{host}/hook")), "{host}");
        }
    }

    #[test]
    fn metadata_is_refused_even_where_private_addresses_are_meant() {
        assert!(verdict(Egress::Private, "http://127.0.0.1:8080/hook"));
        assert!(verdict(Egress::Private, "https://10.0.0.7/hook"));
        for host in ["169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "0.0.0.0"] {
            assert!(!verdict(Egress::Private, &format!("http://{host}/")), "{host}");
        }
    }

    #[test]
    fn only_http_and_only_with_tls() {
        for url in [
            "http://hooks.example/",
            "gopher://hooks.example/",
            "file:///etc/passwd",
            "https://u:p@hooks.example/",
        ] {
            assert!(!verdict(Egress::Public, url), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_when_it_is_connected_to() {
        let client = Egress::Public.client(Duration::from_secs(5)).unwrap();
        let error = client.post("https://localhost:9/").send().await.unwrap_err();
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        let mut text = String::new();
        while let Some(e) = cause {
            text.push_str(&e.to_string());
            cause = e.source();
        }
        assert!(text.contains("loopback, private or reserved"), "{text}");
    }
}
