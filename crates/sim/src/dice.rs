//! Chance that can be had again: the same seed, the same throws.

use std::hash::{BuildHasher, Hasher, RandomState};

/// SplitMix64, as in the engine's mint.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice for a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is more than nothing.
    pub fn below(&mut self, end: u32) -> u32 {
        // The remainder is below `end`, so it fits.
        u32::try_from(self.throw() % u64::from(end)).unwrap_or(0)
    }

    /// Yes, so many times in a hundred.
    pub fn percent(&mut self, chance: u32) -> bool {
        self.below(100) < chance
    }

    /// One of these, the later the likelier: nine times in ten one of the last `recent`.
    pub fn recent<'a, T>(&mut self, all: &'a [T], recent: usize) -> Option<&'a T> {
        let from = if self.percent(90) { all.len().saturating_sub(recent) } else { 0 };
        self.one(&all[from..])
    }

    /// One of these.
    pub fn one<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let count = u32::try_from(all.len()).ok().filter(|count| *count > 0)?;
        all.get(self.below(count) as usize)
    }
}

/// The seed to use: `MAEPYO_SIM_SEED` where it is set, else a new one.
#[must_use]
pub fn seed() -> u64 {
    let given = std::env::var("MAEPYO_SIM_SEED").ok();
    // Each RandomState has keys of its own, taken from the system's entropy.
    given.and_then(|text| text.parse().ok()).unwrap_or_else(|| RandomState::new().build_hasher().finish())
}
