//! One state of the index, with what filters and orders look at laid out in memory.

use std::collections::HashMap;
use std::sync::Arc;

use tantivy::schema::{Field, Value as _};
use tantivy::{DocAddress, DocId, Searcher, SegmentReader, TantivyDocument};

use crate::answers::Answers;
use crate::lists::{List, Lists};
use crate::schema::{Fields, column};
use crate::{SearchError, Suggestion};

/// What is known of a document without reading it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub id: u128,
    pub version: i64,
    pub starts_at: i64,
    pub ends_at: i64,
    pub min_price: i64,
    pub max_price: i64,
    pub category: u32,
    pub location: u32,
    pub status: u8,
}

/// What is given back of each document, one after the other: its card, its title and its category.
#[derive(Default)]
struct Stored {
    bytes: Vec<u8>,
    /// Where each of the three ends.
    ends: Vec<[usize; 3]>,
}

impl Stored {
    fn read(reader: &SegmentReader, fields: &Fields) -> Result<Self, SearchError> {
        let mut stored = Self::default();
        // Each block is unpacked once, so there is nothing to be kept.
        for document in reader.get_store_reader(1)?.iter::<TantivyDocument>(None) {
            let document = document?;
            let parts = [fields.card, fields.title, fields.kind].map(|field| {
                let value = document.get_first(field);
                let bytes = value.and_then(|own| own.as_bytes().or_else(|| own.as_str().map(str::as_bytes)));
                stored.bytes.extend_from_slice(bytes.unwrap_or_default());
                stored.bytes.len()
            });
            stored.ends.push(parts);
        }
        stored.bytes.shrink_to_fit();
        Ok(stored)
    }

    /// The card, the title and the category of a document.
    fn of(&self, doc: DocId) -> [&[u8]; 3] {
        let doc = doc as usize;
        let start = doc.checked_sub(1).map_or(0, |before| self.ends[before][2]);
        let [card, title, kind] = self.ends[doc];
        [&self.bytes[start..card], &self.bytes[card..title], &self.bytes[title..kind]]
    }
}

/// One segment in memory.
pub(crate) struct Segment {
    /// By document.
    pub rows: Vec<Row>,
    stored: Stored,
    lists: Lists,
    /// Texts by the numbers that stand for them.
    pub categories: Vec<String>,
    pub locations: Vec<String>,
}

impl Segment {
    fn read(reader: &SegmentReader, fields: &Fields) -> Result<Self, SearchError> {
        let columns = reader.fast_fields();
        let unsigned = |name: &str| columns.u64(name).map(|own| own.first_or_default_col(0));
        let signed = |name: &str| columns.i64(name).map(|own| own.first_or_default_col(0));
        let (high, low) = (unsigned(column::ID_HIGH)?, unsigned(column::ID_LOW)?);
        let (status, version) = (unsigned(column::STATUS)?, signed(column::VERSION)?);
        let (starts, ends) = (signed(column::STARTS)?, signed(column::ENDS)?);
        let (least, most) = (signed(column::LOW)?, signed(column::HIGH)?);
        let (category, categories) = texts(reader, column::CATEGORY)?;
        let (location, locations) = texts(reader, column::LOCATION)?;
        let row = |doc: DocId| Row {
            id: u128::from(high.get_val(doc)) << 64 | u128::from(low.get_val(doc)),
            version: version.get_val(doc),
            starts_at: starts.get_val(doc),
            ends_at: ends.get_val(doc),
            min_price: least.get_val(doc),
            max_price: most.get_val(doc),
            category: category[doc as usize],
            location: location[doc as usize],
            status: u8::try_from(status.get_val(doc)).unwrap_or(0),
        };
        let rows = (0..reader.max_doc()).map(row).collect();
        Ok(Self { rows, stored: Stored::read(reader, fields)?, lists: Lists::default(), categories, locations })
    }

