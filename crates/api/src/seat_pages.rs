//! Seat maps as they go over the wire: only the statuses in them ever change, so the rest is written once and a
//! rendering is kept for those who ask next. 50,000 seats are several MB of JSON.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use desk::Unavailable;
use engine::catalogue::Event;
use engine::id::EventId;
use engine::seats::SeatStatus;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde::Serialize;

use crate::Dialect;
use crate::state::AppState;

/// What a dialect calls the three statuses of a seat.
#[derive(Debug, Clone, Copy)]
pub struct StatusWords {
    /// Anyone may hold it.
    pub free: &'static str,
    /// Held, not paid.
    pub held: &'static str,
    /// Paid.
    pub sold: &'static str,
}

impl StatusWords {
    /// The word for a status.
    #[must_use]
    pub fn of(&self, status: SeatStatus) -> &'static str {
        match status {
            SeatStatus::Free => self.free,
            SeatStatus::Held => self.held,
            SeatStatus::Sold => self.sold,
        }
    }

    fn longest(&self) -> usize {
        self.free.len().max(self.held.len()).max(self.sold.len())
    }
}

/// The text of a seat map without the statuses, and where which goes.
pub struct SeatText {
    text: String,
    /// An offset into the text, and the ordinal of the seat whose status goes there; by offset.
    places: Vec<(u32, u32)>,
    words: StatusWords,
}

impl SeatText {
    /// No text yet, for so many seats.
    #[must_use]
    pub fn new(seats: usize, words: StatusWords) -> Self {
        Self { text: String::new(), places: Vec::with_capacity(seats), words }
    }

    /// Adds text.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a value as JSON.
    pub fn json<T: Serialize + ?Sized>(&mut self, value: &T) {
        self.push(&serde_json::to_string(value).expect("strings and finite numbers are JSON"));
    }

    /// Adds a comma before all but the first of a list.
    pub fn separate(&mut self, index: usize) {
        if index > 0 {
            self.text.push(',');
        }
    }

    /// Adds the place where the status of a seat goes.
    pub fn status(&mut self, ordinal: u32) {
        self.places.push((u32::try_from(self.text.len()).unwrap_or(u32::MAX), ordinal));
    }

    /// Gives back the memory that is not needed once all is written.
    #[must_use]
    pub fn finished(mut self) -> Self {
        self.text.shrink_to_fit();
        self.places.shrink_to_fit();
        self
    }

    /// The map with these statuses, by ordinal.
    #[must_use]
    pub fn render(&self, statuses: &[SeatStatus]) -> Bytes {
        let mut page = Vec::with_capacity(self.text.len() + self.places.len() * self.words.longest());
        let text = self.text.as_bytes();
        let mut from = 0;
        for (at, ordinal) in &self.places {
            page.extend_from_slice(&text[from..*at as usize]);
            let status = statuses.get(*ordinal as usize).copied().unwrap_or(SeatStatus::Free);
            page.extend_from_slice(self.words.of(status).as_bytes());
            from = *at as usize;
        }
        page.extend_from_slice(&text[from..]);
        page.into()
    }

    /// Bytes of the text and of a rendering of it.
    fn weight(&self) -> usize {
        2 * self.text.len() + self.places.len() * (size_of::<(u32, u32)>() + self.words.longest())
    }
}

/// As people count: 2 before 10, A2 before A10.
#[must_use]
pub fn natural(a: &str, b: &str) -> Ordering {
    split(a).cmp(&split(b))
}

/// A name's letters, the number it ends in, and for a tie how long that is written.
fn split(name: &str) -> (&str, Option<u64>, usize) {
    let word = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = &name[word.len()..];
    (word, number.parse().ok(), number.len())
}

/// Which map of an event: whose, and the section where only one is shown.
pub type MapKey = (EventId, Dialect, Option<String>);

/// Rendered seat maps, as many as fit into so many bytes; those not asked for longest go first.
pub struct SeatPages {
    most_bytes: usize,
    clock: AtomicU64,
    kept: Mutex<HashMap<MapKey, Arc<Kept>>>,
}

/// One map: its unchanging text, and its last rendering.
struct Kept {
    version: i64,
    text: SeatText,
    used: AtomicU64,
    rendered: tokio::sync::Mutex<Option<(String, Bytes)>>,
}

