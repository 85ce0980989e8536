//! Values of parameters, from texts that people and programs write them as.

use crate::{Parameter, ParameterType};

impl ParameterType {
    /// All there are.
    pub const ALL: [Self; 12] = [
        Self::Bool,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Float32,
        Self::Float64,
        Self::Numeric,
        Self::Text,
        Self::Bytes,
        Self::Date,
        Self::Timestamp,
        Self::TimestampTz,
    ];

    /// Its name in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Int16 => "smallint",
            Self::Int32 => "integer",
            Self::Int64 => "bigint",
            Self::Float32 => "real",
            Self::Float64 => "double precision",
            Self::Numeric => "numeric",
            Self::Text => "text",
            Self::Bytes => "bytea",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::TimestampTz => "timestamp with time zone",
        }
    }

    /// The type of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Parameter {
    /// A value of this type from a text; `None` if it is none. Of a day or a moment the engine says so
    /// itself. Bytes are a text's own, or hex digits behind `\x`.
    pub fn read(kind: ParameterType, text: &str) -> Option<Self> {
        use ParameterType as P;
        let trimmed = text.trim();
        let value = match kind {
            P::Text => text.to_owned(),
            P::Bool => truth(trimmed)?.to_string(),
            P::Int16 => trimmed.parse::<i16>().ok()?.to_string(),
            P::Int32 => trimmed.parse::<i32>().ok()?.to_string(),
            P::Int64 => trimmed.parse::<i64>().ok()?.to_string(),
            P::Float32 => trimmed.parse::<f32>().ok()?.to_string(),
            P::Float64 => trimmed.parse::<f64>().ok()?.to_string(),
            P::Numeric => is_decimal(trimmed).then(|| trimmed.to_owned())?,
            P::Bytes => hex_of(text)?,
            P::Date | P::Timestamp | P::TimestampTz => trimmed.to_owned(),
        };
        Some(Self { kind, value: Some(value) })
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "on" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().filter(|byte| *byte == b'.').count() <= 1
        && digits != "."
}

fn hex_of(text: &str) -> Option<String> {
    match text.trim().strip_prefix("\\x") {
        Some(digits) => {
            let is_hex = digits.len() % 2 == 0 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hex.then(|| digits.to_ascii_lowercase())
        }
        None if text.contains('\\') => None,
        None => Some(text.bytes().map(|byte| format!("{byte:02x}")).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ParameterType as P;

    fn value(kind: P, text: &str) -> Option<String> {
        Parameter::read(kind, text)?.value
    }

    #[test]
    fn a_text_is_a_value_of_its_type_or_none() {
        for (kind, text, meant) in [
            (P::Bool, "t", Some("true")),
            (P::Int32, " 7", Some("7")),
            (P::Int16, "70000", None),
            (P::Int64, "1 OR true", None),
            (P::Numeric, "1; DROP", None),
            (P::Numeric, "-12.50", Some("-12.50")),
            (P::Bytes, "\\x00FF", Some("00ff")),
            (P::Bytes, "ab", Some("6162")),
            (P::Text, " as it is ", Some(" as it is ")),
        ] {
            assert_eq!(value(kind, text).as_deref(), meant, "{kind:?} {text}");
        }
    }

    #[test]
    fn every_type_is_known_by_its_name() {
        assert!(P::ALL.into_iter().all(|kind| P::parse(kind.name()) == Some(kind)));
    }
}
