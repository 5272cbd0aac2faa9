//! The index of one lane: who stands where, and whose time passes next.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::hash::{BuildHasher, RandomState};

use desk::{Span, Time};
use engine::id::UserId;
use engine::lanes::{Place, PlaceState};
use hashbrown::HashTable;

use crate::chunks::{Chunks, Slot, State};

/// What a change of a place was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// None: it was known, or is older than what is known.
    None,
    /// Somebody who was not there before waits.
    Joined,
    /// Somebody got in.
    LetIn {
        /// Whether that person had to wait.
        waited: bool,
    },
    /// Anything else.
    Other,
}

/// The index of one lane.
#[derive(Default)]
pub struct Index {
    chunks: Chunks,
    /// Numbers of the places by person: the low half, which is enough to find them.
    people: HashTable<u32>,
    hasher: RandomState,
    /// When somebody's time passes, at the earliest.
    deadlines: BinaryHeap<Reverse<(i64, i64)>>,
    waiting: u32,
    inside: u32,
    /// The number after the greatest there was.
    next: i64,
    /// Numbers below it of which nothing was heard yet: other nodes gave them, and the news is on its way.
    missing: BTreeSet<i64>,
    /// Whether anybody ever stood here.
    touched: bool,
    /// Whether all that the store has was read: what is over need not be remembered from then on.
    read: bool,
}

impl Index {
    /// Takes a place as the store has it, if that is news.
    pub(crate) fn apply(&mut self, place: &Place) -> Step {
        let number = place.key.1;
        let version = u32::try_from(place.version).unwrap_or(u32::MAX);
        self.touched = true;
        self.missing.remove(&number);
        let known = self.chunks.get(number);
        let is_over = !place.is_live();
        if known.is_some_and(|slot| slot.version >= version) || known.is_none() && is_over && self.read {
            return Step::None;
        }
        let before = known.copied().unwrap_or_default();
        let (state, until) = match place.state {
            PlaceState::Waiting => (State::Waiting, 0),
            PlaceState::Inside { until } => (State::Inside, until.0),
            PlaceState::Used => (State::Used, 0),
            PlaceState::Ended { .. } => (State::Over, 0),
        };
        let mut slot = Slot {
            joined_at: place.joined_at.0,
            ends_at: place.ends_at.0,
            until: if before.state == State::Inside { until.max(before.until) } else { until },
            seen_at: place.seen_at.0.max(before.seen_at),
            noted_at: place.seen_at.0,
            is_noting: false,
            version,
            state,
            ..before
        };
        slot.name(place.id, place.user);
        if before.state != State::Over && state == State::Over {
            self.unname(place.user, number);
        }
        self.miss(number);
        self.chunks.put(number, slot);
        self.recount(before.state, state);
        if before.state == State::Over && state != State::Over {
            self.name(place.user, number);
        }
        if slot.deadline() < i64::MAX {
            self.deadlines.push(Reverse((slot.deadline(), number)));
        }
        match (before.state, state) {
            (State::Over, State::Waiting) => Step::Joined,
            (State::Waiting, State::Inside) => Step::LetIn { waited: true },
            (State::Over, State::Inside) => Step::LetIn { waited: false },
            _ => Step::Other,
        }
    }

    fn recount(&mut self, before: State, after: State) {
        for (state, count) in [(State::Waiting, &mut self.waiting), (State::Inside, &mut self.inside)] {
            *count = *count + u32::from(after == state) - u32::from(before == state);
        }
    }

    /// The whole number of a low half: none is further from the greatest than the low half reaches.
    fn whole(&self, low: u32) -> i64 {
        whole(low, self.next)
    }

    fn name(&mut self, user: UserId, number: i64) {
        let hash = self.hasher.hash_one(user.0);
        // A person whose older place is not known to be over is found under the newer one.
        if let Some(old) = self.number(user) {
            if old > number {
                return;
            }
            self.unname(user, old);
        }
        let (chunks, hasher, next) = (&self.chunks, &self.hasher, self.next);
        self.people.insert_unique(hash, low_half(number), |low| {
            hasher.hash_one(chunks.get(whole(*low, next)).map_or(0, |slot| slot.user().0))
        });
    }

    fn unname(&mut self, user: UserId, number: i64) {
        let hash = self.hasher.hash_one(user.0);
        if let Ok(entry) = self.people.find_entry(hash, |low| *low == low_half(number)) {
            entry.remove();
        }
    }

