//! The recent past of the event stream, in memory. On SQLite whoever writes hands it over; on PostgreSQL the first who
//! asks for what is new reads it from the store for all.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::Unavailable;
use crate::desk::Desk;
use crate::entry::Entry;
use crate::tables::entry_of;
use crate::value::{IntoValue as _, Kind};

pub(crate) const AFTER: &str = "SELECT position, made_at, fact, event_id, subject, body FROM outbox \
     WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3";

/// The most entries read at a time, and the most that are kept.
const PAGE: usize = 1_000;
const MOST: usize = 8_192;

/// The end of the stream, as far as it is known here.
#[derive(Default)]
pub(crate) struct Recent {
    stretch: Mutex<Stretch>,
    /// Held by who reads for all.
    reading: tokio::sync::Mutex<()>,
}

/// The entries after `from`, up to `to`: all of them.
#[derive(Default)]
struct Stretch {
    from: u64,
    to: u64,
    entries: VecDeque<Arc<Entry>>,
}

/// Where what somebody asks for is.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Here.
    Here(Vec<Arc<Entry>>),
    /// Before what is known here.
    Before,
    /// After it, which is the position.
    After(u64),
}

impl Stretch {
    fn starting(position: u64) -> Self {
        Self { from: position, to: position, entries: VecDeque::new() }
    }

    /// The entries after a position up to `end`, at most so many. Where somebody asks beyond what is known it starts anew:
    /// what lies between is nobody's who keeps up.
    fn find(&mut self, position: u64, end: u64, most: usize) -> Found {
        if position > self.to {
            *self = Self::starting(position);
        }
        if position < self.from {
            return Found::Before;
        }
        let first = self.entries.partition_point(|entry| entry.position <= position);
        if first == self.entries.len() && self.to < end {
            return Found::After(self.to);
        }
        let after = self.entries.range(first..).take_while(|entry| entry.position <= end);
        Found::Here(after.take(most).cloned().collect())
    }

    /// Takes what was read after a position, which is everything up to `end` or as much as was asked for. Somebody may
    /// have moved it meanwhile: then it is of no use.
    fn take(&mut self, after: u64, read: Vec<Entry>, end: u64) {
        if after == self.to {
            let to = if read.len() < PAGE { end } else { read.last().map_or(end, |last| last.position) };
            self.extend(read, to);
        }
    }

    /// Takes what was written last. What lies between that and what is known is left to who asks for it.
    fn hand_over(&mut self, entries: Vec<Entry>) {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        let (before, to) = (first.position - 1, last.position);
        if self.to != before {
            *self = Self::starting(before);
        }
        self.extend(entries, to);
    }

    fn extend(&mut self, entries: Vec<Entry>, to: u64) {
        self.to = to;
        self.entries.extend(entries.into_iter().map(Arc::new));
        let surplus = self.entries.len().saturating_sub(MOST);
        if let Some(last) = self.entries.drain(..surplus).next_back() {
            self.from = last.position;
        }
    }
}

impl Recent {
    /// Takes what was written last, in the order of writing.
    pub(crate) fn hand_over(&self, entries: Vec<Entry>) {
        self.stretch.lock().hand_over(entries);
    }
}

impl Desk {
    /// The entries after a position up to `end`, at most so many: of memory where they are recent.
    pub(crate) async fn entries(&self, position: u64, end: u64, most: usize) -> Result<Vec<Arc<Entry>>, Unavailable> {
        let recent = &self.0.shared.stream.recent;
        loop {
            let found = recent.stretch.lock().find(position, end, most);
            let missing = match found {
                Found::Here(entries) => return Ok(entries),
                Found::Before => {
                    let read = self.read_entries(position, end, most).await?;
                    return Ok(read.into_iter().map(Arc::new).collect());
                }
                Found::After(to) => to,
            };
            let _reading = recent.reading.lock().await;
            // Who read before us may have read this.
            if recent.stretch.lock().to == missing {
                let read = self.read_entries(missing, end, PAGE).await?;
                recent.stretch.lock().take(missing, read, end);
            }
        }
    }

