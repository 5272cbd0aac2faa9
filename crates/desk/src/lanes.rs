//! What the waiting room needs of the desk: the rows of its lanes, the news of each commit, and when an event's last
//! held seat turns free.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock, Weak};

use engine::catalogue::Event;
use engine::id::{EventId, LaneId, UserId};
use engine::lanes::{Lane, Place, Waiter};
use engine::time::Time;

use crate::Unavailable;
use crate::desk::Desk;
use crate::reads::Reads;
use crate::value::{Columns, Corrupt, IntoValue as _, Kind};

/// What changed, told after each commit and before its callers are.
#[derive(Debug, Clone, Copy)]
pub struct News<'a> {
    /// Places of lanes, as they are now. They may come in any order and twice; each counts its versions.
    pub places: &'a [Place],
    /// Events of which something was held, sold or given back.
    pub touched: &'a BTreeSet<EventId>,
    /// Who bought something of which event.
    pub bought: &'a [(UserId, EventId)],
    /// Events that were changed themselves.
    pub changed: &'a [EventId],
}

impl News<'static> {
    pub(crate) const NONE: Self = News { places: &[], touched: &BTreeSet::new(), bought: &[], changed: &[] };
}

impl News<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty() && self.touched.is_empty() && self.bought.is_empty() && self.changed.is_empty()
    }
}

/// Somebody who keeps in memory what the news tells. Called on the threads that commit: it must not wait.
pub trait Follower: Send + Sync {
    /// Takes the news of a commit, of this node or another.
    fn follow(&self, news: &News<'_>);
    /// What is in memory may be wrong: it is to be read anew.
    fn forget(&self);
}

/// Where the follower is, once there is one.
#[derive(Default)]
pub(crate) struct FollowerSlot(OnceLock<Weak<dyn Follower>>);

impl FollowerSlot {
    pub(crate) fn tell(&self, what: impl FnOnce(&dyn Follower)) {
        if let Some(follower) = self.0.get().and_then(Weak::upgrade) {
            what(&*follower);
        }
    }
}

/// Where an event's stock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// How many seats and tickets are free.
    pub free: u32,
    /// The first moment at which more turn free by themselves.
    pub next_lapse: Time,
}

/// Lanes in which somebody is.
pub(crate) const LIVE_LANES: &str = "WHERE inside + waiting + used > 0";
/// Places inside a lane; those who wait are read by number.
pub(crate) const INSIDE: &str = "WHERE lane_id = ?1 AND status IN ('inside', 'used')";
/// Places that wait, from a number on.
pub(crate) const WAITING: &str = "WHERE lane_id = ?1 AND number >= ?2 AND status = 'waiting' ORDER BY number LIMIT ?3";
/// Places of a lane by number.
pub(crate) const BETWEEN: &str = "WHERE lane_id = ?1 AND number >= ?2 AND number <= ?3 ORDER BY number LIMIT ?4";
/// Places that ended before a moment.
pub(crate) const OVER: &str = "SELECT lane_id, number FROM room_places WHERE status_at < ?1 \
     AND status IN ('completed', 'left', 'lapsed', 'absent', 'requeued') LIMIT ?2";
/// When the first held tickets of an event lapse.
pub(crate) const FIRST_LAPSE: &str = "SELECT COALESCE(MIN(portions.claimed_until), 9223372036854775807) FROM stocks \
     JOIN portions ON portions.ticket_type_id = stocks.ticket_type_id AND portions.claimed_until > ?2 \
     WHERE stocks.event_id = ?1";

impl Desk {
    /// Tells somebody of every commit from now on. There is one such follower; a later one is not taken.
    pub fn be_followed(&self, follower: Weak<dyn Follower>) {
        if self.0.shared.follower.0.set(follower).is_err() {
            tracing::warn!("the desk is followed already");
        }
    }

    /// Whether other nodes may work on the same store.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.0.reads, Reads::Postgres(_))
    }

    /// The lanes in which somebody is.
    ///
    /// # Errors
    /// Where the store cannot be reached; so with every read.
    pub async fn live_lanes(&self) -> Result<Vec<Lane>, Unavailable> {
        self.0.reads.select(LIVE_LANES, Vec::new()).await
    }

    /// A lane.
    ///
    /// # Errors
    /// As [`Desk::live_lanes`].
    pub async fn lane(&self, id: LaneId) -> Result<Option<Lane>, Unavailable> {
        self.0.reads.get(&id).await
    }

    /// The places of a lane whose holders are inside or have used their turn.
    ///
    /// # Errors
    /// As [`Desk::live_lanes`].
    pub async fn places_inside(&self, lane: LaneId) -> Result<Vec<Place>, Unavailable> {
        self.0.reads.select(INSIDE, vec![lane.0.value()]).await
    }

    /// A page of the places that wait, by number, from a number on.
    ///
    /// # Errors
    /// As [`Desk::live_lanes`].
    pub async fn places_waiting(&self, lane: LaneId, from: i64, limit: i64) -> Result<Vec<Place>, Unavailable> {
        self.0.reads.select(WAITING, vec![lane.0.value(), from.value(), limit.value()]).await
    }

    /// A page of the places of a lane from a number to another, live or over.
    ///
    /// # Errors
    /// As [`Desk::live_lanes`].
    pub async fn places_between(
        &self,
        lane: LaneId,
        from: i64,
        to: i64,
        limit: i64,
    ) -> Result<Vec<Place>, Unavailable> {
        self.0.reads.select(BETWEEN, vec![lane.0.value(), from.value(), to.value(), limit.value()]).await
    }

    /// The newest place of a person in a lane, live or over.
    ///
    /// # Errors
    /// As [`Desk::live_lanes`].
    pub async fn place_of(&self, lane: LaneId, user: UserId) -> Result<Option<Place>, Unavailable> {
        match self.0.reads.get::<Waiter>(&(lane, user)).await? {
            Some(waiter) => self.0.reads.get(&(lane, waiter.number)).await,
            None => Ok(None),
        }
    }

    /// Places that ended before a moment: lanes and numbers.
    ///
    /// # Errors
    /// As [`Desk::live_lanes`].
    pub async fn places_over(&self, before: Time, limit: i64) -> Result<Vec<(LaneId, i64)>, Unavailable> {
        let params = vec![before.0.value(), limit.value()];
        let rows = self.0.reads.query(OVER, params, &[Kind::Bytes, Kind::Int]).await?;
        let key = |row| {
            let mut columns = Columns::new(row);
            Ok((columns.id()?, columns.int()?))
        };
        Ok(rows.into_iter().map(key).collect::<Result<_, Corrupt>>()?)
    }

    /// How many seats and tickets of an event are free, and when more turn free by themselves.
    ///
    /// # Errors
    /// As [`Desk::live_lanes`].
    pub async fn outlook(&self, event: &Arc<Event>) -> Result<Outlook, Unavailable> {
        let free = self.available(std::slice::from_ref(event)).await?.first().copied().unwrap_or(0);
        let seats = self.next_lapse(event).await?;
        if event.offer.types.is_empty() {
            return Ok(Outlook { free, next_lapse: seats });
        }
        let params = vec![event.id.0.value(), self.now().0.value()];
        let tickets = Time(self.0.reads.number(FIRST_LAPSE, params).await?);
        Ok(Outlook { free, next_lapse: seats.min(tickets) })
    }
}
