//! Titles that begin with what was typed so far.
//!
//! A title can be entered at each of its words, an artist at the first; Hangul may stop in the middle of a syllable, or
//! be first consonants alone. Only where nothing begins so, one wrong key is forgiven.

use std::collections::HashSet;
use std::rc::Rc;

use tantivy::DocAddress;
use tantivy::postings::BlockSegmentPostings;
use tantivy::termdict::{TermDictionary, TermStreamer};
use tantivy_fst::Automaton;

use crate::keys::{are_initials, initials, pressed};
use crate::synonyms::Synonyms;
use crate::terms::entry;
use crate::typos::Close;
use crate::view::View;
use crate::words::words;
use crate::{SearchError, Suggestion};

/// The most words of what is typed that count.
const MOST_WORDS: usize = 16;
/// How many titles of a segment are gathered before the best are taken.
const MOST_GATHERED: usize = 64;
/// How many of a segment are looked at for them. A show that has been on for years has as many behind it as it likes.
const MOST_LOOKED_AT: usize = 4_096;
/// From how many keys on a wrong one is forgiven.
const ENOUGH_KEYS: usize = 4;

/// A title that may be offered; the least is the best.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Offer {
    over: bool,
    other: bool,
    /// What it is found by, behind what leads it.
    key: Rc<[u8]>,
    starts_at: i64,
    id: u128,
    at: DocAddress,
}

struct Completer<'a> {
    view: &'a View,
    now: i64,
    limit: usize,
    /// Whether it is another name that is looked for than the one that was typed.
    other: bool,
    found: Vec<Offer>,
}

impl Completer<'_> {
    /// Takes the completions that begin so, the best first, as long as they may be among those that are offered.
    fn begin(&mut self, leads: &[u8], keys: &str) -> Result<(), SearchError> {
        for lead in leads {
            if coming(&self.found) >= self.limit {
                break;
            }
            let start = [&[*lead], keys.as_bytes()].concat();
            // No key goes on with a byte as great as this one.
            let end = [&start[..], b"\xff"].concat();
            self.take(|terms| terms.range().ge(&start).lt(&end).into_stream())?;
        }
        Ok(())
    }

    /// Takes what a walk through the dictionary of each segment gives, until there is enough.
    fn take<A: Automaton>(
        &mut self,
        walk: impl for<'w> Fn(&'w TermDictionary) -> std::io::Result<TermStreamer<'w, A>>,
    ) -> Result<(), SearchError>
    where
        A::State: Clone,
    {
        let view = self.view;
        let mut block = BlockSegmentPostings::empty();
        for (number, reader, segment) in view.each() {
            let index = reader.inverted_index(view.fields.complete)?;
            let mut terms = walk(index.terms())?;
            let (first, alive) = (self.found.len(), reader.alive_bitset());
            let (mut looked_at, mut past) = (0, HashSet::new());
            let enough = |found: usize, looked_at: usize| found >= first + MOST_GATHERED || looked_at >= MOST_LOOKED_AT;
            // Keys come in order, so once there are enough all that follows is worse.
            while !enough(self.found.len(), looked_at) && coming(&self.found[first..]) < self.limit && terms.advance() {
                let key: Rc<[u8]> = Rc::from(terms.key());
                index.reset_block_postings_from_terminfo(terms.value(), &mut block)?;
                while !block.docs().is_empty() && !enough(self.found.len(), looked_at) {
                    for doc in block.docs().iter().filter(|doc| alive.is_none_or(|alive| alive.is_alive(**doc))) {
                        let row = &segment.rows[*doc as usize];
                        let (over, other) = (row.ends_at <= self.now, self.other);
                        looked_at += 1;
                        // What is over comes last: more of it than are offered would only keep the coming ones out.
                        if !over || past.contains(&row.id) || (past.len() < self.limit && past.insert(row.id)) {
                            let at = DocAddress { segment_ord: number, doc_id: *doc };
                            let (starts_at, id, key) = (row.starts_at, row.id, key.clone());
                            self.found.push(Offer { over, other, key, starts_at, id, at });
                        }
                    }
                    block.advance();
                }
            }
        }
        Ok(())
    }

    fn best(mut self) -> Vec<Suggestion> {
        self.found.sort_unstable();
        let mut seen = HashSet::new();
        let firsts = self.found.iter().filter(|own| seen.insert(own.id)).take(self.limit);
        firsts.map(|own| self.view.suggestion(own.at, own.id)).collect()
    }
}

/// How many of them are not over, each counted once.
fn coming(found: &[Offer]) -> usize {
    let others = |place: usize, id: u128| found[..place].iter().all(|own| own.over || own.id != id);
    found.iter().enumerate().filter(|(place, own)| !own.over && others(*place, own.id)).count()
}

/// The titles that what was typed may become, the likeliest first. What is over at `now` comes last.
pub(crate) fn complete(
    view: &View,
    synonyms: &Synonyms,
    typed: &str,
    limit: usize,
    now: i64,
) -> Result<Vec<Suggestion>, SearchError> {
    let typed = words(typed, MOST_WORDS);
    if typed.is_empty() {
        return Ok(Vec::new());
    }
    let mut completer = Completer { view, now, limit, other: false, found: Vec::new() };
    let texts = || typed.iter().map(|word| word.text.as_str());
    if are_initials(&typed) {
        completer.begin(&[entry::INITIALS], &initials(texts()))?;
        return Ok(completer.best());
    }
    const ENTRIES: &[u8] = &[entry::TITLE, entry::WORD, entry::ARTIST];
    let keys = pressed(texts());
    completer.begin(ENTRIES, &keys)?;
    completer.other = true;
    for name in synonyms.of(&typed).into_iter().flatten() {
        let other = pressed(name.iter().map(|word| word.text.as_str()));
        if other != keys {
            completer.begin(ENTRIES, &other)?;
        }
    }
    completer.other = false;
    if completer.found.is_empty() && keys.len() >= ENOUGH_KEYS {
        let close = Close::new(&keys, 1, true, ENTRIES);
        completer.take(|terms| terms.search(close.clone()).into_stream())?;
    }
    Ok(completer.best())
}
