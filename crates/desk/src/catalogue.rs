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
    /// Counts what was told of events: what was read before the last of it may be old.
    told: u64,
}

impl Kept {
    fn put(&mut self, event: Arc<Event>) {
        self.forget(event.id);
        if self.rows > MOST_ROWS {
            // Rare, and what is read again comes back: no order of use is kept for it.
            *self = Self { told: self.told, ..Self::default() };
        }
        self.rows += weight(&event);
        self.events.insert(event.id, event);
    }

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

    /// How much has been told so far: to be asked before an event is read, for [`Catalogue::remember`].
    pub(crate) fn told(&self) -> u64 {
        self.0.read().told
    }

    /// Keeps an event that was read, unless something has been told since then: it may be as it was before that, and
    /// nothing would put it right until it is changed again.
    pub(crate) fn remember(&self, event: Arc<Event>, told: u64) {
        let mut kept = self.0.write();
        if kept.told == told {
            kept.put(event);
        }
    }

    /// Keeps an event as it is now. News may come in any order.
    pub(crate) fn put(&self, event: Arc<Event>) {
        let mut kept = self.0.write();
        kept.told += 1;
        if kept.events.get(&event.id).is_none_or(|known| known.version <= event.version) {
            kept.put(event);
        }
    }

    pub(crate) fn forget_all(&self) {
        let mut kept = self.0.write();
        *kept = Kept { told: kept.told + 1, ..Kept::default() };
    }

    pub(crate) fn forget(&self, id: EventId) {
        let mut kept = self.0.write();
        kept.told += 1;
        kept.forget(id);
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

#[cfg(test)]
mod tests {
    use engine::catalogue::{Billing, EventStatus, Layout, Offer};
    use engine::id::UserId;
    use engine::money::Won;
    use engine::time::Time;

    use super::*;

    fn billing() -> Billing {
        Billing {
            title: "Show".to_owned(),
            category: "concert".to_owned(),
            venue: "Hall".to_owned(),
            location: "Seoul".to_owned(),
            starts_at: Time(1),
            ends_at: Time(2),
            ..Billing::default()
        }
    }

    fn event(version: i64) -> Arc<Event> {
        let layout = Layout::standard(10, Won(1), Won(1)).expect("a layout");
        Arc::new(Event {
            id: EventId(1 << 20),
            owner: UserId(1),
            billing: billing(),
            offer: Offer { layout: Arc::new(layout), types: Vec::new(), min_price: Won(1), max_price: Won(1) },
            status: EventStatus::Published,
            version,
            created_at: Time(0),
            updated_at: Time(0),
        })
    }

    #[test]
    fn what_was_read_before_the_last_news_is_not_kept() {
        let (catalogue, id) = (Catalogue::default(), EventId(1 << 20));
        let version = || catalogue.get(id).map(|event| event.version);
        let before = catalogue.told();
        catalogue.put(event(2));
        catalogue.remember(event(1), before);
        assert_eq!(version(), Some(2), "it was changed while somebody read it");
        let before = catalogue.told();
        catalogue.forget(id);
        catalogue.remember(event(2), before);
        assert_eq!(version(), None, "it was deleted while somebody read it");
        catalogue.remember(event(2), catalogue.told());
        assert_eq!(version(), Some(2));
        catalogue.put(event(1));
        assert_eq!(version(), Some(2), "news that comes late");
    }
}
