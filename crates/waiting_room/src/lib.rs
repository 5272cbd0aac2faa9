//! The waiting room: who waits for what, in which order, and who is inside.
//!
//! The truth is in the store: places in lanes, changed by commands of the engine (`engine::lanes`). Here is what makes
//! it quick and punctual: an index of each lane in memory, which tells a position without a look into the store; the
//! signs of life; and one task that wakes at the next deadline, or when a commit made room, and moves the lane on.

mod agenda;
mod chunks;
mod facade;
mod index;
mod lane;
mod looks;
mod pulse;
mod rate;
mod room;
mod stock;
mod view;

pub use facade::WaitingRoom;
pub use index::Index;
pub use view::{Door, LaneView, Moved, PlaceView, Policies, Standing, Turned};
