//! Whether compressed records look like what their codec writes, without opening them.
//!
//! This keeps out bytes that no consumer could open. Damage further inside is not seen here: the
//! batch's checksum vouches for what its producer wrote.

const GZIP: i16 = 1;
const SNAPPY: i16 = 2;
const LZ4: i16 = 3;
const ZSTD: i16 = 4;

/// How Java's snappy begins; others write bare blocks.
const SNAPPY_FRAMED: &[u8] = b"\x82SNAPPY\0";

/// Whether compressed records may be this codec's.
pub(crate) fn is_plausible(codec: i16, compressed: &[u8]) -> bool {
    match codec {
        GZIP => compressed.starts_with(&[0x1f, 0x8b, 8]),
        SNAPPY => compressed.starts_with(SNAPPY_FRAMED) || walk_snappy(compressed).is_some(),
        LZ4 => compressed.starts_with(&[0x04, 0x22, 0x4d, 0x18]),
        ZSTD => compressed.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]),
        _ => false,
    }
}

/// A bare snappy block has no mark of its own, but says how much it will become, and must come to that.
fn walk_snappy(compressed: &[u8]) -> Option<()> {
    let mut left = compressed;
    let announced = length(&mut left)?;
    let mut made = 0_u64;
    while let Some((&tag, rest)) = left.split_first() {
        left = rest;
        let high = u64::from(tag >> 2);
        let (bytes, back) = match tag & 3 {
            0 => {
                let bytes = if high < 60 { high } else { number(&mut left, high as usize - 59)? } + 1;
                left = left.get(usize::try_from(bytes).ok()?..)?;
                (bytes, None)
            }
            1 => (4 + (high & 7), Some((u64::from(tag >> 5) << 8) + number(&mut left, 1)?)),
            2 => (1 + high, Some(number(&mut left, 2)?)),
            _ => (1 + high, Some(number(&mut left, 4)?)),
        };
        if back.is_some_and(|back| back == 0 || back > made) {
            return None; // a copy of what is not there
        }
        made += bytes;
        if made > announced {
            return None;
        }
    }
    (made == announced && made > 0).then_some(())
}

/// A little-endian number of so many bytes.
fn number(left: &mut &[u8], bytes: usize) -> Option<u64> {
    let (number, rest) = left.split_at_checked(bytes)?;
    *left = rest;
    Some(number.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// An unsigned variable-length number of at most 32 bits.
fn length(left: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in [0, 7, 14, 21, 28] {
        let byte = number(left, 1)?;
        value |= (byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_codecs_write_is_plausible() {
        assert!(is_plausible(GZIP, &[0x1f, 0x8b, 8, 0, 0, 0]));
        assert!(is_plausible(LZ4, &[0x04, 0x22, 0x4d, 0x18, 0x60]));
        assert!(is_plausible(ZSTD, &[0x28, 0xb5, 0x2f, 0xfd, 0x24]));
        assert!(is_plausible(SNAPPY, b"\x82SNAPPY\0\0\0\0\x01"));
        // "abcd", then 16 bytes from 4 back: 20 in all.
        assert!(is_plausible(SNAPPY, &[20, 3 << 2, b'a', b'b', b'c', b'd', 15 << 2 | 2, 4, 0]));
        // 61 bytes of literal, whose length stands behind the tag.
        let long = [&[61, 60 << 2, 60][..], &[b'x'; 61]].concat();
        assert!(is_plausible(SNAPPY, &long));
    }

    #[test]
    fn garbage_is_not() {
        for codec in [GZIP, SNAPPY, LZ4, ZSTD, 5] {
            for garbage in [&b""[..], b"\0", b"garbage", &[0xff; 40]] {
                assert!(!is_plausible(codec, garbage), "{codec}: {garbage:?}");
            }
        }
    }

    #[test]
    fn a_snappy_block_must_come_to_what_it_announces() {
        assert!(!is_plausible(SNAPPY, &[21, 3 << 2, b'a', b'b', b'c', b'd', 15 << 2 | 2, 4, 0]), "less");
        assert!(!is_plausible(SNAPPY, &[19, 3 << 2, b'a', b'b', b'c', b'd', 15 << 2 | 2, 4, 0]), "more");
        assert!(
            !is_plausible(SNAPPY, &[20, 3 << 2, b'a', b'b', b'c', b'd', 15 << 2 | 2, 5, 0]),
            "too far back"
        );
        assert!(!is_plausible(SNAPPY, &[4, 3 << 2, b'a', b'b']), "cut short");
    }
}
