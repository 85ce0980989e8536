//! Statements that are kept, with values for their parameters: so many for each token, and not for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use query::{Description, Parameter};
use rand::RngCore;
use tokio::time::Instant;
use tonic::Status;

use crate::FlightConfig;
use crate::access::Owner;
use crate::error::malformed;

/// A column's or a parameter's share of what a statement keeps in memory.
const DESCRIBED_BYTES: usize = 256;

/// A statement that is kept.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) sql: Arc<str>,
    pub(crate) description: Description,
    pub(crate) parameters: Vec<Parameter>,
}

impl Prepared {
    pub(crate) fn new(sql: String, description: Description) -> Self {
        Self { sql: sql.into(), description, parameters: Vec::new() }
    }

    fn bytes(&self) -> usize {
        let described = self.description.schema.fields().len() + self.description.parameters.len();
        let values: usize =
            self.parameters.iter().filter_map(|value| value.value.as_ref()).map(String::len).sum();
        self.sql.len() + DESCRIBED_BYTES * (1 + described + self.parameters.len()) + values
    }
}

/// The statements of everybody.
pub(crate) struct PreparedStatements {
    kept: Mutex<HashMap<Vec<u8>, Kept>>,
    max: usize,
    bytes_max: usize,
    unused_max: Duration,
}

struct Kept {
    owner: Owner,
    prepared: Prepared,
    used: Instant,
}

impl PreparedStatements {
    pub(crate) fn new(config: &FlightConfig) -> Self {
        Self {
            kept: Mutex::default(),
            max: config.prepared_max,
            bytes_max: config.prepared_bytes_max,
            unused_max: config.prepared_unused_max,
        }
    }

    /// Keeps a statement; gives the handle that its owner asks for it with.
    pub(crate) fn keep(&self, owner: Owner, prepared: Prepared) -> Result<Vec<u8>, Status> {
        self.keep_at(owner, prepared, Instant::now())
    }

    fn keep_at(&self, owner: Owner, prepared: Prepared, now: Instant) -> Result<Vec<u8>, Status> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, kept| now.duration_since(kept.used) < self.unused_max);
        let (count, bytes) = held(&kept, &owner, &[]);
        if count >= self.max || bytes + prepared.bytes() > self.bytes_max {
            return Err(self.no_room());
        }
        let mut handle = vec![0; 16];
        rand::rng().fill_bytes(&mut handle);
        let handle = hex::encode(handle).into_bytes();
        kept.insert(handle.clone(), Kept { owner, prepared, used: now });
        Ok(handle)
    }

    fn no_room(&self) -> Status {
        Status::resource_exhausted(format!(
            "a token keeps at most {} prepared statements of {} bytes; close those that are not used any more",
            self.max, self.bytes_max
        ))
    }

    /// A statement of this owner.
    pub(crate) fn get(&self, owner: &Owner, handle: &[u8]) -> Result<Prepared, Status> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get_mut(handle).filter(|kept| kept.owner == *owner).ok_or_else(unknown)?;
        found.used = Instant::now();
        Ok(found.prepared.clone())
    }

    /// Gives a statement its values, and what it answers with values of their types.
    pub(crate) fn bind(
        &self,
        owner: &Owner,
        handle: &[u8],
        description: Description,
        parameters: Vec<Parameter>,
    ) -> Result<(), Status> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, others) = held(&kept, owner, handle);
        let found = kept.get_mut(handle).filter(|kept| kept.owner == *owner).ok_or_else(unknown)?;
        let bound = Prepared { sql: Arc::clone(&found.prepared.sql), description, parameters };
        if others + bound.bytes() > self.bytes_max {
            return Err(self.no_room());
        }
        found.prepared = bound;
        found.used = Instant::now();
        Ok(())
    }

    /// Forgets a statement; one that is not there is forgotten already.
    pub(crate) fn close(&self, owner: &Owner, handle: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.get(handle).is_some_and(|kept| kept.owner == *owner) {
            kept.remove(handle);
        }
    }
}

/// How many statements somebody has, and of how many bytes, but for one.
fn held(kept: &HashMap<Vec<u8>, Kept>, owner: &Owner, but: &[u8]) -> (usize, usize) {
    let theirs = kept.iter().filter(|(handle, kept)| kept.owner == *owner && *handle != but);
    theirs.fold((0, 0), |(count, bytes), (_, kept)| (count + 1, bytes + kept.prepared.bytes()))
}

fn unknown() -> Status {
    malformed("there is no such prepared statement of yours: it was closed, or not used for too long")
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Schema;
    use query::ParameterType;
    use tonic::Code;

    use super::*;

    fn statements(max: usize, bytes_max: usize) -> PreparedStatements {
        let config =
            FlightConfig { prepared_max: max, prepared_bytes_max: bytes_max, ..FlightConfig::default() };
        PreparedStatements::new(&config)
    }

    fn nothing() -> Description {
        Description { parameters: Vec::new(), schema: Schema::empty().into() }
    }

    fn prepared(sql: &str) -> Prepared {
        Prepared::new(sql.to_owned(), nothing())
    }

    #[test]
    fn a_statement_is_its_owners_alone() {
        let statements = statements(2, 10_000);
        let handle = statements.keep([1; 32], prepared("SELECT 1")).unwrap();
        let refused = statements.get(&[2; 32], &handle).err().unwrap();
        assert_eq!(refused.code(), Code::InvalidArgument);
        statements.close(&[2; 32], &handle);
        assert_eq!(&*statements.get(&[1; 32], &handle).unwrap().sql, "SELECT 1");
        statements.close(&[1; 32], &handle);
        assert!(statements.get(&[1; 32], &handle).is_err());
    }

    #[test]
    fn an_owner_keeps_so_many_of_so_many_bytes() {
        let statements = statements(2, 1_000);
        let handle = statements.keep([1; 32], prepared("SELECT 1")).unwrap();
        assert!(statements.keep([1; 32], prepared(&"x".repeat(900))).is_err());
        let long = Parameter { kind: ParameterType::Text, value: Some("x".repeat(900)) };
        assert!(statements.bind(&[1; 32], &handle, nothing(), vec![long]).is_err());
        statements.keep([1; 32], prepared("SELECT 2")).unwrap();
        assert_eq!(
            statements.keep([1; 32], prepared("SELECT 3")).unwrap_err().code(),
            Code::ResourceExhausted
        );
        assert!(statements.keep([2; 32], prepared("SELECT 3")).is_ok());
    }

    #[test]
    fn what_nobody_uses_makes_room() {
        let statements = statements(1, 1_000);
        let now = Instant::now();
        let old = statements.keep_at([1; 32], prepared("SELECT 1"), now).unwrap();
        let later = now + statements.unused_max;
        statements.keep_at([1; 32], prepared("SELECT 2"), later).unwrap();
        assert!(statements.get(&[1; 32], &old).is_err());
    }
}
