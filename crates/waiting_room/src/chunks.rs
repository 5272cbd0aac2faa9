//! A lane's places in memory: dense by number, in chunks, with counts that tell a rank in O(log n).
//!
//! A chunk has a bit for each place that waits and for each that is inside; Fenwick trees (Fenwick, 1994) over the
//! chunks hold how many. A rank is a sum of O(log n) of their nodes and of at most 64 words of one chunk.

use engine::id::{PlaceId, UserId};

/// Places in a chunk.
const SIZE: usize = 4_096;
const WORDS: usize = SIZE / 64;

/// What a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum State {
    /// Not there, or over.
    #[default]
    Over,
    Waiting,
    Inside,
    Used,
}

/// A place. Ids are in two halves, so that it takes no more room than it needs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slot {
    pub(crate) user: [u64; 2],
    pub(crate) id: [u64; 2],
    pub(crate) joined_at: i64,
    pub(crate) ends_at: i64,
    /// When the pass ends, for who is inside.
    pub(crate) until: i64,
    pub(crate) seen_at: i64,
    /// The last sign of life that the store knows of.
    pub(crate) noted_at: i64,
    /// Whether one is about to be told to it.
    pub(crate) is_noting: bool,
    pub(crate) version: u32,
    pub(crate) state: State,
}

fn halves(id: u128) -> [u64; 2] {
    #[expect(clippy::cast_possible_truncation, reason = "each half is cut out")]
    [(id >> 64) as u64, id as u64]
}

fn whole([high, low]: [u64; 2]) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

impl Slot {
    pub(crate) fn user(&self) -> UserId {
        UserId(whole(self.user))
    }

    pub(crate) fn id(&self) -> PlaceId {
        PlaceId(whole(self.id))
    }

    pub(crate) fn name(&mut self, id: PlaceId, user: UserId) {
        (self.id, self.user) = (halves(id.0), halves(user.0));
    }

    /// When its time passes by itself.
    pub(crate) fn deadline(&self) -> i64 {
        match self.state {
            State::Inside => self.until.min(self.ends_at),
            State::Waiting | State::Used => self.ends_at,
            State::Over => i64::MAX,
        }
    }
}

struct Chunk {
    slots: Vec<Slot>,
    waiting: [u64; WORDS],
    inside: [u64; WORDS],
    live: u32,
    /// Nobody who waits here was seen before this.
    oldest: i64,
}

impl Chunk {
    fn new() -> Box<Self> {
        let slots = vec![Slot::default(); SIZE];
        Box::new(Self { slots, waiting: [0; WORDS], inside: [0; WORDS], live: 0, oldest: i64::MAX })
    }
}

/// A Fenwick tree of counts.
#[derive(Default)]
struct Tree(Vec<u32>);

impl Tree {
    fn of(counts: impl Iterator<Item = u32>) -> Self {
        let mut nodes: Vec<u32> = std::iter::once(0).chain(counts).collect();
        for index in 1..nodes.len() {
            let above = index + (index & index.wrapping_neg());
            if above < nodes.len() {
                nodes[above] += nodes[index];
            }
        }
        Self(nodes)
    }

    fn add(&mut self, index: usize, more: bool) {
        let mut node = index + 1;
        while node < self.0.len() {
            self.0[node] = if more { self.0[node] + 1 } else { self.0[node] - 1 };
            node += node & node.wrapping_neg();
        }
    }

    /// The sum of the counts before an index.
    fn before(&self, index: usize) -> u32 {
        let (mut node, mut sum) = (index, 0);
        while node > 0 {
            sum += self.0[node];
            node &= node - 1;
        }
        sum
    }
}

fn ones(words: &[u64; WORDS]) -> u32 {
    words.iter().map(|word| word.count_ones()).sum()
}

/// How many bits up to and with this one are set.
fn ones_to(words: &[u64; WORDS], bit: usize) -> u32 {
    let whole: u32 = words[..bit / 64].iter().map(|word| word.count_ones()).sum();
    whole + (words[bit / 64] << (63 - bit % 64)).count_ones()
}

fn set_bit(words: &mut [u64; WORDS], bit: usize, on: bool) {
    let mask = 1 << (bit % 64);
    if on { words[bit / 64] |= mask } else { words[bit / 64] &= !mask }
}

/// The chunks of a lane. Those in which nobody is are let go.
#[derive(Default)]
pub(crate) struct Chunks {
    /// Which chunk is the first of `all`.
    base: usize,
    all: Vec<Option<Box<Chunk>>>,
    waiting: Tree,
    inside: Tree,
}

fn split(number: i64) -> Option<(usize, usize)> {
    let number = usize::try_from(number).ok()?;
    Some((number / SIZE, number % SIZE))
}

impl Chunks {
    /// The place with a number, if its chunk is there.
    pub(crate) fn get(&self, number: i64) -> Option<&Slot> {
        let (chunk, place) = split(number)?;
        let chunk = self.all.get(chunk.checked_sub(self.base)?)?.as_ref()?;
        Some(&chunk.slots[place])
    }

