//! How much a record, a line and a JSON tree may be before we refuse to read them.

/// Bounds that are checked before anything is parsed.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A whole record above this is one reject.
    pub record_bytes_max: usize,
    /// A line, or an element of a JSON array, above this is a reject.
    pub line_bytes_max: usize,
    /// Lines of one record that are read, blank ones apart; what follows them is one reject.
    pub lines_max: usize,
    /// How deep brackets may nest. Parsers recurse, and a stack is finite.
    pub depth_max: usize,
    /// How far ahead of the broker's clock an event may be before its time is taken to be wrong.
    pub ahead_ms_max: i64,
    /// How many characters of a reject are kept.
    pub excerpt_chars_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes_max: 16 << 20,
            line_bytes_max: 1 << 20,
            lines_max: 200_000,
            depth_max: 64,
            ahead_ms_max: 5 * 60_000,
            excerpt_chars_max: 2_048,
        }
    }
}
