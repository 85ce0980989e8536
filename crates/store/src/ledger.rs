//! Which positions a table has, and whether a batch's positions are new to it. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use event::Positions;

use crate::StoreError;

/// A Kafka topic and partition.
pub(crate) type Place = (Arc<str>, i32);

/// Where some partitions stood in the table when a batch was begun.
pub(crate) type Expected = BTreeMap<Place, Option<i64>>;

/// The positions of one table, as far as they were asked for.
///
/// `logged` is what the Delta log says. `told` is what our caller was last told, by `committed`
/// or by a successful append: where its reading stands. As long as both agree, nobody else has
/// written the partition in between, so a batch cannot hold rows that are stored already.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    logged: HashMap<Place, Option<i64>>,
    told: HashMap<Place, Option<i64>>,
}

impl Ledger {
    /// The app id under which a partition's position stands in the Delta log.
    pub(crate) fn app_id((topic, partition): &Place) -> String {
        format!("watchfire/{topic}/{partition}")
    }

    /// The place that an app id names, if it is one of ours.
    pub(crate) fn place(app_id: &str) -> Option<Place> {
        let (topic, partition) = app_id.strip_prefix("watchfire/")?.rsplit_once('/')?;
        Some((topic.into(), partition.parse().ok()?))
    }

    /// Whether the log's position of a place is known.
    pub(crate) fn knows(&self, place: &Place) -> bool {
        self.logged.contains_key(place)
    }

    /// Notes what the log says.
    pub(crate) fn log(&mut self, place: Place, next: Option<i64>) {
        self.logged.insert(place, next);
    }

    /// Forgets what the log said, because it moved on unseen. What the caller was told stands.
    pub(crate) fn forget_log(&mut self) {
        self.logged.clear();
    }

    /// Tells the caller where to read on.
    pub(crate) fn tell(&mut self, place: &Place) -> Option<i64> {
        let next = self.logged.get(place).copied().flatten();
        self.told.insert(place.clone(), next);
        next
    }

    /// What the caller believes of the partitions that it has read, to hold against the log later.
    pub(crate) fn expect(&mut self, positions: &Positions) -> Expected {
        positions
            .iter()
            .map(|(topic, partition, _)| {
                let place = (Arc::clone(topic), partition);
                let logged = self.logged.get(&place).copied().flatten();
                let told = *self.told.entry(place.clone()).or_insert(logged);
                (place, told)
            })
            .collect()
    }

    /// Whether a batch up to `positions`, begun when the partitions stood at `expected`, is new.
    pub(crate) fn check(&mut self, positions: &Positions, expected: &Expected) -> Result<(), StoreError> {
        let stored = |ledger: &Self, place: &Place, next: i64| {
            ledger.logged.get(place).copied().flatten().is_some_and(|logged| next <= logged)
        };
        let places: Vec<(Place, i64)> =
            positions.iter().map(|(topic, partition, next)| ((Arc::clone(topic), partition), next)).collect();
        if let Some((first, _)) = places.first()
            && places.iter().all(|(place, next)| stored(self, place, *next))
        {
            for (place, next) in &places {
                // The caller stands where the log stands, so what it reads next is new.
                if self.logged[place] == Some(*next) {
                    self.told.insert(place.clone(), Some(*next));
                }
            }
            let committed = self.logged[first].expect("it is stored");
            return Err(StoreError::AlreadyStored {
                topic: Arc::clone(&first.0),
                partition: first.1,
                committed,
            });
        }
        for (place, next) in &places {
            let logged = self.logged.get(place).copied().flatten();
            if logged != expected[place] || stored(self, place, *next) {
                let (topic, partition) = (Arc::clone(&place.0), place.1);
                return Err(StoreError::Overtaken { topic, partition, committed: logged });
            }
        }
        Ok(())
    }

    /// Notes that a batch of ours is in the log.
    pub(crate) fn stored(&mut self, positions: &Positions) {
        for (topic, partition, next) in positions.iter() {
            let place = (Arc::clone(topic), partition);
            self.logged.insert(place.clone(), Some(next));
            self.told.insert(place, Some(next));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(next: &[(i32, i64)]) -> Positions {
        let topic = Arc::from("watchfire.events");
        let mut positions = Positions::default();
        for (partition, next) in next {
            positions.read(&topic, *partition, next - 1);
        }
        positions
    }

    fn ledger(logged: &[(i32, i64)]) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.stored(&up_to(logged));
        ledger
    }

    #[test]
    fn an_app_id_names_its_place() {
        let place: Place = ("watchfire.events".into(), 3);
        assert_eq!(Ledger::place(&Ledger::app_id(&place)), Some(place));
        assert_eq!(Ledger::place("somebody/else/1"), None);
    }

    #[test]
    fn what_is_beyond_the_log_is_new() {
        let mut ledger = ledger(&[(0, 10)]);
        let batch = up_to(&[(0, 20), (1, 5)]);
        let expected = ledger.expect(&batch);
        assert!(ledger.check(&batch, &expected).is_ok());
    }

    #[test]
    fn what_the_log_has_is_already_stored() {
        let mut ledger = ledger(&[(0, 10)]);
        let batch = up_to(&[(0, 10)]);
        let expected = ledger.expect(&batch);
        assert!(matches!(
            ledger.check(&batch, &expected),
            Err(StoreError::AlreadyStored { committed: 10, .. })
        ));
    }

    #[test]
    fn a_batch_half_of_which_is_stored_must_be_read_again() {
        let mut ledger = ledger(&[(0, 10)]);
        let batch = up_to(&[(0, 10), (1, 5)]);
        let expected = ledger.expect(&batch);
        assert!(matches!(ledger.check(&batch, &expected), Err(StoreError::Overtaken { partition: 0, .. })));
    }

    #[test]
    fn a_sleeper_that_wakes_behind_another_writer_is_overtaken() {
        let mut ledger = ledger(&[(0, 10)]);
        let batch = up_to(&[(0, 20)]);
        let expected = ledger.expect(&batch);
        ledger.log(("watchfire.events".into(), 0), Some(15));
        assert!(matches!(
            ledger.check(&batch, &expected),
            Err(StoreError::Overtaken { committed: Some(15), .. })
        ));
        // It stays so until the caller has asked where to read on.
        let expected = ledger.expect(&batch);
        assert!(ledger.check(&batch, &expected).is_err());
        ledger.tell(&("watchfire.events".into(), 0));
        let expected = ledger.expect(&batch);
        assert!(ledger.check(&batch, &expected).is_ok());
    }
}