impl SeatPages {
    /// None yet, and at most this many bytes of them.
    #[must_use]
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, clock: AtomicU64::default(), kept: Mutex::default() }
    }

    /// The answer with a map whose text `write` makes, or 304 where the client has it.
    ///
    /// # Errors
    /// Where the store cannot be reached.
    pub async fn answer(
        &self,
        state: &AppState,
        event: &Arc<Event>,
        key: MapKey,
        headers: &HeaderMap,
        write: impl FnOnce() -> SeatText,
    ) -> Result<Response, Unavailable> {
        let current = etag(event, state.desk.seat_tag(event).await?);
        if let Some(unchanged) = unchanged(headers, &current) {
            return Ok(unchanged);
        }
        let kept = self.find(event, key, write);
        // Whoever comes first renders, the others wait for it instead of rendering the same.
        let mut rendered = kept.rendered.lock().await;
        if let Some((tag, body)) = rendered.as_ref().filter(|(tag, _)| *tag == current) {
            return Ok(respond(tag.clone(), body.clone()));
        }
        let map = state.desk.seat_map(event).await?;
        let page = (etag(event, map.tag), kept.text.render(&map.statuses));
        let (tag, body) = rendered.insert(page).clone();
        Ok(respond(tag, body))
    }

    fn find(&self, event: &Event, key: MapKey, write: impl FnOnce() -> SeatText) -> Arc<Kept> {
        let used = self.clock.fetch_add(1, Relaxed);
        let known = self.kept.lock().get(&key).filter(|kept| kept.version == event.version).cloned();
        if let Some(kept) = known {
            kept.used.store(used, Relaxed);
            return kept;
        }
        let kept =
            Arc::new(Kept { version: event.version, text: write(), used: used.into(), rendered: Default::default() });
        self.keep(key, kept.clone());
        kept
    }

    fn keep(&self, key: MapKey, page: Arc<Kept>) {
        let mut kept = self.kept.lock();
        kept.insert(key, page);
        let mut bytes: usize = kept.values().map(|page| page.text.weight()).sum();
        while bytes > self.most_bytes && kept.len() > 1 {
            let oldest = kept.iter().min_by_key(|(_, page)| page.used.load(Relaxed)).map(|(key, _)| key.clone());
            let gone = oldest.and_then(|key| kept.remove(&key));
            bytes -= gone.map_or(bytes, |page| page.text.weight());
        }
    }
}

/// 304 where the client has the map under its tag.
pub(crate) fn unchanged(headers: &HeaderMap, tag: &str) -> Option<Response> {
    let unchanged = || (StatusCode::NOT_MODIFIED, [(ETAG, tag), (CACHE_CONTROL, "no-cache")]).into_response();
    matches(headers, tag).then(unchanged)
}

/// The answer with a map under its tag.
pub(crate) fn respond(tag: String, body: Bytes) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")];
    (headers, [(ETAG, tag)], body).into_response()
}

/// The version tells layouts apart, the desk's tag statuses.
pub(crate) fn etag(event: &Event, tag: u64) -> String {
    format!("\"{:x}-{tag:x}\"", event.version)
}

/// Whether `If-None-Match` names the tag (RFC 9110, 13.1.2: by weak comparison).
fn matches(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|own| own == "*" || own.strip_prefix("W/").unwrap_or(own) == tag)
}

#[cfg(test)]
pub(crate) mod tests {
    use engine::catalogue::Layout;
    use engine::catalogue::layout::section;
    use engine::money::Won;

    use super::*;

    const WORDS: StatusWords = StatusWords { free: "free", held: "held", sold: "sold" };

    fn text() -> SeatText {
        let mut text = SeatText::new(2, WORDS);
        text.push("[\"");
        text.status(1);
        text.push("\",\"");
        text.status(0);
        text.push("\"]");
        text.finished()
    }

    /// An event with a layout, for tests.
    pub(crate) fn event_of(layout: Layout) -> Event {
        crate::ticketing_pro::event_of(layout)
    }

    fn event() -> Event {
        let rows = section("A", 2, 2, Won(150_000)).collect();
        event_of(Layout::new(rows).expect("a layout"))
    }

    #[test]
    fn each_status_goes_to_its_place_and_a_seat_without_one_is_free() {
        assert_eq!(text().render(&[SeatStatus::Held, SeatStatus::Sold]), "[\"sold\",\"held\"]");
        assert_eq!(text().render(&[]), "[\"free\",\"free\"]");
    }

    #[test]
    fn numbers_are_ordered_as_people_count() {
        let mut names = ["A10", "10", "A2", "2", "B"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["2", "10", "A2", "A10", "B"]);
    }

    #[test]
    fn pages_beyond_the_bytes_go_oldest_first() {
        let pages = SeatPages::new(text().weight() * 2);
        let mut other = event();
        let key = |id: u128| (EventId(id << 20), Dialect::Tiketi, None);
        for id in [1, 2, 3] {
            pages.find(&other, key(id), text);
        }
        let mut kept: Vec<u128> = pages.kept.lock().keys().map(|(id, ..)| id.0 >> 20).collect();
        kept.sort_unstable();
        assert_eq!(kept, [2, 3]);
        other.version += 1;
        pages.find(&other, key(3), text);
        assert_eq!(pages.kept.lock().len(), 2, "a new version takes the old one's place");
    }

    #[test]
    fn an_unchanged_map_is_recognised() {
        let event = event();
        let tag = etag(&event, 7);
        let asks = |value: &str| {
            let value = value.parse().expect("a header");
            matches(&HeaderMap::from_iter([(IF_NONE_MATCH, value)]), &tag)
        };
        assert!(asks(&tag) && asks(&format!("W/{tag}")) && asks(&format!("\"x\", {tag}")) && asks("*"));
        assert!(!asks(&etag(&event, 8)) && !asks(""));
        assert_ne!(etag(&Event { version: 9, ..event.clone() }, 7), tag);
    }
}
