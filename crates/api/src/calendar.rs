//! Calendar dates in the configured zone.

use desk::Time;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The date at a moment.
#[must_use]
pub fn date_of(moment: Time, zone: &TimeZone) -> Date {
    let stamp = Timestamp::from_microsecond(moment.0).unwrap_or(Timestamp::MAX);
    zone.to_datetime(stamp).date()
}

/// The first moment of a date, and the first one after it; `None` for a date at the end of time.
#[must_use]
pub fn span_of(date: Date, zone: &TimeZone) -> Option<(Time, Time)> {
    let start = |date: Date| {
        let zoned = date.to_zoned(zone.clone()).ok()?;
        Some(Time(zoned.timestamp().as_microsecond()))
    };
    Some((start(date)?, start(date.tomorrow().ok()?)?))
}

/// The first moment of the date that it is at a moment.
#[must_use]
pub fn start_of_day(moment: Time, zone: &TimeZone) -> Time {
    span_of(date_of(moment, zone), zone).map_or(moment, |(start, _)| start)
}

/// Reads a date of the form `2024-07-15` and no other.
#[must_use]
pub fn parse(text: &str) -> Option<Date> {
    let plain = |(index, byte): (usize, u8)| if matches!(index, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    (text.len() == 10 && text.bytes().enumerate().all(plain)).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::clock;

    fn seoul() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(9))
    }

    #[test]
    fn a_day_in_seoul_begins_nine_hours_before_one_in_greenwich() {
        let day = date(2034, 6, 16);
        let (start, end) = span_of(day, &seoul()).expect("an ordinary day");
        assert_eq!(Some(start), clock::parse("2034-06-15T15:00:00Z"));
        assert_eq!(Some(end), clock::parse("2034-06-16T15:00:00Z"));
        assert_eq!(date_of(start, &seoul()), day);
        assert_eq!(date_of(Time(start.0 - 1), &seoul()), date(2034, 6, 15));
        assert_eq!(start_of_day(Time(end.0 - 1), &seoul()), start);
    }

    #[test]
    fn only_the_plain_form_of_a_date_is_one() {
        assert_eq!(parse("2024-02-29"), Some(date(2024, 2, 29)));
        for wrong in [
            "",
            "2023-02-29",
            "2024-13-01",
            "2024-1-01",
            "20240115",
            "2024/01/15",
            " 2024-01-1",
            "2024-01-15T",
            "2024-01-15T00:00:00Z",
            "tomorrow",
            "２０２４",
            "0000-00-00",
            "-024-01-15",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_end_of_time_has_a_date_and_no_morrow() {
        assert_eq!(span_of(Date::MAX, &seoul()), None);
        assert_eq!(date_of(Time::FOREVER, &seoul()).year(), 9999);
    }
}
