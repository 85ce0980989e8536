//! How many queries run at once, altogether and for one partner.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use event::{Scope, Tenant};

use crate::QueryError;

/// Counts the queries that run. One partner may have half of the places, and all partners together
/// may have all but one: that one is kept for who sees every partner, and has to find out what goes on.
#[derive(Debug)]
pub(crate) struct Gate {
    places: usize,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    of_partners: usize,
    by_partner: HashMap<Tenant, usize>,
    of_all_seeing: usize,
}

/// A place taken; dropping it frees it.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    scope: Scope,
}

impl Gate {
    pub(crate) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { places: places.max(1), running: Mutex::default() })
    }

    pub(crate) fn enter(self: &Arc<Self>, scope: &Scope) -> Result<Place, QueryError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let all = running.of_partners + running.of_all_seeing;
        let is_free = all < self.places
            && match scope {
                Scope::All => running.of_all_seeing < self.places.div_ceil(2),
                Scope::Tenants(partners) => {
                    let of_one = partners.iter().filter_map(|partner| running.by_partner.get(partner)).max();
                    running.of_partners < (self.places - 1).max(1)
                        && of_one.is_none_or(|of_one| *of_one < (self.places / 2).max(1))
                }
            };
        if !is_free {
            return Err(QueryError::Busy(all));
        }
        match scope {
            Scope::All => running.of_all_seeing += 1,
            Scope::Tenants(partners) => {
                running.of_partners += 1;
                for partner in partners {
                    *running.by_partner.entry(partner.clone()).or_default() += 1;
                }
            }
        }
        Ok(Place { gate: Arc::clone(self), scope: scope.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = self.gate.running.lock().unwrap_or_else(PoisonError::into_inner);
        match &self.scope {
            Scope::All => running.of_all_seeing -= 1,
            Scope::Tenants(partners) => {
                running.of_partners -= 1;
                for partner in partners {
                    if let Some(count) = running.by_partner.get_mut(partner) {
                        *count -= 1;
                    }
                }
                running.by_partner.retain(|_, count| *count > 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(partners: &[&str]) -> Scope {
        Scope::Tenants(partners.iter().map(|partner| Tenant::parse(partner).expect("a tenant")).collect())
    }

    #[test]
    fn one_partner_cannot_take_every_place() {
        let gate = Gate::new(4);
        let taken: Vec<_> = (0..2).map(|_| gate.enter(&scope(&["a"])).expect("a place")).collect();
        assert!(matches!(gate.enter(&scope(&["a"])), Err(QueryError::Busy(2))));
        let _other = gate.enter(&scope(&["b"])).expect("a place");
        drop(taken);
        assert!(gate.enter(&scope(&["a"])).is_ok());
    }
    #[test]
    fn a_partner_counts_in_every_scope_that_holds_it() {
        let gate = Gate::new(4);
        let _alone = gate.enter(&scope(&["a"])).expect("a place");
        let _with_another = gate.enter(&scope(&["a", "b"])).expect("a place");
        assert!(matches!(gate.enter(&scope(&["a", "c"])), Err(QueryError::Busy(2))));
        assert!(gate.enter(&scope(&["b"])).is_ok());
    }

    #[test]
    fn partners_leave_a_place_for_who_sees_them_all() {
        let gate = Gate::new(4);
        let taken: Vec<_> = ["a", "a", "b"].map(|of| gate.enter(&scope(&[of])).expect("a place")).into();
        assert!(matches!(gate.enter(&scope(&["c"])), Err(QueryError::Busy(3))));
        assert!(gate.enter(&Scope::All).is_ok());
        drop(taken);
        let _all_seeing: Vec<_> = (0..2).map(|_| gate.enter(&Scope::All).expect("a place")).collect();
        assert!(gate.enter(&Scope::All).is_err());
        assert!(gate.enter(&scope(&["c"])).is_ok());
    }

    #[test]
    fn a_single_place_is_for_everybody() {
        let gate = Gate::new(1);
        drop(gate.enter(&scope(&["a"])).expect("a place"));
        let _taken = gate.enter(&Scope::All).expect("a place");
        assert!(gate.enter(&scope(&["a"])).is_err());
    }
}
