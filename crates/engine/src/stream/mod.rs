//! Those who work off the event stream: a cursor says how far one of them has come.
//!
//! Several nodes may want to move a cursor. A lease keeps all but one from trying; what makes sure that nothing is
//! worked off twice is that a cursor moves in the transaction of the work, and only from where the work began.

mod advance_cursor;
mod lease_cursor;

pub use advance_cursor::{Advance, AdvanceCursor};
pub use lease_cursor::LeaseCursor;

use crate::time::Time;

/// How far somebody has worked off the event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Who works it off.
    pub name: String,
    /// The last position that was worked off; 0 before the first.
    pub position: u64,
    /// The node that is at it.
    pub holder: u64,
    /// Until when no other node may take it over.
    pub leased_until: Time,
}
