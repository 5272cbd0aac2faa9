//! A simulation of maepyo: the real rules on a store that crashes, used by many people at once, and an
//! auditor who looks for anything that must never be. Everything follows from one seed.
//!
//! ```text
//! workload ─► simulation ─► store ─► engine
//!               │    └ bank   └► auditor
//!               └ clock, queue, crashes, retries
//! ```

pub mod audit;
pub mod bank;
pub mod call;
pub mod dice;
mod lane_audit;
mod queueing;
pub mod simulation;
pub mod store;
mod workload;

pub use simulation::{Simulation, Tally};
