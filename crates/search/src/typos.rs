//! Words that differ by a few keys: an automaton for walking through the index's dictionary, which never leaves the
//! branches a match can be on.
//!
//! Edits are a key too many, one too few, another one, or two neighbours in the wrong order. All positions that can be
//! reached with so many edits are bits of a word (Wu and Manber, 1992).

use tantivy_fst::Automaton;

use crate::terms::is_mark;

/// The most keys of a word that are compared.
const LONGEST: usize = 40;
/// The most edits there can be.
const MOST: usize = 2;

/// Finds words close to a pattern.
#[derive(Clone)]
pub(crate) struct Close {
    /// By byte: at which places of the pattern it stands.
    places: Box<[u64; 256]>,
    length: u32,
    edits: usize,
    /// Whether anything may follow.
    open: bool,
    /// What the word begins with before the pattern: one of these bytes. Without any, what begins with a mark is no word.
    leads: &'static [u8],
}

/// Where in the pattern one can be, by number of edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reached {
    at: [u64; MOST + 1],
    /// Places whose key came one too early, so that the one before is due now.
    swapped: [u64; MOST + 1],
    led: bool,
    done: bool,
}

/// How many edits are forgiven in a word of so many keys.
pub(crate) fn forgiven(keys: usize) -> usize {
    match keys {
        0..=2 => 0,
        3..=7 => 1,
        _ => MOST,
    }
}

impl Close {
    /// Words with at most so many edits; with `open`, words that begin so.
    pub(crate) fn new(pattern: &str, edits: usize, open: bool, leads: &'static [u8]) -> Self {
        let pattern = &pattern.as_bytes()[..pattern.len().min(LONGEST)];
        let mut places = Box::new([0; 256]);
        for (place, byte) in pattern.iter().enumerate() {
            places[usize::from(*byte)] |= 1 << place;
        }
        let length = u32::try_from(pattern.len()).unwrap_or(0);
        Self { places, length, edits: edits.min(MOST), open, leads }
    }

    /// Whether a word is close.
    pub(crate) fn accepts(&self, word: &[u8]) -> bool {
        // An edit makes a word longer or shorter by one key at most.
        let near =
            self.open || word.len().abs_diff(self.length as usize) <= self.edits + usize::from(!self.leads.is_empty());
        let end = || word.iter().fold(self.start(), |state, byte| self.accept(&state, *byte));
        near && self.is_match(&end())
    }

    fn ends(&self, state: &Reached) -> Option<usize> {
        (0..=self.edits).find(|edits| state.at[*edits] >> self.length & 1 == 1)
    }
}

impl Automaton for Close {
    type State = Reached;

    fn start(&self) -> Reached {
        let at = std::array::from_fn(|edits| if edits <= self.edits { (2 << edits) - 1 } else { 0 });
        Reached { at, swapped: [0; MOST + 1], led: false, done: false }
    }

    fn is_match(&self, state: &Reached) -> bool {
        state.done || (state.led || self.leads.is_empty()) && self.ends(state).is_some()
    }

    fn can_match(&self, state: &Reached) -> bool {
        let within = (2 << self.length) - 1;
        state.done || state.at.iter().chain(&state.swapped).any(|places| places & within != 0)
    }

    fn will_always_match(&self, state: &Reached) -> bool {
        self.open && self.is_match(state)
    }

    fn accept(&self, state: &Reached, byte: u8) -> Reached {
        if !state.led {
            let led = if self.leads.is_empty() { !is_mark(byte) } else { self.leads.contains(&byte) };
            if !led || !self.leads.is_empty() {
                let at = if led { state.at } else { [0; MOST + 1] };
                return Reached { at, led: true, ..*state };
            }
        }
        let here = self.places[usize::from(byte)];
        let mut next = Reached { at: [0; MOST + 1], swapped: [0; MOST + 1], led: true, done: false };
        for edits in 0..=self.edits {
            let mut at = (state.at[edits] & here) << 1;
            if edits > 0 {
                let before = state.at[edits - 1];
                at |= before | before << 1 | next.at[edits - 1] << 1 | (state.swapped[edits] & here) << 2;
                next.swapped[edits] = before & here >> 1;
            }
            next.at[edits] = at;
        }
        next.done = self.open && (state.done || self.ends(&next).is_some());
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Close {
        /// With how few edits a word is reached; `None` where it is not close.
        fn distance(&self, word: &[u8]) -> Option<usize> {
            let mut state = self.start();
            let mut best: Option<usize> = None;
            for byte in word {
                state = self.accept(&state, *byte);
                if let Some(edits) = self.ends(&state).filter(|_| self.open) {
                    best = Some(best.map_or(edits, |best| best.min(edits)));
                }
            }
            if self.open { best } else { self.ends(&state) }
        }
    }

    fn distance(pattern: &str, word: &str) -> Option<usize> {
        Close::new(pattern, 2, false, b"").distance(word.as_bytes())
    }

    /// Optimal string alignment, the plain way.
    fn plainly(a: &[u8], b: &[u8]) -> usize {
        let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 0..=a.len() {
            for j in 0..=b.len() {
                let mut best = if i == 0 || j == 0 { i + j } else { usize::MAX };
                if i > 0 && j > 0 {
                    best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    best = best.min(rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]));
                    if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                        best = best.min(rows[i - 2][j - 2] + 1);
                    }
                }
                rows[i][j] = best;
            }
        }
        rows[a.len()][b.len()]
    }

    #[test]
    fn edits_are_counted_as_plain_counting_does() {
        let mut words = vec![String::new()];
        for length in 0..5 {
            let longer: Vec<String> = words.iter().filter(|word| word.len() == length).cloned().collect();
            words.extend(longer.iter().flat_map(|word| ['a', 'b', 'c'].map(|c| format!("{word}{c}"))));
        }
        for a in &words {
            for b in &words {
                let expected = plainly(a.as_bytes(), b.as_bytes());
                assert_eq!(distance(a, b), (expected <= 2).then_some(expected), "{a} {b}");
            }
        }
    }

    #[test]
    fn what_follows_an_open_pattern_does_not_count() {
        let close = Close::new("coldpaly", 1, true, b"");
        assert_eq!(close.distance(b"coldplayconcert"), Some(1));
        assert_eq!(close.distance(b"coldpalyconcert"), Some(0));
        assert_eq!(close.distance(b"cold"), None);
    }

    #[test]
    fn what_leads_has_to_be_there() {
        let close = Close::new("bts", 1, false, b"ab");
        assert_eq!([close.distance(b"abst"), close.distance(b"cbts")], [Some(1), None]);
        let word = Close::new("bts", 1, false, b"");
        assert_eq!([word.distance(b"xbts"), word.distance(b"_bts")], [Some(1), None], "what is marked is no word");
    }
}
