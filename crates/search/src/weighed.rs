//! The leaf of all queries: a term, whose score is its rarity times the weight it has in a document.

use tantivy::postings::{Postings as _, SegmentPostings};
use tantivy::query::{EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, Score, SegmentReader, Term};

/// Documents with a term.
#[derive(Debug, Clone)]
pub(crate) struct Weighed {
    term: Term,
    /// What a weight of one scores.
    unit: Score,
}

impl Weighed {
    pub(crate) fn new(field: Field, term: &str, unit: Score) -> Self {
        Self { term: Term::from_field_text(field, term), unit }
    }

    pub(crate) fn term(&self) -> &Term {
        &self.term
    }

    /// The same with another unit.
    pub(crate) fn scoring(self, unit: Score) -> Self {
        Self { unit, ..self }
    }
}

impl Query for Weighed {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Weighed {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let index = reader.inverted_index(self.term.field())?;
        let postings = index.read_postings(&self.term, IndexRecordOption::WithFreqs)?;
        Ok(match postings {
            Some(postings) => Box::new(WeighedScorer { postings, unit: self.unit * boost }),
            None => Box::new(EmptyScorer),
        })
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        let mut scorer = self.scorer(reader, 1.0)?;
        let score = if scorer.seek(doc) == doc { scorer.score() } else { 0.0 };
        Ok(Explanation::new("rarity of the term × its weight here", score))
    }
}

struct WeighedScorer {
    postings: SegmentPostings,
    unit: Score,
}

impl DocSet for WeighedScorer {
    fn advance(&mut self) -> DocId {
        self.postings.advance()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.postings.seek(target)
    }

    fn doc(&self) -> DocId {
        self.postings.doc()
    }

    fn size_hint(&self) -> u32 {
        self.postings.size_hint()
    }
}

impl Scorer for WeighedScorer {
    #[expect(clippy::cast_precision_loss, reason = "weights are small")]
    fn score(&mut self) -> Score {
        self.postings.term_freq() as Score * self.unit
    }
}
