//! Names that secrets stand under: in JSON keys, query parameters, headers, `name=value`.

use super::Kind;

/// So much of a name's end is looked at, without its `_` and `-`.
pub(crate) const NAME_BYTES_MAX: usize = 48;

/// Names end like this, once in lower case and without `_` and `-`: `accessToken`, `X-Api-Key`.
const ENDINGS: [(&str, Kind); 19] = [
    ("token", Kind::SessionToken),
    ("apikey", Kind::ApiKey),
    ("secretkey", Kind::ApiKey),
    ("accesskey", Kind::ApiKey),
    ("privatekey", Kind::Secret),
    ("signingkey", Kind::Secret),
    ("secret", Kind::Secret),
    ("password", Kind::Password),
    ("passwd", Kind::Password),
    ("passphrase", Kind::Password),
    ("pwd", Kind::Password),
    ("authorization", Kind::Authorization),
    ("cookie", Kind::Secret),
    ("cookies", Kind::Secret),
    ("jwt", Kind::Jwt),
    ("sessionid", Kind::Session),
    ("sessid", Kind::Session),
    ("credential", Kind::Secret),
    ("credentials", Kind::Secret),
];

/// Names that are these, or whose last word is: as mere endings they belong to innocent words.
const WHOLE: [(&str, Kind); 4] =
    [("pass", Kind::Password), ("sid", Kind::Session), ("otp", Kind::Password), ("totp", Kind::Password)];

/// What kind of secret stands under a name, if one does.
pub(crate) fn secret_name(name: &[u8]) -> Option<Kind> {
    if !may_end(name) {
        return None;
    }
    // The shell's variable, which sudo logs: a folder, not a password.
    if name == b"PWD" {
        return None;
    }
    let mut plain = [0_u8; NAME_BYTES_MAX];
    let mut start = NAME_BYTES_MAX;
    for byte in name.iter().rev().filter(|byte| !matches!(byte, b'_' | b'-' | b'.')) {
        // Of what is longer the end tells: a token may stand right in front of a name.
        let Some(before) = start.checked_sub(1) else { break };
        plain[before] = byte.to_ascii_lowercase();
        start = before;
    }
    let plain = &plain[start..];
    let last = plain.last()?;
    let ends_like =
        |ending: &str| ending.as_bytes().last() == Some(last) && plain.ends_with(ending.as_bytes());
    WHOLE
        .iter()
        .find(|(word, _)| plain == word.as_bytes() || ends_with_word(name, word.as_bytes()))
        .or_else(|| ENDINGS.iter().find(|(ending, _)| ends_like(ending)))
        .map(|(_, kind)| *kind)
}

/// Whether a name's last two letters are those of any of the names above: most are told apart by them.
fn may_end(name: &[u8]) -> bool {
    let [.., before, last] = name else { return false };
    match last.to_ascii_lowercase() {
        // What joins words does not count, so the letter that does stands farther in front.
        _ if matches!(before, b'_' | b'-' | b'.') => true,
        b'_' | b'-' | b'.' => true,
        b'n' => matches!(before, b'e' | b'E' | b'o' | b'O'),
        b'y' => matches!(before, b'e' | b'E'),
        b't' => matches!(before, b'e' | b'E' | b'w' | b'W'),
        b'd' => matches!(before, b'r' | b'R' | b'w' | b'W' | b'i' | b'I'),
        b'e' => matches!(before, b's' | b'S' | b'i' | b'I'),
        b's' => matches!(before, b'e' | b'E' | b's' | b'S' | b'l' | b'L'),
        b'l' => matches!(before, b'a' | b'A'),
        b'p' => matches!(before, b't' | b'T'),
        _ => false,
    }
}

/// Whether the last of a name's words is this one: `DB_PASS`, `dbPass`, but not `bypass`.
fn ends_with_word(name: &[u8], word: &[u8]) -> bool {
    let Some((before, last)) = name.len().checked_sub(word.len()).map(|at| name.split_at(at)) else {
        return false;
    };
    let joint = before.last().is_some_and(|byte| match byte {
        b'_' | b'-' | b'.' => true,
        b'a'..=b'z' => last[0].is_ascii_uppercase(),
        _ => false,
    });
    joint && last.eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_any_spelling() {
        for name in ["token", "access_token", "accessToken", "X-Auth-Token"] {
            assert_eq!(secret_name(name.as_bytes()), Some(Kind::SessionToken), "{name}");
        }
        for name in ["X-API-Key", "apikey", "aws_secret_access_key"] {
            assert_eq!(secret_name(name.as_bytes()), Some(Kind::ApiKey), "{name}");
        }
        assert_eq!(secret_name(b"Authorization"), Some(Kind::Authorization));
        for name in ["PASSWORD", "pass", "DB_PASS", "dbPass", "otp", "user-otp"] {
            assert_eq!(secret_name(name.as_bytes()), Some(Kind::Password), "{name}");
        }
        for name in ["sid", "connect.sid", "PHPSESSID", "JSESSIONID"] {
            assert_eq!(secret_name(name.as_bytes()), Some(Kind::Session), "{name}");
        }
        assert_eq!(secret_name(b"cookies"), Some(Kind::Secret));
    }

    #[test]
    fn every_name_is_known_however_its_end_is_written() {
        for (word, kind) in WHOLE.iter().chain(&ENDINGS) {
            let (start, end) = word.split_at(word.len() - 1);
            for name in [
                word.to_string(),
                format!("X_{}", word.to_uppercase()),
                format!("{start}_{end}"),
                format!("x-{word}"),
                format!("{word}_"),
                format!("{word}--"),
                format!("{}_{word}", "9f2c4e7a".repeat(8)),
            ] {
                assert_eq!(secret_name(name.as_bytes()), Some(*kind), "{name}");
            }
        }
    }

    #[test]
    fn names_of_ids_and_fingerprints_are_not() {
        for name in [
            "token_fp",
            "api_key_id",
            "tokens",
            "token_type",
            "key",
            "monkey",
            "user_ref",
            "",
            "bypass",
            "compass",
            "inside",
            "TSID",
            "PWD",
            "stop",
            "accessKeyId",
        ] {
            assert_eq!(secret_name(name.as_bytes()), None, "{name}");
        }
    }
}
