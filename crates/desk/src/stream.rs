//! The event stream, read: from a position on, as it grows, and by those who keep their place in the store.
//!
//! Nothing is read beyond the position below which everything is over and durable. On SQLite that is the last one
//! flushed; on PostgreSQL, where positions are drawn before transactions commit, the follower finds it (`tail.rs`).

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use engine::id::EventId;
use engine::stream::{Advance, Cursor, LeaseCursor};
use engine::time::Span;
use parking_lot::Mutex;
use tokio::sync::{broadcast, watch};

use crate::desk::{Desk, Inside};
use crate::entry::Entry;
use crate::recent::Recent;
use crate::{Stopped, Unavailable};

/// The last position there is.
pub(crate) const LAST: &str = "SELECT COALESCE(MAX(position), 0) FROM outbox";
/// The most entries looked at at a time.
const PAGE: usize = 500;
/// How many entries a live listener may be behind.
const MOST_BEHIND: usize = 4_096;
/// How long a node keeps a cursor to itself.
const LEASE: Span = Span::seconds(10);

/// How far the stream can be read, and who listens to it in this process.
pub(crate) struct Stream {
    /// `None` until it is known.
    end: watch::Sender<Option<u64>>,
    live: Mutex<Option<broadcast::Sender<Arc<Entry>>>>,
    pub(crate) recent: Recent,
}

impl Default for Stream {
    fn default() -> Self {
        Self { end: watch::Sender::new(None), live: Mutex::default(), recent: Recent::default() }
    }
}

impl Stream {
    /// Takes what was written last, which is durable: it need not be read from the store. On a store of one writer only.
    pub(crate) fn written(&self, entries: Vec<Entry>, end: u64) {
        self.recent.hand_over(entries);
        self.moved(end);
    }

    /// Everything up to here can be read.
    pub(crate) fn moved(&self, end: u64) {
        self.end.send_if_modified(|known| {
            let further = known.is_none_or(|known| known < end);
            if further {
                *known = Some(end);
            }
            further
        });
    }
}

/// What a durable consumer of the stream has to work off next.
#[derive(Debug, Clone)]
pub struct Page {
    /// In order; none where nothing was left behind a page that was turned.
    pub entries: Vec<Arc<Entry>>,
    /// Whether there are others behind them already.
    pub more: bool,
    /// Moves the cursor over them, in the command that does the work.
    pub advance: Advance,
}

impl Page {
    /// Leaves what comes after the first so many entries, at least one, to the next page.
    pub fn cut(&mut self, most: usize) {
        self.more |= most < self.entries.len();
        self.entries.truncate(most.max(1));
        self.advance.to = self.entries.last().map_or(self.advance.to, |last| last.position);
    }
}

impl Desk {
    /// The entries after a position, oldest first, at most so many. They are durable, and none will ever show up
    /// between them. Read again from the position of the last one; none are left when it gives none.
    ///
    /// # Errors
    /// Where the store cannot be reached; so with every read.
    pub async fn stream_after(&self, position: u64, most: usize) -> Result<Vec<Arc<Entry>>, Unavailable> {
        let end = self.stream_end().await?;
        if position >= end {
            return Ok(Vec::new());
        }
        self.entries(position, end, most).await
    }

    /// The events that were made, changed or deleted after a position, in no order, and the position this is true at.
    ///
    /// # Errors
    /// As [`Desk::stream_after`].
    pub async fn events_changed_after(&self, mut position: u64) -> Result<(Vec<EventId>, u64), Unavailable> {
        let end = self.stream_end().await?;
        let mut changed = BTreeSet::new();
        while position < end {
            let page = self.entries(position, end, PAGE).await?;
            position = page.last().map_or(end, |last| last.position);
            let of_events = page.iter().filter(|entry| entry.happened.is_of_event());
            changed.extend(of_events.map(|entry| entry.event));
        }
        Ok((changed.into_iter().collect(), end))
    }

    /// The position up to which the stream can be read: all that was answered before this was asked is at or below it
    /// (on PostgreSQL within a moment). Waits until it is known for the first time.
    ///
    /// # Errors
    /// As [`Desk::stream_after`].
    pub async fn stream_end(&self) -> Result<u64, Unavailable> {
        let mut moved = self.stream_moved();
        let end = moved.wait_for(Option::is_some).await.ok().and_then(|end| *end);
        end.ok_or_else(|| Unavailable("the desk is gone".to_owned()))
    }

