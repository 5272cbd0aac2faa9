//! How fast a lane lets people in: counted over the last minutes.

use desk::{Span, Time};

/// A count is kept for so many seconds at a time,
const SECONDS: i64 = 10;
/// and so many of them are kept: three minutes.
const KEPT: usize = 18;
/// Fewer than this tell nothing.
const FEWEST: u32 = 20;

/// Counts of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    counts: [(i64, u32); KEPT],
}

impl Rate {
    /// Somebody who had waited got in.
    pub(crate) fn count(&mut self, now: Time) {
        let slice = now.seconds() / SECONDS;
        let count = &mut self.counts[usize::try_from(slice).unwrap_or(0) % KEPT];
        if count.0 != slice {
            *count = (slice, 0);
        }
        count.1 = count.1.saturating_add(1);
    }

    /// How long it takes until so many got in, as fast as it went lately.
    pub(crate) fn wait(&self, position: u32, now: Time) -> Option<Span> {
        let slice = now.seconds() / SECONDS;
        let oldest = slice - i64::try_from(KEPT).unwrap_or(0);
        let recent = || self.counts.iter().filter(|(own, count)| *own > oldest && *count > 0);
        let sum: u32 = recent().map(|(_, count)| count).sum();
        if sum < FEWEST {
            return None;
        }
        let since = recent().map(|(own, _)| own * SECONDS).min()?;
        let took = (now.0 - since * 1_000_000).max(1_000_000);
        Some(Span(took.saturating_mul(i64::from(position)) / i64::from(sum)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time(seconds * 1_000_000)
    }

    #[test]
    fn a_wait_is_as_long_as_it_took_others() {
        let mut rate = Rate::default();
        (0..19).for_each(|_| rate.count(at(1_000)));
        assert_eq!(rate.wait(1, at(1_010)), None, "too few to tell");
        (0..21).for_each(|_| rate.count(at(1_010)));
        assert_eq!(rate.wait(1, at(1_020)), Some(Span(500_000)), "40 in 20 s");
        assert_eq!(rate.wait(100, at(1_020)), Some(Span::seconds(50)));
    }

    #[test]
    fn what_was_long_ago_does_not_count() {
        let mut rate = Rate::default();
        (0..1_000).for_each(|_| rate.count(at(1_000)));
        assert_eq!(rate.wait(1, at(1_200)), None);
    }
}