    /// The number of a person's live place.
    pub(crate) fn number(&self, user: UserId) -> Option<i64> {
        let hash = self.hasher.hash_one(user.0);
        let is_theirs = |low: &u32| self.chunks.get(self.whole(*low)).is_some_and(|slot| slot.user() == user);
        self.people.find(hash, is_theirs).map(|low| self.whole(*low))
    }

    /// A person's live place, with its number.
    pub(crate) fn find(&self, user: UserId) -> Option<(i64, Slot)> {
        let number = self.number(user)?;
        self.chunks.get(number).filter(|slot| slot.state != State::Over).map(|slot| (number, *slot))
    }

    /// The live place with a number.
    pub(crate) fn find_number(&self, number: i64) -> Option<&Slot> {
        self.chunks.get(number).filter(|slot| slot.state != State::Over)
    }

    /// How many wait, and how many are inside, up to and with a number.
    pub(crate) fn rank(&self, number: i64) -> (u32, u32) {
        self.chunks.rank(number)
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waiting
    }

    /// How many are inside.
    #[must_use]
    pub fn inside(&self) -> u32 {
        self.inside
    }

    /// Whether anybody ever stood here.
    pub(crate) fn is_touched(&self) -> bool {
        self.touched
    }

    /// All that the store has was read: `next` is the number it gives next, where the lane is there.
    pub(crate) fn be_read(&mut self, next: Option<i64>) {
        self.touched = self.touched || next.is_some();
        self.next = self.next.max(next.unwrap_or(0));
        self.read = true;
    }

    /// Notes that there is a place with a number, and which between it and the last one are not known.
    fn miss(&mut self, number: i64) {
        if self.read {
            let unknown =
                (self.next..number).filter(|number| self.chunks.get(*number).is_none_or(|own| own.version == 0));
            self.missing.extend(unknown);
        }
        self.next = self.next.max(number + 1);
    }

    /// From which to which number something is not known.
    pub(crate) fn gap(&self) -> Option<(i64, i64)> {
        Some((*self.missing.first()?, *self.missing.last()?))
    }

    /// The store was asked for what is not known up to a number: what it did not have will never be.
    pub(crate) fn close_gap(&mut self, last: i64) {
        self.missing = self.missing.split_off(&(last + 1));
    }

    /// Notes a sign of life; with `pass` the pass of who is inside runs from it.
    pub(crate) fn see(&mut self, number: i64, now: Time, pass: Option<Span>) {
        let until = pass.map_or(0, |pass| (now + pass).0);
        if let Some(slot) = self.chunks.get_mut(number) {
            (slot.seen_at, slot.until) = (slot.seen_at.max(now.0), slot.until.max(until));
        }
    }

    /// Notes that the store is about to be told of a sign of life; whether that is new.
    pub(crate) fn be_noting(&mut self, number: i64) -> bool {
        self.chunks.get_mut(number).is_some_and(|slot| !std::mem::replace(&mut slot.is_noting, true))
    }

