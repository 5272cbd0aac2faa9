//! What a text asks for, as a query of the index.
//!
//! Each word has to be found, or another name of what it names. How far a word may be from what is there depends on how
//! hard one has to look: first as it is written (apart from spaces and particles), then with typos, and in the end half
//! of the words will do. The next step is taken only where the one before finds nothing.

use tantivy::Score;
use tantivy::schema::Field;
use tantivy::termdict::TermStreamer;
use tantivy_fst::Automaton;

use crate::SearchError;
use crate::ask::Ask;
use crate::keys::{press, pressed, switched};
use crate::synonyms::{MOST_WORDS as LONGEST_NAME, Synonyms};
use crate::typos::{Close, forgiven};
use crate::view::View;
use crate::words::{Script, Word, words};

/// The most words of a query that count.
const MOST_WORDS: usize = 16;
/// The most words of the index that may stand for a word that is not quite there.
const MOST_STAND_INS: usize = 10;
/// How many words of the dictionary are looked at for them.
const MOST_LOOKED_AT: usize = 400;
/// What another name counts, next to the one that was written.
const OTHER_NAME: Score = 0.9;
/// What a word counts that begins so.
const BEGINNING: Score = 0.5;
/// What a word counts with so many wrong keys.
const TYPO: [Score; 3] = [0.8, 0.6, 0.4];
/// What a word counts more that is there by itself and not only as a part of others; less than a step between weights.
const BY_ITSELF: Score = 0.25;

/// How far a word may be from what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effort {
    /// As it is written.
    Written,
    /// With typos, and with the keyboard in the wrong language.
    Typos,
    /// As before, and half of the words will do.
    Half,
}

impl Effort {
    /// All, in the order they are tried.
    pub(crate) const ALL: [Self; 3] = [Self::Written, Self::Typos, Self::Half];
}

/// Makes queries for one look into the index.
pub(crate) struct Planner<'a> {
    pub view: &'a View,
    pub synonyms: &'a Synonyms,
    pub field: Field,
}

/// Something asked for: what was written, and other names of it.
type Wish = Vec<Vec<Word>>;

fn grams(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters.windows(letters.len().clamp(2, 3)).map(|gram| "_".chars().chain(gram.iter().copied()).collect()).collect()
}

