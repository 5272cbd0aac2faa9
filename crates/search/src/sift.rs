//! The documents a query gives: filtered, counted, the best of them in order.

use std::cmp::Ordering;

use tantivy::query::{EnableScoring, Query};
use tantivy::{DocAddress, Score};

use crate::terms::folded;
use crate::view::{Row, Segment, View};
use crate::{SearchError, Status, Wanted};

/// What a query gave.
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

/// Runs a query and keeps the page that is wanted.
pub(crate) fn sift(view: &View, query: &dyn Query, wanted: &Wanted<'_>) -> Result<Sifted, SearchError> {
    let weight = query.weight(EnableScoring::enabled_from_searcher(&view.searcher))?;
    let most = wanted.offset.saturating_add(wanted.limit);
    let mut best = Best { most, kept: Vec::new(), bar: None };
    let (mut published, mut total) = (0, 0);
    for (segment_ord, reader, segment) in view.each() {
        let (filter, alive) = (Filter::new(wanted, segment), reader.alive_bitset());
        weight.for_each(reader, &mut |doc, score| {
            let row = &segment.rows[doc as usize];
            if alive.is_some_and(|alive| !alive.is_alive(doc)) || row.status != Status::Published as u8 {
                return;
            }
            published += 1;
            if filter.lets(row) {
                total += 1;
                let at = DocAddress { segment_ord, doc_id: doc };
                best.offer(Candidate { score, starts_at: row.starts_at, id: row.id, at });
            }
        })?;
    }
    Ok(Sifted { published, total, page: best.page(wanted.offset) })
}

/// The ids of all documents a query gives, at whatever stage they are.
pub(crate) fn ids(view: &View, query: &dyn Query) -> Result<Vec<u128>, SearchError> {
    let weight = query.weight(EnableScoring::disabled_from_searcher(&view.searcher))?;
    let mut ids = Vec::new();
    for (_, reader, segment) in view.each() {
        let alive = reader.alive_bitset();
        weight.for_each_no_score(reader, &mut |docs| {
            let own = docs.iter().filter(|doc| alive.is_none_or(|alive| alive.is_alive(**doc)));
            ids.extend(own.map(|doc| segment.rows[*doc as usize].id));
        })?;
    }
    Ok(ids)
}
