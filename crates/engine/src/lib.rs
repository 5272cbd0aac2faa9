//! The rules of maepyo: what may happen to events, seats, holds, money and tickets.
//!
//! Everything here is pure and synchronous. A [`Command`](command::Command) is decided against the
//! rows of a [`World`](world::World): it answers with the rows it changes, or it names the rows it
//! still has to see, or it is refused. Whoever calls loads, stores and tells the time.

pub mod catalogue;
pub mod command;
pub mod holds;
pub mod id;
pub mod jobs;
pub mod lanes;
pub mod messages;
pub mod money;
pub mod movie;
pub mod payments;
pub mod people;
pub mod refusal;
pub mod seats;
pub mod stream;
pub mod tickets;
pub mod time;
pub mod wallet;
pub mod webhooks;
pub mod world;
