//! A line being written: numbers, hex and addresses appended to bytes without the cost of `format!`.

use std::io::Write;
use std::net::Ipv6Addr;

use super::people::Address;

/// Bytes of one line.
pub(crate) struct Text(Vec<u8>);

const HEX: &[u8; 16] = b"0123456789abcdef";

impl Text {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(640))
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn put(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub(crate) fn number(&mut self, mut n: u64) -> &mut Self {
        let mut digits = [0_u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (n % 10) as u8;
            n /= 10;
            if n == 0 {
                break;
            }
        }
        self.0.extend_from_slice(&digits[at..]);
        self
    }

    /// Exactly `width` digits; what does not fit is cut off on the left.
    pub(crate) fn padded(&mut self, n: u64, width: u32) -> &mut Self {
        for place in (0..width).rev() {
            self.0.push(b'0' + (n / 10_u64.pow(place) % 10) as u8);
        }
        self
    }

    /// The last `digits` hex digits.
    pub(crate) fn hex(&mut self, n: u64, digits: u32) -> &mut Self {
        for place in (0..digits).rev() {
            self.0.push(HEX[(n >> (place * 4) & 15) as usize]);
        }
        self
    }

    pub(crate) fn address(&mut self, address: Address) -> &mut Self {
        match address {
            Address::V4(bits) => {
                let [a, b, c, d] = bits.to_be_bytes();
                self.number(a.into())
                    .put(".")
                    .number(b.into())
                    .put(".")
                    .number(c.into())
                    .put(".")
                    .number(d.into())
            }
            Address::V6(bits) => {
                write!(self.0, "{}", Ipv6Addr::from_bits(bits)).expect("a Vec takes every write");
                self
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_out_as_written_by_hand() {
        let mut text = Text::new();
        text.number(0).put(" ").number(u64::MAX).put(" ").padded(7, 3).put(" ").hex(0xbeef, 6);
        text.put(" ").address(Address::V4(0xc633_640a)).put(" ").address(Address::V6(0x2001_0db8 << 96 | 5));
        let bytes = text.into_bytes();
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            "0 18446744073709551615 007 00beef 198.51.100.10 2001:db8::5"
        );
    }
}
