//! What the end-to-end tests stand on: the real server on a store of its own, and a client to talk to it.

pub mod bank;
pub mod box_office;
pub mod client;
pub mod counter;
pub mod doors;
pub mod faults;
pub mod forge;
pub mod post_office;
pub mod postgres;
pub mod proxy;
pub mod random;
pub mod receiver;
pub mod server;
pub mod stalled;
pub mod store;
pub mod wire;
