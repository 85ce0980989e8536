//! What can go wrong with the control plane, by what the caller should do about it.

/// The control plane could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Busy, out of space or gone for now: nothing was changed, try again.
    #[error("the control database did not answer")]
    Unavailable(#[from] sqlx::Error),
    /// Made by a newer version, damaged, or not a database: stop and tell the operator.
    #[error("the control database cannot be used: {0}")]
    Unusable(String),
    /// The caller asked for something that cannot be: tell the caller.
    #[error("{0}")]
    Invalid(String),
}

impl ControlError {
    /// For JSON or names in the database that this version cannot read.
    pub(crate) fn damaged(what: &str, cause: impl std::fmt::Display) -> Self {
        Self::Unusable(format!("read {what}: {cause}"))
    }
}

/// An error with all its causes, as one sentence.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
