//! What is asked of the index, put together from terms: which documents it is, and how well each fits.
//!
//! Documents are found first and scored after they were filtered, so nothing is scored that is not shown or counted
//! out by it. Lists are in memory: two of thousands are compared in microseconds.

use std::sync::Arc;

use tantivy::{DocId, Score};

use crate::lists::List;

/// Where fewer than one in so many documents are looked at, they are put in order instead of being counted.
const SPARSE: usize = 16;

/// Something asked for. A document it does not mean scores nothing, any other more than that.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    /// A term: its list in each segment, and what a weight of one scores.
    Term { lists: Vec<Arc<List>>, unit: Score },
    /// All of the parts; each of `more` that is there as well adds to the score.
    All { parts: Vec<Ask>, more: Vec<Ask> },
    /// At least one of them; the best counts.
    Any(Vec<Ask>),
    /// At least so many of them, which are summed up.
    Some { parts: Vec<Ask>, needed: u8 },
}

impl Ask {
    /// All of them.
    pub(crate) fn all(mut parts: Vec<Self>) -> Self {
        if parts.len() == 1 { parts.remove(0) } else { Self::All { parts, more: Vec::new() } }
    }

    /// One of them.
    pub(crate) fn any(mut ways: Vec<Self>) -> Self {
        if ways.len() == 1 { ways.remove(0) } else { Self::Any(ways) }
    }

    /// So many of them; there are no more parts than letters in a word or words in a text.
    pub(crate) fn some(parts: Vec<Self>, needed: usize) -> Self {
        Self::Some { parts, needed: u8::try_from(needed).unwrap_or(u8::MAX) }
    }

    /// Nothing.
    pub(crate) const fn nothing() -> Self {
        Self::Any(Vec::new())
    }

    /// What a document scores at least in which everything that is asked for stands once, with a weight of one.
    pub(crate) fn worth(&self) -> Score {
        let worths = |parts: &[Self]| parts.iter().map(Self::worth).collect::<Vec<_>>();
        match self {
            Self::Term { unit, .. } => *unit,
            Self::All { parts, .. } | Self::Some { parts, .. } => worths(parts).into_iter().sum(),
            Self::Any(ways) => worths(ways).into_iter().fold(0.0, Score::max),
        }
    }

    /// The same, worth so many times as much.
    pub(crate) fn times(self, factor: Score) -> Self {
        let each = |parts: Vec<Self>| parts.into_iter().map(|part| part.times(factor)).collect();
        match self {
            Self::Term { lists, unit } => Self::Term { lists, unit: unit * factor },
            Self::All { parts, more } => Self::All { parts: each(parts), more: each(more) },
            Self::Any(ways) => Self::Any(each(ways)),
            Self::Some { parts, needed } => Self::Some { parts: each(parts), needed },
        }
    }

    /// No more documents than this are meant in a segment.
    fn most(&self, segment: usize) -> usize {
        match self {
            Self::Term { lists, .. } => lists[segment].len(),
            Self::All { parts, .. } => parts.iter().map(|part| part.most(segment)).min().unwrap_or(0),
            Self::Any(ways) => ways.iter().map(|way| way.most(segment)).sum(),
            Self::Some { parts, needed } => {
                parts.iter().map(|part| part.most(segment)).sum::<usize>() / usize::from(*needed).max(1)
            }
        }
    }

    /// The documents of a segment that are meant, in order.
    pub(crate) fn docs(&self, segment: usize) -> Vec<DocId> {
        match self {
            Self::Term { lists, .. } => lists[segment].docs().to_vec(),
            Self::All { parts, .. } => {
                let mut parts: Vec<&Self> = parts.iter().collect();
                parts.sort_by_cached_key(|part| part.most(segment));
                let Some((fewest, others)) = parts.split_first() else { return Vec::new() };
                let mut docs = fewest.docs(segment);
                others.iter().for_each(|part| part.keep(segment, &mut docs));
                docs
            }
            Self::Any(ways) => in_some(ways.iter().map(|way| way.docs(segment)), 1),
            Self::Some { parts, needed } => in_some(parts.iter().map(|part| part.docs(segment)), *needed),
        }
    }

    /// Leaves those of the documents, which are in order, that are meant.
    fn keep(&self, segment: usize, docs: &mut Vec<DocId>) {
        let kept = |own: &Self| {
            let mut kept = docs.clone();
            own.keep(segment, &mut kept);
            kept
        };
        match self {
            Self::Term { lists, .. } => lists[segment].keep(docs),
            Self::All { parts, .. } => parts.iter().for_each(|part| part.keep(segment, docs)),
            Self::Any(ways) => *docs = in_some(ways.iter().map(kept), 1),
            Self::Some { parts, needed } => *docs = in_some(parts.iter().map(kept), *needed),
        }
    }

