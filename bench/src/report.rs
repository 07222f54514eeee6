//! What a run found: a table for people, a JSON file with the raw figures, and whether the scene is valid.

use std::io::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use serde_json::{Map, Value};

use crate::meter::Meter;
use crate::options::Common;
use crate::result::Run;
use crate::stage::Played;
use crate::{hdr, layout, machine, origin, page};

/// A report in the making.
pub(crate) struct Report {
    scene: &'static str,
    rows: Vec<(&'static str, String)>,
    /// Why the scene is not valid.
    complaints: Vec<String>,
    json: Map<String, Value>,
}

impl Report {
    /// Notes the machine and the settings; to be called before the first client comes.
    pub(crate) fn new(scene: &'static str, common: &Common, meter: &Meter, settings: Value) -> Self {
        let mut json = Map::new();
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        json.insert("scene".into(), scene.into());
        json.insert("label".into(), common.label.clone().into());
        json.insert("started_unix_s".into(), started.into());
        json.insert("bench".into(), origin::describe());
        json.insert("machine".into(), meter.machine());
        if !meter.same_host() {
            json.insert("generator_machine".into(), machine::describe(&[]));
        }
        json.insert("settings".into(), settings);
        Self { scene, rows: vec![("label", common.label.clone())], complaints: Vec::new(), json }
    }

    /// A line of the table.
    pub(crate) fn row(&mut self, label: &'static str, value: impl Into<String>) {
        self.rows.push((label, value.into()));
    }

    /// A raw figure of the JSON file.
    pub(crate) fn raw(&mut self, key: &str, value: Value) {
        self.json.insert(key.to_owned(), value);
    }

    /// What the server says that it is.
    pub(crate) fn version(&mut self, server: Option<&String>) {
        self.raw("server_version", server.cloned().into());
        self.row("server", server.cloned().unwrap_or_default());
    }

    /// Says why the scene is not valid.
    pub(crate) fn complain(&mut self, why: impl Into<String>) {
        self.complaints.push(why.into());
    }

    /// The lines that every scene has: what the server used for each operation, and what the generator did.
    pub(crate) fn server<O>(&mut self, played: &Played<O>, operation: &str) {
        let measured = &played.measured;
        if let Some(fault) = &played.fault {
            self.complain(fault.clone());
            if !measured.begun {
                // Shares of next to no time would only distract from the reason.
                self.rows.clear();
                return;
            }
        }
        let (usage, own) = (&measured.usage, &measured.own_usage);
        let seconds = measured.time.as_secs_f64();
        let each = |amount: u64| amount as f64 / measured.counted as f64;
        let share = |ns: u64| 100.0 * ns as f64 / 1e9 / seconds;
        if played.server_seen {
            let ticks_ns = usage.user_ns + usage.system_ns;
            let cpu = format!("{:.2} % of a core ({:.1} % by ticks)", share(usage.cpu_ns), share(ticks_ns));
            if measured.counted > 0 {
                self.row("server CPU", format!("{:.1} µs per {operation}, {cpu}", each(usage.cpu_ns) / 1e3));
            } else {
                self.row("server CPU", cpu);
            }
            let rate = usage.switches() as f64 / seconds;
            let switches =
                format!("{rate:.1} /s ({} voluntary, {} not)", usage.voluntary_switches, usage.involuntary_switches);
            if measured.counted > 0 {
                self.row("switches", format!("{:.3} per {operation}, {switches}", each(usage.switches())));
            } else {
                self.row("switches", switches);
            }
            if usage.write_bytes + usage.read_bytes > 0 {
                let per = if measured.counted > 0 {
                    format!("{:.0} bytes per {operation}, ", each(usage.write_bytes))
                } else {
                    String::new()
                };
                self.row(
                    "disk",
                    format!("{per}{} KiB written, {} KiB read", usage.write_bytes >> 10, usage.read_bytes >> 10),
                );
            }
            let (before, after) = (&played.memory_before, &measured.memory_after);
            self.row(
                "memory",
                format!(
                    "PSS {} KiB, RSS {} KiB; before the clients came {} and {}",
                    after.pss_kib, after.rss_kib, before.pss_kib, before.rss_kib
                ),
            );
            match &measured.instructions {
                Some(Ok(count)) => {
                    let counted = if measured.counted > 0 {
                        format!("{:.0} per {operation}", each(*count))
                    } else {
                        count.to_string()
                    };
                    self.row("instructions", format!("{counted} (perf was on: do not compare the CPU time)"));
                }
                Some(Err(why)) => self.row("instructions", format!("none: {why}")),
                None => {}
            }
        }
        self.power(played, operation);
        self.row("generator", format!("CPU {:.1} % of a core", share(own.cpu_ns)));
        let cores = &measured.cores;
        let ours = if played.same_host { own.cpu_ns } else { 0 };
        let others = cores.busy_ns.saturating_sub(usage.cpu_ns + ours);
        if !played.server_seen {
            self.row(
                "machine",
                format!(
                    "CPU {:.0} % of a core, server and all, stolen {:.0} %",
                    share(cores.busy_ns),
                    share(cores.stolen_ns)
                ),
            );
        } else {
            let waited = 100.0 * usage.waited_ns as f64 / (usage.waited_ns + usage.cpu_ns).max(1) as f64;
            // Neighbours empty the caches: the server's own CPU time for the same work grows, often twofold.
            let disturbed = share(others) > 20.0 || waited > 20.0;
            let warning = if disturbed { ": DISTURBED, do not compare" } else { "" };
            self.raw("disturbed", disturbed.into());
            self.row("neighbours", format!("CPU {:.0} % of a core, stolen {:.0} %, the server stood in line for {waited:.0} % of its time{warning}", share(others), share(cores.stolen_ns)));
        }
        let each_core: Vec<String> = cores.each_busy_ns.iter().map(|ns| format!("{:.0}", share(*ns))).collect();
        self.row("each core", format!("{} %", each_core.join(" ")));
        self.raw("machine_busy_ns", cores.busy_ns.into());
        self.raw("machine_stolen_ns", cores.stolen_ns.into());
        self.raw("measured_s", seconds.into());
        self.raw("operation", operation.into());
        self.raw("operations", measured.counted.into());
        self.raw("server_usage", usage.json());
        self.raw("server_muster_usage", measured.muster_usage.json());
        self.raw("muster_s", measured.muster.as_secs_f64().into());
        self.raw("server_memory_before", played.memory_before.json());
        self.raw("server_memory_after", measured.memory_after.json());
        self.raw("generator_usage", own.json());
        self.raw("muster", measured.growth.json());
        self.raw("series", measured.series.json());
        self.raw("each_core_busy_ns", cores.each_busy_ns.clone().into());
        self.raw("instructions", measured.instructions.as_ref().and_then(|i| i.as_ref().ok().copied()).into());
    }

