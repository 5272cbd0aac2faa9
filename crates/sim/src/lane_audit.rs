//! What must always be true of the waiting room.

use std::collections::{BTreeMap, BTreeSet};

use engine::id::LaneId;
use engine::lanes::{Lane, Place, PlaceState};

use crate::queueing::policy;
use crate::store::Store;

/// Lanes count right, let in no more than they may, and nobody was let in before somebody who came earlier.
pub(crate) fn lanes(store: &Store, found: &mut Vec<String>) {
    let mut places = BTreeMap::<LaneId, Vec<&Place>>::new();
    for place in store.places() {
        places.entry(place.key.0).or_default().push(place);
        let waiter = store.waiter((place.key.0, place.user));
        if place.is_live() && waiter.is_none_or(|waiter| waiter.number != place.key.1) {
            found.push(format!("{place:?} is live, but its holder is found by {waiter:?}"));
        }
    }
    for lane in store.lanes() {
        one(lane, &places.remove(&lane.id).unwrap_or_default(), found);
    }
    found.extend(places.keys().map(|lane| format!("{lane:?} has places, but is not there")));
}

fn one(lane: &Lane, places: &[&Place], found: &mut Vec<String>) {
    let count = |wanted: fn(PlaceState) -> bool| places.iter().filter(|place| wanted(place.state)).count();
    let counts = (
        count(|state| state == PlaceState::Waiting),
        count(|state| matches!(state, PlaceState::Inside { .. })),
        count(|state| state == PlaceState::Used),
    );
    if counts != (lane.waiting as usize, lane.inside as usize, lane.used as usize) {
        found.push(format!("{lane:?} has {counts:?} who wait, are inside, have used their turn"));
    }
    let policy = lane.id.kind().map(policy);
    let most = policy.map_or(u32::MAX, |policy| policy.inside);
    if lane.inside > lane.capacity || lane.inside > most {
        found.push(format!("{lane:?} lets in more than {most}"));
    }
    if policy.and_then(|policy| policy.most).is_some_and(|most| lane.live() > most) {
        found.push(format!("{lane:?} has more live places than it may"));
    }
    let waits = places.iter().find(|place| place.state == PlaceState::Waiting);
    let inside = places.iter().rev().find(|place| matches!(place.state, PlaceState::Inside { .. }));
    if let (Some(first), Some(last)) = (waits, inside)
        && first.key.1 < last.key.1
    {
        found.push(format!("{last:?} is inside before {first:?}"));
    }
    if waits.is_some_and(|first| first.key.1 < lane.head) || places.iter().any(|place| place.key.1 >= lane.next) {
        found.push(format!("{lane:?} does not lead to {waits:?}"));
    }
}

/// Places that were acknowledged and had not ended when they were last looked at: they are there.
pub(crate) fn promises(store: &Store, promised: &mut BTreeSet<(LaneId, i64)>, found: &mut Vec<String>) {
    promised.retain(|key| match store.place(*key) {
        Some(place) => place.is_live(),
        None => {
            found.push(format!("a place was acknowledged and is gone: {key:?}"));
            false
        }
    });
}
