//! What is left for the report of a part that delivers numbered stanzas, and what the report says of it.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::ledger::Counts;
use crate::report::{Report, histogram};
use crate::stage::Played;
use crate::times;

/// One part's.
#[derive(Serialize, Deserialize)]
pub(crate) struct Deliveries {
    pub(crate) server: Option<String>,
    pub(crate) lost: u64,
    pub(crate) counts: Counts,
    #[serde(with = "times")]
    pub(crate) latency: Histogram<u64>,
    #[serde(with = "times")]
    pub(crate) lag: Histogram<u64>,
}

impl Deliveries {
    /// Before anything was delivered.
    pub(crate) fn new() -> Result<Self, String> {
        let (latency, lag) = (histogram()?, histogram()?);
        Ok(Self { server: None, lost: 0, counts: Counts::default(), latency, lag })
    }
}

/// Of all parts together: what was played and delivered, in which time, what it cost the server, and what was wrong with
/// these `things`.
pub(crate) fn tell(played: &Played<Deliveries>, load: String, things: &str, report: &mut Report) -> Result<(), String> {
    let (outcomes, measured) = (&played.outcomes, &played.measured);
    let lost = outcomes.iter().map(|o| o.lost).sum();
    let counts = Counts::sum(outcomes.iter().map(|o| &o.counts));
    let rate = measured.counted as f64 / measured.time.as_secs_f64();
    report.version(outcomes.iter().find_map(|o| o.server.as_ref()));
    report.row("load", load);
    report.row("delivered", format!("{}, {rate:.0} /s; {}", measured.counted, counts.faults(lost)));
    report.latency("latency ms", "latency", &times::sum(outcomes.iter().map(|o| &o.latency))?)?;
    report.latency("sent late ms", "generator_lag", &times::sum(outcomes.iter().map(|o| &o.lag))?)?;
    report.server(played, "delivered");
    if played.server_seen && measured.counted > 0 {
        let us = measured.usage.cpu_ns as f64 / 1e3 / measured.counted as f64;
        report.raw("server_cpu_us_per_delivered", us.into());
    }
    counts.complain(things, lost, played.fault.is_some(), report);
    if measured.counted == 0 && played.fault.is_none() {
        report.complain("nothing was delivered");
    }
    Ok(())
}
