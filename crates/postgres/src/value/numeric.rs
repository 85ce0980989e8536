//! Decimal numbers: digits in groups of four, as `numeric_send` writes them.

use bytes::{BufMut, BytesMut};

const GROUP: u128 = 10_000;
const POSITIVE: u16 = 0;
const NEGATIVE: u16 = 0x4000;

pub(super) fn put_binary(body: &mut BytesMut, value: i128, scale: i8) {
    let (scale, mut groups) = match u8::try_from(scale) {
        // Behind the point there are whole groups: zeros fill the last one.
        Ok(scale) => (scale, groups(value.unsigned_abs(), scale)),
        Err(_) => (0, groups_of_large(value.unsigned_abs(), scale.unsigned_abs())),
    };
    let behind = usize::from(scale).div_ceil(4);
    while groups.len() < behind {
        groups.push(0);
    }
    // Groups are from the last to the first.
    let mut weight = groups.len() as i64 - behind as i64 - 1;
    while groups.last() == Some(&0) {
        groups.pop();
        weight -= 1;
    }
    let written: Vec<u16> = groups.iter().copied().rev().collect();
    let kept = written.len() - written.iter().rev().take_while(|group| **group == 0).count();
    body.put_u16(u16::try_from(kept).expect("38 digits are ten groups"));
    body.put_i16(if kept == 0 { 0 } else { i16::try_from(weight).expect("38 digits are ten groups") });
    body.put_u16(if value < 0 { NEGATIVE } else { POSITIVE });
    body.put_u16(scale.into());
    written.iter().take(kept).for_each(|group| body.put_u16(*group));
}

/// Groups of four digits from the last to the first, so that the point is between two of them.
fn groups(value: u128, scale: u8) -> Vec<u16> {
    let filler = (4 - scale % 4) % 4;
    let mut groups = Vec::new();
    // The last group is short of so many digits.
    let in_last = 10_u128.pow(4 - u32::from(filler));
    groups.push(group((value % in_last) * 10_u128.pow(filler.into())));
    let mut rest = value / in_last;
    while rest > 0 {
        groups.push(group(rest % GROUP));
        rest /= GROUP;
    }
    groups
}

/// A number with zeros to be put behind it.
fn groups_of_large(value: u128, zeros: u8) -> Vec<u16> {
    let mut all = vec![0; usize::from(zeros / 4)];
    let last = zeros % 4;
    let factor = 10_u128.pow(last.into());
    let (mut rest, mut carried) = (value, 0);
    while rest > 0 || carried > 0 {
        let part = (rest % GROUP) * factor + carried;
        all.push(group(part % GROUP));
        carried = part / GROUP;
        rest /= GROUP;
    }
    all
}

fn group(part: u128) -> u16 {
    u16::try_from(part).expect("a group is less than ten thousand")
}

pub(super) fn to_text(value: i128, scale: i8) -> String {
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    match usize::try_from(scale) {
        Ok(0) => format!("{sign}{digits}"),
        Ok(scale) => {
            let digits = format!("{digits:0>width$}", width = scale + 1);
            let (whole, behind) = digits.split_at(digits.len() - scale);
            format!("{sign}{whole}.{behind}")
        }
        Err(_) => format!("{sign}{digits}{}", "0".repeat(scale.unsigned_abs().into())),
    }
}
