//! Delayed delivery (XEP-0203): says when a stanza was sent that arrives late; and the time format of XEP-0082.

use super::Feature;
use crate::stanza::Stanza;

/// The table's line.
pub(super) const FEATURE: Feature = Feature {
    document: "XEP-0203",
    title: "Delayed Delivery",
    version: "2.0",
    server: &["urn:xmpp:delay"],
    ..Feature::NONE
};

/// The stanza with a stamp of `by`, a domain, at `at_ms` (unix ms).
#[must_use]
pub fn stamp(mut stanza: Stanza, by: &str, at_ms: u64) -> Stanza {
    let mut payload = stanza.payload.to_vec();
    let element =
        crate::xml::Element::new("delay", "urn:xmpp:delay").with_attr("from", by).with_attr("stamp", date_time(at_ms));
    element.write_to(&mut payload, crate::ns::CLIENT);
    stanza.payload = payload.into();
    stanza
}

/// `2026-11-22T13:05:00Z` (XEP-0082 section 3.2), for the years 1970 to 9999.
#[must_use]
pub fn date_time(unix_ms: u64) -> String {
    let text = date_time_bytes(unix_ms);
    text[..19].iter().chain(b"Z").map(|byte| char::from(*byte)).collect()
}

/// The same with milliseconds: `2026-11-22T13:05:00.042Z`.
pub fn date_time_ms(unix_ms: u64) -> String {
    date_time_bytes(unix_ms).map(char::from).iter().collect()
}

/// The same as bytes: a page of an archive has many.
pub(super) fn date_time_bytes(unix_ms: u64) -> [u8; 24] {
    let seconds = unix_ms / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let parts = [
        (year, 0..4),
        (month, 5..7),
        (day, 8..10),
        (second / 3600, 11..13),
        (second / 60 % 60, 14..16),
        (second % 60, 17..19),
        (unix_ms % 1000, 20..23),
    ];
    for (mut number, place) in parts {
        for digit in text[place].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    text
}

/// Reads a date and time of XEP-0082 section 3.2. Two times in unix ms, for what is finer than that: the last before it, and
/// the first after it.
#[must_use]
pub fn read_date_time(text: &str) -> Option<(i64, i64)> {
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (clock, offset_minutes) = read_zone(time)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let good = (1..=12).contains(&month) && hour < 24 && minute < 60 && second < 60;
    if !good || fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let day = days(year, month, day)?;
    let ms: i64 = fraction.bytes().chain(*b"00").take(3).fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0'));
    let before = ((day * 24 + hour) * 60 + minute - offset_minutes) * 60_000 + second * 1000 + ms;
    let finer = fraction.bytes().skip(3).any(|digit| digit != b'0');
    Some((before, before + i64::from(finer)))
}

/// What stands before the time zone, and how far that is ahead of UTC.
fn read_zone(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let [hours, minutes] = numbers(time.get(at + 1..)?, ':', [2, 2])?;
    let offset = hours * 60 + minutes;
    (hours <= 14 && minutes < 60).then_some((&time[..at], if time[at..].starts_with('-') { -offset } else { offset }))
}

/// Numbers of exactly so many digits.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(between);
    let mut values = [0; N];
    for (value, digits) in values.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *value = part.parse().ok()?;
    }
    parts.next().is_none().then_some(values)
}

/// Days after 1970-01-01 of a date, if there is such a day: the reverse of [`date`].
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let (cycle, year_of_cycle) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    Some(cycle * 146_097 + day_of_cycle - 719_468)
}

/// Year, month and day of the proleptic Gregorian calendar, `days` after 1970-01-01. Counts in 400-year cycles of years that
/// begin in March, so that the leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (cycle, day_of_cycle) = (days / 146_097, days % 146_097);
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = cycle * 400 + year_of_cycle + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::{date_time, date_time_ms, read_date_time};

    #[test]
    fn date_times() {
        assert_eq!(date_time(0), "1970-01-01T00:00:00Z");
        assert_eq!(date_time(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(date_time(1_795_353_723_999), "2026-11-22T13:22:03Z");
        assert_eq!(date_time(4_107_542_399_000), "2100-02-28T23:59:59Z");
        assert_eq!(date_time(4_107_542_400_000), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn what_is_written_is_read() {
        for day in 0..60_000 {
            let ms = day * 86_400_000 + day * 7 % 86_400_000;
            assert_eq!(read_date_time(&date_time_ms(ms)), Some((ms.cast_signed(), ms.cast_signed())));
        }
    }

    #[test]
    fn zones_and_fractions() {
        let noon = 1_795_348_800_000;
        for text in ["2026-11-22T12:00:00Z", "2026-11-22T13:30:00+01:30", "2026-11-22T07:00:00.000000-05:00"] {
            assert_eq!(read_date_time(text), Some((noon, noon)), "{text}");
        }
        assert_eq!(read_date_time("2026-11-22T12:00:00.5Z"), Some((noon + 500, noon + 500)));
        assert_eq!(read_date_time("2026-11-22T12:00:00.0421Z"), Some((noon + 42, noon + 43)));
        assert_eq!(read_date_time("1969-12-31T23:59:59.9999Z"), Some((-1, 0)));
        assert_eq!(read_date_time("0001-01-01T00:00:00Z"), Some((-62_135_596_800_000, -62_135_596_800_000)));
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "T",
            "yesterday",
            "2026-11-22",
            "2026-11-22T12:00:00",
            "2026-11-22 12:00:00Z",
            "2026-13-22T12:00:00Z",
            "2026-02-29T12:00:00Z",
            "2026-11-00T12:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T12:60:00Z",
            "2026-11-22T12:00:60Z",
            "2026-11-22T12:00:00.Z",
            "2026-11-22T12:00:00.1.2Z",
            "2026-11-22T12:00Z",
            "2026-11-22T12:00:00+1:00",
            "2026-11-22T12:00:00+15:00",
            "26-11-22T12:00:00Z",
            "+026-11-22T12:00:00Z",
            "2026-11-22T12:00:00\u{0661}Z",
            "2026-11-22T1\u{00b2}:00:00Z",
        ] {
            assert_eq!(read_date_time(text), None, "{text}");
        }
    }
}
