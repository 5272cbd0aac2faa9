//! Values as clients of this dialect write them.

use engine::money::Won;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::errors::ApiError;
use crate::money::Amount;

/// A seat's number in its concert, from one on: a whole number, or a text of its digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(value_type = u32, minimum = 1, examples(1))]
pub struct SeatNumber(Option<u32>);

impl SeatNumber {
    /// The ordinal; `None` where no concert has such a seat.
    pub fn ordinal(self) -> Option<u32> {
        self.0?.checked_sub(1)
    }
}

impl<'de> Deserialize<'de> for SeatNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Value::deserialize(deserializer)? {
            Value::Number(number) => Amount::read(&number).won().and_then(|whole| u32::try_from(whole.0).ok()),
            Value::String(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => digits.parse().ok(),
            Value::String(_) => None,
            _ => return Err(D::Error::custom("expected a seat number")),
        };
        Ok(Self(number))
    }
}

/// A text that says something.
pub fn filled(text: &str, otherwise: &'static str) -> Result<(), ApiError> {
    if text.trim().is_empty() { Err(ApiError::bad(otherwise)) } else { Ok(()) }
}

/// A whole amount that is not below `least`, nor more than any price or recharge can be.
pub fn amount(amount: Amount, least: Won, otherwise: &'static str) -> Result<Won, ApiError> {
    amount.won().filter(|won| (least..=Won::MOST).contains(won)).ok_or(ApiError::bad(otherwise))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<u32> {
        serde_json::from_str::<SeatNumber>(text).expect("a number or a text").ordinal()
    }

    #[test]
    fn a_number_or_its_digits_name_a_seat_and_nothing_else_does() {
        for (text, ordinal) in [("1", 0), ("\"1\"", 0), ("25.0", 24), ("\"25\"", 24), ("200000", 199_999)] {
            assert_eq!(read(text), Some(ordinal), "{text}");
        }
        for text in [
            "0",
            "-1",
            "1.5",
            "4294967296",
            "1e300",
            "\"0\"",
            "\"-1\"",
            "\"+1\"",
            "\"1.0\"",
            "\"\"",
            "\" 1\"",
            "\"１\"",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        for text in ["null", "true", "[]", "{}"] {
            assert!(serde_json::from_str::<SeatNumber>(text).is_err(), "{text}");
        }
    }
}
