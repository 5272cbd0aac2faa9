//! Moments as they go over the wire: RFC 3339 in UTC, whole seconds.

use desk::Time;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The last moment that is accepted: `9999-12-30T22:00:00Z`, so that it is still the year 9999 in every time zone.
const LAST: Time = Time(253_402_207_200_000_000);

/// How long the text of a date is: all others are longer, or none.
const DATE: usize = 10;

/// Prints a moment as `2024-06-15T19:00:00Z`.
#[must_use]
pub fn rfc3339(time: Time) -> String {
    let seconds = time.seconds().clamp(0, LAST.seconds());
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// Reads a moment: RFC 3339, or a date or a date and time without an offset, which are UTC. `None` for anything
/// else and for what lies outside 1970 to 9999.
#[must_use]
pub fn parse(text: &str) -> Option<Time> {
    let civil = |civil: DateTime| civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let stamp = match text.len() {
        DATE => civil(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())),
        _ => text.parse::<Timestamp>().ok().or_else(|| civil(text.parse::<DateTime>().ok()?)),
    };
    let time = Time(stamp?.as_microsecond());
    (Time::NEVER < time && time <= LAST).then_some(time)
}

/// As [`parse`], but the end of what is named: of a date its whole day (UTC), of a moment its whole second, since that
/// is how times are shown.
#[must_use]
pub fn parse_end(text: &str) -> Option<Time> {
    let long = if text.len() == DATE { 86_400_000_000 } else { 1_000_000 };
    parse(text).map(|time| Time(time.0 - time.0.rem_euclid(long) + long - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_ends_with_its_day_and_a_moment_with_its_second() {
        for (text, end) in [
            ("2024-06-15", "2024-06-15T23:59:59.999999Z"),
            ("2024-06-15T00:00:00Z", "2024-06-15T00:00:00.999999Z"),
            ("2024-06-15T19:00:00.5Z", "2024-06-15T19:00:00.999999Z"),
            ("2024-06-16T04:00:00+09:00", "2024-06-15T19:00:00.999999Z"),
        ] {
            let expected = end.parse::<Timestamp>().expect(end).as_microsecond();
            assert_eq!(parse_end(text), Some(Time(expected)), "{text}");
        }
        assert_eq!(parse_end("someday"), None);
        assert_eq!(parse_end("2024-13-01"), None);
    }

    #[test]
    fn moments_are_printed_as_they_are_read() {
        for (text, printed) in [
            ("2024-06-15T19:00:00Z", "2024-06-15T19:00:00Z"),
            ("2024-06-15T19:00:00.999Z", "2024-06-15T19:00:00Z"),
            ("2024-06-16T04:00:00+09:00", "2024-06-15T19:00:00Z"),
            ("2024-06-15T19:00:00", "2024-06-15T19:00:00Z"),
            ("2024-06-15 19:00:00", "2024-06-15T19:00:00Z"),
            ("2024-06-15", "2024-06-15T00:00:00Z"),
            ("9999-12-30T22:00:00Z", "9999-12-30T22:00:00Z"),
        ] {
            assert_eq!(rfc3339(parse(text).expect(text)), printed, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_or_out_of_range_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2024-13-01",
            "2024-02-30T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "9999-12-31",
            "10000-01-01",
            "12:00",
            "-1",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_end_of_time_still_prints() {
        assert_eq!(rfc3339(Time::FOREVER), "9999-12-30T22:00:00Z");
    }
}
