//! Seat maps: 50,000 seats are 3.7 MB of JSON of which only the statuses ever change.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use desk::Unavailable;
use engine::catalogue::{Event, Layout};
use engine::id::EventId;
use engine::seats::SeatStatus;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, ReadProblems};
use super::events;
use crate::caller::MaybeCaller;
use crate::ids;
use crate::money::Price;
use crate::query::Query;
use crate::state::AppState;

const LEGEND: &str =
    r#""legend":{"available":"예매 가능","reserved":"예약 중 (10분 이내 결제 필요)","sold":"판매 완료"}}"#;
/// The longest word for a status.
const LONGEST_WORD: usize = "available".len();

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(seats))
}

/// Which seats to show.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct SeatsQuery {
    /// Only of this section.
    section: Option<String>,
}

/// The seats of an event and what each is now. An unchanged map answers 304 to its `ETag`.
#[utoipa::path(
    get, path = "/api/events/{event_id}/seats", tag = "ticketing_pro",
    params(("event_id" = String, Path, description = "The event's id"), SeatsQuery),
    responses(
        (status = 200, description = "The seats by section and row", body = SeatMapBody),
        (status = 304, description = "Nothing changed since the `ETag` in `If-None-Match`"),
        ReadProblems,
    )
)]
async fn seats(
    State(state): State<AppState>,
    caller: MaybeCaller,
    Path(event_id): Path<String>,
    Query(query): Query<SeatsQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let event = events::visible(&state, &caller, &event_id).await?;
    let tag = etag(&event, state.desk.seat_tag(&event).await?);
    if matches(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag), (CACHE_CONTROL, "no-cache".to_owned())]).into_response());
    }
    let section = query.section.filter(|name| !name.is_empty());
    let known = section.as_ref().is_none_or(|name| event.offer.layout.rows().iter().any(|row| row.section == *name));
    if !known {
        return Ok(respond(tag, Template::new(&event, section.as_deref()).render(&[])));
    }
    let (map_tag, body) = state.seat_pages.page(&state, &event, section, &tag).await?;
    Ok(respond(map_tag, body))
}

fn respond(tag: String, body: Bytes) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")];
    (headers, [(ETAG, tag)], body).into_response()
}

/// The version tells layouts apart, the desk's tag statuses.
fn etag(event: &Event, tag: u64) -> String {
    format!("\"{:x}-{tag:x}\"", event.version)
}

/// Whether `If-None-Match` names the tag (RFC 9110, 13.1.2: by weak comparison).
fn matches(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|own| own == "*" || own.strip_prefix("W/").unwrap_or(own) == tag)
}

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
    async fn page(
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

/// The text of a seat map without the statuses, and where which goes.
struct Template {
    text: String,
    /// An offset into the text, and the ordinal of the seat whose status goes there; by offset.
    places: Vec<(u32, u32)>,
}

impl Template {
    fn new(event: &Event, section: Option<&str>) -> Self {
        let layout = &event.offer.layout;
        let mut template = Self { text: String::new(), places: Vec::with_capacity(layout.total() as usize) };
        let id = ids::event(event.id);
        let _ = write!(template.text, "{{\"event_id\":\"{id}\",\"sections\":[");
        for (index, (name, rows)) in sections(layout, section).into_iter().enumerate() {
            template.separate(index);
            let _ = write!(template.text, "{{\"section\":{},\"rows\":[", json(name));
            rows.into_iter().enumerate().for_each(|(index, row)| template.row(index, layout, row));
            template.text.push_str("]}");
        }
        template.text.push_str("],");
        template.text.push_str(LEGEND);
        template.text.shrink_to_fit();
        template.places.shrink_to_fit();
        template
    }

    fn row(&mut self, index: usize, layout: &Layout, row: usize) {
        let own = &layout.rows()[row];
        let first = layout.start(row);
        let mut seats: Vec<_> = (first..first + own.numbers.count()).filter_map(|n| layout.seat(n)).collect();
        seats.sort_by(|a, b| natural(&a.number, &b.number));
        let price = json(&Price(own.price));
        self.separate(index);
        let _ = write!(self.text, "{{\"row\":{},\"seats\":[", json(&own.label));
        for (index, seat) in seats.iter().enumerate() {
            self.separate(index);
            let (id, number) = (json(&seat.label()), json(&seat.number));
            let _ = write!(self.text, "{{\"seat_id\":{id},\"seat_number\":{number},\"price\":{price},\"status\":\"");
            self.places.push((u32::try_from(self.text.len()).unwrap_or(u32::MAX), seat.ordinal));
            self.text.push_str("\"}");
        }
        self.text.push_str("]}");
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.text.push(',');
        }
    }

    fn render(&self, statuses: &[SeatStatus]) -> Bytes {
        let mut page = Vec::with_capacity(self.text.len() + self.places.len() * LONGEST_WORD);
        let text = self.text.as_bytes();
        let mut from = 0;
        for (at, ordinal) in &self.places {
            page.extend_from_slice(&text[from..*at as usize]);
            let status = statuses.get(*ordinal as usize).copied().unwrap_or(SeatStatus::Free);
            page.extend_from_slice(word(status).as_bytes());
            from = *at as usize;
        }
        page.extend_from_slice(&text[from..]);
        page.into()
    }

    /// Bytes of the template and of a rendering of it.
    fn weight(&self) -> usize {
        2 * self.text.len() + self.places.len() * (size_of::<(u32, u32)>() + LONGEST_WORD)
    }
}

