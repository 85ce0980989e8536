//! The stages over a simulated log, clock and object store, one step at a time, seeded.
//!
//! The stages are the real ones, in threads of their own, of which one runs at any moment: whenever
//! a stage touches the world it hands the turn back to the driver, which draws who goes on, who is
//! killed and who sleeps. So a process may die between any two steps, a zombie may wake up late, a
//! partition may move in between, and a seed replays exactly. Afterwards the alerts and rows are
//! held against those of a run in which nothing went wrong.
//!
//! NORMALIZE, DETECT and RISK are here; other stages take part as a [`Role`], as crate `simulate-keep` lets
//! STORE and ALERTING: tables and their engine take long to build, and these need neither.
//!
//! Start reading at [`run::run`]; then `role` and `process` (who takes part), `world` (whose turn it
//! is), `log` (a Kafka of one broker in a few pages), `source`, `sink` and `objects` (what the stages
//! see of it), `outcome`.

mod driver;
mod log;
mod objects;
mod outcome;
mod process;
mod role;
pub mod run;
mod sink;
mod source;
mod sweep;
mod traffic;
mod world;

pub use outcome::{Difference, Outcome};
pub use process::{Process, metrics};
pub use role::{Attempt, Role};
pub use run::{Counts, Ended, Guest, Plan, Record, Verdict, Weather, once, run};
pub use sweep::sweep;
pub use world::Mishaps;
