//! Seat views: who has which seat, in memory, kept true by every commit.
//!
//! A view is filled from the store when it is first looked at. Commits tell it of each changed claim; a claim counts
//! its versions, so news may come in any order and more than once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use engine::id::EventId;
use engine::seats::{Claim, SeatStatus};
use engine::time::Time;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

/// The most seats in all views together (a seat takes 16 bytes).
const MOST_SEATS: usize = 8_000_000;
/// What a view takes while nobody has touched a seat, in seats.
const UNTOUCHED: usize = 16;

/// The views of the events that were looked at lately.
#[derive(Default)]
pub(crate) struct Views(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    views: HashMap<EventId, Slot>,
    /// The seats of all of them.
    seats: usize,
}

struct Slot {
    view: Arc<View>,
    /// What it takes, in seats.
    seats: usize,
}

/// The seats of one event.
pub(crate) struct View {
    pub(crate) filled: OnceCell<()>,
    seats: Mutex<Seats>,
}

struct Seats {
    count: u32,
    /// By ordinal, as `versions`; both are empty until a seat is touched.
    until: Vec<i64>,
    versions: Vec<i64>,
    /// How many holds end at a moment; those that have are taken out when the view is looked at.
    lapses: BTreeMap<i64, u32>,
    /// Up to when `lapses` was looked through.
    looked: i64,
    sold: u32,
    held: u32,
    /// Starts anywhere and counts every change of a status.
    tag: u64,
}

/// What a view shows at a moment.
pub(crate) struct Glance {
    pub tag: u64,
    pub free: u32,
    pub next_lapse: Time,
}

impl Views {
    /// The view of an event with this many seats, filled or not.
    pub(crate) fn view(&self, event: EventId, seats: u32, seed: impl FnOnce() -> u64) -> Arc<View> {
        let mut kept = self.0.lock();
        if let Some(slot) = kept.views.get(&event) {
            return slot.view.clone();
        }
        kept.make_room(UNTOUCHED);
        let view = Arc::new(View { filled: OnceCell::new(), seats: Mutex::new(Seats::new(seats, seed())) });
        kept.views.insert(event, Slot { view: view.clone(), seats: UNTOUCHED });
        view
    }

    /// Takes changed claims into the views that exist.
    pub(crate) fn apply(&self, claims: &[Claim]) {
        for own in claims.chunk_by(|a, b| a.seat.0 == b.seat.0) {
            self.fill(own[0].seat.0, own.iter().map(|claim| (claim.seat.1, claim.version, claim.until)));
        }
    }

    /// Takes claims of an event, if it has a view.
    pub(crate) fn fill(&self, event: EventId, claims: impl IntoIterator<Item = (u32, i64, Time)>) {
        let view = self.0.lock().views.get(&event).map(|slot| slot.view.clone());
        if let Some(view) = view {
            self.take(event, &view, claims);
        }
    }

    /// Takes claims into the view of an event, which may have been dropped from these.
    pub(crate) fn take(&self, event: EventId, view: &Arc<View>, claims: impl IntoIterator<Item = (u32, i64, Time)>) {
        let grown = view.fill(claims);
        if grown > 0 {
            let mut kept = self.0.lock();
            kept.make_room(grown);
            if let Some(slot) = kept.views.get_mut(&event).filter(|slot| Arc::ptr_eq(&slot.view, view)) {
                slot.seats += grown;
            } else {
                kept.seats -= grown;
            }
        }
    }

    /// Drops all views.
    pub(crate) fn forget_all(&self) {
        *self.0.lock() = Kept::default();
    }

    /// Drops the view of an event, so that the next look fills it anew.
    pub(crate) fn forget(&self, event: EventId) {
        let mut kept = self.0.lock();
        if let Some(slot) = kept.views.remove(&event) {
            kept.seats -= slot.seats;
        }
    }
}

impl Kept {
    /// Counts so many seats more, of which there may be too many for those that are kept.
    fn make_room(&mut self, seats: usize) {
        if self.seats + seats > MOST_SEATS {
            // Rare, and what is looked at again is filled again: no order of use is kept for it.
            *self = Self::default();
        }
        self.seats += seats;
    }
}

impl View {
    /// How many seats it shows.
    pub(crate) fn count(&self) -> u32 {
        self.seats.lock().count
    }

    /// Takes claims; says of how many seats it had to begin to keep something.
    fn fill(&self, claims: impl IntoIterator<Item = (u32, i64, Time)>) -> usize {
        let mut seats = self.seats.lock();
        let before = seats.until.len();
        for (ordinal, version, until) in claims {
            seats.apply(ordinal, version, until);
        }
        seats.until.len() - before
    }

    /// What it shows at `now`, without the seats.
    pub(crate) fn glance(&self, now: Time) -> Glance {
        self.seats.lock().glance(now)
    }

    /// The statuses of at most `count` seats from the one at `first` on, without looking at the others.
    pub(crate) fn stretch(&self, first: u32, count: u32, now: Time) -> (Glance, Vec<SeatStatus>) {
        let mut seats = self.seats.lock();
        let glance = seats.glance(now);
        let stretch = seats.until().skip(first as usize).take(count as usize);
        (glance, stretch.map(|until| SeatStatus::at(until, now)).collect())
    }

    /// The status of each seat at `now`, and what belongs to it.
    pub(crate) fn statuses(&self, now: Time) -> (Glance, Vec<SeatStatus>) {
        let mut seats = self.seats.lock();
        let glance = seats.glance(now);
        (glance, seats.until().map(|until| SeatStatus::at(until, now)).collect())
    }
}