fn word(status: SeatStatus) -> &'static str {
    match status {
        SeatStatus::Free => "available",
        SeatStatus::Held => "reserved",
        SeatStatus::Sold => "sold",
    }
}

/// The sections in the order of the layout, each with the indexes of its rows in natural order.
fn sections<'a>(layout: &'a Layout, only: Option<&str>) -> Vec<(&'a str, Vec<usize>)> {
    let mut places = HashMap::new();
    let mut sections: Vec<(&str, Vec<usize>)> = Vec::new();
    let rows = layout.rows().iter().enumerate();
    for (index, row) in rows.filter(|(_, row)| only.is_none_or(|only| only == row.section)) {
        let place = *places.entry(row.section.as_str()).or_insert(sections.len());
        if place == sections.len() {
            sections.push((&row.section, Vec::new()));
        }
        sections[place].1.push(index);
    }
    for (_, rows) in &mut sections {
        rows.sort_by(|a, b| natural(&layout.rows()[*a].label, &layout.rows()[*b].label));
    }
    sections
}

/// As people count: 2 before 10, A2 before A10.
fn natural(a: &str, b: &str) -> Ordering {
    split(a).cmp(&split(b))
}

/// A name's letters, the number it ends in, and for a tie how long that is written.
fn split(name: &str) -> (&str, Option<u64>, usize) {
    let word = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = &name[word.len()..];
    (word, number.parse().ok(), number.len())
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("strings and finite numbers are JSON")
}

/// The seats of an event.
#[derive(Serialize, utoipa::ToSchema)]
struct SeatMapBody {
    event_id: String,
    sections: Vec<SectionBody>,
    /// What the statuses mean, in Korean.
    legend: HashMap<String, String>,
}

/// A section.
#[derive(Serialize, utoipa::ToSchema)]
struct SectionBody {
    section: String,
    rows: Vec<RowBody>,
}

/// A row.
#[derive(Serialize, utoipa::ToSchema)]
struct RowBody {
    row: String,
    seats: Vec<SeatBody>,
}

/// A seat.
#[derive(Serialize, utoipa::ToSchema)]
struct SeatBody {
    #[schema(examples("VIP-1-1"))]
    seat_id: String,
    #[schema(examples("1"))]
    seat_number: String,
    price: Price,
    /// `available`, `reserved` or `sold`.
    #[schema(examples("available"))]
    status: String,
}

#[cfg(test)]
mod tests {
    use engine::catalogue::layout::{Numbers, SeatRow};
    use engine::money::Won;

    use super::*;
    use crate::ticketing_pro::wire;

    fn row(section: &str, label: &str, numbers: Numbers) -> SeatRow {
        SeatRow { section: section.to_owned(), label: label.to_owned(), price: Won(150_000), numbers }
    }

    fn event() -> Event {
        let named = ["10", "9"].map(str::to_owned).to_vec();
        let rows = vec![
            row("VIP", "10", Numbers::UpTo(1)),
            row("B \"석\"", "1", Numbers::Named(named)),
            row("VIP", "2", Numbers::UpTo(2)),
        ];
        wire::tests::event(Layout::new(rows).expect("a layout"))
    }

    fn render(section: Option<&str>, statuses: &[SeatStatus]) -> serde_json::Value {
        serde_json::from_slice(&Template::new(&event(), section).render(statuses)).expect("JSON")
    }

    #[test]
    fn a_map_shows_every_seat_in_natural_order_with_its_own_status() {
        use SeatStatus::{Free, Held, Sold};
        let map = render(None, &[Sold, Free, Held, Free, Held]);
        let seat = |id: &str, number: &str, status: &str| serde_json::json!({"seat_id": id, "seat_number": number, "price": 150_000.0, "status": status});
        let sections = serde_json::json!([
            {"section": "VIP", "rows": [
                {"row": "2", "seats": [seat("VIP-2-1", "1", "available"), seat("VIP-2-2", "2", "reserved")]},
                {"row": "10", "seats": [seat("VIP-10-1", "1", "sold")]},
            ]},
            {"section": "B \"석\"", "rows": [
                {"row": "1", "seats": [seat("B \"석\"-1-9", "9", "reserved"), seat("B \"석\"-1-10", "10", "available")]},
            ]},
        ]);
        assert_eq!(map["sections"], sections);
        assert_eq!(map["event_id"], ids::event(event().id));
        assert_eq!(map["legend"]["available"], "예매 가능");
    }

    #[test]
    fn a_section_stands_alone_and_an_unknown_one_is_empty() {
        let names = |map: serde_json::Value| {
            let sections = map["sections"].as_array().cloned().expect("a list");
            sections.iter().map(|own| own["section"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(render(Some("VIP"), &[SeatStatus::Free; 5])), ["VIP"]);
        assert!(names(render(Some("C"), &[])).is_empty());
    }

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
