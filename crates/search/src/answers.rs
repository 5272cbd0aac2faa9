//! Pages that were asked for: in a rush thousands ask for the same.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::Wanted;
use crate::sift::{Candidate, Sifted};

/// The most bytes of pages that are kept.
const MOST_BYTES: usize = 12 << 20;
/// The longest texts whose pages are kept, in bytes.
const LONGEST: usize = 200;

/// All that a page depends on besides the state of the index.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    texts: [Option<Box<str>>; 3],
    bounds: [Option<i64>; 4],
    page: [usize; 2],
}

impl Key {
    /// `None` for what is too long to be asked often.
    fn of(wanted: &Wanted<'_>) -> Option<Self> {
        let Wanted { text, category, location, min_price, max_price, starts_from, starts_to, offset, limit } = *wanted;
        let texts = [Some(text), category, location];
        let short = texts.iter().flatten().all(|text| text.len() <= LONGEST);
        short.then(|| Self {
            texts: texts.map(|text| text.map(Box::from)),
            bounds: [min_price, max_price, starts_from, starts_to],
            page: [offset, limit],
        })
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.texts.iter().flatten().map(|text| text.len()).sum::<usize>()
    }
}

/// The pages that were asked of one state of the index.
#[derive(Default)]
pub(crate) struct Answers(RwLock<Kept>);

#[derive(Default)]
struct Kept {
    pages: HashMap<Key, Arc<Sifted>>,
    bytes: usize,
}

impl Answers {
    /// The page, if it was asked for before.
    pub(crate) fn get(&self, wanted: &Wanted<'_>) -> Option<Arc<Sifted>> {
        self.0.read().pages.get(&Key::of(wanted)?).cloned()
    }

    /// Keeps a page for whoever asks for it next.
    pub(crate) fn keep(&self, wanted: &Wanted<'_>, page: &Arc<Sifted>) {
        let Some(key) = Key::of(wanted) else { return };
        let bytes = key.bytes() + size_of::<Sifted>() + page.page.len() * size_of::<Candidate>();
        let mut kept = self.0.write();
        if kept.bytes + bytes > MOST_BYTES {
            // What is asked for again comes back: no order of use is kept for it.
            *kept = Kept::default();
        }
        if kept.pages.insert(key, page.clone()).is_none() {
            kept.bytes += bytes;
        }
    }
}