impl Planner<'_> {
    /// The query for a text; `None` where there is no word in it.
    pub(crate) fn query(&self, text: &str, effort: Effort) -> Result<Option<Ask>, SearchError> {
        let written = words(text, MOST_WORDS);
        let mut ways = Vec::new();
        for reading in readings(written, effort) {
            let wishes = self.wishes(&reading);
            let mut parts = Vec::with_capacity(wishes.len());
            for wish in &wishes {
                parts.push(self.wish(wish, 1.0, effort)?);
            }
            match (parts.len(), effort) {
                (0, _) => {}
                (1, _) | (_, Effort::Written | Effort::Typos) => ways.push(Ask::all(parts)),
                (count, Effort::Half) => {
                    ways.push(Ask::some(parts, count.div_ceil(2)));
                }
            }
        }
        Ok(if ways.is_empty() { None } else { Some(Ask::any(ways)) })
    }

    /// The words, those together that are one name.
    fn wishes(&self, words: &[Word]) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let mut at = 0;
        while at < words.len() {
            let longest = (words.len() - at).min(LONGEST_NAME);
            let named = (1..=longest).rev().find_map(|length| {
                let own = &words[at..at + length];
                Some((length, own, self.names(own)?))
            });
            let Some((length, own, names)) = named else {
                wishes.push(vec![words[at..=at].to_vec()]);
                at += 1;
                continue;
            };
            let mut wish = vec![own.to_vec()];
            wish.extend(names.iter().filter(|name| name.as_slice() != own).cloned());
            wishes.push(wish);
            at += length;
        }
        wishes
    }

    fn names(&self, words: &[Word]) -> Option<&[Vec<Word>]> {
        let [word] = words else { return self.synonyms.of(words) };
        self.synonyms.of(words).or_else(|| self.synonyms.named(word.stem()?))
    }

    fn wish(&self, wish: &Wish, share: Score, effort: Effort) -> Result<Ask, SearchError> {
        let mut ways: Vec<Ask> = Vec::with_capacity(wish.len());
        for (place, name) in wish.iter().enumerate() {
            // Other names are taken at their word.
            let effort = if place == 0 { effort } else { Effort::Written };
            let parts: Result<Vec<Ask>, SearchError> = name.iter().map(|word| self.word(word, share, effort)).collect();
            let way = Ask::all(parts?);
            ways.push(match ways.first().map(Ask::worth) {
                None => way,
                Some(written) => {
                    // However rare another name is, it tells no more than what was written, where that is known.
                    let even = if written > 0.0 { (written / way.worth()).min(1.0) } else { 1.0 };
                    way.times(even * OTHER_NAME)
                }
            });
        }
        Ok(Ask::any(ways))
    }

    fn word(&self, word: &Word, share: Score, effort: Effort) -> Result<Ask, SearchError> {
        let written = match word.script {
            Script::Packed => self.packed(&word.text, word.stem(), share)?,
            Script::Spaced => self.spaced(&word.text, share)?,
        };
        if effort == Effort::Written {
            return Ok(written);
        }
        let mut ways = vec![written];
        let stem = word.stem().unwrap_or(&word.text);
        if word.script == Script::Packed && stem.chars().count() == 1 && word.len() > 1 {
            ways.push(self.packed(stem, None, share * BEGINNING)?);
        }
        ways.extend(self.most_of(&word.text, share)?);
        for keys in std::iter::once(pressed([stem])).chain(switched(word)) {
            ways.extend(self.close(&keys, share)?);
            ways.extend(self.meant(&keys, share)?);
        }
        if stem != word.text {
            // What looks like a particle may be the end of a name.
            ways.extend(self.meant(&pressed([word.text.as_str()]), share)?);
        }
        Ok(Ask::any(ways))
    }

    /// A word of characters that are joined freely: its parts, which without a particle at its end are all it takes.
    fn packed(&self, text: &str, stem: Option<&str>, share: Score) -> Result<Ask, SearchError> {
        let letters = text.chars().count();
        let stem = stem.filter(|stem| stem.chars().count() > 1).unwrap_or(text);
        let needed = if letters == 1 { vec![format!("^{text}")] } else { grams(stem) };
        #[expect(clippy::cast_precision_loss, reason = "words are short")]
        let each = share / needed.len() as Score;
        let mut parts = Vec::with_capacity(needed.len());
        for gram in &needed {
            match self.found(gram, each)? {
                Some(part) => parts.push(part),
                None => return Ok(Ask::nothing()),
            }
        }
        let mut more: Vec<Ask> = Vec::new();
        more.extend(self.found(&pressed([text]), share * BY_ITSELF)?);
        if stem.len() < text.len() {
            for gram in grams(text).iter().filter(|gram| !needed.contains(gram)) {
                more.extend(self.found(gram, each * BY_ITSELF)?);
            }
        }
        Ok(if more.is_empty() { Ask::all(parts) } else { Ask::All { parts, more } })
    }

    /// A word apart from others: itself, or what begins so.
    fn spaced(&self, text: &str, share: Score) -> Result<Ask, SearchError> {
        let mut keys = String::new();
        press(text, &mut keys);
        let mut ways: Vec<Ask> = Vec::new();
        ways.extend(self.found(&keys, share)?);
        ways.extend(self.found(&format!("+{keys}"), share)?);
        if text.chars().count() == 1 {
            ways.extend(self.found(&format!("^{text}"), share * BEGINNING)?);
        } else {
            ways.extend(self.beginning(&keys, share * BEGINNING)?);
        }
        Ok(Ask::any(ways))
    }

    /// A long word of which more than half of the pairs of characters are there: 아이유의콘서트를 has four of seven.
    fn most_of(&self, text: &str, share: Score) -> Result<Option<Ask>, SearchError> {
        let letters: Vec<char> = text.chars().collect();
        let pairs = letters.len().saturating_sub(1);
        if pairs < 3 || text.is_ascii() {
            return Ok(None);
        }
        #[expect(clippy::cast_precision_loss, reason = "words are short")]
        let each = share * BEGINNING / pairs as Score;
        let mut parts: Vec<Ask> = Vec::with_capacity(pairs);
        for gram in letters.windows(2) {
            parts.extend(self.found(&format!("_{}{}", gram[0], gram[1]), each)?);
        }
        let enough = (pairs * 5).div_ceil(9);
        if parts.len() < enough {
            return Ok(None);
        }
        Ok(Some(Ask::some(parts, enough)))
    }

    /// Words that differ by a few keys, the fewest first.
    fn close(&self, keys: &str, share: Score) -> Result<Vec<Ask>, SearchError> {
        let edits = forgiven(keys.len());
        // A short word that begins nearly so is another word.
        let open = keys.len() > 4;
        for (edits, worth) in TYPO.iter().enumerate().take(edits + 1) {
            let found = self.near(&Close::new(keys, edits, open, b""), share * worth)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// All names of whom a word with typos may name.
    fn meant(&self, keys: &str, share: Score) -> Result<Option<Ask>, SearchError> {
        let edits = forgiven(keys.len());
        let Some(names) = self.synonyms.close(&Close::new(keys, edits, false, b"")) else { return Ok(None) };
        Ok(Some(self.wish(&names.to_vec(), share * TYPO[edits], Effort::Written)?))
    }

    /// The commonest words of the dictionary that an automaton accepts.
    fn near(&self, close: &Close, share: Score) -> Result<Vec<Ask>, SearchError> {
        let mut found = StandIns::default();
        for (_, reader, _) in self.view.each() {
            let index = reader.inverted_index(self.field)?;
            found.take(index.terms().search(close).into_stream()?);
        }
        self.stand_ins(found, share)
    }

    /// The commonest words of the dictionary that begin so and go on.
    fn beginning(&self, keys: &str, share: Score) -> Result<Vec<Ask>, SearchError> {
        let mut found = StandIns::default();
        for (_, reader, _) in self.view.each() {
            let index = reader.inverted_index(self.field)?;
            // No byte of a word is as great as the one that ends the range.
            let end = [keys.as_bytes(), b"\xff"].concat();
            found.take(index.terms().range().gt(keys).lt(end).into_stream()?);
        }
        self.stand_ins(found, share)
    }

    fn stand_ins(&self, found: StandIns, share: Score) -> Result<Vec<Ask>, SearchError> {
        let found = found.commonest();
        let unit = self.rarity(found.iter().map(|(count, _)| *count as usize).sum()) * share;
        let terms = found.iter().filter_map(|(_, term)| std::str::from_utf8(term).ok());
        terms.map(|term| Ok(Ask::Term { lists: self.view.lists(self.field, term)?, unit })).collect()
    }

    /// The documents with a term; `None` where there are none.
    fn found(&self, text: &str, share: Score) -> Result<Option<Ask>, SearchError> {
        let lists = self.view.lists(self.field, text)?;
        let documents = lists.iter().map(|list| list.len()).sum();
        Ok((documents > 0).then(|| Ask::Term { lists, unit: self.rarity(documents) * share }))
    }

    /// The fewer documents have it, the more it tells: as BM25 has it.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a score")]
    fn rarity(&self, documents: usize) -> Score {
        let (all, own) = (self.view.count().max(documents) as f64, documents as f64);
        (1.0 + (all - own + 0.5) / (own + 0.5)).ln() as Score
    }
}

/// Words of the dictionary, with the number of documents that have each.
#[derive(Default)]
struct StandIns(Vec<(u32, Vec<u8>)>);

impl StandIns {
    fn take<A: Automaton>(&mut self, mut words: TermStreamer<'_, A>)
    where
        A::State: Clone,
    {
        let mut looked_at = 0;
        while looked_at < MOST_LOOKED_AT && words.advance() {
            looked_at += 1;
            let (term, count) = (words.key(), words.value().doc_freq);
            match self.0.iter_mut().find(|(_, known)| known == term) {
                Some((known, _)) => *known += count,
                None => self.0.push((count, term.to_vec())),
            }
        }
    }

    fn commonest(mut self) -> Vec<(u32, Vec<u8>)> {
        self.0.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        self.0.truncate(MOST_STAND_INS);
        self.0
    }
}

/// The ways to read words: as they are written, and with those together that were taken apart.
fn readings(words: Vec<Word>, effort: Effort) -> Vec<Vec<Word>> {
    let written = without_particles(words);
    let mut readings = Vec::new();
    let torn = |row: &[Word]| row.len() > 1 && row.iter().any(|word| word.len() == 1);
    readings.extend(joined(&written, Script::Packed, torn));
    if effort > Effort::Written {
        readings.extend(joined(&written, Script::Spaced, |row| row.len() > 1));
    }
    readings.insert(0, written);
    readings
}

/// Without the particles right behind a word of another script: IU의.
fn without_particles(words: Vec<Word>) -> Vec<Word> {
    let mut kept: Vec<Word> = Vec::with_capacity(words.len());
    for word in words {
        let follows = word.glued && kept.last().is_some_and(|last| last.script == Script::Spaced);
        if !(follows && word.script == Script::Packed && word.is_particle()) {
            kept.push(word);
        }
    }
    kept
}

/// The words with rows of a script joined where `which` says so; `None` where that changes nothing.
fn joined(words: &[Word], script: Script, which: impl Fn(&[Word]) -> bool) -> Option<Vec<Word>> {
    let mut joined = Vec::with_capacity(words.len());
    for row in words.chunk_by(|a, b| a.script == script && b.script == script) {
        if row[0].script == script && which(row) {
            let text = row.iter().map(|word| word.text.as_str()).collect();
            joined.push(Word { text, script, glued: false });
        } else {
            joined.extend_from_slice(row);
        }
    }
    (joined.len() < words.len()).then_some(joined)
}
