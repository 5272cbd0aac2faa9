//! Where the sale of an event stands: a matter of its window, its stock and the clock.

use super::{Event, EventStatus};
use crate::time::Time;

/// Where the sale of an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaleStage {
    /// It has not begun.
    Upcoming,
    /// Something can be had.
    OnSale,
    /// Nothing can be had: all is sold or held.
    SoldOut,
    /// It is over.
    Ended,
    /// The event was called off.
    Cancelled,
}

impl SaleStage {
    /// Every stage there is.
    pub const ALL: [Self; 5] = [Self::Upcoming, Self::OnSale, Self::SoldOut, Self::Ended, Self::Cancelled];
}

/// When an event is sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaleWindow {
    /// From when on; for an event that names no moment, from when it was made.
    pub from: Time,
    /// Until when: what the event names, its end at the latest.
    pub until: Time,
}

impl Event {
    /// When it is sold.
    #[must_use]
    pub fn sale_window(&self) -> SaleWindow {
        let ends = self.billing.ends_at;
        SaleWindow {
            from: self.billing.sale_opens.unwrap_or(self.created_at),
            until: self.billing.sale_closes.map_or(ends, |closes| closes.min(ends)),
        }
    }

    /// Where its sale stands at `now`, with so many seats and tickets left; `None` for what nobody sees.
    #[must_use]
    pub fn sale_stage(&self, now: Time, left: u32) -> Option<SaleStage> {
        match self.status {
            EventStatus::Draft | EventStatus::Withdrawn => None,
            EventStatus::Cancelled => Some(SaleStage::Cancelled),
            EventStatus::Published => Some(self.sale_window().stage(now, left == 0)),
        }
    }
}

impl SaleWindow {
    /// Where the sale of a published event stands.
    #[must_use]
    pub fn stage(self, now: Time, sold_out: bool) -> SaleStage {
        match sold_out {
            _ if self.until <= now => SaleStage::Ended,
            _ if self.from > now => SaleStage::Upcoming,
            true => SaleStage::SoldOut,
            false => SaleStage::OnSale,
        }
    }

    /// The next moment at which the clock alone changes the stage; `None` when it never will.
    #[must_use]
    pub fn next_turn(self, now: Time) -> Option<Time> {
        [self.from, self.until].into_iter().filter(|turn| *turn > now).min().filter(|_| self.until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_opens_and_closes_and_the_stock_decides_between() {
        let window = SaleWindow { from: Time(10), until: Time(20) };
        assert_eq!(window.stage(Time(9), true), SaleStage::Upcoming);
        assert_eq!(window.stage(Time(10), false), SaleStage::OnSale);
        assert_eq!(window.stage(Time(19), true), SaleStage::SoldOut);
        assert_eq!(window.stage(Time(20), false), SaleStage::Ended);
        assert_eq!(window.next_turn(Time(9)), Some(Time(10)));
        assert_eq!(window.next_turn(Time(10)), Some(Time(20)));
        assert_eq!(window.next_turn(Time(20)), None);
    }

    #[test]
    fn a_window_that_ends_before_it_begins_is_over_for_good() {
        let window = SaleWindow { from: Time(30), until: Time(20) };
        assert_eq!(window.stage(Time(25), false), SaleStage::Ended);
        assert_eq!(window.next_turn(Time(25)), None);
        assert_eq!(window.next_turn(Time(5)), Some(Time(20)));
    }
}
