//! What somebody who begins to look at the seats of an event is told: how each of them stands.

use std::sync::Arc;

use desk::SeatMap;
use engine::catalogue::{Event, Layout};
use engine::seats::SeatStatus;

use super::super::wire;
use super::messages::SnapshotPart;
use crate::ids;

/// The most seats of a part. The buffer that a message is written from stays as large for as long as the socket is there.
const PART: usize = 2_000;

/// How the seats of an event stood at some moment, in words that are kept for whoever comes next.
pub struct Standing {
    /// Changes when a seat does.
    tag: u64,
    order: Order,
    letters: Arc<str>,
}

/// The seats of a layout in the order of the list that clients have of them.
#[derive(Clone)]
struct Order {
    layout: Arc<Layout>,
    ordinals: Arc<[u32]>,
}

impl Standing {
    /// How they stand by a map; `before` is how they stood.
    pub fn new(event: &Event, map: &SeatMap, before: Option<&Self>) -> Self {
        let layout = &event.offer.layout;
        let known = before.map(|before| &before.order).filter(|order| Arc::ptr_eq(&order.layout, layout));
        let order = known.cloned().unwrap_or_else(|| Order::new(layout));
        let letters: String = order.ordinals.iter().map(|n| letter(map.statuses[*n as usize])).collect();
        Self { tag: map.tag, order, letters: letters.into() }
    }

    /// Whether they still stand so.
    pub fn is_of(&self, tag: u64) -> bool {
        self.tag == tag
    }

    /// It as a snapshot that is taken after the word with this number.
    pub fn snapshot(&self, event: &Event, sequence: u64) -> Snapshot {
        Snapshot { event_id: ids::uuid(event.id.0), sequence, letters: self.letters.clone() }
    }
}

impl Order {
    fn new(layout: &Arc<Layout>) -> Self {
        let ordinals = wire::places(layout).iter().map(|place| place.ordinal).collect();
        Self { layout: layout.clone(), ordinals }
    }
}

fn letter(status: SeatStatus) -> char {
    match status {
        SeatStatus::Free => 'a',
        SeatStatus::Held => 'l',
        SeatStatus::Sold => 'r',
    }
}

/// All seats at one moment.
pub struct Snapshot {
    event_id: String,
    sequence: u64,
    letters: Arc<str>,
}

impl Snapshot {
    /// How many messages it is; one at least.
    pub fn parts(&self) -> usize {
        self.letters.len().div_ceil(PART).max(1)
    }

    /// One of them.
    pub fn part(&self, number: usize) -> SnapshotPart<'_> {
        let total = self.letters.len();
        let (from, to) = (number * PART, total.min((number + 1) * PART));
        SnapshotPart { event_id: &self.event_id, sequence: self.sequence, from, total, seats: &self.letters[from..to] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(seats: usize) -> Snapshot {
        let letters: String = "alr".chars().cycle().take(seats).collect();
        Snapshot { event_id: String::new(), sequence: 7, letters: letters.into() }
    }

    #[test]
    fn parts_follow_one_another_and_are_all_there_is() {
        for (seats, parts) in [(0, 1), (1, 1), (PART, 1), (PART + 1, 2), (25 * PART, 25)] {
            let snapshot = snapshot(seats);
            assert_eq!(snapshot.parts(), parts, "{seats}");
            let mut together = String::new();
            for number in 0..parts {
                let part = snapshot.part(number);
                assert_eq!((part.from, part.total, part.sequence), (together.len(), seats, 7));
                together += part.seats;
            }
            assert_eq!(*together, *snapshot.letters);
        }
    }
}
