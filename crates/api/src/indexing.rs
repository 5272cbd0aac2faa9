//! Keeps the search index true to the store.
//!
//! At the start all versions in the store are compared with those in the index, and what differs is read again: so an
//! index that is new, old, or was restored along with another store becomes right in the same way. From then on the
//! event stream tells what changed, whichever server changed it.

use std::collections::HashMap;
use std::sync::Arc;

use desk::{Desk, Unavailable};
use engine::catalogue::{Event, EventStatus};
use engine::id::EventId;
use parking_lot::Mutex;
use search::{Document, Search, SearchError, Status};

use crate::state::AppState;
use crate::ticketing_pro;

/// The version of what the index is given besides what it is searched by.
pub const CARDS: &str = ticketing_pro::CARDS;

/// How many versions are compared at a time.
const PAGE: i64 = 1_000;
/// How many events are read into memory at a time.
const READ: usize = 200;
/// After how many events they are made to be found.
const COMMIT: usize = 10_000;

/// Why the index is behind.
#[derive(Debug, thiserror::Error)]
pub enum IndexingError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] Unavailable),
    /// The index cannot be written.
    #[error(transparent)]
    Index(#[from] SearchError),
    /// The work was broken off.
    #[error("indexing broke off: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// How far the index is.
pub struct Indexer {
    desk: Desk,
    search: Search,
    /// The index has all that happened up to here; `None` while it is not known what it has.
    position: Mutex<Option<u64>>,
}

impl Indexer {
    /// One that does not know yet what the index has.
    #[must_use]
    pub fn new(state: &AppState) -> Self {
        Self { desk: state.desk.clone(), search: state.search.clone(), position: Mutex::new(None) }
    }

    /// Takes into the index what happened since the last time; at first, whatever it does not have. Where it fails, the
    /// next time starts with comparing all.
    ///
    /// # Errors
    /// Why it could not be done.
    pub async fn catch_up(&self) -> Result<(), IndexingError> {
        let search = self.search.clone();
        tokio::task::spawn_blocking(move || search.read_synonyms()).await??;
        // Taken, and put back when all went well.
        let position = self.position.lock().take();
        let reached = match position {
            Some(position) => self.follow(position).await?,
            None => {
                let end = self.desk.stream_end().await?;
                self.compare().await?;
                end
            }
        };
        if position != Some(reached) {
            metrics::gauge!("maepyo_search_events").set(f64::from(self.search.count()));
        }
        *self.position.lock() = Some(reached);
        Ok(())
    }

    async fn follow(&self, position: u64) -> Result<u64, IndexingError> {
        let (changed, reached) = self.desk.events_changed_after(position).await?;
        if !changed.is_empty() {
            self.write(&changed).await?;
            self.commit().await?;
        }
        Ok(reached)
    }

    /// Reads again what differs from the store.
    async fn compare(&self) -> Result<(), IndexingError> {
        let search = self.search.clone();
        let mut known: HashMap<u128, i64> = tokio::task::spawn_blocking(move || search.versions()).await?;
        let (mut after, mut looked_at, mut written, mut waiting) = (EventId(0), 0, 0, 0);
        loop {
            let page = self.desk.event_versions(after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            looked_at += page.len();
            let differ = page.into_iter().filter(|(id, version)| known.remove(&id.0) != Some(*version));
            let differ: Vec<EventId> = differ.map(|(id, _)| id).collect();
            self.write(&differ).await?;
            written += differ.len();
            waiting += differ.len();
            if waiting >= COMMIT {
                self.commit().await?;
                waiting = 0;
                tracing::info!(looked_at, written, "filling the search index");
            }
        }
        let gone: Vec<EventId> = known.into_keys().map(EventId).collect();
        self.write(&gone).await?;
        if waiting + gone.len() > 0 {
            self.commit().await?;
        }
        if written + gone.len() >= COMMIT {
            let search = self.search.clone();
            tokio::task::spawn_blocking(move || search.compact()).await??;
        }
        tracing::info!(events = looked_at, written, gone = gone.len(), "the search index is up to date");
        Ok(())
    }

    /// Writes events as the store has them; those it does not have are removed.
    async fn write(&self, ids: &[EventId]) -> Result<(), IndexingError> {
        for some in ids.chunks(READ) {
            let events = self.desk.stored_events(some).await?;
            let there: Vec<u128> = events.iter().map(|event| event.id.0).collect();
            let gone: Vec<u128> = some.iter().map(|id| id.0).filter(|id| !there.contains(id)).collect();
            let search = self.search.clone();
            let write = move || search.write(events.iter().map(document), gone);
            tokio::task::spawn_blocking(write).await??;
        }
        Ok(())
    }

    async fn commit(&self) -> Result<(), IndexingError> {
        let search = self.search.clone();
        Ok(tokio::task::spawn_blocking(move || search.commit()).await??)
    }
}

/// An event as the index takes it.
fn document(event: &Arc<Event>) -> Document<'_> {
    let billing = &event.billing;
    Document {
        id: event.id.0,
        version: event.version,
        status: match event.status {
            EventStatus::Draft | EventStatus::Withdrawn => Status::Draft,
            EventStatus::Published => Status::Published,
            EventStatus::Cancelled => Status::Cancelled,
        },
        title: &billing.title,
        description: &billing.description,
        artist: billing.artist.as_deref().unwrap_or_default(),
        venue: &billing.venue,
        location: &billing.location,
        address: billing.address.as_deref().unwrap_or_default(),
        tags: &billing.tags,
        category: &billing.category,
        starts_at: billing.starts_at.0,
        ends_at: billing.ends_at.0,
        min_price: event.offer.min_price.0,
        max_price: event.offer.max_price.0,
        card: ticketing_pro::card(event),
    }
}
