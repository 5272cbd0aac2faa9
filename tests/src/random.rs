//! Randomness that can be had again: a seed, printed, makes the same storm.

/// `SplitMix64`.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From `MAEPYO_TEST_SEED`, else from the clock; printed, so that a failure names it.
    #[must_use]
    pub fn announced() -> Self {
        let given = std::env::var("MAEPYO_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| crate::forge::unix_time().cast_unsigned());
        println!("MAEPYO_TEST_SEED={seed}");
        Self(seed)
    }

    /// One that depends on this one and a number.
    #[must_use]
    pub fn branch(&self, number: usize) -> Self {
        let mut branch = Self(self.0 ^ (number as u64).wrapping_mul(0xd134_2543_de82_ef95));
        branch.next();
        branch
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("a remainder is smaller than what it is of")
    }

    /// Puts a list into another order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = self.below(last + 1);
            list.swap(last, other);
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
