//! A mutex that stays locked after a panic: what a panic left half-changed is not served.

use std::sync::{Mutex, MutexGuard};

/// A value behind a lock.
#[derive(Debug, Default)]
pub(crate) struct Guarded<T>(Mutex<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("no one panics while holding this lock")
    }
}
