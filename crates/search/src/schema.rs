//! What is in the index, field by field.

use tantivy::IndexSettings;
use tantivy::schema::{
    BytesOptions, FAST, Field, INDEXED, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::store::Compressor;

/// The schema and the terms in it; another one has the index made anew.
pub(crate) const VERSION: u32 = 3;

/// The names of the columns.
pub(crate) mod column {
    pub const ID_HIGH: &str = "id_high";
    pub const ID_LOW: &str = "id_low";
    pub const VERSION: &str = "version";
    pub const STATUS: &str = "status";
    pub const CATEGORY: &str = "category";
    pub const LOCATION: &str = "location";
    pub const STARTS: &str = "starts_at";
    pub const ENDS: &str = "ends_at";
    pub const LOW: &str = "min_price";
    pub const HIGH: &str = "max_price";
}

/// The fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    /// The id in sixteen bytes, to replace a document by.
    pub key: Field,
    /// The terms of all that is searched; a term's frequency is the sum of the weights of where it stands.
    pub text: Field,
    /// The terms of title, artist, venue, location and address.
    pub names: Field,
    /// What titles are completed by.
    pub complete: Field,
    pub id_high: Field,
    pub id_low: Field,
    pub version: Field,
    pub status: Field,
    pub category: Field,
    pub location: Field,
    pub starts_at: Field,
    pub ends_at: Field,
    pub min_price: Field,
    pub max_price: Field,
    /// Given back as they are.
    pub title: Field,
    pub kind: Field,
    pub card: Field,
}

fn terms(record: IndexRecordOption) -> TextOptions {
    let indexing = TextFieldIndexing::default().set_tokenizer("raw").set_index_option(record).set_fieldnorms(false);
    TextOptions::default().set_indexing_options(indexing)
}

/// The schema with its fields.
pub(crate) fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let column = || TextOptions::default().set_fast("raw");
    let fields = Fields {
        key: schema.add_bytes_field("key", BytesOptions::from(INDEXED)),
        text: schema.add_text_field("text", terms(IndexRecordOption::WithFreqs)),
        names: schema.add_text_field("names", terms(IndexRecordOption::Basic)),
        complete: schema.add_text_field("complete", terms(IndexRecordOption::Basic)),
        id_high: schema.add_u64_field(column::ID_HIGH, FAST),
        id_low: schema.add_u64_field(column::ID_LOW, FAST),
        version: schema.add_i64_field(column::VERSION, FAST),
        status: schema.add_u64_field(column::STATUS, FAST),
        category: schema.add_text_field(column::CATEGORY, column()),
        location: schema.add_text_field(column::LOCATION, column()),
        starts_at: schema.add_i64_field(column::STARTS, FAST),
        ends_at: schema.add_i64_field(column::ENDS, FAST),
        min_price: schema.add_i64_field(column::LOW, FAST),
        max_price: schema.add_i64_field(column::HIGH, FAST),
        title: schema.add_text_field("title", STORED),
        kind: schema.add_text_field("kind", STORED),
        card: schema.add_bytes_field("card", STORED),
    };
    (schema.build(), fields)
}

/// What is stored is read once, when a segment is opened.
pub(crate) fn settings() -> IndexSettings {
    IndexSettings {
        docstore_compression: Compressor::Lz4,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}
