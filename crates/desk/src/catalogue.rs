//! Events in memory: they are read by every hold and change seldom.

use std::collections::HashMap;
use std::sync::Arc;

use engine::catalogue::Event;
use engine::id::EventId;
use parking_lot::RwLock;

use crate::store::{Lock, StoreError, Tx};
use crate::tables::Table;
use crate::value::{Columns, Corrupt, IntoValue as _, Kind, Value};

/// The most rows of seats that are kept for all events together (a row takes about 100 bytes).
const MOST_ROWS: usize = 500_000;

/// The events that were read lately.
#[derive(Default)]
pub(crate) struct Catalogue(RwLock<Kept>);

#[derive(Default)]
struct Kept {
    events: HashMap<EventId, Arc<Event>>,
    rows: usize,
}

impl Kept {
    fn forget(&mut self, id: EventId) {
        if let Some(event) = self.events.remove(&id) {
            self.rows -= weight(&event);
        }
    }
}

fn weight(event: &Event) -> usize {
    event.offer.layout.rows().len() + 1
}

/// An event's id and version: enough to see whether what is in memory still counts.
pub(crate) struct EventVersion {
    id: EventId,
    version: i64,
}

impl Table for EventVersion {
    type Key = EventId;
    const NAME: &'static str = "events";
    const COLUMNS: &'static [(&'static str, Kind)] = &[("id", Kind::Bytes), ("version", Kind::Int)];
    const KEYS: usize = 1;

    fn key_values(key: &EventId) -> Vec<Value> {
        vec![key.0.value()]
    }

    fn key(&self) -> EventId {
        self.id
    }

    fn values(&self) -> Vec<Value> {
        vec![self.id.0.value(), self.version.value()]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self { id: columns.id()?, version: columns.int()? })
    }
}

impl Catalogue {
    pub(crate) fn get(&self, id: EventId) -> Option<Arc<Event>> {
        self.0.read().events.get(&id).cloned()
    }

    pub(crate) fn put(&self, event: Arc<Event>) {
        let mut kept = self.0.write();
        kept.forget(event.id);
        if kept.rows > MOST_ROWS {
            // Rare, and what is read again comes back: no order of use is kept for it.
            *kept = Kept::default();
        }
        kept.rows += weight(&event);
        kept.events.insert(event.id, event);
    }

    pub(crate) fn forget_all(&self) {
        *self.0.write() = Kept::default();
    }

    pub(crate) fn forget(&self, id: EventId) {
        self.0.write().forget(id);
    }

    /// The events of these versions, read from the store where memory has another one.
    pub(crate) async fn resolve<T: Tx>(
        &self,
        tx: &T,
        versions: Vec<EventVersion>,
    ) -> Result<Vec<Arc<Event>>, StoreError> {
        let known = |own: &EventVersion| self.get(own.id).filter(|event| event.version == own.version);
        let mut events: Vec<Arc<Event>> = versions.iter().filter_map(known).collect();
        let unknown: Vec<EventId> = versions.iter().filter(|own| known(own).is_none()).map(|own| own.id).collect();
        for event in tx.find::<Arc<Event>>(&unknown, Lock::None).await? {
            self.put(event.clone());
            events.push(event);
        }
        Ok(events)
    }
}
