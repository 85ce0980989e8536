//! What is wrong with a file of rules, where, and what would be right.

/// A file of rules that cannot be used: which file, which key, what is wrong and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {key}: {problem}; {cure}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct RuleError {
    /// The file.
    pub file: String,
    /// The line in it, from 1, where there is one.
    pub line: Option<usize>,
    /// The key in it, as a path.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub cure: String,
}
