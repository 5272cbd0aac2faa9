//! Money as it goes over the wire: `150000.0` going out, a whole number of won coming in.

use engine::money::Won;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount that prints as a decimal, `150000.0`. Amounts stay far below 2^53, so the decimal is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(value_type = f64, examples(150000.0))]
pub struct Price(pub Won);

impl Serialize for Price {
    #[expect(clippy::cast_precision_loss, reason = "amounts stay below 2^53")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.0 as f64)
    }
}

/// An amount as a client writes it: a JSON number, `150000` or `150000.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(value_type = f64, examples(150000.0))]
pub struct Amount(Option<i64>);

impl Amount {
    /// What a number says.
    #[must_use]
    pub fn read(number: &serde_json::Number) -> Self {
        Self(number.as_i64().or_else(|| number.as_f64().and_then(whole)))
    }

    /// The amount; `None` when it is not whole, negative or beyond [`Won::MOST`] × 1000.
    #[must_use]
    pub fn won(self) -> Option<Won> {
        self.0.filter(|own| (0..=Won::MOST.0 * 1_000).contains(own)).map(Won)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::read(&serde_json::Number::deserialize(deserializer)?))
    }
}

/// The integer a float stands for, where it stands for one exactly.
#[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
fn whole(float: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<i64> {
        serde_json::from_str::<Amount>(text).expect("a number").won().map(|won| won.0)
    }

    #[test]
    fn prices_print_as_decimals() {
        let print = |won| serde_json::to_string(&Price(Won(won))).expect("prints");
        assert_eq!(print(150_000), "150000.0");
        assert_eq!(print(0), "0.0");
        assert_eq!(print(1_000_000_000_000_000), "1000000000000000.0");
    }

    #[test]
    fn whole_amounts_are_read_and_others_are_none() {
        for (text, won) in [("0", 0), ("150000", 150_000), ("150000.0", 150_000), ("1.5e5", 150_000)] {
            assert_eq!(read(text), Some(won), "{text}");
        }
        for text in ["-1", "0.5", "150000.01", "1e300", "-1e300", "99999999999999999999999"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_an_error() {
        for text in ["\"150000\"", "true", "null", "[]", "{}"] {
            assert!(serde_json::from_str::<Amount>(text).is_err(), "{text}");
        }
    }
}
