//! The documents with a term, unpacked, and kept for those who ask for the term again.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, InvertedIndexReader, Score, SegmentReader};

use crate::SearchError;

/// How many bytes of lists are kept for each document of a segment, and at least.
const BYTES_A_DOCUMENT: usize = 256;
const LEAST_BYTES: usize = 1 << 20;
/// What a list takes besides what is in it.
const BYTES_A_LIST: usize = 200;
/// A list is a field of bits as well where at least one in so many documents is on it.
const SPARSE: usize = 64;

/// The documents of one segment that have a term, in order, each with the term's weight in it.
#[derive(Debug, Default)]
pub(crate) struct List {
    docs: Vec<DocId>,
    weights: Vec<u8>,
    /// A word for 64 documents; empty where few have the term.
    bits: Vec<Bits>,
}

/// Which of 64 documents are on a list, and how many are before them.
#[derive(Debug, Clone, Copy, Default)]
struct Bits {
    set: u64,
    before: u32,
}

impl List {
    fn read(index: &InvertedIndexReader, term: &str, documents: usize) -> Result<Self, SearchError> {
        let Some(info) = index.terms().get(term)? else { return Ok(Self::default()) };
        let mut block = index.read_block_postings_from_terminfo(&info, IndexRecordOption::WithFreqs)?;
        let length = info.doc_freq as usize;
        let (mut docs, mut weights) = (Vec::with_capacity(length), Vec::with_capacity(length));
        while !block.docs().is_empty() {
            docs.extend_from_slice(block.docs());
            weights.extend((0..block.block_len()).map(|place| u8::try_from(block.freq(place)).unwrap_or(u8::MAX)));
            block.advance();
        }
        Ok(Self::new(docs, weights, documents))
    }

    /// A list of documents, in order, in a segment of so many.
    pub(crate) fn new(docs: Vec<DocId>, weights: Vec<u8>, documents: usize) -> Self {
        let bits = if docs.len() * SPARSE < documents { Vec::new() } else { bits(&docs, documents) };
        Self { docs, weights, bits }
    }

    /// How many documents have the term, some of which may be gone.
    pub(crate) fn len(&self) -> usize {
        self.docs.len()
    }

    /// The documents, in order.
    pub(crate) fn docs(&self) -> &[DocId] {
        &self.docs
    }

    fn bytes(&self) -> usize {
        BYTES_A_LIST + self.docs.len() * 5 + self.bits.len() * size_of::<Bits>()
    }

    /// The bits around a document, and its own.
    fn bit(&self, doc: DocId) -> (Bits, u64) {
        (self.bits[doc as usize / 64], 1 << (doc % 64))
    }

    /// Where a document stands, looking from a place on that is not behind it.
    fn place(&self, doc: DocId, from: &mut usize) -> Option<usize> {
        if !self.bits.is_empty() {
            let (bits, bit) = self.bit(doc);
            return (bits.set & bit != 0).then(|| (bits.before + (bits.set & (bit - 1)).count_ones()) as usize);
        }
        // In steps that double, and then by halves.
        let (rest, mut step) = (&self.docs[*from..], 1);
        while rest.get(step).is_some_and(|own| *own < doc) {
            step *= 2;
        }
        let (start, end) = (step / 2, rest.len().min(step + 1));
        *from += start + rest.get(start..end).unwrap_or_default().partition_point(|own| *own < doc);
        (self.docs.get(*from) == Some(&doc)).then_some(*from)
    }

    /// Leaves those of the documents, which are in order, that are on this list.
    pub(crate) fn keep(&self, docs: &mut Vec<DocId>) {
        let mut from = 0;
        if self.bits.is_empty() {
            docs.retain(|doc| self.place(*doc, &mut from).is_some());
        } else {
            docs.retain(|doc| {
                let (bits, bit) = self.bit(*doc);
                bits.set & bit != 0
            });
        }
    }

    /// What the term scores in each of the documents, which are in order; nothing in those without it.
    pub(crate) fn scores(&self, docs: &[DocId], unit: Score) -> Vec<Score> {
        let mut from = 0;
        let weight = |doc: &DocId| self.place(*doc, &mut from).map_or(0.0, |place| f32::from(self.weights[place]));
        docs.iter().map(weight).map(|weight| weight * unit).collect()
    }
}

fn bits(docs: &[DocId], documents: usize) -> Vec<Bits> {
    let mut bits = vec![Bits::default(); documents.div_ceil(64)];
    for doc in docs {
        bits[*doc as usize / 64].set |= 1 << (doc % 64);
    }
    let mut before = 0;
    for own in &mut bits {
        own.before = before;
        before += own.set.count_ones();
    }
    bits
}

/// The lists of a segment that were asked for.
#[derive(Default)]
pub(crate) struct Lists(RwLock<Kept>);

#[derive(Default)]
struct Kept {
    lists: HashMap<Field, HashMap<Box<str>, Arc<List>>>,
    bytes: usize,
}

impl Lists {
    /// The list of a term; an empty one where no document has it.
    pub(crate) fn list(&self, reader: &SegmentReader, field: Field, term: &str) -> Result<Arc<List>, SearchError> {
        if let Some(list) = self.0.read().lists.get(&field).and_then(|lists| lists.get(term)) {
            return Ok(list.clone());
        }
        let documents = reader.max_doc() as usize;
        let list = Arc::new(List::read(reader.inverted_index(field)?.as_ref(), term, documents)?);
        let mut kept = self.0.write();
        if kept.bytes + list.bytes() > LEAST_BYTES.max(documents * BYTES_A_DOCUMENT) {
            // What is asked for again comes back: no order of use is kept for it.
            *kept = Kept::default();
        }
        kept.bytes += list.bytes();
        kept.lists.entry(field).or_default().insert(term.into(), list.clone());
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(doc: DocId) -> u8 {
        u8::try_from(doc % 7 + 1).expect("small")
    }

    #[test]
    fn a_list_of_few_and_one_of_many_say_the_same() {
        let docs: Vec<DocId> = (0..1_000).filter(|doc| doc % 3 == 0 || doc % 64 == 63).collect();
        let weights: Vec<u8> = docs.iter().copied().map(weight).collect();
        for asked in [vec![], vec![0], vec![999], (0..1_000).collect(), (5..900).step_by(31).collect::<Vec<DocId>>()] {
            for documents in [1_000, 1_000_000] {
                let list = List::new(docs.clone(), weights.clone(), documents);
                assert_eq!(list.bits.is_empty(), documents > 1_000);
                let mut kept = asked.clone();
                list.keep(&mut kept);
                assert_eq!(kept, asked.iter().copied().filter(|doc| docs.contains(doc)).collect::<Vec<_>>());
                let score = |doc: &DocId| if docs.contains(doc) { f32::from(weight(*doc)) * 0.5 } else { 0.0 };
                assert_eq!(list.scores(&asked, 0.5), asked.iter().map(score).collect::<Vec<_>>());
            }
        }
        let mut none = vec![1, 2];
        List::default().keep(&mut none);
        assert!(none.is_empty());
    }
}