    /// As [`Chunks::get`], to change moments in it; nothing else may change here.
    pub(crate) fn get_mut(&mut self, number: i64) -> Option<&mut Slot> {
        let (chunk, place) = split(number)?;
        let chunk = self.all.get_mut(chunk.checked_sub(self.base)?)?.as_mut()?;
        Some(&mut chunk.slots[place])
    }

    /// Puts a place as it is now.
    pub(crate) fn put(&mut self, number: i64, slot: Slot) {
        let Some((chunk, place)) = split(number) else { return };
        let index = self.make(chunk);
        let Some(Some(chunk)) = self.all.get_mut(index) else { return };
        let before = std::mem::replace(&mut chunk.slots[place], slot).state;
        for (state, words, tree) in [
            (State::Waiting, &mut chunk.waiting, &mut self.waiting),
            (State::Inside, &mut chunk.inside, &mut self.inside),
        ] {
            if (before == state) != (slot.state == state) {
                set_bit(words, place, slot.state == state);
                tree.add(index, slot.state == state);
            }
        }
        if slot.state == State::Waiting {
            chunk.oldest = chunk.oldest.min(slot.seen_at);
        }
        chunk.live = chunk.live + u32::from(slot.state != State::Over) - u32::from(before != State::Over);
        if chunk.live == 0 && before != State::Over && index + 1 < self.all.len() {
            self.all[index] = None;
            self.trim();
        }
    }

    /// Where a chunk is among all, made if it was not there.
    fn make(&mut self, chunk: usize) -> usize {
        if self.all.is_empty() {
            self.base = chunk;
        }
        if chunk < self.base {
            let missing = self.base - chunk;
            self.all.splice(0..0, std::iter::repeat_with(|| None).take(missing));
            self.base = chunk;
        }
        let index = chunk - self.base;
        let known = self.all.len();
        if index >= known {
            self.all.resize_with(index + 1, || None);
        }
        let made = self.all[index].is_none();
        self.all[index].get_or_insert_with(Chunk::new);
        if made || index >= known {
            self.recount();
        }
        index
    }

    /// Lets go of the empty ones in front.
    fn trim(&mut self) {
        let empty = self.all.iter().take_while(|chunk| chunk.is_none()).count();
        if empty > 0 {
            self.all.drain(..empty);
            self.base += empty;
            self.recount();
        }
    }

    fn recount(&mut self) {
        let count = |words: fn(&Chunk) -> &[u64; WORDS]| {
            Tree::of(self.all.iter().map(move |chunk| chunk.as_ref().map_or(0, |chunk| ones(words(chunk)))))
        };
        (self.waiting, self.inside) = (count(|chunk| &chunk.waiting), count(|chunk| &chunk.inside));
    }

    /// How many wait, and how many are inside, up to and with a number.
    pub(crate) fn rank(&self, number: i64) -> (u32, u32) {
        let Some((chunk, place)) = split(number) else { return (0, 0) };
        let Some(index) = chunk.checked_sub(self.base) else { return (0, 0) };
        let Some(Some(chunk)) = self.all.get(index) else { return (0, 0) };
        let waiting = self.waiting.before(index) + ones_to(&chunk.waiting, place);
        (waiting, self.inside.before(index) + ones_to(&chunk.inside, place))
    }

    /// Some of those who wait and were not seen since a moment.
    pub(crate) fn unseen(&mut self, since: i64, most: usize) -> Vec<i64> {
        let mut found = Vec::new();
        for (index, chunk) in self.all.iter_mut().enumerate() {
            let Some(chunk) = chunk.as_mut().filter(|chunk| chunk.oldest <= since) else { continue };
            let mut oldest = i64::MAX;
            for (place, slot) in chunk.slots.iter().enumerate().filter(|(_, slot)| slot.state == State::Waiting) {
                oldest = oldest.min(slot.seen_at);
                if slot.seen_at <= since && found.len() < most {
                    found.extend(i64::try_from((self.base + index) * SIZE + place));
                }
            }
            chunk.oldest = oldest;
            if found.len() >= most {
                break;
            }
        }
        found
    }

    /// Nobody who waits was seen before this.
    pub(crate) fn oldest(&self) -> i64 {
        self.all.iter().flatten().map(|chunk| chunk.oldest).min().unwrap_or(i64::MAX)
    }

    /// Bytes that are taken.
    pub(crate) fn bytes(&self) -> usize {
        let chunk = size_of::<Chunk>() + SIZE * size_of::<Slot>();
        let trees = (self.waiting.0.capacity() + self.inside.0.capacity()) * size_of::<u32>();
        let list = self.all.capacity() * size_of::<Option<Box<Chunk>>>();
        self.all.iter().flatten().count() * chunk + trees + list
    }
}