    /// For each number, whether its text is what is asked for.
    pub(crate) fn chosen(texts: &[String], is: impl Fn(&str) -> bool) -> Vec<bool> {
        texts.iter().map(|text| is(text)).collect()
    }
}

/// A column of texts: the number of each document's, and the texts by number.
fn texts(reader: &SegmentReader, name: &str) -> Result<(Vec<u32>, Vec<String>), SearchError> {
    let Some(column) = reader.fast_fields().str(name)? else {
        return Ok((vec![0; reader.max_doc() as usize], vec![String::new()]));
    };
    let mut texts = Vec::with_capacity(column.num_terms());
    for number in 0..column.num_terms() as u64 {
        let mut text = String::new();
        column.ord_to_str(number, &mut text)?;
        texts.push(text);
    }
    let numbers = column.ords().clone().first_or_default_col(0);
    let number = |doc| u32::try_from(numbers.get_val(doc)).unwrap_or(u32::MAX);
    Ok(((0..reader.max_doc()).map(number).collect(), texts))
}

/// One state of the index.
pub(crate) struct View {
    pub searcher: Searcher,
    pub segments: Vec<Arc<Segment>>,
    pub fields: Fields,
    /// What was asked of this state.
    pub answers: Answers,
}

impl View {
    /// The state a searcher sees. A segment that was seen before is not read again.
    pub(crate) fn new(searcher: Searcher, fields: Fields, before: Option<&Self>) -> Result<Self, SearchError> {
        let known: HashMap<_, _> = before.iter().flat_map(|view| view.by_id()).collect();
        let read = |reader: &SegmentReader| match known.get(&reader.segment_id()) {
            Some(segment) => Ok(Arc::clone(segment)),
            None => Segment::read(reader, &fields).map(Arc::new),
        };
        let segments = searcher.segment_readers().iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { searcher, segments, fields, answers: Answers::default() })
    }

    fn by_id(&self) -> impl Iterator<Item = (tantivy::index::SegmentId, &Arc<Segment>)> {
        self.searcher.segment_readers().iter().map(SegmentReader::segment_id).zip(&self.segments)
    }

    /// Each segment with its number.
    pub(crate) fn each(&self) -> impl Iterator<Item = (u32, &SegmentReader, &Segment)> {
        let readers = self.searcher.segment_readers().iter().zip(&self.segments);
        (0..).zip(readers).map(|(number, (reader, segment))| (number, reader, segment.as_ref()))
    }

    /// The version of each document, by id.
    pub(crate) fn versions(&self) -> HashMap<u128, i64> {
        let mut versions = HashMap::new();
        for (_, reader, segment) in self.each() {
            let rows = reader.doc_ids_alive().map(|doc| segment.rows[doc as usize]);
            versions.extend(rows.map(|row| (row.id, row.version)));
        }
        versions
    }

    /// How many documents there are.
    #[expect(clippy::cast_possible_truncation, reason = "documents are counted in 32 bits")]
    pub(crate) fn count(&self) -> usize {
        self.searcher.num_docs() as usize
    }

    /// The documents with a term, in each segment.
    pub(crate) fn lists(&self, field: Field, term: &str) -> Result<Vec<Arc<List>>, SearchError> {
        self.each().map(|(_, reader, segment)| segment.lists.list(reader, field, term)).collect()
    }

    fn stored(&self, at: DocAddress) -> [&[u8]; 3] {
        self.segments[at.segment_ord as usize].stored.of(at.doc_id)
    }

    /// The card of a document.
    pub(crate) fn card(&self, at: DocAddress) -> &[u8] {
        self.stored(at)[0]
    }

    /// What a document is suggested by.
    pub(crate) fn suggestion(&self, at: DocAddress, id: u128) -> Suggestion {
        let [_, title, category] = self.stored(at).map(|text| String::from_utf8_lossy(text).into_owned());
        Suggestion { id, title, category }
    }
}
