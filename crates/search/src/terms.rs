//! What a document is found by.
//!
//! | term | of | finds |
//! | --- | --- | --- |
//! | the keys of a word | every word | the word; what begins so; what is close to it |
//! | `_` and two or three characters | packed words in a row, whatever is between them | parts of words, with or without spaces and particles |
//! | `^` and a character | every word | words by their first letter |
//! | `+` and the keys of two words in a row | spaced words of names | `worldtour`, `kpop` for K-POP |

use std::collections::HashMap;

use tantivy::TantivyDocument;
use tantivy::tokenizer::{PreTokenizedString, Token};

use crate::keys::{initials, press, pressed};
use crate::schema::Fields;
use crate::words::{Script, Word, words};
use crate::{Document, Status};

/// The most words of a text that count.
const MOST_WORDS: usize = 4_000;
/// At how many words of a name it can be entered for completion.
const MOST_ENTRIES: usize = 8;
/// The most bytes of a completion.
const LONGEST_COMPLETION: usize = 60;

/// What a place of an event weighs.
mod weight {
    pub const TITLE: u8 = 3;
    pub const DESCRIPTION: u8 = 2;
    pub const ARTIST: u8 = 2;
    pub const VENUE: u8 = 1;
    pub const TAGS: u8 = 1;
}

/// Whether a term that begins so is a part of words or several of them, and no word.
pub(crate) const fn is_mark(byte: u8) -> bool {
    matches!(byte, b'_' | b'^' | b'+')
}

/// What a completion begins with, by what it completes; in the order they are offered.
pub(crate) mod entry {
    pub const TITLE: u8 = b'a';
    pub const WORD: u8 = b'b';
    pub const ARTIST: u8 = b'c';
    pub const INITIALS: u8 = b'd';
}

/// Calls back with each term of these words, some more than once. `names`: whether words in a row are one as well.
fn each(words: &[Word], names: bool, take: &mut impl FnMut(&str)) {
    let mut term = String::new();
    for word in words {
        term.clear();
        press(&word.text, &mut term);
        take(&term);
        term.clear();
        term.push('^');
        term.extend(word.text.chars().next());
        take(&term);
    }
    for row in words.chunk_by(|a, b| a.script == Script::Packed && b.script == Script::Packed) {
        if row[0].script == Script::Packed {
            let row: Vec<char> = row.iter().flat_map(|word| word.text.chars()).collect();
            for gram in row.windows(2).chain(row.windows(3)) {
                term.clear();
                term.push('_');
                term.extend(gram);
                take(&term);
            }
        }
    }
    let spaced = |pair: &&[Word]| pair.iter().all(|word| word.script == Script::Spaced);
    for pair in words.windows(2).filter(spaced).filter(|_| names) {
        let texts = pair.iter().map(|word| word.text.as_str());
        take(&pressed(std::iter::once("+").chain(texts)));
    }
}

/// The terms of several texts with the weight each has.
#[derive(Default)]
struct Weighed(HashMap<String, u8>);

impl Weighed {
    /// A term counts once in a text, however often it stands there.
    fn add(&mut self, texts: &[&str], names: bool, weight: u8) {
        let mut seen: HashMap<String, ()> = HashMap::new();
        for text in texts {
            each(&words(text, MOST_WORDS), names, &mut |term| {
                if !seen.contains_key(term) {
                    seen.insert(term.to_owned(), ());
                }
            });
        }
        for (term, ()) in seen {
            *self.0.entry(term).or_default() += weight;
        }
    }

    fn tokens(self, weighed: bool) -> PreTokenizedString {
        let mut tokens = Vec::with_capacity(self.0.len() * 2);
        for (text, weight) in self.0 {
            let token = token(text);
            let times = if weighed { usize::from(weight) } else { 1 };
            tokens.extend(std::iter::repeat_n(token, times));
        }
        PreTokenizedString { text: String::new(), tokens }
    }
}

/// Where terms stand is of no interest.
fn token(text: String) -> Token {
    Token { text, position: 0, ..Token::default() }
}

