//! A histogram as a result keeps it: its percentiles for people, and all of it in HdrHistogram's own form (V2, deflated,
//! base64), which that project's tools read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde_json::{Map, Value, json};

/// The percentiles that are written out.
const PERCENTILES: [f64; 9] = [1.0, 10.0, 25.0, 50.0, 75.0, 90.0, 99.0, 99.9, 99.99];

/// Of nanoseconds.
pub(crate) fn json(histogram: &Histogram<u64>) -> Result<Value, String> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).map_err(|e| format!("histogram: {e}"))?;
    let percentiles: Map<String, Value> =
        PERCENTILES.iter().map(|p| (p.to_string(), histogram.value_at_percentile(*p).into())).collect();
    Ok(json!({
        "count": histogram.len(),
        "mean_ns": histogram.mean(),
        "percentiles_ns": percentiles,
        "max_ns": histogram.max(),
        "hdrhistogram": STANDARD.encode(bytes),
    }))
}

/// The histogram of such a value, if it has one.
pub(crate) fn read(value: &Value) -> Option<Histogram<u64>> {
    let bytes = STANDARD.decode(value["hdrhistogram"].as_str()?).ok()?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use crate::report::histogram;

    #[test]
    fn what_was_written_is_read_again() {
        let mut made = histogram().unwrap();
        (1..=1_000).for_each(|n| made.saturating_record(n * 1_000_000));
        let written = super::json(&made).unwrap();
        assert_eq!(written["count"], 1_000);
        let p99 = written["percentiles_ns"]["99"].as_u64().unwrap();
        assert!((989_000_000..=991_000_000).contains(&p99), "{p99}");
        assert!(written["hdrhistogram"].as_str().unwrap().starts_with("HISTFAAA"));
        assert_eq!(super::read(&written).unwrap(), made);
    }

    #[test]
    fn what_is_no_histogram_is_none() {
        for text in ["", "HISTFAAA", "!"] {
            assert!(super::read(&serde_json::json!({ "hdrhistogram": text })).is_none());
        }
    }
}