    /// Takes out those whose time has passed, at most so many. Who is not moved on is to be put back.
    pub(crate) fn take_lapsed(&mut self, now: Time, most: usize) -> Vec<i64> {
        let mut found = Vec::new();
        while found.len() < most
            && let Some(Reverse((at, number))) = self.deadlines.peek().copied()
            && at <= now.0
        {
            self.deadlines.pop();
            match self.chunks.get(number).map_or(i64::MAX, Slot::deadline) {
                i64::MAX => {}
                deadline if deadline <= now.0 => found.push(number),
                deadline => self.deadlines.push(Reverse((deadline, number))),
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Puts back what was taken out and not moved on.
    pub(crate) fn put_back(&mut self, numbers: &[i64]) {
        for number in numbers {
            let deadline = self.chunks.get(*number).map_or(i64::MAX, Slot::deadline);
            if deadline < i64::MAX {
                self.deadlines.push(Reverse((deadline, *number)));
            }
        }
    }

    /// Those who wait and were not seen for so long, at most so many.
    pub(crate) fn absent(&mut self, now: Time, absent: Span, most: usize) -> Vec<i64> {
        self.chunks.unseen(now.0.saturating_sub(absent.0), most)
    }

    /// When somebody's time passes, or may count as absent: not before this.
    pub(crate) fn next(&self, absent: Span) -> Time {
        let lapse = self.deadlines.peek().map_or(i64::MAX, |Reverse((at, _))| *at);
        Time(lapse.min(self.chunks.oldest().saturating_add(absent.0)))
    }

    /// Bytes that are taken.
    #[must_use]
    pub fn bytes(&self) -> usize {
        // The table keeps a byte of its own beside each bucket.
        let people = self.people.capacity() * 8 / 7 * (size_of::<u32>() + 1);
        let deadlines = self.deadlines.capacity() * size_of::<Reverse<(i64, i64)>>();
        size_of::<Self>() + self.chunks.bytes() + people + deadlines
    }
}

/// The whole number of a low half, of those before `next`.
fn whole(low: u32, next: i64) -> i64 {
    let last = next - 1;
    last - i64::from(low_half(last).wrapping_sub(low))
}

fn low_half(number: i64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low half is cut out")]
    {
        number as u32
    }
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;
    use engine::id::{LaneId, PlaceId};

    /// A million who wait take up so many bytes each at most.
    const MOST_BYTES: usize = 150;

    fn place(number: i64, state: PlaceState, version: i64) -> Place {
        // Ids as they are minted: alike in front, random behind.
        let spread = (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 64;
        let user = UserId(0x0197_0000_0000_7000_8000_0000_0000_0000 | spread);
        let (joined_at, seen_at, ends_at) = (Time(1), Time(1), Time::FOREVER);
        let key = (LaneId(1), number);
        Place { key, version, id: PlaceId(user.0 + 1), user, state, joined_at, seen_at, ends_at }
    }

    #[test]
    fn a_million_who_wait_take_little_room_and_are_found() {
        let mut index = Index::default();
        let many = 1_000_000;
        for number in 0..many {
            index.apply(&place(number, PlaceState::Waiting, 1));
        }
        let each = index.bytes() / usize::try_from(many).unwrap_or(1);
        println!("{each} bytes each");
        assert!(each <= MOST_BYTES, "{each} bytes each");
        for number in [0, 4_095, 4_096, 500_000, many - 1] {
            let found = index.number(place(number, PlaceState::Waiting, 1).user);
            assert_eq!(found, Some(number));
            assert_eq!(index.rank(number).0, u32::try_from(number + 1).unwrap_or(0));
        }
    }

    #[test]
    fn who_has_gone_leaves_no_bytes_behind() {
        let mut index = Index::default();
        index.be_read(None);
        let chunk = 10_000;
        for number in 0..chunk * 10 {
            index.apply(&place(number, PlaceState::Waiting, 1));
            if let Some(old) = number.checked_sub(chunk).filter(|old| *old >= 0) {
                let how = engine::lanes::Ending::Left;
                index.apply(&place(old, PlaceState::Ended { how, at: Time(2) }, 2));
            }
        }
        assert_eq!(index.waiting(), u32::try_from(chunk).unwrap_or(0));
        assert_eq!(index.rank(chunk * 10 - 1).0, index.waiting());
        assert!(index.bytes() < 4 * 1_024 * 1_024, "{} bytes", index.bytes());
    }

    #[test]
    fn what_was_not_heard_of_is_known_to_be_missing() {
        let mut index = Index::default();
        index.apply(&place(2, PlaceState::Waiting, 1));
        index.be_read(Some(4));
        assert_eq!(index.gap(), None, "what the store did not have is over");
        index.apply(&place(7, PlaceState::Waiting, 1));
        assert_eq!(index.gap(), Some((4, 6)));
        index.apply(&place(4, PlaceState::Waiting, 1));
        index.apply(&place(6, PlaceState::Ended { how: engine::lanes::Ending::Left, at: Time(2) }, 2));
        assert_eq!(index.gap(), Some((5, 5)));
        index.close_gap(5);
        assert_eq!((index.gap(), index.rank(7).0), (None, 3));
    }

    #[test]
    fn news_in_any_order_leaves_the_newest() {
        let mut index = Index::default();
        let inside = PlaceState::Inside { until: Time(50) };
        assert_eq!(index.apply(&place(7, inside, 2)), Step::LetIn { waited: false });
        assert_eq!(index.apply(&place(7, PlaceState::Waiting, 1)), Step::None);
        assert_eq!((index.waiting(), index.inside()), (0, 1));
    }
}
