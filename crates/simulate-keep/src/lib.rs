//! STORE and ALERTING take part in the simulation, with the tables and the database that they write.
//!
//! They run unchanged behind NORMALIZE and DETECT, through the same crashes, zombies and moves, and
//! through what may happen to storage: writes that fail, that leave something torn behind, whose
//! answer is lost or that are done long after they were given up. Afterwards each event, reject and
//! alert change is in its table once, the alert database holds each alert once and as after a calm
//! run, no message is owed twice, and both say that they have read to the end.
//!
//! Start reading at [`run`]; then `tables` and `control` (who takes part), `objects` (what may happen
//! to a table), `kept` (what is there in the end), `differences`.
//!
//! A crate of its own, because tables bring a query engine along that takes long to build: here it
//! is built once, without optimisation, for these and all other tests.

mod run;

mod tables;

mod objects;

mod control;

mod kept;

mod differences;

pub use run::run;
