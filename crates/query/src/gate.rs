//! How many queries run at once, altogether and for one scope.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use event::Scope;

use crate::QueryError;

/// Counts the queries that run. One scope may have half of the places, so that the others always
/// find one.
#[derive(Debug)]
pub(crate) struct Gate {
    places: usize,
    running: Mutex<HashMap<String, usize>>,
}

/// A place taken; dropping it frees it.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    scope: String,
}

impl Gate {
    pub(crate) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { places: places.max(1), running: Mutex::default() })
    }

    pub(crate) fn enter(self: &Arc<Self>, scope: &Scope) -> Result<Place, QueryError> {
        let scope = name_of(scope);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = running.values().sum();
        let mine = running.get(&scope).copied().unwrap_or(0);
        if all >= self.places || mine >= self.places.div_ceil(2) {
            return Err(QueryError::Busy(all));
        }
        running.insert(scope.clone(), mine + 1);
        Ok(Place { gate: Arc::clone(self), scope })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = self.gate.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.get_mut(&self.scope) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                running.remove(&self.scope);
            }
        }
    }
}

fn name_of(scope: &Scope) -> String {
    match scope {
        Scope::All => "*".to_owned(),
        Scope::Tenants(tenants) => tenants.iter().map(|tenant| tenant.as_str()).collect::<Vec<_>>().join(","),
    }
}

#[cfg(test)]
mod tests {
    use event::Tenant;

    use super::*;

    fn scope(tenant: &str) -> Scope {
        Scope::Tenants([Tenant::parse(tenant).expect("a tenant")].into())
    }

    #[test]
    fn one_partner_cannot_take_every_place() {
        let gate = Gate::new(4);
        let taken: Vec<_> = (0..2).map(|_| gate.enter(&scope("a")).expect("a place")).collect();
        assert!(matches!(gate.enter(&scope("a")), Err(QueryError::Busy(2))));
        let _other = gate.enter(&scope("b")).expect("a place");
        drop(taken);
        assert!(gate.enter(&scope("a")).is_ok());
    }
}
