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

/// The next place at or behind `from` where a mark may stand, and which.
pub(super) fn next_anchor(text: &[u8], from: usize, kind: Text) -> Option<(usize, Anchor)> {
    let before = if kind == Text::Json { &IN_JSON } else { &IN_PROSE };
    let marks = |before: Bits, at: u8, behind: Bits| before & AT[at as usize] & behind;
    let behind = |at: usize| text.get(at + 1).map_or(ANY, |byte| BEHIND[*byte as usize]);
    if from == 0 {
        let anchor = anchor(marks(ANY, *text.first()?, behind(0)));
        if let Some(anchor) = anchor {
            return Some((0, anchor));
        }
    }
    let start = from.max(1);
    let marks_of = |triple: &[u8]| marks(before[triple[0] as usize], triple[1], BEHIND[triple[2] as usize]);
    let mut triples = text.get(start - 1..)?.windows(3);
    if let Some(steps) = triples.position(|triple| marks_of(triple) != 0) {
        let at = start + steps;
        return anchor(marks_of(&text[at - 1..at + 2])).map(|anchor| (at, anchor));
    }
    let last = text.len().checked_sub(1).filter(|last| *last >= start)?;
    anchor(marks(before[text[last - 1] as usize], text[last], ANY)).map(|anchor| (last, anchor))
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
