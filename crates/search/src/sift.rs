//! The documents a query gives: filtered, counted, the best of them in order.

use std::cmp::Ordering;

use tantivy::{DocAddress, DocId, Score};

use crate::ask::Ask;
use crate::terms::folded;
use crate::view::{Row, Segment, View};
use crate::{Status, Wanted};

/// What a query gave.
#[derive(Default)]
pub(crate) struct Sifted {
    /// How many published ones there are before any filter.
    pub published: usize,
    /// How many are left.
    pub total: usize,
    /// The page.
    pub page: Vec<Candidate>,
}

/// A document that may be on the page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub score: Score,
    pub starts_at: i64,
    pub id: u128,
    pub at: DocAddress,
}

impl Candidate {
    /// The better first.
    fn order(&self, other: &Self) -> Ordering {
        let by_score = other.score.total_cmp(&self.score);
        by_score.then(self.starts_at.cmp(&other.starts_at)).then(self.id.cmp(&other.id))
    }
}

/// The filters of a query, as one segment spells them.
struct Filter<'a> {
    wanted: &'a Wanted<'a>,
    categories: Option<Vec<bool>>,
    locations: Option<Vec<bool>>,
}

impl<'a> Filter<'a> {
    fn new(wanted: &'a Wanted<'a>, segment: &Segment) -> Self {
        let categories = wanted.category.map(folded);
        let locations = wanted.location.map(folded);
        Self {
            wanted,
            categories: categories.map(|own| Segment::chosen(&segment.categories, |text| text == own)),
            locations: locations.map(|own| Segment::chosen(&segment.locations, |text| text.contains(&own))),
        }
    }

    fn lets(&self, row: &Row) -> bool {
        let chosen = |set: &Option<Vec<bool>>, number: u32| {
            set.as_ref().is_none_or(|set| set.get(number as usize).copied().unwrap_or(false))
        };
        let wanted = self.wanted;
        wanted.min_price.is_none_or(|least| row.min_price >= least)
            && wanted.max_price.is_none_or(|most| row.max_price <= most)
            && wanted.starts_from.is_none_or(|from| row.starts_at >= from)
            && wanted.starts_to.is_none_or(|to| row.starts_at <= to)
            && chosen(&self.categories, row.category)
            && chosen(&self.locations, row.location)
    }
}

/// Keeps the best so many without ordering all.
struct Best {
    most: usize,
    kept: Vec<Candidate>,
    /// The worst that could still be among them, once there are enough.
    bar: Option<Candidate>,
}

impl Best {
    fn offer(&mut self, candidate: Candidate) {
        if self.bar.is_some_and(|bar| bar.order(&candidate) == Ordering::Less) {
            return;
        }
        self.kept.push(candidate);
        if self.kept.len() > self.most.saturating_mul(2).max(64) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.most == 0 {
            self.kept.clear();
        } else if self.kept.len() > self.most {
            let (_, last, _) = self.kept.select_nth_unstable_by(self.most - 1, Candidate::order);
            self.bar = Some(*last);
            self.kept.truncate(self.most);
        }
    }

    fn page(mut self, offset: usize) -> Vec<Candidate> {
        self.cut();
        self.kept.sort_unstable_by(Candidate::order);
        self.kept.drain(..offset.min(self.kept.len()));
        self.kept
    }
}

/// Looks for what is asked and keeps the page that is wanted.
pub(crate) fn sift(view: &View, ask: &Ask, wanted: &Wanted<'_>) -> Sifted {
    let most = wanted.offset.saturating_add(wanted.limit);
    let mut best = Best { most, kept: Vec::new(), bar: None };
    let (mut published, mut total) = (0, 0);
    for (segment_ord, segment) in (0..).zip(&view.segments) {
        let (filter, mut docs) = (Filter::new(wanted, segment), alive(view, ask, segment_ord));
        docs.retain(|doc| segment.rows[*doc as usize].status == Status::Published as u8);
        published += docs.len();
        docs.retain(|doc| filter.lets(&segment.rows[*doc as usize]));
        total += docs.len();
        for (doc_id, score) in docs.iter().copied().zip(ask.scores(segment_ord as usize, &docs)) {
            let (row, at) = (&segment.rows[doc_id as usize], DocAddress { segment_ord, doc_id });
            best.offer(Candidate { score, starts_at: row.starts_at, id: row.id, at });
        }
    }
    Sifted { published, total, page: best.page(wanted.offset) }
}

/// The documents of a segment that are asked for and not gone.
fn alive(view: &View, ask: &Ask, segment: u32) -> Vec<DocId> {
    let mut docs = ask.docs(segment as usize);
    if let Some(alive) = view.searcher.segment_reader(segment).alive_bitset() {
        docs.retain(|doc| alive.is_alive(*doc));
    }
    docs
}

/// The ids of all documents that are asked for, at whatever stage they are.
pub(crate) fn ids(view: &View, ask: &Ask) -> Vec<u128> {
    let each = (0..).zip(&view.segments);
    each.flat_map(|(number, segment)| alive(view, ask, number).into_iter().map(|doc| segment.rows[doc as usize].id))
        .collect()
}
