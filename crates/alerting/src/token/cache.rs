//! Who called a moment ago, so that not every request asks the database.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Principal;

/// How many callers are remembered between requests, and for how long: the time after which a
/// revocation by another process, or an expiry, takes hold.
const CACHE_MAX: usize = 1_024;
const CACHE_FOR: Duration = Duration::from_secs(5);

/// Who called a moment ago, by the hash of their token. Only good tokens are remembered, so that
/// nobody can fill it with bad ones.
#[derive(Default)]
pub(crate) struct TokenCache {
    inner: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    /// Rises with each revocation, so that what was read before it is not remembered after it.
    generation: u64,
    principals: HashMap<String, (Principal, Instant)>,
}

impl TokenCache {
    pub(super) fn get(&self, hash: &str) -> Option<Principal> {
        let cached = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (principal, since) = cached.principals.get(hash)?;
        (since.elapsed() < CACHE_FOR).then(|| principal.clone())
    }

    pub(super) fn generation(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).generation
    }

    pub(super) fn put(&self, hash: String, principal: Principal, generation: u64) {
        let mut cached = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.generation != generation {
            return;
        }
        if cached.principals.len() >= CACHE_MAX {
            cached.principals.clear();
        }
        cached.principals.insert(hash, (principal, Instant::now()));
    }

    pub(super) fn clear(&self) {
        let mut cached = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        cached.generation += 1;
        cached.principals.clear();
    }
}
