//! How a scene went over time: what was used and done until each of some moments.

use std::time::Duration;

use serde_json::{Value, json};

use crate::meter::Reading;

/// Most moments of a series, and the least time between two: reading costs the server's host too.
const MOMENTS_MAX: u32 = 600;
const APART: Duration = Duration::from_millis(250);

/// Moments of the measured time, the first and the last among them.
#[derive(Debug, Default)]
pub(crate) struct Series {
    moments: Vec<(Reading, u64)>,
}

impl Series {
    /// Time between two moments, of so long a time.
    pub(crate) fn interval(whole: Duration) -> Duration {
        (whole / 20).min(Duration::from_secs(1)).max(whole / MOMENTS_MAX).max(APART)
    }

    /// Notes a moment, and the operations until then.
    pub(crate) fn note(&mut self, reading: Reading, counted: u64) {
        self.moments.push((reading, counted));
    }

    /// Columns that all count from the first moment on.
    pub(crate) fn json(&self) -> Value {
        let Some((first, counted_first)) = self.moments.first() else { return Value::Null };
        let spent: Vec<(Reading, u64)> = self
            .moments
            .iter()
            .map(|(reading, counted)| (reading.since(first), counted.saturating_sub(*counted_first)))
            .collect();
        let column = |of: fn(&Reading) -> Value| spent.iter().map(|(reading, _)| of(reading)).collect::<Value>();
        json!({
            "at_s": column(|r| r.at.as_secs_f64().into()),
            "operations": spent.iter().map(|(_, counted)| *counted).collect::<Vec<_>>(),
            "server_cpu_ns": column(|r| r.usage.cpu_ns.into()),
            "server_resident_kib": column(|r| r.usage.resident_kib.into()),
            "each_core_busy_ns": column(|r| r.cores.each_busy_ns.clone().into()),
            // Energy has moments of its own, for a meter may be slow.
            "energy_at_s": column(|r| r.energy.map(|e| e.at.as_secs_f64()).into()),
            "joules": column(|r| r.energy.map(|e| e.joules).into()),
        })
    }
}

/// How the server's memory grew while the clients came: moments that are apart, however long they take to come.
#[derive(Debug)]
pub(crate) struct Growth {
    moments: Vec<(usize, Reading)>,
    apart: Duration,
}

impl Growth {
    /// Before the first one comes.
    pub(crate) fn new(before: Reading) -> Self {
        Self { moments: vec![(0, before)], apart: Duration::from_millis(100) }
    }

    /// Whether it is time for a further moment, so long after the first.
    pub(crate) fn is_due(&self, since: Duration) -> bool {
        self.moments
            .last()
            .zip(self.moments.first())
            .is_none_or(|(last, first)| since >= last.1.at.saturating_sub(first.1.at) + self.apart)
    }

    /// Notes how many are there. When there are too many moments every other one goes, and the next are further apart.
    pub(crate) fn note(&mut self, clients: usize, reading: Reading) {
        if self.moments.len() >= MOMENTS_MAX as usize {
            let mut keep = false;
            self.moments.retain(|_| {
                keep = !keep;
                keep
            });
            self.apart *= 2;
        }
        self.moments.push((clients, reading));
    }

    /// Columns that count from the first moment on.
    pub(crate) fn json(&self) -> Value {
        let Some((_, first)) = self.moments.first() else { return Value::Null };
        let spent: Vec<(usize, Reading)> =
            self.moments.iter().map(|(clients, reading)| (*clients, reading.since(first))).collect();
        json!({
            "at_s": spent.iter().map(|(_, r)| r.at.as_secs_f64()).collect::<Vec<_>>(),
            "clients": spent.iter().map(|(clients, _)| *clients).collect::<Vec<_>>(),
            "server_cpu_ns": spent.iter().map(|(_, r)| r.usage.cpu_ns).collect::<Vec<_>>(),
            "server_resident_kib": spent.iter().map(|(_, r)| r.usage.resident_kib).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Growth, MOMENTS_MAX, Series};
    use crate::meter::Reading;
    use crate::power::Energy;
    use std::time::Duration;

    #[test]
    fn columns_count_from_the_first_moment() {
        let mut series = Series::default();
        for n in [3_u32, 4, 6] {
            let at = Duration::from_secs(n.into());
            let mut reading =
                Reading { at, energy: Some(Energy { at, joules: f64::from(2 * n) }), ..Reading::default() };
            reading.usage.cpu_ns = u64::from(n) * 10;
            series.note(reading, u64::from(n) * 100);
        }
        let json = series.json();
        assert_eq!(json["at_s"], serde_json::json!([0.0, 1.0, 3.0]));
        assert_eq!(json["operations"], serde_json::json!([0, 100, 300]));
        assert_eq!(json["server_cpu_ns"], serde_json::json!([0, 10, 30]));
        assert_eq!(json["joules"], serde_json::json!([0.0, 2.0, 6.0]));
    }

    #[test]
    fn no_series_is_long() {
        for seconds in [1, 10, 60, 3_600, 86_400] {
            let whole = Duration::from_secs(seconds);
            assert!(whole.as_secs_f64() / Series::interval(whole).as_secs_f64() <= 600.0, "{seconds}");
        }
        assert_eq!(Series::interval(Duration::from_secs(10)), Duration::from_millis(500));
    }

    #[test]
    fn growth_is_even_and_bounded() {
        let at = |ms: u64| Reading { at: Duration::from_millis(1_000 + ms), ..Reading::default() };
        let mut growth = Growth::new(at(0));
        let mut clients = 0;
        for ms in 0..400_000 {
            if growth.is_due(Duration::from_millis(ms)) {
                clients += 1;
                growth.note(clients, at(ms));
            }
        }
        let json = growth.json();
        let column = |name: &str| json[name].as_array().map(Vec::len);
        assert!(column("clients").is_some_and(|moments| moments > 200 && moments <= MOMENTS_MAX as usize));
        assert_eq!(column("clients"), column("server_resident_kib"));
        assert_eq!((&json["clients"][0], &json["at_s"][0]), (&0.into(), &0.0.into()));
        assert!(!growth.is_due(Duration::from_millis(1)));
    }
}
