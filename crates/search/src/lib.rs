//! Full-text search over events: an embedded index, kept beside the store and made anew from it when it is gone.
//!
//! | module | what it is |
//! | --- | --- |
//! | `words`, `keys` | text as it is compared: words, and the keys that are pressed for them |
//! | `terms`, `schema` | what a document is found by, and how the index holds it |
//! | `plan`, `typos`, `synonyms` | what a text asks for |
//! | `ask`, `lists` | documents with a term, and with several |
//! | `view`, `sift`, `complete`, `answers` | looking it up in one state of the index |
//! | `index` | the index itself: opened, changed, looked into |
//!
//! It knows neither HTTP nor SQL nor where documents come from.

mod answers;
mod ask;
mod complete;
mod index;
mod keys;
mod lists;
mod plan;
mod schema;
mod sift;
mod synonyms;
mod terms;
mod typos;
mod view;
mod words;

pub use index::Search;

/// Why the index could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The index itself.
    #[error("the search index: {0}")]
    Index(#[from] tantivy::TantivyError),
    /// A file of it, or the list of synonyms.
    #[error("the search index: {0}")]
    File(#[from] std::io::Error),
    /// Another process uses the folder.
    #[error("the search index is in use by another process")]
    Taken,
}

/// At what stage something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Being prepared.
    Draft = 0,
    /// Found by all.
    Published = 1,
    /// Called off.
    Cancelled = 2,
}

/// What can be found. Moments and amounts are numbers of whatever unit; queries use the same.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    /// Its id: a later document with the same takes its place.
    pub id: u128,
    /// Counts its changes.
    pub version: i64,
    /// Its stage.
    pub status: Status,
    /// Weighs 3.
    pub title: &'a str,
    /// Weighs 2.
    pub description: &'a str,
    /// Weighs 2.
    pub artist: &'a str,
    /// Weighs 1, with `location` and `address`.
    pub venue: &'a str,
    /// A region; filters look at it as well.
    pub location: &'a str,
    /// A street.
    pub address: &'a str,
    /// Weigh 1.
    pub tags: &'a [String],
    /// One word, for filters.
    pub category: &'a str,
    /// When it starts.
    pub starts_at: i64,
    /// When it is over: completions offer it last from then on.
    pub ends_at: i64,
    /// The lowest price.
    pub min_price: i64,
    /// The highest price.
    pub max_price: i64,
    /// What a hit gives back, as it is.
    pub card: Vec<u8>,
}

/// What to look for among what is published.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'a> {
    /// The words.
    pub text: &'a str,
    /// Only of this category, whatever its case.
    pub category: Option<&'a str>,
    /// Only where this is part of the location, whatever its case and spaces.
    pub location: Option<&'a str>,
    /// Only with a lowest price of at least this.
    pub min_price: Option<i64>,
    /// Only with a highest price of at most this.
    pub max_price: Option<i64>,
    /// Only starting at or after.
    pub starts_from: Option<i64>,
    /// Only starting at or before.
    pub starts_to: Option<i64>,
    /// How many to skip.
    pub offset: usize,
    /// How many to give.
    pub limit: usize,
}

/// A page of what was found: the best first, of equals the one that starts first, then by id.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The page.
    pub hits: Vec<Hit>,
    /// How many there are in all.
    pub total: usize,
}

/// A document that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Its id.
    pub id: u128,
    /// How well it fits; greater is better.
    pub score: f32,
    /// The card it was given.
    pub card: Vec<u8>,
}

/// A title that what was typed may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The document's id.
    pub id: u128,
    /// Its title.
    pub title: String,
    /// Its category.
    pub category: String,
}
