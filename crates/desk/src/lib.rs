//! Where commands meet the store: gathered into batches, decided in order, committed at once.

mod batch;
mod catalogue;
mod check;
mod clock;
mod desk;
mod entry;
mod gather;
mod lanes;
mod lookups;
mod migrations;
mod movie;
mod nodes;
mod outward;
mod performer;
mod postgres;
mod programme;
mod reading;
mod reads;
mod recent;
mod sqlite;
#[cfg(test)]
mod statements;
mod store;
mod stream;
mod tables;
mod tail;
mod upkeep;
mod value;
mod views;
mod writes;

pub use desk::Desk;
pub use engine::time::{Span, Time};
pub use entry::{Entry, Happened, ReservationNews, SeatChange, Stage};
pub use gather::Render;
pub use lanes::{Follower, News, Outlook};
pub use nodes::NodeWord;
pub use outward::DeliveryQuery;
pub use reading::OnOffer;
pub use stream::Page;

use std::sync::Arc;

use engine::catalogue::{Event, EventStatus, SaleStage};
use engine::id::{EventId, UserId};
use engine::refusal::Refusal;
use engine::seats::SeatStatus;

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
    /// How many batches may be under way at once: one is worked, others are being written (PostgreSQL; SQLite has one writer).
    pub gatherers: usize,
    /// How many connections read.
    pub readers: usize,
}

/// Which events to list, and how.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only of this category.
    pub category: Option<String>,
    /// Only of this status; whatever was called off is one of them.
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

impl EventQuery {
    /// All published events, by start and id.
    #[must_use]
    pub fn published() -> Self {
        Self { status: Some(EventStatus::Published), limit: i64::MAX, ..Self::default() }
    }
}

/// Which events to list by when their sales begin.
#[derive(Debug, Clone, Default)]
pub struct ListingQuery {
    /// Only at this stage.
    pub stage: Option<SaleStage>,
    /// Only these, as a search has found them.
    pub among: Option<Vec<EventId>>,
    /// How many to skip.
    pub offset: usize,
    /// How many to give.
    pub limit: usize,
}

/// An event as it is listed.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The event.
    pub event: Arc<Event>,
    /// Where its sale stands.
    pub stage: SaleStage,
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

/// Which movie tickets to list; newest first. The texts are compared as they are.
#[derive(Debug, Clone, Default)]
pub struct MovieTicketQuery {
    /// Only of this theater.
    pub theater: Option<String>,
    /// Only this holder's.
    pub holder: Option<String>,
    /// Only of this movie.
    pub title: Option<String>,
    /// Only standing so: a word of [`engine::movie::MovieStanding`].
    pub status: Option<&'static str>,
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

/// Some neighbouring seats of an event at one moment.
pub struct SeatStretch {
    /// Their statuses, in order.
    pub statuses: Vec<SeatStatus>,
    /// How many seats of the whole event are free.
    pub free: u32,
}

/// What an audit found.
#[derive(Debug, Clone, Default)]
pub struct CheckReport {
    /// Name of each check, how many rows it looked at, and what is wrong (empty: nothing).
    pub checks: Vec<(&'static str, i64, Vec<String>)>,
}

/// What is waiting.
#[derive(Debug, Clone, Copy)]
pub struct Gauges {
    /// Commands in the queue.
    pub queued: usize,
    /// Jobs not done yet.
    pub jobs: i64,
    /// For how long the job that waits longest has been due.
    pub lag: Span,
    /// Refunds that the gateway could not make.
    pub stuck_refunds: i64,
}
