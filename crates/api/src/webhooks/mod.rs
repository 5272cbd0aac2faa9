//! Webhooks out: what happened to bookings is told to those who asked for it, signed, in turn, until they have it.

mod address;
mod delivering;
mod queueing;

pub use address::{BadAddress, check};
pub use delivering::{Messenger, deliver};
pub use queueing::follow;
