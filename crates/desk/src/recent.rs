//! The recent past of the event stream, in memory: whoever keeps up with the stream reads the store once for all.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::Unavailable;
use crate::desk::Desk;
use crate::stream::Entry;
use crate::value::{IntoValue as _, Kind};

pub(crate) const AFTER: &str = "SELECT position, made_at, fact, event_id, subject, body FROM outbox \
     WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3";

/// The most entries read at a time, and the most that are kept.
const PAGE: usize = 1_000;
const MOST: usize = 8_192;

/// Everything after a position, as far as it was read.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Stretch>);

/// The entries after `from`, up to `to`: all of them.
#[derive(Default)]
struct Stretch {
    from: u64,
    to: u64,
    entries: VecDeque<Arc<Entry>>,
}

impl Stretch {
    /// Starts anew where somebody reads beyond what is known: what lies between is nobody's who keeps up.
    fn reach(&mut self, position: u64) {
        if position > self.to {
            *self = Self { from: position, to: position, entries: VecDeque::new() };
        }
    }

    /// Takes what was read after `to`, which is everything up to there or as much as was asked for.
    fn take(&mut self, read: Vec<Entry>, end: u64) {
        self.to = if read.len() < PAGE { end } else { read.last().map_or(end, |last| last.position) };
        self.entries.extend(read.into_iter().map(Arc::new));
        let surplus = self.entries.len().saturating_sub(MOST);
        if let Some(last) = self.entries.drain(..surplus).next_back() {
            self.from = last.position;
        }
    }

    /// The entries after a position that lies in it.
    fn after(&self, position: u64) -> impl Iterator<Item = &Arc<Entry>> {
        let first = self.entries.partition_point(|entry| entry.position <= position);
        self.entries.range(first..)
    }
}

impl Desk {
    /// The entries after a position up to `end`, at most so many: of memory where they are recent.
    pub(crate) async fn entries(&self, position: u64, end: u64, most: usize) -> Result<Vec<Arc<Entry>>, Unavailable> {
        let mut recent = self.0.shared.stream.recent.0.lock().await;
        recent.reach(position);
        if position < recent.from {
            drop(recent);
            return Ok(self.read_entries(position, end, most).await?.into_iter().map(Arc::new).collect());
        }
        // Read under the lock: who comes meanwhile finds it there. A page may hold nothing new to who is ahead of it.
        while recent.to < end && recent.after(position).next().is_none() {
            let read = self.read_entries(recent.to, end, PAGE).await?;
            recent.take(read, end);
        }
        Ok(recent.after(position).take_while(|entry| entry.position <= end).take(most).cloned().collect())
    }

    async fn read_entries(&self, position: u64, end: u64, most: usize) -> Result<Vec<Entry>, Unavailable> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let params = vec![position.cast_signed().value(), end.cast_signed().value(), most.value()];
        let kinds = &[Kind::Int, Kind::Int, Kind::Text, Kind::Bytes, Kind::Bytes, Kind::Text];
        let rows = self.0.reads.query(AFTER, params, kinds).await?;
        Ok(rows.into_iter().map(Entry::read).collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use engine::id::EventId;
    use engine::time::Time;

    use super::*;
    use crate::stream::Happened;

    fn entry(position: u64) -> Entry {
        Entry { position, at: Time(1), event: EventId(1), happened: Happened::EventChanged }
    }

    fn after(stretch: &Stretch, position: u64) -> Vec<u64> {
        stretch.after(position).map(|entry| entry.position).collect()
    }

    #[test]
    fn what_was_read_is_there_for_everybody_at_or_behind_it() {
        let mut recent = Stretch::default();
        recent.reach(10);
        recent.take(vec![entry(12), entry(15)], 20);
        assert_eq!((recent.from, recent.to), (10, 20));
        assert_eq!((after(&recent, 10), after(&recent, 12), after(&recent, 20)), (vec![12, 15], vec![15], vec![]));
        recent.reach(20);
        recent.take(vec![entry(21)], 21);
        assert_eq!((recent.from, after(&recent, 10)), (10, vec![12, 15, 21]));
    }

    #[test]
    fn who_reads_beyond_it_starts_it_anew() {
        let mut recent = Stretch::default();
        recent.take(vec![entry(1)], 5);
        recent.reach(6);
        assert_eq!((recent.from, recent.to, recent.entries.len()), (6, 6, 0));
    }

    #[test]
    fn a_full_page_reaches_to_its_last_entry_and_the_oldest_are_forgotten() {
        let mut recent = Stretch::default();
        let mut next = 1;
        for _ in 0..=MOST / PAGE {
            let page = (next..).take(PAGE).map(entry).collect();
            recent.take(page, u64::MAX);
            next += PAGE as u64;
            assert_eq!(recent.to, next - 1);
        }
        assert_eq!(recent.entries.len(), MOST);
        assert_eq!(recent.from + 1, recent.entries[0].position);
    }
}
