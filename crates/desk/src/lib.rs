//! Where commands meet the store: gathered into batches, decided in order, committed at once.

use engine::catalogue::{Event, EventStatus};
use engine::command::Command;
use engine::holds::Reservation;
use engine::id::{EventId, JobId, PaymentId, ReservationId, UserId};
use engine::payments::Payment;
use engine::people::User;
use engine::refusal::Refusal;
use engine::seats::{SeatStatus, Stock};
pub use engine::time::Time;
use std::sync::Arc;

/// Why a command got no verdict, or was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// A rule forbids it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The queue is full: try again in a moment.
    #[error("too many requests are waiting")]
    Busy,
    /// The store cannot be reached or written.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}

/// A failed read: the store cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store is unavailable: {0}")]
pub struct Unavailable(pub String);

/// Marks a request that must happen once, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Who sent it, to where, and the key: unique together.
    pub key: String,
    /// A digest of what was sent (SHA-256): another body under the same key is refused.
    pub request: [u8; 32],
}

/// An answer as it went over the wire, kept to be given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// Whether it was given before.
    pub replayed: bool,
}

/// Which store.
#[derive(Debug, Clone)]
pub enum StoreConfig {
    /// A file in this folder.
    Sqlite(std::path::PathBuf),
    /// A PostgreSQL database, `postgres://…`.
    Postgres(String),
}

/// How a desk is set up.
#[derive(Debug, Clone)]
pub struct DeskConfig {
    /// Which store.
    pub store: StoreConfig,
    /// The most commands waiting.
    pub queue: usize,
    /// The most commands in a batch; 1 turns gathering off (to measure what it brings).
    pub batch: usize,
    /// How many gatherers work at once (PostgreSQL; SQLite has one writer).
    pub gatherers: usize,
    /// How many connections read.
    pub readers: usize,
}

/// Which events to list, and how.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only of this category.
    pub category: Option<String>,
    /// Only of this status.
    pub status: Option<EventStatus>,
    /// Only with a min_price of at least this, in won.
    pub min_price: Option<i64>,
    /// Only with a max_price of at most this, in won.
    pub max_price: Option<i64>,
    /// Only starting at or after.
    pub starts_from: Option<Time>,
    /// Only starting at or before.
    pub starts_to: Option<Time>,
    /// Sort by.
    pub sort: EventSort,
    /// Biggest first.
    pub descending: bool,
    /// How many to skip.
    pub offset: i64,
    /// How many to give.
    pub limit: i64,
}

/// What events are sorted by; the id breaks ties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EventSort {
    /// When it starts.
    #[default]
    Start,
    /// The lowest price.
    Price,
    /// When it was made.
    Created,
}

/// Which reservations of a person to list; newest first.
#[derive(Debug, Clone)]
pub struct ReservationQuery {
    /// Whose.
    pub user: UserId,
    /// Only those standing so: pending, confirmed, cancelled or expired. A lapsed pending one counts as expired.
    pub standing: Option<&'static str>,
    /// How many to skip.
    pub offset: i64,
    /// How many to give.
    pub limit: i64,
}

/// The seats of an event at one moment.
pub struct SeatMap {
    /// Changes whenever a status does: the same tag, the same statuses.
    pub tag: u64,
    /// By ordinal.
    pub statuses: Vec<SeatStatus>,
    /// The first moment at which a held seat turns free by itself.
    pub valid_until: Time,
}

/// The desk: the one place through which the store is changed and read. Cheap to clone.
#[derive(Clone)]
pub struct Desk {}

#[expect(clippy::unused_async, clippy::todo, missing_docs)]
impl Desk {
    /// Opens the store, bringing its tables up to date, and starts gathering.
    pub async fn open(config: DeskConfig) -> Result<Desk, Unavailable> {
        let _ = config;
        todo!()
    }
    /// Runs a command: waits for its batch to be durable.
    pub async fn run<C: Command>(&self, command: C) -> Result<C::Reply, Stopped> {
        let _ = command;
        todo!()
    }
    /// Runs a command whose answer is kept under an idempotency key, in the same transaction. `render` makes the
    /// answer of the reply or the refusal; without a key it is simply run and rendered.
    pub async fn run_once<C: Command>(
        &self,
        command: C,
        once: Option<Once>,
        render: impl Fn(Result<&C::Reply, &Refusal>) -> Answer + Send + 'static,
    ) -> Result<Answer, Stopped> {
        let _ = (command, once, render);
        todo!()
    }
    /// The answer kept under a key, for requests of more than one step.
    pub async fn replay(&self, once: &Once) -> Result<Option<Answer>, Stopped> {
        let _ = once;
        todo!()
    }
    /// The moment, as the desk's clock has it.
    pub fn now(&self) -> Time {
        todo!()
    }
    /// Stops taking commands and finishes those waiting.
    pub async fn close(&self) {
        todo!()
    }
    /// Whether the store answers reads and took the last batch.
    pub async fn ready(&self) -> Result<(), Unavailable> {
        todo!()
    }

