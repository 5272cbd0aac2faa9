//! The text of a seat map, of which only the statuses ever change.

use std::collections::HashMap;

use engine::catalogue::{Event, Layout};

use crate::ids;
use crate::money::Price;
use crate::seat_pages::{SeatText, StatusWords, natural};

const LEGEND: &str =
    r#""legend":{"available":"예매 가능","reserved":"예약 중 (10분 이내 결제 필요)","sold":"판매 완료"}}"#;
const WORDS: StatusWords = StatusWords { free: "available", held: "reserved", sold: "sold" };

/// The text for an event, or one section of it.
pub fn write(event: &Event, section: Option<&str>) -> SeatText {
    let layout = &event.offer.layout;
    let mut text = SeatText::new(layout.total() as usize, WORDS);
    text.push("{\"event_id\":");
    text.json(&ids::event(event.id));
    text.push(",\"sections\":[");
    for (index, (name, rows)) in sections(layout, section).into_iter().enumerate() {
        text.separate(index);
        text.push("{\"section\":");
        text.json(name);
        text.push(",\"rows\":[");
        rows.into_iter().enumerate().for_each(|(index, row)| write_row(&mut text, index, layout, row));
        text.push("]}");
    }
    text.push("],");
    text.push(LEGEND);
    text.finished()
}

fn write_row(text: &mut SeatText, index: usize, layout: &Layout, row: usize) {
    let own = &layout.rows()[row];
    let first = layout.start(row);
    let mut seats: Vec<_> = (first..first + own.numbers.count()).filter_map(|n| layout.seat(n)).collect();
    seats.sort_by(|a, b| natural(&a.number, &b.number));
    text.separate(index);
    text.push("{\"row\":");
    text.json(&own.label);
    text.push(",\"seats\":[");
    for (index, seat) in seats.iter().enumerate() {
        text.separate(index);
        text.push("{\"seat_id\":");
        text.json(&seat.label());
        text.push(",\"seat_number\":");
        text.json(&seat.number);
        text.push(",\"price\":");
        text.json(&Price(own.price));
        text.push(",\"status\":\"");
        text.status(seat.ordinal);
        text.push("\"}");
    }
    text.push("]}");
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

#[cfg(test)]
mod tests {
    use engine::catalogue::layout::{Numbers, SeatRow};
    use engine::money::Won;
    use engine::seats::SeatStatus;

    use super::*;
    use crate::ticketing_pro::event_of;

    fn row(section: &str, label: &str, numbers: Numbers) -> SeatRow {
        SeatRow { section: section.to_owned(), label: label.to_owned(), price: Won(150_000), numbers }
    }

    /// An event with an unruly layout.
    fn event() -> Event {
        let named = ["10", "9"].map(str::to_owned).to_vec();
        let rows = vec![
            row("VIP", "10", Numbers::UpTo(1)),
            row("B \"석\"", "1", Numbers::Named(named)),
            row("VIP", "2", Numbers::UpTo(2)),
        ];
        event_of(Layout::new(rows).expect("a layout"))
    }

    fn render(section: Option<&str>, statuses: &[SeatStatus]) -> serde_json::Value {
        serde_json::from_slice(&write(&event(), section).render(statuses)).expect("JSON")
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
