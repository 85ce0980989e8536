//! How many connections each token has open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many connections each token has open.
#[derive(Debug, Default)]
pub struct ByToken(Mutex<HashMap<String, usize>>);

/// One of them, while it lives.
#[derive(Debug)]
pub struct OfToken {
    name: String,
    by_token: Arc<ByToken>,
}

impl ByToken {
    /// One more of the token with this name, unless it has `max` already.
    pub fn enter(self: &Arc<Self>, name: &str, max: usize) -> Option<OfToken> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(name.to_owned()).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(OfToken { name: name.to_owned(), by_token: Arc::clone(self) })
    }
}

impl Drop for OfToken {
    fn drop(&mut self) {
        let mut open = self.by_token.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_so_many_connections_and_gets_them_back() {
        let by_token = Arc::new(ByToken::default());
        let first = by_token.enter("a", 1).expect("the first");
        assert!(by_token.enter("a", 1).is_none());
        assert!(by_token.enter("b", 1).is_some());
        drop(first);
        assert!(by_token.enter("a", 1).is_some());
        assert!(by_token.0.lock().unwrap().is_empty());
    }
}
