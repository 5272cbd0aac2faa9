//! The room knows the stock: while an event has nothing left, nobody who waits is let in to it.

use std::sync::atomic::Ordering;

use desk::{Time, Unavailable};

use crate::lane::Memory;
use crate::room::Room;
use crate::view::Moved;

impl Room {
    /// Looks whether a lane's event has anything left, and tells when that has changed.
    pub(crate) async fn look_at_stock(&self, lane: &Memory) -> Result<(), Unavailable> {
        let Some(id) = lane.id.event().filter(|_| lane.heeds_stock()) else { return Ok(()) };
        // Before the look: what changes during it is looked at again.
        lane.stock_changed.store(false, Ordering::Release);
        let Some(event) = self.desk.event(id).await? else { return Ok(()) };
        let outlook = self.desk.outlook(&event).await.inspect_err(|_| {
            lane.stock_changed.store(true, Ordering::Release);
        })?;
        // Of an event that was called off nothing will ever be left.
        let sold_out = outlook.free == 0 || event.status.is_off();
        lane.state.lock().stock_at = if sold_out { outlook.next_lapse } else { Time::FOREVER };
        if lane.sold_out.swap(sold_out, Ordering::AcqRel) != sold_out {
            self.tell(Moved::SoldOut { kind: lane.kind, event: id, sold_out });
        }
        Ok(())
    }
}

impl Memory {
    /// Whether the stock may have changed since it was looked at.
    pub(crate) fn has_stale_stock(&self) -> bool {
        self.heeds_stock() && self.stock_changed.load(Ordering::Acquire)
    }

    /// Whether anybody cares for the stock: who waits, or the next to join while nothing is left.
    pub(crate) fn is_watched(&self) -> bool {
        self.is_paused() || self.state.lock().index.waiting() > 0
    }
}