    pub async fn user(&self, id: UserId) -> Result<Option<User>, Unavailable> {
        let _ = id;
        todo!()
    }
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, Unavailable> {
        let _ = email;
        todo!()
    }
    pub async fn token_revoked(&self, token: u128) -> Result<bool, Unavailable> {
        let _ = token;
        todo!()
    }
    /// The event, from memory where it is known.
    pub async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, Unavailable> {
        let _ = id;
        todo!()
    }
    /// A page of events and how many there are in all.
    pub async fn events(&self, query: EventQuery) -> Result<(Vec<Arc<Event>>, i64), Unavailable> {
        let _ = query;
        todo!()
    }
    /// The stock of each ticket type of these events.
    pub async fn stocks(&self, events: &[EventId]) -> Result<Vec<Stock>, Unavailable> {
        let _ = events;
        todo!()
    }
    /// How many seats and tickets of each event are free, in the order asked.
    pub async fn available(&self, events: &[Arc<Event>]) -> Result<Vec<u32>, Unavailable> {
        let _ = events;
        todo!()
    }
    /// A tag that changes whenever a seat's status does, without building the map (for If-None-Match).
    pub async fn seat_tag(&self, event: &Arc<Event>) -> Result<u64, Unavailable> {
        let _ = event;
        todo!()
    }
    /// The statuses of all seats now.
    pub async fn seat_map(&self, event: &Arc<Event>) -> Result<SeatMap, Unavailable> {
        let _ = event;
        todo!()
    }
    pub async fn reservation(&self, id: ReservationId) -> Result<Option<Reservation>, Unavailable> {
        let _ = id;
        todo!()
    }
    /// A page of a person's reservations and how many there are in all.
    pub async fn reservations(&self, query: ReservationQuery) -> Result<(Vec<Reservation>, i64), Unavailable> {
        let _ = query;
        todo!()
    }
    pub async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, Unavailable> {
        let _ = id;
        todo!()
    }
    /// The payment a gateway knows by this reference.
    pub async fn payment_by_reference(&self, reference: &str) -> Result<Option<Payment>, Unavailable> {
        let _ = reference;
        todo!()
    }
    /// Ids of reservations whose hold has lapsed and that are still pending, oldest first.
    pub async fn lapsed(&self, limit: i64) -> Result<Vec<ReservationId>, Unavailable> {
        let _ = limit;
        todo!()
    }
    /// Ids of jobs that are due.
    pub async fn due_jobs(&self, limit: i64) -> Result<Vec<JobId>, Unavailable> {
        let _ = limit;
        todo!()
    }
    /// Ids of the live reservations of an event, in order of id, after `after`.
    pub async fn live_reservations(&self, event: EventId, limit: i64) -> Result<Vec<ReservationId>, Unavailable> {
        let _ = (event, limit);
        todo!()
    }
    /// Audits every invariant; gives a line per violation (at most `limit` of each kind).
    pub async fn check(&self, limit: i64) -> Result<CheckReport, Unavailable> {
        let _ = limit;
        todo!()
    }
    /// Forgets what is past keeping (stored answers after 24 h, gateway events, revoked tokens, delivered outbox rows). Gives how many rows went.
    pub async fn tidy(&self) -> Result<u64, Unavailable> {
        todo!()
    }
    /// How many outbox rows no consumer has taken yet, and the commands waiting.
    pub async fn gauges(&self) -> Result<Gauges, Unavailable> {
        todo!()
    }
}

/// What an audit found.
#[derive(Debug, Clone, Default)]
pub struct CheckReport {
    /// Name of each check, how many rows it looked at, and what is wrong (empty: nothing).
    pub checks: Vec<(&'static str, i64, Vec<String>)>,
}

/// What is waiting.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gauges {
    /// Commands in the queue.
    pub queued: usize,
    /// Jobs not done yet.
    pub jobs: i64,
    /// Outbox rows.
    pub outbox: i64,
}