    /// Wakes whenever there is more to read, whoever wrote it; the value is the new end.
    #[must_use]
    pub fn stream_moved(&self) -> watch::Receiver<Option<u64>> {
        self.0.shared.stream.end.subscribe()
    }

    /// Every entry from now on, as it becomes readable: read once for all listeners of this process, and only while
    /// there are any. A listener that is thousands behind is told that it missed some (`RecvError::Lagged`).
    ///
    /// To go on from an earlier position without a gap: listen first, read up to [`Desk::stream_end`], then take what
    /// comes with a greater position.
    #[must_use]
    pub fn live(&self) -> broadcast::Receiver<Arc<Entry>> {
        let mut live = self.0.shared.stream.live.lock();
        if let Some(sender) = &*live {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(MOST_BEHIND);
        *live = Some(sender.clone());
        let moved = self.stream_moved();
        let from = *moved.borrow();
        tokio::spawn(tell(Arc::downgrade(&self.0), moved, from, sender));
        receiver
    }

    /// What a durable consumer has to work off next, at most so many entries; `None` where there is nothing, or
    /// another node is at it. The work is done by a command that takes the page's `advance` along: then it is done
    /// once, however many nodes try.
    ///
    /// # Errors
    /// Where the store cannot be reached.
    pub async fn next_page(&self, consumer: &str, most: usize) -> Result<Option<Page>, Stopped> {
        let failed = |Unavailable(why)| Stopped::Unavailable(why);
        let holder = self.0.shared.node.cast_unsigned();
        let known = self.0.reads.get::<Cursor>(&consumer.to_owned()).await.map_err(failed)?;
        let taken = known.as_ref().is_some_and(|own| own.holder != holder && own.leased_until > self.now());
        let reached = known.map_or(0, |own| own.position);
        if taken || reached >= self.stream_end().await.map_err(failed)? {
            return Ok(None);
        }
        let lease = LeaseCursor { name: consumer.to_owned(), holder, span: LEASE };
        let Some(from) = self.run(lease).await? else { return Ok(None) };
        let entries = self.stream_after(from, most).await.map_err(failed)?;
        let Some(last) = entries.last() else { return Ok(None) };
        let advance = Advance { name: consumer.to_owned(), holder, from, to: last.position };
        let more = last.position < self.stream_end().await.map_err(failed)?;
        Ok(Some(Page { entries, more, advance }))
    }

    /// Turns to the entries behind those of a page that was worked off, at most so many; its `advance` reaches over all.
    ///
    /// # Errors
    /// As [`Desk::stream_after`].
    pub async fn turn_page(&self, page: &mut Page, most: usize) -> Result<(), Unavailable> {
        let end = self.stream_end().await?;
        page.entries = self.entries(page.advance.to, end, most).await?;
        // Positions of transactions that were rolled back are nobody's.
        page.advance.to = page.entries.last().map_or(end, |last| last.position);
        page.more = page.advance.to < end;
        Ok(())
    }
}

/// Reads the stream for those who listen, until nobody does.
async fn tell(
    desk: Weak<Inside>,
    mut moved: watch::Receiver<Option<u64>>,
    from: Option<u64>,
    sender: broadcast::Sender<Arc<Entry>>,
) {
    let mut position = from;
    loop {
        let more = tokio::select! {
            () = sender.closed() => false,
            changed = moved.changed() => changed.is_ok(),
        };
        let Some(desk) = desk.upgrade().map(Desk) else { return };
        if !more {
            let mut live = desk.0.shared.stream.live.lock();
            if sender.receiver_count() == 0 {
                *live = None;
                return;
            }
            continue;
        }
        position = match position {
            Some(position) => Some(read_on(&desk, position, &sender).await),
            None => *moved.borrow(),
        };
    }
}

/// Tells all that can be read after a position. Gives how far that is.
async fn read_on(desk: &Desk, mut position: u64, sender: &broadcast::Sender<Arc<Entry>>) -> u64 {
    loop {
        match desk.stream_after(position, PAGE).await {
            Ok(entries) if entries.is_empty() => return position,
            Ok(entries) => {
                for entry in entries {
                    position = entry.position;
                    // Nobody may be listening any more; then this ends with the next look.
                    let _ = sender.send(entry);
                }
            }
            Err(Unavailable(error)) => {
                tracing::warn!(error, "the event stream could not be read");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}
