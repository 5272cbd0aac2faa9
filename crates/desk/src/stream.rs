//! The event stream, read: from a position on, as it grows, and by those who keep their place in the store.
//!
//! Nothing is read beyond the position below which everything is over and durable. On SQLite that is the last one
//! flushed; on PostgreSQL, where positions are drawn before transactions commit, the follower finds it (`tail.rs`).

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use engine::id::{EventId, PaymentId, ReservationId, TicketTypeId, UserId};
use engine::money::Won;
use engine::stream::{Advance, Cursor, LeaseCursor};
use engine::time::{Span, Time};
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::{broadcast, watch};

use crate::desk::{Desk, Inside};
use crate::recent::Recent;
use crate::value::{Columns, Corrupt, Value};
use crate::{Stopped, Unavailable};

/// The last position there is.
pub(crate) const LAST: &str = "SELECT COALESCE(MAX(position), 0) FROM outbox";
/// The most entries looked at at a time.
const PAGE: usize = 500;
/// How many entries a live listener may be behind.
const MOST_BEHIND: usize = 4_096;
/// How long a node keeps a cursor to itself.
const LEASE: Span = Span::seconds(10);

/// One entry of the event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands; later is greater, and there are gaps.
    pub position: u64,
    /// When it happened.
    pub at: Time,
    /// Of which event.
    pub event: EventId,
    /// What happened.
    pub happened: Happened,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// A reservation came to a stage.
    Reservation(Told),
    /// A payment came too late for its seats and goes back.
    PaymentReturned(PaymentId),
    /// The event was made or changed.
    EventChanged,
    /// The event, a draft, was deleted.
    EventDeleted,
}

impl Happened {
    /// Whether it is the event itself that was made, changed or deleted.
    fn is_of_event(&self) -> bool {
        matches!(self, Self::EventChanged | Self::EventDeleted)
    }
}

/// How far a reservation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It was made and holds its seats.
    Held,
    /// It was paid.
    Confirmed,
    /// It was given up.
    Cancelled,
    /// Its hold ran out.
    Expired,
}

/// What the stream tells of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// How far it has come.
    pub stage: Stage,
    /// Its id.
    pub reservation: ReservationId,
    /// Whose it is.
    pub user: UserId,
    /// Its seats as this left them.
    pub seats: Vec<SeatChange>,
    /// Ordinals of the seats that are free because of this.
    pub freed: Vec<u32>,
    /// Its counted tickets.
    pub items: Vec<(TicketTypeId, u32)>,
    /// What it costs.
    pub total: Won,
    /// When its hold ends or ended.
    pub expires_at: Time,
}

/// A seat as a fact left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatChange {
    /// Its ordinal in the event.
    pub ordinal: u32,
    /// Counts the changes of the seat: an older one than is known is to be ignored.
    pub version: i64,
    /// [`Time::NEVER`]: given back. [`Time::FOREVER`]: sold. Else: held until then.
    pub until: Time,
}

/// The body of a row about a reservation.
#[derive(Deserialize)]
struct Body {
    user: String,
    seats: Vec<(u32, i64, i64)>,
    freed: Vec<u32>,
    items: Vec<(String, u32)>,
    total: i64,
    expires_at: i64,
}

fn body(text: &str) -> Result<Body, Corrupt> {
    serde_json::from_str(text).map_err(|_| Corrupt("the body of a fact"))
}

fn hex<T: From<u128>>(text: &str) -> Result<T, Corrupt> {
    u128::from_str_radix(text, 16).map(T::from).map_err(|_| Corrupt("an id in a fact"))
}

fn seat_changes(seats: Vec<(u32, i64, i64)>) -> Vec<SeatChange> {
    let change = |(ordinal, version, until)| SeatChange { ordinal, version, until: Time(until) };
    seats.into_iter().map(change).collect()
}

impl Told {
    /// The seats in the body of a row; none where it is not about a reservation.
    pub(crate) fn seats(text: &str) -> Result<Vec<SeatChange>, Corrupt> {
        if text == "{}" {
            return Ok(Vec::new());
        }
        Ok(seat_changes(body(text)?.seats))
    }

    fn read(stage: Stage, reservation: u128, text: &str) -> Result<Happened, Corrupt> {
        let Body { user, seats, freed, items, total, expires_at } = body(text)?;
        let items = items.iter().map(|(id, quantity)| Ok((hex(id)?, *quantity)));
        Ok(Happened::Reservation(Self {
            stage,
            reservation: reservation.into(),
            user: hex(&user)?,
            seats: seat_changes(seats),
            freed,
            items: items.collect::<Result<_, Corrupt>>()?,
            total: Won(total),
            expires_at: Time(expires_at),
        }))
    }
}

impl Entry {
    pub(crate) fn read(row: Vec<Value>) -> Result<Self, Corrupt> {
        let mut columns = Columns::new(row);
        let (position, at) = (columns.int()?.cast_unsigned(), Time(columns.int()?));
        let (fact, event) = (columns.text()?, columns.id()?);
        let (subject, text) = (columns.id::<u128>()?, columns.text()?);
        let happened = match fact.as_str() {
            "held" => Told::read(Stage::Held, subject, &text)?,
            "confirmed" => Told::read(Stage::Confirmed, subject, &text)?,
            "cancelled" => Told::read(Stage::Cancelled, subject, &text)?,
            "expired" => Told::read(Stage::Expired, subject, &text)?,
            "payment_returned" => Happened::PaymentReturned(subject.into()),
            "event_changed" => Happened::EventChanged,
            "event_deleted" => Happened::EventDeleted,
            _ => return Err(Corrupt("no such fact")),
        };
        Ok(Self { position, at, event, happened })
    }
}

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
    /// In order; at least one.
    pub entries: Vec<Arc<Entry>>,
    /// Moves the cursor over them, in the command that does the work.
    pub advance: Advance,
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
        Ok(Some(Page { entries, advance }))
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
