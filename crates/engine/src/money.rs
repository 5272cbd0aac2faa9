//! Money: whole won, never a float.

use crate::refusal::Refusal;

/// An amount in won, the smallest unit there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Won(pub i64);

impl Won {
    /// Nothing.
    pub const ZERO: Won = Won(0);
    /// The most one price or top-up may be: a trillion won. What is added up of them may be a thousand times that.
    pub const MOST: Won = Won(1_000_000_000_000);

    /// The sum, refused when it leaves the range of money.
    ///
    /// # Errors
    /// [`Refusal::AmountInvalid`] on overflow or beyond [`Won::MOST`] × 1000.
    pub fn plus(self, other: Won) -> Result<Won, Refusal> {
        self.0
            .checked_add(other.0)
            .filter(|sum| sum.abs() <= Self::MOST.0 * 1_000)
            .map(Won)
            .ok_or(Refusal::AmountInvalid)
    }

    /// This many times the amount.
    ///
    /// # Errors
    /// [`Refusal::AmountInvalid`] on overflow or beyond [`Won::MOST`] × 1000.
    pub fn times(self, count: u32) -> Result<Won, Refusal> {
        let product = self.0.checked_mul(i64::from(count)).map(Won);
        product.ok_or(Refusal::AmountInvalid)?.plus(Won::ZERO)
    }
}
