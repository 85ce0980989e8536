//! Lets the disk refuse, in tests.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::{Operation, power};

struct Fault {
    below: PathBuf,
    operation: Operation,
    kind: io::ErrorKind,
    times: usize,
}

static FAULTS: Mutex<Vec<Fault>> = Mutex::new(Vec::new());

/// The next so many operations of that kind on files in or below `below` fail.
pub(crate) fn fail(below: &Path, operation: Operation, kind: io::ErrorKind, times: usize) {
    let fault = Fault { below: below.to_owned(), operation, kind, times };
    FAULTS.lock().unwrap().push(fault);
}

/// The disk is well again.
pub(crate) fn heal(below: &Path) {
    FAULTS.lock().unwrap().retain(|fault| fault.below != below);
}

pub(super) fn check(operation: Operation, path: &Path) -> io::Result<()> {
    power::check(path)?;
    let mut faults = FAULTS.lock().unwrap();
    let hits = |fault: &&mut Fault| {
        fault.times > 0 && fault.operation == operation && path.starts_with(&fault.below)
    };
    match faults.iter_mut().find(hits) {
        Some(fault) => {
            fault.times -= 1;
            Err(fault.kind.into())
        }
        None => Ok(()),
    }
}
