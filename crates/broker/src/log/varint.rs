//! Zig-zag variable-length integers, as records use them.

/// Takes one integer from the front of `bytes`; `None` when it is cut short or too long.
pub(crate) fn take(bytes: &mut &[u8]) -> Option<i64> {
    let mut value: u64 = 0;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

/// Takes a length and then so many bytes; a negative length is an absent value.
pub(crate) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = take(bytes)?;
    let Ok(length) = usize::try_from(length) else { return Some(None) };
    if length > bytes.len() {
        return None;
    }
    let (value, rest) = bytes.split_at(length);
    *bytes = rest;
    Some(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_negative_numbers_are_read() {
        assert_eq!(take(&mut [0x00].as_slice()), Some(0));
        assert_eq!(take(&mut [0x01].as_slice()), Some(-1));
        assert_eq!(take(&mut [0xac, 0x02].as_slice()), Some(150));
    }

    #[test]
    fn endless_numbers_are_refused() {
        assert_eq!(take(&mut [0xff; 20].as_slice()), None);
        assert_eq!(take(&mut [0x80].as_slice()), None);
    }

    #[test]
    fn announced_bytes_that_are_not_there_are_refused() {
        assert_eq!(take_bytes(&mut [0x08, 1, 2].as_slice()), None);
        assert_eq!(take_bytes(&mut [0x01].as_slice()), Some(None));
    }
}
