//! Who sits where: the addresses and browsers of users, attackers and backends.
//!
//! Nobody is stored. What a user's address is follows from the user's number, so a hundred
//! thousand users cost nothing. All addresses are of ranges reserved for documentation and
//! benchmarks, so that no traffic of ours accuses anybody.

use super::dice::mix;

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    V4(u32),
    V6(u128),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::V4(bits) => std::net::Ipv4Addr::from_bits(bits).fmt(f),
            Self::V6(bits) => std::net::Ipv6Addr::from_bits(bits).fmt(f),
        }
    }
}

/// 198.18.0.0/16, where users live.
const HOMES: u32 = 0xc612_0000;
/// 198.19.0.0/16, where attackers do.
const LAIRS: u32 = 0xc613_0000;
/// 198.51.100.0/24, where partners' backends stand.
const BACKENDS: u32 = 0xc633_6400;
/// 2001:db8::/32.
const HOMES_V6: u128 = 0x2001_0db8 << 96;

/// How many users share an office, and so an address.
const USERS_PER_OFFICE: u64 = 60;

/// One of a partner's users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// What `usr_…` says; unique within the partner.
    pub(crate) number: u64,
    /// A hash of partner and number, from which the rest follows.
    nature: u64,
}

impl User {
    pub(crate) fn new(partner: usize, number: u64) -> Self {
        Self { number, nature: mix(partner as u64 + 1, number) }
    }

    /// Three in ten sit in an office behind one address, one in seven has IPv6, the rest are at home.
    pub(crate) fn address(self) -> Address {
        let home = mix(self.nature, 1);
        match self.nature % 100 {
            0..30 => Address::V4(HOMES | mix(self.number / USERS_PER_OFFICE, 2) as u32 & 0xffff),
            30..44 => Address::V6(HOMES_V6 | u128::from(home as u32) << 64 | 1),
            _ => Address::V4(HOMES | home as u32 & 0xffff),
        }
    }

    pub(crate) fn browser(self) -> &'static str {
        BROWSERS[(mix(self.nature, 3) % BROWSERS.len() as u64) as usize]
    }

    /// A browser that is not this user's.
    pub(crate) fn other_browser(self) -> &'static str {
        BROWSERS[((mix(self.nature, 3) + 3) % BROWSERS.len() as u64) as usize]
    }
}

/// An address of the `attack`-th attacker: each attacker has a /24 to itself.
pub(crate) fn attacker(attack: u64, host: u64) -> Address {
    Address::V4(LAIRS | (attack as u32 & 0xff) << 8 | (1 + host as u32 % 250))
}

/// A partner's `n`-th backend.
pub(crate) fn backend(partner: usize, n: u64) -> Address {
    Address::V4(BACKENDS | (10 + (partner as u32 * 2 + n as u32 % 2) % 240))
}

/// A workstation of a partner's staff.
pub(crate) fn workstation(person: u64) -> Address {
    Address::V4(BACKENDS | (250 + person as u32 % 4))
}

const BROWSERS: [&str; 8] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:136.0) Gecko/20100101 Firefox/136.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:136.0) Gecko/20100101 Firefox/136.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36 Edg/134.0.0.0",
    "Mozilla/5.0 (iPad; CPU OS 17_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3 Mobile/15E148 Safari/604.1",
];
