//! How threads are asked to stop.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Asked once, heard by every clone.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<(Mutex<bool>, Condvar)>);

impl Shutdown {
    /// Asks everybody to finish what they are at and stop.
    pub fn request(&self) {
        *self.0.0.lock().expect("no holder of this lock panics") = true;
        self.0.1.notify_all();
    }

    /// Whether it was asked.
    pub fn is_requested(&self) -> bool {
        *self.0.0.lock().expect("no holder of this lock panics")
    }

    /// Waits so long, or until it is asked. Says whether it was.
    pub fn wait(&self, timeout: Duration) -> bool {
        let guard = self.0.0.lock().expect("no holder of this lock panics");
        let (guard, _) = self
            .0
            .1
            .wait_timeout_while(guard, timeout, |asked| !*asked)
            .expect("no holder of this lock panics");
        *guard
    }
}