    /// How well each of the documents fits, which are in order.
    pub(crate) fn scores(&self, segment: usize, docs: &[DocId]) -> Vec<Score> {
        let each = |own: &Self| own.scores(segment, docs);
        match self {
            Self::Term { lists, unit } => lists[segment].scores(docs, *unit),
            Self::All { parts, more } => {
                let mut sum = summed(parts.iter().map(each), parts.len(), docs.len());
                for more in more.iter().map(each) {
                    sum.iter_mut().zip(more).filter(|(sum, _)| **sum > 0.0).for_each(|(sum, more)| *sum += more);
                }
                sum
            }
            Self::Any(ways) => ways.iter().map(each).fold(vec![0.0; docs.len()], |mut best, way| {
                best.iter_mut().zip(way).for_each(|(best, own)| *best = best.max(own));
                best
            }),
            Self::Some { parts, needed } => summed(parts.iter().map(each), (*needed).into(), docs.len()),
        }
    }
}

/// The documents that are in at least so many of these rows, in order.
fn in_some(rows: impl ExactSizeIterator<Item = Vec<DocId>>, needed: u8) -> Vec<DocId> {
    let alone = rows.len() == 1 && needed == 1;
    let mut docs = Vec::new();
    for row in rows {
        if alone {
            return row;
        }
        docs.extend(row);
    }
    let end = docs.iter().max().map_or(0, |last| *last as usize + 1);
    if docs.len() * SPARSE < end {
        docs.sort_unstable();
        return docs.chunk_by(|a, b| a == b).filter(|same| same.len() >= needed.into()).map(|same| same[0]).collect();
    }
    let (mut counts, mut enough) = (vec![0_u8; end], vec![0_u64; end.div_ceil(64)]);
    for doc in docs.iter().map(|doc| *doc as usize) {
        counts[doc] = counts[doc].saturating_add(1);
        enough[doc / 64] |= u64::from(counts[doc] == needed) << (doc % 64);
    }
    docs.clear();
    for (first, mut set) in (0..).step_by(64).zip(enough) {
        while set != 0 {
            docs.push(first + set.trailing_zeros());
            set &= set - 1;
        }
    }
    docs
}

/// The sums of what scores in at least so many rows, nothing of the others.
fn summed(rows: impl Iterator<Item = Vec<Score>>, needed: usize, length: usize) -> Vec<Score> {
    let (mut sums, mut counts) = (vec![0.0; length], vec![0; length]);
    for row in rows {
        for ((sum, count), score) in sums.iter_mut().zip(&mut counts).zip(row) {
            *sum += score;
            *count += usize::from(score > 0.0);
        }
    }
    sums.iter_mut().zip(counts).filter(|(_, count)| *count < needed).for_each(|(sum, _)| *sum = 0.0);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTS: usize = 3_000;

    fn term(every: u32) -> Ask {
        let docs: Vec<DocId> = (0..).step_by(every as usize).take_while(|doc| (*doc as usize) < DOCUMENTS).collect();
        let weights = vec![u8::try_from(every % 4 + 1).expect("small"); docs.len()];
        Ask::Term { lists: vec![Arc::new(List::new(docs, weights, DOCUMENTS))], unit: 1.5 }
    }

    fn terms(every: &[u32]) -> Vec<Ask> {
        every.iter().copied().map(term).collect()
    }

    #[test]
    fn what_is_meant_is_what_scores() {
        let asks = [
            Ask::nothing(),
            term(1),
            Ask::all(terms(&[2, 3, 5])),
            Ask::All { parts: terms(&[700, 2]), more: terms(&[4, 1_400]) },
            Ask::any(terms(&[900, 700])),
            Ask::any(vec![Ask::all(terms(&[3, 4])), term(5), Ask::nothing()]),
            Ask::some(terms(&[2, 3, 5]), 2),
            Ask::some(terms(&[500, 600, 900]), 2),
            Ask::some(terms(&[2, 3]), 3),
            Ask::all(vec![Ask::any(terms(&[2, 700])), Ask::some(terms(&[3, 4, 7]), 2), term(1)]),
        ];
        let all: Vec<DocId> = (0..).take(DOCUMENTS).collect();
        for ask in asks {
            let scores = ask.scores(0, &all);
            let scored = all.iter().zip(&scores).filter(|(_, score)| **score > 0.0).map(|(doc, _)| *doc);
            let docs = ask.docs(0);
            assert_eq!(docs, scored.collect::<Vec<_>>(), "{ask:?}");
            let own: Vec<Score> = scores.iter().copied().filter(|score| *score > 0.0).collect();
            assert_eq!(ask.scores(0, &docs), own, "alone they score what they score among others");
            assert!(docs.len() <= ask.most(0));
        }
    }

    #[test]
    fn parts_are_summed_up_and_of_ways_the_best_counts() {
        let weight = |every: u32| term(every).scores(0, &[0])[0];
        let scored = |ask: Ask| ask.scores(0, &[0])[0];
        let sum = weight(2) + weight(3);
        assert!((scored(Ask::all(terms(&[2, 3]))) - sum).abs() < 1e-6);
        assert!((scored(Ask::some(terms(&[2, 3]), 1)) - sum).abs() < 1e-6);
        assert!((scored(Ask::any(terms(&[2, 3]))) - weight(3)).abs() < 1e-6);
        assert!((scored(Ask::All { parts: terms(&[2]), more: terms(&[3]) }) - sum).abs() < 1e-6);
    }
}