/// The document as the index takes it.
pub(crate) fn indexed(document: &Document<'_>, fields: &Fields) -> TantivyDocument {
    let own = document;
    let mut weighed = Weighed::default();
    weighed.add(&[own.title], true, weight::TITLE);
    weighed.add(&[own.description], false, weight::DESCRIPTION);
    weighed.add(&[own.artist], true, weight::ARTIST);
    weighed.add(&[own.venue, own.location, own.address], true, weight::VENUE);
    weighed.add(&own.tags.iter().map(String::as_str).collect::<Vec<_>>(), true, weight::TAGS);
    let mut names = Weighed::default();
    names.add(&[own.title, own.artist, own.venue, own.location, own.address], true, 1);
    let mut made = TantivyDocument::new();
    made.add_bytes(fields.key, &own.id.to_be_bytes());
    made.add_pre_tokenized_text(fields.text, weighed.tokens(true));
    made.add_pre_tokenized_text(fields.names, names.tokens(false));
    if own.status == Status::Published {
        made.add_pre_tokenized_text(fields.complete, completions(own));
    }
    let [high, low] = halves(own.id);
    made.add_u64(fields.id_high, high);
    made.add_u64(fields.id_low, low);
    made.add_i64(fields.version, own.version);
    made.add_u64(fields.status, own.status as u64);
    made.add_text(fields.category, folded(own.category));
    made.add_text(fields.location, folded(own.location));
    made.add_i64(fields.starts_at, own.starts_at);
    made.add_i64(fields.ends_at, own.ends_at);
    made.add_i64(fields.min_price, own.min_price);
    made.add_i64(fields.max_price, own.max_price);
    made.add_text(fields.title, own.title);
    made.add_text(fields.kind, own.category);
    made.add_bytes(fields.card, &own.card);
    made
}

/// An id as two columns hold it.
pub(crate) fn halves(id: u128) -> [u64; 2] {
    [u64::try_from(id >> 64).unwrap_or(0), u64::try_from(id & u128::from(u64::MAX)).unwrap_or(0)]
}

/// A text as filters compare it: its words without what is between them.
pub(crate) fn folded(text: &str) -> String {
    words(text, MOST_WORDS).into_iter().map(|word| word.text).collect()
}

fn completions(document: &Document<'_>) -> PreTokenizedString {
    let mut found = Vec::new();
    let mut add = |entry: u8, keys: String| {
        let mut text = String::from(char::from(entry));
        text.extend(keys.chars().scan(0, |length, c| {
            *length += c.len_utf8();
            (*length <= LONGEST_COMPLETION).then_some(c)
        }));
        if text.len() > 1 {
            found.push(token(text));
        }
    };
    let title = words(document.title, MOST_WORDS);
    let from = |start: usize| title[start..].iter().map(|word| word.text.as_str());
    for start in 0..title.len().min(MOST_ENTRIES) {
        add(if start == 0 { entry::TITLE } else { entry::WORD }, pressed(from(start)));
        add(entry::INITIALS, initials(from(start)));
    }
    let artist = words(document.artist, MOST_WORDS);
    let texts = || artist.iter().map(|word| word.text.as_str());
    add(entry::ARTIST, pressed(texts()));
    add(entry::INITIALS, initials(texts()));
    PreTokenizedString { text: String::new(), tokens: found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str, names: bool) -> Vec<String> {
        let mut found = Vec::new();
        each(&words(text, 99), names, &mut |term| found.push(term.to_owned()));
        found.sort_unstable();
        found.dedup();
        found
    }

    #[test]
    fn spaces_between_packed_words_do_not_matter() {
        let parts = |text: &str| terms(text, true).into_iter().filter(|term| term.starts_with('_')).collect::<Vec<_>>();
        assert_eq!(parts("아이유 콘서트"), parts("아이유콘서트"));
        assert_eq!(parts("아이유 IU 콘서트").len(), 6, "another script parts them");
    }

    #[test]
    fn spaced_words_in_a_row_are_one_in_names_only() {
        assert!(terms("World Tour", true).contains(&"+worldtour".to_owned()));
        assert!(!terms("World Tour", false).contains(&"+worldtour".to_owned()));
    }

    #[test]
    fn a_term_weighs_what_its_places_weigh_however_often_it_stands_there() {
        let mut weighed = Weighed::default();
        weighed.add(&["BTS BTS bts"], true, weight::TITLE);
        weighed.add(&["bts"], false, weight::DESCRIPTION);
        assert_eq!(weighed.0["bts"], 5);
        assert_eq!(weighed.tokens(true).tokens.iter().filter(|token| token.text == "bts").count(), 5);
    }
}
