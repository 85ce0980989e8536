//! Where a secret's mark may stand: the few places of a text that are worth a closer look.

use super::Text;

/// What kind of mark may stand at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Underscore,
    /// `=` or `:`.
    Separator,
    Slash,
    Blank,
    Dash,
    Percent,
    Word,
    J,
}

/// What a byte may be a part of: one bit for each kind of mark. A blank has two, one for the word in
/// front of it and one for that behind.
type Bits = u16;

const UNDERSCORE: Bits = 1;
const EQUALS: Bits = 2;
const COLON: Bits = 4;
const SLASH: Bits = 8;
const BEHIND_SCHEME: Bits = 16;
const BEFORE_KEY: Bits = 32;
const DASH: Bits = 64;
const PERCENT: Bits = 128;
const WORD: Bits = 256;
const J: Bits = 512;
const ANY: Bits = Bits::MAX;

/// The mark that a byte is.
const AT: [Bits; 256] = table(
    0,
    &[
        (b"_", UNDERSCORE),
        (b"=", EQUALS),
        (b":", COLON),
        (b"/", SLASH),
        (b" ", BEHIND_SCHEME | BEFORE_KEY),
        (b"-", DASH),
        (b"%", PERCENT),
        (b"Agx", WORD),
        (b"J", J),
    ],
);

/// What may follow a byte: the last letter of a secret's name, what joins words, or what stands around it in
/// front of its separator, the first slash of a URL, the last letter of a scheme, what an option follows.
const BEFORE: [Bits; 256] = table(
    BEFORE_KEY | PERCENT,
    &[
        (b"kKcCpbosur", UNDERSCORE),
        (b"nytdeslpNYTDESLP_-. \"'\\", EQUALS | COLON),
        (b"/", SLASH),
        (b"rRcC", BEHIND_SCHEME),
        (b" \t\"'", DASH),
        (b"y", J),
    ],
);

/// What may stand in front of a byte.
const BEHIND: [Bits; 256] =
    table(ANY & !(BEFORE_KEY | PERCENT | WORD), &[(b"P", BEFORE_KEY), (b"23", PERCENT), (b"KSIlo", WORD)]);

/// A table in which every byte has some bits, and those listed have others besides.
const fn table(every: Bits, listed: &[(&[u8], Bits)]) -> [Bits; 256] {
    let mut table = [every; 256];
    let mut n = 0;
    while n < listed.len() {
        let (bytes, bits) = listed[n];
        let mut at = 0;
        while at < bytes.len() {
            table[bytes[at] as usize] |= bits;
            at += 1;
        }
        n += 1;
    }
    table
}

/// Words begin behind anything but letters and digits.
const fn may_precede(byte: u8) -> Bits {
    BEFORE[byte as usize] | if byte.is_ascii_alphanumeric() { 0 } else { WORD }
}

/// The same for texts of any kind.
const IN_PROSE: [Bits; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = may_precede(byte as u8);
        byte += 1;
    }
    table
};

/// What stands behind `"name":` the parser has told apart.
const IN_JSON: [Bits; 256] = {
    let mut table = IN_PROSE;
    table[b'"' as usize] &= !COLON;
    table
};

/// So many bytes are looked at in one go.
const GO: usize = 8;

/// The next place at or behind `from` where a mark may stand, and which.
pub(super) fn next_anchor(text: &[u8], from: usize, kind: Text) -> Option<(usize, Anchor)> {
    let before = if kind == Text::Json { &IN_JSON } else { &IN_PROSE };
    let may_precede = |at: usize| at.checked_sub(1).map_or(ANY, |at| before[usize::from(text[at])]);
    let here = |at: usize| {
        let behind = text.get(at + 1).map_or(ANY, |byte| BEHIND[usize::from(*byte)]);
        anchor(may_precede(at) & AT[usize::from(text[at])] & behind).map(|anchor| (at, anchor))
    };
    // What stands in front of a mark tells most others apart.
    let (chunks, _) = text.get(from..)?.as_chunks::<GO>();
    let mut preceding = if from < text.len() { may_precede(from) } else { return None };
    for (n, chunk) in chunks.iter().enumerate() {
        let mut any = 0;
        for byte in chunk {
            any |= preceding & AT[usize::from(*byte)];
            preceding = before[usize::from(*byte)];
        }
        let start = from + n * GO;
        if any != 0
            && let Some(found) = (start..start + GO).find_map(here)
        {
            return Some(found);
        }
    }
    (from + chunks.len() * GO..text.len()).find_map(here)
}

/// The mark that some bits stand for; a byte is one mark at most.
fn anchor(bits: Bits) -> Option<Anchor> {
    Some(match bits {
        0 => return None,
        UNDERSCORE => Anchor::Underscore,
        EQUALS | COLON => Anchor::Separator,
        SLASH => Anchor::Slash,
        DASH => Anchor::Dash,
        PERCENT => Anchor::Percent,
        WORD => Anchor::Word,
        J => Anchor::J,
        _ => Anchor::Blank,
    })
}
