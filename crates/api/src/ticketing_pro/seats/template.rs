//! The text of a seat map, of which only the statuses ever change.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::Write as _;

use bytes::Bytes;
use engine::catalogue::{Event, Layout};
use engine::seats::SeatStatus;
use serde::Serialize;

use crate::ids;
use crate::money::Price;

const LEGEND: &str =
    r#""legend":{"available":"예매 가능","reserved":"예약 중 (10분 이내 결제 필요)","sold":"판매 완료"}}"#;
/// The longest word for a status.
const LONGEST_WORD: usize = "available".len();

/// The text of a seat map without the statuses, and where which goes.
pub struct Template {
    text: String,
    /// An offset into the text, and the ordinal of the seat whose status goes there; by offset.
    places: Vec<(u32, u32)>,
}

impl Template {
    /// The text for an event, or one section of it.
    pub fn new(event: &Event, section: Option<&str>) -> Self {
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

    /// The map with these statuses, by ordinal.
    pub fn render(&self, statuses: &[SeatStatus]) -> Bytes {
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
    pub fn weight(&self) -> usize {
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

#[cfg(test)]
pub(super) mod tests {
    use engine::catalogue::layout::{Numbers, SeatRow};
    use engine::money::Won;

    use super::*;
    use crate::ticketing_pro::event_input;

    fn row(section: &str, label: &str, numbers: Numbers) -> SeatRow {
        SeatRow { section: section.to_owned(), label: label.to_owned(), price: Won(150_000), numbers }
    }

    /// An event with an unruly layout.
    pub fn event() -> Event {
        let named = ["10", "9"].map(str::to_owned).to_vec();
        let rows = vec![
            row("VIP", "10", Numbers::UpTo(1)),
            row("B \"석\"", "1", Numbers::Named(named)),
            row("VIP", "2", Numbers::UpTo(2)),
        ];
        event_input::tests::event(Layout::new(rows).expect("a layout"))
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
}
