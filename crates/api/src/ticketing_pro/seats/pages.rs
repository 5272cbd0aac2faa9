//! Rendered seat maps, kept for those who ask next.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use desk::Unavailable;
use engine::catalogue::Event;
use engine::id::EventId;
use parking_lot::Mutex;

use super::etag;
use super::template::Template;
use crate::state::AppState;

/// An event, and the section where only one is shown.
type MapKey = (EventId, Option<String>);

/// Rendered seat maps, as many as fit into so many bytes; those not asked for longest go first.
pub struct SeatPages {
    most_bytes: usize,
    clock: AtomicU64,
    kept: Mutex<HashMap<MapKey, Arc<Kept>>>,
}

/// One map: its unchanging text, and its last rendering.
struct Kept {
    version: i64,
    template: Template,
    used: AtomicU64,
    rendered: tokio::sync::Mutex<Option<(String, Bytes)>>,
}

impl SeatPages {
    /// None yet, and at most this many bytes of them.
    #[must_use]
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, clock: AtomicU64::default(), kept: Mutex::default() }
    }

    /// The map under its tag; rendered anew when its tag is not `current`.
    pub(super) async fn page(
        &self,
        state: &AppState,
        event: &Arc<Event>,
        section: Option<String>,
        current: &str,
    ) -> Result<(String, Bytes), Unavailable> {
        let kept = self.find(event, section);
        // Whoever comes first renders, the others wait for it instead of rendering the same.
        let mut rendered = kept.rendered.lock().await;
        if let Some((tag, body)) = rendered.as_ref().filter(|(tag, _)| tag == current) {
            return Ok((tag.clone(), body.clone()));
        }
        let map = state.desk.seat_map(event).await?;
        let page = (etag(event, map.tag), kept.template.render(&map.statuses));
        Ok(rendered.insert(page).clone())
    }

    fn find(&self, event: &Event, section: Option<String>) -> Arc<Kept> {
        let used = self.clock.fetch_add(1, Relaxed);
        let key = (event.id, section);
        let known = self.kept.lock().get(&key).filter(|kept| kept.version == event.version).cloned();
        if let Some(kept) = known {
            kept.used.store(used, Relaxed);
            return kept;
        }
        let template = Template::new(event, key.1.as_deref());
        let kept = Arc::new(Kept { version: event.version, template, used: used.into(), rendered: Default::default() });
        self.keep(key, kept.clone());
        kept
    }

    fn keep(&self, key: MapKey, page: Arc<Kept>) {
        let mut kept = self.kept.lock();
        kept.insert(key, page);
        let mut bytes: usize = kept.values().map(|page| page.template.weight()).sum();
        while bytes > self.most_bytes && kept.len() > 1 {
            let oldest = kept.iter().min_by_key(|(_, page)| page.used.load(Relaxed)).map(|(key, _)| key.clone());
            let gone = oldest.and_then(|key| kept.remove(&key));
            bytes -= gone.map_or(bytes, |page| page.template.weight());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::template::tests::event;
    use super::*;

    #[test]
    fn pages_beyond_the_bytes_go_oldest_first() {
        let event = event();
        let weight = Template::new(&event, None).weight();
        let pages = SeatPages::new(weight * 2);
        let mut other = event.clone();
        for id in [1_u128 << 20, 2 << 20, 3 << 20] {
            other.id = EventId(id);
            pages.find(&other, None);
        }
        let mut kept: Vec<u128> = pages.kept.lock().keys().map(|(id, _)| id.0).collect();
        kept.sort_unstable();
        assert_eq!(kept, [2 << 20, 3 << 20]);
        other.version += 1;
        pages.find(&other, None);
        assert_eq!(pages.kept.lock().len(), 2, "a new version takes the old one's place");
    }
}
