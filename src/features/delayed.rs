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
pub(super) fn date_time(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
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
    use super::date_time;

    #[test]
    fn date_times() {
        assert_eq!(date_time(0), "1970-01-01T00:00:00Z");
        assert_eq!(date_time(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(date_time(1_795_353_723_999), "2026-11-22T13:22:03Z");
        assert_eq!(date_time(4_107_542_399_000), "2100-02-28T23:59:59Z");
        assert_eq!(date_time(4_107_542_400_000), "2100-03-01T00:00:00Z");
    }
}