impl Seats {
    fn new(count: u32, seed: u64) -> Self {
        Self {
            count,
            until: Vec::new(),
            versions: Vec::new(),
            lapses: BTreeMap::new(),
            looked: 0,
            sold: 0,
            held: 0,
            tag: seed,
        }
    }

    /// Until when each seat is claimed, in order.
    fn until(&self) -> impl Iterator<Item = Time> {
        let untouched = std::iter::repeat(Time::NEVER);
        self.until.iter().copied().map(Time).chain(untouched).take(self.count as usize)
    }

    fn apply(&mut self, ordinal: u32, version: i64, until: Time) {
        let index = ordinal as usize;
        if ordinal >= self.count || self.versions.get(index).copied().unwrap_or(0) >= version {
            return;
        }
        if self.until.is_empty() {
            self.until = vec![Time::NEVER.0; self.count as usize];
            self.versions = vec![0; self.count as usize];
        }
        self.versions[index] = version;
        let before = std::mem::replace(&mut self.until[index], until.0);
        self.uncount(before);
        self.count(until.0);
        self.tag = self.tag.wrapping_add(1);
    }

    fn count(&mut self, until: i64) {
        if until == Time::FOREVER.0 {
            self.sold += 1;
        } else if until > self.looked {
            self.held += 1;
            *self.lapses.entry(until).or_default() += 1;
        }
    }

    fn uncount(&mut self, until: i64) {
        if until == Time::FOREVER.0 {
            self.sold -= 1;
        } else if until > self.looked
            && let Some(count) = self.lapses.get_mut(&until)
        {
            self.held -= 1;
            *count -= 1;
            if *count == 0 {
                self.lapses.remove(&until);
            }
        }
    }

    /// Lets go of the holds that have lapsed.
    fn glance(&mut self, now: Time) -> Glance {
        while let Some(first) = self.lapses.first_entry()
            && *first.key() <= now.0
        {
            self.held -= first.remove();
            self.tag = self.tag.wrapping_add(1);
        }
        self.looked = self.looked.max(now.0);
        let taken = self.sold + self.held;
        let free = self.count - taken;
        let next = self.lapses.first_key_value().map_or(Time::FOREVER, |(until, _)| Time(*until));
        Glance { tag: self.tag, free, next_lapse: next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: Time = Time(1_000);

    #[test]
    fn counts_follow_holds_sales_lapses_and_returns_in_any_order() {
        let mut seats = Seats::new(10, 7);
        seats.apply(0, 1, HELD);
        seats.apply(1, 1, Time::FOREVER);
        seats.apply(2, 2, Time::NEVER);
        seats.apply(2, 1, HELD);
        assert_eq!(seats.glance(Time(999)).free, 8);
        assert_eq!(seats.glance(Time(1_000)).free, 9, "a hold is free the moment its time passes");
        seats.apply(0, 2, Time::NEVER);
        seats.apply(1, 2, Time::NEVER);
        assert_eq!(seats.glance(Time(1_001)).free, 10);
    }

    #[test]
    fn a_stretch_is_a_part_of_the_whole_and_ends_where_the_seats_do() {
        let view = View { filled: OnceCell::new(), seats: Mutex::new(Seats::new(5, 7)) };
        view.fill([(1, 1, HELD), (3, 1, Time::FOREVER)]);
        let now = Time(1);
        let whole = view.statuses(now).1;
        for (first, count) in [(0, 5), (1, 2), (3, 9), (5, 1), (u32::MAX, 1)] {
            let end = whole.len().min((first as usize).saturating_add(count as usize));
            let (glance, part) = view.stretch(first, count, now);
            assert_eq!(part, whole[end.min(first as usize)..end], "{first} {count}");
            assert_eq!(glance.free, 3);
        }
    }

    #[test]
    fn a_view_takes_memory_once_a_seat_is_touched_and_gives_it_back() {
        let views = Views::default();
        let seats = || views.0.lock().seats;
        let [first, second] = [1, 2].map(EventId);
        let view = views.view(first, 100_000, || 7);
        views.view(second, 100_000, || 7);
        assert_eq!((seats(), view.glance(Time(1)).free), (2 * UNTOUCHED, 100_000));
        views.fill(first, [(0, 1, HELD), (1, 1, HELD)]);
        assert_eq!((seats(), view.glance(Time(1)).free), (2 * UNTOUCHED + 100_000, 99_998));
        views.forget(first);
        views.take(first, &view, [(2, 1, HELD)]);
        assert_eq!((seats(), view.glance(Time(1)).free), (UNTOUCHED, 99_997), "who still looks at it sees on");
        let late = views.view(first, 9, || 7);
        views.forget(first);
        views.take(first, &late, [(2, 1, HELD)]);
        assert_eq!(seats(), UNTOUCHED);
        for number in 3..90 {
            views.view(EventId(number), 100_000, || 7);
            views.fill(EventId(number), [(0, 1, HELD)]);
        }
        assert!((1..=MOST_SEATS).contains(&seats()));
    }

    #[test]
    fn the_tag_changes_with_every_change_and_with_no_other_look() {
        let mut seats = Seats::new(2, 7);
        let fresh = seats.glance(Time(1)).tag;
        assert_eq!(seats.glance(Time(2)).tag, fresh);
        seats.apply(0, 1, HELD);
        let held = seats.glance(Time(3)).tag;
        assert_ne!(held, fresh);
        seats.apply(0, 1, HELD);
        assert_eq!(seats.glance(Time(4)).tag, held, "the same news again changes nothing");
        assert_ne!(seats.glance(HELD).tag, held, "a lapse changes it");
    }
}
