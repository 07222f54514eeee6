//! Histograms of times, in nanoseconds: how a time gets in, and how those of all threads become one.

use std::time::Duration;

use hdrhistogram::Histogram;

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