    async fn read_entries(&self, position: u64, end: u64, most: usize) -> Result<Vec<Entry>, Unavailable> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let params = vec![position.cast_signed().value(), end.cast_signed().value(), most.value()];
        let kinds = &[Kind::Int, Kind::Int, Kind::Text, Kind::Bytes, Kind::Bytes, Kind::Text];
        let rows = self.0.reads.query(AFTER, params, kinds).await?;
        Ok(rows.into_iter().map(entry_of).collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use engine::id::EventId;
    use engine::time::Time;

    use super::*;
    use crate::entry::Happened;

    fn entries(positions: impl IntoIterator<Item = u64>) -> Vec<Entry> {
        let entry = |position| Entry { position, at: Time(1), event: EventId(1), happened: Happened::EventChanged };
        positions.into_iter().map(entry).collect()
    }

    /// What is found here after a position.
    fn after(stretch: &mut Stretch, position: u64, end: u64) -> Option<Vec<u64>> {
        match stretch.find(position, end, 1_000_000) {
            Found::Here(entries) => Some(entries.iter().map(|entry| entry.position).collect()),
            Found::Before | Found::After(_) => None,
        }
    }

    #[test]
    fn what_was_read_is_there_for_everybody_at_or_behind_it() {
        let mut recent = Stretch::default();
        assert_eq!(recent.find(10, 20, 5), Found::After(10));
        recent.take(10, entries([12, 15]), 20);
        assert_eq!((recent.from, recent.to), (10, 20));
        assert_eq!(after(&mut recent, 10, 20), Some(vec![12, 15]));
        assert_eq!(after(&mut recent, 12, 20), Some(vec![15]));
        assert_eq!(after(&mut recent, 12, 14), Some(vec![]));
        assert_eq!(after(&mut recent, 20, 20), Some(vec![]));
        assert_eq!(recent.find(9, 20, 5), Found::Before);
        assert_eq!(recent.find(20, 21, 5), Found::After(20));
        recent.take(20, entries([21]), 21);
        assert_eq!(after(&mut recent, 10, 21), Some(vec![12, 15, 21]));
        assert_eq!(recent.find(10, 21, 2), Found::Here(entries([12, 15]).into_iter().map(Arc::new).collect()));
    }

    #[test]
    fn who_reads_beyond_it_starts_it_anew() {
        let mut recent = Stretch::default();
        recent.take(0, entries([1]), 5);
        assert_eq!(recent.find(6, 7, 5), Found::After(6));
        assert_eq!((recent.from, recent.to, recent.entries.len()), (6, 6, 0));
    }

    #[test]
    fn what_is_handed_over_follows_what_is_known_or_starts_it_anew() {
        let mut recent = Stretch::default();
        recent.hand_over(entries([1, 2]));
        recent.hand_over(entries([3]));
        assert_eq!(after(&mut recent, 0, 3), Some(vec![1, 2, 3]));
        recent.hand_over(entries([9, 10]));
        assert_eq!(after(&mut recent, 8, 10), Some(vec![9, 10]));
        assert_eq!(recent.find(3, 10, 5), Found::Before, "what lies between was not handed over");
    }

    #[test]
    fn what_was_read_before_more_was_handed_over_is_of_no_use() {
        let mut recent = Stretch::starting(4);
        recent.hand_over(entries([7]));
        recent.take(4, entries([5, 6]), 6);
        assert_eq!((recent.from, recent.to, recent.entries.len()), (6, 7, 1));
    }

    #[test]
    fn a_full_page_reaches_to_its_last_entry_and_the_oldest_are_forgotten() {
        let mut recent = Stretch::default();
        let mut next = 1;
        for _ in 0..=MOST / PAGE {
            let page = entries((next..).take(PAGE));
            recent.take(next - 1, page, u64::MAX);
            next += PAGE as u64;
            assert_eq!(recent.to, next - 1);
        }
        assert_eq!(recent.entries.len(), MOST);
        assert_eq!(recent.from + 1, recent.entries[0].position);
    }
}
