//! The waiting room: lanes in which people wait, in order of arrival, and passes that let them in.
//!
//! A lane's places are numbered as they are taken, without gaps, so the next to be let in is found by looking at one
//! number after the other from the lane's head on. Every command on a lane ends by letting in whom there is room for:
//! the moment somebody makes room is the moment the next one has it.

mod complete_place;
mod forget_places;
mod join_lane;
mod leave_lane;
mod line;
mod move_lane;
mod use_turn;

pub use complete_place::CompletePlace;
pub use forget_places::ForgetPlaces;
pub use join_lane::JoinLane;
pub use leave_lane::LeaveLane;
pub use line::MOST_LOOKED_AT;
pub use move_lane::{MoveLane, Moves};
pub use use_turn::UseTurn;

use crate::id::{EventId, LaneId, PlaceId, SEAT_BITS, UserId};
use crate::time::{Span, Time};

/// Who queues in a lane of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneKind {
    /// All dialects together, by the event's own policy.
    Shared,
    /// The dialect `concert`, which has one lane for the whole server.
    Concert,
    /// The dialect `sail`.
    Sail,
    /// The dialect `tiketi`.
    Tiketi,
    /// The dialect `ticketing_pro`.
    TicketingPro,
}

impl LaneKind {
    /// Every kind there is.
    pub const ALL: [Self; 5] = [Self::Shared, Self::Concert, Self::Sail, Self::Tiketi, Self::TicketingPro];
}

/// Where the numbers of an event's lanes start: beyond those of its seats.
const FIRST_LANE: u128 = 0xF_FFF0;

impl LaneId {
    /// The lane of an event for those who queue in it; without an event, that of the whole server.
    #[must_use]
    pub fn new(event: Option<EventId>, kind: LaneKind) -> Self {
        Self(event.map_or(0, |event| event.0) + FIRST_LANE + kind as u128)
    }

    /// The event it leads to; `None` for a lane of the whole server.
    #[must_use]
    pub fn event(self) -> Option<EventId> {
        let event = self.0 >> SEAT_BITS << SEAT_BITS;
        (event != 0).then_some(EventId(event))
    }

    /// Who queues in it; `None` for a number that is no lane's.
    #[must_use]
    pub fn kind(self) -> Option<LaneKind> {
        let offset = (self.0 & ((1 << SEAT_BITS) - 1)).checked_sub(FIRST_LANE)?;
        LaneKind::ALL.into_iter().find(|kind| *kind as u128 == offset)
    }
}

/// How a lane lets people in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LanePolicy {
    /// How many may be inside at once.
    pub inside: u32,
    /// How long a pass lasts.
    pub pass: Span,
    /// How long a waiter may be without a sign of life.
    pub absent: Span,
    /// Whether a pass runs from the last sign of life instead of from the moment it was given.
    pub sliding: bool,
    /// Whether who lets a pass run out unused goes to the tail instead of out of the lane.
    pub requeue: bool,
    /// How long a place lives at all; `None`: for ever.
    pub life: Option<Span>,
    /// How many live places the lane may have; `None`: any number.
    pub most: Option<u32>,
}

/// A lane: how far it is, and how many are where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Its id.
    pub id: LaneId,
    /// The number of the next place.
    pub next: i64,
    /// Nobody waits at a lower number.
    pub head: i64,
    /// How many are inside, those whose pass ran out unnoticed among them.
    pub inside: u32,
    /// How many wait.
    pub waiting: u32,
    /// How many have used their turn and still have a live place.
    pub used: u32,
    /// How many were allowed inside when somebody was last let in: never fewer than are.
    pub capacity: u32,
}

impl Lane {
    fn new(id: LaneId) -> Self {
        Self { id, next: 0, head: 0, inside: 0, waiting: 0, used: 0, capacity: 0 }
    }

    /// How many places live.
    #[must_use]
    pub fn live(&self) -> u32 {
        self.inside.saturating_add(self.waiting).saturating_add(self.used)
    }
}

/// How a place ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its holder bought.
    Completed,
    /// Its holder left.
    Left,
    /// Its time passed.
    Lapsed,
    /// Its holder gave no sign of life while waiting.
    Absent,
    /// Its holder went to the tail, where the place lives on under another number.
    Requeued,
}

/// Where a place stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceState {
    /// Its holder waits.
    Waiting,
    /// Its holder has a pass.
    Inside {
        /// When the pass ends; in a sliding lane, unless there are signs of life.
        until: Time,
    },
    /// Its holder has used the turn.
    Used,
    /// It is over.
    Ended {
        /// How.
        how: Ending,
        /// When.
        at: Time,
    },
}

/// A person's place in a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The lane and its number there.
    pub key: (LaneId, i64),
    /// Counts its changes, so that memory takes them in order.
    pub version: i64,
    /// Its name, which stays when its holder goes to the tail.
    pub id: PlaceId,
    /// Whose it is.
    pub user: UserId,
    /// Where it stands.
    pub state: PlaceState,
    /// When its holder joined.
    pub joined_at: Time,
    /// The last sign of life that was written down. Memory knows later ones.
    pub seen_at: Time,
    /// When its life ends; [`Time::FOREVER`] where it has no such end.
    pub ends_at: Time,
}

impl Place {
    /// Whether it is not over.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !matches!(self.state, PlaceState::Ended { .. })
    }

    /// Whether its pass or its life is over at `now`, by what is written down.
    #[must_use]
    pub fn has_lapsed(&self, now: Time) -> bool {
        match self.state {
            PlaceState::Inside { until } => until <= now || self.ends_at <= now,
            PlaceState::Waiting | PlaceState::Used => self.ends_at <= now,
            PlaceState::Ended { .. } => false,
        }
    }
}

/// Which place of a lane is a person's: the newest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    /// The lane and the person.
    pub of: (LaneId, UserId),
    /// The number of the place.
    pub number: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Mint;

    #[test]
    fn a_lane_leads_back_to_its_event_and_kind_and_is_no_seat() {
        let event = Mint::new(Time::from_millis(5), 9).event();
        for kind in LaneKind::ALL {
            let lane = LaneId::new(Some(event), kind);
            assert_eq!((lane.event(), lane.kind()), (Some(event), Some(kind)));
            assert!(event.ordinal(lane.0).is_none_or(|ordinal| ordinal > 200_000));
            let lane = LaneId::new(None, kind);
            assert_eq!((lane.event(), lane.kind()), (None, Some(kind)));
        }
        assert_eq!(LaneId(event.seat(7)).kind(), None);
    }
}
