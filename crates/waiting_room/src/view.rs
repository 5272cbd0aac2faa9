//! What others see of the waiting room.

use desk::{Span, Stopped, Time, Unavailable};
use engine::catalogue::RoomPolicy;
use engine::id::{EventId, PlaceId, UserId};
use engine::lanes::{LaneKind, LanePolicy};

/// Through which dialect somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// One lane for the whole server; without a turn, nobody buys.
    Concert,
    /// Without a pass, nobody buys.
    Sail,
    /// Without a pass, people buy while there is room and nobody waits. A pass runs from the last sign of life.
    Tiketi,
    /// Without a pass, people buy while there is room and nobody waits.
    TicketingPro,
}

impl Door {
    /// The lane of an event without a policy of its own.
    #[must_use]
    pub fn kind(self) -> LaneKind {
        match self {
            Self::Concert => LaneKind::Concert,
            Self::Sail => LaneKind::Sail,
            Self::Tiketi => LaneKind::Tiketi,
            Self::TicketingPro => LaneKind::TicketingPro,
        }
    }

    /// Whether what happens in a lane of this kind is of interest to who comes through this door.
    #[must_use]
    pub fn leads_to(self, kind: LaneKind) -> bool {
        kind == LaneKind::Shared || kind == self.kind()
    }

    /// Whether only who has a pass may buy.
    pub(crate) fn wants_pass(self) -> bool {
        matches!(self, Self::Concert | Self::Sail)
    }
}

/// How each dialect's lanes let people in.
#[derive(Debug, Clone, Copy)]
pub struct Policies {
    /// `concert`.
    pub concert: LanePolicy,
    /// `sail`.
    pub sail: LanePolicy,
    /// `tiketi`.
    pub tiketi: LanePolicy,
    /// `ticketing_pro`.
    pub ticketing_pro: LanePolicy,
}

impl Policies {
    /// The policy of a lane: its dialect's, or for a shared one the event's.
    pub(crate) fn of(&self, kind: LaneKind, own: Option<RoomPolicy>) -> LanePolicy {
        match kind {
            LaneKind::Shared => {
                let usual = self.ticketing_pro;
                own.map_or(usual, |own| LanePolicy { inside: own.capacity, pass: own.pass, ..usual })
            }
            LaneKind::Concert => self.concert,
            LaneKind::Sail => self.sail,
            LaneKind::Tiketi => self.tiketi,
            LaneKind::TicketingPro => self.ticketing_pro,
        }
    }
}

/// Where somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In the line.
    Waiting,
    /// With a pass.
    Inside {
        /// When the pass ends.
        until: Time,
    },
    /// The turn was used; the place lives on.
    Used,
    /// Bought.
    Completed,
    /// The pass or the place ran out.
    Lapsed,
    /// Left.
    Left,
    /// Dropped for want of a sign of life.
    Absent,
}

/// Somebody's place, as it is at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceView {
    /// Its name, which stays as long as the place lives.
    pub id: PlaceId,
    /// How many wait up to and with this one; 0 for who does not wait.
    pub position: u32,
    /// How many are inside or wait up to and with this one; 0 for who does neither.
    pub rank: u32,
    /// Where its holder stands.
    pub standing: Standing,
    /// When its holder joined.
    pub joined_at: Time,
    /// When the place ends at the latest; [`Time::FOREVER`] where it has no such end.
    pub ends_at: Time,
    /// How long the wait will be once somebody is let in, by how many were lately; `None` until enough were. Zero for
    /// who does not wait.
    pub estimated_wait: Option<Span>,
    /// How long nobody will be let in, at least; zero while something is left, `None` where nobody knows since nothing
    /// will turn free by itself.
    pub closed_for: Option<Span>,
    /// How many wait in the lane.
    pub waiting: u32,
    /// How many are inside.
    pub inside: u32,
    /// How many may be inside.
    pub capacity: u32,
    /// Whether nobody who waits is let in because nothing is left to buy at the moment.
    pub sold_out: bool,
}

impl PlaceView {
    /// How long the wait will be, in seconds, begun ones whole: from when something is left, as fast as it went lately,
    /// or by what `usual` gives for the position until that is known. `None` while nobody knows when something is left.
    pub fn wait_seconds(&self, usual: impl FnOnce(u32) -> i64) -> Option<i64> {
        let whole = |span: Span| (span.0.max(0) + 999_999) / 1_000_000;
        if self.position == 0 {
            return Some(0);
        }
        let in_line = self.estimated_wait.map_or_else(|| usual(self.position), |wait| whole(wait).max(1));
        Some(whole(self.closed_for?) + in_line)
    }
}

/// A lane, as it is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneView {
    /// How many are inside.
    pub inside: u32,
    /// How many wait.
    pub waiting: u32,
    /// How many may be inside.
    pub capacity: u32,
    /// Whether nobody who waits is let in because nothing is left to buy at the moment.
    pub sold_out: bool,
}

/// Why somebody may not buy now.
#[derive(Debug, Clone)]
pub enum Turned {
    /// It is not this person's turn. The place, where there is one.
    Wait(Option<PlaceView>),
    /// The store cannot be asked.
    Stopped(Stopped),
}

impl From<Unavailable> for Turned {
    fn from(Unavailable(why): Unavailable) -> Self {
        Self::Stopped(Stopped::Unavailable(why))
    }
}

impl From<Stopped> for Turned {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

/// Something moved. Told as it happens; who listens too slowly misses some and looks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// Somebody got in.
    LetIn {
        /// In which kind of lane.
        kind: LaneKind,
        /// Of which event; `None` in a lane of the whole server.
        event: Option<EventId>,
        /// Who.
        user: UserId,
        /// When the pass ends.
        until: Time,
    },
    /// Numbers of a lane changed: somebody joined, left or got in.
    Lane {
        /// Its kind.
        kind: LaneKind,
        /// Its event.
        event: Option<EventId>,
    },
    /// Nothing is left to buy, or there is something again.
    SoldOut {
        /// The lane's kind.
        kind: LaneKind,
        /// Its event.
        event: EventId,
        /// Whether nothing is left.
        sold_out: bool,
    },
}
