//! A lane at work: what one command does to it, gathered until it is decided.

use std::collections::BTreeMap;

use super::{Ending, Lane, LanePolicy, Place, PlaceState, Waiter};
use crate::command::{Context, Decision, Stop};
use crate::id::{LaneId, PlaceId, UserId};
use crate::time::Time;
use crate::world::{Key, Row, World};

/// How many numbers one command looks at to find the next who wait. Who is further back is let in by the next one.
pub const MOST_LOOKED_AT: i64 = 1_024;
/// How many more numbers are looked at in one go than there is room: some who stood there have gone.
const SPARE: i64 = 7;

/// A lane, and its places as they are to be.
pub(super) struct Line<'a> {
    world: &'a World,
    now: Time,
    policy: LanePolicy,
    pub lane: Lane,
    places: BTreeMap<i64, Place>,
    waiters: Vec<Waiter>,
}

impl<'a> Line<'a> {
    /// The lane; a new one where there is none.
    pub fn open(id: LaneId, policy: LanePolicy, world: &'a World, cx: &Context) -> Result<Self, Stop> {
        world.need([Key::Lane(id)])?;
        let lane = world.lanes.get(&id).cloned().unwrap_or_else(|| Lane::new(id));
        Ok(Self { world, now: cx.now, policy, lane, places: BTreeMap::new(), waiters: Vec::new() })
    }

    /// The newest place of a person.
    pub fn place_of(&self, user: UserId) -> Result<Option<Place>, Stop> {
        let of = (self.lane.id, user);
        self.world.need([Key::Lane(of.0), Key::Waiter(of)])?;
        match self.world.waiters.get(&of) {
            Some(waiter) => self.place(waiter.number),
            None => Ok(None),
        }
    }

    /// The place with a number, as it is to be.
    pub fn place(&self, number: i64) -> Result<Option<Place>, Stop> {
        if let Some(place) = self.places.get(&number) {
            return Ok(Some(place.clone()));
        }
        self.world.need([Key::Place((self.lane.id, number))])?;
        Ok(self.world.places.get(&(self.lane.id, number)).cloned())
    }

    /// Changes a place, and the lane's counts with it.
    pub fn set(&mut self, place: Place) -> Place {
        let place = Place { version: place.version + 1, ..place };
        let stored = self.world.places.get(&place.key);
        let before = self.places.get(&place.key.1).or(stored).map(|place| place.state);
        if let Some(count) = before.and_then(|state| self.count(state)) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = self.count(place.state) {
            *count = count.saturating_add(1);
        }
        self.places.insert(place.key.1, place.clone());
        place
    }

    fn count(&mut self, state: PlaceState) -> Option<&mut u32> {
        match state {
            PlaceState::Waiting => Some(&mut self.lane.waiting),
            PlaceState::Inside { .. } => Some(&mut self.lane.inside),
            PlaceState::Used => Some(&mut self.lane.used),
            PlaceState::Ended { .. } => None,
        }
    }

    /// Ends a place.
    pub fn end(&mut self, place: Place, how: Ending) -> Place {
        let state = PlaceState::Ended { how, at: self.now };
        self.set(Place { state, ..place })
    }

    /// A new place at the tail.
    pub fn append(&mut self, id: PlaceId, user: UserId) -> Place {
        let ends_at = self.policy.life.map_or(Time::FOREVER, |life| self.now + life);
        let (now, key) = (self.now, (self.lane.id, self.lane.next));
        let state = PlaceState::Waiting;
        self.at_tail(Place { key, version: 0, id, user, state, joined_at: now, seen_at: now, ends_at })
    }

    /// Moves a place to the tail, with the name and the life it has.
    pub fn requeue(&mut self, place: Place) -> Place {
        let old = self.end(place, Ending::Requeued);
        let key = (self.lane.id, self.lane.next);
        self.at_tail(Place { key, version: 0, state: PlaceState::Waiting, seen_at: self.now, ..old })
    }

    fn at_tail(&mut self, place: Place) -> Place {
        self.lane.next += 1;
        self.waiters.push(Waiter { of: (self.lane.id, place.user), number: place.key.1 });
        self.set(place)
    }

    /// Ends a place whose time has passed, as the policy says: a pass that ran out unused may lead to the tail.
    pub fn lapse(&mut self, place: Place) -> Result<(), Stop> {
        let unused = matches!(place.state, PlaceState::Inside { .. }) && place.ends_at > self.now;
        if unused && self.policy.requeue {
            self.world.need([Key::Waiter((self.lane.id, place.user))])?;
            self.requeue(place);
        } else {
            self.end(place, Ending::Lapsed);
        }
        Ok(())
    }

    fn room(&self) -> i64 {
        i64::from(self.policy.inside) - i64::from(self.lane.inside)
    }

    /// Lets in who has waited longest, as long as there is room and somebody waits.
    pub fn let_in(&mut self) -> Result<(), Stop> {
        let last = self.lane.head.saturating_add(MOST_LOOKED_AT);
        while self.lane.waiting > 0 && self.room() > 0 && self.lane.head < last.min(self.lane.next) {
            let end = (self.lane.head + self.room() + SPARE).min(last).min(self.lane.next);
            let window = self.lane.head..end;
            let stored = window.clone().filter(|number| !self.places.contains_key(number));
            self.world.need(stored.map(|number| Key::Place((self.lane.id, number))))?;
            for number in window {
                if self.room() <= 0 {
                    break;
                }
                self.step_in(number)?;
            }
        }
        if self.lane.waiting == 0 {
            self.lane.head = self.lane.next;
        }
        Ok(())
    }

    /// Lets in who stands at the head, if anybody still does, and moves the head on.
    fn step_in(&mut self, number: i64) -> Result<(), Stop> {
        self.lane.head = number + 1;
        let Some(place) = self.place(number)?.filter(|place| place.state == PlaceState::Waiting) else { return Ok(()) };
        if place.ends_at <= self.now {
            self.end(place, Ending::Lapsed);
            return Ok(());
        }
        let until = self.now + self.policy.pass;
        let until = until.min(place.ends_at);
        self.set(Place { state: PlaceState::Inside { until }, ..place });
        self.lane.capacity = self.policy.inside;
        Ok(())
    }

    /// The decision: the lane and all that changed in it.
    pub fn decide<R>(self, reply: R) -> Decision<R> {
        if self.places.is_empty() && self.world.lanes.get(&self.lane.id).is_none_or(|lane| *lane == self.lane) {
            return Decision::new(reply);
        }
        Decision::new(reply)
            .put(Row::Lane(self.lane))
            .put_all(self.waiters.into_iter().map(Row::Waiter))
            .put_all(self.places.into_values().map(Row::Place))
    }
}
