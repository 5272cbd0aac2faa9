//! Titles that begin with what was typed so far.
//!
//! A title can be entered at each of its words, an artist at the first; Hangul may stop in the middle of a syllable, or
//! be first consonants alone. Only where nothing begins so, one wrong key is forgiven.

use std::collections::HashSet;

use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, DocId, DocSet as _, SegmentReader, TERMINATED};

use crate::keys::{are_initials, initials, pressed};
use crate::synonyms::Synonyms;
use crate::terms::entry;
use crate::typos::Close;
use crate::view::{Segment, View};
use crate::words::words;
use crate::{SearchError, Suggestion};

/// The most words of what is typed that count.
const MOST_WORDS: usize = 16;
/// How many titles are looked at before the best are taken.
const MOST_LOOKED_AT: usize = 64;
/// From how many keys on a wrong one is forgiven.
const ENOUGH_KEYS: usize = 4;

/// How good a completion is; the least is the best.
type Rank = (bool, bool, u8, Vec<u8>, i64, u128);

struct Completer<'a> {
    view: &'a View,
    now: i64,
    /// Whether it is another name that is looked for than the one that was typed.
    other: bool,
    found: Vec<(Rank, DocAddress)>,
}

impl Completer<'_> {
    /// Takes the completions an automaton accepts, up to so many in each segment.
    fn take(&mut self, accepted: &Close) -> Result<(), SearchError> {
        let view = self.view;
        for (number, reader, segment) in view.each() {
            let index = reader.inverted_index(view.fields.complete)?;
            let mut stream = index.terms().search(accepted).into_stream()?;
            let mut looked_at = 0;
            while looked_at < MOST_LOOKED_AT && stream.advance() {
                let mut postings = index.read_postings_from_terminfo(stream.value(), IndexRecordOption::Basic)?;
                while looked_at < MOST_LOOKED_AT && postings.doc() != TERMINATED {
                    looked_at += usize::from(self.offer(stream.key(), number, reader, segment, postings.doc()));
                    postings.advance();
                }
            }
        }
        Ok(())
    }

    /// Takes a document, if it is still there.
    fn offer(&mut self, key: &[u8], number: u32, reader: &SegmentReader, segment: &Segment, doc: DocId) -> bool {
        if reader.is_deleted(doc) {
            return false;
        }
        let row = segment.rows[doc as usize];
        let rank = (row.ends_at <= self.now, self.other, key[0], key[1..].to_vec(), row.starts_at, row.id);
        self.found.push((rank, DocAddress { segment_ord: number, doc_id: doc }));
        true
    }

    fn best(mut self, limit: usize) -> Result<Vec<Suggestion>, SearchError> {
        self.found.sort_unstable();
        let mut seen = HashSet::new();
        let firsts = self.found.iter().filter(|((.., id), _)| seen.insert(*id)).take(limit);
        firsts.map(|((.., id), at)| self.view.suggestion(*at, *id)).collect()
    }
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
    let mut completer = Completer { view, now, other: false, found: Vec::new() };
    let texts = || typed.iter().map(|word| word.text.as_str());
    if are_initials(&typed) {
        completer.take(&Close::new(&initials(texts()), 0, true, &[entry::INITIALS]))?;
        return completer.best(limit);
    }
    let keys = pressed(texts());
    let other = synonyms.of(&typed).into_iter().flatten();
    let other = other.map(|name| pressed(name.iter().map(|word| word.text.as_str()))).filter(|name| *name != keys);
    for (place, keys) in std::iter::once(keys.clone()).chain(other).enumerate() {
        completer.other = place > 0;
        for lead in [&[entry::TITLE], &[entry::WORD], &[entry::ARTIST]] {
            completer.take(&Close::new(&keys, 0, true, lead))?;
        }
    }
    if completer.found.is_empty() && keys.len() >= ENOUGH_KEYS {
        completer.take(&Close::new(&keys, 1, true, &[entry::TITLE, entry::WORD, entry::ARTIST]))?;
    }
    completer.best(limit)
}
