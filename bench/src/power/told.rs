//! Power in the report: which meter, measured or modelled, watts, watts above idle, and what was done for a joule.

use serde_json::json;

use crate::report::Report;
use crate::stage::Played;

impl Report {
    /// The lines of it. What was measured and what was modelled have different names in the file, so that nobody compares
    /// the one with the other.
    pub(crate) fn power<O>(&mut self, played: &Played<O>, operation: &str) {
        let power = match &played.power {
            Ok(power) => power,
            Err(passed_over) => {
                if played.server_seen {
                    self.row("power meter", format!("none (--power) {}", passed_over.join("; ")).trim_end());
                }
                return;
            }
        };
        let meter = &power.meter;
        let how = if meter.measured { "measured" } else { "MODELLED" };
        let samples = meter.sampled_every_ms.map_or(String::new(), |ms| format!(", a sample each {ms} ms"));
        self.row("power meter", format!("{how}: {} ({}{samples})", meter.name, meter.covers));
        for why in &meter.passed_over {
            self.row("passed over", why.clone());
        }
        let idle = power.idle.and_then(|idle| idle.watts());
        let Some((spent, watts)) = power.spent.and_then(|spent| Some((spent, spent.watts()?))) else { return };
        let above = idle.map(|idle| watts - idle);
        let seconds = played.measured.time.as_secs_f64();
        let rate = played.measured.counted as f64 / seconds;
        let per_joule = (rate > 0.0 && watts > 0.0).then(|| rate / watts);
        let per_joule_above = above.filter(|above| *above > 0.0 && rate > 0.0).map(|above| rate / above);
        let above_idle =
            idle.zip(above).map_or("idle was not measured (--idle-seconds)".to_owned(), |(idle, above)| {
                format!("{above:.2} W above the {idle:.2} W without clients")
            });
        self.row("power", format!("{watts:.2} W {how}, {above_idle}"));
        if let Some(per_joule) = per_joule {
            let above = per_joule_above.map_or(String::new(), |n| format!(", {n:.1} for each above idle"));
            self.row("for a joule", format!("{per_joule:.1} {operation}{above} ({how})"));
        }
        self.raw(
            if meter.measured { "power_measured" } else { "power_modelled" },
            json!({
                "meter": meter,
                "watts": watts,
                "idle_watts": idle,
                "watts_above_idle": above,
                "joules": spent.joules,
                "seconds": spent.at.as_secs_f64(),
                "operations_per_joule": per_joule,
                "operations_per_joule_above_idle": per_joule_above,
            }),
        );
    }
}
