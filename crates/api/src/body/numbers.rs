//! Numbers that a float cannot tell from whole ones.

use std::borrow::Cow;
use std::ops::Range;

/// The text with half a one added to each number that is not whole, but would be read as a float that is
/// (`1.00000000000000000001`). Whoever wants a whole number then refuses it as any other fraction.
#[must_use]
pub fn kept_apart(json: &[u8]) -> Cow<'_, [u8]> {
    let mut apart = Vec::new();
    let mut copied = 0;
    for place in numbers(json) {
        if let Some(fraction) = lost_fraction(&json[place.clone()]) {
            apart.extend_from_slice(&json[copied..place.start]);
            apart.extend_from_slice(format!("{fraction}").as_bytes());
            copied = place.end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    apart.extend_from_slice(&json[copied..]);
    Cow::Owned(apart)
}

/// Where the numbers of a JSON text are. Of what is no JSON some places, which matters to nobody.
fn numbers(json: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < json.len() {
            match json[at] {
                b'"' => at = end_of_string(json, at),
                b'-' | b'0'..=b'9' => {
                    let start = at;
                    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                    at += json[start..].iter().take_while(|byte| is_part(byte)).count();
                    return Some(start..at);
                }
                _ => at += 1,
            }
        }
        None
    })
}

/// Where the string ends that begins at `start`.
#[must_use]
pub fn end_of_string(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < json.len() && json[at] != b'"' {
        at += if json[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// For a number whose fraction is lost when it is read: a float that has one.
fn lost_fraction(number: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(number).ok()?;
    if !text.contains(['.', 'e', 'E']) || is_whole(text) {
        return None;
    }
    let float: f64 = serde_json::from_str(text).ok()?;
    // Above 2^52 every float is whole, and stays so: far beyond any amount.
    (float.fract() == 0.0).then_some(float + 0.5)
}

/// Whether a decimal number stands for a whole one: its last digit that is not zero is none behind the point.
fn is_whole(text: &str) -> bool {
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let significant = format!("{whole}{fraction}");
    let zeros = significant.bytes().rev().take_while(|byte| *byte == b'0').count();
    let is_zero = significant.bytes().all(|byte| matches!(byte, b'0' | b'-'));
    // An exponent beyond 64 bits: of a number that is no float, or that is smaller than any.
    let exponent = exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') { i64::MIN } else { i64::MAX });
    let behind = i64::try_from(fraction.len()).unwrap_or(i64::MAX).saturating_sub(i64::try_from(zeros).unwrap_or(0));
    is_zero || behind <= exponent
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: &str) -> String {
        String::from_utf8(kept_apart(json.as_bytes()).into_owned()).expect("text stays text")
    }

    #[test]
    fn what_a_float_tells_apart_stays_as_it_is() {
        for json in [
            "1",
            "-1",
            "1.0",
            "1.5",
            "1.5e1",
            "15e-1",
            "150e-1",
            "0.0",
            "-0e5",
            "0e-999",
            "1e300",
            "1e-5",
            "100.00000000000000000000000000000",
            "99999999999999999999999999",
            "100000000000000000000000000000e-29",
            "[1.5,{\"a\":2.25e3}]",
            "\"1.00000000000000000001\"",
            "\"\\\"1.00000000000000000001\"",
            "{\"1.00000000000000000001\":\"\\\\\",\"b\":2}",
            "",
            "\"",
            "\"\\",
            "-",
            "한글",
        ] {
            assert_eq!(written(json), json);
        }
    }

    #[test]
    fn what_it_does_not_becomes_a_fraction() {
        for json in [
            "1.00000000000000000001",
            "0.99999999999999999999",
            "-1.00000000000000000001",
            "150000.0000000000000001",
            "10000000000000000000000000000001e-30",
            "1e-400",
            "1e-99999999999999999999",
            "-1e-400",
        ] {
            let float: f64 = written(json).parse().expect("a number");
            let before: f64 = json.parse().expect("a number");
            assert!(float.fract() != 0.0, "{json}: {float}");
            assert!((float - before).abs() < 1.0, "{json}: {float}");
        }
    }

    #[test]
    fn only_the_number_is_changed() {
        let changed = written("{\"a\": 1.00000000000000000001 , \"b\":[2,\"\\\"3\\\\\",1e-400]}");
        assert_eq!(changed, "{\"a\": 1.5 , \"b\":[2,\"\\\"3\\\\\",0.5]}");
    }
}