    /// A line of percentiles, and the whole histogram in the file. The histogram counts nanoseconds.
    pub(crate) fn latency(&mut self, label: &'static str, key: &str, histogram: &Histogram<u64>) -> Result<(), String> {
        if histogram.is_empty() {
            return Ok(());
        }
        let ms = |ns: u64| format!("{:.3}", ns as f64 / 1e6);
        let at = |quantile| ms(histogram.value_at_quantile(quantile));
        self.row(
            label,
            format!(
                "p50 {}  p90 {}  p99 {}  p99.9 {}  max {}",
                at(0.5),
                at(0.9),
                at(0.99),
                at(0.999),
                ms(histogram.max())
            ),
        );
        self.raw(key, hdr::json(histogram)?);
        Ok(())
    }

    /// Prints the table and writes the file. Gives the exit code: 0 for a valid scene, 1 for one that is not.
    pub(crate) fn finish(mut self, common: &Common) -> Result<u8, String> {
        let mut text = format!("{}\n", self.scene);
        for (label, value) in self.rows.iter().filter(|(_, value)| !value.is_empty()) {
            text.push_str(&format!("  {label:<13} {value}\n"));
        }
        for complaint in &self.complaints {
            text.push_str(&format!("  NOT VALID     {complaint}\n"));
        }
        say(text.trim_end());
        let valid = self.complaints.is_empty();
        self.raw(
            "rows",
            self.rows.iter().map(|(label, value)| Value::from(vec![(*label).to_owned(), value.clone()])).collect(),
        );
        self.raw("valid", valid.into());
        self.raw("complaints", self.complaints.clone().into());
        let run = Run { name: common.label.clone(), json: Value::Object(self.json) };
        let write = |option: &str, file: &Path, text: String| {
            std::fs::write(file, text).map_err(|e| format!("{option} {}: {e}", file.display()))
        };
        if let Some(file) = &common.json {
            write("--json", file, layout::text(&run.json)?)?;
        }
        if let Some(file) = &common.page {
            write("--page", file, page::html(&run)?)?;
        }
        Ok(u8::from(!valid))
    }
}

/// A histogram of nanoseconds, from a microsecond to two minutes, to three digits.
pub(crate) fn histogram() -> Result<Histogram<u64>, String> {
    Histogram::new_with_bounds(1_000, 120_000_000_000, 3).map_err(|e| e.to_string())
}

/// A line for people; one that cannot be printed is nobody's loss.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
