//! Where a page of alerts ended, as text that callers hand back without reading it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ControlError;

/// Says what the number counts, so that another kind of list cannot be continued with it.
const TAG: &[u8] = b"alerts1:";

/// The page ended with the alert that opened with this number.
pub(crate) fn encode(opened_sequence: i64) -> String {
    URL_SAFE_NO_PAD.encode([TAG, &opened_sequence.to_be_bytes()].concat())
}

/// The number again. A cursor says where, never what: a forged one shows nothing that the
/// scope does not.
pub(crate) fn decode(cursor: &str) -> Result<i64, ControlError> {
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| Some(i64::from_be_bytes(bytes.strip_prefix(TAG)?.try_into().ok()?)))
        .ok_or_else(|| ControlError::Invalid("cursor is not one that a page of alerts ended with".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_way_there_and_back() {
        assert_eq!(decode(&encode(4_711)).unwrap(), 4_711);
    }

    #[test]
    fn anything_else_is_no_cursor() {
        for bad in ["", "AAAA", "4711", "YWxlcnRzMTo", "' OR 1=1 --"] {
            assert!(matches!(decode(bad), Err(ControlError::Invalid(_))), "{bad}");
        }
    }
}
