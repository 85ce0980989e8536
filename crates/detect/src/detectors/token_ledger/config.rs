//! What may be set.

use serde::{Deserialize, Serialize};

use super::NAME;
use crate::config::in_range;
use crate::rules::Parameters;

/// When tokens that nobody issued, or nobody redeems, are too many.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenLedgerConfig {
    /// How long a token lives: 300 s by the platform's contract. For so long issuing must have been seen before
    /// anything is said of tokens that were not.
    pub ttl_ms: i64,
    /// By how much clocks may differ: as for `token_reuse`.
    pub skew_ms: i64,
    /// Issuing must have been told of within so long before a token is said never to have been issued.
    pub armed_ms: i64,
    /// How long it is remembered that a token was issued: a day, as tokens that are presented again are.
    pub memory_ms: i64,
    /// So many different tokens that nobody issued, of one network or one partner ...
    pub unknown_tokens: usize,
    /// ... within so long are told. With 256 bits a token is a copy error or of another environment, five are not.
    pub unknown_window_ms: i64,
    /// From so many on it is high.
    pub unknown_tokens_many: usize,
    /// Hours in which fewer tokens were issued say nothing of how many are redeemed.
    pub issued_min: u64,
    /// Of the tokens of an hour so great a share was not redeemed ...
    pub unredeemed_share: f64,
    /// ... where of those of the hours before no greater share was not.
    pub unredeemed_usual_max: f64,
    /// So many such hours must be known.
    pub usual_hours_min: usize,
}

impl Default for TokenLedgerConfig {
    fn default() -> Self {
        Self {
            ttl_ms: 300_000,
            skew_ms: 30_000,
            armed_ms: 600_000,
            memory_ms: 86_400_000,
            unknown_tokens: 5,
            unknown_window_ms: 300_000,
            unknown_tokens_many: 50,
            issued_min: 50,
            unredeemed_share: 0.9,
            unredeemed_usual_max: 0.5,
            usual_hours_min: 6,
        }
    }
}

impl Parameters for TokenLedgerConfig {
    const DETECTOR: &'static str = NAME;

    fn validate(&self) -> Result<(), String> {
        for (name, share) in
            [("unredeemed_share", self.unredeemed_share), ("unredeemed_usual_max", self.unredeemed_usual_max)]
        {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("{NAME}.{name}: must be between 0 and 1, is {share}"));
            }
        }
        in_range("token_ledger.ttl_ms", self.ttl_ms, 1_000, 86_400_000)?;
        in_range("token_ledger.skew_ms", self.skew_ms, 0, 600_000)?;
        in_range("token_ledger.armed_ms", self.armed_ms, 60_000, 86_400_000)?;
        in_range("token_ledger.memory_ms", self.memory_ms, self.ttl_ms + 7_200_000, 30 * 86_400_000)?;
        in_range("token_ledger.unknown_tokens", self.unknown_tokens as i64, 2, 10_000)?;
        in_range("token_ledger.unknown_window_ms", self.unknown_window_ms, 10_000, 3_600_000)?;
        let many = self.unknown_tokens_many as i64;
        in_range("token_ledger.unknown_tokens_many", many, self.unknown_tokens as i64, 100_000)?;
        in_range("token_ledger.issued_min", self.issued_min as i64, 10, 1_000_000)?;
        in_range("token_ledger.usual_hours_min", self.usual_hours_min as i64, 1, 168)
    }
}
