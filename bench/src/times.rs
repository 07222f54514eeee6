//! Histograms of times, in nanoseconds: how a time gets in, how those of all threads become one, and how one travels
//! between processes.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

use crate::report::histogram;

/// Notes a time; one beyond the histogram's bounds counts as the bound.
pub(crate) fn record(histogram: &mut Histogram<u64>, took: Duration) {
    histogram.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
}

/// All of them in one.
pub(crate) fn sum<'a>(all: impl Iterator<Item = &'a Histogram<u64>>) -> Result<Histogram<u64>, String> {
    let mut sum = histogram()?;
    for part in all {
        sum.add(part).map_err(|e| e.to_string())?;
    }
    Ok(sum)
}

/// For serde, as `with`: the values that came, each with how often.
pub(crate) fn serialize<S: Serializer>(histogram: &Histogram<u64>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(histogram.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())))
}

/// Its counterpart.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Histogram<u64>, D::Error> {
    let mut made = histogram().map_err(D::Error::custom)?;
    for (value, count) in Vec::<(u64, u64)>::deserialize(from)? {
        made.saturating_record_n(value, count);
    }
    Ok(made)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::record;
    use crate::report::histogram;
    use std::time::Duration;

    #[test]
    fn nothing_is_lost_on_the_way_between_processes() {
        let mut made = histogram().unwrap();
        (1..2_000_u64).for_each(|n| record(&mut made, Duration::from_nanos(n * n * n)));
        let mut line = Vec::new();
        super::serialize(&made, &mut serde_json::Serializer::new(&mut line)).unwrap();
        let back = super::deserialize(&mut serde_json::Deserializer::from_slice(&line)).unwrap();
        assert_eq!(back, made);
        assert_eq!((back.len(), back.max()), (made.len(), made.max()));
    }
}
