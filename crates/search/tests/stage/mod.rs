//! A few events to look for.

use search::{Document, Search, Status};

/// An event of the stage: its name in the tables, its words, and what filters look at.
pub struct Event {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub artist: &'static str,
    pub venue: &'static str,
    pub location: &'static str,
    pub tags: Vec<String>,
    pub category: &'static str,
    pub status: Status,
}

/// The events of `events.txt`.
pub fn events() -> Vec<Event> {
    let lines = include_str!("../events.txt").lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let event = |line: &'static str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, title, description, artist, venue, location, tags, category, status] = cells[..] else {
            panic!("nine cells: {line}")
        };
        let status = match status {
            "draft" => Status::Draft,
            "cancelled" => Status::Cancelled,
            "published" => Status::Published,
            other => panic!("no such status: {other}"),
        };
        let tags = tags.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect();
        Event { name, title, description, artist, venue, location, tags, category, status }
    };
    lines.map(event).collect()
}

impl Event {
    /// As the index takes it: prices and moments follow from its number.
    pub fn document(&self, id: u128) -> Document<'_> {
        let number = i64::try_from(id).expect("a small id");
        Document {
            id,
            version: 1,
            status: self.status,
            title: self.title,
            description: self.description,
            artist: self.artist,
            venue: self.venue,
            location: self.location,
            address: "",
            tags: &self.tags,
            category: self.category,
            starts_at: number * 100,
            ends_at: number * 100 + 10,
            min_price: number * 1_000,
            max_price: number * 1_000 + 500,
            card: self.name.as_bytes().to_vec(),
        }
    }
}

/// The events with their ids.
pub fn numbered(events: &[Event]) -> impl Iterator<Item = Document<'_>> {
    (1..).zip(events).map(|(id, event)| event.document(id))
}

/// An index in memory with all of them.
#[allow(dead_code, reason = "not every test wants them all")]
pub fn stage() -> Search {
    let search = Search::in_memory().expect("an index");
    search.change(numbered(&events()), []).expect("indexed");
    search
}
