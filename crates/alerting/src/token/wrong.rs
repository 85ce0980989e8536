//! How often an address has come with a wrong token lately.
//!
//! Only refusals are counted and only refusals are slowed down: behind a shared address, a valid
//! token is never kept out by a neighbour's wrong one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered. When there are more, those whose minute is over are forgotten; if none
/// is, all are, so that a flood of addresses costs the limit but no memory.
const ADDRESSES_MAX: usize = 10_000;

/// Wrong tokens by address, in a window of a minute that begins with the first.
#[derive(Debug)]
pub struct WrongTokens {
    per_minute_max: u32,
    by_address: Mutex<HashMap<IpAddr, (Instant, u32)>>,
}

impl WrongTokens {
    /// Of which one address may present so many in a minute.
    pub fn new(per_minute_max: u32) -> Self {
        Self { per_minute_max, by_address: Mutex::default() }
    }

    /// Counts one that came from `address`; says how long to wait if it was one too many.
    pub fn count(&self, address: IpAddr) -> Option<Duration> {
        self.count_at(network(address), Instant::now())
    }

    fn count_at(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let mut by_address = self.by_address.lock().expect("no holder of this lock panics");
        if by_address.len() >= ADDRESSES_MAX && !by_address.contains_key(&address) {
            by_address.retain(|_, (began, _)| now.duration_since(*began) < WINDOW);
            if by_address.len() >= ADDRESSES_MAX {
                by_address.clear();
            }
        }
        let (began, count) = by_address.entry(address).or_insert((now, 0));
        if now.duration_since(*began) >= WINDOW {
            (*began, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        (*count > self.per_minute_max).then(|| WINDOW.saturating_sub(now.duration_since(*began)))
    }
}

/// Whoever has an IPv6 address has its whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        network(text.parse().unwrap())
    }

    #[test]
    fn the_one_too_many_waits_for_the_minute_to_end() {
        let wrong = WrongTokens::new(2);
        let start = Instant::now();
        let count = |seconds| wrong.count_at(address("203.0.113.9"), start + Duration::from_secs(seconds));
        assert_eq!((count(0), count(1)), (None, None));
        assert_eq!(count(10), Some(Duration::from_secs(50)));
        assert_eq!(count(60), None);
    }

    #[test]
    fn neighbours_in_a_64_count_together_and_others_do_not() {
        let wrong = WrongTokens::new(1);
        let now = Instant::now();
        assert_eq!(wrong.count_at(address("2001:db8::1"), now), None);
        assert!(wrong.count_at(address("2001:db8::2"), now).is_some());
        assert_eq!(wrong.count_at(address("2001:db8:0:1::1"), now), None);
    }

    #[test]
    fn a_flood_of_addresses_costs_no_memory() {
        let wrong = WrongTokens::new(1);
        let now = Instant::now();
        for n in 0..30_000_u32 {
            wrong.count_at(IpAddr::V4(n.into()), now);
        }
        assert!(wrong.by_address.lock().unwrap().len() <= ADDRESSES_MAX);
    }
}
